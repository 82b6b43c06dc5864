//! A change of the world carried out: nodes are ordered, pods start where they are ready, others leave, nodes go when they are empty.
//!
//! Pods of a service that are added to what there is start at once on nodes that are ready, else with the node. Pods that move do so a
//! disruption budget at a time: one leaves when its new node is ready and another that moved before it is back, and the new one
//! is ready `ready_seconds` later. Replicas that are given up leave when the service's moves are over, nodes with their last pod.

use std::collections::BTreeMap;

use super::node::{Node, Pod};
use super::world::World;
use crate::plan::NodeGroup;

/// Pods of one service that leave and arrive in one change.
#[derive(Clone, Debug, Default)]
struct Traffic {
    /// Node and position on it of pods that leave, those that do not serve yet first.
    leaving: Vec<(usize, usize)>,
    /// Nodes that get a pod, by the time they are ready.
    arriving: Vec<usize>,
}

impl World<'_> {
    /// Changes the world to these nodes with their pods, and the replicas asked for to `wanted`, by service and cluster. Existing nodes are
    /// named; those that are not named are drained.
    pub(super) fn carry_out(&mut self, groups: &[NodeGroup], wanted: Vec<Vec<u32>>) {
        self.count_replicas(&wanted);
        self.wanted = wanted;
        let (named, new) = expanded(groups);
        let mut traffic = vec![Traffic::default(); self.fleet.services.len()];
        for index in 0..self.nodes.len() {
            if self.nodes[index].stays() {
                let pods = named.get(self.nodes[index].name.as_str()).copied();
                self.change_node(index, pods, &mut traffic);
            }
        }
        let existing = self.nodes.len();
        for group in new {
            self.order(group, &mut traffic);
        }
        for (service, traffic) in traffic.into_iter().enumerate() {
            self.schedule(service, traffic);
        }
        self.give_back(&named, existing);
    }

    fn count_replicas(&mut self, wanted: &[Vec<u32>]) {
        let pairs = self.wanted.iter().flatten().zip(wanted.iter().flatten());
        for (before, after) in pairs.filter(|(before, after)| before != after) {
            self.tally.replica_changes += 1;
            self.tally.replicas_changed += u64::from(before.abs_diff(*after));
        }
    }

    /// What leaves a node that is there and what arrives; without `pods` everything leaves.
    fn change_node(
        &mut self,
        index: usize,
        pods: Option<&BTreeMap<String, u32>>,
        traffic: &mut [Traffic],
    ) {
        for (s, traffic) in traffic.iter_mut().enumerate() {
            let name = &self.fleet.services[s].name;
            let planned = pods.and_then(|pods| pods.get(name)).copied().unwrap_or(0);
            let node = &self.nodes[index];
            let here = node.staying(s);
            if planned < here {
                let excess = (here - planned) as usize;
                traffic
                    .leaving
                    .extend(latest(node, s).take(excess).map(|pod| (index, pod)));
            }
            let added = planned.saturating_sub(here) as usize;
            traffic.arriving.extend(std::iter::repeat_n(index, added));
        }
    }

    fn order(&mut self, group: &NodeGroup, traffic: &mut [Traffic]) {
        let problem = &self.fleet.problem;
        let pool = problem
            .pools
            .iter()
            .position(|pool| pool.name == group.pool);
        let is = |o: &crate::fleet::Offering| Some(o.pool) == pool && o.name == group.offering;
        let Some(offering) = self.fleet.offerings.iter().position(is) else {
            return;
        };
        let startup_seconds = pool.map_or(0.0, |pool| problem.pools[pool].startup_seconds);
        let name = self.new_name(&group.pool);
        self.nodes.push(Node {
            name,
            offering,
            source: None,
            ready_at_seconds: self.now_seconds + startup_seconds,
            gone_at_seconds: f64::INFINITY,
            pods: Vec::new(),
        });
        self.tally.node_changes += 1;
        let index = self.nodes.len() - 1;
        for (service, traffic) in self.fleet.services.iter().zip(traffic) {
            let added = group.pods.get(&service.name).copied().unwrap_or(0) as usize;
            traffic.arriving.extend(std::iter::repeat_n(index, added));
        }
    }

    /// A name that no node of the problem and none ordered before has.
    fn new_name(&mut self, pool: &str) -> String {
        loop {
            self.named += 1;
            let name = format!("{pool}-replay-{}", self.named);
            let current = self.fleet.problem.current.iter();
            let mut nodes = current.flat_map(|current| &current.nodes);
            if nodes.all(|node| node.name != name) {
                return name;
            }
        }
    }

    /// Gives every pod that arrives or leaves its time.
    fn schedule(&mut self, service: usize, mut traffic: Traffic) {
        let ready = |node: &usize| self.nodes[*node].ready_at_seconds;
        traffic
            .arriving
            .sort_by(|a, b| ready(a).total_cmp(&ready(b)));
        let moves = traffic.leaving.len().min(traffic.arriving.len());
        let added = traffic.arriving.len() - moves;
        let now = self.now_seconds;
        for node in &traffic.arriving[..added] {
            let bound = now.max(self.nodes[*node].ready_at_seconds);
            self.add_pod(*node, service, bound);
        }
        for (node, from) in traffic.arriving[added..].iter().zip(&traffic.leaving) {
            self.move_pod(service, *from, *node);
        }
        let last = self.back_at_seconds[service]
            .iter()
            .copied()
            .fold(now, f64::max);
        for from in &traffic.leaving[moves..] {
            self.leave(*from, if moves > 0 { last } else { now });
        }
    }

    /// One pod leaves when the budget lets it and its new node is ready; one that does not serve yet leaves at once.
    fn move_pod(&mut self, service: usize, from: (usize, usize), onto: usize) {
        self.tally.evictions += 1;
        self.tally.evictions_usd += self.fleet.services[service].usd_per_eviction;
        let earliest = self.now_seconds.max(self.nodes[onto].ready_at_seconds);
        if self.nodes[from.0].pods[from.1].ready_at_seconds > self.now_seconds {
            self.leave(from, self.now_seconds);
            self.add_pod(onto, service, earliest);
            return;
        }
        let ready_seconds = self.fleet.problem.services[service].ready_seconds;
        let slots = self.back_at_seconds[service].iter_mut();
        let Some(slot) = slots.min_by(|a, b| a.total_cmp(b)) else {
            return;
        };
        let start = earliest.max(*slot);
        *slot = start + ready_seconds;
        self.leave(from, start);
        self.add_pod(onto, service, start);
    }

    fn add_pod(&mut self, node: usize, service: usize, bound_at_seconds: f64) {
        let ready_seconds = self.fleet.problem.services[service].ready_seconds;
        self.nodes[node].pods.push(Pod {
            service,
            ready_at_seconds: bound_at_seconds + ready_seconds,
            leaves_at_seconds: f64::INFINITY,
        });
    }

    fn leave(&mut self, (node, pod): (usize, usize), at_seconds: f64) {
        self.nodes[node].pods[pod].leaves_at_seconds = at_seconds;
    }

    /// Of the first `existing` nodes, those that are not named go with their last pod.
    fn give_back(&mut self, named: &Named, existing: usize) {
        let now = self.now_seconds;
        for node in self.nodes.iter_mut().take(existing) {
            if node.stays() && !named.contains_key(node.name.as_str()) {
                let leaves = node.pods.iter().map(|pod| pod.leaves_at_seconds);
                node.gone_at_seconds = leaves.fold(now, f64::max);
                self.tally.node_changes += 1;
            }
        }
    }
}

