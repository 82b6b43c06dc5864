//! Branching on replicas and node counts, best bound first: a better bound with a certificate of one dual vector a leaf.

use std::collections::BTreeMap;

use super::floors::Floors;
use super::generate::{Effort, generate, lower};
use super::master::{Choice, Master, Relaxed};
use crate::fleet::{Fleet, Service};
use crate::limits::Meter;
use crate::plan::{Branch, Leaf};

/// Sums this close to a whole number are not branched on.
const WHOLE: f64 = 1e-4;

/// Share of a leaf's seconds, where a clock ends its search, in which columns are generated; then its multipliers are lowered.
const GENERATION_SHARE: f64 = 0.85;

/// A leaf of the tree as it stands.
struct Open {
    branches: Vec<Branch>,
    leaf: Leaf,
    /// About what its multipliers prove, with the sunk cost, USD/h.
    bound_usd_per_hour: f64,
    /// What to branch on next, and the whole number below.
    next: Option<(Sum, u32)>,
}

/// A sum that may be branched on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sum {
    /// A service whose patterns count on more replicas than its columns have: pods are smaller and may be denser the more there are.
    Loose(usize),
    Replicas(usize),
    Nodes(Option<usize>),
}

impl Sum {
    fn name(self, fleet: &Fleet) -> String {
        match self {
            Self::Loose(s) | Self::Replicas(s) => format!("replicas/{}", fleet.services[s].name),
            Self::Nodes(None) => "nodes".to_owned(),
            Self::Nodes(Some(offering)) => format!("nodes/{}", fleet.offering_name(offering)),
        }
    }
}

/// A search tree that covers all plans.
pub(super) struct Tree {
    open: Vec<Open>,
    /// How columns are generated at every leaf.
    effort: Effort,
    /// Rounds of column generation at the root.
    pub(super) rounds: usize,
}

/// What to branch on.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Goal {
    /// Only where patterns count on more replicas than columns have.
    Consistent,
    /// Everything, until the bound reaches the cost of a known plan in USD/h.
    Reach(f64),
}

impl Tree {
    /// The root alone, with its linear programme.
    pub(super) fn root(
        fleet: &Fleet,
        master: &mut Master,
        effort: Effort,
        meter: &Meter,
    ) -> Option<(Self, Relaxed)> {
        let mut search = Search {
            fleet,
            master,
            effort,
            meter,
        };
        let (open, solved) = search.solve(Vec::new())?;
        let (relaxed, rounds) = solved?;
        Some((
            Self {
                open: vec![open],
                effort,
                rounds,
            },
            relaxed,
        ))
    }

    /// Branches at the weakest leaf until the goal is reached, nothing is left to branch on there, or there are enough leaves.
    pub(super) fn grow(
        &mut self,
        fleet: &Fleet,
        master: &mut Master,
        goal: Goal,
        most_leaves: usize,
        meter: &Meter,
    ) {
        let mut search = Search {
            fleet,
            master,
            effort: self.effort,
            meter,
        };
        while self.open.len() < most_leaves && meter.goes_on() && !meter.cut_by_clock() {
            let weakest = &self.open[self.weakest()];
            let Some((sum, below)) = weakest.next else {
                break;
            };
            let goes_on = match goal {
                Goal::Consistent => matches!(sum, Sum::Loose(_)),
                Goal::Reach(cost) => weakest.bound_usd_per_hour < cost - 1e-9,
            };
            if !goes_on {
                break;
            }
            let name = sum.name(fleet);
            let child = |at_most, at_least| {
                let mut branches = weakest.branches.clone();
                branches.push(Branch {
                    on: name.clone(),
                    at_most,
                    at_least,
                });
                branches
            };
            let (low, high) = (
                search.solve(child(Some(below), None)),
                search.solve(child(None, Some(below + 1))),
            );
            let (Some((low, _)), Some((high, _))) = (low, high) else {
                break;
            };
            if !meter.goes_on() || meter.cut_by_clock() {
                // Cut short, their multipliers may prove less than the parent's.
                break;
            }
            let weakest = self.weakest();
            self.open.swap_remove(weakest);
            self.open.extend([low, high]);
        }
        search.lift();
    }

