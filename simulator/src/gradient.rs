//! Adjoint gradients: all 2p derivatives for the price of a few runs.
//!
//! For a diagonal D and `E = ⟨ψ|D|ψ⟩` let `|λ⟩ = D|ψ⟩`. Undoing the layers on both states, `∂E/∂β_l = 2 Im⟨λ|B|ψ⟩` when both stand after layer
//! l, and `∂E/∂γ_l = 2 Im⟨λ|C|ψ⟩` once its mixer is undone (after Jones and Gacon, arXiv 2009.02823). A constant added to D adds a multiple
//! of ψ to λ, which changes neither; it is chosen so that λ is small.

use crate::amplitudes::Amplitudes;
use crate::ansatz::layers;
use crate::kernels::{Number, Weight};
use crate::pass::backward;
use crate::{Angles, Ansatz, Error, Limits, Objective};

/// An objective's value and its derivatives.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient {
    /// The objective.
    pub value: f64,
    /// Its derivatives by γ_l, layer 1 first.
    pub gamma: Vec<f64>,
    /// Its derivatives by β_l, layer 1 first.
    pub beta: Vec<f64>,
}

impl<T: Number> Ansatz<'_, T> {
    /// The objective at the given angles and its derivatives by all of them. CVaR is differentiated with its quantile fixed, which is
    /// its derivative wherever it has one.
    ///
    /// # Errors
    /// As [`Ansatz::evaluate`].
    pub fn gradient(
        &self,
        objective: Objective,
        angles: &Angles,
        limits: &Limits,
    ) -> Result<Gradient, Error> {
        objective.check()?;
        self.admit(angles, self.estimate(angles.depth()).gradient_bytes)?;
        let (psi, value, weight, share) = match objective {
            Objective::Expectation => {
                let (psi, value) = self.expectation(angles, limits, true)?;
                let (ceiling, center) = (f64::INFINITY, value);
                (psi, value, Weight { ceiling, center }, 1.0)
            }
            Objective::CVaR(alpha) => {
                let state = self.evolve(angles, limits)?;
                let (value, quantile) = (state.objective(objective)?, state.quantile(alpha)?);
                let (ceiling, center) = (quantile, quantile);
                let psi = state.into_amplitudes();
                (psi, value, Weight { ceiling, center }, alpha)
            }
        };
        let mut gradient = self.sweep_back(psi, weight, value, angles, limits)?;
        // At the end: 1/α overflows where α is tiny, and λ is zero there.
        let slopes = gradient.gamma.iter_mut().chain(&mut gradient.beta);
        slopes.for_each(|slope| *slope /= share);
        Ok(gradient)
    }

    /// Work units of one gradient of `depth` layers.
    pub fn gradient_work(&self, depth: usize) -> u64 {
        // Back on two states.
        self.work(depth).saturating_mul(3)
    }

    fn sweep_back(
        &self,
        mut psi: Amplitudes<T>,
        weight: Weight,
        value: f64,
        angles: &Angles,
        limits: &Limits,
    ) -> Result<Gradient, Error> {
        let depth = angles.depth();
        let inverse: Vec<(f64, f64)> = layers(angles)
            .into_iter()
            .rev()
            .map(|(gamma, beta)| (-gamma, -beta))
            .collect();
        let circuit = self.circuit(inverse);
        let plans = backward(self.groups(), depth);
        let mut lambda = self.memory();
        let mut gradient = Gradient {
            value,
            gamma: vec![0.0; depth],
            beta: vec![0.0; depth],
        };
        for (at, plan) in plans.iter().enumerate() {
            // On two states.
            self.spend(limits, depth)?;
            self.spend(limits, depth)?;
            let weight = (at == 0).then_some(weight);
            let overlaps = circuit.run_back(plan, weight, &mut psi, &mut lambda);
            for (layer, overlaps) in overlaps.into_iter().rev().enumerate() {
                gradient.gamma[layer] += 2.0 * self.copies() * overlaps.cost;
                gradient.beta[layer] += 2.0 * self.copies() * overlaps.mixer;
            }
        }
        self.leave(psi);
        self.leave(lambda);
        Ok(gradient)
    }
}
