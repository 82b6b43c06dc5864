//! Column generation: patterns that lower the cost of the linear programme, and a bound from any duals.
//!
//! For item prices u ≥ 0 let V_t be the value of the best filling of a bin of kind t. Every packing costs at least
//! `Σ count_i·u_i + Σ_t n_t·min(0, cost_t − V_t)`, where n_t bins of kind t exist; where there is no limit, the prices are scaled down until
//! no V_t exceeds its cost (Farley 1990). Between the duals of the linear programme and those of the best bound, prices are taken on the way
//! (Wentges 1997), because the programme's own swing widely.

use super::master::{Duals, Master, Relaxed, cost_of};
use super::{Instance, Pattern};
use crate::knapsack::{Found, Item, Knapsack, LEAST_TOLERANCE, as_f64, gcd};
use crate::limits::Meter;
use crate::parallel;

/// Units of value of the dearest bin in the pricing problem.
const UNITS: f64 = (1_u64 << 38) as f64;
/// The largest value of an item in those units.
const MOST_UNITS: f64 = (1_u64 << 46) as f64;
/// How hard pricing problems are searched, one after the other as long as nothing improves.
const EFFORTS: [Effort; 3] = [
    Effort {
        tolerance: 1e-3,
        most_nodes: 20_000,
    },
    Effort {
        tolerance: 1e-5,
        most_nodes: 200_000,
    },
    Effort {
        tolerance: 0.0,
        most_nodes: 1_000_000,
    },
];
/// For each pattern beside the first of a round.
const BESIDE: Effort = Effort {
    tolerance: 1e-3,
    most_nodes: 2_000,
};
/// Share of the best bound's duals in the prices of a round.
const STABILITY: f64 = 0.7;
/// What reduced costs below this share of the dearest bin are: noise.
const NOISE: f64 = 1e-8;

/// How hard a pricing problem is searched.
#[derive(Clone, Copy)]
struct Effort {
    /// As a share of the bin's cost.
    tolerance: f64,
    most_nodes: u64,
}

/// Items that must or must not share a bin.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// For each item the first of its group: groups share a bin.
    pub(super) group: Vec<usize>,
    /// Pairs of first items of groups that share none.
    pub(super) apart: Vec<(usize, usize)>,
    /// Items that may not go into a kind of bin.
    pub(super) not_in: Vec<(usize, usize)>,
    /// Items and kinds of bins that belong together.
    pub(super) only_in: Vec<(usize, usize)>,
}

impl Rules {
    pub(super) fn none(instance: &Instance) -> Self {
        Self {
            group: (0..instance.items.len()).collect(),
            apart: Vec::new(),
            not_in: Vec::new(),
            only_in: Vec::new(),
        }
    }

    /// With the groups of two items made one.
    pub(super) fn together(&self, a: usize, b: usize) -> Self {
        let (from, to) = (
            self.group[a].max(self.group[b]),
            self.group[a].min(self.group[b]),
        );
        let renamed = |item: usize| if item == from { to } else { item };
        Self {
            group: self.group.iter().map(|first| renamed(*first)).collect(),
            apart: self
                .apart
                .iter()
                .map(|(a, b)| (renamed(*a), renamed(*b)))
                .collect(),
            ..self.clone()
        }
    }

    /// With the groups of two items apart.
    pub(super) fn apart(&self, a: usize, b: usize) -> Self {
        let mut rules = self.clone();
        rules.apart.push((self.group[a], self.group[b]));
        rules
    }

    /// Whether an item may go into a kind of bin.
    pub(super) fn admits_in(&self, item: usize, bin: usize) -> bool {
        let same = |other: &usize| self.group[*other] == self.group[item];
        self.not_in
            .iter()
            .all(|(other, kind)| !same(other) || *kind != bin)
            && self
                .only_in
                .iter()
                .all(|(other, kind)| !same(other) || *kind == bin)
    }

