//! Which dimensions of a knapsack need looking at, and one that stands for all of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::{Item, Ordered};

/// Rounds of the search for the weights that join all dimensions into one.
const WEIGHT_ROUNDS: u32 = 60;

/// Unit of the joint dimension.
const JOINT_UNIT: f64 = 1_099_511_627_776.0;

/// Leaves out dimensions that hold wherever another one does: no item takes a larger share of them.
pub(super) fn without_implied(mut items: Vec<Item>, room: Vec<u64>) -> (Vec<Item>, Vec<u64>) {
    // Where a full dimension is left, no item takes of it: that says nothing about the others.
    let implies = |j: usize, k: usize| {
        room[j] > 0
            && items.iter().all(|item| {
                u128::from(item.size[k]) * u128::from(room[j])
                    <= u128::from(item.size[j]) * u128::from(room[k])
            })
    };
    let mut kept: Vec<usize> = Vec::new();
    for k in 0..room.len() {
        // Of dimensions that imply each other the first is kept.
        let implied = (0..room.len())
            .filter(|j| *j != k)
            .any(|j| implies(j, k) && (j < k || !implies(k, j)));
        if !implied {
            kept.push(k);
        }
    }
    for item in &mut items {
        item.size = kept.iter().map(|k| item.size[*k]).collect();
    }
    (items, kept.into_iter().map(|k| room[k]).collect())
}

/// Adds a dimension implied by the others: their sum by weights under which its fractional bound is low, as the dual of the linear
/// relaxation would weigh them, or below `enough`: then the search ends at its root. Any weights give a valid dimension.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss
)]
pub(super) fn join_dimensions(items: &mut [Item], room: &mut Vec<u64>, enough: f64) {
    // Shares of the room that one pod takes, by item and dimension. An item that takes of a full dimension does not exist.
    let share = |size: u64, room: u64| {
        if size == 0 {
            0.0
        } else {
            size as f64 / room as f64
        }
    };
    let shares: Vec<Vec<f64>> = items
        .iter()
        .map(|item| {
            item.size
                .iter()
                .zip(&*room)
                .map(|(s, r)| share(*s, *r))
                .collect()
        })
        .collect();
    let weights = weights(items, &shares, room.len(), enough);
    for (item, shares) in items.iter_mut().zip(&shares) {
        let joint: f64 = shares
            .iter()
            .zip(&weights)
            .map(|(share, weight)| share * weight)
            .sum();
        // Rounding the size down and the room up keeps every pattern that fits; the margin is above the error of the sum.
        item.size
            .push((joint * (1.0 - 1e-12) * JOINT_UNIT).floor() as u64);
    }
    room.push((weights.iter().sum::<f64>() * (1.0 + 1e-12) * JOINT_UNIT).ceil() as u64);
}

/// Multiplicative-weights search (Arora, Hazan, Kale 2012) for the weights of least fractional bound; the best ones seen, or the first
/// ones with a bound clearly below `enough`.
fn weights(items: &[Item], shares: &[Vec<f64>], dimensions: usize, enough: f64) -> Vec<f64> {
    // More than what rounding adds to the bound.
    let enough = enough * (1.0 - 1e-9);
    #[allow(clippy::cast_precision_loss)]
    let mut weights = vec![1.0 / dimensions as f64; dimensions];
    let mut best = (f64::INFINITY, weights.clone());
    for round in 0..WEIGHT_ROUNDS {
        let (value, used) = joint_use(items, shares, &weights);
        if value < best.0 {
            best = (value, weights.clone());
        }
        if value < enough {
            break;
        }
        let step = 1.0 / (1.0 + 0.25 * f64::from(round));
        let largest = used.iter().copied().fold(1e-9, f64::max);
        weights
            .iter_mut()
            .zip(&used)
            .for_each(|(weight, used)| *weight *= 1.0 + step * used / largest);
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    best.1
}

/// Value and use of every dimension of the best fractional pattern in the joint dimension.
fn joint_use(items: &[Item], shares: &[Vec<f64>], weights: &[f64]) -> (f64, Vec<f64>) {
    let joint: Vec<f64> = shares
        .iter()
        .map(|shares| {
            shares
                .iter()
                .zip(weights)
                .map(|(share, weight)| share * weight)
                .sum()
        })
        .collect();
    // Few of many items fit, so that they are not all sorted.
    let densities = items.iter().zip(&joint).enumerate();
    let densities = densities.map(|(i, (item, joint))| (Ordered(item.value / joint), Reverse(i)));
    let mut densest: BinaryHeap<(Ordered, Reverse<usize>)> = densities.collect();
    let (mut room, mut value, mut used) = (1.0, 0.0, vec![0.0; weights.len()]);
    while let Some((_, Reverse(index))) = densest.pop() {
        let count = f64::from(items[index].most).min(room / joint[index]);
        value += count * items[index].value;
        used.iter_mut()
            .zip(&shares[index])
            .for_each(|(used, share)| *used += count * share);
        room -= count * joint[index];
        if room <= 0.0 {
            break;
        }
    }
    (value, used)
}
