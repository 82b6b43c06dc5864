//! A measured quantity over time, at even steps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Values at `start_seconds + i · step_seconds`. What was not measured is absent, never zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// Time of the first value, seconds since the Unix epoch.
    pub start_seconds: f64,
    /// Seconds from one value to the next, > 0.
    pub step_seconds: f64,
    /// The values; finite where present.
    pub values: Vec<Option<f64>>,
}

impl Series {
    /// Time of a value.
    #[allow(
        clippy::cast_precision_loss,
        reason = "a series is far shorter than 2⁵³ values"
    )]
    pub fn time_seconds(&self, index: usize) -> f64 {
        self.start_seconds + self.step_seconds * index as f64
    }

    /// Time just after the last value: where a forecast begins.
    pub fn end_seconds(&self) -> f64 {
        self.time_seconds(self.values.len())
    }

    /// The values that are there, with their times.
    pub fn measured(&self) -> impl DoubleEndedIterator<Item = (f64, f64)> + '_ {
        let timed =
            |(index, value): (usize, &Option<f64>)| Some((self.time_seconds(index), (*value)?));
        self.values.iter().enumerate().filter_map(timed)
    }
}
