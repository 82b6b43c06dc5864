//! What a translation has to say beside the problem itself.

use crate::problem::{Comments, Issue};

/// Collects what is said while the dump is translated.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub comments: Comments,
    pub untranslated: Vec<String>,
    pub issues: Vec<Issue>,
}

impl Notes {
    pub(super) fn assume(&mut self, path: impl Into<String>, reason: impl AsRef<str>) {
        self.comments.assume(path, reason);
    }

    pub(super) fn untranslated(&mut self, line: impl Into<String>) {
        self.untranslated.push(line.into());
    }

    pub(super) fn issue(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.issues.push(Issue {
            path: path.into(),
            line: None,
            message: message.into(),
        });
    }
}
