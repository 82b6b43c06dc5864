//! `Im⟨λ|B_k|ψ⟩` and `Im⟨λ|C|ψ⟩` on one tile. Axes are cut as in `mix`. An overlap is the same before and after a turn, so it is
//! taken where both states are read to be turned.

use super::mix::{
    Factors, Turn, halves, is_real, project, project_lanes, rows_mut, turn_column, turn_lanes_at,
    unrolled, with_known_length,
};
use super::reduce::{Sum, sum_of};
use super::vector::{Number, Pack, Vector};
use super::{Tile, TileMut};
use std::ops::Range;

/// Of X on log2 N neighbouring qubits, the lowest with the given stride; N = 2, 4, 8 or 16.
#[inline(always)]
pub(crate) fn overlap_turn<V: Vector, const N: usize>(
    psi: Tile<V::Real>,
    lambda: Tile<V::Real>,
    stride: usize,
) -> f64 {
    let mut sum = Sum::ZERO;
    for start in (0..psi.0.len()).step_by(N * stride) {
        for at in (0..stride).step_by(V::Part::LANES) {
            sum.add_at(
                at,
                overlap_at::<V::Part, N>(psi, lambda, stride, start + at),
            );
        }
    }
    sum.total()
}

/// Columns that are taken together, in vectors: so few that sixteen rows of two states stay in L1.
const COLUMNS: usize = 4;

/// [`overlap_turn`], and turns the qubits on both states, two at a time.
#[inline(always)]
pub(crate) fn undo<V: Vector, const N: usize>(
    psi: TileMut<V::Real>,
    lambda: TileMut<V::Real>,
    stride: usize,
    turn: Turn,
) -> f64 {
    let by = Factors::<V::Part>::new(turn);
    let step = COLUMNS * V::Real::LANES;
    let mut sum = Sum::ZERO;
    for start in (0..psi.0.len()).step_by(N * stride) {
        for at in (0..stride).step_by(step) {
            let columns = at..stride.min(at + step);
            let (mut qubits, mut below) = (N.ilog2(), stride);
            while qubits > 0 {
                let rows = if qubits == 1 { 2 } else { 4 };
                for group in (0..N * stride).step_by(rows * below) {
                    for row in (0..below).step_by(stride) {
                        let first = start + group + row;
                        let states = [&mut *psi.0, &mut *psi.1, &mut *lambda.0, &mut *lambda.1];
                        let states = states.map(|list| &mut list[first..]);
                        if qubits == 1 {
                            undo_rows::<V, 2>(by, states, below, columns.clone(), &mut sum);
                        } else {
                            undo_rows::<V, 4>(by, states, below, columns.clone(), &mut sum);
                        }
                    }
                }
                qubits = qubits.saturating_sub(2);
                below *= rows;
            }
        }
    }
    sum.total()
}

/// The overlaps of one or two qubits on some columns, and turns them.
#[inline(always)]
fn undo_rows<V: Vector, const N: usize>(
    by: Factors<V::Part>,
    states: [&mut [V::Real]; 4],
    stride: usize,
    columns: Range<usize>,
    sum: &mut Sum,
) {
    let [a, b, c, d] = states.map(|list| rows_mut::<_, N>(list, stride, columns.clone()));
    let [mut psi_even, mut psi_odd] = halves(a, b);
    let [mut lambda_even, mut lambda_odd] = halves(c, d);
    for at in (0..columns.len()).step_by(V::Part::LANES) {
        let even = undo_column::<V::Part, N, false>(by, &mut psi_even, &mut lambda_even, at);
        let odd = undo_column::<V::Part, N, true>(by, &mut psi_odd, &mut lambda_odd, at);
        sum.add_at(at, even.add(odd));
    }
}

#[inline(always)]
fn undo_column<P: Pack, const N: usize, const ODD: bool>(
    by: Factors<P>,
    psi: &mut [&mut [P::Real]; N],
    lambda: &mut [&mut [P::Real]; N],
    at: usize,
) -> P {
    let zero = P::splat(P::Real::default());
    let (mut x, mut l) = ([zero; N], [zero; N]);
    unrolled!(j < N, {
        (x[j], l[j]) = (P::load(psi[j], at), P::load(lambda[j], at))
    });
    let overlap = overlap_half::<P, N, ODD>(&x, &l);
    turn_column::<P, N, ODD>(by, &mut x);
    turn_column::<P, N, ODD>(by, &mut l);
    unrolled!(j < N, {
        x[j].store(psi[j], at);
        l[j].store(lambda[j], at);
    });
    overlap
}

