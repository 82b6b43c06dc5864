//! `ketscale plan`: reads a problem, searches, checks the plan from its own bytes, shows it.

use std::path::{Path, PathBuf};

use ketscale_engine::plan::{Plan, Status};
use ketscale_engine::planner::{self, Limits, PlanError, Settings, Source};
use ketscale_engine::problem::{self, InputErrors, ProblemFile};
use ketscale_engine::verify::VerifiedPlan;

use super::live;
use crate::args::{DEFAULT_TIME_LIMIT_SECONDS, Format, PlanArgs};
use crate::deadline::Deadline;
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::report::{Origin, next_steps, report};
use crate::{input, output};

/// Share of the time limit in which plans are searched for; the rest is for ordering the steps, the bound and its verification.
const SEARCH_SHARE: f64 = 0.8;

pub(super) fn run(args: &PlanArgs) -> Result<Exit, Failure> {
    let file = problem_file(args)?;
    let catalogue = input::catalogue(args.prices.as_deref())?;
    let (problem, source) = match &args.prometheus {
        None => (input::problem(file)?, Source::default()),
        Some(url) => {
            let queries = live::queries(args.queries.as_deref())?;
            let live = live::refresh(input::problem(file)?, url, &queries)?;
            (live.problem, live.source)
        }
    };
    let problem =
        problem::resolve(problem, &catalogue, &input::name_of(file)).map_err(Failure::input)?;
    let found = search(problem, source, &settings(args, &input::name_of(file)))?;
    if let Some(path) = &args.out {
        output::write_file(path, found.bytes())?;
    }
    output::print(match args.output {
        Format::Json => found.bytes().to_vec(),
        Format::Table => {
            let origin = Origin::File {
                problem: file,
                plan: args.out.as_deref(),
            };
            format!(
                "{}\n{}",
                report(found.plan(), true),
                next_steps(found.plan(), &origin)
            )
            .into_bytes()
        }
    })?;
    Ok(exit(found.plan()))
}

fn problem_file(args: &PlanArgs) -> Result<&Path, Failure> {
    let file: Option<&PathBuf> = args.file.as_ref().or(args.problem.as_ref());
    file.map(PathBuf::as_path)
        .ok_or_else(|| Failure::usage("a problem file is missing"))
}

/// Without a work limit a clock ends the search; with one it must not, or the same input could give another plan.
fn settings<'a>(args: &PlanArgs, name: &'a str) -> Search<'a> {
    let mut settings = Settings {
        solver: args.solver,
        ..Settings::default()
    };
    settings.seed = args.seed.unwrap_or(settings.seed);
    let default_time_limit = args
        .work_limit
        .is_none()
        .then_some(DEFAULT_TIME_LIMIT_SECONDS);
    Search {
        name,
        settings,
        time_limit: args.time_limit.or(default_time_limit),
        work_limit: args.work_limit,
    }
}

/// How to search.
pub(super) struct Search<'a> {
    /// The problem file's name in messages.
    pub(super) name: &'a str,
    pub(super) settings: Settings,
    /// Seconds.
    pub(super) time_limit: Option<f64>,
    /// Work units.
    pub(super) work_limit: Option<u64>,
}

/// Whether there is a plan.
pub(super) fn exit(plan: &Plan) -> Exit {
    match plan.status {
        Status::Optimal | Status::Feasible | Status::Relaxed => Exit::Yes,
        Status::Infeasible | Status::Unknown => Exit::No,
    }
}

/// Plans, with a progress bar on a terminal.
pub(super) fn search(
    problem: ProblemFile,
    source: Source,
    search: &Search<'_>,
) -> Result<VerifiedPlan, Failure> {
    let deadline = Deadline::after(search.time_limit.map(|seconds| SEARCH_SHARE * seconds));
    let limits = Limits {
        stop: deadline.stop(),
        work: search.work_limit,
    };
    let progress = Progress::start();
    let show = |what: &str, share: f64| progress.show(what, share);
    planner::plan(problem, source, &search.settings, &limits, &show)
        .map_err(|error| refuse(error, search.name))
}

fn refuse(error: PlanError, name: &str) -> Failure {
    match error {
        PlanError::Input(issues) => Failure::input(InputErrors {
            file: name.to_owned(),
            issues,
        }),
        PlanError::Internal(message) => Failure::bug(message),
    }
}
