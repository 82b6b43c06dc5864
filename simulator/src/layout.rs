//! How a register is cut into groups of axes whose tiles stay in the cache.

use std::ops::Range;

/// Amplitudes in a tile: 128 KiB of real and imaginary parts, well inside a 1 MiB L2 cache. Measured with `benches/layer.rs`.
const TILE: usize = 1 << 13;
/// Least contiguous amplitudes of a strided tile: two cache lines of either array.
const MIN_RUN: usize = 16;
/// Most contiguous amplitudes of a strided tile. Longer runs gain nothing.
const MAX_RUN: usize = 64;
/// Most combined levels of a strided tile, so that with the least run it is twice a contiguous one.
const STRIDED_SPAN: usize = 1 << 10;
/// Rows of this many numbers and more are padded.
const LONG_ROW: usize = 64;
/// Least combined levels of the leading axes: columns of this many amplitudes are the rows of a transposed tile.
const LEADING_SPAN: usize = 16;

/// Neighbouring axes that are mixed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// The axes.
    pub(crate) axes: Range<usize>,
    /// Product of the levels of all axes below.
    pub(crate) inner: usize,
    /// Product of the levels of these axes.
    pub(crate) span: usize,
}

/// All axes of a register, in three kinds of groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The first axes of a contiguous tile. Their strides are too short for vectors, so the tile is transposed for them.
    pub(crate) leading: Group,
    /// The other axes of a contiguous tile, perhaps none.
    pub(crate) trailing: Group,
    /// The axes above, each group with strided tiles.
    pub(crate) high: Vec<Group>,
}

impl Layout {
    pub(crate) fn new(levels: &[usize]) -> Self {
        let leading = Group::take(levels, 0, 1, |span, next| {
            span < LEADING_SPAN || span * next <= LEADING_SPAN
        });
        let room = TILE / leading.span;
        let trailing = Group::take(levels, leading.axes.end, leading.span, |span, next| {
            next <= room / span
        });
        let mut high: Vec<Group> = Vec::new();
        let (mut axis, mut inner) = (trailing.axes.end, trailing.inner * trailing.span);
        while axis < levels.len() {
            // An axis longer than the limit is a group of its own.
            let group = Group::take(levels, axis, inner, |span, next| {
                span == 1 || next <= STRIDED_SPAN / span
            });
            (axis, inner) = (group.axes.end, group.inner * group.span);
            high.push(group);
        }
        Self {
            leading,
            trailing,
            high,
        }
    }

    /// Amplitudes in a contiguous tile.
    pub(crate) fn tile(&self) -> usize {
        self.leading.span * self.trailing.span
    }

    /// Passes over memory for one layer.
    pub(crate) fn passes(&self) -> usize {
        1 + self.high.len()
    }

    /// Amplitudes of scratch that a thread needs at most.
    pub(crate) fn scratch(&self) -> usize {
        let strided = self
            .high
            .iter()
            .map(|group| group.span.saturating_mul(group.run().next_multiple_of(8)))
            .max()
            .unwrap_or(0);
        strided.max(self.leading.span.saturating_mul(self.pitch()))
    }

    /// Distance between the rows of a transposed tile: a multiple of eight, and for long rows no power of two, whose rows would
    /// all meet in the same lines of the cache.
    pub(crate) fn pitch(&self) -> usize {
        let row = self.trailing.span.next_multiple_of(8);
        if row < LONG_ROW { row } else { row + 8 }
    }
}

impl Group {
    /// The longest run of axes from `axis` on that `fits(span so far, levels of the next axis)`.
    fn take(
        levels: &[usize],
        axis: usize,
        inner: usize,
        fits: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let mut span = 1;
        let mut end = axis;
        while let Some(&next) = levels.get(end).filter(|&&next| fits(span, next)) {
            span *= next;
            end += 1;
        }
        Self {
            axes: axis..end,
            inner,
            span,
        }
    }

    /// Contiguous amplitudes in a row of a strided tile.
    pub(crate) fn run(&self) -> usize {
        (2 * TILE / self.span)
            .clamp(MIN_RUN, MAX_RUN)
            .next_multiple_of(8)
            .min(self.inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_axis_is_in_one_group(levels in prop::collection::vec(2_usize..40, 1..12)) {
            let layout = Layout::new(&levels);
            let groups = [&layout.leading, &layout.trailing].into_iter().chain(&layout.high);
            let (mut axis, mut inner) = (0, 1);
            for group in groups {
                prop_assert_eq!((group.axes.start, group.inner), (axis, inner));
                prop_assert_eq!(group.span, levels[group.axes.clone()].iter().product::<usize>());
                (axis, inner) = (group.axes.end, inner * group.span);
            }
            prop_assert_eq!(axis, levels.len());
        }
    }

    #[test]
    fn an_axis_longer_than_a_tile_is_a_group_of_its_own() {
        let layout = Layout::new(&[2, 3, 40_000, 5]);
        assert_eq!(layout.leading.axes, 0..3);
        assert_eq!(layout.high.len(), 1);
        let layout = Layout::new(&[4, 4, 3, 40_000, 5]);
        assert_eq!(layout.trailing.axes, 2..3);
        assert_eq!(
            layout
                .high
                .iter()
                .map(|group| group.axes.clone())
                .collect::<Vec<_>>(),
            [3..4, 4..5]
        );
    }
}
