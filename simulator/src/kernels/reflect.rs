//! `1 + f|w⟩⟨w|` on an axis of one tile, with `f` complex and `w` real, and `Im⟨λ|w⟩⟨w|ψ⟩`. Axes are cut as in `mix`.

use super::mix::unrolled;
use super::reduce::Sum;
use super::vector::{Number, Pack, Vector};
use super::{Tile, TileMut};

/// A complex number in every lane.
pub(super) type Complex<P> = (P, P);

#[inline(always)]
fn splat<P: Pack>(value: f64) -> P {
    P::splat(P::Real::from_f64(value))
}

#[inline(always)]
fn load<P: Pack>((re, im): Tile<P::Real>, at: usize) -> Complex<P> {
    (P::load(re, at), P::load(im, at))
}

/// `sum + w · z`.
#[inline(always)]
fn add<P: Pack>(sum: Complex<P>, w: P, z: Complex<P>) -> Complex<P> {
    (w.mul_add(z.0, sum.0), w.mul_add(z.1, sum.1))
}

/// What a projection is multiplied by.
#[derive(Clone, Copy)]
struct Factor<P>(P, P);

impl<P: Pack> Factor<P> {
    #[inline(always)]
    fn new((a, b): (f64, f64)) -> Self {
        Self(splat(a), splat(b))
    }

    #[inline(always)]
    fn times(self, (x, y): Complex<P>) -> Complex<P> {
        let Self(a, b) = self;
        (b.neg_mul_add(y, a.mul(x)), b.mul_add(x, a.mul(y)))
    }
}

/// `w` on the vectors of an axis, and the lanes among which the axis goes on.
pub(super) trait Axis<P: Pack>: Copy {
    /// How many vectors.
    fn vectors(self) -> usize;
    /// The amplitude of each lane's level in a vector.
    fn weight(self, vector: usize) -> P;
    /// Adds up over the lanes.
    fn across(self, sum: Complex<P>) -> Complex<P>;
}

/// An axis of whole vectors.
#[derive(Clone, Copy)]
pub(super) struct Whole<'a>(pub(super) &'a [f64]);

impl<P: Pack> Axis<P> for Whole<'_> {
    #[inline(always)]
    fn vectors(self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    fn weight(self, vector: usize) -> P {
        splat(self.0[vector])
    }

    #[inline(always)]
    fn across(self, sum: Complex<P>) -> Complex<P> {
        sum
    }
}

/// An axis whose digit's lower bits are lane bits, from the first to below the second; the list holds whole vectors.
#[derive(Clone, Copy)]
struct InLanes<'a, T>((u32, u32), &'a [T]);

impl<V: Vector> Axis<V> for InLanes<'_, V::Real> {
    #[inline(always)]
    fn vectors(self) -> usize {
        self.1.len() / V::Real::LANES
    }

    #[inline(always)]
    fn weight(self, vector: usize) -> V {
        V::load(self.1, vector * V::Real::LANES)
    }

    #[inline(always)]
    fn across(self, mut sum: Complex<V>) -> Complex<V> {
        let (low, high) = self.0;
        unrolled!(bit < V::Real::LANE_BITS as usize, {
            let bit = bit as u32;
            if low <= bit && bit < high {
                sum = (sum.0.add(sum.0.swap(bit)), sum.1.add(sum.1.swap(bit)));
            }
        });
        sum
    }
}

/// Evaluates an expression with a number as a constant where it is one of those listed, and another one where not. Columns of few vectors
/// stay in registers, if there are enough.
macro_rules! with_constant {
    ($number:expr, $($literal:literal)*; $constant:ident => $known:expr, $any:expr) => {
        match $number {
            $($literal => {
                const $constant: usize = $literal;
                $known
            })*
            _ => $any,
        }
    };
}

/// Reflects an axis; `w.len()` is its number of levels.
#[inline(always)]
pub(crate) fn reflect<V: Vector>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    stride: usize,
    w: &[f64],
    factor: (f64, f64),
) {
    let (tile, axis) = ((re, im), Whole(w));
    with_constant!(
        w.len(), 2 3 4 5 6 7 8 9 10;
        D => reflect_few::<V::Part, _, D>(tile, stride, axis, factor),
        reflect_many::<V::Part, _>(tile, stride, axis, factor)
    );
}

