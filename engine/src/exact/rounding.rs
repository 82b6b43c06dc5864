//! From fractions of columns and patterns to a placement.

use std::collections::BTreeMap;

use super::column::Column;
use super::master::Choice;
use crate::baseline;
use crate::fleet::Fleet;
use crate::placement::{Group, Placement};

/// A fraction of a pod or node that is an error of the linear programme.
const SLIGHT: f64 = 1e-6;

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

/// The whole parts of the patterns' weights, completed to about the replicas that the services' columns add up to.
pub(super) fn completed(fleet: &Fleet, choices: &[Choice], weights: &[f64]) -> Option<Placement> {
    let mut replicas = vec![vec![0.0; 2 * fleet.zones.len()]; fleet.services.len()];
    let mut of_class: BTreeMap<usize, Vec<(f64, &Vec<u32>)>> = BTreeMap::new();
    let mut nodes: Vec<Group> = Vec::new();
    for (choice, weight) in choices.iter().zip(weights) {
        match choice {
            Choice::Service(s, column) => replicas[*s]
                .iter_mut()
                .zip(&column.cells)
                .for_each(|(sum, pods)| *sum += weight * f64::from(*pods)),
            Choice::Pattern(class, pods) if *weight > SLIGHT => {
                of_class.entry(*class).or_default().push((*weight, pods));
            }
            Choice::Pattern(..) => {}
        }
    }
    for (class, patterns) in of_class {
        let weights: Vec<f64> = patterns.iter().map(|(weight, _)| *weight).collect();
        // Nodes that stay in any case are there whatever is on them.
        let counts = if fleet.classes[class].kept {
            rounded(&weights)
        } else {
            weights.iter().map(|weight| whole(*weight)).collect()
        };
        let used = patterns.iter().zip(counts).filter(|(_, count)| *count > 0);
        nodes.extend(used.map(|((_, pods), count)| Group {
            class,
            count,
            pods: (*pods).clone(),
        }));
    }
    let wanted: Vec<Vec<u32>> = replicas.iter().map(|cells| rounded(cells)).collect();
    baseline::completed(fleet, &Placement { groups: nodes }, &wanted)
}

/// Whole numbers with about the sum of the fractions, rounded up: the largest remainders are.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn rounded(fractions: &[f64]) -> Vec<u32> {
    let mut counts: Vec<u32> = fractions.iter().map(|value| whole(*value)).collect();
    let total = (fractions.iter().sum::<f64>() - SLIGHT).ceil().max(0.0) as u32;
    let mut order: Vec<usize> = (0..fractions.len()).collect();
    let remainder = |i: &usize| fractions[*i] - f64::from(whole(fractions[*i]));
    order.sort_by(|a, b| remainder(b).total_cmp(&remainder(a)));
    let missing = total.saturating_sub(counts.iter().sum()) as usize;
    order.iter().take(missing).for_each(|i| counts[*i] += 1);
    counts
}

/// The whole part of a weight.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(weight: f64) -> u32 {
    (weight + SLIGHT).floor().max(0.0) as u32
}
