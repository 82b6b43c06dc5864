//! Plans one problem continuously: every so often it looks, takes a step of [`control`], keeps what came of it and publishes it.
//!
//! The step itself is pure and knows no clock; here are the clock, the Prometheus, the store and the threads. Nothing ends the loop but the
//! server's end: whatever fails is an observation of its own kind, a line in the log and a metric, and the next cycle begins in time.

mod cycle;
mod figures;
mod learning;
mod record;
mod reported;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::control::{self, State};
use ketscale_engine::forecast::Forecaster;
use ketscale_engine::planner;
use ketscale_engine::problem::ProblemFile;
use ketscale_engine::series::Series;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::grpc::CallError;
use crate::live::{self, History};
use crate::metrics::Metrics;
use crate::prometheus::{Client, Queries};
use crate::store::{Store, StoreError, StoredPlan};

pub(crate) use reported::Reported;

/// Share of the time between cycles for the step, in which plans are searched for and verified; the rest is for reading and keeping.
const SEARCH_SHARE: f64 = 0.6;

/// How problems are planned continuously.
#[derive(Clone, Debug)]
pub struct Continuous {
    /// Time from the beginning of one cycle to that of the next. Default 60 s.
    pub every: Duration,
    /// When to publish, hold and fall back.
    pub settings: control::Settings,
    /// Folder where every snapshot is written, for `ketscale replay`. Default none.
    pub record: Option<PathBuf>,
}

impl Default for Continuous {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(60),
            settings: control::Settings::default(),
            record: None,
        }
    }
}

/// The plan in force as it changes; `None` until there is one.
pub(crate) type InForce = watch::Receiver<Option<Arc<StoredPlan>>>;

/// A problem under continuous planning, as others see it.
pub(crate) struct Watched {
    in_force: InForce,
    offerings: BTreeSet<(String, String)>,
}

impl Watched {
    /// The plan in force as it changes; the sender is gone when the loop has ended.
    pub(crate) fn in_force(&self) -> InForce {
        self.in_force.clone()
    }

    /// Whether the problem has this offering in this pool.
    pub(crate) fn offers(&self, pool: &str, offering: &str) -> bool {
        self.offerings
            .contains(&(pool.to_owned(), offering.to_owned()))
    }
}

/// The problems under continuous planning by name.
#[derive(Default)]
pub(crate) struct Controlled(BTreeMap<String, Watched>);

impl Controlled {
    /// The problem with a name.
    pub(crate) fn problem(&self, name: &str) -> Result<&Watched, CallError> {
        let known = || self.0.keys().cloned().collect::<Vec<_>>().join(", ");
        self.0.get(name).ok_or_else(|| CallError::NotControlled {
            name: name.to_owned(),
            known: if self.0.is_empty() {
                "none".to_owned()
            } else {
                known()
            },
        })
    }
}

/// What all loops of a server share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) client: Client,
    pub(crate) queries: Queries,
    pub(crate) catalogue: Cow<'static, Catalogue>,
    pub(crate) store: Store,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) how: Continuous,
}

/// The loop of one problem.
pub(crate) struct Controller {
    shared: Shared,
    problem: ProblemFile,
    /// `None` until the past has been read.
    state: Option<State>,
    /// Subject and constraint of the last cycle's warnings: only new ones are logged.
    warned: BTreeSet<(String, String)>,
    /// When the past was last asked for capacity that the problem lacks.
    learned_at: Option<Instant>,
    forecaster: Forecaster,
    planner: planner::Settings,
    in_force: watch::Sender<Option<Arc<StoredPlan>>>,
}

