//! Random registers, mixers and start states against dense matrices, built from the definitions alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{axis_operator, exponential};
use ketscale_simulator::{Angles, Ansatz, Cost, Limits, Mixer, Objective, Register, Start, State};
use num_complex::Complex64;
use proptest::prelude::*;

type Vector = Vec<Complex64>;

const TOLERANCE: f64 = 1e-12;

/// A question with everything drawn at random.
#[derive(Debug, Clone)]
struct Case {
    levels: Vec<usize>,
    costs: Vec<f64>,
    mixer: Mixer,
    start: Vec<Vec<f64>>,
    gamma: Vec<f64>,
    beta: Vec<f64>,
}

impl Case {
    fn cost(&self) -> Cost {
        Cost::table(&Register::new(&self.levels).unwrap(), self.costs.clone()).unwrap()
    }

    fn angles(&self) -> Angles {
        Angles::new(&self.gamma, &self.beta).unwrap()
    }
}

fn ansatz<'a>(case: &Case, cost: &'a Cost) -> Ansatz<'a> {
    let start = Start::product(cost.register(), case.start.clone()).unwrap();
    common::ansatz(cost, case.mixer, &start)
}

fn evolve<'a>(case: &Case, cost: &'a Cost) -> State<'a> {
    ansatz(case, cost)
        .evolve(&case.angles(), &Limits::none())
        .unwrap()
}

/// Two to five levels an axis, at most 200 states.
fn levels(least: usize) -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(least..=5, 1..7).prop_map(|mut levels| {
        while levels.iter().product::<usize>() > 200 {
            levels.pop();
        }
        levels
    })
}

/// A mixer with a start state that it allows.
fn mixer_and_start() -> impl Strategy<Value = (Mixer, Vec<usize>, Vec<Vec<f64>>)> {
    let uniform = |levels: &[usize]| {
        levels
            .iter()
            .map(|&d| vec![1.0 / (d as f64).sqrt(); d])
            .collect::<Vec<_>>()
    };
    let free = levels(2).prop_flat_map(|levels| {
        let axes: Vec<_> = levels
            .iter()
            .map(|&d| prop::collection::vec(-1.0..1.0_f64, d).prop_map(normalised))
            .collect();
        axes.prop_map(move |start| (Mixer::Complete, levels.clone(), start))
    });
    prop_oneof![
        levels(2).prop_map(move |levels| (Mixer::Complete, levels.clone(), uniform(&levels))),
        free,
        levels(2).prop_map(move |levels| (Mixer::Path, levels.clone(), uniform(&levels))),
        levels(3).prop_map(move |levels| (Mixer::Ring, levels.clone(), uniform(&levels))),
    ]
}

fn normalised(mut w: Vec<f64>) -> Vec<f64> {
    // Away from zero, so that the norm is well defined.
    w[0] += 2.0;
    let norm = w.iter().map(|a| a * a).sum::<f64>().sqrt();
    w.iter().map(|a| a / norm).collect()
}

fn case() -> impl Strategy<Value = Case> {
    (mixer_and_start(), 0_usize..4).prop_flat_map(|((mixer, levels, start), depth)| {
        let dimension = levels.iter().product::<usize>();
        let costs = prop::collection::vec(-3.0..3.0_f64, dimension);
        let angles = || prop::collection::vec(-2.0..2.0_f64, depth);
        (costs, angles(), angles()).prop_map(move |(costs, gamma, beta)| Case {
            levels: levels.clone(),
            costs,
            mixer,
            start: start.clone(),
            gamma,
            beta,
        })
    })
}

/// B = Σ B_k on the whole register as a dense matrix.
fn mixer_operator(case: &Case) -> Vec<Vec<f64>> {
    let dimension = case.costs.len();
    let mut b = vec![vec![0.0; dimension]; dimension];
    let mut stride = 1;
    for w in &case.start {
        let (d, operator) = (w.len(), axis_operator(case.mixer, w));
        for (row, b) in b.iter_mut().enumerate() {
            let digit = row / stride % d;
            for other in 0..d {
                b[row - digit * stride + other * stride] += operator[digit][other];
            }
        }
        stride *= d;
    }
    b
}

