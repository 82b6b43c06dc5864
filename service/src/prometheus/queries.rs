//! The queries, as settings. Defaults are the names of kube-state-metrics v2, cAdvisor and Istio.
//!
//! kube-state-metrics: <https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics>;
//! cAdvisor: <https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md>;
//! Istio: <https://istio.io/latest/docs/reference/config/metrics/>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One query and how to learn the age of what it gives.
///
/// In both texts `$cluster` stands for [`Queries::cluster_label`], `$window` for [`Queries::window`] and `$memory_window` for
/// [`Queries::memory_window`].
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
    /// The label that holds the namespace.
    pub namespace_label: String,
    /// The label that holds the name of the Deployment or StatefulSet.
    pub name_label: String,
}

/// All queries, with the labels and units that each must give. A key that is left out keeps its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Queries {
    /// Age in seconds above which a sample is stale. Default 120: two scrapes missed at one a minute.
    pub max_age_seconds: f64,
    /// Range of rates, a Prometheus duration. Default `5m`.
    pub window: String,
    /// Range over which the highest memory use is taken. Default `1d`.
    pub memory_window: String,
    /// The label that tells clusters apart when a problem has several. Default `cluster`.
    pub cluster_label: String,
    /// The value of that label for each cluster of the problem. Default: the cluster's name.
    pub cluster_names: BTreeMap<String, String>,

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
}

/// Why a file of query settings cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct QueriesError {
    /// The file's name as the user knows it.
    pub file: String,
    /// What is wrong and where.
    pub reason: String,
}

impl Queries {
    /// Reads settings from YAML or JSON; unknown keys are refused.
    ///
    /// # Errors
    /// The first mistake, with its line.
    pub fn read(bytes: &[u8], file: &str) -> Result<Self, QueriesError> {
        let refuse = |reason: String| QueriesError {
            file: file.to_owned(),
            reason,
        };
        let text = std::str::from_utf8(bytes).map_err(|error| refuse(error.to_string()))?;
        let queries: Self =
            serde_saphyr::from_str(text).map_err(|error| refuse(error.to_string()))?;
        if !(queries.max_age_seconds.is_finite() && queries.max_age_seconds > 0.0) {
            return Err(refuse(format!(
                "max_age_seconds: {} is not above 0",
                queries.max_age_seconds
            )));
        }
        if queries.cluster_label.is_empty() {
            return Err(refuse(
                "cluster_label: is empty; expected the name of a label".to_owned(),
            ));
        }
        Ok(queries)
    }