    pub(super) fn admit(&self, instance: &Instance, pattern: &Pattern) -> bool {
        let mut held = vec![false; instance.items.len()];
        pattern
            .items
            .iter()
            .for_each(|(item, _)| held[*item] = true);
        let groups = (0..held.len()).all(|item| held[item] == held[self.group[item]]);
        groups
            && self.apart.iter().all(|(a, b)| !(held[*a] && held[*b]))
            && pattern
                .items
                .iter()
                .all(|(item, _)| self.admits_in(*item, pattern.bin))
    }
}

/// The linear programme after generation, with a bound on its value.
pub(super) struct Generated {
    pub(super) relaxed: Relaxed,
    /// No packing under the rules costs less.
    pub(super) bound: f64,
}

/// Generates patterns for an instance.
pub(super) struct Generator<'a> {
    pub(super) instance: &'a Instance,
    pub(super) master: Master<'a>,
    pub(super) meter: &'a Meter<'a>,
    dearest: f64,
    /// What all costs are multiples of.
    step: u64,
}

/// What a round of pricing found.
struct Priced {
    patterns: Vec<Pattern>,
    bound: f64,
}

impl<'a> Generator<'a> {
    /// No packing costs more than `most`.
    pub(super) fn new(instance: &'a Instance, most: u64, meter: &'a Meter<'a>) -> Option<Self> {
        let dearest = instance
            .bins
            .iter()
            .map(|bin| bin.cost)
            .max()
            .unwrap_or(0)
            .max(1);
        let step = instance
            .bins
            .iter()
            .fold(0, |step, bin| gcd(step, bin.cost))
            .max(1);
        #[allow(clippy::cast_precision_loss)]
        let dearest = dearest as f64;
        Some(Self {
            instance,
            master: Master::new(instance, 2.0 * as_cost(most.max(1)))?,
            meter,
            dearest,
            step,
        })
    }

