//! `Im⟨λ|B_k|ψ⟩` and `Im⟨λ|C|ψ⟩` on one tile. Axes are cut as in `mix`. An overlap is the same before and after a turn, so it is
//! taken where both states are read to be turned.

use super::mix::{
    Factors, Turn, Watch, WatchLanes, crosses, halves, is_real, load, rows_mut, store, turn_pack,
    turn_rows_at, unrolled,
};
use super::reduce::{Sum, sum_of};
use super::reflect::{Whole, project};
use super::vector::{Number, Pack, Vector};
use super::{Tile, TileMut};

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

/// [`overlap_turn`], and turns the qubits on both states.
#[inline(always)]
pub(crate) fn undo<V: Vector, const N: usize>(
    psi: TileMut<V::Real>,
    lambda: TileMut<V::Real>,
    stride: usize,
    turn: Turn,
) -> f64 {
    let by = Factors::<V::Part>::new(turn);
    let (mut strip, mut sum) = (Strip::new(), Sum::ZERO);
    for start in (0..psi.0.len()).step_by(N * stride) {
        let states = [&mut *psi.0, &mut *psi.1, &mut *lambda.0, &mut *lambda.1];
        let states = states.map(|list| &mut list[start..][..N * stride]);
        undo_rows::<V::Part, N>(by, states, stride, &mut strip, &mut sum);
    }
    sum.total()
}

/// The overlaps of log2 N qubits, which are turned on both states.
#[inline(always)]
fn undo_rows<P: Pack, const N: usize>(
    by: Factors<P>,
    states: [&mut [P::Real]; 4],
    stride: usize,
    strip: &mut Strip<P>,
    sum: &mut Sum,
) {
    let [psi_re, psi_im, lambda_re, lambda_im] =
        states.map(|list| rows_mut::<_, N>(list, stride, 0..stride));
    let [mut psi_even, mut psi_odd] = halves(psi_re, psi_im);
    let [mut lambda_even, mut lambda_odd] = halves(lambda_re, lambda_im);
    for at in (0..stride).step_by(STRIP * P::LANES) {
        let packs = STRIP.min((stride - at) / P::LANES);
        strip.keep::<N, false>(by, &mut psi_even, at, packs);
        strip.keep::<N, true>(by, &mut psi_odd, at, packs);
        strip.meet::<N, false>(by, &mut lambda_even, at, packs);
        strip.meet::<N, true>(by, &mut lambda_odd, at, packs);
        for (pack, &overlap) in strip.overlaps.iter().enumerate().take(packs) {
            sum.add_at(at + pack * P::LANES, overlap);
        }
    }
}

/// Columns, in packs, that are turned on one state and then on the other: so few that what is kept in between stays in L1.
const STRIP: usize = 4;
/// Most pairs of sums that turns of half a column move: of four qubits, one for each of four indices of either two.
const SUMS: usize = 8;

/// What ψ's turns leave for those of λ, and what both contribute.
struct Strip<P> {
    /// The sums that are moved, of each half.
    kept: [[[(P, P); SUMS]; STRIP]; 2],
    overlaps: [P; STRIP],
}

impl<P: Pack> Strip<P> {
    #[inline(always)]
    fn new() -> Self {
        let zero = P::splat(P::Real::default());
        Self {
            kept: [[[(zero, zero); SUMS]; STRIP]; 2],
            overlaps: [zero; STRIP],
        }
    }

    /// Turns half of some columns of ψ.
    #[inline(always)]
    fn keep<const N: usize, const ODD: bool>(
        &mut self,
        by: Factors<P>,
        rows: &mut [&mut [P::Real]; N],
        at: usize,
        packs: usize,
    ) {
        for (pack, kept) in self.kept[usize::from(ODD)]
            .iter_mut()
            .enumerate()
            .take(packs)
        {
            turn_rows_at::<P, N, ODD>(by, rows, at + pack * P::LANES, &mut Keep(kept));
        }
    }

    /// Turns half of some columns of λ; the even half comes first.
    #[inline(always)]
    fn meet<const N: usize, const ODD: bool>(
        &mut self,
        by: Factors<P>,
        rows: &mut [&mut [P::Real]; N],
        at: usize,
        packs: usize,
    ) {
        let columns = self.kept[usize::from(ODD)].iter().zip(&mut self.overlaps);
        for (pack, (kept, overlap)) in columns.enumerate().take(packs) {
            let mut meet = Meet::new(kept);
            turn_rows_at::<P, N, ODD>(by, rows, at + pack * P::LANES, &mut meet);
            let half = meet.total();
            *overlap = if ODD { overlap.add(half) } else { half };
        }
    }
}

/// Where the sums of a pair of qubits are kept.
#[inline(always)]
fn place(pair: usize, j: usize) -> usize {
    if pair == 0 { j / 4 } else { 4 + j }
}

/// Keeps the sums.
struct Keep<'a, P>(&'a mut [(P, P); SUMS]);

impl<P> Watch<P> for Keep<'_, P> {
    #[inline(always)]
    fn see(&mut self, pair: usize, j: usize, _: bool, ends: P, middle: P) {
        self.0[place(pair, j)] = (ends, middle);
    }
}

/// λ's sums against those of ψ: of the four indices that differ in two bits, opposite ones have the same neighbours, the other two. `Im λ*ψ`
/// has real times imaginary part less the reverse.
struct Meet<'a, P> {
    psi: &'a [(P, P); SUMS],
    /// Several, so that few additions wait for each other.
    sums: [P; 4],
}

