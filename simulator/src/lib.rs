//! Statevector simulation of QAOA on mixed-radix registers.
//!
//! A cost operator C assigns a number to every basis state of a register. The quantum approximate optimisation algorithm (Farhi,
//! Goldstone and Gutmann, arXiv 1411.4028) prepares
//!
//! `|ψ⟩ = Π_{l=1..p} e^{-iβ_l B} e^{-iγ_l C} |w⟩`
//!
//! and samples it. This crate computes |ψ⟩ exactly, what it says about C, and the derivatives by all 2p angles.
//!
//! # From a cost to its best sample
//!
//! ```
//! use ketscale_simulator::{Angles, Ansatz, Cost, Limits, Mixer, Register};
//!
//! let register = Register::new(&[3, 4, 2])?;
//! let cost = Cost::from_fn(&register, |x| (x[0] as f64 - 2.0).powi(2) + (x[1] * x[2]) as f64)?;
//! let ansatz = Ansatz::new(&cost, Mixer::Complete, &cost.uniform_start())?;
//! let state = ansatz.evolve(&Angles::new(&[-0.2, -0.4], &[0.7, 0.4])?, &Limits::none())?;
//! assert!(state.expectation() < cost.mean());
//! let samples = state.sample(100, 7);
//! let best = samples.iter().map(|&(index, _)| cost.values()[index]).fold(f64::INFINITY, f64::min);
//! assert_eq!(best, cost.min());
//! # Ok::<(), ketscale_simulator::Error>(())
//! ```
//!
//! # Conventions
//!
//! - **Digits.** Axis k has `d_k ≥ 2` levels, axis 0 varies fastest; a qubit is an axis with two levels. The basis state with digits
//!   `x_k` has the index `Σ x_k · Π_{j<k} d_j`, and the register N = Π d_k states.
//! - **Angles.** Radians, layer 1 first, no hidden ½: the phase is `e^{-iγC}`, and on a uniform qubit the mixer is `e^{-iβX}`.
//! - **Minimised.** C is made small. Tables of angles made for maximisation enter with −γ.
//! - **Spins.** z = 1 − 2b: level 0 is +1.
//! - **Minimum** means `C ≤ C_min + 1e-9 · max(1, C_max − C_min)`.
//! - **CVaR_α** `= q + ⟨min(C − q, 0)⟩/α` with q the α-quantile, so the boundary level counts fractionally.
//! - **Memory.** The amplitudes take 16 bytes a state, in single precision 8, and a gradient as much again. A cost that couples at most
//!   two axes at a time takes next to nothing, any other 8 bytes a state. [`estimate`] says so beforehand; what exceeds the
//!   register's limit is refused.
//! - **Precision.** Amplitudes are `f64`, or `f32` with [`Ansatz::in_single_precision`]; sums are always taken in `f64`.
//! - **Reproducible.** The same question gives the same bits on any number of threads and any instruction set.
//!
//! ```
//! use ketscale_simulator::{Angles, Ansatz, Cost, Limits, Mixer, Register, Term};
//!
//! // Axis 0 is fastest, and z = +1 on level 0.
//! let cost = Cost::from_terms(&Register::qubits(2)?, &[Term { variables: vec![0], coefficient: 1.0 }], 0.0)?;
//! assert_eq!(cost.values().as_ref(), [1.0, -1.0, 1.0, -1.0]);
//!
//! // With E = z of one qubit and one layer, ⟨E⟩ = sin 2β · sin 2γ.
//! let ansatz = Ansatz::new(&cost, Mixer::Complete, &cost.uniform_start())?;
//! let (gamma, beta) = (0.3_f64, 0.4_f64);
//! let state = ansatz.evolve(&Angles::new(&[gamma], &[beta])?, &Limits::none())?;
//! assert!((state.expectation() - (2.0 * beta).sin() * (2.0 * gamma).sin()).abs() < 1e-15);
//! # Ok::<(), ketscale_simulator::Error>(())
//! ```
//!
//! # Contents, in the order in which data flows
//!
//! [`Register`] → [`Cost`], [`Mixer`], [`Start`] → [`Ansatz`] with [`Angles`] and [`Limits`] → [`State`] and [`Gradient`] of an [`Objective`].
//! Inside, the `layout` cuts a register into groups of axes. A `pass` over memory does on one group what several layers want there: it
//! ends one layer's mixer with the `step`s of the group, applies the next layer's phase as the group's `diagonal` has it, and begins
//! that layer's mixer. The `kernels` work on one tile, written once over vectors of each instruction set. Rayon is named in
//! `parallel` alone, `unsafe` in `kernels` alone.

#![deny(unsafe_code)]

mod error;
mod limits;
mod parallel;

mod cost;
mod mixer;
mod objective;
mod register;
mod start;

mod angles;
mod ansatz;
mod estimate;
mod gradient;

mod aligned;
mod amplitudes;
mod diagonal;
mod kernels;
mod layout;
mod pass;
mod step;

mod quantile;
mod sample;
mod state;

pub use angles::Angles;
pub use ansatz::Ansatz;
pub use cost::{Cost, Table, Term};
pub use error::Error;
pub use estimate::{Estimate, estimate};
pub use gradient::Gradient;
pub use kernels::{InstructionSet, Number};
pub use limits::{Limits, Stopped};
pub use mixer::Mixer;
pub use objective::Objective;
pub use parallel::on_threads;
pub use register::{DEFAULT_MEMORY_BYTES, Register};
pub use start::Start;
pub use state::State;
