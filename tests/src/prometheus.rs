//! A real Prometheus on loopback that can be stopped and started again with the data it has.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ketscale_service::prometheus::{Client, ClientSettings};
use ketscale_test_support::require;

/// Scrapes in the range of a rate.
const SCRAPES_IN_WINDOW: u32 = 5;

/// Until enough has been scraped, beside the time that it takes; a machine under load needs longer, and the wait ends as soon as it can.
const PATIENCE: Duration = Duration::from_secs(240);

/// A Prometheus that is killed when dropped.
pub struct Prometheus {
    /// Where it listens.
    pub address: SocketAddr,
    scrape_seconds: u32,
    child: Child,
    folder: tempfile::TempDir,
}

impl Prometheus {
    /// One that has scraped a target for long enough for rates; `None` where there is no Prometheus.
    pub async fn start(target: SocketAddr, scrape_seconds: u32) -> Option<Self> {
        let version = Command::new("prometheus").arg("--version").output();
        if !require(
            "prometheus",
            version.is_ok_and(|output| output.status.success()),
        ) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "global: {{scrape_interval: {scrape_seconds}s, scrape_timeout: {scrape_seconds}s}}\nscrape_configs:\n- job_name: cluster\n  honor_labels: true\n  static_configs: [{{targets: ['{target}']}}]\n"
        );
        std::fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let prometheus = Self {
            child: spawn(&folder, address),
            address,
            scrape_seconds,
            folder,
        };
        prometheus.wait().await;
        Some(prometheus)
    }

    /// Range of the rates to ask it for.
    pub fn window(&self) -> String {
        format!("{}s", SCRAPES_IN_WINDOW * self.scrape_seconds)
    }

    /// Ends it, as a crash would.
    pub fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on its data, and waits until it has scraped enough.
    pub async fn start_again(&mut self) {
        self.child = spawn(&self.folder, self.address);
        self.wait().await;
    }

    async fn wait(&self) {
        let client = Client::new(ClientSettings::new(format!("http://{}", self.address))).unwrap();
        let (window, enough) = (self.window(), SCRAPES_IN_WINDOW - 1);
        let query = format!("min(count_over_time(istio_requests_total[{window}])) >= {enough}");
        let scraping = Duration::from_secs(u64::from(SCRAPES_IN_WINDOW * self.scrape_seconds));
        let end = Instant::now() + scraping + PATIENCE;
        loop {
            let answer = client.query(&query, Timestamp::now()).await;
            if answer.as_ref().is_ok_and(|samples| !samples.is_empty()) {
                return;
            }
            let log =
                || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(
                Instant::now() < end,
                "Prometheus has not scraped: {answer:?}\n{}",
                log()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn spawn(folder: &tempfile::TempDir, address: SocketAddr) -> Child {
    let at = |name: &str| folder.path().join(name).display().to_string();
    let log = std::fs::File::create(at("log")).unwrap();
    Command::new("prometheus")
        .arg(format!("--config.file={}", at("prometheus.yml")))
        .arg(format!("--storage.tsdb.path={}", at("data")))
        .arg(format!("--web.listen-address={address}"))
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
