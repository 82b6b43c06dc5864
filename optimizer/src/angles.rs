//! Where a search for angles starts.
//!
//! Good angles hardly depend on the instance once the cost has a standard size: those of one family of costs, published for
//! infinite size, are near the optimum of any similar cost (Basso et al., arXiv 2110.14206; Shaydulin et al., arXiv 2305.15201). The size
//! is measured by the standard deviation σ of the cost over all basis states. With n axes
//!
//! - the Sherrington–Kirkpatrick cost `Σ_{i<j} J_ij z_i z_j/√n` has σ² = (n − 1)/2, so a cost with standard deviation σ takes
//!   γ = γ_table · √((n − 1)/2)/σ;
//! - the cut of a 3-regular graph, 3n/2 edges of variance ¼ each, has σ² = 3n/8, so γ = γ_table · √(3n/8)/σ;
//! - the energy of low-autocorrelation sequences has a term 4 s_a s_b s_c s_d for each of the Q quadruples a < b < c < d with a + d = b + c, and a term 2 s_a s_c for each of
//!   the P pairs at even distance, so σ² = 16 Q + 4 P, and γ = γ_table/n · √(16 Q + 4 P)/σ, for the table has γ·n.
//!
//! All are maximised; a cost that is minimised takes −γ. β stays as it is.

mod tables;

use ketscale_simulator::{Angles, Cost};

/// A family of published angles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Sherrington–Kirkpatrick: dense costs, every variable in many terms.
    SherringtonKirkpatrick,
    /// MaxCut on 3-regular graphs: sparse costs.
    CubicMaxCut,
    /// Low-autocorrelation binary sequences: dense costs of degree four.
    Labs,
}

/// Angles found for another cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Earlier {
    /// The angles, of any depth.
    pub angles: Angles,
    /// Standard deviation of the cost that they were found for; none where they are for this very cost.
    pub deviation: Option<f64>,
}

impl Earlier {
    /// The angles for a cost at a depth: γ goes with 1/σ, other depths are interpolated or cut off.
    pub fn fitted(&self, cost: &Cost, depth: usize) -> Angles {
        let scale = self
            .deviation
            .map_or(1.0, |deviation| deviation / deviation_of(cost));
        let gamma = self.angles.gamma.iter().map(|gamma| gamma * scale);
        let angles = Angles {
            gamma: gamma.collect(),
            beta: self.angles.beta.clone(),
        };
        at_depth(&angles, depth)
    }
}

/// The family's angles at any depth for a cost, with the scale of γ derived above times `factor`. Depths beyond the table are
/// interpolated.
pub fn published(family: Family, cost: &Cost, depth: usize, factor: f64) -> Angles {
    let axes = cost.register().levels().len() as f64;
    let (table, deviation) = match family {
        // One spin has no pair; its field is taken as if it had one partner.
        Family::SherringtonKirkpatrick => (
            &tables::SHERRINGTON_KIRKPATRICK,
            ((axes - 1.0).max(1.0) / 2.0).sqrt(),
        ),
        Family::CubicMaxCut => (&tables::CUBIC_MAXCUT, (3.0 * axes / 8.0).sqrt()),
        Family::Labs => {
            // Two spins have the same energy whatever they are; the table begins with three.
            let n = cost.register().levels().len().max(3);
            (&tables::LABS, labs_variance(n).sqrt() / n as f64)
        }
    };
    let deepest = depth.clamp(1, table.len());
    let Some((gamma, beta)) = table.get(deepest - 1) else {
        return Angles::default();
    };
    let scale = -factor * deviation / deviation_of(cost);
    let angles = Angles {
        gamma: gamma.iter().map(|gamma| gamma * scale).collect(),
        beta: beta.to_vec(),
    };
    at_depth(&angles, depth)
}

