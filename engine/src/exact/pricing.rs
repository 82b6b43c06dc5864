//! The most valuable pattern of a node: a bounded knapsack in several dimensions with conflicts.
//!
//! Depth-first branch and bound over the services in descending order of value for the scarcest dimension. The bound of what
//! remains is the least, over the dimensions, of the fractional knapsack in that dimension alone (Dantzig 1957).

use std::collections::HashMap;

use crate::fleet::{Service, take};
use crate::knapsack::usable;

/// Pods of one service that may go onto a node.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    /// Index of the service.
    pub(crate) service: usize,
    /// Value of one pod, USD/h.
    pub(crate) value: f64,
    /// Fewest pods; they count whatever their value.
    pub(crate) least: u32,
    /// Most pods.
    pub(crate) most: u32,
    /// Size of one pod.
    pub(crate) size: Vec<u64>,
}

/// A knapsack: items may be two entries of one service (pods that stay are worth more than pods that come).
pub(crate) struct Knapsack<'a> {
    /// Capacity in each dimension.
    pub(crate) capacity: &'a [u64],
    /// The services, for the pairs that may not meet.
    pub(crate) services: &'a [Service],
    /// Most search nodes; beyond, the best pattern found so far is returned.
    pub(crate) most_nodes: u64,
}

/// A pattern with its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filling {
    /// Sum of the values.
    pub(crate) value: f64,
    /// Pods by service.
    pub(crate) pods: Vec<(usize, u32)>,
    /// Search nodes visited.
    pub(crate) nodes: u64,
}

impl Knapsack<'_> {
    /// The most valuable filling; `None` when what must stay does not fit.
    pub(crate) fn solve(&self, items: &[Item]) -> Option<Filling> {
        let mut room = self.capacity.to_vec();
        let mut base = Filling::default();
        let mut open: Vec<Item> = Vec::new();
        for item in items {
            take(&mut room, &item.size, item.least)?;
            if item.least > 0 {
                base.value += item.value * f64::from(item.least);
                base.pods.push((item.service, item.least));
            }
            let more = item.most - item.least;
            if item.value > 0.0 && more > 0 {
                open.push(Item {
                    least: 0,
                    most: more,
                    ..item.clone()
                });
            }
        }
        let shut = |item: &Item| {
            base.pods
                .iter()
                .any(|(s, _)| self.services[*s].conflicts.contains(&item.service))
        };
        open.retain(|item| !shut(item) && most_that_fits(&room, &item.size) > 0);
        keep_binding(&mut open, &mut room);
        for (k, room) in room.iter_mut().enumerate() {
            *room = usable(*room, open.iter().map(|item| item.size[k]));
        }
        open.sort_by(|a, b| density(b, &room).total_cmp(&density(a, &room)));
        let conflict = |item: &Item| {
            let conflicts = &self.services[item.service].conflicts;
            open.iter().any(|other| conflicts.contains(&other.service))
        };
        let reached = (!open.iter().any(conflict)).then(HashMap::new);
        let mut search = Search {
            knapsack: self,
            items: &open,
            orders: orders(&open, &room),
            counts: vec![0; open.len()],
            rooms: vec![room; open.len() + 1],
            reached,
            best: vec![0; open.len()],
            best_value: 0.0,
            nodes: 0,
        };
        search.descend(0, 0.0);
        let (best, best_value, nodes) = (search.best, search.best_value, search.nodes);
        for (item, count) in open.iter().zip(best).filter(|(_, count)| *count > 0) {
            match base.pods.iter_mut().find(|(s, _)| *s == item.service) {
                Some((_, pods)) => *pods += count,
                None => base.pods.push((item.service, count)),
            }
        }
        base.pods.sort_unstable();
        Some(Filling {
            value: base.value + best_value,
            nodes,
            ..base
        })
    }
}

