//! The most valuable pattern of a node: a bounded knapsack of several dimensions with conflicts, solved by depth-first
//! branch and bound with fractional bounds (Kellerer, Pferschy, Pisinger: Knapsack Problems, 2004, chapters 7 and 9). What leads to
//! the same room by another way and for no more value is not searched again. Where a short search does not come to its end, the
//! first decisions are made one by one and what is left is weighed anew: beside a large pod another dimension is scarce than without it.
//!
//! Values are rounded up. A search that ends at [`NODES`] returns the largest value that what is left could have.

mod dimensions;
#[cfg(test)]
mod tests;

use std::cell::OnceCell;
use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::rounding::{add_up, mul_up, ratio_up};
use dimensions::{join_dimensions, without_implied};

/// Partial patterns that a search looks at before it is split.
const QUICK_NODES: u32 = 1_000;

/// Most partial patterns that are looked at in all.
const NODES: u32 = 60_000;

/// Decisions, one after the other, after which dimensions are weighed anew.
const DECISIONS: u32 = 10;

/// Share of the root's bound by which a better pattern is not searched for but assumed to exist; it also covers the rounding of the
/// order of densities.
const TOLERANCE: f64 = 1e-13;

/// A service's pods on a node.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pods {
    /// Size of one pod in every dimension.
    pub(super) size: Vec<u64>,
    /// Fewest pods.
    pub(super) low: u32,
    /// Most pods.
    pub(super) high: u32,
    /// Pods that run there now.
    pub(super) now: u32,
    /// Value of a pod, USD/h, rounded up.
    pub(super) value: f64,
    /// What each of the first `now` pods is worth more, ≥ 0.
    pub(super) stay: f64,
    /// Positions of those that may not be on the node together with it.
    pub(super) conflicts: Vec<usize>,
}

/// The largest value of a pattern, or `floor` if none is worth more; `None` when no pattern fits.
///
/// `pods` are the services that may or must be on the node, `capacity` has one entry a dimension.
pub(super) fn best_pattern(capacity: &[u64], pods: &[Pods], floor: f64) -> Option<f64> {
    let room = room_beside_fewest(capacity, pods)?;
    let fixed = pods.iter().fold(0.0, |sum, p| {
        let stay = mul_up(f64::from(p.low.min(p.now)), p.stay);
        add_up(sum, add_up(mul_up(f64::from(p.low), p.value), stay))
    });
    let items = items(pods, &room);
    if items.is_empty() {
        return Some(fixed.max(floor));
    }
    let room = usable(&items, &room);
    let none = Known {
        best: floor.max(fixed),
        open: f64::NEG_INFINITY,
        nodes: 0,
    };
    let mut search = Search::new(items.clone(), room.clone(), fixed, none, QUICK_NODES);
    search.run();
    let mut known = search.known;
    if known.nodes > QUICK_NODES {
        known.open = f64::NEG_INFINITY;
        known = decide(&items, &room, fixed, known, DECISIONS);
    }
    Some(known.best.max(known.open))
}

/// What is known about the best pattern.
#[derive(Clone, Copy)]
struct Known {
    best: f64,
    /// Largest value that a part of the space left out may have, where that is above `best`.
    open: f64,
    /// Partial patterns looked at.
    nodes: u32,
}

/// Patterns of the items beside a value already chosen: every count of the densest item, then of what is left, for as many `decisions`; the
/// rest is searched.
fn decide(items: &[Item], room: &[u64], value: f64, mut known: Known, decisions: u32) -> Known {
    known.best = known.best.max(value);
    let fitting = items.iter().filter_map(|item| {
        let most = item.most.min(fitting(&item.size, room));
        (most > 0).then(|| Item {
            most,
            ..item.clone()
        })
    });
    let items: Vec<Item> = fitting.collect();
    if items.is_empty() {
        return known;
    }
    let mut search = Search::new(items.clone(), room.to_vec(), value, known, NODES);
    search.known.nodes += 1;
    if !matches!(search.prospect(0), Prospect::Open) {
        return search.known;
    }
    if decisions == 0 {
        search.run();
        return search.known;
    }
    known = search.known;
    let densest = &search.items[0];
    let same = |item: &Item| item.service == densest.service && item.value == densest.value;
    let Some(index) = items.iter().position(same) else {
        return known;
    };
    let item = &items[index];
    let others = [&items[..index], &items[index + 1..]].concat();
    for count in (0..=item.most).rev() {
        let beside = |other: &&Item| count == 0 || !item.conflicts.contains(&other.service);
        let rest: Vec<Item> = others.iter().filter(beside).cloned().collect();
        let sizes = room.iter().zip(&item.size);
        let left: Vec<u64> = sizes
            .map(|(room, size)| room.saturating_sub(size.saturating_mul(u64::from(count))))
            .collect();
        let value = add_up(value, mul_up(f64::from(count), item.value));
        known = decide(&rest, &left, value, known, decisions - 1);
    }
    known
}

