//! The part of the bound that a service's replicas decide: its least cost over totals and their spread over zones.
//!
//! Exact by tables: the least cost of each replica count in each cluster, then the best split of a total over clusters. `survive` and
//! volumes make the tables depend on the total; where one table a total is too much work, totals next to each other
//! share one made with the loosest of their rules, and a skew above [`SKEW_BOXES`] is loosened likewise. Both only
//! lower the result.

mod table;

use super::Prices;
use super::multipliers::Multipliers;
use super::rounding::{add_down, mul_down};
use crate::fleet::{ClusterBounds, Fleet, Service};
use crate::problem::Survive;
use table::Table;

/// Steps that the tables of one service may take before totals share tables.
const WORK: u64 = 2_000_000;

/// Lowest zone counts that are told apart within the reach of a skew.
const SKEW_BOXES: u32 = 16;

/// The least cost of a service over admissible totals within the leaf's decisions, USD/h, rounded down; `None` when no total is
/// admissible.
pub(super) fn least_cost(
    fleet: &Fleet,
    index: usize,
    multipliers: &Multipliers,
    prices: Prices,
) -> Option<f64> {
    let service = &fleet.services[index];
    let (low, high) = multipliers.replicas[index];
    let totals: Vec<u32> = service
        .admissible()
        .map(|level| level.replicas)
        .filter(|r| (low..=high).contains(r))
        .collect();
    let spread = Spread {
        service,
        clusters: clusters(fleet, index, multipliers),
    };
    let costs = totals
        .chunks(spread.shared(&totals))
        .flat_map(|totals| spread.costs(totals));
    let own = own_cost(service, index, multipliers, prices);
    costs
        .filter(|(_, cost)| cost.is_finite())
        .map(|(total, cost)| add_down(cost, own(total)))
        .reduce(f64::min)
}

/// What a total costs wherever it runs: objective, moves of running pods, spot share.
fn own_cost<'a>(
    service: &'a Service,
    index: usize,
    multipliers: &'a Multipliers,
    prices: Prices,
) -> impl Fn(u32) -> f64 + 'a {
    let real = prices == Prices::Real;
    let priced_move = if real { service.move_usd_per_hour } else { 0.0 };
    let a_move = add_down(
        add_down(priced_move, multipliers.max_moves),
        multipliers.no_moves[index],
    );
    move |total| {
        let slo = if real {
            service.level(total).slo_usd_per_hour
        } else {
            0.0
        };
        let moves = mul_down(a_move, f64::from(service.placed_now.min(total)));
        let spot = mul_down(
            -multipliers.spot_share[index],
            f64::from(service.spot_limit(total)),
        );
        add_down(add_down(slo, moves), spot)
    }
}

/// A zone as a service sees it.
struct Zone {
    index: usize,
    /// Multiplier of one more replica at the cheaper capacity type.
    usd_per_hour: f64,
    /// Most replicas that its nodes can hold.
    most: u32,
    /// Skew counts here.
    is_eligible: bool,
}

/// A cluster with the service's zones, cheapest first.
struct Cluster {
    bounds: ClusterBounds,
    zones: Vec<Zone>,
}

fn clusters(fleet: &Fleet, index: usize, multipliers: &Multipliers) -> Vec<Cluster> {
    let cluster = |bounds: &ClusterBounds| {
        let inside = |zone: &usize| fleet.zones[*zone].cluster == bounds.cluster;
        let mut zones: Vec<Zone> = (0..fleet.zones.len())
            .filter(inside)
            .filter_map(|zone| Zone::of(fleet, index, zone, multipliers))
            .collect();
        zones.sort_by(|a, b| {
            a.usd_per_hour
                .total_cmp(&b.usd_per_hour)
                .then(a.index.cmp(&b.index))
        });
        Cluster {
            bounds: *bounds,
            zones,
        }
    };
    fleet.services[index].clusters.iter().map(cluster).collect()
}

