//! The only file that names rayon: work on independent parts, results in the parts' order.
//!
//! Parts never depend on the number of threads, and what they return is combined by the caller in their order, so every result is
//! equal to the bit on any number of threads.

use crate::Error;
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// States up to this size are not split: handing out the parts would cost more than it gains.
const SERIAL_AMPLITUDES: usize = 1 << 16;

/// Chunks of a state that are one part where a part brings more than a sum.
pub(crate) const CHUNKS_OF_A_PART: usize = 32;

/// What workers keep between parts and hand on to the next pass: making it anew would cost the system's pages each time.
#[derive(Debug)]
pub(crate) struct Pool<S>(Mutex<Vec<S>>);

impl<S> Pool<S> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Takes one, made by `make` where none is left.
    pub(crate) fn take(&self, make: impl FnOnce() -> S) -> S {
        let free = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        free.unwrap_or_else(make)
    }

    /// Takes one that goes back when it is dropped.
    pub(crate) fn lend(&self, make: impl FnOnce() -> S) -> Loan<'_, S> {
        Loan {
            pool: self,
            lent: Some(self.take(make)),
        }
    }

    /// Gives one back, or a first one.
    pub(crate) fn put(&self, free: S) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(free);
    }
}

/// What belongs together is copied, not what is lent in between.
impl<S> Clone for Pool<S> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

/// What is taken from a pool; it goes back when dropped.
#[derive(Debug)]
pub(crate) struct Loan<'a, S> {
    pool: &'a Pool<S>,
    /// There until it is dropped.
    pub(crate) lent: Option<S>,
}

impl<S> Drop for Loan<'_, S> {
    fn drop(&mut self) {
        if let Some(lent) = self.lent.take() {
            self.pool.put(lent);
        }
    }
}

/// Applies `work` to every part of a state with `amplitudes` amplitudes; `scratch` makes what a worker keeps between parts.
pub(crate) fn map<T, S, R>(
    amplitudes: usize,
    parts: Vec<T>,
    pool: &Pool<S>,
    scratch: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, T) -> R + Sync,
) -> Vec<R>
where
    T: Send,
    S: Send,
    R: Send,
{
    let lend = || pool.lend(&scratch);
    let one = |loan: &mut Loan<S>, part| loan.lent.as_mut().map(|lent| work(lent, part));
    let results: Vec<Option<R>> = if amplitudes <= SERIAL_AMPLITUDES {
        let mut loan = lend();
        parts.into_iter().map(|part| one(&mut loan, part)).collect()
    } else {
        parts.into_par_iter().map_init(lend, one).collect()
    };
    // A loan holds what was lent until it is dropped.
    results.into_iter().flatten().collect()
}

/// Applies `work`, which keeps nothing, to every part of a state with `amplitudes` amplitudes.
pub(crate) fn each<T: Send, R: Send>(
    amplitudes: usize,
    parts: Vec<T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    map(
        amplitudes,
        parts,
        &Pool::new(),
        || (),
        |(), part| work(part),
    )
}

/// Applies `work` to several states of `amplitudes` amplitudes: side by side where they are so small that they are not split, one after
/// the other elsewhere.
pub(crate) fn whole<T: Send, R: Send>(
    amplitudes: usize,
    states: Vec<T>,
    work: impl Fn(T) -> R + Send + Sync,
) -> Vec<R> {
    if amplitudes <= SERIAL_AMPLITUDES {
        states.into_par_iter().map(work).collect()
    } else {
        states.into_iter().map(work).collect()
    }
}

/// Threads that share the parts.
pub(crate) fn threads() -> u64 {
    rayon::current_num_threads() as u64
}

/// Runs `work` on so many threads of its own.
///
/// # Errors
/// Zero threads, or more than the system gives.
pub fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> Result<R, Error> {
    let refuse = |reason: String| Error::Threads { threads, reason };
    if threads == 0 {
        return Err(refuse("at least one is needed".to_owned()));
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    Ok(pool
        .map_err(|error| refuse(error.to_string()))?
        .install(work))
}
