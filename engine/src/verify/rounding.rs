//! Arithmetic on `f64` rounded outward: `…_down` is never above the exact result, `…_up` never below.
//!
//! Every operation moves one step beyond the nearest number, which is at most half a step away from the exact result.
//! Sums that come out as 0 and products with 0 are exact and stay so, which also keeps subnormal numbers away.

pub(super) fn add_down(a: f64, b: f64) -> f64 {
    let sum = a + b;
    if sum == 0.0 || a == 0.0 || b == 0.0 {
        sum
    } else {
        sum.next_down()
    }
}

pub(super) fn add_up(a: f64, b: f64) -> f64 {
    let sum = a + b;
    if sum == 0.0 || a == 0.0 || b == 0.0 {
        sum
    } else {
        sum.next_up()
    }
}

pub(super) fn mul_down(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 {
        0.0
    } else {
        (a * b).next_down()
    }
}

pub(super) fn mul_up(a: f64, b: f64) -> f64 {
    if a == 0.0 || b == 0.0 {
        0.0
    } else {
        (a * b).next_up()
    }
}

/// A quotient of counts, rounded up; the divisor is not 0.
#[allow(clippy::cast_precision_loss)]
pub(super) fn ratio_up(a: u64, b: u64) -> f64 {
    if a == 0 {
        0.0
    } else {
        ((a as f64).next_up() / (b as f64).next_down()).next_up()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0.1 + 0.2 is above 3/10 by less than a step in every rounding, and products of opposite signs round the right way.
    #[test]
    fn results_enclose_the_exact_ones() {
        assert!(add_down(0.1, 0.2) < add_up(0.1, 0.2));
        assert!(add_down(-0.1, -0.2) < add_up(-0.1, -0.2));
        // The double nearest to 0.1 is above it, so three of them are above 0.3 in exact arithmetic.
        assert!(mul_up(0.1, 3.0) > 0.3 && mul_down(0.1, 3.0) <= 0.300_000_000_000_000_04);
        assert!(mul_down(-0.1, 3.0) < mul_up(-0.1, 3.0));
        assert!(ratio_up(1, 3) * 3.0 >= 1.0);
    }

    #[test]
    fn zeros_are_exact() {
        assert_eq!(add_down(1.5, -1.5), 0.0);
        assert_eq!(mul_down(0.0, -3.0), 0.0);
        assert_eq!(add_up(0.0, 0.3), 0.3);
        assert_eq!(ratio_up(0, 7), 0.0);
    }
}
