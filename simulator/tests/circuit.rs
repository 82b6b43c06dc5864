//! What a circuit refuses, when limits end it, and how it is sampled.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, reason = "each test file takes what it needs")]
mod common;

use ketscale_simulator::{
    Angles, Ansatz, Cost, Error, Limits, Mixer, Objective, Register, Start, Stopped, Table,
    estimate,
};
use std::sync::atomic::AtomicBool;

fn cost(levels: &[usize]) -> Cost {
    Cost::from_fn(&Register::new(levels).unwrap(), |x| {
        x.iter()
            .enumerate()
            .map(|(k, &x)| ((x * x + k) as f64).cos())
            .sum()
    })
    .unwrap()
}

fn ansatz(cost: &Cost) -> Ansatz<'_> {
    common::ansatz(cost, Mixer::Complete, &cost.uniform_start())
}

#[test]
fn malformed_angles_are_refused() {
    let cost = cost(&[2, 3]);
    let refused = |gamma: &[f64], beta: &[f64]| {
        let angles = Angles {
            gamma: gamma.to_vec(),
            beta: beta.to_vec(),
        };
        let error = ansatz(&cost).evolve(&angles, &Limits::none()).unwrap_err();
        assert_eq!(
            ansatz(&cost)
                .gradient(Objective::Expectation, &angles, &Limits::none())
                .unwrap_err()
                .to_string(),
            error.to_string()
        );
        error
    };
    assert_eq!(
        refused(&[0.1], &[]),
        Error::AnglesLength { gamma: 1, beta: 0 }
    );
    assert!(matches!(
        refused(&[0.1, f64::NAN], &[0.1, 0.1]),
        Error::AngleNotFinite {
            angle: "gamma",
            layer: 1,
            ..
        }
    ));
    assert!(matches!(
        refused(&[0.1], &[f64::INFINITY]),
        Error::AngleNotFinite {
            angle: "beta",
            layer: 0,
            ..
        }
    ));
    assert!(matches!(
        refused(&[1e300], &[0.1]),
        Error::PhaseTooLarge { layer: 0, .. }
    ));
    assert!(matches!(
        refused(&[0.1], &[1e15]),
        Error::PhaseTooLarge { layer: 0, .. }
    ));
}

#[test]
fn mixers_are_refused_where_they_would_not_keep_the_start_state() {
    let cost = cost(&[3, 4]);
    let warm = Start::warm(cost.register(), &[0, 1], 0.25).unwrap();
    for mixer in [Mixer::Path, Mixer::Ring] {
        assert_eq!(
            Ansatz::new(&cost, mixer, &warm).unwrap_err(),
            Error::MixerNeedsUniformStart { mixer, axis: 0 }
        );
    }
    let qubits = self::cost(&[3, 2]);
    let ring = Ansatz::new(&qubits, Mixer::Ring, &qubits.uniform_start()).unwrap_err();
    assert_eq!(ring, Error::RingTooShort { axis: 1, levels: 2 });
    let other = Ansatz::new(&cost, Mixer::Complete, &qubits.uniform_start()).unwrap_err();
    assert_eq!(
        other,
        Error::StartShape {
            axis: 1,
            expected: 4,
            found: 2
        }
    );
}

#[test]
fn shares_outside_their_range_are_refused() {
    let cost = cost(&[2, 3]);
    for alpha in [0.0, -0.5, 1.5, f64::NAN] {
        let none = Angles::default();
        let state = ansatz(&cost).evolve(&none, &Limits::none()).unwrap();
        assert!(matches!(state.cvar(alpha), Err(Error::Alpha { .. })));
        assert!(matches!(state.quantile(alpha), Err(Error::Alpha { .. })));
        assert!(matches!(
            ansatz(&cost).gradient(Objective::CVaR(alpha), &none, &Limits::none()),
            Err(Error::Alpha { .. })
        ));
        assert!(matches!(
            ansatz(&cost).evaluate(Objective::CVaR(alpha), &none, &Limits::none()),
            Err(Error::Alpha { .. })
        ));
    }
}

