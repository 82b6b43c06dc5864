//! A cluster that tells enough for a problem to be made from nothing else.

use super::exporter::{MIB, Pod, line, node, pod, pod_state};

const API: &[(&str, f64, f64)] = &[("app", 0.4, 512.0 * MIB)];
const QUEUE: &[(&str, f64, f64)] = &[("queue", 0.3, 1024.0 * MIB)];
const AGENT: &[(&str, f64, f64)] = &[("agent", 0.1, 128.0 * MIB)];
const PODS: [Pod; 7] = [
    pod("api-5f-a", "c1", ("ReplicaSet", "api-5f"), API),
    pod("api-5f-b", "c2", ("ReplicaSet", "api-5f"), API),
    pod("queue-0", "c1", ("StatefulSet", "queue"), QUEUE),
    Pod {
        namespace: "kube-system",
        ..pod("agent-1", "c1", ("DaemonSet", "agent"), AGENT)
    },
    Pod {
        namespace: "kube-system",
        ..pod("agent-2", "c2", ("DaemonSet", "agent"), AGENT)
    },
    pod("lonely", "c2", ("<none>", "<none>"), AGENT),
    Pod {
        phase: "Failed",
        ..pod("api-5f-evicted", "c2", ("ReplicaSet", "api-5f"), API)
    },
];

#[allow(clippy::too_many_lines, reason = "one case after another")]
pub fn state(text: &mut String) {
    let shop = [("cluster", "cloud"), ("namespace", "shop")];
    let of = |labels: &[(&'static str, &'static str)]| [&shop, labels].concat();
    line(
        text,
        "kube_deployment_spec_replicas",
        &of(&[("deployment", "api")]),
        "2",
    );
    line(
        text,
        "kube_statefulset_replicas",
        &of(&[("statefulset", "queue")]),
        "1",
    );
    line(
        text,
        "kube_replicaset_owner",
        &of(&[
            ("replicaset", "api-5f"),
            ("owner_kind", "Deployment"),
            ("owner_name", "api"),
        ]),
        "1",
    );
    for pod in PODS {
        pod_state(
            text,
            &Pod {
                cluster: "cloud",
                ..pod
            },
        );
    }
    let claim = of(&[
        ("pod", "queue-0"),
        ("volume", "data"),
        ("persistentvolumeclaim", "data-queue-0"),
    ]);
    line(
        text,
        "kube_pod_spec_volumes_persistentvolumeclaims_info",
        &claim,
        "1",
    );
    let target = [
        ("horizontalpodautoscaler", "api"),
        ("scaletargetref_kind", "Deployment"),
        ("scaletargetref_name", "api"),
    ];
    line(text, "kube_horizontalpodautoscaler_info", &of(&target), "1");
    line(
        text,
        "kube_horizontalpodautoscaler_spec_min_replicas",
        &of(&target[..1]),
        "2",
    );
    line(
        text,
        "kube_horizontalpodautoscaler_spec_max_replicas",
        &of(&target[..1]),
        "9",
    );
    for (name, zone) in [("c1", "us-east-1a"), ("c2", "us-east-1b")] {
        node(
            text,
            "cloud",
            name,
            &format!("aws:///{zone}/i-{name}"),
            [3.92, 6800.0 * MIB, 58.0],
        );
        let labels = [
            ("cluster", "cloud"),
            ("node", name),
            ("label_node_kubernetes_io_instance_type", "c6a.xlarge"),
            ("label_topology_kubernetes_io_zone", zone),
            ("label_topology_kubernetes_io_region", "us-east-1"),
            ("label_eks_amazonaws_com_nodegroup", "workers"),
            ("label_eks_amazonaws_com_capacity_type", "ON_DEMAND"),
        ];
        line(text, "kube_node_labels", &labels, "1");
    }
}
