//! The clock of a search.

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use ketscale_engine::limits::{Clock, Limits};

/// Seconds left of a time limit that begins when it is made.
pub(crate) struct Deadline {
    left: Option<Box<dyn Fn() -> f64 + Sync>>,
    /// Nothing but the clock stops a search.
    stop: AtomicBool,
}

impl Deadline {
    /// A time limit in seconds, or none.
    pub(crate) fn after(seconds: Option<f64>) -> Self {
        let begun = Instant::now();
        let left = seconds.map(|seconds| -> Box<dyn Fn() -> f64 + Sync> {
            Box::new(move || seconds - begun.elapsed().as_secs_f64())
        });
        Self {
            left,
            stop: AtomicBool::new(false),
        }
    }

    /// The limits of a search that this time and so many work units end.
    pub(crate) fn limits(&self, work: Option<u64>) -> Limits<'_> {
        Limits {
            clock: self.left.as_deref().map(Clock),
            ..Limits::new(&self.stop, work)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use ketscale_engine::limits::Meter;

    use super::*;

    #[test]
    fn a_search_ends_when_the_time_is_up_and_not_before() {
        let (over, ahead) = (Deadline::after(Some(0.001)), Deadline::after(Some(3600.0)));
        thread::sleep(Duration::from_millis(2));
        assert!(!Meter::new(over.limits(None)).goes_on());
        assert!(Meter::new(ahead.limits(None)).goes_on());
    }

    #[test]
    fn without_a_limit_no_clock_ends_it() {
        assert!(Deadline::after(None).limits(None).clock.is_none());
    }
}
