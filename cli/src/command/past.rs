//! What a Prometheus knows of a range of the past, for `forecast` and `replay`.

use std::time::Duration;

use jiff::Timestamp;
use ketscale_engine::problem::ProblemFile;
use ketscale_service::live::{History, Live, load_history, refresh};
use ketscale_service::prometheus::{Client, Queries};

use super::live;
use crate::args::RangeArgs;
use crate::exit::Failure;

/// Length of a range of which only the end is known.
const DEFAULT_LENGTH: Duration = Duration::from_secs(14 * 86_400);

/// Seconds between the values of a range, unless stated otherwise.
const DEFAULT_STEP_SECONDS: f64 = 300.0;

/// The services' past over a range, and where the range begins.
pub(super) struct Past {
    pub(super) history: History,
    begins: Timestamp,
    client: Client,
    queries: Queries,
}

/// Refuses a range without the Prometheus that it is of; clap lets it pass beside another source.
pub(super) fn refuse_stray(args: &RangeArgs) -> Result<(), Failure> {
    let given = [
        ("--queries", args.queries.is_some()),
        ("--from", args.from.is_some()),
        ("--to", args.to.is_some()),
        ("--step", args.step.is_some()),
    ];
    let stray: Vec<&str> = (given.into_iter())
        .filter(|(_, given)| *given && args.prometheus.is_none())
        .map(|(name, _)| name)
        .collect();
    if stray.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} without --prometheus: a range is read from there only",
        stray.join(", ")
    )))
}

/// Reads the past of a problem's services; the problem need not be complete.
pub(super) fn read(problem: &ProblemFile, url: &str, args: &RangeArgs) -> Result<Past, Failure> {
    let queries = live::queries(args.queries.as_deref())?;
    let client = live::client(url, &queries)?;
    let ends = args.to.unwrap_or_else(Timestamp::now);
    let begins = args
        .from
        .map_or_else(|| ends.checked_sub(DEFAULT_LENGTH), Ok);
    let begins = begins.map_err(|error| Failure::usage(format!("--to: {error}")))?;
    let past = load_history(
        problem,
        &client,
        &queries,
        begins,
        ends,
        args.step.unwrap_or(DEFAULT_STEP_SECONDS),
    );
    Ok(Past {
        history: live::wait(past)?.map_err(live::refuse)?,
        begins,
        client,
        queries,
    })
}

impl Past {
    /// The problem as it was where the range begins, as far as that is known.
    pub(super) fn fleet_then(&self, problem: ProblemFile) -> Result<Live, Failure> {
        let then = refresh(problem, &self.client, &self.queries, self.begins);
        live::wait(then)?.map_err(live::refuse)
    }

    /// Why the load of a service is not known, or not at all times.
    pub(super) fn gap(&self, service: &str) -> Option<String> {
        let path = format!("services.{service}.load");
        let gap = self.history.gaps.iter().find(|gap| gap.path == path)?;
        Some(format!("{path}: {}\nquery: {}", gap.reason, gap.query))
    }
}
