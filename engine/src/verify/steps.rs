//! Whether the steps of a plan lead from what runs now to the plan.

use super::Finding;
use super::running::Running;
use crate::fleet::Fleet;
use crate::placement::Placement;
use crate::plan::Plan;

/// Replays the steps one by one; the first that cannot be taken ends the replay.
pub(super) fn check(fleet: &Fleet, plan: &Plan, placement: &Placement) -> Vec<Finding> {
    let steps = match (&plan.steps, fleet.has_current) {
        (Some(steps), true) => steps,
        (None, false) => return Vec::new(),
        (Some(_), false) => {
            return vec![Finding::new(
                "steps",
                "are stated, but the problem does not say what runs now",
            )];
        }
        (None, true) => return vec![Finding::new("steps", "are missing")],
    };
    let mut running = Running::new(fleet, placement);
    for (index, step) in steps.iter().enumerate() {
        if let Err(message) = running.take(step) {
            return vec![Finding::new(format!("steps[{index}]"), message)];
        }
    }
    running
        .differences(&plan.nodes, placement)
        .into_iter()
        .map(|message| Finding::new("steps", message))
        .collect()
}
