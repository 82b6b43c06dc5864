//! A problem's fleet as kube-state-metrics, cAdvisor and Istio export it, whose loads can be set.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ketscale_engine::problem::{
    Capacity, CurrentNode, ProblemFile, Quantity, Resources, Service, Slo, WorkloadKind,
};

/// Serves `/metrics` until dropped.
pub struct Exporter {
    /// Where.
    pub address: SocketAddr,
    fleet: Arc<Mutex<Fleet>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Exporter {
    /// What runs now in a problem, under the loads that it has.
    pub fn start(problem: &ProblemFile) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let fleet = Arc::new(Mutex::new(Fleet::of(problem)));
        let stop = Arc::new(AtomicBool::new(false));
        let (served, stopped) = (Arc::clone(&fleet), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let body = locked(&served).exposition();
                answer(stream, &body);
            }
        });
        Self {
            address,
            fleet,
            stop,
            thread: Some(thread),
        }
    }

    /// Sets the load of a service from now on, in requests a second over all its clusters.
    pub fn set_load(&self, service: &str, rps: f64) {
        let mut fleet = locked(&self.fleet);
        fleet.count();
        let index = fleet.names.iter().position(|name| name == service).unwrap();
        fleet.rps[index] = rps;
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread, which waits for a connection.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A test that failed while it held the lock says so itself.
fn locked(fleet: &Mutex<Fleet>) -> MutexGuard<'_, Fleet> {
    fleet.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(mut stream: TcpStream, body: &str) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let _ = stream.read(&mut [0; 4096]);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close";
    let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(body.as_bytes());
}

/// A fleet: series with their names and labels written once, and what its counters count.
struct Fleet {
    /// Services in the order of the problem, and below in the same order:
    names: Vec<String>,
    /// load in requests a second,
    rps: Vec<f64>,
    /// requests so far.
    requests: Vec<f64>,
    began: f64,
    counted_to: f64,
    series: Vec<(String, Value)>,
}

/// What a series shows.
enum Value {
    Constant(f64),
    /// A share of the requests of a service so far.
    Requests {
        service: usize,
        share: f64,
    },
    /// Core-seconds of a pod so far.
    CoreSeconds {
        service: usize,
        idle_cores: f64,
        cores_per_rps: f64,
    },
}

impl Fleet {
    fn of(problem: &ProblemFile) -> Self {
        let now = now();
        let services = problem.services.iter();
        let mut fleet = Self {
            names: services.clone().map(|s| s.name.clone()).collect(),
            rps: services
                .map(|s| s.load.as_ref().map_or(0.0, |load| load.rps))
                .collect(),
            // No counter of a fleet that runs is new.
            requests: vec![1000.0; problem.services.len()],
            began: now,
            counted_to: now,
            series: Vec::new(),
        };
        let standing = Standing::of(problem);
        for (index, service) in problem.services.iter().enumerate() {
            fleet.workloads(index, service, &standing);
        }
        let current = problem.current.as_ref().expect("what runs now");
        let mut next_pod = BTreeMap::new();
        for node in &current.nodes {
            fleet.node(node, standing.cluster(node));
            for (name, count) in &node.pods {
                let index = fleet.names.iter().position(|other| other == name).unwrap();
                for _ in 0..*count {
                    let pod = next_pod.entry((standing.cluster(node), index)).or_insert(0);
                    fleet.pod(&problem.services[index], index, node, &standing, *pod);
                    *pod += 1;
                }
            }
        }
        fleet
    }

    fn count(&mut self) {
        let now = now();
        for (requests, rps) in self.requests.iter_mut().zip(&self.rps) {
            *requests += rps * (now - self.counted_to);
        }
        self.counted_to = now;
    }

    /// Every series as of now, stamped as cAdvisor does.
    fn exposition(&mut self) -> String {
        self.count();
        let mut text = String::new();
        for (series, value) in &self.series {
            let value = match value {
                Value::Constant(value) => *value,
                Value::Requests { service, share } => share * self.requests[*service],
                Value::CoreSeconds {
                    service,
                    idle_cores,
                    cores_per_rps,
                } => {
                    let idle = idle_cores * (self.counted_to - self.began);
                    idle + cores_per_rps * self.requests[*service]
                }
            };
            writeln!(text, "{series} {value} {:.0}", self.counted_to * 1000.0).unwrap();
        }
        text
    }

