//! Which node group Cluster Autoscaler expands.
//!
//! From kubernetes/autoscaler, release branch cluster-autoscaler-release-1.37 of 2026-07-30:
//! `cluster-autoscaler/expander/waste/waste.go`, `expander/price/price.go`, `expander/price/preferred.go`, and for the price of a pod
//! `cloudprovider/gce/gce_price_model.go` with the base prices of `gce_price_info.go`, Google's being the one provider with prices
//! of pods. Where scores are equal, Cluster Autoscaler draws; here the first in the file wins. The file knows what is allocatable
//! on a node and not its whole capacity, so that stands for both.

/// USD an hour of a core in Google's base prices.
const USD_PER_CORE: f64 = 0.033_174;
/// USD an hour of a GiB of memory there.
const USD_PER_GIB: f64 = 0.004_446;
/// USD an hour of a GPU there.
const USD_PER_GPU: f64 = 0.7;
/// Cores and GiB of the pod whose price steadies the ratio of prices.
const STABILIZATION: (f64, f64) = (0.5, 500.0 / 1024.0);
/// Unfitness of a node with GPUs, whatever its size.
const GPU_UNFITNESS: f64 = 1000.0;

/// The rule by which a node group is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expander {
    /// `--expander=least-waste`, the default.
    LeastWaste,
    /// `--expander=price`.
    Price,
}

/// Nodes that a group would add for pending pods, and the requests of these pods.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Offer {
    /// Nodes added.
    pub(super) nodes: u32,
    /// What one node has.
    pub(super) node: Size,
    /// Price of one node in USD an hour.
    pub(super) usd_per_hour: f64,
    /// What the pods request in sum.
    pub(super) pods: Size,
    /// Nodes of the cluster before.
    pub(super) cluster_nodes: usize,
}

/// Amounts of what has a price.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Size {
    pub(super) cores: f64,
    pub(super) gib: f64,
    pub(super) gpus: f64,
}

impl Size {
    fn usd_per_hour(self) -> f64 {
        self.cores * USD_PER_CORE + self.gib * USD_PER_GIB + self.gpus * USD_PER_GPU
    }
}

impl Expander {
    /// The lower, the better.
    pub(super) fn score(self, offer: &Offer) -> f64 {
        match self {
            Self::LeastWaste => waste(offer),
            Self::Price => price(offer),
        }
    }
}

/// Share of the new nodes' CPU that the pods leave unused, plus the same of memory.
fn waste(offer: &Offer) -> f64 {
    let nodes = f64::from(offer.nodes);
    let wasted = |pods: f64, node: f64| (nodes * node - pods) / (nodes * node);
    wasted(offer.pods.cores, offer.node.cores) + wasted(offer.pods.gib, offer.node.gib)
}

/// Price of the nodes over that of perfectly fitting ones, both steadied by a small pod's, times how ill the node fits the cluster,
/// which matters the less the more nodes are added.
fn price(offer: &Offer) -> f64 {
    let steady = Size {
        cores: STABILIZATION.0,
        gib: STABILIZATION.1,
        gpus: 0.0,
    }
    .usd_per_hour();
    let nodes = f64::from(offer.nodes);
    let ratio = (nodes * offer.usd_per_hour + steady) / (offer.pods.usd_per_hour() + steady);
    let preferred = preferred_cores(offer.cluster_nodes);
    let unfitness = (preferred / offer.node.cores).max(offer.node.cores / preferred);
    let suppressed = if offer.node.gpus > 0.0 {
        GPU_UNFITNESS
    } else {
        (unfitness - 1.0) * (1.0 - ((nodes - 1.0) / 15.0).tanh()) + 1.0
    };
    suppressed * ratio
}

/// Cores of the node that suits a cluster of so many: twice as many with every threefold size.
fn preferred_cores(nodes: usize) -> f64 {
    match nodes {
        0..=2 => 1.0,
        3..=6 => 2.0,
        7..=20 => 4.0,
        21..=60 => 8.0,
        61..=200 => 16.0,
        _ => 32.0,
    }
}

#[cfg(test)]
mod tests;
