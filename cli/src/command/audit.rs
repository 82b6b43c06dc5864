//! `ketscale audit`: shows what happened, from a store's log, and whether the log is whole.

use std::path::Path;

use ketscale_service::store::{Audit, Event, Store, StoreError};
use serde_json::{Value, json};

use super::live;
use crate::args::{AuditArgs, Format};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::report::table::{list, section, table};

pub(super) fn run(args: &AuditArgs) -> Result<Exit, Failure> {
    // Opening would make the file.
    if !args.store.exists() {
        let file = args.store.display();
        return Err(Failure::input(format!(
            "{file}: no such file; `ketscale serve --store` makes one"
        )));
    }
    let read = read(&args.store, args.problem.as_deref(), args.last);
    let (audit, events) = live::wait(read)?.map_err(Failure::environment)?;
    match args.output {
        Format::Table => output::print(shown(&audit, &events))?,
        Format::Json => output::print(super::json(&as_json(&audit, &events))?)?,
    }
    Ok(if audit.broken.is_none() {
        Exit::Yes
    } else {
        Exit::No
    })
}

/// The state of the log, and its last events, the oldest of them first.
async fn read(
    path: &Path,
    problem: Option<&str>,
    last: u32,
) -> Result<(Audit, Vec<Event>), StoreError> {
    let store = Store::open(path).await?;
    let audit = store.audit().await?;
    let mut events = store.events(problem, None, last).await?.events;
    events.reverse();
    store.close().await;
    Ok((audit, events))
}

fn shown(audit: &Audit, events: &[Event]) -> String {
    let rows = events.iter().map(|event| {
        let what = &event.happening;
        [
            event.number.to_string(),
            what.at.to_string(),
            what.problem.clone(),
            what.kind.clone(),
            what.message.clone(),
        ]
    });
    let events = if events.is_empty() {
        String::new()
    } else {
        table(["", "when", "problem", "what", ""], rows, 0..=0)
    };
    let state = match &audit.broken {
        None => format!(
            "The log is whole: {} events, each bound to the one before.",
            audit.events
        ),
        Some((number, reason)) => format!("The log was tampered with at event {number}: {reason}."),
    };
    let last = audit.last_digest.iter().map(|digest| {
        format!(
            "The last digest is {digest}; kept elsewhere, it proves later that nothing was cut off."
        )
    });
    let lines: Vec<String> = std::iter::once(state).chain(last).collect();
    let state = section("Audit", &list("", lines.iter().map(String::as_str)));
    if events.is_empty() {
        state
    } else {
        format!("{events}\n\n{state}")
    }
}

fn as_json(audit: &Audit, events: &[Event]) -> Value {
    let event = |event: &Event| {
        let what = &event.happening;
        json!({
            "number": event.number,
            "at": what.at.to_string(),
            "problem": what.problem,
            "kind": what.kind,
            "message": what.message,
            "details": serde_json::from_str::<Value>(&what.details).unwrap_or(Value::Null),
            "digest": event.digest,
        })
    };
    let broken = audit
        .broken
        .as_ref()
        .map(|(number, reason)| json!({"number": number, "reason": reason}));
    json!({
        "whole": broken.is_none(),
        "broken": broken,
        "events_in_log": audit.events,
        "last_digest": audit.last_digest,
        "events": events.iter().map(event).collect::<Vec<_>>(),
    })
}
