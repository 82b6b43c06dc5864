//! The cost of a plan's fleet with one service held at another number of replicas.

use super::{Limits, PlanError, Settings, candidates};
use crate::fleet;
use crate::limits::Meter;
use crate::plan::Plan;

/// The least cost found within the limits when a service has exactly `replicas` in all, everything else being planned anew, USD/h:
/// realisable by the scheduler where the plan is, though no steps are looked for. `None` where nothing feasible was found, or the
/// plan has no such service.
///
/// # Errors
///
/// The plan's problem does not compile; a plan that `verify` accepts always does.
pub fn cost_at_replicas(
    plan: &Plan,
    service: &str,
    replicas: u32,
    settings: &Settings,
    limits: &Limits,
) -> Result<Option<f64>, PlanError> {
    let mut fleet =
        fleet::compile(plan.problem.clone(), &plan.relaxed).map_err(PlanError::Input)?;
    let Some(held) = fleet.services.iter_mut().find(|s| s.name == service) else {
        return Ok(None);
    };
    for level in &mut held.levels {
        level.admissible &= level.replicas == replicas;
    }
    if held.admissible().next().is_none() {
        return Ok(None);
    }
    let meter = Meter::new(*limits);
    let found = candidates::attempt(&fleet, settings, &meter, &|_, _| {});
    let totals = found
        .rows
        .iter()
        .filter_map(|(row, placement)| placement.as_ref().and(row.total_usd_per_hour));
    Ok(totals.reduce(f64::min))
}
