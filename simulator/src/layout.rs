//! How a register is cut into groups of axes whose tiles stay in the cache.
//!
//! A tile is a matrix: its rows are all digits of the group's own axes, its columns a run of contiguous amplitudes. In the low group rows
//! follow each other in memory and the columns are mixed too; in the groups above, rows lie far apart and the columns only make
//! every access a few cache lines long.

use crate::aligned::PAGE;
use crate::kernels::{Number, Rows};
use crate::register::CHUNK;
use std::ops::Range;

/// Bytes of a low tile: a quarter of a 1 MiB L2 cache. Measured with `benches/layer.rs`, as all sizes here.
const LOW_TILE: usize = 1 << 19;
/// Bytes of a high tile, and most of them.
const HIGH_TILE: [usize; 2] = [1 << 18, 1 << 19];
/// Bytes of the blocks that a thread works on together: two thirds of an L1 cache of 48 KiB.
const BLOCK: usize = 1 << 15;
/// Bytes of one array's row that a high tile should have at least, and those that it must have: two cache lines and one.
const ROW: [usize; 2] = [128, 64];
/// Bytes of such a row down to which a high tile takes rows from the low one.
const SHARED_ROW: usize = 256;
/// Bytes of such a row where only one line of each would fit into L2, and most bytes of the tile: of thousands of rows, each on a page of
/// its own, looking up the page takes longer than bringing several lines to a tile that only L3 holds.
const WIDE_ROW: usize = 512;
const WIDE_TILE: usize = 1 << 22;
/// Most columns of a tile, unless an axis alone has more.
const COLUMNS: usize = 64;
/// Columns of a low tile whose axes need no transposing.
const DIRECT_COLUMNS: usize = 32;

/// Neighbouring axes that are mixed together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// The axes of the rows.
    pub(crate) axes: Range<usize>,
    /// Product of their levels.
    pub(crate) rows: usize,
    /// Distance of rows in memory.
    pub(crate) stride: usize,
    /// Contiguous amplitudes of a row.
    pub(crate) columns: usize,
    /// How many of the first axes the columns are, `None` where they are a part of axis 0.
    pub(crate) column_axes: Option<usize>,
    /// Distance of rows in a thread's copy: whole vectors.
    pub(crate) pitch: usize,
    /// The lowest axes of the rows: those of a block, which fits into L1.
    pub(crate) block_axes: Range<usize>,
    /// Product of their levels.
    pub(crate) block_rows: usize,
    /// Distance of blocks in a thread's copy: no power of two, for then the same lines of all blocks would meet in one set of the cache.
    pub(crate) block_pitch: usize,
}

/// All axes of a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The low group, then those with the axes above.
    pub(crate) groups: Vec<Group>,
    /// Whether the low group's columns are mixed as they are. Otherwise they are transposed for it: their axes do not fill vectors.
    pub(crate) direct: bool,
    /// Numbers left free after every low tile.
    pub(crate) gap: usize,
}

