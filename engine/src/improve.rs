//! Local search over placements: every accepted step brings the placement closer to feasible, or is as close and cheaper.

use std::collections::{BTreeMap, BTreeSet};

use crate::cost::cost;
use crate::feasibility::excess;
use crate::fleet::{Fleet, take};
use crate::limits::Meter;
use crate::placement::{Group, Placement};
use crate::scheduler;

/// Work units in which pods are shifted to please the scheduler, 25 a replay.
const SHIFT_WORK: u64 = 25_000;

/// Improves until no step helps or work runs out. A feasible placement stays feasible and gets no dearer.
pub fn improve(fleet: &Fleet, placement: Placement, meter: &Meter) -> Placement {
    let mut search = Search::new(fleet, placement, meter);
    while meter.goes_on() && search.step() {}
    Placement {
        groups: search.nodes,
    }
    .normalized()
}

/// The same for a placement that the stock scheduler realises; so it does the result.
pub fn improve_schedulable(fleet: &Fleet, placement: Placement, meter: &Meter) -> Placement {
    let mut search = Search {
        schedulable: true,
        ..Search::new(fleet, placement, meter)
    };
    while meter.goes_on() && search.step() {}
    Placement {
        groups: search.nodes,
    }
    .normalized()
}

/// Gives nodes back whose pods fit elsewhere and replaces nodes by cheaper ones, one at a time, as the stock tools consolidate.
pub fn consolidate(fleet: &Fleet, placement: Placement, meter: &Meter) -> Placement {
    let mut search = Search::new(fleet, placement, meter);
    while meter.goes_on() && (search.drop_nodes() || search.cheaper_nodes()) {}
    Placement {
        groups: search.nodes,
    }
    .normalized()
}

/// Changes a placement only until it is feasible; `None` when the search ends before that.
pub fn until_feasible(fleet: &Fleet, placement: Placement, meter: &Meter) -> Option<Placement> {
    let mut search = Search::new(fleet, placement, meter);
    while search.excess > 0.0 {
        if !meter.goes_on() || !search.step() {
            return None;
        }
    }
    Some(
        Placement {
            groups: search.nodes,
        }
        .normalized(),
    )
}

/// Shifts single pods between nodes until the stock scheduler leaves none pending in any order; `None` when that does not succeed.
pub fn until_schedulable(fleet: &Fleet, placement: Placement, meter: &Meter) -> Option<Placement> {
    let part = meter.part(SHIFT_WORK);
    let mut search = Search::new(fleet, placement, &part);
    let mut pending = search.pending(&search.nodes, None)?;
    while pending.total > 0 {
        pending = search.shift_for_scheduler(&pending)?;
    }
    Some(
        Placement {
            groups: search.nodes,
        }
        .normalized(),
    )
}

/// One group a node.
fn single(placement: Placement) -> Vec<Group> {
    let one = |group: Group| {
        (0..group.count).map(move |_| Group {
            count: 1,
            ..group.clone()
        })
    };
    placement.groups.into_iter().flat_map(one).collect()
}

/// Pods left pending, over all orders.
#[derive(Default)]
struct Pending {
    total: u32,
    /// Orders that left some.
    orders: BTreeSet<u64>,
    /// Pods by service.
    services: BTreeMap<usize, u32>,
}

struct Search<'a> {
    fleet: &'a Fleet,
    nodes: Vec<Group>,
    excess: f64,
    total: f64,
    /// Whether steps must also leave the stock scheduler able to place every pod.
    schedulable: bool,
    meter: &'a Meter<'a>,
}

impl<'a> Search<'a> {
    fn new(fleet: &'a Fleet, placement: Placement, meter: &'a Meter) -> Self {
        let (excess, total) = (
            excess(fleet, &placement),
            cost(fleet, &placement).total_usd_per_hour,
        );
        Self {
            fleet,
            nodes: single(placement),
            excess,
            total,
            schedulable: false,
            meter,
        }
    }

    fn step(&mut self) -> bool {
        self.drop_nodes()
            || self.cheaper_nodes()
            || self.fewer_replicas()
            || self.merge_nodes()
            || (self.excess > 0.0 && self.shift_pods())
    }

    /// Takes over the candidate when it is closer to feasible, or as close and cheaper.
    fn accept(&mut self, nodes: Vec<Group>) -> bool {
        self.meter.spend(20);
        let candidate = Placement { groups: nodes };
        let total = cost(self.fleet, &candidate).total_usd_per_hour;
        if self.excess <= 0.0 && total >= self.total - 1e-9 {
            return false;
        }
        let excess = excess(self.fleet, &candidate);
        let better =
            excess < self.excess - 1e-9 || (excess <= self.excess && total < self.total - 1e-9);
        let better = better && (!self.schedulable || self.is_schedulable(&candidate));
        if better {
            (self.nodes, self.excess, self.total) = (candidate.groups, excess, total);
        }
        better
    }

    fn is_schedulable(&self, candidate: &Placement) -> bool {
        self.meter.spend(500);
        let placement = candidate.clone().normalized();
        (0..scheduler::ORDERS).all(|seed| {
            scheduler::replay(self.fleet, &placement, seed)
                .pending
                .is_empty()
        })
    }

