//! What a workload's pods ask of their surroundings, as a `placement`.

use std::collections::BTreeSet;

use super::census::{Candidate, Peer};
use super::labels::{ARCH, HOSTNAME, OS, ZONE};
use super::manifest::{LabelSelector, PodAffinityTerm, PodSpec, PodToleration, SpreadConstraint};
use super::node::NodeFacts;
use super::node_affinity::{self, Values};
use crate::problem::{Placement, Toleration, TolerationOperator};

/// What pods are placed among.
pub(super) struct Surroundings<'a> {
    pub nodes: &'a [NodeFacts<'a>],
    pub peers: &'a [Peer<'a>],
}

impl Surroundings<'_> {
    /// Zones of the nodes.
    pub(super) fn zones(&self) -> BTreeSet<&str> {
        self.nodes.iter().map(|node| node.zone.as_str()).collect()
    }
}

/// The translated placement of a workload.
#[derive(Default)]
pub(super) struct Constraints {
    pub placement: Placement,
    /// Node labels that must match, before volumes narrow them.
    pub values: Values,
    /// True when the pods' own rules name the architectures.
    pub states_architectures: bool,
    /// Binding rules that the file cannot say: the pods are left where they are.
    pub binding: Vec<String>,
    /// Preferences, which bind nobody.
    pub preferences: Vec<String>,
    /// Rules that are said more strictly than they are: path below `placement` and why.
    pub stricter: Vec<(&'static str, String)>,
    /// Most replicas that its own rules allow.
    pub most_replicas: Option<u32>,
}

/// Translates the placement rules of a workload.
pub(super) fn translate(candidate: &Candidate<'_>, around: &Surroundings<'_>) -> Constraints {
    let spec = &candidate.workload.spec.template.spec;
    let mut constraints = Constraints::default();
    constraints.node_rules(spec, around.nodes);
    for (at, constraint) in spec.topology_spread_constraints.iter().enumerate() {
        constraints.spread(constraint, at, candidate, around);
    }
    let affinity = spec.affinity.as_ref();
    if let Some(together) = affinity.and_then(|affinity| affinity.pod_affinity.as_ref()) {
        for term in &together.required {
            constraints.binding.push(format!(
                "required podAffinity on {}: pods cannot be kept together",
                term.topology_key
            ));
        }
        constraints.prefers(together.preferred.len(), "preferred podAffinity");
    }
    if let Some(apart) = affinity.and_then(|affinity| affinity.pod_anti_affinity.as_ref()) {
        for term in &apart.required {
            constraints.apart(term, candidate, around);
        }
        constraints.prefers(apart.preferred.len(), "preferred podAntiAffinity");
    }
    constraints
}

/// Tolerations in the file's form; those of passing node conditions are left out, as are their taints.
pub(super) fn tolerations(spec: &PodSpec) -> Result<Vec<Toleration>, String> {
    let lasting = |toleration: &&PodToleration| !toleration.key.starts_with("node.kubernetes.io/");
    let translate = |toleration: &PodToleration| {
        let operator = match toleration.operator.as_deref() {
            None | Some("" | "Equal") => TolerationOperator::Equal,
            Some("Exists") => TolerationOperator::Exists,
            Some(other) => {
                return Err(format!(
                    "toleration of {} with operator {other}",
                    toleration.key
                ));
            }
        };
        let (key, value) = (toleration.key.clone(), toleration.value.clone());
        Ok(Toleration {
            key,
            operator,
            value,
            effect: toleration.effect,
        })
    };
    spec.tolerations
        .iter()
        .filter(lasting)
        .map(translate)
        .collect()
}

impl Constraints {
    fn node_rules(&mut self, spec: &PodSpec, nodes: &[NodeFacts<'_>]) {
        let (mut values, reasons) = node_affinity::translate(spec, nodes);
        self.binding.extend(reasons);
        values.remove(OS);
        if let Some(architectures) = values.remove(ARCH) {
            self.placement.architectures = architectures.into_iter().collect();
            self.states_architectures = true;
        }
        self.values = values;
        match tolerations(spec) {
            Ok(tolerations) => self.placement.tolerations = tolerations,
            Err(why) => self.binding.push(why),
        }
        let node_affinity = spec
            .affinity
            .as_ref()
            .and_then(|affinity| affinity.node_affinity.as_ref());
        self.prefers(
            node_affinity.map_or(0, |affinity| affinity.preferred.len()),
            "preferred nodeAffinity",
        );
    }

    fn prefers(&mut self, terms: usize, what: &str) {
        if terms > 0 {
            self.preferences.push(what.to_owned());
        }
    }

    fn spread(
        &mut self,
        constraint: &SpreadConstraint,
        at: usize,
        candidate: &Candidate<'_>,
        around: &Surroundings<'_>,
    ) {
        let field = format!(
            "topologySpreadConstraints[{at}] over {}",
            constraint.topology_key
        );
        if constraint.when_unsatisfiable == "ScheduleAnyway" {
            self.preferences.push(format!("{field} (ScheduleAnyway)"));
            return;
        }
        let selected = selected(
            constraint.label_selector.as_ref(),
            candidate,
            around.peers,
            |namespace| namespace == candidate.workload.metadata.namespace,
        );
        if !selected.itself || !selected.others.is_empty() {
            self.binding.push(format!(
                "{field}: it counts other pods than the workload's own"
            ));
            return;
        }
        let max_skew = constraint.max_skew.max(1);
        match constraint.topology_key.as_str() {
            key if super::labels::canonical(key) == ZONE => {
                tighten(&mut self.placement.max_skew, max_skew);
                self.least_zones(constraint, &field, candidate, around);
            }
            HOSTNAME if candidate.most_on_a_node() <= max_skew => {
                tighten(&mut self.placement.max_per_node, max_skew);
                let reason = format!(
                    "{field} with maxSkew {max_skew} holds whenever no node has more pods than that"
                );
                self.stricter.push(("max_per_node", reason));
            }
            HOSTNAME => self
                .binding
                .push(format!("{field}: skew between nodes cannot be stated")),
            _ => self
                .binding
                .push(format!("{field}: only zones and nodes can be spread over")),
        }
    }

    /// `minDomains`: with fewer zones the scheduler takes the emptiest one as holding nothing.
    fn least_zones(
        &mut self,
        constraint: &SpreadConstraint,
        field: &str,
        candidate: &Candidate<'_>,
        around: &Surroundings<'_>,
    ) {
        let Some(wanted) = constraint.min_domains else {
            return;
        };
        let zones = u32::try_from(around.zones().len()).unwrap_or(u32::MAX);
        let reachable = wanted.min(zones).min(candidate.desired());
        if reachable < wanted {
            self.stricter.push((
                "min_zones",
                format!("{field} asks for {wanted} zones; more than {reachable} cannot be had now"),
            ));
        }
        self.placement.min_zones = self.placement.min_zones.max(reachable);
    }

    fn apart(
        &mut self,
        term: &PodAffinityTerm,
        candidate: &Candidate<'_>,
        around: &Surroundings<'_>,
    ) {
        let field = format!("required podAntiAffinity on {}", term.topology_key);
        let own = candidate.workload.metadata.namespace.as_str();
        let everywhere = term
            .namespace_selector
            .as_ref()
            .is_some_and(LabelSelector::is_empty);
        if term.namespace_selector.is_some() && !everywhere {
            self.binding
                .push(format!("{field}: labels of namespaces are not in the dump"));
            return;
        }
        let selected = selected(
            term.label_selector.as_ref(),
            candidate,
            around.peers,
            |namespace| {
                everywhere
                    || term.namespaces.iter().any(|name| name == namespace)
                    || (term.namespaces.is_empty() && namespace == own)
            },
        );
        match super::labels::canonical(&term.topology_key) {
            HOSTNAME => {
                if selected.itself {
                    tighten(&mut self.placement.max_per_node, 1);
                }
                self.placement.anti_affinity.extend(selected.others);
                self.placement.anti_affinity.sort();
                self.placement.anti_affinity.dedup();
            }
            ZONE if selected.others.is_empty() => {
                if selected.itself {
                    // With at most as many pods as zones, a skew of 1 is the same as one pod a zone.
                    tighten(&mut self.placement.max_skew, 1);
                    self.most_replicas =
                        Some(u32::try_from(around.zones().len()).unwrap_or(u32::MAX));
                }
            }
            ZONE => self
                .binding
                .push(format!("{field}: services can be kept apart by node only")),
            _ => self.binding.push(format!(
                "{field}: pods can be kept apart by node and zone only"
            )),
        }
    }
}

/// Whom a label selector selects.
struct Selected {
    itself: bool,
    others: Vec<String>,
}

fn selected(
    selector: Option<&LabelSelector>,
    candidate: &Candidate<'_>,
    peers: &[Peer<'_>],
    in_namespace: impl Fn(&str) -> bool,
) -> Selected {
    // No selector selects nothing.
    let matches = |peer: &&Peer<'_>| {
        selector.is_some_and(|s| in_namespace(peer.namespace) && s.matches(peer.labels))
    };
    let (own, others): (Vec<&Peer<'_>>, Vec<_>) = peers
        .iter()
        .filter(matches)
        .partition(|peer| peer.name == candidate.name);
    Selected {
        itself: !own.is_empty(),
        others: others.into_iter().map(|peer| peer.name.clone()).collect(),
    }
}

fn tighten(limit: &mut Option<u32>, to: u32) {
    *limit = Some(limit.map_or(to, |present| present.min(to)));
}
