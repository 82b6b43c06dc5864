//! The nodes while pods are bound to them: filters and score.

use std::collections::BTreeSet;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::arrival::Pod;
use crate::fleet::{Fleet, Service};
use crate::placement::{Group, Placement};

/// The highest score of a node, `framework.MaxNodeScore` upstream.
const MAX_NODE_SCORE: u64 = 100;

/// Nodes with the pods bound so far. Equal nodes stand together, so that thousands of them cost no more than their distinct fillings.
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
    fillings: Vec<Filling>,
}

/// Equal nodes with equal pods.
#[derive(Clone)]
struct Filling {
    class: usize,
    count: u32,
    pods: Vec<u32>,
    /// What the pods of services request, one entry a requested dimension.
    requested: Vec<u64>,
}

impl<'a> Nodes<'a> {
    /// The planned nodes with the pods that stay on them.
    pub(super) fn with_staying(fleet: &'a Fleet, placement: &Placement) -> Self {
        let services = fleet.services.len();
        let position = |name: &str| fleet.resources.iter().position(|r| r == name).unwrap_or(0);
        let mut nodes = Self {
            fleet,
            schedulable: schedulable(fleet),
            domains: vec![BTreeSet::new(); services],
            in_zone: vec![vec![0; fleet.zones.len()]; services],
            scored: [position("cpu"), position("memory")],
            fillings: Vec::new(),
        };
        for group in placement.groups.iter().filter(|group| group.count > 0) {
            let now = &fleet.classes[group.class].now;
            let pods: Vec<u32> = group
                .pods
                .iter()
                .zip(now)
                .map(|(planned, now)| *planned.min(now))
                .collect();
            nodes.add(group.class, group.count, pods);
        }
        nodes
    }

    fn add(&mut self, class: usize, count: u32, pods: Vec<u32>) {
        let offering = self.fleet.offering_of(class);
        let mut requested = vec![0_u64; self.fleet.requested_dimensions()];
        for (s, service) in self.fleet.services.iter().enumerate() {
            let taken = service
                .request
                .iter()
                .map(|one| one.saturating_mul(u64::from(pods[s])));
            requested
                .iter_mut()
                .zip(taken)
                .for_each(|(sum, taken)| *sum = sum.saturating_add(taken));
            if offering.eligible[s] {
                self.domains[s].insert(offering.zone);
                self.in_zone[s][offering.zone] += count * pods[s];
            }
        }
        self.collect(Filling {
            class,
            count,
            pods,
            requested,
        });
    }

    /// Adds nodes to those that equal them.
    fn collect(&mut self, filling: Filling) {
        let alike =
            |other: &&mut Filling| other.class == filling.class && other.pods == filling.pods;
        match self.fillings.iter_mut().find(alike) {
            Some(other) => other.count += filling.count,
            None => self.fillings.push(filling),
        }
    }

    /// Where the pods are, normalized.
    pub(super) fn placement(&self) -> Placement {
        let group = |f: &Filling| Group {
            class: f.class,
            count: f.count,
            pods: f.pods.clone(),
        };
        Placement {
            groups: self.fillings.iter().map(group).collect(),
        }
        .normalized()
    }

    /// Binds a pod to one of the best nodes that pass the filters; false when none does.
    pub(super) fn bind(&mut self, pod: Pod, rng: &mut ChaCha8Rng) -> bool {
        let fewest = self.fewest_in_a_domain(pod);
        let mut best: Option<u64> = None;
        let mut winners: Vec<usize> = Vec::new();
        for (index, filling) in self.fillings.iter().enumerate() {
            if !self.admits(filling, pod, fewest) {
                continue;
            }
            let score = Some(self.score(filling, &self.fleet.services[pod.service]));
            if score > best {
                best = score;
                winners.clear();
            }
            if score == best {
                winners.push(index);
            }
        }
        let total: u32 = winners
            .iter()
            .map(|index| self.fillings[*index].count)
            .sum();
        if total == 0 {
            return false;
        }
        let mut drawn = rng.random_range(0..total);
        for index in winners {
            match drawn.checked_sub(self.fillings[index].count) {
                Some(rest) => drawn = rest,
                None => return self.bind_to(index, pod),
            }
        }
        false
    }

