//! The passes over memory that carry out a layer, or undo it.
//!
//! A pass works tile by tile: a tile fits into the cache, and everything a group of axes needs is done while it is there. Tiles are
//! independent of each other; sums over them are taken in their order.

use crate::amplitudes::{Amplitudes, Parts, Views};
use crate::kernels::{InstructionSet, Tile};
use crate::layout::{Group, Layout};
use crate::mixer::AxisMixer;
use crate::parallel;
use crate::scratch::Scratch;
use crate::step::{Layer, Overlap, Step};

/// What every pass over a state needs to know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sweep<'a> {
    pub(crate) layout: &'a Layout,
    pub(crate) axes: &'a [AxisMixer],
    pub(crate) cost: &'a [f64],
    pub(crate) isa: InstructionSet,
}

/// `Im⟨λ|B|ψ⟩` and `Im⟨λ|C|ψ⟩` at a layer, or a tile's part of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Overlaps {
    pub(crate) mixer: f64,
    pub(crate) cost: f64,
}

impl Sweep<'_> {
    /// Applies the phase of a layer and then its mixer.
    pub(crate) fn forward(&self, psi: &mut Amplitudes, layer: &Layer) {
        self.forward_low(psi, layer);
        for (group, steps) in self.layout.high.iter().zip(&layer.high) {
            self.forward_high(psi, group, steps);
        }
    }

    fn forward_low(&self, psi: &mut Amplitudes, layer: &Layer) {
        let (dimension, length) = (psi.dimension(), self.layout.tile());
        let parts = psi.tiles(length).zip(self.cost.chunks(length)).collect();
        let work = |scratch: &mut Scratch, (mut tile, cost): (Parts, &[f64])| {
            self.isa
                .phase(tile.0, tile.1, cost, layer.gamma, layer.offset);
            scratch.transpose(self.isa, self.layout, (tile.0, tile.1));
            self.mix_low(scratch, &mut tile, layer);
        };
        parallel::map(dimension, parts, || Scratch::new(self.layout), work);
    }

    /// Mixes all axes of a contiguous tile that is transposed already.
    fn mix_low(&self, transposed: &mut Scratch, (re, im): &mut Parts, layer: &Layer) {
        transposed.apply(self.isa, &layer.leading);
        transposed.transpose_back(self.isa, re, im);
        for step in &layer.trailing {
            step.apply(self.isa, re, im, self.layout.leading.span);
        }
    }

    fn forward_high(&self, psi: &mut Amplitudes, group: &Group, steps: &[Step]) {
        let (dimension, parts) = (psi.dimension(), psi.strided(group).collect());
        let work = |scratch: &mut Scratch, mut views: Views| {
            scratch.gather(&views);
            scratch.apply(self.isa, steps);
            scratch.scatter(&mut views);
        };
        parallel::map(dimension, parts, || Scratch::new(self.layout), work);
    }

    /// Undoes a layer on ψ and λ, given its inverse. The parts of the mixer commute, so each group's overlap is taken when the group's
    /// tiles are in the cache, before its part is undone; the cost's overlap once the mixer is gone.
    pub(crate) fn backward(
        &self,
        psi: &mut Amplitudes,
        lambda: &mut Amplitudes,
        inverse: &Layer,
    ) -> Overlaps {
        let groups = self.layout.high.iter().zip(&inverse.high);
        let high: f64 = groups
            .map(|(group, steps)| self.backward_high(psi, lambda, group, steps))
            .sum();
        let low = self.backward_low(psi, lambda, inverse);
        Overlaps {
            mixer: high + low.mixer,
            cost: low.cost,
        }
    }

    fn backward_high(
        &self,
        psi: &mut Amplitudes,
        lambda: &mut Amplitudes,
        group: &Group,
        steps: &[Step],
    ) -> f64 {
        let overlaps = self.overlaps(group);
        let dimension = psi.dimension();
        let parts = psi.strided(group).zip(lambda.strided(group)).collect();
        let work = |[a, b]: &mut [Scratch; 2], (mut psi, mut lambda): (Views, Views)| {
            a.gather(&psi);
            b.gather(&lambda);
            let mixer = self.overlap(&overlaps, a.tile(), b.tile(), a.base());
            for (scratch, views) in [(a, &mut psi), (b, &mut lambda)] {
                scratch.apply(self.isa, steps);
                scratch.scatter(views);
            }
            mixer
        };
        parallel::map(dimension, parts, || self.two_scratches(), work)
            .into_iter()
            .sum()
    }

    fn backward_low(
        &self,
        psi: &mut Amplitudes,
        lambda: &mut Amplitudes,
        inverse: &Layer,
    ) -> Overlaps {
        let (dimension, length) = (psi.dimension(), self.layout.tile());
        let (leading, trailing) = (
            self.overlaps(&self.layout.leading),
            self.overlaps(&self.layout.trailing),
        );
        let parts = psi
            .tiles(length)
            .zip(lambda.tiles(length))
            .zip(self.cost.chunks(length))
            .collect();
        let work = |[a, b]: &mut [Scratch; 2],
                    ((mut psi, mut lambda), cost): ((Parts, Parts), &[f64])| {
            let mut mixer = self.overlap(
                &trailing,
                (psi.0, psi.1),
                (lambda.0, lambda.1),
                self.layout.leading.span,
            );
            a.transpose(self.isa, self.layout, (psi.0, psi.1));
            b.transpose(self.isa, self.layout, (lambda.0, lambda.1));
            mixer += self.overlap(&leading, a.tile(), b.tile(), a.base());
            self.mix_low(a, &mut psi, inverse);
            self.mix_low(b, &mut lambda, inverse);
            let overlap = self
                .isa
                .overlap_diagonal((psi.0, psi.1), (lambda.0, lambda.1), cost);
            for (re, im) in [psi, lambda] {
                self.isa.phase(re, im, cost, inverse.gamma, inverse.offset);
            }
            Overlaps {
                mixer,
                cost: overlap,
            }
        };
        let sums = parallel::map(dimension, parts, || self.two_scratches(), work);
        let add = |a: Overlaps, b: Overlaps| Overlaps {
            mixer: a.mixer + b.mixer,
            cost: a.cost + b.cost,
        };
        sums.into_iter().fold(Overlaps::default(), add)
    }

    fn two_scratches(&self) -> [Scratch; 2] {
        [Scratch::new(self.layout), Scratch::new(self.layout)]
    }

    fn overlaps(&self, group: &Group) -> Vec<Overlap> {
        Overlap::of_group(&self.axes[group.axes.clone()])
    }

    fn overlap(&self, overlaps: &[Overlap], psi: Tile, lambda: Tile, base: usize) -> f64 {
        overlaps
            .iter()
            .map(|overlap| overlap.of(self.isa, psi, lambda, base))
            .sum()
    }
}