    /// What the scheduler leaves pending on these nodes; `None` as soon as it is not fewer than before.
    fn pending(&self, nodes: &[Group], before: Option<&Pending>) -> Option<Pending> {
        let placement = Placement {
            groups: nodes.to_vec(),
        }
        .normalized();
        let mut orders: Vec<u64> = (0..scheduler::ORDERS).collect();
        if let Some(before) = before {
            orders.sort_by_key(|order| !before.orders.contains(order));
        }
        let mut pending = Pending::default();
        for order in orders {
            self.meter.spend(25);
            for (service, pods) in scheduler::replay(self.fleet, &placement, order).pending {
                pending.total += pods;
                pending.orders.insert(order);
                *pending.services.entry(service).or_insert(0) += pods;
            }
            if before.is_some_and(|before| pending.total >= before.total) {
                return None;
            }
        }
        Some(pending)
    }

    /// Moves one pod to a node of another cell, or takes one off, so that fewer are left pending; the first such change, pods of the
    /// services that wait most often first.
    fn shift_for_scheduler(&mut self, before: &Pending) -> Option<Pending> {
        let replicas = self.replicas();
        let mut services: Vec<usize> = (0..replicas.len()).collect();
        services.sort_by_key(|s| std::cmp::Reverse(before.services.get(s).copied().unwrap_or(0)));
        for s in services {
            for from in 0..self.nodes.len() {
                let cell = |i: usize| self.fleet.offering_of(self.nodes[i].class).cell;
                let elsewhere = (0..self.nodes.len()).filter(|to| cell(*to) != cell(from));
                for to in elsewhere.map(Some).chain([None]).collect::<Vec<_>>() {
                    if !self.meter.goes_on() {
                        return None;
                    }
                    if let Some(pending) = self.shift(s, from, to, &replicas, before) {
                        return Some(pending);
                    }
                }
            }
        }
        None
    }

    /// Moves one pod, or takes it off, if that is feasible and leaves fewer pending than before.
    fn shift(
        &mut self,
        s: usize,
        from: usize,
        to: Option<usize>,
        replicas: &[u32],
        before: &Pending,
    ) -> Option<Pending> {
        let has_room = |to: usize| self.has_room(&self.nodes[to], s, replicas);
        if self.nodes[from].pods[s] == 0 || !to.is_none_or(has_room) {
            return None;
        }
        let mut nodes = self.nodes.clone();
        nodes[from].pods[s] -= 1;
        to.iter().for_each(|to| nodes[*to].pods[s] += 1);
        let placement = Placement { groups: nodes };
        if excess(self.fleet, &placement) > 0.0 {
            return None;
        }
        let pending = self.pending(&placement.groups, Some(before))?;
        self.nodes = placement.groups;
        Some(pending)
    }

    /// Moves one pod to another node.
    fn shift_pods(&mut self) -> bool {
        let replicas = self.replicas();
        for from in 0..self.nodes.len() {
            for s in (0..replicas.len())
                .filter(|s| self.nodes[from].pods[*s] > 0)
                .collect::<Vec<_>>()
            {
                for to in 0..self.nodes.len() {
                    if from == to
                        || !self.meter.goes_on()
                        || !self.has_room(&self.nodes[to], s, &replicas)
                    {
                        continue;
                    }
                    let mut nodes = self.nodes.clone();
                    nodes[from].pods[s] -= 1;
                    nodes[to].pods[s] += 1;
                    if self.accept(nodes) {
                        return true;
                    }
                }
            }
        }
        false
    }

    fn price(&self, class: usize) -> f64 {
        self.fleet.offering_of(class).usd_per_hour
    }

    /// Gives a node back and spreads its pods over the others, dearest for its pods first.
    fn drop_nodes(&mut self) -> bool {
        let mut order: Vec<usize> = (0..self.nodes.len())
            .filter(|i| !self.fleet.classes[self.nodes[*i].class].kept)
            .collect();
        let per_pod = |i: &usize| {
            self.price(self.nodes[*i].class)
                / (1.0 + f64::from(self.nodes[*i].pods.iter().sum::<u32>()))
        };
        order.sort_by(|a, b| per_pod(b).total_cmp(&per_pod(a)));
        for index in order {
            if !self.meter.goes_on() {
                return false;
            }
            let dropped = self.nodes[index].clone();
            let mut rest = self.nodes.clone();
            rest.remove(index);
            let cell = self.fleet.offering_of(dropped.class).cell;
            for same_cell in [true, false] {
                let here = |class: usize| !same_cell || self.fleet.offering_of(class).cell == cell;
                if let Some(nodes) = self.absorb(rest.clone(), &dropped.pods, &here)
                    && self.accept(nodes)
                {
                    return true;
                }
            }
        }
        false
    }

