//! Product states that a circuit starts from.

use crate::{Error, Register};

/// Squared amplitudes of an axis may miss one by this much.
const NORM_TOLERANCE: f64 = 1e-9;
/// Amplitudes that differ by less are the same: (d−1)/d, a warm start's greatest share, is no double for most d.
const UNIFORM_TOLERANCE: f64 = 1e-15;

/// A real product state `|w⟩ = ⊗|w_k⟩`, one vector of `d_k` amplitudes an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    axes: Vec<Vec<f64>>,
}

impl Start {
    /// The share of the incumbent's neighbours in a warm start unless the caller says otherwise.
    pub const DEFAULT_EPSILON: f64 = 0.25;

    /// Every basis state with the same amplitude.
    ///
    /// # Errors
    /// More levels than the register's memory limit holds amplitudes of.
    pub fn uniform(register: &Register) -> Result<Self, Error> {
        allow(register)?;
        Ok(Self::of_every_level(register))
    }

    /// The same on a register whose levels are known to fit.
    pub(crate) fn of_every_level(register: &Register) -> Self {
        let axes = register
            .levels()
            .iter()
            .map(|&d| vec![(1.0 / d as f64).sqrt(); d])
            .collect();
        Self { axes }
    }

    /// Amplitude √(1−ε) on the incumbent's level of every axis and √(ε/(d−1)) on the others, after Egger, Mareček and Woerner,
    /// arXiv 2009.10095.
    ///
    /// # Errors
    /// An incumbent that is no basis state of the register, an ε outside (0, (d−1)/d] for an axis, or more levels than the register's
    /// memory limit holds amplitudes of.
    pub fn warm(register: &Register, incumbent: &[usize], epsilon: f64) -> Result<Self, Error> {
        register.index(incumbent)?;
        allow(register)?;
        let mut axes = Vec::with_capacity(incumbent.len());
        for (axis, (&level, &d)) in incumbent.iter().zip(register.levels()).enumerate() {
            let others = (d - 1) as f64;
            let max = others / d as f64;
            if !(epsilon > 0.0 && epsilon <= max) {
                return Err(Error::Epsilon { axis, epsilon, max });
            }
            let mut amplitudes = vec![(epsilon / others).sqrt(); d];
            amplitudes[level] = (1.0 - epsilon).sqrt();
            axes.push(amplitudes);
        }
        Ok(Self { axes })
    }

    /// Any real product state: `amplitudes[k][j]` is the amplitude of level `j` on axis `k`.
    ///
    /// # Errors
    /// A shape other than the register's, or an axis whose squared amplitudes do not add up to one within 1e-9.
    pub fn product(register: &Register, amplitudes: Vec<Vec<f64>>) -> Result<Self, Error> {
        let start = Self { axes: amplitudes };
        start.check(register)?;
        for (axis, amplitudes) in start.axes.iter().enumerate() {
            let norm: f64 = amplitudes.iter().map(|a| a * a).sum();
            if norm.is_nan() || (norm - 1.0).abs() > NORM_TOLERANCE {
                return Err(Error::StartNorm { axis, norm });
            }
        }
        Ok(start)
    }

    /// The amplitudes, one vector an axis.
    pub fn axes(&self) -> &[Vec<f64>] {
        &self.axes
    }

    /// Whether all levels of an axis have the same amplitude, but for rounding.
    pub fn is_uniform(&self, axis: usize) -> bool {
        let same = |w: &Vec<f64>| w.iter().all(|a| (a - w[0]).abs() <= UNIFORM_TOLERANCE);
        self.axes.get(axis).is_some_and(same)
    }

    /// Refuses a start state made for another register.
    pub(crate) fn check(&self, register: &Register) -> Result<(), Error> {
        for axis in 0..self.axes.len().max(register.levels().len()) {
            let expected = register.levels().get(axis).copied().unwrap_or(0);
            let found = self.axes.get(axis).map_or(0, Vec::len);
            if expected != found {
                return Err(Error::StartShape {
                    axis,
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }
}

/// Refuses more amplitudes than the register's memory limit holds: an axis may have as many levels as a word can count.
fn allow(register: &Register) -> Result<(), Error> {
    let bytes = |&d: &usize| (d as u64).saturating_mul(size_of::<f64>() as u64);
    let all = register.levels().iter().map(bytes);
    register.allow(all.fold(0, u64::saturating_add))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_start_with_the_greatest_share_is_uniform() {
        for d in 2..50 {
            let register = Register::new(&[d]).unwrap();
            let warm = Start::warm(&register, &[1], (d - 1) as f64 / d as f64).unwrap();
            assert!(warm.is_uniform(0), "{d} levels");
            assert!(Start::uniform(&register).unwrap().is_uniform(0));
        }
    }

    #[test]
    fn a_warm_start_prefers_the_incumbent() {
        let register = Register::new(&[2, 4]).unwrap();
        let warm = Start::warm(&register, &[1, 2], 0.25).unwrap();
        assert_eq!(warm.axes()[1][2], 0.75_f64.sqrt());
        assert_eq!(warm.axes()[1][0], (0.25_f64 / 3.0).sqrt());
        assert!(!warm.is_uniform(0));
    }

    #[test]
    fn more_levels_than_memory_are_refused() {
        for levels in [&[1 << 40, 2][..], &[usize::MAX]] {
            let register = Register::new(levels).unwrap();
            let refused = |start| assert!(matches!(start, Err(Error::MemoryLimit { .. })));
            refused(Start::uniform(&register));
            refused(Start::warm(&register, &vec![0; levels.len()], 0.25));
        }
        let register = Register::new(&[3, 2]).unwrap();
        assert!(Start::uniform(&register.clone().with_memory_limit(40)).is_ok());
        assert!(Start::uniform(&register.with_memory_limit(39)).is_err());
    }

    #[test]
    fn what_is_no_start_state_is_refused() {
        let register = Register::new(&[2, 3]).unwrap();
        for epsilon in [0.0, -0.1, 0.6, f64::NAN] {
            assert!(matches!(
                Start::warm(&register, &[0, 0], epsilon),
                Err(Error::Epsilon { axis: 0, .. })
            ));
        }
        assert!(matches!(
            Start::warm(&register, &[0, 3], 0.2),
            Err(Error::DigitOutOfRange { axis: 1, .. })
        ));
        assert!(matches!(
            Start::warm(&register, &[0], 0.2),
            Err(Error::DigitsLength { .. })
        ));
        let long = vec![vec![1.0, 0.0], vec![1.0, 0.0]];
        assert_eq!(
            Start::product(&register, long),
            Err(Error::StartShape {
                axis: 1,
                expected: 3,
                found: 2
            })
        );
        assert!(matches!(
            Start::product(&register, vec![vec![1.0, 0.0]]),
            Err(Error::StartShape { axis: 1, .. })
        ));
        let longer = vec![vec![1.0, 0.0], vec![1.0, 0.5, 0.0]];
        assert_eq!(
            Start::product(&register, longer),
            Err(Error::StartNorm {
                axis: 1,
                norm: 1.25
            })
        );
        let nan = vec![vec![f64::NAN, 0.0], vec![1.0, 0.0, 0.0]];
        assert!(matches!(
            Start::product(&register, nan),
            Err(Error::StartNorm { axis: 0, .. })
        ));
    }
}
