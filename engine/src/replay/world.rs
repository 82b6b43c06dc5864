//! A simulated fleet that a policy acts on: nodes that are paid for while they start, pods that serve only when they are ready.
//!
//! The state at any time follows from times that are known as soon as a change is made: when a node is ready and when it is gone, when a
//! pod is ready and when it leaves. Between two such times nothing changes, so that what is counted is exact and no tick is needed.
//!
//! What is simpler than life: spot nodes are never interrupted (the expected price of it is counted), a pod fits its new node before the
//! one that makes room for it is gone, and images are on every node.

use super::node::{Node, Pod};
use super::strain::{Served, Strain};
use super::tally::Tally;
use crate::cost;
use crate::fleet::Fleet;
use crate::problem::{CapacityType, Current, CurrentNode, ProblemFile};

const SECONDS_PER_HOUR: f64 = 3600.0;

/// A fleet at one time, and what it has cost until then.
#[derive(Clone, Debug)]
pub(super) struct World<'a> {
    /// The problem as the replay begins: names, prices, rules.
    pub(super) fleet: &'a Fleet,
    pub(super) now_seconds: f64,
    pub(super) nodes: Vec<Node>,
    /// Replicas asked for, by service and cluster; those that have no node are pending.
    pub(super) wanted: Vec<Vec<u32>>,
    pub(super) tally: Tally,
    /// When each of the pods of a service that may be missing at a time is back.
    pub(super) back_at_seconds: Vec<Vec<f64>>,
    /// Nodes named so far.
    pub(super) named: u64,
    /// Requests per second by service.
    rps: Vec<f64>,
    served: Vec<Served<'a>>,
}

impl<'a> World<'a> {
    /// The fleet as its problem has it, everything ready, under the problem's load.
    pub(super) fn new(fleet: &'a Fleet, start_seconds: f64) -> Self {
        let current = fleet.problem.current.iter();
        let sources = current.flat_map(|current| current.nodes.iter().enumerate());
        let nodes = sources.filter_map(|(index, node)| existing(fleet, index, node, start_seconds));
        let load = |service: &crate::problem::Service| service.load.as_ref().map_or(0.0, |l| l.rps);
        let missing = |service: &crate::problem::Service| {
            vec![start_seconds; service.disruption.max_unavailable.max(1) as usize]
        };
        Self {
            fleet,
            now_seconds: start_seconds,
            nodes: nodes.collect(),
            wanted: replicas_now(fleet),
            tally: Tally::new(fleet.services.len()),
            back_at_seconds: fleet.problem.services.iter().map(missing).collect(),
            named: 0,
            rps: fleet.problem.services.iter().map(load).collect(),
            served: Served::all(fleet),
        }
    }

    /// From now on the load is another; services without one keep theirs.
    pub(super) fn set_load(&mut self, rps: &[Option<f64>]) {
        for (load, rps) in self.rps.iter_mut().zip(rps) {
            *load = rps.unwrap_or(*load);
        }
    }

    /// Requests per second of a service now; 0 without a load model.
    pub(super) fn rps(&self, s: usize) -> f64 {
        self.rps.get(s).copied().unwrap_or(0.0)
    }

    /// Lets time pass, counting what it costs.
    pub(super) fn advance(&mut self, to_seconds: f64) {
        for until in self.turning_points(to_seconds) {
            let seconds = until - self.now_seconds;
            if seconds > 0.0 {
                self.count(seconds);
            }
            self.now_seconds = until;
        }
        let now = self.now_seconds;
        self.nodes.retain(|node| node.gone_at_seconds > now);
        for node in &mut self.nodes {
            node.pods.retain(|pod| pod.leaves_at_seconds > now);
        }
    }

    /// Times at which something changes until then, ascending, and that time itself.
    fn turning_points(&self, to_seconds: f64) -> Vec<f64> {
        let of_pod = |pod: &Pod| [pod.ready_at_seconds, pod.leaves_at_seconds];
        let of_node = |node: &Node| [node.gone_at_seconds];
        let pods = self.nodes.iter().flat_map(|node| &node.pods);
        let times = pods
            .flat_map(of_pod)
            .chain(self.nodes.iter().flat_map(of_node));
        let mut times: Vec<f64> = times
            .filter(|time| self.now_seconds < *time && *time < to_seconds)
            .collect();
        times.sort_by(f64::total_cmp);
        times.dedup();
        times.push(to_seconds);
        times
    }

