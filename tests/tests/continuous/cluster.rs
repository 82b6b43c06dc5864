//! A small cluster as kube-state-metrics, cAdvisor and Istio export it, whose load can be set.

use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Pods of `shop/web`, all on their nodes.
const PODS: [(&str, &str); 3] = [
    ("web-7d9-a", "n1"),
    ("web-7d9-b", "n1"),
    ("web-7d9-c", "n2"),
];

/// CPU that one request a second keeps busy, in cores.
const CORES_PER_RPS: f64 = 0.01;

/// Its state.
struct State {
    rps: f64,
    requests: f64,
    counted_to: f64,
}

/// Serves `/metrics` until the test ends.
pub struct Cluster {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Cluster {
    /// One with a load in requests a second.
    pub fn start(rps: f64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            rps,
            requests: 1000.0,
            counted_to: now(),
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let _ = stream.read(&mut [0; 4096]);
                let body = shared
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .exposition();
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close";
                let _ = write!(
                    stream,
                    "{head}\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { address, state }
    }

    pub fn set_load(&self, rps: f64) {
        let mut state = self.state.lock().unwrap();
        state.count();
        state.rps = rps;
    }
}

impl State {
    fn count(&mut self) {
        let now = now();
        self.requests += self.rps * (now - self.counted_to);
        self.counted_to = now;
    }

    fn exposition(&mut self) -> String {
        self.count();
        let mut page = Page {
            text: String::new(),
            at: self.counted_to,
        };
        page.line(
            "kube_deployment_spec_replicas",
            "namespace=\"shop\",deployment=\"web\"",
            3.0,
        );
        let owner = "namespace=\"shop\",replicaset=\"web-7d9\",owner_kind=\"Deployment\",owner_name=\"web\"";
        page.line("kube_replicaset_owner", owner, 1.0);
        for (pod, node) in PODS {
            page.pod(pod, node, self.requests * CORES_PER_RPS / 3.0);
        }
        for node in ["n1", "n2"] {
            page.node(node);
        }
        let of = "reporter=\"destination\",destination_workload_namespace=\"shop\",destination_workload=\"web\"";
        page.line(
            "istio_requests_total",
            &format!("{of},response_code=\"200\""),
            self.requests,
        );
        for (bound, share) in [("10", 0.5), ("50", 0.99), ("+Inf", 1.0)] {
            let labels = format!("{of},le=\"{bound}\"");
            page.line(
                "istio_request_duration_milliseconds_bucket",
                &labels,
                share * self.requests,
            );
        }
        page.text
    }
}

/// An exposition being written, all of one time.
struct Page {
    text: String,
    at: f64,
}

impl Page {
    fn line(&mut self, metric: &str, labels: &str, value: f64) {
        writeln!(
            self.text,
            "{metric}{{{labels}}} {value} {:.0}",
            self.at * 1000.0
        )
        .unwrap();
    }

    fn pod(&mut self, pod: &str, node: &str, core_seconds: f64) {
        let own = format!("namespace=\"shop\",pod=\"{pod}\"");
        let created = "created_by_kind=\"ReplicaSet\",created_by_name=\"web-7d9\"";
        self.line(
            "kube_pod_info",
            &format!("{own},node=\"{node}\",{created}"),
            1.0,
        );
        self.line(
            "kube_pod_status_phase",
            &format!("{own},phase=\"Running\""),
            1.0,
        );
        for (resource, unit, amount) in [("cpu", "core", 0.25), ("memory", "byte", 268_435_456.0)] {
            let labels = format!(
                "{own},node=\"{node}\",container=\"app\",resource=\"{resource}\",unit=\"{unit}\""
            );
            self.line("kube_pod_container_resource_requests", &labels, amount);
        }
        let container = format!("{own},container=\"app\"");
        self.line(
            "container_cpu_usage_seconds_total",
            &container,
            core_seconds,
        );
        self.line("container_memory_working_set_bytes", &container, 1e8);
    }

    fn node(&mut self, node: &str) {
        let own = format!("node=\"{node}\"");
        self.line("kube_node_info", &format!("{own},provider_id=\"\""), 1.0);
        self.line("kube_node_spec_unschedulable", &own, 0.0);
        self.line(
            "kube_node_status_condition",
            &format!("{own},condition=\"Ready\",status=\"true\""),
            1.0,
        );
    }
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}
