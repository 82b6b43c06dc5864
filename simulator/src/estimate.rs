//! What a run takes, said before it starts.

use crate::Register;
use crate::layout::Layout;

/// Seconds that one amplitude takes for one axis of a layer on one thread: `benches/layer.rs` takes 13 ms a layer of 22 qubits on
/// two cores with AVX-512, which is 6 ns an amplitude of one core. Half of that again for slower cores.
const SECONDS_PER_AMPLITUDE_AND_AXIS: f64 = 0.4e-9;

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

/// What a circuit of `depth` layers on the register takes with the complete mixer; `Ansatz::estimate` knows the others.
pub fn estimate(register: &Register, depth: usize) -> Estimate {
    Estimate::new(register, &Layout::new(register.levels()), depth, 0)
}

impl Estimate {
    pub(crate) fn new(
        register: &Register,
        layout: &Layout,
        depth: usize,
        mixer_bytes: u64,
    ) -> Self {
        let number = size_of::<f64>() as u64;
        let amplitudes = register.dimension() as u64;
        let table = amplitudes.saturating_mul(number);
        let state = table.saturating_mul(2);
        let scratch = (layout.scratch() as u64)
            .saturating_mul(2 * number)
            .saturating_add(mixer_bytes);
        let bytes = table.saturating_add(state).saturating_add(scratch);
        // The phase counts as two axes.
        let axes = (register.levels().len() + 2) as f64;
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
