//! Mixed-radix registers: which digits a basis state has.

use crate::Error;

/// Most states that are worked through together.
pub(crate) const CHUNK: usize = 1 << 13;

/// Memory that the state, the cost table and their scratch may use together unless the caller says otherwise: 8 GiB.
pub const DEFAULT_MEMORY_BYTES: u64 = 8 << 30;

/// An ordered list of axes; axis `k` has `d_k ≥ 2` levels and axis 0 varies fastest. A qubit is an axis with two levels.
///
/// The basis state with digits `x_k` has the index `Σ x_k · Π_{j<k} d_j`.
///
/// ```
/// use ketscale_simulator::Register;
///
/// let register = Register::new(&[2, 3, 4])?;
/// assert_eq!(register.dimension(), 24);
/// assert_eq!(register.index(&[1, 2, 3])?, 1 + 2 * 2 + 3 * 6);
/// assert_eq!(register.digits(23)?, [1, 2, 3]);
/// # Ok::<(), ketscale_simulator::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    levels: Vec<usize>,
    dimension: usize,
    memory_bytes: u64,
}

impl Register {
    /// A register with the given levels, one entry an axis, and the default memory limit.
    ///
    /// # Errors
    /// No axis, an axis with fewer than two levels, or more basis states than a machine word can count.
    pub fn new(levels: &[usize]) -> Result<Self, Error> {
        if levels.is_empty() {
            return Err(Error::NoAxes);
        }
        let mut dimension = 1_usize;
        for (axis, &levels) in levels.iter().enumerate() {
            if levels < 2 {
                return Err(Error::TooFewLevels { axis, levels });
            }
            dimension = dimension
                .checked_mul(levels)
                .ok_or(Error::DimensionOverflow { axis })?;
        }
        Ok(Self {
            levels: levels.to_vec(),
            dimension,
            memory_bytes: DEFAULT_MEMORY_BYTES,
        })
    }

    /// A register of `count` qubits.
    ///
    /// # Errors
    /// As [`Register::new`].
    pub fn qubits(count: usize) -> Result<Self, Error> {
        // Beyond the bits of a word the dimension overflows anyway: no list of that length is needed to say so.
        Self::new(&vec![2; count.min(usize::BITS as usize)])
    }

    /// The same register with another memory limit in bytes, which everything made from it keeps.
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: u64) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// The memory limit in bytes.
    pub fn memory_limit(&self) -> u64 {
        self.memory_bytes
    }

    /// Levels of every axis, axis 0 first.
    pub fn levels(&self) -> &[usize] {
        &self.levels
    }

    /// Number of basis states N = Π d_k.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The digits of the basis state `index`, axis 0 first.
    ///
    /// # Errors
    /// An index of N or more: the digit of the last axis is then out of range.
    pub fn digits(&self, index: usize) -> Result<Vec<usize>, Error> {
        let mut rest = index;
        let mut digits: Vec<usize> = self
            .levels
            .iter()
            .map(|&d| (rest % d, rest /= d).0)
            .collect();
        match (rest, digits.last_mut(), self.levels.last()) {
            (1.., Some(digit), Some(&levels)) => {
                let digit = rest.saturating_mul(levels).saturating_add(*digit);
                Err(Error::DigitOutOfRange {
                    axis: self.levels.len() - 1,
                    digit,
                    levels,
                })
            }
            _ => Ok(digits),
        }
    }

    /// The index of the basis state with the given digits, axis 0 first.
    ///
    /// # Errors
    /// The wrong number of digits, or a digit that its axis does not have.
    pub fn index(&self, digits: &[usize]) -> Result<usize, Error> {
        if digits.len() != self.levels.len() {
            return Err(Error::DigitsLength {
                expected: self.levels.len(),
                found: digits.len(),
            });
        }
        let mut index = 0;
        for (axis, (&digit, &levels)) in digits.iter().zip(&self.levels).enumerate().rev() {
            if digit >= levels {
                return Err(Error::DigitOutOfRange {
                    axis,
                    digit,
                    levels,
                });
            }
            index = index * levels + digit;
        }
        Ok(index)
    }

    /// States that are worked through together: all digits of the first axes, where that is neither many nor few.
    pub(crate) fn chunk(&self) -> usize {
        let spans = self.levels.iter().scan(1_usize, |span, &d| {
            *span = span.saturating_mul(d);
            Some(*span)
        });
        spans
            .take_while(|&span| span <= CHUNK)
            .last()
            .filter(|&span| span >= CHUNK / 64)
            .unwrap_or(CHUNK)
    }

    /// Refuses a need of `needed_bytes` above the memory limit.
    pub(crate) fn allow(&self, needed_bytes: u64) -> Result<(), Error> {
        if needed_bytes > self.memory_bytes {
            return Err(Error::MemoryLimit {
                needed_bytes,
                allowed_bytes: self.memory_bytes,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digits_and_index_are_inverse(levels in prop::collection::vec(2_usize..6, 1..6), seed in any::<usize>()) {
            let register = Register::new(&levels).unwrap();
            let index = seed % register.dimension();
            let digits = register.digits(index).unwrap();
            prop_assert_eq!(register.index(&digits).unwrap(), index);
        }
    }

    #[test]
    fn malformed_registers_are_refused() {
        assert_eq!(Register::new(&[]), Err(Error::NoAxes));
        assert_eq!(
            Register::new(&[2, 1]),
            Err(Error::TooFewLevels { axis: 1, levels: 1 })
        );
        assert_eq!(
            Register::new(&[3, 0]),
            Err(Error::TooFewLevels { axis: 1, levels: 0 })
        );
        assert_eq!(
            Register::new(&[usize::MAX, 2]),
            Err(Error::DimensionOverflow { axis: 1 })
        );
        assert_eq!(
            Register::qubits(usize::MAX),
            Err(Error::DimensionOverflow { axis: 63 })
        );
    }

    #[test]
    fn malformed_basis_states_are_refused() {
        let register = Register::new(&[2, 3]).unwrap();
        assert_eq!(
            register.index(&[1]),
            Err(Error::DigitsLength {
                expected: 2,
                found: 1
            })
        );
        assert_eq!(
            register.index(&[1, 3]),
            Err(Error::DigitOutOfRange {
                axis: 1,
                digit: 3,
                levels: 3
            })
        );
        assert_eq!(
            register.digits(6),
            Err(Error::DigitOutOfRange {
                axis: 1,
                digit: 3,
                levels: 3
            })
        );
        assert!(register.digits(usize::MAX).is_err());
    }
}
