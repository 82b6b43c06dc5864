//! A small cluster as kube-state-metrics, cAdvisor and Istio export it.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Age of the samples that are exported as stale.
pub const STALE_SECONDS: f64 = 200.0;

/// Serves `/metrics` until dropped.
pub struct Exporter {
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let start = unix_seconds();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(mut stream) = stream else { continue };
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let _ = stream.read(&mut [0; 4096]);
                let body = exposition(start, unix_seconds());
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close";
                let _ = write!(
                    stream,
                    "{head}\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread, which waits for a connection.
        let _ = std::net::TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn unix_seconds() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

/// Everything, as of `now`; counters began at `start`.
fn exposition(start: f64, now: f64) -> String {
    let mut text = String::new();
    state(&mut text);
    super::cloud::state(&mut text);
    use_of_containers(&mut text, start, now);
    requests(&mut text, start, now);
    text
}

pub struct Pod {
    pub cluster: &'static str,
    pub namespace: &'static str,
    pub name: &'static str,
    pub node: &'static str,
    pub owner: (&'static str, &'static str),
    pub phase: &'static str,
    /// Container, cores, bytes; an init container's name ends in `-init`.
    pub requests: &'static [(&'static str, f64, f64)],
}

pub const MIB: f64 = 1_048_576.0;
const WEB: &[(&str, f64, f64)] = &[
    ("app", 0.2, 192.0 * MIB),
    ("proxy", 0.1, 64.0 * MIB),
    ("migrate-init", 0.25, 32.0 * MIB),
];
const DB: &[(&str, f64, f64)] = &[
    ("db", 0.5, 1024.0 * MIB),
    ("restore-init", 0.8, 512.0 * MIB),
];

pub const fn pod(
    name: &'static str,
    node: &'static str,
    owner: (&'static str, &'static str),
    requests: &'static [(&'static str, f64, f64)],
) -> Pod {
    Pod {
        cluster: "eu",
        namespace: "shop",
        name,
        node,
        owner,
        phase: "Running",
        requests,
    }
}

/// Of `web` three pods run, one has been deleted and one Job is done: the last two must not count.
const PODS: [Pod; 12] = [
    pod("web-7d9-a", "n1", ("ReplicaSet", "web-7d9"), WEB),
    pod("web-7d9-b", "n1", ("ReplicaSet", "web-7d9"), WEB),
    pod("web-7d9-c", "n2", ("ReplicaSet", "web-7d9"), WEB),
    pod("web-7d9-deleted", "n1", ("ReplicaSet", "web-7d9"), WEB),
    pod(
        "quiet-5c4-a",
        "n1",
        ("ReplicaSet", "quiet-5c4"),
        &[("app", 0.1, 128.0 * MIB)],
    ),
    pod("db-0", "n2", ("StatefulSet", "db"), DB),
    pod(
        "stray",
        "n2",
        ("<none>", "<none>"),
        &[("tool", 0.2, 64.0 * MIB)],
    ),
    Pod {
        phase: "Succeeded",
        ..pod(
            "report-x",
            "n1",
            ("Job", "report"),
            &[("report", 4.0, 64.0 * MIB)],
        )
    },
    Pod {
        namespace: "kube-system",
        ..pod(
            "agent-1",
            "n1",
            ("DaemonSet", "agent"),
            &[("agent", 0.1, 128.0 * MIB)],
        )
    },
    Pod {
        namespace: "kube-system",
        ..pod(
            "agent-2",
            "n2",
            ("DaemonSet", "agent"),
            &[("agent", 0.1, 128.0 * MIB)],
        )
    },
    Pod {
        cluster: "us",
        ..pod("web-7d9-u", "u1", ("ReplicaSet", "web-7d9"), WEB)
    },
    // Its node is in no other series, so that the placement of this cluster is known in part only.
    Pod {
        cluster: "us",
        ..pod("web-7d9-v", "ghost", ("ReplicaSet", "web-7d9"), WEB)
    },
];

