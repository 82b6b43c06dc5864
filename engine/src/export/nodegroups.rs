//! Counts for node groups: EKS managed node groups, GKE node pools, AKS agent pools.
//!
//! These tools hold one instance type, zone and capacity type a group, so a group here is one offering of a pool.

use serde::Serialize;

use super::{ExportError, check};
use crate::plan::Plan;
use crate::problem::{CapacityType, Offering, Pool, Provider};

/// Counts of one group.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NodeGroupCounts {
    /// Pool.
    pub pool: String,
    /// `type/zone/capacity_type`.
    pub offering: String,
    /// Cluster.
    pub cluster: String,
    /// Cloud provider.
    pub provider: Provider,
    /// The provider's region name.
    pub region: String,
    /// The provider's type name.
    pub instance_type: String,
    /// Zone.
    pub zone: String,
    /// Capacity type.
    pub capacity_type: CapacityType,
    /// Nodes now; absent when the problem does not say.
    pub now: Option<u32>,
    /// Planned nodes.
    pub desired: u32,
    /// Fewest nodes: the planned ones, so that no autoscaler undoes the plan.
    pub min: u32,
    /// Most nodes: what the pool and the offering allow, else the planned ones.
    pub max: u32,
}

/// One entry an offering that has nodes now or planned; of one cluster only when it is named.
///
/// # Errors
///
/// A plan without a decision, an unknown cluster.
pub fn node_groups(
    plan: &Plan,
    cluster: Option<&str>,
) -> Result<Vec<NodeGroupCounts>, ExportError> {
    check(plan, cluster)?;
    let wanted = |pool: &&Pool| cluster.is_none_or(|only| only == pool.cluster);
    let pools = plan.problem.pools.iter().filter(wanted);
    Ok(pools
        .flat_map(|pool| {
            pool.offerings
                .iter()
                .filter_map(move |offering| counts(plan, pool, offering))
        })
        .collect())
}

fn counts(plan: &Plan, pool: &Pool, offering: &Offering) -> Option<NodeGroupCounts> {
    let name = offering.name();
    let cluster = plan
        .problem
        .clusters
        .iter()
        .find(|cluster| cluster.name == pool.cluster)?;
    let groups = plan
        .nodes
        .iter()
        .filter(|group| group.pool == pool.name && group.offering == name);
    let desired = groups.map(|group| group.count).sum();
    let now = plan.problem.current.as_ref().map(|current| {
        let here = current
            .nodes
            .iter()
            .filter(|node| node.pool == pool.name && node.offering == name);
        u32::try_from(here.count()).unwrap_or(u32::MAX)
    });
    let bound = [pool.nodes.max, offering.available_nodes]
        .into_iter()
        .flatten()
        .min();
    (desired > 0 || now.unwrap_or(0) > 0).then(|| NodeGroupCounts {
        pool: pool.name.clone(),
        cluster: cluster.name.clone(),
        provider: cluster.provider,
        region: cluster.region.clone(),
        instance_type: offering.instance_type.clone(),
        zone: offering.zone.clone(),
        capacity_type: offering.capacity_type,
        now,
        desired,
        min: desired,
        max: bound.unwrap_or(desired).max(desired),
        offering: name,
    })
}
