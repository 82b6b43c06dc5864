//! Dives for packings, and branching on two items that share a bin or do not.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::master::Relaxed;
use super::relax::{Generator, Rules};
use super::{Instance, Pattern, Solution, Status, greedy};
use crate::limits::Meter;

/// Weights this close to a whole number count as whole.
const WHOLE: f64 = 1e-6;
/// Rounds of generation after each decision of a dive.
const DIVE_ROUNDS: usize = 20;
/// Nodes of the tree between two dives.
const NODES_A_DIVE: usize = 8;
/// Bins of a packing that are packed anew at once.
const PART: usize = 10;
/// Parts in a row that were packed no better, after which packing in parts ends.
const MOST_VAIN_PARTS: usize = 60;
/// Work for one part.
const PART_WORK: u64 = 60_000;
/// Items beyond which equal ones are not told apart to branch on them.
const MOST_SINGLE: u32 = 400;

/// A part of the tree that is still to be searched.
struct Open {
    rules: Rules,
    bound: u64,
}

struct Search<'a> {
    generator: Generator<'a>,
    incumbent: Option<Vec<Pattern>>,
    /// Of the incumbent, or more than any packing costs.
    cost: u64,
}

pub(super) fn solve(instance: &Instance, meter: &Meter) -> Solution {
    let mut best = Solution {
        status: Status::Unknown,
        packing: Vec::new(),
        cost: None,
        bound: 0,
    };
    if !instance.every_item_fits() {
        best.status = Status::Infeasible;
        return best;
    }
    search(instance, meter, &mut best);
    let single = instance
        .items
        .iter()
        .map(|item| u64::from(item.count))
        .sum::<u64>()
        <= u64::from(MOST_SINGLE);
    if single
        && matches!(best.status, Status::Feasible | Status::Unknown)
        && meter.goes_on()
        && instance.has_equal_items()
    {
        let told_apart = instance.told_apart();
        let mut apart = Solution {
            packing: told_apart.translated(instance, &best.packing),
            ..best.clone()
        };
        search(&told_apart, meter, &mut apart);
        best = Solution {
            packing: instance.translated(&told_apart, &apart.packing),
            ..apart
        };
    }
    best
}

/// Improves a solution: its packing, when it has one, and its bound.
fn search(instance: &Instance, meter: &Meter, best: &mut Solution) {
    let most = instance.most_cost();
    let Some(generator) = Generator::new(instance, most, meter) else {
        return;
    };
    let mut search = Search {
        generator,
        cost: best.cost.unwrap_or(most.saturating_add(1)),
        incumbent: best.cost.map(|_| best.packing.clone()),
    };
    let none = vec![0; instance.bins.len()];
    search.complete(&[], search.all(), &none, &greedy::values_by_size(instance));
    for pattern in search.incumbent.clone().into_iter().flatten() {
        search.generator.master.add(pattern);
    }
    best.bound = search.run(best.bound).max(best.bound);
    best.status = match &search.incumbent {
        Some(_) if search.cost <= best.bound => Status::Optimal,
        Some(_) => Status::Feasible,
        None if best.bound > most => Status::Infeasible,
        None => Status::Unknown,
    };
    best.cost = search.incumbent.as_ref().map(|_| search.cost);
    best.packing = search.incumbent.unwrap_or_default();
}