#[test]
fn what_does_not_fit_into_memory_is_refused_with_both_numbers() {
    let levels = [2; 10];
    let free = Register::new(&levels).unwrap();
    let limit = estimate(&free, 1).bytes;
    let value = |x: &[usize]| (x.iter().sum::<usize>() as f64).sin();
    let tight = |bytes| Cost::from_fn(&free.clone().with_memory_limit(bytes), value).unwrap();
    let angles = Angles::new(&[0.1], &[0.1]).unwrap();
    let enough = tight(limit);
    assert!(ansatz(&enough).evolve(&angles, &Limits::none()).is_ok());
    let short = tight(limit - 1);
    let error = ansatz(&short).evolve(&angles, &Limits::none()).unwrap_err();
    assert_eq!(
        error,
        Error::MemoryLimit {
            needed_bytes: limit,
            allowed_bytes: limit - 1
        }
    );
    assert_eq!(
        error.to_string(),
        format!("needs {limit} bytes of memory, {} are allowed", limit - 1)
    );
    let gradient = ansatz(&enough).gradient(Objective::Expectation, &angles, &Limits::none());
    assert!(matches!(gradient, Err(Error::MemoryLimit { .. })));
}

#[test]
fn the_exponential_of_a_long_path_counts_as_memory() {
    let register = Register::new(&[30_000]).unwrap().with_memory_limit(1 << 30);
    let cost = Cost::from_fn(&register, |x| x[0] as f64).unwrap();
    let path = Ansatz::new(&cost, Mixer::Path, &cost.uniform_start()).unwrap();
    let angles = Angles::new(&[0.1], &[0.1]).unwrap();
    assert!(matches!(
        path.evolve(&angles, &Limits::none()),
        Err(Error::MemoryLimit { .. })
    ));
    assert!(ansatz(&cost).evolve(&angles, &Limits::none()).is_ok());
}

#[test]
fn limits_end_a_run_and_count_its_work() {
    let cost = cost(&[2; 12]);
    let ansatz = ansatz(&cost);
    let angles = Angles::new(&[0.1, 0.2, 0.3], &[0.3, 0.2, 0.1]).unwrap();
    let free = Limits::none();
    let gradient = ansatz
        .gradient(Objective::Expectation, &angles, &free)
        .unwrap();
    assert_eq!(free.spent(), ansatz.gradient_work(3));
    let exact = Limits::new(None, Some(free.spent()));
    assert_eq!(
        ansatz
            .gradient(Objective::Expectation, &angles, &exact)
            .unwrap(),
        gradient
    );
    for work in 0..free.spent() {
        let limits = Limits::new(None, Some(work));
        let ended = ansatz.gradient(Objective::Expectation, &angles, &limits);
        assert!(
            matches!(ended, Err(Error::Stopped(Stopped::Work { allowed, .. })) if allowed == work)
        );
        assert!(limits.spent() <= work);
    }
    let raised = AtomicBool::new(true);
    let ended = ansatz
        .evolve(&angles, &Limits::new(Some(&raised), None))
        .unwrap_err();
    assert_eq!(ended, Error::Stopped(Stopped::Flag));
}

