//! Drawing basis states, and the most probable ones.

use crate::kernels::Tile;
use crate::parallel;
use crate::state::probability;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cmp::Ordering;

/// Draws by inversion: uniform numbers in ascending order against the cumulative sums. Each chunk of the state takes the numbers that fall
/// between its sums.
pub(crate) fn sample((re, im): Tile, shots: u64, seed: u64) -> Vec<(usize, u64)> {
    let length = parallel::CHUNK;
    let chunks: Vec<(&[f64], &[f64])> = re.chunks(length).zip(im.chunks(length)).collect();
    let sum = |(re, im): Tile| {
        re.iter()
            .zip(im)
            .map(|(&re, &im)| probability(re, im))
            .sum::<f64>()
    };
    let sums = parallel::map(re.len(), chunks.clone(), || (), |(), chunk| sum(chunk));
    let draws = draws(shots, seed, sums.iter().sum());
    let mut parts = Vec::with_capacity(chunks.len());
    let (mut below, mut rest) = (0.0, draws.as_slice());
    for (position, (chunk, sum)) in chunks.into_iter().zip(sums).enumerate() {
        let here = rest.partition_point(|&draw| draw < below + sum);
        let (draws, others) = rest.split_at(here);
        parts.push((position * length, chunk, below, draws));
        (below, rest) = (below + sum, others);
    }
    let counts = parallel::map(
        re.len(),
        parts,
        || (),
        |(), (first, chunk, below, draws)| count(first, chunk, below, draws),
    );
    counts.concat()
}

/// `shots` uniform numbers in [0, total), ascending.
fn draws(shots: u64, seed: u64, total: f64) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // 53 random bits below one, so the product is below the total but for rounding, which is cut off.
    let unit = |bits: u64| (bits >> 11) as f64 * 2.0_f64.powi(-53);
    let mut draws: Vec<f64> = (0..shots)
        .map(|_| (unit(random.next_u64()) * total).min(total.next_down()))
        .collect();
    draws.sort_unstable_by(f64::total_cmp);
    draws
}

/// Counts ascending draws against the cumulative sums of one chunk, which starts at index `first` and at the sum `below`.
fn count(first: usize, (re, im): Tile, mut below: f64, mut draws: &[f64]) -> Vec<(usize, u64)> {
    let mut counts = Vec::new();
    let mut last = None;
    for (index, (&re, &im)) in re.iter().zip(im).enumerate() {
        if draws.is_empty() {
            break;
        }
        let probability = probability(re, im);
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

/// The `k` most probable states. Every chunk brings its own `k`.
pub(crate) fn top((re, im): Tile, k: usize) -> Vec<(usize, f64)> {
    let length = parallel::CHUNK.max(k);
    let parts = re
        .chunks(length)
        .zip(im.chunks(length))
        .enumerate()
        .collect();
    let best = |part: usize, (re, im): Tile| {
        let states = re.iter().zip(im).map(|(&re, &im)| probability(re, im));
        first_k(
            states
                .enumerate()
                .map(|(index, p)| (part * length + index, p))
                .collect(),
            k,
        )
    };
    let parts = parallel::map(
        re.len(),
        parts,
        || (),
        |(), (part, chunk)| best(part, chunk),
    );
    first_k(parts.concat(), k)
}

/// The `k` most probable of the states given, in order.
fn first_k(mut states: Vec<(usize, f64)>, k: usize) -> Vec<(usize, f64)> {
    let order = |a: &(usize, f64), b: &(usize, f64)| -> Ordering {
        b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
    };
    if k < states.len() {
        states.select_nth_unstable_by(k, order);
        states.truncate(k);
    }
    states.sort_unstable_by(order);
    states
}
