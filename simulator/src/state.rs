//! What a circuit's final state says.

use crate::amplitudes::Amplitudes;
use crate::kernels::{InstructionSet, Number, Tile};
use crate::quantile;
use crate::sample;
use crate::{Cost, Error, Objective};

/// N amplitudes with the cost that they were made for. Of an even cost on qubits only the half is kept whose highest qubit is 0: the
/// amplitude of a state is that of its complement.
#[derive(Debug, Clone)]
pub struct State<'a, T: Number = f64> {
    cost: &'a Cost,
    psi: Amplitudes<T>,
    isa: InstructionSet,
}

impl<'a, T: Number> State<'a, T> {
    pub(crate) fn new(cost: &'a Cost, psi: Amplitudes<T>, isa: InstructionSet) -> Self {
        Self { cost, psi, isa }
    }

    pub(crate) fn into_amplitudes(self) -> Amplitudes<T> {
        self.psi
    }

    /// The cost that the state was made for.
    pub fn cost(&self) -> &'a Cost {
        self.cost
    }

    /// Real and imaginary part of the amplitude of a basis state, `None` for an index of N or more.
    pub fn amplitude(&self, index: usize) -> Option<(T, T)> {
        let last = self.cost.register().dimension() - 1;
        let complement = last.checked_sub(index)?;
        let kept = if index < self.psi.dimension() {
            index
        } else {
            complement
        };
        let (re, im) = self.psi.range(kept..kept + 1);
        Some((re[0], im[0]))
    }

    /// Real and imaginary parts of all amplitudes, in the order of the basis states.
    pub fn amplitudes(&self) -> (Vec<T>, Vec<T>) {
        let kept: (Vec<&[T]>, Vec<&[T]>) = self.kept().unzip();
        let (mut re, mut im) = (kept.0.concat(), kept.1.concat());
        if self.is_half() {
            re.extend_from_within(..);
            im.extend_from_within(..);
            re[self.psi.dimension()..].reverse();
            im[self.psi.dimension()..].reverse();
        }
        (re, im)
    }

    /// The probabilities of all basis states.
    pub fn probabilities(&self) -> Vec<f64> {
        self.chunks()
            .iter()
            .flat_map(Chunk::probabilities)
            .collect()
    }

    /// Σ|ψ|², one but for rounding.
    pub fn norm(&self) -> f64 {
        self.sum(|psi, _| self.isa.norm(psi))
    }

    /// ⟨C⟩.
    pub fn expectation(&self) -> f64 {
        // About the table's mean, so that a large constant in the cost takes no digits away.
        let center = self.cost.mean();
        center + self.sum(|psi, cost| self.isa.mean(psi, cost, center))
    }

    /// ⟨C²⟩ − ⟨C⟩².
    pub fn variance(&self) -> f64 {
        let center = self.expectation();
        self.sum(|psi, cost| self.isa.spread(psi, cost, center))
    }

    /// The probability that one shot has the least cost, see [`Cost::minimum_threshold`].
    pub fn probability_of_minimum(&self) -> f64 {
        let threshold = self.cost.minimum_threshold();
        self.sum(|psi, cost| self.isa.weight_up_to(psi, cost, threshold))
    }

    /// CVaR_α = q + ⟨min(C − q, 0)⟩/α with the α-quantile q: the mean of the best share α, the boundary level counted fractionally.
    ///
    /// # Errors
    /// A share α outside (0, 1].
    pub fn cvar(&self, alpha: f64) -> Result<f64, Error> {
        let quantile = self.quantile(alpha)?;
        Ok(quantile + self.sum(|psi, cost| self.isa.shortfall(psi, cost, quantile)) / alpha)
    }

    /// The least cost q with P(C ≤ q) ≥ α.
    ///
    /// # Errors
    /// A share α outside (0, 1].
    pub fn quantile(&self, alpha: f64) -> Result<f64, Error> {
        Objective::CVaR(alpha).check()?;
        Ok(quantile::quantile(
            self.cost,
            &self.psi,
            alpha / self.copies(),
        ))
    }

    /// The value of an objective.
    ///
    /// # Errors
    /// A share α outside (0, 1].
    pub fn objective(&self, objective: Objective) -> Result<f64, Error> {
        match objective {
            Objective::Expectation => Ok(self.expectation()),
            Objective::CVaR(alpha) => self.cvar(alpha),
        }
    }

    /// The probability of every level of every axis: one list an axis.
    pub fn marginals(&self) -> Vec<Vec<f64>> {
        let mut rest = self.probabilities();
        // The highest axis is read off and summed away, so that all axes together cost little more than the first.
        let mut marginals: Vec<Vec<f64>> = Vec::new();
        for &d in self.cost.register().levels().iter().rev() {
            let stride = rest.len() / d;
            marginals.push(
                rest.chunks_exact(stride)
                    .map(|part| part.iter().sum())
                    .collect(),
            );
            let mut parts = rest.chunks_exact(stride);
            let mut below = parts.next().map(<[f64]>::to_vec).unwrap_or_default();
            parts.for_each(|part| below.iter_mut().zip(part).for_each(|(sum, p)| *sum += p));
            rest = below;
        }
        marginals.reverse();
        marginals
    }

    /// The joint distribution of two axes: entry `[x_a][x_b]` is the probability that axis a has level x_a and axis b level x_b. On qubits
    /// `⟨Z_aZ_b⟩ = P[0][0] − P[0][1] − P[1][0] + P[1][1]`. Of an axis with itself it is diagonal. `None` for an axis that the register does not
    /// have.
    pub fn joint(&self, a: usize, b: usize) -> Option<Vec<Vec<f64>>> {
        let levels = self.cost.register().levels();
        let (of_a, of_b) = (*levels.get(a)?, *levels.get(b)?);
        let stride = |axis: usize| levels[..axis].iter().product::<usize>();
        let (stride_a, stride_b) = (stride(a), stride(b));
        // States that follow one another have the same levels for so long.
        let run = stride_a.min(stride_b);
        let part = |first: usize, costs: &[f64]| {
            let mut table = vec![0.0; of_a * of_b];
            let last = first + costs.len();
            let mut at = first;
            while at < last {
                let end = ((at / run + 1) * run).min(last);
                let (re, im) = self.psi.range(at..end);
                let sum: f64 = re
                    .iter()
                    .zip(im)
                    .map(|(&re, &im)| probability(re, im))
                    .sum();
                table[at / stride_a % of_a * of_b + at / stride_b % of_b] += sum;
                at = end;
            }
            table
        };
        let parts = self.cost.map_first_chunks(self.psi.dimension(), part);
        let both = |mut sum: Vec<f64>, part: Vec<f64>| {
            sum.iter_mut()
                .zip(part)
                .for_each(|(sum, part)| *sum += part);
            sum
        };
        let mut table = parts.into_iter().fold(vec![0.0; of_a * of_b], both);
        if self.is_half() {
            // Complements differ in all digits of qubits, so their entries are in reverse order.
            let complements: Vec<f64> = table.iter().rev().copied().collect();
            table
                .iter_mut()
                .zip(complements)
                .for_each(|(sum, other)| *sum += other);
        }
        Some(table.chunks_exact(of_b).map(<[f64]>::to_vec).collect())
    }

    /// Draws `shots` basis states; distinct ones by ascending index with their counts. The same seed gives the same draw.
    pub fn sample(&self, shots: u64, seed: u64) -> Vec<(usize, u64)> {
        sample::sample(self.chunks(), shots, seed)
    }

    /// The `k` most probable basis states with their probabilities, the most probable first, equal ones by ascending index.
    pub fn top(&self, k: usize) -> Vec<(usize, f64)> {
        if k == 0 {
            return Vec::new();
        }
        sample::top(self.chunks(), k)
    }

    fn is_half(&self) -> bool {
        self.psi.dimension() < self.cost.register().dimension()
    }

    /// How often every amplitude that is kept occurs.
    fn copies(&self) -> f64 {
        if self.is_half() { 2.0 } else { 1.0 }
    }

    /// Adds up a kernel's sums over the chunks, in their order.
    fn sum(&self, kernel: impl Fn(Tile<T>, &[f64]) -> f64 + Sync) -> f64 {
        let part =
            |first: usize, costs: &[f64]| kernel(self.psi.range(first..first + costs.len()), costs);
        let sums = self.cost.map_first_chunks(self.psi.dimension(), part);
        self.copies() * sums.into_iter().sum::<f64>()
    }

    /// The amplitudes that are kept, in the cost's chunks, in order.
    fn kept(&self) -> impl DoubleEndedIterator<Item = Tile<'_, T>> {
        let (dimension, length) = (self.psi.dimension(), self.cost.chunk_len());
        let chunk = move |first: usize| self.psi.range(first..(first + length).min(dimension));
        (0..dimension).step_by(length).map(chunk)
    }

    /// All amplitudes, in order.
    fn chunks(&self) -> Vec<Chunk<'_, T>> {
        let chunk = |mirrored| move |tile| Chunk { tile, mirrored };
        let mirrored = self.is_half().then(|| self.kept().rev().map(chunk(true)));
        self.kept()
            .map(chunk(false))
            .chain(mirrored.into_iter().flatten())
            .collect()
    }
}

/// Neighbouring amplitudes, perhaps to be read backward.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk<'a, T> {
    tile: Tile<'a, T>,
    mirrored: bool,
}

impl<T: Number> Chunk<'_, T> {
    pub(crate) fn len(&self) -> usize {
        self.tile.0.len()
    }

    /// `|re + i·im|²` of each.
    pub(crate) fn probabilities(&self) -> impl Iterator<Item = f64> {
        let (re, im) = self.tile;
        let last = self.len().wrapping_sub(1);
        let place = move |at: usize| if self.mirrored { last - at } else { at };
        (0..self.len()).map(move |at| probability(re[place(at)], im[place(at)]))
    }
}

/// `|re + i·im|²`, in the rounding that the kernels use.
pub(crate) fn probability<T: Number>(re: T, im: T) -> f64 {
    let (re, im) = (re.to_f64(), im.to_f64());
    re * re + im * im
}
