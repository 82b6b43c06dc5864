//! Plans, events and what the control loop remembers, on disk: SQLite with a write-ahead log, every write on disk before it is reported.

mod cycles;
mod events;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use ketscale_engine::verify::VerifiedPlan;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use crate::headline::Headline;

pub use cycles::{Cycle, Outcomes};
pub use events::{Audit, Event, EventPage, Happening};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// How long a write waits for another one.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Most connections; SQLite reads in parallel and writes one at a time.
const MAX_CONNECTIONS: u32 = 4;

/// Why the store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be opened or brought to the current layout.
    #[error("the plan store {} cannot be opened: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// The database failed: disk full, file locked, file damaged.
    #[error("the plan store failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A row that this program did not write.
    #[error("the plan store is damaged: {0}")]
    Damaged(String),
    /// The request id stands for another request.
    #[error("request id {request_id:?} was used for another request before")]
    RequestIdTaken {
        /// The request id.
        request_id: String,
    },
}

/// A stored plan.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredPlan {
    /// The plan file.
    pub bytes: Vec<u8>,
    /// Its line in lists.
    pub entry: Entry,
}

impl StoredPlan {
    /// A verified plan as it is kept.
    pub(crate) fn of(plan: &VerifiedPlan, created_at: Timestamp) -> Self {
        let headline = Headline::of(plan.plan(), plan.bytes().len());
        Self {
            bytes: plan.bytes().to_vec(),
            entry: Entry {
                digest: plan.plan().digest.clone(),
                created_at,
                headline,
            },
        }
    }
}

/// A stored plan in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The plan's digest, which is its name.
    pub digest: String,
    /// When it was stored first.
    pub created_at: Timestamp,
    /// The plan at a glance.
    pub headline: Headline,
}

/// A request that asked for a promise of idempotency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// Chosen by the client.
    pub request_id: String,
    /// Hash of everything else in the request.
    pub fingerprint: String,
}

/// A page of a list, the newest plan first.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The plans.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<i64>,
}

/// The plan store; clones share one pool of connections.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
}

type PlanRow = (String, i64, String, Vec<u8>);
type EntryRow = (i64, String, i64, String);

impl Store {
    /// Opens the file, makes it if it is missing (its folder must exist), and brings it to the current layout.
    ///
    /// # Errors
    /// [`StoreError::Open`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let refuse = |reason: String| StoreError::Open {
            path: path.to_owned(),
            reason,
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // With a write-ahead log only FULL has a commit on disk before it is reported: https://sqlite.org/pragma.html#pragma_synchronous
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let pool = SqlitePoolOptions::new()
            .max_connections(MAX_CONNECTIONS)
            .connect_with(options)
            .await
            .map_err(|error| refuse(error.to_string()))?;
        MIGRATIONS
            .run(&pool)
            .await
            .map_err(|error| refuse(error.to_string()))?;
        Ok(Self { pool })
    }

    /// Keeps a plan. One that is there already stays as it is, with its first date. On return it is on disk.
    ///
    /// With a request key the answer is the plan that this request made first, which another process may have stored meanwhile.
    ///
    /// # Errors
    /// [`StoreError::RequestIdTaken`], and failures of the database.
    pub async fn put(
        &self,
        plan: StoredPlan,
        request: Option<&RequestKey>,
    ) -> Result<StoredPlan, StoreError> {
        // Immediate: a transaction that reads first and writes later can fail half-way when another one writes between.
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(request) = request
            && let Some(digest) = made_by(&mut transaction, request).await?
        {
            return get(&mut transaction, &digest)
                .await?
                .ok_or_else(|| StoreError::Damaged(format!("plan {digest} is gone")));
        }
        insert(&mut transaction, &plan).await?;
        if let Some(request) = request {
            sqlx::query("INSERT INTO requests (request_id, fingerprint, digest, created_at_ms) VALUES (?, ?, ?, ?)")
                .bind(&request.request_id)
                .bind(&request.fingerprint)
                .bind(&plan.entry.digest)
                .bind(plan.entry.created_at.as_millisecond())
                .execute(&mut *transaction)
                .await?;
        }
        let kept = get(&mut transaction, &plan.entry.digest).await?;
        transaction.commit().await?;
        kept.ok_or_else(|| StoreError::Damaged(format!("plan {} was not kept", plan.entry.digest)))
    }

    /// The plan with a digest.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn get(&self, digest: &str) -> Result<Option<StoredPlan>, StoreError> {
        get(&mut *self.pool.acquire().await?, digest).await
    }

    /// The plan that a request made before.
    ///
    /// # Errors
    /// [`StoreError::RequestIdTaken`] when its id stands for another request, and failures of the database.
    pub async fn find(&self, request: &RequestKey) -> Result<Option<StoredPlan>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        match made_by(&mut connection, request).await? {
            Some(digest) => get(&mut connection, &digest).await,
            None => Ok(None),
        }
    }

    /// At most `size` plans, those stored last first, of one problem or of all; from `before` (a [`Page::next`]) on.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn list(
        &self,
        problem: Option<&str>,
        before: Option<i64>,
        size: u32,
    ) -> Result<Page, StoreError> {
        let rows: Vec<EntryRow> = sqlx::query_as(
            "SELECT seq, digest, created_at_ms, headline FROM plans
             WHERE seq < ?1 AND (?2 IS NULL OR problem = ?2) ORDER BY seq DESC LIMIT ?3",
        )
        .bind(before.unwrap_or(i64::MAX))
        .bind(problem)
        .bind(i64::from(size) + 1)
        .fetch_all(&self.pool)
        .await?;
        let fits = usize::try_from(size).unwrap_or(usize::MAX);
        let next = (rows.len() > fits)
            .then(|| rows.iter().take(fits).next_back().map(|row| row.0))
            .flatten();
        let entries = rows
            .into_iter()
            .take(fits)
            .map(|(_, digest, at, headline)| entry(digest, at, &headline));
        Ok(Page {
            entries: entries.collect::<Result<_, _>>()?,
            next,
        })
    }

    /// Closes all connections, so that the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// The digest of the plan that a request made.
