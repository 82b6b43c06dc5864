//! The search itself: candidates, then L-BFGS from the best of them.

use super::tracker::{Ended, Tracker};
use super::{Outcome, Settings};
use crate::angles::{self, Family, deviation_of};
use crate::samples::drawn;
use crate::{Error, Samples};
use argmin::core::{CostFunction, Error as ArgminError, Executor, Gradient};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use ketscale_simulator::{Angles, Ansatz, Cost, Limits, Mixer, Start, State};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;

/// Factors on the published scale of γ, the likeliest first. The scale is exact for qubits and a uniform start; axes with more levels, warm
/// starts and costs of other shape want another one.
const FACTORS: [f64; 5] = [
    1.0,
    std::f64::consts::FRAC_1_SQRT_2,
    std::f64::consts::SQRT_2,
    0.5,
    2.0,
];
/// The share of the evaluations that may be spent on choosing among candidates.
const CANDIDATE_SHARE: usize = 4;
/// Corrections that L-BFGS remembers; Nocedal and Wright (2006), section 7.2, advise 3 to 20.
const MEMORY: usize = 7;
/// Further starts move every angle of the best candidate by at most this share.
const PERTURBATION: f64 = 0.5;

/// Searches for the angles that make the objective smallest and samples the circuit with the best ones seen.
///
/// The stop flag ends the search, not the run that samples its best circuit, for that is what the search was for.
///
/// # Errors
/// A setting out of range, whatever the simulator refuses, or limits that end the run before the first evaluation.
pub fn search(
    cost: &Cost,
    mixer: Mixer,
    start: &Start,
    settings: &Settings,
    limits: &Limits,
) -> Result<Outcome, Error> {
    settings.check()?;
    let ansatz = Ansatz::new(cost, mixer, start)?;
    let initial_expectation = ansatz.evolve(&Angles::default(), limits)?.expectation();
    let sampling = ansatz.work(settings.depth);
    let part = limits.part(
        limits
            .left()
            .map_or(u64::MAX, |left| left.saturating_sub(sampling)),
    );
    let mut tracker = Tracker::new(&ansatz, settings, &part);
    improve(&mut tracker, cost, settings);
    limits.settle(part.spent());
    let evaluations = tracker.evaluations();
    let (status, initial_objective, objective, angles) = tracker.result()?;
    let state = ansatz.evolve(&angles, &Limits::none())?;
    limits.settle(sampling);
    Ok(Outcome {
        status,
        objective,
        initial_objective,
        expectation: state.expectation(),
        initial_expectation,
        variance: state.variance(),
        probability_of_minimum: state.probability_of_minimum(),
        minimum: cost.min(),
        samples: samples(&state, settings),
        evaluations,
        angles,
    })
}

/// Chooses a candidate and searches from it and around it, until a limit ends it or all starts are used.
fn improve(tracker: &mut Tracker, cost: &Cost, settings: &Settings) {
    let Some(best) = best_candidate(tracker, cost, settings) else {
        return;
    };
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    // Each needs an evaluation.
    let starts = settings.starts.min(tracker.left());
    for start in 0..starts {
        let from = if start == 0 {
            best.clone()
        } else {
            perturb(&best, &mut random)
        };
        let share = tracker.left() / (starts - start);
        descend(tracker, cost, &from, share);
        if tracker.ended().is_some() {
            return;
        }
    }
}

/// Evaluates the candidates in order of likelihood, as many as the share allows, and returns the best.
fn best_candidate(tracker: &mut Tracker, cost: &Cost, settings: &Settings) -> Option<Angles> {
    let count = (settings.max_evaluations / CANDIDATE_SHARE).max(1);
    let mut best: Option<(f64, Angles)> = None;
    for angles in candidates(cost, settings.depth).into_iter().take(count) {
        match tracker.value(&angles) {
            Ok(value) if best.as_ref().is_none_or(|(least, _)| value < *least) => {
                best = Some((value, angles))
            }
            Ok(_) | Err(Ended::Angles) => {}
            Err(Ended::Limit(_) | Ended::Refused(_)) => break,
        }
    }
    best.map(|(_, angles)| angles)
}

