//! Local search over placements: every accepted step brings the placement closer to feasible, or is as close and cheaper.

use std::collections::{BTreeMap, BTreeSet};

use crate::fleet::Fleet;
use crate::limits::Meter;
use crate::placement::Placement;
use crate::scheduler::{self, Queue};
use crate::standing::{Change, Node, Standing};

/// Work units in which pods are shifted to please the scheduler.
const SHIFT_WORK: u64 = 25_000;

/// Pods pending in one order beyond which that is not tried: a shift places about one.
const MOST_SHIFTS: u32 = 12;

/// Improves until no step helps or work runs out. A feasible placement stays feasible and gets no dearer.
pub fn improve(fleet: &Fleet, placement: Placement, meter: &Meter) -> Placement {
    let mut search = Search::new(fleet, &placement, Aim::Cheap, meter);
    while search.goes_on() && search.step() {}
    search.standing.placement()
}

/// The same for a placement that the stock scheduler realises; so it does the result.
pub fn improve_schedulable(fleet: &Fleet, placement: Placement, meter: &Meter) -> Placement {
    let mut search = Search::new(fleet, &placement, Aim::CheapAndSchedulable, meter);
    while search.goes_on() && search.step() {}
    search.standing.placement()
}

/// Gives nodes back whose pods fit elsewhere and replaces nodes by cheaper ones, one at a time, as the stock tools consolidate.
pub fn consolidate(fleet: &Fleet, placement: Placement, meter: &Meter) -> Placement {
    let mut search = Search::new(fleet, &placement, Aim::Cheap, meter);
    while search.goes_on() && (search.drop_nodes() || search.cheaper_nodes()) {}
    search.standing.placement()
}

/// Changes a placement only until it is feasible; `None` when the search ends before that.
pub fn until_feasible(fleet: &Fleet, placement: Placement, meter: &Meter) -> Option<Placement> {
    let mut search = Search::new(fleet, &placement, Aim::Feasible, meter);
    while search.goes_on() && search.step() {}
    (search.standing.excess() <= 0.0).then(|| search.standing.placement())
}

/// Shifts single pods between nodes until the stock scheduler leaves none pending in any order; `None` when that does not succeed.
pub fn until_schedulable(fleet: &Fleet, placement: Placement, meter: &Meter) -> Option<Placement> {
    let queue = Queue::new(fleet, &placement);
    meter.spend(queue.work());
    let waiting: u32 = queue.pending(0).iter().map(|(_, pods)| pods).sum();
    if waiting > MOST_SHIFTS {
        return None;
    }
    let part = meter.part(SHIFT_WORK);
    let mut search = Search::new(fleet, &placement, Aim::Cheap, &part);
    let mut pending = search.pending(None)?;
    while pending.total > 0 {
        pending = search.shift_for_scheduler(&pending)?;
    }
    Some(search.standing.placement())
}

/// What a search is after.
#[derive(Clone, Copy, PartialEq)]
enum Aim {
    /// It ends as soon as the placement is feasible.
    Feasible,
    Cheap,
    /// Steps must also leave the stock scheduler able to place every pod.
    CheapAndSchedulable,
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
    standing: Standing<'a>,
    aim: Aim,
    /// Classes, cheapest first.
    by_price: Vec<usize>,
    /// The same by cell.
    by_cell: Vec<Vec<usize>>,
    /// The order of arrival that last left a pod pending.
    failed_order: u64,
    meter: &'a Meter<'a>,
}

impl<'a> Search<'a> {
    fn new(fleet: &'a Fleet, placement: &Placement, aim: Aim, meter: &'a Meter) -> Self {
        let price = |class: &usize| fleet.offering_of(*class).usd_per_hour;
        let mut by_price: Vec<usize> = (0..fleet.classes.len()).collect();
        by_price.sort_by(|a, b| price(a).total_cmp(&price(b)));
        let mut by_cell = vec![Vec::new(); 2 * fleet.zones.len()];
        for class in &by_price {
            by_cell[fleet.offering_of(*class).cell].push(*class);
        }
        Self {
            fleet,
            standing: Standing::new(fleet, placement),
            aim,
            by_cell,
            by_price,
            failed_order: 0,
            meter,
        }
    }

