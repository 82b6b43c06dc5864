//! Which pod belongs to what, and where it runs.

use std::collections::BTreeMap;

use super::list::Dump;
use super::manifest::{Pod, StringMap, Workload, is_ready};
use super::node::NodeFacts;
use super::notes::Notes;
use crate::problem::WorkloadKind;

/// Annotation of the API server's image of a static pod.
const MIRROR: &str = "kubernetes.io/config.mirror";

/// A Deployment or StatefulSet under the name that it has in the problem file.
pub(super) struct Candidate<'a> {
    pub name: String,
    pub kind: WorkloadKind,
    pub workload: &'a Workload,
    /// Its live pods up to the desired number, ready ones first.
    pub pods: Vec<LivePod<'a>>,
    /// Set when the workload cannot be planned.
    pub left_out: Option<String>,
}

impl Candidate<'_> {
    /// Kind and name, as messages say it.
    pub(super) fn object(&self) -> String {
        format!(
            "{} {}",
            self.kind_name(),
            self.workload.metadata.full_name()
        )
    }

    /// The kind as the API spells it.
    pub(super) fn kind_name(&self) -> &'static str {
        match self.kind {
            WorkloadKind::Deployment => "Deployment",
            WorkloadKind::StatefulSet => "StatefulSet",
        }
    }

    /// Replicas that the controller wants; the API's default is 1.
    pub(super) fn desired(&self) -> u32 {
        self.workload.spec.replicas.unwrap_or(1)
    }

    /// Most of its pods on one node.
    pub(super) fn most_on_a_node(&self) -> u32 {
        let mut counts: BTreeMap<usize, u32> = BTreeMap::new();
        for node in self.pods.iter().filter_map(|pod| pod.node) {
            *counts.entry(node).or_default() += 1;
        }
        counts.into_values().max().unwrap_or(0)
    }
}

/// A pod that has not ended and is not being deleted.
#[derive(Clone, Copy)]
pub(super) struct LivePod<'a> {
    pub pod: &'a Pod,
    /// Index of its node; `None` while it is pending.
    pub node: Option<usize>,
}

