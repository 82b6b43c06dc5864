//! One tile, forward.

use super::ahead::Fetch;
use super::scratch::{Local, Working};
use super::{From, Job, OnTheWay, Part, Pass, Place, Ready};
use crate::amplitudes::Views;
use crate::diagonal::Buffers;
use crate::kernels::{Number, Turn};
use crate::step::{Beta, Step};

impl<T: Number> Pass<'_, T> {
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
        // Turns on the way take whole vectors: no padded rows, and no narrow ones at the end.
        let whole = self.group.stride.is_multiple_of(self.group.columns);
        let tile = if whole && self.group.pitch == self.group.columns {
            self.group.tile()
        } else {
            0
        };
        self.mix.outer.split_highest(tile)
    }

    /// Carries out steps above a block.
    fn outer(&self, steps: &[Step<T>], beta: &Beta, tiles: &mut [Working<T>]) {
        for tile in tiles {
            let (re, im) = tile.tile_mut();
            for step in steps {
                step.apply(self.isa, beta, re, im);
            }
        }
    }

    /// Brings a job's tiles to the thread's copies; those that are worked on in memory are there.
    pub(super) fn load_all(&self, job: &mut Job<Views<T>>, tiles: &mut [[Local<T>; 2]]) {
        for (part, [state, _]) in job.parts().zip(tiles) {
            state.gather(self.isa, self.group, &part.views, self.first_turn());
        }
    }

    /// Writes a product state to tiles, where the pass begins with one.
    pub(super) fn fill(&self, from: From, places: &[Place], tiles: &mut [Working<T>]) {
        if let From::Product { tile, factors } = from {
            for (place, state) in places.iter().zip(tiles) {
                state.fill(self.group, tile, factors[place.tile]);
            }
        }
    }

    /// Carries out all stages on tiles, but for the turns that are carried out on the way to and from the thread's copies.
    pub(super) fn apply(
        &self,
        places: &[Place],
        tiles: &mut [Working<T>],
        buffers: &mut Buffers<T>,
        on_the_way: OnTheWay,
    ) {
        let (isa, group) = (self.isa, self.group);
        for (at, stage) in self.stages.iter().enumerate() {
            if let Some(layer) = stage.before {
                let steps = self.outer_steps(at == 0 && on_the_way.to);
                self.outer(steps, self.beta(layer), tiles);
            }
            for block in 0..group.blocks() {
                let there = [block, group.blocks() - 1 - block];
                for ((place, state), block) in places.iter().zip(&mut *tiles).zip(there) {
                    self.apply_block(stage, place, block, state, buffers);
                }
                if let (Some(layer), [near, far]) = (stage.mirror, &mut *tiles) {
                    let [near, far] = [
                        near.block_mut(group, there[0]),
                        far.block_mut(group, there[1]),
                    ];
                    isa.turn_mirrored(near, far, self.beta(layer).turn);
                }
            }
            if let Some(layer) = stage.after {
                let steps = self.outer_steps(at + 1 == self.stages.len() && on_the_way.back);
                self.outer(steps, self.beta(layer), tiles);
            }
        }
    }

    /// The steps above a block, all or without the one that was or will be carried out on the way.
    fn outer_steps(&self, on_the_way: bool) -> &[Step<T>] {
        if on_the_way {
            self.on_the_way().0
        } else {
            self.mix.outer.all()
        }
    }

    /// Where a job's tiles are.
    pub(super) fn places<V>(&self, job: &mut Job<V>) -> Vec<Place> {
        let place = |part: &mut Part<V>| Place {
            tile: part.tile,
            position: part.position,
            outside: self.diagonal.outside(part.position),
            ahead: part.ahead,
        };
        job.parts().map(place).collect()
    }

    /// In how many parts a stage is carried out on a block: those of its mixers, and its phase.
    pub(super) fn parts(&self, stage: &Ready<'_, T>, most: usize) -> usize {
        let length = self.group.block();
        let mixers = [stage.before, stage.after].iter().flatten().count();
        mixers * (self.mix.inner.parts(length, most) + self.mix.turned.parts(length, most)) + 1
    }

    fn apply_block(
        &self,
        stage: &Ready<'_, T>,
        place: &Place,
        block: usize,
        state: &mut Working<T>,
        buffers: &mut Buffers<T>,
    ) {
        let (isa, group, mix) = (self.isa, self.group, self.mix);
        let mut fetch = Fetch::new(place.ahead, group, block, |most| self.parts(stage, most));
        let most = fetch.most_parts();
        let [before, after] =
            [stage.before, stage.after].map(|layer| layer.map(|at| self.beta(at)));
        if let Some(beta) = before {
            mix.inner
                .apply(isa, beta, state.block_mut(group, block), most, || {
                    fetch.next()
                });
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
            mix.turned
                .apply(isa, beta, (&mut *re, &mut *im), most, || fetch.next());
        }
        if let Some((_, phase)) = &stage.phase {
            let here = (place.position, place.outside.as_ref());
            self.diagonal.apply(
                isa,
                phase,
                here,
                block,
                buffers,
                &mut [(&mut *re, &mut *im)],
            );
        }
        fetch.next();
        if let Some(beta) = after {
            mix.turned
                .apply(isa, beta, (&mut *re, &mut *im), most, || fetch.next());
        }
        if self.turned {
            state.turn_back(isa, group, block);
        }
        if let Some(beta) = after {
            mix.inner
                .apply(isa, beta, state.block_mut(group, block), most, || {
                    fetch.next()
                });
        }
    }

    /// The costs of a block.
    pub(super) fn costs<'b>(
        &'b self,
        place: &Place,
        block: usize,
        buffers: &'b mut Buffers<T>,
    ) -> &'b [f64] {
        let (position, outside) = (place.position, place.outside.as_ref());
        self.diagonal
            .costs(self.isa, position, outside, block, buffers)
    }

    /// `Σ|ψ|²(C − center)` over tiles.
    pub(super) fn mean(
        &self,
        places: &[Place],
        tiles: &[Working<T>],
        buffers: &mut Buffers<T>,
        center: f64,
    ) -> f64 {
        let mut sum = 0.0;
        for (place, state) in places.iter().zip(tiles) {
            for block in 0..self.group.blocks() {
                let costs = self.costs(place, block, buffers);
                sum += self.isa.mean(state.block(self.group, block), costs, center);
            }
        }
        sum
    }
}
