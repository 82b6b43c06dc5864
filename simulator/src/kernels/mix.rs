//! Mixers on one tile.
//!
//! An axis with `d` levels and a stride `s` cuts the tile into blocks of `d·s` amplitudes; in each, amplitude `j·s + i` has digit
//! `j`, and the `d` amplitudes with the same `i` are a *column*. Strides are whole vectors. Axes below one vector have kernels of
//! their own: there a digit is some bits of the lane's number.

use super::TileMut;
use super::vector::{Number, Vector};

/// Runs a block for every number below N ≤ 16, written out: loops over arrays of vectors that the compiler leaves as loops would keep
/// the arrays in memory.
macro_rules! unrolled {
    ($j:ident < $n:expr, $body:block) => {
        unrolled!($j < $n, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    ($j:ident < $n:expr, $body:block, $($number:literal)*) => {
        $(
            if $number < $n {
                let $j: usize = $number;
                $body
            }
        )*
    };
}
pub(super) use unrolled;

/// `e^{-iβX}` up to a factor, with one fused multiply-add a number: `1 − i·tan β·X` where tan β is at most one, `X + i·cot β` elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Turn {
    /// tan β, to be multiplied by cos β.
    Tangent(f64),
    /// cot β, to be multiplied by −i sin β.
    Cotangent(f64),
}

impl Turn {
    /// The form whose factor is the larger one, for an angle with this sine and cosine.
    pub(crate) fn new(sin: f64, cos: f64) -> Self {
        if sin.abs() <= cos.abs() {
            Self::Tangent(sin / cos)
        } else {
            Self::Cotangent(cos / sin)
        }
    }

    /// The square of the factor that is left out: cos² β or sin² β.
    pub(crate) fn square(self) -> f64 {
        match self {
            Self::Tangent(t) | Self::Cotangent(t) => 1.0 / (1.0 + t * t),
        }
    }

    /// Turns amplitudes whose partner is in the same vector.
    #[inline(always)]
    fn lanes<V: Vector, const COTANGENT: bool>(t: V, bit: u32, x: &mut V, y: &mut V) {
        let (a, b) = (*x, *y);
        let (c, d) = (a.swap(bit), b.swap(bit));
        if COTANGENT {
            *x = t.neg_mul_add(b, c);
            *y = t.mul_add(a, d);
        } else {
            *x = t.mul_add(d, a);
            *y = t.neg_mul_add(c, b);
        }
    }
}

/// Turns log2 N neighbouring qubits, the lowest with the given stride; N = 2, 4, 8 or 16.
#[inline(always)]
pub(crate) fn turn<V: Vector, const N: usize>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    stride: usize,
    turn: Turn,
) {
    match turn {
        Turn::Tangent(t) => turn_rows::<V, N, false>(re, im, stride, t),
        Turn::Cotangent(t) => turn_rows::<V, N, true>(re, im, stride, t),
    }
}

#[inline(always)]
fn turn_rows<V: Vector, const N: usize, const COTANGENT: bool>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    stride: usize,
    t: f64,
) {
    let t = V::splat(V::Real::from_f64(t));
    for (re, im) in re
        .chunks_exact_mut(N * stride)
        .zip(im.chunks_exact_mut(N * stride))
    {
        for at in (0..stride).step_by(V::Real::LANES) {
            turn_at::<V, N, COTANGENT>(t, (re, im), stride, at);
        }
    }
}

/// Turns the N amplitudes of a vector of columns.
#[inline(always)]
pub(super) fn turn_at<V: Vector, const N: usize, const COTANGENT: bool>(
    t: V,
    (re, im): TileMut<V::Real>,
    stride: usize,
    at: usize,
) {
    let mut even = load_half::<V, N, false>(re, im, stride, at);
    turn_column::<V, N, COTANGENT, false>(t, &mut even);
    // Where the halves change places, both are read before either is written.
    let exchanged = COTANGENT && N.ilog2() % 2 == 1;
    if !exchanged {
        store_half::<V, N, COTANGENT, false>(&even, re, im, stride, at);
    }
    let mut odd = load_half::<V, N, true>(re, im, stride, at);
    turn_column::<V, N, COTANGENT, true>(t, &mut odd);
    if exchanged {
        store_half::<V, N, COTANGENT, false>(&even, re, im, stride, at);
    }
    store_half::<V, N, COTANGENT, true>(&odd, re, im, stride, at);
}

