//! The 2p parameters of a circuit.

use crate::Error;

/// Phase and mixer angles in radians, one of each a layer, layer 1 first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Angles {
    /// γ_l: the cost's phase is `e^{-iγ_l C}`.
    pub gamma: Vec<f64>,
    /// β_l: the mixer is `e^{-iβ_l B}`.
    pub beta: Vec<f64>,
}

impl Angles {
    /// Angles of a circuit of any depth, zero included.
    ///
    /// # Errors
    /// Lists of different lengths, or an angle that is not finite.
    pub fn new(gamma: &[f64], beta: &[f64]) -> Result<Self, Error> {
        let angles = Self {
            gamma: gamma.to_vec(),
            beta: beta.to_vec(),
        };
        angles.check()?;
        Ok(angles)
    }

    /// Number of layers.
    pub fn depth(&self) -> usize {
        self.gamma.len()
    }

    /// Refuses lists of different lengths and angles that are not finite.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.gamma.len() != self.beta.len() {
            return Err(Error::AnglesLength {
                gamma: self.gamma.len(),
                beta: self.beta.len(),
            });
        }
        for (angle, values) in [("gamma", &self.gamma), ("beta", &self.beta)] {
            if let Some((layer, &value)) = values
                .iter()
                .enumerate()
                .find(|(_, value)| !value.is_finite())
            {
                return Err(Error::AngleNotFinite {
                    angle,
                    layer,
                    value,
                });
            }
        }
        Ok(())
    }
}
