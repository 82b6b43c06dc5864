//! The clock of a search: sets the stop flag when the time is up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// A stop flag that is set after some time. Dropping it stops the clock.
pub(crate) struct Deadline {
    stop: Arc<AtomicBool>,
    _running: Option<Sender<()>>,
}

impl Deadline {
    /// A flag that is set after `seconds`; never, without a limit.
    pub(crate) fn after(seconds: Option<f64>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let running = seconds.map(|seconds| {
            let (sender, receiver) = mpsc::channel();
            let flag = Arc::clone(&stop);
            thread::spawn(move || {
                if receiver.recv_timeout(Duration::from_secs_f64(seconds))
                    == Err(RecvTimeoutError::Timeout)
                {
                    flag.store(true, Ordering::Relaxed);
                }
            });
            sender
        });
        Self {
            stop,
            _running: running,
        }
    }

    /// The flag.
    pub(crate) fn stop(&self) -> &AtomicBool {
        &self.stop
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_is_set_when_the_time_is_up() {
        let deadline = Deadline::after(Some(0.001));
        while !deadline.stop().load(Ordering::Relaxed) {
            thread::yield_now();
        }
    }

    #[test]
    fn without_a_limit_it_is_not_set() {
        assert!(!Deadline::after(None).stop().load(Ordering::Relaxed));
    }
}
