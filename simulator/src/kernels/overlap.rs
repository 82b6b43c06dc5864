//! `Im⟨λ|B_k|ψ⟩` and `Im⟨λ|C|ψ⟩` on one tile. Axes are cut as in `mix`.

use super::Tile;
use super::mix::{project, project_lanes, with_known_length};
use super::reduce::{Sum, sum_of};
use super::vector::{Number, Vector};

/// Of X on log2 N neighbouring qubits, the lowest with the given stride; N = 2, 4 or 8.
#[inline(always)]
pub(crate) fn overlap_turn<V: Vector, const N: usize>(
    psi: Tile<V::Real>,
    lambda: Tile<V::Real>,
    stride: usize,
) -> f64 {
    let mut sum = Sum::ZERO;
    for start in (0..psi.0.len()).step_by(N * stride) {
        for at in (start..start + stride).step_by(V::Real::LANES) {
            let x: [V; N] = std::array::from_fn(|j| V::load(psi.0, j * stride + at));
            let y: [V; N] = std::array::from_fn(|j| V::load(psi.1, j * stride + at));
            sum.add(overlap_column::<V, N>(
                &x,
                &y,
                lambda,
                stride,
                at,
                V::splat(V::Real::default()),
            ));
        }
    }
    sum.total()
}

/// Adds the overlaps of the N amplitudes of a column with their neighbours.
#[inline(always)]
fn overlap_column<V: Vector, const N: usize>(
    x: &[V; N],
    y: &[V; N],
    lambda: Tile<V::Real>,
    stride: usize,
    at: usize,
    mut sum: V,
) -> V {
    for j in 0..N {
        let (mut nx, mut ny) = (x[j ^ 1], y[j ^ 1]);
        let mut bit = 2;
        while bit < N {
            (nx, ny) = (nx.add(x[j ^ bit]), ny.add(y[j ^ bit]));
            bit *= 2;
        }
        sum = V::load(lambda.0, j * stride + at).mul_add(ny, sum);
        sum = V::load(lambda.1, j * stride + at).neg_mul_add(nx, sum);
    }
    sum
}

/// Of X on the qubits that are lane bits in `lanes`.
#[inline(always)]
pub(crate) fn overlap_turn_lanes<V: Vector>(
    psi: Tile<V::Real>,
    lambda: Tile<V::Real>,
    lanes: u32,
) -> f64 {
    let mut sum = Sum::ZERO;
    for at in (0..psi.0.len()).step_by(V::Real::LANES) {
        let (x, y): (V, V) = (V::load(psi.0, at), V::load(psi.1, at));
        let zero = V::splat(V::Real::default());
        let (mut nx, mut ny) = (zero, zero);
        for bit in 0..V::Real::LANE_BITS {
            if lanes & (1 << bit) != 0 {
                (nx, ny) = (nx.add(x.swap(bit)), ny.add(y.swap(bit)));
            }
        }
        let part = V::load(lambda.0, at).mul(ny);
        sum.add(V::load(lambda.1, at).neg_mul_add(nx, part));
    }
    sum.total()
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
