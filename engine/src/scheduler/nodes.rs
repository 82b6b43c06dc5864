//! The nodes while pods are bound to them: filters and score.

use std::collections::BTreeSet;
use std::mem;
use std::ops::Range;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::arrival::Pod;
use crate::fleet::{Fleet, Service};
use crate::placement::{Group, Placement};

/// The highest score of a node, `framework.MaxNodeScore` upstream.
const MAX_NODE_SCORE: u64 = 100;

/// Nodes with the pods bound so far.
///
/// Nodes only fill up, so a node's score for a service never rises, and what forbids it a pod stays, but for the skew of zones. So each service
/// keeps the nodes of a zone by the last score that it saw of them, and looks again only at nodes that it draws from the best: one
/// that has become worse goes back where it belongs, and another is drawn. A pod then costs a few looks, however many nodes there are.
#[derive(Clone)]
pub(super) struct Nodes<'a> {
    fleet: &'a Fleet,
    /// For each class, whether new pods may be bound there: false on cordoned nodes.
    schedulable: Vec<bool>,
    /// For each service, the zones with planned nodes that it is eligible for: the domains of its topology spread.
    domains: Vec<BTreeSet<usize>>,
    /// For each service, its pods in each zone on nodes it is eligible for.
    in_zone: Vec<Vec<u32>>,
    /// Positions of CPU and memory among the resources.
    scored: [usize; 2],
    nodes: Vec<Node>,
    /// For each service that pods arrive of, and each zone, the nodes that may take them.
    candidates: Vec<Vec<Candidates>>,
    /// Zones that a pod may go to, kept for its memory.
    zones: Vec<usize>,
}

/// A node.
#[derive(Clone)]
struct Node {
    class: usize,
    /// Service and how many pods, none of them 0.
    pods: Vec<(usize, u32)>,
    /// What is left of each requested dimension.
    free: Vec<u64>,
}

impl Node {
    fn empty(fleet: &Fleet, class: usize) -> Self {
        Self {
            class,
            pods: Vec::new(),
            free: fleet.classes[class].capacity[..fleet.requested_dimensions()].to_vec(),
        }
    }

    /// With the planned pods that are there already.
    fn with_staying(fleet: &Fleet, group: &Group) -> Self {
        let mut node = Self::empty(fleet, group.class);
        let now = &fleet.classes[group.class].now;
        for (s, (planned, now)) in group.pods.iter().zip(now).enumerate() {
            node.add(fleet, s, *planned.min(now));
        }
        node
    }

    fn add(&mut self, fleet: &Fleet, s: usize, more: u32) {
        if more == 0 {
            return;
        }
        match self.pods.iter_mut().find(|(other, _)| *other == s) {
            Some((_, pods)) => *pods += more,
            None => self.pods.push((s, more)),
        }
        for (free, one) in self.free.iter_mut().zip(&fleet.services[s].request) {
            *free = free.saturating_sub(one.saturating_mul(u64::from(more)));
        }
    }

    fn pods_of(&self, s: usize) -> u32 {
        let found = self.pods.iter().find(|(other, _)| *other == s);
        found.map_or(0, |(_, pods)| *pods)
    }
}

/// The nodes of a zone that may take a pod of a service, by a score that is theirs or above it.
#[derive(Clone, Default)]
struct Candidates {
    /// Nodes by ascending score.
    nodes: Vec<u32>,
    /// Where the nodes of each score begin, up to the highest of which there are any.
    begins: Vec<u32>,
}

impl Candidates {
    /// Nodes with their scores.
    fn new(mut scored: Vec<(usize, u32)>) -> Self {
        scored.sort_unstable();
        let Some((highest, _)) = scored.last() else {
            return Self::default();
        };
        let begins =
            (0..=*highest).map(|score| scored.partition_point(|(other, _)| *other < score));
        Self {
            begins: begins.map(|at| at as u32).collect(),
            nodes: scored.into_iter().map(|(_, node)| node).collect(),
        }
    }

    /// The highest score, of which there are nodes.
    fn best(&self) -> Option<usize> {
        self.begins.len().checked_sub(1)
    }

    /// The nodes of the highest score.
    fn of_best(&self) -> &[u32] {
        self.begins
            .last()
            .map_or(&[], |begin| &self.nodes[*begin as usize..])
    }

    /// Takes a node of the highest score down to the score it has now, or out.
    fn relegate(&mut self, at: usize, score: Option<usize>) {
        let Some(best) = self.best() else { return };
        let mut at = self.begins[best] as usize + at;
        match score {
            None => {
                self.nodes.swap_remove(at);
            }
            Some(score) => {
                for begin in self.begins[score + 1..].iter_mut().rev() {
                    // It becomes the first of those above, which then begin after it.
                    self.nodes.swap(at, *begin as usize);
                    at = *begin as usize;
                    *begin += 1;
                }
            }
        }
        let left = self.nodes.len();
        while self
            .begins
            .last()
            .is_some_and(|begin| *begin as usize == left)
        {
            self.begins.pop();
        }
    }
}

