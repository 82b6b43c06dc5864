//! Plain enumeration: the table's own answer.

use crate::Samples;
use crate::samples::drawn;
use ketscale_simulator::Cost;
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A basis state, ordered by cost, equal costs by index.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    cost: f64,
    index: usize,
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cost
            .total_cmp(&other.cost)
            .then(self.index.cmp(&other.index))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The `k` best basis states of the whole table, each counted once.
pub fn enumerate(cost: &Cost, k: usize) -> Samples {
    let mut best: BinaryHeap<Candidate> = BinaryHeap::new();
    for (index, &cost) in cost.values().iter().enumerate() {
        let candidate = Candidate { cost, index };
        if best.len() < k {
            best.push(candidate);
        } else if let Some(mut worst) = best.peek_mut().filter(|worst| candidate < **worst) {
            *worst = candidate;
        }
    }
    drawn(cost, best.into_iter().map(|candidate| (candidate.index, 1)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use ketscale_simulator::Register;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_sorting_the_table(values in prop::collection::vec(-3_i8..4, 24), k in 0_usize..30) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let cost = Cost::table(&Register::new(&[2, 3, 4]).unwrap(), values.clone()).unwrap();
            let mut order: Vec<usize> = (0..24).collect();
            order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
            order.truncate(k);
            let found: Vec<usize> = enumerate(&cost, k).entries().iter().map(|sample| sample.index).collect();
            prop_assert_eq!(found, order);
        }
    }
}
