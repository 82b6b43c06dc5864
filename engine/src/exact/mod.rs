//! Exact planning by patterns: column generation over service columns and node patterns, then whole numbers.
//!
//! The relaxation and its bound are written down in `docs/decisions/bound.md`. The restricted master is solved by HiGHS; its
//! duals price new columns; when none improves, they are the certificate. A dive over the columns found
//! gives plans; `verify` recomputes the bound from the duals with code of its own.

mod branch;
mod column;
mod dive;
mod master;
mod pricing;
mod rounding;
mod rows;

pub use column::Column;
pub(crate) use column::{Prices, cheapest, within_spot_share};
pub(crate) use pricing::{Filling, Precision, pattern};

use branch::{Goal, Tree};
use master::{Choice, Duals, Master, Objective, Relaxed};

use crate::cost::cost;
use crate::fleet::{Fleet, Service};
use crate::limits::Meter;
use crate::packing::{self, Demand, Values};
use crate::parallel;
use crate::placement::Placement;
use crate::plan::Leaf;
use crate::problem::Survive;

/// How much column generation does before its duals are taken as they are.
#[derive(Clone, Copy)]
struct Effort {
    /// Most rounds.
    rounds: usize,
    /// How well patterns are searched for, one after the other as long as no column improves: by how much of its price a node's pattern may
    /// be missed, and search nodes.
    pricing: &'static [(f64, u64)],
    /// Generation ends where no node can be worth more than its price by a larger share than this.
    enough: f64,
}

impl Effort {
    /// Little is missed.
    const THOROUGH: Self = Self {
        rounds: 400,
        pricing: &[(1e-2, 1_000), (1e-3, 5_000), (1e-5, 20_000)],
        enough: 0.0,
    };
    /// Bounds are missed by about a thousandth.
    const SOUND: Self = Self {
        rounds: 400,
        pricing: &[(1e-2, 1_000), (1e-3, 5_000)],
        enough: 2e-3,
    };
    /// Between the decisions of a dive.
    const DIVING: Self = Self {
        rounds: 2,
        pricing: &[(1e-2, 300)],
        enough: 1e-2,
    };
    /// The same where it takes little time.
    const DIVING_SLOWLY: Self = Self {
        rounds: 60,
        pricing: &[(1e-2, 1_000), (1e-4, 5_000)],
        enough: 0.0,
    };

    /// For bounds.
    fn bounding(fleet: &Fleet) -> Self {
        if is_small(fleet) {
            Self::THOROUGH
        } else {
            Self::SOUND
        }
    }

    /// For plans.
    fn diving(fleet: &Fleet) -> Self {
        if is_small(fleet) {
            Self::DIVING_SLOWLY
        } else {
            Self::DIVING
        }
    }
}

fn is_small(fleet: &Fleet) -> bool {
    fleet.classes.len() * fleet.services.len() <= SMALL
}

/// Classes times services up to which the solver takes its time.
const SMALL: usize = 2_000;
/// How much of the point that columns were priced at before is in the next one.
const SMOOTHING: f64 = 0.5;
/// Rounds in which a class had no improving pattern after which it is not priced any more, until no other has one.
const IDLE: u32 = 2;
/// Decisions about pods in a pricing problem with prices of their own.
const RENEWED: u32 = 10;
/// Further dives for plans in whole numbers, as the leaf's rank and the first decision's: one dive alone is easily led astray.
const DIVES: [(usize, usize); 3] = [(0, 1), (1, 0), (0, 2)];
/// A plan that costs no more than this times the relaxation is close enough to look for no other.
const CLOSE: f64 = 1.001;
/// Leaves of the tree before plans in whole numbers are looked for.
const CONSISTENT_LEAVES: usize = 24;