/// [`reflect`] on an axis whose digit's lower bits are the lane bits from `low` up to `high`; `w` holds whole vectors, the amplitude of
/// every lane's level, for each value of the digit's other bits.
#[inline(always)]
pub(crate) fn reflect_lanes<V: Vector>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    bits: (u32, u32),
    w: &[V::Real],
    factor: (f64, f64),
) {
    let (tile, axis, stride) = ((re, im), InLanes(bits, w), V::Real::LANES);
    with_constant!(
        w.len() / stride, 1 2 4 8;
        D => reflect_few::<V, _, D>(tile, stride, axis, factor),
        reflect_many::<V, _>(tile, stride, axis, factor)
    );
}

#[inline(always)]
fn reflect_few<P: Pack, A: Axis<P>, const D: usize>(
    (re, im): TileMut<P::Real>,
    stride: usize,
    axis: A,
    factor: (f64, f64),
) {
    let (by, w) = (Factor::new(factor), weights::<P, A, D>(axis));
    for (re, im) in re
        .chunks_exact_mut(D * stride)
        .zip(im.chunks_exact_mut(D * stride))
    {
        for at in (0..stride).step_by(P::LANES) {
            reflect_column(re, im, (at, stride), (axis, &w), by);
        }
    }
}

/// Reflects some columns, and says what their projection was.
#[inline(always)]
fn reflect_column<P: Pack, A: Axis<P>, const D: usize>(
    re: &mut [P::Real],
    im: &mut [P::Real],
    (at, stride): (usize, usize),
    (axis, w): (A, &[P; D]),
    by: Factor<P>,
) -> Complex<P> {
    let column = Column::<P, D>::load((re, im), stride, at);
    let along = axis.across(column.project(w));
    column.store_moved((re, im), stride, at, w, by.times(along));
    along
}

#[inline(always)]
fn reflect_many<P: Pack, A: Axis<P>>(
    (re, im): TileMut<P::Real>,
    stride: usize,
    axis: A,
    factor: (f64, f64),
) {
    let by = Factor::new(factor);
    let block = axis.vectors() * stride;
    for (re, im) in re.chunks_exact_mut(block).zip(im.chunks_exact_mut(block)) {
        for at in (0..stride).step_by(P::LANES) {
            let moved = by.times(project((re, im), stride, at, axis));
            move_column((&mut *re, &mut *im), stride, at, axis, moved);
        }
    }
}

/// Takes the overlap of an axis and reflects it on both states. The overlap is the same before and after, and made of the projections that
/// both reflections need.
#[inline(always)]
pub(crate) fn undo_reflect<V: Vector>(
    psi: TileMut<V::Real>,
    lambda: TileMut<V::Real>,
    stride: usize,
    w: &[f64],
    factor: (f64, f64),
) -> f64 {
    let axis = Whole(w);
    with_constant!(
        w.len(), 2 3 4 5 6 7 8 9 10;
        D => undo_few::<V::Part, _, D>(psi, lambda, stride, axis, factor),
        undo_many::<V::Part, _>(psi, lambda, stride, axis, factor)
    )
}

/// [`undo_reflect`] on an axis with lane bits, given as to [`reflect_lanes`].
#[inline(always)]
pub(crate) fn undo_reflect_lanes<V: Vector>(
    psi: TileMut<V::Real>,
    lambda: TileMut<V::Real>,
    bits: (u32, u32),
    w: &[V::Real],
    factor: (f64, f64),
) -> f64 {
    let (axis, stride) = (InLanes(bits, w), V::Real::LANES);
    let sum = with_constant!(
        w.len() / stride, 1 2 4 8;
        D => undo_few::<V, _, D>(psi, lambda, stride, axis, factor),
        undo_many::<V, _>(psi, lambda, stride, axis, factor)
    );
    // After the sum over lane bits, equal lanes hold the same number.
    sum / f64::from(1_u32 << (bits.1 - bits.0))
}

#[inline(always)]
fn undo_few<P: Pack, A: Axis<P>, const D: usize>(
    psi: TileMut<P::Real>,
    lambda: TileMut<P::Real>,
    stride: usize,
    axis: A,
    factor: (f64, f64),
) -> f64 {
    let (by, w) = (Factor::new(factor), weights::<P, A, D>(axis));
    let mut sum = Sum::ZERO;
    for (psi, lambda) in blocks(psi, lambda, D * stride) {
        for at in (0..stride).step_by(P::LANES) {
            let along_psi = reflect_column(psi.0, psi.1, (at, stride), (axis, &w), by);
            let along_lambda = reflect_column(lambda.0, lambda.1, (at, stride), (axis, &w), by);
            sum.add_at(at, meet(along_psi, along_lambda));
        }
    }
    sum.total()
}

