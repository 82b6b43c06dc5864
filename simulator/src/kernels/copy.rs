//! Copies between a state and the tiles that the other kernels work on.

use super::mix::{Factors, Turn, halves, rows_mut, turn_column, unrolled};
use super::vector::{Number, Pack, Vector};
use super::{Tile, TileMut};
use ndarray::{ArrayView2, ArrayViewMut2, Axis};

/// Rows and columns that are transposed together.
const SQUARE: usize = 8;

/// Where the rows of a tile in memory stand in a thread's copy: blocks of `block` rows, `pitch` numbers apart, blocks `block_pitch`
/// numbers apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) block: usize,
    pub(crate) pitch: usize,
    pub(crate) block_pitch: usize,
}

impl Rows {
    /// Where one row after the other stands.
    #[inline(always)]
    fn places(self) -> impl Iterator<Item = usize> {
        (0..)
            .step_by(self.block_pitch)
            .flat_map(move |block| (0..self.block).map(move |row| block + row * self.pitch))
    }
}

/// Copies a tile; what a row does not fill becomes zero.
#[inline(always)]
pub(crate) fn gather<V: Vector>(from: ArrayView2<'_, V::Real>, to: &mut [V::Real], rows: Rows) {
    let width = from.ncols();
    let zero = V::splat(V::Real::default());
    for (from, at) in from.outer_iter().zip(rows.places()) {
        let (Some(from), to) = (from.to_slice(), &mut to[at..][..rows.pitch]) else {
            continue;
        };
        for at in (width - width % V::Real::LANES..rows.pitch).step_by(V::Real::LANES) {
            zero.store(to, at);
        }
        copy_row::<V>(from, &mut to[..width]);
    }
}

/// Copies a row of any length: where its end does not fill a vector, the last one overlaps the one before. A call that copies a few
/// numbers would take longer than all else.
#[inline(always)]
fn copy_row<V: Vector>(from: &[V::Real], to: &mut [V::Real]) {
    let width = to.len();
    if width < V::Real::LANES {
        return copy_short(from, to);
    }
    for at in (0..=width - V::Real::LANES).step_by(V::Real::LANES) {
        V::load(from, at).store(to, at);
    }
    if !width.is_multiple_of(V::Real::LANES) {
        let last = width - V::Real::LANES;
        V::load(from, last).store(to, last);
    }
}

/// The same below one vector.
#[inline(always)]
fn copy_short<T: Number>(from: &[T], to: &mut [T]) {
    match to.len() {
        8.. => copy_ends::<T, 8>(from, to),
        4.. => copy_ends::<T, 4>(from, to),
        2.. => copy_ends::<T, 2>(from, to),
        1.. => copy_ends::<T, 1>(from, to),
        0 => {}
    }
}

/// Copies the first and the last N numbers.
#[inline(always)]
fn copy_ends<T: Number, const N: usize>(from: &[T], to: &mut [T]) {
    let last = to.len() - N;
    for at in [0, last] {
        let mut some = [T::default(); N];
        some.copy_from_slice(&from[at..at + N]);
        to[at..at + N].copy_from_slice(&some);
    }
}

/// Copies a tile back.
#[inline(always)]
pub(crate) fn scatter<V: Vector>(from: &[V::Real], rows: Rows, mut to: ArrayViewMut2<'_, V::Real>) {
    let width = to.ncols();
    for (mut to, at) in to.outer_iter_mut().zip(rows.places()) {
        if let Some(to) = to.as_slice_mut() {
            copy_row::<V>(&from[at..][..width], to);
        }
    }
}

/// [`gather`], and turns the log2 N qubits that are the highest bits of a row's number. Rows are whole vectors, and as many blocks as
/// there are values of those bits.
#[inline(always)]
pub(crate) fn gather_turned<V: Vector, const N: usize>(
    from: (ArrayView2<'_, V::Real>, ArrayView2<'_, V::Real>),
    (re, im): TileMut<V::Real>,
    rows: Rows,
    turn: Turn,
) {
    let by = Factors::<V::Part>::new(turn);
    let (part, width) = (from.0.nrows() / N, from.0.ncols());
    let stride = part / rows.block * rows.block_pitch;
    for (row, at) in (0..part).zip(rows.places()) {
        let row_of = |list, j: usize| row_of(list, row + j * part, width);
        let from = [&from.0, &from.1].map(|list| std::array::from_fn(|j| row_of(list, j)));
        gather_rows::<V::Part, N>(by, from, (&mut *re, &mut *im), stride, at);
    }
}

/// Turns N rows, and writes them from `at` on, `stride` numbers apart.
#[inline(always)]
fn gather_rows<P: Pack, const N: usize>(
    by: Factors<P>,
    [re, im]: [[&[P::Real]; N]; 2],
    to: TileMut<P::Real>,
    stride: usize,
    at: usize,
) {
    let columns = at..at + re[0].len();
    let to = (
        rows_mut::<_, N>(to.0, stride, columns.clone()),
        rows_mut::<_, N>(to.1, stride, columns),
    );
    move_rows(by, halves(re, im), halves(to.0, to.1));
}

