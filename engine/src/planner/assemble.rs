//! Plan files from candidates.

use super::candidates::Attempt;
use super::{PlanError, Run};
use crate::cost::cost;
use crate::feasibility::violations;
use crate::fleet::Fleet;
use crate::placement::Placement;
use crate::plan::{
    self, Action, Baseline, BaselineRow, Certificate, Decision, Plan, Provenance, Status, rows,
};
use crate::steps;
use crate::verify::bound::{constants, gap};
use crate::verify::{VerifiedPlan, verify};

/// The cheapest candidate that can be carried out and that `verify` accepts.
pub(super) fn published(
    run: &Run<'_>,
    original: &Fleet,
    fleet: &Fleet,
    mut attempt: Attempt,
) -> Result<VerifiedPlan, PlanError> {
    let mut order: Vec<usize> = (0..attempt.rows.len())
        .filter(|row| attempt.rows[*row].1.is_some())
        .collect();
    let total = |row: &usize| {
        attempt.rows[*row]
            .0
            .total_usd_per_hour
            .unwrap_or(f64::INFINITY)
    };
    order.sort_by(|a, b| total(a).total_cmp(&total(b)));
    let mut refusals = Vec::new();
    for row in order {
        let Some(placement) = attempt.rows[row].1.clone() else {
            continue;
        };
        match steps::sequence(fleet, &placement) {
            Ok(sequence) => {
                let mut plan = skeleton(run, fleet, &attempt);
                plan.candidates[row].outcome = "chosen".to_owned();
                (plan.bound, plan.certificate) = attempt.proven.clone().unzip();
                fill(&mut plan, original, fleet, &placement, sequence);
                if let Some(report) = &mut plan.qaoa {
                    report.chosen = plan.candidates[row].solver == "qaoa";
                }
                match seal(&plan) {
                    Ok(plan) => return Ok(plan),
                    Err(refusal) => refusals.push(refusal),
                }
            }
            Err(stuck) => {
                let candidate = &mut attempt.rows[row].0;
                "none".clone_into(&mut candidate.outcome);
                candidate.note = format!("cannot be carried out: {stuck}");
            }
        }
    }
    if !refusals.is_empty() {
        return Err(PlanError::Internal(format!(
            "verify refused every candidate: {}",
            refusals.join(" | ")
        )));
    }
    let reasons = vec!["a feasible packing was found, but no order of steps carries it out within surge and disruption budgets".to_owned()];
    without_plan(run, fleet, &attempt, None, reasons)
}

/// Sets the digest; the reason when `verify` refuses the bytes.
pub(super) fn seal(plan: &Plan) -> Result<VerifiedPlan, String> {
    let bytes = plan::to_bytes(plan).map_err(|error| error.to_string())?;
    verify(&bytes).map_err(|findings| {
        let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
        findings.join("; ")
    })
}

/// The parts that do not depend on the candidate chosen.
fn skeleton(run: &Run<'_>, fleet: &Fleet, attempt: &Attempt) -> Plan {
    let current = Placement::current(fleet);
    let mut reasons = fleet.notes.clone();
    if run.meter.cut_by_clock() {
        reasons.push("the time limit cut the run: another run may give another plan".to_owned());
    }
    reasons.extend(run.source.gaps.iter().map(|gap| {
        format!(
            "no live value for {}: {}; the file's value was kept",
            gap.path, gap.reason
        )
    }));
    Plan {
        schema: plan::SCHEMA.to_owned(),
        digest: String::new(),
        problem: fleet.problem.clone(),
        status: Status::Unknown,
        relaxed: fleet.relaxed.clone(),
        decision: Decision {
            action: Action::Hold,
            rule: String::new(),
            age_seconds: run.source.age_seconds,
        },
        services: Vec::new(),
        pools: Vec::new(),
        nodes: Vec::new(),
        cost: None,
        current_cost: fleet.has_current.then(|| cost(fleet, &current)),
        baseline_cost: None,
        bound: None,
        gap: None,
        certificate: None,
        candidates: attempt
            .rows
            .iter()
            .map(|(candidate, _)| candidate.clone())
            .collect(),
        qaoa: attempt.qaoa.clone(),
        steps: None,
        reasons,
        warnings: Vec::new(),
        provenance: Provenance {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            solver: run.settings.solver.to_string(),
            seed: run.settings.seed,
            work_limit: run.limits.work,
            work: run.meter.used(),
            cut_by_clock: run.meter.cut_by_clock(),
            synthetic: fleet.problem.synthetic,
            readings: run.source.readings.clone(),
            gaps: run.source.gaps.clone(),
        },
    }
    .with_baseline(fleet, attempt)
}