struct Search<'s, 'k> {
    knapsack: &'s Knapsack<'k>,
    items: &'s [Item],
    /// For each dimension, the items by falling value for their size in it.
    orders: Vec<Vec<usize>>,
    counts: Vec<u32>,
    /// Room left before the item of each depth.
    rooms: Vec<Vec<u64>>,
    /// The largest value with which a depth was reached with some room; not kept where items conflict.
    reached: Option<HashMap<(usize, Vec<u64>), f64>>,
    best: Vec<u32>,
    best_value: f64,
    nodes: u64,
}

impl Search<'_, '_> {
    fn descend(&mut self, depth: usize, value: f64) {
        self.nodes += 1;
        if value > self.best_value + 1e-12 {
            self.best_value = value;
            self.best.copy_from_slice(&self.counts);
        }
        if depth == self.items.len() || self.nodes > self.knapsack.most_nodes {
            return;
        }
        if value + self.bound(depth) <= self.best_value + 1e-12 || self.was_reached(depth, value) {
            return;
        }
        let item = &self.items[depth];
        let met = |other: usize| {
            self.counts[other] > 0
                && self.knapsack.services[item.service]
                    .conflicts
                    .contains(&self.items[other].service)
        };
        let most = if (0..depth).any(met) {
            0
        } else {
            most_that_fits(&self.rooms[depth], &item.size).min(item.most)
        };
        for count in (0..=most).rev() {
            let (before, after) = self.rooms.split_at_mut(depth + 1);
            after[0].copy_from_slice(&before[depth]);
            if take(&mut after[0], &item.size, count).is_none() {
                continue;
            }
            self.counts[depth] = count;
            self.descend(depth + 1, value + item.value * f64::from(count));
            self.counts[depth] = 0;
            if self.nodes > self.knapsack.most_nodes {
                return;
            }
        }
    }

    /// Whether the depth was reached with the same room and at least this value: nothing better follows then.
    fn was_reached(&mut self, depth: usize, value: f64) -> bool {
        let Some(reached) = &mut self.reached else {
            return false;
        };
        let known = reached
            .entry((depth, self.rooms[depth].clone()))
            .or_insert(f64::NEG_INFINITY);
        let was = *known >= value;
        *known = known.max(value);
        was
    }

    /// No filling of the room left with the items from `depth` on is worth more.
    fn bound(&self, depth: usize) -> f64 {
        let room = &self.rooms[depth];
        let fractional =
            |(k, order): (usize, &Vec<usize>)| self.fractional(depth, room[k], k, order);
        self.orders
            .iter()
            .enumerate()
            .map(fractional)
            .fold(f64::INFINITY, f64::min)
    }

    #[allow(clippy::cast_precision_loss)]
    fn fractional(&self, depth: usize, room: u64, k: usize, order: &[usize]) -> f64 {
        let (mut left, mut value) = (room as f64, 0.0);
        for item in order
            .iter()
            .filter(|i| **i >= depth)
            .map(|i| &self.items[*i])
        {
            let whole = item.size[k] as f64 * f64::from(item.most);
            if whole <= left {
                value += item.value * f64::from(item.most);
                left -= whole;
            } else {
                return value + item.value * left / item.size[k] as f64;
            }
        }
        value
    }
}

/// Leaves out dimensions in which no item takes a larger share than in another one.
fn keep_binding(items: &mut [Item], room: &mut Vec<u64>) {
    let share = |item: &Item, k: usize, j: usize| u128::from(item.size[k]) * u128::from(room[j]);
    let covers = |j: usize, k: usize| {
        room[j] > 0
            && items
                .iter()
                .all(|item| share(item, k, j) <= share(item, j, k))
    };
    let binds = |k: &usize| {
        !(0..room.len()).any(|j| j != *k && covers(j, *k) && (j < *k || !covers(*k, j)))
    };
    let kept: Vec<usize> = (0..room.len()).filter(binds).collect();
    for item in items {
        item.size = kept.iter().map(|k| item.size[*k]).collect();
    }
    *room = kept.iter().map(|k| room[*k]).collect();
}

/// Value for the share of the scarcest dimension.
#[allow(clippy::cast_precision_loss)]
fn density(item: &Item, room: &[u64]) -> f64 {
    let share = item
        .size
        .iter()
        .zip(room)
        .map(|(size, room)| *size as f64 / (*room).max(1) as f64)
        .fold(0.0, f64::max);
    item.value / share.max(1e-12)
}

