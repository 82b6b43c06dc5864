//! Nodes with pods, changed pod by pod as the stock tools do.

use crate::fleet::{Fleet, take};
use crate::packing::Values;
use crate::placement::{Group, Placement};

/// What the builder looks at when it places a pod.
pub(super) enum View {
    /// Requests and the scheduler's filters.
    Stock,
    /// Also expected use and node limits, at these total replica counts.
    Full(Vec<u32>),
}

pub(super) struct Builder<'a> {
    fleet: &'a Fleet,
    view: View,
    values: Values,
    nodes: Vec<Group>,
}

impl<'a> Builder<'a> {
    /// Starts from what runs now.
    pub(super) fn new(fleet: &'a Fleet, view: View) -> Self {
        Self::from(fleet, view, &Placement::current(fleet))
    }

    /// Starts from a placement.
    pub(super) fn from(fleet: &'a Fleet, view: View, start: &Placement) -> Self {
        let one = |group: &Group| {
            let node = Group {
                count: 1,
                ..group.clone()
            };
            (0..group.count).map(move |_| node.clone())
        };
        Self {
            fleet,
            view,
            values: Values::of_prices(fleet),
            nodes: start.groups.iter().flat_map(one).collect(),
        }
    }

    /// Pods of a service in the cells.
    pub(super) fn count(&self, s: usize, cells: &dyn Fn(usize) -> bool) -> u32 {
        self.nodes
            .iter()
            .filter(|node| cells(self.fleet.offering_of(node.class).cell))
            .map(|node| node.pods[s])
            .sum()
    }

    /// Removes pods until at most `wanted` are left in the cells, one at a time from the node with the most, pinned ones never.
    pub(super) fn scale_down(&mut self, s: usize, cells: &dyn Fn(usize) -> bool, wanted: u32) {
        while self.count(s, cells) > wanted {
            let loose = |node: &&mut Group| {
                cells(self.fleet.offering_of(node.class).cell)
                    && node.pods[s] > self.fleet.classes[node.class].pinned[s]
            };
            let Some(node) = self
                .nodes
                .iter_mut()
                .filter(loose)
                .max_by_key(|node| node.pods[s])
            else {
                return;
            };
            node.pods[s] -= 1;
        }
    }

    /// Takes pods off nodes that cannot hold them all in this view; the caller sees them as missing.
    pub(super) fn settle(&mut self) {
        for index in 0..self.nodes.len() {
            let node = std::mem::replace(
                &mut self.nodes[index],
                Group {
                    class: 0,
                    count: 1,
                    pods: Vec::new(),
                },
            );
            let class = &self.fleet.classes[node.class];
            let mut kept = Group {
                pods: class
                    .pinned
                    .iter()
                    .zip(&node.pods)
                    .map(|(pinned, n)| *pinned.min(n))
                    .collect(),
                ..node
            };
            for s in self.by_size() {
                while kept.pods[s] < node.pods[s] && self.has_room(&kept, s) {
                    kept.pods[s] += 1;
                }
            }
            self.nodes[index] = kept;
        }
    }

    /// Places pods by first-fit decreasing, each in one of its cells; false when some are left over.
    pub(super) fn place(&mut self, mut pending: Vec<(usize, Vec<usize>)>) -> bool {
        let rank: Vec<usize> = self.by_size();
        pending.sort_by_key(|(s, _)| rank.iter().position(|other| other == s));
        let mut complete = true;
        while !pending.is_empty() {
            let (s, cells) = pending.remove(0);
            let fit = (0..self.nodes.len()).find(|i| self.accepts(&self.nodes[*i], s, &cells));
            match fit.or_else(|| self.open(s, &cells, &pending)) {
                Some(index) => self.nodes[index].pods[s] += 1,
                None => complete = false,
            }
        }
        complete
    }

