//! Nodes with pods, changed by counts of equal pods.
//!
//! What is asked for often is kept up to date: what the pods of a node take of it, pods by service and cell, nodes by limit. Pods
//! of one service are never told apart, so a step costs a look at each node, whatever the number of pods.

use std::collections::{BTreeMap, BinaryHeap};

use crate::fleet::{Class, Fleet};
use crate::placement::{Group, Placement};

/// Position of CPU in resource vectors.
pub(super) const CPU: usize = 0;
/// Position of memory in resource vectors.
pub(super) const MEMORY: usize = 1;

/// What the builder looks at when it places a pod.
pub(super) enum View {
    /// Requests and the scheduler's filters.
    Stock,
    /// Also expected use and node limits, at these total replica counts. Zones are right already, so skew is not looked at.
    Full(Vec<u32>),
}

/// Where pods may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Area {
    /// Any node of a cluster.
    Cluster(usize),
    /// Any node of a cell.
    Cell(usize),
}

/// Equal pods to place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) service: usize,
    pub(super) area: Area,
    pub(super) count: u32,
}

/// Pods of one node, and what they take.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// Pods by service; no entry is 0.
    pub(super) pods: BTreeMap<usize, u32>,
    /// What they take of each dimension of a class's capacity.
    pub(super) taken: Vec<u64>,
}

#[derive(Clone)]
struct Node {
    class: usize,
    cell: usize,
    load: Load,
    /// Removed nodes keep their index, so that a removal can be taken back.
    removed: bool,
}

/// A change since the last mark.
#[derive(Clone, Copy)]
enum Change {
    Put(usize, usize, u32),
    Remove(usize),
}

#[derive(Clone)]
pub(super) struct Builder<'a> {
    pub(super) fleet: &'a Fleet,
    /// Whether the scheduler spreads pods over zones as they are placed.
    spreads: bool,
    /// Size of one pod, by service.
    sizes: Vec<Vec<u64>>,
    /// Most pods on one node, by service.
    most_on_node: Vec<u32>,
    nodes: Vec<Node>,
    /// Indices of the nodes of each cluster, ascending.
    of_cluster: Vec<Vec<usize>>,
    /// Pods by service and cell.
    counts: Vec<Vec<u32>>,
    /// Left-hand sides of the fleet's limits.
    sums: Vec<f64>,
    changes: Vec<Change>,
}

impl<'a> Builder<'a> {
    /// Starts from a placement.
    pub(super) fn new(fleet: &'a Fleet, view: &View, start: &Placement) -> Self {
        let services = fleet.services.iter();
        let (spreads, sizes, most_on_node) = match view {
            View::Stock => (
                true,
                services.clone().map(|s| s.request.clone()).collect(),
                services.map(|s| s.max_per_node).collect(),
            ),
            View::Full(replicas) => {
                let services = services.zip(replicas);
                (
                    false,
                    services.clone().map(|(s, r)| s.pod_size(*r)).collect(),
                    services.map(|(s, r)| s.node_limit(*r)).collect(),
                )
            }
        };
        let mut builder = Self {
            fleet,
            spreads,
            sizes,
            most_on_node,
            nodes: Vec::new(),
            of_cluster: vec![Vec::new(); fleet.problem.clusters.len()],
            counts: vec![vec![0; 2 * fleet.zones.len()]; fleet.services.len()],
            sums: vec![0.0; fleet.limits.len()],
            changes: Vec::new(),
        };
        for group in &start.groups {
            for _ in 0..group.count {
                builder.buy_with(group.class, &group.pods);
            }
        }
        builder
    }

    fn buy_with(&mut self, class: usize, pods: &[u32]) {
        let node = self.buy(class);
        for (s, count) in pods.iter().enumerate().filter(|(_, count)| **count > 0) {
            self.put(node, s, *count);
        }
    }

