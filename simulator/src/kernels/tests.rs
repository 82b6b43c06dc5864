//! One property suite in both precisions, run by every instruction set of the machine against the specification, to the bit; and the
//! specification of what the turns and lane kernels do, against the kernels for whole vectors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod phases;

use super::*;
use ndarray::ArrayView2;
use proptest::prelude::*;

/// An axis somewhere in a tile, and numbers to fill four arrays with.
#[derive(Debug, Clone)]
struct Case {
    d: usize,
    /// In vectors.
    stride: usize,
    /// Five arrays of `d · stride · blocks` vectors of sixteen numbers.
    arrays: [Vec<f64>; 5],
    /// `d·d` numbers, twice.
    matrix: [Vec<f64>; 2],
    angles: [f64; 2],
}

fn numbers(length: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-1.0..1.0_f64, length)
}

fn case(levels: impl Strategy<Value = usize>) -> impl Strategy<Value = Case> {
    (levels, 1_usize..7, 1_usize..3).prop_flat_map(|(d, stride, blocks)| {
        let arrays = [(); 5].map(|()| numbers(16 * d * stride * blocks));
        let angles = [-3.0..3.0_f64, -3.0..3.0_f64];
        (arrays, [numbers(d * d), numbers(d * d)], angles).prop_map(
            move |(arrays, matrix, angles)| Case {
                d,
                stride,
                arrays,
                matrix,
                angles,
            },
        )
    })
}

impl Case {
    fn array<T: Number>(&self, at: usize) -> Vec<T> {
        let length = self.arrays[at].len() / 16 * T::LANES;
        self.arrays[at][..length]
            .iter()
            .map(|&x| T::from_f64(x))
            .collect()
    }

    fn costs<T: Number>(&self) -> &[f64] {
        &self.arrays[4][..self.arrays[4].len() / 16 * T::LANES]
    }

    /// Runs a kernel that changes two arrays on every instruction set; returns what the specification makes of them.
    fn arrays<T: Number>(
        &self,
        kernel: impl Fn(InstructionSet, &mut [T], &mut [T]),
    ) -> (Vec<T>, Vec<T>) {
        let run = |isa| {
            let (mut re, mut im) = (self.array::<T>(0), self.array::<T>(1));
            kernel(isa, &mut re, &mut im);
            (re, im)
        };
        let expected = run(InstructionSet::SCALAR);
        for isa in InstructionSet::available() {
            assert!(run(isa) == expected, "{} {}", T::NAME, isa.name());
        }
        expected
    }

    /// Runs a kernel that adds up on every instruction set.
    fn number<T: Number>(&self, kernel: impl Fn(InstructionSet, Tile<T>, Tile<T>) -> f64) -> f64 {
        let [a, b, c, d] = [0, 1, 2, 3].map(|at| self.array::<T>(at));
        let run = |isa| kernel(isa, (&a, &b), (&c, &d));
        let expected = run(InstructionSet::SCALAR);
        for isa in InstructionSet::available() {
            assert_eq!(
                run(isa).to_bits(),
                expected.to_bits(),
                "{} {}",
                T::NAME,
                isa.name()
            );
        }
        expected
    }
}

fn turn_by(beta: f64) -> Turn {
    Turn::new(beta.sin(), beta.cos())
}

/// Turns neighbouring qubits two at a time from the lowest on, as every kernel for several does.
fn turn_pairs<T: Number>(
    isa: InstructionSet,
    (re, im): (&mut [T], &mut [T]),
    stride: usize,
    qubits: u32,
    turn: Turn,
) {
    for qubit in (0..qubits).step_by(2) {
        match qubits - qubit {
            1 => isa.turn1(re, im, stride << qubit, turn),
            _ => isa.turn2(re, im, stride << qubit, turn),
        }
    }
}

fn close<T: Number>(found: &(Vec<T>, Vec<T>), expected: &(Vec<T>, Vec<T>), tolerance: f64) {
    let found = found.0.iter().chain(&found.1);
    let pairs = found.zip(expected.0.iter().chain(&expected.1));
    pairs.for_each(|(a, b)| assert!((a.to_f64() - b.to_f64()).abs() < tolerance));
}

