//! Why a plan is as it is, read from the plan alone: which constraints bind and what they cost, and for each service what sets its
//! number of replicas.
//!
//! The prices are the certificate's multipliers (`docs/decisions/bound.md`). With the limit of a row one unit looser, the same
//! multipliers prove a bound that is lower by the row's multiplier d, so no plan can then cost less than bound − d: loosening saves
//! at most d on top of what the gap leaves open. Where the certificate has several leaves, d is the largest of theirs, for which
//! the same holds; what a pod costs is told by the one leaf that the plan itself lies in.

mod neighbours;
mod unused;

use std::collections::BTreeMap;

pub use unused::Unused;

use serde::Serialize;

use crate::fleet::{self, Fleet, Level, Service};
use crate::plan::{Branch, Certificate, Leaf, NodeGroup, Plan, ServicePlan};
use crate::problem::{Mode, Survive};

/// Prices below this are noise of the solver's arithmetic, USD/h.
const SMALLEST_PRICE: f64 = 1e-6;

/// Why a plan is as it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The constraints over the fleet that bind, dearest first.
    pub binding: Vec<Binding>,
    /// What sets each service's replicas, in the order of the problem.
    pub services: Vec<ServiceExplanation>,
    /// Offerings of which the plan has no node, in the order of the problem; none without a certificate of a feasible plan.
    pub unused: Vec<Unused>,
    /// The plan's own reasons; for an infeasible plan the constraints that clash.
    pub reasons: Vec<String>,
}

/// A constraint that binds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Binding {
    /// The row's name in the certificate, such as `pool_max/general`.
    pub row: String,
    /// What one unit looser means: `one more node allowed in pool general`.
    pub relief: String,
    /// The most that it would save beyond the gap, USD/h.
    pub usd_per_hour: f64,
}

/// What sets a service's replicas.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceExplanation {
    /// `namespace/name`.
    pub name: String,
    /// Planned replicas over all clusters.
    pub replicas: u32,
    /// Replicas now over all clusters, when known.
    pub replicas_now: Option<u32>,
    /// Fewest replicas that the problem admits, when any.
    pub fewest_admissible: Option<u32>,
    /// Sentences: why not fewer, why not more.
    pub why: Vec<String>,
    /// What one more pod costs at the certificate's prices, by cell (`cluster/zone/capacity_type`), USD/h.
    pub pod_usd_per_hour: BTreeMap<String, f64>,
    /// Estimate of what one replica fewer changes, USD/h; absent where so few are not admissible, or without a certificate.
    pub one_fewer_usd_per_hour: Option<f64>,
    /// Estimate of what one replica more changes, USD/h; absent where so many are not admissible, or without a certificate.
    pub one_more_usd_per_hour: Option<f64>,
}

/// Explains a plan.
///
/// # Errors
///
/// The plan's problem does not compile; a plan that `verify` accepts always does.
pub fn explain(plan: &Plan) -> Result<Explanation, Vec<crate::problem::Issue>> {
    let fleet = fleet::compile(plan.problem.clone(), &plan.relaxed)?;
    let prices = plan.certificate.as_ref().map(prices).unwrap_or_default();
    // The multipliers of a proof that nothing is feasible are no prices.
    let own = own_leaf(plan).filter(|_| plan.cost.is_some());
    let planned = fleet.services.iter().zip(&plan.services);
    let services = planned.map(|(service, planned)| explain_service(&fleet, service, planned, own));
    // A multiplier above the whole cost says only that the row's limit is 0 or that no price would be too high.
    let dearest = plan
        .cost
        .map_or(f64::INFINITY, |cost| cost.total_usd_per_hour);
    Ok(Explanation {
        binding: binding(&prices, dearest),
        services: services.collect(),
        unused: own.map_or_else(Vec::new, |leaf| unused::unused(&fleet, plan, leaf)),
        reasons: plan.reasons.clone(),
    })
}

/// The largest multiplier of each row over the leaves.
fn prices(certificate: &Certificate) -> BTreeMap<String, f64> {
    let mut prices: BTreeMap<String, f64> = BTreeMap::new();
    for (row, dual) in certificate.leaves.iter().flat_map(|leaf| &leaf.duals) {
        let price = prices.entry(row.clone()).or_insert(*dual);
        *price = price.max(*dual);
    }
    prices
}