/// Every live pod, sorted by what it belongs to.
pub(super) struct Census<'a> {
    pub candidates: Vec<Candidate<'a>>,
    /// Pods of each DaemonSet, in the order of the dump's DaemonSets.
    pub daemon_pods: Vec<Vec<LivePod<'a>>>,
    /// Static pods, with their nodes.
    pub static_pods: Vec<(&'a Pod, usize)>,
    /// Other bound pods, with their nodes and why they stay.
    pub foreign: Vec<(&'a Pod, usize, String)>,
}

enum Owner {
    Candidate(usize),
    DaemonSet(usize),
    Static,
    Foreign(String),
}

/// Sorts the pods of a dump.
pub(super) fn take<'a>(dump: &'a Dump, nodes: &[NodeFacts<'a>], notes: &mut Notes) -> Census<'a> {
    let index = Index::new(dump);
    let by_name: BTreeMap<&str, usize> = nodes
        .iter()
        .enumerate()
        .map(|(index, node)| (node.name, index))
        .collect();
    let mut census = Census {
        candidates: candidates(dump, notes),
        daemon_pods: dump.daemon_sets.iter().map(|_| Vec::new()).collect(),
        static_pods: Vec::new(),
        foreign: Vec::new(),
    };
    for pod in dump.pods.iter().filter(|pod| is_live(pod)) {
        let node_name = pod
            .spec
            .node_name
            .as_deref()
            .filter(|name| !name.is_empty());
        let node = node_name.and_then(|name| by_name.get(name).copied());
        let elsewhere = node_name.filter(|_| node.is_none());
        match (index.owner(pod), node) {
            (Owner::Candidate(candidate), _) => {
                census.count(candidate, pod, node, elsewhere, notes)
            }
            (Owner::DaemonSet(daemon_set), _) => {
                census.daemon_pods[daemon_set].push(LivePod { pod, node })
            }
            (Owner::Static, Some(node)) => census.static_pods.push((pod, node)),
            (Owner::Foreign(why), Some(node)) => census.foreign.push((pod, node, why)),
            (Owner::Static | Owner::Foreign(_), None) => {}
        }
    }
    census.settle(notes);
    census
}

impl<'a> Census<'a> {
    fn count(
        &mut self,
        candidate: usize,
        pod: &'a Pod,
        node: Option<usize>,
        elsewhere: Option<&str>,
        notes: &mut Notes,
    ) {
        let candidate = &mut self.candidates[candidate];
        if let Some(name) = elsewhere {
            if notes
                .untranslated
                .iter()
                .any(|line| line.starts_with(&format!("Node {name}: left out")))
            {
                candidate.left_out = Some(format!(
                    "pod {} runs on node {name}, which is left out",
                    pod.metadata.name
                ));
            } else {
                let pod = pod.metadata.full_name();
                notes.untranslated(format!(
                    "Pod {pod}: counted as pending, its node {name} is not in the dump"
                ));
            }
        }
        candidate.pods.push(LivePod { pod, node });
    }

    /// Leaves out what cannot be planned, and of a workload with more pods than desired the surplus.
    fn settle(&mut self, notes: &mut Notes) {
        for candidate in &mut self.candidates {
            let object = candidate.object();
            if candidate.desired() == 0 {
                candidate.left_out = Some("it has no replicas now".to_owned());
            }
            if let Some(why) = &candidate.left_out {
                notes.untranslated(format!("{object}: left out, {why}"));
                let foreign = candidate
                    .pods
                    .drain(..)
                    .filter_map(|live| Some((live.pod, live.node?)));
                self.foreign.extend(
                    foreign.map(|(pod, node)| (pod, node, format!("{object} is left out"))),
                );
                continue;
            }
            let desired = usize::try_from(candidate.desired()).unwrap_or(usize::MAX);
            // Controllers take away pending and unready pods first.
            candidate
                .pods
                .sort_by_key(|live| (live.node.is_none(), !is_ready(&live.pod.status.conditions)));
            if candidate.pods.len() > desired {
                let (found, surplus) = (candidate.pods.len(), candidate.pods.len() - desired);
                notes.untranslated(format!(
                    "{object}: a rollout is under way, {found} pods run for {desired} replicas; {surplus} of them are not counted"
                ));
                candidate.pods.truncate(desired);
            }
        }
    }

    /// Names of all services, with the labels and namespaces by which selectors find them.
    pub(super) fn peers(&self) -> Vec<Peer<'a>> {
        let peer = |candidate: &Candidate<'a>| Peer {
            name: candidate.name.clone(),
            namespace: &candidate.workload.metadata.namespace,
            labels: &candidate.workload.spec.template.metadata.labels,
        };
        self.candidates
            .iter()
            .filter(|candidate| candidate.left_out.is_none())
            .map(peer)
            .collect()
    }
}

/// A service as label selectors see it.
pub(super) struct Peer<'a> {
    pub name: String,
    pub namespace: &'a str,
    pub labels: &'a StringMap,
}

fn is_live(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
        && !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
}

/// Deployments, then StatefulSets. One with the name of a Deployment gets its kind appended, for names are unique in the file.
fn candidates<'a>(dump: &'a Dump, notes: &mut Notes) -> Vec<Candidate<'a>> {
    let candidate = |kind, workload: &'a Workload, name| Candidate {
        name,
        kind,
        workload,
        pods: Vec::new(),
        left_out: None,
    };
    let deployments = dump
        .deployments
        .iter()
        .map(|w| candidate(WorkloadKind::Deployment, w, w.metadata.full_name()));
    let mut candidates: Vec<Candidate<'a>> = deployments.collect();
    for workload in &dump.stateful_sets {
        let mut name = workload.metadata.full_name();
        if candidates.iter().any(|other| other.name == name) {
            name.push_str(".statefulset");
            notes.assume(format!("services.{name}"), "a Deployment has the same name");
        }
        candidates.push(candidate(WorkloadKind::StatefulSet, workload, name));
    }
    candidates
}