fn turns<T: Number>(case: &Case) {
    let (stride, turn) = (case.stride * T::LANES, turn_by(case.angles[0]));
    let tolerance = if T::NAME == "f64" { 1e-14 } else { 2e-6 };
    let one = |stride| case.arrays::<T>(|isa, re, im| isa.turn1(re, im, stride, turn));
    one(4 * stride);
    // One qubit against sine and cosine.
    let (re, im) = (case.array::<T>(0), case.array::<T>(1));
    let (sin, cos) = case.angles[0].sin_cos();
    let found = one(stride);
    for (at, (found, re)) in found.0.iter().zip(&re).enumerate() {
        let there = if at / stride % 2 == 0 {
            at + stride
        } else {
            at - stride
        };
        let expected = cos * re.to_f64() + sin * im[there].to_f64();
        assert!((found.to_f64() - expected).abs() < tolerance);
    }
    // Two at once against one after the other.
    let two = case.arrays::<T>(|isa, re, im| isa.turn2(re, im, 2 * stride, turn));
    let one_by_one = case.arrays::<T>(|isa, re, im| {
        [2, 4]
            .into_iter()
            .for_each(|below| isa.turn1(re, im, below * stride, turn));
    });
    close(&two, &one_by_one, tolerance);
    let three = case.arrays::<T>(|isa, re, im| isa.turn3(re, im, stride, turn));
    let in_pairs = case.arrays::<T>(|isa, re, im| turn_pairs(isa, (re, im), stride, 3, turn));
    assert!(three == in_pairs, "{turn:?}");
    let four = |stride| {
        let at_once = case.arrays::<T>(|isa, re, im| isa.turn4(re, im, stride, turn));
        let in_pairs = case.arrays::<T>(|isa, re, im| turn_pairs(isa, (re, im), stride, 4, turn));
        assert!(at_once == in_pairs, "{turn:?}");
    };
    let length = case.array::<T>(0).len();
    [T::LANES, stride]
        .into_iter()
        .filter(|stride| length.is_multiple_of(16 * stride))
        .for_each(four);
    for stride in [stride, 2 * stride] {
        case.number::<T>(|isa, psi, lambda| isa.overlap_turn1(psi, lambda, stride));
        case.number::<T>(|isa, psi, lambda| isa.overlap_turn2(psi, lambda, stride));
    }
    case.number::<T>(|isa, psi, lambda| isa.overlap_turn3(psi, lambda, stride));
    undone::<T>(case, stride, turn);
}

/// Overlaps of several qubits against those of one after the other, and what is turned with them against what is turned alone.
fn undone<T: Number>(case: &Case, stride: usize, turn: Turn) {
    type Kernel<T> = fn(InstructionSet, TileMut<'_, T>, TileMut<'_, T>, usize, Turn) -> f64;
    let kernels: [Kernel<T>; 4] = [
        InstructionSet::undo1,
        InstructionSet::undo2,
        InstructionSet::undo3,
        InstructionSet::undo4,
    ];
    let length = case.array::<T>(0).len();
    for (kernel, qubits) in kernels.into_iter().zip(1..) {
        // Of the four qubits the highest may not be there.
        let stride = if qubits == 4 { T::LANES } else { stride };
        if !length.is_multiple_of(stride << qubits) {
            continue;
        }
        let one_by_one = |isa: InstructionSet, psi: Tile<T>, lambda: Tile<T>| {
            let of = |qubit| isa.overlap_turn1(psi, lambda, stride << qubit);
            (0..qubits).map(of).sum()
        };
        let turned = |isa: InstructionSet, re: &mut [T], im: &mut [T]| {
            turn_pairs(isa, (re, im), stride, qubits, turn);
        };
        let undo =
            |isa, psi: TileMut<T>, lambda: TileMut<T>| kernel(isa, psi, lambda, stride, turn);
        both_undone(case, undo, one_by_one, turned);
        if qubits == 4 {
            let four = case.number::<T>(|isa, a, b| isa.overlap_turn4(a, b, stride));
            assert!((four - case.number::<T>(one_by_one)).abs() < tolerance::<T>());
        }
    }
}

