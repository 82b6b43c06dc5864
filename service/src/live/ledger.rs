//! What was read and what was not.

use jiff::Timestamp;
use ketscale_engine::plan::{Gap, Reading};
use ketscale_engine::planner::Source;

use crate::prometheus::clock;

/// Readings and gaps in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    readings: Vec<Reading>,
    gaps: Vec<Gap>,
}

impl Ledger {
    /// A value that replaces the file's, in base units (cores, bytes, milliseconds, pieces).
    pub(super) fn read(&mut self, path: String, value: f64, query: &str, timestamp: f64) {
        self.readings.push(Reading {
            path,
            value,
            query: query.to_owned(),
            timestamp,
        });
    }

    /// A value that keeps what the file says.
    pub(super) fn gap(&mut self, path: String, query: &str, reason: impl Into<String>) {
        self.gaps.push(Gap {
            path,
            query: query.to_owned(),
            reason: reason.into(),
        });
    }

    /// Adds readings that are known to hold.
    pub(super) fn extend(&mut self, readings: Vec<Reading>) {
        self.readings.extend(readings);
    }

    /// With the age of the oldest reading at `now`.
    pub(super) fn into_source(self, now: Timestamp) -> Source {
        let now_seconds = clock::seconds(now);
        let oldest = self
            .readings
            .iter()
            .map(|reading| reading.timestamp)
            .reduce(f64::min);
        Source {
            readings: self.readings,
            gaps: self.gaps,
            age_seconds: oldest.map(|oldest| (now_seconds - oldest).max(0.0)),
        }
    }
}
