//! Registers of one block and of several tiles and groups, in both precisions, against a reference that takes one axis after the other; and costs kept
//! as terms against the same costs as tables.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use ketscale_simulator::{
    Angles, Ansatz, Cost, Limits, Mixer, Number, Objective, Register, Start, State, Table, Term,
};
use num_complex::Complex64;

const ANGLES: [[f64; 3]; 2] = [[0.31, -0.17, 0.42], [0.53, 1.21, -0.38]];

/// The amplitudes after each layer's phase and mixer, one axis after the other, from the definitions.
fn reference(cost: &Cost, mixer: Mixer, start: &Start, layers: usize) -> Vec<Complex64> {
    let product = |state: Vec<f64>, w: &Vec<f64>| {
        w.iter()
            .flat_map(|w| state.iter().map(move |s| w * s))
            .collect()
    };
    let start_state: Vec<f64> = start.axes().iter().fold(vec![1.0], product);
    let mut psi: Vec<Complex64> = start_state.into_iter().map(Complex64::from).collect();
    let values = cost.values();
    for (&gamma, &beta) in ANGLES[0].iter().zip(&ANGLES[1]).take(layers) {
        psi.iter_mut()
            .zip(values.iter())
            .for_each(|(x, c)| *x *= Complex64::new(0.0, -gamma * c).exp());
        let mut stride = 1;
        for w in start.axes() {
            let mix = axis_mixer(mixer, w, beta);
            for block in psi.chunks_exact_mut(stride * w.len()) {
                for column in 0..stride {
                    let levels = block.iter().skip(column).step_by(stride);
                    let mixed = mix(&levels.copied().collect::<Vec<_>>());
                    let levels = block.iter_mut().skip(column).step_by(stride);
                    levels.zip(mixed).for_each(|(x, mixed)| *x = mixed);
                }
            }
            stride *= w.len();
        }
    }
    psi
}

/// `e^{-iβB_k}` on the levels of one axis: the closed form where B = 2|w⟩⟨w| − 1, a dense matrix elsewhere.
fn axis_mixer(mixer: Mixer, w: &[f64], beta: f64) -> impl Fn(&[Complex64]) -> Vec<Complex64> {
    let turn = |angle: f64| Complex64::new(0.0, angle).exp();
    let unit = |j: usize| {
        (0..w.len())
            .map(|i| Complex64::from(f64::from(u8::from(i == j))))
            .collect::<Vec<_>>()
    };
    let columns: Vec<Vec<Complex64>> = match mixer {
        Mixer::Complete => Vec::new(),
        _ => {
            let b = common::axis_operator(mixer, w);
            (0..w.len())
                .map(|j| common::exponential(&b, beta, &unit(j)))
                .collect()
        }
    };
    move |x| {
        if mixer == Mixer::Complete {
            let overlap: Complex64 = x.iter().zip(w).map(|(x, w)| x * w).sum();
            let change = (turn(-2.0 * beta) - 1.0) * overlap;
            let one = |(x, w): (&Complex64, &f64)| (x + change * w) * turn(beta);
            return x.iter().zip(w).map(one).collect();
        }
        let row = |i: usize| columns.iter().zip(x).map(|(column, x)| column[i] * x).sum();
        (0..x.len()).map(row).collect()
    }
}

fn angles(layers: usize) -> Angles {
    Angles::new(&ANGLES[0][..layers], &ANGLES[1][..layers]).unwrap()
}

/// A value for every axis and every pair of axes.
fn pairs(levels: &[usize]) -> Cost {
    let value = |at: usize, i: usize, j: usize| ((at * (3 * i + 1) + 7 * j) as f64 * 0.731).sin();
    let mut tables = Vec::new();
    for j in 0..levels.len() {
        let single = (0..levels[j]).map(|at| value(at, j, 5)).collect();
        tables.push(Table {
            variables: vec![j],
            values: single,
        });
        for i in 0..j {
            let values = (0..levels[i] * levels[j])
                .map(|at| 0.5 * value(at, i, j))
                .collect();
            // Either order of the variables.
            let variables = if (i + j) % 2 == 0 {
                vec![i, j]
            } else {
                vec![j, i]
            };
            tables.push(Table { variables, values });
        }
    }
    Cost::from_tables(&Register::new(levels).unwrap(), &tables, 0.25).unwrap()
}

fn check<T: Number>(state: &State<T>, expected: &[Complex64], tolerance: f64, what: &str) {
    let (re, im) = state.amplitudes();
    for (index, expected) in expected.iter().enumerate() {
        let found = Complex64::new(re[index].to_f64(), im[index].to_f64());
        assert!(
            (found - expected).norm() <= tolerance,
            "{what}, amplitude {index}: {found}, expected {expected}"
        );
    }
}

