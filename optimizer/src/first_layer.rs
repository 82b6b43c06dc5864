//! The circuit of one layer, exactly and for any number of spins.
//!
//! With one layer on `E = Σ h_i z_i + Σ J_ij z_i z_j`, uniform start and mixer X, expectations are products over a spin's neighbours
//! (Ozaeta, van Dam and McMahon, arXiv 2012.03421, and Wang et al., arXiv 1706.02998, for MaxCut):
//!
//! - `⟨Z_i⟩ = sin 2β · a_i`, `a_i = sin 2γh_i · Π_k cos 2γJ_ik`;
//! - `⟨Z_iZ_j⟩ = sin 4β · b_ij + sin² 2β · d_ij`, with
//!   `b_ij = ½ sin 2γJ_ij · [cos 2γh_i · Π_k cos 2γJ_ik + cos 2γh_j · Π_k cos 2γJ_jk]` and
//!   `d_ij = −½ [cos 2γ(h_i + h_j) · Π_k cos 2γ(J_ik + J_jk) − cos 2γ(h_i − h_j) · Π_k cos 2γ(J_ik − J_jk)]`, k ≠ i, j.
//!
//! So ⟨C⟩ is, for fixed γ, the trigonometric polynomial `A sin 2β + B sin 4β + D sin² 2β`, whose best β is found without looking
//! at the model again. Angles follow the simulator's conventions: no hidden ½, minimised.

mod dual;
mod optimum;

pub use optimum::{Optimum, optimum};
pub(crate) use optimum::{Tracked, follow, scan, work};

use crate::{Error, Ising, parallel};
use dual::Dual;
use ketscale_simulator::Error as Refusal;

/// Spins whose expectations are one part of the work.
const SPINS_PER_PART: usize = 32;
/// Steps of work below which handing out parts costs more than it gains: about 50 µs.
const SERIAL_STEPS: usize = 1 << 14;
/// Points of β among which the best is looked for before it is refined. The polynomial has at most four stationary points.
const BETAS: usize = 64;
/// Halvings of the interval between two points of β: from 2π/64 to the last digit.
const HALVINGS: usize = 48;

/// One layer at a given γ and every β.
#[derive(Debug, Clone, PartialEq)]
pub struct FirstLayer {
    gamma: f64,
    offset: f64,
    singles: Vec<f64>,
    pairs: Vec<Pair>,
    sums: [Dual; 3],
}

/// What a coupled pair's correlation is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Pair {
    i: usize,
    j: usize,
    b: f64,
    d: f64,
}

/// A spin's or a pair's expectation with the spins it belongs to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correlation {
    /// The first spin.
    pub i: usize,
    /// The second one, above the first.
    pub j: usize,
    /// ⟨Z_iZ_j⟩.
    pub value: f64,
}

impl FirstLayer {
    /// All expectations at γ, in O(Σ deg²) steps.
    ///
    /// # Errors
    /// A γ that is not finite, or so large that a phase is not.
    pub fn new(ising: &Ising, gamma: f64) -> Result<Self, Error> {
        let largest = (0..ising.variables())
            .map(|i| ising.weight(i))
            .fold(0.0, f64::max);
        if !(4.0 * gamma * largest).is_finite() {
            return Err(Error::Simulator(Refusal::AngleNotFinite {
                angle: "gamma",
                layer: 0,
                value: gamma,
            }));
        }
        Ok(Self::at(ising, gamma))
    }

    /// All expectations at a γ whose phases are finite.
    pub(crate) fn at(ising: &Ising, gamma: f64) -> Self {
        let phases = Phases::new(ising, gamma);
        let starts: Vec<usize> = (0..ising.variables()).step_by(SPINS_PER_PART).collect();
        let parts = parallel::each(work(ising) > SERIAL_STEPS, starts, |first| {
            phases.part(first)
        });
        let mut layer = Self {
            gamma,
            offset: ising.offset(),
            singles: Vec::with_capacity(ising.variables()),
            pairs: Vec::with_capacity(ising.entries() / 2),
            sums: [Dual::ZERO; 3],
        };
        for part in parts {
            layer.singles.extend(part.singles);
            layer.pairs.extend(part.pairs);
            for (sum, of_part) in layer.sums.iter_mut().zip(part.sums) {
                *sum = *sum + of_part;
            }
        }
        layer
    }