/// The same of lane bits, with up to three qubits above.
fn undone_lanes<T: Number>(case: &Case, lanes: u32, turn: Turn) {
    type Kernel<T> = fn(InstructionSet, TileMut<'_, T>, TileMut<'_, T>, u32, Turn) -> f64;
    let kernels: [Kernel<T>; 4] = [
        InstructionSet::undo_lanes0,
        InstructionSet::undo_lanes1,
        InstructionSet::undo_lanes2,
        InstructionSet::undo_lanes3,
    ];
    for (kernel, qubits) in kernels.into_iter().zip(0..) {
        // In strides, where every number is as many lanes.
        let one_by_one = |isa: InstructionSet, psi: Tile<T>, lambda: Tile<T>| {
            let [a, b, c, d] = [psi.0, psi.1, lambda.0, lambda.1].map(spread);
            let of = |bit| isa.overlap_turn1((&a, &b), (&c, &d), T::LANES << bit);
            let bits = (0..T::LANE_BITS + qubits)
                .filter(|bit| *bit >= T::LANE_BITS || lanes & (1 << bit) != 0);
            bits.map(of).sum::<f64>() / T::LANES as f64
        };
        let turned = |isa: InstructionSet, re: &mut [T], im: &mut [T]| match qubits {
            0 => isa.turn_lanes0(re, im, lanes, turn),
            1 => isa.turn_lanes1(re, im, lanes, turn),
            2 => isa.turn_lanes2(re, im, lanes, turn),
            _ => isa.turn_lanes3(re, im, lanes, turn),
        };
        let undo = |isa, psi: TileMut<T>, lambda: TileMut<T>| kernel(isa, psi, lambda, lanes, turn);
        both_undone(case, undo, one_by_one, turned);
    }
}

fn both_undone<T: Number>(
    case: &Case,
    undo: impl Fn(InstructionSet, TileMut<T>, TileMut<T>) -> f64,
    overlap: impl Fn(InstructionSet, Tile<T>, Tile<T>) -> f64,
    turned: impl Fn(InstructionSet, &mut [T], &mut [T]),
) {
    let found = case.number::<T>(|isa, psi, lambda| {
        let [mut a, mut b, mut c, mut d] = [psi.0, psi.1, lambda.0, lambda.1].map(<[T]>::to_vec);
        let found = undo(isa, (&mut a, &mut b), (&mut c, &mut d));
        for (state, re, im) in [(psi, a, b), (lambda, c, d)] {
            let mut expected = (state.0.to_vec(), state.1.to_vec());
            turned(isa, &mut expected.0, &mut expected.1);
            assert!((re, im) == expected, "{}", isa.name());
        }
        found
    });
    let expected = overlap(
        InstructionSet::SCALAR,
        (&case.array::<T>(0), &case.array::<T>(1)),
        (&case.array::<T>(2), &case.array::<T>(3)),
    );
    assert!(
        (found - expected).abs() < tolerance::<T>(),
        "{found}, expected {expected}"
    );
}

/// Every number becomes a vector: what was in lanes is then in strides.
fn spread<T: Number>(from: &[T]) -> Vec<T> {
    from.iter().flat_map(|&x| vec![x; T::LANES]).collect()
}

fn turns_in_lanes<T: Number>(case: &Case) {
    let turn = turn_by(case.angles[0]);
    let all = (1 << T::LANE_BITS) - 1;
    for lanes in 1..=all {
        let found = case.arrays::<T>(|isa, re, im| isa.turn_lanes0(re, im, lanes, turn));
        let (mut re, mut im) = (spread(&case.array::<T>(0)), spread(&case.array::<T>(1)));
        if lanes == all {
            let both = (&mut re[..], &mut im[..]);
            turn_pairs(InstructionSet::SCALAR, both, T::LANES, T::LANE_BITS, turn);
        } else {
            for bit in (0..T::LANE_BITS).filter(|bit| lanes & (1 << bit) != 0) {
                InstructionSet::SCALAR.turn1(&mut re, &mut im, T::LANES << bit, turn);
            }
        }
        assert!(
            (spread(&found.0), spread(&found.1)) == (re, im),
            "lanes {lanes:b}, {turn:?}"
        );
        undone_lanes::<T>(case, lanes, turn);
    }
    let above = [
        case.arrays::<T>(|isa, re, im| isa.turn_lanes1(re, im, all, turn)),
        case.arrays::<T>(|isa, re, im| isa.turn_lanes2(re, im, all, turn)),
        case.arrays::<T>(|isa, re, im| isa.turn_lanes3(re, im, all, turn)),
    ];
    for (found, qubits) in above.into_iter().zip(T::LANE_BITS + 1..) {
        let (mut re, mut im) = (spread(&case.array::<T>(0)), spread(&case.array::<T>(1)));
        let both = (&mut re[..], &mut im[..]);
        turn_pairs(InstructionSet::SCALAR, both, T::LANES, qubits, turn);
        let found = (spread(&found.0), spread(&found.1));
        assert!(found == (re, im), "{qubits} qubits, {turn:?}");
    }
    // Some lane bits with qubits above.
    let some = case.arrays::<T>(|isa, re, im| isa.turn_lanes3(re, im, 2, turn));
    let apart = case.arrays::<T>(|isa, re, im| {
        isa.turn_lanes0(re, im, 2, turn);
        isa.turn3(re, im, T::LANES, turn);
    });
    assert!(some == apart, "{turn:?}");
}

