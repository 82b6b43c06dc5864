//! Quantiles of the cost under a state's probabilities, without sorting the table.

use crate::Cost;
use crate::amplitudes::Amplitudes;
use crate::kernels::Number;
use crate::parallel;
use crate::state::probability;

/// Intervals that the range is cut into in each round.
const BINS: usize = 1 << 10;
/// So many candidates are sorted instead.
const SORTED: usize = 1 << 14;

/// A range of costs, both ends included.
#[derive(Debug, Clone, Copy)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    /// The interval of a cost inside the range.
    fn bin(self, cost: f64) -> usize {
        let share = (cost - self.low) / (self.high - self.low);
        // Saturates; the upper end belongs to the last bin.
        ((share * BINS as f64) as usize).min(BINS - 1)
    }

    fn contains(self, cost: f64) -> bool {
        self.low <= cost && cost <= self.high
    }
}

/// What is in a bin: its probability, its number of states and its extreme costs.
#[derive(Debug, Clone, Copy)]
struct Bin {
    weight: f64,
    count: usize,
    range: Range,
}

impl Bin {
    const EMPTY: Self = Self {
        weight: 0.0,
        count: 0,
        range: Range {
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
        },
    };

    fn add(&mut self, other: Self) {
        self.weight += other.weight;
        self.count += other.count;
        self.range.low = self.range.low.min(other.range.low);
        self.range.high = self.range.high.max(other.range.high);
    }
}

/// The least cost q with P(C ≤ q) ≥ α. Each round counts the range's bins and keeps the one in which α is reached, until few
/// enough states are left to sort, or one cost.
pub(crate) fn quantile<T: Number>(cost: &Cost, psi: &Amplitudes<T>, alpha: f64) -> f64 {
    let mut range = Range {
        low: cost.min(),
        high: cost.max(),
    };
    let mut below = 0.0;
    let mut count = psi.dimension();
    while count > SORTED && range.low < range.high {
        let Some((weight, bin)) = reach(&bins(cost, psi, range), below, alpha) else {
            return range.high;
        };
        (below, count, range) = (weight, bin.count, bin.range);
    }
    let mut candidates = candidates(cost, psi, range);
    candidates.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut total = below;
    let reached = candidates.iter().find(|(_, weight)| {
        total += weight;
        total >= alpha
    });
    reached.map_or(range.high, |&(cost, _)| cost)
}

/// The first bin at which the probability reaches α, with the probability below it. Where rounding keeps the whole below α, the last
/// one.
fn reach(bins: &[Bin], mut below: f64, alpha: f64) -> Option<(f64, Bin)> {
    let mut last = None;
    for &bin in bins.iter().filter(|bin| bin.count > 0) {
        last = Some((below, bin));
        if below + bin.weight >= alpha {
            break;
        }
        below += bin.weight;
    }
    last
}

fn bins<T: Number>(cost: &Cost, psi: &Amplitudes<T>, range: Range) -> Vec<Bin> {
    let count = |bins: &mut Vec<Bin>, (cost, weight): (f64, f64)| {
        bins.resize(BINS, Bin::EMPTY);
        bins[range.bin(cost)].add(Bin {
            weight,
            count: 1,
            range: Range {
                low: cost,
                high: cost,
            },
        });
    };
    parts(cost, psi, range, count)
        .into_iter()
        .filter(|bins| !bins.is_empty())
        .reduce(merge)
        .unwrap_or_default()
}

fn merge(mut all: Vec<Bin>, part: Vec<Bin>) -> Vec<Bin> {
    all.iter_mut()
        .zip(part)
        .for_each(|(all, part)| all.add(part));
    all
}

/// Costs and probabilities of the states whose cost is in the range.
fn candidates<T: Number>(cost: &Cost, psi: &Amplitudes<T>, range: Range) -> Vec<(f64, f64)> {
    parts(cost, psi, range, Vec::push).concat()
}

/// Hands every state whose cost is in the range, with its probability, to `take` and what it gathers. Parts are several chunks: each
/// one brings its own bins.
fn parts<T: Number, R: Send>(
    cost: &Cost,
    psi: &Amplitudes<T>,
    range: Range,
    take: impl Fn(&mut Vec<R>, (f64, f64)) + Sync,
) -> Vec<Vec<R>> {
    let length = cost.chunk_len();
    let chunks: Vec<usize> = (0..psi.dimension().div_ceil(length)).collect();
    let parts = chunks.chunks(parallel::CHUNKS_OF_A_PART).collect();
    parallel::each(psi.dimension(), parts, |part: &[usize]| {
        let (mut buffer, mut gathered) = (Vec::new(), Vec::new());
        for &chunk in part {
            let first = chunk * length;
            let costs = cost.chunk(chunk, &mut buffer);
            let (re, im) = psi.range(first..first + costs.len());
            let states = costs.iter().zip(re.iter().zip(im));
            for (&cost, (&re, &im)) in states.filter(|(cost, _)| range.contains(**cost)) {
                take(&mut gathered, (cost, probability(re, im)));
            }
        }
        gathered
    })
}
