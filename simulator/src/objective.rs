//! What a search makes small.

use crate::Error;

/// A function of the state that is to be minimised.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Objective {
    /// ⟨C⟩.
    #[default]
    Expectation,
    /// The conditional value at risk CVaR_α: the mean cost of the best share α ∈ (0, 1] of the samples. α = 1 is the
    /// expectation. After Barkoutsos et al., arXiv 1907.04769.
    CVaR(f64),
}

impl Objective {
    /// Refuses a share outside (0, 1].
    pub(crate) fn check(self) -> Result<(), Error> {
        match self {
            Self::CVaR(alpha) if !(alpha > 0.0 && alpha <= 1.0) => Err(Error::Alpha { alpha }),
            _ => Ok(()),
        }
    }
}
