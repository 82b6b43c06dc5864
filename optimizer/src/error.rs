//! What the optimiser refuses.

use ketscale_simulator as simulator;

/// A malformed question, or a broken promise of a library.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The simulator refused the register, the cost, the start state or the run.
    #[error(transparent)]
    Simulator(#[from] simulator::Error),
    /// A setting outside its range.
    #[error("{setting} is {value}, it must be {must}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        must: &'static str,
    },
    /// Limits too tight for a single evaluation.
    #[error("the limits ended the search before its first evaluation")]
    NothingEvaluated,
    /// A cost function returned something that is no finite number.
    #[error("the cost of {digits:?} is {value}, not a finite number")]
    CostNotFinite {
        /// The basis state.
        digits: Vec<usize>,
        /// What the function returned.
        value: f64,
    },
    /// A model that is no Ising model: a term of three variables and more, or variables with other than two levels.
    #[error("{reason}; expected spins or bits, at most two in a term")]
    NotQuadratic {
        /// Which term, or what kind of variables.
        reason: String,
    },
    /// A model file with mistakes, all of them.
    #[error("{}", list(.0))]
    Model(Vec<Fault>),
}

/// One mistake in a model file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct Fault {
    /// Path of the value, such as `terms[3].vars[1]`, or line and column where the file is no JSON.
    pub place: String,
    /// What is wrong with it.
    pub reason: String,
}

fn list(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    lines.join("\n")
}
