//! Drawing basis states, and the most probable ones.

use crate::kernels::Number;
use crate::parallel;
use crate::state::Chunk;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cmp::Ordering;

/// Shots that are drawn together, or as many as there are states: the memory of the draws does not grow with the shots.
const SHOTS: u64 = 1 << 20;

/// Draws by inversion: uniform numbers in ascending order against the cumulative sums. Each chunk of the state takes the numbers that fall
/// between its sums.
pub(crate) fn sample<T: Number>(chunks: Vec<Chunk<T>>, shots: u64, seed: u64) -> Vec<(usize, u64)> {
    let dimension = chunks.iter().map(Chunk::len).sum();
    let sum = |chunk: Chunk<T>| chunk.probabilities().sum::<f64>();
    let sums = parallel::each(dimension, chunks.clone(), sum);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let total = sums.iter().sum();
    let together = SHOTS.max(dimension as u64);
    let mut counts = Vec::new();
    let mut left = shots;
    while left > 0 {
        let draws = draws(left.min(together), &mut random, total);
        counts = merge(counts, counts_of(&chunks, &sums, &draws));
        left -= draws.len() as u64;
    }
    counts
}

/// The states that ascending draws fall on, with their counts.
fn counts_of<T: Number>(chunks: &[Chunk<T>], sums: &[f64], draws: &[f64]) -> Vec<(usize, u64)> {
    let dimension = chunks.iter().map(Chunk::len).sum();
    let mut parts = Vec::with_capacity(chunks.len());
    let (mut first, mut below, mut rest) = (0, 0.0, draws);
    for (&chunk, sum) in chunks.iter().zip(sums) {
        let here = rest.partition_point(|&draw| draw < below + sum);
        let (draws, others) = rest.split_at(here);
        parts.push((first, chunk, below, draws));
        (first, below, rest) = (first + chunk.len(), below + sum, others);
    }
    let count = |(first, chunk, below, draws): (usize, Chunk<T>, f64, &[f64])| {
        count(first, chunk, below, draws)
    };
    parallel::each(dimension, parts, count).concat()
}

/// Both counts of every state, by ascending index as they are.
fn merge(mut all: Vec<(usize, u64)>, more: Vec<(usize, u64)>) -> Vec<(usize, u64)> {
    if all.is_empty() {
        return more;
    }
    all.extend(more);
    all.sort_by_key(|&(index, _)| index);
    all.dedup_by(|later, first| {
        let same = later.0 == first.0;
        first.1 += if same { later.1 } else { 0 };
        same
    });
    all
}

/// `shots` uniform numbers in [0, total), ascending.
fn draws(shots: u64, random: &mut ChaCha8Rng, total: f64) -> Vec<f64> {
    // 53 random bits below one, so the product is below the total but for rounding, which is cut off.
    let unit = |bits: u64| (bits >> 11) as f64 * 2.0_f64.powi(-53);
    let mut draws: Vec<f64> = (0..shots)
        .map(|_| (unit(random.next_u64()) * total).min(total.next_down()))
        .collect();
    draws.sort_unstable_by(f64::total_cmp);
    draws
}

/// Counts ascending draws against the cumulative sums of one chunk, which starts at index `first` and at the sum `below`.
fn count<T: Number>(
    first: usize,
    chunk: Chunk<T>,
    mut below: f64,
    mut draws: &[f64],
) -> Vec<(usize, u64)> {
    let mut counts = Vec::new();
    let mut last = None;
    for (index, probability) in chunk.probabilities().enumerate() {
        if draws.is_empty() {
            break;
        }
        below += probability;
        let here = draws.iter().take_while(|&&draw| draw < below).count();
        if here > 0 {
            counts.push((first + index, here as u64));
            draws = &draws[here..];
        }
        last = if probability > 0.0 {
            Some(first + index)
        } else {
            last
        };
    }
    // The chunk's sum, added up in another order, may exceed the cumulative one by rounding: such draws are of the last possible state.
    match (counts.last_mut(), last) {
        (Some((index, count)), Some(last)) if *index == last => *count += draws.len() as u64,
        (_, Some(last)) if !draws.is_empty() => counts.push((last, draws.len() as u64)),
        _ => {}
    }
    counts
}

/// The `k` most probable states. Every chunk brings its own `k`, and several chunks together no more.
pub(crate) fn top<'a, T: Number>(chunks: Vec<Chunk<'a, T>>, k: usize) -> Vec<(usize, f64)> {
    if k == 0 {
        return Vec::new();
    }
    let dimension = chunks.iter().map(Chunk::len).sum();
    let place = |first: &mut usize, chunk: Chunk<'a, T>| {
        let here = *first;
        *first += chunk.len();
        Some((here, chunk))
    };
    let parts: Vec<(usize, Chunk<T>)> = chunks.into_iter().scan(0, place).collect();
    let best = |parts: &[(usize, Chunk<T>)]| {
        parts.iter().fold(Vec::new(), |mut best, (first, chunk)| {
            let states = chunk.probabilities().enumerate();
            best.extend(states.map(|(at, p)| (first + at, p)));
            first_k(best, k)
        })
    };
    let parts = parts.chunks(parallel::CHUNKS_OF_A_PART).collect();
    let mut best = first_k(parallel::each(dimension, parts, best).concat(), k);
    best.sort_unstable_by(order);
    best
}

/// The `k` most probable of the states given, in any order.
fn first_k(mut states: Vec<(usize, f64)>, k: usize) -> Vec<(usize, f64)> {
    if k < states.len() {
        states.select_nth_unstable_by(k, order);
        states.truncate(k);
    }
    states
}

/// The most probable first, equal ones by ascending index.
fn order(a: &(usize, f64), b: &(usize, f64)) -> Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}
