//! Which node becomes what: the groups of a placement handed to nodes by name.

use std::collections::BTreeMap;

use super::state::Node;
use crate::fleet::{Class, Fleet};
use crate::placement::Placement;

/// Every node of now and of the plan: existing nodes by class, then new ones by offering.
///
/// The names of a class go to the groups of the placement in order, as in the plan's [`node_groups`](crate::plan::rows::node_groups);
/// what is left is given back.
pub(super) fn nodes(fleet: &Fleet, placement: &Placement) -> Vec<Node> {
    let mut goals: BTreeMap<usize, Vec<Vec<u32>>> = BTreeMap::new();
    for group in &placement.groups {
        let goals = goals.entry(group.class).or_default();
        goals.extend((0..group.count).map(|_| group.pods.clone()));
    }
    let mut nodes = Vec::new();
    for (index, class) in fleet
        .classes
        .iter()
        .enumerate()
        .filter(|(_, class)| class.is_existing())
    {
        let mut goals = goals.remove(&index).unwrap_or_default().into_iter();
        nodes.extend(
            class
                .names
                .iter()
                .map(|name| existing(fleet, name, index, class, goals.next())),
        );
    }
    for (class, goals) in goals {
        nodes.extend(
            goals
                .into_iter()
                .enumerate()
                .map(|(n, goal)| new(fleet, class, n + 1, goal)),
        );
    }
    nodes
}

fn existing(
    fleet: &Fleet,
    name: &str,
    index: usize,
    class: &Class,
    goal: Option<Vec<u32>>,
) -> Node {
    Node {
        name: name.to_owned(),
        class: index,
        is_up: true,
        stays: goal.is_some(),
        pods: class.now.clone(),
        goal: goal.unwrap_or_else(|| vec![0; fleet.services.len()]),
        taken: Vec::new(),
    }
}

/// A new node that the plan wants, not yet ordered.
fn new(fleet: &Fleet, class: usize, number: usize, goal: Vec<u32>) -> Node {
    Node {
        stays: true,
        is_up: false,
        goal,
        ..temporary(fleet, class, number)
    }
}

/// A new node that no group of the plan wants: it comes up empty and goes as it came.
pub(super) fn temporary(fleet: &Fleet, class: usize, number: usize) -> Node {
    let none = vec![0; fleet.services.len()];
    Node {
        name: format!(
            "new/{}/{number}",
            fleet.offering_name(fleet.classes[class].offering)
        ),
        class,
        is_up: true,
        stays: false,
        pods: none.clone(),
        goal: none,
        taken: vec![0; fleet.classes[class].capacity.len()],
    }
}
