//! The log of what happened: append-only, each event's digest covering the one before.

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnection;

use super::{Store, StoreError};

/// Events read at a time while the whole log is checked.
const CHECKED_AT_A_TIME: i64 = 1000;

/// Something that happened to a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// Name of the problem.
    pub problem: String,
    /// What kind, such as `decision`.
    pub kind: String,
    /// What, in words.
    pub message: String,
    /// Everything about it, as JSON text.
    pub details: String,
}

/// A happening in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its number, from 1 without gaps.
    pub number: u64,
    /// What happened.
    pub happening: Happening,
    /// SHA-256, in hexadecimal, over the digest before and all of this event.
    pub digest: String,
}

/// A page of events, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    /// The events.
    pub events: Vec<Event>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<u64>,
}

/// What checking the whole log gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Events in the log.
    pub events: u64,
    /// Digest of the last; kept elsewhere, it proves later that nothing was cut off the end.
    pub last_digest: Option<String>,
    /// The first event that does not follow from those before it, and why.
    pub broken: Option<(u64, String)>,
}

type EventRow = (i64, i64, String, String, String, String, String);

impl Store {
    /// Adds to the log, in order. On return it is on disk.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn append(&self, happenings: &[Happening]) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        append(&mut transaction, happenings).await?;
        Ok(transaction.commit().await?)
    }

    /// At most `size` events, the newest first, of one problem or of all; from `before` (an [`EventPage::next`]) on.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn events(
        &self,
        problem: Option<&str>,
        before: Option<u64>,
        size: u32,
    ) -> Result<EventPage, StoreError> {
        let rows: Vec<EventRow> = sqlx::query_as(
            "SELECT number, at_ms, problem, kind, message, details, digest FROM events
             WHERE number < ?1 AND (?2 IS NULL OR problem = ?2) ORDER BY number DESC LIMIT ?3",
        )
        .bind(before.map_or(i64::MAX, |number| i64::try_from(number).unwrap_or(i64::MAX)))
        .bind(problem)
        .bind(i64::from(size) + 1)
        .fetch_all(&self.pool)
        .await?;
        let fits = usize::try_from(size).unwrap_or(usize::MAX);
        let more = rows.len() > fits;
        let events = rows.into_iter().take(fits).map(event);
        let events = events.collect::<Result<Vec<_>, _>>()?;
        let next = events.last().filter(|_| more).map(|event| event.number);
        Ok(EventPage { events, next })
    }

    /// Checks the whole log: numbers without gaps, and every digest.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn audit(&self) -> Result<Audit, StoreError> {
        let mut audit = Audit {
            events: 0,
            last_digest: None,
            broken: None,
        };
        loop {
            let rows: Vec<EventRow> = sqlx::query_as(
                "SELECT number, at_ms, problem, kind, message, details, digest FROM events
                 WHERE number > ? ORDER BY number LIMIT ?",
            )
            .bind(i64::try_from(audit.events).unwrap_or(i64::MAX))
            .bind(CHECKED_AT_A_TIME)
            .fetch_all(&self.pool)
            .await?;
            if rows.is_empty() {
                return Ok(audit);
            }
            for row in rows {
                let event = event(row)?;
                if let Err(reason) = follows(&audit, &event) {
                    audit.broken = Some((event.number, reason));
                    return Ok(audit);
                }
                audit.events = event.number;
                audit.last_digest = Some(event.digest);
            }
        }
    }
}

/// Whether an event follows those that were checked before it.
fn follows(before: &Audit, event: &Event) -> Result<(), String> {
    let expected = before.events + 1;
    if event.number != expected {
        return Err(format!(
            "its number should be {expected}: events are missing"
        ));
    }
    let previous = before.last_digest.as_deref().unwrap_or_default();
    let computed = digest(previous, event.number, &event.happening)?;
    if computed == event.digest {
        Ok(())
    } else {
        Err(format!(
            "its digest should be {computed}: it, or an event before it, was changed"
        ))
    }
}

