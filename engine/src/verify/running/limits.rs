//! Limits on nodes while a plan is carried out.

use crate::fleet::{Fleet, Limit};

/// Limits on nodes hold, but for surge; one that did not hold before is no further from holding.
pub(super) fn hold(fleet: &Fleet, before: &[u32], now: &[u32]) -> Result<(), String> {
    let surge = fleet.problem.policy.surge.nodes;
    for limit in &fleet.limits {
        let slack = 1e-9 * limit.limit.abs().max(1.0);
        let allowed = if limit.surge { surge } else { 0 };
        let holds = if limit.at_least {
            let (sum, was) = (
                without_largest(limit, now, 0),
                without_largest(limit, before, 0),
            );
            sum >= limit.limit.min(was) - slack
        } else {
            let (sum, was) = (
                without_largest(limit, now, allowed),
                without_largest(limit, before, allowed),
            );
            sum <= limit.limit.max(was) + slack
        };
        if !holds {
            return Err(format!("{} does not hold afterwards", limit.name));
        }
    }
    Ok(())
}

/// The sum of a limit over nodes by offering, without the `surge` nodes that count most.
fn without_largest(limit: &Limit, nodes: &[u32], surge: u32) -> f64 {
    let mut counted: Vec<(f64, u32)> = limit
        .coefficients
        .iter()
        .copied()
        .zip(nodes.iter().copied())
        .collect();
    counted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut left = surge;
    let counts = counted.into_iter().map(|(coefficient, nodes)| {
        let left_out = nodes.min(left);
        left -= left_out;
        coefficient * f64::from(nodes - left_out)
    });
    counts.sum()
}
