//! What a replay found, as `--output json` gives it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::Policy;
use super::tally::Tally;
use super::trace::Trace;
use crate::cost;
use crate::fleet::Fleet;

/// The only value of the `schema` key of replay reports.
pub const SCHEMA: &str = "ketscale.replay/v1";

/// What each policy would have cost over the time replayed, and how it would have served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Always `ketscale.replay/v1`.
    pub schema: String,
    /// Name of the problem.
    pub problem: String,
    /// True when the problem's numbers were made up.
    pub synthetic: bool,
    /// When it begins, seconds since the Unix epoch.
    pub start_seconds: f64,
    /// When it ends.
    pub end_seconds: f64,
    /// Number of steps with constant load.
    pub steps: u64,
    /// Values of the load that were not measured, and for which the one before stands.
    pub values_held: u64,
    /// The node autoscaler that runs with the HPAs.
    pub node_autoscaler: String,
    /// What no policy can save, in the cost of each: commitments, and nodes that may not be given back, such as those with pods of others,
    /// USD.
    pub kept_usd: f64,
    /// One entry a policy, in the order asked for.
    pub policies: Vec<PolicyReport>,
    /// What must be said about the model.
    pub notes: Vec<String>,
}

/// What one policy came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyReport {
    /// `ketscale`, or `hpa-` and a target in percent.
    pub policy: String,
    /// Nodes, expected spot interruptions and evictions, USD.
    pub cost_usd: f64,
    /// Nodes, from order to return, commitments included, USD.
    pub nodes_usd: f64,
    /// Expected price of spot interruptions, USD.
    pub spot_evictions_usd: f64,
    /// Evictions at the price of the service, USD.
    pub evictions_usd: f64,
    /// Price of missed latency objectives, USD; not in `cost_usd`.
    pub slo_usd: f64,
    /// Minutes over the latency objective, summed over the services that have one; a queue that grows, or more CPU asked for than requested,
    /// counts.
    pub minutes_over_slo: f64,
    /// Minutes of overload, summed over the services without an objective: a queue that grows, or more CPU asked for than requested.
    pub minutes_overloaded: f64,
    /// Minutes above `capacity.target_utilization`, summed over services. An HPA with a higher target means to be there.
    pub minutes_over_target: f64,
    /// Minutes with more pods on spot nodes than `placement.spot_share_max` allows, summed over services. Stock tools know no such limit.
    pub minutes_over_spot_share: f64,
    /// Minutes of replicas that were asked for and had no node.
    pub minutes_pending: f64,
    /// Changes of a service's replicas in a cluster.
    pub replica_changes: u64,
    /// Replicas added and removed by these.
    pub replicas_changed: u64,
    /// Nodes ordered and given back.
    pub node_changes: u64,
    /// Pods that left their node while the service kept its replicas.
    pub evictions: u64,
    /// Hours of nodes paid for.
    pub node_hours: f64,
    /// Hours of ready pods.
    pub pod_hours: f64,
    /// Plans carried out; 0 for HPAs.
    pub plans_published: u64,
    /// `minutes_over_slo` by service, those without any left out.
    pub over_slo_by_service: BTreeMap<String, f64>,
}

impl PolicyReport {
    pub(super) fn new(policy: Policy, fleet: &Fleet, tally: &Tally, plans_published: u64) -> Self {
        let services = fleet.services.iter().zip(&tally.over_slo_seconds);
        let over = services.filter(|(_, seconds)| **seconds > 0.0);
        Self {
            policy: policy.to_string(),
            cost_usd: tally.cost_usd(),
            nodes_usd: tally.nodes_usd,
            spot_evictions_usd: tally.spot_evictions_usd,
            evictions_usd: tally.evictions_usd,
            slo_usd: tally.slo_usd,
            minutes_over_slo: minutes(&tally.over_slo_seconds),
            minutes_overloaded: minutes(&tally.overloaded_seconds),
            minutes_over_target: minutes(&tally.over_target_seconds),
            minutes_over_spot_share: minutes(&tally.over_spot_share_seconds),
            minutes_pending: tally.pending_seconds / 60.0,
            replica_changes: tally.replica_changes,
            replicas_changed: tally.replicas_changed,
            node_changes: tally.node_changes,
            evictions: tally.evictions,
            node_hours: tally.node_seconds / 3600.0,
            pod_hours: tally.pod_seconds / 3600.0,
            plans_published,
            over_slo_by_service: over
                .map(|(service, seconds)| (service.name.clone(), seconds / 60.0))
                .collect(),
        }
    }
}

impl Report {
    pub(super) fn new(
        fleet: &Fleet,
        trace: &Trace,
        node_autoscaler: &str,
        policies: Vec<PolicyReport>,
    ) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            problem: fleet.problem.name.clone(),
            synthetic: fleet.problem.synthetic,
            start_seconds: trace.start_seconds(),
            end_seconds: trace.end_seconds(),
            steps: trace.steps().len() as u64,
            values_held: trace.held(),
            node_autoscaler: node_autoscaler.to_owned(),
            kept_usd: kept_usd_per_hour(fleet) * (trace.end_seconds() - trace.start_seconds())
                / 3600.0,
            policies,
            notes: fleet.notes.clone(),
        }
    }

    /// The cheapest of the HPAs; none where no HPA was replayed.
    pub fn best_hpa(&self) -> Option<&PolicyReport> {
        let hpas = self
            .policies
            .iter()
            .filter(|row| row.policy.starts_with("hpa-"));
        hpas.min_by(|a, b| a.cost_usd.total_cmp(&b.cost_usd))
    }
}

/// Price of the nodes that may not be given back, and of commitments.
fn kept_usd_per_hour(fleet: &Fleet) -> f64 {
    let mut nodes = vec![0; fleet.offerings.len()];
    for class in fleet.classes.iter().filter(|class| class.kept) {
        nodes[class.offering] += class.count().unwrap_or(0);
    }
    cost::nodes(fleet, &nodes)
}

/// Seconds by service in minutes over all.
fn minutes(seconds: &[f64]) -> f64 {
    seconds.iter().fold(0.0, |sum, seconds| sum + seconds) / 60.0
}
