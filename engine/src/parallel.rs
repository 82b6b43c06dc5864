//! The only place of this crate that names rayon.

use rayon::prelude::*;

/// Fills `values` in chunks of a fixed size, each given its first index, so that the result does not depend on the thread count.
pub(crate) fn fill_chunks(
    values: &mut [f64],
    chunk: usize,
    fill: impl Fn(usize, &mut [f64]) + Sync,
) {
    values
        .par_chunks_mut(chunk)
        .enumerate()
        .for_each(|(index, part)| fill(index * chunk, part));
}

/// Maps in parallel, results in order.
pub(crate) fn map<T: Sync, R: Send>(items: &[T], apply: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
    items.par_iter().map(apply).collect()
}

/// Threads that work side by side.
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}
