//! Adjoint gradients: all 2p derivatives for the price of a few runs.
//!
//! For a diagonal D and `E = ⟨ψ|D|ψ⟩` let `|λ⟩ = D|ψ⟩`. Undoing the layers on both states, `∂E/∂β_l = 2 Im⟨λ|B|ψ⟩` when both stand after layer
//! l, and `∂E/∂γ_l = 2 Im⟨λ|C|ψ⟩` once its mixer is undone (after Jones and Gacon, arXiv 2009.02823). A constant added to D adds a multiple
//! of ψ to λ, which changes neither; it is chosen so that λ is small.

use crate::amplitudes::Amplitudes;
use crate::kernels::Weight;
use crate::limits::units;
use crate::parallel;
use crate::{Angles, Ansatz, Error, Limits, Objective, State};

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

impl Ansatz<'_> {
    /// The objective at the given angles.
    ///
    /// # Errors
    /// As [`Ansatz::evolve`], and a share α outside (0, 1].
    pub fn evaluate(
        &self,
        objective: Objective,
        angles: &Angles,
        limits: &Limits,
    ) -> Result<f64, Error> {
        objective.check()?;
        self.evolve(angles, limits)?.objective(objective)
    }

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
        self.check(angles)?;
        self.cost
            .register()
            .allow(self.estimate(angles.depth()).gradient_bytes)?;
        let state = State::new(self.cost, self.run(angles, limits)?, self.isa);
        let value = state.objective(objective)?;
        let weight = match objective {
            Objective::Expectation => Weight {
                ceiling: f64::INFINITY,
                center: value,
                scale: 1.0,
            },
            Objective::CVaR(alpha) => {
                let quantile = state.quantile(alpha)?;
                Weight {
                    ceiling: quantile,
                    center: quantile,
                    scale: 1.0 / alpha,
                }
            }
        };
        self.sweep_back(state.into_amplitudes(), weight, value, angles, limits)
    }

    /// Work units of one gradient of `depth` layers.
    pub fn gradient_work(&self, depth: usize) -> u64 {
        let dimension = self.cost.register().dimension();
        self.work(depth)
            .saturating_add(units(dimension, 1 + 2 * depth * self.layout.passes()))
    }

    fn sweep_back(
        &self,
        mut psi: Amplitudes,
        weight: Weight,
        value: f64,
        angles: &Angles,
        limits: &Limits,
    ) -> Result<Gradient, Error> {
        let dimension = psi.dimension();
        limits.spend(units(dimension, 1))?;
        let mut lambda = self.weighted(&psi, weight);
        let depth = angles.depth();
        let mut gradient = Gradient {
            value,
            gamma: vec![0.0; depth],
            beta: vec![0.0; depth],
        };
        for layer in (0..depth).rev() {
            limits.spend(units(dimension, 2 * self.layout.passes()))?;
            let inverse = self.layer(-angles.gamma[layer], -angles.beta[layer]);
            let overlaps = self.sweep().backward(&mut psi, &mut lambda, &inverse);
            gradient.gamma[layer] = 2.0 * overlaps.cost;
            gradient.beta[layer] = 2.0 * overlaps.mixer;
        }
        Ok(gradient)
    }

    /// λ = Dψ.
    fn weighted(&self, psi: &Amplitudes, weight: Weight) -> Amplitudes {
        let mut lambda = Amplitudes::zeros(psi.dimension());
        let length = parallel::CHUNK;
        let parts = lambda
            .tiles(length)
            .zip(psi.chunks(length))
            .zip(self.cost.values().chunks(length))
            .collect();
        parallel::map(
            psi.dimension(),
            parts,
            || (),
            |(), (((re, im), psi), cost)| self.isa.weigh(psi, re, im, cost, weight),
        );
        lambda
    }
}
