//! Who else sets what a plan would change: autoscalers of pods, of requests and of nodes, as their metrics tell.

use std::collections::{BTreeMap, BTreeSet};

use ketscale_engine::problem::{ProblemFile, Service, WorkloadKind};
use serde::Serialize;

use crate::live::LiveError;
use crate::live::clusters::Clusters;
use crate::live::services::names;
use crate::prometheus::{Family, Queries, Sample};

/// How KEDA names the autoscaler that it makes for a ScaledObject, unless told otherwise.
const KEDA_PREFIX: &str = "keda-hpa-";

/// A controller and the field that it sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owner {
    /// The field, by its path in the problem file.
    pub field: String,
    /// Kind of the controller's object, such as `HorizontalPodAutoscaler`.
    pub kind: String,
    /// Its name, `namespace/name` where it has a namespace; empty where it has none.
    pub name: String,
    /// What the metrics say.
    pub evidence: String,
    /// What it means for a plan.
    pub advice: String,
}

/// Every controller that sets something a plan would change.
pub(super) fn owners(
    problem: &ProblemFile,
    queries: &Queries,
    families: &BTreeMap<String, Family>,
) -> Result<Vec<Owner>, LiveError> {
    let Some(nodes) = families.get("nodes") else {
        return Ok(Vec::new());
    };
    let seen = Seen {
        clusters: Clusters::new(problem, queries, nodes)?,
        families,
    };
    let mut owners = Vec::new();
    for service in &problem.services {
        owners.extend(seen.of_replicas(service));
        owners.extend(seen.of_requests(service));
    }
    owners.extend(seen.of_pools(problem));
    Ok(owners)
}

struct Seen<'a> {
    clusters: Clusters,
    families: &'a BTreeMap<String, Family>,
}

