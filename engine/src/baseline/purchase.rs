//! First-fit decreasing in the full view, where a node is bought for the value of all pending pods that it would take.

use std::collections::BTreeMap;

use super::builder::{Area, Batch, Builder};
use crate::packing::Values;

/// Pods to place, each batch in one cell, the largest first.
pub(super) struct Purchase<'a> {
    values: &'a Values,
    batches: Vec<(usize, Batch)>,
    /// By cell, positions in `batches`, and for each the least that it and those after it take of each dimension.
    of_cell: BTreeMap<usize, Vec<(usize, Vec<u64>)>>,
    /// Offerings by cell.
    offerings: Vec<Vec<usize>>,
}

impl<'a> Purchase<'a> {
    /// Pods wanted of services in cells.
    pub(super) fn new(
        builder: &Builder,
        values: &'a Values,
        wanted: Vec<(usize, usize, u32)>,
    ) -> Self {
        let mut rank = vec![0; builder.fleet.services.len()];
        for (position, s) in builder.by_size().into_iter().enumerate() {
            rank[s] = position;
        }
        let batch = |(service, cell, count)| {
            let area = Area::Cell(cell);
            let batch = Batch {
                service,
                area,
                count,
            };
            (cell, batch)
        };
        let mut batches: Vec<(usize, Batch)> = wanted.into_iter().map(batch).collect();
        batches.sort_by_key(|(_, batch)| rank[batch.service]);
        let mut offerings = vec![Vec::new(); 2 * builder.fleet.zones.len()];
        for (index, offering) in builder.fleet.offerings.iter().enumerate() {
            offerings[offering.cell].push(index);
        }
        let of_cell = by_cell(builder, &batches);
        Self {
            values,
            batches,
            of_cell,
            offerings,
        }
    }

    /// Places the pods; false when some are left over.
    pub(super) fn run(&self, builder: &mut Builder) -> bool {
        let mut complete = true;
        for (position, (cell, batch)) in self.batches.iter().enumerate() {
            let mut left = batch.count - builder.first_fit(*batch);
            while left > 0 {
                let Some(choice) = self.choice(builder, position, *cell, left) else {
                    complete = false;
                    break;
                };
                left -= choice.buy(builder, batch.service, left);
            }
        }
        complete
    }

    /// The offering that takes most value for its price, with pods of the batch among what it takes.
    fn choice(&self, builder: &Builder, position: usize, cell: usize, left: u32) -> Option<Choice> {
        let s = self.batches[position].1.service;
        let (mut best, mut most): (Option<(f64, Choice)>, u32) = (None, 0);
        for class in &self.offerings[cell] {
            let fits = builder.fits(*class, &builder.empty(), s);
            if fits == 0 || builder.affordable(*class) == 0 {
                continue;
            }
            most = most.max(fits);
            let value = self.value(builder, *class, position, cell, left);
            let price = builder.fleet.offerings[*class].usd_per_hour.max(1e-9);
            let efficiency = value / price;
            if (best.as_ref()).is_none_or(|(known, _)| efficiency > known * (1.0 + 1e-9)) {
                let class = *class;
                best = Some((efficiency, Choice { class, fits, most }));
            }
        }
        best.map(|(_, choice)| Choice { most, ..choice })
    }

    /// Value of what an empty node takes of the pods pending, the batch at `position` first.
    fn value(
        &self,
        builder: &Builder,
        class: usize,
        position: usize,
        cell: usize,
        left: u32,
    ) -> f64 {
        let mut load = builder.empty();
        let capacity = &builder.fleet.classes[class].capacity;
        let mut value = 0.0;
        let pending = &self.of_cell[&cell];
        let from = pending.partition_point(|(other, _)| *other < position);
        for (other, least) in &pending[from..] {
            let sum = load.taken.iter().zip(least).zip(capacity);
            if sum
                .into_iter()
                .any(|((a, b), most)| a.saturating_add(*b) > *most)
            {
                break;
            }
            let batch = self.batches[*other].1;
            let count = if *other == position {
                left
            } else {
                batch.count
            };
            let count = count.min(builder.fits(class, &load, batch.service));
            if count > 0 {
                builder.load(&mut load, batch.service, count);
                value += f64::from(count) * self.values.pods[batch.service][cell];
            }
        }
        value
    }
}

fn by_cell(
    builder: &Builder,
    batches: &[(usize, Batch)],
) -> BTreeMap<usize, Vec<(usize, Vec<u64>)>> {
    let mut of_cell: BTreeMap<usize, Vec<(usize, Vec<u64>)>> = BTreeMap::new();
    for (position, (cell, batch)) in batches.iter().enumerate().rev() {
        let later = of_cell.entry(*cell).or_default();
        let mut least = builder.size(batch.service).to_vec();
        if let Some((_, smallest)) = later.last() {
            let both = least.iter_mut().zip(smallest);
            both.for_each(|(a, b)| *a = (*a).min(*b));
        }
        later.push((position, least));
    }
    of_cell.values_mut().for_each(|later| later.reverse());
    of_cell
}

/// An offering to buy.
#[derive(Clone, Copy)]
struct Choice {
    class: usize,
    /// Pods of the batch that an empty node takes.
    fits: u32,
    /// The most that one of any offering takes.
    most: u32,
}

impl Choice {
    /// Buys nodes as long as the choice stays the same, fills them, and tells with how many pods: while there are more than any node
    /// takes, every offering is worth the same as before.
    fn buy(self, builder: &mut Builder, s: usize, left: u32) -> u32 {
        let again = left.saturating_sub(self.most) / self.fits;
        let nodes = (1 + again).min(builder.affordable(self.class));
        let mut placed = 0;
        for _ in 0..nodes {
            let count = self.fits.min(left - placed);
            let node = builder.buy(self.class);
            builder.put(node, s, count);
            placed += count;
        }
        placed
    }
}
