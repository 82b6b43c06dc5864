//! `ketscale plan`: reads a problem, searches, checks the plan from its own bytes, shows it.

use std::path::{Path, PathBuf};
use std::time::Instant;

use ketscale_engine::diff::diff;
use ketscale_engine::plan::{Plan, Status};
use ketscale_engine::planner::{self, PlanError, Settings, Source};
use ketscale_engine::problem::{self, Changes, InputErrors, ProblemFile};
use ketscale_engine::verify::VerifiedPlan;

use super::diff::shown;
use super::live;
use crate::args::{DEFAULT_TIME_LIMIT_SECONDS, Format, PlanArgs};
use crate::deadline::Deadline;
use crate::exit::{Exit, Failure};
use crate::progress::Progress;
use crate::report::{Origin, next_steps, report};
use crate::{input, output};

pub(super) fn run(args: &PlanArgs) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let file = problem_file(args)?;
    let name = input::name_of(file);
    let catalogue = input::catalogue(args.prices.as_deref())?;
    let (problem, mut source) = match &args.prometheus {
        None => (input::problem(file)?, Source::default()),
        Some(url) => {
            let queries = live::queries(args.queries.as_deref())?;
            let live = live::refresh(input::problem(file)?, url, &queries)?;
            (live.problem, live.source)
        }
    };
    let complete = |problem| problem::resolve(problem, &catalogue, &name).map_err(Failure::input);
    let changes = Changes {
        set: args.set.clone(),
        without: args.without.clone(),
    };
    let mut how = settings(args, &name);
    how.read_for(begun.elapsed().as_secs_f64());
    if changes.is_empty() {
        let found = search(complete(problem)?, source, &how)?;
        return publish(args, file, None, &found);
    }
    let changed = complete(changes.apply(&problem, &name).map_err(Failure::input)?)?;
    // The plan file's bytes say nothing of a plan to compare with, so only the table needs one.
    let unchanged = if args.output == Format::Table {
        how.time_limit = how.time_limit.map(|seconds| seconds / 2.0);
        Some(search(complete(problem)?, source.clone(), &how)?)
    } else {
        None
    };
    source
        .readings
        .retain(|reading| !changes.concern(&reading.path));
    source.gaps.retain(|gap| !changes.concern(&gap.path));
    let found = search(changed, source, &how)?;
    publish(args, file, unchanged.as_ref(), &found)
}

/// Writes and prints the plan, after it what differs from the plan of the file `unchanged`.
fn publish(
    args: &PlanArgs,
    file: &Path,
    unchanged: Option<&VerifiedPlan>,
    found: &VerifiedPlan,
) -> Result<Exit, Failure> {
    let exit = exit(found.plan());
    if let Some(path) = &args.out {
        output::write_file(path, found.bytes())?;
    }
    if args.output == Format::Json {
        output::print(found.bytes())?;
        return Ok(exit);
    }
    let origin = Origin::File {
        problem: file,
        plan: args.out.as_deref(),
    };
    let mut text = report(found.plan(), true);
    text.push('\n');
    match unchanged {
        None => text.push_str(&next_steps(found.plan(), &origin)),
        Some(unchanged) => {
            text.push_str("Against the plan of the file as it is\n");
            text.push_str(&shown(&diff(unchanged.plan(), found.plan())));
        }
    }
    output::print(text)?;
    Ok(exit)
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

impl Search<'_> {
    /// Takes what reading the problem took off the time, but for a tenth of it: a late plan is better than none.
    fn read_for(&mut self, seconds: f64) {
        let left = |limit: f64| (limit - seconds).max(0.1 * limit);
        self.time_limit = self.time_limit.map(left);
    }
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
    let deadline = Deadline::after(search.time_limit);
    let limits = deadline.limits(search.work_limit);
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
