//! From replicas in cells to nodes with pods: greedy filling by value for money, then local improvement elsewhere.

use crate::exact::{Column, Precision, pattern};
use crate::fleet::Fleet;
use crate::limits::Meter;
use crate::placement::{Group, Placement};

/// Worth of leaving a pod alone that may not be moved, USD/h: more than any node costs.
const UNMOVABLE: f64 = 1e4;

/// What pods are worth to a packer, USD/h.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    /// One pod on a node, by service and cell.
    pub pods: Vec<Vec<f64>>,
    /// One pod that stays where it is, on top, by service.
    pub stay: Vec<f64>,
}

impl Values {
    /// The share of the scarcest dimension that a pod takes of a node, at that node's price, least over the cell's offerings.
    #[allow(clippy::cast_precision_loss)]
    pub fn of_prices(fleet: &Fleet) -> Self {
        let cells = 2 * fleet.zones.len();
        let mut values = vec![vec![f64::INFINITY; cells]; fleet.services.len()];
        for class in &fleet.classes[..fleet.offerings.len()] {
            let offering = &fleet.offerings[class.offering];
            for (s, service) in fleet
                .services
                .iter()
                .enumerate()
                .filter(|(s, _)| offering.eligible[*s])
            {
                let shares = service
                    .request
                    .iter()
                    .zip(&class.capacity)
                    .map(|(size, room)| *size as f64 / (*room).max(1) as f64);
                let evictions = offering.interruptions_per_hour * service.usd_per_eviction;
                let price = shares.fold(0.0, f64::max)
                    * (offering.usd_per_hour + offering.startup_usd_per_hour)
                    + evictions;
                values[s][offering.cell] = values[s][offering.cell].min(price);
            }
        }
        let finite = values
            .iter()
            .flatten()
            .copied()
            .filter(|value| value.is_finite())
            .fold(1e-6, f64::max);
        values
            .iter_mut()
            .flatten()
            .filter(|value| !value.is_finite())
            .for_each(|value| *value = finite);
        Self {
            pods: values,
            stay: fleet
                .services
                .iter()
                .map(|service| service.move_usd_per_hour)
                .collect(),
        }
    }

    /// Dual values, with a small floor so that every pod is worth packing.
    pub fn of_duals(fleet: &Fleet, pods: &[Vec<f64>], moves: &[f64]) -> Self {
        let mut values = Self::of_prices(fleet);
        for (value, dual) in values.pods.iter_mut().flatten().zip(pods.iter().flatten()) {
            *value = (0.05 * *value).max(*dual).max(1e-9);
        }
        values.stay = moves.to_vec();
        values
    }
}

/// Pods to pack: how many of each service in each bucket. A bucket is a cell, or an offering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Total replicas of each service.
    replicas: Vec<u32>,
    /// Pods by service and bucket.
    pods: Vec<Vec<u32>>,
    /// Bucket of each offering.
    buckets: Vec<usize>,
}

impl Demand {
    /// One column a service; which offering of a cell takes a pod is left to the packer.
    pub fn by_cell(fleet: &Fleet, columns: &[Column]) -> Self {
        let replicas = columns.iter().map(|column| column.replicas).collect();
        let pods = columns.iter().map(|column| column.cells.clone()).collect();
        Self {
            replicas,
            pods,
            buckets: fleet
                .offerings
                .iter()
                .map(|offering| offering.cell)
                .collect(),
        }
    }

    /// Pods by service and offering.
    pub fn by_offering(fleet: &Fleet, pods: Vec<Vec<u32>>) -> Self {
        let replicas = pods.iter().map(|pods| pods.iter().sum()).collect();
        Self {
            replicas,
            pods,
            buckets: (0..fleet.offerings.len()).collect(),
        }
    }
}

/// Packs pods onto nodes; `None` when the limits on nodes leave pods over, or the meter ends it. Budget and moves are not looked at.
pub fn pack(fleet: &Fleet, demand: &Demand, values: &Values, meter: &Meter) -> Option<Placement> {
    let mut packer = Packer::new(fleet, demand, values, meter);
    packer.kept_nodes()?;
    for bucket in 0..demand.pods.first().map_or(0, Vec::len) {
        packer.fill(bucket)?;
    }
    packer.lower_limits()?;
    Some(
        Placement {
            groups: packer.groups,
        }
        .normalized(),
    )
}

struct Packer<'a> {
    fleet: &'a Fleet,
    values: &'a Values,
    demand: &'a Demand,
    meter: &'a Meter<'a>,
    /// Pods still to place, by service and bucket.
    left: Vec<Vec<u32>>,
    /// Nodes used of each class.
    used: Vec<u32>,
    groups: Vec<Group>,
}

impl<'a> Packer<'a> {
    fn new(fleet: &'a Fleet, demand: &'a Demand, values: &'a Values, meter: &'a Meter) -> Self {
        Self {
            fleet,
            values,
            demand,
            meter,
            left: demand.pods.clone(),
            used: vec![0; fleet.classes.len()],
            groups: Vec::new(),
        }
    }

