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

    /// By how much the two sums of two qubits move their amplitudes. `X₁ + X₂` takes the amplitudes of 00 and 11 to those of 01 and 10 and does
    /// not see their differences. So only the sums turn, by 2β, and every amplitude moves by half of what its sum does.
    #[inline(always)]
    fn moves(self, real: bool, ends: P, middle: P) -> (P, P) {
        if real {
            (self.move_re(ends, middle), self.move_im(middle, ends))
        } else {
            (self.move_im(ends, middle), self.move_re(middle, ends))
        }
    }

    /// By how much a sum of real parts moves, given the other sum's imaginary part.
    #[inline(always)]
    fn move_re(self, re: P, other_im: P) -> P {
        self.other.mul_add(other_im, self.own.mul(re))
    }

    /// By how much a sum of imaginary parts moves, given the other sum's real part.
    #[inline(always)]
    fn move_im(self, im: P, other_re: P) -> P {
        self.other.neg_mul_add(other_re, self.own.mul(im))
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
        turn_rows_at::<P, N, ODD>(by, rows, at, &mut ());
    }
}

/// Turns half of some columns.
#[inline(always)]
pub(super) fn turn_rows_at<P: Pack, const N: usize, const ODD: bool>(
    by: Factors<P>,
    rows: &mut [&mut [P::Real]; N],
    at: usize,
    watch: &mut impl Watch<P>,
) {
    let mut half = [by.sin; N];
    unrolled!(j < N, { half[j] = P::load(rows[j], at) });
    turn_column::<P, N, ODD>(by, &mut half, watch);
    unrolled!(j < N, { half[j].store(rows[j], at) });
}

/// What is to be done with the sums that turns move, before they do: those of 00 and 11 and of 01 and 10, or the two amplitudes of the
/// last of an odd number of qubits. Each is given by the number of its pair of qubits and its lowest index.
pub(super) trait Watch<P> {
    fn see(&mut self, pair: usize, j: usize, real: bool, ends: P, middle: P);
}

/// Nothing.
impl<P> Watch<P> for () {
    #[inline(always)]
    fn see(&mut self, _: usize, _: usize, _: bool, _: P, _: P) {}
}

