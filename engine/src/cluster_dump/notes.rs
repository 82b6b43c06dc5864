//! What a translation has to say beside the problem itself.

use std::collections::BTreeMap;

use crate::problem::Issue;

/// Reasons of assumed values by path, such as `services.shop/cart.disruption.max_unavailable`; lists are addressed by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comments(BTreeMap<String, String>);

impl Comments {
    /// The reason of the value at a path.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// All paths with their reasons, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(path, reason)| (path.as_str(), reason.as_str()))
    }

    /// Whether a value below the path (not at it) has a reason.
    pub(super) fn has_below(&self, path: &str) -> bool {
        let prefix = format!("{path}.");
        self.0
            .range(prefix.clone()..)
            .next()
            .is_some_and(|(key, _)| key.starts_with(&prefix))
    }

    /// Adds a reason; a second one for the same path is appended.
    pub(super) fn assume(&mut self, path: impl Into<String>, reason: impl AsRef<str>) {
        let entry = self.0.entry(path.into()).or_default();
        if !entry.is_empty() {
            entry.push_str("; ");
        }
        entry.push_str(reason.as_ref());
    }

    /// Forgets a path and all below it.
    pub(super) fn forget(&mut self, path: &str) {
        let below = format!("{path}.");
        self.0
            .retain(|key, _| key != path && !key.starts_with(&below));
    }
}

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
