//! One cycle: look, take a step, keep what came of it, publish it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use jiff::Timestamp;
use ketscale_engine::control::{self, Context, Event, Observation, Outcome, State};
use ketscale_engine::limits::{Clock, Limits};
use ketscale_engine::plan::Action;
use ketscale_engine::snapshot::Snapshot;
use tokio::sync::watch;

use super::figures::{about, figures};
use super::{Controller, Reported, SEARCH_SHARE, record};
use crate::live;
use crate::metrics::{CycleResult, Latest};
use crate::prometheus::clock::seconds;
use crate::store::{Cycle, Happening, StoreError, StoredPlan};

/// Why a cycle came to nothing.
#[derive(Debug, thiserror::Error)]
enum CycleError {
    /// The store failed: what cannot be kept is not published.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Our bug: the step's thread ended.
    #[error("the step broke: {0}")]
    Broken(String),
}

impl Controller {
    /// Takes one cycle. Whatever fails in it is logged and counted; what the loop remembers is then what it was before.
    pub(super) async fn cycle(&mut self, draining: watch::Receiver<bool>) {
        let begun = Instant::now();
        let now = Timestamp::now();
        let done = self.attempt(now, draining).await;
        let (result, latest) = match done {
            Ok((result, latest)) => (result, Some(latest)),
            Err(error) => {
                tracing::error!(problem = self.problem.name, %error, "the cycle failed");
                (CycleResult::Failed, None)
            }
        };
        let metrics = &self.shared.metrics;
        metrics.cycle(&self.problem.name, result, begun.elapsed(), latest);
    }

    async fn attempt(
        &mut self,
        now: Timestamp,
        draining: watch::Receiver<bool>,
    ) -> Result<(CycleResult, Latest), CycleError> {
        let before = self.remembered(now).await?;
        let attempted = self.follow(&before, now, draining).await;
        // A cycle that failed has not happened, and the next one begins where it began.
        let (state, done) = match attempted {
            Ok((state, done)) => (state, Ok(done)),
            Err(error) => (before, Err(error)),
        };
        self.state = Some(state);
        done
    }

    async fn follow(
        &mut self,
        before: &State,
        now: Timestamp,
        draining: watch::Receiver<bool>,
    ) -> Result<(State, (CycleResult, Latest)), CycleError> {
        let mut state = before.clone();
        let reported = self.shared.store.outcomes(&self.problem.name).await?;
        let settings = &self.shared.how.settings;
        let mut events = Vec::new();
        for text in &reported.outcomes {
            let outcome: Reported = serde_json::from_str(text)
                .map_err(|error| StoreError::Damaged(format!("a reported outcome: {error}")))?;
            events.extend(control::report_outcome(
                &mut state,
                &outcome.report(),
                outcome.at_seconds,
                settings,
            ));
        }
        let observation = self.observe(now).await;
        let observed = observation.as_ref().ok().cloned();
        let (state, outcome) = self.step(state, observation, now, draining).await?;
        events.extend(outcome.events.iter().cloned());
        let plan = self
            .keep(&state, &outcome, &events, reported.through, now)
            .await?;
        self.warned = outcome.warnings.iter().map(about).collect();
        if let Some(plan) = plan {
            self.in_force.send_replace(Some(Arc::new(plan)));
        }
        let latest = figures(
            &self.problem,
            &state,
            observed.as_ref(),
            &outcome,
            seconds(now),
        );
        Ok((state, (result(outcome.decision.action), latest)))
    }

    /// What the Prometheus knows now, or why it knows nothing.
    async fn observe(&self, now: Timestamp) -> Observation {
        let shared = &self.shared;
        let read = live::snapshot(self.problem.clone(), &shared.client, &shared.queries, now);
        let snapshot = read.await.map_err(|error| error.to_string())?;
        self.record(&snapshot);
        Ok(snapshot)
    }

    fn record(&self, snapshot: &Snapshot) {
        if let Some(folder) = &self.shared.how.record
            && let Err(error) = record::write(folder, snapshot)
        {
            tracing::warn!(problem = self.problem.name, folder = %folder.display(), %error, "the snapshot was not recorded");
        }
    }

