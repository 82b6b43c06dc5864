//! `ketscale evaluate`: one QAOA circuit on a model file, and what its final state says.

use std::time::Instant;

use ketscale_optimizer::simulator::{self, Ansatz, Gradient, Number, State, on_threads};
use ketscale_optimizer::{Angles, Cost, Error, Limits, Model, Objective};
use serde::Serialize;

use super::circuit::{instruction_set, memory_bytes, refused, threads};
use super::json;
use crate::args::{EvaluateArgs, Format, Precision};
use crate::exit::{Exit, Failure};
use crate::input::{self, MAX_MODEL_BYTES, name_of};
use crate::output;
use crate::report::table::{section, table};

pub(super) fn run(args: &EvaluateArgs) -> Result<Exit, Failure> {
    let report =
        on_threads(threads(args.threads), || evaluate(args)).map_err(Failure::environment)??;
    output::print(match args.output {
        Format::Json => json(&report)?,
        Format::Table => shown(&report),
    })?;
    Ok(Exit::Yes)
}

/// What the command prints.
#[derive(Debug, Serialize)]
struct Report {
    dimension: usize,
    depth: usize,
    expectation: f64,
    variance: f64,
    minimum: f64,
    probability_of_minimum: f64,
    cvar: Option<f64>,
    gradient: Option<Slopes>,
    top: Vec<Top>,
    samples: Vec<Sample>,
    precision: &'static str,
    isa: &'static str,
    seconds: Seconds,
    bytes: u64,
}

/// Derivatives by the angles of every layer.
#[derive(Debug, Serialize)]
struct Slopes {
    gamma: Vec<f64>,
    beta: Vec<f64>,
}

/// A basis state with its probability.
#[derive(Debug, Serialize)]
struct Top {
    digits: Vec<usize>,
    probability: f64,
    cost: f64,
}

/// A basis state with the number of shots that gave it.
#[derive(Debug, Serialize)]
struct Sample {
    digits: Vec<usize>,
    count: u64,
    cost: f64,
}

/// Where the time went.
#[derive(Debug, Serialize)]
struct Seconds {
    build: f64,
    evolve: f64,
    reduce: f64,
    /// Median of the repeated evaluations: circuit and objective, without the other sums.
    repeat: Option<f64>,
    total: f64,
}

fn evaluate(args: &EvaluateArgs) -> Result<Report, Failure> {
    let begun = Instant::now();
    let in_file = |path: &std::path::Path| {
        let name = name_of(path).into_owned();
        move |error: Error| refused(&name, &error)
    };
    let bytes = input::read(&args.file, MAX_MODEL_BYTES)?;
    let cost = Model::parse(&bytes)
        .and_then(|model| model.cost(memory_bytes()))
        .map_err(in_file(&args.file))?;
    let angles = input::read(&args.angles, MAX_MODEL_BYTES)?;
    let angles = Model::parse_angles(&angles).map_err(in_file(&args.angles))?;
    let start = match &args.start {
        Some(path) => {
            let bytes = input::read(path, MAX_MODEL_BYTES)?;
            Model::parse_start(&bytes, cost.register()).map_err(in_file(path))?
        }
        None => cost.uniform_start(),
    };
    let ansatz = Ansatz::new(&cost, args.mixer.into(), &start)
        .map_err(|error| refused("--mixer", &error.into()))?;
    let ansatz = ansatz.with_instruction_set(instruction_set(args.isa.as_deref())?);
    let build = begun.elapsed().as_secs_f64();
    let question = Question {
        args,
        cost: &cost,
        angles: &angles,
        build,
        begun,
    };
    match args.precision {
        Precision::F64 => question.answer(&ansatz),
        Precision::F32 => {
            let ansatz = ansatz.in_single_precision();
            question.answer(&ansatz.map_err(|error| refused(&name_of(&args.file), &error.into()))?)
        }
    }
}

/// What is asked of a circuit.
struct Question<'a> {
    args: &'a EvaluateArgs,
    cost: &'a Cost,
    angles: &'a Angles,
    build: f64,
    begun: Instant,
}

impl Question<'_> {
    fn answer<T: Number>(&self, ansatz: &Ansatz<T>) -> Result<Report, Failure> {
        let Self {
            args,
            cost,
            angles,
            build,
            begun,
        } = *self;
        let refuse = |error: simulator::Error| refused(&name_of(&args.angles), &error.into());
        let objective = args.cvar.map_or(Objective::Expectation, Objective::CVaR);
        // Before the state, so that no third one is alive meanwhile.
        let differentiating = Instant::now();
        let gradient = args
            .gradient
            .then(|| ansatz.gradient(objective, angles, &Limits::none()));
        let differentiate = differentiating.elapsed().as_secs_f64();
        let evolving = Instant::now();
        let state = ansatz.evolve(angles, &Limits::none()).map_err(refuse)?;
        let evolve = evolving.elapsed().as_secs_f64();
        let reducing = Instant::now();
        let cvar = args
            .cvar
            .map(|alpha| state.cvar(alpha))
            .transpose()
            .map_err(refuse)?;
        let slopes = |Gradient { gamma, beta, .. }| Slopes { gamma, beta };
        let estimate = ansatz.estimate(angles.depth());
        let mut report = Report {
            dimension: cost.register().dimension(),
            depth: angles.depth(),
            expectation: state.expectation(),
            variance: state.variance(),
            minimum: cost.min(),
            probability_of_minimum: state.probability_of_minimum(),
            cvar,
            gradient: gradient.transpose().map_err(refuse)?.map(slopes),
            top: top(&state, args.top as usize),
            samples: samples(&state, args),
            precision: T::NAME,
            isa: instruction_set(args.isa.as_deref())?.name(),
            seconds: Seconds {
                build,
                evolve,
                reduce: 0.0,
                repeat: None,
                total: 0.0,
            },
            bytes: if args.gradient {
                estimate.gradient_bytes
            } else {
                estimate.bytes
            },
        };
        report.seconds.reduce = differentiate + reducing.elapsed().as_secs_f64();
        drop(state);
        let again = || ansatz.evaluate(objective, angles, &Limits::none());
        report.seconds.repeat = median_seconds(args.repeat, again).map_err(refuse)?;
        report.seconds.total = begun.elapsed().as_secs_f64();
        Ok(report)
    }
}

