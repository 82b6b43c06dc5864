//! Costs that couple at most two axes at a time: kept as their terms, never as N numbers.

use super::build::Table;
use crate::register::{CHUNK, Register};

/// Most levels of an axis whose couplings are kept as terms.
pub(crate) const MOST_LEVELS: usize = 64;

/// `constant + Σ_k u_k(x_k) + Σ_{k<l} v_kl(x_k, x_l)`. A *level* is an axis with one of its digits; the levels of axis k are numbers
/// `first[k]` up to `first[k + 1]`.
#[derive(Debug, Clone)]
pub(crate) struct Pairwise {
    constant: f64,
    /// The first level of every axis, and their number M.
    first: Vec<usize>,
    /// u, one number a level.
    single: Vec<f64>,
    /// v, a symmetric M × M matrix, zero between levels of one axis.
    pair: Vec<f64>,
    /// How many of the first axes a chunk spans, and its own costs.
    chunk_axes: usize,
    chunk: Vec<f64>,
}

/// What fixed axes make of the others: a constant, and a number for every level.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    pub(crate) constant: f64,
    levels: Vec<f64>,
}

impl Pairwise {
    /// The sum of tables over at most two axes each, `None` where one is wider or an axis too long.
    pub(crate) fn new(register: &Register, tables: &[Table], offset: f64) -> Option<Self> {
        let levels = register.levels();
        if tables.iter().any(|table| table.variables.len() > 2)
            || levels.iter().any(|&d| d > MOST_LEVELS)
        {
            return None;
        }
        let first: Vec<usize> = std::iter::once(0)
            .chain(levels.iter().scan(0, |sum, &d| {
                *sum += d;
                Some(*sum)
            }))
            .collect();
        let count = *first.last()?;
        let mut cost = Self {
            constant: offset,
            single: vec![0.0; count],
            pair: vec![0.0; count * count],
            first,
            chunk_axes: 0,
            chunk: Vec::new(),
        };
        tables.iter().for_each(|table| cost.add(table));
        cost.chunk_axes = chunk_axes(levels);
        cost.chunk = cost.own(&(0..cost.chunk_axes).collect::<Vec<_>>());
        Some(cost)
    }

    fn add(&mut self, table: &Table) {
        match table.variables[..] {
            [] => self.constant += table.values[0],
            [a] => {
                let first = self.first[a];
                self.single[first..]
                    .iter_mut()
                    .zip(&table.values)
                    .for_each(|(sum, value)| *sum += value);
            }
            [a, b, ..] => {
                let d = self.first[a + 1] - self.first[a];
                for (at, value) in table.values.iter().enumerate() {
                    let (i, j) = (self.first[a] + at % d, self.first[b] + at / d);
                    let count = self.single.len();
                    self.pair[i * count + j] += value;
                    self.pair[j * count + i] += value;
                }
            }
        }
    }

    fn levels(&self, axis: usize) -> usize {
        self.first[axis + 1] - self.first[axis]
    }

    pub(crate) fn axes(&self) -> usize {
        self.first.len() - 1
    }

    /// What no sum of some of the terms exceeds, whatever its sign.
    pub(crate) fn largest(&self) -> f64 {
        let most = |numbers: &[f64]| {
            numbers
                .iter()
                .fold(0.0_f64, |most, number| most.max(number.abs()))
        };
        let axes = || self.first.windows(2).map(|ends| ends[0]..ends[1]);
        let mut sum = self.constant.abs();
        for (axis, levels) in axes().enumerate() {
            sum += most(&self.single[levels.clone()]);
            for above in axes().skip(axis + 1) {
                let row = |level: usize| &self.pair[level * self.single.len()..][above.clone()];
                sum += levels
                    .clone()
                    .map(|level| most(row(level)))
                    .fold(0.0, f64::max);
            }
        }
        sum
    }

    /// Whether on qubits a state costs what its complement does.
    pub(crate) fn is_even(&self) -> bool {
        let levels = self.single.len();
        // On qubits the other level of an axis has the number with the last bit changed.
        let mirrored = |at: usize| {
            self.pair[at] == self.pair[((at / levels) ^ 1) * levels + ((at % levels) ^ 1)]
        };
        self.single.chunks_exact(2).all(|axis| axis[0] == axis[1])
            && (0..self.pair.len()).all(mirrored)
    }

    /// Numbers that are kept.
    pub(crate) fn numbers(&self) -> usize {
        self.single.len() + self.pair.len() + self.chunk.len()
    }

    /// Nothing fixed yet.
    pub(crate) fn free(&self) -> Linear {
        Linear {
            constant: self.constant,
            levels: vec![0.0; self.single.len()],
        }
    }

    /// Fixes the digit of an axis.
    pub(crate) fn fix(&self, linear: &mut Linear, axis: usize, digit: usize) {
        let level = self.first[axis] + digit;
        linear.constant += self.single[level] + linear.levels[level];
        let couplings = &self.pair[level * self.single.len()..][..self.single.len()];
        linear
            .levels
            .iter_mut()
            .zip(couplings)
            .for_each(|(sum, coupling)| *sum += coupling);
    }

