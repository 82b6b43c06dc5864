//! What a user sees when Ketscale panics: that it is our mistake, and how to report it.

use std::backtrace::Backtrace;
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{Mutex, PoisonError};

use crate::exit::{Exit, Failure};

/// How to report a bug.
pub(crate) const HOW_TO_REPORT: &str = concat!(
    "This is a bug in ketscale ",
    env!("CARGO_PKG_VERSION"),
    ", not a mistake of yours. Please report it at\n  ",
    env!("CARGO_PKG_REPOSITORY"),
    "/issues\nwith these lines, the command line, and the input if you may share it."
);

/// What the last panic said. A solver's panic costs its row and not the plan, so what is kept is shown only when a panic ends a command.
static LAST_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// Keeps quiet about panics until one ends a command.
pub(crate) fn watch() {
    panic::set_hook(Box::new(|info| {
        *LAST_PANIC.lock().unwrap_or_else(PoisonError::into_inner) = Some(describe(info));
    }));
}

/// Shows each panic when it happens: a server goes on after one that a single request met.
pub(crate) fn watch_aloud() {
    panic::set_hook(Box::new(|info| {
        crate::output::say(&format!("ketscale: {}\n{HOW_TO_REPORT}", describe(info)))
    }));
}

fn describe(info: &PanicHookInfo<'_>) -> String {
    let what = info.payload_as_str().unwrap_or("a panic without words");
    let place = info
        .location()
        .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    format!("{what}\n  at {place}\n{}", Backtrace::capture())
}

/// Runs a command; a panic in it becomes a failure that says whose mistake it is.
pub(crate) fn guard(command: impl FnOnce() -> Result<Exit, Failure>) -> Result<Exit, Failure> {
    panic::catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|_| {
        let said = LAST_PANIC
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        Err(Failure::bug(said.unwrap_or_else(|| "a panic".to_owned())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::panic)]
    fn a_panic_is_our_bug_and_says_how_to_report_it() {
        watch();
        let ended = guard(|| panic!("seven is not eight"));
        let _ = panic::take_hook();
        let failure = ended.map_or_else(|failure| failure, |_| Failure::input("did not panic"));
        assert_eq!(failure.exit.code(), 70);
        for part in ["seven is not eight", "bug.rs", "/issues", "bug in ketscale"] {
            assert!(
                failure.message.contains(part),
                "{part} in {}",
                failure.message
            );
        }
    }

    #[test]
    fn without_a_panic_nothing_changes() {
        assert_eq!(guard(|| Ok(Exit::No)).ok(), Some(Exit::No));
    }
}
