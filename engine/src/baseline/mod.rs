//! What the stock autoscalers would do, and the least that makes it feasible.
//!
//! Replicas are those that the Horizontal Pod Autoscaler ([`hpa`]) settles on under the expected load. The scheduler puts missing
//! pods onto the first nodes with room, the largest first; a node autoscaler does the rest: Cluster Autoscaler with the expander
//! `least-waste` or `price`, or Karpenter, each as its source has it (the modules name files and releases). They see requests and
//! the scheduler's filters; they know nothing of expected use, spot shares, failures to survive or budgets.
//!
//! The baseline is the cheapest of the three: what users have who chose the best tool for their fleet.

mod builder;
mod claim;
mod cluster_autoscaler;
mod expander;
pub mod hpa;
mod karpenter;
mod nearest;
mod purchase;
mod replicas;

use crate::exact::Column;
use crate::feasibility::is_feasible;
use crate::fleet::Fleet;
use crate::improve::{consolidate, until_feasible};
use crate::limits::Meter;
use crate::packing::{self, Demand, Values};
use crate::parallel;
use crate::placement::Placement;
use builder::{Area, Batch, Builder, View};
use expander::Expander;
use purchase::Purchase;
use replicas::desired;

/// A stock node autoscaler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Cluster Autoscaler, expander `least-waste`.
    ClusterAutoscalerLeastWaste,
    /// Cluster Autoscaler, expander `price`.
    ClusterAutoscalerPrice,
    /// Karpenter.
    Karpenter,
}

impl Tool {
    /// All tools.
    pub const ALL: [Self; 3] = [
        Self::ClusterAutoscalerLeastWaste,
        Self::ClusterAutoscalerPrice,
        Self::Karpenter,
    ];

    /// The name in plan files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterAutoscalerLeastWaste => "cluster_autoscaler_least_waste",
            Self::ClusterAutoscalerPrice => "cluster_autoscaler_price",
            Self::Karpenter => "karpenter",
        }
    }

    fn run(self, builder: &mut Builder, pending: &mut [Batch], meter: &Meter) {
        match self {
            Self::ClusterAutoscalerLeastWaste => {
                cluster_autoscaler::run(builder, pending, Expander::LeastWaste, meter);
            }
            Self::ClusterAutoscalerPrice => {
                cluster_autoscaler::run(builder, pending, Expander::Price, meter);
            }
            Self::Karpenter => karpenter::run(builder, pending, meter),
        }
    }
}

/// What a stock tool makes of the fleet.
#[derive(Clone, Debug)]
pub struct Stock {
    /// The tool.
    pub tool: Tool,
    /// Its placement, with whatever constraints it breaks.
    pub placement: Placement,
    /// Pods that it leaves pending.
    pub pending: u32,
    /// Work units used.
    pub work: u64,
}

/// Every stock tool's placement. All pods that find room are placed whatever the limits; nodes are consolidated as far as these let.
pub fn stock(fleet: &Fleet, meter: &Meter) -> Vec<Stock> {
    let (builder, pending) = autoscaled(fleet, |s, cluster| desired(fleet, s, cluster));
    let shares = meter.shares(Tool::ALL.len());
    let tools: Vec<_> = Tool::ALL.into_iter().zip(shares).collect();
    parallel::map(&tools, |(tool, meter)| {
        let (mut builder, mut pending) = (builder.clone(), pending.clone());
        tool.run(&mut builder, &mut pending, meter);
        Stock {
            tool: *tool,
            placement: builder.finish(),
            pending: pending.iter().map(|batch| batch.count).sum(),
            work: meter.used(),
        }
    })
}

/// What a tool makes of the fleet at given replicas, by service and cluster.
pub(crate) fn at_replicas(fleet: &Fleet, wanted: &[Vec<u32>], tool: Tool, meter: &Meter) -> Stock {
    let wanted = |s: usize, cluster: usize| {
        let service = wanted.get(s).and_then(|clusters| clusters.get(cluster));
        service.copied().unwrap_or(0)
    };
    let (mut builder, mut pending) = autoscaled(fleet, wanted);
    tool.run(&mut builder, &mut pending, meter);
    Stock {
        tool,
        placement: builder.finish(),
        pending: pending.iter().map(|batch| batch.count).sum(),
        work: meter.used(),
    }
}

