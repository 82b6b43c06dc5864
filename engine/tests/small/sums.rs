//! Rules and prices over sums of nodes.

use ketscale_engine::problem::{Cap, ProblemFile};

use super::meaning::Layout;
use super::place::Place;

/// Share of a limit, or of 1 where that is more, by which a plan may miss it: what sums of real numbers are rounded by.
const TOLERANCE: f64 = 1e-9;

/// A sum of weights over the nodes of a plan that stays within bounds.
pub struct Limit {
    /// The key of the problem file.
    pub key: &'static str,
    /// By place.
    weights: Vec<f64>,
    least: f64,
    most: f64,
}

impl Limit {
    pub fn holds(&self, layout: &Layout) -> bool {
        let sum: f64 = layout.iter().map(|node| self.weights[node.place]).sum();
        let slack = |limit: f64| TOLERANCE * limit.max(1.0);
        sum >= self.least - slack(self.least) && sum <= self.most + slack(self.most)
    }
}

pub fn limits(problem: &ProblemFile, places: &[Place<'_>]) -> Vec<Limit> {
    let mut limits = Vec::new();
    let mut at_most = |key, most: Option<f64>, weight: &dyn Fn(&Place<'_>) -> f64| {
        let weights = places.iter().map(weight).collect();
        limits.extend(most.map(|most| Limit {
            key,
            weights,
            least: 0.0,
            most,
        }));
    };
    for cap in &problem.policy.caps {
        let member = |place: &Place<'_>| f64::from(u8::from(selects(cap, place)));
        let mcores = cap.max_cpu.as_ref().map(|cpu| cpu.milli().unwrap() as f64);
        at_most("caps.max_nodes", cap.max_nodes.map(f64::from), &member);
        at_most("caps.max_cpu", mcores, &|p| member(p) * p.mcores());
        at_most("caps.max_usd_per_hour", cap.max_usd_per_hour, &|p| {
            member(p) * p.usd_per_hour()
        });
    }
    for pool in &problem.pools {
        for offering in &pool.offerings {
            let member = |p: &Place<'_>| f64::from(u8::from(p.is_of(&pool.name, &offering.name())));
            at_most(
                "available_nodes",
                offering.available_nodes.map(f64::from),
                &member,
            );
        }
    }
    limits.extend(problem.pools.iter().map(|pool| {
        let member = |place: &Place<'_>| f64::from(u8::from(place.pool.name == pool.name));
        Limit {
            key: "nodes",
            weights: places.iter().map(member).collect(),
            least: f64::from(pool.nodes.min),
            most: pool.nodes.max.map_or(f64::INFINITY, f64::from),
        }
    }));
    limits
}

/// Whether a cap is over the nodes of a place.
pub fn selects(cap: &Cap, place: &Place<'_>) -> bool {
    fn lists<T: PartialEq>(list: &Option<Vec<T>>, value: &T) -> bool {
        list.as_ref().is_none_or(|list| list.contains(value))
    }
    lists(&cap.clusters, &place.pool.cluster)
        && lists(&cap.pools, &place.pool.name)
        && lists(&cap.instance_types, &place.offering.instance_type)
        && lists(&cap.zones, &place.offering.zone)
        && lists(&cap.capacity_types, &place.offering.capacity_type)
}

/// Nodes of an offering that are paid for in any case.
pub struct Prepaid {
    /// By place.
    covers: Vec<bool>,
    nodes: u32,
    paid_usd_per_hour: f64,
    /// What each one that is used saves of its list price.
    saved_usd_per_hour: f64,
}

impl Prepaid {
    /// What it adds to the list prices of the nodes.
    pub fn usd_per_hour(&self, layout: &Layout) -> f64 {
        let covered = layout.iter().filter(|node| self.covers[node.place]).count();
        let used = self.nodes.min(u32::try_from(covered).unwrap());
        self.paid_usd_per_hour - f64::from(used) * self.saved_usd_per_hour
    }
}

pub fn prepaid(problem: &ProblemFile, places: &[Place<'_>]) -> Vec<Prepaid> {
    let commitments = problem.policy.commitments.iter();
    let prepaid = commitments.map(|commitment| {
        let covers = |place: &Place<'_>| place.is_of(&commitment.pool, &commitment.offering);
        let price = places
            .iter()
            .find(|place| covers(place))
            .unwrap()
            .usd_per_hour();
        Prepaid {
            covers: places.iter().map(covers).collect(),
            nodes: commitment.nodes,
            paid_usd_per_hour: f64::from(commitment.nodes) * commitment.usd_per_hour,
            saved_usd_per_hour: price - commitment.used_usd_per_hour,
        }
    });
    prepaid.collect()
}