    /// A text of a query with its placeholders filled in.
    pub fn expand(&self, text: &str) -> String {
        // The longer name first: it contains the shorter one's letters after the dollar sign only by accident of naming.
        text.replace("$memory_window", &self.memory_window)
            .replace("$window", &self.window)
            .replace("$cluster", &self.cluster_label)
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

/// A gauge of kube-state-metrics: one value for each combination of `labels`, whoever exports it. Age by the labels `age_by`:
/// the newest sample of a series that two exporters give, the oldest series of a group.
fn gauge(metric: &str, labels: &str, age_by: &str) -> Query {
    Query {
        value: format!("max by ($cluster, {labels}) ({metric})"),
        sampled_at: oldest(metric, labels, age_by),
    }
}

fn oldest(metric: &str, labels: &str, age_by: &str) -> String {
    let group = if age_by.is_empty() {
        "$cluster".to_owned()
    } else {
        format!("$cluster, {age_by}")
    };
    format!("min by ({group}) (max by ($cluster, {labels}) (timestamp({metric})))")
}

fn workload(value: &str, selector: &str, namespace: &str, name: &str) -> WorkloadQuery {
    let group = format!("{namespace}, {name}");
    WorkloadQuery {
        value: value.to_owned(),
        sampled_at: oldest(selector, &format!("{group}, instance"), &group),
        namespace_label: namespace.to_owned(),
        name_label: name.to_owned(),
    }
}

/// Containers as cAdvisor names them; the empty name is the pod's own control group, `POD` its sandbox.
const CONTAINERS: &str = r#"{container!="",container!="POD"}"#;

/// Requests as the receiving side counts them.
const RECEIVED: &str = r#"{reporter=~"destination|waypoint"}"#;

impl Default for Queries {
    fn default() -> Self {
        let pod = "namespace, pod";
        let container = "namespace, pod, container, resource";
        let cpu = format!("container_cpu_usage_seconds_total{CONTAINERS}");
        let memory = format!("container_memory_working_set_bytes{CONTAINERS}");
        let hpa = "namespace, horizontalpodautoscaler";
        Self {
            max_age_seconds: 120.0,
            window: "5m".to_owned(),
            memory_window: "1d".to_owned(),
            cluster_label: "cluster".to_owned(),
            cluster_names: BTreeMap::new(),
            deployment_replicas: gauge("kube_deployment_spec_replicas", "namespace, deployment", "namespace, deployment"),
            statefulset_replicas: gauge("kube_statefulset_replicas", "namespace, statefulset", "namespace, statefulset"),
            pods: Query {
                // The exported_ labels appear only where the scrape is set up wrongly, and then say so.
                value: "max by ($cluster, namespace, pod, node, created_by_kind, created_by_name, exported_namespace, exported_pod) (kube_pod_info)".to_owned(),
                sampled_at: oldest("kube_pod_info", pod, ""),
            },
            running_pods: gauge(r#"(kube_pod_status_phase{phase=~"Pending|Running|Unknown"} == 1)"#, pod, "")
                .aged_by(oldest(r#"kube_pod_status_phase{phase="Running"}"#, pod, "")),
            terminating_pods: gauge("kube_pod_deletion_timestamp", pod, pod),
            replicaset_owners: gauge("kube_replicaset_owner", "namespace, replicaset, owner_kind, owner_name", ""),
            container_requests: gauge("kube_pod_container_resource_requests", container, pod),
            init_container_requests: gauge("kube_pod_init_container_resource_requests", container, pod),
            sidecars: gauge(r#"kube_pod_init_container_info{restart_policy="Always"}"#, "namespace, pod, container", pod),
            overhead_cpu: gauge("kube_pod_overhead_cpu_cores", pod, pod),
            overhead_memory: gauge("kube_pod_overhead_memory_bytes", pod, pod),
            nodes: gauge("kube_node_info", "node, provider_id", ""),
            node_labels: Query { value: "kube_node_labels".to_owned(), sampled_at: oldest("kube_node_labels", "node", "") },
            node_allocatable: gauge("kube_node_status_allocatable", "node, resource", "node"),
            node_unschedulable: gauge("kube_node_spec_unschedulable", "node", "node"),
            node_ready: gauge(r#"kube_node_status_condition{condition="Ready",status="true"}"#, "node", "node"),
            node_taints: gauge("kube_node_spec_taint", "node, key, value, effect", "node"),
            cpu_use: Query {
                value: format!("sum by ($cluster, {pod}) (rate({cpu}[$window]))"),
                sampled_at: oldest(&cpu, "namespace, pod, container", pod),
            },
            memory_peak: Query {
                value: format!("sum by ($cluster, {pod}) (max by ($cluster, {pod}, container) (max_over_time({memory}[$memory_window])))"),
                sampled_at: oldest(&memory, "namespace, pod, container", pod),
            },
            request_rate: vec![istio_rate(), http_rate()],
            latency_p95: vec![istio_latency(), http_latency()],
            pod_tolerations: gauge("kube_pod_tolerations", "namespace, pod, key, operator, value, effect", pod),
            pod_claims: gauge("kube_pod_spec_volumes_persistentvolumeclaims_info", "namespace, pod, persistentvolumeclaim", pod),
            hpa_targets: gauge("kube_horizontalpodautoscaler_info", "namespace, horizontalpodautoscaler, scaletargetref_kind, scaletargetref_name", hpa),
            hpa_min: gauge("kube_horizontalpodautoscaler_spec_min_replicas", hpa, hpa),
            hpa_max: gauge("kube_horizontalpodautoscaler_spec_max_replicas", hpa, hpa),
        }
    }
}

impl Query {
    fn aged_by(self, sampled_at: String) -> Self {
        Self { sampled_at, ..self }
    }
}

fn istio_rate() -> WorkloadQuery {
    let (namespace, name) = ("destination_workload_namespace", "destination_workload");
    let selector = format!("istio_requests_total{RECEIVED}");
    workload(
        &format!("sum by ($cluster, {namespace}, {name}) (rate({selector}[$window]))"),
        &selector,
        namespace,
        name,
    )
}

fn http_rate() -> WorkloadQuery {
    let selector = "http_requests_total";
    workload(
        &format!("sum by ($cluster, namespace, service) (rate({selector}[$window]))"),
        selector,
        "namespace",
        "service",
    )
}

fn istio_latency() -> WorkloadQuery {
    let (namespace, name) = ("destination_workload_namespace", "destination_workload");
    let selector = format!("istio_request_duration_milliseconds_bucket{RECEIVED}");
    let buckets = format!("sum by ($cluster, {namespace}, {name}, le) (rate({selector}[$window]))");
    workload(
        &format!("histogram_quantile(0.95, {buckets})"),
        &selector,
        namespace,
        name,
    )
}

fn http_latency() -> WorkloadQuery {
    let selector = "http_request_duration_seconds_bucket";
    let buckets = format!("sum by ($cluster, namespace, service, le) (rate({selector}[$window]))");
    workload(
        &format!("1000 * histogram_quantile(0.95, {buckets})"),
        selector,
        "namespace",
        "service",
    )
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

    #[test]
    fn mistakes_are_refused() {
        for text in [
            "max_age_seconds: 0",
            "max_age_seconds: .nan",
            "max_aeg_seconds: 3",
            "pods: kube_pod_info",
            "cluster_label: ''",
            "[",
            "pods: {value: a}",
        ] {
            assert!(Queries::read(text.as_bytes(), "q.yaml").is_err(), "{text}");
        }
    }
}
