//! One function a method: from a model to a report.

use ketscale_optimizer::angles::Family;
use ketscale_optimizer::greedy::Status;
use ketscale_optimizer::qaoa::{self, Strategy};
use ketscale_optimizer::simulator::Ansatz;
use ketscale_optimizer::{
    self as optimizer, Cost, Error, Ising, Limits, Mixer, Model, Objective, Samples,
};

use super::Files;
use super::report::{Angles, Recursion, Report};
use crate::args::{Method, MinimizeArgs, MixerName};
use crate::command::circuit::{instruction_set, memory_bytes, refused};
use crate::exit::Failure;
use crate::input::name_of;

/// The method's name, as the command line has it.
pub(super) fn name(method: Method) -> &'static str {
    match method {
        Method::Qaoa => "qaoa",
        Method::Recursive => "recursive",
        Method::Greedy => "greedy",
        Method::Anneal => "anneal",
        Method::Enumerate => "enumerate",
    }
}

pub(super) fn qaoa(args: &MinimizeArgs, files: &Files) -> Result<Report, Failure> {
    let refuse = |error: Error| refused(&name_of(&args.file), &error);
    let cost = table(args, &files.model)?;
    let start = files.start.clone().unwrap_or_else(|| cost.uniform_start());
    let mixer: Mixer = args.mixer.unwrap_or(MixerName::Complete).into();
    let ansatz = Ansatz::new(&cost, mixer, &start)
        .map_err(|error| refused("--mixer", &error.into()))?
        .with_instruction_set(instruction_set(args.isa.as_deref())?);
    let settings = settings(args, files);
    let found = qaoa::search_ansatz(&ansatz, &settings, &Limits::none()).map_err(refuse)?;
    let mut report = best(args, &files.model, &cost, &found.samples)?;
    report.status = Some(match found.status {
        qaoa::Status::Converged => "converged",
        qaoa::Status::EvaluationLimit => "evaluation limit",
        qaoa::Status::WorkLimit => "work limit",
        qaoa::Status::Stopped => "stopped",
    });
    report.angles = Some(Angles {
        gamma: found.angles.gamma,
        beta: found.angles.beta,
        deviation: deviation(&cost),
    });
    report.expectation = Some(found.expectation);
    report.probability_of_minimum = Some(found.probability_of_minimum);
    report.evaluations = Some(found.evaluations as u64);
    Ok(report)
}

fn settings(args: &MinimizeArgs, files: &Files) -> qaoa::Settings {
    let default = qaoa::Settings::default();
    let number = |given: Option<u32>, default| given.map_or(default, |given| given as usize);
    let mut families = default.families.clone();
    if files.model.degree() > 2 {
        families.insert(0, Family::Labs);
    }
    qaoa::Settings {
        depth: number(args.depth, default.depth),
        objective: args.cvar.map_or(Objective::Expectation, Objective::CVaR),
        max_evaluations: args.evaluations.map_or(default.max_evaluations, |given| {
            usize::try_from(given).unwrap_or(usize::MAX)
        }),
        shots: args.shots.unwrap_or(default.shots),
        seed: args.seed.unwrap_or(default.seed),
        starts: number(args.starts, default.starts),
        families,
        ramps: true,
        earlier: files.earlier.clone(),
        strategy: if args.deepen {
            Strategy::Deepening
        } else {
            Strategy::Direct
        },
    }
}

