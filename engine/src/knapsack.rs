//! The most valuable filling of a bin: a bounded knapsack in several dimensions with pairs that may not meet.
//!
//! Depth-first branch and bound over which item comes next, in falling value for a weight. The weight of an item is its size in every dimension
//! times a price, and the prices are about those that make the linear relaxation's bound least (found by subgradients); the fractional
//! knapsack in that one weight (Dantzig 1957) bounds what is left. Only items that still fit are looked at further down.
//!
//! Values are integers. Fillings that beat the best by no more than a tolerance are not looked for, and the bound counts them in: where values
//! follow sizes closely, many fillings are worth about the same, and telling them apart takes for ever.

mod prices;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::mem;

use prices::prices;

use crate::limits::Meter;

/// Search nodes between two looks at the meter.
const NODES_A_LOOK: u64 = 1 << 12;
/// Steps of the search for prices of the dimensions.
const PRICE_STEPS: u32 = 200;
/// The search ends with steps of this share of the first ones.
const SLOWEST: f64 = 0.001;
/// The same where prices are made anew further down.
const SLOW: f64 = 0.01;
/// Steps further down, from the prices above.
const RENEWED_STEPS: u32 = 40;
/// The least tolerance: bounds are taken in floating point.
pub(crate) const LEAST_TOLERANCE: i64 = 1 << 10;
/// What is added to a bound in floating point: more than its error, as long as the sum of all values stays below 2^50.
const SLACK: f64 = 4.0;

/// Something of which some may go into the bin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    /// Value of one.
    pub(crate) value: i64,
    /// Most of it.
    pub(crate) most: u32,
    /// Size in each dimension; a negative size makes room.
    pub(crate) size: &'a [i64],
}

/// Items to fill a bin with.
pub(crate) struct Knapsack<'a> {
    /// Capacity in each dimension.
    pub(crate) capacity: &'a [i64],
    pub(crate) items: &'a [Item<'a>],
    /// For each item those that it may not meet, empty where it may meet any; empty when any may meet.
    pub(crate) apart: &'a [Vec<bool>],
    /// Only fillings worth more than this are asked for.
    pub(crate) above: i64,
    /// By how much a filling must beat the best known to be looked for; [`LEAST_TOLERANCE`] or more.
    pub(crate) tolerance: i64,
    /// After how many decisions about items, from the root on, prices are made anew. Worth its time where sizes differ much: beside a large item
    /// another dimension is scarce than without it.
    pub(crate) renewed: u32,
    /// Prices of a unit of each dimension that are searched from, about those of a knapsack much like this one; empty where none is known.
    pub(crate) start: &'a [f64],
    /// Most search nodes; beyond, the best found so far is returned with a bound above it.
    pub(crate) most_nodes: u64,
    /// Ends the search as well; nothing is charged.
    pub(crate) meter: Option<&'a Meter<'a>>,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Found {
    /// The most valuable filling, by item; `None` when none is worth more than was asked for.
    pub(crate) filling: Option<(i64, Vec<(usize, u32)>)>,
    /// No filling is worth more than this.
    pub(crate) bound: i64,
    /// Whether the search came to its end.
    pub(crate) complete: bool,
    /// Search nodes visited.
    pub(crate) nodes: u64,
    /// Prices of a unit of each dimension at the root; empty where nothing was weighed.
    pub(crate) prices: Vec<f64>,
}

impl Knapsack<'_> {
    /// The most valuable filling.
    pub(crate) fn solve(&self) -> Found {
        let mut search = Search::new(self);
        search.with_makers_of_room(0, 0);
        let mut bound = search.best_value.saturating_add(self.tolerance);
        if search.cut {
            let makes_room = !search.makers.is_empty();
            bound = bound.max(if makes_room {
                self.relaxed_bound()
            } else {
                search.left_open
            });
        }
        Found {
            filling: (search.best_value > self.above).then_some((search.best_value, search.best)),
            bound,
            complete: !search.cut,
            nodes: search.nodes,
            prices: search.root,
        }
    }

    /// The usable capacity in each dimension.
    fn usable(&self) -> Vec<i64> {
        let sizes = |k: usize| {
            let items = self.items.iter().filter(|item| item.most > 0);
            items.map(move |item| item.size[k].unsigned_abs())
        };
        let usable = |(k, capacity): (usize, &i64)| {
            u64::try_from(*capacity).map_or(*capacity, |room| {
                i64::try_from(usable(room, sizes(k))).unwrap_or(*capacity)
            })
        };
        self.capacity.iter().enumerate().map(usable).collect()
    }

    /// The usable capacity with all the room that items can make.
    fn most_room(&self) -> Vec<i64> {
        let mut capacity = self.usable();
        for item in self.items {
            for (room, size) in capacity.iter_mut().zip(item.size) {
                *room =
                    room.saturating_add(size.min(&0).abs().saturating_mul(i64::from(item.most)));
            }
        }
        capacity
    }

    /// The linear relaxation's bound at the prices found, everything that makes room included.
    fn relaxed_bound(&self) -> i64 {
        let capacity = self.most_room();
        let prices = prices(self.items, &capacity, &[], PRICE_STEPS, 0.0, SLOWEST);
        let paid = |size: &[i64]| -> f64 {
            let positive = size.iter().map(|size| as_f64(*size.max(&0)));
            positive
                .zip(&prices)
                .map(|(size, price)| size * price)
                .sum()
        };
        let rest: f64 = self
            .items
            .iter()
            .map(|item| (as_f64(item.value) - paid(item.size)).max(0.0) * f64::from(item.most))
            .sum();
        as_i64((paid(&capacity) + rest) * (1.0 + 1e-12) + SLACK)
    }
}

