//! Why an offering is not used: what keeps pods off it, or its price against the most valuable filling at the plan's prices.
//!
//! A new node of class b costs its reduced price c_b and is worth at most π_b, the value of the best pattern, both as
//! `docs/decisions/bound.md` defines them, except that pods are as large as they are at the *planned* replicas. While π_b < c_b no
//! filling pays for the node at these prices.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::exact;
use crate::fleet::{Fleet, Labels, Offering, tolerates};
use crate::plan::{Leaf, Plan};

/// Search nodes after which the best filling found so far stands for the best.
const MOST_SEARCHED: u64 = 20_000;

/// Share of a node's price by which a filling may miss it and still count as worth it: the solver's arithmetic.
const TOLERANCE: f64 = 1e-6;

/// An offering of which the plan has no node.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unused {
    /// `pool/type/zone/capacity_type`.
    pub offering: String,
    /// What a new node costs at the certificate's prices, USD/h: its price and start, and what the rows that it counts in charge or
    /// pay; absent where no pod may run there.
    pub node_usd_per_hour: Option<f64>,
    /// What the best filling of it is worth at these prices, USD/h.
    pub filling_usd_per_hour: Option<f64>,
    /// That filling: pods by service.
    pub filling: BTreeMap<String, u32>,
    /// The reason, in words.
    pub why: String,
}

/// Every offering without a planned node, in the order of the problem, at the prices of `leaf`.
pub(super) fn unused(fleet: &Fleet, plan: &Plan, leaf: &Leaf) -> Vec<Unused> {
    let is_used = |offering: usize| {
        let name = fleet.offering_name(offering);
        let of_group = plan
            .nodes
            .iter()
            .map(|g| format!("{}/{}", g.pool, g.offering));
        of_group.into_iter().any(|group| group == name)
    };
    let offerings = (0..fleet.offerings.len()).filter(|offering| !is_used(*offering));
    offerings
        .map(|offering| explain(fleet, plan, leaf, offering))
        .collect()
}

fn explain(fleet: &Fleet, plan: &Plan, leaf: &Leaf, offering: usize) -> Unused {
    let mut unused = Unused {
        offering: fleet.offering_name(offering),
        node_usd_per_hour: None,
        filling_usd_per_hour: None,
        filling: BTreeMap::new(),
        why: String::new(),
    };
    if let Some(obstacle) = obstacle(fleet, offering) {
        unused.why = obstacle;
        return unused;
    }
    let price = reduced_price(fleet, leaf, offering);
    let filling = best_filling(fleet, plan, leaf, offering);
    let worth = filling.value;
    let named = |(s, pods): (usize, u32)| (fleet.services[s].name.clone(), pods);
    unused.filling = filling.pods.into_iter().map(named).collect();
    unused.node_usd_per_hour = Some(price);
    unused.filling_usd_per_hour = Some(worth);
    unused.why = if worth < price * (1.0 - TOLERANCE) {
        let asked = asked(&fleet.offerings[offering], price);
        format!(
            "its best filling is worth ${worth:.4}/h at the plan's prices, a node costs {asked}"
        )
    } else {
        let asked = asked(&fleet.offerings[offering], price);
        format!(
            "its best filling is worth what a node costs, {asked}: as good as what was chosen, or part of the gap"
        )
    };
    unused
}

/// The reduced price of a node in words, with the list price where limits make it another.
fn asked(offering: &Offering, price: f64) -> String {
    let listed = offering.usd_per_hour + offering.startup_usd_per_hour;
    if (price - listed).abs() < 5e-5 {
        format!("${price:.4}/h")
    } else {
        let by_limits = price - listed;
        format!("${price:.4}/h (${listed:.4} and {by_limits:+.4} by the limits that it counts in)")
    }
}

