//! A plan at a glance, for people: what changes, what it saves, how sure that is, and what to do next.

mod advice;
mod fleet;
mod money;
mod search;
pub(crate) mod table;

pub(crate) use advice::{Origin, next_steps};

use ketscale_engine::plan::{Plan, Status};

/// The report of a plan. `verified` says whether the plan was checked from its own bytes.
pub(crate) fn report(plan: &Plan, verified: bool) -> String {
    let mut sections = vec![headline(plan, verified)];
    if plan.cost.is_some() {
        sections.extend([
            money::costs(plan),
            fleet::replicas(plan),
            fleet::nodes(plan),
        ]);
    }
    sections.extend([
        search::candidates(plan),
        search::qaoa(plan),
        advice::gaps(plan),
        advice::reasons(plan),
        advice::warnings(plan),
    ]);
    if plan.cost.is_some() {
        sections.push(advice::carrying_out(plan));
    } else {
        sections.push(advice::what_to_relax(plan));
    }
    sections.retain(|section| !section.is_empty());
    sections.join("\n")
}

fn headline(plan: &Plan, verified: bool) -> String {
    let name = &plan.problem.name;
    let mut line = match plan.status {
        Status::Optimal => {
            format!("{name}: optimal. No plan is cheaper, and the plan file proves it.")
        }
        Status::Feasible => format!("{name}: feasible{}.", gap(plan)),
        Status::Relaxed => {
            let given_up: Vec<&str> = plan
                .relaxed
                .iter()
                .map(|relaxation| relaxation.as_str())
                .collect();
            format!(
                "{name}: feasible only after giving up {}{}.",
                given_up.join(" and "),
                gap(plan)
            )
        }
        Status::Infeasible => format!(
            "{name}: infeasible. No plan keeps every constraint, and the plan file proves it."
        ),
        Status::Unknown => format!(
            "{name}: unknown. Neither a plan nor a proof that there is none was found in time."
        ),
    };
    if verified {
        line.push_str(" Verified.");
    }
    if plan.provenance.synthetic {
        line.push_str("\nThe numbers are synthetic: made up for an example or a test.");
    }
    line.push('\n');
    line
}

/// `, at most 1.4 % ($0.042/h) above the cheapest possible`.
fn gap(plan: &Plan) -> String {
    let (Some(cost), Some(bound), Some(gap)) = (&plan.cost, plan.bound, plan.gap) else {
        return ", without a proven bound".to_owned();
    };
    let above = (cost.total_usd_per_hour - bound).max(0.0);
    format!(
        ", at most ${above:.3} an hour above the cheapest possible (gap {:.1} %)",
        gap * 100.0
    )
}