impl<'a, P: Pack> Meet<'a, P> {
    #[inline(always)]
    fn new(psi: &'a [(P, P); SUMS]) -> Self {
        let sums = [P::splat(P::Real::default()); 4];
        Self { psi, sums }
    }

    #[inline(always)]
    fn total(&self) -> P {
        let [a, b, c, d] = self.sums;
        a.add(b).add(c.add(d))
    }
}

impl<P: Pack> Watch<P> for Meet<'_, P> {
    #[inline(always)]
    fn see(&mut self, pair: usize, j: usize, real: bool, ends: P, middle: P) {
        let place = place(pair, j);
        let (psi, sum) = (self.psi[place], &mut self.sums[place % 4]);
        *sum = if real {
            middle.neg_mul_add(psi.0, ends.mul_add(psi.1, *sum))
        } else {
            middle.mul_add(psi.0, ends.neg_mul_add(psi.1, *sum))
        };
    }
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
        undo_lanes_at::<V, N>(by, psi, lambda, lanes, &mut sum);
    }
    sum.total()
}

/// Of N vectors, as `turn_lanes_at` turns them.
#[inline(always)]
fn undo_lanes_at<V: Vector, const N: usize>(
    (by, above): (Factors<V>, Factors<V::Part>),
    mut psi: TileMut<V::Real>,
    mut lambda: TileMut<V::Real>,
    lanes: u32,
    sum: &mut Sum,
) {
    let stride = V::Real::LANES;
    let mut meets = [V::splat(V::Real::default()); N];
    if !crosses::<V, N>(lanes) {
        unrolled!(j < N, {
            let (mut kept, at) = (KeptLanes::new(), j * stride);
            store(by.lanes(lanes, load(&psi, at), &mut kept), &mut psi, at);
            let mut meet = MeetLanes::new(&kept);
            let turned = by.lanes(lanes, load(&lambda, at), &mut meet);
            store(turned, &mut lambda, at);
            meets[j] = meet.sum;
        });
    } else {
        unrolled!(pair < N / 2, {
            let at = [2 * pair * stride, (2 * pair + 1) * stride];
            let [mut near, mut far] = [KeptLanes::new(), KeptLanes::new()];
            by.two_vectors(&mut psi, at, [&mut near, &mut far]);
            let [mut near, mut far] = [MeetLanes::new(&near), MeetLanes::new(&far)];
            by.two_vectors(&mut lambda, at, [&mut near, &mut far]);
            (meets[2 * pair], meets[2 * pair + 1]) = (near.sum, far.sum);
        });
    }
    let mut meet = meets[0];
    unrolled!(j < N, {
        if j > 0 {
            meet = meet.add(meets[j]);
        }
    });
    sum.add(meet);
    let states = (&mut psi, &mut lambda);
    if !crosses::<V, N>(lanes) {
        if N > 1 {
            undo_packs::<V::Part, N>(above, states, stride, sum);
        }
        return;
    }
    match N {
        8 => undo_packs::<V::Part, 4>(above, states, 2 * stride, sum),
        4 => undo_packs::<V::Part, 2>(above, states, 2 * stride, sum),
        _ => {}
    }
}

/// The overlaps of log2 N qubits of a short tile, which are turned on both states.
#[inline(always)]
fn undo_packs<P: Pack, const N: usize>(
    by: Factors<P>,
    (psi, lambda): (&mut TileMut<P::Real>, &mut TileMut<P::Real>),
    stride: usize,
    sum: &mut Sum,
) {
    let zero = P::splat(P::Real::default());
    for at in (0..stride).step_by(P::LANES) {
        let mut kept = [[(zero, zero); SUMS]; 2];
        let [even, odd] = &mut kept;
        turn_pack::<P, N>(by, psi, (at, stride), [&mut Keep(even), &mut Keep(odd)]);
        let [mut even, mut odd] = [Meet::new(&kept[0]), Meet::new(&kept[1])];
        turn_pack::<P, N>(by, lambda, (at, stride), [&mut even, &mut odd]);
        sum.add_at(at, even.total().add(odd.total()));
    }
}

/// Most turns of a vector's lane bits, one for each where those are not all.
const LANE_TURNS: usize = 3;

/// The neighbours' sums that ψ's turns see.
struct KeptLanes<V> {
    seen: [(V, V); LANE_TURNS],
    turn: usize,
}

impl<V: Vector> KeptLanes<V> {
    #[inline(always)]
    fn new() -> Self {
        let zero = V::splat(V::Real::default());
        Self {
            seen: [(zero, zero); LANE_TURNS],
            turn: 0,
        }
    }
}

impl<V: Vector> WatchLanes<V> for KeptLanes<V> {
    #[inline(always)]
    fn see(&mut self, _: (V, V), neighbours: (V, V)) {
        self.seen[self.turn] = neighbours;
        self.turn += 1;
    }
}

/// λ beside the neighbours of ψ.
struct MeetLanes<'a, V> {
    psi: &'a KeptLanes<V>,
    turn: usize,
    sum: V,
}

impl<'a, V: Vector> MeetLanes<'a, V> {
    #[inline(always)]
    fn new(psi: &'a KeptLanes<V>) -> Self {
        let sum = V::splat(V::Real::default());
        Self { psi, turn: 0, sum }
    }
}

impl<V: Vector> WatchLanes<V> for MeetLanes<'_, V> {
    #[inline(always)]
    fn see(&mut self, (x, y): (V, V), _: (V, V)) {
        let (a, b) = self.psi.seen[self.turn];
        self.turn += 1;
        self.sum = y.neg_mul_add(a, x.mul_add(b, self.sum));
    }
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
                let (x, y) = project::<V, _>(psi, stride, at, Whole(row));
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