#[allow(clippy::cast_precision_loss)]
fn orders(items: &[Item], room: &[u64]) -> Vec<Vec<usize>> {
    let order = |k: usize| {
        let mut order: Vec<usize> = (0..items.len()).collect();
        let per_size = |i: &usize| items[*i].value / (items[*i].size[k] as f64).max(1e-9);
        order.sort_by(|a, b| per_size(b).total_cmp(&per_size(a)));
        order
    };
    (0..room.len()).map(order).collect()
}

/// How many pods of a size fit into the room.
pub(crate) fn most_that_fits(room: &[u64], size: &[u64]) -> u32 {
    let fits = size
        .iter()
        .zip(room)
        .filter(|(size, _)| **size > 0)
        .map(|(size, room)| room / size)
        .min();
    u32::try_from(fits.unwrap_or(u64::from(u32::MAX))).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::{fleet, problem};

    /// Four services, of which the first two may not share a node.
    fn services() -> Vec<Service> {
        let mut text = String::from(
            "schema: ketscale.problem/v1\nname: p\nclusters: [{name: c, provider: gcp, region: europe-west1}]\n\
             pools: [{name: p, cluster: c, offerings: [{instance_type: e2-standard-4, zone: europe-west1-b, \
             capacity_type: on-demand}]}]\nservices:\n",
        );
        for (name, placement) in [
            ("a", "anti_affinity: [n/b]"),
            ("b", ""),
            ("c", ""),
            ("d", ""),
        ] {
            text.push_str(&format!(
                "- {{name: n/{name}, clusters: {{c: {{min: 1, max: 9, now: 1}}}}, requests: {{cpu: 1m, memory: 1Mi}}, \
                 placement: {{{placement}}}}}\n"
            ));
        }
        let problem = problem::read(text.as_bytes(), "p.yaml").unwrap();
        let problem = problem::resolve(problem, Catalogue::built_in(), "p.yaml").unwrap();
        fleet::compile(problem, &[]).unwrap().services
    }

    /// By trying all fillings.
    fn naive(capacity: &[u64], items: &[Item], used: &mut Vec<u32>) -> Option<f64> {
        let Some(item) = items.get(used.len()) else {
            return (used[0] == 0 || used[1] == 0).then_some(0.0);
        };
        let mut best: Option<f64> = None;
        for count in item.least..=item.most {
            let mut room = capacity.to_vec();
            if take(&mut room, &item.size, count).is_none() {
                break;
            }
            used.push(count);
            let rest = naive(&room, items, used);
            used.pop();
            let value = rest.map(|rest| rest + item.value * f64::from(count));
            if value.is_some_and(|value| best.is_none_or(|best| value > best)) {
                best = value;
            }
        }
        best
    }

    #[test]
    fn the_search_finds_what_trying_all_fillings_finds() {
        let services = services();
        for seed in 0..3000 {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let dimensions = random.random_range(1..=4);
            let mut sizes = |most| -> Vec<u64> {
                (0..dimensions)
                    .map(|_| random.random_range(0..most))
                    .collect()
            };
            let capacity = sizes(40);
            let sizes: Vec<Vec<u64>> = (0..4).map(|_| sizes(12)).collect();
            let items: Vec<Item> = sizes
                .into_iter()
                .enumerate()
                .map(|(service, size)| {
                    let least = u32::from(service > 1 && random.random_bool(0.1));
                    Item {
                        service,
                        value: f64::from(random.random_range(-2..9)),
                        least,
                        most: least + random.random_range(0..5),
                        size,
                    }
                })
                .collect();
            let knapsack = Knapsack {
                capacity: &capacity,
                services: &services,
                most_nodes: u64::MAX,
            };
            let found = knapsack.solve(&items).map(|filling| filling.value);
            assert_eq!(
                found,
                naive(&capacity, &items, &mut Vec::new()),
                "seed {seed}: {items:?} in {capacity:?}"
            );
        }
    }
}
