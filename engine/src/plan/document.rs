//! The plan file as it is stored: `ketscale.plan/v1`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cost::Cost;
use crate::problem::{ProblemFile, Relaxation};
use crate::warning::Warning;

/// The only value of the `schema` key of plans that this version reads and writes.
pub const SCHEMA: &str = "ketscale.plan/v1";

/// A plan with everything needed to check it: the problem, the packing, the bound's certificate, the provenance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Always `ketscale.plan/v1`.
    pub schema: String,
    /// `sha256:` and the hex SHA-256 of the canonical JSON (RFC 8785) of the plan without this key.
    pub digest: String,
    /// The problem, complete: prices and allocatable filled in.
    pub problem: ProblemFile,
    /// What was found.
    pub status: Status,
    /// Constraints given up, in the order of `policy.relax`; empty unless `status` is relaxed.
    pub relaxed: Vec<Relaxation>,
    /// What the acting controller should do with the plan.
    pub decision: Decision,
    /// Replicas of each service, in the order of the problem.
    pub services: Vec<ServicePlan>,
    /// Nodes of each pool, in the order of the problem.
    pub pools: Vec<PoolPlan>,
    /// The packing: groups of equal nodes.
    pub nodes: Vec<NodeGroup>,
    /// Cost of the plan.
    pub cost: Option<Cost>,
    /// Cost of what runs now.
    pub current_cost: Option<Cost>,
    /// What the stock autoscalers would have done.
    pub baseline_cost: Option<Baseline>,
    /// Proven lower bound on the cost of every feasible plan, USD/h.
    pub bound: Option<f64>,
    /// `(cost − bound) / max(cost − constants, 1e-6)`.
    pub gap: Option<f64>,
    /// Proof of the bound.
    pub certificate: Option<Certificate>,
    /// What each solver found.
    pub candidates: Vec<Candidate>,
    /// What QAOA did and contributed.
    pub qaoa: Option<QaoaReport>,
    /// How to carry the plan out, in order; absent when the problem does not say what runs now.
    pub steps: Option<Vec<Step>>,
    /// Why, in words: what binds, what was given up, what could not be modelled.
    pub reasons: Vec<String>,
    /// What had changed and what was expected to become too little when the plan was made, by time; absent where nothing was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// Where every number came from and what made the plan.
    pub provenance: Provenance,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// `cost − bound ≤ 1e-6 · max(1, cost)`.
    Optimal,
    /// Feasible, with the gap stated.
    Feasible,
    /// Feasible after giving up the constraints in `relaxed`.
    Relaxed,
    /// Proven to have no feasible plan.
    Infeasible,
    /// Neither a feasible plan nor a proof that there is none was found.
    Unknown,
}

impl Status {
    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Optimal => "optimal",
            Self::Feasible => "feasible",
            Self::Relaxed => "relaxed",
            Self::Infeasible => "infeasible",
            Self::Unknown => "unknown",
        }
    }
}

/// What the acting controller should do with the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Publish, hold the last one, or fall back.
    pub action: Action,
    /// The rule that decided.
    pub rule: String,
    /// Age in seconds of the oldest live reading used; absent without live readings.
    pub age_seconds: Option<f64>,
}

/// What to do with a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Carry the plan out.
    Publish,
    /// Keep what is there.
    Hold,
    /// Go to the safe replicas.
    Fallback,
}

/// A service in a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServicePlan {
    /// `namespace/name`.
    pub name: String,
    /// Replicas now by cluster, where known.
    pub replicas_now: BTreeMap<String, u32>,
    /// Planned replicas by cluster.
    pub replicas: BTreeMap<String, u32>,
    /// Expected CPU use over request, when modelled.
    pub cpu_utilization: Option<f64>,
    /// Expected p95 latency in milliseconds, when modelled.
    pub latency_p95_ms: Option<f64>,
    /// Pods that move to another node.
    pub moves: u32,
}

/// A pool in a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolPlan {
    /// Name.
    pub name: String,
    /// Nodes now; absent when the problem does not say.
    pub nodes_now: Option<u32>,
    /// Planned nodes.
    pub nodes: u32,
    /// List price of the planned nodes, USD/h.
    pub usd_per_hour: f64,
}

