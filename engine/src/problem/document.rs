//! The problem file as a user types it: `ketscale.problem/v1`.
//!
//! Every field documents its meaning, unit and default; `docs/problem.schema.json` is generated from these types.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quantity::Quantity;

/// The only value of the `schema` key that this version reads.
pub const SCHEMA: &str = "ketscale.problem/v1";

/// Resource quantities by Kubernetes resource name: `cpu`, `memory` and extended resources such as `nvidia.com/gpu`.
pub type Resources = BTreeMap<String, Quantity>;

/// A planning problem: which replicas and nodes serve the given load at least cost, in US dollars an hour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProblemFile {
    /// Always `ketscale.problem/v1`.
    pub schema: String,
    /// Name of the problem, shown in plans.
    pub name: String,
    /// True when the numbers were made up for an example or a test. Default false. Such a problem never feeds a live controller.
    #[serde(default, skip_serializing_if = "is_false")]
    pub synthetic: bool,
    /// Hours over which one-off costs (moves, node start-up) are spread. Default 1.
    #[serde(default = "one")]
    pub horizon_hours: f64,
    /// The clusters; at least one.
    pub clusters: Vec<Cluster>,
    /// The services to size and place; at least one.
    pub services: Vec<Service>,
    /// The node pools and what each may buy; at least one.
    pub pools: Vec<Pool>,
    /// Pods that run on every matching node. Default none.
    #[serde(default)]
    pub daemonsets: Vec<DaemonSet>,
    /// What runs now. Without it no plan can speak of moves, and keys that do are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Current>,
    /// Limits and preferences over the whole fleet.
    #[serde(default)]
    pub policy: Policy,
}

/// A cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Unique name.
    pub name: String,
    /// Cloud provider; selects the catalogue's prices and allocatable formulas.
    pub provider: Provider,
    /// The provider's region name, such as `europe-west1`.
    pub region: String,
}

/// A cloud provider. `other` has no catalogue: its offerings state price and allocatable themselves.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Amazon Web Services.
    Aws,
    /// Google Cloud.
    Gcp,
    /// Microsoft Azure.
    Azure,
    /// Anything else, such as machines of one's own.
    Other,
}

/// A service: identical pods behind one name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// `namespace/name`, unique.
    pub name: String,
    /// Workload kind. Default Deployment. A StatefulSet shrinks from its highest ordinal.
    #[serde(default)]
    pub kind: WorkloadKind,
    /// What the acting controller does with the plan. Default recommend. `observe` keeps replicas and pods where they are.
    #[serde(default)]
    pub mode: Mode,
    /// Replica bounds in each cluster the service may run in, by cluster name; at least one.
    pub clusters: BTreeMap<String, ReplicaBounds>,
    /// Effective pod request as the scheduler counts it; `cpu` and `memory` are required.
    pub requests: Resources,
    /// Load to carry. Without `load` or `capacity` the replica count is held at its current value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// How load turns into use of resources and into latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// Latency objective. Default none. Needs `load`, `capacity.concurrency` and `capacity.service_time_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slo: Option<Slo>,
    /// Where the pods may run and how they must be spread.
    #[serde(default)]
    pub placement: Placement,
    /// What may be disturbed, and at what price.
    #[serde(default)]
    pub disruption: Disruption,
    /// Seconds from a pod's binding to readiness. Default 0.
    #[serde(default)]
    pub ready_seconds: f64,
    /// Scheduling priority: higher values are scheduled first. Default 0.
    #[serde(default)]
    pub priority: i32,
}

/// Workload kind of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WorkloadKind {
    /// Pods are interchangeable.
    #[default]
    Deployment,
    /// Pods have ordinals; the highest goes first.
    StatefulSet,
}

/// What the acting controller does with a service's part of the plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Replicas stay as they are and pods are not moved.
    Observe,
    /// The plan proposes; an operator decides.
    #[default]
    Recommend,
    /// The controller carries the plan out.
    Enforce,
}

/// Replica bounds of a service in one cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplicaBounds {
    /// Fewest replicas.
    pub min: u32,
    /// Most replicas; at least `min`.
    pub max: u32,
    /// Replicas now. Default: the pods of the service on `current.nodes` of this cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<u32>,
}