/// Pods by service of the existing nodes that stay, by name.
type Named<'a> = BTreeMap<&'a str, &'a BTreeMap<String, u32>>;

/// Groups node by node: existing nodes by name, and new ones.
fn expanded(groups: &[NodeGroup]) -> (Named<'_>, Vec<&NodeGroup>) {
    let names = |group: &NodeGroup| group.names.len();
    let existing = groups.iter().filter(|group| names(group) > 0);
    let named = existing.flat_map(|group| {
        let names = group.names.iter().map(String::as_str);
        names.map(|name| (name, &group.pods))
    });
    let new = groups.iter().filter(|group| names(group) == 0);
    let new = new.flat_map(|group| std::iter::repeat_n(group, group.count as usize));
    (named.collect(), new.collect())
}

/// Positions of a service's staying pods on a node, those ready last first.
fn latest(node: &Node, service: usize) -> impl Iterator<Item = usize> {
    let pods = node.pods.iter().enumerate();
    let here = pods.filter(|(_, pod)| pod.service == service && pod.stays());
    let mut here: Vec<(usize, f64)> = here
        .map(|(index, pod)| (index, pod.ready_at_seconds))
        .collect();
    here.sort_by(|a, b| b.1.total_cmp(&a.1));
    here.into_iter().map(|(index, _)| index)
}
