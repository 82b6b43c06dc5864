//! What a fleet costs an hour, by whom and by what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::problem::{Offering, ProblemFile, Quantity, Resources};

/// Names under which costs stand that are no service's.
const FOREIGN: &str = "(other pods)";
const EMPTY: &str = "(empty nodes)";
const UNUSED: &str = "(unused commitments)";

/// Rates in USD an hour. A node's price is shared by what its pods request: each service by its largest share of CPU, memory or any other
/// resource of the node (its dominant share), scaled so that the shares add up to the node. Commitments are paid in any case; what of
/// them no node uses stands under a name of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Everything, USD/h.
    pub total_usd_per_hour: f64,
    /// By service, USD/h; `(other pods)`, `(empty nodes)` and `(unused commitments)` are no service's.
    pub by_service: BTreeMap<String, f64>,
    /// By pool, USD/h.
    pub by_pool: BTreeMap<String, f64>,
    /// By provider, USD/h.
    pub by_provider: BTreeMap<String, f64>,
    /// Commitments that are used, USD/h.
    pub commitments_used_usd_per_hour: f64,
    /// Commitments that are paid for and not used, USD/h.
    pub commitments_unused_usd_per_hour: f64,
}

impl Rate {
    /// Of what runs now in a complete problem; nothing where it does not say what runs.
    pub fn of(problem: &ProblemFile) -> Self {
        let mut rate = Self::default();
        for pool in &problem.pools {
            let cluster = problem
                .clusters
                .iter()
                .find(|cluster| cluster.name == pool.cluster);
            let provider = cluster.map_or(String::new(), |cluster| cluster.provider.to_string());
            for offering in &pool.offerings {
                rate.add(problem, &pool.name, &provider, offering);
            }
        }
        rate
    }

    fn add(&mut self, problem: &ProblemFile, pool: &str, provider: &str, offering: &Offering) {
        let name = offering.name();
        let current = problem.current.iter().flat_map(|current| &current.nodes);
        let nodes: Vec<_> = current
            .filter(|node| node.pool == pool && node.offering == name)
            .collect();
        let count = nodes.len() as f64;
        let list = offering.usd_per_hour.unwrap_or(0.0);
        let of_offering = problem
            .policy
            .commitments
            .iter()
            .filter(|c| c.pool == pool && c.offering == name);
        let (mut used_usd, mut unused_usd, mut left) = (0.0, 0.0, count);
        for commitment in of_offering {
            let used = f64::from(commitment.nodes).min(left);
            left -= used;
            used_usd += used * (commitment.usd_per_hour + commitment.used_usd_per_hour);
            unused_usd += (f64::from(commitment.nodes) - used) * commitment.usd_per_hour;
        }
        let nodes_usd = used_usd + left * list;
        let total = nodes_usd + unused_usd;
        if total == 0.0 && nodes.is_empty() {
            return;
        }
        self.total_usd_per_hour += total;
        *self.by_pool.entry(pool.to_owned()).or_default() += total;
        *self.by_provider.entry(provider.to_owned()).or_default() += total;
        self.commitments_used_usd_per_hour += used_usd;
        self.commitments_unused_usd_per_hour += unused_usd;
        if unused_usd > 0.0 {
            *self.by_service.entry(UNUSED.to_owned()).or_default() += unused_usd;
        }
        for node in &nodes {
            let weights = weights(problem, offering, &node.pods, &node.foreign);
            let sum = weights.values().fold(0.0, |sum, weight| sum + weight);
            for (service, weight) in weights {
                *self.by_service.entry(service).or_default() += nodes_usd / count * weight / sum;
            }
        }
    }
}

/// The dominant share of every service's pods on a node, and of the pods of no service.
fn weights(
    problem: &ProblemFile,
    offering: &Offering,
    pods: &BTreeMap<String, u32>,
    foreign: &Resources,
) -> BTreeMap<String, f64> {
    let allocatable = offering.allocatable.as_ref();
    let share = |requests: &Resources, pods: f64| {
        let shares = requests.iter().filter_map(|(resource, request)| {
            let room = allocatable?.get(resource).and_then(Quantity::milli_f64)?;
            Some(pods * request.milli_f64()? / room.max(1e-9))
        });
        shares.fold(0.0, f64::max)
    };
    let requests = |name: &String| {
        problem
            .services
            .iter()
            .find(|service| service.name == *name)
    };
    let mut weights: BTreeMap<String, f64> = (pods.iter())
        .filter_map(|(name, pods)| {
            Some((
                name.clone(),
                share(&requests(name)?.requests, f64::from(*pods)),
            ))
        })
        .collect();
    weights.insert(FOREIGN.to_owned(), share(foreign, 1.0));
    weights.retain(|_, weight| *weight > 0.0);
    if weights.is_empty() {
        weights.insert(EMPTY.to_owned(), 1.0);
    }
    weights
}
