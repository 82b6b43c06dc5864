//! `ketscale minimize`: the least cost of a model file that a search finds.

mod methods;
mod report;

use std::path::Path;
use std::time::Instant;

use ketscale_optimizer::angles::Earlier;
use ketscale_optimizer::simulator::on_threads;
use ketscale_optimizer::{Error, Model, Start};

use super::circuit::{refused, threads};
use super::json;
use crate::args::{Format, Method, MinimizeArgs};
use crate::exit::{Exit, Failure};
use crate::input::{self, MAX_MODEL_BYTES, name_of};
use crate::output;
use report::Report;

pub(super) fn run(args: &MinimizeArgs) -> Result<Exit, Failure> {
    check(args)?;
    let report =
        on_threads(threads(args.threads), || minimize(args)).map_err(Failure::environment)??;
    if let (Some(path), Some(angles)) = (&args.angles_out, &report.angles) {
        output::write_file(path, json(angles)?.as_bytes())?;
    }
    output::print(match args.output {
        Format::Json => json(&report)?,
        Format::Table => report::shown(&report),
    })?;
    Ok(Exit::Yes)
}

/// Refuses options that mean nothing to the method, all of them at once.
fn check(args: &MinimizeArgs) -> Result<(), Failure> {
    use Method::{Anneal, Qaoa, Recursive};
    let options: [(&str, bool, &[Method]); 12] = [
        ("--depth", args.depth.is_some(), &[Qaoa]),
        ("--mixer", args.mixer.is_some(), &[Qaoa]),
        ("--start", args.start.is_some(), &[Qaoa]),
        ("--angles", args.angles.is_some(), &[Qaoa]),
        ("--deepen", args.deepen, &[Qaoa]),
        ("--cvar", args.cvar.is_some(), &[Qaoa]),
        ("--starts", args.starts.is_some(), &[Qaoa]),
        ("--shots", args.shots.is_some(), &[Qaoa]),
        ("--isa", args.isa.is_some(), &[Qaoa]),
        ("--evaluations", args.evaluations.is_some(), &[Qaoa, Anneal]),
        ("--seed", args.seed.is_some(), &[Qaoa, Anneal]),
        (
            "--angles-out",
            args.angles_out.is_some(),
            &[Qaoa, Recursive],
        ),
    ];
    let strange = options
        .iter()
        .filter(|(_, given, methods)| *given && !methods.contains(&args.method));
    let lines: Vec<String> = strange
        .map(|(option, _, methods)| {
            let names: Vec<&str> = methods
                .iter()
                .map(|&method| methods::name(method))
                .collect();
            format!("{option} belongs to --method {}", names.join(" or "))
        })
        .collect();
    if lines.is_empty() {
        Ok(())
    } else {
        Err(Failure::usage(lines.join("\n")))
    }
}

fn minimize(args: &MinimizeArgs) -> Result<Report, Failure> {
    let begun = Instant::now();
    let files = Files::read(args)?;
    let mut report = match args.method {
        Method::Qaoa => methods::qaoa(args, &files),
        Method::Recursive => methods::recursive(args, &files.model),
        Method::Greedy => methods::greedy(args, &files.model),
        Method::Anneal => methods::anneal(args, &files.model),
        Method::Enumerate => methods::enumerate(args, &files.model),
    }?;
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

/// What the files say.
struct Files {
    model: Model,
    start: Option<Start>,
    earlier: Option<Earlier>,
}

impl Files {
    /// Reads all files, and names the mistakes of all of them.
    fn read(args: &MinimizeArgs) -> Result<Self, Failure> {
        let model = read(&args.file, Model::parse);
        let earlier = args
            .angles
            .as_deref()
            .map(|path| read(path, Model::parse_earlier));
        // What a start state must be is known only with the model.
        let start = args.start.as_deref().map(|path| {
            let of = |model: &Model| {
                let register = model.register(u64::MAX);
                let register = register.map_err(|error| refused(&name_of(&args.file), &error))?;
                read(path, |bytes| Model::parse_start(bytes, &register))
            };
            model.as_ref().map_or(Ok(None), |model| of(model).map(Some))
        });
        match (model, earlier.transpose(), start.transpose()) {
            (Ok(model), Ok(earlier), Ok(start)) => Ok(Self {
                model,
                start: start.flatten(),
                earlier,
            }),
            (model, earlier, start) => Err(all([model.err(), earlier.err(), start.err()])),
        }
    }
}

fn read<T>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<T, Error>) -> Result<T, Failure> {
    let bytes = input::read(path, MAX_MODEL_BYTES)?;
    parse(&bytes).map_err(|error| refused(&name_of(path), &error))
}

/// Several failures as one, which ends as the first of them.
fn all(failures: [Option<Failure>; 3]) -> Failure {
    let mut failures = failures.into_iter().flatten();
    let first = failures.next();
    let mut all = first.unwrap_or_else(|| Failure::bug("a failure that is none"));
    for failure in failures {
        all.message = format!("{}\n{}", all.message, failure.message);
    }
    all
}
