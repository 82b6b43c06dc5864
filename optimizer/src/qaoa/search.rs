//! The search itself: candidates, then L-BFGS from the best of them.

use super::tracker::{Ended, Tracker};
use super::{Outcome, Settings, Strategy};
use crate::angles::{self, deviation_of};
use crate::parallel;
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
/// States up to this size keep one core busy at most: the simulator does not split them.
const SMALL_STATE: usize = 1 << 16;
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
    search_ansatz(&Ansatz::new(cost, mixer, start)?, settings, limits)
}

/// As [`search`], with a circuit that is there already.
///
/// # Errors
/// As [`search`].
pub fn search_ansatz(
    ansatz: &Ansatz,
    settings: &Settings,
    limits: &Limits,
) -> Result<Outcome, Error> {
    settings.check()?;
    let initial_expectation = ansatz.evolve(&Angles::default(), limits)?.expectation();
    let sampling = ansatz.work(settings.depth);
    let part = limits.part(
        limits
            .left()
            .map_or(u64::MAX, |left| left.saturating_sub(sampling)),
    );
    let mut tracker = Tracker::new(
        ansatz,
        settings.objective,
        settings.max_evaluations,
        part.part(u64::MAX),
    );
    improve(&mut tracker, settings);
    limits.settle(tracker.spent());
    let evaluations = tracker.evaluations();
    let (status, initial_objective, objective, angles) = tracker.result()?;
    let angles = padded(angles, settings.depth);
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
        minimum: ansatz.cost().min(),
        samples: samples(&state, settings),
        evaluations,
        angles,
    })
}

/// Chooses a candidate, then searches from it and around it, one depth after the other, until a limit ends it or all depths are done.
fn improve(tracker: &mut Tracker, settings: &Settings) {
    let first = match settings.strategy {
        Strategy::Direct => settings.depth,
        Strategy::Deepening => {
            let earlier = settings.earlier.as_ref();
            let depth = earlier.map_or(1, |earlier| earlier.angles.depth());
            depth.clamp(1, settings.depth)
        }
    };
    let Some(mut from) = best_candidate(tracker, settings, first) else {
        return;
    };
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    for depth in first..=settings.depth {
        from = angles::at_depth(&from, depth);
        // Each needs an evaluation.
        let around = (1..settings.starts.min(tracker.left())).map(|_| perturb(&from, &mut random));
        let starts: Vec<Angles> = std::iter::once(from.clone()).chain(around).collect();
        descend_all(tracker, &starts, settings.depth - depth + 1);
        if tracker.ended().is_some() {
            return;
        }
        if let Some(best) = tracker.best() {
            from.clone_from(best);
        }
    }
}

/// Searches from each of the starts, with the same share of one of `parts` equal parts of the evaluations and the work left. The shares do not
/// depend on how the starts fare, so small states are searched side by side without a difference.
fn descend_all(tracker: &mut Tracker, starts: &[Angles], parts: usize) {
    let evaluations = tracker.left() / parts;
    let count = starts.len();
    let shares = (0..count).map(|at| evaluations / count + usize::from(at < evaluations % count));
    let work = parts.saturating_mul(count) as u64;
    let pieces: Vec<(&Angles, Tracker)> = starts
        .iter()
        .zip(shares)
        .map(|(from, share)| (from, tracker.piece(share, work)))
        .collect();
    let small = tracker.ansatz().cost().register().dimension() <= SMALL_STATE;
    let done = parallel::each(small && count > 1, pieces, |(from, mut piece)| {
        descend(&mut piece, from);
        piece
    });
    done.into_iter().for_each(|piece| tracker.absorb(piece));
}

/// Evaluates the candidates in order of likelihood, as many as the share allows, and returns the best.
fn best_candidate(tracker: &mut Tracker, settings: &Settings, depth: usize) -> Option<Angles> {
    let count = (settings.max_evaluations / CANDIDATE_SHARE).max(1);
    let mut best: Option<(f64, Angles)> = None;
    let candidates = candidates(tracker.ansatz().cost(), settings, depth);
    for angles in candidates.into_iter().take(count) {
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

/// Earlier angles, then published ones of all families, and ramps, at every factor.
fn candidates(cost: &Cost, settings: &Settings, depth: usize) -> Vec<Angles> {
    let of_factor = |&factor: &f64| {
        let families = settings.families.iter();
        let published = families.map(move |&family| angles::published(family, cost, depth, factor));
        let ramp = settings
            .ramps
            .then(|| angles::fitted_ramp(cost, depth, factor));
        published.chain(ramp)
    };
    let earlier = settings.earlier.iter();
    let earlier = earlier.map(|earlier| earlier.fitted(cost, depth));
    earlier.chain(FACTORS.iter().flat_map(of_factor)).collect()
}

/// The angles with layers that do nothing up to the depth.
fn padded(mut angles: Angles, depth: usize) -> Angles {
    angles.gamma.resize(depth, 0.0);
    angles.beta.resize(depth, 0.0);
    angles
}

fn perturb(angles: &Angles, random: &mut ChaCha8Rng) -> Angles {
    let mut around = |angle: &f64| angle * (1.0 + random.random_range(-PERTURBATION..PERTURBATION));
    Angles {
        gamma: angles.gamma.iter().map(&mut around).collect(),
        beta: angles.beta.iter().map(around).collect(),
    }
}

/// L-BFGS with adjoint gradients from the given angles, as many as the tracker has left.
fn descend(tracker: &mut Tracker, from: &Angles) {
    let evaluations = tracker.left();
    let problem = Problem {
        deviation: deviation_of(tracker.ansatz().cost()),
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
