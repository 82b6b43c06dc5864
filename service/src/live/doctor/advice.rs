//! What to do about a query or a value that is not there.

use super::State;

const KUBE_STATE_METRICS: &str = "exported by kube-state-metrics: is it scraped?";
const CADVISOR: &str = "exported by cAdvisor: is the kubelet's /metrics/cadvisor scraped, with labels namespace and pod?";
const SCRAPE: &str =
    "the exporter or its scrape has stopped: see the target pages of the Prometheus";
const CLOCKS: &str =
    "synchronise the clocks of this machine, of the Prometheus and of its exporters (NTP)";

/// What to do about a query, by its key in the settings file.
pub(super) fn of_query(name: &str, state: State) -> Option<&'static str> {
    match state {
        State::Found => return None,
        State::Failed => return Some("correct the query in the file given with --queries"),
        State::Stale => return Some(SCRAPE),
        State::Unusable => return Some(CLOCKS),
        State::Missing => {}
    }
    let advice = match name.split('[').next().unwrap_or(name) {
        "terminating_pods" | "sidecars" | "overhead_cpu" | "overhead_memory" | "node_taints"
        | "pod_tolerations" | "pod_claims" => "nothing to do where the cluster has none",
        "hpa_targets" | "hpa_min" | "hpa_max" => {
            "nothing to do where there are no HorizontalPodAutoscalers"
        }
        "hpa_scaled_objects" => {
            "only where KEDA is used: start kube-state-metrics with --metric-labels-allowlist=horizontalpodautoscalers=[scaledobject.keda.sh/name]"
        }
        "vpa_modes" => {
            "only where VerticalPodAutoscalers are used: kube-state-metrics shows them by its custom resource configuration"
        }
        "karpenter_nodepools" => "only where Karpenter is used: is it scraped?",
        "autoscaler_node_groups" => "only where Cluster Autoscaler is used: is it scraped?",
        "autoscaler_groups" => {
            "only where Cluster Autoscaler is used: start it with --emit-per-nodegroup-metrics"
        }
        "node_price" => {
            "only where OpenCost is used; else prices come from the file or the catalogue"
        }
        "cpu_use" | "memory_peak" => CADVISOR,
        "cpu_history.deployments" | "memory_history.deployments" => {
            "only to learn capacity that the file leaves out, from cAdvisor and kube_deployment_status_replicas_ready"
        }
        "cpu_history.statefulsets" | "memory_history.statefulsets" => {
            "nothing to do where there are no StatefulSets; else as for Deployments, with kube_statefulset_status_replicas_ready"
        }
        "request_rate" => "one of the request_rate queries is enough",
        "latency_p95" => "one of the latency_p95 queries is enough",
        "node_labels" => {
            "exported by kube-state-metrics, which must be started with --metric-labels-allowlist=nodes=[…]"
        }
        _ => KUBE_STATE_METRICS,
    };
    Some(advice)
}

/// What to do about a value, by its path.
pub(super) fn of_value(path: &str, state: State, reason: &str) -> Option<&'static str> {
    if state == State::Found {
        return None;
    }
    if reason.contains("clock skew") || reason.contains("in the future") {
        return Some(CLOCKS);
    }
    if reason.contains("rollout") {
        return Some("wait until the rollout is over");
    }
    let starts = |part: &str| path.starts_with(part);
    match state {
        State::Stale => Some(SCRAPE),
        State::Missing if starts("load.") => Some(
            "let Istio's istio_requests_total or http_requests_total name the workload; other metrics and labels: request_rate, http_namespace_label and http_service_label in --queries",
        ),
        State::Missing if starts("slo.") => Some(
            "let a histogram of durations name the workload; other metrics and labels: latency_p95, http_namespace_label and http_service_label in --queries",
        ),
        State::Missing if starts("capacity.") => Some(CADVISOR),
        State::Missing if starts("clusters.") => Some(
            "exported by kube-state-metrics: is it scraped, and is there a workload of this name and kind in the cluster?",
        ),
        State::Missing if starts("requests.") => {
            Some("exported by kube-state-metrics: is it scraped, and do the pods run?")
        }
        State::Missing if starts("current.") && !reason.contains("--metric-labels") => {
            Some(KUBE_STATE_METRICS)
        }
        State::Missing if starts("pools.") => Some("is OpenCost scraped for all nodes?"),
        State::Unusable if starts("slo.") || starts("capacity.cpu") => {
            Some("nothing to do while there are no requests")
        }
        // The reason says it.
        _ => None,
    }
}
