//! The problem compiled to indices and integers: what every solver, the cost function and `verify` read.
//!
//! A **cell** is a zone of a cluster together with a capacity type: `cell = 2 · zone + (spot ? 1 : 0)`. Services are
//! placed into cells, offerings belong to cells. A **class** is a set of equal nodes: the new nodes of an offering, or
//! existing nodes with equal offering, pods and restrictions.
//!
//! Resource vectors have one entry a dimension of [`Fleet::resources`] – `cpu` in millicores, `memory` in bytes, `pods`,
//! extended resources – followed by expected CPU use in millicores and expected memory use in bytes.

mod class;
mod compile;
pub mod latency;
mod level;
mod matching;

pub use class::Class;
pub(crate) use class::take;
pub use compile::compile;
pub use level::Level;
pub(crate) use level::{Model, carries};
pub(crate) use matching::{Labels, tolerates};

use crate::problem::{CapacityType, Packing, ProblemFile, Relaxation, Survive};

/// Share of allocatable that expected use may reach: above it the kubelet evicts and the CPU is contended.
pub const USE_LIMIT: (u64, u64) = (9, 10);

/// A problem in indices and integers. Made by [`compile`] only.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The problem it was made from, complete.
    pub problem: ProblemFile,
    /// Constraints given up, in the order of `policy.relax`.
    pub relaxed: Vec<Relaxation>,
    /// Names of the requested dimensions: `cpu`, `memory`, `pods`, then extended resources. Vectors have two more entries.
    pub resources: Vec<String>,
    /// Zones of clusters.
    pub zones: Vec<Zone>,
    /// Services, in the order of the file.
    pub services: Vec<Service>,
    /// Offerings of all pools, in the order of the file.
    pub offerings: Vec<Offering>,
    /// Classes of nodes: first one for the new nodes of each offering (same index), then the existing ones.
    pub classes: Vec<Class>,
    /// Limits over sums of nodes.
    pub limits: Vec<Limit>,
    /// Nodes paid for in any case, by offering.
    pub commitments: Vec<Commitment>,
    /// True when the file says what runs now, so that moves and start-up count.
    pub has_current: bool,
    /// What must be said about the model, such as a latency term that is off.
    pub notes: Vec<String>,
}

/// A zone of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// Index of the cluster.
    pub cluster: usize,
    /// The provider's name.
    pub name: String,
}

/// A service in indices and integers.
#[derive(Clone, Debug)]
pub struct Service {
    /// `namespace/name`.
    pub name: String,
    /// Request of one pod, one entry a dimension; the two of expected use are 0 here (see [`Service::pod_size`]).
    pub request: Vec<u64>,
    /// Replica bounds, ascending by cluster index.
    pub clusters: Vec<ClusterBounds>,
    /// What each total replica count means, from 0 on; some are admissible.
    pub levels: Vec<Level>,
    /// Fewest replicas that carry the load at target utilisation; 0 without a load model.
    pub least_carrying: u32,
    /// Cells with an eligible offering or a pod of the service, ascending.
    pub cells: Vec<usize>,
    /// Zones with an eligible offering, ascending: those over which skew is counted.
    pub eligible_zones: Vec<usize>,
    /// Most pods on one node.
    pub max_per_node: u32,
    /// Services that may not share a node with it, symmetric, ascending, without itself.
    pub conflicts: Vec<usize>,
    /// Fewest zones in each cluster with replicas; 1 when relaxed.
    pub min_zones: u32,
    /// Most skew over the eligible zones of a cluster.
    pub max_skew: Option<u32>,
    /// Largest share of replicas on spot nodes.
    pub spot_share_max: f64,
    /// What must be survived.
    pub survive: Survive,
    /// For each ordinal from 0: the zone its volume is in.
    pub volume_zones: Vec<Option<usize>>,
    /// USD of one eviction.
    pub usd_per_eviction: f64,
    /// USD an hour of one move: the eviction spread over the horizon.
    pub move_usd_per_hour: f64,
    /// True when running pods may not be moved (observe, or a disruption budget of 0).
    pub unmovable: bool,
    /// Pods on current nodes.
    pub placed_now: u32,
    /// The same by cell.
    pub cells_now: Vec<u32>,
    /// Pods by cell that must stay on their nodes.
    pub cells_pinned: Vec<u32>,
    /// Replicas now over all clusters, when known.
    pub now: Option<u32>,
}

/// Replica bounds of a service in one cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterBounds {
    /// Index of the cluster.
    pub cluster: usize,
    /// Fewest replicas, pinned pods included.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
    /// Replicas now, when known.
    pub now: Option<u32>,
}

/// An offering in indices and integers.
#[derive(Clone, Debug)]
pub struct Offering {
    /// Index of the pool.
    pub pool: usize,
    /// `type/zone/capacity_type`.
    pub name: String,
    /// Index of the cluster.
    pub cluster: usize,
    /// Index of the zone.
    pub zone: usize,
    /// `2 · zone + (spot ? 1 : 0)`.
    pub cell: usize,
    /// True when some node of it runs now.
    pub runs_now: bool,
    /// Capacity type.
    pub capacity_type: CapacityType,
    /// Price in USD an hour.
    pub usd_per_hour: f64,
    /// Expected interruptions an hour.
    pub interruptions_per_hour: f64,
    /// Price of the time in which a new node starts, spread over the horizon, USD an hour; 0 without `current`.
    pub startup_usd_per_hour: f64,
    /// Allocatable of an empty node, requested dimensions only.
    pub allocatable: Vec<u64>,
    /// For each service, whether the scheduler lets its pods onto such a node.
    pub eligible: Vec<bool>,
}