#[test]
fn sampled_frequencies_are_the_probabilities() {
    for levels in [vec![3, 4, 2], vec![2; 15]] {
        let cost = cost(&levels);
        let state = ansatz(&cost)
            .evolve(&Angles::new(&[0.8], &[0.5]).unwrap(), &Limits::none())
            .unwrap();
        // More than are drawn together.
        let shots = 3_000_000;
        let samples = state.sample(shots, 11);
        assert!(samples.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert_eq!(samples.iter().map(|&(_, count)| count).sum::<u64>(), shots);
        let probabilities = state.probabilities();
        for &(index, count) in &samples {
            let expected = probabilities[index] * shots as f64;
            // Six standard deviations, and a few counts where so few are expected that they are not normal.
            assert!(
                (count as f64 - expected).abs() < 6.0 * expected.sqrt() + 6.0,
                "{index}: {count}, expected {expected}"
            );
        }
        let mean = samples
            .iter()
            .map(|&(index, count)| cost.values()[index] * count as f64)
            .sum::<f64>()
            / shots as f64;
        assert!(
            (mean - state.expectation()).abs() < 6.0 * (state.variance() / shots as f64).sqrt()
        );
    }
}

#[test]
fn the_seed_decides_the_samples() {
    let cost = cost(&[3, 4, 2, 5]);
    let state = ansatz(&cost)
        .evolve(&Angles::default(), &Limits::none())
        .unwrap();
    assert_eq!(state.sample(50, 1), state.sample(50, 1));
    assert_ne!(state.sample(50, 1), state.sample(50, 2));
    assert_eq!(state.sample(0, 1), []);
}

#[test]
fn states_of_no_probability_are_never_drawn() {
    let register = Register::new(&[3, 3]).unwrap();
    let cost = Cost::from_fn(&register, |x| x[0] as f64).unwrap();
    let start = Start::product(&register, vec![vec![0.6, 0.0, 0.8], vec![0.0, 1.0, 0.0]]).unwrap();
    let state = Ansatz::new(&cost, Mixer::Complete, &start)
        .unwrap()
        .evolve(&Angles::default(), &Limits::none())
        .unwrap();
    let drawn: Vec<usize> = state
        .sample(10_000, 5)
        .into_iter()
        .map(|(index, _)| index)
        .collect();
    assert_eq!(drawn, [3, 5]);
}

#[test]
fn what_the_state_does_not_have_is_none() {
    let cost = cost(&[2, 3]);
    let state = ansatz(&cost)
        .evolve(&Angles::default(), &Limits::none())
        .unwrap();
    assert_eq!(state.amplitude(6), None);
    assert_eq!(cost.value(6), None);
}

#[test]
fn quantiles_of_large_tables_agree_with_sorting() {
    // More states than are sorted at once, most of them crowded into a corner of the range.
    let register = Register::qubits(16).unwrap();
    let cost = Cost::from_fn(&register, |x| {
        let index = x.iter().rev().fold(0, |index, bit| 2 * index + bit);
        if index == 0 {
            1e9
        } else {
            (index as f64 * 0.618_034).fract()
        }
    })
    .unwrap();
    let state = ansatz(&cost)
        .evolve(&Angles::default(), &Limits::none())
        .unwrap();
    let mut sorted = cost.values().to_vec();
    sorted.sort_by(f64::total_cmp);
    for alpha in [1e-5, 0.01, 0.25, 0.5, 0.999] {
        let expected = sorted[(alpha * 65_536.0_f64).ceil() as usize - 1];
        assert_eq!(state.quantile(alpha).unwrap(), expected, "{alpha}");
    }
    assert_eq!(state.quantile(1.0).unwrap(), 1e9);
}

#[test]
fn registers_and_depths_that_no_machine_holds_are_estimated() {
    for levels in [&[1 << 61, 3][..], &[1 << 62, 2], &[3, 1 << 62], &[1 << 63]] {
        let register = Register::new(levels).unwrap();
        assert!(estimate(&register, 1).bytes > 1 << 60, "{levels:?}");
        assert_eq!(
            estimate(&register, usize::MAX).bytes,
            estimate(&register, 1).bytes
        );
    }
    let cost = cost(&[2, 3]);
    assert_eq!(ansatz(&cost).work(usize::MAX), u64::MAX);
    assert_eq!(ansatz(&cost).gradient_work(usize::MAX), u64::MAX);
}

#[test]
fn costs_whose_terms_overflow_in_another_order_are_costs() {
    // −10^308 + 10^308 + 10^308: a circuit that works block by block would add the two large ones first.
    let large = |axis: usize| Table {
        variables: vec![axis],
        values: vec![1e308, 0.9e308],
    };
    let register = Register::qubits(16).unwrap();
    let cost = Cost::from_tables(&register, &[large(0), large(15)], -1e308).unwrap();
    let angles = Angles::new(&[0.0, 0.0], &[0.3, 0.3]).unwrap();
    let ansatz = ansatz(&cost);
    let state = ansatz.evolve(&angles, &Limits::none()).unwrap();
    assert!((state.norm() - 1.0).abs() < 1e-12);
    let value = ansatz.evaluate(Objective::Expectation, &angles, &Limits::none());
    assert!((value.unwrap() / 0.9e308 - 1.0).abs() < 1e-12);
}

#[test]
fn asking_for_no_states_or_for_all_is_no_trouble() {
    let cost = cost(&[2; 15]);
    let state = ansatz(&cost)
        .evolve(&Angles::new(&[0.8], &[0.5]).unwrap(), &Limits::none())
        .unwrap();
    assert_eq!(state.top(0), []);
    let all = state.top(usize::MAX);
    assert_eq!(all.len(), 1 << 15);
    assert_eq!(all[..100], state.top(100));
}

#[test]
fn a_share_whose_inverse_overflows_has_a_gradient() {
    let cost = cost(&[3, 4, 2]);
    let angles = Angles::new(&[0.8], &[0.5]).unwrap();
    for alpha in [f64::MIN_POSITIVE / 64.0, 1e-300, 1e-40] {
        let gradient = ansatz(&cost).gradient(Objective::CVaR(alpha), &angles, &Limits::none());
        let gradient = gradient.unwrap();
        assert_eq!(gradient.value, cost.min());
        // The best share is the minimum, wherever the angles are.
        assert_eq!((gradient.gamma, gradient.beta), (vec![0.0], vec![0.0]));
        let single = ansatz(&cost).in_single_precision().unwrap();
        let gradient = single.gradient(Objective::CVaR(alpha), &angles, &Limits::none());
        assert_eq!(gradient.unwrap().gamma, [0.0]);
    }
}
