//! What a cycle found, as figures for the metrics.

use std::collections::BTreeMap;

use ketscale_engine::control::{EventKind, Outcome, State};
use ketscale_engine::plan::Plan;
use ketscale_engine::problem::ProblemFile;
use ketscale_engine::snapshot::Snapshot;
use ketscale_engine::warning::Warning;

use crate::metrics::{Latest, Made, Money, PoolFigures, ReplicaFigures, ServiceFigures};

/// The figures of a cycle from one state to the next, after what was observed of a problem.
pub(super) fn figures(
    problem: &ProblemFile,
    state: &State,
    observed: Option<&Snapshot>,
    outcome: &Outcome,
    now_seconds: f64,
) -> Latest {
    let plan = outcome.plan.as_ref().map(|plan| plan.plan());
    let spend = outcome.spend.as_ref();
    let mut events: BTreeMap<EventKind, u32> = BTreeMap::new();
    for event in &outcome.events {
        *events.entry(event.kind).or_default() += 1;
    }
    let gaps = observed.map_or(0, |snapshot| snapshot.gaps.len());
    let mut warnings = BTreeMap::new();
    for warning in &outcome.warnings {
        // Of several about one limit the first to come counts.
        let soonest = warnings.entry(about(warning)).or_insert(warning.in_seconds);
        *soonest = warning.in_seconds.min(*soonest);
    }
    Latest {
        at_seconds: now_seconds,
        observed: observed.is_some(),
        age_seconds: outcome.decision.age_seconds,
        gaps: u32::try_from(gaps).unwrap_or(u32::MAX),
        events: events
            .into_iter()
            .map(|(kind, count)| (kind.as_str(), count))
            .collect(),
        held_services: u32::try_from(outcome.held.len()).unwrap_or(u32::MAX),
        made: plan.map(made),
        in_force_since_seconds: state.in_force().map(|plan| plan.published_at_seconds),
        services: services(problem, state, observed, outcome),
        pools: pools(problem, state, observed),
        warnings,
        refused_offerings: u32::try_from(state.refused_offerings(now_seconds)).unwrap_or(u32::MAX),
        month_usd: spend.map(|spend| spend.month_usd),
        month_end_usd: spend
            .map(|spend| spend.month_end_planned_usd.unwrap_or(spend.month_end_usd)),
    }
}

/// Subject and constraint, by which a warning is known from cycle to cycle.
pub(super) fn about(warning: &Warning) -> (String, String) {
    (warning.subject.clone(), warning.constraint.clone())
}

fn made(plan: &Plan) -> Made {
    let chosen = plan
        .candidates
        .iter()
        .find(|candidate| candidate.outcome == "chosen");
    let repaired = plan
        .baseline_cost
        .as_ref()
        .and_then(|baseline| baseline.repaired.as_ref());
    Made {
        status: plan.status.as_str().to_owned(),
        solver: chosen.map_or_else(|| "none".to_owned(), |candidate| candidate.solver.clone()),
        money: Money {
            cost: plan.cost.as_ref().map(|cost| cost.total_usd_per_hour),
            current: plan
                .current_cost
                .as_ref()
                .map(|cost| cost.total_usd_per_hour),
            baseline: repaired.map(|row| row.cost.total_usd_per_hour),
            bound: plan.bound,
            gap: plan.gap,
        },
    }
}

fn services(
    problem: &ProblemFile,
    state: &State,
    observed: Option<&Snapshot>,
    outcome: &Outcome,
) -> Vec<ServiceFigures> {
    let live = observed.map_or(problem, |snapshot| &snapshot.problem);
    let figures = live.services.iter().map(|service| {
        let planned = state
            .in_force()
            .and_then(|plan| plan.replicas.get(&service.name));
        let replicas = service.clusters.iter().map(|(cluster, bounds)| {
            // What is only the file's value was not read.
            let now = observed.and(bounds.now);
            let planned = planned.map(|planned| planned.get(cluster).copied().unwrap_or(0));
            ReplicaFigures {
                cluster: cluster.clone(),
                now,
                planned,
            }
        });
        let demand = outcome.demand.get(&service.name);
        ServiceFigures {
            name: service.name.clone(),
            load_rps: demand.map(|demand| demand.reading_rps),
            demand_rps: demand.map(|demand| demand.planned_rps),
            replicas: replicas.collect(),
        }
    });
    figures.collect()
}

fn pools(problem: &ProblemFile, state: &State, observed: Option<&Snapshot>) -> Vec<PoolFigures> {
    let current = observed.and_then(|snapshot| snapshot.problem.current.as_ref());
    let figures = problem.pools.iter().map(|pool| {
        let prefix = format!("{}/", pool.name);
        let planned = state.in_force().map(|plan| {
            let nodes = plan
                .nodes
                .iter()
                .filter(|(key, _)| key.starts_with(&prefix));
            nodes.map(|(_, count)| *count).sum()
        });
        let now = current.map(|current| {
            let nodes = current.nodes.iter().filter(|node| node.pool == pool.name);
            u32::try_from(nodes.count()).unwrap_or(u32::MAX)
        });
        PoolFigures {
            name: pool.name.clone(),
            now,
            planned,
        }
    });
    figures.collect()
}