/// The cheapest of those that leave the fewest pods pending: `baseline`.
pub fn best(fleet: &Fleet, stocks: &[Stock]) -> Placement {
    let key = |stock: &Stock| (stock.pending, total(fleet, &stock.placement));
    let best = stocks.iter().min_by(|a, b| {
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    best.map_or_else(
        || Placement::current(fleet),
        |stock| stock.placement.clone(),
    )
}

/// What runs now with the replicas wanted of each service in each cluster, and the pods that do not fit on the nodes there are, the
/// largest first.
fn autoscaled(fleet: &Fleet, wanted: impl Fn(usize, usize) -> u32) -> (Builder<'_>, Vec<Batch>) {
    let mut builder = Builder::new(fleet, &View::Stock, &Placement::current(fleet));
    let mut pending = Vec::new();
    for service in builder.by_size() {
        for bounds in &fleet.services[service].clusters {
            let area = Area::Cluster(bounds.cluster);
            let wanted = wanted(service, bounds.cluster);
            builder.scale_down(service, area, wanted);
            let count = wanted.saturating_sub(builder.count(service, area));
            pending.push(Batch {
                service,
                area,
                count,
            });
        }
    }
    for batch in &mut pending {
        batch.count -= builder.first_fit(*batch);
    }
    (builder, pending)
}

/// The tools' placements with the least replicas and nodes added until they are feasible, cheapest first; without those where that
/// did not succeed.
pub fn repair(fleet: &Fleet, stocks: &[Stock], meter: &Meter) -> Vec<Placement> {
    let mut placements = vec![best(fleet, stocks)];
    for stock in stocks {
        if !placements.contains(&stock.placement) {
            placements.push(stock.placement.clone());
        }
    }
    let shares = meter.shares(placements.len());
    let parts: Vec<_> = placements.into_iter().zip(shares).enumerate().collect();
    let repaired = parallel::map(&parts, |(index, (placement, meter))| {
        // Packing anew takes longest by far and hardly depends on the tool.
        made_feasible(fleet, placement, *index == 0, meter)
    });
    let mut repaired: Vec<Placement> = repaired.into_iter().flatten().collect();
    repaired.sort_by(|a, b| total(fleet, a).total_cmp(&total(fleet, b)));
    repaired
}

/// One placement repaired; `None` when that did not succeed.
fn made_feasible(
    fleet: &Fleet,
    stock: &Placement,
    packs_anew: bool,
    meter: &Meter,
) -> Option<Placement> {
    if is_feasible(fleet, stock) {
        return Some(stock.clone());
    }
    let values = Values::of_prices(fleet);
    let columns: Option<Vec<Column>> = (0..fleet.services.len())
        .map(|s| nearest::column(fleet, s, stock.by_cell(fleet, s), &values))
        .collect();
    let columns = columns?;
    let mut attempts: Vec<Placement> = Vec::new();
    for start in [stock.clone(), Placement::current(fleet)] {
        attempts.extend(rebuilt(fleet, &start, &columns, &values));
    }
    if packs_anew && meter.goes_on() {
        let demand = Demand::by_cell(fleet, &columns);
        attempts.extend(packing::pack(fleet, &demand, &values, meter));
    }
    let feasible = attempts
        .into_iter()
        .filter_map(|placement| until_feasible(fleet, placement, meter));
    let feasible = feasible.map(|placement| consolidate(fleet, placement, meter));
    feasible.min_by(|a, b| total(fleet, a).total_cmp(&total(fleet, b)))
}

fn total(fleet: &Fleet, placement: &Placement) -> f64 {
    crate::cost::cost(fleet, placement).total_usd_per_hour
}

/// Whole nodes with pods added, and nodes bought for them, until every service has about the replicas asked for, by service and
/// cell, as its own rules have them; `None` when limits on nodes leave pods over.
pub(crate) fn completed(
    fleet: &Fleet,
    nodes: &Placement,
    wanted: &[Vec<u32>],
) -> Option<Placement> {
    let values = Values::of_prices(fleet);
    let columns: Option<Vec<Column>> = wanted
        .iter()
        .enumerate()
        .map(|(s, cells)| nearest::column(fleet, s, cells.clone(), &values))
        .collect();
    rebuilt(fleet, nodes, &columns?, &values)
}

/// The start's nodes with pods taken off and added until the columns are met.
fn rebuilt(
    fleet: &Fleet,
    start: &Placement,
    columns: &[Column],
    values: &Values,
) -> Option<Placement> {
    let view = View::Full(columns.iter().map(|column| column.replicas).collect());
    let mut builder = Builder::new(fleet, &view, start);
    let wanted = || {
        let columns = columns.iter().enumerate();
        columns.flat_map(|(s, column)| {
            let cells = column.cells.iter().enumerate();
            cells.map(move |(cell, wanted)| (s, cell, *wanted))
        })
    };
    for (s, cell, wanted) in wanted() {
        builder.scale_down(s, Area::Cell(cell), wanted);
    }
    builder.settle();
    let missing = wanted()
        .map(|(s, cell, wanted)| {
            let here = builder.count(s, Area::Cell(cell));
            (s, cell, wanted.saturating_sub(here))
        })
        .filter(|(.., missing)| *missing > 0)
        .collect();
    let complete = Purchase::new(&builder, values, missing).run(&mut builder);
    complete.then(|| builder.finish())
}

#[cfg(test)]
mod tests;
