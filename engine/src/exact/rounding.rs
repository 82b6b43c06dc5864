//! From chosen columns and patterns to a placement.

use super::column::Column;
use super::master::Choice;
use crate::fleet::Fleet;
use crate::placement::{Group, Placement};

/// Share of a pod that may be missing by rounding of the linear programme.
const ENOUGH: f64 = 1e-4;

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

/// The patterns at their weights, which are whole, with pods beyond what the services' columns ask for taken off again.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(super) fn placement(fleet: &Fleet, choices: &[Choice], weights: &[f64]) -> Option<Placement> {
    let mut wanted = vec![vec![0.0; 2 * fleet.zones.len()]; fleet.services.len()];
    let mut nodes: Vec<Group> = Vec::new();
    for (choice, weight) in choices
        .iter()
        .zip(weights)
        .filter(|(_, weight)| **weight > 0.0)
    {
        match choice {
            Choice::Service(s, column) => wanted[*s]
                .iter_mut()
                .zip(&column.cells)
                .for_each(|(sum, pods)| *sum += weight * f64::from(*pods)),
            Choice::Pattern(class, pods) => {
                nodes.extend((0..weight.round() as u32).map(|_| Group {
                    class: *class,
                    count: 1,
                    pods: pods.clone(),
                }))
            }
        }
    }
    for (s, cells) in wanted.iter().enumerate() {
        for (cell, pods) in cells.iter().enumerate() {
            trim(
                fleet,
                &mut nodes,
                s,
                cell,
                (pods - ENOUGH).ceil().max(0.0) as u32,
            )?;
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
