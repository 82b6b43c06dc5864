//! Angle search for QAOA, and the samples of the best circuit.

mod search;
mod tracker;

pub use search::{search, search_ansatz};

use crate::angles::{Earlier, Family};
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
    /// Local searches, at least 1: the first from the best candidate, the others from perturbed ones. Each has the same share of the evaluations and the
    /// work that the candidates leave, so small states are searched side by side with the same result on any number of threads. Default 1.
    pub starts: usize,
    /// Families of published angles among the candidates, the likeliest first. Default Sherrington–Kirkpatrick and MaxCut on 3-regular graphs.
    pub families: Vec<Family>,
    /// Whether linear ramps are among the candidates. Default no.
    pub ramps: bool,
    /// Angles of an earlier search, the first candidate. Default none.
    pub earlier: Option<Earlier>,
    /// How the depth is reached. Default at once.
    pub strategy: Strategy,
}

/// How a search reaches its depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Candidates of full depth.
    #[default]
    Direct,
    /// Candidates of one layer, or of as many as the earlier angles have; their optimum with one layer more by interpolation is where the next depth
    /// begins (Zhou et al., arXiv 1812.01041). Depths share the evaluations that are left evenly.
    Deepening,
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
            families: vec![Family::SherringtonKirkpatrick, Family::CubicMaxCut],
            ramps: false,
            earlier: None,
            strategy: Strategy::Direct,
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
        if let Some((setting, value)) = counts.into_iter().find(|&(_, value)| value == 0) {
            return Err(Error::Setting {
                setting,
                value: value.to_string(),
                must: "at least 1",
            });
        }
        if self.depth > MOST_LAYERS {
            return Err(Error::Setting {
                setting: "depth",
                value: self.depth.to_string(),
                must: "at most 10,000",
            });
        }
        if self.families.is_empty() && !self.ramps && self.earlier.is_none() {
            return Err(Error::Setting {
                setting: "families",
                value: "empty".to_owned(),
                must: "one at least, or ramps or earlier angles in their place",
            });
        }
        let deviation = self.earlier.as_ref().and_then(|earlier| earlier.deviation);
        match deviation.filter(|deviation| !(deviation.is_finite() && *deviation > 0.0)) {
            Some(deviation) => Err(Error::Setting {
                setting: "earlier.deviation",
                value: deviation.to_string(),
                must: "above 0 and finite",
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
    /// All evaluations are used up, or all of some start or depth.
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
