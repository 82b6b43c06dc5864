//! A progress bar on a terminal's standard error; nothing in a pipe.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Steps of the bar.
const STEPS: u64 = 1000;

/// The progress of one search.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar if standard error is a terminal, else nothing.
    pub(crate) fn start() -> Self {
        let visible = std::io::stderr().is_terminal();
        let target = if visible {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(STEPS), target);
        if let Ok(style) = ProgressStyle::with_template("{elapsed:>4} [{bar:30}] {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        Self { bar }
    }

    /// Shows what is being done and which share of it is done, in [0, 1].
    pub(crate) fn show(&self, what: &str, share: f64) {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the share is held in [0, 1]"
        )]
        let position = (share.clamp(0.0, 1.0) * STEPS as f64) as u64;
        self.bar.set_position(position);
        self.bar.set_message(what.to_owned());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