/// How items are weighed, by item.
#[derive(Default)]
struct Scales {
    /// Price of a unit of each dimension.
    prices: Vec<f64>,
    /// Weight of one at the prices.
    weight: Vec<f64>,
    /// Most that fit.
    most: Vec<u32>,
    /// Place in the falling order of value for weight.
    rank: Vec<usize>,
    /// The largest value with which an item and what comes after it was reached with some room. Kept where there are several of an item: the
    /// same room is then soon reached in many ways.
    reached: Option<HashMap<(usize, Vec<i64>), i64>>,
}

struct Search<'k> {
    knapsack: &'k Knapsack<'k>,
    /// Items that make room in some dimension.
    makers: Vec<usize>,
    /// The other items of value.
    others: Vec<usize>,
    scales: Scales,
    /// Prices at the root.
    root: Vec<f64>,
    room: Vec<i64>,
    counts: Vec<u32>,
    /// Items that still fit, one list after the other for each depth.
    candidates: Vec<usize>,
    best: Vec<(usize, u32)>,
    best_value: i64,
    nodes: u64,
    /// Nodes at which the meter is looked at next.
    next_look: u64,
    /// Whether the search ended before it was complete.
    cut: bool,
    /// What a filling that the search did not come to may be worth at most, where nothing makes room.
    left_open: i64,
}

impl<'k> Search<'k> {
    fn new(knapsack: &'k Knapsack<'k>) -> Self {
        let items = knapsack.items;
        let makes_room = |i: &usize| items[*i].size.iter().any(|size| *size < 0);
        let useful = |i: &usize| items[*i].most > 0 && !makes_room(i) && items[*i].value > 0;
        Self {
            knapsack,
            makers: (0..items.len())
                .filter(|i| makes_room(i) && items[*i].most > 0)
                .collect(),
            others: (0..items.len()).filter(useful).collect(),
            scales: Scales::default(),
            root: Vec::new(),
            room: knapsack.usable(),
            counts: vec![0; items.len()],
            candidates: Vec::new(),
            best: Vec::new(),
            best_value: knapsack.above,
            nodes: 0,
            next_look: NODES_A_LOOK,
            cut: false,
            left_open: 0,
        }
    }

    /// Tries every number of every item that makes room; the others then only take it away.
    fn with_makers_of_room(&mut self, from: usize, value: i64) {
        self.nodes += 1;
        let Some(&maker) = self.makers.get(from) else {
            if self.room.iter().all(|room| *room >= 0) {
                self.fill(value);
            }
            return;
        };
        for count in (0..=self.knapsack.items[maker].most).rev() {
            if self.is_over() {
                return;
            }
            let met = count > 0
                && self.makers[..from]
                    .iter()
                    .any(|other| self.counts[*other] > 0 && self.are_apart(maker, *other));
            if met {
                continue;
            }
            self.put(maker, count);
            let with = value.saturating_add(
                self.knapsack.items[maker]
                    .value
                    .saturating_mul(i64::from(count)),
            );
            self.with_makers_of_room(from + 1, with);
            self.take_out(maker, count);
        }
    }

    fn fill(&mut self, value: i64) {
        self.note(value);
        let start = self.candidates.len();
        for at in 0..self.others.len() {
            let item = self.others[at];
            let met = self
                .makers
                .iter()
                .any(|maker| self.counts[*maker] > 0 && self.are_apart(item, *maker));
            if !met && self.fits(item) {
                self.candidates.push(item);
            }
        }
        self.scales.prices = self.knapsack.start.to_vec();
        self.descend_anew(start, value, 0);
        self.candidates.truncate(start);
    }

