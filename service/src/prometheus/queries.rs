//! The settings file: how a Prometheus is reached, and what it is asked.

mod check;
mod defaults;

use std::collections::BTreeMap;

use ketscale_engine::problem::{InputErrors, Issue};
use serde::{Deserialize, Serialize};

use super::connection::Connection;

/// One query and how to learn the age of what it gives.
///
/// In both texts `$cluster` stands for [`Queries::cluster_label`], `$window` for [`Queries::window`], `$memory_window` for
/// [`Queries::memory_window`], `$http_namespace` for [`Queries::http_namespace_label`] and `$http_service` for
/// [`Queries::http_service_label`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The query for the values.
    pub value: String,
    /// A query for the time of the oldest sample that a value rests on, in seconds since the Unix epoch, with labels that are
    /// among those of `value`. An instant query stamps its result with its own time, so age must be asked with `timestamp(…)`.
    pub sampled_at: String,
}

/// A query whose labels name a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadQuery {
    /// As [`Query::value`].
    pub value: String,
    /// As [`Query::sampled_at`].
    pub sampled_at: String,
    /// The label that holds the namespace; the same placeholders stand for their labels.
    pub namespace_label: String,
    /// The label that holds the name of the Deployment or StatefulSet.
    pub name_label: String,
}

/// Something of workloads over time: a query for each kind. Here `$window` is at least the step between two values, so that
/// nothing between them is passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    /// By `namespace`, `deployment`.
    pub deployments: String,
    /// By `namespace`, `statefulset`.
    pub statefulsets: String,
}

/// All queries, with the labels and units that each must give. A key that is left out keeps its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Queries {
    /// How the Prometheus is reached.
    pub connection: Connection,
    /// Age in seconds above which a sample is stale. Default 120: two scrapes missed at one a minute.
    pub max_age_seconds: f64,
    /// Seconds by which the Prometheus' clock may differ from this machine's; beyond it no age can be trusted, and everything is a
    /// gap. Default 30.
    pub max_clock_skew_seconds: f64,
    /// Range of rates, a Prometheus duration. Default `5m`.
    pub window: String,
    /// Range over which the highest memory use is taken. Default `1d`.
    pub memory_window: String,
    /// The label that tells clusters apart when a problem has several. Default `cluster`.
    pub cluster_label: String,
    /// The value of that label for each cluster of the problem. Default: the cluster's name.
    pub cluster_names: BTreeMap<String, String>,
    /// The label of plain HTTP metrics (`http_requests_total`, `http_request_duration_seconds`) that holds the namespace. Default
    /// `namespace`.
    pub http_namespace_label: String,
    /// Their label that holds the name of the Deployment or StatefulSet. Default `service`.
    pub http_service_label: String,

    /// Desired replicas by `namespace`, `deployment`.
    pub deployment_replicas: Query,
    /// Desired replicas by `namespace`, `statefulset`.
    pub statefulset_replicas: Query,
    /// 1 for each pod by `namespace`, `pod`, `node`, `created_by_kind`, `created_by_name`.
    pub pods: Query,
    /// 1 for each pod that has not ended, by `namespace`, `pod`.
    pub running_pods: Query,
    /// Anything for each pod that is being deleted, by `namespace`, `pod`.
    pub terminating_pods: Query,
    /// 1 for each ReplicaSet by `namespace`, `replicaset`, `owner_kind`, `owner_name`.
    pub replicaset_owners: Query,
    /// Requests of containers, in cores, bytes or pieces, by `namespace`, `pod`, `container`, `resource`.
    pub container_requests: Query,
    /// Requests of init containers, sidecars among them, with the same labels.
    pub init_container_requests: Query,
    /// 1 for each init container that is a sidecar, by `namespace`, `pod`, `container`.
    pub sidecars: Query,
    /// CPU overhead of pods by their runtime class, in cores, by `namespace`, `pod`.
    pub overhead_cpu: Query,
    /// Memory overhead of pods by their runtime class, in bytes, by `namespace`, `pod`.
    pub overhead_memory: Query,
    /// 1 for each node by `node` (and `provider_id` where known).
    pub nodes: Query,
    /// 1 for each node by `node`, with its Kubernetes labels as `label_…`.
    pub node_labels: Query,
    /// Allocatable of nodes, in cores, bytes or pieces, by `node`, `resource`.
    pub node_allocatable: Query,
    /// 1 for each cordoned node, 0 for the others, by `node`.
    pub node_unschedulable: Query,
    /// 1 for each Ready node, 0 for the others, by `node`.
    pub node_ready: Query,
    /// 1 for each taint by `node`, `key`, `value`, `effect`.
    pub node_taints: Query,

    /// CPU use of pods in cores, by `namespace`, `pod`.
    pub cpu_use: Query,
    /// Highest memory use of pods in bytes, by `namespace`, `pod`.
    pub memory_peak: Query,
    /// Requests per second of services; of several the first that knows a service counts.
    pub request_rate: Vec<WorkloadQuery>,
    /// 95th percentile of latency of services in milliseconds; of several the first that knows a service counts.
    pub latency_p95: Vec<WorkloadQuery>,

    /// CPU use of workloads in cores, where it is known of every pod that is ready.
    pub cpu_history: HistoryQuery,
    /// Highest memory use of a pod of workloads in bytes, where it is known of every pod that is ready.
    pub memory_history: HistoryQuery,

    /// Price of nodes in USD an hour, by `node`, as OpenCost exports it.
    pub node_price: Query,

    /// 1 for each toleration of a pod by `namespace`, `pod`, `key`, `operator`, `value`, `effect`.
    pub pod_tolerations: Query,
    /// 1 for each volume claim of a pod by `namespace`, `pod`, `persistentvolumeclaim`.
    pub pod_claims: Query,
    /// 1 for each autoscaler by `namespace`, `horizontalpodautoscaler`, `scaletargetref_kind`, `scaletargetref_name`.
    pub hpa_targets: Query,
    /// Least replicas by `namespace`, `horizontalpodautoscaler`.
    pub hpa_min: Query,
    /// Most replicas of autoscaled workloads, with the same labels.
    pub hpa_max: Query,
    /// 1 for each autoscaler by `namespace`, `horizontalpodautoscaler` and `label_scaledobject_keda_sh_name`: the ScaledObject of KEDA
    /// that made it, where kube-state-metrics shows that label.
    pub hpa_scaled_objects: Query,
    /// 1 for each VerticalPodAutoscaler by `namespace`, `verticalpodautoscaler`, `target_kind`, `target_name`, `update_mode`.
    pub vpa_modes: Query,
    /// Anything for each NodePool of Karpenter by `nodepool`.
    pub karpenter_nodepools: Query,
    /// Number of node groups that Cluster Autoscaler manages, by `node_group_type`.
    pub autoscaler_node_groups: Query,
    /// Anything for each node group that Cluster Autoscaler manages by `node_group`, where it shows them.
    pub autoscaler_groups: Query,
}

