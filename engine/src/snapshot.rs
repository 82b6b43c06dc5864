//! The snapshot file, `ketscale.snapshot/v1`: what was known of a fleet at one time, and where each number came from.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{Gap, Reading};
use crate::planner::Source;
use crate::problem::ProblemFile;

/// The only value of the `schema` key of snapshots that this version reads and writes.
pub const SCHEMA: &str = "ketscale.snapshot/v1";

/// A fleet at one time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Always `ketscale.snapshot/v1`.
    pub schema: String,
    /// When it was taken, seconds since the Unix epoch.
    pub taken_at_seconds: f64,
    /// The problem with the values of that time in place of the file's; not resolved against the catalogue.
    pub problem: ProblemFile,
    /// Values that were read.
    pub readings: Vec<Reading>,
    /// Values that could not be read; the problem keeps the file's.
    pub gaps: Vec<Gap>,
}

impl Snapshot {
    /// A snapshot of a problem with its source.
    pub fn new(taken_at_seconds: f64, problem: ProblemFile, source: Source) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            taken_at_seconds,
            problem,
            readings: source.readings,
            gaps: source.gaps,
        }
    }

    /// Its name in a folder of snapshots, such as `20260131T235900.000Z.json`, so that names sort by time; seconds where they are no date.
    pub fn file_name(&self) -> String {
        let milliseconds = (self.taken_at_seconds * 1000.0).round();
        #[allow(
            clippy::cast_possible_truncation,
            reason = "saturates; what is no date stays a number"
        )]
        let time = Timestamp::from_millisecond(milliseconds as i64);
        match time {
            Ok(time) => time.strftime("%Y%m%dT%H%M%S.%3fZ.json").to_string(),
            Err(_) => format!("{}.json", self.taken_at_seconds),
        }
    }

    /// Readings and gaps, with the age of the oldest reading at `now_seconds`; never below zero.
    pub fn source(&self, now_seconds: f64) -> Source {
        let oldest = self
            .readings
            .iter()
            .map(|reading| reading.timestamp)
            .reduce(f64::min);
        Source {
            readings: self.readings.clone(),
            gaps: self.gaps.clone(),
            age_seconds: oldest.map(|oldest| (now_seconds - oldest).max(0.0)),
        }
    }
}
