//! Phases on one tile.

use super::sincos::sincos;
use super::vector::{Number, Vector};
use super::{Tile, TileMut};

/// `e^{-i(γC + offset)}`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Angle {
    pub(crate) gamma: f64,
    pub(crate) offset: f64,
}

impl Angle {
    /// Real and imaginary part for a cost.
    #[inline(always)]
    fn factor(self, cost: f64) -> (f64, f64) {
        let (sin, cos) = sincos(self.gamma * cost + self.offset);
        (cos, -sin)
    }
}

/// Writes cost (r, c) of a matrix: `own(r, c) + (row(r) + column(c))`.
#[inline(always)]
pub(crate) fn costs<V: Vector>(to: &mut [f64], own: &[f64], rows: &[f64], columns: &[f64]) {
    let width = columns.len();
    let matrix = to.chunks_exact_mut(width).zip(own.chunks_exact(width));
    for ((to, own), row) in matrix.zip(rows) {
        for ((to, own), column) in to.iter_mut().zip(own).zip(columns) {
            *to = own + (row + column);
        }
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
            let factor = times(times((a, b), load(columns, at)), load((t_re, t_im), at));
            multiply::<V>((&mut *re, &mut *im), at, factor);
        }
    }
}

/// Multiplies every amplitude by its factor.
#[inline(always)]
fn phase_table<V: Vector>(re: &mut [V::Real], im: &mut [V::Real], table: Tile<V::Real>) {
    for at in (0..re.len()).step_by(V::Real::LANES) {
        multiply::<V>((&mut *re, &mut *im), at, load(table, at));
    }
}

/// How a row's product of factors comes about: what another row left, times one factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Product {
    /// The number of the factor.
    factor: usize,
    /// The place of what was left, a later one than the row's own.
    from: usize,
    /// Where the product is left for others.
    to: usize,
}

impl Product {
    /// Of the rows after the first, in order. Their axes have so many levels, the first one fastest; each axis has a factor for all its digits
    /// but 0, in their order after factor 0, which all rows have. A row's lowest digit that is not 0 is the last to come to its
    /// product and is the place where that is left; the last place holds factor 0.
    pub(crate) fn all(levels: &[usize]) -> Vec<Self> {
        let lowest = |row: usize| {
            let (mut rest, mut factor, mut below) = (row, 1, 1);
            for (axis, &d) in levels.iter().enumerate() {
                let digit = rest % d;
                if digit > 0 {
                    return (axis, factor + digit - 1, row - digit * below);
                }
                (rest, factor, below) = (rest / d, factor + d - 1, below * d);
            }
            (levels.len(), 0, 0)
        };
        let product = |row: usize| {
            let (to, factor, without) = lowest(row);
            let (from, ..) = lowest(without);
            Self { factor, from, to }
        };
        (1..levels.iter().product()).map(product).collect()
    }
}

/// Multiplies amplitude (r, c) of a matrix by `rows(r)` and the product of the row's factors at c. `places` is room for the products that
/// are left, one an axis and one.
#[inline(always)]
pub(crate) fn phase_split<V: Vector>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    rows: Tile<V::Real>,
    factors: Tile<V::Real>,
    products: &[Product],
    places: TileMut<V::Real>,
) {
    let width = re.len() / rows.0.len();
    let first = (&factors.0[..width], &factors.1[..width]);
    let last = places.0.len() - width;
    places.0[last..].copy_from_slice(first.0);
    places.1[last..].copy_from_slice(first.1);
    let mut matrix = re.chunks_exact_mut(width).zip(im.chunks_exact_mut(width));
    let mut scalars = rows.0.iter().zip(rows.1);
    if let (Some((re, im)), Some((&a, &b))) = (matrix.next(), scalars.next()) {
        let scalar = (V::splat(a), V::splat(b));
        for at in (0..width).step_by(V::Real::LANES) {
            multiply::<V>((re, im), at, times(load(first, at), scalar));
        }
    }
    for (((re, im), (&a, &b)), product) in matrix.zip(scalars).zip(products) {
        let scalar = (V::splat(a), V::splat(b));
        let (to, from) = (product.to * width, (product.from - product.to - 1) * width);
        let (low_re, high_re) = places.0.split_at_mut(to + width);
        let (low_im, high_im) = places.1.split_at_mut(to + width);
        let left = (&high_re[from..][..width], &high_im[from..][..width]);
        let kept = (&mut low_re[to..][..width], &mut low_im[to..][..width]);
        let factor = product.factor * width;
        let factor = (&factors.0[factor..][..width], &factors.1[factor..][..width]);
        // No row comes from one whose lowest axis has a digit.
        let keep = product.to > 0;
        for at in (0..width).step_by(V::Real::LANES) {
            let product: (V, V) = times(load(left, at), load(factor, at));
            if keep {
                product.0.store(kept.0, at);
                product.1.store(kept.1, at);
            }
            multiply::<V>((&mut *re, &mut *im), at, times(product, scalar));
        }
    }
}

#[inline(always)]
fn load<V: Vector>((re, im): Tile<V::Real>, at: usize) -> (V, V) {
    (V::load(re, at), V::load(im, at))
}

/// Multiplies a vector of amplitudes.
#[inline(always)]
fn multiply<V: Vector>((re, im): TileMut<V::Real>, at: usize, factor: (V, V)) {
    let (x, y) = times(factor, load((&*re, &*im), at));
    x.store(re, at);
    y.store(im, at);
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

/// The diagonal operator `min(C, ceiling) − center`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weight {
    /// Costs above count as this.
    pub(crate) ceiling: f64,
    /// What is taken off.
    pub(crate) center: f64,
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
        let factor = cost.min(weight.ceiling) - weight.center;
        *re = V::Real::from_f64(factor * x.to_f64());
        *im = V::Real::from_f64(factor * y.to_f64());
    }
}
