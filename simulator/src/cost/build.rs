//! Tables of costs from functions, additive tables and spin polynomials.

use crate::{Error, Register, parallel};
use std::ops::{Add, AddAssign, Sub};

/// A cost that depends on a few axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The axes, all different, in any order.
    pub variables: Vec<usize>,
    /// One value a combination of their digits, the first variable fastest.
    pub values: Vec<f64>,
}

/// What a polynomial's variables stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variables {
    /// z = 1 − 2b: +1 on level 0, −1 on level 1.
    Spins,
    /// b: 0 on level 0, 1 on level 1.
    Bits,
}

/// A product of variables times a coefficient. Without variables it is a constant.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The qubits, all different, in any order.
    pub variables: Vec<usize>,
    /// The factor.
    pub coefficient: f64,
}

/// Refuses the first number that is not finite.
pub(super) fn check_finite(what: &'static str, values: &[f64]) -> Result<(), Error> {
    match values
        .iter()
        .enumerate()
        .find(|(_, value)| !value.is_finite())
    {
        Some((position, &value)) => Err(Error::NotFinite {
            what,
            position,
            value,
        }),
        None => Ok(()),
    }
}

/// Refuses unknown and repeated variables.
fn check_variables(register: &Register, term: usize, variables: &[usize]) -> Result<(), Error> {
    let axes = register.levels().len();
    let mut seen = vec![false; axes];
    for &variable in variables {
        match seen.get_mut(variable) {
            None => {
                return Err(Error::VariableOutOfRange {
                    term,
                    variable,
                    axes,
                });
            }
            Some(true) => return Err(Error::RepeatedVariable { term, variable }),
            Some(seen) => *seen = true,
        }
    }
    Ok(())
}

/// Calls the function on the digits of every basis state, in order.
pub(super) fn from_fn(register: &Register, mut cost: impl FnMut(&[usize]) -> f64) -> Vec<f64> {
    let mut digits = vec![0; register.levels().len()];
    let mut values = Vec::with_capacity(register.dimension());
    for _ in 0..register.dimension() {
        values.push(cost(&digits));
        advance(&mut digits, register.levels());
    }
    values
}

/// Adds one to a number in mixed radix; the last one wraps to zero.
fn advance(digits: &mut [usize], levels: &[usize]) {
    for (digit, &levels) in digits.iter_mut().zip(levels) {
        *digit += 1;
        if *digit < levels {
            return;
        }
        *digit = 0;
    }
}

impl Variables {
    /// Least and greatest value of a term with variables.
    pub(super) fn range(self, coefficient: f64) -> (f64, f64) {
        match self {
            Self::Spins => (-coefficient.abs(), coefficient.abs()),
            Self::Bits => (coefficient.min(0.0), coefficient.max(0.0)),
        }
    }

    /// A term of at most two variables as a table.
    pub(super) fn table(self, term: &Term) -> Table {
        let c = term.coefficient;
        let values = match (self, term.variables.len()) {
            (_, 0) => vec![c],
            (Self::Spins, 1) => vec![c, -c],
            (Self::Bits, 1) => vec![0.0, c],
            (Self::Spins, _) => vec![c, -c, -c, c],
            (Self::Bits, _) => vec![0.0, 0.0, 0.0, c],
        };
        Table {
            variables: term.variables.clone(),
            values,
        }
    }
}

/// Refuses terms over unknown or repeated variables or axes that are no qubits, and numbers that are not finite.
pub(super) fn check_terms(register: &Register, terms: &[Term], offset: f64) -> Result<(), Error> {
    check_finite("offset", &[offset])?;
    for (position, term) in terms.iter().enumerate() {
        check_variables(register, position, &term.variables)?;
        if !term.coefficient.is_finite() {
            return Err(Error::NotFinite {
                what: "coefficient",
                position,
                value: term.coefficient,
            });
        }
        let odd = term
            .variables
            .iter()
            .find(|&&variable| register.levels()[variable] != 2);
        if let Some(&variable) = odd {
            return Err(Error::NotAQubit {
                term: position,
                variable,
                levels: register.levels()[variable],
            });
        }
    }
    Ok(())
}

/// What costs are summed up in.
pub(super) trait Amount:
    Copy + Add<Output = Self> + Sub<Output = Self> + AddAssign + Send + Sync
{
}

impl Amount for f64 {}

/// Basis states that are transformed together, in the cache.
const PART: usize = 1 << 15;

