//! Cost operators: one number a basis state, to be minimised.

mod build;
mod index;
mod pairwise;

use crate::parallel;
use crate::{Error, Register, Start};
use std::borrow::Cow;

use build::Variables;
pub use build::{Table, Term};
pub(crate) use index::Indexed;
pub(crate) use pairwise::{Linear, Pairwise};

/// "Minimum" means within this share of the cost's range above the least cost.
const MINIMUM_TOLERANCE: f64 = 1e-9;

/// A diagonal operator C on a register: N finite costs, and what is known of them. Costs that couple at most two axes at a time are
/// kept as their terms and computed where they are needed. Those that are few whole multiples of a power of two above the least, such as
/// integers, are a table of two bytes a basis state; all others one of eight.
#[derive(Debug, Clone)]
pub struct Cost {
    register: Register,
    values: Values,
    min: f64,
    max: f64,
    mean: f64,
    standard_deviation: f64,
    minimum_count: usize,
    minimum_index: usize,
    /// Whether all axes are qubits and a state costs what its complement does.
    even: bool,
    /// What no number that the phases are made of exceeds, whatever its sign: the costs, or sums of terms.
    largest: f64,
}

#[derive(Debug, Clone)]
enum Values {
    Table(Vec<f64>),
    Indexed(Indexed),
    Pairwise(Pairwise),
}

