//! `ketscale diff`: what two plans have different.

use ketscale_engine::diff::{PlanDiff, ProblemChange, diff};
use serde_json::Value;

use super::json;
use crate::args::{DiffArgs, Format};
use crate::exit::{Exit, Failure};
use crate::report::table::{section, table};
use crate::{input, output};

pub(super) fn run(args: &DiffArgs) -> Result<Exit, Failure> {
    if args.before.as_os_str() == "-" && args.after.as_os_str() == "-" {
        return Err(Failure::usage(
            "only one of the two plans can come from standard input",
        ));
    }
    let (before, after) = (input::plan(&args.before)?, input::plan(&args.after)?);
    let found = diff(&before, &after);
    output::print(match args.output {
        Format::Json => json(&found)?,
        Format::Table => shown(&found),
    })?;
    Ok(Exit::Yes)
}

/// What two plans have different, in sections.
pub(super) fn shown(found: &PlanDiff) -> String {
    if found.is_empty() {
        return format!(
            "The plans are the same to the byte: {}\n",
            found.digest.before
        );
    }
    let status = &found.status;
    let head = format!(
        "{} ({}) → {} ({})\n",
        found.digest.before,
        status.before.as_str(),
        found.digest.after,
        status.after.as_str()
    );
    let mut sections = vec![
        head,
        problem(found),
        costs(found),
        replicas(found),
        nodes(found),
        steps(found),
    ];
    sections.retain(|section| !section.is_empty());
    sections.join("\n")
}

fn rows_or_nothing(heading: &str, header: [&str; 3], rows: Vec<[String; 3]>) -> String {
    if rows.is_empty() {
        String::new()
    } else {
        section(heading, &table(header, rows, 1..=2))
    }
}

fn problem(found: &PlanDiff) -> String {
    let value = |value: &Option<Value>| value.as_ref().map_or("–".to_owned(), short);
    let row = |change: &ProblemChange| {
        [
            change.path.clone(),
            value(&change.value.before),
            value(&change.value.after),
        ]
    };
    let mut rows: Vec<[String; 3]> = found.problem.iter().map(row).collect();
    if found.problem_changes_left_out > 0 {
        rows.push([
            format!("and {} more", found.problem_changes_left_out),
            String::new(),
            String::new(),
        ]);
    }
    rows_or_nothing("The problems differ", ["value", "before", "after"], rows)
}

/// A value on one line; a long one cut.
fn short(value: &Value) -> String {
    const MOST: usize = 60;
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    if text.chars().count() <= MOST {
        text
    } else {
        text.chars().take(MOST).chain(['…']).collect()
    }
}

fn costs(found: &PlanDiff) -> String {
    let usd = |usd: Option<f64>| usd.map_or("–".to_owned(), |usd| format!("{usd:.4}"));
    let mut rows: Vec<[String; 3]> = (found.costs.iter())
        .map(|cost| {
            [
                cost.term.clone(),
                usd(cost.usd_per_hour.before),
                usd(cost.usd_per_hour.after),
            ]
        })
        .collect();
    let percent =
        |gap: Option<f64>| gap.map_or("–".to_owned(), |gap| format!("{:.2} %", gap * 100.0));
    rows.push([
        "gap".to_owned(),
        percent(found.gap.before),
        percent(found.gap.after),
    ]);
    rows_or_nothing("Costs, USD/h", ["term", "before", "after"], rows)
}

fn replicas(found: &PlanDiff) -> String {
    let rows = found.replicas.iter().map(|change| {
        let place = format!("{} in {}", change.service, change.cluster);
        [
            place,
            change.replicas.before.to_string(),
            change.replicas.after.to_string(),
        ]
    });
    rows_or_nothing("Replicas", ["service", "before", "after"], rows.collect())
}

fn nodes(found: &PlanDiff) -> String {
    let rows = found.nodes.iter().map(|change| {
        let offering = format!("{}/{}", change.pool, change.offering);
        [
            offering,
            change.nodes.before.to_string(),
            change.nodes.after.to_string(),
        ]
    });
    rows_or_nothing("Nodes", ["offering", "before", "after"], rows.collect())
}

fn steps(found: &PlanDiff) -> String {
    let rows = found.steps.iter().map(|change| {
        [
            change.action.replace('_', " "),
            change.steps.before.to_string(),
            change.steps.after.to_string(),
        ]
    });
    rows_or_nothing("Steps", ["kind", "before", "after"], rows.collect())
}
