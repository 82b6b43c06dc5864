//! What went on under one policy, step by step: the material of the chart.

use super::trace::Step;
use super::world::World;

/// One entry a step of the trace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// Replicas asked for over all services, at the end of the step.
    pub replicas: Vec<u32>,
    /// Nodes paid for, at the end of the step.
    pub nodes: Vec<u32>,
    /// Mean cost of the step in USD an hour: nodes, expected spot interruptions, evictions.
    pub usd_per_hour: Vec<f64>,
    /// Seconds over the latency objective in the step, summed over services.
    pub over_slo_seconds: Vec<f64>,
    /// What had been counted when the step began: USD, and seconds over the objective.
    before: (f64, f64),
}

impl Timeline {
    /// Takes down a step that has just ended.
    pub(super) fn record(&mut self, world: &World, step: &Step) {
        let tally = &world.tally;
        let now = (tally.cost_usd(), tally.over_slo_seconds.iter().sum());
        let hours = (step.end_seconds - step.start_seconds) / 3600.0;
        self.replicas.push(world.wanted.iter().flatten().sum());
        self.nodes.push(world.nodes_paid().iter().sum());
        self.usd_per_hour.push((now.0 - self.before.0) / hours);
        self.over_slo_seconds.push(now.1 - self.before.1);
        self.before = now;
    }
}
