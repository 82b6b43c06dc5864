//! Reasons that stand beside values in a written problem file.

use std::collections::BTreeMap;

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
    pub(crate) fn assume(&mut self, path: impl Into<String>, reason: impl AsRef<str>) {
        let entry = self.0.entry(path.into()).or_default();
        if !entry.is_empty() {
            entry.push_str("; ");
        }
        entry.push_str(reason.as_ref());
    }

    /// Forgets a path and all below it.
    pub(crate) fn forget(&mut self, path: &str) {
        let below = format!("{path}.");
        self.0
            .retain(|key, _| key != path && !key.starts_with(&below));
    }
}