impl Zone {
    fn of(fleet: &Fleet, index: usize, zone: usize, multipliers: &Multipliers) -> Option<Self> {
        let service = &fleet.services[index];
        let pods = &multipliers.pods[index];
        let usd_per_hour = (service.cells.iter().filter(|cell| **cell / 2 == zone))
            .map(|cell| {
                if cell % 2 == 1 {
                    add_down(pods[*cell], multipliers.spot_share[index])
                } else {
                    pods[*cell]
                }
            })
            .reduce(f64::min)?;
        let is_eligible = service.eligible_zones.contains(&zone);
        let most = if is_eligible {
            u32::MAX
        } else {
            existing_room(fleet, index, zone)
        };
        Some(Self {
            index: zone,
            usd_per_hour,
            most,
            is_eligible,
        })
    }
}

/// Most pods of a service on the existing nodes of a zone.
fn existing_room(fleet: &Fleet, index: usize, zone: usize) -> u32 {
    let classes = fleet
        .classes
        .iter()
        .filter(|class| class.is_existing() && fleet.offerings[class.offering].zone == zone);
    classes.fold(0, |sum, class| {
        sum.saturating_add(class.count().unwrap_or(0).saturating_mul(class.most[index]))
    })
}

/// Rules that hold for a range of totals, the loosest where they differ.
struct Rules {
    fewest: u32,
    most: u32,
    /// Most replicas in one failure unit.
    unit: u32,
}

struct Spread<'a> {
    service: &'a Service,
    clusters: Vec<Cluster>,
}