/// Median of the seconds that `work` takes, done once beforehand for what only the first time costs. `None` where it is not done.
fn median_seconds<T, E>(times: u32, work: impl Fn() -> Result<T, E>) -> Result<Option<f64>, E> {
    if times == 0 {
        return Ok(None);
    }
    work()?;
    let one = |_| {
        let begun = Instant::now();
        work().map(|_| begun.elapsed().as_secs_f64())
    };
    let mut seconds: Vec<f64> = (0..times).map(one).collect::<Result<_, E>>()?;
    seconds.sort_by(f64::total_cmp);
    Ok(Some(seconds[seconds.len() / 2]))
}

fn top<T: Number>(state: &State<T>, k: usize) -> Vec<Top> {
    // Looking for none would still go over all states, in a buffer of some MiB a thread.
    if k == 0 {
        return Vec::new();
    }
    let cost = state.cost();
    let one = |(index, probability)| {
        let digits = cost.register().digits(index).ok()?;
        Some(Top {
            digits,
            probability,
            cost: cost.value(index)?,
        })
    };
    state.top(k).into_iter().filter_map(one).collect()
}

/// The states drawn, the best first.
fn samples<T: Number>(state: &State<T>, args: &EvaluateArgs) -> Vec<Sample> {
    if args.shots == 0 {
        return Vec::new();
    }
    let cost = state.cost();
    let one = |(index, count)| {
        let digits = cost.register().digits(index).ok()?;
        Some(Sample {
            digits,
            count,
            cost: cost.value(index)?,
        })
    };
    let mut samples: Vec<Sample> = state
        .sample(args.shots, args.seed)
        .into_iter()
        .filter_map(one)
        .collect();
    samples.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    samples
}

fn shown(report: &Report) -> String {
    let number = |value: f64| format!("{value:.9}");
    let digits = |digits: &[usize]| {
        digits
            .iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join(" ")
    };
    let top = report.top.iter().map(|top| {
        [
            format!("{:.6}", top.probability),
            number(top.cost),
            digits(&top.digits),
        ]
    });
    let samples = report.samples.iter().take(20).map(|sample| {
        [
            sample.count.to_string(),
            number(sample.cost),
            digits(&sample.digits),
        ]
    });
    let mut text = section(
        "Circuit",
        &table(["quantity", "value"], circuit(report), 1..=1),
    );
    if !report.top.is_empty() {
        text += &section(
            "Most probable states",
            &table(["probability", "cost", "levels, axis 0 first"], top, 0..=1),
        );
    }
    if !report.samples.is_empty() {
        text += &section(
            "Best states drawn",
            &table(["shots", "cost", "levels, axis 0 first"], samples, 0..=1),
        );
    }
    text
}

/// What the circuit as a whole gave.
fn circuit(report: &Report) -> Vec<[String; 2]> {
    let number = |value: f64| format!("{value:.9}");
    let mut rows = vec![
        ["states".to_owned(), report.dimension.to_string()],
        ["layers".to_owned(), report.depth.to_string()],
        ["⟨C⟩".to_owned(), number(report.expectation)],
        ["variance".to_owned(), number(report.variance)],
        ["least cost".to_owned(), number(report.minimum)],
        [
            "P(least cost)".to_owned(),
            format!("{:.3e}", report.probability_of_minimum),
        ],
    ];
    rows.extend(report.cvar.map(|cvar| ["CVaR".to_owned(), number(cvar)]));
    if let Some(Slopes { gamma, beta }) = &report.gradient {
        for (layer, (gamma, beta)) in gamma.iter().zip(beta).enumerate() {
            let slopes = format!("{gamma:.6e}, {beta:.6e}");
            rows.push([format!("slopes by γ and β of layer {}", layer + 1), slopes]);
        }
    }
    let Seconds {
        build,
        evolve,
        reduce,
        repeat,
        total,
    } = report.seconds;
    rows.push([
        "seconds".to_owned(),
        format!("{total:.3} (build {build:.3}, evolve {evolve:.3}, reduce {reduce:.3})"),
    ]);
    rows.extend(repeat.map(|repeat| ["seconds, repeated".to_owned(), format!("{repeat:.6}")]));
    rows.push([
        "memory".to_owned(),
        format!("{:.1} MiB", report.bytes as f64 / f64::from(1 << 20)),
    ]);
    rows.push([
        "computed in".to_owned(),
        format!("{} on {}", report.precision, report.isa),
    ]);
    rows
}
