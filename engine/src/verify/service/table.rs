//! Least costs by replica count, and how those of two clusters combine.

use super::Cluster;
use crate::verify::rounding::{add_down, mul_down};

/// Least costs of consecutive replica counts, infinite where a count is not allowed.
pub(super) struct Table {
    pub(super) first: u32,
    pub(super) costs: Vec<f64>,
}

impl Table {
    fn last(&self) -> Option<u32> {
        u32::try_from(self.costs.len())
            .ok()?
            .checked_sub(1)
            .map(|more| self.first + more)
    }

    /// Lowers the costs to those of pods within the ranges: what must be, then the cheapest zones first.
    pub(super) fn fill(&mut self, cluster: &Cluster, ranges: &[(u32, u32)]) {
        let Some(last) = self.last() else { return };
        let first = self.first.max(1);
        let mut pods = ranges
            .iter()
            .fold(0_u32, |sum, (low, _)| sum.saturating_add(*low));
        let mut cost = 0.0;
        for (zone, (low, _)) in cluster.zones.iter().zip(ranges) {
            cost = add_down(cost, mul_down(f64::from(*low), zone.usd_per_hour));
        }
        for (zone, (low, high)) in cluster.zones.iter().zip(ranges) {
            if pods > last {
                return;
            }
            let full = pods.saturating_add(high - low);
            for count in pods.max(first)..=full.min(last) {
                let here = add_down(cost, mul_down(f64::from(count - pods), zone.usd_per_hour));
                let slot = &mut self.costs[(count - self.first) as usize];
                *slot = slot.min(here);
            }
            cost = add_down(cost, mul_down(f64::from(high - low), zone.usd_per_hour));
            pods = full;
        }
    }

    /// The best split of every sum up to `most` over two tables.
    pub(super) fn merge(&self, other: &Self, most: u32) -> Self {
        let first = self.first + other.first;
        let (Some(a), Some(b)) = (self.last(), other.last()) else {
            return Self {
                first: 0,
                costs: Vec::new(),
            };
        };
        let last = (a + b).min(most);
        if first > last {
            return Self {
                first: 0,
                costs: Vec::new(),
            };
        }
        let mut costs = vec![f64::INFINITY; (last - first) as usize + 1];
        for (skipped, cost) in self
            .costs
            .iter()
            .enumerate()
            .filter(|(_, cost)| cost.is_finite())
        {
            for (slot, more) in costs.iter_mut().skip(skipped).zip(&other.costs) {
                let sum = cost + more;
                if sum < *slot {
                    *slot = sum;
                }
            }
        }
        // Rounding keeps order, so that rounding the least sum down is enough.
        costs
            .iter_mut()
            .filter(|sum| sum.is_finite() && **sum != 0.0)
            .for_each(|sum| *sum = sum.next_down());
        Self { first, costs }
    }

    /// The least cost of one total over two tables; infinite when there is no split.
    pub(super) fn split(&self, other: &Self, total: u32) -> f64 {
        let cost = |table: &Self, count: u32| {
            let index = count.checked_sub(table.first)? as usize;
            table
                .costs
                .get(index)
                .copied()
                .filter(|cost| cost.is_finite())
        };
        let mut least = f64::INFINITY;
        for (here, first_cost) in (self.first..)
            .zip(&self.costs)
            .filter(|(_, cost)| cost.is_finite())
        {
            if let Some(rest) = total.checked_sub(here).and_then(|rest| cost(other, rest)) {
                least = least.min(first_cost + rest);
            }
        }
        if least.is_finite() && least != 0.0 {
            least.next_down()
        } else {
            least
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Zone;
    use super::*;
    use crate::fleet::ClusterBounds;

    fn zone(index: usize, usd_per_hour: f64, is_eligible: bool) -> Zone {
        Zone {
            index,
            usd_per_hour,
            most: if is_eligible { u32::MAX } else { 2 },
            is_eligible,
        }
    }

    fn table(first: u32, costs: &[f64]) -> Table {
        Table {
            first,
            costs: costs.to_vec(),
        }
    }

    #[test]
    fn filling_takes_what_must_be_then_the_cheapest() {
        let bounds = ClusterBounds {
            cluster: 0,
            min: 0,
            max: 6,
            now: None,
        };
        let cluster = Cluster {
            bounds,
            zones: vec![zone(0, -1.0, true), zone(1, 2.0, true)],
        };
        let mut filled = table(1, &[f64::INFINITY; 6]);
        filled.fill(&cluster, &[(0, 3), (1, 2)]);
        let right = [2.0, 1.0, 0.0, -1.0, 1.0];
        assert!(
            filled
                .costs
                .iter()
                .zip(right)
                .all(|(cost, right)| (cost - right).abs() < 1e-12),
            "{:?}",
            filled.costs
        );
        assert!(filled.costs[5].is_infinite(), "6 pods do not fit 3 + 2");
    }

    #[test]
    fn tables_are_combined_at_the_best_split() {
        let (a, b) = (table(1, &[3.0, f64::INFINITY, 1.0]), table(0, &[0.0, 5.0]));
        let sum = a.merge(&b, 4);
        assert_eq!(sum.first, 1);
        for (total, right) in [(1, 3.0), (2, 8.0), (3, 1.0), (4, 6.0)] {
            assert!((a.split(&b, total) - right).abs() < 1e-12, "{total}");
            assert!(
                (sum.costs[total as usize - 1] - right).abs() < 1e-12,
                "{total}"
            );
        }
        assert!(a.split(&b, 0).is_infinite() && a.split(&b, 5).is_infinite());
        assert!(
            a.merge(&table(0, &[]), 4).costs.is_empty(),
            "a cluster that allows nothing"
        );
    }
}
