//! What happened in a cycle, in kinds that a log or a metric can count.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// When, seconds since the Unix epoch.
    pub at_seconds: f64,
    /// What kind.
    pub kind: EventKind,
    /// The service, offering or pool concerned, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What, in words with figures.
    pub message: String,
}

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// There was no snapshot.
    NoMetrics,
    /// A snapshot or reading was too old.
    Stale,
    /// A snapshot was ahead of the clock or behind the last one, or the clock went back.
    ClockSkew,
    /// A value could not be read.
    Gap,
    /// A load changed more than is believed at once.
    Jump,
    /// A load fell to zero at once.
    CounterReset,
    /// A value that no load can have, or a problem that has no meaning.
    Invalid,
    /// Good snapshots came back.
    Recovered,
    /// A solver failed and another was tried.
    SolverFailed,
    /// Nothing feasible was found.
    NothingFeasible,
    /// Constraints were given up.
    Relaxed,
    /// Replicas were limited by a policy.
    RateLimited,
    /// A demand is more than the most replicas of a service carry.
    Saturated,
    /// A plan was published.
    Published,
    /// Changes were found and held back.
    HeldBack,
    /// The safe replicas were published.
    FellBack,
    /// A provider refused capacity.
    CapacityRefused,
    /// A provider gave capacity that it had refused.
    CapacityProvided,
    /// A budget's share was spent.
    Budget,
}

impl EventKind {
    /// Whether it is a condition that may last for many cycles, and not something that happens once.
    fn lasts(self) -> bool {
        !matches!(
            self,
            Self::Published | Self::FellBack | Self::Recovered | Self::Budget | Self::SolverFailed
        )
    }

    /// The name used in logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoMetrics => "no_metrics",
            Self::Stale => "stale",
            Self::ClockSkew => "clock_skew",
            Self::Gap => "gap",
            Self::Jump => "jump",
            Self::CounterReset => "counter_reset",
            Self::Invalid => "invalid",
            Self::Recovered => "recovered",
            Self::SolverFailed => "solver_failed",
            Self::NothingFeasible => "nothing_feasible",
            Self::Relaxed => "relaxed",
            Self::RateLimited => "rate_limited",
            Self::Saturated => "saturated",
            Self::Published => "published",
            Self::HeldBack => "held_back",
            Self::FellBack => "fell_back",
            Self::CapacityRefused => "capacity_refused",
            Self::CapacityProvided => "capacity_provided",
            Self::Budget => "budget",
        }
    }
}

/// A condition that was told in the last cycle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    kind: EventKind,
    subject: Option<String>,
}

/// Events of one cycle, in the order in which they happened.
#[derive(Debug, Default)]
pub(super) struct Events {
    now_seconds: f64,
    told: Vec<Event>,
}

impl Events {
    /// None yet.
    pub(super) fn at(now_seconds: f64) -> Self {
        Self {
            now_seconds,
            told: Vec::new(),
        }
    }

    /// Something that concerns the whole fleet.
    pub(super) fn tell(&mut self, kind: EventKind, message: impl Into<String>) {
        self.push(kind, None, message.into());
    }

    /// Something that concerns one service, offering or pool.
    pub(super) fn tell_of(&mut self, kind: EventKind, subject: &str, message: impl Into<String>) {
        self.push(kind, Some(subject.to_owned()), message.into());
    }

    fn push(&mut self, kind: EventKind, subject: Option<String>, message: String) {
        self.told.push(Event {
            at_seconds: self.now_seconds,
            kind,
            subject,
            message,
        });
    }

    /// All that was told, in a call that is no cycle.
    pub(super) fn into_vec(self) -> Vec<Event> {
        self.told
    }

    /// What was told, less the conditions that were told in the last cycle already; `last` is what this cycle told.
    pub(super) fn into_new(self, last: &mut BTreeSet<Told>) -> Vec<Event> {
        let key = |event: &Event| Told {
            kind: event.kind,
            subject: event.subject.clone(),
        };
        let now: BTreeSet<Told> = self.told.iter().map(key).collect();
        let is_new = |event: &Event| !event.kind.lasts() || !last.contains(&key(event));
        let events = self.told.into_iter().filter(is_new).collect();
        *last = now;
        events
    }
}