/// What keeps every pod off new nodes of an offering.
fn obstacle(fleet: &Fleet, offering: usize) -> Option<String> {
    let node = &fleet.offerings[offering];
    if !node.eligible.iter().any(|eligible| *eligible) {
        return Some(format!(
            "no service may run there: {}",
            refusals(fleet, node)
        ));
    }
    let full = fleet
        .limits
        .iter()
        .find(|limit| !limit.at_least && limit.coefficients[offering] > limit.limit + 1e-9)?;
    Some(match full.name.split_once('/') {
        Some(("available", _)) => "no node of it is available".to_owned(),
        Some(("pool_max", pool)) => format!("pool {pool} may have no node"),
        Some(("cap", cap)) => format!("cap {cap} leaves no room for one node"),
        _ => format!("{} leaves no room for one node", full.name),
    })
}

/// How many services are kept off an offering, by the first reason of each.
fn refusals(fleet: &Fleet, offering: &Offering) -> String {
    let pool = &fleet.problem.pools[offering.pool];
    let Some(source) = pool.offerings.iter().find(|o| o.name() == offering.name) else {
        return String::new();
    };
    let labels = Labels::of(&fleet.problem.clusters[offering.cluster], pool, source);
    let reason = |service: &crate::problem::Service| {
        let placement = &service.placement;
        if !service.clusters.contains_key(&pool.cluster) {
            "in other clusters"
        } else if !placement
            .architectures
            .iter()
            .any(|a| a == labels.architecture())
        {
            "for another architecture"
        } else if !labels.match_selector(&placement.selector) {
            "with a selector that it does not match"
        } else if !tolerates(&placement.tolerations, &pool.taints) {
            "without a toleration of its taints"
        } else {
            "too large"
        }
    };
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for service in &fleet.problem.services {
        *counts.entry(reason(service)).or_default() += 1;
    }
    let listed: Vec<String> = counts.iter().map(|(why, n)| format!("{n} {why}")).collect();
    listed.join(", ")
}

/// The multiplier of a row; 0 where the leaf names none.
fn dual(leaf: &Leaf, row: &str) -> f64 {
    leaf.duals.get(row).copied().unwrap_or(0.0)
}

/// c_b of a new node.
fn reduced_price(fleet: &Fleet, leaf: &Leaf, offering: usize) -> f64 {
    let node = &fleet.offerings[offering];
    let name = fleet.offering_name(offering);
    let mut price = node.usd_per_hour * (1.0 + dual(leaf, "budget")) + node.startup_usd_per_hour;
    for limit in &fleet.limits {
        let sign = if limit.at_least { -1.0 } else { 1.0 };
        price += sign * dual(leaf, &limit.name) * limit.coefficients[offering];
    }
    for on in ["nodes".to_owned(), format!("nodes/{name}")] {
        price += dual(leaf, &format!("at_most/{on}")) - dual(leaf, &format!("at_least/{on}"));
    }
    price - dual(leaf, &format!("commitment/{name}"))
}

/// The most valuable pods of a new node, as large and as many on one node as at the planned replicas.
fn best_filling(fleet: &Fleet, plan: &Plan, leaf: &Leaf, offering: usize) -> exact::Filling {
    let node = &fleet.offerings[offering];
    let cell = fleet.cell_name(node.cell);
    let replicas: Vec<u32> = (plan.services.iter())
        .map(|service| service.replicas.values().sum())
        .collect();
    let value = |s: usize| {
        let service = &fleet.services[s];
        dual(leaf, &format!("pods/{}/{cell}", service.name))
            - node.interruptions_per_hour * service.usd_per_eviction
    };
    let most = |s: usize| fleet.services[s].node_limit(replicas[s]).min(replicas[s]);
    let size = |s: usize| fleet.services[s].pod_size(replicas[s]);
    // The first classes are those of new nodes, one an offering.
    exact::pattern(
        fleet,
        offering,
        &value,
        &|_| 0.0,
        &most,
        &size,
        exact::Precision {
            above: f64::NEG_INFINITY,
            tolerance: 0.0,
            renewed: 10,
            most_nodes: MOST_SEARCHED,
            start: &[],
        },
    )
    .unwrap_or_default()
}
