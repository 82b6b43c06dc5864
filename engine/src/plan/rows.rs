//! The rows of a plan file that follow from a placement.

use std::collections::BTreeMap;

use super::{NodeGroup, PoolPlan, ServicePlan};
use crate::fleet::Fleet;
use crate::placement::Placement;

/// Replicas, utilisation, latency and moves of every service.
pub fn services(fleet: &Fleet, placement: &Placement) -> Vec<ServicePlan> {
    let (clusters, counts) = (&fleet.problem.clusters, placement.counts(fleet));
    let row = |(s, service): (usize, &crate::fleet::Service)| {
        let planned = counts.by_cluster(fleet, s);
        let level = service.level(counts.replicas[s]);
        let name = |cluster: usize| clusters[cluster].name.clone();
        ServicePlan {
            name: service.name.clone(),
            replicas_now: service
                .clusters
                .iter()
                .filter_map(|b| Some((name(b.cluster), b.now?)))
                .collect(),
            replicas: service
                .clusters
                .iter()
                .map(|b| (name(b.cluster), planned[b.cluster]))
                .collect(),
            cpu_utilization: level.utilization,
            latency_p95_ms: level.latency_p95_ms,
            moves: counts.moves(fleet, s),
        }
    };
    fleet.services.iter().enumerate().map(row).collect()
}

/// Nodes and list price of every pool.
pub fn pools(fleet: &Fleet, placement: &Placement) -> Vec<PoolPlan> {
    let (nodes, now) = (
        placement.nodes(fleet),
        Placement::current(fleet).nodes(fleet),
    );
    let row = |(index, pool): (usize, &crate::problem::Pool)| {
        let members = || {
            fleet
                .offerings
                .iter()
                .enumerate()
                .filter(move |(_, o)| o.pool == index)
        };
        PoolPlan {
            name: pool.name.clone(),
            nodes_now: fleet
                .has_current
                .then(|| members().map(|(o, _)| now[o]).sum()),
            nodes: members().map(|(o, _)| nodes[o]).sum(),
            usd_per_hour: members().fold(0.0, |sum, (o, offering)| {
                sum + offering.usd_per_hour * f64::from(nodes[o])
            }),
        }
    };
    fleet.problem.pools.iter().enumerate().map(row).collect()
}

/// The packing. Names of existing nodes are handed out in the order of their class.
pub fn node_groups(fleet: &Fleet, placement: &Placement) -> Vec<NodeGroup> {
    let mut handed_out = vec![0_usize; fleet.classes.len()];
    let mut groups = Vec::new();
    for group in &placement.groups {
        let class = &fleet.classes[group.class];
        let offering = &fleet.offerings[class.offering];
        let from = handed_out[group.class];
        handed_out[group.class] += group.count as usize;
        let pods = fleet
            .services
            .iter()
            .zip(&group.pods)
            .filter(|(_, n)| **n > 0);
        groups.push(NodeGroup {
            pool: fleet.problem.pools[offering.pool].name.clone(),
            offering: offering.name.clone(),
            count: group.count,
            names: class
                .names
                .iter()
                .skip(from)
                .take(group.count as usize)
                .cloned()
                .collect(),
            pods: pods
                .map(|(service, n)| (service.name.clone(), *n))
                .collect::<BTreeMap<_, _>>(),
        });
    }
    groups
}