/// Load of a service over all clusters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Requests per second over all replicas, ≥ 0.
    pub rps: f64,
}

/// How load turns into use and latency. Use of CPU a pod is `idle_cpu + rps / replicas · cpu_per_rps`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// CPU that one request per second keeps busy, such as `12m`.
    pub cpu_per_rps: Quantity,
    /// CPU of a pod without load. Default 0.
    #[serde(default = "zero_quantity")]
    pub idle_cpu: Quantity,
    /// Highest expected memory use of a pod. Default: unknown, and then only its request binds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_peak: Option<Quantity>,
    /// Highest ratio of CPU use to CPU request, in (0, 1]. Default 0.7.
    #[serde(default = "default_utilization")]
    pub target_utilization: f64,
    /// Requests that a pod serves at the same time (servers of the M/M/c queue). Default 1.
    #[serde(default = "one_u32")]
    pub concurrency: u32,
    /// Mean time to serve one request in milliseconds. Without it latency is not modelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_time_ms: Option<f64>,
}

impl Capacity {
    /// With the file's defaults for everything else.
    pub fn new(cpu_per_rps: Quantity) -> Self {
        Self {
            cpu_per_rps,
            idle_cpu: zero_quantity(),
            memory_peak: None,
            target_utilization: default_utilization(),
            concurrency: one_u32(),
            service_time_ms: None,
        }
    }
}

/// Latency objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Slo {
    /// Objective for the 95th percentile of latency in milliseconds, > 0.
    pub latency_p95_ms: f64,
    /// Cost in USD/h of missing the objective by 100 %: the term is `usd_per_hour · min(10, max(0, p95/objective − 1))`.
    /// Without it the objective is a hard limit (which `policy.relax: [slo]` may give up).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_hour: Option<f64>,
    /// The p95 observed now, in milliseconds: the model's waiting part is shifted to match it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_p95_ms: Option<f64>,
}

/// Where pods may run and how they must be spread.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Placement {
    /// Node labels that must match; a list means any of its values. Default none. Pools' labels and the well-known labels
    /// `topology.kubernetes.io/zone`, `topology.kubernetes.io/region`, `node.kubernetes.io/instance-type`, `kubernetes.io/arch`,
    /// `kubernetes.io/os` (`linux`) and `karpenter.sh/capacity-type` are known.
    pub selector: BTreeMap<String, OneOrMany>,
    /// Taints the pods tolerate. Default none.
    pub tolerations: Vec<Toleration>,
    /// CPU architectures the image runs on: `amd64`, `arm64`. Default `[amd64]`.
    pub architectures: Vec<String>,
    /// Most pods of the service on one node, ≥ 1. Default no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_per_node: Option<u32>,
    /// Services whose pods may not share a node with these (symmetric). Its own name means one pod a node. Default none.
    pub anti_affinity: Vec<String>,
    /// Fewest zones with a pod in every cluster where the service has pods. Default 1.
    pub min_zones: u32,
    /// Most difference in pods between two eligible zones of a cluster, empty ones counted, ≥ 1. Default no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_skew: Option<u32>,
    /// Most of the replicas that may run on spot nodes, rounded down, in [0, 1]. Default 1.
    pub spot_share_max: f64,
    /// What may fail with the rest still carrying the load at target utilisation. Default none. Needs `load` and `capacity`.
    pub survive: Survive,
    /// For a StatefulSet: zone of the volume of each ordinal, such as `"0": europe-west1-b`. The pod must run there. Default none.
    pub zonal_volumes: BTreeMap<String, String>,
}

impl Default for Placement {
    fn default() -> Self {
        Self {
            selector: BTreeMap::new(),
            tolerations: Vec::new(),
            architectures: vec!["amd64".to_owned()],
            max_per_node: None,
            anti_affinity: Vec::new(),
            min_zones: 1,
            max_skew: None,
            spot_share_max: 1.0,
            survive: Survive::None,
            zonal_volumes: BTreeMap::new(),
        }
    }
}

/// One value or several, any of which matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// Exactly this value.
    One(String),
    /// Any of these values.
    Many(Vec<String>),
}

impl OneOrMany {
    /// The accepted values.
    pub fn values(&self) -> &[String] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::Many(values) => values,
        }
    }
}