async fn made_by(
    connection: &mut SqliteConnection,
    request: &RequestKey,
) -> Result<Option<String>, StoreError> {
    let row: Option<(String, String)> =
        sqlx::query_as("SELECT fingerprint, digest FROM requests WHERE request_id = ?")
            .bind(&request.request_id)
            .fetch_optional(connection)
            .await?;
    match row {
        Some((fingerprint, _)) if fingerprint != request.fingerprint => {
            Err(StoreError::RequestIdTaken {
                request_id: request.request_id.clone(),
            })
        }
        other => Ok(other.map(|(_, digest)| digest)),
    }
}

async fn get(
    connection: &mut SqliteConnection,
    digest: &str,
) -> Result<Option<StoredPlan>, StoreError> {
    let row: Option<PlanRow> = sqlx::query_as(
        "SELECT digest, created_at_ms, headline, plan_json FROM plans WHERE digest = ?",
    )
    .bind(digest)
    .fetch_optional(connection)
    .await?;
    row.map(|(digest, at, headline, bytes)| {
        Ok(StoredPlan {
            bytes,
            entry: entry(digest, at, &headline)?,
        })
    })
    .transpose()
}

async fn insert(connection: &mut SqliteConnection, plan: &StoredPlan) -> Result<(), StoreError> {
    let headline = serde_json::to_string(&plan.entry.headline)
        .map_err(|error| StoreError::Damaged(error.to_string()))?;
    sqlx::query(
        "INSERT INTO plans (digest, created_at_ms, problem, headline, plan_json) VALUES (?, ?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING",
    )
    .bind(&plan.entry.digest)
    .bind(plan.entry.created_at.as_millisecond())
    .bind(&plan.entry.headline.problem)
    .bind(headline)
    .bind(&plan.bytes)
    .execute(connection)
    .await?;
    Ok(())
}

