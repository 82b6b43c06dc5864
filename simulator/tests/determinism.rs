//! The same bits on any number of threads and any instruction set, on registers large enough to be split.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ketscale_simulator::{
    Angles, Ansatz, Cost, InstructionSet, Limits, Mixer, Objective, Register, Start, Term,
};

/// Everything that a circuit reports, as bits.
#[derive(Debug, PartialEq)]
struct Report {
    numbers: Vec<u64>,
    samples: Vec<(usize, u64)>,
    top: Vec<(usize, f64)>,
}

/// Registers large enough to be split, with all three kinds of groups, axes that fill no vector, and one longer than a tile.
fn registers() -> Vec<Vec<usize>> {
    vec![
        vec![2; 17],
        vec![3; 11],
        vec![5, 3, 2, 7, 4, 2, 3, 5, 2, 3, 2],
        vec![3, 16_000, 2],
    ]
}

fn cost(levels: &[usize]) -> Cost {
    let value = |x: &[usize]| {
        x.iter()
            .enumerate()
            .map(|(k, &x)| ((x * (k + 3)) as f64 * 0.7).sin())
            .sum::<f64>()
            .powi(2)
    };
    Cost::from_fn(&Register::new(levels).unwrap(), value).unwrap()
}

/// A cost of which half the state is kept: products of spins in whole numbers, or of two in others.
fn even_cost(n: usize, pairs: bool) -> Cost {
    let term = |at: usize| Term {
        variables: (0..if pairs { 2 } else { 4 })
            .map(|k| (at + k * k + k) % n)
            .collect(),
        coefficient: if pairs {
            (at as f64).cos()
        } else {
            (at % 5) as f64 - 2.0
        },
    };
    let terms: Vec<Term> = (0..n).map(term).collect();
    Cost::from_terms(&Register::qubits(n).unwrap(), &terms, 0.0).unwrap()
}

fn report(cost: &Cost, mixer: Mixer, start: &Start, isa: InstructionSet) -> Report {
    let ansatz = Ansatz::new(cost, mixer, start)
        .unwrap()
        .with_instruction_set(isa);
    let angles = Angles::new(&[0.3, -0.7], &[0.5, 0.2]).unwrap();
    let state = ansatz.evolve(&angles, &Limits::none()).unwrap();
    let gradient = ansatz
        .gradient(Objective::Expectation, &angles, &Limits::none())
        .unwrap();
    let cvar = ansatz
        .gradient(Objective::CVaR(0.1), &angles, &Limits::none())
        .unwrap();
    let (re, im) = state.amplitudes();
    let results = [
        state.norm(),
        state.expectation(),
        state.variance(),
        state.probability_of_minimum(),
        cost.mean(),
    ];
    let slopes = [&gradient.gamma, &gradient.beta, &cvar.gamma, &cvar.beta]
        .into_iter()
        .flatten();
    let values = [gradient.value, cvar.value];
    let numbers = results
        .iter()
        .chain(&values)
        .chain(slopes)
        .chain(&re)
        .chain(&im)
        .map(|x| x.to_bits())
        .collect();
    Report {
        numbers,
        samples: state.sample(1000, 3),
        top: state.top(20),
    }
}

fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(work)
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let made = |at: usize| match registers().get(at) {
        Some(levels) => cost(levels),
        None => even_cost(18, at.is_multiple_of(2)),
    };
    for at in 0..registers().len() + 2 {
        let report = |threads| {
            on_threads(threads, || {
                let cost = made(at);
                let start = cost.uniform_start();
                report(&cost, Mixer::Complete, &start, InstructionSet::best())
            })
        };
        let one = report(1);
        assert!(one == report(2) && one == report(7), "cost {at}");
    }
}

#[test]
fn any_instruction_set_gives_the_same_bits() {
    // Smaller ones: without vectors each fused multiply-add is a call.
    let registers = [
        vec![2; 14],
        vec![3; 9],
        vec![5, 3, 2, 7, 4, 2, 3, 5],
        vec![3, 9_000, 2],
    ];
    let warm = |cost: &Cost| {
        Start::warm(
            cost.register(),
            &vec![1; cost.register().levels().len()],
            0.25,
        )
        .unwrap()
    };
    let costs = registers.into_iter().map(|levels| cost(&levels));
    for cost in costs.chain([even_cost(17, true), even_cost(17, false)]) {
        let levels = cost.register().levels();
        let long = levels.iter().any(|&d| d > 100);
        let mut circuits = vec![
            (Mixer::Complete, cost.uniform_start()),
            (Mixer::Complete, warm(&cost)),
        ];
        // A dense exponential of 9,000 levels is refused where memory is short, and slow elsewhere.
        circuits.extend((!long).then(|| (Mixer::Path, cost.uniform_start())));
        for (mixer, start) in circuits {
            let scalar = report(&cost, mixer, &start, InstructionSet::SCALAR);
            for isa in InstructionSet::available() {
                assert!(
                    report(&cost, mixer, &start, isa) == scalar,
                    "{levels:?} {mixer} on {}",
                    isa.name()
                );
            }
        }
    }
}

#[test]
fn several_sets_of_angles_give_what_each_gives_alone() {
    for levels in [vec![2; 10], vec![3; 4], vec![2; 17]] {
        let cost = cost(&levels);
        let ansatz = Ansatz::new(&cost, Mixer::Complete, &cost.uniform_start()).unwrap();
        let set = |i: usize| Angles::new(&[0.1 * i as f64, -0.7], &[0.5, 0.3 * i as f64]).unwrap();
        let sets: Vec<Angles> = (0..9).map(set).collect();
        for objective in [Objective::Expectation, Objective::CVaR(0.2)] {
            let alone: Vec<f64> = sets
                .iter()
                .map(|angles| ansatz.evaluate(objective, angles, &Limits::none()).unwrap())
                .collect();
            for threads in [1, 2, 7] {
                let all = || {
                    ansatz
                        .evaluate_all(objective, &sets, &Limits::none())
                        .unwrap()
                };
                assert_eq!(on_threads(threads, all), alone);
            }
        }
        let wrong = [
            sets[0].clone(),
            Angles {
                gamma: vec![0.1],
                beta: vec![],
            },
        ];
        assert!(
            ansatz
                .evaluate_all(Objective::Expectation, &wrong, &Limits::none())
                .is_err()
        );
    }
}
