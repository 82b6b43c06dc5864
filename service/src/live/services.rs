//! Replicas, requests, load and use of each service.

use std::collections::BTreeMap;

use ketscale_engine::problem::{ProblemFile, Quantity, Service, WorkloadKind};

use super::answers::{Answers, WorkloadFamily};
use super::clusters::Clusters;
use super::ledger::Ledger;
use super::placement::quantity;
use super::pods::{self, LivePod, Owner, PodKey};
use super::requests::{self, Effective, Requests};
use crate::prometheus::{Family, MISSING, Observation};

/// Most replicas that a problem may speak of.
const MAX_REPLICAS: f64 = 10_000.0;

/// Something of a service by cluster, namespace and name.
type ByService<'a> = BTreeMap<(usize, &'a str, &'a str), Observation>;

/// Replaces what is known of every service.
pub(super) fn refresh(
    problem: &mut ProblemFile,
    answers: &Answers,
    clusters: &Clusters,
    pods: &[LivePod<'_>],
    requests: &Requests<'_>,
    ledger: &mut Ledger,
) {
    let families = Families::new(answers, clusters);
    for (index, service) in problem.services.iter_mut().enumerate() {
        let pods: Vec<PodKey<'_>> = (pods.iter())
            .filter(|pod| pod.owner == Owner::Service(index) && !pod.node.is_empty())
            .map(|pod| pod.key)
            .collect();
        let (namespace, name) = names(service);
        let mut one = One {
            path: format!("services.{}", service.name),
            namespace,
            name,
            clusters,
            families: &families,
            pods: &pods,
            ledger,
        };
        one.replicas(service);
        one.requests(service, requests);
        let rps = one.load(service);
        one.cpu(service, rps);
        one.memory(service);
        one.latency(service);
    }
}

/// Namespace and name of the workload behind a service.
pub(super) fn names(service: &Service) -> (String, String) {
    let full = pods::workload_name(&service.name, service.kind);
    let (namespace, name) = full.split_once('/').unwrap_or(("default", full));
    (namespace.to_owned(), name.to_owned())
}

/// The answers, indexed.
struct Families<'a> {
    answers: &'a Answers,
    deployments: ByService<'a>,
    stateful_sets: ByService<'a>,
    cpu: BTreeMap<PodKey<'a>, Observation>,
    memory: BTreeMap<PodKey<'a>, Observation>,
    rates: Vec<(&'a Family, ByService<'a>)>,
    latencies: Vec<(&'a Family, ByService<'a>)>,
}

impl<'a> Families<'a> {
    fn new(answers: &'a Answers, clusters: &Clusters) -> Self {
        let by_service = |family: &'a Family, namespace: &str, name: &str| {
            family.by(|sample| {
                Some((
                    clusters.of(sample)?,
                    sample.label(namespace),
                    sample.label(name),
                ))
            })
        };
        let workloads = |families: &'a [WorkloadFamily]| {
            let index = |w: &'a WorkloadFamily| {
                (
                    &w.family,
                    by_service(&w.family, &w.namespace_label, &w.name_label),
                )
            };
            families.iter().map(index).collect()
        };
        Self {
            answers,
            deployments: by_service(&answers.deployment_replicas, "namespace", "deployment"),
            stateful_sets: by_service(&answers.statefulset_replicas, "namespace", "statefulset"),
            cpu: answers.cpu_use.by(|sample| pods::key(clusters, sample)),
            memory: answers.memory_peak.by(|sample| pods::key(clusters, sample)),
            rates: workloads(&answers.request_rate),
            latencies: workloads(&answers.latency_p95),
        }
    }
}

/// One service under way.
struct One<'a> {
    path: String,
    namespace: String,
    name: String,
    clusters: &'a Clusters,
    families: &'a Families<'a>,
    /// Its pods that are on nodes.
    pods: &'a [PodKey<'a>],
    ledger: &'a mut Ledger,
}