/// Turns one half of the N amplitudes of a column by all log2 N qubits, two at a time.
#[inline(always)]
pub(super) fn turn_column<P: Pack, const N: usize, const ODD: bool>(
    by: Factors<P>,
    half: &mut [P; N],
    watch: &mut impl Watch<P>,
) {
    let pairs = N.ilog2() as usize / 2;
    unrolled!(pair < pairs, {
        let (a, b) = (1 << (2 * pair), 2 << (2 * pair));
        unrolled!(j < N, {
            if j & (a | b) == 0 {
                let real = is_real::<ODD>(j);
                let ends = half[j].add(half[j | a | b]);
                let middle = half[j | a].add(half[j | b]);
                watch.see(pair, j, real, ends, middle);
                let (ends, middle) = by.moves(real, ends, middle);
                half[j] = half[j].add(ends);
                half[j | a] = half[j | a].add(middle);
                half[j | b] = half[j | b].add(middle);
                half[j | a | b] = half[j | a | b].add(ends);
            }
        });
    });
    if N.ilog2() % 2 == 1 {
        unrolled!(j < N, {
            if j < N / 2 {
                let (real, column) = (is_real::<ODD>(j), [half[j], half[j | (N / 2)]]);
                watch.see(pairs, j, real, column[0], column[1]);
                [half[j], half[j | (N / 2)]] = by.one(real, column);
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
fn turn_lanes_at<V: Vector, const N: usize>(
    (by, above): (Factors<V>, Factors<V::Part>),
    (re, im): TileMut<V::Real>,
    lanes: u32,
) {
    let stride = V::Real::LANES;
    let mut tile = (&mut re[..N * stride], &mut im[..N * stride]);
    if !crosses::<V, N>(lanes) {
        unrolled!(j < N, {
            let z = by.lanes(lanes, load(&tile, j * stride), &mut ());
            store(z, &mut tile, j * stride);
        });
        if N > 1 {
            for at in (0..stride).step_by(V::Part::LANES) {
                turn_pack::<V::Part, N>(above, &mut tile, (at, stride), [&mut (), &mut ()]);
            }
        }
        return;
    }
    unrolled!(pair < N / 2, {
        let at = [2 * pair * stride, (2 * pair + 1) * stride];
        by.two_vectors(&mut tile, at, [&mut (), &mut ()]);
    });
    for at in (0..2 * stride).step_by(V::Part::LANES) {
        let (place, nothing) = ((at, 2 * stride), [&mut (), &mut ()]);
        match N {
            8 => turn_pack::<V::Part, 4>(above, &mut tile, place, nothing),
            4 => turn_pack::<V::Part, 2>(above, &mut tile, place, nothing),
            _ => {}
        }
    }
}

/// Whether the last lane bit makes two with the first qubit above: where all lane bits are turned, and their number is odd.
#[inline(always)]
pub(super) fn crosses<V: Vector, const N: usize>(lanes: u32) -> bool {
    let all = lanes == (1 << V::Real::LANE_BITS) - 1;
    all && V::Real::LANE_BITS % 2 == 1 && N > 1
}

/// Turns log2 N qubits on one pack of columns of a short tile.
#[inline(always)]
pub(super) fn turn_pack<P: Pack, const N: usize>(
    by: Factors<P>,
    tile: &mut TileMut<P::Real>,
    (at, stride): (usize, usize),
    [watch_even, watch_odd]: [&mut impl Watch<P>; 2],
) {
    turn_pack_half::<P, N, false>(by, tile, (at, stride), watch_even);
    turn_pack_half::<P, N, true>(by, tile, (at, stride), watch_odd);
}

#[inline(always)]
fn turn_pack_half<P: Pack, const N: usize, const ODD: bool>(
    by: Factors<P>,
    (re, im): &mut TileMut<P::Real>,
    (at, stride): (usize, usize),
    watch: &mut impl Watch<P>,
) {
    let mut half = [by.sin; N];
    unrolled!(j < N, {
        let from = if is_real::<ODD>(j) { &*re } else { &*im };
        half[j] = P::load(from, at + j * stride);
    });
    turn_column::<P, N, ODD>(by, &mut half, watch);
    unrolled!(j < N, {
        let to = if is_real::<ODD>(j) {
            &mut *re
        } else {
            &mut *im
        };
        half[j].store(to, at + j * stride);
    });
}

#[inline(always)]
pub(super) fn load<P: Pack>(tile: &TileMut<P::Real>, at: usize) -> (P, P) {
    (P::load(tile.0, at), P::load(tile.1, at))
}

#[inline(always)]
pub(super) fn store<P: Pack>((x, y): (P, P), tile: &mut TileMut<P::Real>, at: usize) {
    x.store(tile.0, at);
    y.store(tile.1, at);
}

/// What is to be done with a vector and the sum of its neighbours at one lane bit or two, before the turn.
pub(super) trait WatchLanes<V> {
    fn see(&mut self, own: (V, V), neighbours: (V, V));
}

/// Nothing.
impl<V> WatchLanes<V> for () {
    #[inline(always)]
    fn see(&mut self, _: (V, V), _: (V, V)) {}
}

impl<V: Vector> Factors<V> {
    /// Turns the qubits at the lane bits in `lanes`, two at a time where those are all.
    #[inline(always)]
    pub(super) fn lanes(self, lanes: u32, mut z: (V, V), watch: &mut impl WatchLanes<V>) -> (V, V) {
        if lanes == (1 << V::Real::LANE_BITS) - 1 {
            z = self.lane_pairs(z, watch);
            if V::Real::LANE_BITS % 2 == 1 {
                z = self.lane(V::Real::LANE_BITS - 1, z, watch);
            }
            return z;
        }
        unrolled!(bit < V::Real::LANE_BITS as usize, {
            if lanes & (1 << bit) != 0 {
                z = self.lane(bit as u32, z, watch);
            }
        });
        z
    }

    /// Turns the qubits at all lane bits, but for the last of an odd number of them.
    #[inline(always)]
    fn lane_pairs(self, mut z: (V, V), watch: &mut impl WatchLanes<V>) -> (V, V) {
        unrolled!(pair < V::Real::LANE_BITS as usize / 2, {
            z = self.lane_pair(2 * pair as u32, z, watch);
        });
        z
    }

    /// Turns the qubit at a lane bit.
    #[inline(always)]
    fn lane(self, bit: u32, (x, y): (V, V), watch: &mut impl WatchLanes<V>) -> (V, V) {
        let (a, b) = (x.swap(bit), y.swap(bit));
        watch.see((x, y), (a, b));
        (
            self.sin.mul_add(b, self.cos.mul(x)),
            self.sin.neg_mul_add(a, self.cos.mul(y)),
        )
    }

    /// Turns the qubits at a lane bit and the next one, as [`turn_column`] does.
    #[inline(always)]
    fn lane_pair(self, bit: u32, (x, y): (V, V), watch: &mut impl WatchLanes<V>) -> (V, V) {
        let (re, im) = (
            x.add(x.swap(bit).swap(bit + 1)),
            y.add(y.swap(bit).swap(bit + 1)),
        );
        let neighbours = (re.swap(bit), im.swap(bit));
        watch.see((x, y), neighbours);
        (
            x.add(self.move_re(re, neighbours.1)),
            y.add(self.move_im(im, neighbours.0)),
        )
    }

    /// Turns the qubits at all lane bits and the one above on two vectors.
    #[inline(always)]
    pub(super) fn two_vectors(
        self,
        tile: &mut TileMut<V::Real>,
        at: [usize; 2],
        [near, far]: [&mut impl WatchLanes<V>; 2],
    ) {
        let (x, y) = self.lane_pairs(load(tile, at[0]), near);
        let (a, b) = self.lane_pairs(load(tile, at[1]), far);
        let bit = V::Real::LANE_BITS - 1;
        let (re, im) = (x.add(a.swap(bit)), y.add(b.swap(bit)));
        let neighbours = (re.swap(bit), im.swap(bit));
        near.see((x, y), neighbours);
        far.see((a, b), (re, im));
        let by = (
            self.move_re(re, neighbours.1),
            self.move_im(im, neighbours.0),
        );
        store((x.add(by.0), y.add(by.1)), tile, at[0]);
        let by = (by.0.swap(bit), by.1.swap(bit));
        store((a.add(by.0), b.add(by.1)), tile, at[1]);
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