impl Search<'_> {
    fn all(&self) -> Vec<u32> {
        self.generator
            .instance
            .items
            .iter()
            .map(|item| item.count)
            .collect()
    }

    /// Searches the tree depth first; the least cost that is not ruled out, given that none is below `bound`.
    fn run(&mut self, bound: u64) -> u64 {
        let mut open = vec![Open {
            rules: Rules::none(self.generator.instance),
            bound,
        }];
        let mut unresolved = u64::MAX;
        let mut nodes = 0;
        while let Some(node) = open.pop() {
            if node.bound >= self.cost {
                continue;
            }
            if nodes > 0 && !self.generator.meter.goes_on() {
                open.push(node);
                break;
            }
            self.admit(&node.rules);
            let all = self.all();
            let Some(generated) = self.generator.generate(&node.rules, &all, self.cost) else {
                unresolved = unresolved.min(node.bound);
                continue;
            };
            let bound = self.generator.rounded_up(generated.bound).max(node.bound);
            if bound < self.cost {
                self.take_whole(&generated.relaxed);
                if nodes % NODES_A_DIVE == 0 {
                    self.dive(&node.rules, generated.relaxed.clone(), bound);
                }
                if nodes == 0 && self.generator.instance.bins.len() > 1 {
                    self.repack(bound);
                }
            }
            nodes += 1;
            if bound >= self.cost {
                continue;
            }
            let branches = if self.generator.meter.goes_on() {
                self.branches(&node.rules, &generated.relaxed)
            } else {
                None
            };
            match branches {
                Some(rules) => open.extend(rules.into_iter().map(|rules| Open { rules, bound })),
                None => unresolved = unresolved.min(bound),
            }
        }
        let least = open.iter().map(|node| node.bound).min().unwrap_or(u64::MAX);
        least.min(unresolved).min(self.cost)
    }

    /// Bounds the patterns known to those that the rules admit.
    fn admit(&mut self, rules: &Rules) {
        for index in 0..self.generator.master.patterns.len() {
            let admitted = rules.admit(
                self.generator.instance,
                &self.generator.master.patterns[index],
            );
            self.generator
                .master
                .bound(index, 0.0, if admitted { f64::INFINITY } else { 0.0 });
        }
    }

    /// Takes the solution of the linear programme as a packing where it is one in whole numbers.
    fn take_whole(&mut self, relaxed: &Relaxed) {
        let used = || {
            relaxed
                .weights
                .iter()
                .zip(&self.generator.master.patterns)
                .filter(|(weight, _)| **weight > WHOLE)
        };
        if used().any(|(weight, _)| (weight - weight.round()).abs() > WHOLE) {
            return;
        }
        let mut left = self.all();
        let mut packing = Vec::new();
        for (weight, pattern) in used() {
            for _ in 0..whole(*weight) {
                let mut items = Vec::new();
                for (item, count) in &pattern.items {
                    let taken = (*count).min(left[*item]);
                    left[*item] -= taken;
                    items.push((*item, taken));
                }
                items.retain(|(_, count)| *count > 0);
                packing.push(Pattern {
                    bin: pattern.bin,
                    items,
                });
            }
        }
        packing.retain(|pattern| !pattern.items.is_empty());
        self.offer(packing);
    }

    /// Completes bins to a packing.
    fn complete(&mut self, bins: &[Pattern], demand: Vec<u32>, used: &[u32], values: &[f64]) {
        if let Some(rest) = greedy::pack(self.generator.instance, demand, used, values) {
            self.offer([bins, &rest].concat());
        }
    }

    fn offer(&mut self, packing: Vec<Pattern>) {
        let instance = self.generator.instance;
        if instance.is_packing(&packing) && instance.cost(&packing) < self.cost {
            self.cost = instance.cost(&packing);
            self.incumbent = Some(packing);
        }
    }

    /// Fixes patterns, those with the largest weight first, and generates again after each decision.
    fn dive(&mut self, rules: &Rules, mut relaxed: Relaxed, bound: u64) {
        let mut demand = self.all();
        let mut fixed: Vec<Pattern> = Vec::new();
        let mut times = vec![0_u32; self.generator.master.patterns.len()];
        let mut used = vec![0; self.generator.instance.bins.len()];
        while self.cost > bound
            && demand.iter().any(|left| *left > 0)
            && self.generator.meter.goes_on()
        {
            let decisions = self.decisions(&relaxed, &times, &demand);
            if decisions.is_empty() {
                break;
            }
            for (index, more) in decisions {
                let pattern = self.generator.master.patterns[index].clone();
                for _ in 0..more {
                    if pattern
                        .items
                        .iter()
                        .all(|(item, count)| *count <= demand[*item])
                    {
                        pattern
                            .items
                            .iter()
                            .for_each(|(item, count)| demand[*item] -= count);
                        used[pattern.bin] += 1;
                        times[index] += 1;
                        fixed.push(pattern.clone());
                    }
                }
            }
            self.complete(&fixed, demand.clone(), &used, &relaxed.duals.items);
            match self.follow(rules, &mut times, &demand) {
                Some(next) => relaxed = next,
                None => break,
            }
            if self.generator.rounded_up(relaxed.value) >= self.cost {
                break;
            }
        }
        self.admit(rules);
    }

    /// Packs some bins of the packing anew, and again, until that has been in vain for long.
    fn repack(&mut self, bound: u64) {
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let mut vain = 0;
        while vain < MOST_VAIN_PARTS && self.cost > bound && self.generator.meter.goes_on() {
            let Some(mut kept) = self
                .incumbent
                .clone()
                .filter(|packing| packing.len() > PART)
            else {
                return;
            };
            let mut part = Vec::new();
            for _ in 0..PART {
                part.push(kept.swap_remove(random.random_range(0..kept.len())));
            }
            let instance = self.generator.instance;
            let of_part = instance.part(&part, &kept).told_apart();
            let mut solution = Solution {
                status: Status::Feasible,
                cost: Some(instance.cost(&part)),
                packing: of_part.translated(instance, &part),
                bound: 0,
            };
            search(
                &of_part,
                &self.generator.meter.part(PART_WORK),
                &mut solution,
            );
            let before = self.cost;
            kept.extend(instance.translated(&of_part, &solution.packing));
            self.offer(kept);
            vain = if self.cost < before { 0 } else { vain + 1 };
        }
    }

    /// The whole parts of the weights beyond what is fixed, or else the largest fraction, as index and how many more.
    fn decisions(&self, relaxed: &Relaxed, times: &[u32], demand: &[u32]) -> Vec<(usize, u32)> {
        let fits = |index: usize| {
            self.generator.master.patterns[index]
                .items
                .iter()
                .all(|(item, count)| *count <= demand[*item])
        };
        let more: Vec<(usize, f64)> = (0..relaxed.weights.len())
            .map(|i| (i, relaxed.weights[i] - f64::from(times[i])))
            .filter(|(i, more)| *more > WHOLE && fits(*i))
            .collect();
        let mut decisions: Vec<(usize, u32)> = more
            .iter()
            .map(|(i, more)| (*i, whole(more + WHOLE)))
            .filter(|(_, more)| *more > 0)
            .collect();
        if decisions.is_empty() {
            let largest = more.iter().max_by(|a, b| a.1.total_cmp(&b.1));
            decisions.extend(largest.map(|(i, _)| (*i, 1)));
        }
        decisions
    }

    /// The linear programme with what is fixed, after some rounds of generation for what is left.
    fn follow(&mut self, rules: &Rules, times: &mut Vec<u32>, demand: &[u32]) -> Option<Relaxed> {
        for (index, times) in times.iter().enumerate() {
            let pattern = &self.generator.master.patterns[index];
            let fits = pattern
                .items
                .iter()
                .all(|(item, count)| *count <= demand[*item])
                && rules.admit(self.generator.instance, pattern);
            let least = f64::from(*times);
            self.generator
                .master
                .bound(index, least, if fits { f64::INFINITY } else { least });
        }
        let relaxed = self.generator.improve(rules, demand, DIVE_ROUNDS)?;
        times.resize(self.generator.master.patterns.len(), 0);
        Some(relaxed)
    }

    /// The two sides of a decision that the solution of the linear programme breaks, the likelier one last; `None` when there is none.
    fn branches(&self, rules: &Rules, relaxed: &Relaxed) -> Option<[Rules; 2]> {
        let instance = self.generator.instance;
        if instance.items.iter().any(|item| item.count > 1) {
            return None;
        }
        let n = instance.items.len();
        let mut shared = vec![0.0; n * n];
        let mut kinds = vec![0.0; n * instance.bins.len()];
        for (weight, pattern) in relaxed
            .weights
            .iter()
            .zip(&self.generator.master.patterns)
            .filter(|(weight, _)| **weight > WHOLE)
        {
            for (at, (a, _)) in pattern.items.iter().enumerate() {
                kinds[a * instance.bins.len() + pattern.bin] += weight;
                for (b, _) in &pattern.items[at + 1..] {
                    shared[a * n + b] += weight;
                }
            }
        }
        let fractional = |value: f64| value > 1e-4 && value < 1.0 - 1e-4;
        let pair = (0..n * n)
            .filter(|i| fractional(shared[*i]) && rules.group[i / n] != rules.group[i % n])
            .max_by(|a, b| shared[*a].total_cmp(&shared[*b]));
        if let Some(pair) = pair {
            let (a, b) = (pair / n, pair % n);
            return Some([rules.apart(a, b), rules.together(a, b)]);
        }
        let bins = instance.bins.len();
        let kind = (0..n * bins)
            .filter(|i| fractional(kinds[*i]))
            .max_by(|a, b| kinds[*a].total_cmp(&kinds[*b]))?;
        let (mut without, mut with) = (rules.clone(), rules.clone());
        without.not_in.push((kind / bins, kind % bins));
        with.only_in.push((kind / bins, kind % bins));
        Some([without, with])
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(weight: f64) -> u32 {
    (weight + WHOLE).floor().max(0.0) as u32
}
