//! The specification of every kernel, in plain Rust.
//!
//! Each function works on one tile: slices of equal length, `re` and `im` the parts of its amplitudes. An axis with `d` levels and
//! a stride `s` cuts the tile into blocks of `d·s` amplitudes; in each, amplitude `j·s + i` has digit `j`, and the `d`
//! amplitudes with the same `i` are a *column*. Strides are independent of each other, so columns are taken eight at a time.
//!
//! Every product that is added is a fused multiply-add and every sum runs in eight lanes, lane `i mod 8` for column `i`: whatever
//! vector instructions the compiler chooses, the bits are the same.

use super::lanes::{self, LANES, Lanes};
use super::sincos::sincos;

/// Real and imaginary parts of a tile.
pub(crate) type Tile<'a> = (&'a [f64], &'a [f64]);

/// Multiplies every amplitude by `e^{-i(γC + offset)}`.
#[inline(always)]
pub(crate) fn phase(re: &mut [f64], im: &mut [f64], cost: &[f64], gamma: f64, offset: f64) {
    for ((re, im), &cost) in re.iter_mut().zip(im).zip(cost) {
        let (sin, cos) = sincos(gamma.mul_add(cost, offset));
        let (x, y) = (*re, *im);
        *re = x.mul_add(cos, y * sin);
        *im = y.mul_add(cos, -(x * sin));
    }
}

/// Applies `e^{-iβX}` to one, two or three neighbouring qubits, the lowest with the given stride; `N` = 2, 4 or 8.
#[inline(always)]
pub(crate) fn rotate<const N: usize>(
    re: &mut [f64],
    im: &mut [f64],
    stride: usize,
    cos: f64,
    sin: f64,
) {
    for (re, im) in re
        .chunks_exact_mut(N * stride)
        .zip(im.chunks_exact_mut(N * stride))
    {
        let whole = stride - stride % LANES;
        for at in (0..whole).step_by(LANES) {
            rotate_columns::<N>(re, im, stride, at, LANES, cos, sin);
        }
        if whole < stride {
            rotate_columns::<N>(re, im, stride, whole, stride - whole, cos, sin);
        }
    }
}

#[inline(always)]
fn rotate_columns<const N: usize>(
    re: &mut [f64],
    im: &mut [f64],
    stride: usize,
    at: usize,
    n: usize,
    cos: f64,
    sin: f64,
) {
    let mut x: [Lanes; N] = [[0.0; LANES]; N];
    let mut y: [Lanes; N] = [[0.0; LANES]; N];
    for j in 0..N {
        x[j] = lanes::load(re, j * stride + at, n);
        y[j] = lanes::load(im, j * stride + at, n);
    }
    let mut bit = 1;
    while bit < N {
        for i0 in 0..N {
            if i0 & bit == 0 {
                let i1 = i0 | bit;
                let (x0, y0, x1, y1) = (x[i0], y[i0], x[i1], y[i1]);
                x[i0] = lanes::fma(cos, x0, lanes::scale(sin, y1));
                y[i0] = lanes::fma(cos, y0, lanes::scale(-sin, x1));
                x[i1] = lanes::fma(cos, x1, lanes::scale(sin, y0));
                y[i1] = lanes::fma(cos, y1, lanes::scale(-sin, x0));
            }
        }
        bit *= 2;
    }
    for j in 0..N {
        lanes::store(re, j * stride + at, n, &x[j]);
        lanes::store(im, j * stride + at, n, &y[j]);
    }
}

/// Evaluates an expression with the length of a slice known to the compiler where it is small, so that loops over it vanish.
macro_rules! with_known_length {
    ($slice:ident, $($length:literal)*, $expression:expr) => {
        match $slice.len() {
            $($length => {
                let $slice = &$slice[..$length];
                $expression
            })*
            _ => $expression,
        }
    };
}

/// Applies `1 + (a + ib)|w⟩⟨w|` to an axis; `w.len()` is its number of levels.
#[inline(always)]
pub(crate) fn reflect(re: &mut [f64], im: &mut [f64], stride: usize, w: &[f64], a: f64, b: f64) {
    with_known_length!(w, 2 3 4 5 6 7 8, reflect_axis(re, im, stride, w, a, b));
}

#[inline(always)]
fn reflect_axis(re: &mut [f64], im: &mut [f64], stride: usize, w: &[f64], a: f64, b: f64) {
    let block = w.len() * stride;
    for (re, im) in re.chunks_exact_mut(block).zip(im.chunks_exact_mut(block)) {
        let whole = stride - stride % LANES;
        for at in (0..whole).step_by(LANES) {
            reflect_columns(re, im, stride, at, LANES, w, a, b);
        }
        if whole < stride {
            reflect_columns(re, im, stride, whole, stride - whole, w, a, b);
        }
    }
}

