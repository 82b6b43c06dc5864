//! Instant queries to a Prometheus, or to anything that speaks its HTTP API, and what their answers are worth.
//!
//! The server is not trusted: it may be slow, endless, something else altogether, or out of date. A [`Client`] bounds time and
//! size and names address and query in every error; a [`Family`] tells a value from a gap.

mod client;
mod error;
mod family;
mod queries;
mod response;

pub use client::{Client, ClientSettings};
pub use error::{PrometheusError, QueryFailure};
pub(crate) use family::MISSING;
pub use family::{Family, Observation};
pub use queries::{Queries, QueriesError, Query, WorkloadQuery};
pub use response::Sample;