    fn add(&mut self, metric: &str, labels: &str, value: Value) {
        self.series.push((format!("{metric}{{{labels}}}"), value));
    }

    fn constant(&mut self, metric: &str, labels: &str, value: f64) {
        self.add(metric, labels, Value::Constant(value));
    }

    /// A service as a workload of each cluster where it runs, with its part of the load.
    fn workloads(&mut self, index: usize, service: &Service, standing: &Standing<'_>) {
        let (namespace, name) = split(service);
        for cluster in service.clusters.keys() {
            let pods = standing.pods(cluster, &service.name);
            let own = format!("cluster=\"{cluster}\",namespace=\"{namespace}\"");
            let (kind, desired) = match service.kind {
                WorkloadKind::Deployment => ("deployment", "kube_deployment_spec_replicas"),
                WorkloadKind::StatefulSet => ("statefulset", "kube_statefulset_replicas"),
            };
            let workload = format!("{own},{kind}=\"{name}\"");
            let ready = format!("kube_{kind}_status_replicas_ready");
            self.constant(desired, &workload, f64::from(pods));
            self.constant(&ready, &workload, f64::from(pods));
            if service.kind == WorkloadKind::Deployment {
                let owner = format!(
                    "{own},replicaset=\"{name}-7d9\",owner_kind=\"Deployment\",owner_name=\"{name}\""
                );
                self.constant("kube_replicaset_owner", &owner, 1.0);
            }
            if pods > 0 && service.load.is_some() {
                let share = f64::from(pods) / f64::from(standing.replicas(&service.name));
                let of = format!(
                    "cluster=\"{cluster}\",reporter=\"destination\",destination_workload_namespace=\"{namespace}\",destination_workload=\"{name}\""
                );
                self.requests(index, service, &of, share);
            }
        }
    }

    fn requests(&mut self, service: usize, of: &Service, labels: &str, share: f64) {
        let requests = |share| Value::Requests { service, share };
        let answered = format!("{labels},response_code=\"200\"");
        self.add("istio_requests_total", &answered, requests(share));
        let Some(slo) = &of.slo else { return };
        let p95_ms = p95_ms(slo, of.capacity.as_ref());
        for (bound, below) in [
            ((p95_ms / 2.0).to_string(), 0.5),
            (p95_ms.to_string(), 0.95),
            ((p95_ms * 4.0).to_string(), 1.0),
            ("+Inf".to_owned(), 1.0),
        ] {
            self.add(
                "istio_request_duration_milliseconds_bucket",
                &format!("{labels},le=\"{bound}\""),
                requests(below * share),
            );
        }
    }

    /// One more pod of a service on a node.
    fn pod(
        &mut self,
        service: &Service,
        index: usize,
        node: &CurrentNode,
        standing: &Standing<'_>,
        number: u32,
    ) {
        let (namespace, name) = split(service);
        let (pod, owner) = match service.kind {
            WorkloadKind::Deployment => (
                format!("{name}-7d9-{number}"),
                format!("created_by_kind=\"ReplicaSet\",created_by_name=\"{name}-7d9\""),
            ),
            WorkloadKind::StatefulSet => (
                format!("{name}-{number}"),
                format!("created_by_kind=\"StatefulSet\",created_by_name=\"{name}\""),
            ),
        };
        let cluster = standing.cluster(node);
        let own = format!("cluster=\"{cluster}\",namespace=\"{namespace}\",pod=\"{pod}\"");
        self.pod_state(&own, &node.name, &owner, &service.requests);
        let container = format!("{own},container=\"app\"");
        let capacity = service.capacity.as_ref();
        let cores = |of: fn(&Capacity) -> &Quantity| capacity.map_or(0.0, |c| whole(of(c)));
        let used = Value::CoreSeconds {
            service: index,
            idle_cores: cores(|capacity| &capacity.idle_cpu),
            cores_per_rps: cores(|capacity| &capacity.cpu_per_rps)
                / f64::from(standing.replicas(&service.name)),
        };
        self.add("container_cpu_usage_seconds_total", &container, used);
        let peak = capacity.and_then(|capacity| capacity.memory_peak.as_ref());
        let bytes = peak.or(service.requests.get("memory")).map_or(0.0, whole);
        self.constant("container_memory_working_set_bytes", &container, bytes);
    }

