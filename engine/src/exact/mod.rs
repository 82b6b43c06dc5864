//! Exact planning by patterns: column generation over service columns and node patterns, then whole numbers.
//!
//! The relaxation and its bound are written down in `docs/decisions/bound.md`. The restricted master is solved by HiGHS; its
//! duals price new columns; when none improves, they are the certificate. A dive over the columns found
//! gives plans; `verify` recomputes the bound from the duals with code of its own.

mod branch;
mod classes;
mod column;
mod dive;
mod floors;
mod fluid;
mod generate;
mod master;
mod pricing;
mod rounding;
mod rows;
#[cfg(test)]
mod tests;

pub use column::Column;
pub(crate) use column::{Prices, cheapest, within_spot_share};
pub(crate) use pricing::{Filling, Precision, pattern};

use std::collections::BTreeMap;

use branch::{Goal, Tree};
use floors::Floors;
use generate::{Effort, MARGIN, generate};
use master::{Choice, Duals, Master, Objective, Relaxed};
use pricing::most_that_fits;

use crate::cost::cost;
use crate::fleet::Fleet;
use crate::limits::Meter;
use crate::packing::{self, Demand, Values};
use crate::placement::Placement;
use crate::plan::Leaf;

/// Further dives for plans in whole numbers, as the leaf's rank and the first decision's: any one is easily led astray.
const DIVES: [(usize, usize); 8] = [
    (0, 1),
    (1, 0),
    (0, 2),
    (2, 0),
    (1, 1),
    (0, 3),
    (2, 1),
    (1, 2),
];
/// A plan that costs no more than this times the relaxation is close enough to look for no other.
const CLOSE: f64 = 1.001;
/// Leaves of the tree before plans in whole numbers are looked for.
const CONSISTENT_LEAVES: usize = 24;

/// Shares of the seconds left, where a clock ends the search: of the root, then of the tree, before plans in whole numbers are looked for.
const ROOT_SHARE: f64 = 0.9;
const CONSISTENT_SHARE: f64 = 0.4;

/// What column generation found.
#[derive(Clone, Debug)]
pub struct Relaxation {
    /// Multipliers of the best bound.
    pub leaf: Leaf,
    /// Multipliers of the fluid relaxation and about the bound that they give, USD/h: less than the others, but soon known.
    pub fluid: Option<(Leaf, f64)>,
    /// What pods are worth, by the duals.
    pub values: Values,
    /// Columns of each service by falling weight in the relaxation, with reduced cost in USD/h.
    pub columns: Vec<Vec<(Column, f64)>>,
    /// True when the linear programme itself has no solution, which the leaf with zero prices may prove.
    pub infeasible: bool,
    /// Rounds of generation for it.
    pub rounds: usize,
}

/// A relaxation and the plans in whole numbers that a dive from it gave.
pub struct Exact<'a> {
    /// The relaxation.
    pub relaxation: Relaxation,
    /// Plans; they may still break constraints that only whole plans show.
    pub placements: Vec<Placement>,
    /// Work units used.
    pub work: u64,
    fleet: &'a Fleet,
    master: Master<'a>,
    tree: Tree,
}

impl Exact<'_> {
    /// Leaves of a search tree that raise the bound towards the cost of a known plan, USD/h, by branching on replicas and node counts.
    pub fn leaves(
        &mut self,
        incumbent_usd_per_hour: f64,
        most_leaves: usize,
        meter: &Meter,
    ) -> Vec<Leaf> {
        let goal = Goal::Reach(incumbent_usd_per_hour);
        self.tree
            .grow(self.fleet, &mut self.master, goal, most_leaves, meter);
        self.tree.leaves()
    }
}

