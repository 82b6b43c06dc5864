//! Which pod belongs to which service: `kube_pod_info` joined to owners.

use std::collections::{BTreeMap, BTreeSet};

use ketscale_engine::problem::{ProblemFile, WorkloadKind};

use super::answers::Answers;
use super::clusters::Clusters;
use crate::prometheus::Sample;

/// A pod by the position of its cluster, its namespace and its name.
pub(super) type PodKey<'a> = (usize, &'a str, &'a str);

/// A pod that has not ended and is not being deleted.
#[derive(Clone, Debug)]
pub(super) struct LivePod<'a> {
    pub(super) key: PodKey<'a>,
    /// Its node; empty while it is pending.
    pub(super) node: &'a str,
    pub(super) owner: Owner,
}

/// What a pod belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// A service, by its position in the problem.
    Service(usize),
    /// A daemonset of the problem, or a static pod under the name of one; counted on every node already.
    Daemon,
    /// Anything else: it stays where it is.
    Foreign,
    /// It cannot be told, and why.
    Unknown(String),
}

/// The key of a pod's series.
pub(super) fn key<'a>(clusters: &Clusters, sample: &'a Sample) -> Option<PodKey<'a>> {
    Some((
        clusters.of(sample)?,
        sample.label("namespace"),
        sample.label("pod"),
    ))
}

/// Every live pod, ordered by its key.
pub(super) fn read<'a>(
    problem: &ProblemFile,
    answers: &'a Answers,
    clusters: &Clusters,
) -> Vec<LivePod<'a>> {
    let running: BTreeSet<PodKey<'_>> = answers
        .running_pods
        .samples
        .iter()
        .filter_map(|sample| key(clusters, sample))
        .collect();
    let terminating: BTreeSet<PodKey<'_>> = answers
        .terminating_pods
        .samples
        .iter()
        .filter_map(|sample| key(clusters, sample))
        .collect();
    let owners = Owners::new(problem, answers, clusters);
    let mut pods: BTreeMap<PodKey<'a>, LivePod<'a>> = BTreeMap::new();
    for sample in &answers.pods.samples {
        let Some(key) = key(clusters, sample) else {
            continue;
        };
        if running.contains(&key) && !terminating.contains(&key) {
            let pod = LivePod {
                key,
                node: sample.label("node"),
                owner: owners.of(key, sample),
            };
            // Just after its binding a pod can be there twice, without and with its node.
            let known = pods.entry(key).or_insert_with(|| pod.clone());
            if known.node.is_empty() {
                *known = pod;
            }
        }
    }
    pods.into_values().collect()
}

/// Controllers by cluster, namespace and name.
struct Owners<'a> {
    services: BTreeMap<(WorkloadRank, String), usize>,
    clusters_of_service: Vec<BTreeSet<usize>>,
    daemons: BTreeSet<String>,
    /// Kind and name of each ReplicaSet's owner.
    replica_sets: BTreeMap<(usize, &'a str, &'a str), (&'a str, &'a str)>,
}

/// A workload kind that can be ordered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum WorkloadRank {
    Deployment,
    StatefulSet,
}

impl<'a> Owners<'a> {
    fn new(problem: &ProblemFile, answers: &'a Answers, clusters: &Clusters) -> Self {
        let services = problem.services.iter().enumerate();
        let replica_sets = answers
            .replicaset_owners
            .samples
            .iter()
            .filter_map(|sample| {
                let name = (
                    clusters.of(sample)?,
                    sample.label("namespace"),
                    sample.label("replicaset"),
                );
                Some((
                    name,
                    (sample.label("owner_kind"), sample.label("owner_name")),
                ))
            });
        Self {
            services: services
                .map(|(index, service)| {
                    (
                        (
                            rank(service.kind),
                            workload_name(&service.name, service.kind).to_owned(),
                        ),
                        index,
                    )
                })
                .collect(),
            clusters_of_service: problem
                .services
                .iter()
                .map(|service| {
                    service
                        .clusters
                        .keys()
                        .filter_map(|name| clusters.index(name))
                        .collect()
                })
                .collect(),
            daemons: problem
                .daemonsets
                .iter()
                .map(|daemonset| daemonset.name.clone())
                .collect(),
            replica_sets: replica_sets.collect(),
        }
    }

    fn of(&self, key: PodKey<'_>, sample: &Sample) -> Owner {
        let (cluster, namespace, pod) = key;
        let name = sample.label("created_by_name");
        match sample.label("created_by_kind") {
            "ReplicaSet" => match self.replica_sets.get(&(cluster, namespace, name)) {
                Some(("Deployment", deployment)) => {
                    self.service(cluster, WorkloadRank::Deployment, namespace, deployment)
                }
                Some(_) => Owner::Foreign,
                None => Owner::Unknown(format!(
                    "the owner of ReplicaSet {namespace}/{name} of pod {pod} is missing"
                )),
            },
            "StatefulSet" => self.service(cluster, WorkloadRank::StatefulSet, namespace, name),
            "DaemonSet" => self.daemon(namespace, name),
            "Node" => self.daemon(
                namespace,
                pod.strip_suffix(sample.label("node"))
                    .unwrap_or(pod)
                    .trim_end_matches('-'),
            ),
            _ => Owner::Foreign,
        }
    }

    fn service(&self, cluster: usize, kind: WorkloadRank, namespace: &str, name: &str) -> Owner {
        let found = self
            .services
            .get(&(kind, format!("{namespace}/{name}")))
            .copied();
        let runs_here = |service: &usize| {
            self.clusters_of_service
                .get(*service)
                .is_some_and(|clusters| clusters.contains(&cluster))
        };
        found
            .filter(runs_here)
            .map_or(Owner::Foreign, Owner::Service)
    }

    fn daemon(&self, namespace: &str, name: &str) -> Owner {
        let name = format!("{namespace}/{name}");
        if self.daemons.contains(&name) || self.daemons.contains(&format!("{name}.static")) {
            Owner::Daemon
        } else {
            Owner::Foreign
        }
    }
}

fn rank(kind: WorkloadKind) -> WorkloadRank {
    match kind {
        WorkloadKind::Deployment => WorkloadRank::Deployment,
        WorkloadKind::StatefulSet => WorkloadRank::StatefulSet,
    }
}

/// `namespace/name` of the workload behind a service: `init` tells a StatefulSet from a Deployment of the same name by a suffix.
pub(super) fn workload_name(service: &str, kind: WorkloadKind) -> &str {
    match kind {
        WorkloadKind::Deployment => service,
        WorkloadKind::StatefulSet => service.strip_suffix(".statefulset").unwrap_or(service),
    }
}