    /// The least cost that a bound in floating point admits: costs are whole multiples of a step.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    pub(super) fn rounded_up(&self, bound: f64) -> u64 {
        let steps = (bound - 1e-7 * bound.abs().max(self.dearest)) / self.step as f64;
        (steps.ceil().max(0.0) as u64).saturating_mul(self.step)
    }

    /// Generates until nothing improves, the rounded bound meets the rounded value, or the bound reaches `enough`.
    pub(super) fn generate(
        &mut self,
        rules: &Rules,
        demand: &[u32],
        enough: u64,
    ) -> Option<Generated> {
        let mut best: Option<(f64, Duals)> = None;
        loop {
            let relaxed = self.master.relax()?;
            self.meter.spend(200);
            let mut added = false;
            for effort in EFFORTS {
                added = self.round(rules, demand, &relaxed.duals, effort, &mut best);
                let bound = best.as_ref().map_or(0.0, |(bound, _)| *bound);
                if added
                    || self.rounded_up(bound) >= enough.min(self.rounded_up(relaxed.value))
                    || !self.meter.goes_on()
                {
                    break;
                }
            }
            let bound = best.as_ref().map_or(0.0, |(bound, _)| *bound);
            let rounded = self.rounded_up(bound);
            if !added
                || rounded >= enough
                || rounded >= self.rounded_up(relaxed.value)
                || !self.meter.goes_on()
            {
                return Some(Generated { relaxed, bound });
            }
        }
    }

    /// Generates patterns for what is left of each item, for some rounds; no bound comes of it.
    pub(super) fn improve(
        &mut self,
        rules: &Rules,
        demand: &[u32],
        rounds: usize,
    ) -> Option<Relaxed> {
        let mut relaxed = self.master.relax()?;
        for _ in 0..rounds {
            self.meter.spend(200);
            let priced = self.price(rules, demand, &relaxed.duals, EFFORTS[0]);
            let added = self.add(priced.patterns, &relaxed.duals);
            if !added || !self.meter.goes_on() {
                break;
            }
            relaxed = self.master.relax()?;
        }
        Some(relaxed)
    }

    /// Prices between the duals and those of the best bound, and if that finds nothing at the duals; true when a pattern was added.
    fn round(
        &mut self,
        rules: &Rules,
        demand: &[u32],
        out: &Duals,
        effort: Effort,
        best: &mut Option<(f64, Duals)>,
    ) -> bool {
        let between = best
            .as_ref()
            .map(|(_, center)| between(out, center, STABILITY));
        for duals in between.into_iter().chain([out.clone()]) {
            let priced = self.price(rules, demand, &duals, effort);
            if best.as_ref().is_none_or(|(bound, _)| priced.bound > *bound) {
                *best = Some((priced.bound, duals));
            }
            if self.add(priced.patterns, out) {
                return true;
            }
        }
        false
    }

    /// Adds the patterns that lower the cost; true when there was one.
    fn add(&mut self, patterns: Vec<Pattern>, duals: &Duals) -> bool {
        let improving = patterns
            .into_iter()
            .filter(|pattern| self.reduced_cost(pattern, duals) < -NOISE * self.dearest);
        let improving: Vec<Pattern> = improving.collect();
        let mut added = false;
        for pattern in improving {
            added |= self.master.add(pattern);
        }
        added
    }

    fn reduced_cost(&self, pattern: &Pattern, duals: &Duals) -> f64 {
        let worth: f64 = pattern
            .items
            .iter()
            .map(|(item, count)| duals.items[*item] * f64::from(*count))
            .sum();
        cost_of(self.instance, pattern) - worth - duals.bins[pattern.bin]
    }

    /// The best pattern of every kind of bin, further ones of what they leave, and the bound of the prices.
    fn price(&self, rules: &Rules, demand: &[u32], duals: &Duals, effort: Effort) -> Priced {
        let problem = Pricing::new(self, rules, demand, duals);
        let kinds: Vec<usize> = (0..self.instance.bins.len()).collect();
        let found = parallel::map(&kinds, |bin| problem.patterns(*bin, effort));
        let bounds: Vec<i64> = found.iter().map(|of_bin| of_bin.bound).collect();
        self.meter
            .spend(found.iter().map(|of_bin| of_bin.nodes).sum::<u64>() / 30);
        Priced {
            bound: self.bound(&problem.values, &bounds),
            patterns: found
                .into_iter()
                .flat_map(|of_bin| of_bin.patterns)
                .collect(),
        }
    }

    /// The bound of item prices, given bounds on what a bin of each kind can hold, all in units.
    fn bound(&self, values: &[i64], most: &[i64]) -> f64 {
        let unit = self.dearest / UNITS;
        let value = |units: i64| as_f64(units) * unit;
        let mut scale: f64 = 1.0;
        for (bin, most) in self
            .instance
            .bins
            .iter()
            .zip(most)
            .filter(|(bin, _)| bin.count.is_none())
        {
            if value(*most) > as_cost(bin.cost) {
                scale = scale.min(as_cost(bin.cost) / value(*most));
            }
        }
        let worth = values
            .iter()
            .zip(&self.instance.items)
            .map(|(units, item)| scale * value(*units) * f64::from(item.count));
        let losses = self.instance.bins.iter().zip(most).map(|(bin, most)| {
            let loss = (as_cost(bin.cost) - scale * value(*most)).min(0.0);
            bin.count.map_or(0.0, |count| f64::from(count) * loss)
        });
        let (sum, size) = worth.chain(losses).fold((0.0, 0.0), |(sum, size), term| {
            (sum + term, size + term.abs())
        });
        // More than the rounding of as many terms of this size.
        sum - 1e-12 * size
    }
}

/// Pricing problems under one set of prices.
struct Pricing<'g> {
    instance: &'g Instance,
    meter: &'g Meter<'g>,
    rules: &'g Rules,
    /// Of single items, in units.
    values: Vec<i64>,
    /// First items of the groups that are priced, with the most of it, value and size of a group.
    groups: Vec<(usize, u32, i64, Vec<i64>)>,
    apart: Vec<Vec<bool>>,
    /// What a bin must be worth for its pattern to improve, by kind, in units.
    prices: Vec<i64>,
}

/// Patterns of one kind of bin.
struct OfBin {
    patterns: Vec<Pattern>,
    bound: i64,
    nodes: u64,
}