impl Layout {
    /// For amplitudes of the precision `T`. `in_lanes` says of an axis whether its mixer works on lane bits; columns are whole axes where
    /// `whole_columns` says that they must be; a thread works on so many `tiles` together.
    pub(crate) fn new<T: Number>(
        levels: &[usize],
        in_lanes: impl Fn(usize) -> bool,
        whole_columns: bool,
        tiles: usize,
    ) -> Self {
        let amplitude = 2 * size_of::<T>() * tiles;
        let direct = direct_columns(levels, in_lanes, T::LANES);
        let (columns, column_axes) = direct.unwrap_or_else(|| whole(levels, COLUMNS, T::LANES));
        let all = levels.iter().fold(1_usize, |all, &d| all.saturating_mul(d));
        let sizes = [
            (LOW_TILE, ROW[0]),
            (LOW_TILE, ROW[1]),
            (2 * LOW_TILE, ROW[1]),
        ];
        let cut = sizes.map(|(tile, row)| {
            let end = take(levels, column_axes, columns, tile / amplitude);
            (end, HIGH_TILE[1] / 2 / row / tiles)
        });
        let fits = |&&(end, most): &&(usize, usize)| all / product(&levels[..end]) <= most;
        let &(longest, most) = cut.iter().find(fits).unwrap_or(&cut[0]);
        let end = shared(levels, column_axes + 1..longest, amplitude, tiles).unwrap_or(longest);
        let low = (columns, Some(column_axes));
        let mut groups = vec![Group::new::<T>(
            levels,
            column_axes..end,
            columns,
            low,
            tiles,
        )];
        let mut axis = end;
        let passes = all
            .div_ceil(product(&levels[..end]))
            .ilog2()
            .div_ceil(most.ilog2())
            .max(1);
        while axis < levels.len() {
            // Groups of about equal size; an axis longer than the limit is one of its own.
            let left = passes.saturating_sub(groups.len() as u32 - 1).max(1);
            let span = product(&levels[axis..]);
            let share = if left == 1 {
                span
            } else {
                2_usize << span.ilog2().div_ceil(left)
            };
            let stop = take(levels, axis, 1, share.min(most)).max(axis + 1);
            let rows = product(&levels[axis..stop]);
            let width = width::<T>(rows, amplitude);
            let stride = product(&levels[..axis]);
            let columns = match whole(levels, width, T::LANES) {
                (columns, _) if !whole_columns && (columns > 2 * width || 2 * columns < width) => {
                    (width.min(stride), None)
                }
                (columns, axes) => (columns, Some(axes)),
            };
            groups.push(Group::new::<T>(levels, axis..stop, stride, columns, tiles));
            axis = stop;
        }
        // As many as a row has, so that the rows of a tile follow each other through the sets of the cache.
        let whole = groups
            .iter()
            .skip(1)
            .all(|group| group.column_axes.is_some());
        let collides = groups[0].amplitudes().is_multiple_of(PAGE / size_of::<T>());
        let gap = if whole && collides {
            groups.get(1).map_or(0, |group| group.pitch)
        } else {
            0
        };
        Self {
            groups,
            direct: direct.is_some(),
            gap,
        }
    }

    /// Amplitudes of a thread's copy of a tile.
    pub(crate) fn tile(&self) -> usize {
        self.groups.iter().map(Group::tile).max().unwrap_or(0)
    }

    /// Amplitudes of a block in any order of its axes.
    pub(crate) fn block<T: Number>(&self) -> usize {
        let block = |group: &Group| {
            group
                .columns
                .saturating_mul(group.turned_pitch::<T>())
                .max(group.block_pitch)
        };
        self.groups.iter().map(block).max().unwrap_or(0)
    }
}

impl Group {
    fn new<T: Number>(
        levels: &[usize],
        axes: Range<usize>,
        stride: usize,
        (columns, column_axes): (usize, Option<usize>),
        tiles: usize,
    ) -> Self {
        // What no machine holds is still estimated.
        let pitch = columns
            .checked_next_multiple_of(T::LANES)
            .unwrap_or(usize::MAX);
        let rows = product(&levels[axes.clone()]);
        let end = take(
            &levels[..axes.end],
            axes.start,
            pitch,
            BLOCK / 2 / size_of::<T>() / tiles,
        );
        let block_axes = axes.start..end;
        let block_rows = product(&levels[block_axes.clone()]);
        let block = block_rows.saturating_mul(pitch);
        // Where a tile is worked on in memory, blocks follow each other.
        let block_pitch = if block_rows == rows || stride == pitch {
            block
        } else {
            block.saturating_add(T::LANES)
        };
        Self {
            axes,
            rows,
            stride,
            columns,
            column_axes,
            pitch,
            block_axes,
            block_rows,
            block_pitch,
        }
    }

    /// Amplitudes of a tile.
    pub(crate) fn amplitudes(&self) -> usize {
        self.rows * self.columns
    }

    pub(crate) fn blocks(&self) -> usize {
        self.rows / self.block_rows
    }

    /// Numbers in a block.
    pub(crate) fn block(&self) -> usize {
        self.block_rows * self.pitch
    }

    /// Numbers in a thread's copy of a tile.
    pub(crate) fn tile(&self) -> usize {
        self.blocks().saturating_mul(self.block_pitch)
    }

