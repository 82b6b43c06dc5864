//! `ketscale replay`: what each policy would have cost on a load of the past.

use std::fs;
use std::path::Path;

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::planner;
use ketscale_engine::problem::{self, InputErrors, ProblemFile};
use ketscale_engine::replay::{
    MAX_LOADS_BYTES, PolicyReport, ReplayError, Report, Settings, Trace, chart, read_loads,
    read_snapshots, replay,
};

use super::{json, past};
use crate::args::{Format, RangeArgs, ReplayArgs};
use crate::exit::{Exit, Failure};
use crate::report::table::{section, table, thousands};
use crate::{input, output};

/// Largest snapshot file that is read.
const MAX_SNAPSHOT_BYTES: usize = 256 << 20;

pub(super) fn run(args: &ReplayArgs) -> Result<Exit, Failure> {
    let catalogue = input::catalogue(args.prices.as_deref())?;
    let source = source(args, &catalogue)?;
    let settings = settings(args)?;
    let refuse = |error: ReplayError| match error {
        ReplayError::Problem(issues) => Failure::input(InputErrors {
            file: source.name.clone(),
            issues,
        }),
    };
    let found = replay(&source.problem, &source.trace, &settings).map_err(refuse)?;
    if let Some(path) = &args.chart {
        let svg = chart(&found, &source.trace).map_err(Failure::bug)?;
        output::write_file(path, svg.as_bytes())?;
    }
    output::print(match args.output {
        Format::Json => json(&found.report)?,
        Format::Table => shown(&found.report, &source.notes),
    })?;
    Ok(Exit::Yes)
}

fn settings(args: &ReplayArgs) -> Result<Settings, Failure> {
    let control = input::control(args.control.as_deref())?;
    Ok(Settings {
        policies: args.policies.clone(),
        node_autoscaler: args.node_autoscaler,
        control,
        planner: planner::Settings {
            seed: args.seed,
            ..planner::Settings::default()
        },
        work_limit: args.work_limit,
        cycle_seconds: args.cycle,
    })
}

/// What is replayed.
struct Source {
    /// The problem's name in messages.
    name: String,
    problem: ProblemFile,
    trace: Trace,
    notes: Vec<String>,
}

fn source(args: &ReplayArgs, catalogue: &Catalogue) -> Result<Source, Failure> {
    past::refuse_stray(&args.range)?;
    if let Some(folder) = &args.snapshots {
        return of_snapshots(folder, catalogue);
    }
    let Some(file) = &args.file else {
        return Err(Failure::usage("a problem file is missing"));
    };
    if let Some(url) = &args.range.prometheus {
        return of_prometheus(file, url, &args.range, catalogue);
    }
    let Some(loads) = &args.loads else {
        return Err(Failure::usage("loads are missing"));
    };
    let problem = input::complete_problem(file, catalogue)?;
    let bytes = input::read(loads, MAX_LOADS_BYTES)?;
    let trace = read_loads(&bytes, &input::name_of(loads), &problem).map_err(Failure::input)?;
    Ok(Source {
        name: input::name_of(file).into_owned(),
        problem,
        trace,
        notes: Vec::new(),
    })
}

/// The fleet as it was where the range begins, under the loads of the range.
fn of_prometheus(
    file: &Path,
    url: &str,
    range: &RangeArgs,
    catalogue: &Catalogue,
) -> Result<Source, Failure> {
    let name = input::name_of(file).into_owned();
    let problem = input::problem(file)?;
    let past = past::read(&problem, url, range)?;
    let loads = &past.history.load;
    let of_any = loads.values().next();
    let Some(any) = of_any else {
        let why = problem
            .services
            .iter()
            .find_map(|service| past.gap(&service.name));
        return Err(Failure::environment(format!(
            "{url} knows no load of any service in that range; {}",
            why.unwrap_or_default()
        )));
    };
    let then = past.fleet_then(problem)?;
    let problem = problem::resolve(then.problem, catalogue, &name).map_err(Failure::input)?;
    let times = (0..any.values.len())
        .map(|index| any.time_seconds(index))
        .collect();
    let load = |name: &str, index: usize| loads.get(name)?.values.get(index).copied()?;
    let trace = Trace::new(&problem, times, load, |name| loads.contains_key(name));
    let trace = trace.map_err(|wrong| Failure::input(format!("{url}: the range has {wrong}")))?;
    let without = problem
        .services
        .iter()
        .filter(|service| service.load.is_some() && !loads.contains_key(&service.name));
    let mut notes: Vec<String> = without
        .map(|service| {
            format!(
                "{}: no load is known; that of the file stands",
                service.name
            )
        })
        .collect();
    if !then.source.gaps.is_empty() {
        notes.push(format!(
            "{} figures of the fleet at the beginning are not known; those of the file stand",
            then.source.gaps.len()
        ));
    }
    Ok(Source {
        name,
        problem,
        trace,
        notes,
    })
}

