//! What runs on which node, cluster by cluster: all of it is known, or none is replaced.

use std::collections::{BTreeMap, BTreeSet};

use ketscale_engine::plan::Reading;
use ketscale_engine::problem::{Current, CurrentNode, ProblemFile, Quantity, Resources};

use super::answers::Answers;
use super::clusters::Clusters;
use super::ledger::Ledger;
use super::nodes::{self, Home, NodeLabels};
use super::pods::{LivePod, Owner};
use super::requests::{self, Effective, Requests};
use crate::prometheus::{Family, Observation, Sample};

/// The nodes of the clusters whose placement is known, by the position of the cluster.
pub(super) type Placements = BTreeMap<usize, Vec<CurrentNode>>;

/// Why a placement is not known: the query that fails it, and the reason.
type Unknown<'a> = (&'a str, String);

/// Reads the placement of each cluster; a gap for each that is not known in full.
pub(super) fn read(
    problem: &ProblemFile,
    answers: &Answers,
    clusters: &Clusters,
    pods: &[LivePod<'_>],
    requests: &Requests<'_>,
    ledger: &mut Ledger,
) -> Placements {
    let mut placements = Placements::new();
    let mut known = Vec::new();
    for (index, name) in clusters.names().iter().enumerate() {
        let view = View {
            problem,
            answers,
            clusters,
            requests,
            cluster: index,
            name,
        };
        match view.placement(pods) {
            Ok((nodes, readings)) => {
                placements.insert(index, nodes);
                known.extend(readings);
            }
            Err((query, reason)) => ledger.gap(
                "current.nodes".to_owned(),
                query,
                format!("cluster {name}: {reason}"),
            ),
        }
    }
    // Without any placement in the file, one that is known in part would show the other clusters as empty.
    if problem.current.is_none() && placements.len() < clusters.names().len() {
        return Placements::new();
    }
    ledger.extend(known);
    placements
}

/// Puts the nodes into the problem, in place of those of the same clusters.
pub(super) fn replace(problem: &mut ProblemFile, placements: Placements) {
    if placements.is_empty() {
        return;
    }
    let replaced: BTreeSet<&str> = placements
        .keys()
        .filter_map(|index| problem.clusters.get(*index))
        .map(|cluster| cluster.name.as_str())
        .collect();
    let gone: BTreeSet<&str> = problem
        .pools
        .iter()
        .filter(|pool| replaced.contains(pool.cluster.as_str()))
        .map(|pool| pool.name.as_str())
        .collect();
    let old = problem
        .current
        .take()
        .map(|current| current.nodes)
        .unwrap_or_default();
    let mut nodes: Vec<CurrentNode> = old
        .into_iter()
        .filter(|node| !gone.contains(node.pool.as_str()))
        .collect();
    nodes.extend(placements.into_values().flatten());
    problem.current = Some(Current { nodes });
}

/// One cluster as the answers show it.
struct View<'a> {
    problem: &'a ProblemFile,
    answers: &'a Answers,
    clusters: &'a Clusters,
    requests: &'a Requests<'a>,
    cluster: usize,
    name: &'a str,
}

/// A node while its pods are counted.
#[derive(Default)]
struct Count {
    pods: BTreeMap<usize, u32>,
    foreign_pods: u32,
    foreign: BTreeMap<String, u64>,
}

/// The oldest samples that a placement rests on, in seconds since the Unix epoch.
struct Times {
    nodes: f64,
    pods: f64,
    requests: f64,
}

impl<'a> View<'a> {
    fn placement(
        &self,
        pods: &[LivePod<'_>],
    ) -> Result<(Vec<CurrentNode>, Vec<Reading>), Unknown<'a>> {
        let answers = self.answers;
        let pods_time = self
            .time(&answers.pods)?
            .min(self.time(&answers.running_pods)?);
        let mut times = Times {
            nodes: self.time(&answers.nodes)?,
            pods: pods_time,
            requests: pods_time,
        };
        let homes = self.homes()?;
        let counts = self.counts(&homes, pods, &mut times)?;
        let cordons = self.cordons();
        let refuse = |name: &str, reason: &str| {
            (
                answers.node_unschedulable.query.as_str(),
                format!("node {name}: {reason}"),
            )
        };
        let mut nodes = Vec::new();
        let mut readings = Vec::new();
        for (name, (home, count)) in counts {
            let cordon = cordons
                .get(name)
                .ok_or_else(|| refuse(name, crate::prometheus::MISSING))?;
            let (cordoned, time) = cordon.clone().map_err(|reason| refuse(name, &reason))?;
            let node = self.node(name, home, &count, cordoned > 0.0);
            self.note(&node, (cordoned, time), &times, &mut readings);
            nodes.push(node);
        }
        Ok((nodes, readings))
    }

