//! The real binary under continuous planning, and clients of its two ports.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ketscale_proto::v1;
use ketscale_proto::v1::plan_service_client::PlanServiceClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::transport::Channel;

/// Until something has happened; a machine under load needs longer, and the wait ends as soon as it can.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a server is started with.
pub struct How<'a> {
    /// Where the store, the files below, the log and, if wanted, the snapshots are.
    pub folder: &'a Path,
    /// Address of the Prometheus.
    pub prometheus: &'a str,
    /// Name of the problem.
    pub name: &'a str,
    /// The problem file.
    pub problem: &'a str,
    /// The control settings.
    pub control: &'a str,
    /// The query settings.
    pub queries: &'a str,
    /// Seconds from one cycle to the next.
    pub every_seconds: f64,
    /// Whether snapshots are written.
    pub record: bool,
}

/// A server that is killed when dropped.
pub struct Server {
    child: Child,
    admin: String,
    problem: String,
    /// A client of it.
    pub client: PlanServiceClient<Channel>,
}

impl Server {
    /// Starts it on the store of its folder.
    pub async fn start(how: &How<'_>) -> Self {
        let folder = how.folder;
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("log"))
            .unwrap();
        let mut child = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .args(["--every", &how.every_seconds.to_string()])
            .args(["--prometheus", how.prometheus])
            .arg("--problem")
            .arg(file("problem.yaml", how.problem))
            .arg("--control")
            .arg(file("control.yaml", how.control))
            .arg("--queries")
            .arg(file("queries.yaml", how.queries))
            .arg("--store")
            .arg(folder.join("plans.sqlite"))
            .args(how.record.then_some("--record"))
            .args(how.record.then_some(folder))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = |prefix: &str| {
            let line = lines.next().and_then(Result::ok).unwrap_or_default();
            let told = line.strip_prefix(prefix).map(str::to_owned);
            told.unwrap_or_else(|| {
                panic!(
                    "{line:?} is not {prefix:?}; {}",
                    std::fs::read_to_string(folder.join("log")).unwrap()
                )
            })
        };
        let (listen, admin) = (line("listening on "), line("admin on "));
        let channel = Channel::from_shared(format!("http://{listen}"))
            .unwrap()
            .connect()
            .await
            .unwrap();
        Self {
            child,
            admin,
            problem: how.name.to_owned(),
            client: PlanServiceClient::new(channel).max_decoding_message_size(64 << 20),
        }
    }

    /// SIGKILL: no chance to write anything any more.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and whether the server ended by itself without a failure and in time.
    pub async fn terminate(mut self, patience: Duration) -> bool {
        let sent = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()));
        let end = Instant::now() + patience;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.success();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }

    /// The newest events first.
    pub async fn events(&mut self) -> Vec<v1::Event> {
        let request = v1::ListEventsRequest {
            problem: self.problem.clone(),
            page_size: 1000,
            ..Default::default()
        };
        self.client
            .list_events(request)
            .await
            .unwrap()
            .into_inner()
            .events
    }

    /// The number of the newest event.
    pub async fn last_event(&mut self) -> u64 {
        self.events().await.first().map_or(0, |event| event.number)
    }

    /// The first event after one that is of a kind and says something.
    pub async fn event(&mut self, after: u64, kind: &str, says: &str) -> v1::Event {
        let end = Instant::now() + PATIENCE;
        loop {
            let events = self.events().await;
            let later = events.iter().rev().filter(|event| event.number > after);
            let found = later
                .clone()
                .find(|event| event.kind == kind && event.message.contains(says));
            if let Some(event) = found {
                return event.clone();
            }
            let told: Vec<String> = later
                .map(|event| format!("{}: {}", event.kind, event.message))
                .collect();
            assert!(
                Instant::now() < end,
                "no {kind} says {says:?} after {after}:\n{}",
                told.join("\n")
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Status and body that the admin port answers.
    pub async fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status.unwrap_or(0), body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary beside this one.
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(Path::parent).unwrap();
    let binary = folder.join(format!("ketscale{}", std::env::consts::EXE_SUFFIX));
    assert!(
        binary.exists(),
        "{} is missing: run `cargo build --release -p ketscale` first, or `make test`",
        binary.display()
    );
    binary
}
