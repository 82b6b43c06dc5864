//! What a cycle of continuous planning leaves behind, and what the next one begins with.

use jiff::Timestamp;

use super::events::{self, Happening};
use super::{Store, StoreError, StoredPlan, insert};

/// Everything that one cycle keeps; all of it or nothing.
#[derive(Clone, Debug)]
pub struct Cycle {
    /// When.
    pub at: Timestamp,
    /// Name of the problem.
    pub problem: String,
    /// What the loop remembers, as JSON.
    pub state: String,
    /// The plan made, if one was.
    pub plan: Option<StoredPlan>,
    /// What happened.
    pub happenings: Vec<Happening>,
    /// The last of the outcomes that the state takes into account.
    pub outcomes_through: Option<i64>,
}

/// Reported outcomes that no cycle has taken into account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    /// As JSON, in the order of the reports.
    pub outcomes: Vec<String>,
    /// The last of them.
    pub through: Option<i64>,
}

impl Store {
    /// Keeps what a cycle leaves behind. On return it is on disk.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn keep(&self, cycle: &Cycle) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(plan) = &cycle.plan {
            insert(&mut transaction, plan).await?;
        }
        events::append(&mut transaction, &cycle.happenings).await?;
        sqlx::query("INSERT INTO states (problem, saved_ms, state) VALUES (?1, ?2, ?3) ON CONFLICT (problem) DO UPDATE SET saved_ms = ?2, state = ?3")
            .bind(&cycle.problem)
            .bind(cycle.at.as_millisecond())
            .bind(&cycle.state)
            .execute(&mut *transaction)
            .await?;
        sqlx::query("DELETE FROM outcomes WHERE problem = ? AND id <= ?")
            .bind(&cycle.problem)
            .bind(cycle.outcomes_through.unwrap_or(0))
            .execute(&mut *transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// What the loop of a problem remembered last, as JSON.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn state(&self, problem: &str) -> Result<Option<String>, StoreError> {
        let row: Option<(String,)> = sqlx::query_as("SELECT state FROM states WHERE problem = ?")
            .bind(problem)
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|(state,)| state))
    }

    /// Keeps reported outcomes for the next cycle, with their line in the log.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn report(
        &self,
        problem: &str,
        outcomes: &[String],
        happening: Happening,
    ) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for outcome in outcomes {
            sqlx::query("INSERT INTO outcomes (problem, outcome) VALUES (?, ?)")
                .bind(problem)
                .bind(outcome)
                .execute(&mut *transaction)
                .await?;
        }
        events::append(&mut transaction, &[happening]).await?;
        Ok(transaction.commit().await?)
    }

    /// Reported outcomes that no cycle has taken into account.
    ///
    /// # Errors
    /// Failures of the database.
    pub async fn outcomes(&self, problem: &str) -> Result<Outcomes, StoreError> {
        let rows: Vec<(i64, String)> =
            sqlx::query_as("SELECT id, outcome FROM outcomes WHERE problem = ? ORDER BY id")
                .bind(problem)
                .fetch_all(&self.pool)
                .await?;
        Ok(Outcomes {
            through: rows.last().map(|row| row.0),
            outcomes: rows.into_iter().map(|row| row.1).collect(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn happening(message: &str) -> Happening {
        Happening {
            at: Timestamp::UNIX_EPOCH,
            problem: "a".to_owned(),
            kind: "outcome".to_owned(),
            message: message.to_owned(),
            details: "{}".to_owned(),
        }
    }

    #[tokio::test]
    async fn an_outcome_waits_for_the_cycle_that_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plans.sqlite");
        let store = Store::open(&path).await.unwrap();
        let report =
            |outcomes: &[&str]| outcomes.iter().map(ToString::to_string).collect::<Vec<_>>();
        store
            .report("a", &report(&["1", "2"]), happening("two"))
            .await
            .unwrap();
        let taken = store.outcomes("a").await.unwrap();
        assert_eq!(taken.outcomes, ["1", "2"]);
        // Reported while the cycle runs: for the next one.
        store
            .report("a", &report(&["3"]), happening("one"))
            .await
            .unwrap();
        store
            .report("b", &report(&["4"]), happening("other"))
            .await
            .unwrap();
        let cycle = Cycle {
            at: Timestamp::UNIX_EPOCH,
            problem: "a".to_owned(),
            state: "{\"x\":1}".to_owned(),
            plan: None,
            happenings: vec![happening("cycle")],
            outcomes_through: taken.through,
        };
        store.keep(&cycle).await.unwrap();
        store.close().await;
        let store = Store::open(&path).await.unwrap();
        assert_eq!(store.outcomes("a").await.unwrap().outcomes, ["3"]);
        assert_eq!(store.outcomes("b").await.unwrap().outcomes, ["4"]);
        assert_eq!(
            store.state("a").await.unwrap().as_deref(),
            Some("{\"x\":1}")
        );
        assert_eq!(store.state("b").await.unwrap(), None);
        assert_eq!(store.audit().await.unwrap().events, 4);
    }
}