#[inline(always)]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its operands one by one"
)]
fn reflect_columns(
    re: &mut [f64],
    im: &mut [f64],
    stride: usize,
    at: usize,
    n: usize,
    w: &[f64],
    a: f64,
    b: f64,
) {
    let (x, y) = project((re, im), stride, at, n, w);
    let cx = lanes::fma(a, x, lanes::scale(-b, y));
    let cy = lanes::fma(a, y, lanes::scale(b, x));
    for (j, &w) in w.iter().enumerate() {
        let i = j * stride + at;
        lanes::store(re, i, n, &lanes::fma(w, cx, lanes::load(re, i, n)));
        lanes::store(im, i, n, &lanes::fma(w, cy, lanes::load(im, i, n)));
    }
}

/// `⟨w|ψ⟩` of eight columns.
#[inline(always)]
fn project((re, im): Tile, stride: usize, at: usize, n: usize, w: &[f64]) -> (Lanes, Lanes) {
    let (mut x, mut y) = ([0.0; LANES], [0.0; LANES]);
    for (j, &w) in w.iter().enumerate() {
        x = lanes::fma(w, lanes::load(re, j * stride + at, n), x);
        y = lanes::fma(w, lanes::load(im, j * stride + at, n), y);
    }
    (x, y)
}

/// Applies a complex matrix to an axis with `d` levels; `u_re` and `u_im` hold its rows one after the other.
#[inline(always)]
pub(crate) fn multiply(
    re: &mut [f64],
    im: &mut [f64],
    stride: usize,
    d: usize,
    u_re: &[f64],
    u_im: &[f64],
) {
    let mut columns = vec![([0.0; LANES], [0.0; LANES]); d];
    for (re, im) in re
        .chunks_exact_mut(d * stride)
        .zip(im.chunks_exact_mut(d * stride))
    {
        let whole = stride - stride % LANES;
        for at in (0..whole).step_by(LANES) {
            multiply_columns(re, im, stride, at, LANES, &mut columns, u_re, u_im);
        }
        if whole < stride {
            multiply_columns(
                re,
                im,
                stride,
                whole,
                stride - whole,
                &mut columns,
                u_re,
                u_im,
            );
        }
    }
}

#[inline(always)]
#[allow(
    clippy::too_many_arguments,
    reason = "a kernel takes its operands one by one"
)]
fn multiply_columns(
    re: &mut [f64],
    im: &mut [f64],
    stride: usize,
    at: usize,
    n: usize,
    columns: &mut [(Lanes, Lanes)],
    u_re: &[f64],
    u_im: &[f64],
) {
    let d = columns.len();
    for (j, (x, y)) in columns.iter_mut().enumerate() {
        *x = lanes::load(re, j * stride + at, n);
        *y = lanes::load(im, j * stride + at, n);
    }
    for (j, (u_re, u_im)) in u_re.chunks_exact(d).zip(u_im.chunks_exact(d)).enumerate() {
        let (mut x, mut y) = ([0.0; LANES], [0.0; LANES]);
        for ((cx, cy), (&a, &b)) in columns.iter().zip(u_re.iter().zip(u_im)) {
            x = lanes::fma(-b, *cy, lanes::fma(a, *cx, x));
            y = lanes::fma(b, *cx, lanes::fma(a, *cy, y));
        }
        lanes::store(re, j * stride + at, n, &x);
        lanes::store(im, j * stride + at, n, &y);
    }
}

/// `Im Σ conj(⟨w|λ⟩)⟨w|ψ⟩` over all columns of an axis.
#[inline(always)]
pub(crate) fn overlap_projector(psi: Tile, lambda: Tile, stride: usize, w: &[f64]) -> f64 {
    with_known_length!(w, 2 3 4 5 6 7 8, overlap_axis(psi, lambda, stride, w))
}

#[inline(always)]
fn overlap_axis(psi: Tile, lambda: Tile, stride: usize, w: &[f64]) -> f64 {
    let mut sum = [0.0; LANES];
    let whole = stride - stride % LANES;
    for start in (0..psi.0.len()).step_by(w.len() * stride) {
        for at in (0..whole).step_by(LANES) {
            sum = overlap_columns(psi, lambda, stride, start + at, LANES, w, sum);
        }
        if whole < stride {
            sum = overlap_columns(psi, lambda, stride, start + whole, stride - whole, w, sum);
        }
    }
    lanes::sum(&sum)
}

#[inline(always)]
fn overlap_columns(
    psi: Tile,
    lambda: Tile,
    stride: usize,
    at: usize,
    n: usize,
    w: &[f64],
    sum: Lanes,
) -> Lanes {
    let (px, py) = project(psi, stride, at, n, w);
    let (lx, ly) = project(lambda, stride, at, n, w);
    lanes::fma_lanes(
        &lanes::scale(-1.0, ly),
        &px,
        &lanes::fma_lanes(&lx, &py, &sum),
    )
}

