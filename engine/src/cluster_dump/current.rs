//! What runs now: nodes, their pods, and what keeps a node where it is.

use std::collections::BTreeMap;

use super::census::Census;
use super::demand;
use super::manifest::{Pod, StringMap};
use super::node::NodeFacts;
use super::notes::Notes;
use super::pool::Group;
use super::request::Amounts;
use super::service::Draft;
use super::volume::{Reach, Volumes};
use crate::problem::{Current, CurrentNode};

/// Most pods that a comment names.
const NAMED_PODS: usize = 3;

/// The nodes with their pods, in the order of the dump.
pub(super) fn translate(
    nodes: &[NodeFacts<'_>],
    groups: &[Group<'_>],
    census: &Census<'_>,
    drafts: &[Draft],
    foreign: &[Foreign],
    volumes: &Volumes<'_>,
    notes: &mut Notes,
) -> Current {
    let pool_of: BTreeMap<usize, &str> = groups
        .iter()
        .flat_map(|group| {
            group
                .members
                .iter()
                .map(|member| (*member, group.pool.name.as_str()))
        })
        .collect();
    let mut pods: Vec<BTreeMap<String, u32>> = nodes.iter().map(|_| BTreeMap::new()).collect();
    let mut reasons: Vec<Option<String>> = nodes.iter().map(|node| node.stays.clone()).collect();
    for candidate in census
        .candidates
        .iter()
        .filter(|c| drafts.iter().any(|draft| draft.service.name == c.name))
    {
        for live in &candidate.pods {
            let Some(node) = live.node else { continue };
            if let Some(counts) = pods.get_mut(node) {
                *counts.entry(candidate.name.clone()).or_default() += 1;
            }
            if let (Some(reason), Some(why)) = (reasons.get_mut(node), stays(live.pod, volumes)) {
                reason.get_or_insert(why);
            }
        }
    }
    let mut entries = Vec::new();
    for (index, ((facts, foreign), (pods, reason))) in nodes
        .iter()
        .zip(foreign)
        .zip(pods.into_iter().zip(reasons))
        .enumerate()
    {
        comment(facts, foreign, notes);
        entries.push(CurrentNode {
            name: facts.name.to_owned(),
            pool: pool_of.get(&index).copied().unwrap_or_default().to_owned(),
            offering: format!(
                "{}/{}/{}",
                facts.instance_type,
                facts.zone,
                facts.capacity_type.as_str()
            ),
            pods,
            foreign: foreign.sum.to_resources(),
            cordoned: facts.cordoned,
            movable: reason.is_none(),
            reason,
        });
    }
    Current { nodes: entries }
}

/// Pods of a node that belong to nothing planned.
#[derive(Default)]
pub(super) struct Foreign {
    pub sum: Amounts,
    /// Pods with the reason why they stay.
    pub pods: Vec<String>,
}

/// Foreign pods by node.
pub(super) fn foreign(census: &Census<'_>, nodes: usize, notes: &mut Notes) -> Vec<Foreign> {
    let mut by_node: Vec<Foreign> = (0..nodes).map(|_| Foreign::default()).collect();
    for (pod, node, why) in &census.foreign {
        let name = pod.metadata.full_name();
        let request = demand::of_pod(&format!("Pod {name}"), &pod.spec, notes);
        if let Some(foreign) = by_node.get_mut(*node) {
            foreign.sum.add(&request);
            foreign.sum.count_pod();
            foreign.pods.push(format!("{name} ({why})"));
        }
    }
    by_node
}

fn comment(facts: &NodeFacts<'_>, foreign: &Foreign, notes: &mut Notes) {
    let path = format!("current.nodes.{}", facts.name);
    for (field, reason) in &facts.assumed {
        let key = match *field {
            "cordoned" => "cordoned",
            "pool" => "pool",
            "region" => continue,
            _ => "offering",
        };
        notes.assume(format!("{path}.{key}"), reason);
    }
    if !foreign.pods.is_empty() {
        let named: Vec<&str> = foreign
            .pods
            .iter()
            .take(NAMED_PODS)
            .map(String::as_str)
            .collect();
        let more = foreign.pods.len().saturating_sub(NAMED_PODS);
        let rest = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        notes.assume(
            format!("{path}.foreign"),
            format!("these stay: {}{rest}", named.join(", ")),
        );
    }
}

/// Why a service's pod must stay on its node.
fn stays(pod: &Pod, volumes: &Volumes<'_>) -> Option<String> {
    let name = pod.metadata.full_name();
    let says = |annotations: &StringMap, key: &str, value: &str| {
        annotations.get(key).is_some_and(|found| found == value)
    };
    let annotation = [
        ("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
        ("karpenter.sh/do-not-disrupt", "true"),
        ("karpenter.sh/do-not-evict", "true"),
    ];
    for (key, value) in annotation {
        if says(&pod.metadata.annotations, key, value) {
            return Some(format!("pod {name} is annotated {key}: {value}"));
        }
    }
    let on_disk = |pod: &Pod| {
        let mut claims = volumes.of_pod(&pod.metadata.namespace, &pod.spec);
        claims
            .find(|(_, reach)| **reach == Reach::Nodes)
            .map(|(claim, _)| claim.to_owned())
    };
    on_disk(pod).map(|claim| {
        format!("pod {name} uses volume claim {claim}, whose volume exists on this node only")
    })
}
