//! The nodes while pods are bound to them: filters and score.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::arrival::Pod;
use super::ranking::Ranking;
use crate::fleet::Fleet;
use crate::placement::{Group, Placement};

/// Nodes with the pods bound so far.
///
/// What is free of a node bounds its score for any service from above, and the score is at most one less. So the nodes of each offering
/// are kept by that, for all services alike, and a pod looks only at nodes that it draws from those that may be the best, once where
/// several are equal: it costs a few looks and a step for each offering, however many nodes and services there are.
#[derive(Clone)]
pub(super) struct Nodes<'a> {
    fleet: &'a Fleet,
    /// For each service, the zones with planned nodes that it is eligible for: the domains of its topology spread.
    domains: Arc<Vec<BTreeSet<usize>>>,
    /// For each service that pods arrive of, the rankings that it is eligible for.
    eligible: Arc<Vec<Vec<Eligible>>>,
    /// Pods in each zone on nodes that their service is eligible for, one row a service.
    in_zone: Vec<u32>,
    nodes: Vec<Node>,
    /// The nodes that new pods may be bound to, for each offering that has any.
    rankings: Vec<Ranking>,
    /// Whether all nodes of a ranking were seen to have no room for a service, as they never will again; one row a service.
    full: Vec<bool>,
}

/// A ranking whose nodes may take pods of a service.
#[derive(Clone, Copy)]
struct Eligible {
    ranking: usize,
    /// What a pod takes of a node's points, rounded down.
    points: usize,
}

/// Equal nodes, by what of them is free, of which the first few may still be the ones for a pod.
#[derive(Clone, Copy)]
struct Run {
    ranking: usize,
    points: usize,
    kind: usize,
    nodes: usize,
    /// Whether their score is known to be the one that is looked for; otherwise it is that or one less.
    known: bool,
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

impl<'a> Nodes<'a> {
    /// The planned nodes with the pods that stay on them, for the services that more pods arrive of.
    pub(super) fn with_staying(
        fleet: &'a Fleet,
        placement: &Placement,
        arriving: &BTreeSet<usize>,
    ) -> Self {
        let schedulable = schedulable(fleet);
        let (mut nodes, mut rankings) = (Vec::new(), BTreeMap::new());
        let mut in_zone = vec![0; fleet.services.len() * fleet.zones.len()];
        for group in placement.groups.iter().filter(|group| group.count > 0) {
            let node = Node::with_staying(fleet, group);
            let offering = fleet.offering_of(node.class);
            for (s, pods) in node.pods.iter().filter(|(s, _)| offering.eligible[*s]) {
                in_zone[*s * fleet.zones.len() + offering.zone] += group.count * pods;
            }
            let first = nodes.len() as u32;
            if schedulable[node.class] {
                let offering = fleet.classes[node.class].offering;
                rankings
                    .entry(offering)
                    .or_insert_with(|| Ranking::new(fleet, offering))
                    .add(first..first + group.count, &node.free);
            }
            nodes.extend((0..group.count).map(|_| node.clone()));
        }
        let rankings: Vec<Ranking> = rankings.into_values().collect();
        let mut eligible = vec![Vec::new(); fleet.services.len()];
        for s in arriving {
            eligible[*s] = eligible_for(fleet, &rankings, *s);
        }
        Self {
            fleet,
            domains: Arc::new(domains(fleet, placement)),
            eligible: Arc::new(eligible),
            in_zone,
            nodes,
            full: vec![false; fleet.services.len() * rankings.len()],
            rankings,
        }
    }

    /// Offerings of the nodes that new pods may be bound to.
    pub(super) fn offerings(&self) -> usize {
        self.rankings.len()
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
        let Some((run, index)) = self.best(pod, rng) else {
            return false;
        };
        let node = &mut self.nodes[index as usize];
        node.add(self.fleet, pod.service, 1);
        let ranking = &mut self.rankings[run.ranking];
        ranking.take(run.points, run.kind, index);
        ranking.add(index..index + 1, &node.free);
        self.in_zone[pod.service * self.fleet.zones.len() + ranking.zone] += 1;
        true
    }

    /// One of the best nodes that pass the filters, each as likely as the others: scores are gone through from the highest that a node
    /// can have.
    fn best(&mut self, pod: Pod, rng: &mut ChaCha8Rng) -> Option<(Run, u32)> {
        let fewest = self.fewest_in_a_domain(pod);
        let zones = 0..self.fleet.zones.len();
        let admits: Vec<bool> = zones
            .map(|zone| self.zone_admits(pod, zone, fewest))
            .collect();
        let row = pod.service * self.rankings.len();
        let may_have_room = |one: &&Eligible| {
            !self.full[row + one.ranking] && admits[self.rankings[one.ranking].zone]
        };
        let eligible = self.eligible[pod.service].iter().filter(may_have_room);
        let eligible: Vec<Eligible> = eligible.copied().collect();
        let highest = |one: &Eligible| self.rankings[one.ranking].highest_score(one.points);
        let highest = eligible.iter().filter_map(highest).max();
        let (mut runs, mut lower) = (Vec::new(), Vec::new());
        for score in (0..=highest.unwrap_or(0)).rev() {
            for one in &eligible {
                runs.extend(self.runs(*one, score));
            }
            let drawn = self.drawn(pod.service, score, &mut runs, &mut lower, rng);
            if drawn.is_some() {
                return drawn;
            }
            runs.append(&mut lower);
        }
        for one in eligible {
            self.full[row + one.ranking] = true;
        }
        None
    }

