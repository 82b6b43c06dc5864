//! Sine and cosine together, without branches, so that a loop over them becomes vector code.

/// Greatest argument. Up to here the reduction below is exact but for 2^-53 or so; doubles beyond are further apart than 1e-4,
/// so a phase of that size means little in any case.
pub(crate) const MAX_PHASE: f64 = (1_u64 << 40) as f64;

/// 2/π.
const TWO_OVER_PI: f64 = std::f64::consts::FRAC_2_PI;
/// π/2 rounded to a double, and what it misses of π/2 rounded to a double.
const HALF_PI: f64 = std::f64::consts::FRAC_PI_2;
const HALF_PI_REST: f64 = 6.123_233_995_736_766e-17;
/// 1.5 · 2^52: adding it to a double below 2^51 rounds that to the nearest integer, which then stands in the low bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// Coefficients of sin and cos on [−π/4, π/4]: FreeBSD msun, k_sin.c and k_cos.c (Sun Microsystems, 1993), there with errors
/// below 2^-58.
const SIN: [f64; 6] = [
    -1.666_666_666_666_663_2e-1,
    8.333_333_333_322_49e-3,
    -1.984_126_982_985_795e-4,
    2.755_731_370_707_006_8e-6,
    -2.505_076_025_340_686_3e-8,
    1.589_690_995_211_55e-10,
];
const COS: [f64; 6] = [
    4.166_666_666_666_66e-2,
    -1.388_888_888_887_411e-3,
    2.480_158_728_947_673e-5,
    -2.755_731_435_139_066_3e-7,
    2.087_572_321_298_175e-9,
    -1.135_964_755_778_819_5e-11,
];

/// `(sin x, cos x)` for |x| ≤ [`MAX_PHASE`], each within 1.5 · 2^-53 of the true value.
///
/// Cody–Waite reduction by multiples of π/2 in two parts: with a fused multiply-add the first is exact.
#[inline(always)]
pub(crate) fn sincos(x: f64) -> (f64, f64) {
    let rounded = x.mul_add(TWO_OVER_PI, ROUNDER);
    let quadrant = rounded.to_bits();
    let turns = rounded - ROUNDER;
    let r = (-turns).mul_add(HALF_PI, x);
    let r = (-turns).mul_add(HALF_PI_REST, r);
    let z = r * r;
    let sin = (r * z).mul_add(horner(&SIN, z), r);
    let cos = (z * z).mul_add(horner(&COS, z), z.mul_add(-0.5, 1.0));
    let odd = quadrant & 1 != 0;
    let (s, c) = if odd { (cos, sin) } else { (sin, cos) };
    (flip(s, quadrant), flip(c, quadrant.wrapping_add(1)))
}

/// `c_0 + c_1 z + …`
#[inline(always)]
fn horner(coefficients: &[f64; 6], z: f64) -> f64 {
    let [c0, c1, c2, c3, c4, c5] = *coefficients;
    let high = c5.mul_add(z, c4).mul_add(z, c3);
    high.mul_add(z, c2).mul_add(z, c1).mul_add(z, c0)
}

/// Negates in the third and fourth quadrant, counted from zero: bit 1 of the quadrant becomes the sign.
#[inline(always)]
fn flip(value: f64, quadrant: u64) -> f64 {
    f64::from_bits(value.to_bits() ^ ((quadrant & 2) << 62))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two units in the last place of a number near one.
    const TOLERANCE: f64 = 2.3e-16;

    fn check(x: f64) {
        let (sin, cos) = sincos(x);
        assert!(
            (sin - x.sin()).abs() <= TOLERANCE,
            "sin {x}: {sin} against {}",
            x.sin()
        );
        assert!(
            (cos - x.cos()).abs() <= TOLERANCE,
            "cos {x}: {cos} against {}",
            x.cos()
        );
    }

    #[test]
    fn agrees_with_the_standard_library_on_a_grid() {
        (-200_000..200_000).for_each(|i| check(f64::from(i) * 1.234_567e-3));
    }

    #[test]
    fn agrees_near_multiples_of_a_quarter_turn() {
        for k in -1000..1000 {
            let x = f64::from(k) * std::f64::consts::FRAC_PI_4;
            [x, x.next_up(), x.next_down(), -x]
                .into_iter()
                .for_each(check);
        }
        [0.0, -0.0, f64::MIN_POSITIVE, MAX_PHASE, -MAX_PHASE]
            .into_iter()
            .for_each(check);
    }

    proptest! {
        #[test]
        fn agrees_for_every_size(mantissa in 0.5_f64..1.0, exponent in -60_i32..=40, negative: bool) {
            let x = mantissa * 2_f64.powi(exponent);
            check(if negative { -x } else { x });
        }
    }
}
