//! A service's column: its replicas in every cell, and the cheapest one under given prices.

use crate::fleet::{Fleet, Service};
use crate::problem::Survive;

/// Replicas of one service in every cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Column {
    /// Total.
    pub replicas: u32,
    /// Replicas in each cell of the fleet.
    pub cells: Vec<u32>,
}

/// What a service pays where it runs.
#[derive(Clone, Debug)]
pub(crate) struct Prices<'a> {
    /// USD/h of one replica in each cell of the fleet.
    pub(crate) cells: &'a [f64],
    /// USD/h of one spot replica more, and of one less that the spot share allows.
    pub(crate) spot: f64,
    /// USD/h of a move.
    pub(crate) move_usd_per_hour: f64,
    /// Weight of the latency term: 1, or 0 when only feasibility is asked.
    pub(crate) slo_weight: f64,
    /// Whether pods that cannot leave their cell are counted on, as in a plan; the bound's relaxation does without.
    pub(crate) holds_fixed: bool,
}

impl Prices<'_> {
    /// Pods by cell that cannot leave it; empty where that does not count.
    fn fixed<'s>(&self, service: &'s Service, replicas: u32) -> &'s [u32] {
        if self.holds_fixed {
            service.fixed(replicas)
        } else {
            &[]
        }
    }
}

impl Column {
    /// Whether it keeps the service's own rules, spot share included.
    pub(crate) fn keeps_spot_share(&self, service: &Service) -> bool {
        let spot: u32 = self.cells.iter().skip(1).step_by(2).sum();
        spot <= service.spot_limit(self.replicas)
    }
}

/// The cheapest column with a total in `range`, spot share left to its price; with its cost. `None` when there is none.
pub(crate) fn cheapest(
    fleet: &Fleet,
    service: &Service,
    prices: &Prices,
    range: (u32, u32),
) -> Option<(f64, Column)> {
    let depends_on_total =
        service.survive != Survive::None || service.volume_zones.iter().any(Option::is_some);
    let mut shared: Option<Tables> = None;
    let mut best: Option<(f64, u32)> = None;
    let levels = || {
        service
            .admissible()
            .filter(|level| (range.0..=range.1).contains(&level.replicas))
    };
    let top = levels().map(|level| level.replicas).max()?;
    for level in levels() {
        let r = level.replicas;
        if depends_on_total || shared.is_none() {
            shared = Some(Tables::new(
                fleet,
                service,
                prices,
                r,
                if depends_on_total { r } else { top },
            ));
        }
        let Some(spread) = shared.as_ref().and_then(|tables| tables.total(r)) else {
            continue;
        };
        let placed = f64::from(service.placed_now.min(r));
        let allowance = prices.spot * f64::from(service.spot_limit(r));
        let cost =
            prices.slo_weight * level.slo_usd_per_hour + prices.move_usd_per_hour * placed + spread
                - allowance;
        if best.is_none_or(|(least, _)| cost < least - 1e-12) {
            best = Some((cost, r));
        }
    }
    let (cost, r) = best?;
    let tables = Tables::new(fleet, service, prices, r, r);
    Some((
        cost,
        Column {
            replicas: r,
            cells: tables.column(fleet, r),
        },
    ))
}

/// The cheapest column of this total that also keeps the spot share; `None` when there is none.
pub(crate) fn within_spot_share(
    fleet: &Fleet,
    service: &Service,
    prices: &Prices,
    replicas: u32,
) -> Option<Column> {
    let range = (replicas, replicas);
    let prices = &Prices {
        holds_fixed: true,
        ..prices.clone()
    };
    let column = cheapest(fleet, service, prices, range)?.1;
    if column.keeps_spot_share(service) {
        return Some(column);
    }
    // A dearer spot moves replicas to on-demand cells; bisection finds the price at which just enough move.
    let at = |spot: f64| {
        cheapest(
            fleet,
            service,
            &Prices {
                spot,
                ..prices.clone()
            },
            range,
        )
        .map(|(_, column)| column)
    };
    let spread: f64 = prices.cells.iter().map(|price| price.abs()).sum::<f64>() + 1.0;
    let (mut low, mut high) = (prices.spot, prices.spot + 2.0 * spread);
    let mut kept = at(high).filter(|column| column.keeps_spot_share(service))?;
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        let column = at(middle)?;
        if column.keeps_spot_share(service) {
            (high, kept) = (middle, column);
        } else {
            low = middle;
        }
    }
    refill_spot(service, prices, &mut kept);
    Some(kept)
}