    /// The linear programme of the leaf that is the weakest but `rank`, solved again.
    pub(super) fn relaxed(
        &self,
        rank: usize,
        fleet: &Fleet,
        master: &mut Master,
        meter: &Meter,
    ) -> Option<Relaxed> {
        let mut search = Search {
            fleet,
            master,
            effort: self.effort,
            meter,
        };
        let mut leaves: Vec<&Open> = self.open.iter().collect();
        leaves.sort_by(|a, b| a.bound_usd_per_hour.total_cmp(&b.bound_usd_per_hour));
        let relaxed = search.relaxed(&leaves.get(rank)?.branches);
        search.lift();
        relaxed
    }

    /// The leaves with their multipliers.
    pub(super) fn leaves(&self) -> Vec<Leaf> {
        let leaf = |open: &Open| Leaf {
            branches: open.branches.clone(),
            ..open.leaf.clone()
        };
        self.open.iter().map(leaf).collect()
    }

    /// About what its leaves prove together, with the sunk cost, USD/h.
    pub(super) fn bound_usd_per_hour(&self) -> f64 {
        self.open[self.weakest()].bound_usd_per_hour
    }

    fn weakest(&self) -> usize {
        let bound = |i: &usize| self.open[*i].bound_usd_per_hour;
        (0..self.open.len())
            .min_by(|a, b| bound(a).total_cmp(&bound(b)))
            .unwrap_or(0)
    }
}

struct Search<'s, 'm> {
    fleet: &'s Fleet,
    master: &'s mut Master<'m>,
    effort: Effort,
    meter: &'s Meter<'s>,
}

impl Search<'_, '_> {
    /// A leaf, with its linear programme and the rounds that took; `None` inside when a service has no admissible count left.
    fn solve(&mut self, branches: Vec<Branch>) -> Option<(Open, Option<(Relaxed, usize)>)> {
        let floors = self.apply(&branches);
        // A total that no admissible count meets makes the leaf empty; any multipliers do.
        if self.is_empty(&floors) {
            let leaf = Leaf {
                branches: Vec::new(),
                duals: BTreeMap::new(),
            };
            let open = Open {
                branches,
                leaf,
                bound_usd_per_hour: f64::INFINITY,
                next: None,
            };
            return Some((open, None));
        }
        let effort = self.effort;
        let generation = self.meter.stage(GENERATION_SHARE);
        let generated = generate(self.fleet, self.master, &floors, effort, &generation);
        drop(generation);
        let (mut relaxed, rounds) = generated?;
        let (fleet, master, meter) = (self.fleet, &*self.master, self.meter);
        let (leaf, proven) = lower(fleet, master, &relaxed, &floors, effort, meter);
        relaxed.duals.leaf = leaf;
        let sunk = self.fleet.sunk_usd_per_hour();
        let open = Open {
            branches,
            leaf: relaxed.duals.leaf.clone(),
            bound_usd_per_hour: proven + sunk,
            next: self.next(&relaxed, &floors),
        };
        Some((open, Some((relaxed, rounds))))
    }

    /// The linear programme of a leaf alone.
    fn relaxed(&mut self, branches: &[Branch]) -> Option<Relaxed> {
        let floors = self.apply(branches);
        if self.is_empty(&floors) {
            return None;
        }
        let generated = generate(self.fleet, self.master, &floors, self.effort, self.meter);
        generated.map(|(relaxed, _)| relaxed)
    }

    /// Whether some service has no admissible total.
    fn is_empty(&self, floors: &Floors) -> bool {
        let has_one = |(s, service): (usize, &Service)| {
            let range = floors.least[s]..=floors.most[s];
            service
                .admissible()
                .any(|level| range.contains(&level.replicas))
        };
        !self.fleet.services.iter().enumerate().all(has_one)
    }

