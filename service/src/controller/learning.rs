//! Capacity that the problem file leaves out, learned from the past that the Prometheus knows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ketscale_engine::learn::{self, Measured};
use ketscale_engine::problem::ProblemFile;

use super::Controller;
use crate::live::History;
use crate::store::{Happening, StoreError};

/// How long to gather more of a past that told too little.
const AGAIN: Duration = Duration::from_secs(3600);

impl Controller {
    /// Whether it is time to learn something that the problem lacks.
    pub(super) fn wants_to_learn(&self) -> bool {
        let is_due = self.learned_at.is_none_or(|at| at.elapsed() >= AGAIN);
        is_due && lacks(&self.problem)
    }

    /// Fills in what the past tells of capacity; what was learned and what was not goes into the log.
    pub(super) async fn learn(
        &mut self,
        history: &History,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.learned_at = Some(Instant::now());
        let filled = learn::fill_in(&mut self.problem, &learn::learn_all(&measured(history)));
        let told = |kind: &str, message: String| Happening {
            at: now,
            problem: self.problem.name.clone(),
            kind: kind.to_owned(),
            message,
            details: "{}".to_owned(),
        };
        let learned = filled.readings.iter().map(|reading| {
            told(
                "learned",
                format!("{} = {} ({})", reading.path, reading.value, reading.query),
            )
        });
        let missing = filled
            .gaps
            .iter()
            .map(|gap| told("not_learned", format!("{}: {}", gap.path, gap.reason)));
        let happenings: Vec<Happening> = learned.chain(missing).collect();
        self.shared.store.append(&happenings).await
    }
}

/// Whether a service with a load leaves out what the past can tell.
fn lacks(problem: &ProblemFile) -> bool {
    problem.services.iter().any(|service| {
        let capacity = service.capacity.as_ref();
        service.load.is_some() && capacity.is_none_or(|capacity| capacity.memory_peak.is_none())
    })
}

/// Services whose load and CPU use are both known of the past.
fn measured(history: &History) -> BTreeMap<String, Measured<'_>> {
    let both = history.load.iter().filter_map(|(name, load_rps)| {
        let measured = Measured {
            load_rps,
            cpu_cores: history.cpu_use.get(name)?,
            replicas: history.replicas.get(name),
            replicas_now: None,
            memory_bytes: history.memory_peak.get(name),
        };
        Some((name.clone(), measured))
    });
    both.collect()
}