/// The overlaps of the N amplitudes of some columns with their neighbours. As in the turns, real parts at indices of even parity and
/// imaginary ones at the others meet only each other.
#[inline(always)]
fn overlap_at<P: Pack, const N: usize>(
    psi: Tile<P::Real>,
    lambda: Tile<P::Real>,
    stride: usize,
    at: usize,
) -> P {
    let even = overlap_half::<P, N, false>(
        &load_half::<P, N, false>(psi, stride, at),
        &load_half::<P, N, false>(lambda, stride, at),
    );
    even.add(overlap_half::<P, N, true>(
        &load_half::<P, N, true>(psi, stride, at),
        &load_half::<P, N, true>(lambda, stride, at),
    ))
}

#[inline(always)]
fn load_half<P: Pack, const N: usize, const ODD: bool>(
    (re, im): Tile<P::Real>,
    stride: usize,
    at: usize,
) -> [P; N] {
    let mut half = [P::splat(P::Real::default()); N];
    unrolled!(j < N, {
        half[j] = P::load(if is_real::<ODD>(j) { re } else { im }, j * stride + at)
    });
    half
}

/// Qubits are taken two at a time: of the four indices that differ in them, opposite ones have the same neighbours, the other two.
#[inline(always)]
fn overlap_half<V: Pack, const N: usize, const ODD: bool>(psi: &[V; N], lambda: &[V; N]) -> V {
    let mut sum = V::splat(V::Real::default());
    unrolled!(pair < N.ilog2() as usize / 2, {
        let (a, b) = (1 << (2 * pair), 2 << (2 * pair));
        unrolled!(j < N, {
            if j & (a | b) == 0 {
                let (opposite, others) = (j | a | b, [j | a, j | b]);
                let ends = (psi[j].add(psi[opposite]), lambda[j].add(lambda[opposite]));
                let [x, y] = others;
                let middle = (psi[x].add(psi[y]), lambda[x].add(lambda[y]));
                sum = meet::<V, ODD>(j, ends.1, middle.0, sum);
                sum = meet::<V, ODD>(x, middle.1, ends.0, sum);
            }
        });
    });
    if N.ilog2() % 2 == 1 {
        unrolled!(j < N, {
            sum = meet::<V, ODD>(j, lambda[j], psi[j ^ (N / 2)], sum);
        });
    }
    sum
}

/// Adds what λ at index `j` of a half contributes beside ψ at a neighbour: `Im λ*ψ` has real times imaginary part less the reverse.
#[inline(always)]
fn meet<V: Pack, const ODD: bool>(j: usize, lambda: V, psi: V, sum: V) -> V {
    if is_real::<ODD>(j) {
        lambda.mul_add(psi, sum)
    } else {
        lambda.neg_mul_add(psi, sum)
    }
}

/// Of X on the qubits that are lane bits in `lanes` and on the log2 N qubits above one vector, which are turned on both states; N = 1, 2,
/// 4 or 8.
#[inline(always)]
pub(crate) fn undo_lanes<V: Vector, const N: usize>(
    psi: TileMut<V::Real>,
    lambda: TileMut<V::Real>,
    lanes: u32,
    turn: Turn,
) -> f64 {
    let by = (Factors::<V>::new(turn), Factors::<V::Part>::new(turn));
    let length = N * V::Real::LANES;
    let psi = psi
        .0
        .chunks_exact_mut(length)
        .zip(psi.1.chunks_exact_mut(length));
    let lambda = lambda
        .0
        .chunks_exact_mut(length)
        .zip(lambda.1.chunks_exact_mut(length));
    let mut sum = Sum::ZERO;
    for (psi, lambda) in psi.zip(lambda) {
        let states = ((&*psi.0, &*psi.1), (&*lambda.0, &*lambda.1));
        sum.add(overlap_lanes_at::<V, N>(states.0, states.1, lanes));
        turn_lanes_at::<V, N>(by, psi, lanes);
        turn_lanes_at::<V, N>(by, lambda, lanes);
    }
    sum.total()
}

/// The overlaps of N vectors with their neighbours at lane bits and among each other.
#[inline(always)]
fn overlap_lanes_at<V: Vector, const N: usize>(
    psi: Tile<V::Real>,
    lambda: Tile<V::Real>,
    lanes: u32,
) -> V {
    let mut sum = V::splat(V::Real::default());
    unrolled!(j < N, {
        let at = j * V::Real::LANES;
        let x = neighbours::<V, N>(psi.0, j, lanes);
        let y = neighbours::<V, N>(psi.1, j, lanes);
        sum = V::load(lambda.0, at).mul_add(y, sum);
        sum = V::load(lambda.1, at).neg_mul_add(x, sum);
    });
    sum
}

