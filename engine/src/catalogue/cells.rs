//! The cells of one row of a price file, read by column name.

use std::collections::BTreeMap;

use csv::StringRecord;

use super::PriceError;

/// Where each column of the header stands.
pub(super) type Columns = BTreeMap<&'static str, usize>;

/// One row and where it stands; what is wrong with it is added to `errors`.
pub(super) struct Cells<'a> {
    pub(super) record: &'a StringRecord,
    pub(super) columns: &'a Columns,
    pub(super) file: &'a str,
    pub(super) line: u64,
    pub(super) errors: &'a mut Vec<PriceError>,
}

impl Cells<'_> {
    /// The parsed cell. An empty cell, an absent column and a refused value give `None`; only the last is a mistake.
    pub(super) fn optional<T>(
        &mut self,
        column: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.stated(column)?.to_owned();
        let parsed = parse(&value);
        if parsed.is_none() {
            self.refuse(column, &value, expected);
        }
        parsed
    }

    /// As [`Cells::optional`], where an empty cell is a mistake too.
    pub(super) fn required<T>(
        &mut self,
        column: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        if self.stated(column).is_none() {
            self.refuse(column, "", expected);
            return None;
        }
        self.optional(column, expected, parse)
    }

    /// Adds a mistake in this row.
    pub(super) fn refuse(&mut self, column: &str, value: &str, expected: impl Into<String>) {
        self.errors.push(PriceError::new(
            self.file, self.line, column, value, expected,
        ));
    }

    /// The cell, `None` when empty or absent.
    pub(super) fn stated(&self, column: &str) -> Option<&str> {
        self.columns
            .get(column)
            .and_then(|&index| self.record.get(index))
            .filter(|value| !value.is_empty())
    }
}
