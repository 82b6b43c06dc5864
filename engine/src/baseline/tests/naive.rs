//! Pods placed one by one, each after a look at everything: what batches are compared with.

use super::*;
use crate::fleet::take;

pub(super) struct Naive<'a> {
    fleet: &'a Fleet,
    view: View,
    nodes: Vec<Group>,
}

impl<'a> Naive<'a> {
    pub(super) fn new(fleet: &'a Fleet, view: View, start: &Placement) -> Self {
        let one = |group: &Group| {
            let node = Group {
                count: 1,
                ..group.clone()
            };
            (0..group.count).map(move |_| node.clone())
        };
        let nodes = start.groups.iter().flat_map(one).collect();
        Self { fleet, view, nodes }
    }

    fn contains(&self, area: Area, node: &Group) -> bool {
        let offering = self.fleet.offering_of(node.class);
        match area {
            Area::Cluster(cluster) => offering.cluster == cluster,
            Area::Cell(cell) => offering.cell == cell,
        }
    }

    fn count(&self, s: usize, area: Area) -> u32 {
        let nodes = self.nodes.iter().filter(|node| self.contains(area, node));
        nodes.map(|node| node.pods[s]).sum()
    }

    pub(super) fn scale_down(&mut self, s: usize, area: Area, wanted: u32) {
        while self.count(s, area) > wanted {
            let loose = |i: &usize| {
                let node = &self.nodes[*i];
                self.contains(area, node) && node.pods[s] > self.fleet.classes[node.class].pinned[s]
            };
            let most = (0..self.nodes.len()).filter(loose);
            match most.max_by_key(|i| self.nodes[*i].pods[s]) {
                Some(most) => self.nodes[most].pods[s] -= 1,
                None => return,
            }
        }
    }

    fn settle(&mut self, order: &[usize]) {
        for index in 0..self.nodes.len() {
            let node = self.nodes[index].clone();
            let pinned = &self.fleet.classes[node.class].pinned;
            let mut kept = node.clone();
            kept.pods = pinned
                .iter()
                .zip(&node.pods)
                .map(|(a, b)| *a.min(b))
                .collect();
            for s in order {
                while kept.pods[*s] < node.pods[*s] && self.has_room(&kept, *s) {
                    kept.pods[*s] += 1;
                }
            }
            self.nodes[index] = kept;
        }
    }

    pub(super) fn first_fit(&mut self, batch: Batch) -> u32 {
        let one = |naive: &mut Self| {
            let fit = naive
                .nodes
                .iter()
                .position(|node| naive.accepts(node, batch.service, batch.area));
            fit.map(|index| naive.nodes[index].pods[batch.service] += 1)
        };
        let placed = (0..batch.count).take_while(|_| one(self).is_some()).count();
        u32::try_from(placed).unwrap()
    }

    fn place(&mut self, pending: &[(usize, Area)], values: &Values) -> bool {
        let mut complete = true;
        for (position, (s, area)) in pending.iter().enumerate() {
            let one = Batch {
                service: *s,
                area: *area,
                count: 1,
            };
            if self.first_fit(one) == 0 {
                match self.open(*s, *area, &pending[position + 1..], values) {
                    Some(mut node) => {
                        node.pods[*s] = 1;
                        self.nodes.push(node);
                    }
                    None => complete = false,
                }
            }
        }
        complete
    }

    fn open(
        &self,
        s: usize,
        area: Area,
        pending: &[(usize, Area)],
        values: &Values,
    ) -> Option<Group> {
        let mut best: Option<(f64, usize)> = None;
        let empty = |class| Group {
            class,
            count: 1,
            pods: vec![0; self.fleet.services.len()],
        };
        for (class, offering) in self.fleet.offerings.iter().enumerate() {
            let mut node = empty(class);
            if !self.allowed(class) || !self.accepts(&node, s, area) {
                continue;
            }
            node.pods[s] = 1;
            let mut value = values.pods[s][offering.cell];
            for (other, area) in pending {
                if self.accepts(&node, *other, *area) {
                    node.pods[*other] += 1;
                    value += values.pods[*other][offering.cell];
                }
            }
            let efficiency = value / offering.usd_per_hour.max(1e-9);
            if best.is_none_or(|(most, _)| efficiency > most * (1.0 + 1e-9)) {
                best = Some((efficiency, class));
            }
        }
        best.map(|(_, class)| empty(class))
    }

