//! How long a computation may go on.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The caller's clock: how many seconds a computation has left. Nothing here reads a clock of its own.
#[derive(Clone, Copy)]
pub struct Clock<'a>(pub &'a (dyn Fn() -> f64 + Sync));

impl fmt::Debug for Clock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({} s left)", (self.0)())
    }
}

/// Limits of a computation: a stop flag that the caller owns, a number of work units, and the caller's clock.
///
/// A unit is about a microsecond on a current core: a thousand search nodes, a simplex iteration, a packed candidate are each
/// charged by their own fixed rate, so that the same input ends at the same place on every machine.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// Set by the caller when its clock has run out.
    pub stop: &'a AtomicBool,
    /// Most work units; `None` is no limit.
    pub work: Option<u64>,
    /// Ends the computation when no seconds are left, and lets it divide them among its stages; `None` where no clock ends it. What
    /// comes out then depends on the machine.
    pub clock: Option<Clock<'a>>,
}

impl<'a> Limits<'a> {
    /// A stop flag and a number of work units, without a clock.
    pub fn new(stop: &'a AtomicBool, work: Option<u64>) -> Self {
        Self {
            stop,
            work,
            clock: None,
        }
    }

    /// Seconds left on the caller's clock; `None` where no clock ends this.
    pub fn seconds_left(&self) -> Option<f64> {
        self.clock.map(|clock| (clock.0)())
    }
}

/// Work done against limits.
#[derive(Debug)]
pub struct Meter<'a> {
    limits: Limits<'a>,
    used: AtomicU64,
    cut_by_clock: AtomicBool,
    /// Seconds that are left on the clock when this ends, for what comes after it.
    reserve_seconds: f64,
}

impl<'a> Meter<'a> {
    /// Nothing done yet.
    pub fn new(limits: Limits<'a>) -> Self {
        Self {
            limits,
            used: AtomicU64::new(0),
            cut_by_clock: AtomicBool::new(false),
            reserve_seconds: 0.0,
        }
    }

