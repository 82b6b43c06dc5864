//! Column generation: the master's duals price columns and patterns until none improves, or no more is asked.

use super::column::{Prices, cheapest, within_spot_share};
use super::floors::Floors;
use super::master::{Choice, Duals, Master, Relaxed};
use super::pricing::{Filling, Precision, pattern};
use crate::fleet::{Fleet, Service};
use crate::limits::Meter;
use crate::parallel;

/// Classes times services up to which the solver takes its time.
const SMALL: usize = 2_000;
/// How much of the centre is in the point that columns are priced at next.
const SMOOTHING: f64 = 0.5;
/// A centre that proves less than this share of the objective leads away: columns are priced at the duals then.
const TRUSTED: f64 = 0.6;
/// Rounds in which a class had no improving pattern after which it is not priced any more, until no other has one.
const IDLE: u32 = 2;
/// Decisions about pods in a pricing problem with prices of their own.
const RENEWED: u32 = 10;

/// How much column generation does before its duals are taken as they are.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    /// Most rounds.
    rounds: usize,
    /// How well patterns are searched for, one after the other as long as no column improves: by how much of its price a node's pattern may
    /// be missed, and search nodes.
    pricing: &'static [(f64, u64)],
    /// Generation ends where no node can be worth more than its price by a larger share than this.
    enough: f64,
    /// It ends, too, where the objective is about this share above the best bound so far.
    close: f64,
}

impl Effort {
    /// For a first plan: the last few thousandths of the objective take more rounds than all before.
    pub(super) const QUICK: Self = Self {
        rounds: 400,
        pricing: &[(1e-2, 1_000)],
        enough: 1e-2,
        close: 2e-2,
    };
    /// Little is missed.
    pub(super) const THOROUGH: Self = Self {
        rounds: 400,
        pricing: &[(1e-2, 1_000), (1e-3, 5_000), (1e-5, 20_000)],
        enough: 0.0,
        close: 0.0,
    };
    /// Bounds are missed by about a thousandth.
    const SOUND: Self = Self {
        rounds: 400,
        pricing: &[(1e-2, 1_000), (1e-3, 5_000)],
        enough: 2e-3,
        close: 0.0,
    };
    /// Between the decisions of a dive.
    pub(super) const DIVING: Self = Self {
        rounds: 2,
        pricing: &[(1e-2, 300)],
        enough: 1e-2,
        close: 0.0,
    };

    /// For bounds.
    pub(super) fn bounding(fleet: &Fleet) -> Self {
        if fleet.classes.len() * fleet.services.len() <= SMALL {
            Self::THOROUGH
        } else {
            Self::SOUND
        }
    }
}

/// Adds improving columns until there are none, work runs out, or the rounds do.
///
/// Columns are priced between the duals and a centre, the point that proved most so far (Wentges 1997): the duals of a master with few columns
/// jump about. Where nothing improves there, they are priced at the duals themselves. The centre is handed on to the next generation.
pub(super) fn generate(
    fleet: &Fleet,
    master: &mut Master,
    floors: &Floors,
    effort: Effort,
    meter: &Meter,
) -> Option<(Relaxed, usize)> {
    let mut last = None;
    let mut reached = f64::NEG_INFINITY;
    let mut idle = vec![0; fleet.classes.len()];
    for round in 0..effort.rounds {
        let Some(relaxed) = master.relax(meter) else {
            break;
        };
        meter.spend((relaxed.iterations + 50) * (1 + relaxed.rows.len() as u64 / 20));
        let is_trusted = round == 0 || reached > TRUSTED * relaxed.objective;
        let centre = (master.centre.as_ref()).filter(|_| relaxed.broken <= 1e-6 && is_trusted);
        let between = centre.map(|centre| mixed(centre, &relaxed.rows));
        let mut progress = Progress::default();
        if let Some(rows) = &between {
            let duals = master.duals(rows);
            let first = &effort.pricing[..1];
            progress = improve(fleet, master, &duals, floors, first, &mut idle, meter);
        }
        if let Some(rows) = between {
            move_centre(master, &mut reached, &progress, &rows);
        }
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
            move_centre(master, &mut reached, &progress, &relaxed.rows);
        }
        let apart = (relaxed.objective - reached) / relaxed.objective.abs();
        let is_close = effort.close > 0.0 && relaxed.broken <= 1e-6 && apart <= effort.close;
        last = Some((relaxed, round + 1));
        let is_enough = progress.beyond <= effort.enough || is_close;
        if !progress.added || is_enough || !meter.goes_on() {
            break;
        }
    }
    last
}

