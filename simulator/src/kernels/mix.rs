//! Mixers on one tile.
//!
//! An axis with `d` levels and a stride `s` cuts the tile into blocks of `d·s` amplitudes; in each, amplitude `j·s + i` has digit
//! `j`, and the `d` amplitudes with the same `i` are a *column*. Strides are whole vectors. Axes below one vector have kernels of
//! their own: there a digit is some bits of the lane's number.

use super::TileMut;
use super::vector::{Number, Pack, Vector};
use std::ops::Range;

/// Runs a block for every number below N ≤ 16, written out: loops over arrays of vectors that the compiler leaves as loops would keep
/// the arrays in memory. A closure will not do either: it is compiled without the instruction set, and each of its vectors' operations
/// becomes a call (100 times slower).
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

/// `e^{-iβX}` on qubits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Turn {
    sin: f64,
    cos: f64,
}

impl Turn {
    /// By the angle with this sine and cosine.
    pub(crate) fn new(sin: f64, cos: f64) -> Self {
        Self { sin, cos }
    }
}

/// What numbers are multiplied by in a turn, in every lane.
#[derive(Clone, Copy)]
pub(super) struct Factors<P> {
    sin: P,
    cos: P,
    /// −sin² β and sin β cos β: how far two qubits move by the sum of their own two amplitudes, and by the sum of the others.
    own: P,
    other: P,
}

impl<P: Pack> Factors<P> {
    #[inline(always)]
    pub(super) fn new(Turn { sin, cos }: Turn) -> Self {
        let factor = |factor: f64| P::splat(P::Real::from_f64(factor));
        Self {
            sin: factor(sin),
            cos: factor(cos),
            own: factor(-sin * sin),
            other: factor(sin * cos),
        }
    }

    /// Turns one qubit. Of its two numbers one is a real part and one imaginary; `real` says whether the first is the real one.
    #[inline(always)]
    fn one(self, real: bool, [a, b]: [P; 2]) -> [P; 2] {
        let (x, y) = (self.cos.mul(a), self.cos.mul(b));
        if real {
            [self.sin.mul_add(b, x), self.sin.neg_mul_add(a, y)]
        } else {
            [self.sin.neg_mul_add(b, x), self.sin.mul_add(a, y)]
        }
    }

    /// Turns two qubits. `X₁ + X₂` takes the amplitudes of 00 and 11 to those of 01 and 10 and does not see their differences. So only the
    /// two sums turn, by 2β, and every amplitude moves by half of what its sum does.
    #[inline(always)]
    fn two(self, real: bool, [a, b, c, d]: [P; 4]) -> [P; 4] {
        let (ends, middle) = self.moves(real, a.add(d), b.add(c));
        [a.add(ends), b.add(middle), c.add(middle), d.add(ends)]
    }

    /// By how much two sums move their amplitudes.
    #[inline(always)]
    fn moves(self, real: bool, ends: P, middle: P) -> (P, P) {
        let (x, y) = (self.own.mul(ends), self.own.mul(middle));
        if real {
            (
                self.other.mul_add(middle, x),
                self.other.neg_mul_add(ends, y),
            )
        } else {
            (
                self.other.neg_mul_add(middle, x),
                self.other.mul_add(ends, y),
            )
        }
    }
}

/// Bytes of sixteen rows that are turned four at a time where registers do not hold more: half of an L1 cache. From further away rows are
/// better read once, although the compiler then keeps some of them in memory.
const NEAR: usize = 1 << 14;

/// Turns log2 N neighbouring qubits, the lowest with the given stride; N = 2, 4, 8 or 16.
#[inline(always)]
pub(crate) fn turn<V: Vector, const N: usize>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    stride: usize,
    turn: Turn,
) {
    let by = Factors::<V::Part>::new(turn);
    let near = 2 * N * stride * size_of::<V::Real>() <= NEAR;
    for (re, im) in re
        .chunks_exact_mut(N * stride)
        .zip(im.chunks_exact_mut(N * stride))
    {
        if N == 16 && V::Part::REGISTERS < 2 * N && near {
            turn_fours::<V::Part>(by, (re, im), stride);
        } else {
            turn_rows::<V::Part, N>(by, (re, im), stride, 0..stride);
        }
    }
}