/// Where costs come from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Source<'a> {
    Table(&'a [f64]),
    Indexed(&'a Indexed),
    Pairwise(&'a Pairwise),
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
        Self::stored(register, values)
    }

    /// Keeps finite costs, in few bytes where that is possible.
    fn stored(register: &Register, values: Vec<f64>) -> Result<Self, Error> {
        let chunks = values.chunks(register.chunk()).collect();
        let ranges = parallel::each(values.len(), chunks, range);
        let values = match Indexed::of(&values, ends(ranges)) {
            Some(index) => Values::Indexed(index),
            None => Values::Table(values),
        };
        Self::new(register, values)
    }

    /// A cost given as a function of the digits, axis 0 first.
    ///
    /// # Errors
    /// As [`Cost::table`]; memory is refused before the function is called.
    pub fn from_fn(register: &Register, cost: impl FnMut(&[usize]) -> f64) -> Result<Self, Error> {
        Self::allow(register)?;
        Self::table(register, build::from_fn(register, cost))
    }

    /// The sum of `tables` and `offset`, where every table depends on a few axes. Tables of at most two axes are kept as they are, unless an
    /// axis of the register has more than 64 levels. Others make a table of N numbers, in O(N) additions times 2^(axes of the
    /// widest table).
    ///
    /// # Errors
    /// A table that names an unknown axis or one axis twice, or has the wrong length; a number that is not finite; and as
    /// [`Cost::table`].
    pub fn from_tables(register: &Register, tables: &[Table], offset: f64) -> Result<Self, Error> {
        build::check_tables(register, tables, offset)?;
        // Costs that are not stored are still N of them, and no state of theirs would be smaller.
        Self::allow(register)?;
        // Where sums of some terms overflow, those of all of them may still be costs.
        let pairwise = Pairwise::new(register, tables, offset);
        if let Some(cost) = pairwise.filter(|cost| cost.largest().is_finite()) {
            return Self::new(register, Values::Pairwise(cost));
        }
        Self::table(register, build::from_tables(register, tables, offset))
    }

    /// The polynomial `Σ coefficient · Π z_k + offset` in the spins `z = 1 − 2b` of qubits. A polynomial of degree two is kept
    /// as its terms, as [`Cost::from_tables`] says. Others make a table by a Walsh–Hadamard transform: O(N log N) additions whatever the number of
    /// terms. Terms over the same variables add up.
    ///
    /// # Errors
    /// A term that names an unknown variable, one twice, or an axis that is no qubit; a number that is not finite;
    /// and as [`Cost::table`].
    pub fn from_terms(register: &Register, terms: &[Term], offset: f64) -> Result<Self, Error> {
        Self::polynomial(register, Variables::Spins, terms, offset)
    }

    /// The polynomial `Σ coefficient · Π b_k + offset` in the bits of qubits, otherwise as [`Cost::from_terms`].
    ///
    /// # Errors
    /// As [`Cost::from_terms`].
    pub fn from_bit_terms(register: &Register, terms: &[Term], offset: f64) -> Result<Self, Error> {
        Self::polynomial(register, Variables::Bits, terms, offset)
    }

    fn polynomial(
        register: &Register,
        variables: Variables,
        terms: &[Term],
        offset: f64,
    ) -> Result<Self, Error> {
        build::check_terms(register, terms, offset)?;
        Self::allow(register)?;
        if terms.iter().all(|term| term.variables.len() <= 2) {
            let tables: Vec<Table> = terms.iter().map(|term| variables.table(term)).collect();
            return Self::from_tables(register, &tables, offset);
        }
        if let Some(index) = Indexed::polynomial(register, variables, terms, offset) {
            return Self::new(register, Values::Indexed(index));
        }
        let mut values = vec![0.0; register.dimension()];
        let each = terms
            .iter()
            .map(|term| (term.variables.as_slice(), term.coefficient));
        build::polynomial(&mut values, register, variables, each, offset);
        let mut cost = Self::table(register, values)?;
        // Two states that the terms make equal may have been added up in another order.
        cost.even |= cost.is_on_qubits() && build::is_even(variables, terms);
        Ok(cost)
    }

    fn new(register: &Register, values: Values) -> Result<Self, Error> {
        let mut cost = Self {
            register: register.clone(),
            values,
            min: 0.0,
            max: 0.0,
            mean: 0.0,
            standard_deviation: 0.0,
            minimum_count: 0,
            minimum_index: 0,
            even: false,
            largest: 0.0,
        };
        cost.measure()?;
        cost.largest = cost.min.abs().max(cost.max.abs());
        if let Values::Pairwise(terms) = &cost.values {
            cost.largest = cost.largest.max(terms.largest());
        }
        cost.even = cost.is_even();
        Ok(cost)
    }

    /// Range, moments and minima. Moments are taken relative to the range, so that costs near the end of f64 do not overflow.
    fn measure(&mut self) -> Result<(), Error> {
        let (min, max) = match &self.values {
            Values::Indexed(cost) => range(&cost.costs()),
            _ => ends(self.map_chunks(|_, costs| range(costs))),
        };
        if !(max - min).is_finite() {
            return Err(Error::CostRange { min, max });
        }
        (self.min, self.max) = (min, max);
        let scale = (max - min).max(f64::MIN_POSITIVE);
        let of = (min, scale, threshold(min, max));
        let parts = match &self.values {
            Values::Indexed(cost) => vec![Part::of_steps(cost, of)],
            _ => self.map_chunks(|first, costs| Part::new(first, costs, of)),
        };
        let (mut sum, mut squares) = (0.0, 0.0);
        (self.minimum_count, self.minimum_index) = (0, usize::MAX);
        for part in parts {
            sum += part.sum;
            squares += part.squares;
            self.minimum_count += part.minimum_count;
            self.minimum_index = self.minimum_index.min(part.minimum_index);
        }
        let count = self.register.dimension() as f64;
        // About the middle of the range, half of it away at most: what cancels is a few bits.
        let mean = sum / count;
        self.mean = min + (mean + 0.5) * scale;
        self.standard_deviation = (squares / count - mean * mean).max(0.0).sqrt() * scale;
        Ok(())
    }

    fn is_on_qubits(&self) -> bool {
        self.register.levels().iter().all(|&d| d == 2)
    }

    fn is_even(&self) -> bool {
        self.is_on_qubits()
            && match &self.values {
                Values::Table(values) => build::is_mirrored(values),
                Values::Indexed(cost) => build::is_mirrored(cost.index()),
                Values::Pairwise(cost) => cost.is_even(),
            }
    }

    /// Whether all axes are qubits and a state costs what its complement does.
    pub(crate) fn even(&self) -> bool {
        self.even
    }

    /// The register that the cost is defined on.
    pub fn register(&self) -> &Register {
        &self.register
    }

    /// The N costs in the order of the basis states, computed where they are not stored.
    pub fn values(&self) -> Cow<'_, [f64]> {
        match &self.values {
            Values::Table(values) => Cow::Borrowed(values),
            _ => Cow::Owned(self.map_chunks(|_, costs| costs.to_vec()).concat()),
        }
    }

    /// The cost of a basis state, `None` for an index of N or more.
    pub fn value(&self, index: usize) -> Option<f64> {
        match &self.values {
            Values::Table(values) => values.get(index).copied(),
            Values::Indexed(cost) => cost.value(index),
            Values::Pairwise(cost) => {
                (index < self.register.dimension()).then(|| cost.value(index))
            }
        }
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
        // The cost was admitted with N numbers, and there are no more levels than states.
        Start::of_every_level(&self.register)
    }

    /// What no number that the phases are made of exceeds, whatever its sign: the costs, or sums of terms.
    pub(crate) fn largest(&self) -> f64 {
        self.largest
    }

    /// Bytes that the cost keeps.
    pub(crate) fn bytes(&self) -> u64 {
        let bytes = match &self.values {
            Values::Table(values) => size_of_val(values.as_slice()),
            Values::Indexed(cost) => size_of_val(cost.index()),
            Values::Pairwise(cost) => cost.numbers() * size_of::<f64>(),
        };
        bytes as u64
    }

    pub(crate) fn source(&self) -> Source<'_> {
        match &self.values {
            Values::Table(values) => Source::Table(values),
            Values::Indexed(cost) => Source::Indexed(cost),
            Values::Pairwise(cost) => Source::Pairwise(cost),
        }
    }

    /// Costs that [`Cost::chunk`] gives at once.
    pub(crate) fn chunk_len(&self) -> usize {
        match &self.values {
            Values::Table(_) | Values::Indexed(_) => self.register.chunk(),
            Values::Pairwise(cost) => cost.chunk_len(),
        }
    }

    /// A chunk of costs, in the buffer where they are not stored.
    pub(crate) fn chunk<'a>(&'a self, chunk: usize, buffer: &'a mut Vec<f64>) -> &'a [f64] {
        let length = self.chunk_len();
        match &self.values {
            Values::Table(values) => {
                &values[chunk * length..][..length.min(values.len() - chunk * length)]
            }
            Values::Indexed(cost) => {
                let first = chunk * length;
                buffer.resize(length.min(self.register.dimension() - first), 0.0);
                cost.fill(first, buffer);
                buffer
            }
            Values::Pairwise(cost) => {
                buffer.resize(length, 0.0);
                cost.fill(chunk, buffer);
                buffer
            }
        }
    }

    /// Applies `work` to the first index of every chunk and its costs.
    pub(crate) fn map_chunks<R: Send>(&self, work: impl Fn(usize, &[f64]) -> R + Sync) -> Vec<R> {
        self.map_first_chunks(self.register.dimension(), work)
    }

    /// The same of the chunks below so many basis states, which are whole chunks or all states.
    pub(crate) fn map_first_chunks<R: Send>(
        &self,
        dimension: usize,
        work: impl Fn(usize, &[f64]) -> R + Sync,
    ) -> Vec<R> {
        let length = self.chunk_len();
        let chunks = (0..dimension.div_ceil(length)).collect();
        let one =
            |buffer: &mut Vec<f64>, chunk: usize| work(chunk * length, self.chunk(chunk, buffer));
        parallel::map(dimension, chunks, &parallel::Pool::new(), Vec::new, one)
    }

    /// Refuses a table that the register's memory limit does not hold.
    fn allow(register: &Register) -> Result<(), Error> {
        register.allow((register.dimension() as u64).saturating_mul(size_of::<f64>() as u64))
    }
}

