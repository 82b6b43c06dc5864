//! Copies between a state and the tiles that the other kernels work on.

use super::mix::{Turn, is_real, is_real_after, turn_column, unrolled};
use super::vector::{Number, Vector};
use ndarray::{ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis};

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
    #[inline(always)]
    fn at(self, row: usize) -> usize {
        row / self.block * self.block_pitch + row % self.block * self.pitch
    }
}

/// Copies a tile; what a row does not fill becomes zero.
#[inline(always)]
pub(crate) fn gather<V: Vector>(from: ArrayView2<'_, V::Real>, to: &mut [V::Real], rows: Rows) {
    let width = from.ncols();
    let whole = width - width % V::Real::LANES;
    for (row, from) in from.outer_iter().enumerate() {
        let (Some(from), to) = (from.to_slice(), &mut to[rows.at(row)..][..rows.pitch]) else {
            continue;
        };
        for at in (0..whole).step_by(V::Real::LANES) {
            V::load(from, at).store(to, at);
        }
        to[whole..width].copy_from_slice(&from[whole..]);
        to[width..].fill(V::Real::default());
    }
}

/// Copies a tile back.
#[inline(always)]
pub(crate) fn scatter<V: Vector>(from: &[V::Real], rows: Rows, mut to: ArrayViewMut2<'_, V::Real>) {
    let width = to.ncols();
    let whole = width - width % V::Real::LANES;
    for (row, mut to) in to.outer_iter_mut().enumerate() {
        let (Some(to), from) = (to.as_slice_mut(), &from[rows.at(row)..][..width]) else {
            continue;
        };
        for at in (0..whole).step_by(V::Real::LANES) {
            V::load(from, at).store(to, at);
        }
        to[whole..].copy_from_slice(&from[whole..]);
    }
}

/// [`gather`], and turns the log2 N qubits that are the highest bits of a row's number. Rows are whole vectors.
#[inline(always)]
pub(crate) fn gather_turned<V: Vector, const N: usize>(
    from: (ArrayView2<'_, V::Real>, ArrayView2<'_, V::Real>),
    (re, im): (&mut [V::Real], &mut [V::Real]),
    rows: Rows,
    turn: Turn,
) {
    match turn {
        Turn::Tangent(t) => gather_turned_by::<V, N, false>(from, (re, im), rows, t),
        Turn::Cotangent(t) => gather_turned_by::<V, N, true>(from, (re, im), rows, t),
    }
}

#[inline(always)]
fn gather_turned_by<V: Vector, const N: usize, const COTANGENT: bool>(
    from: (ArrayView2<'_, V::Real>, ArrayView2<'_, V::Real>),
    (re, im): (&mut [V::Real], &mut [V::Real]),
    rows: Rows,
    t: f64,
) {
    let t = V::splat(V::Real::from_f64(t));
    let (part, width) = (from.0.nrows() / N, from.0.ncols());
    for row in 0..part {
        let from_re: [&[V::Real]; N] = std::array::from_fn(|j| row_of(&from.0, row + j * part));
        let from_im: [&[V::Real]; N] = std::array::from_fn(|j| row_of(&from.1, row + j * part));
        let to: [usize; N] = std::array::from_fn(|j| rows.at(row + j * part));
        for at in (0..width).step_by(V::Real::LANES) {
            gather_half::<V, N, COTANGENT, false>(t, [&from_re, &from_im], (re, im), &to, at);
            gather_half::<V, N, COTANGENT, true>(t, [&from_re, &from_im], (re, im), &to, at);
        }
    }
}

#[inline(always)]
fn gather_half<V: Vector, const N: usize, const COTANGENT: bool, const ODD: bool>(
    t: V,
    from: [&[&[V::Real]; N]; 2],
    to: (&mut [V::Real], &mut [V::Real]),
    rows: &[usize; N],
    at: usize,
) {
    let mut half = [t; N];
    unrolled!(j < N, {
        half[j] = V::load(
            if is_real::<ODD>(j) {
                from[0][j]
            } else {
                from[1][j]
            },
            at,
        )
    });
    turn_column::<V, N, COTANGENT, ODD>(t, &mut half);
    unrolled!(j < N, {
        half[j].store(
            if is_real_after::<N, COTANGENT, ODD>(j) {
                to.0
            } else {
                to.1
            },
            rows[j] + at,
        );
    });
}

#[inline(always)]
fn row_of<'a, T>(matrix: &ArrayView2<'a, T>, row: usize) -> &'a [T] {
    (*matrix)
        .index_axis_move(Axis(0), row)
        .to_slice()
        .unwrap_or_default()
}

