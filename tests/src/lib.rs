//! What the tests of the whole and the soak share: a fleet's exporter, a real Prometheus that scrapes it, and the real binary that plans
//! from that Prometheus.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot run is to fail where it cannot"
)]

mod exporter;
mod prometheus;
mod server;

pub use exporter::Exporter;
pub use prometheus::Prometheus;
pub use server::{How, Server, binary};
