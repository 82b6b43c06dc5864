//! What the stock autoscalers would do, and the least that makes it feasible.
//!
//! Replicas are those that the Horizontal Pod Autoscaler ([`hpa`]) settles on under the expected load. Pods are placed by first-fit
//! decreasing onto existing nodes, then onto new ones chosen by price for what they take, as Cluster Autoscaler's price
//! expander and Karpenter do; nodes whose pods fit elsewhere are then removed, as both do when they consolidate.
//! These tools see requests and the scheduler's filters; they know nothing of expected use, spot shares, failures to survive or budgets.

mod builder;
pub mod hpa;
mod nearest;

use crate::exact::Column;
use crate::feasibility::is_feasible;
use crate::fleet::Fleet;
use crate::improve::{consolidate, until_feasible};
use crate::limits::Meter;
use crate::packing::{self, Demand, Values};
use crate::placement::Placement;
use builder::{Builder, View};

/// The stock tools' placement, with whatever constraints it breaks.
pub fn stock(fleet: &Fleet) -> Placement {
    let mut builder = Builder::new(fleet, View::Stock);
    for s in 0..fleet.services.len() {
        for bounds in &fleet.services[s].clusters {
            let wanted = desired(fleet, s, bounds.cluster);
            builder.scale_down(
                s,
                &|cell| fleet.cluster_of_cell(cell) == bounds.cluster,
                wanted,
            );
        }
    }
    let mut pending = Vec::new();
    for s in 0..fleet.services.len() {
        for bounds in &fleet.services[s].clusters {
            let cluster = bounds.cluster;
            let here = builder.count(s, &|cell| fleet.cluster_of_cell(cell) == cluster);
            let missing = desired(fleet, s, cluster).saturating_sub(here);
            pending.extend((0..missing).map(|_| (s, cluster)));
        }
    }
    let cells_of = |cluster: usize| {
        (0..2 * fleet.zones.len())
            .filter(|cell| fleet.cluster_of_cell(*cell) == cluster)
            .collect()
    };
    builder.place(
        pending
            .into_iter()
            .map(|(s, cluster)| (s, cells_of(cluster)))
            .collect(),
    );
    builder.consolidate();
    builder.finish()
}

/// Replicas that HPA settles on in a cluster; services that are not sized, and those without known replicas, stay at their bounds.
fn desired(fleet: &Fleet, s: usize, cluster: usize) -> u32 {
    let service = &fleet.services[s];
    let Some(bounds) = service.bounds(cluster) else {
        return 0;
    };
    let now = bounds
        .now
        .unwrap_or(bounds.min)
        .clamp(bounds.min, bounds.max.max(bounds.min));
    let Some(target) = fleet.problem.services[s]
        .capacity
        .as_ref()
        .map(|capacity| capacity.target_utilization)
    else {
        return now;
    };
    // The load is shared by the replicas of all clusters, so HPA sees one utilisation and scales every cluster by the same ratio.
    let elsewhere: u32 = service
        .clusters
        .iter()
        .filter(|b| b.cluster != cluster)
        .map(|b| b.now.unwrap_or(b.min))
        .sum();
    let mut replicas = now.max(1);
    for _ in 0..20 {
        let scaled = scale(replicas, elsewhere, now);
        let Some(utilization) = service.level(replicas + scaled).utilization else {
            return now;
        };
        let next = hpa::for_ratio(utilization / target, hpa::TOLERANCE, replicas, replicas)
            .clamp(bounds.min, bounds.max.max(bounds.min))
            .max(u32::from(bounds.max > 0));
        if next == replicas {
            break;
        }
        replicas = next;
    }
    replicas.clamp(bounds.min, bounds.max.max(bounds.min))
}

/// What the other clusters have when this one went from `now` to `replicas`.
fn scale(replicas: u32, elsewhere: u32, now: u32) -> u32 {
    if now == 0 {
        elsewhere
    } else {
        ceil(f64::from(elsewhere) * f64::from(replicas) / f64::from(now))
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn ceil(value: f64) -> u32 {
    (value - 1e-9).ceil().clamp(0.0, 1e9) as u32
}

/// The stock placement with the least replicas and nodes added until it is feasible; `None` when that did not succeed.
pub fn repair(fleet: &Fleet, stock: &Placement, meter: &Meter) -> Option<Placement> {
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
        attempts.extend(rebuilt(fleet, &start, &columns));
    }
    attempts.extend(packing::pack(
        fleet,
        &Demand::by_cell(fleet, &columns),
        &values,
    ));
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
    rebuilt(fleet, nodes, &columns?)
}

/// The start's nodes with pods taken off and added until the columns are met.
fn rebuilt(fleet: &Fleet, start: &Placement, columns: &[Column]) -> Option<Placement> {
    let mut builder = Builder::from(
        fleet,
        View::Full(columns.iter().map(|column| column.replicas).collect()),
        start,
    );
    for (s, column) in columns.iter().enumerate() {
        for (cell, wanted) in column.cells.iter().enumerate() {
            builder.scale_down(s, &|other| other == cell, *wanted);
        }
    }
    builder.settle();
    let mut pending = Vec::new();
    for (s, column) in columns.iter().enumerate() {
        for (cell, wanted) in column.cells.iter().enumerate() {
            let missing = wanted.saturating_sub(builder.count(s, &|other| other == cell));
            pending.extend((0..missing).map(|_| (s, vec![cell])));
        }
    }
    builder.place(pending).then(|| builder.finish())
}