impl Queries {
    /// Reads settings from YAML or JSON; unknown keys are refused.
    ///
    /// # Errors
    /// Every mistake, with its path in the file.
    pub fn read(bytes: &[u8], file: &str) -> Result<Self, InputErrors> {
        let refuse = |issues: Vec<Issue>| InputErrors {
            file: file.to_owned(),
            issues,
        };
        let text = std::str::from_utf8(bytes)
            .map_err(|error| refuse(vec![check::issue("", error.to_string())]))?;
        check::read(text).map_err(refuse)
    }

    /// A text of a query with its placeholders filled in.
    pub fn expand(&self, text: &str) -> String {
        self.expand_with(text, &self.window)
    }

    /// The same with another range for `$window`.
    pub(crate) fn expand_with(&self, text: &str, window: &str) -> String {
        // No name is the beginning of another.
        text.replace("$memory_window", &self.memory_window)
            .replace("$window", window)
            .replace("$cluster", &self.cluster_label)
            .replace("$http_namespace", &self.http_namespace_label)
            .replace("$http_service", &self.http_service_label)
    }

    /// Every query at one time under its key, in the order of the file; those of a list with their position.
    pub(crate) fn named_mut(&mut self) -> Vec<(String, &mut String, &mut String)> {
        let single = [
            ("deployment_replicas", &mut self.deployment_replicas),
            ("statefulset_replicas", &mut self.statefulset_replicas),
            ("pods", &mut self.pods),
            ("running_pods", &mut self.running_pods),
            ("terminating_pods", &mut self.terminating_pods),
            ("replicaset_owners", &mut self.replicaset_owners),
            ("container_requests", &mut self.container_requests),
            ("init_container_requests", &mut self.init_container_requests),
            ("sidecars", &mut self.sidecars),
            ("overhead_cpu", &mut self.overhead_cpu),
            ("overhead_memory", &mut self.overhead_memory),
            ("nodes", &mut self.nodes),
            ("node_labels", &mut self.node_labels),
            ("node_allocatable", &mut self.node_allocatable),
            ("node_unschedulable", &mut self.node_unschedulable),
            ("node_ready", &mut self.node_ready),
            ("node_taints", &mut self.node_taints),
            ("cpu_use", &mut self.cpu_use),
            ("memory_peak", &mut self.memory_peak),
            ("node_price", &mut self.node_price),
            ("pod_tolerations", &mut self.pod_tolerations),
            ("pod_claims", &mut self.pod_claims),
            ("hpa_targets", &mut self.hpa_targets),
            ("hpa_min", &mut self.hpa_min),
            ("hpa_max", &mut self.hpa_max),
            ("hpa_scaled_objects", &mut self.hpa_scaled_objects),
            ("vpa_modes", &mut self.vpa_modes),
            ("karpenter_nodepools", &mut self.karpenter_nodepools),
            ("autoscaler_node_groups", &mut self.autoscaler_node_groups),
            ("autoscaler_groups", &mut self.autoscaler_groups),
        ];
        let lists = [
            ("request_rate", &mut self.request_rate),
            ("latency_p95", &mut self.latency_p95),
        ];
        let single = (single.into_iter())
            .map(|(name, query)| (name.to_owned(), &mut query.value, &mut query.sampled_at));
        let listed = lists.into_iter().flat_map(|(name, queries)| {
            (queries.iter_mut().enumerate()).map(move |(index, query)| {
                (
                    format!("{name}[{index}]"),
                    &mut query.value,
                    &mut query.sampled_at,
                )
            })
        });
        single.chain(listed).collect()
    }
}

