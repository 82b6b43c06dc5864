//! When a long computation ends early.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Amplitudes that one work unit pays for in one pass.
const AMPLITUDES_PER_UNIT: u64 = 1 << 20;

/// A stop flag that the caller owns, a number of work units, and the units spent so far.
///
/// One work unit is one pass over 2^20 amplitudes: reading them, writing them or both, whatever is computed
/// on the way. Smaller passes count one unit, larger ones are rounded up. Units do not depend on the machine or its load, so a run
/// that they end gives the same answer everywhere; a run that the flag ends does not.
///
/// ```
/// use ketscale_simulator::Limits;
/// use std::sync::atomic::AtomicBool;
///
/// let stop = AtomicBool::new(false);
/// let limits = Limits::new(Some(&stop), Some(3));
/// assert!(limits.spend(2).is_ok());
/// assert!(limits.spend(2).is_err());
/// assert_eq!(limits.spent(), 2);
/// ```
#[derive(Debug, Default)]
pub struct Limits<'a> {
    stop: Option<&'a AtomicBool>,
    work: Option<u64>,
    spent: AtomicU64,
}

/// Which limit ended a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// The caller raised the stop flag.
    #[error("stopped by the caller")]
    Flag,
    /// The work units did not suffice for the next step.
    #[error("out of work units: {spent} of {allowed} spent, the next step needs {needed}")]
    Work {
        /// Units that the run was given.
        allowed: u64,
        /// Units spent on steps that were carried out.
        spent: u64,
        /// Units that the refused step needs.
        needed: u64,
    },
}

impl<'a> Limits<'a> {
    /// Limits with an optional stop flag and an optional number of work units.
    pub fn new(stop: Option<&'a AtomicBool>, work: Option<u64>) -> Self {
        Self {
            stop,
            work,
            spent: AtomicU64::new(0),
        }
    }

    /// No limits.
    pub fn none() -> Self {
        Self::default()
    }

    /// The same stop flag with at most `work` of the units that are left, counted from zero. What it
    /// spends is counted here by [`Limits::settle`].
    pub fn part(&self, work: u64) -> Limits<'a> {
        let work = self.left().map_or(work, |left| left.min(work));
        Limits::new(self.stop, Some(work))
    }

    /// Counts what a part spent, or work that had to be done whatever is left.
    pub fn settle(&self, units: u64) {
        let add = |spent: u64| Some(spent.saturating_add(units));
        let _ = self
            .spent
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }

    /// Units spent so far.
    pub fn spent(&self) -> u64 {
        self.spent.load(Ordering::Relaxed)
    }

    /// Units left, `None` when they are not limited.
    pub fn left(&self) -> Option<u64> {
        self.work.map(|work| work.saturating_sub(self.spent()))
    }

    /// Pays for a step of `units` before it is carried out.
    ///
    /// # Errors
    /// [`Stopped`] when the flag is raised or fewer units are left; the step is then not paid.
    pub fn spend(&self, units: u64) -> Result<(), Stopped> {
        if self.is_raised() {
            return Err(Stopped::Flag);
        }
        let pay = |spent: u64| {
            let total = spent.saturating_add(units);
            (total <= self.work.unwrap_or(u64::MAX)).then_some(total)
        };
        self.spent
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay)
            .map(|_| ())
            .map_err(|spent| Stopped::Work {
                allowed: self.work.unwrap_or(u64::MAX),
                spent,
                needed: units,
            })
    }

    /// Whether the caller raised the stop flag.
    pub fn is_raised(&self) -> bool {
        self.stop.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

/// Work units of `passes` passes over `amplitudes` amplitudes.
pub(crate) fn units(amplitudes: usize, passes: usize) -> u64 {
    (amplitudes as u64)
        .div_ceil(AMPLITUDES_PER_UNIT)
        .max(1)
        .saturating_mul(passes as u64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_stops_whatever_is_left() {
        let stop = AtomicBool::new(false);
        let limits = Limits::new(Some(&stop), None);
        limits.spend(u64::MAX).unwrap();
        stop.store(true, Ordering::Relaxed);
        assert_eq!(limits.spend(0), Err(Stopped::Flag));
    }

    #[test]
    fn a_refused_step_is_not_paid() {
        let limits = Limits::new(None, Some(5));
        limits.spend(4).unwrap();
        assert_eq!(
            limits.spend(2),
            Err(Stopped::Work {
                allowed: 5,
                spent: 4,
                needed: 2
            })
        );
        assert_eq!(limits.left(), Some(1));
        limits.spend(1).unwrap();
    }

    #[test]
    fn a_part_gets_no_more_than_is_left() {
        let limits = Limits::new(None, Some(5));
        limits.spend(3).unwrap();
        assert_eq!(limits.part(10).left(), Some(2));
        assert_eq!(limits.part(1).left(), Some(1));
    }

    #[test]
    fn units_are_rounded_up() {
        assert_eq!(units(1, 1), 1);
        assert_eq!(units(1 << 20, 3), 3);
        assert_eq!(units((1 << 20) + 1, 3), 6);
    }
}
