//! A placement node by node, with its cost and what it breaks kept up to date: a change is judged by what it touches.

use std::mem;

use crate::cost;
use crate::feasibility::{self, Amount, Scale};
use crate::fleet::Fleet;
use crate::placement::{Group, Placement};

/// One node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    /// Index of the class.
    pub(crate) class: usize,
    /// Service and how many pods, ascending by service, none of them 0.
    pub(crate) pods: Vec<(usize, u32)>,
}

impl Node {
    /// Pods of a service.
    pub(crate) fn pods_of(&self, s: usize) -> u32 {
        let found = self.pods.binary_search_by_key(&s, |(s, _)| *s);
        found.map_or(0, |at| self.pods[at].1)
    }

    /// All pods.
    pub(crate) fn count(&self) -> u32 {
        self.pods.iter().map(|(_, pods)| pods).sum()
    }

    /// The node with pods of a service added.
    pub(crate) fn with(&self, s: usize, more: u32) -> Self {
        let mut node = self.clone();
        match node.pods.binary_search_by_key(&s, |(s, _)| *s) {
            Ok(at) => node.pods[at].1 += more,
            Err(at) => node.pods.insert(at, (s, more)),
        }
        node
    }

    /// The node without one pod of a service that it has.
    pub(crate) fn without_one(&self, s: usize) -> Self {
        let mut node = self.clone();
        let one = node.pods.iter_mut().filter(|(other, _)| *other == s);
        one.for_each(|(_, pods)| *pods -= 1);
        node.pods.retain(|(_, pods)| *pods > 0);
        node
    }
}

/// New contents of nodes, each index once; `None` gives the node back, and the index after the last is a new node.
pub(crate) type Change = Vec<(usize, Option<Node>)>;

/// A node's place: given back or not, what its pods take, and its share of cost and excess.
#[derive(Clone, Default)]
struct Slot {
    node: Option<Node>,
    taken: Vec<u64>,
    usd_per_hour: f64,
    excess: f64,
}

/// A service's pods over all nodes, and its share of cost and excess.
#[derive(Clone)]
struct Spread {
    cells: Vec<u32>,
    staying: u32,
    moves: u32,
    usd_per_hour: f64,
    excess: f64,
}

/// Nodes used of a class, and whether that is too many or too few.
#[derive(Clone, Copy, Default)]
struct Used {
    nodes: u32,
    excess: f64,
}

/// Sums over all parts.
#[derive(Clone, Default)]
struct Sums {
    /// Nodes of each limit, by its coefficients.
    limits: Vec<f64>,
    /// List price of all nodes.
    listed: f64,
    moves: u32,
    /// Cost of slots and spreads.
    parts_usd_per_hour: f64,
    /// Excess of slots, spreads and classes, and how many of them have any.
    parts_excess: f64,
    broken: usize,
    /// Everything together.
    total: f64,
    excess: f64,
}

/// What a change replaced.
pub(crate) struct Undo {
    slots: Vec<(usize, Slot)>,
    spreads: Vec<(usize, Spread, u32)>,
    classes: Vec<(usize, Used)>,
    offerings: Vec<(usize, u32)>,
    sums: Sums,
    length: usize,
}

/// A placement with everything that is known about it.
pub(crate) struct Standing<'a> {
    fleet: &'a Fleet,
    slots: Vec<Slot>,
    spreads: Vec<Spread>,
    scale: Scale,
    classes: Vec<Used>,
    /// Nodes by offering.
    offerings: Vec<u32>,
    /// For each offering, the limits that it counts for.
    limits_of: Vec<Vec<(usize, f64)>>,
    sums: Sums,
}

impl<'a> Standing<'a> {
    /// Where a placement stands.
    pub(crate) fn new(fleet: &'a Fleet, placement: &Placement) -> Self {
        let none = Spread {
            cells: vec![0; 2 * fleet.zones.len()],
            staying: 0,
            moves: 0,
            usd_per_hour: 0.0,
            excess: 0.0,
        };
        let limits_of = |offering: usize| {
            let limits = fleet.limits.iter().enumerate();
            let coefficients = limits.map(|(l, limit)| (l, limit.coefficients[offering]));
            coefficients.filter(|(_, c)| *c != 0.0).collect()
        };
        let mut standing = Self {
            fleet,
            slots: Vec::new(),
            spreads: vec![none; fleet.services.len()],
            scale: Scale::of(fleet, vec![0; fleet.services.len()]),
            classes: vec![Used::default(); fleet.classes.len()],
            offerings: vec![0; fleet.offerings.len()],
            limits_of: (0..fleet.offerings.len()).map(limits_of).collect(),
            sums: Sums::default(),
        };
        standing.sums.limits = vec![0.0; fleet.limits.len()];
        for group in &placement.groups {
            let pods = group.pods.iter().copied().enumerate();
            let node = Node {
                class: group.class,
                pods: pods.filter(|(_, pods)| *pods > 0).collect(),
            };
            for _ in 0..group.count {
                standing.tally(&node, true);
                standing.slots.push(Slot {
                    node: Some(node.clone()),
                    ..Slot::default()
                });
            }
        }
        standing.judge_everything();
        standing
    }