#[inline(always)]
pub(super) fn load_half<V: Vector, const N: usize, const ODD: bool>(
    re: &[V::Real],
    im: &[V::Real],
    stride: usize,
    at: usize,
) -> [V; N] {
    let mut half = [V::splat(V::Real::default()); N];
    unrolled!(j < N, {
        half[j] = V::load(if is_real::<ODD>(j) { re } else { im }, j * stride + at)
    });
    half
}

#[inline(always)]
fn store_half<V: Vector, const N: usize, const COTANGENT: bool, const ODD: bool>(
    half: &[V; N],
    re: &mut [V::Real],
    im: &mut [V::Real],
    stride: usize,
    at: usize,
) {
    unrolled!(j < N, {
        half[j].store(
            if is_real_after::<N, COTANGENT, ODD>(j) {
                re
            } else {
                im
            },
            j * stride + at,
        );
    });
}

/// A turn takes real parts to imaginary ones and back while it changes one bit of the index. So the real parts at indices with an even
/// number of bits and the imaginary parts at the others are turned among themselves, as are the rest: each half needs half of the
/// registers. This says which part of index `j` the half `ODD` holds.
#[inline(always)]
pub(super) fn is_real<const ODD: bool>(j: usize) -> bool {
    (j.count_ones() % 2 == 1) == ODD
}

/// The same once all qubits have been turned: in cotangent form each of them exchanges the parts.
#[inline(always)]
pub(super) fn is_real_after<const N: usize, const COTANGENT: bool, const ODD: bool>(
    j: usize,
) -> bool {
    is_real::<ODD>(j) != (COTANGENT && N.ilog2() % 2 == 1)
}

/// Turns one half of the N amplitudes of a column by all log2 N qubits.
#[inline(always)]
pub(super) fn turn_column<V: Vector, const N: usize, const COTANGENT: bool, const ODD: bool>(
    t: V,
    half: &mut [V; N],
) {
    unrolled!(qubit < N.ilog2() as usize, {
        let bit = 1 << qubit;
        unrolled!(low < N, {
            if low & bit == 0 {
                let (a, b) = (half[low], half[low | bit]);
                // The partner of a real part is an imaginary one, and its sign is the other.
                let real = is_real::<ODD>(low) != (COTANGENT && qubit % 2 == 1);
                (half[low], half[low | bit]) = match (COTANGENT, real) {
                    (false, true) => (t.mul_add(b, a), t.neg_mul_add(a, b)),
                    (false, false) => (t.neg_mul_add(b, a), t.mul_add(a, b)),
                    (true, true) => (t.mul_add(a, b), t.neg_mul_add(b, a)),
                    (true, false) => (t.neg_mul_add(a, b), t.mul_add(b, a)),
                };
            }
        });
    });
}

/// Turns the qubits that are lane bits in `lanes`, and the log2 N qubits above one vector; N = 1, 2, 4 or 8.
#[inline(always)]
pub(crate) fn turn_lanes<V: Vector, const N: usize>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    lanes: u32,
    turn: Turn,
) {
    match turn {
        Turn::Tangent(t) => turn_lanes_by::<V, N, false>(re, im, lanes, t),
        Turn::Cotangent(t) => turn_lanes_by::<V, N, true>(re, im, lanes, t),
    }
}

#[inline(always)]
fn turn_lanes_by<V: Vector, const N: usize, const COTANGENT: bool>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    lanes: u32,
    t: f64,
) {
    let t = V::splat(V::Real::from_f64(t));
    let stride = V::Real::LANES;
    for (re, im) in re
        .chunks_exact_mut(N * stride)
        .zip(im.chunks_exact_mut(N * stride))
    {
        turn_lanes_at::<V, N, COTANGENT>(t, (re, im), lanes);
    }
}