    fn pod_state(&mut self, own: &str, node: &str, owner: &str, requests: &Resources) {
        let info = format!("{own},node=\"{node}\",{owner}");
        self.constant("kube_pod_info", &info, 1.0);
        let phase = format!("{own},phase=\"Running\"");
        self.constant("kube_pod_status_phase", &phase, 1.0);
        for (resource, amount) in requests {
            let unit = match resource.as_str() {
                "cpu" => "core",
                "memory" => "byte",
                _ => "integer",
            };
            // As kube-state-metrics spells resources.
            let resource = resource.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            let labels = format!(
                "{own},node=\"{node}\",container=\"app\",resource=\"{resource}\",unit=\"{unit}\""
            );
            self.constant(
                "kube_pod_container_resource_requests",
                &labels,
                whole(amount),
            );
        }
    }

    /// A node, and on it the pods that belong to no service; the first of them requests what they request together.
    fn node(&mut self, node: &CurrentNode, cluster: &str) {
        let own = format!("cluster=\"{cluster}\",node=\"{}\"", node.name);
        self.constant("kube_node_info", &format!("{own},provider_id=\"\""), 1.0);
        let cordoned = f64::from(u8::from(node.cordoned));
        self.constant("kube_node_spec_unschedulable", &own, cordoned);
        let ready = format!("{own},condition=\"Ready\",status=\"true\"");
        self.constant("kube_node_status_condition", &ready, 1.0);
        let mut requests = node.foreign.clone();
        let pods = requests.remove("pods").and_then(|pods| pods.units());
        let pods = pods.unwrap_or(u64::from(!requests.is_empty()));
        let owner = "created_by_kind=\"Job\",created_by_name=\"other\"";
        for number in 0..pods {
            let own = format!(
                "cluster=\"{cluster}\",namespace=\"other\",pod=\"other-{}-{number}\"",
                node.name
            );
            self.pod_state(&own, &node.name, owner, &std::mem::take(&mut requests));
        }
    }
}

/// What stands where.
struct Standing<'a> {
    cluster_of_pool: BTreeMap<&'a str, &'a str>,
    pods: BTreeMap<(&'a str, &'a str), u32>,
}

impl<'a> Standing<'a> {
    fn of(problem: &'a ProblemFile) -> Self {
        let pools = problem.pools.iter();
        let mut standing = Self {
            cluster_of_pool: pools
                .map(|pool| (pool.name.as_str(), pool.cluster.as_str()))
                .collect(),
            pods: BTreeMap::new(),
        };
        for node in problem.current.iter().flat_map(|current| &current.nodes) {
            let cluster = standing.cluster(node);
            for (service, count) in &node.pods {
                *standing.pods.entry((cluster, service)).or_default() += count;
            }
        }
        standing
    }

    fn cluster(&self, node: &CurrentNode) -> &'a str {
        self.cluster_of_pool[node.pool.as_str()]
    }

    fn pods(&self, cluster: &str, service: &str) -> u32 {
        self.pods.get(&(cluster, service)).copied().unwrap_or(0)
    }

    /// Pods of a service in all clusters, at least one.
    fn replicas(&self, service: &str) -> u32 {
        let pods = self.pods.iter().filter(|((_, name), _)| *name == service);
        pods.map(|(_, count)| *count).sum::<u32>().max(1)
    }
}

fn split(service: &Service) -> (&str, &str) {
    service.name.split_once('/').unwrap()
}

/// Cores, bytes or pieces.
fn whole(amount: &Quantity) -> f64 {
    amount.milli_f64().unwrap_or(0.0) / 1000.0
}

/// What the file says was observed; else that of a service without a queue, whose times are spread exponentially.
fn p95_ms(slo: &Slo, capacity: Option<&Capacity>) -> f64 {
    let unqueued = || Some(capacity?.service_time_ms? * 20_f64.ln());
    (slo.observed_p95_ms.or_else(unqueued)).unwrap_or(slo.latency_p95_ms)
}

fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}