/// Equal nodes with equal pods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NodeGroup {
    /// Pool.
    pub pool: String,
    /// `type/zone/capacity_type`.
    pub offering: String,
    /// Number of nodes.
    pub count: u32,
    /// Names of existing nodes (as many as `count`); empty for new ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Pods on each node by service.
    pub pods: BTreeMap<String, u32>,
}

/// What the stock autoscalers would have done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// What the best stock tool makes of the fleet: the row `baseline`.
    pub stock: BaselineRow,
    /// The cheapest of the stock tools' placements with the least replicas and nodes added until it is feasible; absent when that did
    /// not succeed.
    pub repaired: Option<BaselineRow>,
}

/// One baseline with its packing, so that its cost can be recomputed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineRow {
    /// Its cost.
    pub cost: Cost,
    /// Its packing.
    pub nodes: Vec<NodeGroup>,
    /// Constraints it breaks.
    pub violations: Vec<String>,
}

/// Proof of a bound: leaves of a search tree that covers every feasible plan, with one dual vector each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The leaves; the bound is the smallest of theirs.
    pub leaves: Vec<Leaf>,
}

/// A leaf of the search tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// The branching decisions from the root; none at the root.
    pub branches: Vec<Branch>,
    /// Multipliers by row name, as `docs/decisions/bound.md` defines them; rows that are absent have multiplier 0.
    pub duals: BTreeMap<String, f64>,
}

/// One branching decision: a sum is at most, or at least, a whole number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    /// `replicas/SERVICE` or `nodes/POOL/OFFERING` or `nodes` (all).
    pub on: String,
    /// Upper bound, for a decision "at most".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u32>,
    /// Lower bound, for a decision "at least".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<u32>,
}

/// What one solver found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// A stock tool, `cluster_autoscaler_least_waste`, `cluster_autoscaler_price` or `karpenter`; `baseline`, the cheapest of these
    /// (of those with the fewest pods pending), and `baseline_repaired`; `exact`, `qaoa`, `anneal`, `uniform`, `enumerate` or
    /// `unchanged`; or `partial`, the part of the best one's changes that a control loop carries out.
    pub solver: String,
    /// What became of it: `chosen`, `feasible`, `violates`, `none`, `failed`, `stopped`.
    pub outcome: String,
    /// Cost of its best plan under `policy.packing`, USD/h.
    pub total_usd_per_hour: Option<f64>,
    /// The part of the cost that `packing: schedulable` added, USD/h.
    pub schedulable_usd_per_hour: Option<f64>,
    /// Work units used.
    pub work: u64,
    /// Remarks.
    pub note: String,
}

/// What QAOA did and what it contributed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QaoaReport {
    /// Choices of each service's axis, by service name; a service with a single choice has no axis.
    pub axes: BTreeMap<String, u32>,
    /// Number of states.
    pub dimension: u64,
    /// Layers.
    pub depth: u32,
    /// Phase angles.
    pub gamma: Vec<f64>,
    /// Mixer angles.
    pub beta: Vec<f64>,
    /// ⟨C⟩ of the surrogate at the start state, USD/h.
    pub initial_expectation: f64,
    /// ⟨C⟩ at the final angles, USD/h.
    pub expectation: f64,
    /// Mean of the surrogate over the uniform distribution, USD/h.
    pub uniform_mean: f64,
    /// Its standard deviation, USD/h.
    pub uniform_standard_deviation: f64,
    /// Mean surrogate cost of the samples, USD/h.
    pub sampled_mean: f64,
    /// The surrogate's minimum over the whole register, USD/h.
    pub table_minimum: f64,
    /// Probability of a minimum at the final angles.
    pub probability_of_minimum: f64,
    /// The same under the start state.
    pub initial_probability_of_minimum: f64,
    /// The same under the uniform distribution.
    pub uniform_probability_of_minimum: f64,
    /// Rank of the best sample among all states by surrogate cost; 1 is the minimum.
    pub best_sample_rank: u64,
    /// Spearman's rank correlation of surrogate and true cost over the packed samples; absent with fewer than three.
    pub rank_correlation: Option<f64>,
    /// Samples drawn.
    pub shots: u64,
    /// Evaluations of the expectation or its gradient.
    pub evaluations: u64,
    /// Distinct sampled choices that were packed.
    pub packed: u64,
    /// Best true cost among the samples, USD/h.
    pub best_usd_per_hour: Option<f64>,
    /// The same for annealing with as many evaluations as shots, and at equal work.
    pub anneal_usd_per_hour: Option<f64>,
    /// Annealing at equal work, USD/h.
    pub anneal_equal_work_usd_per_hour: Option<f64>,
    /// The same for uniform sampling with as many samples as shots.
    pub uniform_usd_per_hour: Option<f64>,
    /// Uniform sampling at equal work, USD/h.
    pub uniform_equal_work_usd_per_hour: Option<f64>,
    /// The same for the register's minimum by enumeration.
    pub enumerate_usd_per_hour: Option<f64>,
    /// Feasible candidates among the packed samples that no other source had.
    pub own_candidates: u64,
    /// True when the published plan came from a QAOA sample.
    pub chosen: bool,
}

