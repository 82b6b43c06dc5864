//! The most valuable pattern of a node: pods of services as a knapsack in whole numbers ([`crate::knapsack`]).

use crate::fleet::{Fleet, Service, take};
use crate::knapsack::{self, LEAST_TOLERANCE};

/// About the sum of all values in whole numbers.
const SCALE: f64 = (1_u64 << 48) as f64;

/// Pods of one service that may go onto a node.
#[derive(Clone, Debug)]
struct Item {
    /// Index of the service.
    service: usize,
    /// Value of one pod, USD/h.
    value: f64,
    /// Fewest pods; they count whatever their value.
    least: u32,
    /// Most pods.
    most: u32,
    /// Size of one pod.
    size: Vec<u64>,
}

/// How well a pattern is searched for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Precision<'a> {
    /// Only patterns worth more, in USD/h, are asked for.
    pub(crate) above: f64,
    /// By how much, in USD/h, a pattern must beat the best known to be looked for.
    pub(crate) tolerance: f64,
    /// Decisions from the root on with prices made anew ([`knapsack::Knapsack::renewed`]).
    pub(crate) renewed: u32,
    /// Most search nodes.
    pub(crate) most_nodes: u64,
    /// About what a unit of each dimension is worth on such a node, USD/h; empty where nothing is known.
    pub(crate) start: &'a [f64],
}

impl Precision<'_> {
    /// For a good pattern in little time.
    pub(crate) const GREEDY: Self = Self {
        above: f64::NEG_INFINITY,
        tolerance: 0.0,
        renewed: 2,
        most_nodes: 400,
        start: &[],
    };
}

/// A pattern with its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filling {
    /// Sum of the values.
    pub(crate) value: f64,
    /// No pattern is worth more.
    pub(crate) bound: f64,
    /// Pods by service, ascending.
    pub(crate) pods: Vec<(usize, u32)>,
    /// Search nodes visited.
    pub(crate) nodes: u64,
    /// About what a unit of each dimension is worth, USD/h; empty where nothing was weighed.
    pub(crate) prices: Vec<f64>,
}

/// The most valuable pods of one node of a class; what must stay alone when no pattern is worth as much as was asked for, `None` when not even
/// that fits. `stay` is the value of a pod that is there now on top of `value`.
pub(crate) fn pattern(
    fleet: &Fleet,
    class: usize,
    value: &dyn Fn(usize) -> f64,
    stay: &dyn Fn(usize) -> f64,
    most: &dyn Fn(usize) -> u32,
    size: &dyn Fn(usize) -> Vec<u64>,
    precision: Precision<'_>,
) -> Option<Filling> {
    let class = &fleet.classes[class];
    let mut items = Vec::new();
    for s in (0..fleet.services.len()).filter(|s| class.most[*s] > 0) {
        let (least, most) = (class.pinned[s], class.most[s].min(most(s)));
        if most < least {
            return None;
        }
        let stays = class.now[s].min(most);
        if stays > 0 {
            items.push(Item {
                service: s,
                value: value(s) + stay(s),
                least,
                most: stays,
                size: size(s),
            });
        }
        if most > stays {
            items.push(Item {
                service: s,
                value: value(s),
                least: 0,
                most: most - stays,
                size: size(s),
            });
        }
    }
    best(&class.capacity, &fleet.services, &items, precision)
}