fn state(text: &mut String) {
    for (cluster, name, replicas) in [
        ("eu", "web", "3"),
        ("eu", "quiet", "1"),
        ("us", "web", "2"),
        ("eu", "odd", "NaN"),
    ] {
        line(
            text,
            "kube_deployment_spec_replicas",
            &[
                ("cluster", cluster),
                ("namespace", "shop"),
                ("deployment", name),
            ],
            replicas,
        );
    }
    line(
        text,
        "kube_statefulset_replicas",
        &[
            ("cluster", "eu"),
            ("namespace", "shop"),
            ("statefulset", "db"),
        ],
        "1",
    );
    ready(text);
    autoscalers(text);
    for (node, usd) in [("n1", "0.21"), ("n2", "0.11")] {
        let labels = [("cluster", "eu"), ("node", node), ("instance", node)];
        line(text, "node_total_hourly_cost", &labels, usd);
    }
    for (cluster, set, deployment) in [
        ("eu", "web-7d9", "web"),
        ("eu", "quiet-5c4", "quiet"),
        ("us", "web-7d9", "web"),
    ] {
        let labels = [
            ("cluster", cluster),
            ("namespace", "shop"),
            ("replicaset", set),
            ("owner_kind", "Deployment"),
            ("owner_name", deployment),
        ];
        line(text, "kube_replicaset_owner", &labels, "1");
    }
    for pod in &PODS {
        pod_state(text, pod);
    }
    let deleted = [
        ("cluster", "eu"),
        ("namespace", "shop"),
        ("pod", "web-7d9-deleted"),
    ];
    line(text, "kube_pod_deletion_timestamp", &deleted, "1700000000");
    for (cluster, name) in [("eu", "n1"), ("eu", "n2"), ("us", "u1")] {
        node(text, cluster, name, "", [4.0, 16384.0 * MIB, 110.0]);
    }
    // Of n1 the labels are hidden; it is known by its name.
    let labels = [
        ("cluster", "eu"),
        ("node", "n2"),
        ("label_node_kubernetes_io_instance_type", "m8"),
        ("label_topology_kubernetes_io_zone", "b"),
        ("label_karpenter_sh_capacity_type", "spot"),
    ];
    line(text, "kube_node_labels", &labels, "1");
}

/// How many pods of each workload are ready.
fn ready(text: &mut String) {
    for (cluster, kind, name, count) in [
        ("eu", "deployment", "web", "3"),
        ("eu", "deployment", "quiet", "1"),
        ("us", "deployment", "web", "2"),
        ("eu", "statefulset", "db", "1"),
    ] {
        let labels = [("cluster", cluster), ("namespace", "shop"), (kind, name)];
        let metric = format!("kube_{kind}_status_replicas_ready");
        line(text, &metric, &labels, count);
    }
}

/// An autoscaler of each kind.
fn autoscalers(text: &mut String) {
    let shop = [("cluster", "eu"), ("namespace", "shop")];
    for (hpa, target) in [("web", "web"), ("keda-hpa-quiet", "quiet")] {
        let labels = [
            ("horizontalpodautoscaler", hpa),
            ("scaletargetref_kind", "Deployment"),
            ("scaletargetref_name", target),
        ];
        let all = [&shop[..], &labels].concat();
        line(text, "kube_horizontalpodautoscaler_info", &all, "1");
        let name = [&shop[..], &labels[..1]].concat();
        for (bound, value) in [("min", "2"), ("max", "9")] {
            let metric = format!("kube_horizontalpodautoscaler_spec_{bound}_replicas");
            line(text, &metric, &name, value);
        }
    }
    for (mode, value) in [("Auto", "1"), ("Off", "0")] {
        let labels = [
            ("verticalpodautoscaler", "web-vpa"),
            ("target_kind", "Deployment"),
            ("target_name", "web"),
            ("update_mode", mode),
        ];
        line(
            text,
            "kube_customresource_verticalpodautoscaler_spec_updatepolicy_updatemode",
            &[&shop[..], &labels].concat(),
            value,
        );
    }
    let pool = [
        ("cluster", "eu"),
        ("nodepool", "general"),
        ("resource_type", "cpu"),
    ];
    line(text, "karpenter_nodepools_usage", &pool, "12");
}

/// A node with what it offers: cores, bytes, pods.
pub fn node(
    text: &mut String,
    cluster: &str,
    name: &str,
    provider_id: &str,
    allocatable: [f64; 3],
) {
    let labels = [("cluster", cluster), ("node", name)];
    line(
        text,
        "kube_node_info",
        &[labels[0], labels[1], ("provider_id", provider_id)],
        "1",
    );
    line(
        text,
        "kube_node_spec_unschedulable",
        &labels,
        if name == "n2" { "1" } else { "0" },
    );
    line(
        text,
        "kube_node_status_condition",
        &[
            labels[0],
            labels[1],
            ("condition", "Ready"),
            ("status", "true"),
        ],
        "1",
    );
    for ((resource, unit), value) in [("cpu", "core"), ("memory", "byte"), ("pods", "integer")]
        .into_iter()
        .zip(allocatable)
    {
        let labels = [labels[0], labels[1], ("resource", resource), ("unit", unit)];
        line(
            text,
            "kube_node_status_allocatable",
            &labels,
            &value.to_string(),
        );
    }
}