    /// Adds up a time in which nothing changes.
    fn count(&mut self, seconds: f64) {
        let (ready, spot) = self.ready();
        let hours = seconds / SECONDS_PER_HOUR;
        let nodes = self.nodes_paid();
        self.tally.nodes_usd += cost::nodes(self.fleet, &nodes) * hours;
        self.tally.node_seconds += f64::from(nodes.iter().sum::<u32>()) * seconds;
        self.tally.spot_evictions_usd += self.spot_usd_per_hour() * hours;
        self.tally.pending_seconds += f64::from(self.pending()) * seconds;
        for s in 0..self.fleet.services.len() {
            let (ready, spot) = (at(&ready, s), at(&spot, s));
            let Strain {
                over_slo,
                overloaded,
                over_target,
                slo_usd_per_hour,
                ..
            } = self.strain(s, ready);
            let over_spot_share = spot > self.fleet.services[s].spot_limit(ready);
            self.tally.slo_usd += slo_usd_per_hour * hours;
            self.tally.pod_seconds += f64::from(ready) * seconds;
            for (is, sum) in [
                (over_slo, &mut self.tally.over_slo_seconds),
                (overloaded, &mut self.tally.overloaded_seconds),
                (over_target, &mut self.tally.over_target_seconds),
                (over_spot_share, &mut self.tally.over_spot_share_seconds),
            ] {
                sum[s] += if is { seconds } else { 0.0 };
            }
        }
    }

    /// How a service does on so many ready pods under the load of now.
    pub(super) fn strain(&mut self, s: usize, ready: u32) -> Strain {
        self.served[s].strain(self.rps[s], ready)
    }

    /// CPU use in millicores of one of `ready` pods of a service under the load of now.
    pub(super) fn use_mcores(&self, s: usize, ready: u32) -> Option<f64> {
        self.served[s].use_mcores(self.rps[s], ready)
    }

    /// Ready pods by service, and those of them on spot nodes.
    pub(super) fn ready(&self) -> (Vec<u32>, Vec<u32>) {
        let none = vec![0; self.fleet.services.len()];
        let (mut all, mut spot) = (none.clone(), none);
        for node in &self.nodes {
            let is_spot = self.offering(node).capacity_type == CapacityType::Spot;
            for pod in node.pods.iter().filter(|pod| pod.serves(self.now_seconds)) {
                all[pod.service] += 1;
                spot[pod.service] += u32::from(is_spot);
            }
        }
        (all, spot)
    }

    /// Ready pods by service and cluster.
    pub(super) fn ready_by_cluster(&self) -> Vec<Vec<u32>> {
        self.by_cluster(|pod| pod.serves(self.now_seconds))
    }

    /// Pods that are meant to stay, by service and cluster.
    pub(super) fn placed(&self) -> Vec<Vec<u32>> {
        self.by_cluster(Pod::stays)
    }

    fn by_cluster(&self, counts: impl Fn(&Pod) -> bool) -> Vec<Vec<u32>> {
        let mut sums = vec![vec![0; self.fleet.problem.clusters.len()]; self.fleet.services.len()];
        for node in &self.nodes {
            let cluster = self.offering(node).cluster;
            for pod in node.pods.iter().filter(|pod| counts(pod)) {
                sums[pod.service][cluster] += 1;
            }
        }
        sums
    }

    /// Replicas asked for that have no node.
    pub(super) fn pending(&self) -> u32 {
        let wanted = self.wanted.iter().flatten();
        let placed = self.placed();
        let pairs = wanted.zip(placed.iter().flatten());
        pairs
            .map(|(wanted, placed)| wanted.saturating_sub(*placed))
            .sum()
    }

    /// Nodes that are paid for, by offering.
    pub(super) fn nodes_paid(&self) -> Vec<u32> {
        let mut nodes = vec![0; self.fleet.offerings.len()];
        for node in &self.nodes {
            nodes[node.offering] += 1;
        }
        nodes
    }

    /// Expected price of interruptions of the pods on spot nodes.
    fn spot_usd_per_hour(&self) -> f64 {
        let mut sum = 0.0;
        for node in &self.nodes {
            let rate = self.offering(node).interruptions_per_hour;
            if rate > 0.0 {
                let here = node.pods.iter().filter(|pod| pod.serves(self.now_seconds));
                let prices = here.map(|pod| self.fleet.services[pod.service].usd_per_eviction);
                sum += rate * prices.fold(0.0, |sum, usd| sum + usd);
            }
        }
        sum
    }