/// Variance of the energy of low-autocorrelation sequences of n ≥ 3 spins.
fn labs_variance(n: usize) -> f64 {
    // Pairs x < y with the same sum; any two of them are a quadruple.
    let of_sum = |sum: usize| ((sum - 1) / 2 + 1).saturating_sub((sum + 1).saturating_sub(n));
    let quadruples: f64 = (1..2 * n - 2)
        .map(|sum| of_sum(sum) as f64)
        .map(|pairs| pairs * (pairs - 1.0) / 2.0)
        .sum();
    let pairs = ((n - 1) * (n - 1) / 4) as f64;
    16.0 * quadruples + 4.0 * pairs
}

/// A linear ramp: γ grows from zero while β falls to zero, as in a short anneal. `gamma` and `beta` are the ends.
pub fn ramp(gamma: f64, beta: f64, depth: usize) -> Angles {
    let middle = |layer: usize| (layer as f64 + 0.5) / depth as f64;
    Angles {
        gamma: (0..depth).map(|layer| gamma * middle(layer)).collect(),
        beta: (0..depth)
            .map(|layer| beta * (1.0 - middle(layer)))
            .collect(),
    }
}

/// A linear ramp with the ends of the Sherrington–Kirkpatrick table at its greatest depth, scaled as that is, γ times `factor`.
pub fn fitted_ramp(cost: &Cost, depth: usize, factor: f64) -> Angles {
    let deepest = published(
        Family::SherringtonKirkpatrick,
        cost,
        tables::SHERRINGTON_KIRKPATRICK.len(),
        factor,
    );
    let end = |angle: Option<&f64>| angle.copied().unwrap_or(0.0);
    ramp(end(deepest.gamma.last()), end(deepest.beta.first()), depth)
}

/// The same schedule with one layer more: `θ'_i = (i−1)/p θ_{i−1} + (p−i+1)/p θ_i`, Zhou et al., arXiv 1812.01041, appendix B.
pub fn deepen(angles: &Angles) -> Angles {
    Angles {
        gamma: stretch(&angles.gamma),
        beta: stretch(&angles.beta),
    }
}

fn stretch(angles: &[f64]) -> Vec<f64> {
    let p = angles.len();
    let at = |i: usize| angles.get(i).copied().unwrap_or(0.0);
    let new =
        |i: usize| (i as f64 * at(i.wrapping_sub(1)) + (p - i) as f64 * at(i)) / p.max(1) as f64;
    (0..=p).map(new).collect()
}

/// The schedule deepened to the given depth, or cut off there.
pub fn at_depth(angles: &Angles, depth: usize) -> Angles {
    let mut angles = angles.clone();
    while angles.depth() < depth {
        angles = deepen(&angles);
    }
    angles.gamma.truncate(depth);
    angles.beta.truncate(depth);
    angles
}

