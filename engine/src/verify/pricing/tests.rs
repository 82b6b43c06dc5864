//! The search against trying all patterns.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss)]

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn random_pods(random: &mut ChaCha8Rng) -> (Vec<u64>, Vec<Pods>) {
    let dimensions = random.random_range(1..=4);
    let capacity: Vec<u64> = (0..dimensions)
        .map(|_| random.random_range(0..40))
        .collect();
    let count = random.random_range(1..=5);
    let mut pods: Vec<Pods> = (0..count)
        .map(|_| {
            let low = if random.random_bool(0.1) { 1 } else { 0 };
            Pods {
                size: (0..dimensions)
                    .map(|_| random.random_range(0..12))
                    .collect(),
                low,
                high: low + random.random_range(0..=4),
                now: random.random_range(0..=3),
                value: if random.random_bool(0.5) {
                    f64::from(random.random_range(-2..8))
                } else {
                    random.random_range(-0.3..1.0)
                },
                stay: if random.random_bool(0.5) {
                    0.0
                } else {
                    random.random_range(0.0..0.5)
                },
                conflicts: Vec::new(),
            }
        })
        .collect();
    for a in 0..count {
        for b in 0..a {
            if random.random_bool(0.2) {
                pods[a].conflicts.push(b);
                pods[b].conflicts.push(a);
            }
        }
    }
    (capacity, pods)
}

/// By trying all patterns.
fn naive(capacity: &[u64], pods: &[Pods]) -> Option<f64> {
    let mut patterns = vec![Vec::new()];
    for p in pods {
        let longer = |pattern: &Vec<u32>| -> Vec<Vec<u32>> {
            (p.low..=p.high)
                .map(|n| pattern.iter().copied().chain([n]).collect())
                .collect()
        };
        patterns = patterns.iter().flat_map(longer).collect();
    }
    let fits = |pattern: &Vec<u32>| {
        let used = |k: usize| {
            pods.iter()
                .zip(pattern)
                .map(|(p, n)| p.size[k] * u64::from(*n))
                .sum::<u64>()
        };
        let together =
            |(a, p): (usize, &Pods)| pattern[a] > 0 && p.conflicts.iter().any(|b| pattern[*b] > 0);
        (0..capacity.len()).all(|k| used(k) <= capacity[k])
            && !pods.iter().enumerate().any(together)
    };
    let value = |pattern: &Vec<u32>| {
        pods.iter()
            .zip(pattern)
            .map(|(p, n)| p.value * f64::from(*n) + p.stay * f64::from(p.now.min(*n)))
            .sum::<f64>()
    };
    patterns
        .iter()
        .filter(|pattern| fits(pattern))
        .map(value)
        .reduce(f64::max)
}

#[test]
fn equals_trying_all_patterns() {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    for case in 0..4000 {
        let (capacity, pods) = random_pods(&mut random);
        let best = naive(&capacity, &pods);
        let found = best_pattern(&capacity, &pods, f64::NEG_INFINITY);
        assert_eq!(
            best.is_some(),
            found.is_some(),
            "case {case}: {capacity:?} {pods:?}"
        );
        let (Some(best), Some(found)) = (best, found) else {
            continue;
        };
        let scale = best.abs().max(1.0);
        assert!(
            found >= best - 1e-15 * scale && found <= best + 1e-10 * scale,
            "case {case}: {found} for {best}, {capacity:?} {pods:?}"
        );
        let floor = best + random.random_range(-1.0..1.0);
        let above = best_pattern(&capacity, &pods, floor).unwrap();
        assert!(
            (above - best.max(floor)).abs() <= 1e-10 * scale,
            "case {case}: {above} for {best} and floor {floor}"
        );
    }
}

#[test]
fn decisions_one_by_one_find_the_same() {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    for case in 0..4000 {
        let (capacity, mut pods) = random_pods(&mut random);
        pods.iter_mut().for_each(|p| p.low = 0);
        let known = Known {
            best: 0.0,
            open: f64::NEG_INFINITY,
            nodes: 0,
        };
        let decisions = random.random_range(0..4);
        let known = decide(&items(&pods, &capacity), &capacity, 0.0, known, decisions);
        let (best, found) = (naive(&capacity, &pods).unwrap(), known.best.max(known.open));
        assert!(
            found >= best - 1e-15 && found <= best + 1e-10 * best.max(1.0),
            "case {case}: {found} for {best} after {decisions} decisions, {capacity:?} {pods:?}"
        );
    }
}

/// Sizes next to each other with values almost in proportion: the hardest kind for branch and bound. The result may be above the best value, but not
/// below, and no fractional bound is that weak.
#[test]
fn a_search_cut_short_is_still_valid() {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let sizes: Vec<u64> = (0..40)
        .map(|_| random.random_range(500_000..1_000_000))
        .collect();
    let pods: Vec<Pods> = (sizes.iter())
        .map(|size| Pods {
            size: vec![*size, 1],
            low: 0,
            high: 3,
            now: 0,
            value: *size as f64 + 1.0,
            stay: 0.0,
            conflicts: Vec::new(),
        })
        .collect();
    let found = best_pattern(&[7_654_321, 30], &pods, f64::NEG_INFINITY).unwrap();
    let greedy = pods
        .iter()
        .map(|p| p.value * f64::from(u32::try_from((7_654_321 / p.size[0]).min(3)).unwrap()))
        .fold(0.0, f64::max);
    assert!(
        found >= greedy && found <= 7_654_321.0 + 31.0,
        "{found}, greedy {greedy}"
    );
}