impl WorkloadQuery {
    /// The query without the names of its labels.
    pub fn query(&self) -> Query {
        Query {
            value: self.value.clone(),
            sampled_at: self.sampled_at.clone(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in() {
        let queries = Queries {
            cluster_label: "kluster".into(),
            window: "2m".into(),
            memory_window: "6h".into(),
            ..Queries::default()
        };
        let text = queries.expand(&queries.memory_peak.value);
        assert!(
            text.contains("by (kluster, namespace, pod)") && text.contains("[6h]"),
            "{text}"
        );
        assert!(queries.expand(&queries.cpu_use.value).contains("[2m]"));
        assert!(!text.contains('$'));
    }

    #[test]
    fn every_default_is_filled_in_completely() {
        let queries = Queries::default();
        let mut all = queries.clone();
        for (name, value, sampled_at) in all.named_mut() {
            for text in [value, sampled_at] {
                let full = queries.expand(text);
                assert!(!full.contains('$'), "{name}: {full}");
                assert_eq!(
                    full.matches('(').count(),
                    full.matches(')').count(),
                    "{name}: {full}"
                );
            }
        }
    }

    #[test]
    fn every_query_has_its_name() {
        let mut queries = Queries::default();
        let written = serde_json::to_value(&queries).unwrap();
        let is_query = |value: &serde_json::Value| value.get("sampled_at").is_some();
        let mut keys: Vec<String> = Vec::new();
        for (key, value) in written.as_object().unwrap() {
            if is_query(value) {
                keys.push(key.clone());
            }
            for (index, _) in (value.as_array().into_iter().flatten().enumerate())
                .filter(|(_, item)| is_query(item))
            {
                keys.push(format!("{key}[{index}]"));
            }
        }
        keys.sort();
        let mut named: Vec<String> = queries.named_mut().into_iter().map(|q| q.0).collect();
        named.sort();
        assert_eq!(named, keys);
    }

    #[test]
    fn settings_read_back_what_they_write() {
        let queries = Queries::default();
        let text = serde_json::to_string(&queries).unwrap();
        assert_eq!(Queries::read(text.as_bytes(), "q.json").unwrap(), queries);
    }

    #[test]
    fn a_file_names_only_what_differs() {
        let text = "max_age_seconds: 30\nhpa_min: {value: a, sampled_at: timestamp(a)}\n";
        let queries = Queries::read(text.as_bytes(), "q.yaml").unwrap();
        assert_eq!(
            (queries.max_age_seconds, queries.hpa_min.value.as_str()),
            (30.0, "a")
        );
        assert_eq!(queries.hpa_max, Queries::default().hpa_max);
    }
}
