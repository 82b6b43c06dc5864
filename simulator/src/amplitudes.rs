//! The amplitudes of a state, and how they are cut into tiles.

use crate::aligned::{Aligned, HALF_PAGE};
use crate::kernels::{Number, Tile};
use crate::layout::{Group, Layout};
use ndarray::{ArrayViewMut2, Axis, s};
use std::ops::Range;

/// N complex numbers as two aligned arrays.
///
/// Where low tiles are powers of two, so is the distance of a high tile's rows, and all rows would meet in a few sets of the cache. So
/// every low tile is followed by a gap that nobody reads.
#[derive(Debug, Clone)]
pub(crate) struct Amplitudes<T: Number> {
    re: Aligned<T>,
    im: Aligned<T>,
    dimension: usize,
    /// Amplitudes that follow each other.
    tile: usize,
    gap: usize,
}

/// A tile of both arrays: a matrix of rows.
pub(crate) type Views<'a, T> = (ArrayViewMut2<'a, T>, ArrayViewMut2<'a, T>);

impl<T: Number> Amplitudes<T> {
    pub(crate) fn zeros(dimension: usize, layout: &Layout) -> Self {
        let (tile, gap) = (layout.groups[0].amplitudes(), layout.gap);
        let length = dimension + dimension / tile * gap;
        Self {
            re: Aligned::shifted(length, 0),
            im: Aligned::shifted(length, HALF_PAGE),
            dimension,
            tile,
            gap,
        }
    }

    pub(crate) fn dimension(&self) -> usize {
        self.dimension
    }

    /// Where an amplitude lies in the arrays.
    fn place(&self, index: usize) -> usize {
        index + index / self.tile * self.gap
    }

    /// The amplitudes in a range that lies within one low tile, or anywhere where there are no gaps.
    pub(crate) fn range(&self, range: Range<usize>) -> Tile<'_, T> {
        let first = self.place(range.start);
        let range = first..first + range.len();
        (
            &self.re.as_slice()[range.clone()],
            &self.im.as_slice()[range],
        )
    }

    /// Addresses of an amplitude's parts.
    pub(crate) fn addresses(&self, index: usize) -> [usize; 2] {
        [&self.re, &self.im]
            .map(|list| list.as_slice().as_ptr() as usize + self.place(index) * size_of::<T>())
    }

    /// Numbers between the rows of a group's tile.
    pub(crate) fn stride(&self, group: &Group) -> usize {
        if group.stride < self.tile {
            group.stride
        } else {
            self.place(group.stride)
        }
    }

    /// The tiles of a group, in order.
    pub(crate) fn tiles(&mut self, group: &Group) -> impl Iterator<Item = Views<'_, T>> {
        let ((rows, columns), _) = group.matrix();
        let low = group.stride < self.tile;
        let stride = if low {
            columns
        } else {
            self.place(group.stride)
        };
        // Without gaps a row is one run, whatever its columns.
        let cut_by_gaps = !low && self.gap > 0;
        let cut = Cut {
            rows,
            stride,
            block: self.place(group.rows * group.stride),
            run: if cut_by_gaps { self.tile } else { stride },
            gap: if cut_by_gaps { self.gap } else { 0 },
            columns,
        };
        tiles(self.re.as_mut_slice(), cut).zip(tiles(self.im.as_mut_slice(), cut))
    }
}

/// How an array is cut: blocks of rows, in each row runs and gaps in turn, in each run the columns of a tile.
#[derive(Debug, Clone, Copy)]
struct Cut {
    rows: usize,
    stride: usize,
    block: usize,
    run: usize,
    gap: usize,
    columns: usize,
}

fn tiles<T>(array: &mut [T], cut: Cut) -> impl Iterator<Item = ArrayViewMut2<'_, T>> {
    let used = cut.rows * cut.stride;
    array
        .chunks_exact_mut(cut.block)
        .flat_map(move |block| {
            split(
                matrix(&mut block[..used], cut.rows, cut.stride),
                cut.run + cut.gap,
            )
        })
        .flat_map(move |mut run| {
            run.slice_collapse(s![.., ..cut.run.min(run.ncols())]);
            split(run, cut.columns)
        })
}

#[allow(
    clippy::expect_used,
    reason = "every block has rows · stride numbers, and both were checked with the register"
)]
fn matrix<T>(block: &mut [T], rows: usize, stride: usize) -> ArrayViewMut2<'_, T> {
    ArrayViewMut2::from_shape((rows, stride), block).expect("a block has rows · stride numbers")
}

/// Cuts a matrix into columns of the given width, the last one perhaps narrower.
fn split<'a, T>(
    matrix: ArrayViewMut2<'a, T>,
    width: usize,
) -> impl Iterator<Item = ArrayViewMut2<'a, T>> {
    let mut rest = Some(matrix);
    std::iter::from_fn(move || {
        let matrix = rest.take()?;
        if matrix.ncols() <= width {
            return Some(matrix);
        }
        let (columns, others) = matrix.split_at(Axis(1), width);
        rest = Some(others);
        Some(columns)
    })
}
