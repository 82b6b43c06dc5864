//! How long a computation may go on.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Limits of a computation: a stop flag that the caller owns, and a number of work units.
///
/// A unit is about a microsecond on a current core: a thousand search nodes, a simplex iteration, a packed candidate are each
/// charged by their own fixed rate, so that the same input ends at the same place on every machine.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// Set by the caller when its clock has run out.
    pub stop: &'a AtomicBool,
    /// Most work units; `None` is no limit.
    pub work: Option<u64>,
}

/// Work done against limits.
#[derive(Debug)]
pub struct Meter<'a> {
    limits: Limits<'a>,
    used: AtomicU64,
    cut_by_clock: AtomicBool,
}

impl<'a> Meter<'a> {
    /// Nothing done yet.
    pub fn new(limits: Limits<'a>) -> Self {
        Self {
            limits,
            used: AtomicU64::new(0),
            cut_by_clock: AtomicBool::new(false),
        }
    }

    /// A meter for a part of the work, with a limit of its own; what it uses is charged when it is dropped.
    pub fn part(&'a self, work: u64) -> Part<'a> {
        let left = self
            .limits
            .work
            .map_or(work, |limit| work.min(limit.saturating_sub(self.used())));
        Part {
            whole: self,
            meter: Meter::new(Limits {
                stop: self.limits.stop,
                work: Some(left),
            }),
        }
    }

    /// Meters for `count` parts that are done side by side, each with an equal share of the work left: which of them ends first must
    /// not decide what the others may do.
    pub fn shares(&'a self, count: usize) -> Vec<Part<'a>> {
        let left = |limit: u64| limit.saturating_sub(self.used());
        let count_of_shares = u64::try_from(count).unwrap_or(u64::MAX).max(1);
        let work = self.limits.work.map(|limit| left(limit) / count_of_shares);
        let part = |_| Part {
            whole: self,
            meter: Meter::new(Limits {
                stop: self.limits.stop,
                work,
            }),
        };
        (0..count).map(part).collect()
    }

    /// Charges work.
    pub fn spend(&self, units: u64) {
        self.used.fetch_add(units, Ordering::Relaxed);
    }

    /// Whether to go on.
    pub fn goes_on(&self) -> bool {
        if self.limits.stop.load(Ordering::Relaxed) {
            self.cut_by_clock.store(true, Ordering::Relaxed);
            return false;
        }
        self.limits.work.is_none_or(|limit| self.used() < limit)
    }

    /// Units charged so far.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Notes that a clock, such as a library's own, ended a computation.
    pub fn cut(&self) {
        self.cut_by_clock.store(true, Ordering::Relaxed);
    }

    /// True when a computation was told to end because of the clock.
    pub fn cut_by_clock(&self) -> bool {
        self.cut_by_clock.load(Ordering::Relaxed)
    }

    /// The caller's stop flag.
    pub fn stop(&self) -> &'a AtomicBool {
        self.limits.stop
    }
}

/// A part of a meter's work.
#[derive(Debug)]
pub struct Part<'a> {
    whole: &'a Meter<'a>,
    meter: Meter<'a>,
}

impl<'a> Deref for Part<'a> {
    type Target = Meter<'a>;

    fn deref(&self) -> &Meter<'a> {
        &self.meter
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        self.whole.spend(self.meter.used());
        if self.meter.cut_by_clock() {
            self.whole.cut();
        }
    }
}
