//! How a Prometheus is reached: the section `connection` of the query settings.
//!
//! Secrets are named by file only, so that no settings file, error or log holds one. The names of the keys are those of the HTTP
//! section of Prometheus' own configuration
//! (<https://prometheus.io/docs/prometheus/latest/configuration/configuration/#http_config>).

use std::path::PathBuf;
use std::time::Duration;

use backon::ExponentialBuilder;
use serde::{Deserialize, Serialize};

/// Credentials, TLS, limits and retries. A key that is left out keeps its default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connection {
    /// A file whose content is sent as `Authorization: Bearer`; read anew for every request, so that a rotated token is used at once.
    /// Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bearer_token_file: Option<PathBuf>,
    /// Basic authentication. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuth>,
    /// Certificates. Default: the machine's roots, and no certificate of our own.
    pub tls_config: TlsConfig,
    /// Longest time to connect, in seconds. Default 5.
    pub connect_timeout_seconds: f64,
    /// Longest time from a request to the last byte of its answer, in seconds. Default 30.
    pub timeout_seconds: f64,
    /// Largest answer in bytes, decompressed. Default 67,108,864 (64 MiB).
    pub max_response_bytes: usize,
    /// Most queries under way at a time. Default 4: a Prometheus runs twenty, and others use it too.
    pub max_concurrent_queries: usize,
    /// What is tried again, and for how long.
    pub retries: Retries,
}

/// A user and the file with the password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// The user's name.
    pub username: String,
    /// The file with the password; read anew for every request.
    pub password_file: PathBuf,
}

/// PEM files for TLS; read anew when one of them changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// Certificates of the authorities that are trusted in place of the machine's. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The client's certificate, followed by those that lead to its authority. Default none; needs `key_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cert_file: Option<PathBuf>,
    /// The key of the client's certificate. Default none; needs `cert_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
}

/// Retries of what may succeed a moment later: nobody there, an answer that breaks off or takes too long, and HTTP 429, 502, 503
/// and 504. The pause doubles each time and has a random part, so that many clients do not come back at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retries {
    /// Most tries after the first. Default 3; 0 for none.
    pub max_retries: usize,
    /// First pause, in seconds; the random part adds up to as much again. Default 0.2.
    pub first_pause_seconds: f64,
    /// Longest pause, in seconds. Default 5.
    pub max_pause_seconds: f64,
    /// Longest time for all tries of a query together, in seconds. Default 60.
    pub max_total_seconds: f64,
}

impl Default for Connection {
    fn default() -> Self {
        Self {
            bearer_token_file: None,
            basic_auth: None,
            tls_config: TlsConfig::default(),
            connect_timeout_seconds: 5.0,
            timeout_seconds: 30.0,
            max_response_bytes: 64 << 20,
            max_concurrent_queries: 4,
            retries: Retries::default(),
        }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            max_retries: 3,
            first_pause_seconds: 0.2,
            max_pause_seconds: 5.0,
            max_total_seconds: 60.0,
        }
    }
}

/// Longest time that a setting may name: a day, in seconds.
const MAX_SECONDS: f64 = 86_400.0;

impl Connection {
    /// What contradicts itself or is out of range: the key below `connection`, and what is wrong with it.
    pub fn mistakes(&self) -> Vec<(&'static str, String)> {
        let mut mistakes = Vec::new();
        for (key, seconds) in self.times() {
            if !(seconds > 0.0 && seconds <= MAX_SECONDS) {
                let reason = format!("{seconds} is not above 0 and at most {MAX_SECONDS}");
                mistakes.push((key, reason));
            }
        }
        for (key, count) in [
            ("max_response_bytes", self.max_response_bytes),
            ("max_concurrent_queries", self.max_concurrent_queries),
        ] {
            if count == 0 {
                mistakes.push((key, "0 is not above 0".to_owned()));
            }
        }
        if self.bearer_token_file.is_some() && self.basic_auth.is_some() {
            let reason = "stands beside basic_auth; a request carries one of the two";
            mistakes.push(("bearer_token_file", reason.to_owned()));
        }
        if self
            .basic_auth
            .as_ref()
            .is_some_and(|basic| basic.username.is_empty() || basic.username.contains(':'))
        {
            let reason = "is empty or contains a colon, which ends a user name";
            mistakes.push(("basic_auth.username", reason.to_owned()));
        }
        match (&self.tls_config.cert_file, &self.tls_config.key_file) {
            (Some(_), None) => mistakes.push(("tls_config.cert_file", "needs key_file".to_owned())),
            (None, Some(_)) => mistakes.push(("tls_config.key_file", "needs cert_file".to_owned())),
            _ => {}
        }
        mistakes
    }

    fn times(&self) -> [(&'static str, f64); 5] {
        let retries = &self.retries;
        [
            ("connect_timeout_seconds", self.connect_timeout_seconds),
            ("timeout_seconds", self.timeout_seconds),
            ("retries.first_pause_seconds", retries.first_pause_seconds),
            ("retries.max_pause_seconds", retries.max_pause_seconds),
            ("retries.max_total_seconds", retries.max_total_seconds),
        ]
    }
}

impl Retries {
    /// The pauses between tries.
    pub(super) fn pauses(&self) -> ExponentialBuilder {
        ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(duration(self.first_pause_seconds))
            .with_max_delay(duration(self.max_pause_seconds))
            .with_max_times(self.max_retries)
    }
}

/// Seconds as a duration; what is no time is none.
pub(super) fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(Connection::default().mistakes(), []);
    }

    #[test]
    fn every_contradiction_is_told() {
        let connection = Connection {
            bearer_token_file: Some("token".into()),
            basic_auth: Some(BasicAuth {
                username: "a:b".to_owned(),
                password_file: "password".into(),
            }),
            tls_config: TlsConfig {
                cert_file: Some("cert.pem".into()),
                ..TlsConfig::default()
            },
            timeout_seconds: f64::NAN,
            max_response_bytes: 0,
            ..Connection::default()
        };
        let keys: Vec<&str> = connection.mistakes().iter().map(|(key, _)| *key).collect();
        assert_eq!(
            keys,
            [
                "timeout_seconds",
                "max_response_bytes",
                "bearer_token_file",
                "basic_auth.username",
                "tls_config.cert_file"
            ]
        );
    }
}