    /// Buys the node that takes this and further pending pods at the best price for their value.
    fn open(
        &mut self,
        s: usize,
        cells: &[usize],
        pending: &[(usize, Vec<usize>)],
    ) -> Option<usize> {
        let mut best: Option<(f64, usize)> = None;
        for class in 0..self.fleet.offerings.len() {
            let mut node = Group {
                class,
                count: 1,
                pods: vec![0; self.fleet.services.len()],
            };
            if !self.allowed(class) || !self.accepts(&node, s, cells) {
                continue;
            }
            let offering = &self.fleet.offerings[class];
            node.pods[s] = 1;
            let mut value = self.values.pods[s][offering.cell];
            for (other, their_cells) in pending {
                if self.accepts(&node, *other, their_cells) {
                    node.pods[*other] += 1;
                    value += self.values.pods[*other][offering.cell];
                }
            }
            let efficiency = value / offering.usd_per_hour.max(1e-9);
            if best.is_none_or(|(most, _)| efficiency > most * (1.0 + 1e-9)) {
                best = Some((efficiency, class));
            }
        }
        let (_, class) = best?;
        self.nodes.push(Group {
            class,
            count: 1,
            pods: vec![0; self.fleet.services.len()],
        });
        Some(self.nodes.len() - 1)
    }

    /// Whether limits let one more node of the class be bought.
    fn allowed(&self, class: usize) -> bool {
        let offering = self.fleet.classes[class].offering;
        let sum = |coefficients: &[f64]| -> f64 {
            self.nodes
                .iter()
                .map(|node| coefficients[self.fleet.classes[node.class].offering])
                .sum()
        };
        let mut upper = self.fleet.limits.iter().filter(|limit| !limit.at_least);
        upper.all(|limit| {
            sum(&limit.coefficients) + limit.coefficients[offering] <= limit.limit + 1e-9
        })
    }

    /// Whether the scheduler would put a pod there: cell, room, spread.
    fn accepts(&self, node: &Group, s: usize, cells: &[usize]) -> bool {
        cells.contains(&self.fleet.offering_of(node.class).cell)
            && self.has_room(node, s)
            && self.keeps_skew(node, s)
    }

    fn has_room(&self, node: &Group, s: usize) -> bool {
        let (class, service) = (&self.fleet.classes[node.class], &self.fleet.services[s]);
        if node.pods[s] >= class.most[s].min(self.node_limit(s).max(class.pinned[s]))
            || service.conflicts.iter().any(|other| node.pods[*other] > 0)
        {
            return false;
        }
        class
            .room_beside(&node.pods, |other| self.size(other))
            .is_some_and(|mut room| take(&mut room, &self.size(s), 1).is_some())
    }

    fn size(&self, s: usize) -> Vec<u64> {
        match &self.view {
            View::Stock => self.fleet.services[s].request.clone(),
            View::Full(replicas) => self.fleet.services[s].pod_size(replicas[s]),
        }
    }

    fn node_limit(&self, s: usize) -> u32 {
        match &self.view {
            View::Stock => self.fleet.services[s].max_per_node,
            View::Full(replicas) => self.fleet.services[s].node_limit(replicas[s]),
        }
    }

    /// Topology spread over the eligible zones of the cluster. A planned column (the full view) has its zones right already.
    fn keeps_skew(&self, node: &Group, s: usize) -> bool {
        let (service, zone) = (
            &self.fleet.services[s],
            self.fleet.offering_of(node.class).zone,
        );
        let (Some(max_skew), View::Stock) = (service.max_skew, &self.view) else {
            return true;
        };
        let cluster = self.fleet.zones[zone].cluster;
        let here = |zone: usize| self.count(s, &|cell| cell / 2 == zone);
        let zones = service
            .eligible_zones
            .iter()
            .filter(|zone| self.fleet.zones[**zone].cluster == cluster);
        let least = zones.map(|zone| here(*zone)).min().unwrap_or(0);
        here(zone) + 1 - least.min(here(zone) + 1) <= max_skew
    }

    /// Services by falling share of the largest node, so that first fit is first-fit decreasing.
    #[allow(clippy::cast_precision_loss)]
    fn by_size(&self) -> Vec<usize> {
        let dimensions = self.fleet.requested_dimensions();
        let largest = |k: usize| {
            self.fleet
                .offerings
                .iter()
                .map(|o| o.allocatable[k])
                .max()
                .unwrap_or(1)
                .max(1)
        };
        let largest: Vec<u64> = (0..dimensions).map(largest).collect();
        let share = |s: &usize| {
            let request = &self.fleet.services[*s].request;
            request
                .iter()
                .zip(&largest)
                .map(|(size, room)| *size as f64 / *room as f64)
                .fold(0.0, f64::max)
        };
        let mut order: Vec<usize> = (0..self.fleet.services.len()).collect();
        order.sort_by(|a, b| share(b).total_cmp(&share(a)));
        order
    }