/// The most valuable choice of items; two may be of one service (pods that stay are worth more than pods that come).
fn best(
    capacity: &[u64],
    services: &[Service],
    items: &[Item],
    precision: Precision<'_>,
) -> Option<Filling> {
    let mut room = capacity.to_vec();
    let mut filling = Filling::default();
    let mut open: Vec<Item> = Vec::new();
    for item in items {
        take(&mut room, &item.size, item.least)?;
        if item.least > 0 {
            filling.value += item.value * f64::from(item.least);
            filling.pods.push((item.service, item.least));
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
    filling.bound = filling.value;
    let conflicts = |a: usize, b: usize| services[a].conflicts.binary_search(&b).is_ok();
    let shut = |item: &Item| {
        filling
            .pods
            .iter()
            .any(|(s, _)| conflicts(*s, item.service))
    };
    open.retain(|item| !shut(item) && most_that_fits(&room, &item.size) > 0);
    let kept = keep_binding(&mut open, &mut room);
    let apart = apart(&open, services);
    let start: Vec<f64> = if precision.start.is_empty() {
        Vec::new()
    } else {
        kept.iter().map(|k| precision.start[*k]).collect()
    };
    let precision = Precision {
        start: &start,
        ..precision
    };
    let prices = fill(&mut filling, &open, &room, &apart, precision);
    if !prices.is_empty() {
        filling.prices = vec![0.0; capacity.len()];
        kept.iter()
            .zip(prices)
            .for_each(|(k, price)| filling.prices[*k] = price);
    }
    Some(filling)
}

/// For each item those that it may not meet, an empty list where it may meet any; no lists where any may meet any.
fn apart(items: &[Item], services: &[Service]) -> Vec<Vec<bool>> {
    let mut of_service: Vec<Vec<usize>> = vec![Vec::new(); services.len()];
    for (index, item) in items.iter().enumerate() {
        of_service[item.service].push(index);
    }
    let row = |item: &Item| {
        let others = services[item.service].conflicts.iter();
        let mut others = others.flat_map(|other| &of_service[*other]).peekable();
        let mut row = Vec::new();
        if others.peek().is_some() {
            row.resize(items.len(), false);
        }
        others.for_each(|other| row[*other] = true);
        row
    };
    let rows: Vec<Vec<bool>> = items.iter().map(row).collect();
    if rows.iter().all(Vec::is_empty) {
        return Vec::new();
    }
    rows
}

/// Puts the most valuable choice of open items into a filling, where that is worth as much as was asked for. Returns what a unit of each
/// dimension is about worth.
fn fill(
    filling: &mut Filling,
    open: &[Item],
    room: &[u64],
    apart: &[Vec<bool>],
    precision: Precision<'_>,
) -> Vec<f64> {
    let most = |item: &Item| f64::from(item.most.min(most_that_fits(room, &item.size)));
    let total: f64 = open.iter().map(|item| item.value * most(item)).sum();
    if total <= 0.0 {
        return Vec::new();
    }
    let scale = SCALE / total;
    let start: Vec<f64> = precision.start.iter().map(|usd| usd * scale).collect();
    let sizes: Vec<Vec<i64>> = open.iter().map(|item| whole_sizes(&item.size)).collect();
    let items = open.iter().zip(&sizes).map(|(item, size)| knapsack::Item {
        value: whole(item.value * scale),
        most: item.most,
        size,
    });
    let found = knapsack::Knapsack {
        capacity: &whole_sizes(room),
        items: &items.collect::<Vec<_>>(),
        apart,
        above: whole(((precision.above - filling.value) * scale).clamp(0.0, 2.0 * SCALE)),
        tolerance: whole(precision.tolerance * scale).max(LEAST_TOLERANCE),
        renewed: precision.renewed,
        start: &start,
        most_nodes: precision.most_nodes,
        meter: None,
    }
    .solve();
    filling.nodes = found.nodes;
    filling.bound += as_usd(found.bound, scale);
    for (index, count) in found
        .filling
        .map(|(_, chosen)| chosen)
        .into_iter()
        .flatten()
    {
        let item = &open[index];
        filling.value += item.value * f64::from(count);
        match filling.pods.iter_mut().find(|(s, _)| *s == item.service) {
            Some((_, pods)) => *pods += count,
            None => filling.pods.push((item.service, count)),
        }
    }
    filling.pods.sort_unstable();
    found.prices.iter().map(|price| price / scale).collect()
}

#[allow(clippy::cast_precision_loss)]
fn as_usd(value: i64, scale: f64) -> f64 {
    value as f64 / scale
}

#[allow(clippy::cast_possible_truncation)]
fn whole(value: f64) -> i64 {
    value as i64
}

fn whole_sizes(size: &[u64]) -> Vec<i64> {
    let whole = |size: &u64| i64::try_from(*size).unwrap_or(i64::MAX);
    size.iter().map(whole).collect()
}

/// Leaves out dimensions in which no item takes a larger share than in another one. Returns those that are left.
fn keep_binding(items: &mut [Item], room: &mut Vec<u64>) -> Vec<usize> {
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
    kept
}

/// How many pods of a size fit into the room.
pub(super) fn most_that_fits(room: &[u64], size: &[u64]) -> u32 {
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
            let precision = Precision {
                above: f64::NEG_INFINITY,
                tolerance: 0.0,
                renewed: 3,
                most_nodes: u64::MAX,
                start: &[],
            };
            let found = best(&capacity, &services, &items, precision).map(|filling| filling.value);
            assert_eq!(
                found,
                naive(&capacity, &items, &mut Vec::new()),
                "seed {seed}: {items:?} in {capacity:?}"
            );
        }
    }
}
