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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::plan::Action;
    use crate::planner::{Limits, Settings, Solver, Source, plan};
    use crate::problem;

    /// Three pods on two nodes, though one would do.
    const TEXT: &str = "
schema: ketscale.problem/v1
name: two
clusters: [{name: c, provider: other, region: r}]
services: [{name: shop/cart, clusters: {c: {min: 3, max: 3, now: 3}}, requests: {cpu: 500m, memory: 1Gi}}]
pools:
- name: p
  cluster: c
  offerings: [{instance_type: t, zone: z, capacity_type: on-demand, usd_per_hour: 0.1, allocatable: {cpu: 4, memory: 16Gi, pods: 50}}]
current:
  nodes:
  - {name: n1, pool: p, offering: t/z/on-demand, pods: {shop/cart: 2}}
  - {name: n2, pool: p, offering: t/z/on-demand, pods: {shop/cart: 1}}
";

    fn decision() -> Decision {
        Decision {
            action: Action::Publish,
            rule: "a part".to_owned(),
            age_seconds: None,
        }
    }

    fn planned() -> VerifiedPlan {
        let problem = problem::read(TEXT.as_bytes(), "two.yaml").unwrap();
        let problem = problem::resolve(problem, Catalogue::built_in(), "two.yaml").unwrap();
        let stop = AtomicBool::new(false);
        let settings = Settings {
            solver: Solver::Exact,
            ..Settings::default()
        };
        let limits = Limits::new(&stop, Some(1_000_000));
        plan(problem, Source::default(), &settings, &limits, &|_, _| {}).unwrap()
    }

    #[test]
    fn a_part_of_the_changes_is_a_plan_with_the_proof_of_the_whole() {
        let whole = planned();
        let found = whole.plan();
        assert_eq!(found.nodes.iter().map(|node| node.count).sum::<u32>(), 1);
        let fleet = fleet::compile(found.problem.clone(), &[]).unwrap();
        let remarks = Remarks {
            reasons: vec!["nothing moves".to_owned()],
            ..Remarks::default()
        };
        let none = partial(&whole, &Placement::current(&fleet), decision(), &remarks).unwrap();
        let none = none.plan();
        assert_eq!(none.cost, found.current_cost);
        assert_eq!(
            (&none.bound, &none.certificate),
            (&found.bound, &found.certificate)
        );
        assert_eq!(none.steps.as_deref(), Some(&[][..]));
        assert!(none.reasons.contains(&"nothing moves".to_owned()));
        let chosen = none.candidates.iter().filter(|row| row.outcome == "chosen");
        let chosen: Vec<&str> = chosen.map(|row| row.solver.as_str()).collect();
        assert_eq!(chosen, [PARTIAL]);
    }

    #[test]
    fn what_breaks_a_constraint_is_no_part() {
        let whole = planned();
        let fleet = fleet::compile(whole.plan().problem.clone(), &[]).unwrap();
        let mut placement = Placement::current(&fleet);
        placement.groups.pop();
        let refused = partial(&whole, &placement, decision(), &Remarks::default());
        assert!(refused.is_err_and(|why| why.starts_with("it breaks ")));
    }
}