fn threshold(min: f64, max: f64) -> f64 {
    min + MINIMUM_TOLERANCE * (max - min).max(1.0)
}

/// What a loop keeps for each of eight neighbours, so that it becomes vector code and always adds up in the same order.
const LANES: usize = 8;

/// Least and greatest cost of several ranges.
fn ends(ranges: Vec<(f64, f64)>) -> (f64, f64) {
    let both = |a: (f64, f64), b: (f64, f64)| (a.0.min(b.0), a.1.max(b.1));
    ranges
        .into_iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), both)
}

/// Least and greatest cost; everything where a sum of terms has overflowed.
fn range(costs: &[f64]) -> (f64, f64) {
    let (mut min, mut max) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
    let mut odd = [0.0; LANES];
    for costs in costs.chunks(LANES) {
        for (lane, &c) in costs.iter().enumerate() {
            min[lane] = if c < min[lane] { c } else { min[lane] };
            max[lane] = if c > max[lane] { c } else { max[lane] };
            // Zero times a number that is not finite is not a number.
            odd[lane] += 0.0 * c;
        }
    }
    if odd.iter().any(|odd| odd.is_nan()) {
        return (f64::NEG_INFINITY, f64::INFINITY);
    }
    (
        min.into_iter().fold(f64::INFINITY, f64::min),
        max.into_iter().fold(f64::NEG_INFINITY, f64::max),
    )
}

/// A chunk's part of the moments, and its minima.
struct Part {
    sum: f64,
    squares: f64,
    minimum_count: usize,
    minimum_index: usize,
}

impl Part {
    /// The same of all basis states, by how many of them are on each step.
    fn of_steps(cost: &Indexed, (min, scale, threshold): (f64, f64, f64)) -> Self {
        let (mut sum, mut squares, mut minimum_count) = (0.0, 0.0, 0);
        for (c, states) in cost.costs().into_iter().zip(cost.states()) {
            let c_here = (c - min) / scale - 0.5;
            sum += states as f64 * c_here;
            squares += states as f64 * c_here * c_here;
            minimum_count += if c <= threshold { states } else { 0 };
        }
        Self {
            sum,
            squares,
            minimum_count,
            // The first step is the least cost.
            minimum_index: cost
                .index()
                .iter()
                .position(|&step| step == 0)
                .unwrap_or(usize::MAX),
        }
    }

    /// Moments of `(C − min)/scale − ½`.
    fn new(first: usize, costs: &[f64], (min, scale, threshold): (f64, f64, f64)) -> Self {
        let (mut sum, mut squares, mut count) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for costs in costs.chunks(LANES) {
            for (lane, &c) in costs.iter().enumerate() {
                let c_here = (c - min) / scale - 0.5;
                sum[lane] += c_here;
                squares[lane] += c_here * c_here;
                count[lane] += if c <= threshold { 1.0 } else { 0.0 };
            }
        }
        let minimum_count = count.into_iter().sum::<f64>() as usize;
        let least = if minimum_count > 0 {
            costs.iter().position(|&c| c == min)
        } else {
            None
        };
        Self {
            sum: sum.into_iter().sum(),
            squares: squares.into_iter().sum(),
            minimum_count,
            minimum_index: least.map_or(usize::MAX, |at| first + at),
        }
    }
}