/// The leaf whose decisions the plan keeps.
fn own_leaf(plan: &Plan) -> Option<&Leaf> {
    let total = |on: &str| -> u32 {
        match on.split_once('/') {
            Some(("replicas", name)) => {
                let service = plan.services.iter().filter(|service| service.name == name);
                service.flat_map(|service| service.replicas.values()).sum()
            }
            Some((_, offering)) => {
                let of_offering = |group: &&NodeGroup| {
                    offering
                        .strip_prefix(&group.pool)
                        .and_then(|rest| rest.strip_prefix('/'))
                        == Some(group.offering.as_str())
                };
                let groups = plan.nodes.iter().filter(of_offering);
                groups.map(|group| group.count).sum()
            }
            None => plan.nodes.iter().map(|group| group.count).sum(),
        }
    };
    let keeps = |branch: &Branch| {
        let total = total(&branch.on);
        branch.at_most.is_none_or(|most| total <= most)
            && branch.at_least.is_none_or(|least| total >= least)
    };
    let leaves = &plan.certificate.as_ref()?.leaves;
    leaves.iter().find(|leaf| leaf.branches.iter().all(keeps))
}

/// Rows with a price that says something: above the noise, and below the `dearest` that can be saved.
fn binding(prices: &BTreeMap<String, f64>, dearest: f64) -> Vec<Binding> {
    let mut binding: Vec<Binding> = prices
        .iter()
        .filter(|(_, price)| **price > SMALLEST_PRICE)
        .filter_map(|(row, price)| {
            let (relief, units) = relief(row)?;
            Some(Binding {
                row: row.clone(),
                relief,
                usd_per_hour: price * units,
            })
        })
        .collect();
    binding.retain(|row| row.usd_per_hour < dearest);
    binding.sort_by(|a, b| {
        b.usd_per_hour
            .total_cmp(&a.usd_per_hour)
            .then_with(|| a.row.cmp(&b.row))
    });
    binding
}

/// What loosening a row means in words, and by how many of the row's units; `None` for rows that are no limit of the user's.
fn relief(row: &str) -> Option<(String, f64)> {
    let (kind, what) = row.split_once('/').unwrap_or((row, ""));
    let one = |text: String| Some((text, 1.0));
    match kind {
        "budget" => one("one more USD/h of budget".to_owned()),
        "max_moves" => one("one more move allowed".to_owned()),
        "no_moves" => one(format!("one pod of {what} allowed to move")),
        "spot_share" => one(format!("one more replica of {what} allowed on spot")),
        "pool_min" => one(format!("one node fewer required in pool {what}")),
        "pool_max" => one(format!("one more node allowed in pool {what}")),
        "available" => one(format!("one more node available of {what}")),
        "cap" => {
            let (name, unit) = what.rsplit_once('/')?;
            match unit {
                "nodes" => one(format!("one more node allowed under cap {name}")),
                "cpu" => Some((format!("one more core allowed under cap {name}"), 1000.0)),
                "usd" => one(format!("one more USD/h allowed under cap {name}")),
                _ => None,
            }
        }
        _ => None,
    }
}

fn explain_service(
    fleet: &Fleet,
    service: &Service,
    planned: &ServicePlan,
    leaf: Option<&Leaf>,
) -> ServiceExplanation {
    let replicas = planned.replicas.values().sum();
    let prices = leaf.iter().flat_map(|leaf| &leaf.duals);
    let (one_fewer_usd_per_hour, one_more_usd_per_hour) = leaf.map_or((None, None), |leaf| {
        neighbours::estimates(fleet, service, leaf, replicas)
    });
    let prefix = format!("pods/{}/", service.name);
    let cell =
        |(row, price): (&String, &f64)| Some((row.strip_prefix(&prefix)?.to_owned(), *price));
    ServiceExplanation {
        name: service.name.clone(),
        replicas,
        replicas_now: service.now,
        fewest_admissible: service.admissible().next().map(|level| level.replicas),
        why: why(fleet, service, replicas),
        pod_usd_per_hour: prices.filter_map(cell).collect(),
        one_fewer_usd_per_hour,
        one_more_usd_per_hour,
    }
}

fn why(fleet: &Fleet, service: &Service, replicas: u32) -> Vec<String> {
    let mut sentences = Vec::new();
    let source = fleet
        .problem
        .services
        .iter()
        .find(|source| source.name == service.name);
    if source.is_some_and(|source| source.mode == Mode::Observe) {
        sentences.push("mode observe: the count stays as it is".to_owned());
        return sentences;
    }
    if source.is_some_and(|source| source.load.is_none() || source.capacity.is_none()) {
        sentences.push("no load and capacity are given, so the count stays as it is".to_owned());
        return sentences;
    }
    sentences.push(state(service.level(replicas)));
    if let Some(fewer) = replicas.checked_sub(1) {
        sentences.push(why_not_fewer(fleet, service, fewer));
    }
    sentences.extend(survival(service, replicas));
    sentences
}

