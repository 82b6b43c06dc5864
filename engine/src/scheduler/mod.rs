//! Replay of the stock Kubernetes scheduler: would it place the planned pods on the planned nodes?
//!
//! Pods that stay on their node are bound already. All others, new ones and those that move, arrive higher priority first and
//! otherwise in a shuffled order; each goes to the best of the nodes that pass the filters, and pods that found no node are
//! tried again as long as others find one.
//!
//! **Filters** (`pkg/scheduler/framework/plugins` of Kubernetes 1.34): `NodeResourcesFit` on every requested resource and
//! the number of pods; `NodeAffinity`, `TaintToleration` and `NodeUnschedulable` (eligibility, cordons); `InterPodAffinity` (anti-affinity in both
//! directions, `max_per_node`); `PodTopologySpread` with `DoNotSchedule` over zones (`max_skew`, with `min_zones` as
//! `minDomains`); `VolumeBinding` (a pod with a zonal volume goes to its zone). A pod of a cluster stays in it.
//!
//! **Scoring**: `NodeResourcesFit` with `LeastAllocated`, CPU and memory at weight 1, in upstream's integer arithmetic; among the
//! best nodes one is drawn at random, as upstream does. All nodes are scored, where upstream samples them in clusters of more
//! than a hundred.
//!
//! **What the stock scheduler cannot see** does not filter: expected use, `spot_share_max`, `survive`, and `min_zones` without
//! `max_skew`. [`Replay::placement`] may therefore break these even where no pod is pending.

mod arrival;
mod enlarge;
mod nodes;
mod ranking;

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::fleet::Fleet;
use crate::placement::Placement;

use arrival::Pod;
pub use enlarge::make_schedulable;
use nodes::Nodes;
pub(crate) use nodes::schedulable;

/// Every published plan is tried with the seeds `0..ORDERS`.
pub const ORDERS: u64 = 20;

/// What became of the planned pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Pods that found no node, by index of their service, ascending; empty when all were placed.
    pub pending: Vec<(usize, u32)>,
    /// Where the others ended up, normalized.
    pub placement: Placement,
}

/// Places the planned pods on the planned nodes as the stock scheduler would, in an order drawn from `seed`.
pub fn replay(fleet: &Fleet, placement: &Placement, seed: u64) -> Replay {
    let outcome = Queue::new(fleet, placement).run(seed);
    Replay {
        pending: outcome.by_service(),
        placement: outcome.nodes.placement(),
    }
}

/// The end of a replay.
struct Outcome<'a> {
    pending: Vec<Pod>,
    nodes: Nodes<'a>,
}

impl Outcome<'_> {
    /// Pods that found no node, by index of their service, ascending.
    fn by_service(&self) -> Vec<(usize, u32)> {
        let mut pending = BTreeMap::new();
        for pod in &self.pending {
            *pending.entry(pod.service).or_insert(0) += 1;
        }
        pending.into_iter().collect()
    }
}

/// Pods that wait for nodes, to be replayed in any order.
pub(crate) struct Queue<'a> {
    fleet: &'a Fleet,
    pods: Vec<Pod>,
    nodes: Nodes<'a>,
}

impl<'a> Queue<'a> {
    /// The planned pods but for those that stay where they are.
    pub(crate) fn new(fleet: &'a Fleet, placement: &Placement) -> Self {
        let pods = arrival::arriving(fleet, placement);
        let services = pods.iter().map(|pod| pod.service).collect();
        Self {
            fleet,
            nodes: Nodes::with_staying(fleet, placement, &services),
            pods: arrival::by_priority(fleet, pods),
        }
    }

    /// About the work units of one replay: a few looks a pod, and a step for each offering with nodes.
    pub(crate) fn work(&self) -> u64 {
        1 + self.pods.len() as u64 * (10 + self.nodes.offerings() as u64) / 200
    }

    /// Pods that find no node in the order of a seed, by index of their service, ascending.
    pub(crate) fn pending(&self, seed: u64) -> Vec<(usize, u32)> {
        self.run(seed).by_service()
    }

    fn run(&self, seed: u64) -> Outcome<'a> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut nodes = self.nodes.clone();
        let mut pending = self.pods.clone();
        arrival::shuffle(self.fleet, &mut pending, &mut rng);
        loop {
            let tried = pending.len();
            pending = bind(&mut nodes, &pending, &mut rng);
            if pending.is_empty() || pending.len() == tried {
                return Outcome { pending, nodes };
            }
        }
    }
}

/// One pass over the queue; returns the pods that found no node.
fn bind(nodes: &mut Nodes<'_>, queue: &[Pod], rng: &mut ChaCha8Rng) -> Vec<Pod> {
    let mut pending = Vec::new();
    // Nodes only fill up, so what found no node finds none until a pod of its own service changes the skew.
    let mut hopeless = BTreeSet::new();
    for pod in queue {
        if hopeless.contains(pod) || !nodes.bind(*pod, rng) {
            hopeless.insert(*pod);
            pending.push(*pod);
        } else {
            hopeless.retain(|other: &Pod| other.service != pod.service);
        }
    }
    pending
}
