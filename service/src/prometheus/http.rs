//! The HTTP client with its certificates, made anew when one of their files changes.

use std::error::Error;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use reqwest::{Certificate, Identity, redirect};

use super::connection::{Connection, TlsConfig, duration};

/// Largest file with certificates or a key; the roots of a whole machine are 300 KiB.
const MAX_PEM_BYTES: u64 = 4 << 20;

/// Why there is no client: the key of the settings, or none where it is the machine, and the reason.
pub(super) type Refusal = (Option<&'static str>, String);

/// A client for one server.
pub(super) struct Http {
    connection: Connection,
    encrypted: bool,
    made: Mutex<Made>,
}

/// A client, and when the files that it was made of had been changed last.
struct Made {
    client: reqwest::Client,
    changed: [Option<SystemTime>; 3],
}

impl Http {
    pub(super) fn new(connection: &Connection, encrypted: bool) -> Result<Self, Refusal> {
        let made = Made {
            changed: changed(&connection.tls_config),
            client: build(connection, encrypted)?,
        };
        Ok(Self {
            connection: connection.clone(),
            encrypted,
            made: Mutex::new(made),
        })
    }

    /// The client of now. While a certificate is being replaced its key may not fit yet: then the client of before goes on.
    pub(super) fn client(&self) -> reqwest::Client {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = changed(&self.connection.tls_config);
        if changed != made.changed {
            match build(&self.connection, self.encrypted) {
                Ok(client) => *made = Made { client, changed },
                Err((key, reason)) => tracing::warn!(
                    key,
                    reason,
                    "changed certificates cannot be used; those of before are kept"
                ),
            }
        }
        made.client.clone()
    }
}

/// When each of the files was changed last.
fn changed(tls: &TlsConfig) -> [Option<SystemTime>; 3] {
    [&tls.ca_file, &tls.cert_file, &tls.key_file].map(|file| {
        let file = file.as_ref()?;
        std::fs::metadata(file).ok()?.modified().ok()
    })
}

fn build(connection: &Connection, encrypted: bool) -> Result<reqwest::Client, Refusal> {
    let mut builder = reqwest::Client::builder()
        .connect_timeout(duration(connection.connect_timeout_seconds))
        .timeout(duration(connection.timeout_seconds))
        .redirect(redirect::Policy::none())
        // A Prometheus stands in the same network; a proxy from the environment would be a surprise.
        .no_proxy()
        .user_agent(concat!("ketscale/", env!("CARGO_PKG_VERSION")));
    let tls = &connection.tls_config;
    if !encrypted {
        let files = [
            ("tls_config.ca_file", &tls.ca_file),
            ("tls_config.cert_file", &tls.cert_file),
        ];
        if let Some((key, _)) = files.into_iter().find(|(_, file)| file.is_some()) {
            return Err((
                Some(key),
                "is of no use without encryption: the address begins with http://".to_owned(),
            ));
        }
        // Without TLS no root certificates are needed, and a minimal container image has none.
        builder = builder.tls_certs_only([]);
    }
    if let Some(file) = &tls.ca_file {
        builder = builder.tls_certs_only(authorities(file)?);
    }
    if let (Some(certificate), Some(key)) = (&tls.cert_file, &tls.key_file) {
        builder = builder.identity(identity(certificate, key)?);
    }
    builder.build().map_err(|error| (None, chain(&error)))
}

fn authorities(file: &Path) -> Result<Vec<Certificate>, Refusal> {
    let key = "tls_config.ca_file";
    let certificates = Certificate::from_pem_bundle(&pem(key, file)?)
        .map_err(|error| refusal(key, file, chain(&error)))?;
    if certificates.is_empty() {
        return Err(refusal(key, file, "holds no certificate in PEM".to_owned()));
    }
    Ok(certificates)
}

fn identity(certificate: &Path, key: &Path) -> Result<Identity, Refusal> {
    let name = "tls_config.cert_file";
    let mut both = pem(name, certificate)?;
    both.push(b'\n');
    both.extend(pem("tls_config.key_file", key)?);
    Identity::from_pem(&both).map_err(|error| refusal(name, certificate, chain(&error)))
}

fn pem(key: &'static str, file: &Path) -> Result<Vec<u8>, Refusal> {
    let size = std::fs::metadata(file).map_err(|error| refusal(key, file, error.to_string()))?;
    if size.len() > MAX_PEM_BYTES {
        let reason = format!("is larger than {MAX_PEM_BYTES} bytes");
        return Err(refusal(key, file, reason));
    }
    std::fs::read(file).map_err(|error| refusal(key, file, error.to_string()))
}

fn refusal(key: &'static str, file: &Path, reason: String) -> Refusal {
    (Some(key), format!("{}: {reason}", file.display()))
}

/// An error with its causes, without the address that reqwest repeats in it (which may hold credentials).
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut causes: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    causes.dedup();
    if causes.is_empty() {
        "the request failed".to_owned()
    } else {
        causes.join(": ")
    }
}