/// Controllers by kind, namespace and name; the numbers are positions among the candidates or DaemonSets.
struct Index<'a> {
    dump: &'a Dump,
    deployments: BTreeMap<(&'a str, &'a str), usize>,
    stateful_sets: BTreeMap<(&'a str, &'a str), usize>,
    daemon_sets: BTreeMap<(&'a str, &'a str), usize>,
    replica_sets: BTreeMap<(&'a str, &'a str), usize>,
}

impl<'a> Index<'a> {
    fn new(dump: &'a Dump) -> Self {
        let by_name = |workloads: &'a [Workload], first: usize| {
            let key = |(at, w): (usize, &'a Workload)| {
                (
                    (w.metadata.namespace.as_str(), w.metadata.name.as_str()),
                    first + at,
                )
            };
            workloads.iter().enumerate().map(key).collect()
        };
        Self {
            dump,
            deployments: by_name(&dump.deployments, 0),
            stateful_sets: by_name(&dump.stateful_sets, dump.deployments.len()),
            daemon_sets: by_name(&dump.daemon_sets, 0),
            replica_sets: by_name(&dump.replica_sets, 0),
        }
    }

    fn owner(&self, pod: &Pod) -> Owner {
        let metadata = &pod.metadata;
        if metadata.annotations.contains_key(MIRROR) {
            return Owner::Static;
        }
        let Some(controller) = metadata.controller() else {
            return Owner::Foreign("it has no controller that would start it again".to_owned());
        };
        let key = (metadata.namespace.as_str(), controller.name.as_str());
        let found = match controller.kind.as_str() {
            "Node" => return Owner::Static,
            "ReplicaSet" => return self.owner_of_replica_set(pod, &controller.name),
            "StatefulSet" => self.stateful_sets.get(&key).copied().map(Owner::Candidate),
            "DaemonSet" => self.daemon_sets.get(&key).copied().map(Owner::DaemonSet),
            "Job" => {
                return Owner::Foreign(format!(
                    "Job {} runs to its end where it is",
                    controller.name
                ));
            }
            _ => None,
        };
        let not_planned = || {
            Owner::Foreign(format!(
                "its owner {} {} is not planned",
                controller.kind, controller.name
            ))
        };
        found.unwrap_or_else(not_planned)
    }

    /// The Deployment behind a ReplicaSet: by the ReplicaSet's own owner if it is in the dump, else by its name without the pods' hash.
    fn owner_of_replica_set(&self, pod: &Pod, name: &str) -> Owner {
        let namespace = pod.metadata.namespace.as_str();
        let unknown = || {
            Owner::Foreign(format!(
                "its ReplicaSet {name} has no Deployment in the dump"
            ))
        };
        if let Some(position) = self.replica_sets.get(&(namespace, name)) {
            return match self.dump.replica_sets[*position].metadata.controller() {
                Some(owner) if owner.kind == "Deployment" => {
                    let found = self.deployments.get(&(namespace, owner.name.as_str()));
                    found.map_or_else(unknown, |at| Owner::Candidate(*at))
                }
                Some(owner) => Owner::Foreign(format!(
                    "its owner {} {} is not planned",
                    owner.kind, owner.name
                )),
                None => Owner::Foreign(format!("ReplicaSet {name} has no Deployment")),
            };
        }
        let hash = pod.metadata.labels.get("pod-template-hash");
        let deployment = hash.and_then(|hash| name.strip_suffix(hash.as_str())?.strip_suffix('-'));
        let position = deployment
            .and_then(|deployment| self.deployments.get(&(namespace, deployment)).copied());
        let selects = |at: &usize| {
            let selector = self.dump.deployments[*at].spec.selector.as_ref();
            selector.is_none_or(|selector| selector.matches(&pod.metadata.labels))
        };
        position
            .filter(selects)
            .map_or_else(unknown, Owner::Candidate)
    }
}