/// Turns four qubits, two at a time.
#[inline(always)]
fn turn_fours<P: Pack>(by: Factors<P>, (re, im): TileMut<P::Real>, stride: usize) {
    for rows in (0..16 * stride).step_by(4 * stride) {
        let part = (&mut re[rows..], &mut im[rows..]);
        turn_rows::<P, 4>(by, part, stride, 0..stride);
    }
    turn_rows::<P, 4>(by, (re, im), 4 * stride, 0..4 * stride);
}

#[inline(always)]
fn turn_rows<P: Pack, const N: usize>(
    by: Factors<P>,
    (re, im): TileMut<P::Real>,
    stride: usize,
    columns: Range<usize>,
) {
    let (re, im) = (
        rows_mut::<_, N>(re, stride, columns.clone()),
        rows_mut::<_, N>(im, stride, columns),
    );
    let [mut even, mut odd] = halves(re, im);
    turn_half::<P, N, false>(by, &mut even);
    turn_half::<P, N, true>(by, &mut odd);
}

/// A range of N rows that begin `stride` numbers apart.
#[inline(always)]
pub(super) fn rows_mut<T, const N: usize>(
    list: &mut [T],
    stride: usize,
    columns: Range<usize>,
) -> [&mut [T]; N] {
    let mut list = list.chunks_mut(stride);
    let mut rows: [&mut [T]; N] = std::array::from_fn(|_| Default::default());
    unrolled!(j < N, {
        rows[j] = &mut list.next().unwrap_or_default()[columns.clone()]
    });
    rows
}

/// A turn takes real parts to imaginary ones and back while it changes one bit of the index. So the real parts at indices with an even
/// number of bits and the imaginary parts at the others are turned among themselves, as are the rest: each half needs half of the
/// registers. Makes of the rows of both parts those of both halves.
#[inline(always)]
pub(super) fn halves<R, const N: usize>(mut re: [R; N], mut im: [R; N]) -> [[R; N]; 2] {
    unrolled!(j < N, {
        if !is_real::<false>(j) {
            std::mem::swap(&mut re[j], &mut im[j]);
        }
    });
    [re, im]
}

/// Whether index `j` of the half `ODD` holds a real part.
#[inline(always)]
pub(super) fn is_real<const ODD: bool>(j: usize) -> bool {
    (j.count_ones() % 2 == 1) == ODD
}

#[inline(always)]
fn turn_half<P: Pack, const N: usize, const ODD: bool>(
    by: Factors<P>,
    rows: &mut [&mut [P::Real]; N],
) {
    for at in (0..rows[0].len()).step_by(P::LANES) {
        let mut half = [by.sin; N];
        unrolled!(j < N, { half[j] = P::load(rows[j], at) });
        turn_column::<P, N, ODD>(by, &mut half);
        unrolled!(j < N, { half[j].store(rows[j], at) });
    }
}

/// Turns one half of the N amplitudes of a column by all log2 N qubits, two at a time.
#[inline(always)]
pub(super) fn turn_column<P: Pack, const N: usize, const ODD: bool>(
    by: Factors<P>,
    half: &mut [P; N],
) {
    unrolled!(pair < N.ilog2() as usize / 2, {
        let (a, b) = (1 << (2 * pair), 2 << (2 * pair));
        unrolled!(j < N, {
            if j & (a | b) == 0 {
                let column = [half[j], half[j | a], half[j | b], half[j | a | b]];
                [half[j], half[j | a], half[j | b], half[j | a | b]] =
                    by.two(is_real::<ODD>(j), column);
            }
        });
    });
    if N.ilog2() % 2 == 1 {
        unrolled!(j < N, {
            if j < N / 2 {
                let column = [half[j], half[j | (N / 2)]];
                [half[j], half[j | (N / 2)]] = by.one(is_real::<ODD>(j), column);
            }
        });
    }
}

/// Turns the qubits that are lane bits in `lanes`, and the log2 N qubits above one vector; N = 1, 2, 4 or 8.
#[inline(always)]
pub(crate) fn turn_lanes<V: Vector, const N: usize>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    lanes: u32,
    turn: Turn,
) {
    let (by, above) = (Factors::<V>::new(turn), Factors::<V::Part>::new(turn));
    let length = N * V::Real::LANES;
    for (re, im) in re.chunks_exact_mut(length).zip(im.chunks_exact_mut(length)) {
        turn_lanes_at::<V, N>((by, above), (re, im), lanes);
    }
}

