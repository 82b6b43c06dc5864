//! `ketscale snapshot`: writes what a Prometheus knows of a fleet now, and says what is missing.

use std::path::PathBuf;

use jiff::Timestamp;
use ketscale_engine::plan::Gap;
use ketscale_engine::snapshot::Snapshot;
use ketscale_service::live as readings;

use super::{json, live};
use crate::args::SnapshotArgs;
use crate::exit::{Exit, Failure};
use crate::report::table::{count, list};
use crate::{input, output};

pub(super) fn run(args: &SnapshotArgs) -> Result<Exit, Failure> {
    let problem = input::problem(&args.problem)?;
    let queries = live::queries(args.queries.as_deref())?;
    let client = live::client(&args.prometheus, &queries)?;
    let now = Timestamp::now();
    let snapshot = live::wait(readings::snapshot(problem, &client, &queries, now))?;
    let snapshot = snapshot.map_err(live::refuse)?;
    let file = json(&snapshot)?;
    match path(args, &snapshot) {
        None => {
            output::print(file)?;
            said(&snapshot, None).lines().for_each(output::say);
        }
        Some(path) => {
            output::write_file(&path, file.as_bytes())?;
            output::print(said(&snapshot, Some(&path.display().to_string())))?;
        }
    }
    Ok(Exit::Yes)
}

/// Where to write: a file, or one named by the time in a folder.
fn path(args: &SnapshotArgs, snapshot: &Snapshot) -> Option<PathBuf> {
    let in_folder = |folder: &PathBuf| folder.join(snapshot.file_name());
    (args.out.clone()).or_else(|| args.out_dir.as_ref().map(in_folder))
}

/// What was read and what is missing.
fn said(snapshot: &Snapshot, path: Option<&str>) -> String {
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let age = snapshot.source(snapshot.taken_at_seconds).age_seconds;
    let mut text = format!(
        "{}: {} read{}, {} missing.\n",
        snapshot.problem.name,
        count(number(snapshot.readings.len()), "value"),
        age.map(|age| format!(", the oldest {age:.0} s old"))
            .unwrap_or_default(),
        snapshot.gaps.len()
    );
    if !snapshot.gaps.is_empty() {
        let line = |gap: &Gap| format!("{}: {}\nquery: {}", gap.path, gap.reason, gap.query);
        let lines: Vec<String> = snapshot.gaps.iter().map(line).collect();
        text.push_str("Missing, so that the file's value stays\n");
        text.push_str(&list("  -", lines.iter().map(String::as_str)));
        text.push_str("\n`ketscale doctor` with the same arguments says what to do about it.\n");
    }
    if let Some(path) = path {
        text.push_str(&format!("Written to {path}\n"));
    }
    text
}