    /// Sets the bounds that the decisions ask for.
    fn apply(&mut self, branches: &[Branch]) -> Floors {
        let mut floors = Floors::none(self.fleet);
        let range = |name: &str| {
            let on = branches.iter().filter(|branch| branch.on == name);
            on.fold((0, u32::MAX), |(least, most), branch| {
                (
                    branch.at_least.unwrap_or(0).max(least),
                    branch.at_most.unwrap_or(u32::MAX).min(most),
                )
            })
        };
        for (s, service) in self.fleet.services.iter().enumerate() {
            let (least, most) = range(&Sum::Replicas(s).name(self.fleet));
            (floors.least[s], floors.most[s]) = (least, most);
            let highest = service
                .admissible()
                .rev()
                .map(|level| level.replicas)
                .find(|r| (least..=most).contains(r));
            floors.sized[s] = highest.unwrap_or(0);
        }
        for offering in (0..self.fleet.offerings.len()).map(Some).chain([None]) {
            self.master
                .bound_nodes(offering, range(&Sum::Nodes(offering).name(self.fleet)));
        }
        for index in 0..self.master.choices.len() {
            let most = floors.most_weight(self.fleet, &self.master.choices[index]);
            self.master.bound(index, 0.0, most);
        }
        floors
    }

    /// Lifts all bounds again.
    fn lift(&mut self) {
        self.apply(&[]);
    }

    /// Services whose patterns count on more replicas than their columns have come first; then the sum furthest from whole: all
    /// nodes, replicas, the dearest offering's nodes.
    fn next(&self, relaxed: &Relaxed, floors: &Floors) -> Option<(Sum, u32)> {
        let mut nodes = vec![0.0; self.fleet.offerings.len()];
        let mut replicas = vec![0.0; self.fleet.services.len()];
        for (choice, weight) in self.master.choices.iter().zip(&relaxed.weights) {
            match choice {
                Choice::Service(s, column) => replicas[*s] += weight * f64::from(column.replicas),
                Choice::Pattern(class, _) => nodes[self.fleet.classes[*class].offering] += weight,
            }
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let whole = |value: f64| (value + WHOLE).floor() as u32;
        let loose = (0..replicas.len()).find(|s| {
            let below = whole(replicas[*s]);
            below < floors.sized[*s] && self.counts_on_more(relaxed, floors, *s, below)
        });
        if let Some(s) = loose {
            return Some((Sum::Loose(s), whole(replicas[s])));
        }
        let off = |value: f64| (value - value.round()).abs();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let decision =
            |sum: Sum, value: f64| (off(value) > WHOLE).then_some((sum, value.floor() as u32));
        let furthest = |values: &[f64], weight: &dyn Fn(usize) -> f64| {
            (0..values.len()).max_by(|a, b| {
                (off(values[*a]) * weight(*a)).total_cmp(&(off(values[*b]) * weight(*b)))
            })
        };
        let all: f64 = nodes.iter().sum();
        decision(Sum::Nodes(None), all)
            .or_else(|| {
                furthest(&replicas, &|_| 1.0).and_then(|s| decision(Sum::Replicas(s), replicas[s]))
            })
            .or_else(|| {
                let price = |offering: usize| self.fleet.offerings[offering].usd_per_hour;
                furthest(&nodes, &price).and_then(|o| decision(Sum::Nodes(Some(o)), nodes[o]))
            })
    }

    /// Whether a pattern in use would not do at a total of `replicas` of a service, the others as the floors have them.
    fn counts_on_more(&self, relaxed: &Relaxed, floors: &Floors, s: usize, replicas: u32) -> bool {
        let mut exact = floors.clone();
        exact.sized[s] = replicas;
        let in_use = self.master.choices.iter().zip(&relaxed.weights);
        in_use
            .filter(|(_, weight)| **weight > WHOLE)
            .any(|(choice, _)| {
                matches!(choice, Choice::Pattern(_, pods) if pods[s] > 0)
                    && !exact.admits(self.fleet, choice)
            })
    }
}
