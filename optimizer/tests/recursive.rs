//! Recursive QAOA and greedy construction on models whose answers are known.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ketscale_optimizer::greedy::Status;
use ketscale_optimizer::recursive::Settings;
use ketscale_optimizer::simulator::on_threads;
use ketscale_optimizer::{Error, Ising, Limits, Model, Term, greedy, recursive};
use proptest::prelude::*;
use std::sync::atomic::AtomicBool;

fn term(variables: &[usize], coefficient: f64) -> Term {
    Term {
        variables: variables.to_vec(),
        coefficient,
    }
}

/// A number in [−1, 1) that looks random.
fn noise(seed: usize, k: usize) -> f64 {
    let x = ((seed * 7919 + k * 104_729 + 1) as f64 * 12.9898).sin() * 43_758.545_3;
    2.0 * (x - x.floor()) - 1.0
}

/// A random regular graph with couplings given by edge.
fn regular(n: usize, degree: usize, seed: usize, coupling: impl Fn(usize) -> f64) -> Ising {
    let Model::Spin(graph) = Model::regular_maxcut(n, degree, seed as u64).unwrap() else {
        panic!("a graph is a model in spins");
    };
    let edges = graph.terms.into_iter().enumerate();
    let terms = edges.map(|(k, edge)| term(&edge.variables, coupling(k)));
    Ising::new(n, &terms.collect::<Vec<_>>(), 0.0).unwrap()
}

/// Couplings of both kinds, signs and weights between −1 and 1.
fn weighted(n: usize, degree: usize, seed: usize, signs: bool) -> Ising {
    regular(n, degree, seed, |k| {
        let weight = noise(seed, k);
        if signs { weight.signum() } else { weight }
    })
}

fn minimum(ising: &Ising) -> f64 {
    let n = ising.variables();
    let spins = |index: usize| (0..n).map(move |i| if index >> i & 1 == 1 { -1 } else { 1 });
    let energies = (0..1 << n).map(|index| ising.energy(&spins(index).collect::<Vec<i8>>()));
    energies.map(Result::unwrap).fold(f64::INFINITY, f64::min)
}

fn run(ising: &Ising, settings: &Settings) -> recursive::Outcome {
    recursive(ising, settings, &Limits::none()).unwrap()
}

/// Models of up to nine spins with fields, couplings that repeat and cancel, and spins in no term at all.
fn small() -> impl Strategy<Value = Ising> {
    let value = prop_oneof![Just(1.0), Just(-1.0), -2.0..2.0_f64];
    (1_usize..=9).prop_flat_map(move |n| {
        let variables = prop::collection::btree_set(0..n, 0..=2.min(n));
        let term = (variables, value.clone()).prop_map(|(variables, coefficient)| Term {
            variables: variables.into_iter().collect(),
            coefficient,
        });
        prop::collection::vec(term, 0..25)
            .prop_map(move |terms| Ising::new(n, &terms, 0.5).unwrap())
    })
}

proptest! {
    #[test]
    fn the_optimum_bounds_everything(ising in small(), enumerated in 0_usize..10, flips: bool, rounds in 1_usize..4) {
        let settings = Settings { enumerated, flips, rounds, incumbent: None };
        let found = run(&ising, &settings);
        let (least, cost) = (minimum(&ising), found.solution.cost);
        prop_assert_eq!(found.solution.status, Status::Complete);
        prop_assert_eq!(ising.energy(&found.solution.spins).unwrap(), cost);
        prop_assert!(cost >= least - 1e-12);
        prop_assert!(enumerated < ising.variables() || cost <= least + 1e-12);
        prop_assert!(found.rounds.len() <= rounds);
        for round in &found.rounds {
            prop_assert!(cost <= round.cost && round.cost <= round.cost_before_flips + 1e-12);
        }
        // No round is worse than the one before but for rounding.
        prop_assert!(found.rounds.windows(2).all(|two| two[1].cost <= two[0].cost + 1e-9));
        let baseline = greedy(&ising, &Limits::none()).unwrap();
        prop_assert!(baseline.cost >= least - 1e-12);
        let helped = run(&ising, &Settings { incumbent: Some(baseline.spins), ..settings });
        prop_assert!(helped.solution.cost <= baseline.cost);
    }

    #[test]
    fn no_single_flip_improves_greedy_spins(ising in small()) {
        let found = greedy(&ising, &Limits::none()).unwrap();
        prop_assert_eq!(found.status, Status::Complete);
        prop_assert_eq!(ising.energy(&found.spins).unwrap(), found.cost);
        for i in 0..ising.variables() {
            let mut spins = found.spins.clone();
            spins[i] = -spins[i];
            prop_assert!(ising.energy(&spins).unwrap() >= found.cost - 1e-10);
        }
    }

    #[test]
    fn never_exceeds_its_work(work in 0_u64..400, seed in 0_usize..5) {
        let ising = weighted(60, 3, seed, false);
        let limits = Limits::new(None, Some(work));
        match recursive(&ising, &Settings::default(), &limits) {
            Ok(found) => {
                let complete = found.solution.status == Status::Complete;
                prop_assert!(complete || found.solution.status == Status::WorkLimit);
                prop_assert_eq!(ising.energy(&found.solution.spins).unwrap(), found.solution.cost);
                prop_assert!(found.solution.cost < 0.0);
            }
            Err(error) => prop_assert!(error == Error::NothingEvaluated && work == 0),
        }
        prop_assert!(limits.spent() <= work);
    }
}