/// The polynomial over memory that is zero: its coefficients, each at the index whose set bits are its variables, transformed axis by
/// axis.
pub(super) fn polynomial<'a, A: Amount>(
    values: &mut [A],
    register: &Register,
    variables: Variables,
    terms: impl Iterator<Item = (&'a [usize], A)>,
    offset: A,
) {
    let strides = strides(register.levels());
    values[0] = offset;
    for (term, coefficient) in terms {
        let index: usize = term.iter().map(|&variable| strides[variable]).sum();
        values[index] += coefficient;
    }
    transform(values, register.levels(), variables);
}

/// The Walsh–Hadamard transform over the qubits, or for bits the sum over subsets; constant over all other axes. The highest axes go first, over
/// all of memory; what is below them is then transformed part by part, each part in the cache.
fn transform<A: Amount>(values: &mut [A], levels: &[usize], variables: Variables) {
    let states = values.len();
    let (mut stride, mut below) = (states, levels);
    while stride > PART
        && let Some((&d, lower)) = below.split_last()
    {
        let block = stride;
        stride /= d;
        for block in values.chunks_exact_mut(block) {
            let (first, others) = block.split_at_mut(stride);
            for other in others.chunks_exact_mut(stride) {
                let parts = first.chunks_mut(PART).zip(other.chunks_mut(PART));
                parallel::each(2 * stride, parts.collect(), |(first, other)| {
                    combine(first, other, d, variables);
                });
            }
        }
        below = lower;
    }
    let parts = values.chunks_exact_mut(stride).collect();
    parallel::each(states, parts, |part| transform_part(part, below, variables));
}

fn transform_part<A: Amount>(values: &mut [A], levels: &[usize], variables: Variables) {
    let mut stride = values.len();
    for &d in levels.iter().rev() {
        stride /= d;
        // Short strides that the compiler knows need no loop.
        match (d, stride) {
            (2, 1) => transform_axis(values, 2, 1, variables),
            (2, 2) => transform_axis(values, 2, 2, variables),
            (2, 4) => transform_axis(values, 2, 4, variables),
            (2, 8) => transform_axis(values, 2, 8, variables),
            _ => transform_axis(values, d, stride, variables),
        }
    }
}

/// Transforms one axis with `d` levels.
#[inline(always)]
fn transform_axis<A: Amount>(values: &mut [A], d: usize, stride: usize, variables: Variables) {
    for block in values.chunks_exact_mut(d * stride) {
        let (first, others) = block.split_at_mut(stride);
        for other in others.chunks_exact_mut(stride) {
            combine(first, other, d, variables);
        }
    }
}

/// What level 0 of an axis with `d` levels and another one make of each other.
#[inline(always)]
fn combine<A: Amount>(first: &mut [A], other: &mut [A], d: usize, variables: Variables) {
    if d > 2 {
        return other.copy_from_slice(first);
    }
    for (a, b) in first.iter_mut().zip(other) {
        (*a, *b) = match variables {
            Variables::Spins => (*a + *b, *a - *b),
            Variables::Bits => (*a, *a + *b),
        };
    }
}

/// Whether no term changes when all spins do.
pub(super) fn is_even(variables: Variables, terms: &[Term]) -> bool {
    let even = |term: &Term| term.variables.len().is_multiple_of(2) || term.coefficient == 0.0;
    variables == Variables::Spins && terms.iter().all(even)
}

/// Whether a list reads the same backward.
pub(super) fn is_mirrored<N: PartialEq + Sync>(list: &[N]) -> bool {
    let (first, second) = list.split_at(list.len() / 2);
    let equal = |(first, second): (&[N], &[N])| first.iter().eq(second.iter().rev());
    let parts = first.chunks(PART).zip(second.rchunks(PART));
    // Most lists fail at once.
    parts.clone().take(1).all(equal)
        && parallel::each(list.len(), parts.collect(), equal)
            .into_iter()
            .all(|equal| equal)
}

/// The index distance between neighbouring levels of every axis.
fn strides(levels: &[usize]) -> Vec<usize> {
    let step = |stride: &mut usize, &d: &usize| Some(std::mem::replace(stride, *stride * d));
    levels.iter().scan(1, step).collect()
}

/// Refuses malformed tables and an offset that is not finite.
pub(super) fn check_tables(
    register: &Register,
    tables: &[Table],
    offset: f64,
) -> Result<(), Error> {
    check_finite("offset", &[offset])?;
    tables
        .iter()
        .enumerate()
        .try_for_each(|(position, table)| check_table(register, position, table))
}

