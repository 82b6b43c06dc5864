//! Milliseconds of a million shots from a state of one layer.
//!
//! All shots must be there, in ascending order; the share of every level and the mean cost must be within six standard errors, on qubits
//! of what formulas say.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

mod bench;

use bench::case::{Case, Kind};
use bench::known::Ising;
use bench::{Measure, measure_circuits, median_ms, reference, row};
use ketscale_simulator::{Angles, Ansatz, Limits, Number, State};

const SHOTS: u64 = 1_000_000;
const SEED: u64 = 7;
const GAMMA: f64 = 0.1;
const BETA: f64 = 0.4;
/// Standard errors that a mean of the shots may be off.
const ERRORS: f64 = 6.0;

fn main() {
    // The state, the reference pass, a stored cost, and probabilities with what marginals are summed from.
    measure_circuits::<Sampling>("A million shots", 56);
}

struct Sampling;

impl Measure for Sampling {
    fn measure<T: Number>(case: &Case, ansatz: &Ansatz<T>) {
        let angles = Angles::new(&[GAMMA], &[BETA]).expect("angles");
        let state = ansatz.evolve(&angles, &Limits::none()).expect("a state");
        check(case, &state);
        let reference_ms = reference::pass_ms::<T>(case.dimension());
        let ms = median_ms(|| state.sample(SHOTS, SEED));
        let more = format!("{:.1} million shots/s", SHOTS as f64 / ms / 1e3);
        row(case, T::NAME, ms, reference_ms, &more);
    }
}

fn check<T: Number>(case: &Case, state: &State<T>) {
    let samples = state.sample(SHOTS, SEED);
    assert_eq!(samples.iter().map(|(_, count)| count).sum::<u64>(), SHOTS);
    assert!(samples.is_sorted_by(|a, b| a.0 < b.0), "{}", case.name);
    let shots = SHOTS as f64;
    let mean = |value: &dyn Fn(usize) -> f64| {
        let parts = samples
            .iter()
            .map(|&(index, count)| value(index) * count as f64);
        parts.sum::<f64>() / shots
    };
    let mut stride = 1;
    for (&d, expected) in case.levels.iter().zip(levels(case, state)) {
        for (level, p) in expected.into_iter().enumerate() {
            let found = mean(&|index| f64::from(u8::from(index / stride % d == level)));
            let most = ERRORS * (p * (1.0 - p) / shots).sqrt() + 1.0 / shots;
            assert!(
                (found - p).abs() < most,
                "{}: level {level} has {found} of the shots, expected {p}",
                case.name
            );
        }
        stride *= d;
    }
    let found = mean(&|index| state.cost().value(index).expect("a state of the register"));
    let most = ERRORS * (state.variance() / shots).sqrt();
    assert!(
        (found - expectation(case, state)).abs() < most,
        "{}: mean cost {found} of the shots",
        case.name
    );
}

/// The probability of every level of every axis.
fn levels<T: Number>(case: &Case, state: &State<T>) -> Vec<Vec<f64>> {
    if case.kind == Kind::Pairs {
        return state.marginals();
    }
    let ising = Ising::new(case);
    let of_qubit = |i: usize| {
        let z = ising.spin(i, GAMMA, BETA);
        vec![(1.0 + z) / 2.0, (1.0 - z) / 2.0]
    };
    (0..case.levels.len()).map(of_qubit).collect()
}

fn expectation<T: Number>(case: &Case, state: &State<T>) -> f64 {
    if case.kind == Kind::Pairs {
        state.expectation()
    } else {
        Ising::new(case).expectation(GAMMA, BETA)
    }
}