/// Published angles of both families at every factor.
fn candidates(cost: &Cost, depth: usize) -> Vec<Angles> {
    let families = [Family::SherringtonKirkpatrick, Family::CubicMaxCut];
    let both =
        |&factor: &f64| families.map(|family| angles::published(family, cost, depth, factor));
    FACTORS.iter().flat_map(both).collect()
}

fn perturb(angles: &Angles, random: &mut ChaCha8Rng) -> Angles {
    let mut around = |angle: &f64| angle * (1.0 + random.random_range(-PERTURBATION..PERTURBATION));
    Angles {
        gamma: angles.gamma.iter().map(&mut around).collect(),
        beta: angles.beta.iter().map(around).collect(),
    }
}

/// L-BFGS with adjoint gradients from the given angles, at most `evaluations` of them.
fn descend(tracker: &mut Tracker, cost: &Cost, from: &Angles, evaluations: usize) {
    let problem = Problem {
        deviation: deviation_of(cost),
        evaluations,
        state: RefCell::new(Descent {
            tracker,
            used: 0,
            last: None,
        }),
    };
    let variables = problem.variables(from);
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY);
    // Every way to end is fine: the tracker knows the limits and keeps the best, and a line search that fails has converged.
    let _ = Executor::new(problem, solver)
        .configure(|state| state.param(variables).max_iters(evaluations as u64))
        .run();
}

/// The objective in units of the cost's standard deviation σ, as a function of γσ and β: whatever the cost's unit, steps and
/// slopes are of order one.
struct Problem<'a, 'b> {
    deviation: f64,
    evaluations: usize,
    state: RefCell<Descent<'a, 'b>>,
}

struct Descent<'a, 'b> {
    tracker: &'a mut Tracker<'b>,
    used: usize,
    /// The last point with its value and slope: the line search asks for them one by one.
    last: Option<(Vec<f64>, f64, Vec<f64>)>,
}

impl Problem<'_, '_> {
    fn variables(&self, angles: &Angles) -> Vec<f64> {
        angles
            .gamma
            .iter()
            .map(|gamma| gamma * self.deviation)
            .chain(angles.beta.iter().copied())
            .collect()
    }

    fn angles(&self, variables: &[f64]) -> Angles {
        let (gamma, beta) = variables.split_at(variables.len() / 2);
        Angles {
            gamma: gamma.iter().map(|gamma| gamma / self.deviation).collect(),
            beta: beta.to_vec(),
        }
    }

    fn at(&self, variables: &[f64]) -> Result<(f64, Vec<f64>), ArgminError> {
        let mut state = self.state.borrow_mut();
        if let Some((_, value, slope)) =
            state.last.as_ref().filter(|(point, ..)| point == variables)
        {
            return Ok((*value, slope.clone()));
        }
        if state.used == self.evaluations {
            return Err(ArgminError::msg("this start's evaluations are used up"));
        }
        let gradient = state.tracker.gradient(&self.angles(variables));
        let gradient = gradient.map_err(|_| ArgminError::msg("no further evaluation"))?;
        state.used += 1;
        let value = gradient.value / self.deviation;
        let by_gamma = gradient
            .gamma
            .iter()
            .map(|slope| slope / self.deviation / self.deviation);
        let slope: Vec<f64> = by_gamma
            .chain(gradient.beta.iter().map(|slope| slope / self.deviation))
            .collect();
        state.last = Some((variables.to_vec(), value, slope.clone()));
        Ok((value, slope))
    }
}

impl CostFunction for Problem<'_, '_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, variables: &Vec<f64>) -> Result<f64, ArgminError> {
        Ok(self.at(variables)?.0)
    }
}

impl Gradient for Problem<'_, '_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, variables: &Vec<f64>) -> Result<Vec<f64>, ArgminError> {
        Ok(self.at(variables)?.1)
    }
}

fn samples(state: &State, settings: &Settings) -> Samples {
    drawn(state.cost(), state.sample(settings.shots, settings.seed))
}