/// Generates columns and solves for whole numbers, starting from known placements; its search tree has `most_leaves` at most.
///
/// `None` when HiGHS fails or a service has no admissible column at all.
pub fn solve<'a>(
    fleet: &'a Fleet,
    starts: &[Placement],
    most_leaves: usize,
    meter: &Meter,
) -> Option<Exact<'a>> {
    let before = meter.used();
    let penalty = penalty(fleet);
    let mut master = Master::new(fleet, Objective::Cost { penalty })?;
    seed(fleet, &mut master, starts)?;
    master.centre = fluid::relax(fleet, &mut master, &meter.stage(ROOT_SHARE));
    let fluid = master.centre.as_ref().map(|centre| {
        let mut duals = master.duals(&centre.rows);
        duals.lower(MARGIN);
        let usd_per_hour = centre.usd_per_hour.unwrap_or(0.0);
        let lowered = usd_per_hour - MARGIN * usd_per_hour.abs();
        (duals.leaf, lowered + fleet.sunk_usd_per_hour())
    });
    let quick = first(fleet, &mut master, most_leaves, meter)?;
    let mut placements = quick.placements;
    let mut rounds = quick.tree.rounds;
    let effort = Effort::bounding(fleet);
    let root = Tree::root(fleet, &mut master, effort, &meter.stage(ROOT_SHARE));
    rounds += root.as_ref().map_or(0, |(tree, _)| tree.rounds);
    // Cut short, its multipliers may prove less than those of the first one.
    let (mut tree, root) = root
        .filter(|(tree, _)| {
            quick.root.broken > 1e-6 || tree.bound_usd_per_hour() > quick.root_usd_per_hour
        })
        .unwrap_or((quick.tree, quick.root));
    let leaf = root.duals.leaf.clone();
    let infeasible = root.broken > 1e-6;
    let mut relaxed = root;
    if !infeasible && meter.goes_on() {
        tree.grow(
            fleet,
            &mut master,
            Goal::Consistent,
            CONSISTENT_LEAVES.min(most_leaves),
            &meter.stage(CONSISTENT_SHARE),
        );
        relaxed = tree
            .relaxed(0, fleet, &mut master, meter)
            .unwrap_or(relaxed);
        placements.extend(whole(fleet, &mut master, &relaxed, 0, meter));
        let least = relaxed.objective + fleet.sunk_usd_per_hour();
        for (rank, detour) in DIVES {
            let costs = placements
                .iter()
                .map(|plan| cost(fleet, plan).total_usd_per_hour);
            if costs.fold(f64::INFINITY, f64::min) < least * CLOSE || !meter.goes_on() {
                break;
            }
            if let Some(of_leaf) = tree.relaxed(rank, fleet, &mut master, meter) {
                let found = whole(fleet, &mut master, &of_leaf, detour, meter);
                placements.extend(found);
            }
        }
    }
    let relaxation = Relaxation {
        leaf,
        fluid,
        values: Values::of_duals(fleet, &relaxed.duals.pods, &relaxed.duals.moves),
        columns: weighted_columns(fleet, &master, &relaxed),
        infeasible,
        rounds,
    };
    Some(Exact {
        relaxation,
        placements,
        work: meter.used() - before,
        fleet,
        master,
        tree,
    })
}

/// A relaxation and plans that take little time.
struct First {
    tree: Tree,
    root: Relaxed,
    /// About what the root's multipliers prove, USD/h.
    root_usd_per_hour: f64,
    placements: Vec<Placement>,
}

/// The first plans: everything once and in a hurry. Its columns are there for what follows.
fn first(fleet: &Fleet, master: &mut Master, most_leaves: usize, meter: &Meter) -> Option<First> {
    let (mut tree, root) = Tree::root(fleet, master, Effort::QUICK, &meter.stage(ROOT_SHARE))?;
    let root_usd_per_hour = tree.bound_usd_per_hour();
    let mut placements = Vec::new();
    if root.broken <= 1e-6 && meter.goes_on() {
        let leaves = CONSISTENT_LEAVES.min(most_leaves);
        {
            let stage = meter.stage(CONSISTENT_SHARE);
            let portion = stage.portion(CONSISTENT_SHARE);
            tree.grow(fleet, master, Goal::Consistent, leaves, &portion);
        }
        let relaxed = tree.relaxed(0, fleet, master, meter);
        let relaxed = relaxed.as_ref().unwrap_or(&root);
        placements = whole(fleet, master, relaxed, 0, meter);
    }
    Some(First {
        tree,
        root,
        root_usd_per_hour,
        placements,
    })
}

/// Multipliers that prove, with every price zero, that nothing is feasible; `None` when they could not be found.
pub fn prove_infeasible(fleet: &Fleet, meter: &Meter) -> Option<Leaf> {
    let mut master = Master::new(fleet, Objective::Infeasibility)?;
    seed(fleet, &mut master, &[])?;
    let (relaxed, _) = generate(
        fleet,
        &mut master,
        &Floors::none(fleet),
        Effort::THOROUGH,
        meter,
    )?;
    (relaxed.broken > 1e-6).then_some(relaxed.duals.leaf)
}

/// More than any plan needs for one unit of a row, so that broken rows are the last resort.
fn penalty(fleet: &Fleet) -> f64 {
    let node = fleet
        .offerings
        .iter()
        .map(|o| o.usd_per_hour + o.startup_usd_per_hour)
        .fold(0.0, f64::max);
    let service = fleet.services.iter().map(|s| {
        s.move_usd_per_hour
            + s.levels
                .iter()
                .map(|l| l.slo_usd_per_hour)
                .fold(0.0, f64::max)
    });
    100.0 * (1.0 + node) + service.sum::<f64>()
}

/// First columns: the cheapest of every service at list prices, and everything of the placements known.
fn seed(fleet: &Fleet, master: &mut Master, starts: &[Placement]) -> Option<()> {
    let values = Values::of_prices(fleet);
    for (s, service) in fleet.services.iter().enumerate() {
        let prices = Prices {
            cells: &values.pods[s],
            spot: 0.0,
            move_usd_per_hour: 0.0,
            slo_weight: 1.0,
            holds_fixed: false,
        };
        let (_, column) = cheapest(fleet, service, &prices, (0, u32::MAX))?;
        if let Some(column) = within_spot_share(fleet, service, &prices, column.replicas) {
            master.add(Choice::Service(s, column));
        }
        master.add(Choice::Service(s, column));
        // One without spot nodes limits what these may seem to cost.
        let without_spot = Prices {
            spot: values.pods[s].iter().map(|usd| usd.abs()).sum::<f64>() + 1.0,
            ..prices
        };
        if let Some((_, column)) = cheapest(fleet, service, &without_spot, (0, u32::MAX)) {
            master.add(Choice::Service(s, column));
        }
    }
    fill_alone(fleet, master);
    for placement in starts {
        add_placement(fleet, master, placement);
    }
    Some(())
}

