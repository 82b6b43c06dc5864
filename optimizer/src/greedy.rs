//! Greedy construction and single flips: what recursive QAOA is compared with.

use crate::{Error, Ising};
use ketscale_simulator::{Limits, Stopped};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A flip has to gain more than this share of what its spin's terms weigh, so that rounding turns no spin forth and back.
const LEAST_GAIN: f64 = 1e-12;
/// Couplings that one work unit pays for.
const COUPLINGS_PER_UNIT: u64 = 1 << 20;

/// Spins of an [`Ising`] model.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// One spin ±1 a variable.
    pub spins: Vec<i8>,
    /// Their energy, computed from the model's terms.
    pub cost: f64,
    /// Why the search ended.
    pub status: Status,
}

/// Why a search on an Ising model ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It came to its end.
    Complete,
    /// The work units ran out; the same limit ends the same way on every machine.
    WorkLimit,
    /// The caller raised the stop flag.
    Stopped,
}

impl From<Stopped> for Status {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Flag => Self::Stopped,
            Stopped::Work { .. } => Self::WorkLimit,
        }
    }
}

/// Sets one spin after the other, always the one that those before it and its field determine most strongly, against its local field; then
/// flips single spins in their order until no flip lowers the energy.
///
/// A pass over 2^20 couplings is one work unit.
///
/// # Errors
/// Limits that end the run before there is an assignment.
pub fn greedy(ising: &Ising, limits: &Limits) -> Result<Solution, Error> {
    if limits.spend(units(ising)).is_err() {
        return Err(Error::NothingEvaluated);
    }
    let mut spins = construct(ising);
    let status = descend(ising, &mut spins, limits);
    Ok(Solution {
        cost: ising.sum(&spins),
        spins,
        status,
    })
}

/// Work units of one pass over the couplings.
pub(crate) fn units(ising: &Ising) -> u64 {
    (ising.entries() as u64).div_ceil(COUPLINGS_PER_UNIT).max(1)
}

/// A spin by how strongly it is determined, then by how much it will determine, then by its index.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    strength: f64,
    weight: f64,
    spin: usize,
}

impl Eq for Candidate {}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.strength
            .total_cmp(&other.strength)
            .then(self.weight.total_cmp(&other.weight))
            .then(other.spin.cmp(&self.spin))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The greedy assignment.
pub(crate) fn construct(ising: &Ising) -> Vec<i8> {
    let mut spins = vec![0_i8; ising.variables()];
    let mut local = ising.fields().to_vec();
    let weights: Vec<f64> = (0..spins.len()).map(|spin| ising.weight(spin)).collect();
    let candidate = |spin: usize, field: f64| Candidate {
        strength: field.abs(),
        weight: weights[spin],
        spin,
    };
    let mut queue: BinaryHeap<Candidate> = (0..spins.len())
        .map(|spin| candidate(spin, local[spin]))
        .collect();
    while let Some(Candidate { spin, strength, .. }) = queue.pop() {
        // A spin stands in the queue once for each local field that it ever had.
        if spins[spin] != 0 || strength != local[spin].abs() {
            continue;
        }
        spins[spin] = against(local[spin]);
        for &(k, j) in &ising.couplings()[spin] {
            if spins[k] == 0 {
                local[k] += j * f64::from(spins[spin]);
                queue.push(candidate(k, local[k]));
            }
        }
    }
    spins
}

/// The spin that a local field favours, +1 where there is none.
pub(crate) fn against(field: f64) -> i8 {
    if field > 0.0 { -1 } else { 1 }
}

/// Flips single spins until no flip lowers the energy.
pub(crate) fn descend(ising: &Ising, spins: &mut [i8], limits: &Limits) -> Status {
    loop {
        if let Err(stopped) = limits.spend(units(ising)) {
            return stopped.into();
        }
        let mut flipped = false;
        for i in 0..spins.len() {
            if gains(ising, spins, i) {
                spins[i] = -spins[i];
                flipped = true;
            }
        }
        if !flipped {
            return Status::Complete;
        }
    }
}

/// Whether flipping a spin lowers the energy, by more than rounding.
pub(crate) fn gains(ising: &Ising, spins: &[i8], i: usize) -> bool {
    2.0 * f64::from(spins[i]) * ising.local_field(i, spins) > LEAST_GAIN * ising.weight(i)
}