    fn bucket(&self, class: usize) -> usize {
        self.demand.buckets[self.fleet.classes[class].offering]
    }

    /// Nodes that stay in any case are filled first: they cost nothing more.
    fn kept_nodes(&mut self) -> Option<()> {
        for class in 0..self.fleet.classes.len() {
            if self.fleet.classes[class].kept {
                for _ in 0..self.fleet.classes[class].count().unwrap_or(0) {
                    let (_, pods) = self.filling(class)?;
                    self.place(class, 1, pods);
                }
            }
        }
        Some(())
    }

    fn fill(&mut self, bucket: usize) -> Option<()> {
        while self.left.iter().any(|left| left[bucket] > 0) {
            if !self.meter.goes_on() {
                return None;
            }
            let mut best: Option<(f64, usize, Vec<u32>)> = None;
            for class in 0..self.fleet.classes.len() {
                if self.bucket(class) != bucket || self.room_for_nodes(class) == 0 {
                    continue;
                }
                let Some((value, pods)) = self
                    .filling(class)
                    .filter(|(_, pods)| pods.iter().any(|n| *n > 0))
                else {
                    continue;
                };
                let efficiency = value / self.price(class).max(1e-9);
                if best
                    .as_ref()
                    .is_none_or(|(most, ..)| efficiency > most * (1.0 + 1e-9))
                {
                    best = Some((efficiency, class, pods));
                }
            }
            let (_, class, pods) = best?;
            let repeats = pods
                .iter()
                .zip(&self.left)
                .filter(|(n, _)| **n > 0)
                .map(|(n, left)| left[bucket] / n)
                .min()
                .unwrap_or(1);
            let count = repeats.clamp(1, self.room_for_nodes(class));
            self.place(class, count, pods);
        }
        Some(())
    }

    /// Lower bounds on nodes: the cheapest nodes are kept or bought, empty.
    fn lower_limits(&mut self) -> Option<()> {
        for limit in self.fleet.limits.iter().filter(|limit| limit.at_least) {
            while self.sum(&limit.coefficients) < limit.limit {
                let useful = |class: &usize| {
                    limit.coefficients[self.fleet.classes[*class].offering] > 0.0
                        && self.room_for_nodes(*class) > 0
                };
                let cheapest = (0..self.fleet.classes.len())
                    .filter(useful)
                    .min_by(|a, b| self.price(*a).total_cmp(&self.price(*b)))?;
                self.place(cheapest, 1, vec![0; self.fleet.services.len()]);
            }
        }
        Some(())
    }

    fn price(&self, class: usize) -> f64 {
        let offering = self.fleet.offering_of(class);
        offering.usd_per_hour
            + if self.fleet.classes[class].is_existing() {
                0.0
            } else {
                offering.startup_usd_per_hour
            }
    }

    /// The best filling of one node with pods still to place.
    fn filling(&self, class: usize) -> Option<(f64, Vec<u32>)> {
        let cell = self.fleet.offering_of(class).cell;
        let value = |s: usize| self.values.pods[s][cell];
        let pinned = &self.fleet.classes[class].pinned;
        let (services, replicas, bucket) = (
            &self.fleet.services,
            &self.demand.replicas,
            self.bucket(class),
        );
        let most =
            |s: usize| self.left[s][bucket].min(services[s].node_limit(replicas[s]).max(pinned[s]));
        let stay = |s: usize| {
            self.values.stay[s]
                + if services[s].unmovable {
                    UNMOVABLE
                } else {
                    0.0
                }
        };
        let size = |s: usize| services[s].pod_size(replicas[s]);
        let filling = pattern(
            self.fleet,
            class,
            &value,
            &stay,
            &most,
            &size,
            Precision::GREEDY,
        )?;
        let mut pods = vec![0; self.fleet.services.len()];
        filling.pods.iter().for_each(|(s, n)| pods[*s] = *n);
        Some((filling.value, pods))
    }

    /// How many more nodes of a class may be used.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn room_for_nodes(&self, class: usize) -> u32 {
        let mut room = self.fleet.classes[class]
            .count()
            .map_or(u32::MAX, |count| count - self.used[class]);
        let offering = self.fleet.classes[class].offering;
        for limit in self
            .fleet
            .limits
            .iter()
            .filter(|limit| !limit.at_least && limit.coefficients[offering] > 0.0)
        {
            let left = (limit.limit - self.sum(&limit.coefficients)) / limit.coefficients[offering];
            room = room.min((left + 1e-9).max(0.0) as u32);
        }
        room
    }

    fn sum(&self, coefficients: &[f64]) -> f64 {
        self.used
            .iter()
            .zip(&self.fleet.classes)
            .map(|(n, class)| f64::from(*n) * coefficients[class.offering])
            .sum()
    }

    fn place(&mut self, class: usize, count: u32, pods: Vec<u32>) {
        let bucket = self.bucket(class);
        for (s, n) in pods.iter().enumerate() {
            self.left[s][bucket] = self.left[s][bucket].saturating_sub(n * count);
        }
        self.used[class] += count;
        self.groups.push(Group { class, count, pods });
    }
}