/// What column generation found.
#[derive(Clone, Debug)]
pub struct Relaxation {
    /// Multipliers of the best bound.
    pub leaf: Leaf,
    /// What pods are worth, by the duals.
    pub values: Values,
    /// Columns of each service by falling weight in the relaxation, with reduced cost in USD/h.
    pub columns: Vec<Vec<(Column, f64)>>,
    /// True when the linear programme itself has no solution, which the leaf with zero prices may prove.
    pub infeasible: bool,
    /// Rounds of generation.
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
    let (mut tree, root) = Tree::root(fleet, &mut master, meter)?;
    let leaf = root.duals.leaf.clone();
    let infeasible = root.broken > 1e-6;
    let mut relaxed = root;
    let mut placements = Vec::new();
    if !infeasible {
        tree.grow(
            fleet,
            &mut master,
            Goal::Consistent,
            CONSISTENT_LEAVES.min(most_leaves),
            meter,
        );
        relaxed = tree
            .relaxed(0, fleet, &mut master, meter)
            .unwrap_or(relaxed);
        placements = whole(fleet, &mut master, &relaxed, 0, meter);
        let least = relaxed.objective + fleet.sunk_usd_per_hour();
        for (rank, detour) in DIVES {
            let costs = placements
                .iter()
                .map(|plan| cost(fleet, plan).total_usd_per_hour);
            if costs.fold(f64::INFINITY, f64::min) < least * CLOSE || !meter.goes_on() {
                break;
            }
            if let Some(of_leaf) = tree.relaxed(rank, fleet, &mut master, meter) {
                placements.extend(whole(fleet, &mut master, &of_leaf, detour, meter));
            }
        }
    }
    let relaxation = Relaxation {
        leaf,
        values: Values::of_duals(fleet, &relaxed.duals.pods, &relaxed.duals.moves),
        columns: weighted_columns(fleet, &master, &relaxed),
        infeasible,
        rounds: tree.rounds,
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
    }
    for placement in starts {
        add_placement(fleet, master, placement);
    }
    Some(())
}

fn add_placement(fleet: &Fleet, master: &mut Master, placement: &Placement) {
    for group in &placement.groups {
        master.add(Choice::Pattern(group.class, group.pods.clone()));
    }
    for s in 0..fleet.services.len() {
        let replicas = placement.replicas(s);
        if fleet.services[s].is_admissible(replicas) {
            master.add(Choice::Service(
                s,
                Column {
                    replicas,
                    cells: placement.by_cell(fleet, s),
                },
            ));
        }
    }
}

/// Adds improving columns until there are none, work runs out, or the rounds do.
///
/// Columns are priced between the duals and the point priced at before (Neame 1999): the duals of a master with few columns jump about. Where
/// nothing improves there, they are priced at the duals themselves.
fn generate(
    fleet: &Fleet,
    master: &mut Master,
    floors: &Floors,
    effort: Effort,
    meter: &Meter,
) -> Option<(Relaxed, usize)> {
    let mut last = None;
    let mut idle = vec![0; fleet.classes.len()];
    let mut priced_at: Option<Vec<f64>> = None;
    for round in 0..effort.rounds {
        let relaxed = master.relax()?;
        meter.spend((relaxed.iterations + 50) * (1 + relaxed.rows.len() as u64 / 20));
        let between = priced_at.filter(|_| relaxed.broken <= 1e-6);
        let between = between.map(|before| mixed(&before, &relaxed.rows));
        let mut progress = Progress::default();
        if let Some(rows) = &between {
            let duals = master.duals(rows);
            let first = &effort.pricing[..1];
            progress = improve(fleet, master, &duals, floors, first, &mut idle, meter);
        }
        priced_at = between.filter(|_| progress.added);
        if !progress.added {
            let duals = &relaxed.duals;
            progress = improve(
                fleet,
                master,
                duals,
                floors,
                effort.pricing,
                &mut idle,
                meter,
            );
        }
        priced_at = priced_at.or_else(|| Some(relaxed.rows.clone()));
        last = Some((relaxed, round + 1));
        if !progress.added || progress.beyond <= effort.enough || !meter.goes_on() {
            break;
        }
    }
    last
}

/// Between where columns were priced before and the duals.
fn mixed(before: &[f64], duals: &[f64]) -> Vec<f64> {
    let both = before.iter().zip(duals);
    both.map(|(before, dual)| SMOOTHING * before + (1.0 - SMOOTHING) * dual)
        .collect()
}

/// What one round of pricing came to.
struct Progress {
    added: bool,
    /// By what share of its price a node may be worth more than that, as far as all are known.
    beyond: f64,
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            added: false,
            beyond: f64::INFINITY,
        }
    }
}

/// Adds columns that improve at some duals. Classes that had none lately are priced only when no other has one.
fn improve(
    fleet: &Fleet,
    master: &mut Master,
    duals: &Duals,
    floors: &Floors,
    pricing: &[(f64, u64)],
    idle: &mut [u32],
    meter: &Meter,
) -> Progress {
    let weight = master.price_weight();
    let mut progress = Progress::default();
    for choice in improving_columns(fleet, duals, weight, floors) {
        progress.added |= master.add(choice);
    }
    let only_patterns = !progress.added;
    let problems = Pricing {
        fleet,
        duals,
        weight,
        floors,
    };
    let all: Vec<usize> = (0..idle.len()).collect();
    let active: Vec<usize> = all.iter().copied().filter(|b| idle[*b] < IDLE).collect();
    let some = pricing.iter().take(1).map(|precision| (&active, precision));
    let passes = some.chain(pricing.iter().map(|precision| (&all, precision)));
    for (classes, (tolerance, most_nodes)) in passes {
        classes.iter().for_each(|class| idle[*class] += 1);
        let mut beyond: f64 = 0.0;
        for priced in problems.priced(classes, *tolerance, *most_nodes, meter) {
            beyond = beyond.max(priced.beyond);
            if let Some(choice) = priced.improving {
                idle[priced.class] = 0;
                progress.added |= master.add(choice);
            }
        }
        if only_patterns && classes.len() == all.len() {
            progress.beyond = beyond;
        }
        if progress.added {
            break;
        }
    }
    progress
}

