//! Instant and range queries to a Prometheus, or to anything that speaks its HTTP API, and what their answers are worth.
//!
//! The server is not trusted: it may be slow, endless, something else altogether, or out of date. A [`Client`] bounds time and
//! size, tries again what may pass, and names address and query in every error; a [`Family`] tells a value from a gap.

mod client;
pub(crate) mod clock;
mod connection;
mod error;
mod family;
mod grid;
mod http;
mod queries;
mod response;
mod secret;
pub(crate) mod window;

pub use client::{Client, ClientSettings};
pub use clock::Moment;
pub use connection::{BasicAuth, Connection, Retries, TlsConfig};
pub use error::{PrometheusError, QueryFailure};
pub use family::{Family, Observation};
pub(crate) use family::{MISSING, usable};
pub use queries::{HistoryQuery, Queries, Query, WorkloadQuery};
pub use response::{RangeSeries, Sample};
