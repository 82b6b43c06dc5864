//! What can go wrong between us and a Prometheus.

use std::time::Duration;

/// Why a Prometheus gave no usable answer. Addresses are shown without credentials.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PrometheusError {
    /// The address is not one.
    #[error(
        "{url:?} is not the address of a Prometheus: {reason}; expected something like http://prometheus:9090"
    )]
    Address {
        /// As the user wrote it, without a password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client could not be made, for example because the machine has no root certificates.
    #[error("no HTTP client for {url}: {reason}")]
    Setup {
        /// The address.
        url: String,
        /// The cause.
        reason: String,
    },
    /// A query failed.
    #[error("{url}: {failure}\n  query: {query}")]
    Query {
        /// The address of the query endpoint.
        url: String,
        /// The query in full.
        query: String,
        /// What happened.
        failure: QueryFailure,
    },
}

/// What happened to a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryFailure {
    /// No connection: refused, unknown host, TLS.
    #[error("cannot connect: {reason}")]
    Unreachable {
        /// The cause.
        reason: String,
    },
    /// No complete answer in time.
    #[error("no complete answer within {} s", limit.as_secs_f64())]
    Timeout {
        /// The limit.
        limit: Duration,
    },
    /// The connection broke before the answer was complete.
    #[error("the answer broke off: {reason}")]
    Interrupted {
        /// The cause.
        reason: String,
    },
    /// The answer is larger than we take.
    #[error("the answer is larger than {limit_bytes} bytes and was cut off")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// A redirect, which is not followed: credentials could go astray, and it is often a login page.
    #[error(
        "answers with a redirect ({code}) to {to:?}, which is not followed; give the final address"
    )]
    Redirect {
        /// HTTP status.
        code: u16,
        /// The `Location` header.
        to: String,
    },
    /// An HTTP error without Prometheus' own explanation.
    #[error("answers HTTP {code}: {start:?}")]
    Http {
        /// HTTP status.
        code: u16,
        /// How the body begins.
        start: String,
    },
    /// Prometheus itself refused the query.
    #[error("Prometheus refuses the query ({kind}, HTTP {code}): {message}")]
    Refused {
        /// HTTP status.
        code: u16,
        /// Its `errorType`, such as `bad_data`.
        kind: String,
        /// Its `error`.
        message: String,
    },
    /// The body is not Prometheus' JSON.
    #[error(
        "this is not Prometheus' API ({reason}); content type {content_type:?}, the answer begins {start:?}"
    )]
    NotPrometheus {
        /// The `Content-Type` header.
        content_type: String,
        /// How the body begins.
        start: String,
        /// Why it could not be read.
        reason: String,
    },
    /// The query gave something else than an instant vector.
    #[error("the query gives a {found}; expected an instant vector")]
    ResultType {
        /// Prometheus' `resultType`.
        found: String,
    },
    /// The answer may be incomplete, or the query doubtful, as Prometheus itself says.
    #[error("Prometheus warns, and an incomplete answer is not used: {}", warnings.join("; "))]
    Warnings {
        /// Its warnings.
        warnings: Vec<String>,
    },
}
