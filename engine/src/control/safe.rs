//! The safe replicas: what to run when nothing has been known for too long.

use std::collections::BTreeMap;

use super::State;
use super::settings::FallbackSettings;
use crate::problem::{Mode, ProblemFile, Service};

/// The last good problem with every service at its safe replicas: as many as the greatest demand of the past needs, or as the settings
/// say, and nowhere fewer than run now. `None` when nothing good was ever seen.
pub(super) fn problem(state: &State, settings: &FallbackSettings) -> Option<ProblemFile> {
    let mut problem = state.good.as_ref()?.problem.clone();
    for service in &mut problem.services {
        if service.mode == Mode::Observe {
            continue;
        }
        let memory = state.services.get(&service.name);
        let known = memory.and_then(|memory| {
            memory
                .peak_rps()
                .into_iter()
                .chain(memory.reading_rps())
                .reduce(f64::max)
        });
        if let (Some(load), Some(peak)) = (&mut service.load, known) {
            load.rps = load.rps.max(peak);
        }
        for bounds in service.clusters.values_mut() {
            bounds.min = bounds.min.max(bounds.now.unwrap_or(0)).min(bounds.max);
        }
        raise(service, &settings.replicas);
    }
    Some(problem)
}

/// Raises the least replicas of a service's clusters, in their order, until their sum is what the settings ask for.
fn raise(service: &mut Service, replicas: &BTreeMap<String, u32>) {
    let asked = replicas.get(&service.name).copied().unwrap_or(0);
    let least: u32 = service.clusters.values().map(|bounds| bounds.min).sum();
    let mut missing = asked.saturating_sub(least);
    for bounds in service.clusters.values_mut() {
        let more = missing.min(bounds.max.saturating_sub(bounds.min));
        bounds.min += more;
        missing -= more;
    }
}
