//! The angle search on costs whose answers are known.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ketscale_optimizer::angles::{Earlier, Family};
use ketscale_optimizer::qaoa::{Settings, Status, Strategy};
use ketscale_optimizer::simulator::{Ansatz, Error as Refusal, Stopped, on_threads};
use ketscale_optimizer::{
    Angles, Cost, Error, Limits, Mixer, Model, Objective, Register, Start, Table, Term, enumerate,
    search,
};
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};
use std::sync::atomic::AtomicBool;

/// Minus the number of cut edges of the Heawood graph: 14 vertices, 21 edges, girth 6, bipartite.
fn heawood() -> Cost {
    let ring = (0..14).map(|i| (i, (i + 1) % 14));
    let chords = (0..7).map(|i| (2 * i, (2 * i + 5) % 14));
    let edge = |(i, j)| Term {
        variables: vec![i, j],
        coefficient: 0.5,
    };
    let terms: Vec<Term> = ring.chain(chords).map(edge).collect();
    Cost::from_terms(&Register::qubits(14).unwrap(), &terms, -10.5).unwrap()
}

/// A cost of random tables on neighbouring axes of a mixed register.
fn mixed(seed: usize) -> Cost {
    let register = Register::new(&[3, 2, 4, 5, 3, 2]).unwrap();
    let levels = register.levels().to_vec();
    let table = |axis: usize| {
        let length = levels[axis] * levels[axis + 1];
        Table {
            variables: vec![axis, axis + 1],
            values: (0..length)
                .map(|i| ((i * 37 + axis * 11 + seed) as f64 * 1.7).sin() * 100.0)
                .collect(),
        }
    };
    Cost::from_tables(
        &register,
        &(0..levels.len() - 1).map(table).collect::<Vec<_>>(),
        40.0,
    )
    .unwrap()
}

fn run(cost: &Cost, settings: &Settings) -> ketscale_optimizer::qaoa::Outcome {
    search(
        cost,
        Mixer::Complete,
        &cost.uniform_start(),
        settings,
        &Limits::none(),
    )
    .unwrap()
}

#[test]
fn reaches_the_published_cut_fractions() {
    let cost = heawood();
    // arXiv 2503.12789: optimal for girth 2p + 2, so no graph of that girth does worse than its optimum.
    for (depth, fraction) in [(1, 0.692_450_089_7), (2, 0.755_906_458_5)] {
        let outcome = run(
            &cost,
            &Settings {
                depth,
                ..Settings::default()
            },
        );
        let found = -outcome.expectation / 21.0;
        assert!(found > fraction - 1e-6, "depth {depth}: {found}");
        assert!((outcome.initial_expectation + 10.5).abs() < 1e-12);
    }
}

#[test]
fn improves_on_its_start_for_every_mixer_and_objective() {
    let cost = mixed(1);
    for mixer in [Mixer::Complete, Mixer::Path] {
        for objective in [Objective::Expectation, Objective::CVaR(0.25)] {
            let settings = Settings {
                objective,
                depth: 2,
                max_evaluations: 80,
                starts: 2,
                ..Settings::default()
            };
            let outcome = search(
                &cost,
                mixer,
                &cost.uniform_start(),
                &settings,
                &Limits::none(),
            )
            .unwrap();
            assert!(
                outcome.objective < outcome.initial_objective,
                "{mixer} {objective:?}"
            );
            assert!(
                outcome.expectation < outcome.initial_expectation - 0.5 * cost.standard_deviation()
            );
            let uniform = cost.minimum_count() as f64 / cost.values().len() as f64;
            assert!(outcome.probability_of_minimum > 2.0 * uniform);
        }
    }
}

#[test]
fn a_warm_start_is_improved_too() {
    let cost = mixed(2);
    let incumbent = cost
        .register()
        .digits(enumerate(&cost, 10).entries()[9].index)
        .unwrap();
    let start = Start::warm(cost.register(), &incumbent, Start::DEFAULT_EPSILON).unwrap();
    let outcome = search(
        &cost,
        Mixer::Complete,
        &start,
        &Settings::default(),
        &Limits::none(),
    )
    .unwrap();
    assert!(outcome.expectation < outcome.initial_expectation - 0.2 * cost.standard_deviation());
}

