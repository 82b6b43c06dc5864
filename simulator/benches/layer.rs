//! Milliseconds of a QAOA layer, (T(p = 10) − T(p = 2))/8 with ⟨C⟩ in T, and on 24 qubits how much longer one thread takes.
//!
//! Each case must agree with formulas for one layer, and up to 2^22 amplitudes with every other instruction set, to the bit.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

mod bench;

use bench::case::Case;
use bench::{Measure, known, measure_circuits, median_ms, ramp, reference, row};
use ketscale_simulator::{Ansatz, InstructionSet, Limits, Number, Objective, on_threads};

/// Amplitudes up to which all instruction sets are compared.
const COMPARED: usize = 1 << 22;

fn main() {
    // The state, the reference pass and a stored cost.
    measure_circuits::<Layer>("A layer", 40);
}

struct Layer;

impl Measure for Layer {
    fn measure<T: Number>(case: &Case, ansatz: &Ansatz<T>) {
        known::check(case, ansatz);
        compare_instruction_sets(case, ansatz);
        let reference_ms = reference::pass_ms::<T>(case.dimension());
        let layer =
            || (median_ms(|| evaluate(ansatz, 10)) - median_ms(|| evaluate(ansatz, 2))) / 8.0;
        let layer_ms = layer();
        let alone = if case.levels.len() == 24 && case.dimension() == 1 << 24 {
            let ms = on_threads(1, layer).expect("a thread");
            format!("one thread: {ms:.1} ms, {:.2} times", ms / layer_ms)
        } else {
            String::new()
        };
        row(case, T::NAME, layer_ms, reference_ms, &alone);
    }
}

fn evaluate<T: Number>(ansatz: &Ansatz<T>, depth: usize) -> f64 {
    ansatz
        .evaluate(Objective::Expectation, &ramp(depth), &Limits::none())
        .expect("a value")
}

fn compare_instruction_sets<T: Number>(case: &Case, ansatz: &Ansatz<T>) {
    if case.dimension() > COMPARED {
        return;
    }
    let value = evaluate(ansatz, 2);
    for isa in InstructionSet::available() {
        let other = evaluate(&ansatz.clone().with_instruction_set(isa), 2);
        assert_eq!(
            other.to_bits(),
            value.to_bits(),
            "{} on {}",
            case.name,
            isa.name()
        );
    }
}