    /// Fixes the digits that `index` has on the axes given, the first one fastest.
    pub(crate) fn fix_all(
        &self,
        linear: &mut Linear,
        axes: impl Iterator<Item = usize>,
        mut index: usize,
    ) {
        for axis in axes {
            self.fix(linear, axis, index % self.levels(axis));
            index /= self.levels(axis);
        }
    }

    /// Writes what the fixed axes add for every combination of digits on the axes given, the first one fastest.
    pub(crate) fn spread(
        &self,
        linear: &Linear,
        axes: impl Iterator<Item = usize>,
        start: f64,
        to: &mut [f64],
    ) {
        to[0] = start;
        let mut length = 1;
        for axis in axes {
            let levels = &linear.levels[self.first[axis]..self.first[axis + 1]];
            for (digit, add) in levels.iter().enumerate().rev() {
                let (first, rest) = to.split_at_mut(length);
                if digit == 0 {
                    first.iter_mut().for_each(|first| *first += add);
                } else {
                    let part = &mut rest[(digit - 1) * length..digit * length];
                    part.iter_mut()
                        .zip(first)
                        .for_each(|(to, first)| *to = *first + add);
                }
            }
            length *= levels.len();
        }
    }

    /// The costs among the axes given alone, for every combination of their digits, the first one fastest.
    pub(crate) fn own(&self, axes: &[usize]) -> Vec<f64> {
        let mut costs = vec![0.0];
        for (at, &axis) in axes.iter().enumerate() {
            let below = costs.clone();
            costs.clear();
            let mut part = vec![0.0; below.len()];
            for digit in 0..self.levels(axis) {
                let mut linear = Linear {
                    constant: 0.0,
                    levels: vec![0.0; self.single.len()],
                };
                self.fix(&mut linear, axis, digit);
                self.spread(
                    &linear,
                    axes[..at].iter().copied(),
                    linear.constant,
                    &mut part,
                );
                costs.extend(below.iter().zip(&part).map(|(below, part)| below + part));
            }
        }
        costs
    }

    /// All costs as `rows[r] + factors[0][c] + Σ_a factors[a, digit of r][c]`: c are the digits of the first `columns` axes, r those of
    /// the others, one factor an axis above and digit but 0, in their order.
    pub(crate) fn split(&self, columns: usize) -> (Vec<f64>, Vec<f64>) {
        let axes: Vec<usize> = (0..self.axes()).collect();
        let (below, above) = axes.split_at(columns);
        let mut rows = self.own(above);
        rows.iter_mut().for_each(|cost| *cost += self.constant);
        let mut first = self.own(below);
        let coupled = |axis: usize, digit: usize| {
            let mut linear = Linear {
                constant: 0.0,
                levels: vec![0.0; self.single.len()],
            };
            self.fix(&mut linear, axis, digit);
            let mut costs = vec![0.0; first.len()];
            self.spread(&linear, below.iter().copied(), 0.0, &mut costs);
            costs
        };
        let mut factors = Vec::new();
        let mut zero = vec![0.0; first.len()];
        for &axis in above {
            let here = coupled(axis, 0);
            for digit in 1..self.levels(axis) {
                let there = coupled(axis, digit);
                factors.extend(there.iter().zip(&here).map(|(there, here)| there - here));
            }
            zero.iter_mut()
                .zip(&here)
                .for_each(|(sum, here)| *sum += here);
        }
        first
            .iter_mut()
            .zip(&zero)
            .for_each(|(sum, zero)| *sum += zero);
        (rows, [first, factors].concat())
    }

    /// The cost of a basis state.
    pub(crate) fn value(&self, index: usize) -> f64 {
        let (mut inside, above) = (index % self.chunk.len(), index / self.chunk.len());
        let own = self.chunk[inside];
        let mut linear = self.free();
        self.fix_all(&mut linear, self.chunk_axes..self.axes(), above);
        // In the order in which a chunk adds up, for the same bits.
        let mut sum = linear.constant;
        for axis in 0..self.chunk_axes {
            sum += linear.levels[self.first[axis] + inside % self.levels(axis)];
            inside /= self.levels(axis);
        }
        sum + own
    }

    /// Costs in a chunk: all digits of the first axes.
    pub(crate) fn chunk_len(&self) -> usize {
        self.chunk.len()
    }

    /// Writes a chunk of costs.
    pub(crate) fn fill(&self, chunk: usize, to: &mut [f64]) {
        let mut linear = self.free();
        self.fix_all(&mut linear, self.chunk_axes..self.axes(), chunk);
        self.spread(&linear, 0..self.chunk_axes, linear.constant, to);
        to.iter_mut()
            .zip(&self.chunk)
            .for_each(|(to, own)| *to += own);
    }
}

fn chunk_axes(levels: &[usize]) -> usize {
    let mut span = 1;
    let fits = |&&d: &&usize| {
        span *= d;
        span <= CHUNK
    };
    levels.iter().take_while(fits).count()
}