    /// Whether the rows of a tile follow each other in memory as they do in a thread's copy.
    pub(crate) fn is_contiguous(&self) -> bool {
        self.stride == self.pitch
    }

    /// Where a block stands in a thread's copy.
    pub(crate) fn block_range(&self, block: usize) -> Range<usize> {
        let first = block * self.block_pitch;
        first..first + self.block()
    }

    /// The tile in memory as a matrix, rows and columns, and where its rows stand in a thread's copy. Where rows follow each other,
    /// those of a block are one.
    pub(crate) fn matrix(&self) -> ((usize, usize), Rows) {
        let (pitch, block_pitch) = (self.pitch, self.block_pitch);
        if self.is_contiguous() {
            (
                (self.blocks(), self.block()),
                Rows {
                    block: 1,
                    pitch: self.block(),
                    block_pitch,
                },
            )
        } else {
            (
                (self.rows, self.columns),
                Rows {
                    block: self.block_rows,
                    pitch,
                    block_pitch,
                },
            )
        }
    }

    /// Distance of rows in a transposed block, whose rows are the columns.
    pub(crate) fn turned_pitch<T: Number>(&self) -> usize {
        self.block_rows.next_multiple_of(T::LANES)
    }
}

/// Where the low group should end, if it can end in a range of axes and others follow: of what two groups can share it takes a block and a
/// chunk of costs, which no gap may cut, and more only where rows above it would become narrow. A high tile of few rows is too small for
/// what it takes to begin with it.
fn shared(levels: &[usize], ends: Range<usize>, amplitude: usize, tiles: usize) -> Option<usize> {
    let most = HIGH_TILE[0] / (2 * SHARED_ROW * tiles);
    let balanced = |&end: &usize| {
        let (low, above) = levels.split_at(end);
        let low = product(low);
        low >= CHUNK && low * amplitude >= BLOCK && take(above, 0, 1, most) == above.len()
    };
    let others_follow = ends.end < levels.len();
    ends.filter(|_| others_follow).find(balanced)
}

/// How wide the rows of a high tile should be, given how many there are and the bytes of an amplitude.
fn width<T>(rows: usize, amplitude: usize) -> usize {
    let fitting = HIGH_TILE[0] / amplitude / rows;
    let [least, good, wide] = [ROW[1], ROW[0], WIDE_ROW].map(|bytes| bytes / size_of::<T>());
    if fitting < good {
        (WIDE_TILE / amplitude / rows).clamp(least, wide)
    } else {
        fitting.min(COLUMNS)
    }
}

fn product(levels: &[usize]) -> usize {
    levels.iter().product()
}

/// The end of the longest run of axes from `axis` on that brings a product from `span` to at most `most`.
fn take(levels: &[usize], axis: usize, mut span: usize, most: usize) -> usize {
    let fits = |&&d: &&usize| {
        let fits = d <= most / span.max(1);
        span = span.saturating_mul(d);
        fits
    };
    axis + levels[axis..].iter().take_while(fits).count()
}

/// The columns whose axes are lane bits, where the first axes fill a vector: powers of two.
fn direct_columns(
    levels: &[usize],
    in_lanes: impl Fn(usize) -> bool,
    lanes: usize,
) -> Option<(usize, usize)> {
    let (mut columns, mut axes) = (1_usize, 0);
    for (axis, &d) in levels.iter().enumerate() {
        let wide = columns >= lanes && columns.saturating_mul(d) > DIRECT_COLUMNS;
        if wide || !d.is_power_of_two() || d > DIRECT_COLUMNS || !in_lanes(axis) {
            break;
        }
        (columns, axes) = (columns * d, axes + 1);
    }
    (columns >= lanes).then_some((columns, axes))
}

