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
    let spot_evictions_usd_per_hour = spot_evictions(fleet, placement);
    let services = || fleet.services.iter().enumerate();
    let slo_usd_per_hour =
        total(services().map(|(s, service)| service.level(placement.replicas(s)).slo_usd_per_hour));
    let moves = total(
        services()
            .map(|(s, service)| service.move_usd_per_hour * f64::from(placement.moves(fleet, s))),
    );
    let startup = startup(fleet, placement);
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
    let listed = total(
        fleet
            .offerings
            .iter()
            .zip(nodes)
            .map(|(o, n)| o.usd_per_hour * f64::from(*n)),
    );
    let commitments = fleet.commitments.iter().map(|commitment| {
        let used = commitment.nodes.min(nodes[commitment.offering]);
        let saved =
            fleet.offerings[commitment.offering].usd_per_hour - commitment.used_usd_per_hour;
        commitment.usd_per_hour * f64::from(commitment.nodes) - saved * f64::from(used)
    });
    listed + total(commitments)
}

fn spot_evictions(fleet: &Fleet, placement: &Placement) -> f64 {
    let group_cost = |group: &crate::placement::Group| {
        let rate = fleet.offering_of(group.class).interruptions_per_hour;
        let per_node: f64 = fleet
            .services
            .iter()
            .zip(&group.pods)
            .map(|(s, pods)| s.usd_per_eviction * f64::from(*pods))
            .sum();
        rate * per_node * f64::from(group.count)
    };
    total(placement.groups.iter().map(group_cost))
}

fn startup(fleet: &Fleet, placement: &Placement) -> f64 {
    let new = placement
        .groups
        .iter()
        .filter(|group| !fleet.classes[group.class].is_existing());
    total(
        new.map(|group| {
            fleet.offering_of(group.class).startup_usd_per_hour * f64::from(group.count)
        }),
    )
}

/// A sum that is +0 when there is nothing to add (`Iterator::sum` of floats starts from −0).
fn total(terms: impl Iterator<Item = f64>) -> f64 {
    terms.fold(0.0, |sum, term| sum + term)
}