    fn goes_on(&self) -> bool {
        let is_done = self.aim == Aim::Feasible && self.standing.excess() <= 0.0;
        !is_done && self.meter.goes_on()
    }

    fn step(&mut self) -> bool {
        self.drop_nodes()
            || self.cheaper_nodes()
            || self.fewer_replicas()
            || self.merge_nodes()
            || (self.standing.excess() > 0.0 && self.shift_pods())
    }

    /// Makes a change when it brings the placement closer to feasible, or leaves it as close and makes it cheaper.
    fn accept(&mut self, change: Change) -> bool {
        self.meter.spend(1 + change.len() as u64);
        let (before, total) = (self.standing.excess(), self.standing.total());
        let undo = self.standing.apply(change);
        let excess = self.standing.excess();
        let closer = excess < before - 1e-9;
        let cheaper = excess <= before && self.standing.total() < total - 1e-9;
        let accepted =
            (closer || cheaper) && (self.aim != Aim::CheapAndSchedulable || self.is_schedulable());
        if accepted {
            self.standing.keep();
        } else {
            self.standing.revert(undo);
        }
        accepted
    }

    /// Whether no order leaves a pod pending; the one that did last is tried first.
    fn is_schedulable(&mut self) -> bool {
        let placement = self.standing.placement();
        let first = self.failed_order;
        let orders = std::iter::once(first).chain((0..scheduler::ORDERS).filter(|o| *o != first));
        let queue = Queue::new(self.fleet, &placement);
        for order in orders {
            self.meter.spend(queue.work());
            if !queue.pending(order).is_empty() {
                self.failed_order = order;
                return false;
            }
        }
        true
    }

