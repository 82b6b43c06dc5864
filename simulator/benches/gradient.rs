//! Milliseconds of ⟨C⟩ with its derivatives by all 2p angles at p = 8, also in evaluations.
//!
//! Each case must agree with the formula for the slope of one layer at γ = 0, and in double precision up to 2^22 amplitudes with a
//! central difference at p = 8 along all angles at once.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

mod bench;

use bench::case::Case;
use bench::{Measure, known, measure_circuits, median_ms, ramp, reference, row};
use ketscale_simulator::{Angles, Ansatz, Gradient, Limits, Number, Objective};

const DEPTH: usize = 8;
/// Amplitudes up to which a difference is taken.
const DIFFERENCED: usize = 1 << 22;

fn main() {
    // Two states, the reference pass and a stored cost.
    measure_circuits::<Differentiation>("A gradient at p = 8", 56);
}

struct Differentiation;

impl Measure for Differentiation {
    fn measure<T: Number>(case: &Case, ansatz: &Ansatz<T>) {
        check_slope(case, ansatz);
        if T::NAME == f64::NAME {
            check_difference(case, ansatz);
        }
        let reference_ms = reference::pass_ms::<T>(case.dimension());
        let evaluation_ms = median_ms(|| evaluate(ansatz, &ramp(DEPTH)));
        let ms = median_ms(|| gradient(ansatz, &ramp(DEPTH)).value);
        let more = format!(
            "{:.2} evaluations, {:.1} passes a layer",
            ms / evaluation_ms,
            ms / reference_ms / DEPTH as f64
        );
        row(case, T::NAME, ms, reference_ms, &more);
    }
}

fn evaluate<T: Number>(ansatz: &Ansatz<T>, angles: &Angles) -> f64 {
    ansatz
        .evaluate(Objective::Expectation, angles, &Limits::none())
        .expect("a value")
}

fn gradient<T: Number>(ansatz: &Ansatz<T>, angles: &Angles) -> Gradient {
    ansatz
        .gradient(Objective::Expectation, angles, &Limits::none())
        .expect("a gradient")
}

/// At γ = 0 the slope by γ is known and that by β is zero.
fn check_slope<T: Number>(case: &Case, ansatz: &Ansatz<T>) {
    let beta = 0.3;
    let variances = known::variances(case);
    let expected = known::slope(variances, beta);
    let found = gradient(ansatz, &Angles::new(&[0.0], &[beta]).expect("angles"));
    let most = known::tolerance::<T>() * variances.iter().sum::<f64>();
    assert!(
        (found.gamma[0] - expected).abs() < most && found.beta[0].abs() < most,
        "{}: {found:?}, expected {expected}",
        case.name
    );
}

/// Along all angles at once: the difference is h² away, and rounding leaves 1e-16 over h.
fn check_difference<T: Number>(case: &Case, ansatz: &Ansatz<T>) {
    if case.dimension() > DIFFERENCED {
        return;
    }
    let angles = ramp(DEPTH);
    let h = 1e-5;
    let moved = |by: f64| {
        let add = |list: &[f64]| list.iter().map(|angle| angle + by).collect::<Vec<f64>>();
        Angles::new(&add(&angles.gamma), &add(&angles.beta)).expect("angles")
    };
    let found = gradient(ansatz, &angles);
    let found: f64 = found.gamma.iter().chain(&found.beta).sum();
    let expected = (evaluate(ansatz, &moved(h)) - evaluate(ansatz, &moved(-h))) / (2.0 * h);
    let size = known::variances(case).iter().sum::<f64>();
    assert!(
        (found - expected).abs() < 1e-5 * size,
        "{}: {found}, expected {expected}",
        case.name
    );
}
