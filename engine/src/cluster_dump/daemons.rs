//! What runs on every matching node: DaemonSets, and static pods that all nodes of some pools have.

use std::collections::{BTreeMap, BTreeSet};

use super::census::Census;
use super::constraints;
use super::demand;
use super::labels::{ARCH, OS};
use super::list::Dump;
use super::manifest::Pod;
use super::node::NodeFacts;
use super::node_affinity::{self, to_selector};
use super::notes::Notes;
use super::request::Amounts;
use super::service::tolerates;
use crate::problem::{DaemonSet, Toleration, TolerationOperator};

/// A daemonset with its request.
pub(super) struct Daemon {
    pub daemonset: DaemonSet,
    pub request: Amounts,
}

/// The DaemonSets of the dump, and the static pods that are as good as one. Other static pods become foreign.
pub(super) fn translate<'a>(
    dump: &'a Dump,
    census: &mut Census<'a>,
    nodes: &[NodeFacts<'_>],
    notes: &mut Notes,
) -> Vec<Daemon> {
    let mut daemons = Vec::new();
    for (workload, pods) in dump.daemon_sets.iter().zip(&census.daemon_pods) {
        let (name, spec) = (workload.metadata.full_name(), &workload.spec.template.spec);
        let object = format!("DaemonSet {name}");
        let request = demand::of_workload(
            &format!("daemonsets.{name}"),
            &object,
            workload,
            pods,
            notes,
        );
        let (mut values, reasons) = node_affinity::translate(spec, nodes);
        values.remove(OS);
        for reason in reasons {
            notes.untranslated(format!(
                "{object}: {reason}; it is counted on every node that it tolerates"
            ));
        }
        // No node of the dump has an architecture that it leaves out.
        if values.get(ARCH).is_some_and(|accepted| {
            nodes
                .iter()
                .all(|node| accepted.contains(&node.architecture))
        }) {
            values.remove(ARCH);
        }
        if values.values().any(BTreeSet::is_empty) {
            notes.untranslated(format!(
                "{object}: left out, its rules on nodes contradict each other"
            ));
            continue;
        }
        let tolerations = constraints::tolerations(spec).unwrap_or_else(|why| {
            notes.untranslated(format!("{object}: {why}; taken as tolerating everything"));
            vec![tolerate_all()]
        });
        let daemonset = DaemonSet {
            name,
            requests: request.to_resources(),
            clusters: None,
            selector: to_selector(values),
            tolerations,
        };
        daemons.push(Daemon { daemonset, request });
    }
    static_pods(census, nodes, &mut daemons, notes);
    daemons
}

/// What daemons request on a node.
pub(super) fn on_node(daemons: &[Daemon], node: &NodeFacts<'_>) -> Amounts {
    let runs = |daemon: &&Daemon| {
        let selector = &daemon.daemonset.selector;
        selector.iter().all(|(key, accepted)| {
            node.labels
                .get(key)
                .is_some_and(|value| accepted.values().contains(value))
        }) && tolerates(&daemon.daemonset.tolerations, &node.taints)
    };
    demand::sum(daemons.iter().filter(runs).map(|daemon| &daemon.request))
}

fn tolerate_all() -> Toleration {
    Toleration {
        key: String::new(),
        operator: TolerationOperator::Exists,
        value: String::new(),
        effect: None,
    }
}

/// A static pod is started by its node's own kubelet, so that new nodes of its pools have it too, as GKE's kube-proxy.
fn static_pods<'a>(
    census: &mut Census<'a>,
    nodes: &[NodeFacts<'_>],
    daemons: &mut Vec<Daemon>,
    notes: &mut Notes,
) {
    let mut groups: BTreeMap<String, Vec<(&'a Pod, usize)>> = BTreeMap::new();
    for (pod, node) in census.static_pods.drain(..) {
        let own = nodes.get(node).map_or("", |node| node.name);
        let name = pod
            .metadata
            .name
            .strip_suffix(own)
            .unwrap_or(&pod.metadata.name);
        groups
            .entry(format!(
                "{}/{}",
                pod.metadata.namespace,
                name.trim_end_matches('-')
            ))
            .or_default()
            .push((pod, node));
    }
    for (mut name, pods) in groups {
        let places: BTreeSet<usize> = pods.iter().map(|(_, node)| *node).collect();
        let has_it = |node: &NodeFacts<'_>| {
            places
                .iter()
                .any(|at| nodes.get(*at).is_some_and(|other| other.name == node.name))
        };
        let requests: Vec<Amounts> = pods
            .iter()
            .map(|(pod, _)| demand::of_pod(&pod.metadata.full_name(), &pod.spec, notes))
            .collect();
        let alike = places.len() == pods.len()
            && requests
                .iter()
                .all(|request| Some(request) == requests.first());
        match (
            node_affinity::decided_by_label(has_it, nodes),
            requests.into_iter().next(),
        ) {
            (Ok(values), Some(request)) if alike => {
                if daemons.iter().any(|daemon| daemon.daemonset.name == name) {
                    name.push_str(".static");
                }
                notes.assume(
                    format!("daemonsets.{name}"),
                    "a static pod on every node of these pools: new nodes have it too",
                );
                let (requests, selector) = (request.to_resources(), to_selector(values));
                let daemonset = DaemonSet {
                    name,
                    requests,
                    clusters: None,
                    selector,
                    tolerations: vec![tolerate_all()],
                };
                daemons.push(Daemon { daemonset, request });
            }
            _ => {
                let foreign = pods
                    .into_iter()
                    .map(|(pod, node)| (pod, node, "it is a static pod of its node".to_owned()));
                census.foreign.extend(foreign);
            }
        }
    }
}
