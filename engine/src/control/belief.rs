//! Which readings of a load are believed: neither a jump nor a sudden zero is, before following readings confirm it.

use serde::{Deserialize, Serialize};

use super::event::EventKind;
use super::settings::IntakeSettings;

/// Requests per second below which changes are too small to be jumps.
const LEAST_RPS: f64 = 1.0;

/// Most requests per second that a reading may say; beyond it no problem is valid.
const MOST_RPS: f64 = 1e12;

/// What is believed of one service's load.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Belief {
    /// The last load that was believed.
    pub(super) good: Option<Sample>,
    /// The last reading that was not, in requests per second.
    suspect_rps: Option<f64>,
    /// Readings in a row that were not believed because they jumped.
    jumps: u32,
    /// Zeros in a row.
    zeros: u32,
}

/// A load at a time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// When, seconds since the Unix epoch.
    pub at_seconds: f64,
    /// Requests per second.
    pub rps: f64,
}

/// Why a reading is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Doubt {
    pub(super) kind: EventKind,
    pub(super) message: String,
}

impl Doubt {
    pub(super) fn new(kind: EventKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

impl Belief {
    /// Takes a reading, or says why it is not believed yet.
    pub(super) fn take(&mut self, sample: Sample, settings: &IntakeSettings) -> Result<(), Doubt> {
        let rps = sample.rps;
        if !(0.0..=MOST_RPS).contains(&rps) {
            let message = format!("{rps} requests per second is no load");
            return Err(Doubt::new(EventKind::Invalid, message));
        }
        if let Some(good) = self.good {
            self.sudden_zero(good.rps, rps, settings.zero_readings)?;
            self.jump(good.rps, rps, settings)?;
        }
        *self = Self {
            good: Some(sample),
            zeros: self.zeros,
            ..Self::default()
        };
        Ok(())
    }

    fn sudden_zero(&mut self, good: f64, rps: f64, readings: u32) -> Result<(), Doubt> {
        if rps > 0.0 || good <= LEAST_RPS {
            self.zeros = 0;
            return Ok(());
        }
        self.zeros = self.zeros.saturating_add(1);
        if self.zeros >= readings {
            return Ok(());
        }
        let message = format!(
            "a sudden zero after {good:.1} requests per second, as a counter reset shows it; believed after {readings} in a row"
        );
        Err(Doubt::new(EventKind::CounterReset, message))
    }

    fn jump(&mut self, good: f64, rps: f64, settings: &IntakeSettings) -> Result<(), Doubt> {
        let factor = |from: f64, to: f64| {
            let (from, to) = (from.max(LEAST_RPS), to.max(LEAST_RPS));
            (to / from).max(from / to)
        };
        let believed_zero = rps <= 0.0;
        let is_jump = factor(good, rps) > settings.jump_factor && !believed_zero;
        let confirms = |suspect: f64| factor(suspect, rps) <= settings.jump_factor;
        if !is_jump
            || self.suspect_rps.is_some_and(confirms)
            || self.jumps >= settings.jump_readings
        {
            return Ok(());
        }
        self.suspect_rps = Some(rps);
        self.jumps = self.jumps.saturating_add(1);
        let message = format!(
            "a jump from {good:.1} to {rps:.1} requests per second, more than a factor of {}; believed when the next reading confirms it",
            settings.jump_factor
        );
        Err(Doubt::new(EventKind::Jump, message))
    }
}
