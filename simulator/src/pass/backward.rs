//! One tile of ψ and λ, backward.

use super::ahead::Fetch;
use super::scratch::Working;
use super::{OnTheWay, Overlaps, Pass, Place, Ready};
use crate::diagonal::Buffers;
use crate::kernels::{InstructionSet, Number, Tile, TileMut, Turn, Weight};
use crate::step::{Beta, Steps, undo};

/// `Im⟨λ|B_k|ψ⟩` of the highest qubits of a tile.
fn overlap_highest<T: Number>(
    isa: InstructionSet,
    qubits: usize,
    psi: Tile<T>,
    lambda: Tile<T>,
) -> f64 {
    let stride = psi.0.len() >> qubits;
    match qubits {
        0 => 0.0,
        1 => isa.overlap_turn1(psi, lambda, stride),
        2 => isa.overlap_turn2(psi, lambda, stride),
        3 => isa.overlap_turn3(psi, lambda, stride),
        _ => isa.overlap_turn4(psi, lambda, stride),
    }
}

impl<T: Number> Pass<'_, T> {
    /// Writes λ = weight · ψ over a tile.
    pub(super) fn weigh(
        &self,
        place: &Place,
        [psi, lambda]: &mut [Working<T>; 2],
        buffers: &mut Buffers<T>,
        weight: Weight,
    ) {
        for block in 0..self.group.blocks() {
            let costs = self.costs(place, block, buffers);
            let (re, im) = lambda.block_mut(self.group, block);
            self.isa
                .weigh(psi.block(self.group, block), re, im, costs, weight);
        }
        lambda.clear_between_blocks(self.group);
    }

    /// Carries out all stages on tiles of ψ and λ, and adds up the overlaps of its layers. An overlap with a part of the mixer is the
    /// same before and after any part of the same layer.
    pub(super) fn apply_back(
        &self,
        places: &[Place],
        tiles: &mut [[Working<T>; 2]],
        buffers: &mut Buffers<T>,
        on_the_way: OnTheWay,
        overlaps: &mut [Overlaps],
    ) {
        let group = self.group;
        for (at, stage) in self.stages.iter().enumerate() {
            if let Some(layer) = stage.before {
                let sum = self.undo_outer(at == 0 && on_the_way.to, self.beta(layer), tiles);
                overlaps[layer - self.layers.start].mixer += sum;
            }
            for block in 0..group.blocks() {
                let there = [block, group.blocks() - 1 - block];
                if let (Some(layer), [near, far]) = (stage.mirror, &mut tiles[..]) {
                    let turn = self.beta(layer).turn;
                    overlaps[layer - self.layers.start].mixer +=
                        self.turn_mirrored([near, far], there, turn);
                }
                for ((place, states), block) in places.iter().zip(&mut *tiles).zip(there) {
                    self.apply_block_back(stage, (place, block), states, buffers, overlaps);
                }
            }
            if let Some(layer) = stage.after {
                let last = at + 1 == self.stages.len() && on_the_way.back;
                let sum = self.undo_outer(last, self.beta(layer), tiles);
                overlaps[layer - self.layers.start].mixer += sum;
            }
        }
    }

    /// Takes the overlap of the mixer's steps above a block and carries them out, but for the one on the way to or from the thread's copy
    /// where there is one.
    fn undo_outer(&self, on_the_way: bool, beta: &Beta, tiles: &mut [[Working<T>; 2]]) -> f64 {
        let isa = self.isa;
        let (steps, highest) = match self.on_the_way() {
            (steps, Some(qubits)) if on_the_way => (steps, qubits),
            _ => (self.mix.outer.all(), 0),
        };
        let mut overlap = 0.0;
        for [psi, lambda] in tiles {
            let (psi, lambda) = (psi.tile_mut(), lambda.tile_mut());
            let states = ((&*psi.0, &*psi.1), (&*lambda.0, &*lambda.1));
            overlap += overlap_highest(isa, highest, states.0, states.1);
            overlap += undo(isa, (steps, beta), psi, lambda, 1, || ());
        }
        overlap
    }

    /// Takes the overlap of a mirrored qubit between two blocks and turns it on both states.
    fn turn_mirrored(
        &self,
        [near, far]: [&mut [Working<T>; 2]; 2],
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

    fn apply_block_back(
        &self,
        stage: &Ready<'_, T>,
        (place, block): (&Place, usize),
        [psi, lambda]: &mut [Working<T>; 2],
        buffers: &mut Buffers<T>,
        overlaps: &mut [Overlaps],
    ) {
        let (isa, group, mix) = (self.isa, self.group, self.mix);
        let mut fetch = Fetch::new(place.ahead, group, block, |most| self.parts(stage, most));
        if let Some(layer) = stage.before {
            let blocks = (psi.block_mut(group, block), lambda.block_mut(group, block));
            let overlap = self.undo_steps((&mix.inner, layer), blocks.0, blocks.1, &mut fetch);
            overlaps[layer - self.layers.start].mixer += overlap;
            if self.turned {
                psi.turn(isa, group, block);
                lambda.turn(isa, group, block);
                let blocks = (psi.turned_mut(group), lambda.turned_mut(group));
                let overlap = self.undo_steps((&mix.turned, layer), blocks.0, blocks.1, &mut fetch);
                overlaps[layer - self.layers.start].mixer += overlap;
                psi.turn_back(isa, group, block);
                lambda.turn_back(isa, group, block);
            }
        }
        if let Some((layer, phase)) = &stage.phase {
            let costs = self.costs(place, block, buffers);
            let blocks = (psi.block(group, block), lambda.block(group, block));
            overlaps[layer - self.layers.start].cost +=
                isa.overlap_diagonal(blocks.0, blocks.1, costs);
            if self.turned {
                psi.turn(isa, group, block);
                lambda.turn(isa, group, block);
            }
            let here = (place.position, place.outside.as_ref());
            let mut states = [&mut *psi, &mut *lambda].map(|state| {
                if self.turned {
                    state.turned_mut(group)
                } else {
                    state.block_mut(group, block)
                }
            });
            self.diagonal
                .apply(isa, phase, here, block, buffers, &mut states);
        }
        fetch.next();
        if let Some(layer) = stage.after.filter(|_| self.turned) {
            let blocks = (psi.turned_mut(group), lambda.turned_mut(group));
            let overlap = self.undo_steps((&mix.turned, layer), blocks.0, blocks.1, &mut fetch);
            overlaps[layer - self.layers.start].mixer += overlap;
        }
        if self.turned && stage.phase.is_some() {
            psi.turn_back(isa, group, block);
            lambda.turn_back(isa, group, block);
        }
        if let Some(layer) = stage.after {
            let blocks = (psi.block_mut(group, block), lambda.block_mut(group, block));
            let overlap = self.undo_steps((&mix.inner, layer), blocks.0, blocks.1, &mut fetch);
            overlaps[layer - self.layers.start].mixer += overlap;
        }
    }

    /// Takes the overlap of some of a layer's steps on a block and carries them out on both states.
    fn undo_steps(
        &self,
        (steps, layer): (&Steps<T>, usize),
        psi: TileMut<T>,
        lambda: TileMut<T>,
        fetch: &mut Fetch,
    ) -> f64 {
        let (steps, most) = ((steps.all(), self.beta(layer)), fetch.most_parts());
        undo(self.isa, steps, psi, lambda, most, || fetch.next())
    }
}
