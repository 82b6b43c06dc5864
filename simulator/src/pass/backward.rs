//! One tile of ψ and λ, backward.

use super::ahead::Ahead;
use super::scratch::{Local, Scratch};
use super::{Job, Overlaps, Pass, Place, Ready};
use crate::diagonal::Buffers;
use crate::kernels::{InstructionSet, Number, Turn, Weight};
use crate::step::{Beta, Step, Steps};

/// Real and imaginary parts of a tile.
type Parts<'a, T> = (&'a mut [T], &'a mut [T]);

/// Takes the overlaps of some steps and carries the steps out on both states. What the turns leave too large is made good by the phase; until
/// then overlaps are too large by its square, and `lead` what they must be multiplied by.
fn undo<T: Number>(
    isa: InstructionSet,
    (steps, beta): (&Steps<T>, &Beta),
    psi: Parts<T>,
    lambda: Parts<T>,
    lead: &mut f64,
) -> f64 {
    let overlap = *lead * steps.overlap(isa, beta, (psi.0, psi.1), (lambda.0, lambda.1));
    steps.apply(isa, beta, psi.0, psi.1);
    steps.apply(isa, beta, lambda.0, lambda.1);
    *lead *= steps.scale(beta).powi(2);
    overlap
}

impl<T: Number> Pass<'_, T> {
    /// Writes λ = weight · ψ over a tile.
    pub(super) fn weigh(
        &self,
        place: &Place,
        [psi, lambda]: [&mut Local<T>; 2],
        buffers: &mut Buffers<T>,
        weight: Weight,
    ) {
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

    /// Carries out all stages on a job's tiles of ψ and λ, and adds up the overlaps of its layers. An overlap with a part of the mixer is the
    /// same before and after any part of the same layer. `turn` is what was done on the way to the thread's copy; the last turn is
    /// left to the way back.
    pub(super) fn apply_back<V>(
        &self,
        job: &mut Job<V>,
        scratch: &mut Scratch<T>,
        (mut lead, turn): (f64, Option<(usize, Turn)>),
        overlaps: &mut [Overlaps],
    ) {
        let group = self.group;
        let Scratch { tiles, buffers } = scratch;
        let places = self.places(job);
        if let Some((qubits, turn)) = turn {
            lead *= turn.square().powi(qubits as i32);
        }
        for (at, stage) in self.stages.iter().enumerate() {
            if let Some(layer) = stage.before {
                let done = turn.filter(|_| at == 0);
                let all = self.mix.outer.all();
                let rest = done.map_or(all, |_| self.on_the_way().0);
                let beta = self.beta(layer);
                overlaps[layer - self.layers.start].mixer +=
                    lead * self.undo_outer(rest, beta, tiles);
                lead *= self.mix.outer.scale(beta).powi(2);
                if let Some((qubits, turn)) = done {
                    lead /= turn.square().powi(qubits as i32);
                }
            }
            let mut after = lead;
            for block in 0..group.blocks() {
                let there = [block, group.blocks() - 1 - block];
                let mut lead = lead;
                if let (Some(layer), [near, far]) = (stage.mirror, &mut tiles[..]) {
                    let turn = self.beta(layer).turn;
                    overlaps[layer - self.layers.start].mixer +=
                        lead * self.turn_mirrored([near, far], there, turn);
                    lead *= turn.square();
                }
                for (((place, ahead), states), block) in places.iter().zip(&mut *tiles).zip(there) {
                    let here = (place, *ahead, block);
                    after = self.apply_block_back(stage, here, states, buffers, lead, overlaps);
                }
            }
            lead = after;
            if let Some(layer) = stage.after {
                let last = at + 1 == self.stages.len();
                let steps = if last {
                    self.on_the_way().0
                } else {
                    self.mix.outer.all()
                };
                let beta = self.beta(layer);
                overlaps[layer - self.layers.start].mixer +=
                    lead * self.undo_outer(steps, beta, tiles);
                lead *= self.mix.outer.scale(beta).powi(2);
            }
        }
    }

    /// Takes the overlap of the mixer's steps above a block and carries out those given.
    fn undo_outer(&self, steps: &[Step<T>], beta: &Beta, tiles: &mut [[Local<T>; 2]]) -> f64 {
        let (isa, group, outer) = (self.isa, self.group, &self.mix.outer);
        let mut overlap = 0.0;
        for [psi, lambda] in tiles {
            let (psi, lambda) = (psi.tile_mut(group), lambda.tile_mut(group));
            overlap += outer.overlap(isa, beta, (psi.0, psi.1), (lambda.0, lambda.1));
            for (re, im) in [psi, lambda] {
                steps.iter().for_each(|step| step.apply(isa, beta, re, im));
            }
        }
        overlap
    }

    /// Takes the overlap of a mirrored qubit between two blocks and turns it on both states.
    fn turn_mirrored(
        &self,
        [near, far]: [&mut [Local<T>; 2]; 2],
        there: [usize; 2],
        turn: Turn,
    ) -> f64 {
        let (isa, group) = (self.isa, self.group);
        let state = |at: usize| {
            [
                near[at].block(group, there[0]),
                far[at].block(group, there[1]),
            ]
        };
        let overlap = isa.overlap_mirrored(state(0), state(1));
        for (near, far) in near.iter_mut().zip(far) {
            let blocks = [
                near.block_mut(group, there[0]),
                far.block_mut(group, there[1]),
            ];
            let [near, far] = blocks;
            isa.turn_mirrored(near, far, turn);
        }
        overlap
    }

    /// Returns the lead that is left to the steps above a block.
    fn apply_block_back(
        &self,
        stage: &Ready<T>,
        (place, ahead, block): (&Place, Option<Ahead>, usize),
        [psi, lambda]: &mut [Local<T>; 2],
        buffers: &mut Buffers<T>,
        mut lead: f64,
        overlaps: &mut [Overlaps],
    ) -> f64 {
        let (isa, group, mix) = (self.isa, self.group, self.mix);
        let fetch = |part| Ahead::fetch(ahead, group, block, part);
        fetch(0);
        if let Some(layer) = stage.before {
            let beta = self.beta(layer);
            let blocks = (psi.block_mut(group, block), lambda.block_mut(group, block));
            overlaps[layer - self.layers.start].mixer +=
                undo(isa, (&mix.inner, beta), blocks.0, blocks.1, &mut lead);
            if self.turned {
                psi.turn(isa, group, block);
                lambda.turn(isa, group, block);
                let blocks = (psi.turned_mut(group), lambda.turned_mut(group));
                overlaps[layer - self.layers.start].mixer +=
                    undo(isa, (&mix.turned, beta), blocks.0, blocks.1, &mut lead);
                psi.turn_back(isa, group, block);
                lambda.turn_back(isa, group, block);
            }
        }
        fetch(1);
        if let Some((layer, phase)) = &stage.phase {
            let here = (place.position, place.outside.as_ref());
            let costs = self.diagonal.costs(here.0, here.1, block, buffers);
            let blocks = (psi.block(group, block), lambda.block(group, block));
            overlaps[layer - self.layers.start].cost +=
                lead * isa.overlap_diagonal(blocks.0, blocks.1, costs);
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
        fetch(2);
        if let Some(layer) = stage.after.filter(|_| self.turned) {
            let beta = self.beta(layer);
            let blocks = (psi.turned_mut(group), lambda.turned_mut(group));
            overlaps[layer - self.layers.start].mixer +=
                undo(isa, (&mix.turned, beta), blocks.0, blocks.1, &mut lead);
        }
        if self.turned && stage.phase.is_some() {
            psi.turn_back(isa, group, block);
            lambda.turn_back(isa, group, block);
        }
        if let Some(layer) = stage.after {
            let beta = self.beta(layer);
            let blocks = (psi.block_mut(group, block), lambda.block_mut(group, block));
            overlaps[layer - self.layers.start].mixer +=
                undo(isa, (&mix.inner, beta), blocks.0, blocks.1, &mut lead);
        }
        fetch(3);
        lead
    }
}
