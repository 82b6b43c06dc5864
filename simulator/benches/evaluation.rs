//! Milliseconds of a whole evaluation: ⟨C⟩ at p = 8 from the angles alone, in memory that an earlier one has warmed. Where states are so small
//! that many are evaluated side by side, also how many a second.
//!
//! Each case must agree with formulas for one layer, and many evaluations with one alone.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

mod bench;

use bench::case::{Case, circuits};
use bench::{Wanted, head, known, median_ms, ramp, reference, row};
use ketscale_simulator::{Ansatz, Limits, Mixer, Number, Objective};

const DEPTH: usize = 8;
/// Largest state of which many are evaluated side by side, and how many amplitudes they have together.
const SMALL: usize = 1 << 16;
const TOGETHER: usize = 1 << 23;

fn main() {
    let wanted = Wanted::new();
    head("An evaluation at p = 8");
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
    let reference_ms = reference::pass_ms::<T>(case.dimension());
    let ms = median_ms(|| evaluate(ansatz, DEPTH));
    let many = if case.dimension() <= SMALL {
        format!("p = 4: {:.0} evaluations a second", a_second(case, ansatz))
    } else {
        String::new()
    };
    row(case, T::NAME, ms, reference_ms, &many);
}

fn evaluate<T: Number>(ansatz: &Ansatz<T>, depth: usize) -> f64 {
    ansatz
        .evaluate(Objective::Expectation, &ramp(depth), &Limits::none())
        .expect("a value")
}

fn a_second<T: Number>(case: &Case, ansatz: &Ansatz<T>) -> f64 {
    let sets = vec![ramp(4); TOGETHER / case.dimension()];
    let all = || {
        ansatz
            .evaluate_all(Objective::Expectation, &sets, &Limits::none())
            .expect("values")
    };
    let one = evaluate(ansatz, 4);
    assert!(
        all().iter().all(|value| value.to_bits() == one.to_bits()),
        "{}: side by side as alone",
        case.name
    );
    sets.len() as f64 / median_ms(all) * 1e3
}