    /// Nodes whose score for a pod may be this one, or one less.
    fn runs(&self, one: Eligible, score: usize) -> impl Iterator<Item = Run> {
        let scored = self.rankings[one.ranking].scored(one.points, score);
        scored.map(move |(points, kind, nodes)| Run {
            ranking: one.ranking,
            points,
            kind,
            nodes,
            known: false,
        })
    }

    /// A node with room drawn from those of the runs that have a score. Those with one less are put into `lower`; no runs are left
    /// unless a node is found.
    fn drawn(
        &mut self,
        s: usize,
        score: usize,
        runs: &mut Vec<Run>,
        lower: &mut Vec<Run>,
        rng: &mut ChaCha8Rng,
    ) -> Option<(Run, u32)> {
        let mut left: usize = runs.iter().map(|run| run.nodes).sum();
        while left > 0 {
            let mut at = rng.random_range(0..left);
            let holds = |run: &Run| {
                let is_beyond = at >= run.nodes;
                at -= if is_beyond { run.nodes } else { 0 };
                !is_beyond
            };
            let drawn = runs.iter().position(holds)?;
            let run = &mut runs[drawn];
            let ranking = &mut self.rankings[run.ranking];
            if !run.known
                && ranking.score(run.points, run.kind, &self.fleet.services[s].request) < score
            {
                left -= run.nodes;
                lower.push(Run {
                    known: true,
                    ..*run
                });
                runs.swap_remove(drawn);
                continue;
            }
            run.known = true;
            run.nodes -= 1;
            left -= 1;
            let node = ranking.swap(run.points, run.kind, at, run.nodes);
            if self.admits(&self.nodes[node as usize], s) {
                return Some((*run, node));
            }
        }
        runs.clear();
        None
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
        let with_this = self.pods_in(pod.service, zone) + 1;
        let max_skew = self.fleet.services[pod.service].max_skew;
        self.fleet.zones[zone].cluster == pod.cluster
            && pod.volume_zone.is_none_or(|volume| volume == zone)
            && max_skew.is_none_or(|max_skew| with_this.saturating_sub(fewest) <= max_skew)
    }

    /// Pods of a service in a zone, on nodes it is eligible for.
    fn pods_in(&self, s: usize, zone: usize) -> u32 {
        self.in_zone[s * self.fleet.zones.len() + zone]
    }

    /// The global minimum over the domains of the pod's cluster; 0 while there are fewer than `minDomains`.
    fn fewest_in_a_domain(&self, pod: Pod) -> u32 {
        let here = |zone: &&usize| self.fleet.zones[**zone].cluster == pod.cluster;
        let domains = || self.domains[pod.service].iter().filter(here);
        if domains().count() < self.fleet.services[pod.service].min_zones as usize {
            return 0;
        }
        let counts = domains().map(|zone| self.pods_in(pod.service, *zone));
        counts.min().unwrap_or(0)
    }

    /// How many pods of each kind an empty node of the class would take if it is not cordoned, one kind after another, with the spread as it
    /// is now; kinds by their place in the list, none of them with 0.
    pub(super) fn taken(&self, class: usize, waiting: &[(Pod, u32)]) -> Vec<(usize, u32)> {
        let offering = self.fleet.offering_of(class);
        let mut node = Node::empty(self.fleet, class);
        let mut taken = Vec::new();
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

/// The rankings that a service is eligible for.
fn eligible_for(fleet: &Fleet, rankings: &[Ranking], s: usize) -> Vec<Eligible> {
    let rankings = rankings.iter().enumerate();
    rankings
        .filter(|(_, ranking)| fleet.offerings[ranking.offering].eligible[s])
        .map(|(index, ranking)| Eligible {
            ranking: index,
            points: ranking.points(&fleet.services[s].request),
        })
        .collect()
}

/// For each service, the zones with nodes that it is eligible for.
fn domains(fleet: &Fleet, placement: &Placement) -> Vec<BTreeSet<usize>> {
    let mut domains = vec![BTreeSet::new(); fleet.services.len()];
    let nodes = placement.nodes(fleet);
    let planned = fleet.offerings.iter().zip(nodes).filter(|(_, n)| *n > 0);
    for (offering, _) in planned {
        for (domains, eligible) in domains.iter_mut().zip(&offering.eligible) {
            if *eligible {
                domains.insert(offering.zone);
            }
        }
    }
    domains
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