    pub(super) fn offering(&self, node: &Node) -> &crate::fleet::Offering {
        &self.fleet.offerings[node.offering]
    }

    /// What a controller sees: the problem with loads, replicas and nodes as they are. Changes under way count as done: nodes and pods
    /// that are on their way in are there, those on their way out are not.
    pub(super) fn problem(&mut self) -> ProblemFile {
        let mut problem = self.fleet.problem.clone();
        let (ready, _) = self.ready();
        let placed = self.placed();
        for (s, service) in problem.services.iter_mut().enumerate() {
            if let Some(load) = &mut service.load {
                load.rps = self.rps[s];
            }
            for (cluster, replicas) in self.wanted[s].iter().enumerate() {
                let name = &self.fleet.problem.clusters[cluster].name;
                if let Some(bounds) = service.clusters.get_mut(name) {
                    bounds.now = Some(*replicas);
                }
            }
            if let Some(slo) = &mut service.slo {
                // While pods are on their way in or out, the latency observed says nothing of the replicas that there will be.
                let settled = placed[s].iter().sum::<u32>() == ready[s];
                let strain = self.strain(s, ready[s]);
                slo.observed_p95_ms = strain.p95_ms.filter(|_| settled);
            }
        }
        problem.current = Some(Current {
            nodes: self.current_nodes(),
        });
        problem
    }

    /// The nodes that are meant to stay, as a problem file has them.
    pub(super) fn current_nodes(&self) -> Vec<CurrentNode> {
        let staying = self.nodes.iter().filter(|node| node.stays());
        staying.map(|node| self.current_node(node)).collect()
    }

    fn current_node(&self, node: &Node) -> CurrentNode {
        let offering = self.offering(node);
        let services = self.fleet.services.iter().enumerate();
        let pods = services.map(|(s, service)| (service.name.clone(), node.staying(s)));
        let pods = pods.filter(|(_, count)| *count > 0).collect();
        let sources = self.fleet.problem.current.as_ref();
        let source = node.source.and_then(|index| sources?.nodes.get(index));
        match source {
            Some(source) => CurrentNode {
                pods,
                ..source.clone()
            },
            None => CurrentNode {
                name: node.name.clone(),
                pool: self.fleet.problem.pools[offering.pool].name.clone(),
                offering: offering.name.clone(),
                pods,
                foreign: std::collections::BTreeMap::new(),
                cordoned: false,
                movable: true,
                reason: None,
            },
        }
    }
}

/// A node of the problem; `None` for one of an unknown offering, which a compiled problem has not.
fn existing(fleet: &Fleet, index: usize, node: &CurrentNode, start_seconds: f64) -> Option<Node> {
    let pool = fleet
        .problem
        .pools
        .iter()
        .position(|pool| pool.name == node.pool)?;
    let mut offerings = fleet.offerings.iter();
    let offering = offerings.position(|o| o.pool == pool && o.name == node.offering)?;
    let services = fleet.services.iter().enumerate();
    let pods = services.flat_map(|(service, source)| {
        let count = node.pods.get(&source.name).copied().unwrap_or(0);
        let pod = Pod {
            service,
            ready_at_seconds: start_seconds,
            leaves_at_seconds: f64::INFINITY,
        };
        std::iter::repeat_n(pod, count as usize)
    });
    Some(Node {
        name: node.name.clone(),
        offering,
        source: Some(index),
        ready_at_seconds: start_seconds,
        gone_at_seconds: f64::INFINITY,
        pods: pods.collect(),
    })
}

/// Replicas by service and cluster as the problem begins.
fn replicas_now(fleet: &Fleet) -> Vec<Vec<u32>> {
    let of_service = |service: &crate::fleet::Service| {
        let mut replicas = vec![0; fleet.problem.clusters.len()];
        for bounds in &service.clusters {
            replicas[bounds.cluster] = bounds.now.unwrap_or(bounds.min);
        }
        replicas
    };
    fleet.services.iter().map(of_service).collect()
}

fn at(counts: &[u32], index: usize) -> u32 {
    counts.get(index).copied().unwrap_or(0)
}