impl One<'_> {
    fn replicas(&mut self, service: &mut Service) {
        let families = self.families;
        let (family, observed) = match service.kind {
            WorkloadKind::Deployment => {
                (&families.answers.deployment_replicas, &families.deployments)
            }
            WorkloadKind::StatefulSet => (
                &families.answers.statefulset_replicas,
                &families.stateful_sets,
            ),
        };
        for (cluster, bounds) in &mut service.clusters {
            let Some(index) = self.clusters.index(cluster) else {
                continue;
            };
            let path = format!("{}.clusters.{cluster}.now", self.path);
            let observation = observed.get(&(index, self.namespace.as_str(), self.name.as_str()));
            match missing(observation).and_then(|(value, time)| Ok((value, replicas(value)?, time)))
            {
                Ok((value, replicas, time)) => {
                    bounds.now = Some(replicas);
                    self.ledger.read(path, value, &family.query, time);
                }
                Err(reason) => self.ledger.gap(path, &family.query, reason),
            }
        }
    }

    fn requests(&mut self, service: &mut Service, requests: &Requests<'_>) {
        for (resource, request) in &mut service.requests {
            let path = format!("{}.requests.{resource}", self.path);
            match self.request(resource, requests) {
                Ok((amount, time)) => {
                    #[allow(clippy::cast_precision_loss, reason = "amounts are below 2^53")]
                    let value = if resource == "cpu" {
                        amount as f64 / 1000.0
                    } else {
                        amount as f64
                    };
                    self.ledger.read(path, value, requests.query(), time);
                    let read = quantity(resource, amount);
                    // Another spelling of the same amount is no change.
                    if read.nano() != request.nano() {
                        *request = read;
                    }
                }
                Err(reason) => self.ledger.gap(path, requests.query(), reason),
            }
        }
    }

    /// What each of the pods requests, if they agree.
    fn request(&self, resource: &str, requests: &Requests<'_>) -> Result<(u64, f64), String> {
        let mut agreed: Option<(u64, f64)> = None;
        for pod in self.pods {
            let time = requests
                .time(*pod)?
                .ok_or("missing: its pods request nothing")?;
            let amount = match requests.of(*pod, &requests::spelled(resource)) {
                Some(Effective::Exact(0)) | None => {
                    return Err(format!("missing: its pods request no {resource}"));
                }
                Some(Effective::Exact(amount)) => amount,
                Some(Effective::AtMost(most)) => {
                    return Err(format!(
                        "ambiguous: at most {}, but the order of sidecars and init containers is in no metric",
                        quantity(resource, most).0
                    ));
                }
            };
            agreed = match agreed {
                Some((other, _)) if other != amount => {
                    return Err(format!(
                        "ambiguous: pods request {} and {}, as during a rollout",
                        quantity(resource, other).0,
                        quantity(resource, amount).0
                    ));
                }
                Some((_, oldest)) => Some((amount, oldest.min(time))),
                None => Some((amount, time)),
            };
        }
        agreed.ok_or_else(|| "missing: no pod of the service is on a node".to_owned())
    }

    /// Requests per second over all clusters.
    fn load(&mut self, service: &mut Service) -> Option<f64> {
        let load = service.load.as_mut()?;
        let path = format!("{}.load.rps", self.path);
        match self.over_clusters(&self.families.rates, |sum, rate| sum + rate) {
            Ok((query, rps, time)) => {
                load.rps = rps;
                self.ledger.read(path, rps, query, time);
                Some(rps)
            }
            Err((query, reason)) => {
                self.ledger.gap(path, query, reason);
                None
            }
        }
    }

    /// The 95th percentile of latency, the worst over the clusters.
    fn latency(&mut self, service: &mut Service) {
        let Some(slo) = service.slo.as_mut() else {
            return;
        };
        let path = format!("{}.slo.observed_p95_ms", self.path);
        match self.over_clusters(&self.families.latencies, f64::max) {
            Ok((query, p95, time)) if p95 > 0.0 => {
                slo.observed_p95_ms = Some(p95);
                self.ledger.read(path, p95, query, time);
            }
            Ok((query, _, _)) => self
                .ledger
                .gap(path, query, "not a latency: the query gives 0"),
            Err((query, reason)) => self.ledger.gap(path, query, reason),
        }
    }

    /// One number from the service's clusters, by the first family that knows the service: query, value, time.
    fn over_clusters<'f>(
        &self,
        families: &'f [(&'f Family, ByService<'f>)],
        fold: impl Fn(f64, f64) -> f64,
    ) -> Result<(&'f str, f64, f64), (&'f str, String)> {
        let here = |(_, observed): &&(&Family, ByService<'_>)| {
            (0..self.clusters.names().len()).any(|cluster| {
                observed.contains_key(&(cluster, self.namespace.as_str(), self.name.as_str()))
            })
        };
        let Some((family, observed)) = families.iter().find(here) else {
            let queries = families.iter().map(|(family, _)| family.query.as_str());
            let others: Vec<&str> = queries.clone().skip(1).collect();
            let reason = if others.is_empty() {
                MISSING.to_owned()
            } else {
                format!("{MISSING}, nor {}", others.join(", nor "))
            };
            return Err((queries.into_iter().next().unwrap_or(""), reason));
        };
        let query = family.query.as_str();
        let mut total: Option<(f64, f64)> = None;
        for cluster in 0..self.clusters.names().len() {
            let observation = observed.get(&(cluster, self.namespace.as_str(), self.name.as_str()));
            let has_pods = self.pods.iter().any(|pod| pod.0 == cluster);
            match observation {
                None if !has_pods => {}
                Some(Ok((value, time))) => {
                    total = Some(total.map_or((*value, *time), |(sum, oldest)| {
                        (fold(sum, *value), oldest.min(*time))
                    }));
                }
                other => {
                    let reason = missing(other).err().unwrap_or_default();
                    let name = self
                        .clusters
                        .names()
                        .get(cluster)
                        .map_or("", String::as_str);
                    return Err((query, format!("cluster {name}: {reason}")));
                }
            }
        }
        total
            .map(|(value, time)| (query, value, time))
            .ok_or((query, MISSING.to_owned()))
    }

    /// CPU that one request per second keeps busy: what the pods use beyond idling, over the load read with it.
    fn cpu(&mut self, service: &mut Service, rps: Option<f64>) {
        let Some(capacity) = service.capacity.as_mut() else {
            return;
        };
        // Without a load read at the same time the use cannot be attributed; the gap of the load says so already.
        let Some(rps) = rps else { return };
        let path = format!("{}.capacity.cpu_per_rps", self.path);
        let family = &self.families.answers.cpu_use;
        let found = self.over_pods(&self.families.cpu, |sum, cores| sum + cores).and_then(|(cores, time)| {
            let idle_cores = capacity.idle_cpu.milli_f64().unwrap_or(0.0) / 1000.0 * self.pods.len() as f64;
            if rps <= 0.0 {
                return Err("not measurable: there are no requests".to_owned());
            }
            if cores <= idle_cores {
                return Err(format!("not measurable: the use of {cores:.3} cores is not above {idle_cores:.3} cores of idle_cpu"));
            }
            Ok(((cores - idle_cores) / rps, time))
        });
        match found.and_then(|(cores, time)| Ok((cores, nano_cores(cores)?, time))) {
            Ok((cores, quantity, time)) => {
                capacity.cpu_per_rps = quantity;
                self.ledger.read(path, cores, &family.query, time);
            }
            Err(reason) => self.ledger.gap(path, &family.query, reason),
        }
    }

    /// The highest memory use of any pod.
    fn memory(&mut self, service: &mut Service) {
        let Some(capacity) = service.capacity.as_mut() else {
            return;
        };
        let path = format!("{}.capacity.memory_peak", self.path);
        let family = &self.families.answers.memory_peak;
        let found = self
            .over_pods(&self.families.memory, f64::max)
            .and_then(|(bytes, time)| Ok((bytes, requests::amount(bytes, "memory")?, time)));
        match found {
            Ok((_, 0, _)) => {
                self.ledger
                    .gap(path, &family.query, "not a memory use: the query gives 0")
            }
            Ok((bytes, amount, time)) => {
                capacity.memory_peak = Some(Quantity::from_units(amount));
                self.ledger.read(path, bytes, &family.query, time);
            }
            Err(reason) => self.ledger.gap(path, &family.query, reason),
        }
    }

    /// One number from all pods; every pod must have one.
    fn over_pods(
        &self,
        observed: &BTreeMap<PodKey<'_>, Observation>,
        fold: impl Fn(f64, f64) -> f64,
    ) -> Result<(f64, f64), String> {
        let mut total: Option<(f64, f64)> = None;
        for pod in self.pods {
            let (value, time) =
                missing(observed.get(pod)).map_err(|reason| format!("pod {}: {reason}", pod.2))?;
            total = Some(total.map_or((value, time), |(sum, oldest)| {
                (fold(sum, value), oldest.min(time))
            }));
        }
        total.ok_or_else(|| "missing: no pod of the service is on a node".to_owned())
    }
}

fn missing(observation: Option<&Observation>) -> Observation {
    observation
        .cloned()
        .unwrap_or_else(|| Err(MISSING.to_owned()))
}

fn replicas(value: f64) -> Result<u32, String> {
    if value.fract() == 0.0 && (0.0..=MAX_REPLICAS).contains(&value) {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        Ok(value as u32)
    } else {
        Err(format!("not a number of replicas: {value}"))
    }
}

/// Cores as a quantity of whole billionths, at least one.
fn nano_cores(cores: f64) -> Result<Quantity, String> {
    let nano = (cores * 1e9).ceil();
    if !(1.0..=9e15).contains(&nano) {
        return Err(format!("not a CPU use: {cores} cores a request per second"));
    }
    Ok(Quantity(format!("{nano}n")))
}