/// Every register with a cost of pairs, the same as a table, and one in steps of a quarter, with every mixer and start that it allows, in both
/// precisions.
fn check_register(levels: &[usize]) {
    let pairs = pairs(levels);
    let values = pairs.values().into_owned();
    let rounded = values.iter().map(|c| (4.0 * c).round() / 4.0).collect();
    let table = Cost::table(pairs.register(), values).unwrap();
    let steps = Cost::table(pairs.register(), rounded).unwrap();
    let warm = Start::warm(pairs.register(), &vec![1; levels.len()], 0.3).unwrap();
    let uniform = pairs.uniform_start();
    let mut circuits = vec![
        (Mixer::Complete, &uniform),
        (Mixer::Complete, &warm),
        (Mixer::Path, &uniform),
    ];
    circuits.extend(
        levels
            .iter()
            .all(|&d| d > 2)
            .then_some((Mixer::Ring, &uniform)),
    );
    for (mixer, start) in circuits {
        for layers in [0, 1, 3] {
            check_costs(&[&pairs, &table], mixer, start, layers);
            check_costs(&[&steps], mixer, start, layers);
        }
    }
}

/// Equal costs against the reference.
fn check_costs(costs: &[&Cost], mixer: Mixer, start: &Start, layers: usize) {
    let expected = reference(costs[0], mixer, start, layers);
    let values = costs[0].values();
    let states = expected.iter().zip(values.iter());
    let energy: f64 = states.map(|(x, c)| x.norm_sqr() * c).sum();
    let name = format!(
        "{:?} {mixer}, {layers} layers",
        costs[0].register().levels()
    );
    for cost in costs {
        let double = common::ansatz(cost, mixer, start);
        check_ansatz(&double, (layers, energy), &expected, [1e-12, 1e-11], &name);
        let single = double.in_single_precision().unwrap();
        let tolerances = [2e-6, 1e-4 * energy.abs().max(1.0)];
        check_ansatz(&single, (layers, energy), &expected, tolerances, &name);
    }
}

fn check_ansatz<T: Number>(
    ansatz: &Ansatz<T>,
    (layers, energy): (usize, f64),
    expected: &[Complex64],
    [amplitude, value]: [f64; 2],
    name: &str,
) {
    let angles = angles(layers);
    let state = ansatz.evolve(&angles, &Limits::none()).unwrap();
    check(&state, expected, amplitude, name);
    let found = ansatz.evaluate(Objective::Expectation, &angles, &Limits::none());
    let found = found.unwrap();
    assert!(
        (found - energy).abs() < value,
        "{name}: {found}, expected {energy}"
    );
}

/// Their phases are products of few.
#[test]
fn registers_of_one_block() {
    for levels in [&[2; 10][..], &[2; 7], &[4; 5], &[2, 8, 3, 5, 2], &[3; 6]] {
        check_register(levels);
    }
}

#[test]
fn qubits() {
    check_register(&[2; 17]);
}

#[test]
fn axes_of_four_levels() {
    check_register(&[4; 9]);
}

#[test]
fn axes_that_fill_no_vector() {
    check_register(&[3; 11]);
    check_register(&[3, 5, 7, 6, 4, 2, 3, 5]);
}

#[test]
fn mixed_axes_in_any_order() {
    check_register(&[4, 2, 8, 2, 3, 5, 2, 4, 7, 2]);
    check_register(&[2, 16, 2, 3, 2, 2, 11, 2, 2, 5]);
}

#[test]
fn axes_longer_than_a_tile() {
    let levels = [3, 20_000, 2, 2];
    let register = Register::new(&levels).unwrap();
    let cost = Cost::from_fn(&register, |x| {
        ((x[0] + 3 * x[1] + x[2] * x[3]) as f64 * 0.37).sin()
    })
    .unwrap();
    let start = cost.uniform_start();
    let ansatz = common::ansatz(&cost, Mixer::Complete, &start);
    check(
        &ansatz.evolve(&angles(2), &Limits::none()).unwrap(),
        &reference(&cost, Mixer::Complete, &start, 2),
        1e-12,
        "a long axis",
    );
}