/// The sum of the tables, by doubling.
pub(super) fn from_tables(register: &Register, tables: &[Table], offset: f64) -> Vec<f64> {
    let parts: Vec<Part> = tables
        .iter()
        .map(|table| Part::new(register, table))
        .collect();
    let mut values = vec![0.0; register.dimension()];
    fill(&mut values, register.levels(), &parts, offset);
    values
}

fn check_table(register: &Register, position: usize, table: &Table) -> Result<(), Error> {
    check_variables(register, position, &table.variables)?;
    let levels = table
        .variables
        .iter()
        .map(|&variable| register.levels()[variable]);
    // A product of different axes' levels divides N, so it cannot overflow.
    let expected = levels.product();
    if table.values.len() != expected {
        return Err(Error::TableLength {
            table: position,
            expected,
            found: table.values.len(),
        });
    }
    check_finite("table value", &table.values)
}

/// A table with its variables in ascending order, the lowest fastest.
struct Part {
    variables: Vec<usize>,
    values: Vec<f64>,
}

impl Part {
    fn new(register: &Register, table: &Table) -> Self {
        let levels: Vec<usize> = table
            .variables
            .iter()
            .map(|&variable| register.levels()[variable])
            .collect();
        let strides = strides(&levels);
        let mut order: Vec<usize> = (0..levels.len()).collect();
        order.sort_by_key(|&position| table.variables[position]);
        let sorted: Vec<usize> = order.iter().map(|&position| levels[position]).collect();
        let mut digits = vec![0; levels.len()];
        let mut values = Vec::with_capacity(table.values.len());
        for _ in 0..table.values.len() {
            let index: usize = order
                .iter()
                .zip(&digits)
                .map(|(&position, digit)| strides[position] * digit)
                .sum();
            values.push(table.values[index]);
            advance(&mut digits, &sorted);
        }
        Self {
            variables: order
                .iter()
                .map(|&position| table.variables[position])
                .collect(),
            values,
        }
    }

    /// What is left once the highest variable, which has `d` levels, is fixed.
    fn restrict(&self, level: usize, d: usize) -> Self {
        let length = self.values.len() / d;
        let variables = self.variables[..self.variables.len() - 1].to_vec();
        Self {
            variables,
            values: self.values[level * length..][..length].to_vec(),
        }
    }
}

/// Writes the sum of `parts` over the axes with the given levels, plus `offset`.
///
/// The parts without the highest axis fill its level 0. Every level v is that plus the parts with the axis, restricted to v, which
/// are a smaller problem of the same kind with one variable less.
fn fill(values: &mut [f64], levels: &[usize], parts: &[Part], offset: f64) {
    let Some((&d, below)) = levels.split_last() else {
        values[0] = offset + parts.iter().map(|part| part.values[0]).sum::<f64>();
        return;
    };
    if parts.is_empty() {
        values.fill(offset);
        return;
    }
    let is_upper = |part: &&Part| part.variables.last() == Some(&below.len());
    let (upper, lower): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(is_upper);
    let lower: Vec<Part> = lower
        .into_iter()
        .map(|part| Part {
            variables: part.variables.clone(),
            values: part.values.clone(),
        })
        .collect();
    let stride = values.len() / d;
    let (first, others) = values.split_at_mut(stride);
    fill(first, below, &lower, offset);
    let mut difference = vec![0.0; if upper.is_empty() { 0 } else { stride }];
    for (level, part) in others
        .chunks_exact_mut(stride)
        .enumerate()
        .map(|(above, part)| (above + 1, part))
    {
        part.copy_from_slice(first);
        add(part, &mut difference, below, &upper, level, d);
    }
    add(first, &mut difference, below, &upper, 0, d);
}

/// Adds the parts with the highest axis, restricted to one of its levels.
fn add(
    values: &mut [f64],
    difference: &mut [f64],
    below: &[usize],
    upper: &[&Part],
    level: usize,
    d: usize,
) {
    if upper.is_empty() {
        return;
    }
    let restricted: Vec<Part> = upper.iter().map(|part| part.restrict(level, d)).collect();
    fill(difference, below, &restricted, 0.0);
    values
        .iter_mut()
        .zip(difference)
        .for_each(|(value, difference)| *value += *difference);
}