impl<'a> Nodes<'a> {
    /// The planned nodes with the pods that stay on them, for the services that more pods arrive of.
    pub(super) fn with_staying(
        fleet: &'a Fleet,
        placement: &Placement,
        arriving: &BTreeSet<usize>,
    ) -> Self {
        let services = fleet.services.len();
        let position = |name: &str| fleet.resources.iter().position(|r| r == name).unwrap_or(0);
        let mut all = Self {
            fleet,
            schedulable: schedulable(fleet),
            domains: vec![BTreeSet::new(); services],
            in_zone: vec![vec![0; fleet.zones.len()]; services],
            scored: [position("cpu"), position("memory")],
            nodes: Vec::new(),
            candidates: vec![Vec::new(); services],
            zones: Vec::new(),
        };
        let mut equal: Vec<(Node, Range<u32>)> = Vec::new();
        for group in placement.groups.iter().filter(|group| group.count > 0) {
            let node = Node::with_staying(fleet, group);
            let first = all.nodes.len() as u32;
            all.add(&node, group.count);
            equal.push((node, first..first + group.count));
        }
        for s in arriving {
            all.candidates[*s] = all.candidates_of(*s, &equal);
        }
        all
    }

    fn add(&mut self, node: &Node, count: u32) {
        let offering = self.fleet.offering_of(node.class);
        for (domains, eligible) in self.domains.iter_mut().zip(&offering.eligible) {
            if *eligible {
                domains.insert(offering.zone);
            }
        }
        for (s, pods) in &node.pods {
            if offering.eligible[*s] {
                self.in_zone[*s][offering.zone] += count * pods;
            }
        }
        self.nodes.extend((0..count).map(|_| node.clone()));
    }

    /// The nodes of each zone that may take a service's pod; equal ones stand together.
    fn candidates_of(&self, s: usize, equal: &[(Node, Range<u32>)]) -> Vec<Candidates> {
        let mut zones = vec![Vec::new(); self.fleet.zones.len()];
        for (node, indices) in equal {
            let offering = self.fleet.offering_of(node.class);
            let may_run = offering.eligible[s] && self.schedulable[node.class];
            if may_run && self.admits(node, s) {
                let score = self.score(node, s);
                zones[offering.zone].extend(indices.clone().map(|index| (score, index)));
            }
        }
        zones.into_iter().map(Candidates::new).collect()
    }

    /// Where the pods are, normalized.
    pub(super) fn placement(&self) -> Placement {
        let group = |node: &Node| {
            let mut pods = vec![0; self.fleet.services.len()];
            node.pods.iter().for_each(|(s, count)| pods[*s] = *count);
            Group {
                class: node.class,
                count: 1,
                pods,
            }
        };
        Placement {
            groups: self.nodes.iter().map(group).collect(),
        }
        .normalized()
    }

    /// Binds a pod to one of the best nodes that pass the filters; false when none does.
    pub(super) fn bind(&mut self, pod: Pod, rng: &mut ChaCha8Rng) -> bool {
        let fewest = self.fewest_in_a_domain(pod);
        let mut zones = mem::take(&mut self.zones);
        zones.clear();
        let may = |zone: &usize| self.zone_admits(pod, *zone, fewest);
        zones.extend((0..self.fleet.zones.len()).filter(may));
        let bound = self.bind_in(&zones, pod.service, rng);
        self.zones = zones;
        bound
    }

    fn bind_in(&mut self, zones: &[usize], s: usize, rng: &mut ChaCha8Rng) -> bool {
        while let Some((zone, at)) = drawn(&self.candidates[s], zones, rng) {
            let candidates = &self.candidates[s][zone];
            let index = candidates.of_best()[at] as usize;
            let node = &self.nodes[index];
            let mut score = Some(self.score(node, s));
            // Whether it has room is asked only where it would be taken: most nodes have become worse since they were last looked at.
            if score == candidates.best() && !self.admits(node, s) {
                score = None;
            }
            if score == candidates.best() {
                self.nodes[index].add(self.fleet, s, 1);
                self.in_zone[s][zone] += 1;
                return true;
            }
            self.candidates[s][zone].relegate(at, score);
        }
        false
    }

    /// The filters that a node which does not pass them never will.
    fn admits(&self, node: &Node, s: usize) -> bool {
        let service = &self.fleet.services[s];
        fits(&service.request, &node.free)
            && node.pods_of(s) < service.max_per_node
            && service
                .conflicts
                .iter()
                .all(|other| node.pods_of(*other) == 0)
    }

    /// The filters on zones: the pod's cluster, its volume's zone, and `PodTopologySpread`: pods in the zone, this one included, less the
    /// global minimum, is at most `max_skew`. `fewest` is [`Self::fewest_in_a_domain`] of the pod.
    fn zone_admits(&self, pod: Pod, zone: usize, fewest: u32) -> bool {
        let with_this = self.in_zone[pod.service][zone] + 1;
        let max_skew = self.fleet.services[pod.service].max_skew;
        self.fleet.zones[zone].cluster == pod.cluster
            && pod.volume_zone.is_none_or(|volume| volume == zone)
            && max_skew.is_none_or(|max_skew| with_this.saturating_sub(fewest) <= max_skew)
    }