    /// γ in radians.
    pub fn gamma(&self) -> f64 {
        self.gamma
    }

    /// ⟨C⟩, the offset included.
    pub fn expectation(&self, beta: f64) -> f64 {
        self.offset + self.polynomial(beta, |sum| sum.value)
    }

    /// Derivatives of ⟨C⟩ by γ and by β.
    pub fn slopes(&self, beta: f64) -> (f64, f64) {
        let [a, b, d] = self.sums.map(|sum| sum.value);
        let (x, by_gamma) = (2.0 * beta, self.polynomial(beta, |sum| sum.slope));
        let by_x = a * x.cos() + 2.0 * b * (2.0 * x).cos() + d * (2.0 * x).sin();
        (by_gamma, 2.0 * by_x)
    }

    /// ⟨Z_i⟩ of every spin.
    pub fn singles(&self, beta: f64) -> impl Iterator<Item = f64> {
        let sine = (2.0 * beta).sin();
        self.singles.iter().map(move |a| sine * a)
    }

    /// ⟨Z_iZ_j⟩ of every coupled pair, by ascending i, then j.
    pub fn pairs(&self, beta: f64) -> impl Iterator<Item = Correlation> {
        let (single, double) = ((2.0 * beta).sin().powi(2), (4.0 * beta).sin());
        self.pairs.iter().map(move |pair| Correlation {
            i: pair.i,
            j: pair.j,
            value: double * pair.b + single * pair.d,
        })
    }

    /// The β in [0, π) at which ⟨C⟩ is least.
    pub fn best_beta(&self) -> f64 {
        let width = std::f64::consts::PI / BETAS as f64;
        let values: Vec<f64> = (0..BETAS)
            .map(|at| self.expectation(at as f64 * width))
            .collect();
        let mut best = (f64::INFINITY, 0.0);
        for (at, &value) in values.iter().enumerate() {
            let around = [values[(at + BETAS - 1) % BETAS], values[(at + 1) % BETAS]];
            if around.into_iter().all(|other| value <= other) {
                let beta = self.refined(at as f64 * width, width);
                let found = self.expectation(beta);
                if found < best.0 {
                    best = (found, beta);
                }
            }
        }
        best.1.rem_euclid(std::f64::consts::PI)
    }

    /// The zero of the derivative by β within `width` of a point that no neighbour is below, or the point itself.
    fn refined(&self, beta: f64, width: f64) -> f64 {
        let (mut low, mut high) = (beta - width, beta + width);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if self.slopes(middle).1 > 0.0 {
                high = middle;
            } else {
                low = middle;
            }
        }
        let found = f64::midpoint(low, high);
        if self.expectation(found) < self.expectation(beta) {
            found
        } else {
            beta
        }
    }

    fn polynomial(&self, beta: f64, of: impl Fn(Dual) -> f64) -> f64 {
        let [a, b, d] = self.sums.map(of);
        let sine = (2.0 * beta).sin();
        a * sine + b * (4.0 * beta).sin() + d * sine * sine
    }
}

/// Cosines and sines of all phases at one γ.
struct Phases<'a> {
    ising: &'a Ising,
    /// Where each spin's couplings begin in `couplings`; one more entry at the end.
    begins: Vec<usize>,
    couplings: Vec<Coupling>,
    fields: Vec<Turn>,
}

struct Coupling {
    neighbour: usize,
    turn: Turn,
}

/// cos 2γx and sin 2γx of a coefficient x, with their derivatives by γ.
#[derive(Clone, Copy)]
struct Turn {
    cosine: Dual,
    sine: Dual,
}

impl Turn {
    fn new(gamma: f64, x: f64) -> Self {
        let (sine, cosine) = (2.0 * gamma * x).sin_cos();
        Self {
            cosine: Dual {
                value: cosine,
                slope: -2.0 * x * sine,
            },
            sine: Dual {
                value: sine,
                slope: 2.0 * x * cosine,
            },
        }
    }

