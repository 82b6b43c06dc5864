//! Clusters, daemonsets, the nodes that run now, and the policy over all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::value::{self, Stated, Unit};
use super::{Known, exists, name, names, no_repeats, not_empty};
use crate::problem::document::{Cap, CapacityType, CurrentNode, ProblemFile};
use crate::problem::issue::{At, Mistakes, shown};

/// Most pods of one service that a node may be said to hold.
const MAX_PODS: u32 = 10_000;

pub(super) fn clusters(mistakes: &mut Mistakes, problem: &ProblemFile) {
    let list = At::Top.key("clusters");
    not_empty(mistakes, &list, "cluster", problem.clusters.is_empty());
    names(
        mistakes,
        &list,
        "cluster",
        problem.clusters.iter().map(|cluster| cluster.name.as_str()),
    );
    for (index, cluster) in problem.clusters.iter().enumerate() {
        name(
            mistakes,
            &list.named(index, &cluster.name).key("region"),
            &cluster.region,
        );
    }
}

pub(super) fn daemonsets(mistakes: &mut Mistakes, problem: &ProblemFile, known: &Known<'_>) {
    let list = At::Top.key("daemonsets");
    names(
        mistakes,
        &list,
        "daemonset",
        problem
            .daemonsets
            .iter()
            .map(|daemonset| daemonset.name.as_str()),
    );
    for (index, daemonset) in problem.daemonsets.iter().enumerate() {
        let at = list.named(index, &daemonset.name);
        value::resources(
            mistakes,
            &at.key("requests"),
            &daemonset.requests,
            Stated::AnyPod,
        );
        value::selector(mistakes, &at.key("selector"), &daemonset.selector);
        value::tolerations(mistakes, &at.key("tolerations"), &daemonset.tolerations);
        listed(
            mistakes,
            &at.key("clusters"),
            "cluster",
            daemonset.clusters.as_deref(),
            &known.clusters,
        );
    }
}

/// An optional list of references, which selects nothing when it is empty.
fn listed(
    mistakes: &mut Mistakes,
    at: &At<'_>,
    kind: &str,
    entries: Option<&[String]>,
    known: &BTreeSet<&str>,
) {
    let Some(entries) = entries else { return };
    if entries.is_empty() {
        mistakes.add(
            at,
            "is an empty list, which selects nothing; take the key out to select all",
        );
    }
    for (index, entry) in entries.iter().enumerate() {
        exists(mistakes, &at.item(index), kind, entry, known);
    }
    no_repeats(mistakes, at, entries.iter().map(String::as_str));
}

pub(super) fn current(mistakes: &mut Mistakes, problem: &ProblemFile, known: &Known<'_>) {
    let Some(current) = &problem.current else {
        return;
    };
    let top = At::Top.key("current");
    let list = top.key("nodes");
    names(
        mistakes,
        &list,
        "node",
        current.nodes.iter().map(|node| node.name.as_str()),
    );
    for (index, node) in current.nodes.iter().enumerate() {
        let at = list.named(index, &node.name);
        known.offering(mistakes, &at, &node.pool, &node.offering);
        pods(mistakes, &at.key("pods"), node, known);
        value::resources(mistakes, &at.key("foreign"), &node.foreign, Stated::Sum);
        if !node.movable
            && node
                .reason
                .as_deref()
                .is_none_or(|reason| reason.trim().is_empty())
        {
            mistakes.add(
                &at.key("reason"),
                "is missing; movable: false needs a reason",
            );
        }
    }
}

fn pods(mistakes: &mut Mistakes, at: &At<'_>, node: &CurrentNode, known: &Known<'_>) {
    for (service, count) in &node.pods {
        let here = at.key(service);
        if *count == 0 {
            mistakes.add(&here, "0 is below 1; take the key out where no pod runs");
        }
        value::at_most(mistakes, &here, *count, MAX_PODS);
        let Some(known_service) = known.services.get(service.as_str()) else {
            let near = mistakes.suggestion(service, known.services.keys().copied());
            mistakes.add(
                &here,
                format!("no service is named {}{near}", shown(service)),
            );
            continue;
        };
        if let Some(pool) = known.pools.get(node.pool.as_str())
            && !known_service.clusters.contains_key(pool.cluster)
        {
            let message = format!(
                "the node is in cluster {}, where the service may not run",
                shown(pool.cluster)
            );
            mistakes.add(&here, message);
        }
    }
}