/// Turns the N vectors of two short slices, at lane bits and by all log2 N qubits.
#[inline(always)]
pub(super) fn turn_lanes_at<V: Vector, const N: usize>(
    (by, above): (Factors<V>, Factors<V::Part>),
    (re, im): TileMut<V::Real>,
    lanes: u32,
) {
    let stride = V::Real::LANES;
    let all = lanes == (1 << V::Real::LANE_BITS) - 1;
    // Of three lane bits the last one makes two with the first qubit above.
    if !all || V::Real::LANE_BITS.is_multiple_of(2) || N == 1 {
        unrolled!(j < N, {
            let at = j * stride;
            let (x, y) = by.lanes(lanes, (V::load(re, at), V::load(im, at)));
            x.store(re, at);
            y.store(im, at);
        });
        return turn_above::<V, N>(above, (re, im), stride);
    }
    unrolled!(pair < N / 2, {
        let (here, there) = (2 * pair * stride, (2 * pair + 1) * stride);
        let near = by.lane_pairs((V::load(re, here), V::load(im, here)));
        let far = by.lane_pairs((V::load(re, there), V::load(im, there)));
        let [(x, y), (a, b)] = by.crossed(V::Real::LANE_BITS - 1, [near, far]);
        x.store(re, here);
        y.store(im, here);
        a.store(re, there);
        b.store(im, there);
    });
    for row in [0, stride] {
        let part = (&mut re[row..], &mut im[row..]);
        match N {
            8 => turn_rows::<V::Part, 4>(above, part, 2 * stride, 0..stride),
            4 => turn_rows::<V::Part, 2>(above, part, 2 * stride, 0..stride),
            _ => {}
        }
    }
}

#[inline(always)]
fn turn_above<V: Vector, const N: usize>(
    above: Factors<V::Part>,
    tile: TileMut<V::Real>,
    stride: usize,
) {
    if N > 1 {
        turn_rows::<V::Part, N>(above, tile, stride, 0..stride);
    }
}

impl<V: Vector> Factors<V> {
    /// Turns the qubits at the lane bits in `lanes`, two at a time where those are all.
    #[inline(always)]
    fn lanes(self, lanes: u32, (mut x, mut y): (V, V)) -> (V, V) {
        if lanes == (1 << V::Real::LANE_BITS) - 1 {
            (x, y) = self.lane_pairs((x, y));
            if V::Real::LANE_BITS % 2 == 1 {
                (x, y) = self.lane(V::Real::LANE_BITS - 1, (x, y));
            }
            return (x, y);
        }
        unrolled!(bit < V::Real::LANE_BITS as usize, {
            if lanes & (1 << bit) != 0 {
                (x, y) = self.lane(bit as u32, (x, y));
            }
        });
        (x, y)
    }

    /// Turns the qubits at all lane bits, but for the last of an odd number of them.
    #[inline(always)]
    fn lane_pairs(self, (mut x, mut y): (V, V)) -> (V, V) {
        unrolled!(pair < V::Real::LANE_BITS as usize / 2, {
            (x, y) = self.lane_pair(2 * pair as u32, (x, y));
        });
        (x, y)
    }

    /// Turns the qubit at a lane bit.
    #[inline(always)]
    fn lane(self, bit: u32, (x, y): (V, V)) -> (V, V) {
        let (a, b) = (x.swap(bit), y.swap(bit));
        (
            self.sin.mul_add(b, self.cos.mul(x)),
            self.sin.neg_mul_add(a, self.cos.mul(y)),
        )
    }

    /// Turns the qubits at a lane bit and the next one, as [`Self::two`] does.
    #[inline(always)]
    fn lane_pair(self, bit: u32, (x, y): (V, V)) -> (V, V) {
        let (re, im) = (
            x.add(x.swap(bit).swap(bit + 1)),
            y.add(y.swap(bit).swap(bit + 1)),
        );
        (
            x.add(self.move_re(re, im.swap(bit))),
            y.add(self.move_im(im, re.swap(bit))),
        )
    }

    /// Turns the qubit at a lane bit and the one above that tells two vectors apart.
    #[inline(always)]
    fn crossed(self, bit: u32, [(x, y), (a, b)]: [(V, V); 2]) -> [(V, V); 2] {
        let (re, im) = (x.add(a.swap(bit)), y.add(b.swap(bit)));
        let by = (
            self.move_re(re, im.swap(bit)),
            self.move_im(im, re.swap(bit)),
        );
        [
            (x.add(by.0), y.add(by.1)),
            (a.add(by.0.swap(bit)), b.add(by.1.swap(bit))),
        ]
    }