impl<'g> Pricing<'g> {
    fn new(generator: &'g Generator<'_>, rules: &'g Rules, demand: &[u32], duals: &Duals) -> Self {
        let instance = generator.instance;
        let scale = UNITS / generator.dearest;
        let units = |value: f64| as_units((value * scale).clamp(-MOST_UNITS, MOST_UNITS));
        let values: Vec<i64> = duals.items.iter().map(|value| units(*value)).collect();
        let mut groups: Vec<(usize, u32, i64, Vec<i64>)> = Vec::new();
        for item in 0..instance.items.len() {
            let size = &instance.items[item].size;
            match groups
                .iter_mut()
                .find(|(first, ..)| *first == rules.group[item])
            {
                Some((_, most, value, sum)) => {
                    *most = (*most).min(demand[item]);
                    *value += values[item];
                    sum.iter_mut()
                        .zip(size)
                        .for_each(|(sum, size)| *sum += size);
                }
                None => groups.push((item, demand[item], values[item], size.clone())),
            }
        }
        let index = |item: usize| groups.iter().position(|(first, ..)| *first == item);
        let mut apart = if rules.apart.is_empty() {
            Vec::new()
        } else {
            vec![vec![false; groups.len()]; groups.len()]
        };
        for (a, b) in &rules.apart {
            if let (Some(a), Some(b)) = (index(*a), index(*b)) {
                apart[a][b] = true;
                apart[b][a] = true;
            }
        }
        let price = |bin: usize| units(as_cost(instance.bins[bin].cost) - duals.bins[bin]);
        Self {
            prices: (0..instance.bins.len()).map(price).collect(),
            instance,
            meter: generator.meter,
            rules,
            values,
            groups,
            apart,
        }
    }

    /// The most valuable pattern of a kind of bin, and others that improve without what the ones before it hold.
    fn patterns(&self, bin: usize, effort: Effort) -> OfBin {
        let admitted = |first: usize| self.rules.admits_in(first, bin);
        let mut left: Vec<u32> = self
            .groups
            .iter()
            .map(|(first, most, ..)| if admitted(*first) { *most } else { 0 })
            .collect();
        let first = self.best(bin, &left, effort);
        let mut of_bin = OfBin {
            patterns: Vec::new(),
            bound: first.bound,
            nodes: first.nodes,
        };
        let mut found = first;
        while let Some((_, filling)) = found.filling.take() {
            filling
                .iter()
                .for_each(|(group, count)| left[*group] -= count);
            of_bin.patterns.push(self.pattern(bin, &filling));
            found = self.best(bin, &left, BESIDE);
            of_bin.nodes += found.nodes;
        }
        of_bin
    }

    fn best(&self, bin: usize, left: &[u32], effort: Effort) -> Found {
        let items: Vec<Item> = self
            .groups
            .iter()
            .zip(left)
            .map(|((_, _, value, size), most)| Item {
                value: *value,
                most: *most,
                size,
            })
            .collect();
        Knapsack {
            capacity: &self.instance.bins[bin].capacity,
            items: &items,
            apart: &self.apart,
            above: self.prices[bin],
            renewed: 0,
            tolerance: as_units(effort.tolerance * as_f64(self.prices[bin])).max(LEAST_TOLERANCE),
            start: &[],
            most_nodes: effort.most_nodes,
            meter: Some(self.meter),
        }
        .solve()
    }

    fn pattern(&self, bin: usize, filling: &[(usize, u32)]) -> Pattern {
        let mut items = Vec::new();
        for (group, count) in filling {
            let first = self.groups[*group].0;
            items.extend(
                (0..self.rules.group.len())
                    .filter(|item| self.rules.group[*item] == first)
                    .map(|item| (item, *count)),
            );
        }
        items.sort_unstable();
        Pattern { bin, items }
    }
}

/// Duals on the way from one set to another.
fn between(out: &Duals, center: &Duals, share: f64) -> Duals {
    let mix = |a: &[f64], b: &[f64]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| (1.0 - share) * a + share * b)
            .collect()
    };
    Duals {
        items: mix(&out.items, &center.items),
        bins: mix(&out.bins, &center.bins),
    }
}

#[allow(clippy::cast_precision_loss)]
fn as_cost(value: u64) -> f64 {
    value as f64
}

#[allow(clippy::cast_possible_truncation)]
fn as_units(value: f64) -> i64 {
    value.floor() as i64
}
