//! A real Prometheus that wants TLS, a certificate of the client and a password.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ketscale_service::prometheus::{
    BasicAuth, Client, ClientSettings, Connection, PrometheusError, QueryFailure, Sample, TlsConfig,
};
use ketscale_test_support::require;

use super::prometheus::Prometheus;

/// `hunter2` as bcrypt hashes it.
const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuV3duMsC0HpUex6N9qapiuOHHWkwRXVm";

/// Until a Prometheus that has just been started answers.
const PATIENCE: Duration = Duration::from_secs(120);

/// An authority with a server's and a client's certificate, and another authority.
struct Certificates {
    folder: tempfile::TempDir,
}

impl Certificates {
    fn make() -> Self {
        let made = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for name in ["ca", "other"] {
            made.openssl(&format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={name} -keyout {name}.key -out {name}.pem"
            ));
        }
        std::fs::write(made.path("server.ext"), "subjectAltName=IP:127.0.0.1").unwrap();
        std::fs::write(made.path("client.ext"), "extendedKeyUsage=clientAuth").unwrap();
        for name in ["server", "client"] {
            made.openssl(&format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
            ));
            made.openssl(&format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile {name}.ext -out {name}.pem"
            ));
        }
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn openssl(&self, arguments: &str) {
        let output = Command::new("openssl")
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn web_config(&self) -> PathBuf {
        let file = self.path("web.yml");
        let config = format!(
            "tls_server_config: {{cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert}}\nbasic_auth_users: {{alice: '{HASH}'}}\n"
        );
        std::fs::write(&file, config).unwrap();
        file
    }

    /// What is accepted.
    fn connection(&self) -> Connection {
        Connection {
            basic_auth: Some(BasicAuth {
                username: "alice".to_owned(),
                password_file: self.path("password"),
            }),
            tls_config: TlsConfig {
                ca_file: Some(self.path("ca.pem")),
                cert_file: Some(self.path("client.pem")),
                key_file: Some(self.path("client.key")),
            },
            ..Connection::default()
        }
    }
}

fn client(url: &str, connection: Connection) -> Result<Client, PrometheusError> {
    Client::new(ClientSettings {
        url: url.to_owned(),
        connection,
    })
}

async fn ask(url: &str, connection: Connection) -> Result<Vec<Sample>, QueryFailure> {
    let answer = client(url, connection)
        .unwrap()
        .query("vector(1)", Timestamp::now())
        .await;
    answer.map_err(|error| match error {
        PrometheusError::Query { failure, .. } => failure,
        other => panic!("{other}"),
    })
}

#[tokio::test]
async fn certificates_and_a_password_open_the_door_and_nothing_less() {
    let there = |name: &str| Command::new(name).arg("version").output().is_ok();
    if !require("openssl", there("openssl")) {
        return;
    }
    let certificates = Certificates::make();
    std::fs::write(certificates.path("password"), "hunter2\n").unwrap();
    let Some(prometheus) = Prometheus::spawn(Some(&certificates.web_config())) else {
        return;
    };
    let url = &prometheus.url;
    let end = Instant::now() + PATIENCE;
    loop {
        match ask(url, certificates.connection()).await {
            Ok(samples) => {
                assert_eq!(samples[0].value, 1.0);
                break;
            }
            Err(failure) if failure.may_pass() && Instant::now() < end => {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(failure) => panic!("{failure}\n{}", prometheus.log()),
        }
    }
    refused(url, &certificates).await;
    rotated(url, &certificates).await;
}

async fn refused(url: &str, certificates: &Certificates) {
    let once = |connection: Connection| async {
        let mut connection = connection;
        connection.retries.max_retries = 0;
        ask(url, connection).await.unwrap_err()
    };
    let mut stranger = certificates.connection();
    stranger.tls_config.cert_file = None;
    stranger.tls_config.key_file = None;
    assert!(once(stranger).await.may_pass());
    let mut distrustful = certificates.connection();
    distrustful.tls_config.ca_file = Some(certificates.path("other.pem"));
    let failure = once(distrustful).await;
    assert!(
        matches!(&failure, QueryFailure::Unreachable { reason } if reason.contains("certificate")),
        "{failure}"
    );
    let mut unknown = certificates.connection();
    unknown.basic_auth = None;
    let failure = once(unknown).await;
    assert!(
        matches!(failure, QueryFailure::Http { code: 401, .. }),
        "{failure}"
    );
}

/// Certificates that change are used at once; half a change keeps those of before.
async fn rotated(url: &str, certificates: &Certificates) {
    // A copy, for the server reads its own anew as well.
    let file = certificates.path("trusted.pem");
    let good = std::fs::read(certificates.path("ca.pem")).unwrap();
    std::fs::write(&file, &good).unwrap();
    let mut connection = certificates.connection();
    connection.tls_config.ca_file = Some(file.clone());
    let client = client(url, connection).unwrap();
    let ask = || client.query("vector(1)", Timestamp::now());
    let write = |bytes: &[u8], hours: u64| {
        std::fs::write(&file, bytes).unwrap();
        // Two changes within a tick of the clock of files are still two.
        let time = std::time::SystemTime::now() + Duration::from_secs(3600 * hours);
        let opened = std::fs::File::options().append(true).open(&file).unwrap();
        opened.set_modified(time).unwrap();
    };
    write(b"no certificate", 1);
    assert!(ask().await.is_ok());
    write(&std::fs::read(certificates.path("other.pem")).unwrap(), 2);
    assert!(ask().await.is_err());
    write(&good, 3);
    assert!(ask().await.is_ok());
}

#[test]
fn files_that_are_no_certificates_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let refuse = |url: &str, tls_config: TlsConfig| {
        let connection = Connection {
            tls_config,
            ..Connection::default()
        };
        client(url, connection).unwrap_err().to_string()
    };
    let ca = |path: &Path| TlsConfig {
        ca_file: Some(path.to_owned()),
        ..TlsConfig::default()
    };
    let url = "https://127.0.0.1:1";
    let empty = refuse(url, ca(&file("empty.pem", "nothing")));
    assert!(
        empty.contains("tls_config.ca_file") && empty.contains("empty.pem"),
        "{empty}"
    );
    let missing = refuse(url, ca(&folder.path().join("missing.pem")));
    assert!(missing.contains("missing.pem"), "{missing}");
    let plain = refuse("http://127.0.0.1:1", ca(&file("ca.pem", "")));
    assert!(plain.contains("http://"), "{plain}");
    let half = refuse(
        url,
        TlsConfig {
            cert_file: Some(file("cert.pem", "")),
            key_file: Some(file("key.pem", "hunter2")),
            ..TlsConfig::default()
        },
    );
    assert!(
        half.contains("cert.pem") && !half.contains("hunter2"),
        "{half}"
    );
}