/// Moves replicas back to the spot cell of the same zone while the share allows and it saves.
fn refill_spot(service: &Service, prices: &Prices, column: &mut Column) {
    let used: u32 = column.cells.iter().skip(1).step_by(2).sum();
    let mut left = service.spot_limit(column.replicas).saturating_sub(used);
    let mut zones: Vec<usize> = service
        .cells
        .iter()
        .filter(|cell| *cell % 2 == 1)
        .map(|cell| cell / 2)
        .collect();
    let saving = |zone: &usize| prices.cells[2 * zone] - prices.cells[2 * zone + 1];
    zones.sort_by(|a, b| saving(b).total_cmp(&saving(a)));
    for zone in zones.into_iter().filter(|zone| saving(zone) > 0.0) {
        let moved = left.min(column.cells[2 * zone]);
        column.cells[2 * zone] -= moved;
        column.cells[2 * zone + 1] += moved;
        left -= moved;
    }
}

/// For every cluster of the service: the least cost of r replicas there and how they are spread over zones.
struct Tables {
    clusters: Vec<ClusterTable>,
    /// Pods that cannot leave their cell, where that counts.
    fixed: Vec<u32>,
    /// `totals[r]`: least cost of r replicas over all clusters.
    totals: Vec<f64>,
    /// For each cluster, the replicas it gets at each total, in the combination of the clusters up to it.
    splits: Vec<Vec<u32>>,
}

struct ClusterTable {
    /// Zones with the cheaper cell of each and its price.
    zones: Vec<ZonePrice>,
    /// `cost[r]`, +∞ when r replicas cannot be spread by the rules.
    cost: Vec<f64>,
    /// The lowest zone count at which `cost[r]` is reached; meaningless without a skew limit.
    lowest: Vec<u32>,
    rules: Rules,
}

struct ZonePrice {
    cell: usize,
    price: f64,
    least: u32,
    most: u32,
    counts_for_skew: bool,
}

#[derive(Clone, Copy)]
struct Rules {
    min_zones: u32,
    max_skew: Option<u32>,
}

impl Tables {
    /// Rules that depend on the total are those of `replicas`; the tables reach up to `top`.
    fn new(fleet: &Fleet, service: &Service, prices: &Prices, replicas: u32, top: u32) -> Self {
        let clusters: Vec<ClusterTable> = service
            .clusters
            .iter()
            .map(|bounds| ClusterTable::new(fleet, service, prices, bounds.cluster, replicas, top))
            .collect();
        let mut totals = vec![f64::INFINITY; top as usize + 1];
        totals[0] = 0.0;
        let mut splits = Vec::new();
        for table in &clusters {
            let (next, split) = combine(&totals, &table.cost);
            totals = next;
            splits.push(split);
        }
        Self {
            clusters,
            fixed: prices.fixed(service, replicas).to_vec(),
            totals,
            splits,
        }
    }

    fn total(&self, replicas: u32) -> Option<f64> {
        self.totals
            .get(replicas as usize)
            .copied()
            .filter(|cost| cost.is_finite())
    }

    fn column(&self, fleet: &Fleet, replicas: u32) -> Vec<u32> {
        let mut cells = vec![0; 2 * fleet.zones.len()];
        let mut left = replicas;
        for (table, split) in self.clusters.iter().zip(&self.splits).rev() {
            let here = split[left as usize];
            for (zone, count) in table.zones.iter().zip(table.spread(here)) {
                let dearer = zone.cell ^ 1;
                let stuck = self.fixed.get(dearer).map_or(0, |fixed| count.min(*fixed));
                cells[zone.cell] += count - stuck;
                cells[dearer] += stuck;
            }
            left -= here;
        }
        cells
    }
}

/// `next[r] = min over q of totals[r − q] + cost[q]`, with the q chosen.
fn combine(totals: &[f64], cost: &[f64]) -> (Vec<f64>, Vec<u32>) {
    let mut next = vec![f64::INFINITY; totals.len()];
    let mut split = vec![0; totals.len()];
    for (q, here) in (0_u32..).zip(cost).filter(|(_, here)| here.is_finite()) {
        for rest in 0..totals.len().saturating_sub(q as usize) {
            let total = totals[rest] + here;
            if total < next[rest + q as usize] {
                next[rest + q as usize] = total;
                split[rest + q as usize] = q;
            }
        }
    }
    (next, split)
}