    /// The pure step, on a thread of its own and within its share of the cycle.
    async fn step(
        &mut self,
        state: State,
        observation: Observation,
        now: Timestamp,
        mut draining: watch::Receiver<bool>,
    ) -> Result<(State, Outcome), CycleError> {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let (shared, planner) = (self.shared.clone(), self.planner);
        let mut forecaster = std::mem::take(&mut self.forecaster);
        let end = Instant::now() + self.shared.how.every.mul_f64(SEARCH_SHARE);
        let mut thread = tokio::task::spawn_blocking(move || {
            let seconds_left = || (end - Instant::now()).as_secs_f64();
            let limits = Limits {
                clock: Some(Clock(&seconds_left)),
                ..Limits::new(&flag, None)
            };
            let mut context = Context {
                catalogue: &shared.catalogue,
                planner,
                limits: &limits,
                forecaster: &mut forecaster,
            };
            let settings = &shared.how.settings;
            let stepped = control::step(state, observation, seconds(now), settings, &mut context);
            (stepped, forecaster)
        });
        let ended = tokio::select! {
            ended = &mut thread => Some(ended),
            _ = draining.wait_for(|draining| *draining) => None,
        };
        let ended = match ended {
            Some(ended) => ended,
            None => {
                stop.store(true, Ordering::Relaxed);
                thread.await
            }
        };
        let (stepped, forecaster) = ended.map_err(|error| CycleError::Broken(error.to_string()))?;
        self.forecaster = forecaster;
        Ok(stepped)
    }

    /// Keeps state, events and the plan that is published, all or nothing; the plan, if there is one.
    async fn keep(
        &self,
        state: &State,
        outcome: &Outcome,
        events: &[Event],
        outcomes_through: Option<i64>,
        now: Timestamp,
    ) -> Result<Option<StoredPlan>, CycleError> {
        let published = match outcome.decision.action {
            Action::Publish | Action::Fallback => outcome.plan.as_ref(),
            Action::Hold => None,
        };
        let plan = published.map(|plan| StoredPlan::of(plan, now));
        let mut happenings = Vec::with_capacity(events.len() + 1);
        for event in events {
            happenings.push(self.happening(now, event.kind.as_str(), &event.message, event)?);
        }
        for warning in &outcome.warnings {
            if !self.warned.contains(&about(warning)) {
                happenings.push(self.happening(now, "warning", &warning.to_string(), warning)?);
            }
        }
        let decision = &outcome.decision;
        happenings.push(self.happening(
            now,
            "decision",
            &decided(decision, plan.as_ref()),
            decision,
        )?);
        let cycle = Cycle {
            at: now,
            problem: self.problem.name.clone(),
            state: json(state)?,
            plan,
            happenings,
            outcomes_through,
        };
        self.shared.store.keep(&cycle).await?;
        for happening in &cycle.happenings {
            tracing::info!(
                problem = cycle.problem,
                kind = happening.kind,
                "{}",
                happening.message
            );
        }
        Ok(cycle.plan)
    }

    fn happening(
        &self,
        at: Timestamp,
        kind: &str,
        message: &str,
        details: &impl serde::Serialize,
    ) -> Result<Happening, StoreError> {
        Ok(Happening {
            at,
            problem: self.problem.name.clone(),
            kind: kind.to_owned(),
            message: message.to_owned(),
            details: json(details)?,
        })
    }
}

/// A decision in words, with the plan that it put in force.
fn decided(decision: &ketscale_engine::plan::Decision, plan: Option<&StoredPlan>) -> String {
    let action = match decision.action {
        Action::Publish => "publish",
        Action::Hold => "hold",
        Action::Fallback => "fallback",
    };
    let plan = plan
        .map(|plan| format!(" [{}]", plan.entry.digest))
        .unwrap_or_default();
    format!("{action}: {}{plan}", decision.rule)
}

fn result(action: Action) -> CycleResult {
    match action {
        Action::Publish => CycleResult::Published,
        Action::Hold => CycleResult::Held,
        Action::Fallback => CycleResult::Fallback,
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Damaged(error.to_string()))
}
