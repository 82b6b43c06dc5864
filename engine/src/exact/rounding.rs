//! From chosen columns and patterns to a placement.

use super::column::Column;
use super::master::Choice;
use crate::fleet::Fleet;
use crate::placement::{Group, Placement};

/// For each service the column with the largest weight; `None` when a service has none.
pub(super) fn heaviest_columns(
    fleet: &Fleet,
    choices: &[Choice],
    weights: &[f64],
) -> Option<Vec<Column>> {
    let mut best: Vec<Option<(f64, &Column)>> = vec![None; fleet.services.len()];
    for (choice, weight) in choices.iter().zip(weights) {
        if let Choice::Service(s, column) = choice
            && column.keeps_spot_share(&fleet.services[*s])
            && best[*s].is_none_or(|(most, _)| *weight > most)
        {
            best[*s] = Some((*weight, column));
        }
    }
    best.into_iter()
        .map(|found| found.map(|(_, column)| column.clone()))
        .collect()
}

/// The column chosen for each service.
pub(super) fn columns(
    fleet: &Fleet,
    choices: &[Choice],
    chosen: &[(usize, u32)],
) -> Option<Vec<Column>> {
    let mut columns: Vec<Option<Column>> = vec![None; fleet.services.len()];
    for (index, _) in chosen {
        if let Choice::Service(s, column) = &choices[*index] {
            columns[*s] = Some(column.clone());
        }
    }
    columns.into_iter().collect()
}

/// The chosen patterns, with pods beyond the chosen columns taken off again.
pub(super) fn placement(
    fleet: &Fleet,
    choices: &[Choice],
    chosen: &[(usize, u32)],
) -> Option<Placement> {
    let wanted = columns(fleet, choices, chosen)?;
    let mut nodes: Vec<Group> = Vec::new();
    for (index, times) in chosen {
        if let Choice::Pattern(class, pods) = &choices[*index] {
            nodes.extend((0..*times).map(|_| Group {
                class: *class,
                count: 1,
                pods: pods.clone(),
            }));
        }
    }
    for (s, column) in wanted.iter().enumerate() {
        for (cell, wanted) in column.cells.iter().enumerate() {
            trim(fleet, &mut nodes, s, cell, *wanted)?;
        }
    }
    nodes.retain(|node| {
        fleet.classes[node.class].kept
            || node.pods.iter().any(|n| *n > 0)
            || !is_removable(fleet, node)
    });
    Some(Placement { groups: nodes }.normalized())
}

/// An empty node may go unless a lower bound on nodes might want it.
fn is_removable(fleet: &Fleet, node: &Group) -> bool {
    let offering = fleet.classes[node.class].offering;
    !fleet
        .limits
        .iter()
        .any(|limit| limit.at_least && limit.coefficients[offering] > 0.0)
}

/// Takes surplus pods off, those that would move there first; `None` when there are too few.
fn trim(fleet: &Fleet, nodes: &mut [Group], s: usize, cell: usize, wanted: u32) -> Option<()> {
    let here: Vec<usize> = (0..nodes.len())
        .filter(|i| fleet.offering_of(nodes[*i].class).cell == cell)
        .collect();
    let total: u32 = here.iter().map(|i| nodes[*i].pods[s]).sum();
    let mut surplus = total.checked_sub(wanted)?;
    for keep in [
        |fleet: &Fleet, node: &Group, s: usize| fleet.classes[node.class].now[s],
        |fleet: &Fleet, node: &Group, s: usize| fleet.classes[node.class].pinned[s],
    ] {
        let mut emptiest = here.clone();
        emptiest.sort_by_key(|i| nodes[*i].pods.iter().sum::<u32>());
        for i in emptiest {
            let most = nodes[i].pods[s].saturating_sub(keep(fleet, &nodes[i], s));
            let taken = most.min(surplus);
            nodes[i].pods[s] -= taken;
            surplus -= taken;
        }
    }
    (surplus == 0).then_some(())
}
