//! Recursive QAOA on 2,000 spins against greedy construction with single flips: seconds and costs.
//!
//! `cargo bench -p ketscale-optimizer --bench recursive`, by default with five seeds; `-- SEEDS` takes another number.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ketscale_optimizer::greedy::Status;
use ketscale_optimizer::{Ising, Limits, Model, Term, greedy, recursive};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

const SPINS: usize = 2000;

/// Weights of the couplings.
#[derive(Debug, Clone, Copy)]
enum Weights {
    Signs,
    Gaussian,
}

fn main() {
    let seeds = std::env::args()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(5);
    println!(
        "| degree | weights | seed | greedy and flips | first round before flips | first round | both rounds | better by | both, from greedy | better by | evaluations | seconds |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    for degree in [3, 6] {
        for weights in [Weights::Signs, Weights::Gaussian] {
            for seed in 0..seeds {
                row(degree, weights, seed);
            }
        }
    }
}

fn row(degree: usize, weights: Weights, seed: u64) {
    let ising = instance(degree, weights, seed);
    let baseline = greedy(&ising, &Limits::none()).unwrap();
    let run = |settings: &recursive::Settings| {
        let begun = Instant::now();
        let found = recursive(&ising, settings, &Limits::none()).unwrap();
        let solution = &found.solution;
        assert_eq!(ising.energy(&solution.spins).unwrap(), solution.cost);
        assert_eq!(solution.status, Status::Complete);
        (found, begun.elapsed().as_secs_f64())
    };
    let (alone, seconds) = run(&recursive::Settings::default());
    let (helped, _) = run(&recursive::Settings {
        incumbent: Some(baseline.spins),
        ..recursive::Settings::default()
    });
    let better = |cost: f64| 100.0 * (cost - baseline.cost) / baseline.cost;
    let (one, two) = (alone.solution.cost, helped.solution.cost);
    println!(
        "| {degree} | {weights:?} | {seed} | {:.3} | {:.3} | {:.3} | {one:.3} | {:.2} % | {two:.3} | {:.2} % | {} | {seconds:.2} |",
        baseline.cost,
        alone.rounds[0].cost_before_flips,
        alone.rounds[0].cost,
        better(one),
        better(two),
        alone.evaluations,
    );
}

fn instance(degree: usize, weights: Weights, seed: u64) -> Ising {
    let Model::Spin(graph) = Model::regular_maxcut(SPINS, degree, seed).unwrap() else {
        panic!("a graph is a model in spins");
    };
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut weight = || match weights {
        Weights::Signs if random.random_range(0..2) == 0 => 1.0,
        Weights::Signs => -1.0,
        // Box and Muller.
        Weights::Gaussian => {
            let radius: f64 = (-2.0 * (1.0 - random.random_range(0.0..1.0_f64)).ln()).sqrt();
            radius * (std::f64::consts::TAU * random.random_range(0.0..1.0)).cos()
        }
    };
    let terms: Vec<Term> = graph
        .terms
        .into_iter()
        .map(|term| Term {
            coefficient: weight(),
            ..term
        })
        .collect();
    Ising::new(SPINS, &terms, 0.0).unwrap()
}
