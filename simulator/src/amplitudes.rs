//! The amplitudes of a state, and how they are cut into tiles.

use crate::Start;
use crate::aligned::Aligned;
use crate::kernels::Tile;
use crate::layout::{Group, Layout};
use crate::parallel;
use ndarray::{ArrayViewMut2, Axis};

/// N complex numbers as two aligned arrays.
#[derive(Debug, Clone)]
pub(crate) struct Amplitudes {
    pub(crate) re: Aligned,
    pub(crate) im: Aligned,
}

/// A contiguous tile of both arrays.
pub(crate) type Parts<'a> = (&'a mut [f64], &'a mut [f64]);
/// A strided tile of both arrays.
pub(crate) type Views<'a> = (ArrayViewMut2<'a, f64>, ArrayViewMut2<'a, f64>);

impl Amplitudes {
    pub(crate) fn zeros(dimension: usize) -> Self {
        Self {
            re: Aligned::zeros(dimension),
            im: Aligned::zeros(dimension),
        }
    }

    /// The product state `⊗|w_k⟩`: every tile is the product of its own axes times one number.
    pub(crate) fn product(start: &Start, layout: &Layout) -> Self {
        let (low, high) = start.axes().split_at(layout.trailing.axes.end);
        let (tile, factors) = (outer_product(low), outer_product(high));
        let mut state = Self::zeros(tile.len() * factors.len());
        let parts = state
            .re
            .as_mut_slice()
            .chunks_exact_mut(tile.len())
            .zip(&factors)
            .collect();
        parallel::map(
            tile.len() * factors.len(),
            parts,
            || (),
            |(), (part, &factor): (&mut [f64], &f64)| {
                part.iter_mut()
                    .zip(&tile)
                    .for_each(|(amplitude, w)| *amplitude = factor * w);
            },
        );
        state
    }

    pub(crate) fn dimension(&self) -> usize {
        self.re.as_slice().len()
    }

    /// The contiguous tiles, in order.
    pub(crate) fn tiles(&mut self, length: usize) -> impl Iterator<Item = Parts<'_>> {
        self.re
            .as_mut_slice()
            .chunks_mut(length)
            .zip(self.im.as_mut_slice().chunks_mut(length))
    }

    /// Both arrays in chunks, in order.
    pub(crate) fn chunks(&self, length: usize) -> impl Iterator<Item = Tile<'_>> {
        self.re
            .as_slice()
            .chunks(length)
            .zip(self.im.as_slice().chunks(length))
    }

    /// The strided tiles of a group, in order: all its digits times a run of contiguous amplitudes.
    pub(crate) fn strided(&mut self, group: &Group) -> impl Iterator<Item = Views<'_>> {
        strided(self.re.as_mut_slice(), group).zip(strided(self.im.as_mut_slice(), group))
    }
}

/// Cuts every block of `span · inner` numbers, a matrix with `span` rows, into columns of a run's width.
fn strided<'a>(
    array: &'a mut [f64],
    group: &Group,
) -> impl Iterator<Item = ArrayViewMut2<'a, f64>> {
    let (span, inner, run) = (group.span, group.inner, group.run());
    array
        .chunks_exact_mut(span * inner)
        .flat_map(move |block| columns(matrix(block, span, inner), run))
}

#[allow(
    clippy::expect_used,
    reason = "every block has span · inner numbers, and both were checked with the register"
)]
fn matrix(block: &mut [f64], span: usize, inner: usize) -> ArrayViewMut2<'_, f64> {
    ArrayViewMut2::from_shape((span, inner), block).expect("a block has span · inner numbers")
}

/// Cuts a matrix into columns of the given width, the last one perhaps narrower.
fn columns<'a>(
    matrix: ArrayViewMut2<'a, f64>,
    width: usize,
) -> impl Iterator<Item = ArrayViewMut2<'a, f64>> {
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

/// The product state of a few axes, axis 0 fastest.
fn outer_product(axes: &[Vec<f64>]) -> Vec<f64> {
    axes.iter().fold(vec![1.0], |state, w| {
        w.iter()
            .flat_map(|w| state.iter().map(move |s| w * s))
            .collect()
    })
}
