//! What patterns the classes of nodes lack under some duals, and what is known of each class from one round to the next.

use super::floors::Floors;
use super::generate::{Progress, improving_columns};
use super::master::{Choice, Duals, Master};
use super::pricing::{Filling, Precision, pattern};
use crate::fleet::Fleet;
use crate::limits::Meter;
use crate::parallel;

/// Patterns beyond its best one that a class of new nodes adds in a round, of services that are in none of its others: each round tells the
/// master about many services then, not only about those that are worth most.
const MORE_PATTERNS: usize = 3;
/// Search nodes for each of these.
const MORE_NODES: u64 = 100;
/// A search that ends early with a pattern that pays less than this share of what one may pay was in too much haste.
const FOUND: f64 = 0.5;
/// Existing classes are priced in turns where there are more than these for each new one, and more than these in all.
const EXISTING_FOR_NEW: usize = 4;
pub(super) const FEW_EXISTING: usize = 256;
/// Rounds in which a class had no improving pattern after which it is not priced any more, until no other has one.
const IDLE: u32 = 2;

/// How well a pattern is searched for.
#[derive(Clone, Copy)]
pub(super) struct Care {
    /// By how much of its price a node's pattern may be missed.
    pub(super) missed: f64,
    /// Decisions about pods with prices of their own.
    renewed: u32,
    /// Most search nodes.
    most_nodes: u64,
}

impl Care {
    /// In as little time as finds most patterns that improve.
    pub(super) const HASTY: Self = Self::new(1e-2, 3, 100);
    /// Between the decisions of a dive.
    pub(super) const MODERATE: Self = Self::new(1e-2, 10, 300);
    /// Where haste finds little, and for first bounds.
    pub(super) const FAIR: Self = Self::new(1e-2, 10, 1_000);
    /// For bounds of large fleets.
    pub(super) const CLOSE: Self = Self::new(1e-3, 10, 5_000);
    /// For bounds of small ones.
    pub(super) const CLOSEST: Self = Self::new(1e-5, 10, 20_000);

    const fn new(missed: f64, renewed: u32, most_nodes: u64) -> Self {
        Self {
            missed,
            renewed,
            most_nodes,
        }
    }
}

/// What is known of the classes from one round to the next.
pub(super) struct Known {
    pub(super) round: usize,
    /// Rounds since a class had an improving pattern.
    idle: Vec<u32>,
    /// Whether a search of the least care ended early and found little.
    is_hard: Vec<bool>,
    /// About what a unit of each dimension is worth on a class's nodes, USD/h; empty where it was not priced yet.
    prices: Vec<Vec<f64>>,
}

impl Known {
    pub(super) fn new(fleet: &Fleet) -> Self {
        Self {
            round: 0,
            idle: vec![0; fleet.classes.len()],
            is_hard: vec![false; fleet.classes.len()],
            prices: vec![Vec::new(); fleet.classes.len()],
        }
    }

    /// Classes that had an improving pattern lately.
    fn active(&self) -> Vec<usize> {
        let all = 0..self.idle.len();
        all.filter(|class| self.idle[*class] < IDLE).collect()
    }

    /// Of some classes all new ones, and of the existing ones those whose turn it is, where there are many.
    fn in_turn(&self, fleet: &Fleet, classes: &[usize]) -> Vec<usize> {
        let is_existing = |class: &usize| fleet.classes[*class].is_existing();
        let existing = classes.iter().filter(|class| is_existing(class)).count();
        let new = classes.len() - existing;
        let turns = existing
            .div_ceil((EXISTING_FOR_NEW * new).max(FEW_EXISTING))
            .max(1);
        let has_turn = |class: &usize| !is_existing(class) || class % turns == self.round % turns;
        classes.iter().copied().filter(has_turn).collect()
    }
}

/// Pricing problems of classes under the same duals.
pub(super) struct Pricing<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) duals: Duals,
    /// Weight of prices: 1, or 0 when only feasibility is asked.
    pub(super) weight: f64,
    floors: &'a Floors,
}

/// A class's pricing problem, solved.
pub(super) struct Priced {
    pub(super) class: usize,
    /// Patterns that improve and that its nodes lack, the best one first.
    improving: Vec<Choice>,
    /// By what share of its price a node's pattern may at most be worth more than it costs.
    pub(super) beyond: f64,
}

impl<'a> Pricing<'a> {
    pub(super) fn new(fleet: &'a Fleet, master: &Master, duals: Duals, floors: &'a Floors) -> Self {
        Self {
            fleet,
            duals,
            weight: master.price_weight(),
            floors,
        }
    }

