//! Costs that are whole steps above the least one: two bytes a basis state instead of eight, and one sine and cosine a step instead
//! of one a state.

use super::build::{self, Amount, Term, Variables};
use crate::aligned::Aligned;
use crate::parallel;
use crate::register::{CHUNK, Register};
use std::num::Wrapping;

/// Basis states that are counted together.
const COUNTED: usize = 1 << 20;
/// The greatest index.
const MOST: f64 = u16::MAX as f64;
/// Basis states a step that there must be: with fewer, the steps' phases are more work than those of the states.
const STATES_OF_A_STEP: usize = 2;

/// `base + unit · index` for every basis state, one index at least zero.
#[derive(Debug, Clone)]
pub(crate) struct Indexed {
    index: Aligned<u16>,
    base: f64,
    unit: f64,
    /// The greatest index and one.
    steps: usize,
}

impl Amount for Wrapping<u16> {}

impl Indexed {
    /// The polynomial, summed up in steps: modulo 2^16, for only its values need fit. `None` where no power of two divides all coefficients
    /// into few enough steps.
    pub(super) fn polynomial(
        register: &Register,
        variables: Variables,
        terms: &[Term],
        offset: f64,
    ) -> Option<Self> {
        let coefficients = || terms.iter().map(|term| term.coefficient);
        let unit = coefficients()
            .filter(|&c| c != 0.0)
            .map(lowest_bit)
            .reduce(f64::min)?;
        let least: f64 = coefficients().map(|c| variables.range(c).0).sum();
        let most: f64 = coefficients().map(|c| variables.range(c).1).sum();
        let span = (most - least) / unit;
        if span.is_nan() || span > MOST {
            return None;
        }
        // No part exceeds the span.
        let steps = |cost: f64| Wrapping((cost / unit) as i64 as u16);
        let mut index = Aligned::zeros(register.dimension());
        let terms = terms
            .iter()
            .map(|term| (term.variables.as_slice(), steps(term.coefficient)));
        let values: &mut [Wrapping<u16>] = bytemuck::cast_slice_mut(index.as_mut_slice());
        build::polynomial(values, register, variables, terms, -steps(least));
        Self::new(index, offset + least, unit)
    }

    /// Costs that are all whole multiples of a power of two above the least, `None` for others. `range` are the least and the greatest.
    pub(super) fn of(values: &[f64], (min, max): (f64, f64)) -> Option<Self> {
        let finest = ((max - min) / MOST).log2().ceil().exp2();
        let steps = |value: f64| (value - min) / finest;
        let bits = |part: &[f64]| {
            part.iter().try_fold(0, |bits, &value| {
                let count = steps(value) as u16;
                (finest * f64::from(count) + min == value).then_some(bits | count)
            })
        };
        // Most tables fail at once: only one whose first part passes is looked through.
        bits(&values[..values.len().min(CHUNK)])?;
        let all = parallel::each(values.len(), values.chunks(CHUNK).collect(), bits);
        let all = all.into_iter().try_fold(0, |all, bits| Some(all | bits?))?;
        let shift = all.trailing_zeros().min(u16::BITS - 1);
        let mut index = Aligned::zeros(values.len());
        let parts = index.as_mut_slice().chunks_mut(CHUNK);
        let write = |(to, from): (&mut [u16], &[f64])| {
            to.iter_mut()
                .zip(from)
                .for_each(|(to, &from)| *to = steps(from) as u16 >> shift);
        };
        parallel::each(
            values.len(),
            parts.zip(values.chunks(CHUNK)).collect(),
            write,
        );
        Self::new(index, min, finest * f64::from(1_u16 << shift))
    }

    /// Counts from the least index on; `None` where the steps are too many.
    fn new(mut index: Aligned<u16>, base: f64, unit: f64) -> Option<Self> {
        let range = |part: &[u16]| {
            let both = |(low, high): (u16, u16), &at: &u16| (low.min(at), high.max(at));
            part.iter().fold((u16::MAX, 0), both)
        };
        let states = index.as_slice().len();
        let ranges = parallel::each(states, index.as_slice().chunks(CHUNK).collect(), range);
        let low = ranges.iter().map(|range| range.0).min()?;
        let high = ranges.iter().map(|range| range.1).max()?;
        let steps = usize::from(high - low) + 1;
        if steps.saturating_mul(STATES_OF_A_STEP) > states {
            return None;
        }
        if low > 0 {
            let parts = index.as_mut_slice().chunks_mut(CHUNK).collect();
            parallel::each(states, parts, |part: &mut [u16]| {
                part.iter_mut().for_each(|at| *at -= low);
            });
        }
        Some(Self {
            index,
            base: unit * f64::from(low) + base,
            unit,
            steps,
        })
    }

    /// The indices of all basis states.
    pub(crate) fn index(&self) -> &[u16] {
        self.index.as_slice()
    }

    /// The number of basis states on every step.
    pub(super) fn states(&self) -> Vec<usize> {
        let count = |part: &[u16]| {
            let mut states = vec![0_u32; self.steps];
            part.iter().for_each(|&step| states[usize::from(step)] += 1);
            states
        };
        let parts = self.index().chunks(COUNTED).collect();
        let mut all = vec![0; self.steps];
        for part in parallel::each(self.index().len(), parts, count) {
            let part = part.into_iter();
            all.iter_mut()
                .zip(part)
                .for_each(|(all, part)| *all += part as usize);
        }
        all
    }

    /// How many steps there are.
    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    /// The cost of every step.
    pub(crate) fn costs(&self) -> Vec<f64> {
        (0..self.steps).map(|step| self.at(step as u16)).collect()
    }

    /// The cost of a step.
    #[inline]
    pub(crate) fn at(&self, step: u16) -> f64 {
        self.unit * f64::from(step) + self.base
    }

    /// The cost of a basis state.
    pub(super) fn value(&self, state: usize) -> Option<f64> {
        self.index().get(state).map(|&step| self.at(step))
    }

    /// Writes the costs of the basis states from `first` on.
    pub(crate) fn fill(&self, first: usize, to: &mut [f64]) {
        let index = &self.index()[first..];
        to.iter_mut()
            .zip(index)
            .for_each(|(to, &step)| *to = self.at(step));
    }
}

/// The power of two that is the last bit set in a number.
fn lowest_bit(value: f64) -> f64 {
    let bits = value.to_bits();
    let exponent = f64::from_bits(bits & f64::INFINITY.to_bits());
    let fraction = bits & ((1 << (f64::MANTISSA_DIGITS - 1)) - 1);
    let below = f64::MANTISSA_DIGITS - 1 - fraction.trailing_zeros().min(f64::MANTISSA_DIGITS - 1);
    exponent * (-f64::from(below)).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_bit_divides_and_no_greater_power_does() {
        for value in [1.0, -6.0, 0.75, 1e6, -0.1, 3.0e-7, 65_536.0] {
            let bit = lowest_bit(value);
            assert_eq!((value / bit).fract(), 0.0, "{value}");
            assert_eq!((value / bit / 2.0).fract().abs(), 0.5, "{value}");
        }
    }
}