impl Spread<'_> {
    /// How many totals share a table: 1 where that is little work, all of them where their rules are the same.
    fn shared(&self, totals: &[u32]) -> usize {
        let survive = matches!(self.service.survive, Survive::Zone | Survive::Cluster);
        let (Some(last), true) = (
            totals.last(),
            survive || !self.service.volume_zones.is_empty(),
        ) else {
            return totals.len().max(1);
        };
        let boxes = self.service.max_skew.map_or(1, |skew| {
            u64::from(skew.saturating_add(1).min(SKEW_BOXES)) + 1
        });
        let counts = |cluster: &Cluster| u64::from(cluster.bounds.max.min(*last)) + 1;
        let tables: u64 = if self.clusters.len() == 1 {
            1
        } else {
            self.clusters.iter().map(counts).sum()
        };
        let merges =
            (self.clusters.len().saturating_sub(2)) as u64 * u64::from(*last) * u64::from(*last);
        let allowed = usize::try_from(WORK / (tables * boxes + merges + 1))
            .unwrap_or(usize::MAX)
            .max(1);
        totals.len().div_ceil(allowed).max(1)
    }

    /// The least multiplier cost of each total, which are ascending.
    fn costs(&self, totals: &[u32]) -> Vec<(u32, f64)> {
        let (Some(first), Some(last)) = (totals.first(), totals.last()) else {
            return Vec::new();
        };
        let rules = Rules {
            fewest: *first,
            most: *last,
            unit: self.service.failure_limit(*last),
        };
        let mut tables = self
            .clusters
            .iter()
            .map(|cluster| self.table(cluster, &rules));
        let none = Table {
            first: 0,
            costs: vec![0.0],
        };
        let Some(last_table) = tables.next_back() else {
            return Vec::new();
        };
        let others = tables.fold(none, |sum, table| sum.merge(&table, *last));
        totals
            .iter()
            .map(|total| (*total, others.split(&last_table, *total)))
            .collect()
    }

    /// Least costs of the replica counts in one cluster that totals within the rules can have.
    fn table(&self, cluster: &Cluster, rules: &Rules) -> Table {
        let others = || {
            self.clusters
                .iter()
                .filter(|other| other.bounds.cluster != cluster.bounds.cluster)
                .map(|c| c.bounds)
        };
        let others_most = others().fold(0_u32, |sum, bounds| sum.saturating_add(bounds.max));
        let others_least = others().fold(0_u32, |sum, bounds| sum.saturating_add(bounds.min));
        let unit = if self.service.survive == Survive::Cluster {
            rules.unit
        } else {
            u32::MAX
        };
        let first = cluster
            .bounds
            .min
            .max(rules.fewest.saturating_sub(others_most));
        let last = cluster
            .bounds
            .max
            .min(unit)
            .min(rules.most.saturating_sub(others_least));
        if first > last {
            return Table {
                first: 0,
                costs: Vec::new(),
            };
        }
        let mut table = Table {
            first,
            costs: vec![f64::INFINITY; (last - first) as usize + 1],
        };
        let bound: Vec<u32> = cluster
            .zones
            .iter()
            .map(|zone| self.service.bound_to_zone(zone.index, rules.fewest))
            .collect();
        if self.bound_elsewhere(rules.fewest) {
            return table;
        }
        if first == 0 && bound.iter().all(|pods| *pods == 0) {
            table.costs[0] = 0.0;
        }
        for reach in self.skew_boxes(cluster, first, last) {
            if let Some(ranges) = self.ranges(cluster, &bound, reach, rules.unit) {
                table.fill(cluster, &ranges);
            }
        }
        table
    }

    /// Whether a volume binds a pod to a zone where the service has no cell at all.
    fn bound_elsewhere(&self, total: u32) -> bool {
        let known = |zone: usize| {
            self.clusters
                .iter()
                .any(|cluster| cluster.zones.iter().any(|z| z.index == zone))
        };
        self.service
            .volume_zones
            .iter()
            .take(total as usize)
            .flatten()
            .any(|zone| !known(*zone))
    }

    /// Ranges of pods of eligible zones that together cover everything within the skew; one without limits when there is none.
    fn skew_boxes(&self, cluster: &Cluster, first: u32, last: u32) -> Vec<(u32, u32)> {
        let eligible = u32::try_from(cluster.zones.iter().filter(|zone| zone.is_eligible).count())
            .unwrap_or(u32::MAX);
        let Some(skew) = self
            .service
            .max_skew
            .filter(|skew| *skew < last && eligible > 0)
        else {
            return vec![(0, u32::MAX)];
        };
        let elsewhere = cluster
            .zones
            .iter()
            .filter(|zone| !zone.is_eligible)
            .fold(0_u32, |sum, zone| sum.saturating_add(zone.most));
        let lowest = (first.saturating_sub(elsewhere) / eligible).saturating_sub(skew);
        let step = skew.saturating_add(1).div_ceil(SKEW_BOXES);
        let starts = (lowest..=last / eligible).step_by(step as usize);
        starts
            .map(|low| (low, low.saturating_add(step - 1).saturating_add(skew)))
            .collect()
    }

    /// Fewest and most pods of each zone, with the cheapest zones made non-empty until there are enough; `None` when impossible.
    fn ranges(
        &self,
        cluster: &Cluster,
        bound: &[u32],
        (low, high): (u32, u32),
        unit: u32,
    ) -> Option<Vec<(u32, u32)>> {
        let unit = if self.service.survive == Survive::Zone {
            unit
        } else {
            u32::MAX
        };
        let range = |(zone, bound): (&Zone, &u32)| {
            let (low, high) = if zone.is_eligible {
                (low, high)
            } else {
                (0, u32::MAX)
            };
            (low.max(*bound), high.min(zone.most).min(unit))
        };
        let mut ranges: Vec<(u32, u32)> = cluster.zones.iter().zip(bound).map(range).collect();
        if ranges.iter().any(|(low, high)| low > high) {
            return None;
        }
        let used = ranges.iter().filter(|(low, _)| *low > 0).count();
        let missing = (self.service.min_zones as usize).saturating_sub(used);
        let mut empty = ranges
            .iter_mut()
            .filter(|(low, high)| *low == 0 && *high > 0);
        for _ in 0..missing {
            empty.next()?.0 = 1;
        }
        Some(ranges)
    }
}