/// The sum of a vector's neighbours.
#[inline(always)]
fn neighbours<V: Vector, const N: usize>(from: &[V::Real], j: usize, lanes: u32) -> V {
    let here = V::load(from, j * V::Real::LANES);
    let mut sum = V::splat(V::Real::default());
    unrolled!(bit < V::Real::LANE_BITS as usize, {
        if lanes & (1 << bit) != 0 {
            sum = sum.add(here.swap(bit as u32));
        }
    });
    unrolled!(qubit < N.ilog2() as usize, {
        sum = sum.add(V::load(from, (j ^ (1 << qubit)) * V::Real::LANES));
    });
    sum
}

/// Of X on the qubit whose partners are mirrored: index `i` of one tile has its partner at `length − 1 − i` of the other.
#[inline(always)]
pub(crate) fn overlap_mirrored<V: Vector>(
    psi: [Tile<V::Real>; 2],
    lambda: [Tile<V::Real>; 2],
) -> f64 {
    let mut sum = Sum::ZERO;
    for (psi, lambda) in [(psi[0], lambda[1]), (psi[1], lambda[0])] {
        let length = psi.0.len();
        for at in (0..length).step_by(V::Real::LANES) {
            let there = length - V::Real::LANES - at;
            let (x, y) = (V::load(psi.0, there), V::load(psi.1, there));
            let part = V::load(lambda.0, at).mul(y.reversed());
            sum.add(V::load(lambda.1, at).neg_mul_add(x.reversed(), part));
        }
    }
    sum.total()
}

/// Of `|w⟩⟨w|` on an axis: `Im Σ conj(⟨w|λ⟩)⟨w|ψ⟩` over all columns.
#[inline(always)]
pub(crate) fn overlap_reflect<V: Vector>(
    psi: Tile<V::Real>,
    lambda: Tile<V::Real>,
    stride: usize,
    w: &[f64],
) -> f64 {
    with_known_length!(w, 2 3 4 5 6 7 8, overlap_axis::<V>(psi, lambda, stride, w))
}

#[inline(always)]
fn overlap_axis<V: Vector>(
    psi: Tile<V::Real>,
    lambda: Tile<V::Real>,
    stride: usize,
    w: &[f64],
) -> f64 {
    let mut sum = Sum::ZERO;
    for start in (0..psi.0.len()).step_by(w.len() * stride) {
        for at in (start..start + stride).step_by(V::Real::LANES) {
            let (px, py) = project::<V>(psi, stride, at, w);
            let (lx, ly) = project::<V>(lambda, stride, at, w);
            sum.add(ly.neg_mul_add(px, lx.mul(py)));
        }
    }
    sum.total()
}

/// Of `|w⟩⟨w|` on an axis with lane bits, given as to `reflect_lanes`.
#[inline(always)]
pub(crate) fn overlap_reflect_lanes<V: Vector>(
    psi: Tile<V::Real>,
    lambda: Tile<V::Real>,
    (low, high): (u32, u32),
    w: &[V::Real],
) -> f64 {
    let mut sum = Sum::ZERO;
    let pairs = psi.0.chunks_exact(w.len()).zip(psi.1.chunks_exact(w.len()));
    let lambdas = lambda
        .0
        .chunks_exact(w.len())
        .zip(lambda.1.chunks_exact(w.len()));
    for (psi, lambda) in pairs.zip(lambdas) {
        let (px, py) = project_lanes::<V>(psi, (low, high), w);
        let (lx, ly) = project_lanes::<V>(lambda, (low, high), w);
        sum.add(ly.neg_mul_add(px, lx.mul(py)));
    }
    // After the sum over lane bits, equal lanes hold the same number.
    sum.total() / f64::from(1_u32 << (high - low))
}

/// Of a real symmetric matrix on an axis with `d` levels; `b` holds its rows one after the other.
#[inline(always)]
pub(crate) fn overlap_multiply<V: Vector>(
    psi: Tile<V::Real>,
    lambda: Tile<V::Real>,
    stride: usize,
    d: usize,
    b: &[f64],
) -> f64 {
    let mut sum = Sum::ZERO;
    for start in (0..psi.0.len()).step_by(d * stride) {
        for at in (start..start + stride).step_by(V::Real::LANES) {
            for (j, row) in b.chunks_exact(d).enumerate() {
                let (x, y) = project::<V>(psi, stride, at, row);
                let part = V::load(lambda.0, j * stride + at).mul(y);
                sum.add(V::load(lambda.1, j * stride + at).neg_mul_add(x, part));
            }
        }
    }
    sum.total()
}

/// Of a diagonal C.
#[inline(always)]
pub(crate) fn overlap_diagonal<V: Vector>(
    psi: Tile<V::Real>,
    lambda: Tile<V::Real>,
    cost: &[f64],
) -> f64 {
    let lists = [psi.0, psi.1, lambda.0, lambda.1];
    sum_of(lists, &cost[..psi.0.len()], |[px, py, lx, ly], cost| {
        (lx * py - ly * px) * cost
    })
}