fn of_snapshots(folder: &Path, catalogue: &Catalogue) -> Result<Source, Failure> {
    let refuse = |error| Failure::input(format!("{}: cannot be read: {error}", folder.display()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(refuse)? {
        let path = entry.map_err(refuse)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let bytes = input::read(path, MAX_SNAPSHOT_BYTES)?;
        Ok((input::name_of(path).into_owned(), bytes))
    };
    let files = paths
        .iter()
        .map(read)
        .collect::<Result<Vec<_>, Failure>>()?;
    let all = |errors: Vec<InputErrors>| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::input(lines.join("\n"))
    };
    let found = read_snapshots(&files).map_err(all)?;
    let name = files
        .first()
        .map_or(String::new(), |(name, _)| name.clone());
    let problem = problem::resolve(found.problem, catalogue, &name).map_err(Failure::input)?;
    let left_out = (found.left_out.into_iter())
        .map(|name| format!("{name} is not in the first snapshot and is left out"));
    Ok(Source {
        name,
        problem,
        trace: found.trace,
        notes: left_out.collect(),
    })
}

/// The report for people.
fn shown(report: &Report, notes: &[String]) -> String {
    let days = (report.end_seconds - report.start_seconds) / 86_400.0;
    let mut text = format!(
        "{}: {days:.1} days in {} steps. HPAs run with {}.\n",
        report.problem, report.steps, report.node_autoscaler
    );
    if report.synthetic {
        text.push_str(
            "The numbers of the fleet are synthetic: made up for an example or a test.\n",
        );
    }
    if report.values_held > 0 {
        let held = thousands(count(report.values_held));
        text.push_str(&format!(
            "{held} loads were not measured; the one before stands for each.\n"
        ));
    }
    if report.kept_usd > 0.0 {
        text.push_str(&format!(
            "No policy can save {:.2} USD of its cost: commitments, and nodes that may not be given back, such as those with pods of others.\n",
            report.kept_usd
        ));
    }
    text.push('\n');
    text.push_str(&section("Cost and service", &costs(report)));
    text.push('\n');
    text.push_str(&section("Changes", &changes(report)));
    let notes = report.notes.iter().chain(notes).map(String::as_str);
    let notes = crate::report::table::list("-", notes);
    if !notes.trim().is_empty() {
        text.push('\n');
        text.push_str(&section("Notes", &notes));
    }
    text
}

fn costs(report: &Report) -> String {
    let best = report.best_hpa();
    let row = |row: &PolicyReport| {
        let against = best.map_or(String::new(), |best| {
            format!(
                "{:+.1} %",
                100.0 * (row.cost_usd / best.cost_usd.max(1e-9) - 1.0)
            )
        });
        [
            row.policy.clone(),
            format!("{:.2}", row.cost_usd),
            against,
            thousands(row.minutes_over_slo),
            thousands(row.minutes_overloaded),
            thousands(row.minutes_over_target),
            thousands(row.minutes_over_spot_share),
        ]
    };
    let header = [
        "policy",
        "USD",
        "to best HPA",
        "min over SLO",
        "overloaded",
        "over target",
        "over spot share",
    ];
    table(header, report.policies.iter().map(row), 1..=6)
}

fn changes(report: &Report) -> String {
    let row = |row: &PolicyReport| {
        [
            row.policy.clone(),
            thousands(count(row.replica_changes)),
            thousands(count(row.replicas_changed)),
            thousands(count(row.node_changes)),
            thousands(count(row.evictions)),
            thousands(row.node_hours),
            thousands(row.pod_hours),
        ]
    };
    let header = [
        "policy",
        "replica changes",
        "replicas",
        "node changes",
        "evictions",
        "node hours",
        "pod hours",
    ];
    table(header, report.policies.iter().map(row), 1..=6)
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2⁵³")]
fn count(number: u64) -> f64 {
    number as f64
}