#[test]
fn reports_what_the_best_circuit_says() {
    let cost = mixed(3);
    let outcome = run(
        &cost,
        &Settings {
            shots: 4000,
            ..Settings::default()
        },
    );
    let ansatz = Ansatz::new(&cost, Mixer::Complete, &cost.uniform_start()).unwrap();
    let state = ansatz.evolve(&outcome.angles, &Limits::none()).unwrap();
    assert_eq!(outcome.objective, state.expectation());
    assert_eq!(outcome.expectation, state.expectation());
    assert_eq!(outcome.variance, state.variance());
    assert_eq!(
        outcome.probability_of_minimum,
        state.probability_of_minimum()
    );
    assert_eq!(outcome.minimum, enumerate(&cost, 1).best().unwrap().cost);
    assert_eq!(outcome.samples.total(), 4000);
    let error = 5.0 * (outcome.variance / 4000.0).sqrt();
    assert!((outcome.samples.mean_cost().unwrap() - outcome.expectation).abs() < error);
    assert!(
        outcome
            .samples
            .entries()
            .iter()
            .all(|sample| cost.values()[sample.index] == sample.cost)
    );
}

#[test]
fn the_same_question_has_the_same_answer() {
    let cost = mixed(4);
    let settings = Settings {
        starts: 3,
        ..Settings::default()
    };
    assert_eq!(run(&cost, &settings), run(&cost, &settings));
}

#[test]
fn a_constant_cost_has_nothing_to_find() {
    let cost = Cost::from_fn(&Register::new(&[2, 3]).unwrap(), |_| 7.0).unwrap();
    let outcome = run(&cost, &Settings::default());
    assert!((outcome.expectation - 7.0).abs() < 1e-12);
    assert!((outcome.probability_of_minimum - 1.0).abs() < 1e-12);
}

#[test]
fn unit_and_offset_of_the_cost_do_not_matter() {
    let cost = mixed(5);
    let scaled = cost.values().iter().map(|c| c * 1e6 + 3e7).collect();
    let scaled = Cost::table(cost.register(), scaled).unwrap();
    let (a, b) = (
        run(&cost, &Settings::default()),
        run(&scaled, &Settings::default()),
    );
    assert!((a.probability_of_minimum - b.probability_of_minimum).abs() < 1e-3);
    assert!((a.expectation * 1e6 + 3e7 - b.expectation).abs() < 1e-3 * scaled.standard_deviation());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn never_exceeds_its_evaluations(max_evaluations in 1_usize..40, starts in 1_usize..5, depth in 1_usize..5, seed: u64) {
        let cost = mixed(seed as usize % 100);
        let settings = Settings { max_evaluations, starts, depth, seed, shots: 10, ..Settings::default() };
        let outcome = run(&cost, &settings);
        prop_assert!(outcome.evaluations <= max_evaluations);
        // One of several starts may use up its share while another one converges.
        prop_assert!(outcome.evaluations == max_evaluations || outcome.status == Status::Converged || starts > 1);
        prop_assert!(outcome.objective <= outcome.initial_objective);
        prop_assert_eq!(outcome.angles.depth(), depth);
    }

    #[test]
    fn never_exceeds_its_work(work in 0_u64..60) {
        let cost = mixed(6);
        let limits = Limits::new(None, Some(work));
        let outcome = search(&cost, Mixer::Complete, &cost.uniform_start(), &Settings { depth: 2, ..Settings::default() }, &limits);
        match outcome {
            Ok(outcome) => prop_assert_eq!(outcome.status, Status::WorkLimit),
            Err(error) => prop_assert!(matches!(error, Error::NothingEvaluated | Error::Simulator(Refusal::Stopped(_)))),
        }
        prop_assert!(limits.spent() <= work);
    }
}

#[test]
fn a_raised_flag_ends_the_search() {
    let cost = mixed(7);
    let stop = AtomicBool::new(true);
    let outcome = search(
        &cost,
        Mixer::Complete,
        &cost.uniform_start(),
        &Settings::default(),
        &Limits::new(Some(&stop), None),
    );
    assert_eq!(
        outcome,
        Err(Error::Simulator(Refusal::Stopped(Stopped::Flag)))
    );
}

#[test]
fn what_makes_no_sense_is_refused() {
    let cost = mixed(8);
    let refused = |settings: Settings| {
        search(
            &cost,
            Mixer::Complete,
            &cost.uniform_start(),
            &settings,
            &Limits::none(),
        )
    };
    let setting =
        |name| move |error| matches!(error, Err(Error::Setting { setting, .. }) if setting == name);
    assert!(setting("depth")(refused(Settings {
        depth: 0,
        ..Settings::default()
    })));
    assert!(setting("max_evaluations")(refused(Settings {
        max_evaluations: 0,
        ..Settings::default()
    })));
    assert!(setting("depth")(refused(Settings {
        depth: usize::MAX,
        ..Settings::default()
    })));
    assert!(setting("starts")(refused(Settings {
        starts: 0,
        ..Settings::default()
    })));
    assert!(setting("families")(refused(Settings {
        families: vec![],
        ..Settings::default()
    })));
    let earlier = |deviation| {
        Some(Earlier {
            angles: Angles::default(),
            deviation: Some(deviation),
        })
    };
    for deviation in [0.0, -1.0, f64::NAN] {
        assert!(setting("earlier.deviation")(refused(Settings {
            earlier: earlier(deviation),
            ..Settings::default()
        })));
    }
    let alpha = refused(Settings {
        objective: Objective::CVaR(0.0),
        ..Settings::default()
    });
    assert!(matches!(
        alpha,
        Err(Error::Simulator(Refusal::Alpha { .. }))
    ));
    let ring = search(
        &cost,
        Mixer::Ring,
        &cost.uniform_start(),
        &Settings::default(),
        &Limits::none(),
    );
    assert!(matches!(
        ring,
        Err(Error::Simulator(Refusal::RingTooShort {
            axis: 1,
            levels: 2
        }))
    ));
}

