//! Sparse Ising models of any number of spins, without a register.

use crate::{Error, Model};
use ketscale_simulator::{Error as Refusal, Term};

/// A sum of two coefficients this much smaller than the larger of them is what rounding left of zero.
const CANCELLED: f64 = 1e-12;

/// `E(z) = Σ h_i z_i + Σ_{i<j} J_ij z_i z_j + offset` over spins z = ±1, to be minimised. Memory goes with the number of couplings, so
/// thousands of spins are no matter.
///
/// ```
/// use ketscale_optimizer::{Ising, Limits, Term, greedy};
///
/// // An antiferromagnetic triangle: no more than two of its three couplings can be satisfied.
/// let pair = |i, j| Term { variables: vec![i, j], coefficient: 1.0 };
/// let ising = Ising::new(3, &[pair(0, 1), pair(1, 2), pair(0, 2)], 0.0)?;
/// assert_eq!(greedy(&ising, &Limits::none())?.cost, -1.0);
/// # Ok::<(), ketscale_optimizer::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Ising {
    fields: Vec<f64>,
    /// Neighbours of every spin by ascending index, each coupling with both its spins, none of them zero.
    couplings: Vec<Vec<(usize, f64)>>,
    offset: f64,
}

/// A spin that was eliminated, with what it takes to undo that.
#[derive(Debug, Clone)]
pub(crate) struct Removed {
    /// The spin.
    pub(crate) spin: usize,
    field: f64,
    couplings: Vec<(usize, f64)>,
    others: Others,
}

/// What an elimination changed of other spins, as it was before.
#[derive(Debug, Clone)]
enum Others {
    /// Fields of the neighbours.
    Fixed { fields: Vec<f64> },
    /// Field and couplings of the spin that the other was tied to.
    Tied {
        j: usize,
        field: f64,
        couplings: Vec<(usize, f64)>,
    },
}

impl Removed {
    /// The spins that it was coupled with.
    pub(crate) fn neighbours(&self) -> impl Iterator<Item = usize> {
        self.couplings.iter().map(|&(k, _)| k)
    }
}

impl Ising {
    /// A polynomial of degree two in `variables` spins. Terms over the same spins add up.
    ///
    /// # Errors
    /// No variable; a term of three spins and more; one that names an unknown spin or one spin twice; numbers that are not
    /// finite, or whose sum is not.
    pub fn new(variables: usize, terms: &[Term], offset: f64) -> Result<Self, Error> {
        if variables == 0 {
            return Err(Refusal::NoAxes.into());
        }
        let mut ising = Self {
            fields: vec![0.0; variables],
            couplings: vec![Vec::new(); variables],
            offset,
        };
        for (position, term) in terms.iter().enumerate() {
            check(variables, position, term)?;
            match *term.variables {
                [] => ising.offset += term.coefficient,
                [i] => ising.fields[i] += term.coefficient,
                [i, j] => {
                    ising.couplings[i].push((j, term.coefficient));
                    ising.couplings[j].push((i, term.coefficient));
                }
                _ => return Err(too_many(position, term)),
            }
        }
        ising.couplings.iter_mut().for_each(merge);
        ising.check_sum()?;
        Ok(ising)
    }

    /// The Ising model of a model in spins, or in bits by b = (1 − z)/2.
    ///
    /// # Errors
    /// As [`Ising::new`], and a model in tables.
    pub fn from_model(model: &Model) -> Result<Self, Error> {
        match model {
            Model::Spin(model) => Self::new(model.variables, &model.terms, model.offset),
            Model::Binary(model) => {
                for (position, term) in model.terms.iter().enumerate() {
                    check(model.variables, position, term)?;
                    if term.variables.len() > 2 {
                        return Err(too_many(position, term));
                    }
                }
                let terms: Vec<Term> = model.terms.iter().flat_map(spins).collect();
                Self::new(model.variables, &terms, model.offset)
            }
            Model::Discrete { .. } => Err(Error::NotQuadratic {
                reason: "vartype: is \"DISCRETE\"".to_owned(),
            }),
        }
    }

    /// Number of spins.
    pub fn variables(&self) -> usize {
        self.fields.len()
    }

    /// The fields h.
    pub fn fields(&self) -> &[f64] {
        &self.fields
    }

    /// The couplings J of every spin with its neighbours, by ascending neighbour; each coupling stands with both its spins.
    pub fn couplings(&self) -> &[Vec<(usize, f64)>] {
        &self.couplings
    }