/// Loops for problems, and how others see them.
pub(crate) fn controllers(
    shared: &Shared,
    problems: &[ProblemFile],
) -> (Vec<Controller>, Controlled) {
    let mut controllers = Vec::new();
    let mut watched = BTreeMap::new();
    for problem in problems {
        let (sender, in_force) = watch::channel(None);
        let offerings = problem.pools.iter().flat_map(|pool| {
            let named = pool.offerings.iter().map(|offering| offering.name());
            named.map(|offering| (pool.name.clone(), offering))
        });
        let offerings = offerings.collect();
        watched.insert(
            problem.name.clone(),
            Watched {
                in_force,
                offerings,
            },
        );
        controllers.push(Controller {
            shared: shared.clone(),
            problem: problem.clone(),
            state: None,
            warned: BTreeSet::new(),
            learned_at: None,
            forecaster: Forecaster::default(),
            planner: planner::Settings::default(),
            in_force: sender,
        });
    }
    (controllers, Controlled(watched))
}

impl Controller {
    /// Takes one cycle after the other until `draining` becomes true; a cycle under way then ends early with what it has.
    pub(crate) async fn run(mut self, mut draining: watch::Receiver<bool>) {
        let mut ticks = tokio::time::interval(self.shared.how.every);
        // Cycles that were missed are not made up for: the world has moved on.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                _ = draining.wait_for(|draining| *draining) => return,
                _ = ticks.tick() => {}
            }
            self.cycle(draining.clone()).await;
        }
    }

    /// What the loop remembers: what the store kept, or else the past that the Prometheus knows. That past also tells of capacity
    /// that the problem leaves out.
    async fn remembered(&mut self, now: Timestamp) -> Result<State, StoreError> {
        let mut known = match self.state.take() {
            Some(state) => Some(state),
            None => self.kept().await?,
        };
        if known.is_none() || self.wants_to_learn() {
            let history = self.past(now).await;
            if self.wants_to_learn() {
                self.learn(&history, now).await?;
            }
            let loads = history.load.into_iter();
            let loads = loads.map(|(name, load)| (name, since_known(load)));
            known.get_or_insert_with(|| State::with_history(loads.collect()));
        }
        Ok(known.unwrap_or_default())
    }

    /// What the store kept of an earlier run, with its plan in force again.
    async fn kept(&self) -> Result<Option<State>, StoreError> {
        let name = &self.problem.name;
        let Some(text) = self.shared.store.state(name).await? else {
            return Ok(None);
        };
        match serde_json::from_str::<State>(&text) {
            Ok(state) => {
                self.take_up(&state).await?;
                Ok(Some(state))
            }
            Err(error) => {
                tracing::warn!(problem = name, %error, "the kept state is of another version; the loop begins anew");
                Ok(None)
            }
        }
    }

    /// Publishes the plan that was in force when the server ended.
    async fn take_up(&self, state: &State) -> Result<(), StoreError> {
        if let Some(in_force) = state.in_force()
            && let Some(plan) = self.shared.store.get(&in_force.digest).await?
        {
            self.in_force.send_replace(Some(Arc::new(plan)));
        }
        Ok(())
    }

    /// The past, use of CPU and memory only where something is to be learned of it, for it is the costliest to ask for. Nothing where
    /// loads cannot be read, for the loop can begin without.
    async fn past(&self, now: Timestamp) -> History {
        let demand = &self.shared.how.settings.demand;
        let step = demand.history_step_seconds;
        let length = SignedDuration::try_from_secs_f64(demand.history_seconds);
        let start = length.and_then(|length| now.checked_sub(length));
        let start = start.unwrap_or(Timestamp::UNIX_EPOCH);
        let (problem, shared) = (&self.problem, &self.shared);
        let (client, queries) = (&shared.client, &shared.queries);
        let read = if self.wants_to_learn() {
            live::history(problem, client, queries, start, now, step).await
        } else {
            live::load_history(problem, client, queries, start, now, step).await
        };
        match read {
            Ok(history) => history,
            Err(error) => {
                tracing::warn!(problem = self.problem.name, %error, "the past cannot be read; forecasts begin with the present");
                History::default()
            }
        }
    }
}

/// A load from its first value on: what is absent before would be kept, and written in every cycle.
fn since_known(load: Series) -> Series {
    let first = load.values.iter().position(Option::is_some).unwrap_or(0);
    Series {
        start_seconds: load.time_seconds(first),
        values: load.values.into_iter().skip(first).collect(),
        ..load
    }
}
