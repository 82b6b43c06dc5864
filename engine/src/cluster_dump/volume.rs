//! Where the volumes of a pod tie it to.

use std::collections::{BTreeMap, BTreeSet};

use super::labels::{ZONE, canonical};
use super::list::Dump;
use super::manifest::{NodeSelector, PersistentVolume, PodSpec};
use super::node::NodeFacts;

/// Where a claim's volume can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Anywhere, or not decided yet.
    Anywhere,
    /// In these zones.
    Zones(BTreeSet<String>),
    /// On single nodes, as with local disks.
    Nodes,
    /// Nobody knows: the claim or its volume is not in the dump.
    Unknown,
}

/// The claims of a dump with the reach of their volumes.
pub(super) struct Volumes<'a> {
    /// By namespace, then name.
    claims: BTreeMap<&'a str, BTreeMap<&'a str, Reach>>,
}

impl<'a> Volumes<'a> {
    pub(super) fn new(dump: &'a Dump, nodes: &[NodeFacts<'_>]) -> Self {
        let volumes: BTreeMap<&str, &PersistentVolume> = dump
            .volumes
            .iter()
            .map(|v| (v.metadata.name.as_str(), v))
            .collect();
        let claim_reach = |volume: &str| match (volume, volumes.get(volume)) {
            ("", _) => Reach::Anywhere,
            (_, Some(volume)) => {
                let affinity = volume
                    .spec
                    .node_affinity
                    .as_ref()
                    .and_then(|affinity| affinity.required.as_ref());
                affinity.map_or(Reach::Anywhere, |required| reach(required, nodes))
            }
            (_, None) => Reach::Unknown,
        };
        let mut claims: BTreeMap<&str, BTreeMap<&str, Reach>> = BTreeMap::new();
        for claim in &dump.claims {
            let reach = claim_reach(&claim.spec.volume_name);
            claims
                .entry(&claim.metadata.namespace)
                .or_default()
                .insert(&claim.metadata.name, reach);
        }
        Self { claims }
    }

    /// The reach of a claim by namespace and name.
    pub(super) fn of_claim(&self, namespace: &str, claim: &str) -> Option<&Reach> {
        self.claims.get(namespace)?.get(claim)
    }

    /// The claims that a pod names, with their reach.
    pub(super) fn of_pod<'b>(
        &'b self,
        namespace: &'b str,
        spec: &'b PodSpec,
    ) -> impl Iterator<Item = (&'b str, &'b Reach)> {
        let claims = spec
            .volumes
            .iter()
            .filter_map(|volume| volume.persistent_volume_claim.as_ref());
        claims.map(move |claim| {
            let name = claim.claim_name.as_str();
            (
                name,
                self.of_claim(namespace, name).unwrap_or(&Reach::Unknown),
            )
        })
    }
}

/// Zones where every term is about the zone; where all nodes match, it does not bind.
fn reach(required: &NodeSelector, nodes: &[NodeFacts<'_>]) -> Reach {
    let mut zones = BTreeSet::new();
    for term in &required.node_selector_terms {
        let zone = term
            .match_expressions
            .iter()
            .find(|e| canonical(&e.key) == ZONE && e.operator == "In");
        let others_hold = term
            .match_expressions
            .iter()
            .filter(|e| canonical(&e.key) != ZONE)
            .all(|e| {
                let key = canonical(&e.key);
                nodes.iter().all(|node| e.matches(&node.labels, key))
            });
        match zone {
            Some(zone) if others_hold && term.match_fields.is_empty() => {
                zones.extend(zone.values.iter().cloned())
            }
            _ if nodes.iter().all(|node| required.matches(&node.labels)) => return Reach::Anywhere,
            _ => return Reach::Nodes,
        }
    }
    if nodes.iter().all(|node| zones.contains(&node.zone)) {
        Reach::Anywhere
    } else {
        Reach::Zones(zones)
    }
}