    /// By how much a sum of real parts moves, given the other sum's imaginary part.
    #[inline(always)]
    fn move_re(self, re: V, other_im: V) -> V {
        self.other.mul_add(other_im, self.own.mul(re))
    }

    /// By how much a sum of imaginary parts moves, given the other sum's real part.
    #[inline(always)]
    fn move_im(self, im: V, other_re: V) -> V {
        self.other.neg_mul_add(other_re, self.own.mul(im))
    }
}

/// Turns a qubit whose partners are mirrored: index `i` of one tile has its partner at `length − 1 − i` of the other.
#[inline(always)]
pub(crate) fn turn_mirrored<V: Vector>(near: TileMut<V::Real>, far: TileMut<V::Real>, turn: Turn) {
    let by = Factors::<V>::new(turn);
    let length = near.0.len();
    for at in (0..length).step_by(V::Real::LANES) {
        let there = length - V::Real::LANES - at;
        let even = [V::load(near.0, at), V::load(far.1, there).reversed()];
        let odd = [V::load(near.1, at), V::load(far.0, there).reversed()];
        let (even, odd) = (by.one(true, even), by.one(false, odd));
        even[0].store(near.0, at);
        odd[0].store(near.1, at);
        odd[1].reversed().store(far.0, there);
        even[1].reversed().store(far.1, there);
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

/// Most amplitudes of a column of two axes that are mixed together: what an L1 cache holds beside much else.
pub(crate) const PAIR: usize = 64;

/// [`reflect`] on two neighbouring axes, the lower one first, with at most [`PAIR`] levels together: each column is read and written once.
#[inline(always)]
pub(crate) fn reflect_pair<V: Vector>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    stride: usize,
    [low, high]: [&[f64]; 2],
    factor: (f64, f64),
) {
    if low.len() == 4 && high.len() == 4 {
        return reflect_axes::<V, 16>(re, im, stride, [&low[..4], &high[..4]], factor);
    }
    with_known_length!(low, 2 3 4 5 6 7 8, reflect_axes::<V, PAIR>(re, im, stride, [low, high], factor));
}

#[inline(always)]
fn reflect_axes<V: Vector, const N: usize>(
    re: &mut [V::Real],
    im: &mut [V::Real],
    stride: usize,
    [low, high]: [&[f64]; 2],
    (a, b): (f64, f64),
) {
    let (a, b) = (
        V::splat(V::Real::from_f64(a)),
        V::splat(V::Real::from_f64(b)),
    );
    let zero = V::splat(V::Real::default());
    let mut column = [(zero, zero); N];
    let block = low.len() * high.len() * stride;
    for (re, im) in re.chunks_exact_mut(block).zip(im.chunks_exact_mut(block)) {
        for at in (0..stride).step_by(V::Real::LANES) {
            for (k, column) in column
                .chunks_exact_mut(low.len())
                .enumerate()
                .take(high.len())
            {
                let at = at + k * low.len() * stride;
                let (x, y) = project::<V>((re, im), stride, at, low);
                let (cx, cy) = (b.neg_mul_add(y, a.mul(x)), b.mul_add(x, a.mul(y)));
                for (j, (&w, to)) in low.iter().zip(column).enumerate() {
                    let (w, i) = (V::splat(V::Real::from_f64(w)), j * stride + at);
                    *to = (w.mul_add(cx, V::load(re, i)), w.mul_add(cy, V::load(im, i)));
                }
            }
            for j in 0..low.len() {
                let (mut x, mut y) = (zero, zero);
                for (k, &w) in high.iter().enumerate() {
                    let (w, here) = (V::splat(V::Real::from_f64(w)), column[k * low.len() + j]);
                    (x, y) = (w.mul_add(here.0, x), w.mul_add(here.1, y));
                }
                let (cx, cy) = (b.neg_mul_add(y, a.mul(x)), b.mul_add(x, a.mul(y)));
                for (k, &w) in high.iter().enumerate() {
                    let (w, row) = (V::splat(V::Real::from_f64(w)), k * low.len() + j);
                    let (i, here) = (row * stride + at, column[row]);
                    w.mul_add(cx, here.0).store(re, i);
                    w.mul_add(cy, here.1).store(im, i);
                }
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