pub(super) fn policy(mistakes: &mut Mistakes, problem: &ProblemFile, known: &Known<'_>) {
    let policy = &problem.policy;
    let at = At::Top.key("policy");
    if let Some(budget) = policy.budget_usd_per_hour {
        value::not_negative(mistakes, &at.key("budget_usd_per_hour"), budget);
    }
    if policy.max_moves.is_some() && problem.current.is_none() {
        mistakes.add(
            &at.key("max_moves"),
            "needs current.nodes: without them nobody knows what a move is",
        );
    }
    value::count(mistakes, &at.key("surge").key("nodes"), policy.surge.nodes);
    no_repeats(
        mistakes,
        &at.key("relax"),
        policy.relax.iter().map(|relaxation| relaxation.as_str()),
    );
    let list = at.key("caps");
    names(
        mistakes,
        &list,
        "cap",
        policy.caps.iter().map(|cap| cap.name.as_str()),
    );
    for (index, entry) in policy.caps.iter().enumerate() {
        cap(mistakes, &list.named(index, &entry.name), entry, known);
    }
    commitments(mistakes, problem, known);
    commitment_prices(mistakes, problem, known);
}

fn cap(mistakes: &mut Mistakes, at: &At<'_>, cap: &Cap, known: &Known<'_>) {
    let pools: BTreeSet<&str> = known.pools.keys().copied().collect();
    listed(
        mistakes,
        &at.key("clusters"),
        "cluster",
        cap.clusters.as_deref(),
        &known.clusters,
    );
    listed(
        mistakes,
        &at.key("pools"),
        "pool",
        cap.pools.as_deref(),
        &pools,
    );
    listed(
        mistakes,
        &at.key("instance_types"),
        "offering's instance type",
        cap.instance_types.as_deref(),
        &known.instance_types,
    );
    listed(
        mistakes,
        &at.key("zones"),
        "offering's zone",
        cap.zones.as_deref(),
        &known.zones,
    );
    if let Some(types) = &cap.capacity_types {
        not_empty(
            mistakes,
            &at.key("capacity_types"),
            "capacity type",
            types.is_empty(),
        );
        no_repeats(
            mistakes,
            &at.key("capacity_types"),
            types.iter().map(|kind| kind.as_str()),
        );
    }
    if cap.max_nodes.is_none() && cap.max_cpu.is_none() && cap.max_usd_per_hour.is_none() {
        mistakes.add(
            at,
            "limits nothing; expected max_nodes, max_cpu or max_usd_per_hour",
        );
    }
    if let Some(nodes) = cap.max_nodes {
        value::count(mistakes, &at.key("max_nodes"), nodes);
    }
    if let Some(cpu) = &cap.max_cpu {
        value::total_quantity(mistakes, &at.key("max_cpu"), cpu, Unit::Mcores);
    }
    if let Some(price) = cap.max_usd_per_hour {
        value::not_negative(mistakes, &at.key("max_usd_per_hour"), price);
    }
}

fn commitments(mistakes: &mut Mistakes, problem: &ProblemFile, known: &Known<'_>) {
    let policy = At::Top.key("policy");
    let list = policy.key("commitments");
    let mut first: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (index, commitment) in problem.policy.commitments.iter().enumerate() {
        let at = list.item(index);
        let offering = known.offering(mistakes, &at, &commitment.pool, &commitment.offering);
        if offering.is_some_and(|offering| offering.capacity_type == CapacityType::Spot) {
            mistakes.add(
                &at.key("offering"),
                "is spot; only on-demand nodes can be committed to",
            );
        }
        value::count(mistakes, &at.key("nodes"), commitment.nodes);
        value::not_negative(mistakes, &at.key("usd_per_hour"), commitment.usd_per_hour);
        value::not_negative(
            mistakes,
            &at.key("used_usd_per_hour"),
            commitment.used_usd_per_hour,
        );
        let key = (commitment.pool.as_str(), commitment.offering.as_str());
        if let Some(other) = first.get(&key) {
            mistakes.add(
                &at,
                format!("commitments[{other}] is for the same offering; state both in one"),
            );
        } else {
            first.insert(key, index);
        }
    }
}

/// A used committed node costs no more than an uncommitted one, or the cost were not convex in the number of nodes.
fn commitment_prices(mistakes: &mut Mistakes, problem: &ProblemFile, known: &Known<'_>) {
    let policy = At::Top.key("policy");
    let list = policy.key("commitments");
    for (index, commitment) in problem.policy.commitments.iter().enumerate() {
        let offering = known
            .pools
            .get(commitment.pool.as_str())
            .and_then(|pool| pool.offerings.get(&commitment.offering));
        if let Some(price) = offering.and_then(|offering| offering.usd_per_hour)
            && commitment.used_usd_per_hour > price
        {
            let message = format!(
                "{} is above the offering's price {price}",
                commitment.used_usd_per_hour
            );
            mistakes.add(&list.item(index).key("used_usd_per_hour"), message);
        }
    }
}