    /// The placement, normalized.
    pub(crate) fn placement(&self) -> Placement {
        let group = |(_, node): (usize, &Node)| {
            let mut pods = vec![0; self.fleet.services.len()];
            node.pods.iter().for_each(|(s, n)| pods[*s] = *n);
            Group {
                class: node.class,
                count: 1,
                pods,
            }
        };
        Placement {
            groups: self.nodes().map(group).collect(),
        }
        .normalized()
    }

    /// How far from feasible; exactly 0 when it is feasible.
    pub(crate) fn excess(&self) -> f64 {
        self.sums.excess
    }

    /// Cost in USD/h.
    pub(crate) fn total(&self) -> f64 {
        self.sums.total
    }

    /// The nodes with their indices.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (usize, &Node)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(index, slot)| Some((index, slot.node.as_ref()?)))
    }

    /// The node at an index, unless it was given back.
    pub(crate) fn node(&self, index: usize) -> Option<&Node> {
        self.slots.get(index)?.node.as_ref()
    }

    /// What the pods at an index take, one entry a dimension of capacity.
    pub(crate) fn taken(&self, index: usize) -> &[u64] {
        &self.slots[index].taken
    }

    /// Total replicas of a service.
    pub(crate) fn replicas(&self, s: usize) -> u32 {
        self.scale.replicas[s]
    }

    /// Size of a pod at the present total.
    pub(crate) fn size(&self, s: usize) -> &[u64] {
        &self.scale.sizes[s]
    }

    /// Whether one more node of a class may be used, as far as existing ones are limited.
    pub(crate) fn is_free(&self, class: usize) -> bool {
        let count = self.fleet.classes[class].count();
        count.is_none_or(|count| self.classes[class].nodes < count)
    }

    /// Whether moving a pod of this service off this node may bring the placement closer to feasible.
    pub(crate) fn is_suspect(&self, index: usize, s: usize) -> bool {
        let elsewhere = self.sums.excess > self.sums.parts_excess + 1e-9;
        elsewhere || self.slots[index].excess > 0.0 || self.spreads[s].excess > 0.0
    }

    /// Whether a node whose pods take `taken` has room for one more pod of a service.
    pub(crate) fn has_room(&self, node: &Node, taken: &[u64], s: usize) -> bool {
        let (class, service) = (&self.fleet.classes[node.class], &self.fleet.services[s]);
        let sizes = taken.iter().zip(self.size(s)).zip(&class.capacity);
        let fits =
            |((taken, size), room): ((&u64, &u64), &u64)| taken.saturating_add(*size) <= *room;
        let mut conflicts = service.conflicts.iter();
        sizes.into_iter().all(fits)
            && node.pods_of(s) < class.most[s].min(service.node_limit(self.replicas(s)))
            && !conflicts.any(|other| node.pods_of(*other) > 0)
    }

    /// Adds empty nodes of a class; to be reverted or kept as [`Standing::apply`] says.
    pub(crate) fn add_empty(&mut self, class: usize, count: u32) -> Undo {
        let empty = Node {
            class,
            pods: Vec::new(),
        };
        let indices = (self.slots.len()..).take(count as usize);
        self.apply(indices.map(|index| (index, Some(empty.clone()))).collect())
    }

    /// Makes a change; [`Standing::revert`] takes it back, [`Standing::keep`] keeps it.
    pub(crate) fn apply(&mut self, change: Change) -> Undo {
        let mut undo = Undo {
            slots: Vec::new(),
            spreads: Vec::new(),
            classes: Vec::new(),
            offerings: Vec::new(),
            sums: self.sums.clone(),
            length: self.slots.len(),
        };
        for (index, node) in change {
            if index >= self.slots.len() {
                self.slots.push(Slot::default());
            }
            self.remember(&node, &mut undo);
            let old = mem::take(&mut self.slots[index]);
            self.remember(&old.node, &mut undo);
            old.node.iter().for_each(|node| self.tally(node, false));
            node.iter().for_each(|node| self.tally(node, true));
            self.slots[index].node = node;
            undo.slots.push((index, old));
        }
        let changed = undo.spreads.iter();
        let resized: Vec<usize> = changed
            .filter(|(s, _, before)| self.scale.replicas[*s] != *before)
            .map(|(s, ..)| *s)
            .collect();
        self.resize(&resized, &mut undo);
        self.judge(&undo);
        undo
    }

    /// Takes a change back.
    pub(crate) fn revert(&mut self, undo: Undo) {
        for (s, spread, replicas) in undo.spreads {
            self.spreads[s] = spread;
            if self.scale.replicas[s] != replicas {
                self.scale.set(self.fleet, s, replicas);
            }
        }
        let slots = undo.slots.into_iter();
        slots.for_each(|(index, slot)| self.slots[index] = slot);
        self.slots.truncate(undo.length);
        let classes = undo.classes.into_iter();
        classes.for_each(|(class, used)| self.classes[class] = used);
        let offerings = undo.offerings.into_iter();
        offerings.for_each(|(offering, nodes)| self.offerings[offering] = nodes);
        self.sums = undo.sums;
    }

    /// Keeps a change: sums are made anew, so that rounding does not add up.
    pub(crate) fn keep(&mut self) {
        let nodes: Vec<u32> = self.offerings.clone();
        let limits = self.fleet.limits.iter();
        self.sums.limits = limits.map(|limit| limit.sum(&nodes)).collect();
        let listed = self.fleet.offerings.iter().zip(&nodes);
        self.sums.listed = listed.fold(0.0, |sum, (o, n)| sum + o.usd_per_hour * f64::from(*n));
        self.sums.moves = self.spreads.iter().map(|spread| spread.moves).sum();
        let slots = self
            .slots
            .iter()
            .map(|slot| (slot.usd_per_hour, slot.excess));
        let spreads = self.spreads.iter().map(|of| (of.usd_per_hour, of.excess));
        let classes = self.classes.iter().map(|used| (0.0, used.excess));
        let (mut usd_per_hour, mut excess, mut broken) = (0.0, 0.0, 0);
        for (usd, by) in slots.chain(spreads).chain(classes) {
            usd_per_hour += usd;
            excess += by;
            broken += usize::from(by > 0.0);
        }
        (self.sums.parts_usd_per_hour, self.sums.parts_excess) = (usd_per_hour, excess);
        self.sums.broken = broken;
        self.sum_up();
    }

    /// Remembers what a node's coming or going changes.
    fn remember(&self, node: &Option<Node>, undo: &mut Undo) {
        let Some(node) = node else { return };
        for (s, _) in &node.pods {
            if !undo.spreads.iter().any(|(known, ..)| known == s) {
                let spread = self.spreads[*s].clone();
                undo.spreads.push((*s, spread, self.scale.replicas[*s]));
            }
        }
        let offering = self.fleet.classes[node.class].offering;
        if !undo.classes.iter().any(|(class, _)| *class == node.class) {
            undo.classes.push((node.class, self.classes[node.class]));
        }
        if !undo.offerings.iter().any(|(known, _)| *known == offering) {
            undo.offerings.push((offering, self.offerings[offering]));
        }
    }

    /// Counts a node in, or out.
    fn tally(&mut self, node: &Node, comes: bool) {
        let class = &self.fleet.classes[node.class];
        let offering = &self.fleet.offerings[class.offering];
        let add = |sum: &mut u32, more: u32| {
            *sum = if comes { *sum + more } else { *sum - more };
        };
        for (s, pods) in &node.pods {
            add(&mut self.spreads[*s].cells[offering.cell], *pods);
            add(&mut self.spreads[*s].staying, class.now[*s].min(*pods));
            add(&mut self.scale.replicas[*s], *pods);
        }
        add(&mut self.classes[node.class].nodes, 1);
        add(&mut self.offerings[class.offering], 1);
        let sign = if comes { 1.0 } else { -1.0 };
        for (limit, coefficient) in &self.limits_of[class.offering] {
            self.sums.limits[*limit] += sign * coefficient;
        }
        self.sums.listed += sign * offering.usd_per_hour;
    }

    /// Sizes of services whose totals changed; every node with their pods is to be judged again.
    fn resize(&mut self, services: &[usize], undo: &mut Undo) {
        if services.is_empty() {
            return;
        }
        for s in services {
            self.scale.set(self.fleet, *s, self.scale.replicas[*s]);
        }
        for (index, slot) in self.slots.iter().enumerate() {
            let has = |node: &Node| services.iter().any(|s| node.pods_of(*s) > 0);
            let known = undo.slots.iter().any(|(known, _)| *known == index);
            if !known && slot.node.as_ref().is_some_and(has) {
                undo.slots.push((index, slot.clone()));
            }
        }
    }

    /// Judges what was touched.
    fn judge(&mut self, undo: &Undo) {
        let mut indices: Vec<usize> = undo.slots.iter().map(|(index, _)| *index).collect();
        indices.sort_unstable();
        indices.dedup();
        indices.into_iter().for_each(|index| self.judge_node(index));
        for (s, before, _) in &undo.spreads {
            self.judge_service(*s);
            self.sums.moves -= before.moves;
            self.sums.moves += self.spreads[*s].moves;
        }
        for (class, _) in &undo.classes {
            self.judge_class(*class);
        }
        let slots = undo.slots.iter().map(|(index, before)| {
            let after = &self.slots[*index];
            (
                (before.usd_per_hour, before.excess),
                (after.usd_per_hour, after.excess),
            )
        });
        let spreads = undo.spreads.iter().map(|(s, before, _)| {
            let after = &self.spreads[*s];
            (
                (before.usd_per_hour, before.excess),
                (after.usd_per_hour, after.excess),
            )
        });
        let classes = undo
            .classes
            .iter()
            .map(|(class, before)| ((0.0, before.excess), (0.0, self.classes[*class].excess)));
        let sums = &mut self.sums;
        for (before, after) in slots.chain(spreads).chain(classes) {
            sums.parts_usd_per_hour += after.0 - before.0;
            sums.parts_excess += after.1 - before.1;
            sums.broken += usize::from(after.1 > 0.0);
            sums.broken -= usize::from(before.1 > 0.0);
        }
        self.sum_up();
    }

    fn judge_everything(&mut self) {
        let replicas = self.scale.replicas.clone();
        self.scale = Scale::of(self.fleet, replicas);
        (0..self.slots.len()).for_each(|index| self.judge_node(index));
        (0..self.spreads.len()).for_each(|s| self.judge_service(s));
        (0..self.classes.len()).for_each(|class| self.judge_class(class));
        self.keep();
    }

    fn judge_node(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        let Some(node) = &slot.node else {
            *slot = Slot::default();
            return;
        };
        let mut amount = Amount(0.0);
        feasibility::node(
            self.fleet,
            &self.scale,
            node.class,
            &node.pods,
            1,
            &mut amount,
        );
        slot.excess = amount.0;
        slot.taken.clear();
        slot.taken
            .resize(self.fleet.classes[node.class].capacity.len(), 0);
        for (s, pods) in &node.pods {
            for (taken, size) in slot.taken.iter_mut().zip(&self.scale.sizes[*s]) {
                *taken = taken.saturating_add(size.saturating_mul(u64::from(*pods)));
            }
        }
        let pods = node.pods.iter().copied();
        slot.usd_per_hour = cost::spot_evictions(self.fleet, node.class, pods)
            + cost::startup(self.fleet, node.class);
    }

    fn judge_service(&mut self, s: usize) {
        let (service, replicas) = (&self.fleet.services[s], self.scale.replicas[s]);
        let spread = &mut self.spreads[s];
        spread.moves = service
            .placed_now
            .min(replicas)
            .saturating_sub(spread.staying);
        spread.usd_per_hour = service.level(replicas).slo_usd_per_hour
            + service.move_usd_per_hour * f64::from(spread.moves);
        let mut amount = Amount(0.0);
        feasibility::service(
            self.fleet,
            s,
            &spread.cells,
            replicas,
            spread.moves,
            &mut amount,
        );
        spread.excess = amount.0;
    }

    fn judge_class(&mut self, class: usize) {
        let mut amount = Amount(0.0);
        feasibility::existing_nodes(self.fleet, class, self.classes[class].nodes, &mut amount);
        self.classes[class].excess = amount.0;
    }

    fn sum_up(&mut self) {
        let sums = &mut self.sums;
        let nodes = sums.listed + cost::commitments(self.fleet, &self.offerings);
        let mut amount = Amount(if sums.broken > 0 {
            sums.parts_excess
        } else {
            0.0
        });
        feasibility::whole_fleet(self.fleet, &sums.limits, nodes, sums.moves, &mut amount);
        sums.excess = amount.0;
        sums.total = nodes + sums.parts_usd_per_hour;
    }
}

#[cfg(test)]
mod tests;
