//! The eight properties that the authors of Karpenter's balanced consolidation ask of a score
//! (`designs/balanced-consolidation.md`, "What a good scoring function does"), and two more: neither order nor repetition matters.

use ketscale_engine::control::{Weights, pod_weight};
use proptest::prelude::*;

const K: f64 = 2.0;

fn weights() -> impl Strategy<Value = Weights> {
    (
        -10.0..50.0_f64,
        0.01..100.0_f64,
        0.0..200.0_f64,
        0.01..1000.0_f64,
    )
        .prop_map(
            |(savings_usd_per_hour, total_usd_per_hour, disruption, total_disruption)| Weights {
                savings_usd_per_hour,
                total_usd_per_hour,
                disruption,
                total_disruption,
            },
        )
}

/// A uniform pool of `nodes` nodes with `pods` pods each, one of which is replaced at a price.
fn replaced(nodes: u32, pods: u32, price: f64, replacement: f64) -> Weights {
    let per_node = 1.0 + f64::from(pods);
    Weights {
        savings_usd_per_hour: price - replacement,
        total_usd_per_hour: price * f64::from(nodes),
        disruption: per_node,
        total_disruption: per_node * f64::from(nodes),
    }
}

proptest! {
    #[test]
    fn monotone_in_savings(weights in weights(), more in 0.0..10.0_f64, k in 0.1..10.0_f64) {
        let better = Weights { savings_usd_per_hour: weights.savings_usd_per_hour + more, ..weights };
        prop_assert!(better.score() >= weights.score());
        prop_assert!(!weights.is_worth_it(k) || better.is_worth_it(k));
    }

    #[test]
    fn monotone_in_disruption(weights in weights(), more in 0.0..50.0_f64, k in 0.1..10.0_f64) {
        let worse = Weights { disruption: weights.disruption + more, ..weights };
        prop_assert!(worse.score() <= weights.score());
        prop_assert!(!worse.is_worth_it(k) || weights.is_worth_it(k));
    }

    #[test]
    fn empty_nodes_always_go(nodes in 1..100_u32, pods in 0..40_u32, price in 0.01..10.0_f64) {
        // One empty node among others with pods; it costs at least as much as the mean of them.
        let weights = Weights {
            savings_usd_per_hour: price,
            total_usd_per_hour: price * f64::from(nodes),
            disruption: 1.0,
            total_disruption: f64::from(nodes) + f64::from((nodes - 1) * pods),
        };
        prop_assert!(weights.is_worth_it(K), "{}", weights.score());
    }

    #[test]
    fn nothing_for_no_savings(weights in weights(), k in 0.1..1e6_f64) {
        for savings in [0.0, -0.0, -1.0] {
            let weights = Weights { savings_usd_per_hour: savings, ..weights };
            prop_assert!(!weights.is_worth_it(k));
        }
    }

    #[test]
    fn replacing_at_half_the_price_is_worth_it_from_k_two(nodes in 1..100_u32, pods in 1..40_u32, price in 0.01..10.0_f64) {
        prop_assert!(replaced(nodes, pods, price, price / 2.0).is_worth_it(K));
        prop_assert!(!replaced(nodes, pods, price, price * 0.51).is_worth_it(K));
        prop_assert!(!replaced(nodes, pods, price, price * 0.01).is_worth_it(0.98));
    }

    #[test]
    fn pods_that_are_dear_to_move_tell_nodes_apart(priority in 1..=2_000_000_000_i32, weights in weights()) {
        prop_assume!(weights.savings_usd_per_hour > 0.0);
        let cheap = Weights { disruption: 4.0 * pod_weight(0), ..weights };
        let dear = Weights { disruption: 4.0 * pod_weight(priority), ..weights };
        prop_assert!(dear.score() < cheap.score());
        prop_assert!(pod_weight(priority) <= 10.0 && pod_weight(-priority) >= 0.0);
    }

    #[test]
    fn the_size_of_the_fleet_does_not_matter(weights in weights(), times in 1..1000_u32) {
        let times = f64::from(times);
        let larger = Weights {
            total_usd_per_hour: weights.total_usd_per_hour * times,
            total_disruption: weights.total_disruption * times,
            ..weights
        };
        let (small, large) = (weights.score(), larger.score());
        prop_assert!(small == large || (small - large).abs() <= 1e-9 * small.abs());
        prop_assert!(weights.score() == weights.score());
    }

    /// Every replacement that is worth it at k = 2 costs at most half, so a chain from any price to any other takes at most as many
    /// steps as the price can be halved.
    #[test]
    fn churn_is_bounded(mut prices in prop::collection::vec(0.01..10.0_f64, 2..40), picks in prop::collection::vec(any::<prop::sample::Index>(), 200)) {
        prices.sort_by(f64::total_cmp);
        let (least, most) = (prices[0], prices[prices.len() - 1]);
        let (mut price, mut steps) = (most, 0);
        for pick in picks {
            let next = *pick.get(&prices);
            if replaced(10, 8, price, next).is_worth_it(K) {
                price = next;
                steps += 1;
            }
        }
        let halvings = (most / least).log2() + 1.0;
        prop_assert!(f64::from(steps) <= halvings, "{steps} steps, {halvings} halvings");
    }
}

/// The worked examples of the design, whose pool has 80 pods on ten nodes for 58.08 USD a day; it leaves the nodes' own weight out.
#[test]
fn the_designs_own_examples_come_out() {
    let score = |savings, disruption| {
        Weights {
            savings_usd_per_hour: savings,
            total_usd_per_hour: 58.08,
            disruption,
            total_disruption: 80.0,
        }
        .score()
    };
    for (savings, disruption, expected) in [(7.26, 3.0, 3.33), (4.84, 4.0, 1.67), (2.42, 8.0, 0.42)]
    {
        assert!((score(savings, disruption) - expected).abs() < 0.005);
    }
}
