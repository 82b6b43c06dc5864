//! A packing at once: bin after bin is filled with what is worth most, and the kind that gives most for its cost is taken.

use super::{Instance, Pattern};
use crate::knapsack::as_f64;

/// Values of items by size alone: the sum of their shares of an average bin, weighed by how scarce each dimension is.
pub(super) fn values_by_size(instance: &Instance) -> Vec<f64> {
    let dimensions = instance.bins[0].capacity.len();
    let capacity = |k: usize| {
        instance
            .bins
            .iter()
            .map(|bin| as_f64(bin.capacity[k]))
            .sum::<f64>()
            .max(1.0)
    };
    let total = |k: usize| -> f64 {
        instance
            .items
            .iter()
            .map(|item| as_f64(item.size[k]) * f64::from(item.count))
            .sum()
    };
    let weights: Vec<f64> = (0..dimensions)
        .map(|k| total(k).max(0.0) / capacity(k).powi(2))
        .collect();
    let value = |item: &super::Item| {
        item.size
            .iter()
            .zip(&weights)
            .map(|(size, weight)| as_f64(*size) * weight)
            .sum()
    };
    instance.items.iter().map(value).collect()
}

/// Bins for `demand` of each item beside those `used` of each kind; `None` when the kinds that are left hold no more.
pub(super) fn pack(
    instance: &Instance,
    mut demand: Vec<u32>,
    used: &[u32],
    values: &[f64],
) -> Option<Vec<Pattern>> {
    let mut order: Vec<usize> = (0..demand.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    // What makes room goes in first.
    order.sort_by_key(|item| instance.only_takes_room(*item));
    let mut free: Vec<Option<u32>> = instance
        .bins
        .iter()
        .zip(used)
        .map(|(bin, used)| bin.count.map(|count| count.saturating_sub(*used)))
        .collect();
    let mut packing = Vec::new();
    while demand.iter().any(|left| *left > 0) {
        let filled = |bin: usize| {
            let pattern = fill(instance, bin, &order, &demand)?;
            let worth: f64 = pattern
                .items
                .iter()
                .map(|(item, count)| values[*item].max(1e-12) * f64::from(*count))
                .sum();
            Some((
                worth / super::master::cost_of(instance, &pattern).max(1e-12),
                pattern,
            ))
        };
        let kinds = (0..instance.bins.len()).filter(|bin| free[*bin] != Some(0));
        let (_, pattern) = kinds
            .filter_map(filled)
            .max_by(|a, b| a.0.total_cmp(&b.0))?;
        // As many of the same as there are items for, so that millions of equal items are soon packed.
        let again = pattern
            .items
            .iter()
            .map(|(item, count)| demand[*item] / count)
            .min()
            .unwrap_or(1);
        let again = free[pattern.bin].map_or(again, |free| free.min(again));
        free[pattern.bin] = free[pattern.bin].map(|free| free - again);
        pattern
            .items
            .iter()
            .for_each(|(item, count)| demand[*item] -= count * again);
        packing.extend((0..again).map(|_| pattern.clone()));
    }
    Some(packing)
}

/// One bin, filled in the order; `None` when it holds nothing.
fn fill(instance: &Instance, bin: usize, order: &[usize], demand: &[u32]) -> Option<Pattern> {
    let mut room = instance.bins[bin].capacity.clone();
    let mut items = Vec::new();
    for &item in order {
        let size = &instance.items[item].size;
        let fits = size
            .iter()
            .zip(&room)
            .filter(|(size, _)| **size > 0)
            .map(|(size, room)| room / size)
            .min();
        let most = fits.map_or(demand[item], |fits| {
            demand[item].min(u32::try_from(fits.max(0)).unwrap_or(u32::MAX))
        });
        if most > 0 {
            room.iter_mut()
                .zip(size)
                .for_each(|(room, size)| *room -= size * i64::from(most));
            items.push((item, most));
        }
    }
    items.sort_unstable();
    (!items.is_empty()).then_some(Pattern { bin, items })
}
