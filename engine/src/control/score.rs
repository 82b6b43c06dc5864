//! The balanced score: is a change worth its disruption?
//!
//! After Karpenter's balanced consolidation (`designs/balanced-consolidation.md` of kubernetes-sigs/karpenter, "Calculation" and "Per-Pod
//! Disruption Cost"): the score is the share of the cost that a change saves over the share of the disruption that it causes, both of the
//! totals of the pools that it touches, and must be at least 1/k. A pod counts `1 + priority/2²⁵` within [0, 10], a node that goes counts 1.

/// What a change saves and disturbs, beside the totals of the pools that it touches.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weights {
    /// USD/h less than now; negative where it costs more.
    pub savings_usd_per_hour: f64,
    /// USD/h of the pools touched, now.
    pub total_usd_per_hour: f64,
    /// Pods that leave their nodes and nodes that go, weighed, ≥ 0.
    pub disruption: f64,
    /// All pods and nodes of the pools touched, weighed, ≥ 0.
    pub total_disruption: f64,
}

impl Weights {
    /// Share of the savings over share of the disruption; infinite where nothing is disturbed, and 0 where nothing is saved.
    pub fn score(&self) -> f64 {
        if self.savings_usd_per_hour <= 0.0 {
            return 0.0;
        }
        if self.disruption <= 0.0 {
            return f64::INFINITY;
        }
        let saved = self.savings_usd_per_hour / self.total_usd_per_hour;
        let disturbed = self.disruption / self.total_disruption;
        let score = saved / disturbed;
        if score.is_finite() { score } else { 0.0 }
    }

    /// Whether the change is worth its disruption.
    pub fn is_worth_it(&self, k: f64) -> bool {
        // The guard keeps 0.05 / 0.1 from missing one half by rounding.
        self.score() >= (1.0 - 1e-12) / k
    }
}

/// Weight of a pod by the priority of its service.
pub fn pod_weight(priority: i32) -> f64 {
    (1.0 + f64::from(priority) / 33_554_432.0).clamp(0.0, 10.0)
}