/// New nodes with pods of one service alone, in every cell those where a pod is cheapest: they limit what a pod may seem to be worth.
fn fill_alone(fleet: &Fleet, master: &mut Master) {
    let sized = Floors::none(fleet).sized;
    for (s, service) in fleet.services.iter().enumerate() {
        let (size, limit) = (service.pod_size(sized[s]), service.node_limit(sized[s]));
        let mut cheapest: BTreeMap<usize, (f64, usize, u32)> = BTreeMap::new();
        for (class, offering) in fleet.offerings.iter().enumerate() {
            let new = &fleet.classes[class];
            let pods = most_that_fits(&new.capacity, &size)
                .min(limit)
                .min(new.most[s]);
            let usd = offering.usd_per_hour / f64::from(pods);
            let best = cheapest
                .entry(offering.cell)
                .or_insert((f64::INFINITY, 0, 0));
            if usd < best.0 {
                *best = (usd, class, pods);
            }
        }
        for (_, class, count) in cheapest.into_values().filter(|(_, _, pods)| *pods > 0) {
            let mut pods = vec![0; fleet.services.len()];
            pods[s] = count;
            master.add(Choice::Pattern(class, pods));
        }
    }
}

fn add_placement(fleet: &Fleet, master: &mut Master, placement: &Placement) {
    for group in &placement.groups {
        master.add(Choice::Pattern(group.class, group.pods.clone()));
    }
    let counts = placement.counts(fleet);
    for (s, (cells, replicas)) in counts.cells.into_iter().zip(counts.replicas).enumerate() {
        if fleet.services[s].is_admissible(replicas) {
            master.add(Choice::Service(s, Column { replicas, cells }));
        }
    }
}

/// Plans in whole numbers: packed from the columns that weigh most, and from a dive whose first decision is the likeliest but `detour`.
fn whole(
    fleet: &Fleet,
    master: &mut Master,
    relaxed: &Relaxed,
    detour: usize,
    meter: &Meter,
) -> Vec<Placement> {
    let Some(columns) = rounding::heaviest_columns(fleet, master, &relaxed.weights) else {
        return Vec::new();
    };
    let values = Values::of_duals(fleet, &relaxed.duals.pods, &relaxed.duals.moves);
    let packed = packing::pack(fleet, &Demand::by_cell(fleet, &columns), &values, meter);
    if let Some(packed) = &packed {
        add_placement(fleet, master, packed);
    }
    let floors = Floors::around(fleet, &columns);
    let mut placements = dive::dive(fleet, master, &floors, detour, meter);
    placements.extend(packed);
    placements
}

fn weighted_columns(fleet: &Fleet, master: &Master, relaxed: &Relaxed) -> Vec<Vec<(Column, f64)>> {
    let spread = rounding::Spread::new(fleet, master, &relaxed.weights);
    let mut columns: Vec<Vec<(Column, f64, f64)>> = vec![Vec::new(); fleet.services.len()];
    for (index, choice) in master.choices.iter().enumerate() {
        if let Choice::Service(s, column) = choice {
            let weight = relaxed.weights.get(index).copied().unwrap_or(0.0);
            columns[*s].push((
                spread.column(*s, column),
                weight,
                reduced_cost(fleet, *s, column, &relaxed.duals),
            ));
        }
    }
    let sorted = |mut of_service: Vec<(Column, f64, f64)>| {
        of_service.sort_by(|a, b| {
            b.1.total_cmp(&a.1)
                .then(a.2.total_cmp(&b.2))
                .then(a.0.cmp(&b.0))
        });
        of_service
            .into_iter()
            .map(|(column, _, reduced)| (column, reduced))
            .collect()
    };
    columns.into_iter().map(sorted).collect()
}

fn reduced_cost(fleet: &Fleet, s: usize, column: &Column, duals: &Duals) -> f64 {
    let service = &fleet.services[s];
    let pods: f64 = column
        .cells
        .iter()
        .zip(&duals.pods[s])
        .map(|(n, u)| f64::from(*n) * u)
        .sum();
    let spot: u32 = column.cells.iter().skip(1).step_by(2).sum();
    let share =
        duals.spot_share[s] * (f64::from(spot) - f64::from(service.spot_limit(column.replicas)));
    let moves = duals.moves[s] * f64::from(service.placed_now.min(column.replicas));
    service.level(column.replicas).slo_usd_per_hour + moves + pods + share - duals.convexity[s]
}