/// How many pods of a size fit.
fn fitting(size: &[u64], room: &[u64]) -> u32 {
    let sizes = size.iter().zip(room).filter(|(size, _)| **size > 0);
    let fitting = sizes.map(|(size, room)| room / size).min();
    u32::try_from(fitting.unwrap_or(u64::MAX)).unwrap_or(u32::MAX)
}

/// What is left beside the fewest pods of each service; `None` when these do not fit or may not be together.
fn room_beside_fewest(capacity: &[u64], pods: &[Pods]) -> Option<Vec<u64>> {
    let mut room = capacity.to_vec();
    for p in pods.iter().filter(|p| p.low > 0) {
        if p.low > p.high || p.conflicts.iter().any(|other| pods[*other].low > 0) {
            return None;
        }
        for (room, size) in room.iter_mut().zip(&p.size) {
            *room = room.checked_sub(size.checked_mul(u64::from(p.low))?)?;
        }
    }
    Some(room)
}

/// The room that pods can use: no more than the largest multiple of what all their sizes are multiples of.
fn usable(items: &[Item], room: &[u64]) -> Vec<u64> {
    let common = |k: usize| {
        items
            .iter()
            .map(|item| item.size[k])
            .fold(0, common_divisor)
    };
    let used = |(k, room): (usize, &u64)| room - room.checked_rem(common(k)).unwrap_or(0);
    room.iter().enumerate().map(used).collect()
}

fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Equal pods beyond the fewest, each of the same value > 0.
#[derive(Clone, Debug)]
struct Item {
    size: Vec<u64>,
    most: u32,
    value: f64,
    service: usize,
    conflicts: Vec<usize>,
}

/// Pods that stay and pods that come, of every service worth having. Taking one that comes before one that stays is worth less, so
/// that nothing needs to forbid it.
fn items(pods: &[Pods], room: &[u64]) -> Vec<Item> {
    let mut items = Vec::new();
    for (service, p) in pods.iter().enumerate() {
        if p.conflicts.iter().any(|other| pods[*other].low > 0) {
            continue;
        }
        let fitting = fitting(&p.size, room);
        let staying = p.now.min(p.high).saturating_sub(p.low);
        let coming = p.high.saturating_sub(p.now.max(p.low));
        for (most, value) in [
            (staying.min(fitting), add_up(p.value, p.stay)),
            (coming.min(fitting), p.value),
        ] {
            if most > 0 && value > 0.0 {
                items.push(Item {
                    size: p.size.clone(),
                    most,
                    value,
                    service,
                    conflicts: p.conflicts.clone(),
                });
            }
        }
    }
    items
}

/// State of the search: the pattern on the path to the current depth, one depth an item.
struct Search {
    items: Vec<Item>,
    /// For each dimension, items by value per size, densest first, sorted when first asked for: most searches end in the last dimension,
    /// the joint one, whose order is that of depths.
    orders: Vec<OnceCell<Vec<usize>>>,
    /// Item positions that an item excludes.
    excluded: Vec<Vec<usize>>,
    counts: Vec<u32>,
    /// How many chosen items exclude an item.
    blocks: Vec<u32>,
    rooms: Vec<Vec<u64>>,
    values: Vec<f64>,
    known: Known,
    most_nodes: u32,
    slack: f64,
    /// The largest value with which a depth was reached with some room and some items excluded.
    reached: HashMap<Vec<u64>, f64>,
}