/// Makes duals the centre where they prove more than the best so far.
fn move_centre(master: &mut Master, reached: &mut f64, progress: &Progress, rows: &[f64]) {
    let here = progress.reached(master.value(rows));
    if here > *reached || master.centre.is_none() {
        *reached = here;
        master.centre = Some(rows.to_vec());
    }
}

/// Between the centre and the duals.
fn mixed(centre: &[f64], duals: &[f64]) -> Vec<f64> {
    let both = centre.iter().zip(duals);
    both.map(|(before, dual)| SMOOTHING * before + (1.0 - SMOOTHING) * dual)
        .collect()
}

/// What one round of pricing came to.
struct Progress {
    added: bool,
    /// By what share of its price a node may be worth more than that, as far as all are known.
    beyond: f64,
    /// The same where classes that had no improving pattern lately are taken to have none.
    about: f64,
    /// By how much services' columns improve, together, USD/h.
    deficit: f64,
}

impl Progress {
    /// About the bound at duals whose objective has a value.
    fn reached(&self, value: f64) -> f64 {
        lowered(value - self.deficit, self.about)
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            added: false,
            beyond: f64::INFINITY,
            about: f64::INFINITY,
            deficit: 0.0,
        }
    }
}

/// About what a value of the objective proves when duals are lowered until nodes that may be worth more than their price, by a share of it, are
/// not (Farley 1990).
fn lowered(value: f64, beyond: f64) -> f64 {
    value - value.abs() * (1.0 - 1.0 / (1.0 + beyond))
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
    for (choice, by) in improving_columns(fleet, duals, weight, floors) {
        progress.added |= master.add(choice);
        progress.deficit += by;
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
        progress.about = progress.about.min(beyond);
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
/// bought. Returns about what they prove then, USD/h.
pub(super) fn lower(
    fleet: &Fleet,
    relaxed: &mut Relaxed,
    weight: f64,
    floors: &Floors,
    effort: Effort,
    meter: &Meter,
) -> f64 {
    let pricing = Pricing {
        fleet,
        duals: &relaxed.duals,
        weight,
        floors,
    };
    let new: Vec<usize> = (0..fleet.offerings.len()).collect();
    // Where time runs out, what was known before is not as close, but known.
    let mut least = f64::INFINITY;
    for (tolerance, most_nodes) in effort.pricing {
        let priced = pricing.priced(&new, *tolerance, *most_nodes, meter);
        let beyond = priced.into_iter().map(|priced| priced.beyond);
        least = least.min(beyond.fold(0.0, f64::max));
        if !meter.is_in_time() {
            break;
        }
    }
    relaxed.duals.lower(least);
    lowered(relaxed.objective, least)
}

/// The cheapest column of every service where that improves, and by how much.
fn improving_columns(
    fleet: &Fleet,
    duals: &Duals,
    weight: f64,
    floors: &Floors,
) -> Vec<(Choice, f64)> {
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
        Some((Choice::Service(s, column), duals.convexity[s] - value))
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
        // Work is charged when all are done, so that only the clock tells one class from another.
        let fillings = parallel::map(classes, |class| {
            let in_time = meter.is_in_time();
            in_time.then(|| self.best_pattern(*class, tolerance, most_nodes))
        });
        let mut solved = Vec::new();
        for (class, filling) in classes.iter().zip(fillings) {
            let Some(filling) = filling else {
                solved.push(Priced {
                    class: *class,
                    improving: None,
                    beyond: f64::INFINITY,
                });
                continue;
            };
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
