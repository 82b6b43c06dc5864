//! The only file that names rayon: work on independent parts, results in the parts' order.
//!
//! Parts never depend on the number of threads, so every result is equal to the bit on any number of them.

use rayon::prelude::*;

/// Steps of work below which handing out parts costs more than it gains: about 50 µs.
const SERIAL_STEPS: usize = 1 << 14;

/// Applies `work` to every part; side by side where all parts together are more than a few steps.
pub(crate) fn each<T: Send, R: Send>(
    steps: usize,
    parts: Vec<T>,
    work: impl Fn(T) -> R + Send + Sync,
) -> Vec<R> {
    if steps <= SERIAL_STEPS {
        parts.into_iter().map(work).collect()
    } else {
        parts.into_par_iter().map(work).collect()
    }
}
