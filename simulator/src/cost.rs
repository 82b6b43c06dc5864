//! Cost operators: one number a basis state, to be minimised.

mod build;

use crate::parallel;
use crate::{Error, Register, Start};

use build::Variables;
pub use build::{Table, Term};

/// "Minimum" means within this share of the cost's range above the least cost.
const MINIMUM_TOLERANCE: f64 = 1e-9;

/// A diagonal operator C on a register: a table of N finite costs, and what is known of it.
#[derive(Debug, Clone)]
pub struct Cost {
    register: Register,
    values: Vec<f64>,
    min: f64,
    max: f64,
    mean: f64,
    standard_deviation: f64,
    minimum_count: usize,
    minimum_index: usize,
}

impl Cost {
    /// A cost given as a table of N values in the order of the basis states.
    ///
    /// # Errors
    /// A table of the wrong length, a value that is not finite, costs whose range is not finite, or more memory than
    /// the register allows.
    pub fn table(register: &Register, values: Vec<f64>) -> Result<Self, Error> {
        if values.len() != register.dimension() {
            return Err(Error::TableLength {
                table: 0,
                expected: register.dimension(),
                found: values.len(),
            });
        }
        Self::allow(register)?;
        build::check_finite("cost", &values)?;
        let (min, max) = range(&values);
        if !(max - min).is_finite() {
            return Err(Error::CostRange { min, max });
        }
        let (mean, standard_deviation) = moments(&values, min, max);
        let threshold = threshold(min, max);
        let count = |chunk: &[f64]| chunk.iter().filter(|&&c| c <= threshold).count();
        let minimum_count = parallel::map_chunks(&values, count).iter().sum();
        let minimum_index = values.iter().position(|&c| c == min).unwrap_or(0);
        let register = register.clone();
        Ok(Self {
            register,
            values,
            min,
            max,
            mean,
            standard_deviation,
            minimum_count,
            minimum_index,
        })
    }

    /// A cost given as a function of the digits, axis 0 first.
    ///
    /// # Errors
    /// As [`Cost::table`]; memory is refused before the function is called.
    pub fn from_fn(register: &Register, cost: impl FnMut(&[usize]) -> f64) -> Result<Self, Error> {
        Self::allow(register)?;
        Self::table(register, build::from_fn(register, cost))
    }

    /// The sum of `tables` and `offset`, where every table depends on a few axes. Takes O(N) additions times 2^(axes of the
    /// widest table).
    ///
    /// # Errors
    /// A table that names an unknown axis or one axis twice, or has the wrong length; a number that is not finite; and as
    /// [`Cost::table`].
    pub fn from_tables(register: &Register, tables: &[Table], offset: f64) -> Result<Self, Error> {
        Self::allow(register)?;
        Self::table(register, build::from_tables(register, tables, offset)?)
    }

    /// The polynomial `Σ coefficient · Π z_k + offset` in the spins `z = 1 − 2b` of qubits, by a Walsh–Hadamard
    /// transform: O(N log N) additions whatever the number of terms. Terms over the same variables add up.
    ///
    /// # Errors
    /// A term that names an unknown variable, one twice, or an axis that is no qubit; a number that is not finite;
    /// and as [`Cost::table`].
    pub fn from_terms(register: &Register, terms: &[Term], offset: f64) -> Result<Self, Error> {
        Self::allow(register)?;
        Self::table(
            register,
            build::from_terms(register, Variables::Spins, terms, offset)?,
        )
    }

    /// The polynomial `Σ coefficient · Π b_k + offset` in the bits of qubits, otherwise as [`Cost::from_terms`].
    ///
    /// # Errors
    /// As [`Cost::from_terms`].
    pub fn from_bit_terms(register: &Register, terms: &[Term], offset: f64) -> Result<Self, Error> {
        Self::allow(register)?;
        Self::table(
            register,
            build::from_terms(register, Variables::Bits, terms, offset)?,
        )
    }

    /// The register that the cost is defined on.
    pub fn register(&self) -> &Register {
        &self.register
    }

    /// The N costs in the order of the basis states.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The cost of a basis state, `None` for an index of N or more.
    pub fn value(&self, index: usize) -> Option<f64> {
        self.values.get(index).copied()
    }

    /// The least cost.
    pub fn min(&self) -> f64 {
        self.min
    }

    /// The greatest cost.
    pub fn max(&self) -> f64 {
        self.max
    }

    /// The mean cost over all basis states.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The standard deviation of the cost over all basis states.
    pub fn standard_deviation(&self) -> f64 {
        self.standard_deviation
    }

    /// The greatest cost that counts as minimum: `min + 1e-9 · max(1, max − min)`.
    pub fn minimum_threshold(&self) -> f64 {
        threshold(self.min, self.max)
    }

    /// Number of basis states whose cost counts as minimum.
    pub fn minimum_count(&self) -> usize {
        self.minimum_count
    }

    /// The first basis state of least cost.
    pub fn minimum_index(&self) -> usize {
        self.minimum_index
    }

    /// The state that a circuit on this cost starts from when nothing is known.
    pub fn uniform_start(&self) -> Start {
        Start::uniform(&self.register)
    }

    /// Refuses a table that the register's memory limit does not hold.
    fn allow(register: &Register) -> Result<(), Error> {
        register.allow((register.dimension() as u64).saturating_mul(size_of::<f64>() as u64))
    }
}

fn threshold(min: f64, max: f64) -> f64 {
    min + MINIMUM_TOLERANCE * (max - min).max(1.0)
}

fn range(values: &[f64]) -> (f64, f64) {
    let fold = |chunk: &[f64]| {
        chunk
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), &c| {
                (c.min(min), c.max(max))
            })
    };
    let both = |a: (f64, f64), b: (f64, f64)| (a.0.min(b.0), a.1.max(b.1));
    parallel::map_chunks(values, fold)
        .into_iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), both)
}

/// Mean and standard deviation. Everything is taken relative to the range, so that costs near the end of f64 do not
/// overflow.
fn moments(values: &[f64], min: f64, max: f64) -> (f64, f64) {
    let count = values.len() as f64;
    let scale = (max - min).max(f64::MIN_POSITIVE);
    let total = |term: &(dyn Fn(f64) -> f64 + Sync)| -> f64 {
        let sum = |chunk: &[f64]| chunk.iter().map(|&c| term((c - min) / scale)).sum::<f64>();
        parallel::map_chunks(values, sum).into_iter().sum::<f64>() / count
    };
    let mean = total(&|c| c);
    let variance = total(&|c| (c - mean) * (c - mean));
    (min + mean * scale, variance.sqrt() * scale)
}
