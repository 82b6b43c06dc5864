//! Eight numbers that are treated alike: one AVX-512 register, two of AVX2, or eight scalars.

/// Numbers in a group.
pub(crate) const LANES: usize = 8;

/// Eight numbers.
pub(crate) type Lanes = [f64; LANES];

/// Reads `n` ≤ 8 numbers; the rest is zero. With `n` = 8 known to the compiler this is a vector load.
#[inline(always)]
pub(crate) fn load(from: &[f64], at: usize, n: usize) -> Lanes {
    let mut lanes = [0.0; LANES];
    if n == LANES {
        lanes.copy_from_slice(&from[at..at + LANES]);
    } else {
        lanes[..n].copy_from_slice(&from[at..at + n]);
    }
    lanes
}

/// Writes the first `n` ≤ 8 numbers.
#[inline(always)]
pub(crate) fn store(to: &mut [f64], at: usize, n: usize, lanes: &Lanes) {
    if n == LANES {
        to[at..at + LANES].copy_from_slice(lanes);
    } else {
        to[at..at + n].copy_from_slice(&lanes[..n]);
    }
}

/// Applies a function to every lane.
#[inline(always)]
pub(crate) fn map(mut a: Lanes, f: impl Fn(f64) -> f64) -> Lanes {
    for a in &mut a {
        *a = f(*a);
    }
    a
}

/// `factor · a`.
#[inline(always)]
pub(crate) fn scale(factor: f64, a: Lanes) -> Lanes {
    map(a, |a| factor * a)
}

/// `a · b`, lane by lane.
#[inline(always)]
pub(crate) fn multiply(a: &Lanes, b: &Lanes) -> Lanes {
    let mut product = *a;
    for (product, b) in product.iter_mut().zip(b) {
        *product *= b;
    }
    product
}

/// `factor · a + b` in one rounding.
#[inline(always)]
pub(crate) fn fma(factor: f64, a: Lanes, b: Lanes) -> Lanes {
    let mut sum = b;
    for (sum, a) in sum.iter_mut().zip(a) {
        *sum = factor.mul_add(a, *sum);
    }
    sum
}

/// `a · b + c` in one rounding, lane by lane.
#[inline(always)]
pub(crate) fn fma_lanes(a: &Lanes, b: &Lanes, c: &Lanes) -> Lanes {
    let mut sum = *c;
    for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
        *sum = a.mul_add(*b, *sum);
    }
    sum
}

/// The sum of the eight lanes, always in this order.
#[inline(always)]
pub(crate) fn sum(a: &Lanes) -> f64 {
    ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
}

/// Adds up `term(at, n)` for all groups of a list of the given length: `n` = 8 numbers from `at` on, or what is left at the end.
#[inline(always)]
pub(crate) fn sum_over(length: usize, term: impl Fn(usize, usize) -> Lanes) -> f64 {
    let mut total = [0.0; LANES];
    let whole = length - length % LANES;
    for at in (0..whole).step_by(LANES) {
        let term = term(at, LANES);
        for (total, term) in total.iter_mut().zip(term) {
            *total += term;
        }
    }
    if whole < length {
        let term = term(whole, length - whole);
        for (total, term) in total.iter_mut().zip(term) {
            *total += term;
        }
    }
    sum(&total)
}