/// The start state, then phase and mixer layer by layer.
fn reference(case: &Case) -> Vector {
    let product = |state: Vec<f64>, w: &Vec<f64>| {
        w.iter()
            .flat_map(|w| state.iter().map(move |s| w * s))
            .collect()
    };
    let start: Vec<f64> = case.start.iter().fold(vec![1.0], product);
    let mut psi: Vector = start.into_iter().map(Complex64::from).collect();
    let b = mixer_operator(case);
    for (&gamma, &beta) in case.gamma.iter().zip(&case.beta) {
        psi = psi
            .iter()
            .zip(&case.costs)
            .map(|(x, c)| x * Complex64::new(0.0, -gamma * c).exp())
            .collect();
        psi = exponential(&b, beta, &psi);
    }
    psi
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= TOLERANCE
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn amplitudes_agree_with_dense_matrices(case in case()) {
        let cost = case.cost();
        let state = evolve(&case, &cost);
        for (index, expected) in reference(&case).into_iter().enumerate() {
            let (re, im) = state.amplitude(index).unwrap();
            prop_assert!(close(re, expected.re) && close(im, expected.im), "{index}: {re} + {im}i, expected {expected}");
        }
    }

    #[test]
    fn results_agree_with_their_definitions(case in case(), alpha in 0.01_f64..=1.0) {
        let cost = case.cost();
        let state = evolve(&case, &cost);
        let p = state.probabilities();
        let mean: f64 = p.iter().zip(&case.costs).map(|(p, c)| p * c).sum();
        let square: f64 = p.iter().zip(&case.costs).map(|(p, c)| p * (c - mean) * (c - mean)).sum();
        prop_assert!(close(state.norm(), 1.0));
        prop_assert!(close(state.expectation(), mean));
        prop_assert!((state.variance() - square).abs() < 1e-11);
        prop_assert!((state.cvar(alpha).unwrap() - cvar(&p, &case.costs, alpha)).abs() < 1e-11 / alpha);
        prop_assert!(close(state.cvar(1.0).unwrap(), mean));
        let minimum = case.costs.iter().copied().fold(f64::INFINITY, f64::min);
        let best: f64 = p.iter().zip(&case.costs).filter(|(_, c)| **c <= minimum + 1e-9 * (cost.max() - minimum).max(1.0)).map(|(p, _)| p).sum();
        prop_assert!(close(state.probability_of_minimum(), best));
        check_marginals(&cost, &state, &p);
        check_top(&state, &p);
    }

    #[test]
    fn without_a_cost_every_mixer_keeps_its_start_state(mut case in case()) {
        case.costs.fill(0.0);
        let cost = case.cost();
        let state = evolve(&case, &cost);
        case.gamma.clear();
        case.beta.clear();
        let start = evolve(&case, &cost);
        let overlap: Complex64 = (0..case.costs.len())
            .map(|i| {
                let ((a, b), (c, d)) = (start.amplitude(i).unwrap(), state.amplitude(i).unwrap());
                Complex64::new(a, -b) * Complex64::new(c, d)
            })
            .sum();
        prop_assert!(close(overlap.norm(), 1.0), "{overlap}");
    }

    #[test]
    fn gradients_agree_with_central_differences(case in case(), alpha in 0.05_f64..1.0) {
        let cost = case.cost();
        let ansatz = ansatz(&case, &cost);
        for objective in [Objective::Expectation, Objective::CVaR(alpha)] {
            let gradient = ansatz.gradient(objective, &case.angles(), &Limits::none()).unwrap();
            let value = |gamma: &[f64], beta: &[f64]| {
                ansatz.evaluate(objective, &Angles::new(gamma, beta).unwrap(), &Limits::none()).unwrap()
            };
            prop_assert!(close(gradient.value, value(&case.gamma, &case.beta)));
            for layer in 0..case.gamma.len() {
                let by_gamma = |h: f64| { let mut gamma = case.gamma.clone(); gamma[layer] += h; value(&gamma, &case.beta) };
                let by_beta = |h: f64| { let mut beta = case.beta.clone(); beta[layer] += h; value(&case.gamma, &beta) };
                check_slope(gradient.gamma[layer], by_gamma, alpha);
                check_slope(gradient.beta[layer], by_beta, alpha);
            }
        }
    }
}

/// A slope against differences to both sides. They differ little where the value is smooth; CVaR has kinks where its quantile jumps, and there
/// the slope lies between them.
fn check_slope(slope: f64, value: impl Fn(f64) -> f64, alpha: f64) {
    let h = 1e-5;
    let (left, right) = ((value(0.0) - value(-h)) / h, (value(h) - value(0.0)) / h);
    let tolerance = 1e-5 / alpha + 0.51 * (left - right).abs();
    assert!(
        (slope - (left + right) / 2.0).abs() < tolerance,
        "{slope} against {left} and {right}"
    );
}

/// The mean of the best share α, from a sorted table.
fn cvar(p: &[f64], costs: &[f64], alpha: f64) -> f64 {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| costs[a].total_cmp(&costs[b]));
    let (mut left, mut sum) = (alpha, 0.0);
    for i in order {
        let taken = p[i].min(left);
        sum += taken * costs[i];
        left -= taken;
    }
    sum / alpha
}

fn check_marginals(cost: &Cost, state: &State, p: &[f64]) {
    for (axis, marginal) in state.marginals().into_iter().enumerate() {
        assert_eq!(marginal.len(), cost.register().levels()[axis]);
        for (level, found) in marginal.into_iter().enumerate() {
            let here =
                |&(index, _): &(usize, &f64)| cost.register().digits(index).unwrap()[axis] == level;
            let expected: f64 = p.iter().enumerate().filter(here).map(|(_, p)| p).sum();
            assert!(close(found, expected));
        }
    }
}

fn check_top(state: &State, p: &[f64]) {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[b].total_cmp(&p[a]).then(a.cmp(&b)));
    for k in [0, 1, 7, p.len(), p.len() + 5] {
        let expected: Vec<(usize, f64)> = order.iter().take(k).map(|&i| (i, p[i])).collect();
        assert_eq!(state.top(k), expected);
    }
}
