//! What several test files share.

use ketscale_simulator::{Ansatz, Cost, InstructionSet, Mixer, Start};
use num_complex::Complex64;

/// The circuit on the instruction set that the environment variable `KETSCALE_TEST_ISA` names, otherwise on the machine's best.
pub fn ansatz<'a>(cost: &'a Cost, mixer: Mixer, start: &Start) -> Ansatz<'a> {
    let ansatz = Ansatz::new(cost, mixer, start).unwrap();
    let Ok(name) = std::env::var("KETSCALE_TEST_ISA") else {
        return ansatz;
    };
    let available = InstructionSet::available();
    let isa = available.iter().find(|isa| isa.name() == name);
    ansatz.with_instruction_set(*isa.unwrap_or_else(|| panic!("no {name} on this machine")))
}

/// B_k of one axis, from its definition.
pub fn axis_operator(mixer: Mixer, w: &[f64]) -> Vec<Vec<f64>> {
    let d = w.len();
    let near = |i: usize, j: usize| f64::from(u8::from(i.abs_diff(j) == 1));
    let entry = |i: usize, j: usize| match mixer {
        Mixer::Complete => 2.0 * w[i] * w[j] - f64::from(u8::from(i == j)),
        // 1 − (degree − adjacency).
        Mixer::Path if i == j => 1.0 - (0..d).map(|k| near(i, k)).sum::<f64>(),
        Mixer::Path => near(i, j),
        Mixer::Ring => f64::from(u8::from((i + 1) % d == j || (j + 1) % d == i)),
    };
    (0..d)
        .map(|i| (0..d).map(|j| entry(i, j)).collect())
        .collect()
}

/// `e^{-iβB}ψ` by the power series, in small steps.
pub fn exponential(b: &[Vec<f64>], beta: f64, psi: &[Complex64]) -> Vec<Complex64> {
    let steps = 16;
    let factor = Complex64::new(0.0, -beta / f64::from(steps));
    (0..steps).fold(psi.to_vec(), |psi, _| {
        let (mut sum, mut term) = (psi.clone(), psi);
        for k in 1..40 {
            term = b
                .iter()
                .map(|row| {
                    row.iter().zip(&term).map(|(b, x)| x * b).sum::<Complex64>() * factor
                        / f64::from(k)
                })
                .collect();
            sum.iter_mut()
                .zip(&term)
                .for_each(|(sum, term)| *sum += term);
        }
        sum
    })
}
