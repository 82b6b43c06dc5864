//! Nodes as pools and offerings.

use std::collections::{BTreeMap, BTreeSet};

use super::labels::is_well_known;
use super::node::{KARPENTER_POOL, NodeFacts};
use super::notes::Notes;
use super::request::Amounts;
use super::{Options, offering};
use crate::problem::{Cluster, NodeBounds, Pool, Taint};

/// Nodes that one pool of the file stands for.
pub(super) struct Group<'a> {
    pub pool: Pool,
    /// Indices of its nodes.
    pub members: Vec<usize>,
    pub nodes: &'a [NodeFacts<'a>],
}

impl<'a> Group<'a> {
    pub(super) fn members(&self) -> impl Iterator<Item = &'a NodeFacts<'a>> {
        let nodes = self.nodes;
        self.members
            .iter()
            .filter_map(move |index| nodes.get(*index))
    }

    /// Whether Karpenter buys its nodes, and so may buy other types.
    pub(super) fn is_karpenter(&self) -> bool {
        self.members()
            .all(|node| node.pool_label == Some(KARPENTER_POOL))
    }
}

/// What tells pools apart: name, label that names it, and what only some of its nodes have.
type Key = (String, Option<&'static str>);
type Variant = (BTreeMap<String, String>, Vec<(String, String, u8)>);

/// Groups nodes into pools. Nodes of one pool that differ in labels that somebody asks for, or in taints, are told apart: the most
/// frequent kind is what the pool buys, the others can only be kept.
pub(super) fn group<'a>(
    nodes: &'a [NodeFacts<'a>],
    cluster: &Cluster,
    asked: &BTreeSet<String>,
    extended: &BTreeSet<String>,
    options: &Options<'_>,
    notes: &mut Notes,
) -> Vec<Group<'a>> {
    let mut pools: BTreeMap<Key, BTreeMap<Variant, Vec<usize>>> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let key = (node.pool.clone(), node.pool_label);
        pools
            .entry(key)
            .or_default()
            .entry(variant(node, asked))
            .or_default()
            .push(index);
    }
    let (mut groups, mut names) = (Vec::new(), BTreeSet::new());
    for ((name, _), variants) in pools {
        let mut variants: Vec<(Variant, Vec<usize>)> = variants.into_iter().collect();
        variants.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
        for (rank, ((labels, _), members)) in variants.into_iter().enumerate() {
            let name = unused_name(&name, &mut names);
            let taints = members
                .first()
                .and_then(|index| nodes.get(*index))
                .map(|node| node.taints.clone())
                .unwrap_or_default();
            let pool = empty_pool(
                name,
                cluster,
                labels,
                taints,
                members.len(),
                rank > 0,
                options,
                notes,
            );
            let mut group = Group {
                pool,
                members,
                nodes,
            };
            group.pool.offerings =
                offering::of_group(&group, cluster, extended, rank > 0, options, notes);
            groups.push(group);
        }
    }
    groups
}

fn variant(node: &NodeFacts<'_>, asked: &BTreeSet<String>) -> Variant {
    let kept =
        |key: &str| !is_well_known(key) && (asked.contains(key) || node.pool_label == Some(key));
    let labels = node
        .labels
        .iter()
        .filter(|(key, _)| kept(key))
        .map(|(key, value)| (key.clone(), value.clone()));
    let mut taints: Vec<_> = node
        .taints
        .iter()
        .map(|t| (t.key.clone(), t.value.clone(), t.effect as u8))
        .collect();
    taints.sort();
    (labels.collect(), taints)
}

fn unused_name(name: &str, names: &mut BTreeSet<String>) -> String {
    let numbered = |number: u32| {
        if number == 1 {
            name.to_owned()
        } else {
            format!("{name}.{number}")
        }
    };
    let free = (1..)
        .map(numbered)
        .find(|candidate| !names.contains(candidate))
        .unwrap_or_else(|| name.to_owned());
    names.insert(free.clone());
    free
}

#[allow(
    clippy::too_many_arguments,
    reason = "the parts of a pool, each used once"
)]
fn empty_pool(
    name: String,
    cluster: &Cluster,
    labels: BTreeMap<String, String>,
    taints: Vec<Taint>,
    now: usize,
    odd: bool,
    options: &Options<'_>,
    notes: &mut Notes,
) -> Pool {
    let path = format!("pools.{name}");
    let now = u32::try_from(now).unwrap_or(u32::MAX);
    let max = if odd {
        now
    } else {
        now.saturating_mul(2).max(now.saturating_add(3))
    };
    let reason = if odd {
        notes.assume(&path, "nodes of a pool with other labels or taints than the rest: they can be kept, not bought");
        "as many as now"
    } else {
        "a dump does not say the pool's limits: twice the nodes now, at least three more"
    };
    notes.assume(format!("{path}.nodes"), reason);
    notes.assume(
        format!("{path}.startup_seconds"),
        "a dump does not say how long a node takes to start",
    );
    let nodes = NodeBounds {
        min: 0,
        max: Some(max),
    };
    let startup_seconds = options.startup_seconds;
    Pool {
        name,
        cluster: cluster.name.clone(),
        labels,
        taints,
        nodes,
        startup_seconds,
        offerings: Vec::new(),
    }
}

/// The least that every node of a type in the group has.
pub(super) fn least_allocatable(group: &Group<'_>, instance_type: &str) -> Option<Amounts> {
    let of_type = group
        .members()
        .filter(|node| node.instance_type == instance_type)
        .map(|node| node.allocatable.clone());
    of_type.reduce(|least, other| least.least(&other))
}
