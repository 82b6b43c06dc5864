//! What every sampler and search returns.

use ketscale_simulator::Cost;

/// A basis state that was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Index of the basis state; `Register::digits` names its digits.
    pub index: usize,
    /// Its cost.
    pub cost: f64,
    /// How often it was seen.
    pub count: u64,
}

/// Samples that are kept apart before those of the same state are counted together.
const MOST_APART: usize = 1 << 20;

/// Distinct basis states by ascending cost, equal costs by ascending index.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples {
    entries: Vec<Sample>,
}

impl Samples {
    /// Puts samples in order; those of the same state are counted together.
    pub fn new(seen: impl IntoIterator<Item = Sample>) -> Self {
        let mut tally = Tally::default();
        seen.into_iter().for_each(|sample| tally.add(sample));
        tally.samples()
    }

    /// The distinct states, the best first.
    pub fn entries(&self) -> &[Sample] {
        &self.entries
    }

    /// The best state, `None` when nothing was seen.
    pub fn best(&self) -> Option<Sample> {
        self.entries.first().copied()
    }

    /// Sum of the counts, or the greatest number where they exceed it.
    pub fn total(&self) -> u64 {
        let counts = self.entries.iter().map(|sample| sample.count);
        counts.fold(0, u64::saturating_add)
    }

    /// Mean cost over all counts, `None` when nothing was seen.
    pub fn mean_cost(&self) -> Option<f64> {
        let total = self.total() as f64;
        let sum: f64 = self
            .entries
            .iter()
            .map(|sample| sample.cost * sample.count as f64)
            .sum();
        (total > 0.0).then(|| sum / total)
    }
}

/// Samples in the order in which they are seen, in memory that grows with the distinct states, not with the samples.
#[derive(Debug)]
pub(crate) struct Tally {
    seen: Vec<Sample>,
    most: usize,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            seen: Vec::new(),
            most: MOST_APART,
        }
    }
}

impl Tally {
    pub(crate) fn add(&mut self, sample: Sample) {
        match self.seen.last_mut() {
            Some(last) if last.index == sample.index => {
                last.count = last.count.saturating_add(sample.count);
            }
            _ => self.seen.push(sample),
        }
        if self.seen.len() >= self.most {
            self.count_together();
            self.most = MOST_APART.max(2 * self.seen.len());
        }
    }

    pub(crate) fn samples(mut self) -> Samples {
        self.count_together();
        self.seen.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        Samples { entries: self.seen }
    }

    fn count_together(&mut self) {
        self.seen.sort_by_key(|sample| sample.index);
        self.seen.dedup_by(|later, first| {
            let same = later.index == first.index;
            let count = if same { later.count } else { 0 };
            first.count = first.count.saturating_add(count);
            same
        });
    }
}

/// Samples from counted indices of a cost's table.
pub(crate) fn drawn(cost: &Cost, counts: impl IntoIterator<Item = (usize, u64)>) -> Samples {
    let sample = |(index, count)| cost.value(index).map(|cost| Sample { index, cost, count });
    Samples::new(counts.into_iter().filter_map(sample))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(index: usize, count: u64) -> Sample {
        Sample {
            index,
            cost: -(index as f64),
            count,
        }
    }

    #[test]
    fn counts_that_overflow_stay_at_the_greatest_number() {
        let seen = [sample(1, u64::MAX), sample(0, 3), sample(1, 1)];
        let samples = Samples::new(seen);
        assert_eq!(samples.entries(), [sample(1, u64::MAX), sample(0, 3)]);
        assert_eq!(samples.total(), u64::MAX);
    }

    #[test]
    fn many_samples_of_few_states_are_few_entries() {
        let mut tally = Tally::default();
        for at in 0..3 * MOST_APART {
            tally.add(sample(at % 7, 1));
            assert!(tally.seen.len() <= MOST_APART);
        }
        let samples = tally.samples();
        assert_eq!(samples.entries().len(), 7);
        assert_eq!(samples.total(), 3 * MOST_APART as u64);
        assert_eq!(samples.best(), Some(sample(6, 3 * MOST_APART as u64 / 7)));
    }
}
