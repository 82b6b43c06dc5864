//! Milliseconds of a whole evaluation: ⟨C⟩ at p = 8 from the angles alone, in memory that an earlier one has warmed. Where states are so small
//! that many are evaluated side by side, also how many a second.
//!
//! Each case must agree with formulas for one layer, and many evaluations with one alone.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

mod bench;

use bench::case::Case;
use bench::{Measure, known, measure_circuits, median_ms, ramp, reference, row};
use ketscale_simulator::{Ansatz, Limits, Number, Objective};

const DEPTH: usize = 8;
/// Largest state of which many are evaluated side by side, and how many amplitudes they have together.
const SMALL: usize = 1 << 16;
const TOGETHER: usize = 1 << 23;

fn main() {
    // The state, the reference pass and a stored cost.
    measure_circuits::<Evaluation>("An evaluation at p = 8", 40);
}

struct Evaluation;

impl Measure for Evaluation {
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
