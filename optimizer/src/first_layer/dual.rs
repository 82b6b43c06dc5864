//! Numbers with their derivative by γ: forward differentiation of products that may vanish.

use std::ops::{Add, Mul, Sub};

/// A number and its derivative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dual {
    pub(super) value: f64,
    pub(super) slope: f64,
}

impl Dual {
    pub(super) const ZERO: Self = Self {
        value: 0.0,
        slope: 0.0,
    };
    pub(super) const ONE: Self = Self {
        value: 1.0,
        slope: 0.0,
    };

    /// Times a constant.
    pub(super) fn times(self, factor: f64) -> Self {
        Self {
            value: self.value * factor,
            slope: self.slope * factor,
        }
    }

    /// Times a factor, unless it is left out.
    pub(super) fn unless(self, left_out: bool, factor: Self) -> Self {
        if left_out { self } else { self * factor }
    }
}

impl Add for Dual {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            value: self.value + other.value,
            slope: self.slope + other.slope,
        }
    }
}

impl Sub for Dual {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            value: self.value - other.value,
            slope: self.slope - other.slope,
        }
    }
}

impl Mul for Dual {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self {
            value: self.value * other.value,
            slope: self.value * other.slope + self.slope * other.value,
        }
    }
}