impl ClusterTable {
    fn new(
        fleet: &Fleet,
        service: &Service,
        prices: &Prices,
        cluster: usize,
        replicas: u32,
        top: u32,
    ) -> Self {
        let rules = Rules {
            min_zones: service.min_zones,
            max_skew: service.max_skew,
        };
        let zones = zone_prices(fleet, service, prices, cluster, replicas);
        let (min, max) = service
            .bounds(cluster)
            .map_or((0, 0), |bounds| (bounds.min, bounds.max));
        let failure = if service.survive == Survive::Cluster {
            service.failure_limit(replicas)
        } else {
            u32::MAX
        };
        let mut table = Self {
            zones,
            cost: vec![f64::INFINITY; top as usize + 1],
            lowest: vec![0; top as usize + 1],
            rules,
        };
        for r in min..=max.min(failure).min(top) {
            if let Some((cost, lowest)) = table.least(r) {
                table.cost[r as usize] = cost;
                table.lowest[r as usize] = lowest;
            }
        }
        table
    }

    /// Least cost of r replicas here, with the lowest zone count it is reached at.
    fn least(&self, r: u32) -> Option<(f64, u32)> {
        let counted = self
            .zones
            .iter()
            .filter(|zone| zone.counts_for_skew)
            .count();
        let lowest_counts = match self.rules.max_skew {
            Some(_) if counted > 0 => 0..=r / u32::try_from(counted).unwrap_or(1),
            _ => 0..=0,
        };
        let cost = |counts: Vec<u32>| {
            counts
                .iter()
                .zip(&self.zones)
                .map(|(n, zone)| f64::from(*n) * zone.price)
                .sum::<f64>()
        };
        let mut best: Option<(f64, u32)> = None;
        for lowest in lowest_counts {
            if let Some(cost) = self.spread_from(r, lowest).map(cost)
                && best.is_none_or(|(least, _)| cost < least)
            {
                best = Some((cost, lowest));
            }
        }
        best
    }

    fn spread(&self, r: u32) -> Vec<u32> {
        self.spread_from(r, self.lowest[r as usize])
            .unwrap_or_else(|| vec![0; self.zones.len()])
    }

    /// The cheapest spread of r replicas with every counted zone in [lowest, lowest + skew]; zones are sorted by price.
    fn spread_from(&self, r: u32, lowest: u32) -> Option<Vec<u32>> {
        let bounds = |zone: &ZonePrice| match self.rules.max_skew {
            Some(skew) if zone.counts_for_skew => (
                zone.least.max(lowest),
                zone.most.min(lowest.saturating_add(skew)),
            ),
            _ => (zone.least, zone.most),
        };
        let mut counts: Vec<u32> = self.zones.iter().map(|zone| bounds(zone).0).collect();
        if self
            .zones
            .iter()
            .any(|zone| bounds(zone).0 > bounds(zone).1)
        {
            return None;
        }
        let used = |counts: &[u32]| counts.iter().filter(|n| **n > 0).count();
        if r > 0 {
            for (index, zone) in self.zones.iter().enumerate() {
                if used(&counts) < self.rules.min_zones as usize
                    && counts[index] == 0
                    && bounds(zone).1 > 0
                {
                    counts[index] = 1;
                }
            }
            if used(&counts) < self.rules.min_zones as usize {
                return None;
            }
        }
        let mut left = r.checked_sub(counts.iter().sum())?;
        for (index, zone) in self.zones.iter().enumerate() {
            let more = left.min(bounds(zone).1 - counts[index]);
            counts[index] += more;
            left -= more;
        }
        (left == 0).then_some(counts)
    }
}

/// The service's zones in a cluster, cheapest first, each at the price of its cheaper cell.
fn zone_prices(
    fleet: &Fleet,
    service: &Service,
    prices: &Prices,
    cluster: usize,
    replicas: u32,
) -> Vec<ZonePrice> {
    let price = |cell: usize| prices.cells[cell] + if cell % 2 == 1 { prices.spot } else { 0.0 };
    let failure = if service.survive == Survive::Zone {
        service.failure_limit(replicas)
    } else {
        u32::MAX
    };
    let fixed = prices.fixed(service, replicas);
    let mut zones: Vec<ZonePrice> = Vec::new();
    for cell in service
        .cells
        .iter()
        .copied()
        .filter(|cell| fleet.cluster_of_cell(*cell) == cluster)
    {
        let zone = cell / 2;
        match zones.iter_mut().find(|known| known.cell / 2 == zone) {
            Some(known) if price(cell) < known.price => {
                (known.cell, known.price) = (cell, price(cell))
            }
            Some(_) => {}
            None => zones.push(ZonePrice {
                cell,
                price: price(cell),
                least: service
                    .bound_to_zone(zone, replicas)
                    .max(fixed.iter().skip(2 * zone).take(2).sum()),
                most: failure,
                counts_for_skew: service.eligible_zones.contains(&zone),
            }),
        }
    }
    zones.sort_by(|a, b| a.price.total_cmp(&b.price).then(a.cell.cmp(&b.cell)));
    zones
}
