//! What is counted while a policy runs the world.

/// Sums over the time replayed. Lists have one entry a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tally {
    /// Nodes, from order to return, commitments included.
    pub(super) nodes_usd: f64,
    /// The expected price of spot interruptions, which do not happen here.
    pub(super) spot_evictions_usd: f64,
    /// Pods moved, at the price of an eviction of their service.
    pub(super) evictions_usd: f64,
    /// The price of missed latency objectives.
    pub(super) slo_usd: f64,
    /// Seconds over the latency objective.
    pub(super) over_slo_seconds: Vec<f64>,
    /// Seconds of overload of services without an objective.
    pub(super) overloaded_seconds: Vec<f64>,
    /// Seconds above the target utilisation.
    pub(super) over_target_seconds: Vec<f64>,
    /// Seconds with more pods on spot nodes than `spot_share_max` allows.
    pub(super) over_spot_share_seconds: Vec<f64>,
    /// Seconds of replicas that were asked for and had no node.
    pub(super) pending_seconds: f64,
    /// Changes of a service's replicas in a cluster.
    pub(super) replica_changes: u64,
    /// Replicas added and removed by these.
    pub(super) replicas_changed: u64,
    /// Nodes ordered and given back.
    pub(super) node_changes: u64,
    /// Pods that left their node while the service kept its replicas.
    pub(super) evictions: u64,
    /// Time of nodes paid for.
    pub(super) node_seconds: f64,
    /// Time of pods ready.
    pub(super) pod_seconds: f64,
}

impl Tally {
    /// Nothing yet, for so many services.
    pub(super) fn new(services: usize) -> Self {
        let none = vec![0.0; services];
        Self {
            over_slo_seconds: none.clone(),
            overloaded_seconds: none.clone(),
            over_target_seconds: none.clone(),
            over_spot_share_seconds: none,
            ..Self::default()
        }
    }

    /// What is paid in money: nodes, and pods disturbed.
    pub(super) fn cost_usd(&self) -> f64 {
        self.nodes_usd + self.spot_evictions_usd + self.evictions_usd
    }
}