    /// Takes every number of the first candidate, or none of it, with prices and an order made anew; after enough such decisions they stay as
    /// they are.
    fn descend_anew(&mut self, from: usize, value: i64, decisions: u32) {
        let to = self.candidates.len();
        if from == to {
            return;
        }
        if decisions > 0 && self.is_hopeless(value, from, to, self.weight_of_room()) {
            return;
        }
        let scales = self.scales_for(from, value);
        if decisions == 0 {
            self.root.clone_from(&scales.prices);
        }
        let above = mem::replace(&mut self.scales, scales);
        let weight = self.weight_of_room();
        if decisions >= self.knapsack.renewed {
            self.descend(from, weight, value);
        } else if !self.is_hopeless(value, from, to, weight) {
            let item = self.candidates[from];
            let one = self.knapsack.items[item].value;
            for count in (0..=most_that_fits(&self.knapsack.items[item], &self.room)).rev() {
                self.nodes += 1;
                if self.is_over() {
                    self.leave_open(value, from, to, weight);
                    break;
                }
                let filled = value.saturating_add(one.saturating_mul(i64::from(count)));
                self.put(item, count);
                self.note(filled);
                for next in from + 1..to {
                    let other = self.candidates[next];
                    if self.fits(other) && (count == 0 || !self.are_apart(item, other)) {
                        self.candidates.push(other);
                    }
                }
                self.descend_anew(to, filled, decisions + 1);
                self.candidates.truncate(to);
                self.take_out(item, count);
            }
        }
        self.scales = above;
    }

    /// The room left, weighed at the prices.
    fn weight_of_room(&self) -> f64 {
        let room = self.room.iter().zip(&self.scales.prices);
        room.map(|(room, price)| as_f64(*room) * price).sum()
    }

    /// Prices for the room left, and the candidates from `from` on in the order of their density by them.
    fn scales_for(&mut self, from: usize, value: i64) -> Scales {
        let items: Vec<Item> = self.candidates[from..]
            .iter()
            .map(|item| self.knapsack.items[*item])
            .collect();
        let start = &self.scales.prices;
        let steps = if start.is_empty() {
            PRICE_STEPS
        } else {
            RENEWED_STEPS
        };
        let wanted = self.best_value.saturating_add(self.knapsack.tolerance);
        let enough = as_f64(wanted.saturating_sub(value)) * (1.0 - 1e-9) - 2.0 * SLACK;
        // Prices that are made anew soon need not be the best.
        let pace = if self.knapsack.renewed > 0 {
            SLOW
        } else {
            SLOWEST
        };
        let prices = prices(&items, &self.room, start, steps, enough, pace);
        let count = self.knapsack.items.len();
        let (mut weight, mut most, mut rank) = (vec![0.0; count], vec![0; count], vec![0; count]);
        for i in &self.candidates[from..] {
            let item = &self.knapsack.items[*i];
            let sizes = item.size.iter().zip(&prices);
            weight[*i] = sizes.map(|(size, price)| as_f64(*size) * price).sum();
            most[*i] = most_that_fits(item, &self.room);
        }
        let density = |i: usize| as_f64(self.knapsack.items[i].value) / weight[i].max(1e-300);
        let candidates = &mut self.candidates[from..];
        candidates.sort_by(|a, b| density(*b).total_cmp(&density(*a)));
        let order = candidates.iter().enumerate();
        order.for_each(|(at, item)| rank[*item] = at);
        let several = candidates.iter().any(|item| most[*item] > 1);
        Scales {
            prices,
            weight,
            most,
            rank,
            reached: (several && self.knapsack.apart.is_empty()).then(HashMap::new),
        }
    }

    /// Puts in every number of every candidate from `from` on, and then candidates after it.
    fn descend(&mut self, from: usize, weight_left: f64, value: i64) {
        let to = self.candidates.len();
        for at in from..to {
            if self.is_hopeless(value, at, to, weight_left) {
                return;
            }
            if self.is_over() {
                self.leave_open(value, at, to, weight_left);
                return;
            }
            let item = self.candidates[at];
            let (one, most) = (
                self.knapsack.items[item].value,
                most_that_fits(&self.knapsack.items[item], &self.room),
            );
            for count in (1..=most).rev() {
                let filled = value.saturating_add(one.saturating_mul(i64::from(count)));
                let left = weight_left - self.scales.weight[item] * f64::from(count);
                self.nodes += 1;
                if filled <= self.best_value && self.is_hopeless(filled, at + 1, to, left) {
                    continue;
                }
                self.put(item, count);
                self.note(filled);
                if self.was_reached(item, filled) {
                    self.take_out(item, count);
                    continue;
                }
                for next in at + 1..to {
                    let other = self.candidates[next];
                    if self.fits(other) && !self.are_apart(item, other) {
                        self.candidates.push(other);
                    }
                }
                self.descend(to, left, filled);
                self.candidates.truncate(to);
                self.take_out(item, count);
                if self.is_over() {
                    self.leave_open(value, at, to, weight_left);
                    return;
                }
            }
        }
    }