    /// A meter for a stage: the same work, and a share of the seconds that are left now. What it uses is charged when it is dropped.
    pub fn stage(&'a self, share: f64) -> Part<'a> {
        let mut part = self.with_work(self.work_left());
        if let Some(left) = self.seconds_left() {
            part.meter.reserve_seconds += (1.0 - share) * left.max(0.0);
        }
        part
    }

    /// A meter for a part with a share of the work left.
    pub fn portion(&'a self, share: f64) -> Part<'a> {
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let share_of = |left: u64| (left as f64 * share) as u64;
        self.with_work(self.work_left().map(share_of))
    }

    /// Work units left; `None` is no limit.
    pub fn work_left(&self) -> Option<u64> {
        let left = |limit: u64| limit.saturating_sub(self.used());
        self.limits.work.map(left)
    }

    /// Seconds left; `None` where no clock ends this.
    pub fn seconds_left(&self) -> Option<f64> {
        Some(self.clock_seconds()? - self.reserve_seconds)
    }

    /// Seconds left on the caller's clock itself, whatever is reserved for others.
    pub fn clock_seconds(&self) -> Option<f64> {
        self.limits.seconds_left()
    }

    /// A meter for a part of the work, with a limit of its own; what it uses is charged when it is dropped.
    pub fn part(&'a self, work: u64) -> Part<'a> {
        let left = self
            .limits
            .work
            .map_or(work, |limit| work.min(limit.saturating_sub(self.used())));
        self.with_work(Some(left))
    }

    /// A meter for a part that gets at least so much work, even where less or none is left: only stop flag and clock end it sooner.
    pub fn granted(&'a self, work: u64) -> Part<'a> {
        let left = |limit: u64| limit.saturating_sub(self.used()).max(work);
        self.with_work(self.limits.work.map(left))
    }

    fn with_work(&'a self, work: Option<u64>) -> Part<'a> {
        let mut meter = Meter::new(Limits {
            work,
            ..self.limits
        });
        meter.reserve_seconds = self.reserve_seconds;
        Part { whole: self, meter }
    }

    /// Meters for `count` parts that are done side by side, each with an equal share of the work left: which of them ends first must
    /// not decide what the others may do.
    pub fn shares(&'a self, count: usize) -> Vec<Part<'a>> {
        let left = |limit: u64| limit.saturating_sub(self.used());
        let count_of_shares = u64::try_from(count).unwrap_or(u64::MAX).max(1);
        let work = self.limits.work.map(|limit| left(limit) / count_of_shares);
        (0..count).map(|_| self.with_work(work)).collect()
    }

    /// Charges work.
    pub fn spend(&self, units: u64) {
        self.used.fetch_add(units, Ordering::Relaxed);
    }

    /// Whether to go on.
    pub fn goes_on(&self) -> bool {
        self.is_in_time() && self.limits.work.is_none_or(|limit| self.used() < limit)
    }

    /// Whether neither stop flag nor clock end it, whatever work is left.
    pub fn is_in_time(&self) -> bool {
        let stopped = self.limits.stop.load(Ordering::Relaxed);
        let is_over = stopped || self.seconds_left().is_some_and(|left| left <= 0.0);
        if is_over {
            self.cut();
        }
        !is_over
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A meter on a clock that shows what it is told to.
    fn on_clock(work: Option<u64>, left: &AtomicU64, check: impl Fn(&Meter)) {
        let stop = AtomicBool::new(false);
        #[allow(clippy::cast_precision_loss)]
        let clock = || left.load(Ordering::Relaxed) as f64;
        let limits = Limits {
            clock: Some(Clock(&clock)),
            ..Limits::new(&stop, work)
        };
        check(&Meter::new(limits));
    }

    #[test]
    fn a_stage_ends_when_its_share_of_the_seconds_is_spent() {
        let left = AtomicU64::new(100);
        on_clock(None, &left, |meter| {
            let stage = meter.stage(0.5);
            let within = stage.stage(0.5);
            left.store(76, Ordering::Relaxed);
            assert!(within.goes_on() && stage.goes_on());
            left.store(75, Ordering::Relaxed);
            assert!(!within.goes_on() && stage.goes_on() && !stage.cut_by_clock());
            drop(within);
            assert!(stage.cut_by_clock());
            left.store(50, Ordering::Relaxed);
            assert!(!stage.goes_on() && meter.goes_on());
            // What comes later has its share of what is left then.
            let later = meter.stage(0.1);
            left.store(46, Ordering::Relaxed);
            assert!(later.goes_on());
            left.store(0, Ordering::Relaxed);
            assert!(!meter.goes_on());
        });
    }

    #[test]
    fn a_part_ends_with_the_stage_it_belongs_to() {
        let left = AtomicU64::new(10);
        on_clock(Some(100), &left, |meter| {
            let stage = meter.stage(0.5);
            let part = stage.part(30);
            part.spend(29);
            assert!(part.goes_on());
            part.spend(1);
            assert!(!part.goes_on() && part.is_in_time());
            drop(part);
            assert_eq!(stage.used(), 30);
            left.store(4, Ordering::Relaxed);
            assert!(!stage.part(30).goes_on());
            assert!(stage.shares(2).iter().all(|share| !share.goes_on()));
        });
    }

    #[test]
    fn granted_work_is_there_when_none_is_left_but_no_seconds_are() {
        let left = AtomicU64::new(10);
        on_clock(Some(5), &left, |meter| {
            meter.spend(5);
            assert!(!meter.goes_on() && meter.is_in_time());
            assert!(meter.granted(1).goes_on());
            left.store(0, Ordering::Relaxed);
            assert!(!meter.granted(1).goes_on());
        });
    }

    #[test]
    fn a_portion_ends_when_its_share_of_the_work_is_done() {
        let stop = AtomicBool::new(false);
        let meter = Meter::new(Limits::new(&stop, Some(10)));
        meter.spend(2);
        let portion = meter.portion(0.5);
        portion.spend(3);
        assert!(portion.goes_on());
        portion.spend(1);
        assert!(!portion.goes_on() && meter.goes_on());
        drop(portion);
        assert_eq!(meter.work_left(), Some(4));
    }

    #[test]
    fn without_a_clock_a_stage_has_all_the_work() {
        let stop = AtomicBool::new(false);
        let meter = Meter::new(Limits::new(&stop, Some(10)));
        let stage = meter.stage(0.1);
        stage.spend(9);
        assert!(stage.goes_on() && stage.seconds_left().is_none());
        stage.spend(1);
        assert!(!stage.goes_on());
    }
}