    /// Adds columns that improve. Classes that had none lately are priced only when no other has one.
    pub(super) fn improve(
        &self,
        master: &mut Master,
        pricing: &[Care],
        known: &mut Known,
        meter: &Meter,
    ) -> Progress {
        let mut progress = Progress::default();
        for (choice, by) in improving_columns(self.fleet, &self.duals, self.weight, self.floors) {
            progress.added |= master.add(choice);
            progress.deficit += by;
        }
        let only_patterns = !progress.added;
        let all: Vec<usize> = (0..self.fleet.classes.len()).collect();
        let active = known.active();
        let in_turn = known.in_turn(self.fleet, &active);
        let first = pricing.iter().take(1);
        let some = first.flat_map(|care| [(&in_turn, care), (&active, care)]);
        let mut passes: Vec<(&Vec<usize>, &Care)> = some.collect();
        passes.extend(pricing.iter().map(|care| (&all, care)));
        passes.dedup_by_key(|(classes, care)| (classes.len(), care.most_nodes));
        for (classes, care) in passes {
            classes.iter().for_each(|class| known.idle[*class] += 1);
            let mut beyond: f64 = 0.0;
            for priced in self.priced(classes, *care, known, meter) {
                beyond = beyond.max(priced.beyond);
                for choice in priced.improving {
                    known.idle[priced.class] = 0;
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

    /// Classes of new nodes first: what dimensions are worth on these is about what they are worth on the existing nodes of the same offering.
    pub(super) fn priced(
        &self,
        classes: &[usize],
        care: Care,
        known: &mut Known,
        meter: &Meter,
    ) -> Vec<Priced> {
        let is_new = |class: &usize| !self.fleet.classes[*class].is_existing();
        let (new, existing): (Vec<usize>, Vec<usize>) =
            classes.iter().partition(|class| is_new(class));
        let mut priced = self.priced_alike(&new, care, known, meter);
        for class in &existing {
            if known.prices[*class].is_empty() {
                let offering = self.fleet.classes[*class].offering;
                known.prices[*class] = known.prices[offering].clone();
            }
        }
        priced.extend(self.priced_alike(&existing, care, known, meter));
        priced
    }

    fn priced_alike(
        &self,
        classes: &[usize],
        care: Care,
        known: &mut Known,
        meter: &Meter,
    ) -> Vec<Priced> {
        // Work is charged when all are done, so that only the clock tells one class from another.
        let fillings = parallel::map(classes, |class| {
            let in_time = meter.is_in_time();
            let is_hasty = care.most_nodes < Care::FAIR.most_nodes;
            let care = if is_hasty && known.is_hard[*class] {
                Care::FAIR
            } else {
                care
            };
            in_time.then(|| self.best_patterns(*class, care, &known.prices[*class]))
        });
        let mut solved = Vec::new();
        for (class, fillings) in classes.iter().zip(fillings) {
            let Some(fillings) = fillings else {
                solved.push(Priced {
                    class: *class,
                    improving: Vec::new(),
                    beyond: f64::INFINITY,
                });
                continue;
            };
            let work = fillings.iter().map(|filling| 20 + filling.nodes / 4);
            meter.spend(work.sum());
            let Some(best) = fillings.first() else {
                continue;
            };
            known.prices[*class].clone_from(&best.prices);
            let threshold = self.threshold(*class);
            let pattern = |filling: &Filling| {
                let mut pods = vec![0; self.fleet.services.len()];
                filling.pods.iter().for_each(|(s, n)| pods[*s] = *n);
                Choice::Pattern(*class, pods)
            };
            let improving = fillings
                .iter()
                .filter(|filling| filling.value > threshold + 1e-7);
            let found_little = best.value - threshold < FOUND * (best.bound - threshold);
            known.is_hard[*class] |= best.nodes >= Care::HASTY.most_nodes && found_little;
            let beyond = (best.bound - threshold) / self.duals.node[*class].max(1e-9);
            solved.push(Priced {
                class: *class,
                improving: improving.map(pattern).collect(),
                beyond: beyond.max(0.0),
            });
        }
        solved
    }

    /// What a pattern of a class must be worth to pay for its node.
    fn threshold(&self, class: usize) -> f64 {
        self.duals.node[class] - self.duals.class[class]
    }

    /// The best pattern, and for a new node where it pays some of the other services'; none where not even the pods that must stay fit.
    fn best_patterns(&self, class: usize, care: Care, prices: &[f64]) -> Vec<Filling> {
        let mut used = vec![false; self.fleet.services.len()];
        let mut found: Vec<Filling> = Vec::new();
        let most = if self.fleet.classes[class].is_existing() {
            1
        } else {
            1 + MORE_PATTERNS
        };
        while found.len() < most {
            let (care, prices) = match found.first() {
                Some(best) => (
                    Care {
                        most_nodes: care.most_nodes.min(MORE_NODES),
                        ..care
                    },
                    best.prices.as_slice(),
                ),
                None => (care, prices),
            };
            let Some(next) = self.best_pattern(class, care, prices, &used) else {
                break;
            };
            next.pods.iter().for_each(|(s, _)| used[*s] = true);
            let pays = next.value > self.threshold(class) + 1e-7;
            if pays || found.is_empty() {
                found.push(next);
            }
            if !pays {
                break;
            }
        }
        found
    }

    /// The best pattern of services that are not used yet, with pods sized and limited as at the floors' replica counts. Prices of dimensions
    /// are searched from those given.
    fn best_pattern(
        &self,
        class: usize,
        care: Care,
        prices: &[f64],
        used: &[bool],
    ) -> Option<Filling> {
        let (fleet, floors) = (self.fleet, self.floors);
        let offering = fleet.offering_of(class);
        let value = |s: usize| {
            let evictions =
                self.weight * offering.interruptions_per_hour * fleet.services[s].usd_per_eviction;
            self.duals.pods[s][offering.cell] - evictions
        };
        let most = |s: usize| {
            if used[s] {
                return 0;
            }
            let bounds = fleet.services[s].bounds(offering.cluster);
            fleet.services[s]
                .node_limit(floors.sized[s])
                .min(bounds.map_or(0, |bounds| bounds.max).min(floors.sized[s]))
                .max(fleet.classes[class].pinned[s])
        };
        let precision = Precision {
            above: self.threshold(class),
            tolerance: care.missed * self.duals.node[class].abs(),
            renewed: care.renewed,
            most_nodes: care.most_nodes,
            start: prices,
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
