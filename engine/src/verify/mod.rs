//! Verification of a plan from its file alone: everything in it that follows from the problem and the packing is made again and compared.
//!
//! Nothing here uses a solver. The bound is evaluated from the multipliers of the certificate ([`bound`]), with this module's own
//! searches; packing, costs and rows are recomputed with the functions that define them ([`crate::feasibility`], [`crate::cost`],
//! [`crate::plan::rows`]); the steps are replayed one by one.

pub mod bound;
mod content;
mod finding;
mod multipliers;
mod placement;
mod pricing;
mod rounding;
mod running;
mod service;
mod status;
mod steps;
mod tree;

pub use bound::{Prices, constants, evaluate, gap};
pub use finding::Finding;
pub use placement::placement;

use crate::fleet::{self, Fleet};
use crate::plan::{self, Plan, SCHEMA};
use crate::problem::{self, Issue, ProblemFile};

/// A plan that [`verify`] has accepted.
#[derive(Clone, Debug)]
pub struct VerifiedPlan {
    plan: Plan,
    bytes: Vec<u8>,
}

impl VerifiedPlan {
    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The plan file, byte for byte as it was verified.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Verifies the bytes of a plan file.
///
/// # Errors
///
/// Everything found wrong, as far as it can be told once something is.
pub fn verify(bytes: &[u8]) -> Result<VerifiedPlan, Vec<Finding>> {
    let plan =
        plan::from_bytes(bytes).map_err(|error| vec![Finding::new("", error.to_string())])?;
    let findings = check(&plan)?;
    if findings.is_empty() {
        Ok(VerifiedPlan {
            plan,
            bytes: bytes.to_vec(),
        })
    } else {
        Err(findings)
    }
}

/// Verifies a plan file, and that it is a plan for this problem (complete, as [`problem::resolve`] returns it).
///
/// # Errors
///
/// As [`verify`], and the parts of the problem that differ.
pub fn verify_against(bytes: &[u8], problem: &ProblemFile) -> Result<VerifiedPlan, Vec<Finding>> {
    let verified = verify(bytes)?;
    if verified.plan.problem == *problem {
        Ok(verified)
    } else {
        Err(differences(&verified.plan.problem, problem))
    }
}

/// Findings once problem and certificate can be read; `Err` with those that keep anything else from being checked.
fn check(plan: &Plan) -> Result<Vec<Finding>, Vec<Finding>> {
    let fleet = compiled(plan)?;
    let mut findings = status::check(&fleet, plan);
    findings.extend(content::check_baselines(&fleet, plan));
    let Some(stated) = &plan.cost else {
        findings.extend(content::check_nothing(plan));
        return Ok(findings);
    };
    let placement = placement(&fleet, &plan.nodes)?;
    findings.extend(content::check(&fleet, plan, &placement, stated));
    findings.extend(steps::check(&fleet, plan, &placement));
    Ok(findings)
}

/// The problem of a plan with the plan's relaxations.
fn compiled(plan: &Plan) -> Result<Fleet, Vec<Finding>> {
    let mut findings = Vec::new();
    if plan.schema != SCHEMA {
        findings.push(Finding::new(
            "schema",
            format!("{:?} is not {SCHEMA}", plan.schema),
        ));
    }
    if !plan.problem.policy.relax.starts_with(&plan.relaxed) {
        findings.push(Finding::new(
            "relaxed",
            "is not what policy.relax names first",
        ));
    }
    let located = |issues: Vec<Issue>| {
        issues
            .into_iter()
            .map(|issue| Finding::new(format!("problem.{}", issue.path), issue.message))
    };
    findings.extend(located(problem::validate(&plan.problem)));
    if !findings.is_empty() {
        return Err(findings);
    }
    fleet::compile(plan.problem.clone(), &plan.relaxed).map_err(|issues| located(issues).collect())
}

/// The top-level keys in which two problems differ.
fn differences(planned: &ProblemFile, asked: &ProblemFile) -> Vec<Finding> {
    let message = "is not that of the problem given";
    let (Ok(planned), Ok(asked)) = (serde_json::to_value(planned), serde_json::to_value(asked))
    else {
        return vec![Finding::new("problem", message)];
    };
    let keys = |value: &serde_json::Value| {
        value
            .as_object()
            .map(|o| o.keys().cloned().collect::<Vec<_>>())
            .unwrap_or_default()
    };
    let mut all = keys(&planned);
    all.extend(keys(&asked));
    all.sort();
    all.dedup();
    all.retain(|key| planned.get(key) != asked.get(key));
    all.into_iter()
        .map(|key| Finding::new(format!("problem.{key}"), message))
        .collect()
}
