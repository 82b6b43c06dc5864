//! Ketscale's own metrics, in the Prometheus text format.
//!
//! Gauges tell what the latest cycle of each problem found; they are read off it when somebody scrapes, so that a service or pool
//! that is gone leaves no line behind. `docs/metrics.md` lists all of them, and a test holds it to [`gauges::GAUGES`].

mod gauges;
mod latest;
mod process;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::prometheus::clock::seconds;

pub(crate) use latest::{Latest, Made, Money, PoolFigures, ReplicaFigures, ServiceFigures};

/// Label names and values of a series.
type Labels = Vec<(&'static str, String)>;

/// Cycles that a problem may be behind before the server is no longer ready.
const CYCLES_BEHIND: f64 = 3.0;

/// How a cycle ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CycleResult {
    /// A plan was published.
    Published,
    /// What is there was kept.
    Held,
    /// The safe replicas were published.
    Fallback,
    /// The cycle broke: a panic, or a store that failed.
    Failed,
}

impl CycleResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Held => "held",
            Self::Fallback => "fallback",
            Self::Failed => "failed",
        }
    }
}

/// All metrics of a server.
pub(crate) struct Metrics {
    registry: Registry,
    cycles: Family<Labels, Counter>,
    seconds: Family<Labels, Histogram, fn() -> Histogram>,
    failures: Family<Labels, Counter>,
    events: Family<Labels, Counter>,
    plans: Family<Labels, Counter>,
    board: Arc<Board>,
    every: Duration,
}

/// The latest cycle of each problem; a problem is there before its first cycle.
#[derive(Debug, Default)]
struct Board(Mutex<BTreeMap<String, Option<Latest>>>);

impl Metrics {
    /// No cycle yet; `every` is the time from one cycle to the next.
    pub(crate) fn new(problems: impl IntoIterator<Item = String>, every: Duration) -> Self {
        let board = Arc::new(Board(Mutex::new(
            problems
                .into_iter()
                .map(|problem| (problem, None))
                .collect(),
        )));
        let metrics = Self {
            registry: Registry::default(),
            cycles: Family::default(),
            // From 10 ms to 5 min.
            seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.01, 2.0, 16))
            }),
            failures: Family::default(),
            events: Family::default(),
            plans: Family::default(),
            board,
            every,
        };
        metrics.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("ketscale_build", "The version that runs", build);
        registry.register(
            "ketscale_cycles",
            "Cycles of continuous planning, by how they ended",
            self.cycles.clone(),
        );
        registry.register_with_unit(
            "ketscale_cycle_duration",
            "Time of a cycle, reading included",
            Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register(
            "ketscale_observation_failures",
            "Cycles for which nothing could be read",
            self.failures.clone(),
        );
        registry.register(
            "ketscale_plans",
            "Plans made, by status and by the solver whose plan was the best",
            self.plans.clone(),
        );
        registry.register(
            "ketscale_events",
            "What happened in cycles, by kind",
            self.events.clone(),
        );
        registry.register_collector(Box::new(Arc::clone(&self.board)));
        registry.register_collector(Box::new(process::Process));
        self
    }

    /// A cycle ended after some time, with what it found if it came so far.
    pub(crate) fn cycle(
        &self,
        problem: &str,
        result: CycleResult,
        took: Duration,
        latest: Option<Latest>,
    ) {
        let own = || labels(problem, []);
        self.cycles
            .get_or_create(&labels(problem, [("result", result.as_str().to_owned())]))
            .inc();
        self.seconds
            .get_or_create(&own())
            .observe(took.as_secs_f64());
        let Some(latest) = latest else { return };
        if !latest.observed {
            self.failures.get_or_create(&own()).inc();
        }
        for (kind, count) in &latest.events {
            let events = self
                .events
                .get_or_create(&labels(problem, [("kind", (*kind).to_owned())]));
            events.inc_by(u64::from(*count));
        }
        if let Some(made) = &latest.made {
            let made = [
                ("status", made.status.clone()),
                ("solver", made.solver.clone()),
            ];
            self.plans.get_or_create(&labels(problem, made)).inc();
        }
        let mut board = self.board.lock();
        // A cycle that made no plan leaves the figures of the last one standing.
        let before = board
            .remove(problem)
            .flatten()
            .and_then(|before| before.made);
        let made = latest.made.clone().or(before);
        board.insert(problem.to_owned(), Some(Latest { made, ..latest }));
    }

    /// Everything in the text format.
    pub(crate) fn text(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Problems without a recent cycle.
    pub(crate) fn late(&self, now: Timestamp) -> Vec<String> {
        let oldest = seconds(now) - CYCLES_BEHIND * self.every.as_secs_f64();
        let is_late = |latest: &Option<Latest>| {
            latest
                .as_ref()
                .is_none_or(|latest| latest.at_seconds < oldest)
        };
        let board = self.board.lock();
        board
            .iter()
            .filter(|(_, latest)| is_late(latest))
            .map(|(problem, _)| problem.clone())
            .collect()
    }
}

impl Board {
    /// A panic elsewhere leaves whole entries behind, for entries are replaced in one go.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Option<Latest>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Board {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let board = self.lock();
        for gauge in &gauges::GAUGES {
            let mut family =
                encoder.encode_descriptor(gauge.name, gauge.help, None, MetricType::Gauge)?;
            for (problem, latest) in board.iter() {
                for (more, value) in latest.iter().flat_map(gauge.values) {
                    let labels = labels(problem, more);
                    ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
                }
            }
        }
        Ok(())
    }
}

/// The label of the problem, and further ones.
fn labels(problem: &str, more: impl IntoIterator<Item = (&'static str, String)>) -> Labels {
    std::iter::once(("problem", problem.to_owned()))
        .chain(more)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