impl Search {
    fn new(items: Vec<Item>, room: Vec<u64>, fixed: f64, known: Known, most_nodes: u32) -> Self {
        let (mut items, mut room) = without_implied(items, room);
        join_dimensions(&mut items, &mut room, known.best - fixed);
        let joint = room.len() - 1;
        items.sort_by_cached_key(|item| (Reverse(density(item, joint)), item.service));
        let mut orders = vec![OnceCell::new(); joint];
        orders.push(OnceCell::from((0..items.len()).collect::<Vec<usize>>()));
        let mut of_service: HashMap<usize, Vec<usize>> = HashMap::new();
        for (index, item) in items.iter().enumerate() {
            of_service.entry(item.service).or_default().push(index);
        }
        let excludes = |item: &Item| {
            let others = item.conflicts.iter();
            others
                .filter_map(|other| of_service.get(other))
                .flatten()
                .copied()
                .collect()
        };
        let excluded: Vec<Vec<usize>> = items.iter().map(excludes).collect();
        let (depths, blocks) = (items.len(), vec![0; items.len()]);
        let (counts, values, rooms) = (
            vec![0; depths],
            vec![fixed; depths + 1],
            vec![room; depths + 1],
        );
        let mut search = Self {
            items,
            orders,
            excluded,
            counts,
            blocks,
            rooms,
            values,
            known,
            most_nodes,
            slack: 0.0,
            reached: HashMap::new(),
        };
        search.slack = TOLERANCE * search.fractional(joint, 0, false);
        search
    }

    /// Goes through all counts of all items, densest item first, highest count first.
    fn run(&mut self) {
        let depths = self.items.len();
        let mut depth = 0;
        let mut count = self.most(0);
        loop {
            self.choose(depth, count);
            self.known.nodes += 1;
            let next = match self.prospect(depth + 1) {
                Prospect::Open if depth + 1 < depths => {
                    depth += 1;
                    Some(self.most(depth))
                }
                Prospect::Open => {
                    self.known.best = self.known.best.max(self.values[depth + 1]);
                    count.checked_sub(1)
                }
                Prospect::ClosedHere => count.checked_sub(1),
                Prospect::ClosedBelow => None,
            };
            match next.or_else(|| self.back(&mut depth)) {
                Some(next) => count = next,
                None => return,
            }
        }
    }

    /// Goes up to the last item with a lower count left to try, and returns that.
    fn back(&mut self, depth: &mut usize) -> Option<u32> {
        self.choose(*depth, 0);
        while *depth > 0 {
            *depth -= 1;
            if self.counts[*depth] > 0 {
                return Some(self.counts[*depth] - 1);
            }
        }
        None
    }

    /// Most pods of the item of a depth beside those chosen before.
    fn most(&self, depth: usize) -> u32 {
        let item = &self.items[depth];
        if self.blocks[depth] > 0 {
            return 0;
        }
        let sizes = item
            .size
            .iter()
            .zip(&self.rooms[depth])
            .filter(|(size, _)| **size > 0);
        let fitting = sizes
            .map(|(size, room)| room / size)
            .min()
            .unwrap_or(u64::MAX);
        item.most.min(u32::try_from(fitting).unwrap_or(u32::MAX))
    }

    fn choose(&mut self, depth: usize, count: u32) {
        let (was, is) = (self.counts[depth] > 0, count > 0);
        if was != is {
            for other in &self.excluded[depth] {
                self.blocks[*other] = if is {
                    self.blocks[*other] + 1
                } else {
                    self.blocks[*other].saturating_sub(1)
                };
            }
        }
        self.counts[depth] = count;
        let (before, after) = self.rooms.split_at_mut(depth + 1);
        let sizes = before[depth].iter().zip(&self.items[depth].size);
        for (left, (room, size)) in after[0].iter_mut().zip(sizes) {
            *left = room.saturating_sub(size.saturating_mul(u64::from(count)));
        }
        self.values[depth + 1] = add_up(
            self.values[depth],
            mul_up(f64::from(count), self.items[depth].value),
        );
    }