/// Minus the energy's published optimum is what the fixed angles of sequences approach, better than those of other families.
#[test]
fn sequences_start_best_from_their_own_angles() {
    for n in [8, 11] {
        let cost = Model::labs(n).unwrap().cost(1 << 30).unwrap();
        let first = |families: Vec<Family>| {
            let settings = Settings {
                depth: 5,
                max_evaluations: 1,
                families,
                ..Settings::default()
            };
            run(&cost, &settings).initial_objective
        };
        let own = first(vec![Family::Labs]);
        let default = first(Settings::default().families);
        assert!(
            own < default && own < cost.mean(),
            "{n}: {own} and {default}"
        );
    }
}

#[test]
fn deepening_goes_through_all_depths_and_is_no_worse_than_few_layers() {
    let cost = mixed(9);
    let settings = |depth, strategy| Settings {
        depth,
        strategy,
        max_evaluations: 200,
        starts: 2,
        ..Settings::default()
    };
    let one = run(&cost, &settings(1, Strategy::Direct));
    let deep = run(&cost, &settings(5, Strategy::Deepening));
    assert_eq!(deep.angles.depth(), 5);
    assert!(deep.angles.gamma.iter().all(|gamma| *gamma != 0.0));
    assert!(deep.objective < one.objective - 0.2 * cost.standard_deviation());
    assert!(deep.evaluations > 40 && deep.evaluations <= 200);
    // A search that ends on its way has layers that do nothing.
    let short = Settings {
        max_evaluations: 1,
        ..settings(5, Strategy::Deepening)
    };
    let short = run(&cost, &short);
    assert_eq!(short.angles.depth(), 5);
    assert_eq!(&short.angles.gamma[1..], [0.0; 4]);
    assert!((short.objective - short.expectation).abs() < 1e-12);
}

#[test]
fn earlier_angles_are_where_the_search_begins() {
    let cost = mixed(10);
    let found = run(&cost, &Settings::default());
    let scaled = cost.values().iter().map(|c| c * 1e3 - 5.0).collect();
    let scaled = Cost::table(cost.register(), scaled).unwrap();
    let again = Settings {
        families: vec![],
        earlier: Some(Earlier {
            angles: found.angles.clone(),
            deviation: Some(cost.standard_deviation()),
        }),
        max_evaluations: 1,
        ..Settings::default()
    };
    let again = run(&scaled, &again);
    let expected = found.expectation * 1e3 - 5.0;
    assert!((again.initial_objective - expected).abs() < 1e-6 * scaled.standard_deviation());
    let ramps = Settings {
        families: vec![],
        ramps: true,
        ..Settings::default()
    };
    let ramps = run(&cost, &ramps);
    assert!(ramps.expectation < cost.mean() - 0.5 * cost.standard_deviation());
}

/// Starts have shares of their own, so it does not matter which of them runs when.
#[test]
fn threads_do_not_change_a_search() {
    let cost = mixed(11);
    for work in [None, Some(150)] {
        let settings = Settings {
            starts: 5,
            strategy: Strategy::Deepening,
            max_evaluations: 150,
            ..Settings::default()
        };
        let on = |threads| {
            let limits = Limits::new(None, work);
            let search = || {
                let start = cost.uniform_start();
                search(&cost, Mixer::Complete, &start, &settings, &limits)
            };
            (on_threads(threads, search).unwrap(), limits.spent())
        };
        let expected = on(1);
        assert!(expected.0.is_ok());
        for threads in [2, 7] {
            assert_eq!(on(threads), expected);
        }
    }
}

#[test]
fn more_starts_than_evaluations_are_no_more_work() {
    let settings = Settings {
        starts: usize::MAX,
        max_evaluations: 30,
        shots: 1,
        ..Settings::default()
    };
    let outcome = run(&mixed(2), &settings);
    assert!(outcome.evaluations <= 30);
}
