//! The most valuable pattern of a node, by the knapsack in several dimensions.

use crate::fleet::{Service, take};
use crate::knapsack;

/// Units of value of the most valuable pod in the knapsack.
const UNITS: f64 = (1_u64 << 40) as f64;

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
    /// Only patterns worth more than this, USD/h, are asked for.
    pub(crate) above: f64,
    pub(crate) effort: Effort,
}

/// How hard the most valuable pattern is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    /// By how much a pattern must beat the best known to be looked for, as a share of that.
    pub(crate) tolerance: f64,
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
    /// The most valuable filling, or what must stay alone when none is worth more than asked for; `None` when that does not fit.
    pub(crate) fn solve(&self, items: &[Item]) -> Option<Filling> {
        let mut room = self.capacity.to_vec();
        let mut filling = Filling::default();
        let mut open: Vec<Item> = Vec::new();
        for item in items {
            take(&mut room, &item.size, item.least)?;
            if item.least > 0 {
                filling.add(item, item.least);
            }
            if item.value > 0.0 && item.most > item.least {
                open.push(Item {
                    least: 0,
                    most: item.most - item.least,
                    ..item.clone()
                });
            }
        }
        let shut = |item: &Item| {
            let conflict =
                |(s, _): &(usize, u32)| self.services[*s].conflicts.contains(&item.service);
            filling.pods.iter().any(conflict)
        };
        open.retain(|item| !shut(item) && most_that_fits(&room, &item.size) > 0);
        if !open.is_empty() {
            keep_binding(&mut open, &mut room);
            self.fill(&open, &room, &mut filling);
        }
        filling.pods.sort_unstable();
        Some(filling)
    }

    /// Adds the most valuable of the items to a filling.
    fn fill(&self, items: &[Item], room: &[u64], filling: &mut Filling) {
        let scale = UNITS / items.iter().map(|item| item.value).fold(0.0, f64::max);
        let capacity = whole(room);
        let sizes: Vec<Vec<i64>> = items.iter().map(|item| whole(&item.size)).collect();
        let items_in_units: Vec<knapsack::Item> = items
            .iter()
            .zip(&sizes)
            .map(|(item, size)| knapsack::Item {
                value: in_units(item.value * scale),
                most: item.most,
                size,
            })
            .collect();
        let above = ((self.above - filling.value) * scale).max(0.0);
        let found = knapsack::Knapsack {
            capacity: &capacity,
            items: &items_in_units,
            apart: &self.apart(items),
            above: in_units(above),
            tolerance: in_units(above * self.effort.tolerance).max(knapsack::LEAST_TOLERANCE),
            most_nodes: self.effort.most_nodes,
            meter: None,
        }
        .solve();
        filling.nodes = found.nodes;
        for (index, count) in found.filling.map_or_else(Vec::new, |(_, items)| items) {
            filling.add(&items[index], count);
        }
    }

    /// For each item those that it may not meet; empty when all may.
    fn apart(&self, items: &[Item]) -> Vec<Vec<bool>> {
        let conflict = |a: &Item, b: &Item| self.services[a.service].conflicts.contains(&b.service);
        let apart: Vec<Vec<bool>> = items
            .iter()
            .map(|a| {
                items
                    .iter()
                    .map(|b| conflict(a, b) || conflict(b, a))
                    .collect()
            })
            .collect();
        if apart.iter().flatten().any(|apart| *apart) {
            apart
        } else {
            Vec::new()
        }
    }
}

impl Filling {
    fn add(&mut self, item: &Item, count: u32) {
        self.value += item.value * f64::from(count);
        match self.pods.iter_mut().find(|(s, _)| *s == item.service) {
            Some((_, pods)) => *pods += count,
            None => self.pods.push((item.service, count)),
        }
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

/// Sizes as the knapsack takes them.
fn whole(sizes: &[u64]) -> Vec<i64> {
    sizes
        .iter()
        .map(|size| i64::try_from(*size).unwrap_or(i64::MAX))
        .collect()
}

#[allow(clippy::cast_possible_truncation)]
fn in_units(value: f64) -> i64 {
    value as i64
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
                above: 0.0,
                effort: Effort {
                    tolerance: 0.0,
                    most_nodes: u64::MAX,
                },
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
