//! One tile, forward.

use super::ahead::Ahead;
use super::scratch::{Local, Scratch};
use super::{From, Job, Pass, Place, Ready};
use crate::amplitudes::Views;
use crate::diagonal::{Buffers, Position};
use crate::kernels::{Number, Turn};
use crate::step::{Beta, Step};

impl<T: Number> Pass<'_, T> {
    pub(super) fn place(&self, position: Position) -> Place {
        Place {
            position,
            outside: self.diagonal.outside(position),
        }
    }

    /// The turn that begins the first stage, to be carried out while a tile is copied.
    pub(super) fn first_turn(&self) -> Option<(usize, Turn)> {
        let layer = self.stages.first()?.before?;
        Some((self.on_the_way().1?, self.beta(layer).turn))
    }

    /// The turn that ends the last stage, to be carried out while the tile is copied back.
    pub(super) fn last_turn(&self) -> Option<(usize, Turn)> {
        let layer = self.stages.last()?.after?;
        Some((self.on_the_way().1?, self.beta(layer).turn))
    }

    /// The steps above a block without the one that can be carried out while a tile is copied, and how many qubits that one turns.
    pub(super) fn on_the_way(&self) -> (&[Step<T>], Option<usize>) {
        // Rows that are padded, and narrow ones at the end, are copied number by number.
        let whole = self.group.stride.is_multiple_of(self.group.columns);
        let tile = if whole && self.group.pitch == self.group.columns {
            self.group.tile()
        } else {
            0
        };
        self.mix.outer.split_highest(tile)
    }

    /// Carries out steps above a block.
    fn outer(&self, steps: &[Step<T>], beta: &Beta, tiles: &mut [[Local<T>; 2]]) {
        for [state, _] in tiles {
            let (re, im) = state.tile_mut(self.group);
            for step in steps {
                step.apply(self.isa, beta, re, im);
            }
        }
    }

    /// Brings a job's tiles to the thread's copies.
    pub(super) fn load_all(&self, from: From, job: &mut Job<Views<T>>, scratch: &mut Scratch<T>) {
        for (part, [state, _]) in job.parts().zip(&mut scratch.tiles) {
            self.load(from, part.tile, &part.views, state);
        }
    }

    /// Carries out all stages on a job's tiles, but for the turn on the way to the thread's copy, and the one on the way back where there is
    /// one.
    pub(super) fn apply<V>(&self, job: &mut Job<V>, scratch: &mut Scratch<T>, way_back: bool) {
        let (isa, group) = (self.isa, self.group);
        let Scratch { tiles, buffers } = scratch;
        let places: Vec<(Place, Option<Ahead>)> = self.places(job);
        for (at, stage) in self.stages.iter().enumerate() {
            if let Some(layer) = stage.before {
                let (steps, turn) = self.on_the_way();
                debug_assert!(at == 0 || turn.is_none());
                self.outer(steps, self.beta(layer), tiles);
            }
            for block in 0..group.blocks() {
                let there = [block, group.blocks() - 1 - block];
                for (((place, ahead), [state, _]), block) in
                    places.iter().zip(&mut *tiles).zip(there)
                {
                    self.apply_block(stage, place, *ahead, block, state, buffers);
                }
                if let (Some(layer), [[near, _], [far, _]]) = (stage.mirror, &mut tiles[..]) {
                    let [near, far] = [
                        near.block_mut(group, there[0]),
                        far.block_mut(group, there[1]),
                    ];
                    isa.turn_mirrored(near, far, self.beta(layer).turn);
                }
            }
            if let Some(layer) = stage.after {
                let steps = if way_back && at + 1 == self.stages.len() {
                    self.on_the_way().0
                } else {
                    self.mix.outer.all()
                };
                self.outer(steps, self.beta(layer), tiles);
            }
        }
    }

    /// Where a job's tiles are, and what comes after them.
    pub(super) fn places<V>(&self, job: &mut Job<V>) -> Vec<(Place, Option<Ahead>)> {
        job.parts()
            .map(|part| (self.place(part.position), part.ahead))
            .collect()
    }

    fn apply_block(
        &self,
        stage: &Ready<T>,
        place: &Place,
        ahead: Option<Ahead>,
        block: usize,
        state: &mut Local<T>,
        buffers: &mut Buffers<T>,
    ) {
        let (isa, group, mix) = (self.isa, self.group, self.mix);
        let fetch = |part| Ahead::fetch(ahead, group, block, part);
        let [before, after] =
            [stage.before, stage.after].map(|layer| layer.map(|at| self.beta(at)));
        fetch(0);
        if let Some(beta) = before {
            let (re, im) = state.block_mut(group, block);
            mix.inner.apply(isa, beta, re, im);
        }
        if self.turned {
            state.turn(isa, group, block);
        }
        let (re, im) = if self.turned {
            state.turned_mut(group)
        } else {
            state.block_mut(group, block)
        };
        if let Some(beta) = before {
            mix.turned.apply(isa, beta, re, im);
        }
        fetch(1);
        if let Some((_, phase)) = &stage.phase {
            let here = (place.position, place.outside.as_ref());
            self.diagonal
                .apply(isa, phase, here, block, buffers, (re, im));
        }
        fetch(2);
        if let Some(beta) = after {
            mix.turned.apply(isa, beta, re, im);
        }
        if self.turned {
            state.turn_back(isa, group, block);
        }
        if let Some(beta) = after {
            let (re, im) = state.block_mut(group, block);
            mix.inner.apply(isa, beta, re, im);
        }
        fetch(3);
    }

    /// `Σ|ψ|²(C − center)` over a job's tiles.
    pub(super) fn mean<V>(&self, job: &mut Job<V>, scratch: &mut Scratch<T>, center: f64) -> f64 {
        let Scratch { tiles, buffers } = scratch;
        let mut sum = 0.0;
        for (part, [state, _]) in job.parts().zip(tiles) {
            let place = self.place(part.position);
            for block in 0..self.group.blocks() {
                let costs =
                    self.diagonal
                        .costs(place.position, place.outside.as_ref(), block, buffers);
                sum += self.isa.mean(state.block(self.group, block), costs, center);
            }
        }
        sum
    }

    /// Brings a tile to the thread's copy.
    fn load(&self, from: From, tile: usize, views: &Views<T>, state: &mut Local<T>) {
        match from {
            From::Memory => state.gather(self.isa, self.group, views, self.first_turn()),
            From::Product {
                tile: amplitudes,
                factors,
            } => state.fill(self.group, amplitudes, factors[tile]),
        }
    }
}