/// One step of carrying a plan out. Order matters; after each step every pod fits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// What happens.
    #[serde(flatten)]
    pub change: Change,
    /// Expected duration in seconds: node start-up or pod readiness.
    pub seconds: f64,
    /// State after the step.
    pub after: After,
}

/// What a step does. Nodes are existing ones by name or new ones as `new/POOL/OFFERING/NUMBER`, numbered from 1 within the offering.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Change {
    /// New nodes are ordered and become ready.
    NodesUp {
        /// Pool.
        pool: String,
        /// Offering.
        offering: String,
        /// The nodes.
        nodes: Vec<String>,
    },
    /// Replicas are added.
    ReplicasUp {
        /// Service.
        service: String,
        /// Cluster.
        cluster: String,
        /// Pods added on each node.
        onto: BTreeMap<String, u32>,
    },
    /// Pods move from one node to others, at most the disruption budget at a time.
    Move {
        /// Service.
        service: String,
        /// Pods leaving each node.
        from: BTreeMap<String, u32>,
        /// Pods arriving on each node; as many as leave.
        onto: BTreeMap<String, u32>,
    },
    /// Pods of several services leave and arrive at the same time, each within its disruption budget, because no order of single moves fits.
    Exchange {
        /// The moves.
        moves: Vec<Exchange>,
    },
    /// Replicas are removed.
    ReplicasDown {
        /// Service.
        service: String,
        /// Cluster.
        cluster: String,
        /// Pods removed from each node.
        from: BTreeMap<String, u32>,
    },
    /// Nodes are drained of nothing (no pod of a service is left on them) and given back.
    NodesDown {
        /// Pool.
        pool: String,
        /// Offering.
        offering: String,
        /// The nodes.
        nodes: Vec<String>,
    },
}

/// One service's part of an exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Service.
    pub service: String,
    /// Pods leaving each node.
    pub from: BTreeMap<String, u32>,
    /// Pods arriving on each node.
    pub onto: BTreeMap<String, u32>,
}

/// Totals after a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct After {
    /// Nodes.
    pub nodes: u32,
    /// Pods of services.
    pub pods: u32,
    /// List price of the nodes, USD/h.
    pub nodes_usd_per_hour: f64,
}

/// Where every number came from and what made the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// Ketscale's version.
    pub version: String,
    /// Solver setting.
    pub solver: String,
    /// Random seed.
    #[serde(with = "crate::plan::u64_text")]
    #[schemars(with = "String")]
    pub seed: u64,
    /// Limit on work units; absent when unlimited.
    #[serde(default, with = "crate::plan::u64_text_option")]
    #[schemars(with = "Option<String>")]
    pub work_limit: Option<u64>,
    /// Work units used.
    #[serde(with = "crate::plan::u64_text")]
    #[schemars(with = "String")]
    pub work: u64,
    /// True when a clock cut the run: then another run may give another plan.
    pub cut_by_clock: bool,
    /// True when the numbers were made up for an example or a test.
    pub synthetic: bool,
    /// Live readings used.
    pub readings: Vec<Reading>,
    /// Live readings that were missing; the file's value was kept.
    pub gaps: Vec<Gap>,
}

/// A live reading that replaced a value of the problem file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Path of the value in the problem file.
    pub path: String,
    /// The value read.
    pub value: f64,
    /// The query.
    pub query: String,
    /// Time of the sample, seconds since the Unix epoch.
    pub timestamp: f64,
}

/// A live reading that was missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Path of the value in the problem file, which keeps the file's value.
    pub path: String,
    /// The query.
    pub query: String,
    /// Why: missing, stale, not a number.
    pub reason: String,
}
