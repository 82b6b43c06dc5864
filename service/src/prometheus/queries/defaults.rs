//! The built-in queries: the names of kube-state-metrics v2, cAdvisor, Istio, plain HTTP metrics, OpenCost and autoscalers.
//!
//! kube-state-metrics: <https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics>;
//! cAdvisor: <https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md>;
//! Istio: <https://istio.io/latest/docs/reference/config/metrics/>; OpenCost: <https://opencost.io/docs/integrations/metrics>;
//! Karpenter: <https://karpenter.sh/docs/reference/metrics/>; Cluster Autoscaler:
//! <https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/proposals/metrics.md>.

use std::collections::BTreeMap;

use super::{HistoryQuery, Queries, Query, WorkloadQuery};
use crate::prometheus::connection::Connection;

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
            connection: Connection::default(),
            max_age_seconds: 120.0,
            max_clock_skew_seconds: 30.0,
            window: "5m".to_owned(),
            memory_window: "1d".to_owned(),
            cluster_label: "cluster".to_owned(),
            cluster_names: BTreeMap::new(),
            http_namespace_label: "namespace".to_owned(),
            http_service_label: "service".to_owned(),
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
            cpu_history: by_kind("sum", &format!("sum by ($cluster, {pod}) (rate({cpu}[$window]))")),
            memory_history: by_kind("max", &format!("sum by ($cluster, {pod}) (max by ($cluster, {pod}, container) (max_over_time({memory}[$window])))")),
            // https://opencost.io/docs/integrations/metrics
            node_price: gauge("node_total_hourly_cost", "node", "node"),
            pod_tolerations: gauge("kube_pod_tolerations", "namespace, pod, key, operator, value, effect", pod),
            pod_claims: gauge("kube_pod_spec_volumes_persistentvolumeclaims_info", "namespace, pod, persistentvolumeclaim", pod),
            hpa_targets: gauge("kube_horizontalpodautoscaler_info", "namespace, horizontalpodautoscaler, scaletargetref_kind, scaletargetref_name", hpa),
            hpa_min: gauge("kube_horizontalpodautoscaler_spec_min_replicas", hpa, hpa),
            hpa_max: gauge("kube_horizontalpodautoscaler_spec_max_replicas", hpa, hpa),
            hpa_scaled_objects: gauge(
                r#"kube_horizontalpodautoscaler_labels{label_scaledobject_keda_sh_name!=""}"#,
                "namespace, horizontalpodautoscaler, label_scaledobject_keda_sh_name",
                hpa,
            ),
            vpa_modes: vpa_modes(),
            karpenter_nodepools: either("karpenter_nodepools_usage", "karpenter_nodepool_usage", "nodepool"),
            autoscaler_node_groups: gauge("cluster_autoscaler_node_groups_count", "node_group_type", ""),
            autoscaler_groups: gauge("cluster_autoscaler_node_group_max_count", "node_group", ""),
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
    let (namespace, name) = ("$http_namespace", "$http_service");
    let selector = "http_requests_total";
    workload(
        &format!("sum by ($cluster, {namespace}, {name}) (rate({selector}[$window]))"),
        selector,
        namespace,
        name,
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
    let (namespace, name) = ("$http_namespace", "$http_service");
    let selector = "http_request_duration_seconds_bucket";
    let buckets = format!("sum by ($cluster, {namespace}, {name}, le) (rate({selector}[$window]))");
    workload(
        &format!("1000 * histogram_quantile(0.95, {buckets})"),
        selector,
        namespace,
        name,
    )
}

/// The gauge of one of two names, of which a server has the newer or the older.
fn either(newer: &str, older: &str, labels: &str) -> Query {
    Query {
        value: format!("max by ($cluster, {labels}) ({newer} or {older})"),
        // Of an expression `timestamp` gives the time of the query; only of a plain name it gives that of the sample.
        sampled_at: format!(
            "min by ($cluster) (max by ($cluster, {labels}) (timestamp({newer}) or timestamp({older})))"
        ),
    }
}

/// kube-state-metrics shows VerticalPodAutoscalers by itself before v2.9, and since then by a configuration of its own, with the
/// names that its documentation proposes
/// (<https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/extend/customresourcestate-metrics.md>).
fn vpa_modes() -> Query {
    let plain = "kube_verticalpodautoscaler_spec_updatepolicy_updatemode";
    let custom = "kube_customresource_verticalpodautoscaler_spec_updatepolicy_updatemode";
    let labels = "namespace, verticalpodautoscaler, target_kind, target_name, update_mode";
    let query = either(plain, custom, labels);
    Query {
        value: format!("max by ($cluster, {labels}) ({plain} == 1 or {custom} == 1)"),
        ..query
    }
}

/// A value of pods, taken together (`sum` or `max`) for each Deployment and StatefulSet of that time. Where fewer pods have a value
/// than are ready there is none, for a sum over some of the pods is a wrong number, not a missing one.
fn by_kind(together: &str, of_pods: &str) -> HistoryQuery {
    let info = |kind: &str| {
        format!(
            r#"max by ($cluster, namespace, pod, created_by_name) (kube_pod_info{{created_by_kind="{kind}"}})"#
        )
    };
    let owned = |kind: &str| {
        let info = info(kind);
        format!("({of_pods}) * on ($cluster, namespace, pod) group_left (created_by_name) {info}")
    };
    let renamed = |vector: &str, to: &str, from: &str| {
        format!(r#"label_replace({vector}, "{to}", "$1", "{from}", "(.+)")"#)
    };
    let sets = renamed(
        r#"max by ($cluster, namespace, replicaset, owner_name) (kube_replicaset_owner{owner_kind="Deployment"})"#,
        "deployment",
        "owner_name",
    );
    let of_deployments = format!(
        "{} * on ($cluster, namespace, replicaset) group_left (deployment) {sets}",
        renamed(&owned("ReplicaSet"), "replicaset", "created_by_name")
    );
    let of_stateful_sets = renamed(&owned("StatefulSet"), "statefulset", "created_by_name");
    HistoryQuery {
        deployments: complete(
            together,
            &of_deployments,
            "deployment",
            "kube_deployment_status_replicas_ready",
        ),
        statefulsets: complete(
            together,
            &of_stateful_sets,
            "statefulset",
            "kube_statefulset_status_replicas_ready",
        ),
    }
}

/// The pods of each workload together, where at least as many have a value as are ready.
fn complete(together: &str, pods: &str, label: &str, ready: &str) -> String {
    let group = format!("$cluster, namespace, {label}");
    format!(
        "{together} by ({group}) ({pods}) and on ({group}) (count by ({group}) ({pods}) >= on ({group}) max by ({group}) ({ready}))"
    )
}
