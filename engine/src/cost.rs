//! The objective in US dollars an hour, term by term.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fleet::Fleet;
use crate::placement::Placement;

/// Hours in the month of all monthly figures.
pub const HOURS_PER_MONTH: f64 = 730.0;

/// Cost of a placement in USD an hour, by term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Sum of the terms.
    pub total_usd_per_hour: f64,
    /// Nodes, commitments included.
    pub nodes_usd_per_hour: f64,
    /// Spot pods · interruptions an hour · USD of an eviction.
    pub spot_evictions_usd_per_hour: f64,
    /// Missed latency objectives.
    pub slo_usd_per_hour: f64,
    /// Moves · USD of an eviction, spread over the horizon; absent when the file does not say what runs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moves_usd_per_hour: Option<f64>,
    /// Start-up time of new nodes, spread over the horizon; absent when the file does not say what runs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_usd_per_hour: Option<f64>,
}

/// The cost of a placement, feasible or not.
pub fn cost(fleet: &Fleet, placement: &Placement) -> Cost {
    let nodes_usd_per_hour = nodes(fleet, &placement.nodes(fleet));
    let groups = || placement.groups.iter();
    let spot_evictions_usd_per_hour = total(groups().map(|group| {
        let pods = group.pods.iter().copied().enumerate();
        spot_evictions(fleet, group.class, pods) * f64::from(group.count)
    }));
    let services = || fleet.services.iter().enumerate();
    let counts = placement.counts(fleet);
    let slo_usd_per_hour =
        total(services().map(|(s, service)| service.level(counts.replicas[s]).slo_usd_per_hour));
    let moves = total(
        services()
            .map(|(s, service)| service.move_usd_per_hour * f64::from(counts.moves(fleet, s))),
    );
    let startup = total(groups().map(|g| startup(fleet, g.class) * f64::from(g.count)));
    Cost {
        total_usd_per_hour: nodes_usd_per_hour
            + spot_evictions_usd_per_hour
            + slo_usd_per_hour
            + moves
            + startup,
        nodes_usd_per_hour,
        spot_evictions_usd_per_hour,
        slo_usd_per_hour,
        moves_usd_per_hour: fleet.has_current.then_some(moves),
        startup_usd_per_hour: fleet.has_current.then_some(startup),
    }
}

/// Price of nodes by offering: list price, with the committed ones paid in any case and cheaper (or free) to use.
pub fn nodes(fleet: &Fleet, nodes: &[u32]) -> f64 {
    let listed = fleet.offerings.iter().zip(nodes);
    let listed = total(listed.map(|(o, n)| o.usd_per_hour * f64::from(*n)));
    listed + commitments(fleet, nodes)
}

/// What commitments add to the list price of nodes by offering.
pub(crate) fn commitments(fleet: &Fleet, nodes: &[u32]) -> f64 {
    let commitments = fleet.commitments.iter().map(|commitment| {
        let used = commitment.nodes.min(nodes[commitment.offering]);
        let saved =
            fleet.offerings[commitment.offering].usd_per_hour - commitment.used_usd_per_hour;
        commitment.usd_per_hour * f64::from(commitment.nodes) - saved * f64::from(used)
    });
    total(commitments)
}

/// Expected evictions of these pods (service and how many) on one node of a class.
pub(crate) fn spot_evictions(
    fleet: &Fleet,
    class: usize,
    pods: impl Iterator<Item = (usize, u32)>,
) -> f64 {
    let rate = fleet.offering_of(class).interruptions_per_hour;
    let evictions = pods.map(|(s, pods)| fleet.services[s].usd_per_eviction * f64::from(pods));
    if rate > 0.0 {
        rate * total(evictions)
    } else {
        0.0
    }
}

/// The start-up of one node of a class.
pub(crate) fn startup(fleet: &Fleet, class: usize) -> f64 {
    if fleet.classes[class].is_existing() {
        0.0
    } else {
        fleet.offering_of(class).startup_usd_per_hour
    }
}

/// A sum that is +0 when there is nothing to add (`Iterator::sum` of floats starts from −0).
fn total(terms: impl Iterator<Item = f64>) -> f64 {
    terms.fold(0.0, |sum, term| sum + term)
}
