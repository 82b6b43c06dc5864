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
    /// The settings of the connection contradict each other, or a file of certificates cannot be used.
    #[error("{url}: connection.{key}: {reason}")]
    Connection {
        /// The address.
        url: String,
        /// The key of the settings, such as `tls_config.ca_file`.
        key: &'static str,
        /// What is wrong, with the file's name.
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
    /// What was asked for is no range of times.
    #[error("not a range of times: {reason}")]
    Range {
        /// What is wrong with it.
        reason: String,
    },
    /// A query failed.
    #[error("{url}: {failure}{}\n  query: {query}", after(*attempts))]
    Query {
        /// The address of the query endpoint.
        url: Box<str>,
        /// The query in full.
        query: Box<str>,
        /// What happened, the last time that it was tried.
        failure: QueryFailure,
        /// How often it was tried; at least 1.
        attempts: u32,
    },
}

/// How often something was tried, where more than once.
fn after(attempts: u32) -> String {
    if attempts > 1 {
        format!(" (tried {attempts} times)")
    } else {
        String::new()
    }
}

/// What happened to a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryFailure {
    /// The file with the token or the password cannot be used; what is in it is never shown.
    #[error("no credentials from {file}: {reason}")]
    Credentials {
        /// The file's name.
        file: String,
        /// The cause.
        reason: String,
    },
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
    /// The query gave something else than was asked for.
    #[error("the query gives a {found}; expected {expected}")]
    ResultType {
        /// Prometheus' `resultType`.
        found: String,
        /// What was asked for, in words.
        expected: &'static str,
    },
    /// The answer may be incomplete, or the query doubtful, as Prometheus itself says.
    #[error("Prometheus warns, and an incomplete answer is not used: {}", warnings.join("; "))]
    Warnings {
        /// Its warnings.
        warnings: Vec<String>,
    },
}

impl QueryFailure {
    /// Whether the same query may be answered a moment later: nobody there, too slow, broken off, or a status that says so. What
    /// is wrong with the query or the credentials stays wrong.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Interrupted { .. } => true,
            Self::Http { code, .. } | Self::Refused { code, .. } => {
                matches!(code, 429 | 502 | 503 | 504)
            }
            Self::Credentials { .. }
            | Self::TooLarge { .. }
            | Self::Redirect { .. }
            | Self::NotPrometheus { .. }
            | Self::ResultType { .. }
            | Self::Warnings { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_worth_another_try() {
        let http = |code| QueryFailure::Http {
            code,
            start: String::new(),
        };
        for code in [429, 502, 503, 504] {
            assert!(http(code).may_pass(), "{code}");
        }
        for code in [400, 401, 403, 404, 422, 500, 501] {
            assert!(!http(code).may_pass(), "{code}");
        }
    }
}
