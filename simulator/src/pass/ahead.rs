//! Memory that is asked for before it is needed.

use crate::amplitudes::Amplitudes;
use crate::diagonal::Position;
use crate::kernels::{Number, prefetch};
use crate::layout::Group;

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

    /// Asks for what stands where a block does, in so many parts: one whenever it is called.
    pub(super) fn fetch(
        ahead: Option<Self>,
        group: &Group,
        block: usize,
        parts: usize,
    ) -> impl FnMut() {
        let (mut row, mut line, mut left, mut part) = (0, 0, 0, 0);
        if let Some(ahead) = ahead {
            row = block * group.block_rows * ahead.stride;
            left = group.block_rows * ahead.width.div_ceil(LINE);
            part = left.div_ceil(parts.max(1));
        }
        move || {
            let Some(ahead) = ahead else { return };
            let now = part.min(left);
            left -= now;
            for _ in 0..now {
                for first in ahead.rows[..ahead.states].as_flattened() {
                    prefetch(first + row + line);
                }
                line += LINE;
                if line >= ahead.width {
                    (row, line) = (row + ahead.stride, 0);
                }
            }
        }
    }
}