/// A failure that a service must survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Survive {
    /// No failure.
    #[default]
    None,
    /// Any one node.
    Node,
    /// Any one zone.
    Zone,
    /// Any one cluster.
    Cluster,
}

/// A toleration, with Kubernetes' meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Toleration {
    /// Taint key; empty with `Exists` tolerates every taint. Default empty.
    #[serde(default)]
    pub key: String,
    /// `Equal` or `Exists`. Default Equal.
    #[serde(default)]
    pub operator: TolerationOperator,
    /// Taint value for `Equal`. Default empty.
    #[serde(default)]
    pub value: String,
    /// Effect to tolerate; absent tolerates every effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
}

/// How a toleration matches a taint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// Key and value are equal.
    #[default]
    Equal,
    /// The key is equal.
    Exists,
}

/// A node taint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Taint {
    /// Key.
    pub key: String,
    /// Value. Default empty.
    #[serde(default)]
    pub value: String,
    /// Effect; PreferNoSchedule does not bind.
    pub effect: TaintEffect,
}

/// Effect of a taint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// New pods are kept away.
    NoSchedule,
    /// New pods are kept away and running ones evicted.
    NoExecute,
    /// A preference only.
    PreferNoSchedule,
}

/// What may be disturbed, and at what price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Disruption {
    /// Most replicas that may be missing at a time while the plan is carried out. 0 means pods are never moved. Default 1.
    pub max_unavailable: u32,
    /// Cost in USD of evicting one pod once. Default 0.
    pub usd_per_eviction: f64,
}

impl Default for Disruption {
    fn default() -> Self {
        Self {
            max_unavailable: 1,
            usd_per_eviction: 0.0,
        }
    }
}

/// A node pool: a node group, managed instance group, agent pool or NodePool, as its operator calls it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Unique name.
    pub name: String,
    /// Name of its cluster.
    pub cluster: String,
    /// Labels of its nodes. Default none.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Taints of its nodes. Default none.
    #[serde(default)]
    pub taints: Vec<Taint>,
    /// Bounds on its number of nodes. Default no bounds.
    #[serde(default)]
    pub nodes: NodeBounds,
    /// Seconds from ordering a node to its being ready, paid for without serving. Default 0.
    #[serde(default)]
    pub startup_seconds: f64,
    /// What the pool may buy; at least one.
    pub offerings: Vec<Offering>,
}

/// Bounds on a number of nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NodeBounds {
    /// Fewest nodes. Default 0.
    pub min: u32,
    /// Most nodes. Default no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

/// Capacity type of an offering.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum CapacityType {
    /// Stays until given back.
    OnDemand,
    /// May be taken away by the provider at any time.
    Spot,
}

impl CapacityType {
    /// The name used in files and in node labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::Spot => "spot",
        }
    }
}

/// An offering: instance type × zone × capacity type. Its name is `type/zone/capacity_type`, unique in its pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Offering {
    /// The provider's instance type name.
    pub instance_type: String,
    /// The provider's zone name.
    pub zone: String,
    /// `on-demand` or `spot`.
    pub capacity_type: CapacityType,
    /// Price in USD an hour. Default: the catalogue's price of the cluster's provider and region, if known there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_hour: Option<f64>,
    /// Expected interruptions of one node an hour. Default: the catalogue's figure if known, else 0 (always 0 on demand).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interruptions_per_hour: Option<f64>,
    /// Most nodes of this offering that a plan may use, existing ones included. Default no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_nodes: Option<u32>,
    /// What pods may request on an empty node: `cpu`, `memory`, `pods` and extended resources. Default: the provider's formula.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocatable: Option<Resources>,
    /// CPU architecture, `amd64` or `arm64`. Default: the catalogue's, else `amd64`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
}

impl Offering {
    /// `type/zone/capacity_type`.
    pub fn name(&self) -> String {
        format!(
            "{}/{}/{}",
            self.instance_type,
            self.zone,
            self.capacity_type.as_str()
        )
    }
}

/// Pods that run once on every matching node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DaemonSet {
    /// `namespace/name`, unique.
    pub name: String,
    /// Effective pod request.
    pub requests: Resources,
    /// Clusters it runs in. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Vec<String>>,
    /// Node labels that must match. Default none.
    #[serde(default)]
    pub selector: BTreeMap<String, OneOrMany>,
    /// Taints it tolerates. Default none.
    #[serde(default)]
    pub tolerations: Vec<Toleration>,
}