/// As many of the first axes as fill vectors best with at most `most` states, at least one.
fn whole(levels: &[usize], most: usize, lanes: usize) -> (usize, usize) {
    let spans = levels.iter().scan(1_usize, |span, &d| {
        *span = span.saturating_mul(d);
        Some(*span)
    });
    let candidates = spans.enumerate().map(|(at, span)| (span, at + 1));
    // What the padding of a row adds, and what its beginning takes: as much as a few columns.
    let waste = |span: usize| (span.div_ceil(lanes) as f64 * lanes as f64 + 8.0) / span as f64;
    candidates
        .take_while(|&(span, axes)| axes == 1 || span <= most)
        .min_by(|a, b| waste(a.0).total_cmp(&waste(b.0)))
        .unwrap_or((1, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut<T: Number>(levels: &[usize], whole_columns: bool) -> Layout {
        Layout::new::<T>(levels, |_| true, whole_columns, 1)
    }

    fn check<T: Number>(levels: &[usize], whole_columns: bool) {
        let layout = cut::<T>(levels, whole_columns);
        let low = &layout.groups[0];
        assert_eq!(
            low.columns,
            levels[..low.axes.start].iter().product::<usize>()
        );
        assert_eq!(low.stride, low.columns);
        let (mut axis, mut below) = (low.axes.start, low.columns);
        for (at, group) in layout.groups.iter().enumerate() {
            assert_eq!(group.axes.start, axis);
            assert_eq!(
                group.rows,
                levels[group.axes.clone()].iter().product::<usize>()
            );
            assert!(at == 0 || group.stride == below);
            assert_eq!(group.rows % group.block_rows, 0);
            assert!(group.pitch >= group.columns && group.pitch % T::LANES == 0);
            assert!(group.columns <= group.stride);
            if let Some(axes) = group.column_axes {
                assert_eq!(group.columns, levels[..axes].iter().product::<usize>());
                assert!(axes <= group.axes.start);
            }
            assert!(!whole_columns || group.column_axes.is_some());
            (axis, below) = (group.axes.end, below * group.rows);
        }
        assert_eq!(axis, levels.len());
    }

    proptest! {
        #[test]
        fn every_axis_is_in_one_group(levels in prop::collection::vec(2_usize..40, 1..12), whole_columns: bool) {
            check::<f64>(&levels, whole_columns);
            check::<f32>(&levels, whole_columns);
        }
    }

    #[test]
    fn registers_of_qubits_take_two_groups_up_to_28() {
        for n in 10..=30 {
            let layout = cut::<f64>(&vec![2; n], true);
            assert_eq!(
                layout.groups.len(),
                if n <= 15 {
                    1
                } else if n <= 28 {
                    2
                } else {
                    3
                },
                "{n} qubits"
            );
            assert!(layout.direct);
        }
    }

    #[test]
    fn two_groups_share_evenly() {
        for (tiles, rows, last) in [(1, 9, 24), (2, 8, 22)] {
            for n in 16..=last {
                let layout = Layout::new::<f64>(&vec![2; n], |_| true, true, tiles);
                let (low, high) = (&layout.groups[0], &layout.groups[1]);
                assert_eq!(low.amplitudes(), CHUNK.max(1 << (n - rows)), "{n} qubits");
                assert!(high.columns * size_of::<f64>() >= SHARED_ROW);
                assert!(layout.gap > 0);
            }
        }
    }

    #[test]
    fn rows_on_many_pages_are_wide() {
        let row = |n: usize| cut::<f64>(&vec![2; n], true).groups[1].columns * size_of::<f64>();
        assert_eq!([24, 25, 26, 27].map(row), [256, 128, WIDE_ROW, WIDE_ROW]);
        let long = &cut::<f64>(&[4, 4, 4, 4, 40_000], true).groups[1];
        assert!(long.amplitudes() * 2 * size_of::<f64>() <= 2 * WIDE_TILE);
    }

    #[test]
    fn an_axis_longer_than_a_tile_is_a_group_of_its_own() {
        let layout = cut::<f64>(&[4, 4, 3, 40_000, 5], false);
        let axes: Vec<_> = layout
            .groups
            .iter()
            .map(|group| group.axes.clone())
            .collect();
        assert_eq!(axes, [2..3, 3..4, 4..5]);
        let layout = cut::<f64>(&[40_000, 3], false);
        assert!(!layout.direct);
        check::<f64>(&[40_000, 3, 5, 7], false);
    }
}