    /// The constant.
    pub fn offset(&self) -> f64 {
        self.offset
    }

    /// E of spins ±1.
    ///
    /// # Errors
    /// Another number of spins than the model has.
    pub fn energy(&self, spins: &[i8]) -> Result<f64, Error> {
        if spins.len() != self.variables() {
            return Err(Error::Simulator(Refusal::DigitsLength {
                expected: self.variables(),
                found: spins.len(),
            }));
        }
        Ok(self.sum(spins))
    }

    /// E of as many spins as there are.
    pub(crate) fn sum(&self, spins: &[i8]) -> f64 {
        let upper = |i: usize| self.couplings[i].iter().filter(move |&&(k, _)| k > i);
        let of = |(i, &z): (usize, &i8)| {
            let pairs: f64 = upper(i).map(|&(k, j)| j * f64::from(spins[k])).sum();
            f64::from(z) * (self.fields[i] + pairs)
        };
        spins.iter().enumerate().map(of).sum::<f64>() + self.offset
    }

    /// `h_i + Σ_k J_ik z_k`: half of what E loses when spin i turns from +1 to −1.
    pub(crate) fn local_field(&self, i: usize, spins: &[i8]) -> f64 {
        let pairs = self.couplings[i].iter();
        pairs.fold(self.fields[i], |sum, &(k, j)| sum + j * f64::from(spins[k]))
    }

    /// `|h_i| + Σ_k |J_ik|`.
    pub(crate) fn weight(&self, i: usize) -> f64 {
        self.couplings[i]
            .iter()
            .fold(self.fields[i].abs(), |sum, (_, j)| sum + j.abs())
    }

    /// Every coupling once: `(i, j, J_ij)` by ascending i < j.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize, f64)> {
        self.couplings.iter().enumerate().flat_map(|(i, of)| {
            let upper = of.iter().filter(move |&&(j, _)| j > i);
            upper.map(move |&(j, coupling)| (i, j, coupling))
        })
    }

    /// Couplings, each counted with both its spins.
    pub(crate) fn entries(&self) -> usize {
        self.couplings.iter().map(Vec::len).sum()
    }

    /// The same model with its largest coefficient between 1 and 2, and the power of two that it was divided by, so that no square overflows.
    pub(crate) fn normalised(&self) -> (Self, f64) {
        let couplings = self.couplings.iter().flatten().map(|&(_, j)| j);
        let all = self.fields.iter().copied().chain(couplings);
        let largest = all.fold(0.0, |largest: f64, value| largest.max(value.abs()));
        if largest == 0.0 {
            return (self.clone(), 1.0);
        }
        // Within what is a number on both sides of the division.
        let scale = largest.log2().floor().clamp(-1022.0, 1022.0).exp2();
        let mut model = self.clone();
        model.offset /= scale;
        model.fields.iter_mut().for_each(|h| *h /= scale);
        let couplings = model.couplings.iter_mut().flatten();
        couplings.for_each(|(_, j)| *j /= scale);
        (model, scale)
    }

    /// Puts `z_i = sign` in: spin i is left without field and couplings.
    pub(crate) fn fix(&mut self, i: usize, sign: f64) -> Removed {
        let field = std::mem::take(&mut self.fields[i]);
        self.offset += sign * field;
        let couplings = std::mem::take(&mut self.couplings[i]);
        let fields = couplings.iter().map(|&(k, _)| self.fields[k]).collect();
        for &(k, j) in &couplings {
            self.detach(k, i);
            self.fields[k] = add(self.fields[k], sign * j);
        }
        Removed {
            spin: i,
            field,
            couplings,
            others: Others::Fixed { fields },
        }
    }

    /// Puts `z_i = sign · z_j` in: spin i is left without field and couplings.
    pub(crate) fn tie(&mut self, i: usize, j: usize, sign: f64) -> Removed {
        let field = std::mem::take(&mut self.fields[i]);
        let couplings = std::mem::take(&mut self.couplings[i]);
        let others = Others::Tied {
            j,
            field: self.fields[j],
            couplings: self.couplings[j].clone(),
        };
        self.fields[j] = add(self.fields[j], sign * field);
        for &(k, coupling) in &couplings {
            self.detach(k, i);
            if k == j {
                self.offset += sign * coupling;
            } else {
                self.couple(j, k, sign * coupling);
                self.couple(k, j, sign * coupling);
            }
        }
        Removed {
            spin: i,
            field,
            couplings,
            others,
        }
    }

    /// Undoes the last elimination that is not undone yet, but for the offset.
    pub(crate) fn restore(&mut self, removed: Removed) {
        let i = removed.spin;
        match removed.others {
            Others::Fixed { fields } => {
                for (&(k, _), field) in removed.couplings.iter().zip(fields) {
                    self.fields[k] = field;
                }
            }
            Others::Tied {
                j,
                field,
                couplings,
            } => {
                self.fields[j] = field;
                for &(k, _) in removed.couplings.iter().filter(|&&(k, _)| k != j) {
                    self.detach(k, j);
                    if let Ok(at) = couplings.binary_search_by_key(&k, |&(spin, _)| spin) {
                        self.couple(k, j, couplings[at].1);
                    }
                }
                // With i among them: both lists are of the time before.
                self.couplings[j] = couplings;
                self.detach(j, i);
            }
        }
        for &(k, coupling) in &removed.couplings {
            self.couple(k, i, coupling);
        }
        self.fields[i] = removed.field;
        self.couplings[i] = removed.couplings;
    }

    fn detach(&mut self, k: usize, i: usize) {
        if let Ok(at) = self.couplings[k].binary_search_by_key(&i, |&(spin, _)| spin) {
            self.couplings[k].remove(at);
        }
    }

    fn couple(&mut self, i: usize, k: usize, coupling: f64) {
        let of_i = &mut self.couplings[i];
        match of_i.binary_search_by_key(&k, |&(spin, _)| spin) {
            Ok(at) => {
                of_i[at].1 = add(of_i[at].1, coupling);
                if of_i[at].1 == 0.0 {
                    of_i.remove(at);
                }
            }
            Err(at) => of_i.insert(at, (k, coupling)),
        }
    }

    /// Refuses a model whose energies are no finite numbers.
    fn check_sum(&self) -> Result<(), Error> {
        let weights = (0..self.variables()).map(|i| self.weight(i));
        let most = weights.fold(self.offset.abs(), |sum, weight| sum + weight);
        if most.is_finite() {
            return Ok(());
        }
        Err(Error::Simulator(Refusal::CostRange {
            min: -most,
            max: most,
        }))
    }
}

