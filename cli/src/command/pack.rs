//! `ketscale pack`: vector bin packing with a proven bound.

use std::fmt::Write;
use std::time::Instant;

use ketscale_engine::vector_packing::{self, Instance, Solution, Status};
use serde::Serialize;

use super::json;
use crate::args::{Format, PackArgs};
use crate::deadline::Deadline;
use crate::exit::{Exit, Failure};
use crate::input::{self, MAX_MODEL_BYTES, name_of};
use crate::output;

/// What is printed for programs.
#[derive(Serialize)]
struct Report {
    /// Bins of the packing; absent when none was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    bins: Option<usize>,
    /// Cost of the packing; absent when none was found. Bins of `.vbp` files cost 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<u64>,
    /// No packing costs less.
    bound: u64,
    status: &'static str,
    seconds: f64,
    /// For each bin the items in it, counted from 0 in the order of the file; an item that is there several times is named as often.
    assignment: Vec<Vec<usize>>,
    /// For each bin its computer's index; absent where all bins are alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    computers: Option<Vec<usize>>,
}

pub(super) fn run(args: &PackArgs) -> Result<Exit, Failure> {
    let bytes = input::read(&args.file, MAX_MODEL_BYTES)?;
    let instance = vector_packing::read(&bytes).map_err(|faults| {
        let name = name_of(&args.file);
        let lines: Vec<String> = faults
            .into_iter()
            .map(|fault| format!("{name}: {fault}"))
            .collect();
        Failure::input(lines.join("\n"))
    })?;
    let start = Instant::now();
    let deadline = Deadline::after(Some(args.time_limit));
    let limits = deadline.limits(None);
    let solution = vector_packing::solve(&instance, &limits);
    let report = report(&instance, &solution, start.elapsed().as_secs_f64());
    output::print(match args.output {
        Format::Json => json(&report)?,
        Format::Table => shown(&report),
    })?;
    Ok(match solution.status {
        Status::Optimal | Status::Feasible => Exit::Yes,
        Status::Infeasible | Status::Unknown => Exit::No,
    })
}

fn report(instance: &Instance, solution: &Solution, seconds: f64) -> Report {
    let found = solution.cost.is_some();
    let status = match solution.status {
        Status::Optimal => "optimal",
        Status::Feasible => "feasible",
        Status::Infeasible => "infeasible",
        Status::Unknown => "unknown",
    };
    Report {
        bins: found.then_some(solution.packing.len()),
        cost: solution.cost,
        bound: solution.bound,
        status,
        seconds,
        assignment: instance.assignment(&solution.packing),
        computers: (instance.bins.len() > 1 || instance.bins[0].count.is_some())
            .then(|| instance.bins_of(&solution.packing)),
    }
}

fn shown(report: &Report) -> String {
    let mut text = match (report.bins, report.cost) {
        (Some(bins), Some(cost)) => format!(
            "{bins} bins for {cost}, bound {}: {} in {:.2} s\n\n",
            report.bound, report.status, report.seconds
        ),
        _ => format!(
            "{}: no packing after {:.2} s; bound {}\n",
            report.status, report.seconds, report.bound
        ),
    };
    for (bin, items) in report.assignment.iter().enumerate() {
        let items: Vec<String> = items.iter().map(ToString::to_string).collect();
        let computer = report
            .computers
            .as_ref()
            .map_or(String::new(), |computers| {
                format!(" (computer {})", computers[bin])
            });
        let _ = writeln!(text, "bin {bin}{computer}: {}", items.join(" "));
    }
    text
}