/// Partners in another tile, mirrored, against partners in the same one.
fn turns_mirrored<T: Number>(case: &Case) {
    let turn = turn_by(case.angles[0]);
    let half = case.array::<T>(0).len() / 2;
    let reverse = |list: &mut [T]| list[half..].reverse();
    let found = case.arrays::<T>(|isa, re, im| {
        let ((near_re, far_re), (near_im, far_im)) = (re.split_at_mut(half), im.split_at_mut(half));
        isa.turn_mirrored((near_re, near_im), (far_re, far_im), turn);
    });
    let expected = case.arrays::<T>(|isa, re, im| {
        reverse(re);
        reverse(im);
        isa.turn1(re, im, half, turn);
        reverse(re);
        reverse(im);
    });
    assert!(found == expected, "{turn:?}");
    let found = case.number::<T>(|isa, psi, lambda| {
        let [psi, lambda] =
            [psi, lambda].map(|(re, im)| [(&re[..half], &im[..half]), (&re[half..], &im[half..])]);
        isa.overlap_mirrored(psi, lambda)
    });
    let mut lists = [0, 1, 2, 3].map(|at| case.array::<T>(at));
    lists.iter_mut().for_each(|list| reverse(list));
    let [a, b, c, d] = &lists;
    let expected = InstructionSet::SCALAR.overlap_turn1::<T>((a, b), (c, d), half);
    assert!(
        (found - expected).abs() < tolerance::<T>(),
        "{found}, expected {expected}"
    );
}

fn axes<T: Number>(case: &Case) {
    let Case {
        d,
        matrix: [u_re, u_im],
        angles: [a, b],
        ..
    } = case;
    let (stride, w) = (case.stride * T::LANES, &u_re[..*d]);
    let reflected = case.arrays::<T>(|isa, re, im| isa.reflect(re, im, stride, w, (*a, *b)));
    let unit = |at: usize| if at.is_multiple_of(d + 1) { 1.0 } else { 0.0 };
    let part = |own: f64, one: f64| -> Vec<f64> {
        let matrix = projector(w).into_iter().enumerate();
        matrix.map(|(at, p)| one * unit(at) + own * p).collect()
    };
    let (m_re, m_im) = (part(*a, 1.0), part(*b, 0.0));
    let expected = case.arrays::<T>(|isa, re, im| isa.multiply(re, im, stride, *d, &m_re, &m_im));
    close(&reflected, &expected, tolerance::<T>());
    case.arrays::<T>(|isa, re, im| isa.multiply(re, im, stride, *d, u_re, u_im));
    reflection_undone::<T>(case, stride, w);
    case.number::<T>(|isa, psi, lambda| isa.overlap_multiply(psi, lambda, stride, *d, u_re));
}

/// What rounding may make of a few hundred numbers of about one.
fn tolerance<T: Number>() -> f64 {
    if size_of::<T>() == 8 { 1e-11 } else { 1e-3 }
}

/// The overlap of a reflection against that of the same matrix.
fn reflection_undone<T: Number>(case: &Case, stride: usize, w: &[f64]) {
    let factor = (0.3, -0.4);
    let undo = |isa: InstructionSet, psi: TileMut<T>, lambda: TileMut<T>| {
        isa.undo_reflect(psi, lambda, stride, w, factor)
    };
    let overlap = |isa: InstructionSet, psi: Tile<T>, lambda: Tile<T>| {
        isa.overlap_multiply(psi, lambda, stride, w.len(), &projector(w))
    };
    let reflect =
        |isa: InstructionSet, re: &mut [T], im: &mut [T]| isa.reflect(re, im, stride, w, factor);
    both_undone(case, undo, overlap, reflect);
}

/// `|w⟩⟨w|`, its rows one after the other.
fn projector(w: &[f64]) -> Vec<f64> {
    w.iter()
        .flat_map(|a| w.iter().map(move |b| a * b))
        .collect()
}

