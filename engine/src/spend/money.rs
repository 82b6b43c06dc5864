//! Amounts of money, exact under addition.

use std::collections::BTreeMap;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// Billionths of a US dollar. Sums are exact, whatever their order; what a float would lose over a month of cycles is not lost. Beyond
/// nine billion dollars they saturate.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// Rounded to the nearest billionth; what is no number is nothing.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a cast of a float saturates, and makes 0 of what is no number"
    )]
    pub fn from_usd(usd: f64) -> Self {
        Self((usd * 1e9).round() as i64)
    }

    /// As a float, for print.
    #[allow(clippy::cast_precision_loss, reason = "only for print and ratios")]
    pub fn usd(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Splits the amount by weights ≥ 0, so that the parts add up to it exactly: each gets its share rounded down, and the billionths left
    /// go to the first ones. Without any weight nothing is handed out.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "shares of the amount, corrected to add up"
    )]
    pub fn split(self, weights: &BTreeMap<String, f64>) -> BTreeMap<String, Self> {
        let total = weights.values().fold(0.0, |sum, weight| sum + weight);
        if total <= 0.0 || !total.is_finite() {
            return BTreeMap::new();
        }
        let mut parts: BTreeMap<String, Self> =
            (weights.iter().filter(|(_, weight)| **weight > 0.0))
                .map(|(name, weight)| {
                    (
                        name.clone(),
                        Self((self.0 as f64 * (weight / total)).floor() as i64),
                    )
                })
                .collect();
        let mut left = self.0 - parts.values().map(|part| part.0).sum::<i64>();
        while left != 0 {
            for part in parts.values_mut() {
                let unit = left.signum();
                part.0 += unit;
                left -= unit;
                if left == 0 {
                    break;
                }
            }
        }
        parts
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}