fn entry(digest: String, created_at_ms: i64, headline: &str) -> Result<Entry, StoreError> {
    let damaged = |what: String| StoreError::Damaged(format!("plan {digest}: {what}"));
    let created_at =
        Timestamp::from_millisecond(created_at_ms).map_err(|error| damaged(error.to_string()))?;
    let headline = serde_json::from_str(headline).map_err(|error| damaged(error.to_string()))?;
    Ok(Entry {
        digest,
        created_at,
        headline,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use ketscale_engine::plan::{Action, Status};

    use super::*;

    fn plan(number: u32, problem: &str) -> StoredPlan {
        let headline = Headline {
            problem: problem.to_owned(),
            status: Status::Feasible,
            action: Action::Publish,
            cost_usd_per_hour: Some(f64::from(number) + 0.1),
            current_cost_usd_per_hour: None,
            baseline_cost_usd_per_hour: Some(7.25),
            bound_usd_per_hour: Some(0.1),
            gap: None,
            replicas: number,
            nodes: 3,
            synthetic: true,
            gaps: 1,
            cut_by_clock: false,
            plan_bytes: 4,
        };
        let created_at =
            Timestamp::from_millisecond(1_700_000_000_123 + i64::from(number)).unwrap();
        let entry = Entry {
            digest: format!("sha256:{number:064x}"),
            created_at,
            headline,
        };
        StoredPlan {
            bytes: vec![0, 255, 10, u8::try_from(number % 256).unwrap()],
            entry,
        }
    }

    fn request(id: &str, fingerprint: &str) -> RequestKey {
        RequestKey {
            request_id: id.to_owned(),
            fingerprint: fingerprint.to_owned(),
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
    async fn a_plan_comes_back_byte_for_byte_also_after_reopening() {
        let (folder, store) = store().await;
        let kept = store.put(plan(1, "a"), None).await.unwrap();
        assert_eq!(kept, plan(1, "a"));
        store.close().await;
        let store = Store::open(&folder.path().join("plans.sqlite"))
            .await
            .unwrap();
        assert_eq!(store.get(&kept.entry.digest).await.unwrap(), Some(kept));
        assert_eq!(store.get("sha256:none").await.unwrap(), None);
    }

    #[tokio::test]
    async fn the_same_plan_is_kept_once_with_its_first_date() {
        let (_folder, store) = store().await;
        store.put(plan(1, "a"), None).await.unwrap();
        let mut later = plan(1, "a");
        later.entry.created_at = plan(9, "a").entry.created_at;
        let kept = store.put(later, Some(&request("r", "f"))).await.unwrap();
        assert_eq!(kept, plan(1, "a"));
        assert_eq!(store.list(None, None, 10).await.unwrap().entries.len(), 1);
        assert_eq!(store.find(&request("r", "f")).await.unwrap(), Some(kept));
    }

    #[tokio::test]
    async fn a_request_id_stands_for_one_request() {
        let (_folder, store) = store().await;
        assert_eq!(store.find(&request("r", "f")).await.unwrap(), None);
        store
            .put(plan(1, "a"), Some(&request("r", "f")))
            .await
            .unwrap();
        // A retry that made another plan (cut by the clock) still gets the first, and the other is not kept.
        assert_eq!(
            store
                .put(plan(2, "a"), Some(&request("r", "f")))
                .await
                .unwrap(),
            plan(1, "a")
        );
        assert_eq!(store.get(&plan(2, "a").entry.digest).await.unwrap(), None);
        let taken = store
            .put(plan(3, "a"), Some(&request("r", "g")))
            .await
            .unwrap_err();
        assert!(
            matches!(taken, StoreError::RequestIdTaken { ref request_id } if request_id == "r"),
            "{taken}"
        );
        assert!(matches!(
            store.find(&request("r", "g")).await,
            Err(StoreError::RequestIdTaken { .. })
        ));
        assert_eq!(store.get(&plan(3, "a").entry.digest).await.unwrap(), None);
    }

    #[tokio::test]
    async fn pages_hold_every_plan_once_although_others_are_added() {
        let (_folder, store) = store().await;
        for number in 1..=7 {
            store
                .put(
                    plan(number, if number % 2 == 0 { "even" } else { "odd" }),
                    None,
                )
                .await
                .unwrap();
        }
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = store.list(None, before, 3).await.unwrap();
            seen.extend(page.entries.iter().map(|entry| entry.headline.replicas));
            store
                .put(plan(100 + u32::try_from(seen.len()).unwrap(), "new"), None)
                .await
                .unwrap();
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
        let odd = store.list(Some("odd"), None, 2).await.unwrap();
        assert_eq!(
            odd.entries
                .iter()
                .map(|entry| entry.headline.replicas)
                .collect::<Vec<_>>(),
            [7, 5]
        );
        assert!(
            store
                .list(Some("odd"), odd.next, 2)
                .await
                .unwrap()
                .next
                .is_none()
        );
    }

    #[tokio::test]
    async fn writers_at_the_same_time_all_succeed() {
        let (folder, store) = store().await;
        let other = Store::open(&folder.path().join("plans.sqlite"))
            .await
            .unwrap();
        let puts = (0..40).map(|number| {
            let store = if number % 2 == 0 {
                store.clone()
            } else {
                other.clone()
            };
            tokio::spawn(async move {
                store
                    .put(
                        plan(number % 20, "a"),
                        Some(&request(&number.to_string(), "f")),
                    )
                    .await
            })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.unwrap().unwrap();
        }
        assert_eq!(store.list(None, None, 100).await.unwrap().entries.len(), 20);
    }

    #[tokio::test]
    async fn what_is_no_store_is_refused_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("notes.txt");
        std::fs::write(&file, "x".repeat(5000)).unwrap();
        for path in [
            file.clone(),
            folder.path().join("no/such/folder/plans.sqlite"),
            folder.path().to_owned(),
        ] {
            let error = Store::open(&path).await.unwrap_err();
            assert!(
                error.to_string().contains(&*path.to_string_lossy()),
                "{error}"
            );
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap().len(), 5000);
    }
}