    fn bind_to(&mut self, index: usize, pod: Pod) -> bool {
        let mut filled = Filling {
            count: 1,
            ..self.fillings[index].clone()
        };
        filled.pods[pod.service] += 1;
        let request = &self.fleet.services[pod.service].request;
        filled
            .requested
            .iter_mut()
            .zip(request)
            .for_each(|(sum, one)| *sum = sum.saturating_add(*one));
        self.in_zone[pod.service][self.fleet.offering_of(filled.class).zone] += 1;
        self.fillings[index].count -= 1;
        if self.fillings[index].count == 0 {
            self.fillings.swap_remove(index);
        }
        self.collect(filled);
        true
    }

    /// All filters; `fewest` is [`Self::fewest_in_a_domain`] of the pod.
    fn admits(&self, filling: &Filling, pod: Pod, fewest: u32) -> bool {
        let service = &self.fleet.services[pod.service];
        fits(
            &filling.requested,
            &service.request,
            &self.fleet.classes[filling.class].capacity,
        ) && self.may_run(filling.class, pod)
            && filling.pods[pod.service] < service.max_per_node
            && service
                .conflicts
                .iter()
                .all(|other| filling.pods[*other] == 0)
            && self.spread_admits(pod, self.fleet.offering_of(filling.class).zone, fewest)
    }

    /// Cluster, selector, taints, architecture, cordon and the volume's zone.
    fn may_run(&self, class: usize, pod: Pod) -> bool {
        let offering = self.fleet.offering_of(class);
        offering.cluster == pod.cluster
            && offering.eligible[pod.service]
            && self.schedulable[class]
            && pod.volume_zone.is_none_or(|zone| zone == offering.zone)
    }

    /// `PodTopologySpread`: pods in the zone, this one included, less the global minimum, is at most `max_skew`.
    fn spread_admits(&self, pod: Pod, zone: usize, fewest: u32) -> bool {
        let with_this = self.in_zone[pod.service][zone] + 1;
        let max_skew = self.fleet.services[pod.service].max_skew;
        max_skew.is_none_or(|max_skew| with_this.saturating_sub(fewest) <= max_skew)
    }

    /// The global minimum over the domains of the pod's cluster; 0 while there are fewer than `minDomains`.
    fn fewest_in_a_domain(&self, pod: Pod) -> u32 {
        let here = |zone: &&usize| self.fleet.zones[**zone].cluster == pod.cluster;
        let domains = self.domains[pod.service].iter().filter(here);
        let counts: Vec<u32> = domains
            .map(|zone| self.in_zone[pod.service][*zone])
            .collect();
        if counts.len() < self.fleet.services[pod.service].min_zones as usize {
            return 0;
        }
        counts.into_iter().min().unwrap_or(0)
    }

    /// `LeastAllocated`: the mean over CPU and memory of (allocatable − requested) · 100 / allocatable, each rounded down. What
    /// daemonsets and foreign pods request is allocatable less the class's capacity.
    fn score(&self, filling: &Filling, service: &Service) -> u64 {
        let allocatable = &self.fleet.offering_of(filling.class).allocatable;
        let capacity = &self.fleet.classes[filling.class].capacity;
        let (mut sum, mut weights) = (0, 0);
        for k in self.scored.into_iter().filter(|k| allocatable[*k] > 0) {
            let free = capacity[k]
                .saturating_sub(filling.requested[k])
                .saturating_sub(service.request[k]);
            sum += share(free, allocatable[k]);
            weights += 1;
        }
        sum.checked_div(weights).unwrap_or(0)
    }

    /// How many of the pods an empty node of the class would take, one after another, with the spread as it is now.
    pub(super) fn hosted_by(&self, class: usize, pods: &[Pod]) -> u32 {
        let none = vec![0; self.fleet.services.len()];
        let mut node = Filling {
            class,
            count: 1,
            pods: none,
            requested: vec![0; self.fleet.requested_dimensions()],
        };
        let mut hosted = 0;
        for pod in pods {
            if self.admits(&node, *pod, self.fewest_in_a_domain(*pod)) {
                hosted += 1;
                node.pods[pod.service] += 1;
                let request = &self.fleet.services[pod.service].request;
                node.requested
                    .iter_mut()
                    .zip(request)
                    .for_each(|(sum, one)| *sum = sum.saturating_add(*one));
            }
        }
        hosted
    }
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
fn fits(requested: &[u64], request: &[u64], capacity: &[u64]) -> bool {
    requested
        .iter()
        .zip(request)
        .zip(capacity)
        .all(|((requested, request), capacity)| {
            *request == 0 || requested.saturating_add(*request) <= *capacity
        })
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
