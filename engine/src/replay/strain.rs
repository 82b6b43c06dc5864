//! What a load does to a service: whether it misses its objective, by the model that plans are made with.

use crate::fleet::{Fleet, Model};

/// Guard against the rounding of a ratio that is meant to be met exactly.
const TOLERANCE: f64 = 1e-9;

/// How a service is doing at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Strain {
    /// Over its latency objective: p95 above it, a queue that grows, or more CPU asked for than requested. False without an objective.
    pub(super) over_slo: bool,
    /// Without an objective: a queue that grows, or more CPU asked for than requested.
    pub(super) overloaded: bool,
    /// CPU use above `capacity.target_utilization`.
    pub(super) over_target: bool,
    /// The price of the missed objective in USD an hour.
    pub(super) slo_usd_per_hour: f64,
    /// The 95th percentile of latency in milliseconds, when modelled and finite.
    pub(super) p95_ms: Option<f64>,
}

/// A service in the world: its model, and the strain last worked out.
#[derive(Clone, Debug)]
pub(super) struct Served<'a> {
    /// None for a service without a load model.
    model: Option<Model<'a>>,
    last: Option<(f64, u32, Strain)>,
}

impl<'a> Served<'a> {
    /// Every service of a fleet. What tells the model's latency from the observed one in the problem stays the same throughout.
    pub(super) fn all(fleet: &'a Fleet) -> Vec<Self> {
        let services = fleet.problem.services.iter().zip(&fleet.services);
        let served = |(source, service): (&'a crate::problem::Service, &crate::fleet::Service)| {
            let request = service.request.first().copied().unwrap_or(0);
            let (model, _) = Model::of(source, service.now, request, &fleet.relaxed);
            Self { model, last: None }
        };
        services.map(served).collect()
    }

    /// The strain of a load on ready pods.
    pub(super) fn strain(&mut self, rps: f64, ready: u32) -> Strain {
        match self.last {
            Some((last_rps, last_ready, strain)) if last_rps == rps && last_ready == ready => {
                strain
            }
            _ => {
                let model = self.model.map(|model| model.at(rps));
                let strain = model.map_or_else(Strain::default, |model| strain(&model, ready));
                self.last = Some((rps, ready, strain));
                strain
            }
        }
    }

    /// CPU use of one of the ready pods in millicores; `None` without a load model or pods.
    pub(super) fn use_mcores(&self, rps: f64, ready: u32) -> Option<f64> {
        let model = self.model?.at(rps);
        (ready > 0).then(|| model.cpu_use_mcores(ready))
    }
}

fn strain(model: &Model, ready: u32) -> Strain {
    let idle = model.rps == 0.0;
    let utilization = if ready > 0 {
        model.utilization(ready)
    } else if idle {
        0.0
    } else {
        f64::INFINITY
    };
    let p95_ms = model.latency_p95_ms(ready);
    let overloaded =
        !idle && (ready == 0 || !model.is_stable(ready) || utilization > 1.0 + TOLERANCE);
    let slow = model.objective.is_some_and(|objective| {
        let most = objective.slo.latency_p95_ms * (1.0 + TOLERANCE);
        !idle && p95_ms.is_none_or(|p95| p95 > most)
    });
    Strain {
        over_slo: model.objective.is_some() && (slow || overloaded),
        overloaded: model.objective.is_none() && overloaded,
        over_target: utilization > model.capacity.target_utilization * (1.0 + TOLERANCE),
        slo_usd_per_hour: model.slo_usd_per_hour(p95_ms),
        p95_ms,
    }
}
