//! HorizontalPodAutoscalers (autoscaling/v2) that hold the planned replicas.
//!
//! The stock HPA leaves the count alone while utilisation is within 10 % of its target (`--horizontal-pod-autoscaler-tolerance`,
//! <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details>), and otherwise follows its own
//! formula. So `minReplicas` is the planned count in every case: nothing goes below it, and a count below it is raised whatever the
//! tolerance. `maxReplicas` is the planned count too where the HPA would not come down to it by itself or would not move at all
//! (planned at or below now, or within 10 % of it); else it stays the service's own bound, as room for a surge.

use serde_json::{Value, json};

use super::{CLUSTER_LABEL, Document, ExportError, PLAN_ANNOTATION, apply_hint, check, stream};
use crate::plan::{Plan, ServicePlan};
use crate::problem::{Mode, Service, WorkloadKind};

/// Relative change of the count that the stock HPA does not act on.
const TOLERANCE: f64 = 0.1;

/// One HPA a service and cluster, as a stream of YAML documents; of one cluster only when it is named.
///
/// # Errors
///
/// A plan without a decision, an unknown cluster.
pub fn hpa(plan: &Plan, cluster: Option<&str>) -> Result<String, ExportError> {
    check(plan, cluster)?;
    let mut documents = vec![Document::Comment(apply_hint(plan, cluster))];
    for (service, planned) in plan.problem.services.iter().zip(&plan.services) {
        for (name, replicas) in planned
            .replicas
            .iter()
            .filter(|(name, _)| cluster.is_none_or(|only| only == *name))
        {
            documents.push(document(plan, service, planned, name, *replicas));
        }
    }
    stream(&documents)
}

fn document(
    plan: &Plan,
    service: &Service,
    planned: &ServicePlan,
    cluster: &str,
    replicas: u32,
) -> Document {
    if service.mode == Mode::Observe {
        return Document::Comment(format!(
            "{} in {cluster}: only observed, nothing to change.",
            service.name
        ));
    }
    if replicas == 0 {
        let (namespace, name) = names(service);
        let kind = kind(service).to_lowercase();
        return Document::Comment(format!(
            "{} in {cluster}: none planned, which an HPA cannot hold. Delete its HPA there, then\n\
             kubectl -n {namespace} scale {kind} {name} --replicas=0",
            service.name
        ));
    }
    let now = planned.replicas_now.get(cluster).copied();
    let bound = service
        .clusters
        .get(cluster)
        .map_or(replicas, |bounds| bounds.max);
    Document::Object(object(
        plan,
        service,
        cluster,
        replicas,
        most(now, replicas, bound),
    ))
}

/// `maxReplicas`, by the rule of this file's head.
fn most(now: Option<u32>, planned: u32, bound: u32) -> u32 {
    let swallowed = |now: u32| f64::from(planned) <= f64::from(now) * (1.0 + TOLERANCE) + 1e-9;
    if now.is_some_and(swallowed) {
        planned
    } else {
        bound.max(planned)
    }
}

fn object(plan: &Plan, service: &Service, cluster: &str, min: u32, max: u32) -> Value {
    let (namespace, name) = names(service);
    let mut spec = json!({
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": kind(service), "name": name},
        "minReplicas": min,
        "maxReplicas": max,
    });
    if let Some(capacity) = &service.capacity {
        let percent = (capacity.target_utilization * 100.0).round().max(1.0);
        let target = json!({"type": "Utilization", "averageUtilization": percent as u32});
        spec["metrics"] =
            json!([{"type": "Resource", "resource": {"name": "cpu", "target": target}}]);
    }
    json!({
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {CLUSTER_LABEL: cluster},
            "annotations": {PLAN_ANNOTATION: plan.digest},
        },
        "spec": spec,
    })
}

/// Namespace and name; a service without a namespace is in `default`.
fn names(service: &Service) -> (&str, &str) {
    service
        .name
        .split_once('/')
        .unwrap_or(("default", &service.name))
}

fn kind(service: &Service) -> &'static str {
    match service.kind {
        WorkloadKind::Deployment => "Deployment",
        WorkloadKind::StatefulSet => "StatefulSet",
    }
}

#[cfg(test)]
mod tests {
    use super::most;

    #[test]
    fn what_the_tolerance_would_swallow_is_pinned() {
        // Planned 11 from 10 is a change of 10 %, on which the HPA does not act; from 9 it is one of 22 %.
        for (now, most_planned) in [
            (None, 20),
            (Some(9), 20),
            (Some(10), 11),
            (Some(11), 11),
            (Some(30), 11),
        ] {
            assert_eq!(most(now, 11, 20), most_planned, "{now:?}");
        }
    }

    #[test]
    fn the_bound_is_never_below_the_plan() {
        assert_eq!(most(None, 11, 5), 11);
    }
}
