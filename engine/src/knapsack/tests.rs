use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

/// Values are multiples of this, so that the least tolerance hides none.
const UNIT: i64 = 4 * LEAST_TOLERANCE;

struct Owned {
    capacity: Vec<i64>,
    sizes: Vec<Vec<i64>>,
    values: Vec<i64>,
    most: Vec<u32>,
    apart: Vec<Vec<bool>>,
    /// Prices to search from; every other one has none.
    start: Vec<f64>,
}

impl Owned {
    fn random(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let dimensions = random.random_range(1..=4);
        let items = random.random_range(1..=6);
        let least = if random.random_bool(0.2) { -3 } else { 0 };
        let mut sizes = |least: i64, most: i64| -> Vec<i64> {
            (0..dimensions)
                .map(|_| random.random_range(least..most))
                .collect()
        };
        let capacity = sizes(0, 30);
        let sizes = (0..items).map(|_| sizes(least, 12)).collect();
        let values = (0..items)
            .map(|_| UNIT * random.random_range(-2..9))
            .collect();
        let most = (0..items).map(|_| random.random_range(0..4)).collect();
        let mut apart = vec![vec![false; items]; items];
        for pair in (0..items * items).filter(|pair| pair / items < pair % items) {
            let (a, b) = (pair / items, pair % items);
            let shut = random.random_bool(0.15);
            (apart[a][b], apart[b][a]) = (shut, shut);
        }
        let known = if seed.is_multiple_of(2) {
            dimensions
        } else {
            0
        };
        let price = |_| UNIT as f64 * random.random_range(0.0..3.0);
        let start = (0..known).map(price).collect();
        Self {
            start,
            capacity,
            sizes,
            values,
            most,
            apart,
        }
    }

    fn items(&self) -> Vec<Item<'_>> {
        let item = |i: usize| Item {
            value: self.values[i],
            most: self.most[i],
            size: &self.sizes[i],
        };
        (0..self.sizes.len()).map(item).collect()
    }

    fn solve(&self, above: i64, tolerance: i64, most_nodes: u64) -> Found {
        Knapsack {
            capacity: &self.capacity,
            items: &self.items(),
            apart: &self.apart,
            above,
            renewed: u32::try_from(self.sizes.len() / 2).unwrap(),
            tolerance,
            start: &self.start,
            most_nodes,
            meter: None,
        }
        .solve()
    }

    /// By trying all fillings.
    fn most_valuable(&self, counts: &mut Vec<u32>) -> i64 {
        let at = counts.len();
        if at == self.sizes.len() {
            let fits = self.is_filling(counts);
            return if fits { self.value(counts) } else { 0 };
        }
        let tried = (0..=self.most[at]).map(|count| {
            counts.push(count);
            let value = self.most_valuable(counts);
            counts.pop();
            value
        });
        tried.max().unwrap_or(0)
    }

    fn is_filling(&self, counts: &[u32]) -> bool {
        let used = |k: usize| -> i64 {
            counts
                .iter()
                .zip(&self.sizes)
                .map(|(count, size)| size[k] * i64::from(*count))
                .sum()
        };
        let met = (0..counts.len())
            .any(|a| (0..a).any(|b| self.apart[a][b] && counts[a] > 0 && counts[b] > 0));
        !met && (0..self.capacity.len()).all(|k| used(k) <= self.capacity[k])
    }

    fn value(&self, counts: &[u32]) -> i64 {
        counts
            .iter()
            .zip(&self.values)
            .map(|(count, value)| value * i64::from(*count))
            .sum()
    }
}

#[test]
fn the_search_finds_what_trying_all_fillings_finds() {
    for seed in 0..4000 {
        let knapsack = Owned::random(seed);
        let expected = knapsack.most_valuable(&mut Vec::new());
        let found = knapsack.solve(0, LEAST_TOLERANCE, u64::MAX);
        let (value, items) = found.filling.clone().unwrap_or_default();
        assert_eq!(value, expected, "seed {seed}");
        assert!(
            found.complete && found.bound == expected + LEAST_TOLERANCE,
            "seed {seed}: {found:?}"
        );
        let mut counts = vec![0; knapsack.sizes.len()];
        items
            .iter()
            .for_each(|(item, count)| counts[*item] = *count);
        assert!(
            knapsack.is_filling(&counts) && knapsack.value(&counts) == value,
            "seed {seed}: {found:?}"
        );
        assert!(
            counts
                .iter()
                .zip(&knapsack.most)
                .all(|(count, most)| count <= most),
            "seed {seed}"
        );
    }
}

#[test]
fn a_search_cut_short_or_tolerant_keeps_its_bound_above_every_filling() {
    for seed in 0..4000 {
        let knapsack = Owned::random(seed);
        let best = knapsack.most_valuable(&mut Vec::new());
        for (tolerance, most_nodes) in [
            (LEAST_TOLERANCE, 0),
            (LEAST_TOLERANCE, 3),
            (5 * UNIT, u64::MAX),
            (3 * UNIT, 5),
        ] {
            let found = knapsack.solve(0, tolerance, most_nodes);
            let value = found.filling.as_ref().map_or(0, |(value, _)| *value);
            assert!(
                value <= best && best <= found.bound,
                "seed {seed}: {value} ≤ {best} ≤ {}",
                found.bound
            );
            assert!(!found.complete || best <= value + tolerance, "seed {seed}");
        }
    }
}

#[test]
fn only_fillings_above_what_was_asked_for_are_told() {
    for seed in 0..1000 {
        let knapsack = Owned::random(seed);
        let best = knapsack.most_valuable(&mut Vec::new());
        assert_eq!(
            knapsack.solve(best, LEAST_TOLERANCE, u64::MAX).filling,
            None,
            "seed {seed}"
        );
        if best > 0 {
            let found = knapsack.solve(best - UNIT, LEAST_TOLERANCE, u64::MAX);
            assert_eq!(
                found.filling.map(|(value, _)| value),
                Some(best),
                "seed {seed}"
            );
        }
    }
}