/// An axis on the bits from `low` up to `high`, the latter perhaps above the lanes, against the same axis on strides.
fn axes_in_lanes<T: Number>(case: &Case) {
    for low in 0..T::LANE_BITS {
        for high in low + 1..T::LANE_BITS + 6 {
            if !case.array::<T>(0).len().is_multiple_of(1 << high) {
                continue;
            }
            let d = 1_usize << (high - low);
            let w: Vec<f64> = (0..d)
                .map(|at| case.matrix[0][at % case.matrix[0].len()])
                .collect();
            let states = (1_usize << high).max(T::LANES);
            let lanes: Vec<T> = (0..states)
                .map(|at| T::from_f64(w[(at >> low) % d]))
                .collect();
            let bits = (low, high.min(T::LANE_BITS));
            let found = case
                .arrays::<T>(|isa, re, im| isa.reflect_lanes(re, im, bits, &lanes, (0.3, -0.4)));
            let (mut re, mut im) = (spread(&case.array::<T>(0)), spread(&case.array::<T>(1)));
            InstructionSet::SCALAR.reflect(&mut re, &mut im, T::LANES << low, &w, (0.3, -0.4));
            let found = (spread(&found.0), spread(&found.1));
            close(&found, &(re, im), tolerance::<T>());
            let undo = |isa: InstructionSet, psi: TileMut<T>, lambda: TileMut<T>| {
                isa.undo_reflect_lanes(psi, lambda, bits, &lanes, (0.3, -0.4))
            };
            // In strides, where every number is as many lanes.
            let overlap = |isa: InstructionSet, psi: Tile<T>, lambda: Tile<T>| {
                let [a, b, c, e] = [psi.0, psi.1, lambda.0, lambda.1].map(spread);
                let (stride, matrix) = (T::LANES << low, projector(&w));
                isa.overlap_multiply((&a, &b), (&c, &e), stride, d, &matrix) / T::LANES as f64
            };
            let reflect = |isa: InstructionSet, re: &mut [T], im: &mut [T]| {
                isa.reflect_lanes(re, im, bits, &lanes, (0.3, -0.4));
            };
            both_undone(case, undo, overlap, reflect);
        }
    }
}

fn sums<T: Number>(case: &Case) {
    let (costs, [x, _]) = (case.costs::<T>(), case.angles);
    case.number::<T>(|isa, psi, lambda| isa.overlap_diagonal(psi, lambda, costs));
    case.number::<T>(|isa, psi, _| isa.norm(psi));
    case.number::<T>(|isa, psi, _| isa.mean(psi, costs, x));
    case.number::<T>(|isa, psi, _| isa.spread(psi, costs, x));
    case.number::<T>(|isa, psi, _| isa.shortfall(psi, costs, x));
    case.number::<T>(|isa, psi, _| isa.weight_up_to(psi, costs, x));
    // Sums take any length.
    for length in 0..20.min(costs.len()) {
        case.number::<T>(|isa, psi, _| {
            isa.mean((&psi.0[..length], &psi.1[..length]), &costs[..length], x)
        });
    }
}

/// Copies that turn on the way against copies and turns.
fn turned_copies<T: Number>(case: &Case) {
    let turn = turn_by(case.angles[0]);
    let (width, rows) = (
        case.stride * T::LANES,
        case.array::<T>(0).len() / case.stride / T::LANES,
    );
    for qubits in (1..=4).filter(|qubits| rows.is_multiple_of(1 << qubits)) {
        let block = rows >> qubits;
        let place = Rows {
            block,
            pitch: width,
            block_pitch: block * width + T::LANES,
        };
        let length = place.block_pitch << qubits;
        let apart = |isa: InstructionSet, (re, im): (&mut [T], &mut [T])| {
            turn_pairs(isa, (re, im), place.block_pitch, qubits, turn);
        };
        case.arrays::<T>(|isa, re, im| {
            let view = |list| ArrayView2::from_shape((rows, width), list).unwrap();
            let mut tile = (vec![T::default(); length], vec![T::default(); length]);
            isa.gather(view(re), &mut tile.0, place);
            isa.gather(view(im), &mut tile.1, place);
            apart(isa, (&mut tile.0, &mut tile.1));
            let mut turned = (vec![T::default(); length], vec![T::default(); length]);
            let to = (&mut turned.0[..], &mut turned.1[..]);
            match qubits {
                1 => isa.gather_turned1((view(re), view(im)), to, place, turn),
                2 => isa.gather_turned2((view(re), view(im)), to, place, turn),
                3 => isa.gather_turned3((view(re), view(im)), to, place, turn),
                _ => isa.gather_turned4((view(re), view(im)), to, place, turn),
            }
            assert!(turned == tile, "{qubits} qubits, {turn:?}");
            let mut back = (re.to_vec(), im.to_vec());
            let view = |list| ArrayViewMut2::from_shape((rows, width), list).unwrap();
            let to = (view(&mut back.0), view(&mut back.1));
            let from = (&tile.0[..], &tile.1[..]);
            match qubits {
                1 => isa.scatter_turned1(from, to, place, turn),
                2 => isa.scatter_turned2(from, to, place, turn),
                3 => isa.scatter_turned3(from, to, place, turn),
                _ => isa.scatter_turned4(from, to, place, turn),
            }
            apart(isa, (&mut tile.0, &mut tile.1));
            isa.scatter(&tile.0, place, view(re));
            isa.scatter(&tile.1, place, view(im));
            assert!(
                back == (re.to_vec(), im.to_vec()),
                "{qubits} qubits, {turn:?}"
            );
        });
    }
}

