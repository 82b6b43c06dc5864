//! Capacity that a provider refused: the offering is avoided for a while, longer with every refusal.

use serde::{Deserialize, Serialize};

use super::event::{EventKind, Events};
use super::settings::CapacitySettings;
use super::{Event, Settings, State};
use crate::problem::ProblemFile;

/// Most offerings that are remembered as refused.
const MOST_REFUSED: usize = 10_000;

/// Most bytes of a provider's own words that are kept.
const MOST_REASON_CHARS: usize = 1024;

/// What a provider did with an order of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeOutcome {
    /// The nodes came up.
    Provided,
    /// There was no capacity.
    Refused,
}

/// What became of the nodes of an offering that a plan asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapacityReport {
    /// Pool.
    pub pool: String,
    /// `type/zone/capacity_type`.
    pub offering: String,
    /// What the provider did.
    pub outcome: NodeOutcome,
    /// The provider's own words; may be empty.
    pub reason: String,
}

/// An offering that a provider refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Refusals in a row.
    pub refusals: u32,
    /// Until when no further node of it is planned, seconds since the Unix epoch.
    pub until_seconds: f64,
    /// The provider's own words at the last one.
    pub reason: String,
}

/// Takes note of what a provider did with an order of nodes; returns what is worth logging.
///
/// A refused offering is limited to the nodes that it has for `capacity.backoff_seconds`, twice as long at each further refusal, up to
/// `capacity.most_backoff_seconds`. One that was provided is trusted again.
pub fn report_outcome(
    state: &mut State,
    report: &CapacityReport,
    now_seconds: f64,
    settings: &Settings,
) -> Vec<Event> {
    let mut events = Events::at(now_seconds);
    let key = format!("{}/{}", report.pool, report.offering);
    match report.outcome {
        NodeOutcome::Provided => {
            if state.refused.remove(&key).is_some() {
                events.tell_of(EventKind::CapacityProvided, &key, "it is provided again");
            }
        }
        NodeOutcome::Refused => {
            let known = state.refused.contains_key(&key);
            if known || state.refused.len() < MOST_REFUSED {
                let refusals = state
                    .refused
                    .get(&key)
                    .map_or(0, |refusal| refusal.refusals);
                let refusal = refused(refusals, report, now_seconds, &settings.capacity);
                let message = format!(
                    "refused {} times in a row ({}); avoided for {:.0} s",
                    refusal.refusals,
                    refusal.reason,
                    refusal.until_seconds - now_seconds
                );
                events.tell_of(EventKind::CapacityRefused, &key, message);
                state.refused.insert(key, refusal);
            }
        }
    }
    events.into_vec()
}

fn refused(
    before: u32,
    report: &CapacityReport,
    now_seconds: f64,
    settings: &CapacitySettings,
) -> Refusal {
    let doubled = f64::from(before.min(32)).exp2();
    let seconds = (settings.backoff_seconds * doubled)
        .min(settings.most_backoff_seconds.max(settings.backoff_seconds));
    Refusal {
        refusals: before.saturating_add(1),
        until_seconds: now_seconds + seconds,
        reason: report.reason.chars().take(MOST_REASON_CHARS).collect(),
    }
}

/// Limits every offering that is still avoided to the nodes that it has, and forgets refusals long past; a sentence for each limit.
pub(super) fn limit(
    state: &mut State,
    problem: &mut ProblemFile,
    now_seconds: f64,
    settings: &CapacitySettings,
) -> Vec<String> {
    // An offering that is tried again and refused again goes on where it was.
    let remembered = settings.most_backoff_seconds.max(settings.backoff_seconds);
    state
        .refused
        .retain(|_, refusal| now_seconds < refusal.until_seconds + remembered);
    let current = problem.current.as_ref();
    let nodes = |pool: &str, offering: &str| {
        let nodes = current.iter().flat_map(|current| &current.nodes);
        let same = nodes.filter(|node| node.pool == pool && node.offering == offering);
        u32::try_from(same.count()).unwrap_or(u32::MAX)
    };
    let mut limits = Vec::new();
    for pool in &mut problem.pools {
        for offering in &mut pool.offerings {
            let name = offering.name();
            let key = format!("{}/{name}", pool.name);
            let avoided = state.refused.get(&key);
            let Some(refusal) = avoided.filter(|r| now_seconds < r.until_seconds) else {
                continue;
            };
            let exist = nodes(&pool.name, &name);
            let allowed = offering.available_nodes.map_or(exist, |n| n.min(exist));
            offering.available_nodes = Some(allowed);
            limits.push(format!(
                "{key}: no further nodes for {:.0} s, because the provider refused some ({})",
                refusal.until_seconds - now_seconds,
                refusal.reason
            ));
        }
    }
    limits
}