    /// Whether what comes after an item was reached with the same room and at least this value: nothing better follows then.
    fn was_reached(&mut self, item: usize, value: i64) -> bool {
        let Some(reached) = &mut self.scales.reached else {
            return false;
        };
        match reached.entry((self.scales.rank[item], self.room.clone())) {
            Entry::Vacant(entry) => {
                entry.insert(value);
                false
            }
            Entry::Occupied(entry) if *entry.get() >= value => true,
            Entry::Occupied(mut entry) => {
                entry.insert(value);
                false
            }
        }
    }

    /// Notes what the candidates may be worth that are not looked at any more.
    fn leave_open(&mut self, value: i64, from: usize, to: usize, weight_left: f64) {
        self.left_open =
            self.left_open
                .max(value.saturating_add(self.bound(from, to, weight_left)));
    }

    /// Whether the candidates cannot beat the best known.
    fn is_hopeless(&self, value: i64, from: usize, to: usize, weight_left: f64) -> bool {
        value.saturating_add(self.bound(from, to, weight_left))
            <= self.best_value.saturating_add(self.knapsack.tolerance)
    }

    /// No filling of the weight left with the candidates is worth more.
    fn bound(&self, from: usize, to: usize, weight_left: f64) -> i64 {
        let (mut left, mut value) = (weight_left.max(0.0), 0.0);
        for item in &self.candidates[from..to] {
            let most = f64::from(self.scales.most[*item]);
            let weight = self.scales.weight[*item] * most;
            let worth = as_f64(self.knapsack.items[*item].value) * most;
            if weight > left {
                value += worth * (left / weight);
                break;
            }
            left -= weight;
            value += worth;
        }
        as_i64(value * (1.0 + 1e-12) + SLACK)
    }

    fn note(&mut self, value: i64) {
        if value > self.best_value {
            self.best_value = value;
            let counts = self.counts.iter().enumerate();
            self.best = counts
                .filter(|(_, count)| **count > 0)
                .map(|(i, count)| (i, *count))
                .collect();
        }
    }

    fn is_over(&mut self) -> bool {
        let looks = self.nodes >= self.next_look;
        if looks {
            self.next_look += NODES_A_LOOK;
        }
        self.cut |= self.nodes >= self.knapsack.most_nodes
            || (looks && self.knapsack.meter.is_some_and(|meter| !meter.goes_on()));
        self.cut
    }

    fn are_apart(&self, a: usize, b: usize) -> bool {
        let apart = self.knapsack.apart.get(a);
        apart.is_some_and(|apart| apart.get(b).copied().unwrap_or(false))
    }

    fn fits(&self, item: usize) -> bool {
        let size = self.knapsack.items[item].size;
        size.iter().zip(&self.room).all(|(size, room)| size <= room)
    }

    fn put(&mut self, item: usize, count: u32) {
        let size = self.knapsack.items[item].size;
        self.room
            .iter_mut()
            .zip(size)
            .for_each(|(room, size)| *room -= size * i64::from(count));
        self.counts[item] += count;
    }

    fn take_out(&mut self, item: usize, count: u32) {
        let size = self.knapsack.items[item].size;
        self.room
            .iter_mut()
            .zip(size)
            .for_each(|(room, size)| *room += size * i64::from(count));
        self.counts[item] -= count;
    }
}

fn most_that_fits(item: &Item, room: &[i64]) -> u32 {
    let sizes = item.size.iter().zip(room).filter(|(size, _)| **size > 0);
    let fits = sizes.map(|(size, room)| room / size).min();
    fits.map_or(item.most, |fits| {
        item.most.min(u32::try_from(fits).unwrap_or(u32::MAX))
    })
}

/// The room less what nothing can use, because all sizes are multiples of something: 3,565 millicores hold 3,550 of pods of 50, 150
/// and 400. Bounds get much closer by it.
pub(crate) fn usable(room: u64, sizes: impl Iterator<Item = u64>) -> u64 {
    let step = sizes.fold(0, gcd);
    room - room.checked_rem(step).unwrap_or(0)
}

pub(crate) fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[allow(clippy::cast_precision_loss)]
pub(crate) fn as_f64(value: i64) -> f64 {
    value as f64
}

/// Towards zero; what is too large becomes the largest.
#[allow(clippy::cast_possible_truncation)]
fn as_i64(value: f64) -> i64 {
    value as i64
}

#[cfg(test)]
mod tests;