/// Turns the N vectors of two short slices, at lane bits and by all log2 N qubits.
#[inline(always)]
pub(super) fn turn_lanes_at<V: Vector, const N: usize, const COTANGENT: bool>(
    t: V,
    (re, im): TileMut<V::Real>,
    lanes: u32,
) {
    let stride = V::Real::LANES;
    let (mut x, mut y) = ([t; N], [t; N]);
    unrolled!(j < N, {
        (x[j], y[j]) = (V::load(re, j * stride), V::load(im, j * stride));
    });
    unrolled!(bit < V::Real::LANE_BITS as usize, {
        if lanes & (1 << bit) != 0 {
            unrolled!(j < N, {
                Turn::lanes::<V, COTANGENT>(t, bit as u32, &mut x[j], &mut y[j])
            });
        }
    });
    let (mut even, mut odd) = ([t; N], [t; N]);
    unrolled!(j < N, {
        (even[j], odd[j]) = if is_real::<false>(j) {
            (x[j], y[j])
        } else {
            (y[j], x[j])
        };
    });
    turn_column::<V, N, COTANGENT, false>(t, &mut even);
    turn_column::<V, N, COTANGENT, true>(t, &mut odd);
    unrolled!(j < N, {
        let real = is_real_after::<N, COTANGENT, false>(j);
        let (x, y) = if real {
            (even[j], odd[j])
        } else {
            (odd[j], even[j])
        };
        x.store(re, j * stride);
        y.store(im, j * stride);
    });
}

/// Turns a qubit whose partners are mirrored: index `i` of one tile has its partner at `length − 1 − i` of the other.
#[inline(always)]
pub(crate) fn turn_mirrored<V: Vector>(near: TileMut<V::Real>, far: TileMut<V::Real>, turn: Turn) {
    match turn {
        Turn::Tangent(t) => turn_mirrored_by::<V, false>(near, far, t),
        Turn::Cotangent(t) => turn_mirrored_by::<V, true>(near, far, t),
    }
}

#[inline(always)]
fn turn_mirrored_by<V: Vector, const COTANGENT: bool>(
    near: TileMut<V::Real>,
    far: TileMut<V::Real>,
    t: f64,
) {
    let t = V::splat(V::Real::from_f64(t));
    let length = near.0.len();
    for at in (0..length).step_by(V::Real::LANES) {
        let there = length - V::Real::LANES - at;
        let (mut even, mut odd) = (
            [V::load(near.0, at), V::load(far.1, there).reversed()],
            [V::load(near.1, at), V::load(far.0, there).reversed()],
        );
        turn_column::<V, 2, COTANGENT, false>(t, &mut even);
        turn_column::<V, 2, COTANGENT, true>(t, &mut odd);
        // In cotangent form real and imaginary parts have changed places.
        let (a, b) = if COTANGENT { (odd, even) } else { (even, odd) };
        a[0].store(near.0, at);
        b[0].store(near.1, at);
        b[1].reversed().store(far.0, there);
        a[1].reversed().store(far.1, there);
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

pub(super) use with_known_length;

/// Applies `1 + (a + ib)|w⟩⟨w|` to an axis; `w.len()` is its number of levels.
#[inline(always)]
pub(crate) fn reflect<V: Vector>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    stride: usize,
    w: &[f64],
    factor: (f64, f64),
) {
    with_known_length!(w, 2 3 4 5 6 7 8, reflect_axis::<V>(re, im, stride, w, factor));
}

#[inline(always)]
fn reflect_axis<V: Vector>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    stride: usize,
    w: &[f64],
    (a, b): (f64, f64),
) {
    let (a, b) = (
        V::splat(V::Real::from_f64(a)),
        V::splat(V::Real::from_f64(b)),
    );
    let block = w.len() * stride;
    for (re, im) in re.chunks_exact_mut(block).zip(im.chunks_exact_mut(block)) {
        for at in (0..stride).step_by(V::Real::LANES) {
            let (x, y) = project::<V>((re, im), stride, at, w);
            let (cx, cy) = (b.neg_mul_add(y, a.mul(x)), b.mul_add(x, a.mul(y)));
            for (j, &w) in w.iter().enumerate() {
                let (w, i) = (V::splat(V::Real::from_f64(w)), j * stride + at);
                w.mul_add(cx, V::load(re, i)).store(re, i);
                w.mul_add(cy, V::load(im, i)).store(im, i);
            }
        }
    }
}

