//! Loads from snapshots of a fleet, one file a time.

use serde_json::Value;

use super::trace::Trace;
use crate::problem::{self, InputErrors, Issue, ProblemFile};
use crate::snapshot::SCHEMA;

/// Keys of a snapshot.
const KEYS: [&str; 5] = ["schema", "taken_at_seconds", "problem", "readings", "gaps"];

/// What snapshots say: the fleet of the first one, and the loads of its services over time.
#[derive(Clone, Debug)]
pub struct Snapshots {
    /// The problem of the first snapshot, not completed from the catalogue.
    pub problem: ProblemFile,
    /// Its services' loads; a service that a later snapshot lacks keeps its last one.
    pub trace: Trace,
    /// Services of later snapshots that the first one has not, and that are left out.
    pub left_out: Vec<String>,
}

/// Reads snapshot files, each a name and its bytes, and puts them in the order of their times.
///
/// # Errors
///
/// Every mistake of every file; files of one time, or fewer than two.
pub fn read_snapshots(files: &[(String, Vec<u8>)]) -> Result<Snapshots, Vec<InputErrors>> {
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for (file, bytes) in files {
        match read(bytes, file) {
            Ok((seconds, problem)) => taken.push((seconds, file, problem)),
            Err(issues) => refused.push(InputErrors {
                file: file.clone(),
                issues,
            }),
        }
    }
    taken.sort_by(|a, b| a.0.total_cmp(&b.0));
    for pair in taken.windows(2) {
        if let [(at, first, _), (same, second, _)] = pair
            && at == same
        {
            refused.push(InputErrors {
                file: (*second).clone(),
                issues: vec![issue(
                    "taken_at_seconds",
                    format!("{at} is also that of {first}"),
                )],
            });
        }
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    together(taken)
}

/// Snapshots in the order of their times as one problem under a trace.
fn together(taken: Vec<(f64, &String, ProblemFile)>) -> Result<Snapshots, Vec<InputErrors>> {
    let few = |count: usize| InputErrors {
        file: "snapshots".to_owned(),
        issues: vec![issue(
            "",
            format!("{count} files; a replay needs at least two"),
        )],
    };
    let Some((_, _, problem)) = taken.first().filter(|_| taken.len() > 1) else {
        return Err(vec![few(taken.len())]);
    };
    let times = taken.iter().map(|(seconds, ..)| *seconds).collect();
    let load = |name: &str, index: usize| {
        let (.., problem) = taken.get(index)?;
        let service = problem
            .services
            .iter()
            .find(|service| service.name == name)?;
        service.load.as_ref().map(|load| load.rps)
    };
    let trace = Trace::new(problem, times, load, |_| true).map_err(|message| {
        vec![InputErrors {
            file: "snapshots".to_owned(),
            issues: vec![issue("taken_at_seconds", message)],
        }]
    })?;
    let known = |name: &String| problem.services.iter().any(|service| service.name == *name);
    let later = taken.iter().flat_map(|(.., problem)| &problem.services);
    let mut left_out: Vec<String> = later
        .map(|service| service.name.clone())
        .filter(|name| !known(name))
        .collect();
    left_out.sort();
    left_out.dedup();
    Ok(Snapshots {
        problem: problem.clone(),
        trace,
        left_out,
    })
}

/// Time and problem of a snapshot.
fn read(bytes: &[u8], file: &str) -> Result<(f64, ProblemFile), Vec<Issue>> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        vec![Issue {
            path: String::new(),
            line: Some(error.line()),
            message: format!("is not JSON: {error}"),
        }]
    })?;
    let mut issues = Vec::new();
    let Some(keys) = value.as_object() else {
        return Err(vec![issue(
            "",
            format!("is no snapshot; expected the keys {}", KEYS.join(", ")),
        )]);
    };
    for key in keys.keys().filter(|key| !KEYS.contains(&key.as_str())) {
        issues.push(issue(
            key,
            format!("is not known; expected one of {}", KEYS.join(", ")),
        ));
    }
    if keys.get("schema").and_then(Value::as_str) != Some(SCHEMA) {
        issues.push(issue("schema", format!("expected {SCHEMA}")));
    }
    let seconds = keys.get("taken_at_seconds").and_then(Value::as_f64);
    if seconds.is_none() {
        issues.push(issue(
            "taken_at_seconds",
            "expected seconds since the Unix epoch".to_owned(),
        ));
    }
    let problem = match keys.get("problem") {
        Some(problem) => problem::read(problem.to_string().as_bytes(), file)
            .map_err(|errors| issues.extend(errors.issues.into_iter().map(inside)))
            .ok(),
        None => {
            issues.push(issue("problem", "is missing".to_owned()));
            None
        }
    };
    match (seconds, problem) {
        (Some(seconds), Some(problem)) if issues.is_empty() => Ok((seconds, problem)),
        _ => Err(issues),
    }
}

/// A mistake of the problem as one of the snapshot; the line is that of another text.
fn inside(issue: Issue) -> Issue {
    let dot = if issue.path.is_empty() { "" } else { "." };
    Issue {
        path: format!("problem{dot}{}", issue.path),
        line: None,
        message: issue.message,
    }
}

fn issue(path: &str, message: String) -> Issue {
    Issue {
        path: path.to_owned(),
        line: None,
        message,
    }
}
