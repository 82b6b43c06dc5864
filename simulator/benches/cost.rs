//! Milliseconds of building a cost, its range, moments and minima included: dense quadratics, low-autocorrelation sequences, tables of
//! two and of three axes.
//!
//! Costs of a thousand states must be the sum of their terms, the standard deviation of a polynomial the root of its squared coefficients
//! (Parseval), and the least energy of a sequence the published one.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

mod bench;

use bench::case::{Case, Kind, shapes, sizes};
use bench::{Wanted, head, median_ms, reference, row};
use ketscale_simulator::Cost;
use std::collections::BTreeMap;

/// States whose costs are summed up term by term.
const SUMMED: usize = 1000;

/// Least energies `min Σ_k (Σ_i s_i s_{i+k})²` by the number of spins, from 10 (Packebusch and Mertens, arXiv 1512.02475, table 1).
const LEAST_ENERGIES: [u32; 18] = [
    13, 5, 10, 6, 19, 15, 24, 32, 25, 29, 26, 26, 39, 47, 36, 36, 45, 37,
];

fn main() {
    let wanted = Wanted::new();
    head("Building a cost");
    let cases = sizes().flat_map(|n| {
        let polynomials = [Kind::Dense, Kind::Labs].map(|kind| Case::qubits(n, kind));
        let tables = [Kind::Pairs, Kind::Triples].map(|kind| shapes(n, kind));
        polynomials.into_iter().chain(tables.into_iter().flatten())
    });
    // Two tables of costs and the reference pass.
    for case in wanted.sized(cases.collect(), 32) {
        if wanted.has(&case, "f64") {
            measure(&case);
        }
    }
}

fn measure(case: &Case) {
    check(case, &case.cost());
    let reference_ms = reference::pass_ms::<f64>(case.dimension());
    row(case, "f64", median_ms(|| case.cost()), reference_ms, "");
}

fn check(case: &Case, cost: &Cost) {
    let n = case.dimension();
    let deviation = cost.standard_deviation();
    // A multiplier that is odd and no multiple of small primes: all over the register.
    for index in (0..SUMMED).map(|at| at.wrapping_mul(2_654_435_761) % n) {
        let (found, expected) = (cost.value(index).expect("a state"), sum(case, index));
        assert!(
            (found - expected).abs() < 1e-10 * deviation,
            "{}: state {index} costs {found}, expected {expected}",
            case.name
        );
    }
    assert!(cost.min() <= cost.mean() && cost.mean() <= cost.max());
    if case.terms().is_empty() {
        return;
    }
    // No constant, so the mean is zero.
    let expected = variance(case).sqrt();
    assert!(
        (deviation / expected - 1.0).abs() < 1e-10 && cost.mean().abs() < 1e-10 * expected,
        "{}: standard deviation {deviation}, expected {expected}",
        case.name
    );
    if case.kind == Kind::Labs {
        let spins = case.levels.len();
        let constant = (spins * (spins - 1) / 2) as f64;
        let expected = f64::from(LEAST_ENERGIES[spins - 10]);
        assert!(
            (cost.min() + constant - expected).abs() < 1e-6,
            "{}: least energy {}",
            case.name,
            cost.min() + constant
        );
    }
}

/// The cost of a state, term by term.
fn sum(case: &Case, index: usize) -> f64 {
    let digits: Vec<usize> = case
        .levels
        .iter()
        .scan(index, |rest, &d| {
            let digit = *rest % d;
            *rest /= d;
            Some(digit)
        })
        .collect();
    let terms = case.terms().into_iter().map(|term| {
        let signs = term.variables.iter().map(|&i| 1.0 - 2.0 * digits[i] as f64);
        term.coefficient * signs.product::<f64>()
    });
    let tables = case.tables().into_iter().map(|table| {
        let place = |at: usize, &axis: &usize| at * case.levels[axis] + digits[axis];
        table.values[table.variables.iter().rev().fold(0, place)]
    });
    terms.chain(tables).sum()
}

/// The sum of the squared coefficients of different products.
fn variance(case: &Case) -> f64 {
    let mut coefficients: BTreeMap<Vec<usize>, f64> = BTreeMap::new();
    for mut term in case.terms() {
        term.variables.sort_unstable();
        *coefficients.entry(term.variables).or_default() += term.coefficient;
    }
    coefficients.values().map(|c| c * c).sum()
}
