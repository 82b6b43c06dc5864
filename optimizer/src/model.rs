//! Discrete models and their file format.
//!
//! A model is JSON, minimised:
//!
//! ```json
//! {"vartype": "SPIN", "variables": 3, "terms": [{"vars": [0, 1], "coeff": 1.5}, {"vars": [2], "coeff": -1}], "offset": 0.5}
//! ```
//!
//! `vartype` is `SPIN` (z = ±1, with +1 on level 0), `BINARY` (b = 0, 1) or `DISCRETE`. For the first two, `variables` is their number and every
//! term a product of distinct variables times `coeff`. For `DISCRETE`, `variables` lists the levels of each, and
//! `"tables": [{"vars": [i, …], "values": […]}]` takes the place of the terms, the first variable fastest. `terms`, `tables` and
//! `offset` may be absent. Unknown keys are refused.

mod generate;
mod read;
mod value;
mod write;

use crate::Error;
use crate::angles::Earlier;
use ketscale_simulator::{Angles, Cost, Register, Start, Table, Term};

/// What the variables stand for.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// A polynomial in spins, an Ising model if quadratic.
    Spin(Polynomial),
    /// A polynomial in bits, a QUBO if quadratic.
    Binary(Polynomial),
    /// A sum of tables over variables with any number of levels.
    Discrete {
        /// Levels of every variable, at least two each.
        levels: Vec<usize>,
        /// The tables, each over distinct variables.
        tables: Vec<Table>,
        /// A constant.
        offset: f64,
    },
}

/// A polynomial in variables with two levels.
#[derive(Debug, Clone, PartialEq)]
pub struct Polynomial {
    /// Number of variables.
    pub variables: usize,
    /// The terms, each over distinct variables.
    pub terms: Vec<Term>,
    /// A constant.
    pub offset: f64,
}

impl Model {
    /// Reads a model file.
    ///
    /// # Errors
    /// [`Error::Model`] with every mistake of the file and its place.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        read::model(bytes).map_err(Error::Model)
    }

    /// Reads a file of angles, `{"gamma": […], "beta": […]}` in radians, layer 1 first. The standard deviation of the cost that they were found for may
    /// stand beside them, `"deviation": 2.5`; to the circuit it means nothing.
    ///
    /// # Errors
    /// [`Error::Model`] with every mistake of the file and its place.
    pub fn parse_angles(bytes: &[u8]) -> Result<Angles, Error> {
        Ok(Self::parse_earlier(bytes)?.angles)
    }

    /// Reads the same file as where a search begins.
    ///
    /// # Errors
    /// [`Error::Model`] with every mistake of the file and its place.
    pub fn parse_earlier(bytes: &[u8]) -> Result<Earlier, Error> {
        read::angles(bytes).map_err(Error::Model)
    }

    /// Reads a file with a start state of the register: `{"incumbent": [level, …], "epsilon": 0.25}` for a warm start, the share ε being
    /// optional, or `{"amplitudes": [[…], …]}`, one list an axis.
    ///
    /// # Errors
    /// [`Error::Model`] with every mistake of the file and its place, and what the register refuses.
    pub fn parse_start(bytes: &[u8], register: &Register) -> Result<Start, Error> {
        Ok(match read::start(bytes).map_err(Error::Model)? {
            read::StartFile::Warm { incumbent, epsilon } => Start::warm(
                register,
                &incumbent,
                epsilon.unwrap_or(Start::DEFAULT_EPSILON),
            )?,
            read::StartFile::Product(amplitudes) => Start::product(register, amplitudes)?,
        })
    }

    /// The register of the model's variables, with the given memory limit in bytes.
    ///
    /// # Errors
    /// A dimension that overflows, or a variable with fewer than two levels.
    pub fn register(&self, memory_bytes: u64) -> Result<Register, Error> {
        let register = match self {
            Self::Spin(polynomial) | Self::Binary(polynomial) => {
                Register::qubits(polynomial.variables)
            }
            Self::Discrete { levels, .. } => Register::new(levels),
        };
        Ok(register?.with_memory_limit(memory_bytes))
    }

    /// The model's cost on its register.
    ///
    /// # Errors
    /// As [`Model::register`], and more memory than the limit, or costs that overflow.
    pub fn cost(&self, memory_bytes: u64) -> Result<Cost, Error> {
        let register = self.register(memory_bytes)?;
        Ok(match self {
            Self::Spin(model) => Cost::from_terms(&register, &model.terms, model.offset)?,
            Self::Binary(model) => Cost::from_bit_terms(&register, &model.terms, model.offset)?,
            Self::Discrete { tables, offset, .. } => Cost::from_tables(&register, tables, *offset)?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
