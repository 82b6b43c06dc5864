//! Limits on nodes while a plan is carried out.

use super::state::State;
use crate::fleet::Limit;

impl State<'_> {
    /// Whether one more node of an offering keeps every upper limit, surge included.
    pub(super) fn may_add(&self, offering: usize) -> bool {
        let mut nodes = self.up.clone();
        nodes[offering] += 1;
        let concerned = self
            .fleet
            .limits
            .iter()
            .filter(|limit| !limit.at_least && limit.coefficients[offering] > 0.0);
        concerned.into_iter().all(|limit| {
            let surge = if limit.surge {
                self.fleet.problem.policy.surge.nodes
            } else {
                0
            };
            sum(limit, &nodes) - largest(limit, &nodes, surge) <= limit.limit + slack(limit)
        })
    }

    /// Whether one node less of an offering keeps every lower limit.
    pub(super) fn may_remove(&self, offering: usize) -> bool {
        let mut nodes = self.up.clone();
        nodes[offering] = nodes[offering].saturating_sub(1);
        let concerned = self
            .fleet
            .limits
            .iter()
            .filter(|limit| limit.at_least && limit.coefficients[offering] > 0.0);
        concerned
            .into_iter()
            .all(|limit| sum(limit, &nodes) >= limit.limit - slack(limit))
    }
}

fn sum(limit: &Limit, nodes: &[u32]) -> f64 {
    limit
        .coefficients
        .iter()
        .zip(nodes)
        .map(|(coefficient, nodes)| coefficient * f64::from(*nodes))
        .sum()
}

/// Sum of the `count` largest coefficients among the nodes.
fn largest(limit: &Limit, nodes: &[u32], count: u32) -> f64 {
    let mut present: Vec<(f64, u32)> = limit
        .coefficients
        .iter()
        .copied()
        .zip(nodes.iter().copied())
        .collect();
    present.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut left = count;
    let taken = present.into_iter().map(|(coefficient, nodes)| {
        let taken = nodes.min(left);
        left -= taken;
        coefficient * f64::from(taken)
    });
    taken.sum()
}

/// The tolerance of [`crate::feasibility`].
fn slack(limit: &Limit) -> f64 {
    1e-9 * limit.limit.abs().max(1.0)
}
