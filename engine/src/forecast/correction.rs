//! The level of a curve, corrected by what was measured since.

/// How a curve's level follows the measured values: an exponentially weighted mean of the errors, which fades with the lead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Correction {
    /// Weight of the newest error, in [0, 1].
    pub(super) gain: f64,
    /// What is left of the correction after each step of lead, in (0, 1].
    pub(super) kept: f64,
}

impl Correction {
    /// The naive method: the last error in full, for ever.
    pub(super) const FULL: Self = Self {
        gain: 1.0,
        kept: 1.0,
    };

    /// Those that are tried. Half of a correction is left after 8 steps, 48 or never.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let gains = [0.0, 0.05, 0.15, 0.35, 0.65, 1.0];
        let half_lives = [8.0, 48.0, f64::INFINITY];
        gains.into_iter().flat_map(move |gain| {
            half_lives.into_iter().map(move |half_life: f64| Self {
                gain,
                kept: (-1.0 / half_life).exp2(),
            })
        })
    }

    /// The level after one more error; an absent one leaves it.
    pub(super) fn after(self, level: f64, error: Option<f64>) -> f64 {
        error.map_or(level, |error| level + self.gain * (error - level))
    }

    /// The level after errors, the first of which is taken in full: there is nothing else to begin from.
    pub(super) fn level(self, errors: &[f64]) -> f64 {
        let begin = if self.gain > 0.0 {
            errors.first().copied().unwrap_or(0.0)
        } else {
            0.0
        };
        errors
            .iter()
            .fold(begin, |level, error| self.after(level, Some(*error)))
    }

    /// The level at every origin: before the first of these values, and after each of them.
    pub(super) fn levels(self, curve: &[f64], errors: &[f64], values: &[Option<f64>]) -> Vec<f64> {
        let mut level = self.level(errors);
        let mut levels = vec![level];
        for (value, said) in values.iter().zip(curve) {
            level = self.after(level, value.map(|value| value - said));
            levels.push(level);
        }
        levels
    }

    /// What is left of a correction `lead` steps later, `lead ≥ 1`.
    pub(super) fn left(self, lead: usize) -> f64 {
        self.kept.powi(i32::try_from(lead).unwrap_or(i32::MAX))
    }
}
