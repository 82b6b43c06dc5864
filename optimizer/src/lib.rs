//! Discrete optimisation by sampling: QAOA, simulated annealing, uniform sampling and plain enumeration on the same register.
//!
//! The question is always the same: a [`Register`] of axes with a few levels each, and a [`Cost`] of every basis state, to be minimised. The answers
//! are all [`Samples`]: distinct states by cost, with counts. So what a circuit is worth can be read beside what annealing, dice
//! and the table itself say.
//!
//! ```
//! use ketscale_optimizer::{Cost, Limits, Mixer, Register, anneal, enumerate, qaoa, search, uniform};
//!
//! let register = Register::new(&[4; 6])?;
//! let cost = Cost::from_fn(&register, |x| x.windows(2).map(|pair| ((pair[0] * 3 + pair[1]) as f64).sin()).sum())?;
//!
//! let found = search(&cost, Mixer::Complete, &cost.uniform_start(), &qaoa::Settings::default(), &Limits::none())?;
//! assert!(found.expectation < found.initial_expectation);
//!
//! let values = cost.values();
//! let table = |index: usize, _: &[usize]| values[index];
//! let annealed = anneal(&register, table, &anneal::Settings::default(), &Limits::none())?;
//! let thrown = uniform(&cost, 1024, 1);
//! let best = enumerate(&cost, 10);
//! for samples in [&found.samples, &annealed, &thrown] {
//!     assert!(samples.best() .is_some_and(|sample| sample.cost >= cost.min()));
//! }
//! assert_eq!(best.entries().len(), 10);
//! # Ok::<(), ketscale_optimizer::Error>(())
//! ```
//!
//! # Contents
//!
//! - [`model`]: QUBO, Ising and table models, and their file format as a parser over bytes;
//! - [`angles`]: where a search for angles starts;
//! - [`qaoa`]: the search itself, [`search`];
//! - [`first_layer`]: the circuit of one layer by its formulas, on [`Ising`] models of any size;
//! - [`recursive`](mod@recursive): recursive QAOA on them, for thousands of spins;
//! - [`anneal`](mod@anneal), [`uniform`], [`enumerate`]: what QAOA is compared with; [`greedy`](mod@greedy): what recursive QAOA is compared with.
//!
//! Conventions are the simulator's; see [`simulator`]. Nothing here reads files, clocks or the environment; seeds and [`Limits`] are
//! arguments.

#![forbid(unsafe_code)]

pub use ketscale_simulator as simulator;
pub use ketscale_simulator::{
    Angles, Cost, Limits, Mixer, Objective, Register, Start, Table, Term,
};

pub mod angles;
pub mod anneal;
pub mod first_layer;
pub mod greedy;
pub mod model;
pub mod qaoa;
pub mod recursive;

mod enumerate;
mod error;
mod ising;
mod parallel;
mod samples;
mod uniform;

pub use anneal::anneal;
pub use enumerate::enumerate;
pub use error::{Error, Fault};
pub use greedy::greedy;
pub use ising::Ising;
pub use model::Model;
pub use qaoa::search;
pub use recursive::recursive;
pub use samples::{Sample, Samples};
pub use uniform::uniform;
