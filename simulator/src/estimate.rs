//! What a run takes, said before it starts.

use crate::Register;
use crate::kernels::Number;
use crate::layout::{Group, Layout};
use crate::parallel;

/// Seconds that one amplitude takes for one axis of a layer on one thread: `benches/layer.rs` takes 80 to 95 ms a layer of 24 qubits
/// on one core with AVX-512, which is 5.3 ns an amplitude. Half of that again for slower cores.
const SECONDS_PER_AMPLITUDE_AND_AXIS: f64 = 0.3e-9;

/// Bytes that a tile takes in the list of a pass' work, with its factor of the start state and its sums.
const BYTES_PER_TILE: u64 = 512;

/// Bytes of memory and rough seconds on one thread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The cost's table, one state and scratch.
    pub bytes: u64,
    /// Seconds of one run.
    pub seconds: f64,
    /// The cost's table, two states and scratch, for the gradient.
    pub gradient_bytes: u64,
    /// Seconds of the value with its gradient.
    pub gradient_seconds: f64,
}

/// What a circuit of `depth` layers on the register takes in double precision, with a table of costs and the complete mixer;
/// `Ansatz::estimate` knows the others.
pub fn estimate(register: &Register, depth: usize) -> Estimate {
    let table = (register.dimension() as u64).saturating_mul(size_of::<f64>() as u64);
    Estimate::new::<f64>(
        (register.dimension(), register.levels().len()),
        (
            &Layout::new::<f64>(register.levels(), |_| true, false, 1),
            1,
        ),
        depth,
        0,
        table,
    )
}

impl Estimate {
    pub(crate) fn new<T: Number>(
        (amplitudes, axes): (usize, usize),
        (layout, tiles): (&Layout, u64),
        depth: usize,
        mixer_bytes: u64,
        cost_bytes: u64,
    ) -> Self {
        let amplitude = 2 * size_of::<T>() as u64;
        let amplitudes = amplitudes as u64;
        let state = amplitudes.saturating_mul(amplitude);
        // Of every thread: the tiles that it works on together, a block and its transposed copy, with two costs, two steps and four factors
        // an amplitude of a block.
        let block = (layout.block::<T>() as u64).saturating_mul(amplitude + 52);
        let tile = (layout.tile() as u64).saturating_mul(amplitude * tiles);
        let threads = parallel::threads();
        // On one group a pass has the mixers of all layers, elsewhere of two.
        let mixers = if layout.groups.len() == 1 {
            depth.max(2) as u64
        } else {
            2
        };
        let mixer_bytes = mixer_bytes.saturating_mul(mixers);
        let tiles_of = |group: &Group| amplitudes / group.amplitudes() as u64;
        let most = layout.groups.iter().map(tiles_of).max();
        let work = most.unwrap_or(0).saturating_mul(BYTES_PER_TILE);
        let scratch = tile
            .saturating_add(block)
            .saturating_mul(threads)
            .saturating_add(mixer_bytes);
        let bytes = cost_bytes
            .saturating_add(state)
            .saturating_add(scratch)
            .saturating_add(work);
        // The phase counts as two axes.
        let axes = (axes + 2) as f64;
        let seconds = amplitudes as f64 * axes * depth as f64 * SECONDS_PER_AMPLITUDE_AND_AXIS;
        Self {
            bytes,
            seconds,
            gradient_bytes: bytes.saturating_add(state).saturating_add(scratch),
            // Back on two states, with the overlaps.
            gradient_seconds: 4.0 * seconds,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn twenty_four_qubits_take_three_arrays_and_a_little() {
        let estimate = estimate(&Register::qubits(24).unwrap(), 10);
        let arrays = 3 * 8 * (1_u64 << 24);
        assert!(estimate.bytes > arrays && estimate.bytes < arrays + arrays / 50);
        assert!(estimate.gradient_bytes > estimate.bytes + 2 * 8 * (1 << 24));
        assert!(estimate.seconds > 0.1 && estimate.seconds < 100.0);
    }

    #[test]
    fn what_no_machine_holds_is_still_estimated() {
        let estimate = estimate(&Register::new(&[usize::MAX]).unwrap(), usize::MAX);
        assert_eq!(estimate.bytes, u64::MAX);
    }
}