/// Turns the rows of both halves on their way.
#[inline(always)]
fn move_rows<P: Pack, const N: usize>(
    by: Factors<P>,
    [even, odd]: [[&[P::Real]; N]; 2],
    [mut to_even, mut to_odd]: [[&mut [P::Real]; N]; 2],
) {
    move_half::<P, N, false>(by, &even, &mut to_even);
    move_half::<P, N, true>(by, &odd, &mut to_odd);
}

#[inline(always)]
fn move_half<P: Pack, const N: usize, const ODD: bool>(
    by: Factors<P>,
    from: &[&[P::Real]; N],
    to: &mut [&mut [P::Real]; N],
) {
    for at in (0..from[0].len()).step_by(P::LANES) {
        let mut half = [P::splat(P::Real::default()); N];
        unrolled!(j < N, { half[j] = P::load(from[j], at) });
        turn_column::<P, N, ODD>(by, &mut half, &mut ());
        unrolled!(j < N, { half[j].store(to[j], at) });
    }
}

/// The first `width` numbers of a row.
#[inline(always)]
fn row_of<'a, T>(matrix: &ArrayView2<'a, T>, row: usize, width: usize) -> &'a [T] {
    let row = (*matrix).index_axis_move(Axis(0), row).to_slice();
    &row.unwrap_or_default()[..width]
}

/// Turns the log2 N qubits that are the highest bits of a row's number, and does as [`scatter`]. Rows are as in [`gather_turned`].
#[inline(always)]
pub(crate) fn scatter_turned<V: Vector, const N: usize>(
    (re, im): Tile<V::Real>,
    (mut to_re, mut to_im): (ArrayViewMut2<'_, V::Real>, ArrayViewMut2<'_, V::Real>),
    rows: Rows,
    turn: Turn,
) {
    let by = Factors::<V::Part>::new(turn);
    let (part, width) = (to_re.nrows() / N, to_re.ncols());
    let stride = part / rows.block * rows.block_pitch;
    let mut parts_re = to_re.axis_chunks_iter_mut(Axis(0), part);
    let mut parts_im = to_im.axis_chunks_iter_mut(Axis(0), part);
    let mut parts_re: [_; N] = std::array::from_fn(|_| parts_re.next());
    let mut parts_im: [_; N] = std::array::from_fn(|_| parts_im.next());
    for (row, at) in (0..part).zip(rows.places()) {
        let to = [
            rows_of_mut::<_, N>(&mut parts_re, row, width),
            rows_of_mut::<_, N>(&mut parts_im, row, width),
        ];
        scatter_rows::<V::Part, N>(by, (re, im), to, stride, at);
    }
}

/// Turns N rows that stand from `at` on, `stride` numbers apart, and writes them.
#[inline(always)]
fn scatter_rows<P: Pack, const N: usize>(
    by: Factors<P>,
    from: Tile<P::Real>,
    [re, im]: [[&mut [P::Real]; N]; 2],
    stride: usize,
    at: usize,
) {
    let width = re[0].len();
    let from_re = std::array::from_fn(|j| &from.0[j * stride + at..][..width]);
    let from_im = std::array::from_fn(|j| &from.1[j * stride + at..][..width]);
    move_rows(by, halves(from_re, from_im), halves(re, im));
}

/// The first `width` numbers of a row of each of N parts.
#[inline(always)]
fn rows_of_mut<'a, T, const N: usize>(
    parts: &'a mut [Option<ArrayViewMut2<'_, T>>; N],
    row: usize,
    width: usize,
) -> [&'a mut [T]; N] {
    let mut rows: [&mut [T]; N] = std::array::from_fn(|_| Default::default());
    for (to, part) in rows.iter_mut().zip(parts) {
        let row = part
            .as_mut()
            .and_then(|part| part.row_mut(row).into_slice());
        *to = &mut row.unwrap_or_default()[..width];
    }
    rows
}

/// Copies a matrix of `rows` rows, `pitch` numbers apart and `columns` wide, with its columns as rows `to_pitch` apart.
#[inline(always)]
pub(crate) fn transpose<V: Vector>(
    from: &[V::Real],
    pitch: usize,
    (rows, columns): (usize, usize),
    to: &mut [V::Real],
    to_pitch: usize,
) {
    if rows < SQUARE || columns < SQUARE {
        for i in 0..rows {
            for j in 0..columns {
                to[j * to_pitch + i] = from[i * pitch + j];
            }
        }
        return;
    }
    // The last squares overlap those before.
    for row in (0..rows).step_by(SQUARE) {
        let row = row.min(rows - SQUARE);
        for column in (0..columns).step_by(SQUARE) {
            let column = column.min(columns - SQUARE);
            let mut square = [[V::Real::default(); SQUARE]; SQUARE];
            for (i, square) in square.iter_mut().enumerate() {
                square.copy_from_slice(&from[(row + i) * pitch + column..][..SQUARE]);
            }
            for j in 0..SQUARE {
                let turned: [V::Real; SQUARE] = std::array::from_fn(|i| square[i][j]);
                to[(column + j) * to_pitch + row..][..SQUARE].copy_from_slice(&turned);
            }
        }
    }
}
