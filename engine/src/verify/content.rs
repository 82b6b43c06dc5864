//! Rows, costs and packing of a plan, made again from its nodes.

use super::{Finding, placement};
use crate::cost::{Cost, cost};
use crate::feasibility::violations;
use crate::fleet::Fleet;
use crate::parallel;
use crate::placement::Placement;
use crate::plan::{BaselineRow, Plan, PoolPlan, ServicePlan, rows};
use crate::scheduler;

/// Checks that the packing is feasible and schedulable, and everything that follows from it.
pub(super) fn check(
    fleet: &Fleet,
    plan: &Plan,
    placement: &Placement,
    stated: &Cost,
) -> Vec<Finding> {
    let broken = violations(fleet, placement).into_iter();
    let mut findings: Vec<Finding> = broken
        .map(|v| Finding::new("nodes", format!("breaks {v}")))
        .collect();
    findings.extend(services(&plan.services, &rows::services(fleet, placement)));
    findings.extend(pools(&plan.pools, &rows::pools(fleet, placement)));
    findings.extend(costs("cost", stated, &cost(fleet, placement)));
    findings.extend(candidates(plan, stated));
    if findings.is_empty() && !fleet.is_exact() {
        findings.extend(pending(fleet, placement));
    }
    findings
}

/// Checks that a plan file without a plan states nothing that only a plan has.
pub(super) fn check_nothing(plan: &Plan) -> Vec<Finding> {
    let stated = [
        ("services", !plan.services.is_empty()),
        ("pools", !plan.pools.is_empty()),
        ("nodes", !plan.nodes.is_empty()),
        ("steps", plan.steps.is_some()),
        ("bound", plan.bound.is_some()),
        ("gap", plan.gap.is_some()),
    ];
    let stated = stated.into_iter().filter(|(_, there)| *there);
    stated
        .map(|(key, _)| Finding::new(key, "is stated where there is no plan"))
        .collect()
}

/// Checks what does not depend on the plan: the cost of what runs now, and the baselines from their own packings.
pub(super) fn check_baselines(fleet: &Fleet, plan: &Plan) -> Vec<Finding> {
    let now = fleet
        .has_current
        .then(|| cost(fleet, &Placement::current(fleet)));
    let mut findings = match (&plan.current_cost, &now) {
        (Some(stated), Some(now)) => costs("current_cost", stated, now),
        (None, None) => Vec::new(),
        (Some(_), None) => vec![Finding::new(
            "current_cost",
            "is stated, but the problem does not say what runs now",
        )],
        (None, Some(_)) => vec![Finding::new("current_cost", "is missing")],
    };
    let Some(baseline) = &plan.baseline_cost else {
        if plan.cost.is_some() {
            findings.push(Finding::new("baseline_cost", "is missing"));
        }
        return findings;
    };
    findings.extend(baseline_row(fleet, "baseline_cost.stock", &baseline.stock));
    if let Some(repaired) = &baseline.repaired {
        findings.extend(baseline_row(fleet, "baseline_cost.repaired", repaired));
        if !repaired.violations.is_empty() {
            findings.push(Finding::new(
                "baseline_cost.repaired.violations",
                "there are some: it is not repaired",
            ));
        }
    }
    let repaired = baseline.repaired.as_ref();
    findings.extend(in_table(plan, "baseline", Some(&baseline.stock.cost)));
    findings.extend(in_table(
        plan,
        "baseline_repaired",
        repaired.map(|row| &row.cost),
    ));
    findings
}

/// The table of candidates has the row of a baseline, at the baseline's own cost.
fn in_table(plan: &Plan, solver: &str, cost: Option<&Cost>) -> Option<Finding> {
    let Some(row) = plan.candidates.iter().find(|row| row.solver == solver) else {
        return Some(Finding::new("candidates", format!("{solver} is missing")));
    };
    equal(
        format!("candidates.{solver}.total_usd_per_hour"),
        &row.total_usd_per_hour,
        &cost.map(|cost| cost.total_usd_per_hour),
    )
}

fn baseline_row(fleet: &Fleet, path: &str, row: &BaselineRow) -> Vec<Finding> {
    let placement = match placement(fleet, &row.nodes) {
        Ok(placement) => placement,
        Err(findings) => {
            return findings
                .into_iter()
                .map(|f| Finding::new(format!("{path}.{}", f.path), f.message))
                .collect();
        }
    };
    let mut findings = costs(&format!("{path}.cost"), &row.cost, &cost(fleet, &placement));
    let broken: Vec<String> = violations(fleet, &placement)
        .iter()
        .map(ToString::to_string)
        .collect();
    if broken != row.violations {
        findings.push(Finding::new(
            format!("{path}.violations"),
            format!("are {broken:?}"),
        ));
    }
    findings
}