/// Turns the log2 N qubits that are the highest bits of a row's number, and does as [`scatter`]. Rows are whole vectors.
#[inline(always)]
pub(crate) fn scatter_turned<V: Vector, const N: usize>(
    from: (&[V::Real], &[V::Real]),
    to: (ArrayViewMut2<'_, V::Real>, ArrayViewMut2<'_, V::Real>),
    rows: Rows,
    turn: Turn,
) {
    match turn {
        Turn::Tangent(t) => scatter_turned_by::<V, N, false>(from, to, rows, t),
        Turn::Cotangent(t) => scatter_turned_by::<V, N, true>(from, to, rows, t),
    }
}

#[inline(always)]
fn scatter_turned_by<V: Vector, const N: usize, const COTANGENT: bool>(
    (re, im): (&[V::Real], &[V::Real]),
    (mut to_re, mut to_im): (ArrayViewMut2<'_, V::Real>, ArrayViewMut2<'_, V::Real>),
    rows: Rows,
    t: f64,
) {
    let t = V::splat(V::Real::from_f64(t));
    let (part, width) = (to_re.nrows() / N, to_re.ncols());
    let mut parts_re = to_re.axis_chunks_iter_mut(Axis(0), part);
    let mut parts_im = to_im.axis_chunks_iter_mut(Axis(0), part);
    let mut parts_re: [_; N] = std::array::from_fn(|_| parts_re.next());
    let mut parts_im: [_; N] = std::array::from_fn(|_| parts_im.next());
    for row in 0..part {
        let mut to_re: [&mut [V::Real]; N] = std::array::from_fn(|_| Default::default());
        let mut to_im: [&mut [V::Real]; N] = std::array::from_fn(|_| Default::default());
        to_re
            .iter_mut()
            .zip(&mut parts_re)
            .for_each(|(to, part)| *to = row_of_mut(part, row));
        to_im
            .iter_mut()
            .zip(&mut parts_im)
            .for_each(|(to, part)| *to = row_of_mut(part, row));
        let from: [usize; N] = std::array::from_fn(|j| rows.at(row + j * part));
        for at in (0..width).step_by(V::Real::LANES) {
            scatter_half::<V, N, COTANGENT, false>(
                t,
                (re, im),
                [&mut to_re, &mut to_im],
                &from,
                at,
            );
            scatter_half::<V, N, COTANGENT, true>(t, (re, im), [&mut to_re, &mut to_im], &from, at);
        }
    }
}

#[inline(always)]
fn scatter_half<V: Vector, const N: usize, const COTANGENT: bool, const ODD: bool>(
    t: V,
    from: (&[V::Real], &[V::Real]),
    to: [&mut [&mut [V::Real]; N]; 2],
    rows: &[usize; N],
    at: usize,
) {
    let mut half = [t; N];
    unrolled!(j < N, {
        half[j] = V::load(
            if is_real::<ODD>(j) { from.0 } else { from.1 },
            rows[j] + at,
        )
    });
    turn_column::<V, N, COTANGENT, ODD>(t, &mut half);
    unrolled!(j < N, {
        half[j].store(
            if is_real_after::<N, COTANGENT, ODD>(j) {
                to[0][j]
            } else {
                to[1][j]
            },
            at,
        );
    });
}

/// A row, empty where there is none.
#[inline(always)]
fn row_of_mut<'a, T>(matrix: &'a mut Option<ArrayViewMut2<'_, T>>, row: usize) -> &'a mut [T] {
    let row = matrix.as_mut().map(|matrix| matrix.row_mut(row));
    row.and_then(ArrayViewMut1::into_slice).unwrap_or_default()
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
    for row in (0..rows).step_by(SQUARE) {
        for column in (0..columns).step_by(SQUARE) {
            let (height, width) = (SQUARE.min(rows - row), SQUARE.min(columns - column));
            if height == SQUARE && width == SQUARE {
                let mut square = [[V::Real::default(); SQUARE]; SQUARE];
                for (i, square) in square.iter_mut().enumerate() {
                    square.copy_from_slice(&from[(row + i) * pitch + column..][..SQUARE]);
                }
                for j in 0..SQUARE {
                    let turned: [V::Real; SQUARE] = std::array::from_fn(|i| square[i][j]);
                    to[(column + j) * to_pitch + row..][..SQUARE].copy_from_slice(&turned);
                }
            } else {
                for i in row..row + height {
                    for j in column..column + width {
                        to[j * to_pitch + i] = from[i * pitch + j];
                    }
                }
            }
        }
    }
}