/// `Im⟨λ|B|ψ⟩` for a real symmetric matrix on an axis with `d` levels; `b` holds its rows one after the other.
#[inline(always)]
pub(crate) fn overlap_matrix(psi: Tile, lambda: Tile, stride: usize, d: usize, b: &[f64]) -> f64 {
    let mut sum = [0.0; LANES];
    for start in (0..psi.0.len()).step_by(d * stride) {
        for at in (0..stride).step_by(LANES) {
            let n = LANES.min(stride - at);
            for (j, row) in b.chunks_exact(d).enumerate() {
                let (x, y) = project(psi, stride, start + at, n, row);
                let lx = lanes::load(lambda.0, start + j * stride + at, n);
                let ly = lanes::load(lambda.1, start + j * stride + at, n);
                sum = lanes::fma_lanes(&lx, &y, &sum);
                sum = lanes::fma_lanes(&lanes::scale(-1.0, ly), &x, &sum);
            }
        }
    }
    lanes::sum(&sum)
}

/// `Im⟨λ|C|ψ⟩` for a diagonal C.
#[inline(always)]
pub(crate) fn overlap_diagonal(psi: Tile, lambda: Tile, cost: &[f64]) -> f64 {
    lanes::sum_over(cost.len(), |at, n| {
        let (px, py) = (lanes::load(psi.0, at, n), lanes::load(psi.1, at, n));
        let (lx, ly) = (lanes::load(lambda.0, at, n), lanes::load(lambda.1, at, n));
        let imaginary = lanes::fma_lanes(&lx, &py, &lanes::scale(-1.0, lanes::multiply(&ly, &px)));
        lanes::multiply(&imaginary, &lanes::load(cost, at, n))
    })
}

/// `Σ|ψ|²`.
#[inline(always)]
pub(crate) fn norm(psi: Tile) -> f64 {
    lanes::sum_over(psi.0.len(), |at, n| probability(psi, at, n))
}

/// `Σ|ψ|²(C − center)`.
#[inline(always)]
pub(crate) fn mean(psi: Tile, cost: &[f64], center: f64) -> f64 {
    lanes::sum_over(psi.0.len(), |at, n| {
        lanes::multiply(
            &probability(psi, at, n),
            &lanes::map(lanes::load(cost, at, n), |c| c - center),
        )
    })
}

/// `Σ|ψ|²(C − center)²`.
#[inline(always)]
pub(crate) fn spread(psi: Tile, cost: &[f64], center: f64) -> f64 {
    lanes::sum_over(psi.0.len(), |at, n| {
        let square = lanes::map(lanes::load(cost, at, n), |c| (c - center) * (c - center));
        lanes::multiply(&probability(psi, at, n), &square)
    })
}

/// `Σ|ψ|² min(C − q, 0)`.
#[inline(always)]
pub(crate) fn shortfall(psi: Tile, cost: &[f64], q: f64) -> f64 {
    lanes::sum_over(psi.0.len(), |at, n| {
        lanes::multiply(
            &probability(psi, at, n),
            &lanes::map(lanes::load(cost, at, n), |c| (c - q).min(0.0)),
        )
    })
}

/// `Σ|ψ|²` over the costs up to `threshold`.
#[inline(always)]
pub(crate) fn weight_up_to(psi: Tile, cost: &[f64], threshold: f64) -> f64 {
    lanes::sum_over(psi.0.len(), |at, n| {
        let inside = |c: f64| if c <= threshold { 1.0 } else { 0.0 };
        lanes::multiply(
            &probability(psi, at, n),
            &lanes::map(lanes::load(cost, at, n), inside),
        )
    })
}

#[inline(always)]
fn probability((re, im): Tile, at: usize, n: usize) -> Lanes {
    let (x, y) = (lanes::load(re, at, n), lanes::load(im, at, n));
    lanes::fma_lanes(&x, &x, &lanes::multiply(&y, &y))
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
pub(crate) fn weigh(psi: Tile, re: &mut [f64], im: &mut [f64], cost: &[f64], weight: Weight) {
    for (((re, im), (&x, &y)), &cost) in
        re.iter_mut().zip(im).zip(psi.0.iter().zip(psi.1)).zip(cost)
    {
        let factor = weight.scale * (cost.min(weight.ceiling) - weight.center);
        *re = factor * x;
        *im = factor * y;
    }
}

/// Copies a matrix with rows of `width` numbers into one with its columns as rows, `pitch` ≥ number of rows apart.
#[inline(always)]
pub(crate) fn transpose(from: &[f64], width: usize, to: &mut [f64], pitch: usize) {
    for (block, rows) in from.chunks(LANES * width).enumerate() {
        for column in 0..width {
            let target = &mut to[column * pitch + block * LANES..];
            for (target, row) in target.iter_mut().zip(rows.chunks_exact(width)) {
                *target = row[column];
            }
        }
    }
}

/// Undoes [`transpose`].
#[inline(always)]
pub(crate) fn transpose_back(from: &[f64], pitch: usize, to: &mut [f64], width: usize) {
    for (block, rows) in to.chunks_mut(LANES * width).enumerate() {
        for (row, target) in rows.chunks_exact_mut(width).enumerate() {
            for (column, target) in target.iter_mut().enumerate() {
                *target = from[column * pitch + block * LANES + row];
            }
        }
    }
}