/// Columns that are a part of a long axis, the last ones fewer than the others, below a tile of several blocks: padding must be zero
/// whatever the tile before left there.
#[test]
fn narrow_tiles_at_the_end() {
    for levels in [[999, 31, 2, 2, 2, 2, 2], [1000, 31, 2, 2, 2, 2, 2]] {
        let register = Register::new(&levels).unwrap();
        let value = |x: &[usize]| {
            let bits = x[2] + 2 * x[3] + 4 * x[4] + 8 * x[5] + 16 * x[6];
            2.0 + ((x[0] + 3 * x[1] + 7 * bits) as f64 * 0.37).sin()
        };
        let cost = Cost::from_fn(&register, value).unwrap();
        let start = cost.uniform_start();
        let ansatz = common::ansatz(&cost, Mixer::Complete, &start);
        let expected = reference(&cost, Mixer::Complete, &start, 1);
        check(
            &ansatz.evolve(&angles(1), &Limits::none()).unwrap(),
            &expected,
            1e-12,
            "a narrow tile",
        );
        let state = ansatz.evolve(&angles(1), &Limits::none()).unwrap();
        let value = |by_beta: f64| {
            let mut angles = angles(1);
            angles.beta[0] += by_beta;
            ansatz
                .evaluate(Objective::Expectation, &angles, &Limits::none())
                .unwrap()
        };
        assert!((value(0.0) - state.expectation()).abs() < 1e-11);
        let gradient = ansatz
            .gradient(Objective::Expectation, &angles(1), &Limits::none())
            .unwrap();
        let slope = (value(1e-5) - value(-1e-5)) / 2e-5;
        assert!(
            (gradient.beta[0] - slope).abs() < 1e-6,
            "{}, expected {slope}",
            gradient.beta[0]
        );
    }
}

/// Gradients on several groups, where parts of a layer's mixer are undone in different passes.
#[test]
fn gradients_on_several_groups() {
    for levels in [vec![2; 17], vec![3, 5, 7, 6, 4, 2, 3, 5], vec![4; 9]] {
        let cost = pairs(&levels);
        let ansatz = common::ansatz(&cost, Mixer::Complete, &cost.uniform_start());
        let single = ansatz.clone().in_single_precision().unwrap();
        for layers in 1..=3 {
            for objective in [Objective::Expectation, Objective::CVaR(0.3)] {
                let gradient = ansatz
                    .gradient(objective, &angles(layers), &Limits::none())
                    .unwrap();
                let rough = single
                    .gradient(objective, &angles(layers), &Limits::none())
                    .unwrap();
                let alone = ansatz.evaluate(objective, &angles(layers), &Limits::none());
                assert!((gradient.value - alone.unwrap()).abs() < 1e-11);
                let value = |layer: usize, by_gamma: bool, h: f64| {
                    let mut angles = angles(layers);
                    if by_gamma {
                        angles.gamma[layer] += h
                    } else {
                        angles.beta[layer] += h
                    }
                    ansatz
                        .evaluate(objective, &angles, &Limits::none())
                        .unwrap()
                };
                for layer in 0..layers {
                    let slopes = [
                        (gradient.gamma[layer], rough.gamma[layer], true),
                        (gradient.beta[layer], rough.beta[layer], false),
                    ];
                    for (slope, rough, by_gamma) in slopes {
                        let h = 1e-5;
                        let expected =
                            (value(layer, by_gamma, h) - value(layer, by_gamma, -h)) / (2.0 * h);
                        let close = |found: f64, tolerance: f64| {
                            (found - expected).abs() < tolerance * (1.0 + expected.abs())
                        };
                        // CVaR has a kink wherever its quantile jumps to another level.
                        let tolerance = if objective == Objective::Expectation {
                            1e-6
                        } else {
                            1e-3
                        };
                        assert!(
                            close(slope, tolerance),
                            "{levels:?} {objective:?}: {slope}, expected {expected}"
                        );
                        assert!(
                            close(rough, 10.0 * tolerance.max(1e-4)),
                            "{levels:?} {objective:?}, f32: {rough}, expected {expected}"
                        );
                    }
                }
            }
        }
    }
}

/// Products of `degree` spins, some of them, with the coefficients that are given their number.
fn products(n: usize, degree: usize, coefficient: impl Fn(usize) -> f64) -> Vec<Term> {
    let term = |at: usize| Term {
        variables: (0..degree).map(|k| (at + k * (k + at % 3)) % n).collect(),
        coefficient: coefficient(at),
    };
    let distinct =
        |term: &Term| (1..degree).all(|k| !term.variables[..k].contains(&term.variables[k]));
    (0..3 * n).map(term).filter(distinct).collect()
}

