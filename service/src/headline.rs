//! A plan at a glance.

use ketscale_engine::plan::{Action, Plan, Status};
use serde::{Deserialize, Serialize};

/// What a list of plans shows of one. Everything stands in the plan file too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Headline {
    /// Name of the problem.
    pub problem: String,
    /// What was found.
    pub status: Status,
    /// What the acting controller should do.
    pub action: Action,
    /// Cost of the plan, USD/h.
    pub cost_usd_per_hour: Option<f64>,
    /// Cost of what runs now, USD/h.
    pub current_cost_usd_per_hour: Option<f64>,
    /// Cost of the repaired baseline, USD/h.
    pub baseline_cost_usd_per_hour: Option<f64>,
    /// Proven lower bound, USD/h.
    pub bound_usd_per_hour: Option<f64>,
    /// `(cost − bound) / (cost − constants)`.
    pub gap: Option<f64>,
    /// Planned replicas.
    pub replicas: u32,
    /// Planned nodes.
    pub nodes: u32,
    /// True when the numbers were made up.
    pub synthetic: bool,
    /// Live readings that were missing.
    pub gaps: u32,
    /// True when the clock cut the run.
    pub cut_by_clock: bool,
    /// Size of the plan file.
    pub plan_bytes: u64,
}

impl Headline {
    /// That of a plan whose file has this many bytes.
    pub fn of(plan: &Plan, plan_bytes: usize) -> Self {
        let total = |counts: &mut dyn Iterator<Item = u32>| counts.fold(0, u32::saturating_add);
        let repaired = plan
            .baseline_cost
            .as_ref()
            .and_then(|baseline| baseline.repaired.as_ref());
        Self {
            problem: plan.problem.name.clone(),
            status: plan.status,
            action: plan.decision.action,
            cost_usd_per_hour: plan.cost.as_ref().map(|cost| cost.total_usd_per_hour),
            current_cost_usd_per_hour: plan
                .current_cost
                .as_ref()
                .map(|cost| cost.total_usd_per_hour),
            baseline_cost_usd_per_hour: repaired.map(|row| row.cost.total_usd_per_hour),
            bound_usd_per_hour: plan.bound,
            gap: plan.gap,
            replicas: total(
                &mut plan
                    .services
                    .iter()
                    .flat_map(|service| service.replicas.values().copied()),
            ),
            nodes: total(&mut plan.pools.iter().map(|pool| pool.nodes)),
            synthetic: plan.provenance.synthetic,
            gaps: u32::try_from(plan.provenance.gaps.len()).unwrap_or(u32::MAX),
            cut_by_clock: plan.provenance.cut_by_clock,
            plan_bytes: u64::try_from(plan_bytes).unwrap_or(u64::MAX),
        }
    }
}
