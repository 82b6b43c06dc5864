//! A node of the world, and the pods on it.

/// A node: paid for from its order until it is gone.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Its name, unique over the whole replay.
    pub(super) name: String,
    /// Index of the offering.
    pub(super) offering: usize,
    /// Position in the problem's `current.nodes`, of a node that was there when the replay began.
    pub(super) source: Option<usize>,
    /// When its start-up is over.
    pub(super) ready_at_seconds: f64,
    /// When it is given back; infinite for one that stays.
    pub(super) gone_at_seconds: f64,
    /// Its pods, those that are on their way in or out among them.
    pub(super) pods: Vec<Pod>,
}

/// A pod: serves from its readiness until it leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pod {
    /// Index of the service.
    pub(super) service: usize,
    /// When it is ready.
    pub(super) ready_at_seconds: f64,
    /// When it leaves; infinite for one that stays.
    pub(super) leaves_at_seconds: f64,
}

impl Node {
    /// Whether it is meant to stay.
    pub(super) fn stays(&self) -> bool {
        self.gone_at_seconds.is_infinite()
    }

    /// Pods of a service that are meant to stay.
    pub(super) fn staying(&self, service: usize) -> u32 {
        let here = |pod: &&Pod| pod.service == service && pod.stays();
        u32::try_from(self.pods.iter().filter(here).count()).unwrap_or(u32::MAX)
    }
}

impl Pod {
    /// Whether it is meant to stay.
    pub(super) fn stays(&self) -> bool {
        self.leaves_at_seconds.is_infinite()
    }

    /// Whether it serves at a time.
    pub(super) fn serves(&self, at_seconds: f64) -> bool {
        self.ready_at_seconds <= at_seconds && at_seconds < self.leaves_at_seconds
    }
}
