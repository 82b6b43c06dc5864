//! Runs the planner beside the server: on threads of its own, a few at a time, within its time, and verified.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::limits::{Clock, Limits};
use ketscale_engine::planner::{self, PlanError, Settings, Source};
use ketscale_engine::problem::{self, InputErrors, Issue, ProblemFile};
use ketscale_engine::verify::{self, Finding, VerifiedPlan};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, timeout_at};

/// The name of a problem file in messages, which came without one.
const FILE: &str = "problem_json";

/// What to plan.
pub(crate) enum Job {
    /// A problem file, not read yet: reading a large one takes a thread as well.
    File(Vec<u8>),
    /// A problem with live values.
    Live(Box<ProblemFile>, Source),
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlanningError {
    /// The problem has mistakes.
    #[error("the problem has {} mistakes", .0.len())]
    Input(Vec<Issue>),
    /// Too many requests wait already.
    #[error("{0} plans are being made or waited for already")]
    Busy(usize),
    /// The time ended before the planner began.
    #[error("the time ended while other plans were being made")]
    NoTime,
    /// Our bug: the planner failed.
    #[error("the planner failed: {0}")]
    Internal(String),
}

/// The planner's threads.
pub(crate) struct Planner {
    catalogue: Cow<'static, Catalogue>,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    most_admitted: usize,
    draining: watch::Receiver<bool>,
}

/// A place among those who plan or wait; given back when the thread ends, even if nobody waits for it any more.
struct Place {
    _running: OwnedSemaphorePermit,
    _admitted: OwnedSemaphorePermit,
}

/// Tells the planner to stop when nobody waits for it any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Planner {
    /// Plans `running` problems at a time while at most `waiting` others wait. When `draining` becomes true, running plans end early.
    pub(crate) fn new(
        catalogue: Cow<'static, Catalogue>,
        running: usize,
        waiting: usize,
        draining: watch::Receiver<bool>,
    ) -> Self {
        let most_admitted = running + waiting;
        Self {
            catalogue,
            running: Arc::new(Semaphore::new(running)),
            admitted: Arc::new(Semaphore::new(most_admitted)),
            most_admitted,
            draining,
        }
    }

    /// Plans within `time`, waiting for a place included; then verifies. A dropped future stops the planner.
    pub(crate) async fn plan(
        &self,
        job: Job,
        settings: Settings,
        work: Option<u64>,
        time: Duration,
    ) -> Result<VerifiedPlan, PlanningError> {
        let end = Instant::now() + time;
        let place = self.place(end).await?;
        let stop = Arc::new(AtomicBool::new(false));
        let guard = StopOnDrop(Arc::clone(&stop));
        let catalogue = self.catalogue.clone();
        let mut thread = tokio::task::spawn_blocking(move || {
            let _place = place;
            let seconds_left = || (end.into_std() - std::time::Instant::now()).as_secs_f64();
            let limits = Limits {
                clock: Some(Clock(&seconds_left)),
                ..Limits::new(&stop, work)
            };
            make(job, &catalogue, &settings, &limits)
        });
        let mut draining = self.draining.clone();
        let ended = tokio::select! {
            ended = &mut thread => Some(ended),
            () = tokio::time::sleep_until(end) => None,
            _ = draining.wait_for(|draining| *draining) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                drop(guard);
                thread.await
            }
        };
        ended.unwrap_or_else(|error| {
            Err(PlanningError::Internal(format!(
                "its thread ended: {error}"
            )))
        })
    }

    /// Checks a plan file; what it claims wrongly.
    pub(crate) async fn verify(
        &self,
        bytes: Vec<u8>,
        time: Duration,
    ) -> Result<Vec<Finding>, PlanningError> {
        let place = self.place(Instant::now() + time).await?;
        let thread = tokio::task::spawn_blocking(move || {
            let _place = place;
            verify::verify(&bytes).err().unwrap_or_default()
        });
        thread.await.map_err(|error| {
            PlanningError::Internal(format!("the verifier's thread ended: {error}"))
        })
    }

    async fn place(&self, end: Instant) -> Result<Place, PlanningError> {
        let admitted = Arc::clone(&self.admitted)
            .try_acquire_owned()
            .map_err(|_| PlanningError::Busy(self.most_admitted))?;
        match timeout_at(end, Arc::clone(&self.running).acquire_owned()).await {
            Ok(Ok(running)) => Ok(Place {
                _running: running,
                _admitted: admitted,
            }),
            Ok(Err(_)) => Err(PlanningError::Internal("the planner is closed".to_owned())),
            Err(_) => Err(PlanningError::NoTime),
        }
    }
}

fn make(
    job: Job,
    catalogue: &Catalogue,
    settings: &Settings,
    limits: &Limits<'_>,
) -> Result<VerifiedPlan, PlanningError> {
    let input = |errors: InputErrors| PlanningError::Input(errors.issues);
    let (problem, source) = match job {
        Job::File(bytes) => (
            problem::read(&bytes, FILE).map_err(input)?,
            Source::default(),
        ),
        Job::Live(problem, source) => (*problem, source),
    };
    let problem = problem::resolve(problem, catalogue, FILE).map_err(input)?;
    let progress = |stage: &str, share: f64| tracing::debug!(stage, share, "planning");
    planner::plan(problem, source, settings, limits, &progress).map_err(|error| match error {
        PlanError::Input(issues) => PlanningError::Input(issues),
        PlanError::Internal(reason) => PlanningError::Internal(reason),
    })
}