pub(super) fn recursive(args: &MinimizeArgs, model: &Model) -> Result<Report, Failure> {
    let refuse = |error: Error| refused(&name_of(&args.file), &error);
    let ising = Ising::from_model(model).map_err(refuse)?;
    let greedy = optimizer::greedy(&ising, &Limits::none()).map_err(refuse)?;
    let settings = optimizer::recursive::Settings {
        incumbent: Some(greedy.spins),
        ..optimizer::recursive::Settings::default()
    };
    let found = optimizer::recursive(&ising, &settings, &Limits::none()).map_err(refuse)?;
    let mut report = assigned(args, model, &levels(&found.solution.spins))?;
    report.status = Some(status(found.solution.status));
    report.angles = found.first.map(|first| Angles {
        gamma: vec![first.gamma],
        beta: vec![first.beta],
        deviation: None,
    });
    report.expectation = found.first.map(|first| first.expectation);
    report.evaluations = Some(found.evaluations as u64);
    report.recursion = Some(Recursion {
        greedy: greedy.cost,
        first_round: found.rounds.first().map(|round| round.cost),
        first_round_before_flips: found.rounds.first().map(|round| round.cost_before_flips),
        eliminations: found.rounds.iter().map(|round| round.eliminations).sum(),
    });
    Ok(report)
}

pub(super) fn greedy(args: &MinimizeArgs, model: &Model) -> Result<Report, Failure> {
    let refuse = |error: Error| refused(&name_of(&args.file), &error);
    let ising = Ising::from_model(model).map_err(refuse)?;
    let found = optimizer::greedy(&ising, &Limits::none()).map_err(refuse)?;
    let mut report = assigned(args, model, &levels(&found.spins))?;
    report.status = Some(status(found.status));
    Ok(report)
}

pub(super) fn anneal(args: &MinimizeArgs, model: &Model) -> Result<Report, Failure> {
    let refuse = |error: Error| refused(&name_of(&args.file), &error);
    let default = optimizer::anneal::Settings::default();
    let settings = optimizer::anneal::Settings {
        evaluations: args.evaluations.unwrap_or(default.evaluations),
        seed: args.seed.unwrap_or(default.seed),
        ..default
    };
    let register = model.register(memory_bytes()).map_err(refuse)?;
    // What is no number is refused by the search, with the state that it is of.
    let cost = |_: usize, digits: &[usize]| model.value(digits).unwrap_or(f64::NAN);
    let samples = optimizer::anneal(&register, cost, &settings, &Limits::none()).map_err(refuse)?;
    let digits = samples.best().map(|best| register.digits(best.index));
    let digits = digits.transpose().map_err(|error| refuse(error.into()))?;
    let mut report = assigned(args, model, &digits.unwrap_or_default())?;
    report.evaluations = Some(samples.total());
    Ok(report)
}

pub(super) fn enumerate(args: &MinimizeArgs, model: &Model) -> Result<Report, Failure> {
    let cost = table(args, model)?;
    let mut report = best(args, model, &cost, &optimizer::enumerate(&cost, 1))?;
    report.evaluations = Some(cost.register().dimension() as u64);
    Ok(report)
}

fn table(args: &MinimizeArgs, model: &Model) -> Result<Cost, Failure> {
    let cost = model.cost(memory_bytes());
    cost.map_err(|error| refused(&name_of(&args.file), &error))
}

/// A constant cost has no scale.
fn deviation(cost: &Cost) -> Option<f64> {
    Some(cost.standard_deviation()).filter(|deviation| *deviation > 0.0)
}

fn best(
    args: &MinimizeArgs,
    model: &Model,
    cost: &Cost,
    samples: &Samples,
) -> Result<Report, Failure> {
    let best = samples.best();
    let best = best.ok_or_else(|| Failure::bug("a search without samples"))?;
    let digits = cost.register().digits(best.index);
    assigned(args, model, &digits.map_err(Failure::bug)?)
}

/// A report of levels, their cost computed from the terms.
fn assigned(args: &MinimizeArgs, model: &Model, digits: &[usize]) -> Result<Report, Failure> {
    let cost = model.value(digits);
    let cost = cost.map_err(|error| refused(&name_of(&args.file), &error))?;
    Ok(Report::new(
        name(args.method),
        model.values_of(digits),
        cost,
    ))
}

/// Spin +1 is level 0.
fn levels(spins: &[i8]) -> Vec<usize> {
    spins.iter().map(|&spin| usize::from(spin < 0)).collect()
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Complete => "complete",
        Status::WorkLimit => "work limit",
        Status::Stopped => "stopped",
    }
}
