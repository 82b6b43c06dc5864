//! An admissible replica count of a service, with what follows from it.

use super::ClusterBounds;
use super::latency::Queue;
use crate::problem::{self, Capacity, Load, Mode, Relaxation, Slo, Survive};

/// What a total replica count means for a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Replicas over all clusters.
    pub replicas: u32,
    /// Expected CPU use of a pod in millicores, rounded up; 0 when not modelled.
    pub cpu_use_mcores: u64,
    /// Expected memory use of a pod in bytes; 0 when not modelled.
    pub memory_use_bytes: u64,
    /// CPU use over request, when modelled.
    pub utilization: Option<f64>,
    /// 95th percentile of latency in milliseconds, when modelled.
    pub latency_p95_ms: Option<f64>,
    /// Cost of missing the latency objective in USD an hour.
    pub slo_usd_per_hour: f64,
    /// Whether a plan may use it: within bounds, carries the load, meets a hard latency objective.
    pub admissible: bool,
}

/// All levels from 0 to the highest bound or current count, the fewest replicas that carry the load, and a note when a term is off.
pub(super) fn levels(
    service: &problem::Service,
    clusters: &[ClusterBounds],
    placed_now: u32,
    cpu_request_mcores: u64,
    relaxed: &[Relaxation],
) -> (Vec<Level>, u32, Option<String>) {
    let low: u32 = clusters.iter().map(|bounds| bounds.min).sum();
    let high: u32 = clusters.iter().map(|bounds| bounds.max).sum();
    let now = clusters
        .iter()
        .map(|bounds| bounds.now)
        .sum::<Option<u32>>();
    let top = high.max(placed_now).max(now.unwrap_or(0));
    let (Some(model), note) = Model::of(service, now, cpu_request_mcores, relaxed) else {
        return (
            (0..=top)
                .map(|r| unmodelled(r, (low..=high).contains(&r)))
                .collect(),
            0,
            None,
        );
    };
    let held = service.mode == Mode::Observe;
    // The load may need more than the bounds allow; the search stops where it cannot matter any more.
    let least = (0..=top.saturating_add(1))
        .find(|r| model.carries(*r))
        .unwrap_or(u32::MAX);
    // Whatever fails takes at least one pod with it.
    let survives = |r: u32| service.placement.survive == Survive::None || r == 0 || r > least;
    let admissible =
        |r: u32| (low..=high).contains(&r) && (held || model.is_admissible(r)) && survives(r);
    let levels = (0..=top).map(|r| model.level(r, admissible(r))).collect();
    (levels, least, note)
}

/// Whether so many replicas of a service, all of them together, carry a load, survive what it must survive and keep a hard latency
/// objective, whatever its bounds; true where load is not modelled.
pub(crate) fn carries(service: &problem::Service, rps: f64, replicas: u32) -> bool {
    let Some(capacity) = &service.capacity else {
        return true;
    };
    let load = Load { rps };
    let now = service.clusters.values().map(|bounds| bounds.now).sum();
    let cpu = service
        .requests
        .get("cpu")
        .and_then(problem::Quantity::milli);
    let model = Model {
        rps,
        capacity,
        cpu_request_mcores: cpu.unwrap_or(0),
        objective: objective(service, &load, capacity, now).0,
        slo_is_soft: false,
    };
    let survives =
        service.placement.survive == Survive::None || replicas == 0 || model.carries(replicas - 1);
    model.is_admissible(replicas) && survives
}

fn unmodelled(replicas: u32, admissible: bool) -> Level {
    Level {
        replicas,
        cpu_use_mcores: 0,
        memory_use_bytes: 0,
        utilization: None,
        latency_p95_ms: None,
        slo_usd_per_hour: 0.0,
        admissible,
    }
}

/// Latency objective with the shift of its waiting part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Objective<'a> {
    pub(crate) slo: &'a Slo,
    service_per_second: f64,
    shift_seconds: f64,
}

/// The objective to apply; none, with a note, when the model is too far from the observed latency.
fn objective<'a>(
    service: &'a problem::Service,
    load: &Load,
    capacity: &Capacity,
    now: Option<u32>,
) -> (Option<Objective<'a>>, Option<String>) {
    let (Some(slo), Some(service_time_ms)) = (&service.slo, capacity.service_time_ms) else {
        return (None, None);
    };
    let service_per_second = 1000.0 / service_time_ms;
    let (Some(observed_ms), Some(now)) = (slo.observed_p95_ms, now) else {
        return (
            Some(Objective {
                slo,
                service_per_second,
                shift_seconds: 0.0,
            }),
            None,
        );
    };
    let observed = observed_ms / 1000.0;
    let modelled = queue(load.rps, capacity, service_per_second, now).p95_seconds();
    match modelled.map(|p95| observed - p95) {
        Some(shift_seconds) if shift_seconds.abs() <= 0.5 * observed => (
            Some(Objective {
                slo,
                service_per_second,
                shift_seconds,
            }),
            None,
        ),
        _ => {
            let modelled = modelled.map_or("no finite p95".to_owned(), |p95| {
                format!("a p95 of {:.1} ms", p95 * 1000.0)
            });
            let note = format!(
                "{}: latency is not modelled: the queue gives {modelled} at {now} replicas where {observed_ms} ms are observed; check \
                 capacity.service_time_ms and concurrency",
                service.name
            );
            (None, Some(note))
        }
    }
}

