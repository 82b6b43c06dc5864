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

/// Distinct basis states by ascending cost, equal costs by ascending index.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Samples {
    entries: Vec<Sample>,
}

impl Samples {
    /// Puts samples in order; those of the same state are counted together.
    pub fn new(seen: impl IntoIterator<Item = Sample>) -> Self {
        let mut entries: Vec<Sample> = seen.into_iter().collect();
        entries.sort_by_key(|sample| sample.index);
        entries.dedup_by(|later, first| {
            let same = later.index == first.index;
            first.count += if same { later.count } else { 0 };
            same
        });
        entries.sort_by(|a, b| a.cost.total_cmp(&b.cost));
        Self { entries }
    }

    /// The distinct states, the best first.
    pub fn entries(&self) -> &[Sample] {
        &self.entries
    }

    /// The best state, `None` when nothing was seen.
    pub fn best(&self) -> Option<Sample> {
        self.entries.first().copied()
    }

    /// Sum of the counts.
    pub fn total(&self) -> u64 {
        self.entries.iter().map(|sample| sample.count).sum()
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

/// Samples from counted indices of a cost's table.
pub(crate) fn drawn(cost: &Cost, counts: impl IntoIterator<Item = (usize, u64)>) -> Samples {
    let sample = |(index, count)| cost.value(index).map(|cost| Sample { index, cost, count });
    Samples::new(counts.into_iter().filter_map(sample))
}
