//! One property suite, run by every instruction set of the machine against the specification, to the bit: lengths below one vector, odd ones, every
//! position of an axis.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use proptest::prelude::*;

/// An axis somewhere in a tile, and numbers to fill four arrays with.
#[derive(Debug, Clone)]
struct Case {
    d: usize,
    stride: usize,
    arrays: [Vec<f64>; 5],
    /// `d·d` numbers, twice.
    matrix: [Vec<f64>; 2],
    angles: [f64; 2],
}

fn numbers(length: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-1.0..1.0_f64, length)
}

fn case(levels: impl Strategy<Value = usize>) -> impl Strategy<Value = Case> {
    (levels, 1_usize..40, 1_usize..4).prop_flat_map(|(d, stride, blocks)| {
        let length = d * stride * blocks;
        let arrays = [(); 5].map(|()| numbers(length));
        (
            arrays,
            [numbers(d * d), numbers(d * d)],
            [-3.0..3.0_f64, -3.0..3.0_f64],
        )
            .prop_map(move |(arrays, matrix, angles)| Case {
                d,
                stride,
                arrays,
                matrix,
                angles,
            })
    })
}

/// Runs a kernel that changes two arrays on every instruction set; returns what the specification makes of them.
fn same_arrays(
    case: &Case,
    kernel: impl Fn(InstructionSet, &mut [f64], &mut [f64]),
) -> (Vec<f64>, Vec<f64>) {
    let run = |isa| {
        let (mut re, mut im) = (case.arrays[0].clone(), case.arrays[1].clone());
        kernel(isa, &mut re, &mut im);
        (re, im)
    };
    let expected = run(InstructionSet::SCALAR);
    let bits = |(re, im): &(Vec<f64>, Vec<f64>)| {
        re.iter().chain(im).map(|x| x.to_bits()).collect::<Vec<_>>()
    };
    for isa in InstructionSet::available() {
        assert_eq!(bits(&run(isa)), bits(&expected), "{}", isa.name());
    }
    expected
}

fn same_number(kernel: impl Fn(InstructionSet) -> f64) {
    let expected = kernel(InstructionSet::SCALAR);
    for isa in InstructionSet::available() {
        assert_eq!(kernel(isa).to_bits(), expected.to_bits(), "{}", isa.name());
    }
}

proptest! {
    #[test]
    fn phase(case in case(2_usize..9)) {
        let [gamma, offset] = case.angles;
        same_arrays(&case, |isa, re, im| isa.phase(re, im, &case.arrays[2], 1e3 * gamma, offset));
    }

    #[test]
    fn rotations(case in case(Just(8))) {
        let (sin, cos) = case.angles[0].sin_cos();
        same_arrays(&case, |isa, re, im| isa.rotate1(re, im, 4 * case.stride, cos, sin));
        same_arrays(&case, |isa, re, im| isa.rotate2(re, im, 2 * case.stride, cos, sin));
        let three = same_arrays(&case, |isa, re, im| isa.rotate3(re, im, case.stride, cos, sin));
        let one_by_one = same_arrays(&case, |isa, re, im| {
            [1, 2, 4].into_iter().for_each(|below| isa.rotate1(re, im, below * case.stride, cos, sin));
        });
        prop_assert_eq!(three, one_by_one);
    }

    #[test]
    fn axis_kernels(case in case(2_usize..12)) {
        let Case { d, stride, matrix: [u_re, u_im], angles: [a, b], .. } = &case;
        same_arrays(&case, |isa, re, im| isa.reflect(re, im, *stride, &u_re[..*d], *a, *b));
        same_arrays(&case, |isa, re, im| isa.multiply(re, im, *stride, *d, u_re, u_im));
    }

    #[test]
    fn sums(case in case(2_usize..12)) {
        let Case { d, stride, arrays: [a, b, c, e, cost], matrix: [w, _], angles: [x, _] } = &case;
        let (psi, lambda): (Tile, Tile) = ((a, b), (c, e));
        same_number(|isa| isa.overlap_projector(psi, lambda, *stride, &w[..*d]));
        same_number(|isa| isa.overlap_matrix(psi, lambda, *stride, *d, w));
        same_number(|isa| isa.overlap_diagonal(psi, lambda, cost));
        same_number(|isa| isa.norm(psi));
        same_number(|isa| isa.mean(psi, cost, *x));
        same_number(|isa| isa.spread(psi, cost, *x));
        same_number(|isa| isa.shortfall(psi, cost, *x));
        same_number(|isa| isa.weight_up_to(psi, cost, *x));
    }

    #[test]
    fn weighing(case in case(2_usize..9)) {
        let [ceiling, center] = case.angles;
        let psi: Tile = (&case.arrays[3], &case.arrays[4]);
        same_arrays(&case, |isa, re, im| isa.weigh(psi, re, im, &case.arrays[2], Weight { ceiling, center, scale: 1.7 }));
    }

    #[test]
    fn transposing_there_and_back_changes_nothing(width in 1_usize..40, rows in 1_usize..40, pad in 0_usize..9) {
        let from: Vec<f64> = (0..width * rows).map(|x| x as f64).collect();
        for isa in InstructionSet::available() {
            let mut there = vec![-1.0; width * (rows + pad)];
            isa.transpose(&from, width, &mut there, rows + pad);
            for (at, number) in from.iter().enumerate() {
                prop_assert_eq!(there[at % width * (rows + pad) + at / width], *number);
            }
            prop_assert_eq!(there.iter().filter(|&&x| x == -1.0).count(), width * pad);
            let mut back = vec![0.0; width * rows];
            isa.transpose_back(&there, rows + pad, &mut back, width);
            prop_assert_eq!(&back, &from);
        }
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
