//! One tile of ψ and λ, backward.

use super::scratch::{Local, Scratch};
use super::{Overlaps, Pass, Place, Ready};
use crate::diagonal::Buffers;
use crate::kernels::{InstructionSet, Number, Weight};
use crate::step::Steps;

/// Real and imaginary parts of a tile.
type Parts<'a, T> = (&'a mut [T], &'a mut [T]);

/// Takes the overlaps of some steps and carries the steps out on both states. What the turns leave too large is made good by the phase; until
/// then overlaps are too large by its square, and `lead` what they must be multiplied by.
fn undo<T: Number>(
    isa: InstructionSet,
    steps: &Steps<T>,
    psi: Parts<T>,
    lambda: Parts<T>,
    lead: &mut f64,
) -> f64 {
    let overlap = *lead * steps.overlap(isa, (psi.0, psi.1), (lambda.0, lambda.1));
    steps.apply(isa, psi.0, psi.1);
    steps.apply(isa, lambda.0, lambda.1);
    *lead *= steps.scale * steps.scale;
    overlap
}

impl<T: Number> Pass<'_, T> {
    /// Writes λ = weight · ψ over a tile.
    pub(super) fn weigh(&self, place: &Place, scratch: &mut Scratch<T>, weight: Weight) {
        let Scratch { states, buffers } = scratch;
        let [psi, lambda] = &mut states[..] else {
            return;
        };
        for block in 0..self.group.blocks() {
            let costs = self
                .diagonal
                .costs(place.position, place.outside.as_ref(), block, buffers);
            let (re, im) = lambda.block_mut(self.group, block);
            self.isa
                .weigh(psi.block(self.group, block), re, im, costs, weight);
        }
        lambda.clear_between_blocks(self.group);
    }

    /// Carries out all stages on a tile of ψ and λ, and adds up the overlaps of every layer. An overlap with a part of the mixer is the same
    /// before and after any other part of the same layer.
    pub(super) fn apply_back(
        &self,
        place: &Place,
        scratch: &mut Scratch<T>,
        mut lead: f64,
        overlaps: &mut [Overlaps],
    ) {
        let (isa, group) = (self.isa, self.group);
        let Scratch { states, buffers } = scratch;
        let [psi, lambda] = &mut states[..] else {
            return;
        };
        for stage in &self.stages {
            if let Some((layer, mix)) = &stage.before {
                let tiles = (psi.tile_mut(group), lambda.tile_mut(group));
                overlaps[*layer].mixer += undo(isa, &mix.outer, tiles.0, tiles.1, &mut lead);
            }
            let mut after = lead;
            for block in 0..group.blocks() {
                after = self.apply_block_back(
                    stage,
                    (place, block),
                    [psi, lambda],
                    buffers,
                    lead,
                    overlaps,
                );
            }
            lead = after;
            if let Some((layer, mix)) = &stage.after {
                let tiles = (psi.tile_mut(group), lambda.tile_mut(group));
                overlaps[*layer].mixer += undo(isa, &mix.outer, tiles.0, tiles.1, &mut lead);
            }
        }
    }

    /// Returns the lead that is left to the steps above a block.
    fn apply_block_back(
        &self,
        stage: &Ready<T>,
        (place, block): (&Place, usize),
        [psi, lambda]: [&mut Local<T>; 2],
        buffers: &mut Buffers<T>,
        mut lead: f64,
        overlaps: &mut [Overlaps],
    ) -> f64 {
        let (isa, group) = (self.isa, self.group);
        if let Some((layer, mix)) = &stage.before {
            let blocks = (psi.block_mut(group, block), lambda.block_mut(group, block));
            overlaps[*layer].mixer += undo(isa, &mix.inner, blocks.0, blocks.1, &mut lead);
            if self.turned {
                psi.turn(isa, group, block);
                lambda.turn(isa, group, block);
                let blocks = (psi.turned_mut(group), lambda.turned_mut(group));
                overlaps[*layer].mixer += undo(isa, &mix.turned, blocks.0, blocks.1, &mut lead);
                psi.turn_back(isa, group, block);
                lambda.turn_back(isa, group, block);
            }
        }
        if let Some((layer, phase)) = &stage.phase {
            let here = (place.position, place.outside.as_ref());
            let costs = self.diagonal.costs(here.0, here.1, block, buffers);
            let blocks = (psi.block(group, block), lambda.block(group, block));
            overlaps[*layer].cost += lead * isa.overlap_diagonal(blocks.0, blocks.1, costs);
            if self.turned {
                psi.turn(isa, group, block);
                lambda.turn(isa, group, block);
            }
            for state in [&mut *psi, &mut *lambda] {
                let parts = if self.turned {
                    state.turned_mut(group)
                } else {
                    state.block_mut(group, block)
                };
                self.diagonal.apply(isa, phase, here, block, buffers, parts);
            }
            lead = 1.0;
        }
        if let Some((layer, mix)) = stage.after.as_ref().filter(|_| self.turned) {
            let blocks = (psi.turned_mut(group), lambda.turned_mut(group));
            overlaps[*layer].mixer += undo(isa, &mix.turned, blocks.0, blocks.1, &mut lead);
        }
        if self.turned && stage.phase.is_some() {
            psi.turn_back(isa, group, block);
            lambda.turn_back(isa, group, block);
        }
        if let Some((layer, mix)) = &stage.after {
            let blocks = (psi.block_mut(group, block), lambda.block_mut(group, block));
            overlaps[*layer].mixer += undo(isa, &mix.inner, blocks.0, blocks.1, &mut lead);
        }
        lead
    }
}
