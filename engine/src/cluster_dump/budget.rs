//! Disruption budgets as `disruption.max_unavailable`.

use super::census::Candidate;
use super::list::Dump;
use super::manifest::{Budget, IntOrPercent};
use super::notes::Notes;

/// Budgets that cover the workload's pods.
pub(super) fn covering<'a>(candidate: &Candidate<'_>, dump: &'a Dump) -> Vec<&'a Budget> {
    let metadata = &candidate.workload.metadata;
    let labels = &candidate.workload.spec.template.metadata.labels;
    let covers = |budget: &&Budget| {
        let selector = budget.spec.selector.as_ref();
        // In policy/v1 an empty selector covers the namespace, in v1beta1 nothing.
        let empty_covers = budget.api_version != "policy/v1beta1";
        budget.metadata.namespace == metadata.namespace
            && selector.is_some_and(|selector| {
                (empty_covers || !selector.is_empty()) && selector.matches(labels)
            })
    };
    dump.budgets.iter().filter(covers).collect()
}

/// Most pods of the workload that may be missing at a time.
pub(super) fn max_unavailable(
    candidate: &Candidate<'_>,
    budgets: &[&Budget],
    all: &[Candidate<'_>],
    notes: &mut Notes,
) -> u32 {
    let path = format!("services.{}.disruption.max_unavailable", candidate.name);
    let budget = match budgets {
        [] => {
            notes.assume(path, "no PodDisruptionBudget covers it");
            return 1;
        }
        [budget] => budget,
        several => {
            let names: Vec<&str> = several
                .iter()
                .map(|budget| budget.metadata.name.as_str())
                .collect();
            notes.assume(
                path,
                format!(
                    "the API server refuses evictions of pods with several budgets ({})",
                    names.join(", ")
                ),
            );
            return 0;
        }
    };
    let shares = |other: &&Candidate<'_>| {
        let (own, namespace) = (
            &other.workload.spec.template.metadata.labels,
            &other.workload.metadata.namespace,
        );
        *namespace == budget.metadata.namespace
            && budget
                .spec
                .selector
                .as_ref()
                .is_some_and(|selector| selector.matches(own))
    };
    let sharing: Vec<&Candidate<'_>> = all
        .iter()
        .filter(|other| other.left_out.is_none())
        .filter(shares)
        .collect();
    let expected = sharing
        .iter()
        .fold(0_u32, |sum, other| sum.saturating_add(other.desired()));
    if sharing.len() > 1 {
        notes.untranslated(format!(
            "PodDisruptionBudget {}: spec.selector covers {} workloads; each is held to the budget by itself, not their sum",
            budget.metadata.full_name(),
            sharing.len()
        ));
    }
    match allowed(budget, expected) {
        Some(allowed) => allowed.min(candidate.desired()),
        None => {
            notes.issue(
                format!("PodDisruptionBudget {}.spec", budget.metadata.full_name()),
                "expected minAvailable or maxUnavailable, a number ≥ 0 or a percentage such as 25%",
            );
            0
        }
    }
}

/// Both kinds of percentage are rounded up, as the disruption controller does; a budget with neither bound allows everything.
fn allowed(budget: &Budget, expected: u32) -> Option<u32> {
    match (&budget.spec.max_unavailable, &budget.spec.min_available) {
        (Some(unavailable), _) => scaled(unavailable, expected),
        (None, Some(available)) => {
            scaled(available, expected).map(|healthy| expected.saturating_sub(healthy))
        }
        (None, None) => Some(expected),
    }
}

fn scaled(value: &IntOrPercent, expected: u32) -> Option<u32> {
    match value {
        IntOrPercent::Int(number) => Some(*number),
        IntOrPercent::Text(text) => {
            let percent: u64 = text.strip_suffix('%')?.parse().ok()?;
            u32::try_from(u64::from(expected).checked_mul(percent)?.div_ceil(100)).ok()
        }
    }
}
