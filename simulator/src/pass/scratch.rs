//! A thread's copy of a tile.

use crate::aligned::Aligned;
use crate::amplitudes::Views;
use crate::diagonal::Buffers;
use crate::kernels::{InstructionSet, Number, Tile, Turn};
use crate::layout::{Group, Layout};

/// A thread's buffers.
#[derive(Debug)]
pub(crate) struct Scratch<T: Number> {
    /// Of every tile that is worked on at once ψ, and λ where there is one: memory that is not written takes none.
    pub(super) tiles: Vec<[Local<T>; 2]>,
    pub(super) buffers: Buffers<T>,
}

/// A thread's copy of a tile, and of one of its blocks, transposed.
#[derive(Debug)]
pub(super) struct Local<T: Number> {
    re: Aligned<T>,
    im: Aligned<T>,
    turned_re: Aligned<T>,
    turned_im: Aligned<T>,
}

impl<T: Number> Scratch<T> {
    pub(super) fn new(layout: &Layout, tiles: usize) -> Self {
        let state = || Local {
            re: Aligned::zeros(layout.tile()),
            im: Aligned::zeros(layout.tile()),
            turned_re: Aligned::zeros(layout.block::<T>()),
            turned_im: Aligned::zeros(layout.block::<T>()),
        };
        Self {
            tiles: (0..tiles).map(|_| [state(), state()]).collect(),
            buffers: Buffers::new(layout),
        }
    }
}

impl<T: Number> Local<T> {
    /// Copies a tile, and on the way turns its highest qubits.
    pub(super) fn gather(
        &mut self,
        isa: InstructionSet,
        group: &Group,
        (re, im): &Views<T>,
        turn: Option<(usize, Turn)>,
    ) {
        let (_, rows) = group.matrix();
        let (from, to) = (
            (re.view(), im.view()),
            (self.re.as_mut_slice(), self.im.as_mut_slice()),
        );
        match turn {
            None => {
                isa.gather(from.0, to.0, rows);
                isa.gather(from.1, to.1, rows);
            }
            Some((1, turn)) => isa.gather_turned1(from, to, rows, turn),
            Some((2, turn)) => isa.gather_turned2(from, to, rows, turn),
            Some((3, turn)) => isa.gather_turned3(from, to, rows, turn),
            Some((_, turn)) => isa.gather_turned4(from, to, rows, turn),
        }
        self.clear_between_blocks(group);
    }

    /// Copies a tile back, and on the way turns its highest qubits.
    pub(super) fn scatter(
        &self,
        isa: InstructionSet,
        group: &Group,
        (re, im): &mut Views<T>,
        turn: Option<(usize, Turn)>,
    ) {
        let (_, rows) = group.matrix();
        let (from, to) = (
            (self.re.as_slice(), self.im.as_slice()),
            (re.view_mut(), im.view_mut()),
        );
        match turn {
            None => {
                isa.scatter(from.0, rows, to.0);
                isa.scatter(from.1, rows, to.1);
            }
            Some((1, turn)) => isa.scatter_turned1(from, to, rows, turn),
            Some((2, turn)) => isa.scatter_turned2(from, to, rows, turn),
            Some((3, turn)) => isa.scatter_turned3(from, to, rows, turn),
            Some((_, turn)) => isa.scatter_turned4(from, to, rows, turn),
        }
    }

    /// What lies between blocks is mixed with them; it may hold what another pass left.
    pub(super) fn clear_between_blocks(&mut self, group: &Group) {
        for list in [&mut self.re, &mut self.im] {
            let blocks = list.as_mut_slice()[..group.tile()].chunks_exact_mut(group.block_pitch);
            blocks.for_each(|block| block[group.block()..].fill(T::default()));
        }
    }

    /// Writes a product state; the imaginary parts are zero.
    pub(super) fn fill(&mut self, group: &Group, tile: &[f64], factor: f64) {
        let blocks = self.re.as_mut_slice().chunks_exact_mut(group.block_pitch);
        let from = tile.chunks_exact(group.block_rows * group.columns);
        for (to, from) in blocks.zip(from) {
            let rows = to
                .chunks_exact_mut(group.pitch)
                .zip(from.chunks_exact(group.columns));
            for (to, from) in rows {
                to.iter_mut()
                    .zip(from)
                    .for_each(|(to, w)| *to = T::from_f64(factor * w));
                to[group.columns..].fill(T::default());
            }
        }
        self.im.as_mut_slice()[..group.tile()].fill(T::default());
        self.clear_between_blocks(group);
    }

    pub(super) fn tile_mut(&mut self, group: &Group) -> (&mut [T], &mut [T]) {
        (
            &mut self.re.as_mut_slice()[..group.tile()],
            &mut self.im.as_mut_slice()[..group.tile()],
        )
    }

    pub(super) fn block(&self, group: &Group, block: usize) -> Tile<'_, T> {
        let range = block * group.block_pitch..block * group.block_pitch + group.block();
        (
            &self.re.as_slice()[range.clone()],
            &self.im.as_slice()[range],
        )
    }

    pub(super) fn block_mut(&mut self, group: &Group, block: usize) -> (&mut [T], &mut [T]) {
        let range = block * group.block_pitch..block * group.block_pitch + group.block();
        (
            &mut self.re.as_mut_slice()[range.clone()],
            &mut self.im.as_mut_slice()[range],
        )
    }

    /// A transposed block.
    pub(super) fn turned_mut(&mut self, group: &Group) -> (&mut [T], &mut [T]) {
        let length = group.columns * group.turned_pitch::<T>();
        (
            &mut self.turned_re.as_mut_slice()[..length],
            &mut self.turned_im.as_mut_slice()[..length],
        )
    }

    /// Copies a block to its transposed buffer.
    pub(super) fn turn(&mut self, isa: InstructionSet, group: &Group, block: usize) {
        let range = block * group.block_pitch..block * group.block_pitch + group.block();
        let shape = (group.block_rows, group.columns);
        for (from, to) in [
            (&self.re, &mut self.turned_re),
            (&self.im, &mut self.turned_im),
        ] {
            let from = &from.as_slice()[range.clone()];
            isa.transpose(
                from,
                group.pitch,
                shape,
                to.as_mut_slice(),
                group.turned_pitch::<T>(),
            );
        }
    }

    /// Copies the transposed buffer back.
    pub(super) fn turn_back(&mut self, isa: InstructionSet, group: &Group, block: usize) {
        let range = block * group.block_pitch..block * group.block_pitch + group.block();
        let shape = (group.columns, group.block_rows);
        for (from, to) in [
            (&self.turned_re, &mut self.re),
            (&self.turned_im, &mut self.im),
        ] {
            let to = &mut to.as_mut_slice()[range.clone()];
            isa.transpose(
                from.as_slice(),
                group.turned_pitch::<T>(),
                shape,
                to,
                group.pitch,
            );
        }
    }
}