/// A limit `Σ coefficient · nodes ≤ limit` over offerings (existing and new nodes alike); a lower bound when `at_least`.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Name in certificates and messages, such as `pool_max/general`.
    pub name: String,
    /// For each offering, its coefficient; 0 when not concerned.
    pub coefficients: Vec<f64>,
    /// Right-hand side.
    pub limit: f64,
    /// True for a lower bound.
    pub at_least: bool,
    /// True when `policy.surge` may exceed it while the plan is carried out.
    pub surge: bool,
}

/// Nodes of an offering that are paid for whether used or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Commitment {
    /// Index of the offering.
    pub offering: usize,
    /// How many.
    pub nodes: u32,
    /// USD an hour each, in any case.
    pub usd_per_hour: f64,
    /// USD an hour each when used.
    pub used_usd_per_hour: f64,
}

impl Fleet {
    /// Number of requested dimensions, expected use not counted.
    pub fn requested_dimensions(&self) -> usize {
        self.resources.len()
    }

    /// Whether users pin pods themselves.
    pub fn is_exact(&self) -> bool {
        self.problem.policy.packing == Packing::Exact
    }

    /// Budget in USD an hour, unless given up.
    pub fn budget_usd_per_hour(&self) -> Option<f64> {
        if self.relaxed.contains(&Relaxation::Budget) {
            return None;
        }
        self.problem.policy.budget_usd_per_hour
    }

    /// What commitments cost in any case, USD an hour.
    pub fn sunk_usd_per_hour(&self) -> f64 {
        self.commitments
            .iter()
            .map(|c| c.usd_per_hour * f64::from(c.nodes))
            .sum()
    }

    /// Most moves, when limited.
    pub fn max_moves(&self) -> Option<u32> {
        self.problem.policy.max_moves
    }

    /// The offering of a class.
    pub fn offering_of(&self, class: usize) -> &Offering {
        &self.offerings[self.classes[class].offering]
    }

    /// Display name of a cell: `cluster/zone/capacity_type`.
    pub fn cell_name(&self, cell: usize) -> String {
        let zone = &self.zones[cell / 2];
        let capacity = if cell % 2 == 1 {
            CapacityType::Spot
        } else {
            CapacityType::OnDemand
        };
        format!(
            "{}/{}/{}",
            self.problem.clusters[zone.cluster].name,
            zone.name,
            capacity.as_str()
        )
    }

    /// Cluster of a cell.
    pub fn cluster_of_cell(&self, cell: usize) -> usize {
        self.zones[cell / 2].cluster
    }

    /// Display name of an offering: `pool/type/zone/capacity_type`.
    pub fn offering_name(&self, offering: usize) -> String {
        let offering = &self.offerings[offering];
        format!(
            "{}/{}",
            self.problem.pools[offering.pool].name, offering.name
        )
    }
}

impl Limit {
    /// The left-hand side for nodes by offering.
    pub fn sum(&self, nodes: &[u32]) -> f64 {
        let terms = self.coefficients.iter().zip(nodes);
        terms.fold(0.0, |sum, (c, n)| sum + c * f64::from(*n))
    }
}

impl Service {
    /// The level of a total replica count; the highest known one stands for counts beyond.
    pub fn level(&self, replicas: u32) -> &Level {
        &self.levels[(replicas as usize).min(self.levels.len() - 1)]
    }

    /// Whether a plan may have so many replicas.
    pub fn is_admissible(&self, replicas: u32) -> bool {
        self.levels
            .get(replicas as usize)
            .is_some_and(|level| level.admissible)
    }

    /// The levels that a plan may choose, ascending.
    pub fn admissible(&self) -> impl DoubleEndedIterator<Item = &Level> {
        self.levels.iter().filter(|level| level.admissible)
    }

    /// Size of one pod in every dimension of a class's capacity, at a total of `replicas`.
    pub fn pod_size(&self, replicas: u32) -> Vec<u64> {
        let level = self.level(replicas);
        let mut size = self.request.clone();
        let requested = size.len() - 2;
        size[requested] = level.cpu_use_mcores;
        size[requested + 1] = level.memory_use_bytes;
        size
    }

    /// Most spot replicas among `replicas`: ⌊share · replicas⌋.
    pub fn spot_limit(&self, replicas: u32) -> u32 {
        // The guard keeps 0.3 · 10 = 3 − 4e-16 from losing a replica.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let limit = (self.spot_share_max * f64::from(replicas) + 1e-9).floor() as u32;
        limit.min(replicas)
    }

    /// Most replicas that one failure unit (node, zone or cluster as `survive` says) may hold.
    pub fn failure_limit(&self, replicas: u32) -> u32 {
        replicas.saturating_sub(self.least_carrying)
    }

    /// Most pods on one node at a total of `replicas`.
    pub fn node_limit(&self, replicas: u32) -> u32 {
        match self.survive {
            Survive::Node => self.max_per_node.min(self.failure_limit(replicas)),
            Survive::None | Survive::Zone | Survive::Cluster => self.max_per_node,
        }
    }

    /// Pods by cell that must stay where they are at a total of `replicas`: pinned ones, and all of a service that may not be disturbed
    /// unless it shrinks.
    pub fn fixed(&self, replicas: u32) -> &[u32] {
        if self.unmovable && replicas >= self.placed_now {
            &self.cells_now
        } else {
            &self.cells_pinned
        }
    }

    /// Pods that volumes bind to `zone` at a total of `replicas`.
    pub fn bound_to_zone(&self, zone: usize, replicas: u32) -> u32 {
        let count = self
            .volume_zones
            .iter()
            .take(replicas as usize)
            .filter(|z| **z == Some(zone))
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Bounds in a cluster, when the service may run there.
    pub fn bounds(&self, cluster: usize) -> Option<&ClusterBounds> {
        self.clusters
            .iter()
            .find(|bounds| bounds.cluster == cluster)
    }
}