/// The sum of two coefficients, zero where they cancel but for rounding.
fn add(a: f64, b: f64) -> f64 {
    let sum = a + b;
    if sum.abs() <= CANCELLED * a.abs().max(b.abs()) {
        0.0
    } else {
        sum
    }
}

/// Sorts a spin's couplings and adds up those with the same neighbour, in the order of the terms.
fn merge(couplings: &mut Vec<(usize, f64)>) {
    couplings.sort_by_key(|&(k, _)| k);
    couplings.dedup_by(|later, first| {
        let same = later.0 == first.0;
        first.1 += if same { later.1 } else { 0.0 };
        same
    });
    couplings.retain(|&(_, j)| j != 0.0);
    couplings.shrink_to_fit();
}

fn check(variables: usize, position: usize, term: &Term) -> Result<(), Error> {
    if !term.coefficient.is_finite() {
        return Err(Error::Simulator(Refusal::NotFinite {
            what: "coefficient",
            position,
            value: term.coefficient,
        }));
    }
    if let Some(&variable) = term.variables.iter().find(|&&i| i >= variables) {
        return Err(Error::Simulator(Refusal::VariableOutOfRange {
            term: position,
            variable,
            axes: variables,
        }));
    }
    match *term.variables {
        [i, j] if i == j => Err(Error::Simulator(Refusal::RepeatedVariable {
            term: position,
            variable: i,
        })),
        _ => Ok(()),
    }
}

fn too_many(position: usize, term: &Term) -> Error {
    Error::NotQuadratic {
        reason: format!("terms[{position}] has {} variables", term.variables.len()),
    }
}

/// A product of at most two bits, each (1 − z)/2, as terms in spins.
fn spins(term: &Term) -> Vec<Term> {
    let share = term.coefficient / f64::powi(2.0, term.variables.len() as i32);
    let one = |variables: &[usize]| Term {
        variables: variables.to_vec(),
        coefficient: match variables.len() % 2 {
            0 => share,
            _ => -share,
        },
    };
    match *term.variables {
        [i, j] => vec![one(&[]), one(&[i]), one(&[j]), one(&[i, j])],
        [i] => vec![one(&[]), one(&[i])],
        _ => vec![one(&[])],
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
