//! What is worked on: a thread's copy of a tile, or the tile in memory.

use crate::aligned::{Aligned, HALF_PAGE};
use crate::amplitudes::Views;
use crate::diagonal::Buffers;
use crate::kernels::{InstructionSet, Number, Tile, TileMut, Turn};
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
    turned: [Aligned<T>; 2],
}

impl<T: Number> Scratch<T> {
    pub(super) fn new(layout: &Layout, tiles: usize) -> Self {
        let state = || Local {
            re: Aligned::shifted(layout.tile(), 0),
            im: Aligned::shifted(layout.tile(), HALF_PAGE),
            turned: [(); 2].map(|()| Aligned::zeros(layout.block::<T>())),
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
        self.copy(group).clear_between_blocks(group);
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

    /// What is worked on: this copy.
    pub(super) fn copy(&mut self, group: &Group) -> Working<'_, T> {
        let length = group.tile();
        Working {
            re: &mut self.re.as_mut_slice()[..length],
            im: &mut self.im.as_mut_slice()[..length],
            turned: self.turned.each_mut().map(Aligned::as_mut_slice),
        }
    }

    /// What is worked on: the amplitudes in memory where [`Group::is_contiguous`], or else this copy.
    #[allow(
        clippy::expect_used,
        reason = "to go on with a copy that nothing was brought to would be wrong"
    )]
    pub(super) fn working<'a>(
        &'a mut self,
        group: &Group,
        (re, im): &'a mut Views<T>,
    ) -> Working<'a, T> {
        if !group.is_contiguous() {
            return self.copy(group);
        }
        let [re, im] = [re, im].map(|list| list.as_slice_mut().expect("one run"));
        Working {
            re,
            im,
            turned: self.turned.each_mut().map(Aligned::as_mut_slice),
        }
    }
}

/// A tile that is worked on, and room for one of its blocks, transposed.
#[derive(Debug)]
pub(super) struct Working<'a, T: Number> {
    re: &'a mut [T],
    im: &'a mut [T],
    turned: [&'a mut [T]; 2],
}

impl<T: Number> Working<'_, T> {
    /// What lies between blocks is mixed with them; it may hold what another pass left.
    pub(super) fn clear_between_blocks(&mut self, group: &Group) {
        for list in [&mut self.re, &mut self.im] {
            let blocks = list.chunks_exact_mut(group.block_pitch);
            blocks.for_each(|block| block[group.block()..].fill(T::default()));
        }
    }

    /// Writes a product state; the imaginary parts are zero.
    pub(super) fn fill(&mut self, group: &Group, tile: &[f64], factor: f64) {
        let blocks = self.re.chunks_exact_mut(group.block_pitch);
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
        self.im.fill(T::default());
        self.clear_between_blocks(group);
    }

    pub(super) fn tile_mut(&mut self) -> TileMut<'_, T> {
        (&mut *self.re, &mut *self.im)
    }

    pub(super) fn block(&self, group: &Group, block: usize) -> Tile<'_, T> {
        let range = group.block_range(block);
        (&self.re[range.clone()], &self.im[range])
    }

    pub(super) fn block_mut(&mut self, group: &Group, block: usize) -> TileMut<'_, T> {
        let range = group.block_range(block);
        (&mut self.re[range.clone()], &mut self.im[range])
    }

    /// A transposed block.
    pub(super) fn turned_mut(&mut self, group: &Group) -> TileMut<'_, T> {
        let length = group.columns * group.turned_pitch::<T>();
        let [re, im] = &mut self.turned;
        (&mut re[..length], &mut im[..length])
    }

    /// Copies a block to its transposed buffer.
    pub(super) fn turn(&mut self, isa: InstructionSet, group: &Group, block: usize) {
        let (range, shape) = (group.block_range(block), (group.block_rows, group.columns));
        for (from, to) in [&self.re, &self.im].into_iter().zip(&mut self.turned) {
            let from = &from[range.clone()];
            isa.transpose(from, group.pitch, shape, to, group.turned_pitch::<T>());
        }
    }

    /// Copies the transposed buffer back.
    pub(super) fn turn_back(&mut self, isa: InstructionSet, group: &Group, block: usize) {
        let (range, shape) = (group.block_range(block), (group.columns, group.block_rows));
        for (from, to) in self.turned.iter().zip([&mut self.re, &mut self.im]) {
            let to = &mut to[range.clone()];
            isa.transpose(from, group.turned_pitch::<T>(), shape, to, group.pitch);
        }
    }
}