#[inline(always)]
fn undo_many<P: Pack, A: Axis<P>>(
    psi: TileMut<P::Real>,
    lambda: TileMut<P::Real>,
    stride: usize,
    axis: A,
    factor: (f64, f64),
) -> f64 {
    let by = Factor::new(factor);
    let mut sum = Sum::ZERO;
    for (psi, lambda) in blocks(psi, lambda, axis.vectors() * stride) {
        for at in (0..stride).step_by(P::LANES) {
            let along_psi = project((psi.0, psi.1), stride, at, axis);
            let along_lambda = project((lambda.0, lambda.1), stride, at, axis);
            let (psi, lambda) = ((&mut *psi.0, &mut *psi.1), (&mut *lambda.0, &mut *lambda.1));
            move_column(psi, stride, at, axis, by.times(along_psi));
            move_column(lambda, stride, at, axis, by.times(along_lambda));
            sum.add_at(at, meet(along_psi, along_lambda));
        }
    }
    sum.total()
}

/// Blocks of two states.
fn blocks<'a, T>(
    psi: TileMut<'a, T>,
    lambda: TileMut<'a, T>,
    block: usize,
) -> impl Iterator<Item = (TileMut<'a, T>, TileMut<'a, T>)> {
    let [psi, lambda] =
        [psi, lambda].map(|(re, im)| re.chunks_exact_mut(block).zip(im.chunks_exact_mut(block)));
    psi.zip(lambda)
}

/// `Im λ*ψ`.
#[inline(always)]
fn meet<P: Pack>(psi: Complex<P>, lambda: Complex<P>) -> P {
    lambda.1.neg_mul_add(psi.0, lambda.0.mul(psi.1))
}

#[inline(always)]
fn weights<P: Pack, A: Axis<P>, const D: usize>(axis: A) -> [P; D] {
    let mut weights = [splat(0.0); D];
    unrolled!(j < D, { weights[j] = axis.weight(j) });
    weights
}

/// The amplitudes of some columns, in registers.
struct Column<P, const D: usize>([Complex<P>; D]);

impl<P: Pack, const D: usize> Column<P, D> {
    #[inline(always)]
    fn load(psi: Tile<P::Real>, stride: usize, at: usize) -> Self {
        let mut column = [(splat(0.0), splat(0.0)); D];
        unrolled!(j < D, { column[j] = load(psi, j * stride + at) });
        Self(column)
    }

    #[inline(always)]
    fn project(&self, w: &[P; D]) -> Complex<P> {
        let mut sum = (splat(0.0), splat(0.0));
        unrolled!(j < D, { sum = add(sum, w[j], self.0[j]) });
        sum
    }

    #[inline(always)]
    fn store_moved(
        &self,
        (re, im): TileMut<P::Real>,
        stride: usize,
        at: usize,
        w: &[P; D],
        moved: Complex<P>,
    ) {
        unrolled!(j < D, {
            let (x, y) = add(self.0[j], w[j], moved);
            x.store(re, j * stride + at);
            y.store(im, j * stride + at);
        });
    }
}

/// The sum over a column with the axis's weights: `⟨w|ψ⟩`.
#[inline(always)]
pub(super) fn project<P: Pack, A: Axis<P>>(
    psi: Tile<P::Real>,
    stride: usize,
    at: usize,
    axis: A,
) -> Complex<P> {
    let mut sum = (splat(0.0), splat(0.0));
    for j in 0..axis.vectors() {
        sum = add(sum, axis.weight(j), load(psi, j * stride + at));
    }
    axis.across(sum)
}

#[inline(always)]
fn move_column<P: Pack, A: Axis<P>>(
    (re, im): TileMut<P::Real>,
    stride: usize,
    at: usize,
    axis: A,
    moved: Complex<P>,
) {
    for j in 0..axis.vectors() {
        let at = j * stride + at;
        let (x, y) = add(load((&*re, &*im), at), axis.weight(j), moved);
        x.store(re, at);
        y.store(im, at);
    }
}
