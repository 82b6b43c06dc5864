//! What is wrong with a price file.

use thiserror::Error;

/// One mistake in a price file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}:{line}: {column} {value:?}: expected {expected}")]
pub struct PriceError {
    /// The file's name as the caller gave it.
    pub file: String,
    /// Line in the file, the first being 1.
    pub line: u64,
    /// Column name; `header`, `row` or `file` where the mistake is not in one cell.
    pub column: String,
    /// What stands there, cut to [`PriceError::LONGEST_VALUE`] characters.
    pub value: String,
    /// What should stand there.
    pub expected: String,
}

impl PriceError {
    /// Characters of a value that are kept in the message.
    pub const LONGEST_VALUE: usize = 80;

    pub(super) fn new(
        file: &str,
        line: u64,
        column: &str,
        value: &str,
        expected: impl Into<String>,
    ) -> Self {
        let mut shown: String = value.chars().take(Self::LONGEST_VALUE).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        Self {
            file: file.to_owned(),
            line,
            column: column.to_owned(),
            value: shown,
            expected: expected.into(),
        }
    }
}
