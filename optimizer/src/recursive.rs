//! Recursive QAOA: one layer at a time, one spin less each time.
//!
//! Bravyi, Kliesch, König and Tang (arXiv 1910.08980): find the best circuit of one layer, take the pair with the strongest correlation
//! ⟨Z_iZ_j⟩ (or the spin with the strongest ⟨Z_i⟩), put `z_i = ±z_j` (or `z_i = ±1`) into the model for good, and begin anew with one spin less; what is
//! left at last is enumerated. All expectations come from [`first_layer`](crate::first_layer), so no state is ever held and thousands of
//! spins are no matter. The circuit being simulated, this is a classical heuristic, and is reported as one.
//!
//! Beyond the paper:
//!
//! - fields; a spin without couplings is set against its field at once, which is exact;
//! - the angles follow from one model to the next, and are looked for anew when a quarter of the spins is gone;
//! - when the eliminations are undone, the last first, single spins of each model on the way are flipped while that lowers the cost; each of
//!   them is a cluster of the whole model's spins;
//! - further rounds: pairs are tied only as the best spins so far have them, the pair first that adds most to ⟨C⟩ that way. The best spins so far stay within what is
//!   left to enumerate, so no round makes the answer worse.
//!
//! [`Outcome::rounds`] keeps apart what each of these gave.

mod enumerate;
mod recursion;

use crate::first_layer::Optimum;
use crate::greedy::{Solution, Status};
use crate::{Error, Ising};
use ketscale_simulator::{Error as Refusal, Limits};
use recursion::Recursion;

/// Most spins that may be left to enumeration: 2^30 energies.
const MOST_ENUMERATED: usize = 30;

/// What a run may do.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Coupled spins that are left to enumeration, at most 30. Default 20.
    pub enumerated: usize,
    /// Whether single flips improve the answer, in every model from the smallest to the whole. Default yes.
    pub flips: bool,
    /// Most rounds, at least 1; the first is the paper's, and the last is the one that finds nothing better. Default 2.
    pub rounds: usize,
    /// Spins ±1 found elsewhere, such as those of [`greedy`](crate::greedy()): the second round begins from them if they are better than the
    /// first, and no worse answer is returned. Default none.
    pub incumbent: Option<Vec<i8>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            enumerated: 20,
            flips: true,
            rounds: 2,
            incumbent: None,
        }
    }
}

impl Settings {
    fn check(&self, ising: &Ising) -> Result<(), Error> {
        let setting = |setting, value: String, must| {
            Err(Error::Setting {
                setting,
                value,
                must,
            })
        };
        if self.enumerated > MOST_ENUMERATED {
            return setting("enumerated", self.enumerated.to_string(), "at most 30");
        }
        if self.rounds == 0 {
            return setting("rounds", self.rounds.to_string(), "at least 1");
        }
        let Some(incumbent) = &self.incumbent else {
            return Ok(());
        };
        if incumbent.len() != ising.variables() {
            return Err(Error::Simulator(Refusal::DigitsLength {
                expected: ising.variables(),
                found: incumbent.len(),
            }));
        }
        match incumbent.iter().find(|spin| spin.abs() != 1) {
            Some(spin) => setting("incumbent", spin.to_string(), "+1 or -1 for every spin"),
            None => Ok(()),
        }
    }
}

/// What a run found and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The best spins, their cost, and why the run ended. A round that its limits ended has what was left of its model set greedily.
    pub solution: Solution,
    /// The best layer of the whole model; none where no more spins are coupled than are enumerated.
    pub first: Option<Optimum>,
    /// What each round gave.
    pub rounds: Vec<Round>,
    /// Values of γ at which all expectations were computed, in all rounds.
    pub evaluations: usize,
}

/// What one round gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    /// The cost without flips.
    pub cost_before_flips: f64,
    /// The cost.
    pub cost: f64,
    /// Spins eliminated by an expectation.
    pub eliminations: usize,
}

/// Minimises an Ising model by recursive QAOA.
///
/// Work units are those of [`optimum`](crate::first_layer::optimum); the enumeration takes one for 2^20 energies, flips one for 64 spins.
///
/// # Errors
/// A setting out of range, or limits that end the run before its first evaluation.
pub fn recursive(ising: &Ising, settings: &Settings, limits: &Limits) -> Result<Outcome, Error> {
    settings.check(ising)?;
    let (model, scale) = ising.normalised();
    let mut outcome = Outcome {
        solution: Solution {
            spins: Vec::new(),
            cost: f64::INFINITY,
            status: Status::Complete,
        },
        first: None,
        rounds: Vec::new(),
        evaluations: 0,
    };
    while outcome.rounds.len() < settings.rounds {
        let known = (!outcome.rounds.is_empty()).then(|| outcome.solution.spins.clone());
        let recursion = Recursion::new(model.clone(), known, limits);
        let Some(found) = recursion.run(ising, settings) else {
            break;
        };
        let better = outcome.take(found, scale);
        if outcome.rounds.len() == 1 {
            outcome.consider(ising, settings);
        } else if !better {
            break;
        }
        if outcome.solution.status != Status::Complete {
            break;
        }
    }
    if outcome.rounds.is_empty() {
        return Err(Error::NothingEvaluated);
    }
    Ok(outcome)
}

impl Outcome {
    /// Keeps what a round found; says whether it is better than what there was.
    fn take(&mut self, found: recursion::Found, scale: f64) -> bool {
        self.evaluations += found.evaluations;
        self.first = self.first.or(found.first.map(|first| Optimum {
            gamma: first.gamma / scale,
            expectation: first.expectation * scale,
            ..first
        }));
        self.rounds.push(found.round);
        self.solution.status = found.status;
        let better = found.round.cost < self.solution.cost;
        if better {
            self.solution.cost = found.round.cost;
            self.solution.spins = found.spins;
        }
        better
    }

    /// Keeps the incumbent where it is better.
    fn consider(&mut self, ising: &Ising, settings: &Settings) {
        if let Some(incumbent) = &settings.incumbent {
            let cost = ising.sum(incumbent);
            if cost < self.solution.cost {
                self.solution.cost = cost;
                self.solution.spins.clone_from(incumbent);
            }
        }
    }
}
