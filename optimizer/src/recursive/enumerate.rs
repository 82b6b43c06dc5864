//! The best spins of what a recursion leaves, by trying all.

use crate::Ising;
use crate::greedy::against;
use ketscale_simulator::{Limits, Stopped};

/// Energies that one work unit pays for, and between two looks at the limits.
const ENERGIES_PER_UNIT: u64 = 1 << 20;

/// The spins of least energy. Coupled spins are enumerated in the order of a Gray code, one flip a step; others stand against
/// their field.
pub(super) fn best(model: &Ising, limits: &Limits) -> Result<Vec<i8>, Stopped> {
    let mut spins: Vec<i8> = model.fields().iter().map(|&field| against(field)).collect();
    let coupled: Vec<usize> = (0..model.variables())
        .filter(|&i| !model.couplings()[i].is_empty())
        .collect();
    coupled.iter().for_each(|&i| spins[i] = 1);
    let mut least = (0.0, 0_u64);
    let mut energy = 0.0;
    for step in 1..1_u64 << coupled.len() {
        if step % ENERGIES_PER_UNIT == 1 {
            limits.spend(1)?;
        }
        let i = coupled[step.trailing_zeros() as usize];
        energy -= 2.0 * f64::from(spins[i]) * model.local_field(i, &spins);
        spins[i] = -spins[i];
        if energy < least.0 {
            least = (energy, step);
        }
    }
    // The step's place in the Gray code says which spins were down.
    let down = least.1 ^ (least.1 >> 1);
    for (bit, &i) in coupled.iter().enumerate() {
        spins[i] = if down >> bit & 1 == 1 { -1 } else { 1 };
    }
    Ok(spins)
}