/// Costs that are even, each with the same one but for a difference that no amplitude shows.
fn even_costs(n: usize) -> Vec<[Cost; 2]> {
    let register = Register::qubits(n).unwrap();
    let odd = Term {
        variables: vec![1],
        coefficient: 1e-200,
    };
    let pairs = products(n, 2, |at| (at as f64).sin());
    let build = |terms: &[Term]| Cost::from_terms(&register, terms, 0.5).unwrap();
    let quadratic = [build(&pairs), build(&[&pairs[..], &[odd]].concat())];
    let spoilt = |terms: &[Term]| {
        let cost = build(terms);
        let mut values = cost.values().into_owned();
        values[0] += 1e-12;
        [cost, Cost::table(&register, values).unwrap()]
    };
    let whole = products(n, 4, |at| (at % 7) as f64 - 3.0);
    let others = products(n, 4, |at| 0.3 * (at as f64).cos());
    vec![quadratic, spoilt(&whole), spoilt(&others)]
}

/// What a state of which half is kept says, against the whole one.
fn check_half<T: Number>(half: &Ansatz<T>, whole: &Ansatz<T>, tolerance: f64) {
    assert!(half.estimate(1).seconds < 0.6 * whole.estimate(1).seconds);
    for layers in 0..=3 {
        let angles = angles(layers);
        let close = |a: f64, b: f64, what: &str| {
            assert!(
                (a - b).abs() < tolerance,
                "{layers} layers, {what}: {a}, {b}"
            );
        };
        let all = |a: &[f64], b: &[f64], what: &str| {
            assert_eq!(a.len(), b.len());
            a.iter().zip(b).for_each(|(&a, &b)| close(a, b, what));
        };
        let run = |ansatz: &Ansatz<T>| {
            let state = ansatz.evolve(&angles, &Limits::none()).unwrap();
            let joint = [(0, 3), (16, 2), (5, 5)].map(|(a, b)| state.joint(a, b).unwrap().concat());
            (
                state.probabilities(),
                state.top(5),
                [state.marginals().concat(), joint.concat()].concat(),
            )
        };
        let (a, b) = (run(half), run(whole));
        all(&a.0, &b.0, "probabilities");
        all(&a.2, &b.2, "marginals");
        let shares = |top: &[(usize, f64)]| top.iter().map(|top| top.1).collect::<Vec<f64>>();
        all(&shares(&a.1), &shares(&b.1), "top");
        let states = [half, whole].map(|ansatz| ansatz.evolve(&angles, &Limits::none()).unwrap());
        let [a, b] = &states;
        let last = a.probabilities().len() - 1;
        for index in [0, 5, last / 2, last / 2 + 1, last] {
            let [a, b] = [a, b].map(|state| state.amplitude(index).unwrap());
            close(a.0.to_f64(), b.0.to_f64(), "real part");
            close(a.1.to_f64(), b.1.to_f64(), "imaginary part");
        }
        assert_eq!(a.amplitude(last + 1), None);
        assert_eq!(a.amplitudes().0.len(), last + 1);
        close(a.norm(), 1.0, "norm");
        close(a.expectation(), b.expectation(), "expectation");
        close(a.variance(), b.variance(), "variance");
        close(
            a.probability_of_minimum(),
            b.probability_of_minimum(),
            "minimum",
        );
        close(a.cvar(0.2).unwrap(), b.cvar(0.2).unwrap(), "CVaR");
        close(
            a.quantile(0.2).unwrap(),
            b.quantile(0.2).unwrap(),
            "quantile",
        );
        if size_of::<T>() == 8 {
            assert_eq!(a.sample(1000, 7), b.sample(1000, 7));
        }
        for objective in [Objective::Expectation, Objective::CVaR(0.2)] {
            let run = |ansatz: &Ansatz<T>| {
                let value = ansatz
                    .evaluate(objective, &angles, &Limits::none())
                    .unwrap();
                let gradient = ansatz
                    .gradient(objective, &angles, &Limits::none())
                    .unwrap();
                [vec![value, gradient.value], gradient.gamma, gradient.beta].concat()
            };
            // Steep in γ.
            let scale = |list: Vec<f64>| list.iter().map(|x| x / 50.0).collect::<Vec<f64>>();
            all(&scale(run(half)), &scale(run(whole)), "gradient");
        }
    }
}

#[test]
fn even_costs_keep_half_the_state() {
    for n in [17, 18] {
        for [even, spoilt] in &even_costs(n) {
            let start = even.uniform_start();
            let [half, whole] =
                [even, spoilt].map(|cost| common::ansatz(cost, Mixer::Complete, &start));
            check_half(&half, &whole, 1e-9);
            let [half, whole] = [half, whole].map(|ansatz| ansatz.in_single_precision().unwrap());
            check_half(&half, &whole, 1e-3);
        }
    }
    let [even, _] = &even_costs(17)[0];
    check_costs(&[even], Mixer::Complete, &even.uniform_start(), 3);
}
