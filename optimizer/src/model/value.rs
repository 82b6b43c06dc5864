//! A model's cost of one state, from its terms.

use super::{Model, Polynomial};
use crate::Error;
use ketscale_simulator::{Error as Refusal, Table};

impl Model {
    /// Levels of every variable.
    pub fn levels(&self) -> Vec<usize> {
        match self {
            Self::Spin(model) | Self::Binary(model) => vec![2; model.variables],
            Self::Discrete { levels, .. } => levels.clone(),
        }
    }

    /// Most variables in a term or table.
    pub fn degree(&self) -> usize {
        let most = match self {
            Self::Spin(model) | Self::Binary(model) => {
                model.terms.iter().map(|term| term.variables.len()).max()
            }
            Self::Discrete { tables, .. } => tables.iter().map(|table| table.variables.len()).max(),
        };
        most.unwrap_or(0)
    }

    /// The cost of levels, one a variable, summed up from the terms: no register is made, so it works for any number of variables.
    ///
    /// # Errors
    /// Another number of levels than the model has variables, or a level that its variable does not have; of a model that was not read from a
    /// file, terms of unknown variables and tables that are too short.
    pub fn value(&self, digits: &[usize]) -> Result<f64, Error> {
        self.check(digits)?;
        match self {
            Self::Spin(model) => {
                model.sum(|variable| Some(1.0 - 2.0 * *digits.get(variable)? as f64))
            }
            Self::Binary(model) => model.sum(|variable| Some(*digits.get(variable)? as f64)),
            Self::Discrete {
                levels,
                tables,
                offset,
            } => tables
                .iter()
                .enumerate()
                .try_fold(*offset, |sum, (at, table)| {
                    let value = entry(levels, table, digits);
                    Ok(sum + value.ok_or_else(|| unknown(at, &table.variables, levels.len()))?)
                }),
        }
    }

    /// Levels as the model's own values: spins ±1, bits, or levels.
    pub fn values_of(&self, digits: &[usize]) -> Vec<i64> {
        let of = |&digit: &usize| match self {
            Self::Spin(_) if digit == 0 => 1,
            Self::Spin(_) => -1,
            Self::Binary(_) | Self::Discrete { .. } => i64::try_from(digit).unwrap_or(i64::MAX),
        };
        digits.iter().map(of).collect()
    }

    fn check(&self, digits: &[usize]) -> Result<(), Error> {
        let levels = self.levels();
        if digits.len() != levels.len() {
            return Err(Error::Simulator(Refusal::DigitsLength {
                expected: levels.len(),
                found: digits.len(),
            }));
        }
        let wrong = levels
            .iter()
            .zip(digits)
            .position(|(levels, digit)| digit >= levels);
        match wrong {
            Some(axis) => Err(Error::Simulator(Refusal::DigitOutOfRange {
                axis,
                digit: digits[axis],
                levels: levels[axis],
            })),
            None => Ok(()),
        }
    }
}

impl Polynomial {
    fn sum(&self, value: impl Fn(usize) -> Option<f64>) -> Result<f64, Error> {
        let term = |sum: f64, (at, term): (usize, &super::Term)| {
            let variables = term.variables.iter();
            let product = variables
                .map(|&variable| value(variable))
                .try_fold(term.coefficient, |product, value| Some(product * value?));
            Ok(sum + product.ok_or_else(|| unknown(at, &term.variables, self.variables))?)
        };
        self.terms.iter().enumerate().try_fold(self.offset, term)
    }
}

/// A table's value at the digits of its variables, the first one fastest.
fn entry(levels: &[usize], table: &Table, digits: &[usize]) -> Option<f64> {
    let (mut index, mut stride) = (0, 1);
    for &variable in &table.variables {
        index += digits.get(variable)? * stride;
        stride *= levels.get(variable)?;
    }
    table.values.get(index).copied()
}

fn unknown(term: usize, variables: &[usize], axes: usize) -> Error {
    let variable = variables.iter().copied().max().unwrap_or(0);
    Error::Simulator(Refusal::VariableOutOfRange {
        term,
        variable,
        axes,
    })
}