    /// Whether completing the pattern from a depth on can be worth more than the best one.
    fn prospect(&mut self, depth: usize) -> Prospect {
        let joint = self.orders.len() - 1;
        let value = self.values[depth];
        // In the order of joint densities a lower count of the last item can only lower this bound, conflicts apart.
        let loose = add_up(value, self.fractional(joint, depth, false));
        if self.closes(loose) {
            return Prospect::ClosedBelow;
        }
        let mut tight = loose;
        for dimension in 0..=joint {
            tight = tight.min(add_up(value, self.fractional(dimension, depth, true)));
            if self.closes(tight) {
                return Prospect::ClosedHere;
            }
        }
        if self.known.nodes > self.most_nodes {
            self.known.open = self.known.open.max(add_up(tight, self.slack));
            return Prospect::ClosedHere;
        }
        if self.was_reached(depth) {
            return Prospect::ClosedHere;
        }
        Prospect::Open
    }

    /// Whether the depth was reached before with the same room, the same items excluded and at least the same value: then every
    /// completion was looked at there, or was worth no more than the best.
    fn was_reached(&mut self, depth: usize) -> bool {
        if depth == self.items.len() {
            return false;
        }
        let room = &self.rooms[depth];
        let mut key = Vec::with_capacity(room.len());
        key.push(depth as u64);
        key.extend(&room[..room.len() - 1]);
        let excluded = (depth..).zip(&self.blocks[depth..]);
        key.extend(
            excluded
                .filter(|(_, blocks)| **blocks > 0)
                .map(|(item, _)| item as u64),
        );
        let value = self.values[depth];
        match self.reached.entry(key) {
            Entry::Occupied(known) if *known.get() >= value => true,
            Entry::Occupied(mut known) => {
                known.insert(value);
                false
            }
            Entry::Vacant(unknown) => {
                unknown.insert(value);
                false
            }
        }
    }

    /// Whether a bound leaves nothing to search for.
    fn closes(&mut self, bound: f64) -> bool {
        let reachable = add_up(bound, self.slack);
        let closes = bound <= self.known.best + 8.0 * self.slack;
        if closes && reachable > self.known.best {
            self.known.open = self.known.open.max(reachable);
        }
        closes
    }

    /// Items by value per size in a dimension, densest first.
    fn order(&self, dimension: usize) -> &[usize] {
        self.orders[dimension].get_or_init(|| {
            let mut order: Vec<usize> = (0..self.items.len()).collect();
            order.sort_by_cached_key(|index| Reverse(density(&self.items[*index], dimension)));
            order
        })
    }

    /// Most value of the items from a depth on in one dimension alone, the last one in part.
    fn fractional(&self, dimension: usize, depth: usize, skip_blocked: bool) -> f64 {
        let mut room = self.rooms[depth][dimension];
        let mut value = 0.0;
        for index in self
            .order(dimension)
            .iter()
            .filter(|index| **index >= depth)
        {
            if skip_blocked && self.blocks[*index] > 0 {
                continue;
            }
            let item = &self.items[*index];
            let size = item.size[dimension];
            let fitting = room.checked_div(size).unwrap_or(u64::MAX);
            if fitting < u64::from(item.most) {
                let part = add_up(
                    f64::from(u32::try_from(fitting).unwrap_or(u32::MAX)),
                    ratio_up(room % size, size),
                );
                return add_up(value, mul_up(part, item.value));
            }
            value = add_up(value, mul_up(f64::from(item.most), item.value));
            room -= size * u64::from(item.most);
        }
        value
    }
}

/// What a partial pattern promises.
enum Prospect {
    /// More than the best pattern, perhaps.
    Open,
    /// No more than the best.
    ClosedHere,
    /// No more than the best, and neither with fewer pods of the last item.
    ClosedBelow,
}

/// Value per size in a dimension; infinite without size there.
#[allow(clippy::cast_precision_loss)]
fn density(item: &Item, dimension: usize) -> Ordered {
    Ordered(item.value / item.size[dimension] as f64)
}

/// A number by [`f64::total_cmp`].
#[derive(Clone, Copy, Debug)]
struct Ordered(f64);

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}
