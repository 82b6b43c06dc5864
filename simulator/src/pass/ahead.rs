//! Memory that is asked for before it is needed.

use crate::amplitudes::Amplitudes;
use crate::diagonal::Position;
use crate::kernels::{Number, prefetch};
use crate::layout::Group;

/// Most parts in which a step is carried out where lines are asked for in between.
const PARTS: usize = 16;
/// Bytes of a cache line.
const LINE: usize = 64;

/// The tile that a thread will probably take next: its lines are asked for while the present one is worked on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead {
    /// Addresses of its first row in both arrays of ψ, and of λ where there is one.
    rows: [[usize; 2]; 2],
    states: usize,
    /// Bytes of a row, and of what of its first line may lie before it.
    width: usize,
    /// Bytes between rows.
    stride: usize,
}

impl Ahead {
    pub(super) fn new<T: Number>(
        group: &Group,
        states: &[&Amplitudes<T>],
        next: Option<Position>,
    ) -> Option<Self> {
        let (next, first) = (next?, states.first()?);
        let mut rows = [[0; 2]; 2];
        for (rows, state) in rows.iter_mut().zip(states) {
            *rows = state.addresses(next.first);
        }
        let stride = first.stride(group) * size_of::<T>();
        let mut width = next.columns * size_of::<T>();
        if !stride.is_multiple_of(LINE) || !width.is_multiple_of(LINE) {
            // Such rows begin anywhere in a line.
            width += LINE - size_of::<T>();
        }
        Some(Self {
            rows,
            states: states.len(),
            width,
            stride,
        })
    }
}

/// Asks for what stands where a block does in the next tile, a little at a time: more at once than the core can wait for would stop it.
#[derive(Debug)]
pub(super) struct Fetch {
    ahead: Option<Ahead>,
    /// Bytes from the first row to the next line's, and in that row to the line.
    row: usize,
    line: usize,
    /// Lines that are left, and those that are asked for at a time.
    left: usize,
    part: usize,
}

impl Fetch {
    /// In as many parts as `parts` says, given the most parts of a step.
    pub(super) fn new(
        ahead: Option<Ahead>,
        group: &Group,
        block: usize,
        parts: impl Fn(usize) -> usize,
    ) -> Self {
        let mut fetch = Self {
            ahead,
            row: 0,
            line: 0,
            left: 0,
            part: 0,
        };
        if let Some(ahead) = ahead {
            fetch.row = block * group.block_rows * ahead.stride;
            fetch.left = group.block_rows * ahead.width.div_ceil(LINE);
            fetch.part = fetch.left.div_ceil(parts(fetch.most_parts()).max(1));
        }
        fetch
    }

    /// In how many parts a step should be carried out at most: in one where nothing is asked for in between.
    pub(super) fn most_parts(&self) -> usize {
        if self.ahead.is_some() { PARTS } else { 1 }
    }

    /// Asks for the next part.
    pub(super) fn next(&mut self) {
        let Some(ahead) = self.ahead else { return };
        let now = self.part.min(self.left);
        self.left -= now;
        for _ in 0..now {
            for first in ahead.rows[..ahead.states].as_flattened() {
                prefetch(first + self.row + self.line);
            }
            self.line += LINE;
            if self.line >= ahead.width {
                (self.row, self.line) = (self.row + ahead.stride, 0);
            }
        }
    }
}
