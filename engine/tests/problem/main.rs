//! Reading, checking and completing problem files: what is right, and everything that is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod any_bytes;
mod changing;
mod completing;
mod example;
mod meaning;
mod refusals;
mod schema;
mod spelling;
mod text;
