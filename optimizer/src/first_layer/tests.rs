use super::*;
use crate::Limits;
use ketscale_simulator::{Angles, Ansatz, Cost, Mixer, Objective, Register, Term, on_threads};
use proptest::prelude::*;

/// Terms over n spins with fields and couplings from a list in which zero, equal and opposite values are frequent.
fn terms(n: usize) -> impl Strategy<Value = Vec<Term>> {
    let value = prop_oneof![Just(0.0), Just(1.0), Just(-1.0), Just(0.5), -2.0..2.0_f64];
    let pairs = n * (n - 1) / 2;
    let fields = prop_oneof![Just(vec![0.0; n]), prop::collection::vec(value.clone(), n)];
    (fields, prop::collection::vec(value, pairs)).prop_map(move |(fields, couplings)| {
        let singles = (0..n).map(|i| vec![i]);
        let doubles = (0..n).flat_map(|j| (0..j).map(move |i| vec![i, j]));
        let coefficients = fields.into_iter().chain(couplings);
        singles
            .chain(doubles)
            .zip(coefficients)
            .map(|(variables, coefficient)| Term {
                variables,
                coefficient,
            })
            .collect()
    })
}

fn instance() -> impl Strategy<Value = (usize, Vec<Term>)> {
    (1_usize..=10).prop_flat_map(|n| (Just(n), terms(n)))
}

/// ⟨f⟩ of a product of spins in the simulator's state.
fn simulated(probabilities: &[f64], spins: &[usize]) -> f64 {
    let sign = |index: usize| {
        let down = spins.iter().filter(|&&i| index >> i & 1 == 1).count();
        if down % 2 == 0 { 1.0 } else { -1.0 }
    };
    let terms = probabilities.iter().enumerate();
    terms.map(|(index, p)| sign(index) * p).sum()
}

proptest! {
    #[test]
    fn agrees_with_the_simulator((n, terms) in instance(), gamma in -2.0..2.0_f64, beta in -4.0..4.0_f64) {
        let cost = Cost::from_terms(&Register::qubits(n).unwrap(), &terms, 0.75).unwrap();
        let ansatz = Ansatz::new(&cost, Mixer::Complete, &cost.uniform_start()).unwrap();
        let angles = Angles::new(&[gamma], &[beta]).unwrap();
        let state = ansatz.evolve(&angles, &Limits::none()).unwrap();
        let probabilities = state.probabilities();
        let ising = Ising::new(n, &terms, 0.75).unwrap();
        let layer = FirstLayer::new(&ising, gamma).unwrap();
        for (i, found) in layer.singles(beta).enumerate() {
            prop_assert!((found - simulated(&probabilities, &[i])).abs() < 1e-12);
        }
        let mut pairs = 0;
        for Correlation { i, j, value } in layer.pairs(beta) {
            prop_assert!((value - simulated(&probabilities, &[i, j])).abs() < 1e-12, "{i} {j}");
            pairs += 1;
        }
        prop_assert_eq!(2 * pairs, ising.couplings().iter().map(Vec::len).sum::<usize>());
        let size = 1.0 + cost.max().abs().max(cost.min().abs());
        prop_assert!((layer.expectation(beta) - state.expectation()).abs() < 1e-12 * size);
        let gradient = ansatz.gradient(Objective::Expectation, &angles, &Limits::none()).unwrap();
        let (by_gamma, by_beta) = layer.slopes(beta);
        prop_assert!((by_gamma - gradient.gamma[0]).abs() < 1e-11 * size * size);
        prop_assert!((by_beta - gradient.beta[0]).abs() < 1e-11 * size * n as f64);
    }

    #[test]
    fn no_beta_is_better_than_the_best((n, terms) in instance(), gamma in -2.0..2.0_f64) {
        let layer = FirstLayer::new(&Ising::new(n, &terms, 0.0).unwrap(), gamma).unwrap();
        let best = layer.expectation(layer.best_beta());
        for at in 0..5000 {
            prop_assert!(best <= layer.expectation(f64::from(at) / 5000.0 * std::f64::consts::PI) + 1e-12);
        }
    }

    #[test]
    fn no_angles_of_a_fine_grid_are_much_better((n, terms) in instance(), unit in -6_i32..6) {
        let scaled = |factor: f64| {
            let terms = terms.iter().map(|term| Term { coefficient: term.coefficient * factor, ..term.clone() });
            Ising::new(n, &terms.collect::<Vec<_>>(), 0.0).unwrap()
        };
        let best = optimum(&scaled(1.0), &Limits::none()).unwrap();
        let layer = |gamma: f64| FirstLayer::new(&scaled(1.0), gamma).unwrap();
        let size = |i: usize| scaled(1.0).couplings()[i].iter().fold(scaled(1.0).fields()[i].powi(2), |sum, (_, j)| sum + j * j).sqrt();
        // As far as the scan promises to look on every scale: 2γr = 16.
        let end = 8.0 / (0..n).map(size).fold(0.1, f64::max);
        let grid = (1..=800).map(|at| layer(f64::from(at) / 800.0 * end));
        let least = grid.map(|layer| layer.expectation(layer.best_beta())).fold(0.0, f64::min);
        prop_assert!(best.expectation <= 0.98 * least + 1e-9, "{} {least}", best.expectation);
        // The unit of the cost does not matter.
        let unit = 10_f64.powi(unit);
        let other = optimum(&scaled(unit), &Limits::none()).unwrap();
        prop_assert!((other.expectation / unit - best.expectation).abs() <= 1e-6 * best.expectation.abs());
    }
}