    /// Removes nodes whose pods fit elsewhere, the emptiest first, and replaces a node by a cheaper one that holds its pods.
    pub(super) fn consolidate(&mut self) {
        let mut changed = true;
        while changed {
            changed = self.remove_one() || self.replace_one();
        }
    }

    fn remove_one(&mut self) -> bool {
        let mut order: Vec<usize> = (0..self.nodes.len())
            .filter(|i| self.is_movable(&self.nodes[*i]))
            .collect();
        order.sort_by_key(|i| self.nodes[*i].pods.iter().sum::<u32>());
        for index in order {
            let before = self.nodes.clone();
            let gone = self.nodes.remove(index);
            if self.keeps_lower_limits() && self.absorb(&gone) {
                return true;
            }
            self.nodes = before;
        }
        false
    }

    /// First fit of a removed node's pods within their cluster, no new nodes.
    fn absorb(&mut self, gone: &Group) -> bool {
        let cluster = self.fleet.offering_of(gone.class).cluster;
        let cells: Vec<usize> = (0..2 * self.fleet.zones.len())
            .filter(|cell| self.fleet.cluster_of_cell(*cell) == cluster)
            .collect();
        for s in self.by_size() {
            for _ in 0..gone.pods[s] {
                let Some(index) =
                    (0..self.nodes.len()).find(|i| self.accepts(&self.nodes[*i], s, &cells))
                else {
                    return false;
                };
                self.nodes[index].pods[s] += 1;
            }
        }
        true
    }

    fn keeps_lower_limits(&self) -> bool {
        let sum = |coefficients: &[f64]| -> f64 {
            self.nodes
                .iter()
                .map(|node| coefficients[self.fleet.classes[node.class].offering])
                .sum()
        };
        self.fleet
            .limits
            .iter()
            .filter(|limit| limit.at_least)
            .all(|limit| sum(&limit.coefficients) >= limit.limit)
    }

    /// Whether a node may be removed: nothing on it must stay, and no pod belongs to a service that may not be disturbed.
    fn is_movable(&self, node: &Group) -> bool {
        let class = &self.fleet.classes[node.class];
        let stuck =
            |(s, n): (usize, &u32)| *n > 0 && class.now[s] > 0 && self.fleet.services[s].unmovable;
        !class.kept && !node.pods.iter().enumerate().any(stuck)
    }

    fn replace_one(&mut self) -> bool {
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            let from = self.fleet.offering_of(node.class);
            if !self.is_movable(node) {
                continue;
            }
            for class in 0..self.fleet.offerings.len() {
                let to = &self.fleet.offerings[class];
                let fresh = Group {
                    class,
                    ..node.clone()
                };
                if to.cell == from.cell
                    && to.usd_per_hour < from.usd_per_hour * (1.0 - 1e-9)
                    && self.allowed(class)
                    && self.holds(&fresh)
                {
                    self.nodes[index] = fresh;
                    return true;
                }
            }
        }
        false
    }

    fn holds(&self, node: &Group) -> bool {
        let class = &self.fleet.classes[node.class];
        let allowed = node.pods.iter().zip(&class.most).all(|(n, most)| n <= most);
        allowed && class.room_beside(&node.pods, |s| self.size(s)).is_some()
    }

    /// The placement; nodes that are empty and may go are given back.
    pub(super) fn finish(mut self) -> Placement {
        let mut index = 0;
        while index < self.nodes.len() {
            let node = &self.nodes[index];
            if node.pods.iter().all(|n| *n == 0) && !self.fleet.classes[node.class].kept {
                let gone = self.nodes.remove(index);
                if self.keeps_lower_limits() {
                    continue;
                }
                self.nodes.insert(index, gone);
            }
            index += 1;
        }
        Placement { groups: self.nodes }.normalized()
    }
}
