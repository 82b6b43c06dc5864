//! Published values: low-autocorrelation sequences, MaxCut on 3-regular graphs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code, reason = "each test file takes what it needs")]
mod common;

use ketscale_simulator::{Angles, Ansatz, Cost, Limits, Mixer, Objective, Register, State, Term};
use ketscale_test_support::shared;
use serde_json::Value;

fn golden(file: &str) -> Option<Value> {
    let path = shared(&format!("golden/{file}"))?;
    Some(serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
}

fn numbers(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap())
        .collect()
}

fn run<'a>(cost: &'a Cost, angles: &Angles) -> State<'a> {
    ansatz(cost).evolve(angles, &Limits::none()).unwrap()
}

/// ⟨C⟩ in single precision.
fn single(cost: &Cost, angles: &Angles) -> f64 {
    let ansatz = ansatz(cost).in_single_precision().unwrap();
    ansatz
        .evaluate(Objective::Expectation, angles, &Limits::none())
        .unwrap()
}

fn ansatz(cost: &Cost) -> Ansatz<'_> {
    common::ansatz(cost, Mixer::Complete, &cost.uniform_start())
}

#[track_caller]
fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{what}: {found}, published {expected}"
    );
}

/// E(s) = Σ_k (Σ_i s_i s_{i+k})², as a polynomial: squares are one, and equal spins cancel.
fn labs(n: usize) -> Cost {
    let mut terms = Vec::new();
    let mut offset = 0.0;
    for k in 1..n {
        for i in 0..n - k {
            for j in 0..n - k {
                let mut variables = Vec::new();
                for spin in [i, i + k, j, j + k] {
                    match variables.iter().position(|&v| v == spin) {
                        Some(at) => drop(variables.swap_remove(at)),
                        None => variables.push(spin),
                    }
                }
                match variables.is_empty() {
                    true => offset += 1.0,
                    false => terms.push(Term {
                        variables,
                        coefficient: 1.0,
                    }),
                }
            }
        }
    }
    Cost::from_terms(&Register::qubits(n).unwrap(), &terms, offset).unwrap()
}

#[test]
fn labs_table_agrees_with_its_definition_and_the_published_optima() {
    let Some(golden) = golden("labs.json") else {
        return;
    };
    for n in 3..=18 {
        let cost = labs(n);
        assert_eq!(
            cost.min(),
            golden["optimal_energy"][n.to_string()].as_f64().unwrap(),
            "n = {n}"
        );
        for index in (0..cost.values().len()).step_by(97) {
            let s: Vec<i64> = (0..n).map(|i| 1 - 2 * (index as i64 >> i & 1)).collect();
            let correlation = |k: usize| (0..n - k).map(|i| s[i] * s[i + k]).sum::<i64>();
            let energy: i64 = (1..n).map(|k| correlation(k).pow(2)).sum();
            assert_eq!(cost.values()[index], energy as f64);
        }
    }
}

#[test]
fn labs_rows() {
    let Some(golden) = golden("labs.json") else {
        return;
    };
    for row in golden["rows"].as_array().unwrap() {
        let n = row["n"].as_u64().unwrap() as usize;
        let name = format!("n = {n}, p = {}", row["p"]);
        let cost = labs(n);
        let state = run(
            &cost,
            &Angles::new(&numbers(&row["gamma"]), &numbers(&row["beta"])).unwrap(),
        );
        assert_close(
            state.probability_of_minimum(),
            row["probability_of_minimum"].as_f64().unwrap(),
            1e-8,
            &name,
        );
        let merit = |(p, c): (f64, &f64)| p * (n * n) as f64 / (2.0 * c);
        let merit: f64 = state
            .probabilities()
            .into_iter()
            .zip(cost.values().iter())
            .map(merit)
            .sum();
        assert_close(
            merit,
            row["mean_merit_factor"].as_f64().unwrap(),
            1e-7,
            &name,
        );
    }
}