impl<'a> Seen<'a> {
    fn samples(&self, name: &str) -> &'a [Sample] {
        let family = self.families.get(name);
        family.map_or(&[], |family| family.samples.as_slice())
    }

    fn cluster(&self, sample: &Sample) -> Option<&str> {
        let index = self.clusters.of(sample)?;
        self.clusters.names().get(index).map(String::as_str)
    }

    /// HorizontalPodAutoscalers, and the ScaledObjects behind them.
    fn of_replicas(&self, service: &Service) -> Vec<Owner> {
        let target = ["scaletargetref_kind", "scaletargetref_name"];
        let scaled = self.targeting("hpa_targets", service, target);
        scaled
            .filter_map(|sample| {
                let cluster = self.cluster(sample)?;
                let (namespace, hpa) = (
                    sample.label("namespace"),
                    sample.label("horizontalpodautoscaler"),
                );
                let field = format!("services.{}.clusters.{cluster}: replicas", service.name);
                Some(self.scaled_object(sample, &field).unwrap_or(Owner {
                    field,
                    kind: "HorizontalPodAutoscaler".to_owned(),
                    name: format!("{namespace}/{hpa}"),
                    evidence: format!("kube_horizontalpodautoscaler_info{}", self.bounds(sample)),
                    advice: "it would undo replicas set by hand; `ketscale export PLAN --as hpa` changes the autoscaler instead".to_owned(),
                }))
            })
            .collect()
    }

    /// The ScaledObject that made an autoscaler: by a label of it, else by its name.
    fn scaled_object(&self, hpa: &Sample, field: &str) -> Option<Owner> {
        let (namespace, name) = (hpa.label("namespace"), hpa.label("horizontalpodautoscaler"));
        let same = |sample: &&Sample| {
            self.clusters.of(sample) == self.clusters.of(hpa)
                && sample.label("namespace") == namespace
                && sample.label("horizontalpodautoscaler") == name
        };
        let labelled = self.samples("hpa_scaled_objects").iter().find(same);
        let (object, evidence) = match labelled {
            Some(sample) => (
                sample.label("label_scaledobject_keda_sh_name"),
                format!("the label scaledobject.keda.sh/name of HorizontalPodAutoscaler {name}"),
            ),
            None => (
                name.strip_prefix(KEDA_PREFIX)?,
                format!("the name of HorizontalPodAutoscaler {name}, as KEDA gives it"),
            ),
        };
        Some(Owner {
            field: field.to_owned(),
            kind: "ScaledObject".to_owned(),
            name: format!("{namespace}/{object}"),
            evidence: format!("{evidence}{}", self.bounds(hpa)),
            advice: "KEDA undoes changes of its HorizontalPodAutoscaler: carry replicas over to minReplicaCount and maxReplicaCount".to_owned(),
        })
    }

    /// `, 2 to 9 replicas`, where known.
    fn bounds(&self, hpa: &Sample) -> String {
        let bound = |name: &str| {
            let same = |sample: &&Sample| {
                self.clusters.of(sample) == self.clusters.of(hpa)
                    && ["namespace", "horizontalpodautoscaler"]
                        .iter()
                        .all(|label| sample.label(label) == hpa.label(label))
            };
            Some(self.samples(name).iter().find(same)?.value)
        };
        match (bound("hpa_min"), bound("hpa_max")) {
            (Some(min), Some(max)) => format!(", {min} to {max} replicas"),
            _ => String::new(),
        }
    }

    /// VerticalPodAutoscalers that are not off.
    fn of_requests(&self, service: &Service) -> Vec<Owner> {
        let target = ["target_kind", "target_name"];
        let resized = self.targeting("vpa_modes", service, target);
        resized
            .filter(|sample| sample.label("update_mode") != "Off")
            .map(|sample| {
                let mode = sample.label("update_mode");
                Owner {
                    field: format!("services.{}.requests", service.name),
                    kind: "VerticalPodAutoscaler".to_owned(),
                    name: format!("{}/{}", sample.label("namespace"), sample.label("verticalpodautoscaler")),
                    evidence: format!("update mode {mode}"),
                    advice: "it changes the requests that a plan packs by: set its mode to Off, or plan again after it has acted".to_owned(),
                }
            })
            .collect()
    }

    /// The series whose target is the service's workload, in a cluster of the service.
    fn targeting<'s>(
        &'s self,
        family: &str,
        service: &'s Service,
        [kind_label, name_label]: [&'s str; 2],
    ) -> impl Iterator<Item = &'a Sample> + 's {
        let (namespace, name) = names(service);
        let kind = match service.kind {
            WorkloadKind::Deployment => "Deployment",
            WorkloadKind::StatefulSet => "StatefulSet",
        };
        self.samples(family).iter().filter(move |sample| {
            let here = self.cluster(sample);
            here.is_some_and(|cluster| service.clusters.contains_key(cluster))
                && sample.label("namespace") == namespace
                && sample.label(kind_label) == kind
                && sample.label(name_label) == name
        })
    }

    /// Karpenter's NodePools and Cluster Autoscaler's node groups.
    fn of_pools(&self, problem: &ProblemFile) -> Vec<Owner> {
        let mut owners = Vec::new();
        let mut unnamed = BTreeSet::new();
        for pool in &problem.pools {
            let of_pool = |family: &str, label: &str| {
                self.samples(family).iter().any(|sample| {
                    self.cluster(sample) == Some(pool.cluster.as_str())
                        && sample.label(label) == pool.name
                })
            };
            let field = format!("pools.{}: nodes", pool.name);
            if of_pool("karpenter_nodepools", "nodepool") {
                owners.push(Owner {
                    field,
                    kind: "NodePool".to_owned(),
                    name: pool.name.clone(),
                    evidence: "Karpenter's metrics of this NodePool".to_owned(),
                    advice: "Karpenter adds and removes these nodes; `ketscale export PLAN --as karpenter` writes the NodePool".to_owned(),
                });
            } else if of_pool("autoscaler_groups", "node_group") {
                owners.push(Owner {
                    field,
                    kind: "Cluster Autoscaler".to_owned(),
                    name: pool.name.clone(),
                    evidence: "its metrics of this node group".to_owned(),
                    advice: NODE_GROUPS.to_owned(),
                });
            } else {
                unnamed.insert(pool.cluster.as_str());
            }
        }
        owners.extend(
            unnamed
                .into_iter()
                .filter_map(|cluster| self.autoscaled(cluster)),
        );
        owners
    }

    /// A Cluster Autoscaler that does not show which node groups are its own by the names of pools.
    fn autoscaled(&self, cluster: &str) -> Option<Owner> {
        let groups: f64 = (self.samples("autoscaler_node_groups").iter())
            .filter(|sample| self.cluster(sample) == Some(cluster))
            .map(|sample| sample.value)
            .sum();
        (groups > 0.0).then(|| Owner {
            field: format!("pools of cluster {cluster}: nodes"),
            kind: "Cluster Autoscaler".to_owned(),
            name: String::new(),
            evidence: format!(
                "it manages {groups} node groups; no metric names a pool of the file as one of them"
            ),
            advice: NODE_GROUPS.to_owned(),
        })
    }
}

const NODE_GROUPS: &str = "it adds and removes nodes of its groups: set their least and most nodes by `ketscale export PLAN --as nodegroups`";