pub fn pod_state(text: &mut String, pod: &Pod) {
    let identity = [
        ("cluster", pod.cluster),
        ("namespace", pod.namespace),
        ("pod", pod.name),
    ];
    let mut info = identity.to_vec();
    info.extend([
        ("node", pod.node),
        ("created_by_kind", pod.owner.0),
        ("created_by_name", pod.owner.1),
    ]);
    line(text, "kube_pod_info", &info, "1");
    for phase in ["Pending", "Running", "Succeeded", "Failed", "Unknown"] {
        let mut labels = identity.to_vec();
        labels.push(("phase", phase));
        line(
            text,
            "kube_pod_status_phase",
            &labels,
            if phase == pod.phase { "1" } else { "0" },
        );
    }
    for (container, cores, bytes) in pod.requests {
        let metric = if container.ends_with("-init") {
            "kube_pod_init_container_resource_requests"
        } else {
            "kube_pod_container_resource_requests"
        };
        for (resource, unit, value) in [("cpu", "core", cores), ("memory", "byte", bytes)] {
            let mut labels = identity.to_vec();
            labels.extend([
                ("node", pod.node),
                ("container", container),
                ("resource", resource),
                ("unit", unit),
            ]);
            line(text, metric, &labels, &value.to_string());
        }
    }
}

/// cAdvisor stamps its samples; those of `db-0` stopped some time ago.
fn use_of_containers(text: &mut String, start: f64, now: f64) {
    for (pod, container, cores, mib) in [
        ("web-7d9-a", "app", 0.1, 150.0),
        ("web-7d9-a", "proxy", 0.02, 50.0),
        ("web-7d9-b", "app", 0.1, 160.0),
        ("web-7d9-b", "proxy", 0.02, 50.0),
        ("web-7d9-c", "app", 0.1, 140.0),
        ("web-7d9-c", "proxy", 0.02, 50.0),
        // The pod's own control group, which counts its containers again.
        ("web-7d9-a", "", 0.12, 200.0),
        ("quiet-5c4-a", "app", 0.005, 40.0),
        ("db-0", "db", 0.3, 900.0),
    ] {
        let labels = [
            ("cluster", "eu"),
            ("namespace", "shop"),
            ("pod", pod),
            ("container", container),
        ];
        let at = if pod == "db-0" {
            start - STALE_SECONDS
        } else {
            now
        };
        stamped(
            text,
            "container_cpu_usage_seconds_total",
            &labels,
            100.0 + cores * (at - start),
            at,
        );
        stamped(
            text,
            "container_memory_working_set_bytes",
            &labels,
            mib * MIB,
            at,
        );
    }
}

/// `web` takes 30 requests a second, nine tenths of them within 50 ms and the others within 100 ms; `quiet` none; `db` is no part
/// of the mesh.
fn requests(text: &mut String, start: f64, now: f64) {
    for (name, rate) in [("web", 30.0), ("quiet", 0.0)] {
        let of = |reporter| {
            [
                ("cluster", "eu"),
                ("reporter", reporter),
                ("destination_workload_namespace", "shop"),
                ("destination_workload", name),
            ]
        };
        let count = 1000.0 + rate * (now - start);
        for (reporter, code, share) in [
            ("destination", "200", 0.99),
            ("destination", "503", 0.01),
            ("source", "200", 1.0),
        ] {
            let mut labels = of(reporter).to_vec();
            labels.push(("response_code", code));
            stamped(text, "istio_requests_total", &labels, share * count, now);
        }
        for (bound, share) in [("25", 0.5), ("50", 0.9), ("100", 1.0), ("+Inf", 1.0)] {
            let mut labels = of("destination").to_vec();
            labels.push(("le", bound));
            stamped(
                text,
                "istio_request_duration_milliseconds_bucket",
                &labels,
                share * count,
                now,
            );
        }
    }
}

fn stamped(text: &mut String, metric: &str, labels: &[(&str, &str)], value: f64, at: f64) {
    line(text, metric, labels, &format!("{value} {:.0}", at * 1000.0));
}

pub fn line(text: &mut String, metric: &str, labels: &[(&str, &str)], value: &str) {
    let labels: Vec<String> = labels
        .iter()
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    writeln!(text, "{metric}{{{}}} {value}", labels.join(",")).unwrap();
}
