//! `ketscale doctor`: checks every query against a Prometheus, and says what to do about what is missing.

use jiff::Timestamp;
use ketscale_service::live::{self as readings, Diagnosis, Item, Owner, QueryCheck, State};

use super::{json, live};
use crate::args::{DoctorArgs, Format};
use crate::exit::{Exit, Failure};
use crate::report::table::{list, section, table};
use crate::{input, output};

pub(super) fn run(args: &DoctorArgs) -> Result<Exit, Failure> {
    let problem = input::problem(&args.problem)?;
    let queries = live::queries(args.queries.as_deref())?;
    let client = live::client(&args.prometheus, &queries)?;
    let now = Timestamp::now();
    let diagnosis = live::wait(readings::diagnose(&problem, &client, &queries, now))?;
    let diagnosis = diagnosis.map_err(live::refuse_prometheus)?;
    output::print(match args.output {
        Format::Table => report(&diagnosis),
        Format::Json => json(&diagnosis)?,
    })?;
    Ok(if diagnosis.is_sufficient() {
        Exit::Yes
    } else {
        Exit::No
    })
}

fn report(diagnosis: &Diagnosis) -> String {
    let mut parts = vec![headline(diagnosis)];
    let obstacles = diagnosis.obstacles.iter().map(String::as_str);
    parts.push(section("In the way of everything", &list("  !", obstacles)));
    parts.push(section("Queries", &queries(&diagnosis.queries)));
    for check in &diagnosis.services {
        parts.push(section(&check.service, &items(&check.items)));
    }
    parts.push(section("Nodes and prices", &items(&diagnosis.fleet)));
    parts.push(section("What to do", &what_to_do(diagnosis)));
    let owners: Vec<String> = diagnosis.owners.iter().map(owner).collect();
    let owners = list("  -", owners.iter().map(String::as_str));
    parts.push(section("Who else sets what a plan would change", &owners));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn headline(diagnosis: &Diagnosis) -> String {
    let verdict = if diagnosis.is_sufficient() {
        "Everything that a plan from live values needs is there."
    } else {
        "Something that a plan from live values needs is missing; the lines marked ! say what."
    };
    let clock = match diagnosis.clock_ahead_seconds {
        None => "it does not say what time it is".to_owned(),
        Some(ahead) if ahead.abs() < 0.5 => "its clock agrees with this machine's".to_owned(),
        Some(ahead) if ahead > 0.0 => format!("its clock is {ahead:.0} s ahead of this machine's"),
        Some(ahead) => format!("its clock is {:.0} s behind this machine's", -ahead),
    };
    format!(
        "{}: {clock}.\n{verdict}\nLines marked ? say what may be missing: there the file's value stays.\n",
        diagnosis.url
    )
}

fn queries(checks: &[QueryCheck]) -> String {
    let row = |check: &QueryCheck| {
        [
            mark(check.state, check.state == State::Failed).to_owned(),
            check.name.clone(),
            name(check.state).to_owned(),
            if check.series == 0 {
                String::new()
            } else {
                check.series.to_string()
            },
            check.age_seconds.map(ages).unwrap_or_default(),
            check.advice.clone().unwrap_or_default(),
        ]
    };
    let header = ["", "Query", "", "Series", "Age s", "If it should be there"];
    table(header, checks.iter().map(row), 3..=4)
}

/// Age of the newest to that of the oldest sample.
fn ages((newest, oldest): (f64, f64)) -> String {
    let (newest, oldest) = (format!("{newest:.0}"), format!("{oldest:.0}"));
    if newest == oldest {
        newest
    } else {
        format!("{newest}–{oldest}")
    }
}

fn items(items: &[Item]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let row = |item: &Item| {
        [
            mark(item.state, item.needed).to_owned(),
            item.path.clone(),
            name(item.state).to_owned(),
            item.value.map(value).unwrap_or_default(),
            (item.age_seconds)
                .map(|age| format!("{age:.0}"))
                .unwrap_or_default(),
            item.reason.as_deref().map(short).unwrap_or_default(),
        ]
    };
    let header = ["", "Value", "", "Now", "Age s", "Why not"];
    table(header, items.iter().map(row), 3..=4)
}

/// A reason without the queries that were tried in vain, which the table of queries has.
fn short(reason: &str) -> String {
    reason.split(", nor ").next().unwrap_or(reason).to_owned()
}

/// Four significant digits are enough to see whether a value is plausible.
fn value(value: f64) -> String {
    if value == value.trunc() && value.abs() < 1e15 {
        format!("{value}")
    } else {
        let digits = 3 - value.abs().log10().floor().clamp(-9.0, 3.0) as i32;
        format!("{value:.*}", usize::try_from(digits).unwrap_or(0))
    }
}

/// `!` for what is needed and not there, `?` for what may be missing.
fn mark(state: State, needed: bool) -> &'static str {
    match (state, needed) {
        (State::Found, _) => "",
        (_, true) => "!",
        (_, false) => "?",
    }
}

fn name(state: State) -> &'static str {
    match state {
        State::Found => "found",
        State::Missing => "missing",
        State::Stale => "stale",
        State::Unusable => "unusable",
        State::Failed => "failed",
    }
}

/// Each piece of advice once, with the values that it is for; and what queries failed of.
fn what_to_do(diagnosis: &Diagnosis) -> String {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    let mut add = |advice: &str, whom: String| {
        match lines.iter_mut().find(|(known, _)| known == advice) {
            Some((_, all)) => all.push(whom),
            None => lines.push((advice.to_owned(), vec![whom])),
        };
    };
    for check in &diagnosis.queries {
        if let (State::Failed, Some(reason)) = (check.state, &check.reason) {
            add(reason, format!("query {}", check.name));
        }
    }
    for check in &diagnosis.services {
        for item in &check.items {
            if let Some(advice) = &item.advice {
                add(advice, format!("{} {}", check.service, item.path));
            }
        }
    }
    for item in &diagnosis.fleet {
        if let Some(advice) = &item.advice {
            add(advice, item.path.clone());
        }
    }
    let lines: Vec<String> = (lines.iter())
        .map(|(advice, whom)| format!("{}: {advice}", whom.join(", ")))
        .collect();
    list("  -", lines.iter().map(String::as_str))
}

fn owner(owner: &Owner) -> String {
    let name = if owner.name.is_empty() {
        String::new()
    } else {
        format!(" {}", owner.name)
    };
    format!(
        "{} is set by {}{name} ({}): {}",
        owner.field, owner.kind, owner.evidence, owner.advice
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_four_digits() {
        for (number, text) in [
            (3.0, "3"),
            (0.0, "0"),
            (12.3456, "12.35"),
            (0.0123456, "0.01235"),
            (1234.56, "1235"),
            (268_435_456.0, "268435456"),
        ] {
            assert_eq!(value(number), text);
        }
    }
}
