//! From a problem to a verified plan: the baseline at once, then exact and sampling solvers within the limits, the best
//! plan that `verify` accepts with the table of all candidates.

mod assemble;
mod candidates;
mod conflict;
mod held;
mod revise;

use std::fmt;
use std::str::FromStr;

pub use crate::limits::Limits;
pub use held::cost_at_replicas;
pub use revise::{Remarks, decided, partial};

use crate::fleet::{self, Fleet};
use crate::limits::Meter;
use crate::plan::{Gap, Reading};
use crate::problem::{Issue, ProblemFile};
use crate::verify::VerifiedPlan;
use candidates::{Attempt, caught};

/// Which solver's plan is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Solver {
    /// The best of all.
    #[default]
    Auto,
    /// The repaired baseline.
    Baseline,
    /// Column generation, and dives from it for plans in whole numbers.
    Exact,
    /// QAOA over choices.
    Qaoa,
    /// Simulated annealing over the same choices.
    Anneal,
    /// Uniform sampling of the same choices.
    Uniform,
    /// The best choices by enumeration.
    Enumerate,
}

impl Solver {
    /// All solvers.
    pub const ALL: [Self; 7] = [
        Self::Auto,
        Self::Baseline,
        Self::Exact,
        Self::Qaoa,
        Self::Anneal,
        Self::Uniform,
        Self::Enumerate,
    ];

    /// The name on the command line and in plan files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Baseline => "baseline",
            Self::Exact => "exact",
            Self::Qaoa => "qaoa",
            Self::Anneal => "anneal",
            Self::Uniform => "uniform",
            Self::Enumerate => "enumerate",
        }
    }
}

impl fmt::Display for Solver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no solver's.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no solver; expected auto, baseline, exact, qaoa, anneal, uniform or enumerate")]
pub struct UnknownSolver(String);

impl FromStr for Solver {
    type Err = UnknownSolver;

    fn from_str(text: &str) -> Result<Self, UnknownSolver> {
        Self::ALL
            .into_iter()
            .find(|solver| solver.as_str() == text)
            .ok_or_else(|| UnknownSolver(text.to_owned()))
    }
}

/// Settings of a planning run.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whose plan is published. Default auto.
    pub solver: Solver,
    /// Seed of everything random. Default 0.
    pub seed: u64,
    /// Layers of the QAOA circuit. Default 3.
    pub depth: usize,
    /// Evaluations of the angle search. Default 12.
    pub evaluations: usize,
    /// Shots, and evaluations of annealing and uniform sampling. Default 1024.
    pub shots: u64,
    /// Distinct samples of each solver that are packed. Default 48.
    pub packed: usize,
    /// Most states of the register. Default 2²¹.
    pub most_states: usize,
    /// Most leaves of the certificate's search tree. Default 64.
    pub most_leaves: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            solver: Solver::Auto,
            seed: 0,
            depth: 3,
            evaluations: 12,
            shots: 1024,
            packed: 48,
            most_states: 1 << 21,
            most_leaves: 64,
        }
    }
}

/// Live readings behind the problem.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    /// Values read.
    pub readings: Vec<Reading>,
    /// Values that were missing.
    pub gaps: Vec<Gap>,
    /// Age in seconds of the oldest reading; absent without readings.
    pub age_seconds: Option<f64>,
}

/// Why there is no plan file at all.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The problem has no meaning; every reason.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Input(Vec<Issue>),
    /// A plan was found but `verify` refused every one: a bug of ours.
    #[error("internal error: {0}")]
    Internal(String),
}

/// One planning run: what was asked, and what it has cost so far.
struct Run<'a> {
    source: Source,
    settings: &'a Settings,
    limits: &'a Limits<'a>,
    meter: Meter<'a>,
}

/// Plans. The problem must be complete ([`crate::problem::resolve`]); infeasible is a status of the plan, not an error.
///
/// # Errors
///
/// [`PlanError`] says whose fault it is.
pub fn plan(
    problem: ProblemFile,
    source: Source,
    settings: &Settings,
    limits: &Limits,
    progress: &(dyn Fn(&str, f64) + Sync),
) -> Result<VerifiedPlan, PlanError> {
    let run = Run {
        source,
        settings,
        limits,
        meter: Meter::new(*limits),
    };
    let original = fleet::compile(problem.clone(), &[]).map_err(PlanError::Input)?;
    let stages = problem.policy.relax.len();
    let mut last = None;
    for given_up in 0..=stages {
        let fleet = fleet::compile(problem.clone(), &problem.policy.relax[..given_up])
            .map_err(PlanError::Input)?;
        let attempt = candidates::attempt(&fleet, settings, &run.meter, progress);
        if attempt.is_successful() {
            return assemble::published(&run, &original, &fleet, attempt);
        }
        last = Some((fleet, attempt));
        if !run.meter.goes_on() {
            break;
        }
    }
    let Some((fleet, attempt)) = last else {
        return Err(PlanError::Internal("no stage was tried".to_owned()));
    };
    without_plan(&run, &fleet, &attempt)
}

/// Nothing feasible was found: proves that there is nothing, or says that it is unknown.
fn without_plan(
    run: &Run<'_>,
    fleet: &Fleet,
    attempt: &Attempt,
) -> Result<VerifiedPlan, PlanError> {
    // Infeasible means: also with everything given up that may be.
    let tried_all = fleet.relaxed == fleet.problem.policy.relax;
    let proof = if tried_all {
        caught(|| conflict::prove(fleet, &run.meter)).flatten()
    } else {
        None
    };
    let reasons = if proof.is_some() {
        caught(|| conflict::reasons(fleet, &run.meter)).unwrap_or_default()
    } else {
        Vec::new()
    };
    assemble::without_plan(run, fleet, attempt, proof, reasons)
}
