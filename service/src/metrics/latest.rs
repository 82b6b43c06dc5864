//! What the latest cycle of a problem found, as figures.

use std::collections::BTreeMap;

/// Figures of one cycle.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Latest {
    /// When the cycle began, seconds since the Unix epoch.
    pub(crate) at_seconds: f64,
    /// Whether anything could be read.
    pub(crate) observed: bool,
    /// Age of the oldest reading used, in seconds.
    pub(crate) age_seconds: Option<f64>,
    /// Values that could not be read.
    pub(crate) gaps: u32,
    /// What happened, by kind.
    pub(crate) events: Vec<(&'static str, u32)>,
    /// Services that were held as they are.
    pub(crate) held_services: u32,
    /// The plan made in this cycle, if one was.
    pub(crate) made: Option<Made>,
    /// When the plan in force was published, seconds since the Unix epoch.
    pub(crate) in_force_since_seconds: Option<f64>,
    /// Services in the order of the problem.
    pub(crate) services: Vec<ServiceFigures>,
    /// Pools in the order of the problem.
    pub(crate) pools: Vec<PoolFigures>,
    /// Seconds until what is warned of, by subject and constraint; negative where it has happened.
    pub(crate) warnings: BTreeMap<(String, String), f64>,
    /// Offerings that are avoided because a provider refused them.
    pub(crate) refused_offerings: u32,
    /// Spent on nodes this month so far, USD.
    pub(crate) month_usd: Option<f64>,
    /// The same as forecast for the month's end, USD.
    pub(crate) month_end_usd: Option<f64>,
}

/// A plan that was made.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Made {
    /// Its status, as plan files write it.
    pub(crate) status: String,
    /// The solver whose plan was the best; `none` without one.
    pub(crate) solver: String,
    /// Its money.
    pub(crate) money: Money,
}

/// Money of a plan, USD/h but for the gap.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Money {
    /// Its cost.
    pub(crate) cost: Option<f64>,
    /// Cost of what runs now.
    pub(crate) current: Option<f64>,
    /// Cost of the stock autoscalers made feasible.
    pub(crate) baseline: Option<f64>,
    /// Proven lower bound.
    pub(crate) bound: Option<f64>,
    /// Gap as a ratio.
    pub(crate) gap: Option<f64>,
}

/// Figures of a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ServiceFigures {
    /// `namespace/name`.
    pub(crate) name: String,
    /// Load read, requests a second.
    pub(crate) load_rps: Option<f64>,
    /// Load planned for, requests a second.
    pub(crate) demand_rps: Option<f64>,
    /// Its replicas in each cluster.
    pub(crate) replicas: Vec<ReplicaFigures>,
}

/// Replicas of a service in a cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ReplicaFigures {
    /// The cluster.
    pub(crate) cluster: String,
    /// Replicas now, where known.
    pub(crate) now: Option<u32>,
    /// Replicas of the plan in force, where there is one.
    pub(crate) planned: Option<u32>,
}

/// Figures of a pool.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PoolFigures {
    /// Name.
    pub(crate) name: String,
    /// Nodes now, where known.
    pub(crate) now: Option<u32>,
    /// Nodes of the plan in force, where there is one.
    pub(crate) planned: Option<u32>,
}
