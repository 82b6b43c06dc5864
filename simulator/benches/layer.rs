//! Milliseconds of a QAOA layer, (T(p = 10) − T(p = 2))/8 with ⟨C⟩ in T, and on 24 qubits how much longer one thread takes.
//!
//! Each case must agree with formulas for one layer, and up to 2^22 amplitudes with every other instruction set, to the bit.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

mod bench;

use bench::case::{Case, circuits};
use bench::{Wanted, head, known, median_ms, ramp, reference, row};
use ketscale_simulator::{Ansatz, InstructionSet, Limits, Mixer, Number, Objective, on_threads};

/// Amplitudes up to which all instruction sets are compared.
const COMPARED: usize = 1 << 22;

fn main() {
    let wanted = Wanted::new();
    head("A layer");
    // The state, the reference pass and a stored cost.
    for case in wanted.sized(circuits(), 40) {
        if !wanted.has(&case, "f64") && !wanted.has(&case, "f32") {
            continue;
        }
        let cost = case.cost();
        let ansatz = Ansatz::new(&cost, Mixer::Complete, &cost.uniform_start()).expect("an ansatz");
        if wanted.has(&case, "f64") {
            measure(&case, &ansatz);
        }
        if wanted.has(&case, "f32") {
            measure(
                &case,
                &ansatz.in_single_precision().expect("single precision"),
            );
        }
    }
}

fn measure<T: Number>(case: &Case, ansatz: &Ansatz<T>) {
    known::check(case, ansatz);
    compare_instruction_sets(case, ansatz);
    let reference_ms = reference::pass_ms::<T>(case.dimension());
    let layer = || (median_ms(|| evaluate(ansatz, 10)) - median_ms(|| evaluate(ansatz, 2))) / 8.0;
    let layer_ms = layer();
    let alone = if case.levels.len() == 24 && case.dimension() == 1 << 24 {
        let ms = on_threads(1, layer).expect("a thread");
        format!("one thread: {ms:.1} ms, {:.2} times", ms / layer_ms)
    } else {
        String::new()
    };
    row(case, T::NAME, layer_ms, reference_ms, &alone);
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