    /// The global minimum over the domains of the pod's cluster; 0 while there are fewer than `minDomains`.
    fn fewest_in_a_domain(&self, pod: Pod) -> u32 {
        let here = |zone: &&usize| self.fleet.zones[**zone].cluster == pod.cluster;
        let domains = || self.domains[pod.service].iter().filter(here);
        if domains().count() < self.fleet.services[pod.service].min_zones as usize {
            return 0;
        }
        let counts = domains().map(|zone| self.in_zone[pod.service][*zone]);
        counts.min().unwrap_or(0)
    }

    /// `LeastAllocated`: the mean over CPU and memory of (allocatable − requested) · 100 / allocatable, each rounded down. What
    /// daemonsets and foreign pods request is allocatable less the class's capacity.
    fn score(&self, node: &Node, service: usize) -> usize {
        let allocatable = &self.fleet.offering_of(node.class).allocatable;
        let Service { request, .. } = &self.fleet.services[service];
        let (mut sum, mut weights) = (0, 0);
        for k in self.scored.into_iter().filter(|k| allocatable[*k] > 0) {
            sum += share(node.free[k].saturating_sub(request[k]), allocatable[k]);
            weights += 1;
        }
        sum.checked_div(weights).unwrap_or(0) as usize
    }

    /// How many pods of each kind an empty node of the class would take, one kind after another, with the spread as it is now; kinds by
    /// their place in the list, none of them with 0.
    pub(super) fn taken(&self, class: usize, waiting: &[(Pod, u32)]) -> Vec<(usize, u32)> {
        let offering = self.fleet.offering_of(class);
        let mut node = Node::empty(self.fleet, class);
        let mut taken = Vec::new();
        if !self.schedulable[class] {
            return taken;
        }
        for (at, (pod, left)) in waiting.iter().enumerate() {
            let (s, service) = (pod.service, &self.fleet.services[pod.service]);
            if offering.eligible[s]
                && self.zone_admits(*pod, offering.zone, self.fewest_in_a_domain(*pod))
                && self.admits(&node, s)
            {
                let most = (*left).min(service.max_per_node - node.pods_of(s));
                let pods = fitting(&service.request, &node.free).min(u64::from(most)) as u32;
                node.add(self.fleet, s, pods);
                taken.push((at, pods));
            }
        }
        taken
    }
}

/// One of the best nodes in some zones by their last scores: its zone, and its place among the best there. Each is as likely as the others.
fn drawn(
    candidates: &[Candidates],
    zones: &[usize],
    rng: &mut ChaCha8Rng,
) -> Option<(usize, usize)> {
    let best = |zone: &&usize| candidates[**zone].best();
    let highest = zones.iter().filter_map(|zone| best(&zone)).max()?;
    let highest = zones.iter().filter(|zone| best(zone) == Some(highest));
    let number = |zone: &usize| candidates[*zone].of_best().len();
    let mut at = rng.random_range(0..highest.clone().map(number).sum());
    for zone in highest {
        match at.checked_sub(number(zone)) {
            Some(rest) => at = rest,
            None => return Some((*zone, at)),
        }
    }
    None
}

/// The share of allocatable that is free, of [`MAX_NODE_SCORE`], rounded down.
fn share(free: u64, allocatable: u64) -> u64 {
    // A division of 128 bits takes many times as long, and this is what replays do most.
    match free.checked_mul(MAX_NODE_SCORE) {
        Some(scaled) => scaled / allocatable,
        None => {
            let scaled = u128::from(free) * u128::from(MAX_NODE_SCORE);
            u64::try_from(scaled / u128::from(allocatable)).unwrap_or(MAX_NODE_SCORE)
        }
    }
}

/// `NodeResourcesFit`: only what the pod requests is compared.
fn fits(request: &[u64], free: &[u64]) -> bool {
    request
        .iter()
        .zip(free)
        .all(|(request, free)| *request == 0 || request <= free)
}

/// How many pods fit, of those that request anything.
fn fitting(request: &[u64], free: &[u64]) -> u64 {
    let requested = request
        .iter()
        .zip(free)
        .filter(|(request, _)| **request > 0);
    let pods = requested.map(|(request, free)| free / request);
    pods.min().unwrap_or(u64::MAX)
}

/// For each class, whether its nodes take new pods.
pub(crate) fn schedulable(fleet: &Fleet) -> Vec<bool> {
    let nodes = || {
        fleet
            .problem
            .current
            .iter()
            .flat_map(|current| &current.nodes)
    };
    let cordoned: BTreeSet<&str> = nodes()
        .filter(|node| node.cordoned)
        .map(|node| node.name.as_str())
        .collect();
    let is_cordoned = |name: &String| cordoned.contains(name.as_str());
    fleet
        .classes
        .iter()
        .map(|class| !class.names.iter().any(is_cordoned))
        .collect()
}

#[cfg(test)]
mod tests;
