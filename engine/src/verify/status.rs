//! Bound, gap, status and decision of a plan.

use super::Finding;
use super::bound::{Prices, bound, constants, gap};
use crate::fleet::Fleet;
use crate::plan::{Action, Certificate, Plan, Status};

/// Largest distance of cost and bound, over the larger of cost and 1 USD/h, at which a plan is optimal.
const OPTIMAL: f64 = 1e-6;

/// Checks that the certificate proves what is stated, and that the status says so.
pub(super) fn check(fleet: &Fleet, plan: &Plan) -> Vec<Finding> {
    let mut findings = match (&plan.cost, plan.status) {
        (Some(cost), Status::Optimal | Status::Feasible | Status::Relaxed) => {
            with_plan(fleet, plan, cost.total_usd_per_hour)
        }
        (None, Status::Infeasible) => infeasible(fleet, plan),
        (None, Status::Unknown) if plan.certificate.is_none() => Vec::new(),
        (None, Status::Unknown) => vec![Finding::new(
            "certificate",
            "is stated, but the status says that nothing is known",
        )],
        (Some(_), _) => vec![Finding::new(
            "status",
            format!("{:?} is stated, but there is a plan", plan.status),
        )],
        (None, _) => vec![Finding::new(
            "status",
            format!("{:?} is stated, but there is no plan", plan.status),
        )],
    };
    findings.extend(decision(plan));
    findings
}

fn with_plan(fleet: &Fleet, plan: &Plan, cost: f64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let proven = match &plan.certificate {
        None => None,
        Some(certificate) => match bound(fleet, certificate, Prices::Real) {
            Ok(proven) => Some(proven),
            Err(wrong) => return wrong,
        },
    };
    if plan.bound != proven {
        findings.push(Finding::new(
            "bound",
            format!(
                "{:?} is stated, the certificate proves {proven:?}",
                plan.bound
            ),
        ));
    }
    let right = proven.map(|proven| gap(cost, proven, constants(fleet)));
    if plan.gap != right {
        findings.push(Finding::new(
            "gap",
            format!("{:?} is stated, {right:?} is right", plan.gap),
        ));
    }
    // Both are sums of rounded terms; a bound above the cost by more than that would refute the formula itself.
    if proven.is_some_and(|proven| proven > cost + 1e-9 * cost.abs().max(1.0)) {
        findings.push(Finding::new(
            "bound",
            format!("{proven:?} is above the cost {cost}"),
        ));
    }
    let status = status(fleet, cost, proven);
    if plan.status != status {
        findings.push(Finding::new(
            "status",
            format!("{:?} is stated, {status:?} is right", plan.status),
        ));
    }
    findings
}

fn status(fleet: &Fleet, cost: f64, proven: Option<f64>) -> Status {
    match proven {
        _ if !fleet.relaxed.is_empty() => Status::Relaxed,
        Some(proven) if cost - proven <= OPTIMAL * cost.max(1.0) => Status::Optimal,
        _ => Status::Feasible,
    }
}

/// With every price zero a feasible plan would cost nothing.
fn infeasible(fleet: &Fleet, plan: &Plan) -> Vec<Finding> {
    let Some(certificate) = &plan.certificate else {
        return vec![Finding::new(
            "certificate",
            "is missing: nothing proves that there is no feasible plan",
        )];
    };
    let mut findings = refutation(fleet, certificate);
    if plan.relaxed != plan.problem.policy.relax {
        findings.push(Finding::new(
            "relaxed",
            "is not all of policy.relax: giving up the rest might make a plan feasible",
        ));
    }
    findings
}

fn refutation(fleet: &Fleet, certificate: &Certificate) -> Vec<Finding> {
    match bound(fleet, certificate, Prices::Zero) {
        Ok(value) if value > 0.0 => Vec::new(),
        Ok(value) => vec![Finding::new(
            "certificate",
            format!("gives {value} without prices; only above 0 proves that nothing is feasible"),
        )],
        Err(wrong) => wrong,
    }
}

/// Made-up numbers never reach a controller, and there must be something to publish.
fn decision(plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    if plan.provenance.synthetic != plan.problem.synthetic {
        findings.push(Finding::new(
            "provenance.synthetic",
            format!("the problem says {}", plan.problem.synthetic),
        ));
    }
    if plan.decision.action == Action::Publish && (plan.problem.synthetic || plan.cost.is_none()) {
        findings.push(Finding::new(
            "decision.action",
            "publish, but the problem is synthetic or there is no plan",
        ));
    }
    findings
}