impl Plan {
    fn with_baseline(mut self, fleet: &Fleet, attempt: &Attempt) -> Self {
        let row = |placement: &Placement| BaselineRow {
            cost: cost(fleet, placement),
            nodes: rows::node_groups(fleet, placement),
            violations: violations(fleet, placement)
                .iter()
                .map(ToString::to_string)
                .collect(),
        };
        self.baseline_cost = Some(Baseline {
            stock: row(&attempt.stock),
            repaired: attempt.repaired.as_ref().map(row),
        });
        self
    }
}

/// Everything that follows from the placement, with the decision that a single run takes.
pub(super) fn fill(
    plan: &mut Plan,
    original: &Fleet,
    fleet: &Fleet,
    placement: &Placement,
    sequence: Option<Vec<plan::Step>>,
) {
    let own = cost(fleet, placement);
    plan.services = rows::services(fleet, placement);
    plan.pools = rows::pools(fleet, placement);
    plan.nodes = rows::node_groups(fleet, placement);
    plan.gap = plan
        .bound
        .map(|bound| gap(own.total_usd_per_hour, bound, constants(fleet)));
    plan.status = status(fleet, own.total_usd_per_hour, plan.bound);
    if !fleet.relaxed.is_empty() {
        let given_up = violations(original, placement);
        plan.reasons.extend(
            given_up
                .iter()
                .map(|violation| format!("given up: {violation}")),
        );
    }
    plan.decision = decision(plan, sequence.as_deref());
    plan.cost = Some(own);
    plan.steps = sequence;
}

fn status(fleet: &Fleet, total: f64, bound: Option<f64>) -> Status {
    if !fleet.relaxed.is_empty() {
        return Status::Relaxed;
    }
    if bound.is_some_and(|bound| total - bound <= 1e-6 * total.max(1.0)) {
        Status::Optimal
    } else {
        Status::Feasible
    }
}

/// Synthetic data never feeds a controller, and missing readings hold the last plan.
fn decision(plan: &Plan, sequence: Option<&[plan::Step]>) -> Decision {
    let (action, rule) = if plan.provenance.synthetic {
        (Action::Hold, "the problem is synthetic")
    } else if !plan.provenance.gaps.is_empty() {
        (Action::Hold, "live values are missing")
    } else if sequence.is_some_and(<[plan::Step]>::is_empty) {
        (Action::Hold, "nothing changes")
    } else {
        (Action::Publish, "verified, and it changes something")
    };
    Decision {
        action,
        rule: rule.to_owned(),
        age_seconds: plan.decision.age_seconds,
    }
}

/// A plan file that says that there is no plan, with the proof if there is one.
pub(super) fn without_plan(
    run: &Run<'_>,
    fleet: &Fleet,
    attempt: &Attempt,
    proof: Option<Certificate>,
    reasons: Vec<String>,
) -> Result<VerifiedPlan, PlanError> {
    let mut plan = skeleton(run, fleet, attempt);
    plan.status = if proof.is_some() {
        Status::Infeasible
    } else {
        Status::Unknown
    };
    plan.certificate = proof;
    if plan.status == Status::Unknown && reasons.is_empty() {
        plan.reasons.push(
            "no feasible plan was found within the limits, and no proof that there is none"
                .to_owned(),
        );
    }
    plan.reasons.extend(reasons);
    let rule = if plan.status == Status::Infeasible {
        "nothing is feasible"
    } else {
        "nothing feasible was found"
    };
    plan.decision.rule = rule.to_owned();
    seal(&plan)
        .map_err(|refusal| PlanError::Internal(format!("verify refused the answer: {refusal}")))
}
