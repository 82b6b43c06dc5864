//! Sums over one tile, always in double precision and in eight lanes: lane `i mod 8` for amplitude `i`.

use super::Tile;
use super::vector::{Number, Vector};

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

    /// The sum of the lanes, always in this order.
    #[inline(always)]
    pub(crate) fn total(self) -> f64 {
        let a = self.0;
        ((a[0] + a[4]) + (a[2] + a[6])) + ((a[1] + a[5]) + (a[3] + a[7]))
    }
}

/// Adds up `term(i)` for all `i` below `length`.
#[inline(always)]
pub(crate) fn probability_lanes(length: usize, term: impl Fn(usize) -> f64) -> f64 {
    let mut sum = Sum::ZERO;
    let whole = length - length % LANES;
    for at in (0..whole).step_by(LANES) {
        for lane in 0..LANES {
            sum.0[lane] += term(at + lane);
        }
    }
    for i in whole..length {
        sum.0[i - whole] += term(i);
    }
    sum.total()
}

/// `|re + i·im|²` of amplitude `i`.
#[inline(always)]
fn probability<T: Number>((re, im): Tile<T>, i: usize) -> f64 {
    let (x, y) = (re[i].to_f64(), im[i].to_f64());
    x * x + y * y
}

/// `Σ|ψ|²`.
#[inline(always)]
pub(crate) fn norm<V: Vector>((re, im): Tile<V::Real>) -> f64 {
    let im = &im[..re.len()];
    probability_lanes(re.len(), |i| probability((re, im), i))
}

/// `Σ|ψ|²(C − center)`.
#[inline(always)]
pub(crate) fn mean<V: Vector>((re, im): Tile<V::Real>, cost: &[f64], center: f64) -> f64 {
    let (im, cost) = (&im[..re.len()], &cost[..re.len()]);
    probability_lanes(re.len(), |i| probability((re, im), i) * (cost[i] - center))
}

/// `Σ|ψ|²(C − center)²`.
#[inline(always)]
pub(crate) fn spread<V: Vector>((re, im): Tile<V::Real>, cost: &[f64], center: f64) -> f64 {
    let (im, cost) = (&im[..re.len()], &cost[..re.len()]);
    probability_lanes(re.len(), |i| {
        probability((re, im), i) * ((cost[i] - center) * (cost[i] - center))
    })
}

/// `Σ|ψ|² min(C − q, 0)`.
#[inline(always)]
pub(crate) fn shortfall<V: Vector>((re, im): Tile<V::Real>, cost: &[f64], q: f64) -> f64 {
    let (im, cost) = (&im[..re.len()], &cost[..re.len()]);
    probability_lanes(re.len(), |i| {
        probability((re, im), i) * (cost[i] - q).min(0.0)
    })
}

/// `Σ|ψ|²` over the costs up to `threshold`.
#[inline(always)]
pub(crate) fn weight_up_to<V: Vector>(
    (re, im): Tile<V::Real>,
    cost: &[f64],
    threshold: f64,
) -> f64 {
    let (im, cost) = (&im[..re.len()], &cost[..re.len()]);
    probability_lanes(re.len(), |i| {
        if cost[i] <= threshold {
            probability((re, im), i)
        } else {
            0.0
        }
    })
}