/// The published optimum on 3-regular graphs without triangles: cut fraction 0.6924500897 at tan² 2γJ = ½ (J = ½ a cut edge).
#[test]
fn the_heawood_graph_has_its_published_angles() {
    let ring = (0..14).map(|i| (i, (i + 1) % 14));
    let chords = (0..7).map(|i| (2 * i, (2 * i + 5) % 14));
    let term = |(i, j)| Term {
        variables: vec![i, j],
        coefficient: 0.5,
    };
    let terms: Vec<Term> = ring.chain(chords).map(term).collect();
    let best = optimum(&Ising::new(14, &terms, -10.5).unwrap(), &Limits::none()).unwrap();
    assert!((-best.expectation / 21.0 - 0.692_450_089_729_8).abs() < 1e-12);
    assert!((best.gamma - 0.5_f64.sqrt().atan()).abs() < 1e-6);
}

#[test]
fn a_constant_and_a_single_spin() {
    let constant = optimum(&Ising::new(3, &[], 2.0).unwrap(), &Limits::none()).unwrap();
    assert_eq!(constant.expectation, 2.0);
    let term = Term {
        variables: vec![0],
        coefficient: -3e200,
    };
    let single = optimum(&Ising::new(1, &[term], 0.0).unwrap(), &Limits::none()).unwrap();
    assert!((single.expectation / 3e200 + 1.0).abs() < 1e-12);
}

#[test]
fn limits_and_angles_without_meaning() {
    let term = Term {
        variables: vec![0, 1],
        coefficient: 1.0,
    };
    let ising = Ising::new(2, &[term], 0.0).unwrap();
    assert_eq!(
        optimum(&ising, &Limits::new(None, Some(0))),
        Err(Error::NothingEvaluated)
    );
    let limits = Limits::new(None, Some(5));
    assert_eq!(optimum(&ising, &limits).unwrap().evaluations, 5);
    assert_eq!(limits.spent(), 5);
    for gamma in [f64::NAN, f64::INFINITY, 1e308] {
        assert!(FirstLayer::new(&ising, gamma).is_err());
    }
}

/// Large enough to be handed out to several threads.
#[test]
fn threads_do_not_change_a_bit() {
    let n = 400;
    let term = |k: usize| Term {
        variables: vec![k % n, (k % n + 1 + k / n * 37) % n],
        coefficient: (k as f64).sin(),
    };
    let ising = Ising::new(n, &(0..6 * n).map(term).collect::<Vec<_>>(), 0.0).unwrap();
    assert!(work(&ising) > SERIAL_STEPS);
    let run = |threads| on_threads(threads, || FirstLayer::at(&ising, 0.3)).unwrap();
    let one = run(1);
    for threads in [2, 7] {
        assert_eq!(run(threads), one);
    }
}
