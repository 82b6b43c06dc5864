//! The only file that names rayon: work on independent parts, results in the parts' order.
//!
//! Parts never depend on the number of threads, so every result is equal to the bit on any number of them.

use rayon::prelude::*;

/// Applies `work` to every part, side by side where that is worth handing them out.
pub(crate) fn each<T: Send, R: Send>(
    side_by_side: bool,
    parts: Vec<T>,
    work: impl Fn(T) -> R + Send + Sync,
) -> Vec<R> {
    if side_by_side {
        parts.into_par_iter().map(work).collect()
    } else {
        parts.into_iter().map(work).collect()
    }
}