    fn sum(&self, coefficients: &[f64]) -> f64 {
        let of = |node: &Group| coefficients[self.fleet.classes[node.class].offering];
        self.nodes.iter().map(of).sum()
    }

    fn allowed(&self, offering: usize) -> bool {
        let mut upper = self.fleet.limits.iter().filter(|limit| !limit.at_least);
        upper.all(|limit| {
            self.sum(&limit.coefficients) + limit.coefficients[offering] <= limit.limit + 1e-9
        })
    }

    fn accepts(&self, node: &Group, s: usize, area: Area) -> bool {
        self.contains(area, node) && self.has_room(node, s) && self.keeps_skew(node, s)
    }

    fn size(&self, s: usize) -> Vec<u64> {
        match &self.view {
            View::Stock => self.fleet.services[s].request.clone(),
            View::Full(replicas) => self.fleet.services[s].pod_size(replicas[s]),
        }
    }

    fn has_room(&self, node: &Group, s: usize) -> bool {
        let (class, service) = (&self.fleet.classes[node.class], &self.fleet.services[s]);
        let most = match &self.view {
            View::Stock => service.max_per_node,
            View::Full(replicas) => service.node_limit(replicas[s]),
        };
        if node.pods[s] >= class.most[s].min(most.max(class.pinned[s]))
            || service.conflicts.iter().any(|other| node.pods[*other] > 0)
        {
            return false;
        }
        let room = class.room_beside(&node.pods, |other| self.size(other));
        room.is_some_and(|mut room| take(&mut room, &self.size(s), 1).is_some())
    }

    fn keeps_skew(&self, node: &Group, s: usize) -> bool {
        let (Some(max_skew), View::Stock) = (self.fleet.services[s].max_skew, &self.view) else {
            return true;
        };
        let offering = self.fleet.offering_of(node.class);
        let here = |zone: usize| {
            self.count(s, Area::Cell(2 * zone)) + self.count(s, Area::Cell(2 * zone + 1))
        };
        let eligible = self.fleet.services[s].eligible_zones.iter();
        let zones = eligible.filter(|zone| self.fleet.zones[**zone].cluster == offering.cluster);
        let least = zones.map(|zone| here(*zone)).min().unwrap_or(0);
        let more = here(offering.zone) + 1;
        more - least.min(more) <= max_skew
    }

    pub(super) fn finish(mut self) -> Placement {
        let mut index = 0;
        while index < self.nodes.len() {
            let node = &self.nodes[index];
            if node.pods.iter().all(|n| *n == 0) && !self.fleet.classes[node.class].kept {
                let gone = self.nodes.remove(index);
                let mut lower = self.fleet.limits.iter().filter(|limit| limit.at_least);
                if lower.all(|limit| self.sum(&limit.coefficients) >= limit.limit) {
                    continue;
                }
                self.nodes.insert(index, gone);
            }
            index += 1;
        }
        Placement { groups: self.nodes }.normalized()
    }
}

pub(super) fn rebuilt(
    fleet: &Fleet,
    start: &Placement,
    columns: &[Column],
    values: &Values,
) -> Option<Placement> {
    let view = View::Full(columns.iter().map(|column| column.replicas).collect());
    let order = Builder::new(fleet, &view, start).by_size();
    let mut naive = Naive::new(fleet, view, start);
    for (s, column) in columns.iter().enumerate() {
        for (cell, wanted) in column.cells.iter().enumerate() {
            naive.scale_down(s, Area::Cell(cell), *wanted);
        }
    }
    naive.settle(&order);
    let mut pending = Vec::new();
    for s in order {
        for (cell, wanted) in columns[s].cells.iter().enumerate() {
            let missing = wanted.saturating_sub(naive.count(s, Area::Cell(cell)));
            pending.extend((0..missing).map(|_| (s, Area::Cell(cell))));
        }
    }
    naive.place(&pending, values).then(|| naive.finish())
}
