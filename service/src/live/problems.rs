//! The problems that a server can bring up to date by name.

use std::collections::BTreeMap;

use jiff::Timestamp;
use ketscale_engine::problem::ProblemFile;

use super::{Live, LiveError, refresh};
use crate::prometheus::{Client, Queries};

/// Problems by name, with the Prometheus that knows their live values.
pub(crate) struct LiveProblems {
    source: Option<(Client, Queries)>,
    problems: BTreeMap<String, ProblemFile>,
}

impl LiveProblems {
    /// No problem has live values.
    pub(crate) fn none() -> Self {
        Self {
            source: None,
            problems: BTreeMap::new(),
        }
    }

    /// The problems under their own names; a name that two of them have is the error.
    pub(crate) fn new(
        client: Client,
        queries: Queries,
        problems: Vec<ProblemFile>,
    ) -> Result<Self, String> {
        let mut by_name = BTreeMap::new();
        for problem in problems {
            let name = problem.name.clone();
            if by_name.insert(name.clone(), problem).is_some() {
                return Err(name);
            }
        }
        Ok(Self {
            source: Some((client, queries)),
            problems: by_name,
        })
    }

    /// The problem with its live values of the time `now`; `None` when no problem has this name.
    pub(crate) async fn refresh(
        &self,
        name: &str,
        now: Timestamp,
    ) -> Option<Result<Live, LiveError>> {
        let (client, queries) = self.source.as_ref()?;
        let problem = self.problems.get(name)?.clone();
        Some(refresh(problem, client, queries, now).await)
    }

    /// The names in words.
    pub(crate) fn names(&self) -> String {
        if self.problems.is_empty() {
            "none".to_owned()
        } else {
            self.problems.keys().cloned().collect::<Vec<_>>().join(", ")
        }
    }
}