/// Compares a value with what it must be, to the bit.
fn equal<T: PartialEq + std::fmt::Debug>(
    path: String,
    stated: &T,
    computed: &T,
) -> Option<Finding> {
    (stated != computed)
        .then(|| Finding::new(path, format!("{stated:?} is stated, {computed:?} is right")))
}

fn costs(path: &str, stated: &Cost, computed: &Cost) -> Vec<Finding> {
    let terms = |cost: &Cost| {
        [
            ("total_usd_per_hour", Some(cost.total_usd_per_hour)),
            ("nodes_usd_per_hour", Some(cost.nodes_usd_per_hour)),
            (
                "spot_evictions_usd_per_hour",
                Some(cost.spot_evictions_usd_per_hour),
            ),
            ("slo_usd_per_hour", Some(cost.slo_usd_per_hour)),
            ("moves_usd_per_hour", cost.moves_usd_per_hour),
            ("startup_usd_per_hour", cost.startup_usd_per_hour),
        ]
    };
    let pairs = terms(stated).into_iter().zip(terms(computed));
    pairs
        .filter_map(|((key, stated), (_, computed))| {
            equal(format!("{path}.{key}"), &stated, &computed)
        })
        .collect()
}

fn services(stated: &[ServicePlan], computed: &[ServicePlan]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = equal("services".to_owned(), &stated.len(), &computed.len())
        .into_iter()
        .collect();
    for (stated, computed) in stated.iter().zip(computed) {
        let path = |key: &str| format!("services.{}.{key}", computed.name);
        findings.extend(equal(path("name"), &stated.name, &computed.name));
        findings.extend(equal(
            path("replicas_now"),
            &stated.replicas_now,
            &computed.replicas_now,
        ));
        findings.extend(equal(
            path("replicas"),
            &stated.replicas,
            &computed.replicas,
        ));
        findings.extend(equal(
            path("cpu_utilization"),
            &stated.cpu_utilization,
            &computed.cpu_utilization,
        ));
        findings.extend(equal(
            path("latency_p95_ms"),
            &stated.latency_p95_ms,
            &computed.latency_p95_ms,
        ));
        findings.extend(equal(path("moves"), &stated.moves, &computed.moves));
    }
    findings
}

fn pools(stated: &[PoolPlan], computed: &[PoolPlan]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = equal("pools".to_owned(), &stated.len(), &computed.len())
        .into_iter()
        .collect();
    for (stated, computed) in stated.iter().zip(computed) {
        let path = |key: &str| format!("pools.{}.{key}", computed.name);
        findings.extend(equal(path("name"), &stated.name, &computed.name));
        findings.extend(equal(
            path("nodes_now"),
            &stated.nodes_now,
            &computed.nodes_now,
        ));
        findings.extend(equal(path("nodes"), &stated.nodes, &computed.nodes));
        findings.extend(equal(
            path("usd_per_hour"),
            &stated.usd_per_hour,
            &computed.usd_per_hour,
        ));
    }
    findings
}

/// The table of candidates names the one that was chosen, at the plan's own cost.
fn candidates(plan: &Plan, stated: &Cost) -> Vec<Finding> {
    let chosen: Vec<_> = plan
        .candidates
        .iter()
        .filter(|candidate| candidate.outcome == "chosen")
        .collect();
    let [chosen] = chosen.as_slice() else {
        return vec![Finding::new(
            "candidates",
            format!("{} are chosen, not one", chosen.len()),
        )];
    };
    let path = |key: &str| format!("candidates.{}.{key}", chosen.solver);
    let total = equal(
        path("total_usd_per_hour"),
        &chosen.total_usd_per_hour,
        &Some(stated.total_usd_per_hour),
    );
    let sampled = chosen.solver == "qaoa";
    let report = plan
        .qaoa
        .as_ref()
        .and_then(|report| equal("qaoa.chosen".to_owned(), &report.chosen, &sampled));
    total.into_iter().chain(report).collect()
}

/// Pods that the stock scheduler leaves pending in one of the arrival orders that every plan is tried with.
fn pending(fleet: &Fleet, placement: &Placement) -> Option<Finding> {
    let queue = scheduler::Queue::new(fleet, placement);
    let orders: Vec<u64> = (0..scheduler::ORDERS).collect();
    let pending = parallel::map(&orders, |seed| queue.pending(*seed));
    orders.iter().zip(pending).find_map(|(seed, pending)| {
        let left: Vec<String> = pending
            .iter()
            .map(|(s, pods)| format!("{pods} of {}", fleet.services[*s].name))
            .collect();
        let message = format!(
            "the scheduler leaves pods pending in order {seed}: {}",
            left.join(", ")
        );
        (!left.is_empty()).then(|| Finding::new("nodes", message))
    })
}
