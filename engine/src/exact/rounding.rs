//! From fractions of columns and patterns to a placement.

use std::collections::BTreeMap;

use super::column::Column;
use super::master::{Choice, Master};
use crate::baseline;
use crate::fleet::Fleet;
use crate::placement::{Group, Placement};

/// A fraction of a pod or node that is an error of the linear programme.
const SLIGHT: f64 = 1e-6;

/// Where a relaxation has its pods, by which those of columns are spread over cells that share a row.
pub(super) struct Spread<'a> {
    alike: &'a [Vec<usize>],
    /// Pods on nodes by service and cell.
    on_nodes: Vec<Vec<f64>>,
}

impl<'a> Spread<'a> {
    pub(super) fn new(fleet: &Fleet, master: &'a Master, weights: &[f64]) -> Self {
        let mut on_nodes = vec![vec![0.0; 2 * fleet.zones.len()]; fleet.services.len()];
        for (choice, weight) in master.choices.iter().zip(weights) {
            if let Choice::Pattern(class, pods) = choice
                && *weight > SLIGHT
            {
                let cell = fleet.offering_of(*class).cell;
                let there = pods.iter().enumerate().filter(|(_, pods)| **pods > 0);
                there.for_each(|(s, pods)| on_nodes[s][cell] += weight * f64::from(*pods));
            }
        }
        Self {
            alike: &master.alike,
            on_nodes,
        }
    }

    /// Pods of a service that are counted in the first of cells alike, in the cells themselves.
    fn fractions(&self, s: usize, of_first: &[f64]) -> Vec<f64> {
        let (first, on_nodes) = (&self.alike[s], &self.on_nodes[s]);
        let mut sums = vec![0.0; first.len()];
        (0..first.len()).for_each(|cell| sums[first[cell]] += on_nodes[cell]);
        let in_cell = |cell: usize| {
            let sum = sums[first[cell]];
            if sum > SLIGHT {
                of_first[first[cell]] * on_nodes[cell] / sum
            } else {
                of_first[cell]
            }
        };
        (0..first.len()).map(in_cell).collect()
    }

    /// The same in whole numbers.
    pub(super) fn column(&self, s: usize, column: &Column) -> Column {
        let of_first: Vec<f64> = column.cells.iter().map(|pods| f64::from(*pods)).collect();
        let fractions = self.fractions(s, &of_first);
        let mut cells = vec![0; fractions.len()];
        for first in (0..cells.len()).filter(|cell| column.cells[*cell] > 0) {
            let alike: Vec<usize> = (0..cells.len())
                .filter(|cell| self.alike[s][*cell] == first)
                .collect();
            let parts: Vec<f64> = alike.iter().map(|cell| fractions[*cell]).collect();
            for (cell, pods) in alike.iter().zip(rounded(&parts)) {
                cells[*cell] = pods;
            }
        }
        Column {
            replicas: column.replicas,
            cells,
        }
    }
}

/// For each service the column with the largest weight; `None` when a service has none.
pub(super) fn heaviest_columns(
    fleet: &Fleet,
    master: &Master,
    weights: &[f64],
) -> Option<Vec<Column>> {
    let spread = Spread::new(fleet, master, weights);
    let mut best: Vec<Option<(f64, &Column)>> = vec![None; fleet.services.len()];
    for (choice, weight) in master.choices.iter().zip(weights) {
        if let Choice::Service(s, column) = choice
            && column.keeps_spot_share(&fleet.services[*s])
            && best[*s].is_none_or(|(most, _)| *weight > most)
        {
            best[*s] = Some((*weight, column));
        }
    }
    let best = best.into_iter().enumerate();
    best.map(|(s, found)| found.map(|(_, column)| spread.column(s, column)))
        .collect()
}

/// The whole parts of the patterns' weights, completed to about the replicas that the services' columns add up to.
pub(super) fn completed(fleet: &Fleet, master: &Master, weights: &[f64]) -> Option<Placement> {
    let mut replicas = vec![vec![0.0; 2 * fleet.zones.len()]; fleet.services.len()];
    let mut of_class: BTreeMap<usize, Vec<(f64, &Vec<u32>)>> = BTreeMap::new();
    let mut nodes: Vec<Group> = Vec::new();
    for (choice, weight) in master.choices.iter().zip(weights) {
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
    let spread = Spread::new(fleet, master, weights);
    let wanted = replicas.iter().enumerate();
    let wanted: Vec<Vec<u32>> = wanted
        .map(|(s, cells)| rounded(&spread.fractions(s, cells)))
        .collect();
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