/// `⟨w|ψ⟩` of a vector of columns.
#[inline(always)]
pub(super) fn project<V: Vector>(
    (re, im): (&[V::Real], &[V::Real]),
    stride: usize,
    at: usize,
    w: &[f64],
) -> (V, V) {
    let (mut x, mut y) = (V::splat(V::Real::default()), V::splat(V::Real::default()));
    for (j, &w) in w.iter().enumerate() {
        let w = V::splat(V::Real::from_f64(w));
        x = w.mul_add(V::load(re, j * stride + at), x);
        y = w.mul_add(V::load(im, j * stride + at), y);
    }
    (x, y)
}

/// [`reflect`] on an axis whose digit's lower bits are the lane bits from `low` up to `high`; `w` holds whole vectors, the amplitude of
/// every lane's level, for each value of the digit's other bits.
#[inline(always)]
pub(crate) fn reflect_lanes<V: Vector>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    (low, high): (u32, u32),
    w: &[V::Real],
    (a, b): (f64, f64),
) {
    let (a, b) = (
        V::splat(V::Real::from_f64(a)),
        V::splat(V::Real::from_f64(b)),
    );
    for (re, im) in re
        .chunks_exact_mut(w.len())
        .zip(im.chunks_exact_mut(w.len()))
    {
        let (x, y) = project_lanes::<V>((re, im), (low, high), w);
        let (cx, cy) = (b.neg_mul_add(y, a.mul(x)), b.mul_add(x, a.mul(y)));
        for at in (0..w.len()).step_by(V::Real::LANES) {
            let w = V::load(w, at);
            w.mul_add(cx, V::load(re, at)).store(re, at);
            w.mul_add(cy, V::load(im, at)).store(im, at);
        }
    }
}

/// `⟨w|ψ⟩` over lane bits and whole vectors, in every lane.
#[inline(always)]
pub(super) fn project_lanes<V: Vector>(
    (re, im): (&[V::Real], &[V::Real]),
    (low, high): (u32, u32),
    w: &[V::Real],
) -> (V, V) {
    let (mut x, mut y) = (V::splat(V::Real::default()), V::splat(V::Real::default()));
    for at in (0..w.len()).step_by(V::Real::LANES) {
        let w = V::load(w, at);
        x = w.mul_add(V::load(re, at), x);
        y = w.mul_add(V::load(im, at), y);
    }
    for bit in 0..V::Real::LANE_BITS {
        if low <= bit && bit < high {
            x = x.add(x.swap(bit));
            y = y.add(y.swap(bit));
        }
    }
    (x, y)
}

/// Applies a complex matrix to an axis with `d` levels; `u_re` and `u_im` hold its rows one after the other.
#[inline(always)]
pub(crate) fn multiply<V: Vector>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    stride: usize,
    d: usize,
    u_re: &[f64],
    u_im: &[f64],
) {
    let zero = V::splat(V::Real::default());
    let mut columns = vec![(zero, zero); d];
    for (re, im) in re
        .chunks_exact_mut(d * stride)
        .zip(im.chunks_exact_mut(d * stride))
    {
        for at in (0..stride).step_by(V::Real::LANES) {
            for (j, (x, y)) in columns.iter_mut().enumerate() {
                *x = V::load(re, j * stride + at);
                *y = V::load(im, j * stride + at);
            }
            for (j, (u_re, u_im)) in u_re.chunks_exact(d).zip(u_im.chunks_exact(d)).enumerate() {
                let (mut x, mut y) = (zero, zero);
                for (&(cx, cy), (&a, &b)) in columns.iter().zip(u_re.iter().zip(u_im)) {
                    let (a, b) = (
                        V::splat(V::Real::from_f64(a)),
                        V::splat(V::Real::from_f64(b)),
                    );
                    x = b.neg_mul_add(cy, a.mul_add(cx, x));
                    y = b.mul_add(cx, a.mul_add(cy, y));
                }
                x.store(re, j * stride + at);
                y.store(im, j * stride + at);
            }
        }
    }
}
