//! A real Prometheus on loopback.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ketscale_service::prometheus::{Client, ClientSettings};
use ketscale_test_support::require;

use super::exporter::Exporter;

/// Range of the rates in these tests.
pub const WINDOW: &str = "10s";

/// Until the exporter has been scraped often enough; a machine under load needs longer, and the wait ends as soon as it can.
const PATIENCE: Duration = Duration::from_secs(240);

pub struct Prometheus {
    pub url: String,
    child: Child,
    _exporter: Exporter,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    /// One that has scraped an exporter for longer than [`WINDOW`]; `None` where there is no Prometheus.
    pub async fn start() -> Option<Self> {
        let prometheus = Self::spawn(None)?;
        prometheus.wait().await;
        Some(prometheus)
    }

    /// One that has only been started, with a file of its own for TLS and users.
    pub fn spawn(web_config: Option<&Path>) -> Option<Self> {
        let found = Command::new("prometheus")
            .arg("--version")
            .output()
            .is_ok_and(|output| output.status.success());
        if !require("prometheus", found) {
            return None;
        }
        let exporter = Exporter::start();
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n- job_name: cluster\n  honor_labels: true\n  static_configs: [{{targets: ['{}']}}]\n",
            exporter.address
        );
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("prometheus")
            .args(web_config.map(|file| format!("--web.config.file={}", file.display())))
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let scheme = if web_config.is_some() {
            "https"
        } else {
            "http"
        };
        Some(Self {
            url: format!("{scheme}://127.0.0.1:{port}"),
            child,
            _exporter: exporter,
            _folder: folder,
        })
    }

    pub fn client(&self) -> Client {
        Client::new(ClientSettings::new(&self.url)).unwrap()
    }

    async fn wait(&self) {
        let client = self.client();
        // Present, and ten samples in the window: then rates rest on all of it.
        let query = format!(
            "min(count_over_time(container_cpu_usage_seconds_total{{pod!=\"db-0\"}}[{WINDOW}])) >= 8"
        );
        let end = Instant::now() + PATIENCE;
        loop {
            let answer = client.query(&query, Timestamp::now()).await;
            if answer.as_ref().is_ok_and(|samples| !samples.is_empty()) {
                return;
            }
            assert!(
                Instant::now() < end,
                "Prometheus has not scraped: {answer:?}\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self._folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