/// Adds to the log within a transaction that no other writer can come between.
pub(super) async fn append(
    connection: &mut SqliteConnection,
    happenings: &[Happening],
) -> Result<(), StoreError> {
    let last: Option<(i64, String)> =
        sqlx::query_as("SELECT number, digest FROM events ORDER BY number DESC LIMIT 1")
            .fetch_optional(&mut *connection)
            .await?;
    let (mut number, mut previous) = last.unwrap_or_default();
    for happening in happenings {
        number += 1;
        previous =
            digest(&previous, number.unsigned_abs(), happening).map_err(StoreError::Damaged)?;
        sqlx::query("INSERT INTO events (number, at_ms, problem, kind, message, details, digest) VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(number)
            .bind(happening.at.as_millisecond())
            .bind(&happening.problem)
            .bind(&happening.kind)
            .bind(&happening.message)
            .bind(&happening.details)
            .bind(&previous)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

/// SHA-256 over the canonical JSON of the digest before and all of an event, times in milliseconds.
fn digest(previous: &str, number: u64, happening: &Happening) -> Result<String, String> {
    #[derive(Serialize)]
    struct Covered<'a> {
        previous: &'a str,
        number: u64,
        at_ms: i64,
        problem: &'a str,
        kind: &'a str,
        message: &'a str,
        details: &'a str,
    }
    let covered = Covered {
        previous,
        number,
        at_ms: happening.at.as_millisecond(),
        problem: &happening.problem,
        kind: &happening.kind,
        message: &happening.message,
        details: &happening.details,
    };
    // Fields stand in a fixed order, so that equal events have equal bytes.
    let bytes = serde_json::to_vec(&covered).map_err(|error| error.to_string())?;
    Ok(Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

fn event(row: EventRow) -> Result<Event, StoreError> {
    let (number, at_ms, problem, kind, message, details, digest) = row;
    let damaged = |what: String| StoreError::Damaged(format!("event {number}: {what}"));
    let at = Timestamp::from_millisecond(at_ms).map_err(|error| damaged(error.to_string()))?;
    let number = u64::try_from(number).map_err(|error| damaged(error.to_string()))?;
    Ok(Event {
        number,
        happening: Happening {
            at,
            problem,
            kind,
            message,
            details,
        },
        digest,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn happening(number: i64, problem: &str) -> Happening {
        Happening {
            at: Timestamp::from_millisecond(1_700_000_000_000 + number).unwrap(),
            problem: problem.to_owned(),
            kind: "decision".to_owned(),
            message: format!("the {number}th"),
            details: format!("{{\"n\":{number}}}"),
        }
    }

    async fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("plans.sqlite"))
            .await
            .unwrap();
        (folder, store)
    }

    #[tokio::test]
    async fn events_are_kept_in_order_and_paged() {
        let (_folder, store) = store().await;
        for number in 0..7 {
            let problem = if number % 2 == 0 { "even" } else { "odd" };
            store.append(&[happening(number, problem)]).await.unwrap();
        }
        let page = store.events(Some("even"), None, 3).await.unwrap();
        let told = |page: &EventPage| -> Vec<u64> {
            page.events.iter().map(|event| event.number).collect()
        };
        assert_eq!(told(&page), [7, 5, 3]);
        let page = store.events(Some("even"), page.next, 3).await.unwrap();
        assert_eq!((told(&page), page.next), (vec![1], None));
        assert_eq!(store.events(None, None, 100).await.unwrap().events.len(), 7);
        let audit = store.audit().await.unwrap();
        assert_eq!((audit.events, audit.broken), (7, None));
    }

    /// Who has the file can drop triggers; the digests tell all the same.
    #[tokio::test]
    async fn a_change_of_the_log_is_found() {
        let forgeries = [
            ("UPDATE events SET message = 'nothing' WHERE number = 2", 2),
            ("UPDATE events SET at_ms = at_ms + 1 WHERE number = 3", 3),
            ("UPDATE events SET details = '{}' WHERE number = 1", 1),
            ("DELETE FROM events WHERE number = 2", 3),
            ("UPDATE events SET number = 9 WHERE number = 4", 9),
        ];
        for (forgery, found_at) in forgeries {
            let (_folder, store) = store().await;
            let happenings: Vec<Happening> = (0..4).map(|number| happening(number, "a")).collect();
            store.append(&happenings).await.unwrap();
            let refused = sqlx::query(forgery).execute(&store.pool).await.unwrap_err();
            assert!(refused.to_string().contains("append-only"), "{refused}");
            for trigger in ["events_are_never_changed", "events_are_never_dropped"] {
                sqlx::query(sqlx::AssertSqlSafe(format!("DROP TRIGGER {trigger}")))
                    .execute(&store.pool)
                    .await
                    .unwrap();
            }
            sqlx::query(forgery).execute(&store.pool).await.unwrap();
            let broken = store.audit().await.unwrap().broken;
            assert_eq!(
                broken.as_ref().map(|broken| broken.0),
                Some(found_at),
                "{forgery}: {broken:?}"
            );
        }
    }

    #[tokio::test]
    async fn writers_at_the_same_time_make_one_chain() {
        let (folder, store) = store().await;
        let other = Store::open(&folder.path().join("plans.sqlite"))
            .await
            .unwrap();
        let writers = (0..20).map(|number| {
            let store = if number % 2 == 0 {
                store.clone()
            } else {
                other.clone()
            };
            tokio::spawn(async move {
                store
                    .append(&[happening(number, "a"), happening(number, "b")])
                    .await
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap().unwrap();
        }
        let audit = store.audit().await.unwrap();
        assert_eq!((audit.events, audit.broken), (40, None));
    }
}