fn queue(rps: f64, capacity: &Capacity, service_per_second: f64, replicas: u32) -> Queue {
    let servers = f64::from(replicas) * f64::from(capacity.concurrency);
    Queue {
        arrivals_per_second: rps,
        service_per_second,
        servers,
    }
}

/// How a service answers a load with so many replicas. The shift of the objective is that of the load and the replicas it was made for;
/// under another load it stays the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model<'a> {
    /// Requests per second over all replicas.
    pub(crate) rps: f64,
    pub(crate) capacity: &'a Capacity,
    cpu_request_mcores: u64,
    /// The latency objective; none where latency is not modelled.
    pub(crate) objective: Option<Objective<'a>>,
    slo_is_soft: bool,
}

impl<'a> Model<'a> {
    /// The model of a service with `now` replicas over all clusters, and a note when its latency term is off; none without load or capacity.
    pub(crate) fn of(
        service: &'a problem::Service,
        now: Option<u32>,
        cpu_request_mcores: u64,
        relaxed: &[Relaxation],
    ) -> (Option<Self>, Option<String>) {
        let (Some(load), Some(capacity)) = (&service.load, &service.capacity) else {
            return (None, None);
        };
        let (objective, note) = objective(service, load, capacity, now);
        let model = Self {
            rps: load.rps,
            capacity,
            cpu_request_mcores,
            objective,
            slo_is_soft: relaxed.contains(&Relaxation::Slo),
        };
        (Some(model), note)
    }
}

impl Model<'_> {
    /// The same service under another load.
    pub(crate) fn at(self, rps: f64) -> Self {
        Self { rps, ..self }
    }

    /// Expected CPU use of a pod in millicores: idle + rps / r · `cpu_per_rps`.
    pub(crate) fn cpu_use_mcores(&self, replicas: u32) -> f64 {
        let idle = self.capacity.idle_cpu.milli_f64().unwrap_or(0.0);
        if self.rps == 0.0 {
            return idle;
        }
        idle + self.rps / f64::from(replicas) * self.capacity.cpu_per_rps.milli_f64().unwrap_or(0.0)
    }

    /// CPU use over request.
    #[allow(clippy::cast_precision_loss)]
    pub(crate) fn utilization(&self, replicas: u32) -> f64 {
        self.cpu_use_mcores(replicas) / self.cpu_request_mcores as f64
    }

    /// Whether requests are served as fast as they come; also where service times are not known.
    pub(crate) fn is_stable(&self, replicas: u32) -> bool {
        let queue = |ms| queue(self.rps, self.capacity, 1000.0 / ms, replicas);
        let times = self.capacity.service_time_ms;
        self.rps == 0.0 || times.is_none_or(|ms| queue(ms).is_stable())
    }

    /// Whether so many replicas carry the load: a stable queue, and CPU at most at its target.
    fn carries(&self, replicas: u32) -> bool {
        if replicas == 0 {
            return self.rps == 0.0;
        }
        let target = self.capacity.target_utilization * (1.0 + 1e-12);
        self.utilization(replicas) <= target && self.is_stable(replicas)
    }

    fn is_admissible(&self, replicas: u32) -> bool {
        let hard = self
            .objective
            .as_ref()
            .filter(|o| o.slo.usd_per_hour.is_none() && !self.slo_is_soft);
        self.carries(replicas)
            && hard.is_none_or(|o| {
                self.latency_p95_ms(replicas)
                    .is_some_and(|p95| p95 <= o.slo.latency_p95_ms * (1.0 + 1e-12))
            })
    }

    /// Modelled p95 with the waiting part shifted to what is observed now.
    pub(crate) fn latency_p95_ms(&self, replicas: u32) -> Option<f64> {
        let objective = self.objective.as_ref()?;
        if replicas == 0 {
            return None;
        }
        let queue = queue(
            self.rps,
            self.capacity,
            objective.service_per_second,
            replicas,
        );
        let floor = queue.p95_without_waiting_seconds();
        let waiting = queue.p95_seconds()? - floor + objective.shift_seconds;
        Some((floor + waiting.max(0.0)) * 1000.0)
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn level(&self, replicas: u32, admissible: bool) -> Level {
        let modelled = replicas > 0;
        let latency_p95_ms = self.latency_p95_ms(replicas);
        Level {
            replicas,
            cpu_use_mcores: if modelled {
                self.cpu_use_mcores(replicas).ceil() as u64
            } else {
                0
            },
            memory_use_bytes: self
                .capacity
                .memory_peak
                .as_ref()
                .and_then(problem::Quantity::units)
                .unwrap_or(0),
            utilization: modelled.then(|| self.utilization(replicas)),
            latency_p95_ms,
            slo_usd_per_hour: self.slo_usd_per_hour(latency_p95_ms),
            admissible,
        }
    }

    /// `usd_per_hour · min(10, max(0, p95/objective − 1))`; an unstable queue costs the most.
    pub(crate) fn slo_usd_per_hour(&self, latency_p95_ms: Option<f64>) -> f64 {
        let Some(Objective { slo, .. }) = &self.objective else {
            return 0.0;
        };
        let excess = latency_p95_ms.map_or(10.0, |p95| {
            (p95 / slo.latency_p95_ms - 1.0).clamp(0.0, 10.0)
        });
        slo.usd_per_hour.unwrap_or(0.0) * if self.rps == 0.0 { 0.0 } else { excess }
    }
}
