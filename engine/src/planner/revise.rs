//! Another decision on a plan that was found, or a part of its changes alone, as a plan file of its own.

use super::assemble::{fill, seal};
use crate::feasibility::violations;
use crate::fleet;
use crate::placement::Placement;
use crate::plan::{Candidate, Decision, Plan};
use crate::problem::Issue;
use crate::steps;
use crate::verify::VerifiedPlan;
use crate::warning::Warning;

/// Name of the row of a plan that carries out a part of what the planner found.
const PARTIAL: &str = "partial";

/// What whoever decides on a plan has to say of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remarks {
    /// Further reasons.
    pub reasons: Vec<String>,
    /// What has changed, and what is expected to become too little.
    pub warnings: Vec<Warning>,
}

impl Remarks {
    fn add_to(&self, plan: &mut Plan) {
        plan.reasons.extend(self.reasons.iter().cloned());
        plan.warnings.clone_from(&self.warnings);
    }
}

/// The same plan with another decision and remarks.
///
/// # Errors
///
/// Why `verify` refuses it, such as a synthetic problem that is to be published.
pub fn decided(
    plan: &VerifiedPlan,
    decision: Decision,
    remarks: &Remarks,
) -> Result<VerifiedPlan, String> {
    let mut revised = plan.plan().clone();
    revised.decision = decision;
    remarks.add_to(&mut revised);
    seal(&revised)
}

/// A plan for the same problem that ends at another placement. The search's bound stays proven, for it holds for every placement;
/// costs, gap, status, rows and steps are made anew, and the table of candidates gets a row `partial`.
///
/// # Errors
///
/// Why it is no plan: a constraint that the placement breaks, no order of steps, what `verify` refuses.
pub fn partial(
    plan: &VerifiedPlan,
    placement: &Placement,
    decision: Decision,
    remarks: &Remarks,
) -> Result<VerifiedPlan, String> {
    let found = plan.plan();
    let compiled = |relaxed| fleet::compile(found.problem.clone(), relaxed).map_err(told);
    let fleet = compiled(&found.relaxed)?;
    if let Some(broken) = violations(&fleet, placement).first() {
        return Err(format!("it breaks {broken}"));
    }
    let sequence = steps::sequence(&fleet, placement)
        .map_err(|stuck| format!("no order of steps: {stuck}"))?;
    let mut revised = found.clone();
    revised
        .reasons
        .retain(|reason| !reason.starts_with("given up: "));
    fill(&mut revised, &compiled(&[])?, &fleet, placement, sequence);
    choose(&mut revised);
    revised.decision = decision;
    remarks.add_to(&mut revised);
    seal(&revised)
}

/// Moves the mark of the chosen candidate to a row of the plan's own cost.
fn choose(plan: &mut Plan) {
    for row in &mut plan.candidates {
        if row.outcome == "chosen" {
            "feasible".clone_into(&mut row.outcome);
        }
    }
    plan.candidates.retain(|row| row.solver != PARTIAL);
    plan.candidates.push(Candidate {
        solver: PARTIAL.to_owned(),
        outcome: "chosen".to_owned(),
        total_usd_per_hour: plan.cost.map(|cost| cost.total_usd_per_hour),
        schedulable_usd_per_hour: None,
        work: 0,
        note: "a part of the changes found; the rest keeps running as now".to_owned(),
    });
    if let Some(report) = &mut plan.qaoa {
        report.chosen = false;
    }
}

fn told(issues: Vec<Issue>) -> String {
    let issues: Vec<String> = issues.iter().map(ToString::to_string).collect();
    issues.join("; ")
}
