//! Fleets made up for measurements: services drawn from a seed on instance types of the catalogue, placed as stock tools leave them.
//!
//! What is drawn follows the size: `services` services of 3 to 50 replicas each, whose pods take 2 to 60 % of a node of their
//! cluster in the resource that binds, 30 % of them with zone rules, 20 % with anti-affinity, 20 % with a limit on spot; `offerings`
//! offerings over as many clusters as it takes. [`market`] lists what may be bought, [`workload`] draws the services, [`placing`]
//! places them. Every problem made here says `synthetic: true`, so that no plan for it is ever carried out.

mod market;
mod placing;
mod workload;

use std::fmt;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::catalogue::Catalogue;
use crate::problem::{Current, DaemonSet, Policy, ProblemFile, Quantity, Resources, SCHEMA};
use market::Market;

/// Most services of a generated fleet.
pub const MOST_SERVICES: usize = 10_000;

/// Hours over which moves and node starts are paid.
const HORIZON_HOURS: f64 = 4.0;

/// Millicores and bytes of the agent that every node runs.
const AGENT: (u64, u64) = (150, 256 << 20);

/// Size and seed of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetSize {
    /// Number of services, 1 to [`MOST_SERVICES`].
    pub services: usize,
    /// Number of offerings over all pools, 1 to what the catalogue has.
    pub offerings: usize,
    /// Seed of everything drawn.
    pub seed: u64,
}

/// A size that no fleet can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct OutOfRange {
    /// What: `services` or `offerings`.
    pub what: &'static str,
    /// How many were asked for.
    pub value: usize,
    /// Most that there can be.
    pub most: usize,
}

impl fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, value, most } = self;
        write!(f, "{what}: {value} is not from 1 to {most}")
    }
}

/// A fleet of this size; the same for the same size, seed and catalogue. It passes [`crate::problem::validate`], and the catalogue
/// knows the price and size of every offering.
///
/// # Errors
///
/// Every number that is out of range.
pub fn fleet(size: &FleetSize, catalogue: &Catalogue) -> Result<ProblemFile, Vec<OutOfRange>> {
    let most_offerings = market::most_offerings(catalogue);
    let out_of_range = |what, value, most| {
        let refusal = OutOfRange { what, value, most };
        (!(1..=most).contains(&value)).then_some(refusal)
    };
    let refusals: Vec<OutOfRange> = [
        out_of_range("services", size.services, MOST_SERVICES),
        out_of_range("offerings", size.offerings, most_offerings),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut random = ChaCha8Rng::seed_from_u64(size.seed);
    let markets = market::markets(catalogue, size.offerings, &mut random);
    let drafts = workload::draw(&markets, size.services, &mut random);
    let nodes = placing::place(&markets, &drafts, &mut random);
    Ok(ProblemFile {
        schema: SCHEMA.to_owned(),
        name: format!("fleet-{}x{}-{}", size.services, size.offerings, size.seed),
        synthetic: true,
        horizon_hours: HORIZON_HOURS,
        clusters: markets.iter().map(Market::cluster).collect(),
        services: drafts.into_iter().map(|draft| draft.service).collect(),
        pools: markets.iter().flat_map(Market::pools).collect(),
        daemonsets: vec![agent()],
        current: Some(Current { nodes }),
        policy: Policy::default(),
    })
}

fn agent() -> DaemonSet {
    DaemonSet {
        name: "kube-system/agent".to_owned(),
        requests: resources(AGENT.0, AGENT.1),
        clusters: None,
        selector: std::collections::BTreeMap::new(),
        tolerations: Vec::new(),
    }
}

fn resources(cpu_mcores: u64, memory_bytes: u64) -> Resources {
    Resources::from([
        ("cpu".to_owned(), Quantity::from_milli(cpu_mcores)),
        ("memory".to_owned(), Quantity::from_units(memory_bytes)),
    ])
}
