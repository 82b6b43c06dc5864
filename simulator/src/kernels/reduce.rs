//! Sums over one tile, always in double precision and in eight lanes: lane `i mod 8` for amplitude `i`.

use super::Tile;
use super::vector::{Number, Pack, Vector};

/// Lanes of a sum.
const LANES: usize = 8;

/// Eight running sums.
#[derive(Clone, Copy)]
pub(crate) struct Sum([f64; LANES]);

impl Sum {
    pub(crate) const ZERO: Self = Self([0.0; LANES]);

    /// Adds a vector, lane by lane.
    #[inline(always)]
    pub(crate) fn add<V: Vector>(&mut self, vector: V) {
        // Sixteen singles at most.
        let mut numbers = [V::Real::default(); 2 * LANES];
        vector.store(&mut numbers, 0);
        for half in 0..V::Real::LANES / LANES {
            for lane in 0..LANES {
                self.0[lane] += numbers[half * LANES + lane].to_f64();
            }
        }
    }

    /// Adds numbers that begin at place `at` of a list, lane by lane.
    #[inline(always)]
    pub(crate) fn add_at<P: Pack>(&mut self, at: usize, pack: P) {
        let mut numbers = [P::Real::default(); 2 * LANES];
        pack.store(&mut numbers, 0);
        // Known to the compiler where a pack has a number for every lane.
        let first = if P::LANES < LANES { at % LANES } else { 0 };
        for (place, number) in numbers.iter().take(P::LANES).enumerate() {
            self.0[(first + place) % LANES] += number.to_f64();
        }
    }

    /// The sum of the lanes, always in this order.
    #[inline(always)]
    pub(crate) fn total(self) -> f64 {
        let a = self.0;
        ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
    }
}

/// Adds up a term of the numbers at each place of K lists and one further list, all of the same length.
#[inline(always)]
pub(crate) fn sum_of<T: Number, U: Number, const K: usize>(
    lists: [&[T]; K],
    further: &[U],
    term: impl Fn([f64; K], f64) -> f64,
) -> f64 {
    let mut sum = Sum::ZERO;
    let whole = further.len() - further.len() % LANES;
    for at in (0..whole).step_by(LANES) {
        // Eight numbers at a time: with checks of every index the loop would not become vector code.
        let mut eights = [[0.0; LANES]; K];
        for (to, list) in eights.iter_mut().zip(&lists) {
            *to = eight(list, at);
        }
        let further = eight(further, at);
        for lane in 0..LANES {
            let mut numbers = [0.0; K];
            for (to, eight) in numbers.iter_mut().zip(&eights) {
                *to = eight[lane];
            }
            sum.0[lane] += term(numbers, further[lane]);
        }
    }
    for i in whole..further.len() {
        let mut numbers = [0.0; K];
        for (to, list) in numbers.iter_mut().zip(&lists) {
            *to = list[i].to_f64();
        }
        sum.0[i - whole] += term(numbers, further[i].to_f64());
    }
    sum.total()
}

#[inline(always)]
fn eight<T: Number>(list: &[T], at: usize) -> [f64; LANES] {
    let mut eight = [0.0; LANES];
    for (to, number) in eight.iter_mut().zip(&list[at..at + LANES]) {
        *to = number.to_f64();
    }
    eight
}

/// `Σ|ψ|²`.
#[inline(always)]
pub(crate) fn norm<V: Vector>((re, im): Tile<V::Real>) -> f64 {
    sum_of([re], im, |[x], y| x * x + y * y)
}

/// `Σ|ψ|²·weight(C)`.
#[inline(always)]
fn weighted<T: Number>((re, im): Tile<T>, cost: &[f64], weight: impl Fn(f64) -> f64) -> f64 {
    let cost = &cost[..re.len()];
    sum_of([re, im], cost, |[x, y], cost| {
        (x * x + y * y) * weight(cost)
    })
}

/// `Σ|ψ|²(C − center)`.
#[inline(always)]
pub(crate) fn mean<V: Vector>(psi: Tile<V::Real>, cost: &[f64], center: f64) -> f64 {
    weighted(psi, cost, |cost| cost - center)
}

/// `Σ|ψ|²(C − center)²`.
#[inline(always)]
pub(crate) fn spread<V: Vector>(psi: Tile<V::Real>, cost: &[f64], center: f64) -> f64 {
    weighted(psi, cost, |cost| (cost - center) * (cost - center))
}

/// `Σ|ψ|² min(C − q, 0)`.
#[inline(always)]
pub(crate) fn shortfall<V: Vector>(psi: Tile<V::Real>, cost: &[f64], q: f64) -> f64 {
    weighted(psi, cost, |cost| (cost - q).min(0.0))
}

/// `Σ|ψ|²` over the costs up to `threshold`.
#[inline(always)]
pub(crate) fn weight_up_to<V: Vector>(psi: Tile<V::Real>, cost: &[f64], threshold: f64) -> f64 {
    weighted(psi, cost, |cost| if cost <= threshold { 1.0 } else { 0.0 })
}
