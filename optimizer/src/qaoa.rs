//! Angle search for QAOA, and the samples of the best circuit.

mod search;
mod tracker;

pub use search::search;

use crate::{Error, Samples};
use ketscale_simulator::{Angles, Objective};

/// Most layers of a searched circuit: its first angles take time that grows with their square.
const MOST_LAYERS: usize = 10_000;

/// What a search may do.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Layers p of the circuit, at least 1 and at most 10,000. Default 3.
    pub depth: usize,
    /// What is made small. Default the expectation.
    pub objective: Objective,
    /// Evaluations of the objective, with or without its gradient, at least 1. Default 60. The run that samples the best circuit is not
    /// one of them.
    pub max_evaluations: usize,
    /// Samples drawn from the best circuit. Default 1024.
    pub shots: u64,
    /// Seed of everything random. Default 0.
    pub seed: u64,
    /// Local searches, at least 1: the first from the best of the published angles, the others from perturbed ones. Default 1.
    pub starts: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            depth: 3,
            objective: Objective::Expectation,
            max_evaluations: 60,
            shots: 1024,
            seed: 0,
            starts: 1,
        }
    }
}

impl Settings {
    fn check(&self) -> Result<(), Error> {
        let counts = [
            ("depth", self.depth),
            ("max_evaluations", self.max_evaluations),
            ("starts", self.starts),
        ];
        let none = counts.into_iter().find(|&(_, value)| value == 0);
        let many = ("depth", self.depth);
        let wrong = match none {
            Some(none) => Some((none, "at least 1")),
            None => (self.depth > MOST_LAYERS).then_some((many, "at most 10,000")),
        };
        match wrong {
            Some(((setting, value), must)) => Err(Error::Setting {
                setting,
                value: value.to_string(),
                must,
            }),
            None => Ok(()),
        }
    }
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Every local search ended where its line search found nothing better.
    Converged,
    /// All evaluations are used up.
    EvaluationLimit,
    /// The work units ran out; the same limit ends the same way on every machine.
    WorkLimit,
    /// The caller raised the stop flag.
    Stopped,
}

/// The best circuit found and what it says about the cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Why the search ended.
    pub status: Status,
    /// The best angles seen.
    pub angles: Angles,
    /// The objective at these angles.
    pub objective: f64,
    /// The objective at the first angles evaluated.
    pub initial_objective: f64,
    /// ⟨C⟩ at the best angles.
    pub expectation: f64,
    /// ⟨C⟩ of the start state: what sampling without a circuit gives.
    pub initial_expectation: f64,
    /// Variance of C at the best angles.
    pub variance: f64,
    /// Probability that one shot has the table's minimum.
    pub probability_of_minimum: f64,
    /// The table's minimum.
    pub minimum: f64,
    /// The shots, the best first.
    pub samples: Samples,
    /// Evaluations used.
    pub evaluations: usize,
}
