//! Replicas by service and nodes by pool, now and planned.

use std::collections::BTreeMap;

use ketscale_engine::plan::{Plan, PoolPlan, ServicePlan};

use super::table::{change, section, table};

/// Most clusters that get a column each.
const MAX_CLUSTER_COLUMNS: usize = 4;

/// The table of replicas; with a column a cluster when there are a few.
pub(super) fn replicas(plan: &Plan) -> String {
    let clusters: Vec<&str> = plan
        .problem
        .clusters
        .iter()
        .map(|cluster| cluster.name.as_str())
        .collect();
    let columns = if (2..=MAX_CLUSTER_COLUMNS).contains(&clusters.len()) {
        clusters
    } else {
        Vec::new()
    };
    let mut header = vec!["service"];
    header.extend(&columns);
    header.extend(["replicas", "CPU", "p95 / objective", "moves"]);
    let rows = plan
        .services
        .iter()
        .zip(&plan.problem.services)
        .map(|(planned, service)| {
            let mut row = vec![planned.name.clone()];
            row.extend(columns.iter().map(|cluster| in_cluster(planned, cluster)));
            row.push(change(
                total(&planned.replicas_now),
                total(&planned.replicas).unwrap_or(0),
            ));
            row.push(
                planned
                    .cpu_utilization
                    .map_or(String::new(), |share| format!("{:.0} %", share * 100.0)),
            );
            let objective = service.slo.as_ref().map(|slo| slo.latency_p95_ms);
            row.push(latency(planned.latency_p95_ms, objective));
            row.push(if planned.moves == 0 {
                String::new()
            } else {
                planned.moves.to_string()
            });
            row
        });
    section(
        "Replicas, now → planned",
        &table(header.clone(), rows, 1..=header.len() - 1),
    )
}

fn in_cluster(planned: &ServicePlan, cluster: &str) -> String {
    match (
        planned.replicas_now.get(cluster),
        planned.replicas.get(cluster),
    ) {
        (None, None) => "–".to_owned(),
        (now, planned) => change(now.copied(), planned.copied().unwrap_or(0)),
    }
}

fn total(replicas: &BTreeMap<String, u32>) -> Option<u32> {
    (!replicas.is_empty()).then(|| replicas.values().sum())
}

fn latency(p95_ms: Option<f64>, objective_ms: Option<f64>) -> String {
    match (p95_ms, objective_ms) {
        (Some(p95), Some(objective)) => format!("{p95:.1} / {objective} ms"),
        (Some(p95), None) => format!("{p95:.1} ms"),
        (None, _) => String::new(),
    }
}

/// The table of nodes.
pub(super) fn nodes(plan: &Plan) -> String {
    let mut rows: Vec<[String; 4]> = plan.pools.iter().map(|pool| node_row(plan, pool)).collect();
    let sum_now: Option<u32> = plan.pools.iter().map(|pool| pool.nodes_now).sum();
    let usd: f64 = plan.pools.iter().map(|pool| pool.usd_per_hour).sum();
    let all = change(sum_now, plan.pools.iter().map(|pool| pool.nodes).sum());
    if plan.pools.len() > 1 {
        rows.push([
            "all".to_owned(),
            all,
            format!("{usd:.3}"),
            "at list price, before commitments".to_owned(),
        ]);
    }
    section(
        "Nodes, now → planned",
        &table(["pool", "nodes", "USD/h", "planned"], rows, 1..=2),
    )
}

fn node_row(plan: &Plan, pool: &PoolPlan) -> [String; 4] {
    let mut kinds: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for group in plan
        .nodes
        .iter()
        .filter(|group| group.pool == pool.name && group.count > 0)
    {
        let mut parts = group.offering.split('/');
        let instance_type = parts.next().unwrap_or_default();
        *kinds
            .entry((instance_type, parts.next_back().unwrap_or_default()))
            .or_default() += group.count;
    }
    let shown = kinds
        .iter()
        .map(|((kind, capacity), nodes)| format!("{nodes} × {kind} {capacity}"));
    let planned = shown.collect::<Vec<_>>().join(", ");
    [
        pool.name.clone(),
        change(pool.nodes_now, pool.nodes),
        format!("{:.3}", pool.usd_per_hour),
        planned,
    ]
}