    /// What the scheduler leaves pending; `None` as soon as it is not fewer than before.
    fn pending(&self, before: Option<&Pending>) -> Option<Pending> {
        let placement = self.standing.placement();
        let mut orders: Vec<u64> = (0..scheduler::ORDERS).collect();
        if let Some(before) = before {
            orders.sort_by_key(|order| !before.orders.contains(order));
        }
        let queue = Queue::new(self.fleet, &placement);
        let mut pending = Pending::default();
        for order in orders {
            self.meter.spend(queue.work());
            for (service, pods) in queue.pending(order) {
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
        let mut services: Vec<usize> = (0..self.fleet.services.len()).collect();
        services.sort_by_key(|s| std::cmp::Reverse(before.services.get(s).copied().unwrap_or(0)));
        let indices = self.indices(|_| true);
        for s in services {
            for from in &indices {
                let elsewhere = indices
                    .iter()
                    .filter(|to| self.cell(**to) != self.cell(*from));
                let targets: Vec<_> = elsewhere.copied().map(Some).chain([None]).collect();
                for to in targets {
                    if !self.meter.goes_on() {
                        return None;
                    }
                    if let Some(pending) = self.shift(s, *from, to, before) {
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
        before: &Pending,
    ) -> Option<Pending> {
        let change = self.one_moved(s, from, to)?;
        self.meter.spend(2);
        let undo = self.standing.apply(change);
        let pending = if self.standing.excess() > 0.0 {
            None
        } else {
            self.pending(Some(before))
        };
        match &pending {
            Some(_) => self.standing.keep(),
            None => self.standing.revert(undo),
        }
        pending
    }

    /// The change that moves one pod to a node with room for it, or takes it off.
    fn one_moved(&self, s: usize, from: usize, to: Option<usize>) -> Option<Change> {
        let source = self
            .standing
            .node(from)
            .filter(|node| node.pods_of(s) > 0)?;
        let mut change = vec![(from, Some(source.without_one(s)))];
        if let Some(to) = to {
            let target = self.standing.node(to)?;
            if !self.standing.has_room(target, self.standing.taken(to), s) {
                return None;
            }
            change.push((to, Some(target.with(s, 1))));
        }
        Some(change)
    }

    /// Moves pods, one at a time, that have part in what is broken.
    fn shift_pods(&mut self) -> bool {
        let mut shifted = false;
        let indices = self.indices(|_| true);
        for from in &indices {
            let Some(node) = self.standing.node(*from) else {
                continue;
            };
            let services: Vec<usize> = node.pods.iter().map(|(s, _)| *s).collect();
            for s in services {
                for to in indices.iter().filter(|to| *to != from) {
                    if !self.goes_on() {
                        return shifted;
                    }
                    if !self.standing.is_suspect(*from, s) {
                        break;
                    }
                    if let Some(change) = self.one_moved(s, *from, Some(*to))
                        && self.accept(change)
                    {
                        shifted = true;
                        break;
                    }
                }
            }
        }
        shifted
    }

    fn price(&self, class: usize) -> f64 {
        self.fleet.offering_of(class).usd_per_hour
    }

    /// Cell of the node at an index.
    fn cell(&self, index: usize) -> Option<usize> {
        let node = self.standing.node(index)?;
        Some(self.fleet.offering_of(node.class).cell)
    }

    /// Indices of nodes, ascending.
    fn indices(&self, which: impl Fn(&Node) -> bool) -> Vec<usize> {
        let nodes = self.standing.nodes().filter(|(_, node)| which(node));
        nodes.map(|(index, _)| index).collect()
    }

    /// Indices of nodes that may be given back, ascending.
    fn movable(&self) -> Vec<usize> {
        self.indices(|node| !self.fleet.classes[node.class].kept)
    }

    /// Gives nodes back and spreads their pods over the others, dearest for its pods first.
    fn drop_nodes(&mut self) -> bool {
        let per_pod = |index: &usize| {
            let node = self.standing.node(*index);
            node.map_or(0.0, |node| {
                self.price(node.class) / (1.0 + f64::from(node.count()))
            })
        };
        let mut order = self.movable();
        order.sort_by(|a, b| per_pod(b).total_cmp(&per_pod(a)));
        let pods = |index: &usize| self.standing.node(*index).map_or(0, Node::count);
        let mut fullest = self.indices(|_| true);
        fullest.sort_by_key(|index| std::cmp::Reverse(pods(index)));
        let mut dropped = false;
        for index in order {
            let cell = self.cell(index);
            for same_cell in [true, false] {
                if !self.goes_on() {
                    return dropped;
                }
                let targets = fullest
                    .iter()
                    .copied()
                    .filter(|to| *to != index && (!same_cell || self.cell(*to) == cell));
                if let Some(change) = self.absorbed(index, targets)
                    && self.accept(change)
                {
                    dropped = true;
                    break;
                }
            }
        }
        dropped
    }

    /// The change that gives a node back and puts its pods onto others by first fit, larger requests first.
    fn absorbed(
        &self,
        index: usize,
        targets: impl Iterator<Item = usize> + Clone,
    ) -> Option<Change> {
        let mut pods = self.standing.node(index)?.pods.clone();
        pods.sort_by_key(|(s, _)| std::cmp::Reverse(self.fleet.services[*s].request[0]));
        let mut changed: BTreeMap<usize, (Node, Vec<u64>)> = BTreeMap::new();
        for (s, mut left) in pods {
            for to in targets.clone() {
                let (Some(node), taken) = (self.standing.node(to), self.standing.taken(to)) else {
                    continue;
                };
                loop {
                    let (node, taken) = match changed.get(&to) {
                        Some((node, taken)) => (node, taken.as_slice()),
                        None => (node, taken),
                    };
                    if left == 0 || !self.standing.has_room(node, taken, s) {
                        break;
                    }
                    let sizes = taken.iter().zip(self.standing.size(s));
                    let taken = sizes.map(|(taken, size)| taken.saturating_add(*size));
                    changed.insert(to, (node.with(s, 1), taken.collect()));
                    left -= 1;
                }
                if left == 0 {
                    break;
                }
            }
            self.meter.spend(1);
            if left > 0 {
                return None;
            }
        }
        let changed = changed.into_iter().map(|(to, (node, _))| (to, Some(node)));
        Some(changed.chain([(index, None)]).collect())
    }

    /// Replaces nodes by cheaper ones: existing ones that are unused, or new ones.
    fn cheaper_nodes(&mut self) -> bool {
        let mut replaced = false;
        for index in self.movable() {
            let Some(node) = self.standing.node(index).cloned() else {
                continue;
            };
            for at in 0..self.by_price.len() {
                let class = self.by_price[at];
                if self.price(class) > self.price(node.class) {
                    break;
                }
                if class == node.class || !self.may_hold(class, index) {
                    continue;
                }
                if !self.goes_on() {
                    return replaced;
                }
                let node = Node {
                    class,
                    ..node.clone()
                };
                if self.accept(vec![(index, Some(node))]) {
                    replaced = true;
                    break;
                }
            }
        }
        replaced
    }

    /// Whether the pods of a node may do on one of another class; while the placement is not feasible, too little room is no reason.
    fn may_hold(&self, class: usize, index: usize) -> bool {
        let holds = || self.holds(class, self.standing.taken(index));
        self.standing.is_free(class) && (self.standing.excess() > 0.0 || holds())
    }

    /// Takes replicas away where fewer are admissible, from the node with the fewest pods first.
    fn fewer_replicas(&mut self) -> bool {
        let mut fewer = false;
        for s in 0..self.fleet.services.len() {
            let mut with = self.indices(|node| node.pods_of(s) > 0);
            let pods = |index: &usize| self.standing.node(*index).map_or(0, Node::count);
            with.sort_by_key(pods);
            for index in with {
                let less = self.standing.replicas(s).checked_sub(1);
                if !less.is_some_and(|less| self.fleet.services[s].is_admissible(less)) {
                    break;
                }
                if !self.goes_on() {
                    return fewer;
                }
                while let Some(change) = self.one_moved(s, index, None)
                    && self.accept(change)
                {
                    fewer = true;
                }
            }
        }
        fewer
    }

    /// Replaces two nodes of a cell by one cheaper than both.
    fn merge_nodes(&mut self) -> bool {
        let mut merged = false;
        let indices = self.movable();
        for (at, first) in indices.iter().enumerate() {
            for second in &indices[at + 1..] {
                if !self.goes_on() {
                    return merged;
                }
                merged |= self.cell(*first) == self.cell(*second) && self.merge(*first, *second);
            }
        }
        merged
    }

    fn merge(&mut self, first: usize, second: usize) -> bool {
        let (Some(a), Some(b)) = (self.standing.node(first), self.standing.node(second)) else {
            return false;
        };
        let price = self.price(a.class) + self.price(b.class);
        let taken = self.standing.taken(first).iter();
        let taken: Vec<u64> = taken
            .zip(self.standing.taken(second))
            .map(|(a, b)| a.saturating_add(*b))
            .collect();
        let cell = self.fleet.offering_of(a.class).cell;
        let cheaper = self.by_cell[cell].iter().copied();
        let cheaper = cheaper.take_while(|class| self.price(*class) <= price);
        let classes: Vec<usize> = cheaper
            .filter(|class| self.standing.is_free(*class) && self.holds(*class, &taken))
            .collect();
        if classes.is_empty() {
            return false;
        }
        let both = b
            .pods
            .iter()
            .fold(a.clone(), |node, (s, n)| node.with(*s, *n));
        for class in classes {
            let node = Node {
                class,
                ..both.clone()
            };
            if self.accept(vec![(first, Some(node)), (second, None)]) {
                return true;
            }
        }
        false
    }

    /// Whether a node of the class has room for what pods take.
    fn holds(&self, class: usize, taken: &[u64]) -> bool {
        let capacity = &self.fleet.classes[class].capacity;
        taken
            .iter()
            .zip(capacity)
            .all(|(taken, room)| taken <= room)
    }
}
