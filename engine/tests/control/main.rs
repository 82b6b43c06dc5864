//! The control loop from outside: what it follows, what it holds, what it does without metrics.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/random_problem.rs"]
mod random_problem;

mod acting;
mod failure;
mod follow;
mod machine;
mod score;
mod settings;
mod spend;
mod world;