fn copies<T: Number>(width: usize, rows: usize, pad: usize) {
    let from: Vec<T> = (0..width * rows).map(|x| T::from_f64(x as f64)).collect();
    let odd = T::from_f64(-1.0);
    for isa in InstructionSet::available() {
        let pitch = rows + pad;
        let mut there = vec![odd; width * pitch];
        isa.transpose(&from, width, (rows, width), &mut there, pitch);
        for (at, number) in from.iter().enumerate() {
            assert_eq!(there[at % width * pitch + at / width], *number);
        }
        assert_eq!(there.iter().filter(|&&x| x == odd).count(), width * pad);
        let mut back = vec![T::default(); width * rows];
        isa.transpose(&there, pitch, (width, rows), &mut back, width);
        assert_eq!(back, from);

        let pitch = (width + pad).next_multiple_of(T::LANES);
        let mut tile = vec![odd; rows * pitch];
        let place = Rows {
            block: rows,
            pitch,
            block_pitch: rows * pitch,
        };
        isa.gather(
            ArrayView2::from_shape((rows, width), &from).unwrap(),
            &mut tile,
            place,
        );
        for (row, expected) in tile.chunks(pitch).zip(from.chunks(width)) {
            assert_eq!(&row[..width], expected);
            assert!(row[width..].iter().all(|&x| x == T::default()));
        }
        isa.scatter(
            &tile,
            place,
            ndarray::ArrayViewMut2::from_shape((rows, width), &mut back).unwrap(),
        );
        assert_eq!(back, from);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn turning(case in case(Just(8))) {
        turns::<f64>(&case);
        turns::<f32>(&case);
        turns_in_lanes::<f64>(&case);
        turns_in_lanes::<f32>(&case);
        turns_mirrored::<f64>(&case);
        turns_mirrored::<f32>(&case);
    }

    #[test]
    fn turning_on_the_way(case in case(Just(8))) {
        turned_copies::<f64>(&case);
        turned_copies::<f32>(&case);
    }

    #[test]
    fn mixing_axes(case in case(2_usize..12)) {
        axes::<f64>(&case);
        axes::<f32>(&case);
    }

    #[test]
    fn mixing_axes_in_lanes(case in case(Just(8))) {
        axes_in_lanes::<f64>(&case);
        axes_in_lanes::<f32>(&case);
    }

    #[test]
    fn adding_up(case in case(2_usize..5)) {
        sums::<f64>(&case);
        sums::<f32>(&case);
    }

    #[test]
    fn changing_phases(case in case(2_usize..9)) {
        phases::check::<f64>(&case);
        phases::check::<f32>(&case);
        phases::pair_costs::<f64>(&case);
        phases::pair_costs::<f32>(&case);
    }

    #[test]
    fn copying_there_and_back(width in 1_usize..40, rows in 1_usize..40, pad in 0_usize..9) {
        copies::<f64>(width, rows, pad);
        copies::<f32>(width, rows, pad);
    }
}

#[test]
fn the_best_instruction_set_is_the_last_available() {
    assert_eq!(
        InstructionSet::available().first(),
        Some(&InstructionSet::SCALAR)
    );
    assert_eq!(
        InstructionSet::available().last(),
        Some(&InstructionSet::best())
    );
}