/// Lowers the duals of the leaf until no new node is worth more than it costs: one that seems to pay counts in the bound as often as it could be
/// bought.
fn lower(
    fleet: &Fleet,
    relaxed: &mut Relaxed,
    weight: f64,
    floors: &Floors,
    effort: Effort,
    meter: &Meter,
) {
    let pricing = Pricing {
        fleet,
        duals: &relaxed.duals,
        weight,
        floors,
    };
    let new: Vec<usize> = (0..fleet.offerings.len()).collect();
    let (tolerance, most_nodes) = effort.pricing[effort.pricing.len() - 1];
    let priced = pricing.priced(&new, tolerance, most_nodes, meter);
    let beyond = priced
        .into_iter()
        .map(|priced| priced.beyond)
        .fold(0.0, f64::max);
    relaxed.duals.lower(beyond);
}

fn improving_columns(fleet: &Fleet, duals: &Duals, weight: f64, floors: &Floors) -> Vec<Choice> {
    let improving = |(s, service): (usize, &Service)| {
        let prices = Prices {
            cells: &duals.pods[s],
            spot: duals.spot_share[s],
            move_usd_per_hour: duals.moves[s],
            slo_weight: weight,
            holds_fixed: false,
        };
        let (value, column) = cheapest(fleet, service, &prices, (floors.least[s], floors.most[s]))?;
        if value >= duals.convexity[s] - 1e-7 {
            return None;
        }
        let column = if floors.whole {
            within_spot_share(fleet, service, &prices, column.replicas)?
        } else {
            column
        };
        Some(Choice::Service(s, column))
    };
    fleet
        .services
        .iter()
        .enumerate()
        .filter_map(improving)
        .collect()
}

/// Pricing problems of classes under the same duals.
struct Pricing<'a> {
    fleet: &'a Fleet,
    duals: &'a Duals,
    /// Weight of prices: 1, or 0 when only feasibility is asked.
    weight: f64,
    floors: &'a Floors,
}

/// A class's pricing problem, solved.
struct Priced {
    class: usize,
    /// The best pattern that its nodes lack, where one improves.
    improving: Option<Choice>,
    /// By what share of its price a node's pattern may at most be worth more than it costs.
    beyond: f64,
}

impl Pricing<'_> {
    fn priced(
        &self,
        classes: &[usize],
        tolerance: f64,
        most_nodes: u64,
        meter: &Meter,
    ) -> Vec<Priced> {
        let fillings = parallel::map(classes, |class| {
            self.best_pattern(*class, tolerance, most_nodes)
        });
        let mut solved = Vec::new();
        for (class, filling) in classes.iter().zip(fillings) {
            let Some(filling) = filling else { continue };
            meter.spend(20 + filling.nodes / 4);
            let price = self.duals.node[*class];
            let improves = price - filling.value - self.duals.class[*class] < -1e-7;
            let pattern = || {
                let mut pods = vec![0; self.fleet.services.len()];
                filling.pods.iter().for_each(|(s, n)| pods[*s] = *n);
                Choice::Pattern(*class, pods)
            };
            let threshold = price - self.duals.class[*class];
            let beyond = (filling.bound - threshold) / price.max(1e-9);
            solved.push(Priced {
                class: *class,
                improving: improves.then(pattern),
                beyond: beyond.max(0.0),
            });
        }
        solved
    }

    /// The best pattern with pods sized and limited as at the floors' replica counts.
    fn best_pattern(&self, class: usize, tolerance: f64, most_nodes: u64) -> Option<Filling> {
        let (fleet, floors) = (self.fleet, self.floors);
        let offering = fleet.offering_of(class);
        let value = |s: usize| {
            let evictions =
                self.weight * offering.interruptions_per_hour * fleet.services[s].usd_per_eviction;
            self.duals.pods[s][offering.cell] - evictions
        };
        let most = |s: usize| {
            let bounds = fleet.services[s].bounds(offering.cluster);
            fleet.services[s]
                .node_limit(floors.sized[s])
                .min(bounds.map_or(0, |bounds| bounds.max).min(floors.sized[s]))
                .max(fleet.classes[class].pinned[s])
        };
        let price = self.duals.node[class];
        let precision = Precision {
            above: price - self.duals.class[class],
            tolerance: tolerance * price.abs(),
            renewed: RENEWED,
            most_nodes,
        };
        pattern(
            fleet,
            class,
            &value,
            &|s| self.duals.moves[s],
            &most,
            &|s| fleet.services[s].pod_size(floors.sized[s]),
            precision,
        )
    }
}

