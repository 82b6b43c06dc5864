//! A thread's copy of one tile.

use crate::aligned::Aligned;
use crate::amplitudes::Views;
use crate::kernels::{InstructionSet, LANES, Tile};
use crate::layout::Layout;
use crate::step::Step;
use ndarray::{ArrayView2, ArrayViewMut2};

/// Rows of amplitudes, a multiple of eight numbers apart so that no vector is cut; what a row does not fill is zero and stays so.
#[derive(Debug)]
pub(crate) struct Scratch {
    re: Aligned,
    im: Aligned,
    rows: usize,
    /// Distance between rows: the stride of the group's lowest axis.
    base: usize,
}

impl Scratch {
    pub(crate) fn new(layout: &Layout) -> Self {
        Self {
            re: Aligned::zeros(layout.scratch()),
            im: Aligned::zeros(layout.scratch()),
            rows: 0,
            base: 0,
        }
    }

    /// Copies a strided tile.
    pub(crate) fn gather(&mut self, (re, im): &Views) {
        (self.rows, self.base) = (re.nrows(), re.ncols().next_multiple_of(LANES));
        gather(re.view(), self.re.as_mut_slice(), self.base);
        gather(im.view(), self.im.as_mut_slice(), self.base);
    }

    /// Copies the strided tile back.
    pub(crate) fn scatter(&self, (re, im): &mut Views) {
        scatter(self.re.as_slice(), re, self.base);
        scatter(self.im.as_slice(), im, self.base);
    }

    /// Copies a contiguous tile so that every combination of the leading digits is a row.
    pub(crate) fn transpose(&mut self, isa: InstructionSet, layout: &Layout, (re, im): Tile) {
        (self.rows, self.base) = (layout.leading.span, layout.pitch());
        isa.transpose(re, self.rows, self.re.as_mut_slice(), self.base);
        isa.transpose(im, self.rows, self.im.as_mut_slice(), self.base);
    }

    /// Copies the contiguous tile back.
    pub(crate) fn transpose_back(&self, isa: InstructionSet, re: &mut [f64], im: &mut [f64]) {
        isa.transpose_back(self.re.as_slice(), self.base, re, self.rows);
        isa.transpose_back(self.im.as_slice(), self.base, im, self.rows);
    }

    /// Applies the steps of the group that the rows belong to.
    pub(crate) fn apply(&mut self, isa: InstructionSet, steps: &[Step]) {
        let length = self.rows * self.base;
        for step in steps {
            step.apply(
                isa,
                &mut self.re.as_mut_slice()[..length],
                &mut self.im.as_mut_slice()[..length],
                self.base,
            );
        }
    }

    pub(crate) fn tile(&self) -> Tile<'_> {
        let length = self.rows * self.base;
        (&self.re.as_slice()[..length], &self.im.as_slice()[..length])
    }

    pub(crate) fn base(&self) -> usize {
        self.base
    }
}

fn gather(from: ArrayView2<f64>, to: &mut [f64], base: usize) {
    let width = from.ncols();
    for (from, to) in from.outer_iter().zip(to.chunks_exact_mut(base)) {
        let (filled, rest) = to.split_at_mut(width);
        match from.to_slice() {
            Some(from) => filled.copy_from_slice(from),
            None => filled
                .iter_mut()
                .zip(from)
                .for_each(|(to, from)| *to = *from),
        }
        rest.fill(0.0);
    }
}

fn scatter(from: &[f64], to: &mut ArrayViewMut2<f64>, base: usize) {
    let width = to.ncols();
    for (from, mut to) in from.chunks_exact(base).zip(to.outer_iter_mut()) {
        match to.as_slice_mut() {
            Some(to) => to.copy_from_slice(&from[..width]),
            None => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
        }
    }
}
