//! Memory that is asked for before it is needed.

use crate::amplitudes::Amplitudes;
use crate::diagonal::Position;
use crate::kernels::{Number, prefetch};
use crate::layout::Group;

/// Parts in which the next tile's lines are asked for while a block is worked on: more at once than the core can wait for would
/// stop it.
const PARTS: usize = 4;
/// Bytes of a cache line.
const LINE: usize = 64;

/// The tile that a thread will probably take next: its lines are asked for while the present one is worked on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ahead {
    /// Addresses of its first row in both arrays of ψ, and of λ where there is one.
    rows: [[usize; 2]; 2],
    states: usize,
    /// Bytes of a row.
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
        let width = next.columns * size_of::<T>();
        let stride = first.stride(group) * size_of::<T>();
        Some(Self {
            rows,
            states: states.len(),
            width,
            stride,
        })
    }

    /// Asks for one of four parts of what stands where a block does.
    pub(super) fn fetch(ahead: Option<Self>, group: &Group, block: usize, part: usize) {
        let Some(ahead) = ahead else { return };
        let rows = block * group.block_rows..(block + 1) * group.block_rows;
        let lines = ahead.width.div_ceil(LINE);
        let all = rows.len() * lines;
        for line in all * part / PARTS..all * (part + 1) / PARTS {
            let (row, line) = (rows.start + line / lines, line % lines);
            for first in ahead.rows[..ahead.states].as_flattened() {
                prefetch(first + row * ahead.stride + line * LINE);
            }
        }
    }
}