    /// First fit of pods into nodes of the classes allowed, the fullest node first.
    fn absorb(
        &self,
        mut nodes: Vec<Group>,
        pods: &[u32],
        allowed: &dyn Fn(usize) -> bool,
    ) -> Option<Vec<Group>> {
        let replicas = self.replicas();
        let mut order: Vec<usize> = (0..nodes.len())
            .filter(|i| allowed(nodes[*i].class))
            .collect();
        order.sort_by_key(|i| std::cmp::Reverse(nodes[*i].pods.iter().sum::<u32>()));
        let mut services: Vec<usize> = (0..pods.len()).filter(|s| pods[*s] > 0).collect();
        services.sort_by_key(|s| std::cmp::Reverse(self.fleet.services[*s].request[0]));
        for s in services {
            for _ in 0..pods[s] {
                let target = order
                    .iter()
                    .find(|i| self.has_room(&nodes[**i], s, &replicas))?;
                nodes[*target].pods[s] += 1;
            }
        }
        Some(nodes)
    }

    fn replicas(&self) -> Vec<u32> {
        let services = 0..self.fleet.services.len();
        services
            .map(|s| self.nodes.iter().map(|node| node.pods[s]).sum())
            .collect()
    }

    fn has_room(&self, node: &Group, s: usize, replicas: &[u32]) -> bool {
        let (class, service) = (&self.fleet.classes[node.class], &self.fleet.services[s]);
        if node.pods[s] >= class.most[s].min(service.node_limit(replicas[s]))
            || service.conflicts.iter().any(|other| node.pods[*other] > 0)
        {
            return false;
        }
        let size = |s: usize| self.fleet.services[s].pod_size(replicas[s]);
        class
            .room_beside(&node.pods, size)
            .is_some_and(|mut room| take(&mut room, &size(s), 1).is_some())
    }

    /// Replaces a node by a cheaper one: an existing one that is unused, or a new one.
    fn cheaper_nodes(&mut self) -> bool {
        for index in 0..self.nodes.len() {
            let class = self.nodes[index].class;
            if self.fleet.classes[class].kept {
                continue;
            }
            for other in self.cheaper_classes(self.price(class), class) {
                if !self.meter.goes_on() {
                    return false;
                }
                let mut nodes = self.nodes.clone();
                nodes[index].class = other;
                if self.accept(nodes) {
                    return true;
                }
            }
        }
        false
    }

    /// Classes whose nodes cost at most as much, cheapest first, where one more may be used.
    fn cheaper_classes(&self, price: f64, except: usize) -> Vec<usize> {
        let used = |class: usize| self.nodes.iter().filter(|node| node.class == class).count();
        let free = |class: &usize| {
            self.fleet.classes[*class]
                .count()
                .is_none_or(|count| used(*class) < count as usize)
        };
        let mut classes: Vec<usize> = (0..self.fleet.classes.len())
            .filter(|class| *class != except && self.price(*class) <= price && free(class))
            .collect();
        classes.sort_by(|a, b| self.price(*a).total_cmp(&self.price(*b)));
        classes
    }

    /// Takes one replica away where fewer are admissible, from the node with the fewest pods.
    fn fewer_replicas(&mut self) -> bool {
        let replicas = self.replicas();
        for s in (0..replicas.len())
            .filter(|s| replicas[*s] > 0 && self.fleet.services[*s].is_admissible(replicas[*s] - 1))
        {
            let mut with: Vec<usize> = (0..self.nodes.len())
                .filter(|i| self.nodes[*i].pods[s] > 0)
                .collect();
            with.sort_by_key(|i| self.nodes[*i].pods.iter().sum::<u32>());
            for index in with {
                let mut nodes = self.nodes.clone();
                nodes[index].pods[s] -= 1;
                if self.meter.goes_on() && self.accept(nodes) {
                    return true;
                }
            }
        }
        false
    }

    /// Replaces two nodes of a cell by one cheaper than both.
    fn merge_nodes(&mut self) -> bool {
        for first in 0..self.nodes.len() {
            for second in first + 1..self.nodes.len() {
                let (a, b) = (self.nodes[first].class, self.nodes[second].class);
                let cell = self.fleet.offering_of(a).cell;
                let fixed = self.fleet.classes[a].kept || self.fleet.classes[b].kept;
                if fixed || cell != self.fleet.offering_of(b).cell {
                    continue;
                }
                let price = self.price(a) + self.price(b);
                for class in self
                    .cheaper_classes(price, usize::MAX)
                    .into_iter()
                    .filter(|c| self.fleet.offering_of(*c).cell == cell)
                {
                    let pods: Vec<u32> = self.nodes[first]
                        .pods
                        .iter()
                        .zip(&self.nodes[second].pods)
                        .map(|(x, y)| x + y)
                        .collect();
                    if !self.meter.goes_on() {
                        return false;
                    }
                    if !self.holds(class, &pods) {
                        continue;
                    }
                    let mut nodes = self.nodes.clone();
                    nodes[first] = Group {
                        class,
                        count: 1,
                        pods,
                    };
                    nodes.remove(second);
                    if self.accept(nodes) {
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Whether the pods fit a node of the class by size.
    fn holds(&self, class: usize, pods: &[u32]) -> bool {
        let replicas = self.replicas();
        let size = |s: usize| self.fleet.services[s].pod_size(replicas[s]);
        self.fleet.classes[class].room_beside(pods, size).is_some()
    }
}
