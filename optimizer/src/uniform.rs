//! Uniform sampling: what any sampler has to beat.

use crate::Samples;
use crate::samples::drawn;
use ketscale_simulator::Cost;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Draws `shots` basis states, each with the same probability. The same seed gives the same draw.
pub fn uniform(cost: &Cost, shots: u64, seed: u64) -> Samples {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let dimension = cost.register().dimension() as u64;
    drawn(
        cost,
        (0..shots).map(|_| (random.random_range(0..dimension) as usize, 1)),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use ketscale_simulator::Register;

    #[test]
    fn every_state_is_drawn_about_equally_often() {
        let cost = Cost::from_fn(&Register::new(&[2, 3]).unwrap(), |x| {
            (x[0] + 2 * x[1]) as f64
        })
        .unwrap();
        let samples = uniform(&cost, 60_000, 7);
        assert_eq!(samples.total(), 60_000);
        assert_eq!(samples.entries().len(), 6);
        // Five standard deviations of a binomial count.
        let tolerance = 5.0 * f64::sqrt(60_000.0 * 5.0 / 36.0);
        assert!(
            samples
                .entries()
                .iter()
                .all(|sample| (sample.count as f64 - 10_000.0).abs() < tolerance)
        );
        assert!((samples.mean_cost().unwrap() - cost.mean()).abs() < 0.05);
    }

    #[test]
    fn the_seed_decides() {
        let cost = Cost::from_fn(&Register::qubits(8).unwrap(), |x| x[0] as f64).unwrap();
        assert_eq!(uniform(&cost, 20, 1), uniform(&cost, 20, 1));
        assert_ne!(uniform(&cost, 20, 1), uniform(&cost, 20, 2));
        assert_eq!(uniform(&cost, 0, 1), Samples::default());
    }
}
