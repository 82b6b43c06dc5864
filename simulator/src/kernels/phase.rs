//! Phases on one tile.

use super::Tile;
use super::sincos::sincos;
use super::vector::{Number, Vector};

/// `scale · e^{-i(γC + offset)}`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Angle {
    pub(crate) gamma: f64,
    pub(crate) offset: f64,
    pub(crate) scale: f64,
}

impl Angle {
    /// Real and imaginary part for a cost.
    #[inline(always)]
    fn factor(self, cost: f64) -> (f64, f64) {
        let (sin, cos) = sincos(self.gamma * cost + self.offset);
        (self.scale * cos, -(self.scale * sin))
    }
}

/// Multiplies every amplitude by the phase of its cost.
#[inline(always)]
pub(crate) fn phase<V: Vector>(re: &mut [V::Real], im: &mut [V::Real], cost: &[f64], angle: Angle) {
    for ((re, im), &cost) in re.iter_mut().zip(im).zip(cost) {
        let (a, b) = angle.factor(cost);
        let (x, y) = (re.to_f64(), im.to_f64());
        *re = V::Real::from_f64(x * a - y * b);
        *im = V::Real::from_f64(x * b + y * a);
    }
}

/// Writes the phases of a list of costs.
#[inline(always)]
pub(crate) fn phases<V: Vector>(
    cost: &[f64],
    angle: Angle,
    re: &mut [V::Real],
    im: &mut [V::Real],
) {
    for ((re, im), &cost) in re.iter_mut().zip(im).zip(cost) {
        let (a, b) = angle.factor(cost);
        (*re, *im) = (V::Real::from_f64(a), V::Real::from_f64(b));
    }
}

/// Multiplies amplitude (r, c) of a matrix by `table(r, c) · row(r) · column(c)`.
#[inline(always)]
pub(crate) fn phase_product<V: Vector>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    table: Tile<V::Real>,
    rows: Tile<V::Real>,
    columns: Tile<V::Real>,
) {
    let width = columns.0.len();
    let matrix = re.chunks_exact_mut(width).zip(im.chunks_exact_mut(width));
    let tables = table.0.chunks_exact(width).zip(table.1.chunks_exact(width));
    for (((re, im), (t_re, t_im)), (&a, &b)) in matrix.zip(tables).zip(rows.0.iter().zip(rows.1)) {
        let (a, b) = (V::splat(a), V::splat(b));
        for at in (0..width).step_by(V::Real::LANES) {
            let column = times((a, b), (V::load(columns.0, at), V::load(columns.1, at)));
            let factor = times(column, (V::load(t_re, at), V::load(t_im, at)));
            let (x, y) = times(factor, (V::load(re, at), V::load(im, at)));
            x.store(re, at);
            y.store(im, at);
        }
    }
}

/// Multiplies every amplitude by its factor.
#[inline(always)]
fn phase_table<V: Vector>(re: &mut [V::Real], im: &mut [V::Real], table: Tile<V::Real>) {
    for at in (0..re.len()).step_by(V::Real::LANES) {
        let factor = (V::load(table.0, at), V::load(table.1, at));
        let (x, y): (V, V) = times(factor, (V::load(re, at), V::load(im, at)));
        x.store(re, at);
        y.store(im, at);
    }
}

/// Amplitudes whose factors are looked up before they are multiplied: so many that what was written is no longer on its way.
const STRIP: usize = 128;

/// Multiplies every amplitude by the factor at its step.
#[inline(always)]
pub(crate) fn phase_steps<V: Vector>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    steps: &[u16],
    table: Tile<V::Real>,
) {
    let (mut a, mut b) = ([V::Real::default(); STRIP], [V::Real::default(); STRIP]);
    for ((re, im), steps) in re
        .chunks_mut(STRIP)
        .zip(im.chunks_mut(STRIP))
        .zip(steps.chunks(STRIP))
    {
        for ((a, b), &step) in a.iter_mut().zip(&mut b).zip(steps) {
            (*a, *b) = (table.0[usize::from(step)], table.1[usize::from(step)]);
        }
        phase_table::<V>(re, im, (&a, &b));
    }
}

/// The product of two complex numbers.
#[inline(always)]
fn times<V: Vector>((a, b): (V, V), (x, y): (V, V)) -> (V, V) {
    (b.neg_mul_add(y, a.mul(x)), b.mul_add(x, a.mul(y)))
}

/// The diagonal operator `scale · (min(C, ceiling) − center)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weight {
    /// Costs above count as this.
    pub(crate) ceiling: f64,
    /// What is taken off.
    pub(crate) center: f64,
    /// The factor.
    pub(crate) scale: f64,
}

/// Writes `λ = weight · ψ`.
#[inline(always)]
pub(crate) fn weigh<V: Vector>(
    psi: Tile<V::Real>,
    re: &mut [V::Real],
    im: &mut [V::Real],
    cost: &[f64],
    weight: Weight,
) {
    for (((re, im), (&x, &y)), &cost) in
        re.iter_mut().zip(im).zip(psi.0.iter().zip(psi.1)).zip(cost)
    {
        let factor = weight.scale * (cost.min(weight.ceiling) - weight.center);
        *re = V::Real::from_f64(factor * x.to_f64());
        *im = V::Real::from_f64(factor * y.to_f64());
    }
}