/// The planned level: `CPU at 62 % of request, p95 44.0 ms`.
fn state(level: &Level) -> String {
    let mut parts = Vec::new();
    parts.extend(
        level
            .utilization
            .map(|share| format!("CPU at {:.0} % of request", share * 100.0)),
    );
    parts.extend(level.latency_p95_ms.map(|ms| format!("p95 {ms:.1} ms")));
    if level.slo_usd_per_hour > 0.0 {
        parts.push(format!(
            "the missed latency objective costs ${:.4}/h",
            level.slo_usd_per_hour
        ));
    }
    let what = if parts.is_empty() {
        "no load".to_owned()
    } else {
        parts.join(", ")
    };
    format!("with {} replicas: {what}", level.replicas)
}

fn why_not_fewer(fleet: &Fleet, service: &Service, fewer: u32) -> String {
    let least: u32 = service.clusters.iter().map(|bounds| bounds.min).sum();
    if fewer < least {
        return format!(
            "not fewer: the clusters' minima (with pods that must stay) sum up to {least}"
        );
    }
    let level = service.level(fewer);
    if fewer < service.least_carrying {
        let target = target_utilization(fleet, service);
        return match level.utilization.filter(|share| *share > target) {
            Some(share) => {
                let (share, target) = (share * 100.0, target * 100.0);
                format!(
                    "not fewer: {fewer} would put CPU at {share:.0} % of request, the target is {target:.0} %"
                )
            }
            None => format!("not fewer: {fewer} cannot keep up with the requests"),
        };
    }
    if service.survive != Survive::None && fewer <= service.least_carrying {
        return format!("not fewer: {fewer} are just enough, and none of them could be lost");
    }
    if !level.admissible {
        let latency = level
            .latency_p95_ms
            .map_or("no finite p95".to_owned(), |ms| {
                format!("a p95 of {ms:.1} ms")
            });
        return format!("not fewer: {fewer} would have {latency}, above the hard limit");
    }
    let extra = level.slo_usd_per_hour - service.level(fewer + 1).slo_usd_per_hour;
    if extra > SMALLEST_PRICE {
        return format!("{fewer} would carry the load, at ${extra:.4}/h more for missed latency");
    }
    format!("{fewer} would carry the load too; no cheaper plan with so few was found")
}

fn target_utilization(fleet: &Fleet, service: &Service) -> f64 {
    let source = fleet
        .problem
        .services
        .iter()
        .find(|source| source.name == service.name);
    source
        .and_then(|source| source.capacity.as_ref())
        .map_or(1.0, |capacity| capacity.target_utilization)
}

fn survival(service: &Service, replicas: u32) -> Option<String> {
    let unit = match service.survive {
        Survive::None => return None,
        Survive::Node => "node",
        Survive::Zone => "zone",
        Survive::Cluster => "cluster",
    };
    let (least, limit) = (service.least_carrying, service.failure_limit(replicas));
    Some(format!(
        "{least} must be left after losing any {unit}, so no {unit} may hold more than {limit} of {replicas}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_cores_is_priced_by_the_core() {
        let prices = BTreeMap::from([
            ("cap/quota/cpu".to_owned(), 2e-5),
            ("cap/quota/nodes".to_owned(), 0.03),
        ]);
        let found = binding(&prices, 10.0);
        let rows: Vec<(&str, f64)> = found
            .iter()
            .map(|b| (b.relief.as_str(), b.usd_per_hour))
            .collect();
        assert_eq!(
            rows,
            [
                ("one more node allowed under cap quota", 0.03),
                ("one more core allowed under cap quota", 0.02)
            ]
        );
    }

    #[test]
    fn a_price_above_the_whole_cost_is_no_information() {
        let prices = BTreeMap::from([("spot_share/shop/payment".to_owned(), 308.0)]);
        assert_eq!(binding(&prices, 1.5), []);
    }

    #[test]
    fn rows_that_are_no_limit_of_the_users_are_not_binding() {
        let rows = [
            "pods/shop/cart/eu/b/spot",
            "commitment/general/m/b/on-demand",
            "at_most/nodes",
            "cap/x/unknown",
        ];
        let prices = rows.into_iter().map(|row| (row.to_owned(), 1.0)).collect();
        assert_eq!(binding(&prices, 10.0), []);
    }

    #[test]
    fn names_with_slashes_stay_whole() {
        let (relief, units) =
            relief("available/general/m6i.large/us-east-1a/spot").unwrap_or_default();
        assert_eq!(
            (relief.as_str(), units),
            (
                "one more node available of general/m6i.large/us-east-1a/spot",
                1.0
            )
        );
    }

    #[test]
    fn the_dearest_leaf_sets_the_price() {
        let leaf = |price: f64| crate::plan::Leaf {
            branches: Vec::new(),
            duals: BTreeMap::from([("budget".to_owned(), price)]),
        };
        let found = prices(&Certificate {
            leaves: vec![leaf(0.2), leaf(0.5), leaf(0.1)],
        });
        assert_eq!(found.get("budget"), Some(&0.5));
    }
}
