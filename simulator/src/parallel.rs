//! The only file that names rayon: work on independent parts, results in the parts' order.
//!
//! Parts never depend on the number of threads, and what they return is combined by the caller in their order, so every result is
//! equal to the bit on any number of threads.

use rayon::prelude::*;

/// States up to this size are not split: handing out the parts would cost more than it gains.
const SERIAL_AMPLITUDES: usize = 1 << 16;

/// Numbers in one part of an elementwise pass.
pub(crate) const CHUNK: usize = 1 << 13;

/// Applies `work` to every part of a state with `amplitudes` amplitudes; `scratch` makes what a worker keeps between parts.
pub(crate) fn map<T, S, R>(
    amplitudes: usize,
    parts: Vec<T>,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) -> R + Sync,
) -> Vec<R>
where
    T: Send,
    R: Send,
{
    if amplitudes <= SERIAL_AMPLITUDES {
        let mut scratch = scratch();
        return parts
            .into_iter()
            .map(|part| work(&mut scratch, part))
            .collect();
    }
    parts
        .into_par_iter()
        .map_init(&scratch, |scratch, part| work(scratch, part))
        .collect()
}

/// Applies `work` to every chunk of a list.
pub(crate) fn map_chunks<R: Send>(values: &[f64], work: impl Fn(&[f64]) -> R + Sync) -> Vec<R> {
    map(
        values.len(),
        values.chunks(CHUNK).collect(),
        || (),
        |(), chunk| work(chunk),
    )
}