    /// Services by falling share of the largest node, so that first fit is first-fit decreasing.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn by_size(&self) -> Vec<usize> {
        let largest = |k: usize| {
            let rooms = self.fleet.offerings.iter().map(|o| o.allocatable[k]);
            rooms.max().unwrap_or(1).max(1)
        };
        let largest: Vec<u64> = (0..self.fleet.requested_dimensions())
            .map(largest)
            .collect();
        let share = |s: usize| {
            let request = self.fleet.services[s].request.iter().zip(&largest);
            request
                .map(|(size, room)| *size as f64 / *room as f64)
                .fold(0.0, f64::max)
        };
        let shares: Vec<f64> = (0..self.fleet.services.len()).map(share).collect();
        let mut order: Vec<usize> = (0..shares.len()).collect();
        order.sort_by(|a, b| shares[*b].total_cmp(&shares[*a]));
        order
    }

    /// Size of one pod.
    pub(super) fn size(&self, s: usize) -> &[u64] {
        &self.sizes[s]
    }

    fn cluster(&self, area: Area) -> usize {
        match area {
            Area::Cluster(cluster) => cluster,
            Area::Cell(cell) => self.fleet.cluster_of_cell(cell),
        }
    }

    fn contains(&self, area: Area, cell: usize) -> bool {
        match area {
            Area::Cluster(cluster) => self.fleet.cluster_of_cell(cell) == cluster,
            Area::Cell(only) => cell == only,
        }
    }

    /// Pods of a service in an area.
    pub(super) fn count(&self, s: usize, area: Area) -> u32 {
        let cells = self.counts[s].iter().enumerate();
        cells
            .filter(|(cell, _)| self.contains(area, *cell))
            .map(|(_, count)| count)
            .sum()
    }

    /// Pods of a service in a zone, promised ones included.
    pub(super) fn in_zone(&self, s: usize, zone: usize) -> u32 {
        self.counts[s][2 * zone] + self.counts[s][2 * zone + 1]
    }

    /// Counts pods in a zone that are not on a node yet but will be, for the sake of skew.
    pub(super) fn promise(&mut self, s: usize, zone: usize, count: u32) {
        self.counts[s][2 * zone] += count;
    }

    /// Takes a promise back.
    pub(super) fn withdraw(&mut self, s: usize, zone: usize, count: u32) {
        self.counts[s][2 * zone] -= count;
    }

    /// Whether pods of a service are spread over zones as they are placed.
    pub(super) fn is_spread(&self, s: usize) -> bool {
        self.spreads && self.fleet.services[s].max_skew.is_some()
    }

    /// How many more pods a zone takes before the skew over the cluster's eligible zones is too large, the other zones being as
    /// they are.
    pub(super) fn skew_room(&self, s: usize, zone: usize) -> u32 {
        let service = &self.fleet.services[s];
        let Some(max_skew) = service.max_skew.filter(|_| self.spreads) else {
            return u32::MAX;
        };
        let cluster = self.fleet.zones[zone].cluster;
        let (mut alone, mut least) = (false, u32::MAX);
        for other in &service.eligible_zones {
            if *other == zone {
                alone = true;
            } else if self.fleet.zones[*other].cluster == cluster {
                least = least.min(self.in_zone(s, *other));
            }
        }
        match (least, alone) {
            (u32::MAX, true) => u32::MAX,
            (u32::MAX, false) => max_skew.saturating_sub(self.in_zone(s, zone)),
            (least, _) => (least + max_skew).saturating_sub(self.in_zone(s, zone)),
        }
    }

    /// A node without pods.
    pub(super) fn empty(&self) -> Load {
        Load {
            pods: BTreeMap::new(),
            taken: vec![0; self.fleet.requested_dimensions() + 2],
        }
    }

    /// How many more pods of a service fit on a node of the class beside a load: eligibility, limits a node, conflicts and room.
    pub(super) fn fits(&self, class: usize, load: &Load, s: usize) -> u32 {
        let class = &self.fleet.classes[class];
        // Most nodes that are asked are full, and this is soon seen.
        if !has_room(class, load, &self.sizes[s]) {
            return 0;
        }
        let most = class.most[s].min(self.most_on_node[s].max(class.pinned[s]));
        let here = load.pods.get(&s).copied().unwrap_or(0);
        let conflicts = &self.fleet.services[s].conflicts;
        if here >= most || conflicts.iter().any(|other| load.pods.contains_key(other)) {
            return 0;
        }
        room_for(class, load, &self.sizes[s]).min(most - here)
    }

    /// Adds pods to a load.
    pub(super) fn load(&self, load: &mut Load, s: usize, count: u32) {
        *load.pods.entry(s).or_insert(0) += count;
        let sizes = load.taken.iter_mut().zip(&self.sizes[s]);
        sizes.for_each(|(taken, size)| {
            *taken = taken.saturating_add(size.saturating_mul(u64::from(count)));
        });
    }

    /// Puts pods onto a node.
    pub(super) fn put(&mut self, node: usize, s: usize, count: u32) {
        let mut load = std::mem::replace(&mut self.nodes[node].load, NOTHING);
        self.load(&mut load, s, count);
        self.counts[s][self.nodes[node].cell] += count;
        self.nodes[node].load = load;
        self.changes.push(Change::Put(node, s, count));
    }

    fn take_off(&mut self, node: usize, s: usize, count: u32) {
        let Node { cell, load, .. } = &mut self.nodes[node];
        let left = load.pods.remove(&s).unwrap_or(0) - count;
        if left > 0 {
            load.pods.insert(s, left);
        }
        let sizes = load.taken.iter_mut().zip(&self.sizes[s]);
        sizes.for_each(|(taken, size)| *taken -= size * u64::from(count));
        self.counts[s][*cell] -= count;
    }

    /// Adds an empty node and tells its index.
    pub(super) fn buy(&mut self, class: usize) -> usize {
        let offering = self.fleet.offering_of(class);
        self.of_cluster[offering.cluster].push(self.nodes.len());
        self.nodes.push(Node {
            class,
            cell: offering.cell,
            load: self.empty(),
            removed: false,
        });
        self.count_node(class, 1.0);
        self.nodes.len() - 1
    }

    /// Removes a node with its pods.
    pub(super) fn remove(&mut self, node: usize) {
        self.set_removed(node, true);
        self.changes.push(Change::Remove(node));
    }

    fn set_removed(&mut self, node: usize, removed: bool) {
        let Node {
            class, cell, load, ..
        } = &self.nodes[node];
        for (s, count) in &load.pods {
            let sum = &mut self.counts[*s][*cell];
            *sum = if removed { *sum - count } else { *sum + count };
        }
        self.count_node(*class, if removed { -1.0 } else { 1.0 });
        self.nodes[node].removed = removed;
    }

    fn count_node(&mut self, class: usize, sign: f64) {
        let offering = self.fleet.classes[class].offering;
        for (sum, limit) in self.sums.iter_mut().zip(&self.fleet.limits) {
            *sum += sign * limit.coefficients[offering];
        }
    }

    /// From here on, pods put and nodes removed can be taken back by [`Builder::undo`]. Nodes must not be bought in between.
    pub(super) fn mark(&mut self) {
        self.changes.clear();
    }

    /// Takes back what was done since the mark.
    pub(super) fn undo(&mut self) {
        while let Some(change) = self.changes.pop() {
            match change {
                Change::Put(node, s, count) => self.take_off(node, s, count),
                Change::Remove(node) => self.set_removed(node, false),
            }
        }
    }

    /// Nodes of a cluster that are not removed, in order.
    pub(super) fn nodes(&self, cluster: usize) -> impl Iterator<Item = usize> {
        let nodes = self.of_cluster[cluster].iter().copied();
        nodes.filter(|node| !self.nodes[*node].removed)
    }

    /// Class of a node.
    pub(super) fn class(&self, node: usize) -> usize {
        self.nodes[node].class
    }

    /// Pods of a node.
    pub(super) fn load_of(&self, node: usize) -> &Load {
        &self.nodes[node].load
    }

    /// Puts pods onto the first nodes that take them, as many as these take, and tells how many.
    pub(super) fn first_fit(&mut self, batch: Batch) -> u32 {
        if self.is_spread(batch.service) {
            return self.first_fit_spread(batch);
        }
        let (s, cluster, mut left) = (batch.service, self.cluster(batch.area), batch.count);
        for position in 0..self.of_cluster[cluster].len() {
            if left == 0 {
                break;
            }
            let node = self.of_cluster[cluster][position];
            let count = self.takes(node, s, batch.area).min(left);
            if count > 0 {
                self.put(node, s, count);
                left -= count;
            }
        }
        batch.count - left
    }

    /// First fit of pods whose zone is decided pod by pod. Rooms only shrink, so each zone is walked through once.
    fn first_fit_spread(&mut self, batch: Batch) -> u32 {
        let (s, cluster) = (batch.service, self.cluster(batch.area));
        let mut of_zone: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for node in self.of_cluster[cluster].iter().rev() {
            let zone = self.nodes[*node].cell / 2;
            of_zone.entry(zone).or_default().push(*node);
        }
        for placed in 0..batch.count {
            let mut first: Option<usize> = None;
            for (zone, nodes) in &mut of_zone {
                while nodes
                    .last()
                    .is_some_and(|node| self.takes(*node, s, batch.area) == 0)
                {
                    nodes.pop();
                }
                if let Some(node) = nodes.last()
                    && first.is_none_or(|first| *node < first)
                    && self.skew_room(s, *zone) > 0
                {
                    first = Some(*node);
                }
            }
            match first {
                Some(node) => self.put(node, s, 1),
                None => return placed,
            }
        }
        batch.count
    }

    /// How many more pods a node takes, skew aside.
    fn takes(&self, node: usize, s: usize, area: Area) -> u32 {
        let node = &self.nodes[node];
        if node.removed || !self.contains(area, node.cell) {
            return 0;
        }
        self.fits(node.class, &node.load, s)
    }

    /// Removes pods until at most `wanted` are left in the area, one at a time from the node with the most, pinned ones never.
    pub(super) fn scale_down(&mut self, s: usize, area: Area, wanted: u32) {
        let mut excess = self.count(s, area).saturating_sub(wanted);
        if excess == 0 {
            return;
        }
        let mut loose: BinaryHeap<(u32, usize)> = self
            .nodes(self.cluster(area))
            .filter(|node| self.contains(area, self.nodes[*node].cell))
            .filter_map(|node| Some((self.loose(node, s)?, node)))
            .collect();
        while let Some((_, node)) = loose.pop().filter(|_| excess > 0) {
            self.take_off(node, s, 1);
            excess -= 1;
            loose.extend(self.loose(node, s).map(|count| (count, node)));
        }
    }

    /// Pods of a service on a node, when not all of them are pinned.
    fn loose(&self, node: usize, s: usize) -> Option<u32> {
        let Node { class, load, .. } = &self.nodes[node];
        let count = load.pods.get(&s).copied()?;
        (count > self.fleet.classes[*class].pinned[s]).then_some(count)
    }

    /// Takes pods off nodes that cannot hold them all in this view; the caller sees them as missing.
    pub(super) fn settle(&mut self) {
        let order = self.by_size();
        for node in 0..self.nodes.len() {
            if !self.holds(node) {
                self.settle_node(node, &order);
            }
        }
    }

    /// Whether a node has room for its pods, no more of a service than may be, and no two that conflict.
    fn holds(&self, node: usize) -> bool {
        let Node { class, load, .. } = &self.nodes[node];
        let class = &self.fleet.classes[*class];
        let has_room = load.taken.iter().zip(&class.capacity).all(|(a, b)| a <= b);
        let may_stay = |(s, count): (&usize, &u32)| {
            let most = class.most[*s].min(self.most_on_node[*s].max(class.pinned[*s]));
            let conflicts = &self.fleet.services[*s].conflicts;
            *count <= most && !conflicts.iter().any(|s| load.pods.contains_key(s))
        };
        has_room && load.pods.iter().all(may_stay)
    }

    /// Keeps pinned pods, then the largest that fit beside them.
    fn settle_node(&mut self, node: usize, order: &[usize]) {
        let pods = self.nodes[node].load.pods.clone();
        let class = self.nodes[node].class;
        for (s, count) in &pods {
            let pinned = self.fleet.classes[class].pinned[*s];
            self.take_off(node, *s, count.saturating_sub(pinned));
        }
        for s in order.iter().filter(|s| pods.contains_key(s)) {
            let load = &self.nodes[node].load;
            let missing = pods[s] - load.pods.get(s).copied().unwrap_or(0);
            let back = self.fits(class, load, *s).min(missing);
            if back > 0 {
                self.put(node, *s, back);
            }
        }
    }

    /// How many more nodes of the class limits let one buy.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn affordable(&self, class: usize) -> u32 {
        let offering = self.fleet.classes[class].offering;
        let limits = self.fleet.limits.iter().zip(&self.sums);
        limits
            .filter(|(limit, _)| !limit.at_least && limit.coefficients[offering] > 0.0)
            .map(|(limit, sum)| {
                ((limit.limit - sum + 1e-9) / limit.coefficients[offering]).max(0.0) as u32
            })
            .min()
            .unwrap_or(u32::MAX)
    }

    /// Whether there are as many nodes as limits ask for at least, with one of an offering added.
    pub(super) fn keeps_lower_limits(&self, added: Option<usize>) -> bool {
        let mut limits = self.fleet.limits.iter().zip(&self.sums);
        limits.all(|(limit, sum)| {
            let more = added.map_or(0.0, |offering| limit.coefficients[offering]);
            !limit.at_least || sum + more >= limit.limit - 1e-9
        })
    }

    /// Whether a node may be removed: nothing on it must stay, and no pod belongs to a service that may not be disturbed.
    pub(super) fn is_movable(&self, node: usize) -> bool {
        let Node { class, load, .. } = &self.nodes[node];
        let class = &self.fleet.classes[*class];
        let stuck = |s: &usize| class.now[*s] > 0 && self.fleet.services[*s].unmovable;
        !class.kept && !load.pods.keys().any(stuck)
    }

    /// Gives back nodes that are empty and may go.
    pub(super) fn drop_empty(&mut self) {
        for node in 0..self.nodes.len() {
            let Node {
                class,
                load,
                removed,
                ..
            } = &self.nodes[node];
            if *removed || !load.pods.is_empty() || self.fleet.classes[*class].kept {
                continue;
            }
            self.set_removed(node, true);
            if !self.keeps_lower_limits(None) {
                self.set_removed(node, false);
            }
        }
    }

    /// The placement; nodes that are empty and may go are given back.
    pub(super) fn finish(mut self) -> Placement {
        self.drop_empty();
        let group = |node: &Node| {
            let mut pods = vec![0; self.fleet.services.len()];
            node.load.pods.iter().for_each(|(s, n)| pods[*s] = *n);
            Group {
                class: node.class,
                count: 1,
                pods,
            }
        };
        let groups = self.nodes.iter().filter(|node| !node.removed).map(group);
        Placement {
            groups: groups.collect(),
        }
        .normalized()
    }
}

/// Stands in for a load that is being changed.
const NOTHING: Load = Load {
    pods: BTreeMap::new(),
    taken: Vec::new(),
};

/// Whether there is room for one more pod of a size beside a load.
fn has_room(class: &Class, load: &Load, size: &[u64]) -> bool {
    let mut sizes = class.capacity.iter().zip(&load.taken).zip(size);
    sizes.all(|((capacity, taken), size)| taken.saturating_add(*size) <= *capacity)
}

/// How many pods of a size there is room for beside a load; none where the load has too little already.
fn room_for(class: &Class, load: &Load, size: &[u64]) -> u32 {
    let mut most = u64::from(u32::MAX);
    for ((capacity, taken), size) in class.capacity.iter().zip(&load.taken).zip(size) {
        let Some(room) = capacity.checked_sub(*taken) else {
            return 0;
        };
        if *size > 0 {
            most = most.min(room / size);
        }
    }
    u32::try_from(most).unwrap_or(u32::MAX)
}