/// What runs now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Current {
    /// The nodes now.
    pub nodes: Vec<CurrentNode>,
}

/// A node now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CurrentNode {
    /// Unique name.
    pub name: String,
    /// Its pool.
    pub pool: String,
    /// Its offering within the pool: `type/zone/capacity_type`.
    pub offering: String,
    /// Pods of the services on it, by service name. Default none.
    #[serde(default)]
    pub pods: BTreeMap<String, u32>,
    /// Sum of the requests of pods that are in no service and no daemonset (with `pods` their number). They stay, and so does the node. Default none.
    #[serde(default)]
    pub foreign: Resources,
    /// No new pods may be placed on it. Default false.
    #[serde(default)]
    pub cordoned: bool,
    /// False when a pod on it must stay; then the node and all its pods stay. Default true.
    #[serde(default = "yes")]
    pub movable: bool,
    /// Why it is not movable; required when `movable` is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Limits and preferences over the whole fleet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Most USD an hour for nodes. Default no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_usd_per_hour: Option<f64>,
    /// Most pods moved from one node to another. Default no limit. Needs `current`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_moves: Option<u32>,
    /// Limits over selections of offerings. Default none.
    pub caps: Vec<Cap>,
    /// Nodes that are paid for whether used or not. Default none.
    pub commitments: Vec<Commitment>,
    /// `schedulable` (default): nodes are added until the stock scheduler places every pod in any order. `exact`: pods are pinned by the user.
    pub packing: Packing,
    /// What may be exceeded while the plan is carried out.
    pub surge: Surge,
    /// What to give up, in this order, when nothing is feasible: `budget`, `spot_share`, `spread`, `slo`. Default nothing.
    pub relax: Vec<Relaxation>,
}

/// A limit over all offerings that match every given list; an absent list matches everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// Unique name.
    pub name: String,
    /// Clusters. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clusters: Option<Vec<String>>,
    /// Pools. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pools: Option<Vec<String>>,
    /// Instance types. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_types: Option<Vec<String>>,
    /// Zones. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zones: Option<Vec<String>>,
    /// Capacity types. Default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_types: Option<Vec<CapacityType>>,
    /// Most nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_nodes: Option<u32>,
    /// Most allocatable CPU, such as a vCPU quota.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cpu: Option<Quantity>,
    /// Most USD an hour for nodes, at list price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_usd_per_hour: Option<f64>,
}

/// Nodes of one offering that are paid for whether used or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Commitment {
    /// Pool of the offering.
    pub pool: String,
    /// The offering: `type/zone/capacity_type`; on demand only.
    pub offering: String,
    /// How many nodes.
    pub nodes: u32,
    /// USD an hour for each, paid in any case.
    pub usd_per_hour: f64,
    /// USD an hour more for each one used. Default 0. At most the offering's price: a discount that grows with use is refused.
    #[serde(default)]
    pub used_usd_per_hour: f64,
}

/// How strictly the packing must be realised by the stock scheduler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Packing {
    /// The stock scheduler places every pod, in any order tried.
    #[default]
    Schedulable,
    /// Pods are pinned as the plan says.
    Exact,
}

/// What may be exceeded while the plan is carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Surge {
    /// Nodes above a pool's, cap's or offering's limit. Default 0.
    pub nodes: u32,
}

/// A constraint that may be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Relaxation {
    /// `policy.budget_usd_per_hour`.
    Budget,
    /// `placement.spot_share_max`.
    SpotShare,
    /// `placement.min_zones` and `placement.max_skew`.
    Spread,
    /// `slo` objectives without a price.
    Slo,
}

impl Relaxation {
    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "budget",
            Self::SpotShare => "spot_share",
            Self::Spread => "spread",
            Self::Slo => "slo",
        }
    }
}

fn one() -> f64 {
    1.0
}

fn one_u32() -> u32 {
    1
}

fn yes() -> bool {
    true
}

fn is_false(value: &bool) -> bool {
    !value
}

fn default_utilization() -> f64 {
    0.7
}

fn zero_quantity() -> Quantity {
    Quantity("0".to_owned())
}