/// The cost's standard deviation, or one for a constant cost, whose angles do not matter.
pub(crate) fn deviation_of(cost: &Cost) -> f64 {
    let deviation = cost.standard_deviation();
    if deviation > 0.0 && deviation.is_finite() {
        deviation
    } else {
        1.0
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use ketscale_simulator::{Register, Term};

    fn pairs(n: usize, edges: impl Iterator<Item = (usize, usize)>, coefficient: f64) -> Cost {
        let term = |(i, j)| Term {
            variables: vec![i, j],
            coefficient,
        };
        Cost::from_terms(
            &Register::qubits(n).unwrap(),
            &edges.map(term).collect::<Vec<_>>(),
            0.0,
        )
        .unwrap()
    }

    #[test]
    fn a_cubic_graph_takes_its_table_as_it_stands() {
        // The complete bipartite graph on 3 + 3 vertices is cubic; −cut has a term ½zz an edge.
        let cost = pairs(6, (0..3).flat_map(|i| (3..6).map(move |j| (i, j))), 0.5);
        let angles = published(Family::CubicMaxCut, &cost, 2, 1.0);
        for (found, expected) in angles.gamma.iter().zip([-0.4878, -0.8978]) {
            assert!((found - expected).abs() < 1e-12);
        }
        assert_eq!(angles.beta, [0.5549, 0.2924]);
    }

    #[test]
    fn a_dense_cost_is_scaled_by_its_couplings() {
        // Couplings of size J/√n are the model itself with γ divided by J.
        let (n, coupling) = (8, 3.0_f64);
        let cost = pairs(
            n,
            (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))),
            coupling / (n as f64).sqrt(),
        );
        let angles = published(Family::SherringtonKirkpatrick, &cost, 1, 1.0);
        assert!((angles.gamma[0] + 0.5 / coupling).abs() < 1e-12);
    }

    #[test]
    fn the_variance_of_sequences_is_that_of_their_model() {
        for n in 3..12 {
            let cost = crate::Model::labs(n).unwrap().cost(1 << 30).unwrap();
            let deviation = cost.standard_deviation();
            assert!((labs_variance(n).sqrt() - deviation).abs() < 1e-9 * deviation);
            // So that sequences take their table as it stands, γ·n over n, the sign turned for minimising.
            let angles = published(Family::Labs, &cost, 1, 1.0);
            assert!((angles.gamma[0] * n as f64 + 0.4796).abs() < 1e-9);
            assert_eq!(angles.beta, [0.2412]);
        }
    }

    #[test]
    fn earlier_angles_fit_a_cost_of_another_size() {
        let edges = || (0..3).flat_map(|i| (3..6).map(move |j| (i, j)));
        let (cost, larger) = (pairs(6, edges(), 0.5), pairs(6, edges(), 3.5));
        let earlier = Earlier {
            angles: published(Family::CubicMaxCut, &cost, 2, 1.0),
            deviation: Some(cost.standard_deviation()),
        };
        let fitted = earlier.fitted(&larger, 2);
        let expected = published(Family::CubicMaxCut, &larger, 2, 1.0);
        for (found, expected) in fitted.gamma.iter().zip(&expected.gamma) {
            assert!((found - expected).abs() < 1e-12);
        }
        assert_eq!(fitted.beta, expected.beta);
        assert_eq!(earlier.fitted(&larger, 5).depth(), 5);
        let same = Earlier {
            deviation: None,
            ..earlier
        };
        assert_eq!(same.fitted(&larger, 2), same.angles);
    }

    #[test]
    fn every_depth_has_angles() {
        let cost = pairs(3, [(0, 1)].into_iter(), 1.0);
        for depth in 1..30 {
            for family in [
                Family::SherringtonKirkpatrick,
                Family::CubicMaxCut,
                Family::Labs,
            ] {
                let angles = published(family, &cost, depth, 1.0);
                assert_eq!((angles.gamma.len(), angles.beta.len()), (depth, depth));
                assert!(
                    angles.gamma.iter().all(|gamma| *gamma < 0.0)
                        && angles.beta.iter().all(|beta| *beta > 0.0)
                );
            }
        }
    }

    #[test]
    fn deepening_keeps_ends_and_lines() {
        let line = Angles {
            gamma: vec![1.0, 2.0, 3.0],
            beta: vec![3.0, 2.0, 1.0],
        };
        let deeper = deepen(&line);
        for (found, expected) in deeper.gamma.iter().zip([1.0, 5.0 / 3.0, 7.0 / 3.0, 3.0]) {
            assert!((found - expected).abs() < 1e-12);
        }
        assert_eq!(
            (deeper.beta.first(), deeper.beta.last()),
            (Some(&3.0), Some(&1.0))
        );
        assert_eq!(at_depth(&line, 2).gamma, [1.0, 2.0]);
        assert_eq!(at_depth(&Angles::default(), 2).gamma, [0.0, 0.0]);
    }

    #[test]
    fn a_ramp_rises_and_falls() {
        assert_eq!(
            ramp(4.0, 2.0, 2),
            Angles {
                gamma: vec![1.0, 3.0],
                beta: vec![1.5, 0.5]
            }
        );
        assert_eq!(ramp(1.0, 1.0, 0), Angles::default());
        let cost = pairs(3, [(0, 1)].into_iter(), 2.0);
        let fitted = fitted_ramp(&cost, 4, 1.0);
        assert!((fitted.gamma[3] + 0.6423 / 2.0 * 7.0 / 8.0).abs() < 1e-12);
        assert!((fitted.beta[0] - 0.6307 * 7.0 / 8.0).abs() < 1e-12);
    }
}