#[test]
fn labs_expectations() {
    let Some(golden) = golden("labs.json") else {
        return;
    };
    for row in golden["expectations"].as_array().unwrap() {
        let same = |other: &&Value| other["n"] == row["n"] && other["p"] == row["p"];
        let angles = golden["rows"]
            .as_array()
            .unwrap()
            .iter()
            .find(same)
            .unwrap();
        let angles = Angles::new(&numbers(&angles["gamma"]), &numbers(&angles["beta"])).unwrap();
        let cost = labs(row["n"].as_u64().unwrap() as usize);
        let expected = row["expectation"].as_f64().unwrap();
        // The file states no tolerance here; an evaluation in plain complex arithmetic misses its values by up to 4e-9 of themselves.
        assert_close(
            run(&cost, &angles).expectation(),
            expected,
            1e-8 * expected,
            "expectation",
        );
        assert_close(
            single(&cost, &angles),
            expected,
            1e-4 * expected,
            "expectation in f32",
        );
    }
}

/// −(number of cut edges) on a graph of the file, with its number of edges.
fn minus_cut(golden: &Value, graph: &str) -> (Cost, f64) {
    let graph = &golden["graphs"][graph];
    let edges = graph["edges"].as_array().unwrap();
    let ends = |edge: &Value| {
        edge.as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_u64().unwrap() as usize)
            .collect()
    };
    let terms: Vec<Term> = edges
        .iter()
        .map(|edge| Term {
            variables: ends(edge),
            coefficient: 0.5,
        })
        .collect();
    let register = Register::qubits(graph["n"].as_u64().unwrap() as usize).unwrap();
    let cost = Cost::from_terms(&register, &terms, -0.5 * edges.len() as f64).unwrap();
    assert_eq!(-cost.min(), graph["maxcut"].as_f64().unwrap());
    (cost, edges.len() as f64)
}

/// The file maximises the cut: a minimiser of its negative takes gamma with the opposite sign.
fn minimising(row: &Value) -> Angles {
    let gamma: Vec<f64> = numbers(&row["gamma"])
        .into_iter()
        .map(|gamma| -gamma)
        .collect();
    Angles::new(&gamma, &numbers(&row["beta"])).unwrap()
}

#[test]
fn maxcut_fractions_on_graphs_of_sufficient_girth() {
    let Some(golden) = golden("maxcut.json") else {
        return;
    };
    let mut rows = 0;
    for (name, graph) in golden["graphs"].as_object().unwrap() {
        let (cost, edges) = minus_cut(&golden, name);
        for p in numbers(&graph["exact_for_p"]) {
            let row = golden["angles"]
                .as_array()
                .unwrap()
                .iter()
                .find(|row| row["p"].as_f64() == Some(p))
                .unwrap();
            let fraction = -run(&cost, &minimising(row)).expectation() / edges;
            let expected = row["cut_fraction"].as_f64().unwrap();
            assert_close(fraction, expected, 1e-9, name);
            assert_close(
                -single(&cost, &minimising(row)) / edges,
                expected,
                1e-4 * expected,
                name,
            );
            rows += 1;
        }
    }
    assert_eq!(rows, 3);
}

#[test]
fn maxcut_checks() {
    let Some(golden) = golden("maxcut.json") else {
        return;
    };
    for check in golden["checks"].as_array().unwrap() {
        let (cost, _) = minus_cut(&golden, check["graph"].as_str().unwrap());
        let angles = minimising(check);
        let state = run(&cost, &angles);
        assert_close(
            -state.expectation(),
            check["expected_cut"].as_f64().unwrap(),
            1e-11,
            "expected cut",
        );
        let gradient = ansatz(&cost)
            .gradient(Objective::Expectation, &angles, &Limits::none())
            .unwrap();
        let tolerance = check["gradient_tolerance"].as_f64().unwrap_or(1e-6);
        // Two signs turn: the cut is maximised, and gamma enters with the opposite sign.
        for (found, expected) in gradient.gamma.iter().zip(numbers(&check["gradient_gamma"])) {
            assert_close(*found, expected, tolerance, "derivative by gamma");
        }
        for (found, expected) in gradient.beta.iter().zip(numbers(&check["gradient_beta"])) {
            assert_close(-found, expected, tolerance, "derivative by beta");
        }
        if let Some(probability) = check["probability_cut_12"].as_f64() {
            assert_close(
                state.probability_of_minimum(),
                probability,
                1e-11,
                "P(minimum)",
            );
        }
        for (alpha, expected) in check["cvar_best_fraction"]
            .as_object()
            .into_iter()
            .flatten()
        {
            let cvar = -state.cvar(alpha.parse().unwrap()).unwrap();
            assert_close(cvar, expected.as_f64().unwrap(), 1e-11, "CVaR");
        }
    }
}
