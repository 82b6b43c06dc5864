//! Why a plan cannot be carried out.

use super::state::State;

/// No order of steps keeps the limits and the disruption budgets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Stuck {
    /// What is in the way, and what would help.
    pub message: String,
}

/// What keeps the state from becoming the plan.
pub(super) fn explain(state: &State<'_>) -> Stuck {
    let blocked: Vec<String> = blocked_pods(state)
        .into_iter()
        .chain(blocked_nodes(state))
        .collect();
    let shown = blocked
        .iter()
        .take(3)
        .cloned()
        .collect::<Vec<_>>()
        .join("; ");
    let more = blocked.len().saturating_sub(3);
    let more = if more > 0 {
        format!("; and {more} more")
    } else {
        String::new()
    };
    let surge = state.fleet.problem.policy.surge.nodes;
    Stuck {
        message: format!(
            "no order of steps fits: {shown}{more}; raise policy.surge.nodes (now {surge}) or the limits named"
        ),
    }
}

fn blocked_pods(state: &State<'_>) -> Vec<String> {
    let mut blocked = Vec::new();
    for node in &state.nodes {
        for service in state.services().filter(|s| node.deficit(*s) > 0) {
            let name = &state.fleet.services[service].name;
            blocked.push(format!(
                "{} has no room yet for {} of {name}",
                node.name,
                node.deficit(service)
            ));
        }
    }
    blocked
}

fn blocked_nodes(state: &State<'_>) -> Vec<String> {
    let mut blocked = Vec::new();
    for (n, node) in state
        .nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.is_up != node.stays)
    {
        let offering = state.offering_index(n);
        match (node.is_up, node.load()) {
            (false, _) => blocked.push(format!(
                "{} cannot start within {}",
                node.name,
                state.limits_of(offering, false)
            )),
            (true, 0) => blocked.push(format!(
                "{} cannot go within {}",
                node.name,
                state.limits_of(offering, true)
            )),
            (true, pods) => {
                blocked.push(format!("{pods} pods have nowhere to go from {}", node.name))
            }
        }
    }
    blocked
}

impl State<'_> {
    /// Names of the limits that concern an offering.
    fn limits_of(&self, offering: usize, at_least: bool) -> String {
        let concerned = self
            .fleet
            .limits
            .iter()
            .filter(|l| l.at_least == at_least && l.coefficients[offering] > 0.0);
        concerned
            .map(|limit| limit.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    }
}