/// Couplings and fields that agree with planted spins: nothing is frustrated, and the sum of all sizes is the optimum.
#[test]
fn what_is_not_frustrated_is_solved_without_flips() {
    for seed in 0..6 {
        let (n, fields) = (150, seed % 2 == 1);
        let planted = |i: usize| noise(seed + 10, i).signum();
        let Model::Spin(graph) = Model::regular_maxcut(n, 3 + seed % 3, seed as u64).unwrap()
        else {
            panic!("a graph is a model in spins");
        };
        let pairs = graph.terms.iter().enumerate().map(|(k, edge)| {
            let (i, j) = (edge.variables[0], edge.variables[1]);
            let size = 0.2 + noise(seed, k).abs();
            term(&[i, j], -size * planted(i) * planted(j))
        });
        let singles = (0..n)
            .filter(|_| fields)
            .map(|i| term(&[i], -0.3 * noise(seed, i).abs() * planted(i)));
        let terms: Vec<Term> = pairs.chain(singles).collect();
        let optimum: f64 = -terms.iter().map(|term| term.coefficient.abs()).sum::<f64>();
        let ising = Ising::new(n, &terms, 0.0).unwrap();
        let settings = Settings {
            enumerated: 0,
            flips: false,
            rounds: 1,
            incumbent: None,
        };
        let found = run(&ising, &settings).solution.cost;
        assert!(
            (found - optimum).abs() < 1e-9,
            "seed {seed}: {found}, {optimum}"
        );
    }
}

/// What recursive QAOA is worth beside greedy construction and single flips, with nothing handed from one to the other: better on each kind of model, worse on one of
/// the thirty models at most.
#[test]
fn is_better_than_greedy_and_flips() {
    let mut worse = 0;
    for (degree, signs) in [(3, true), (3, false), (6, false)] {
        let (mut alone, mut baseline) = (0.0, 0.0);
        for seed in 0..10 {
            let ising = weighted(100, degree, seed, signs);
            let found = run(&ising, &Settings::default()).solution.cost;
            let greedy = greedy(&ising, &Limits::none()).unwrap().cost;
            worse += usize::from(found > greedy + 1e-9);
            alone += found;
            baseline += greedy;
        }
        assert!(
            alone < 1.01 * baseline,
            "degree {degree}, signs {signs}: {alone} and {baseline}"
        );
    }
    assert!(worse <= 1, "worse {worse} times");
}

/// Even degrees and equal sizes: nearly all correlations are equal, and greedy fields are as good a guide. From its spins on it is no worse.
#[test]
fn from_greedy_spins_it_is_better_even_where_correlations_are_equal() {
    let (mut better, mut alone, mut baseline) = (0, 0.0, 0.0);
    for seed in 0..10 {
        let ising = weighted(100, 6, seed, true);
        let greedy = greedy(&ising, &Limits::none()).unwrap();
        alone += run(&ising, &Settings::default()).solution.cost;
        baseline += greedy.cost;
        let settings = Settings {
            incumbent: Some(greedy.spins),
            ..Settings::default()
        };
        let found = run(&ising, &settings).solution.cost;
        assert!(found <= greedy.cost, "seed {seed}");
        better += usize::from(found < greedy.cost);
    }
    assert!(better >= 8, "better {better} times");
    assert!(alone < baseline, "{alone} and {baseline}");
}

#[test]
fn threads_and_the_unit_of_the_cost_do_not_matter() {
    let ising = weighted(300, 6, 3, false);
    let settings = Settings {
        rounds: 1,
        ..Settings::default()
    };
    let on = |threads| on_threads(threads, || run(&ising, &settings)).unwrap();
    let expected = on(1);
    for threads in [2, 7] {
        assert_eq!(on(threads), expected);
    }
    let pairs = ising
        .pairs()
        .map(|(i, j, coupling)| term(&[i, j], coupling * 2.0_f64.powi(900)));
    let large = Ising::new(300, &pairs.collect::<Vec<_>>(), 0.0).unwrap();
    let found = run(&large, &settings);
    assert_eq!(found.solution.spins, expected.solution.spins);
    assert_eq!(
        found.first.unwrap().gamma * 2.0_f64.powi(900),
        expected.first.unwrap().gamma
    );
}

#[test]
fn a_constant_and_free_spins_are_no_trouble() {
    let constant = Ising::new(40, &[], 7.0).unwrap();
    let found = run(&constant, &Settings::default());
    assert_eq!((found.solution.cost, found.evaluations), (7.0, 0));
    let fields: Vec<Term> = (0..40).map(|i| term(&[i], i as f64 - 20.0)).collect();
    let found = run(&Ising::new(40, &fields, 0.0).unwrap(), &Settings::default());
    assert_eq!(found.solution.cost, -400.0);
    assert_eq!(greedy(&constant, &Limits::none()).unwrap().cost, 7.0);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let ising = weighted(30, 3, 0, true);
    let refused = |settings: Settings| recursive(&ising, &settings, &Limits::none()).unwrap_err();
    let default = Settings::default;
    let setting = |error, name| matches!(error, Error::Setting { setting, .. } if setting == name);
    assert!(setting(
        refused(Settings {
            enumerated: 31,
            ..default()
        }),
        "enumerated"
    ));
    assert!(setting(
        refused(Settings {
            rounds: 0,
            ..default()
        }),
        "rounds"
    ));
    let zero = Some(vec![0; 30]);
    assert!(setting(
        refused(Settings {
            incumbent: zero,
            ..default()
        }),
        "incumbent"
    ));
    let short = Some(vec![1; 29]);
    assert!(matches!(
        refused(Settings {
            incumbent: short,
            ..default()
        }),
        Error::Simulator(_)
    ));
    let stop = AtomicBool::new(true);
    let limits = Limits::new(Some(&stop), None);
    assert_eq!(
        recursive(&ising, &default(), &limits),
        Err(Error::NothingEvaluated)
    );
    assert_eq!(greedy(&ising, &limits), Err(Error::NothingEvaluated));
}