    /// Counts the pods on every node.
    fn counts<'h>(
        &self,
        homes: &'h BTreeMap<&'a str, Home>,
        pods: &[LivePod<'_>],
        times: &mut Times,
    ) -> Result<BTreeMap<&'a str, (&'h Home, Count)>, Unknown<'a>> {
        let mut counts: BTreeMap<&str, (&Home, Count)> = homes
            .iter()
            .map(|(node, home)| (*node, (home, Count::default())))
            .collect();
        for pod in pods
            .iter()
            .filter(|pod| pod.key.0 == self.cluster && !pod.node.is_empty())
        {
            let Some((_, count)) = counts.get_mut(pod.node) else {
                let reason = format!(
                    "pod {}/{} runs on node {}, which is missing",
                    pod.key.1, pod.key.2, pod.node
                );
                return Err((&self.answers.nodes.query, reason));
            };
            match &pod.owner {
                Owner::Service(service) => *count.pods.entry(*service).or_default() += 1,
                Owner::Daemon => {}
                Owner::Foreign => {
                    let time = self.add_foreign(count, pod)?;
                    times.requests = times.requests.min(time.unwrap_or(f64::INFINITY));
                }
                Owner::Unknown(reason) => {
                    return Err((&self.answers.replicaset_owners.query, reason.clone()));
                }
            }
        }
        Ok(counts)
    }

    /// Notes where each value of a node was read.
    fn note(
        &self,
        node: &CurrentNode,
        cordon: (f64, f64),
        times: &Times,
        readings: &mut Vec<Reading>,
    ) {
        let mut note = |key: String, value: f64, query: &str, timestamp: f64| {
            readings.push(Reading {
                path: format!("current.nodes.{}{key}", node.name),
                value,
                query: query.to_owned(),
                timestamp,
            });
        };
        note(String::new(), 1.0, &self.answers.nodes.query, times.nodes);
        note(
            ".cordoned".to_owned(),
            cordon.0,
            &self.answers.node_unschedulable.query,
            cordon.1,
        );
        for (service, pods) in &node.pods {
            note(
                format!(".pods.{service}"),
                f64::from(*pods),
                &self.answers.pods.query,
                times.pods,
            );
        }
        for (resource, amount) in &node.foreign {
            let (query, time) = match resource.as_str() {
                "pods" => (self.answers.pods.query.as_str(), times.pods),
                _ => (self.requests.query(), times.requests),
            };
            note(
                format!(".foreign.{resource}"),
                in_base_units(amount),
                query,
                time,
            );
        }
    }

    /// The time of the oldest sample of a family in this cluster, if it is fresh.
    fn time(&self, family: &'a Family) -> Result<f64, Unknown<'a>> {
        let of_cluster = |sample: &Sample| {
            self.clusters
                .of(sample)
                .filter(|cluster| *cluster == self.cluster)
        };
        if !family
            .samples
            .iter()
            .any(|sample| of_cluster(sample).is_some())
        {
            return Err((&family.query, crate::prometheus::MISSING.to_owned()));
        }
        let oldest = family.oldest_by(of_cluster).get(&self.cluster).copied();
        family
            .fresh(oldest)
            .map_err(|reason| (family.query.as_str(), reason))
    }

    /// Pool and offering of every node.
    fn homes(&self) -> Result<BTreeMap<&'a str, Home>, Unknown<'a>> {
        let mut labels: BTreeMap<&str, NodeLabels<'_>> = BTreeMap::new();
        for sample in self.of_cluster(&self.answers.node_labels) {
            labels.entry(sample.label("node")).or_default().add(sample);
        }
        let none = NodeLabels::default();
        let nodes: BTreeSet<&str> = self
            .of_cluster(&self.answers.nodes)
            .map(|sample| sample.label("node"))
            .collect();
        let home = |node: &'a str| {
            let home = nodes::home(
                self.problem,
                self.name,
                node,
                labels.get(node).unwrap_or(&none),
            );
            home.map(|home| (node, home))
                .map_err(|reason| (self.answers.node_labels.query.as_str(), reason))
        };
        nodes.into_iter().map(home).collect()
    }

    /// Above 0 for a node that takes no new pods: cordoned, or not Ready.
    fn cordons(&self) -> BTreeMap<&'a str, Observation> {
        let node = |sample: &'a Sample| {
            (self.clusters.of(sample) == Some(self.cluster)).then(|| sample.label("node"))
        };
        let ready = self.answers.node_ready.by(node);
        let mut cordons = self.answers.node_unschedulable.by(node);
        for (node, cordon) in &mut cordons {
            if let (Ok((value, time)), Some(Ok((ready, ready_time)))) =
                (&mut *cordon, ready.get(node))
                && *ready == 0.0
            {
                (*value, *time) = (1.0, time.min(*ready_time));
            }
        }
        cordons
    }

    /// Adds a pod that stays; the time of its requests, if it has any.
    fn add_foreign(
        &self,
        count: &mut Count,
        pod: &LivePod<'_>,
    ) -> Result<Option<f64>, Unknown<'a>> {
        let refuse = |reason: String| (self.requests.query(), reason);
        if !self.requests.has_cluster(self.cluster) {
            return Err(refuse(crate::prometheus::MISSING.to_owned()));
        }
        let time = self
            .requests
            .time(pod.key)
            .map_err(|reason| refuse(format!("pod {}/{}: {reason}", pod.key.1, pod.key.2)))?;
        count.foreign_pods += 1;
        for resource in self.resources() {
            // What is only bounded is taken at its bound: room kept free in vain does no harm.
            if let Some(Effective::Exact(amount) | Effective::AtMost(amount)) =
                self.requests.of(pod.key, &requests::spelled(resource))
            {
                let sum = count.foreign.entry(resource.to_owned()).or_default();
                *sum = sum.saturating_add(amount);
            }
        }
        Ok(time)
    }

    /// The resources that the problem speaks of.
    fn resources(&self) -> BTreeSet<&'a str> {
        let mut resources = requests::extended(
            self.problem
                .services
                .iter()
                .map(|service| &service.requests),
        );
        resources.extend(["cpu", "memory"]);
        resources
    }

    fn node(&self, name: &str, home: &Home, count: &Count, cordoned: bool) -> CurrentNode {
        let known = nodes::known(self.problem, self.name, name);
        let services = count.pods.iter().filter_map(|(service, pods)| {
            Some((self.problem.services.get(*service)?.name.clone(), *pods))
        });
        let mut foreign: Resources = count
            .foreign
            .iter()
            .map(|(resource, amount)| (resource.clone(), quantity(resource, *amount)))
            .collect();
        if count.foreign_pods > 0 {
            foreign.insert("pods".to_owned(), Quantity(count.foreign_pods.to_string()));
        }
        CurrentNode {
            name: name.to_owned(),
            pool: home.pool.clone(),
            offering: home.offering.clone(),
            pods: services.collect(),
            foreign,
            cordoned,
            movable: known.is_none_or(|known| known.movable),
            reason: known.and_then(|known| known.reason.clone()),
        }
    }

    fn of_cluster(&self, family: &'a Family) -> impl Iterator<Item = &'a Sample> {
        family
            .samples
            .iter()
            .filter(|sample| self.clusters.of(sample) == Some(self.cluster))
    }
}

/// An amount in millicores or whole units as a quantity.
pub(super) fn quantity(resource: &str, amount: u64) -> Quantity {
    if resource == "cpu" {
        Quantity::from_milli(amount)
    } else {
        Quantity::from_units(amount)
    }
}

/// A quantity made by [`quantity`] in cores, bytes or pieces.
#[allow(
    clippy::cast_precision_loss,
    reason = "amounts are below 2^53 of their units"
)]
fn in_base_units(quantity: &Quantity) -> f64 {
    quantity.nano().map_or(f64::NAN, |nano| nano as f64 / 1e9)
}
