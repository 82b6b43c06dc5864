//! Whether anything changed since the last planning that could change its answer.
//!
//! A cycle in which nothing did must not plan again: a week has ten thousand of them. What must be equal is compared by digest (the
//! problem's rules, what runs where), figures that vary from reading to reading (prices, CPU per request, memory) within a tolerance, and
//! demands not at all, for [`demand`](super::demand) moves them only beyond the tolerance.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::problem::{ProblemFile, Quantity};

/// What was planned from last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// When, seconds since the Unix epoch.
    pub(super) at_seconds: f64,
    /// Digest of the problem without what the other fields hold.
    shape: String,
    /// Digest of what runs where.
    pub(super) standing: String,
    /// Demand planned for, in requests per second by service.
    loads: BTreeMap<String, f64>,
    /// Prices, interruptions and capacity figures, in the order of the problem; absent ones too.
    figures: Vec<Option<f64>>,
    /// Services whose observed latency misses its objective.
    missed: BTreeSet<String>,
    /// When to plan again in any case, seconds since the Unix epoch: what was held back then is free.
    pub(super) retry_at_seconds: Option<f64>,
    /// What was decided.
    pub(super) rule: String,
}

/// How a problem differs from what was planned from last.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Difference {
    /// Not at all.
    None,
    /// Figures within the tolerance; the largest relative change of one.
    Within(f64),
    /// In what runs where only.
    Standing,
    /// In this.
    Material(String),
}

impl Basis {
    /// What a problem is planned from; `None` where it cannot be written, which no problem that was read does.
    pub(super) fn of(problem: &ProblemFile, now_seconds: f64, tolerance: f64) -> Option<Self> {
        let mut shape = problem.clone();
        let current = shape.current.take();
        let (mut loads, mut figures) = (BTreeMap::new(), Vec::new());
        let (mut missed, mut replicas) = (BTreeSet::new(), Vec::new());
        for service in &mut shape.services {
            if let Some(load) = service.load.take() {
                loads.insert(service.name.clone(), load.rps);
            }
            if let Some(capacity) = &mut service.capacity {
                for figure in [&mut capacity.cpu_per_rps, &mut capacity.idle_cpu] {
                    figures.push(figure.milli_f64());
                    *figure = Quantity(String::new());
                }
                figures.push(
                    capacity
                        .memory_peak
                        .take()
                        .and_then(|peak| peak.milli_f64()),
                );
            }
            if let Some(slo) = &mut service.slo {
                let observed = slo.observed_p95_ms.take();
                let limit = slo.latency_p95_ms * (1.0 + tolerance);
                if observed.is_some_and(|observed| observed > limit) {
                    missed.insert(service.name.clone());
                }
            }
            replicas.extend(
                service
                    .clusters
                    .values_mut()
                    .map(|bounds| bounds.now.take()),
            );
        }
        for offering in shape.pools.iter_mut().flat_map(|pool| &mut pool.offerings) {
            figures.push(offering.usd_per_hour.take());
            figures.push(offering.interruptions_per_hour.take());
        }
        Some(Self {
            at_seconds: now_seconds,
            shape: digest(&shape)?,
            standing: digest(&(current, replicas))?,
            loads,
            figures,
            missed,
            retry_at_seconds: None,
            rule: String::new(),
        })
    }

    /// How a later problem differs from this one.
    pub(super) fn difference(&self, later: &Self, tolerance: f64) -> Difference {
        if self.shape != later.shape {
            return Difference::Material("the problem changed".to_owned());
        }
        if let Some((service, rps)) = later
            .loads
            .iter()
            .find(|(name, rps)| self.loads.get(*name) != Some(rps))
        {
            let before = self.loads.get(service).copied().unwrap_or(0.0);
            return Difference::Material(format!(
                "the demand of {service} went from {before:.1} to {rps:.1} requests per second"
            ));
        }
        if self.missed != later.missed {
            return Difference::Material("a latency objective is missed, or met again".to_owned());
        }
        let pairs = self.figures.iter().zip(&later.figures);
        let largest = pairs.fold(0.0_f64, |largest, pair| largest.max(change(pair)));
        if largest > tolerance || self.figures.len() != later.figures.len() {
            return Difference::Material(format!(
                "a price or capacity figure changed by {:.0} %",
                largest * 100.0
            ));
        }
        if self.standing != later.standing {
            return Difference::Standing;
        }
        if largest > 0.0 {
            Difference::Within(largest)
        } else {
            Difference::None
        }
    }
}

impl Basis {
    /// Whether another problem has the same demands.
    pub(super) fn has_loads_of(&self, other: &Self) -> bool {
        self.loads == other.loads
    }
}

/// Relative change of a figure; one that comes or goes changes by everything.
fn change(pair: (&Option<f64>, &Option<f64>)) -> f64 {
    match pair {
        (Some(before), Some(after)) if before == after => 0.0,
        (Some(before), Some(after)) => (after - before).abs() / before.abs().max(1e-12),
        (None, None) => 0.0,
        _ => f64::INFINITY,
    }
}

fn digest(value: &impl Serialize) -> Option<String> {
    let bytes = serde_json::to_vec(value).ok()?;
    let digest = Sha256::digest(bytes);
    Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
