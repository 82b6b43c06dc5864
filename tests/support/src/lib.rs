//! What a test does when the machine lacks a file or a server.
//!
//! A test that needs something from outside the repository asks here. Where the thing is missing the
//! test returns early, and one line in `skipped-tests.txt` of cargo's target folder says so; `make test` prints that list at the
//! end. Where the environment variable `KETSCALE_REQUIRE` names the thing, its absence fails the test instead:
//! a machine that is meant to run everything cannot skip anything by accident.
//!
//! ```no_run
//! # use ketscale_test_support::{require, shared};
//! let Some(path) = shared("golden/labs.json") else { return };
//! if !require("prometheus", which("prometheus")) { return }
//! # fn which(_: &str) -> bool { false }
//! # drop(path);
//! ```

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The path of a file of reference data kept beside the repository, or `None` when this machine has none.
///
/// # Panics
/// When the file is missing and `KETSCALE_REQUIRE` contains the word `shared`.
pub fn shared(path: &str) -> Option<PathBuf> {
    let file = workspace().join("../shared").join(path);
    let found = file.exists();
    (found || !missing("shared", &format!("shared/{path}"))).then_some(file)
}

/// Whether a test that needs `name` may run: `found` itself, with its absence recorded.
///
/// # Panics
/// When `found` is false and `KETSCALE_REQUIRE` contains the word `name`.
pub fn require(name: &str, found: bool) -> bool {
    found || !missing(name, name)
}

/// Records that `what` is missing; true, for a missing thing is a reason to skip.
#[allow(clippy::panic, reason = "failing the test is this crate's purpose")]
fn missing(word: &str, what: &str) -> bool {
    if is_required(word, &std::env::var("KETSCALE_REQUIRE").unwrap_or_default()) {
        panic!("KETSCALE_REQUIRE names `{word}`, but {what} is missing");
    }
    let line = format!("skipped: needs {what}\n");
    eprint!("{line}");
    record(&line);
    true
}

/// Whether `word` is among the words of `required`, which commas or spaces separate.
fn is_required(word: &str, required: &str) -> bool {
    required.split([',', ' ']).any(|entry| entry == word)
}

/// Appends to the list that `make test` prints. A list that cannot be written must not fail the test, which
/// has said its line on stderr already.
fn record(line: &str) {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let list = target
        .unwrap_or_else(|| workspace().join("target"))
        .join("skipped-tests.txt");
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(list) {
        let _ = file.write_all(line.as_bytes());
    }
}

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_word_is_matched_whole() {
        assert!(is_required("shared", "prometheus,shared"));
        assert!(is_required("shared", "shared prometheus"));
        assert!(!is_required("shared", "sharedness"));
        assert!(!is_required("shared", ""));
    }

    #[test]
    fn what_is_there_is_not_skipped() {
        assert!(require("anything", true));
    }
}