    /// cos 2γ(x + y) and cos 2γ(x − y).
    fn with(self, other: Self) -> (Dual, Dual) {
        let (cosines, sines) = (self.cosine * other.cosine, self.sine * other.sine);
        (cosines - sines, cosines + sines)
    }
}

/// What a part of the spins adds.
struct Part {
    singles: Vec<f64>,
    pairs: Vec<Pair>,
    sums: [Dual; 3],
}

impl<'a> Phases<'a> {
    fn new(ising: &'a Ising, gamma: f64) -> Self {
        let mut begins = vec![0];
        let mut couplings = Vec::with_capacity(ising.entries());
        for of_spin in ising.couplings() {
            couplings.extend(of_spin.iter().map(|&(neighbour, j)| Coupling {
                neighbour,
                turn: Turn::new(gamma, j),
            }));
            begins.push(couplings.len());
        }
        let turn = |&h: &f64| Turn::new(gamma, h);
        let fields = ising.fields().iter().map(turn).collect();
        Self {
            ising,
            begins,
            couplings,
            fields,
        }
    }

    fn of(&self, i: usize) -> &[Coupling] {
        &self.couplings[self.begins[i]..self.begins[i + 1]]
    }

    /// Spins from `first` on, each with its pairs with higher ones.
    fn part(&self, first: usize) -> Part {
        let mut part = Part {
            singles: Vec::new(),
            pairs: Vec::new(),
            sums: [Dual::ZERO; 3],
        };
        let last = (first + SPINS_PER_PART).min(self.ising.variables());
        for i in first..last {
            let cosines = self.of(i).iter().map(|coupling| coupling.turn.cosine);
            let a = cosines.fold(self.fields[i].sine, |product, cosine| product * cosine);
            part.singles.push(a.value);
            part.sums[0] = part.sums[0] + a.times(self.ising.fields()[i]);
            for (coupling, &(j, strength)) in self.of(i).iter().zip(&self.ising.couplings()[i]) {
                if j > i {
                    let (b, d) = self.pair(i, j, coupling.turn.sine);
                    part.pairs.push(Pair {
                        i,
                        j,
                        b: b.value,
                        d: d.value,
                    });
                    part.sums[1] = part.sums[1] + b.times(strength);
                    part.sums[2] = part.sums[2] + d.times(strength);
                }
            }
        }
        part
    }

    /// b and d of a coupled pair, by walking both lists of neighbours at once.
    fn pair(&self, i: usize, j: usize, sine: Dual) -> (Dual, Dual) {
        let (mut of_i, mut of_j) = (self.of(i), self.of(j));
        // Products over what is next to one of the two alone, and over what is next to both.
        let (mut alone_i, mut alone_j) = (Dual::ONE, Dual::ONE);
        let (mut both_i, mut both_j) = (self.fields[i].cosine, self.fields[j].cosine);
        let (mut plus, mut minus) = self.fields[i].with(self.fields[j]);
        while let (Some((at_i, rest_i)), Some((at_j, rest_j))) =
            (of_i.split_first(), of_j.split_first())
        {
            let (k, l) = (at_i.neighbour, at_j.neighbour);
            if k == l {
                let (sum, difference) = at_i.turn.with(at_j.turn);
                (plus, minus) = (plus * sum, minus * difference);
                (both_i, both_j) = (both_i * at_i.turn.cosine, both_j * at_j.turn.cosine);
                (of_i, of_j) = (rest_i, rest_j);
            } else if k < l {
                alone_i = alone_i.unless(k == j, at_i.turn.cosine);
                of_i = rest_i;
            } else {
                alone_j = alone_j.unless(l == i, at_j.turn.cosine);
                of_j = rest_j;
            }
        }
        for left in of_i {
            alone_i = alone_i.unless(left.neighbour == j, left.turn.cosine);
        }
        for left in of_j {
            alone_j = alone_j.unless(left.neighbour == i, left.turn.cosine);
        }
        let b = sine * (alone_i * both_i + alone_j * both_j);
        let d = alone_i * alone_j * (minus - plus);
        (b.times(0.5), d.times(0.5))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
