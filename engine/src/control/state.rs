//! What the control loop remembers between cycles.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::capacity::Refusal;
use super::demand::ServiceMemory;
use super::event::Told;
use super::material::Basis;
use crate::plan::{Action, Plan};
use crate::problem::ProblemFile;
use crate::series::Series;
use crate::spend::Ledger;

/// The only value of the `schema` key of states that this version reads and writes.
pub const SCHEMA: &str = "ketscale.control-state/v1";

/// Everything remembered between cycles. Its size is bounded by the fleet and the settings: histories are cut at
/// `demand.history_seconds`, windows at their own length, and what the problem no longer names is forgotten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Always `ketscale.control-state/v1`.
    pub schema: String,
    /// Load of each service over time, in requests per second.
    pub(super) history: BTreeMap<String, Series>,
    /// What is remembered of each service.
    pub(super) services: BTreeMap<String, ServiceMemory>,
    /// Time of the last cycle, seconds since the Unix epoch.
    pub(super) stepped_at_seconds: Option<f64>,
    /// The last snapshot that was believed.
    pub(super) good: Option<Good>,
    /// Why no snapshot has been believed since, and since when.
    pub(super) failing: Option<Failing>,
    /// The plan that was published last.
    pub(super) in_force: Option<InForce>,
    /// What was planned from last.
    pub(super) basis: Option<Basis>,
    /// Offerings that a provider refused, as `POOL/OFFERING`.
    pub(super) refused: BTreeMap<String, Refusal>,
    /// Conditions told in the last cycle.
    pub(super) told: BTreeSet<Told>,
    /// What was spent.
    pub(super) spend: Ledger,
}

/// A snapshot that was believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Good {
    /// When it was taken, seconds since the Unix epoch.
    pub taken_at_seconds: f64,
    /// Its problem, complete, with the loads that were believed.
    pub problem: ProblemFile,
}

/// A time without a good snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failing {
    /// The first cycle without one, seconds since the Unix epoch.
    pub since_seconds: f64,
    /// Whether the safe replicas have been published for it.
    pub fell_back: bool,
}

/// The plan that was published last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InForce {
    /// Its digest.
    pub digest: String,
    /// Publish or fallback.
    pub action: Action,
    /// When it was published, seconds since the Unix epoch.
    pub published_at_seconds: f64,
    /// Until when it counts as being carried out, seconds since the Unix epoch.
    pub due_at_seconds: f64,
    /// Planned replicas by service and cluster.
    pub replicas: BTreeMap<String, BTreeMap<String, u32>>,
    /// Planned nodes by pool and offering, as `POOL/OFFERING`; those with none are left out.
    pub nodes: BTreeMap<String, u32>,
    /// Price of its nodes, USD/h.
    pub nodes_usd_per_hour: f64,
}

impl Default for State {
    fn default() -> Self {
        Self::with_history(BTreeMap::new())
    }
}

impl State {
    /// A loop that has not begun, with the loads that are known of the past, in requests per second by service.
    pub fn with_history(history: BTreeMap<String, Series>) -> Self {
        let usable =
            |series: &Series| series.step_seconds > 0.0 && series.start_seconds.is_finite();
        Self {
            schema: SCHEMA.to_owned(),
            history: history.into_iter().filter(|(_, s)| usable(s)).collect(),
            services: BTreeMap::new(),
            stepped_at_seconds: None,
            good: None,
            failing: None,
            in_force: None,
            basis: None,
            refused: BTreeMap::new(),
            told: BTreeSet::new(),
            spend: Ledger::default(),
        }
    }

    /// The plan that was published last.
    pub fn in_force(&self) -> Option<&InForce> {
        self.in_force.as_ref()
    }

    /// Load of each service over time, in requests per second.
    pub fn history(&self) -> &BTreeMap<String, Series> {
        &self.history
    }

    /// What was spent so far.
    pub fn spend(&self) -> &Ledger {
        &self.spend
    }

    /// Offerings that no further node is planned of, because a provider refused some.
    pub fn refused_offerings(&self, now_seconds: f64) -> usize {
        let avoided = self
            .refused
            .values()
            .filter(|refusal| now_seconds < refusal.until_seconds);
        avoided.count()
    }

    /// When the last snapshot that was believed was taken, seconds since the Unix epoch.
    pub fn good_at_seconds(&self) -> Option<f64> {
        self.good.as_ref().map(|good| good.taken_at_seconds)
    }
}

impl InForce {
    /// A plan that is published now.
    pub(super) fn of(plan: &Plan, now_seconds: f64) -> Self {
        let mut nodes = BTreeMap::new();
        for group in plan.nodes.iter().filter(|group| group.count > 0) {
            *nodes
                .entry(format!("{}/{}", group.pool, group.offering))
                .or_default() += group.count;
        }
        let services = plan.services.iter();
        let steps = plan.steps.iter().flatten();
        // Twice what the steps take one after the other, and a minute for whoever carries them out to see them.
        let seconds = steps.fold(0.0, |sum, step| sum + step.seconds);
        Self {
            digest: plan.digest.clone(),
            action: plan.decision.action,
            published_at_seconds: now_seconds,
            due_at_seconds: now_seconds + 2.0 * seconds + 60.0,
            replicas: services
                .map(|service| (service.name.clone(), service.replicas.clone()))
                .collect(),
            nodes,
            nodes_usd_per_hour: plan.cost.map_or(0.0, |cost| cost.nodes_usd_per_hour),
        }
    }

    /// Whether these nodes and pods are what was planned.
    pub(super) fn is_reached(&self, problem: &ProblemFile) -> bool {
        let Some(current) = &problem.current else {
            return false;
        };
        let mut nodes: BTreeMap<String, u32> = BTreeMap::new();
        for node in &current.nodes {
            *nodes
                .entry(format!("{}/{}", node.pool, node.offering))
                .or_default() += 1;
        }
        let replicas = |service: &crate::problem::Service| {
            let planned = self.replicas.get(&service.name);
            service.clusters.iter().all(|(cluster, bounds)| {
                let planned = planned.and_then(|clusters| clusters.get(cluster));
                bounds.now == Some(planned.copied().unwrap_or(0))
            })
        };
        nodes == self.nodes && problem.services.iter().all(replicas)
    }
}