/// The replica counts at which expected use and node limits are taken. Both bind less at more replicas.
#[derive(Clone)]
struct Floors {
    /// Fewest replicas of a column.
    least: Vec<u32>,
    /// Most replicas of a column.
    most: Vec<u32>,
    /// Replicas at which a pattern's pods are sized and limited.
    sized: Vec<u32>,
    /// Whether each column alone must keep the spot share, as it must in a plan; in the relaxation their mixture does.
    whole: bool,
}

impl Floors {
    /// For the relaxation: any column, patterns as at the highest admissible count.
    fn none(fleet: &Fleet) -> Self {
        let top = |service: &Service| {
            service
                .admissible()
                .next_back()
                .map_or(0, |level| level.replicas)
        };
        Self {
            least: vec![0; fleet.services.len()],
            most: vec![u32::MAX; fleet.services.len()],
            sized: fleet.services.iter().map(top).collect(),
            whole: false,
        }
    }

    /// For whole plans: columns and patterns that fit together whichever are chosen, around the given counts.
    fn around(fleet: &Fleet, columns: &[Column]) -> Self {
        let none = Self::none(fleet);
        let depends = |s: usize| {
            fleet.services[s].survive == Survive::Node
                || fleet.services[s].pod_size(columns[s].replicas)
                    != fleet.services[s].pod_size(none.sized[s])
        };
        let floor = |s: usize| if depends(s) { columns[s].replicas } else { 0 };
        let sized = |s: usize| {
            if depends(s) {
                columns[s].replicas
            } else {
                none.sized[s]
            }
        };
        Self {
            least: (0..columns.len()).map(floor).collect(),
            most: vec![u32::MAX; columns.len()],
            sized: (0..columns.len()).map(sized).collect(),
            whole: true,
        }
    }

    /// Most of a choice's weight: without limit, or none where it is not admitted.
    fn most_weight(&self, fleet: &Fleet, choice: &Choice) -> f64 {
        if self.admits(fleet, choice) {
            f64::INFINITY
        } else {
            0.0
        }
    }

    /// Whether the choice may stand in a plan with any other that may.
    fn admits(&self, fleet: &Fleet, choice: &Choice) -> bool {
        match choice {
            Choice::Service(s, column) => {
                (self.least[*s]..=self.most[*s]).contains(&column.replicas)
                    && (!self.whole || column.keeps_spot_share(&fleet.services[*s]))
            }
            Choice::Pattern(class, pods) => {
                let class = &fleet.classes[*class];
                let limit = |s: usize| {
                    let limit = fleet.services[s].node_limit(self.sized[s]);
                    limit.max(class.pinned[s])
                };
                let size = |s: usize| fleet.services[s].pod_size(self.sized[s]);
                (0..pods.len()).all(|s| pods[s] <= limit(s))
                    && class.room_beside(pods, size).is_some()
            }
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
    let Some(columns) = rounding::heaviest_columns(fleet, &master.choices, &relaxed.weights) else {
        return Vec::new();
    };
    let values = Values::of_duals(fleet, &relaxed.duals.pods, &relaxed.duals.moves);
    let packed = packing::pack(fleet, &Demand::by_cell(fleet, &columns), &values);
    if let Some(packed) = &packed {
        add_placement(fleet, master, packed);
    }
    let floors = Floors::around(fleet, &columns);
    let mut placements = dive::dive(fleet, master, &floors, detour, meter);
    placements.extend(packed);
    placements
}

fn weighted_columns(fleet: &Fleet, master: &Master, relaxed: &Relaxed) -> Vec<Vec<(Column, f64)>> {
    let mut columns: Vec<Vec<(Column, f64, f64)>> = vec![Vec::new(); fleet.services.len()];
    for (index, choice) in master.choices.iter().enumerate() {
        if let Choice::Service(s, column) = choice {
            let weight = relaxed.weights.get(index).copied().unwrap_or(0.0);
            columns[*s].push((
                column.clone(),
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
