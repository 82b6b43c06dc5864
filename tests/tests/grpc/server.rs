//! The real binary, started as `ketscale serve`, and a client that shares no code with it but the contract.

// Each test target that includes this file uses its own part of it.
#![allow(dead_code)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use ketscale_proto::v1::plan_service_client::PlanServiceClient;
use tonic::transport::Channel;

pub use ketscale_tests::binary;

/// Most bytes of a message that the client takes: a plan of the tests is far smaller.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// A server that is killed when dropped.
pub struct Server {
    child: Child,
    pub address: String,
}

impl Server {
    /// Starts the binary with a store and further arguments, and waits for its address.
    pub fn start(store: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(binary())
            .args(["serve", "--listen", "127.0.0.1:0", "--store"])
            .arg(store)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let Some(address) = line.trim().strip_prefix("listening on ") else {
            let _ = child.kill();
            panic!("the server said {line:?} and ended with {:?}", child.wait());
        };
        Self {
            address: format!("http://{address}"),
            child,
        }
    }

    pub async fn channel(&self) -> Channel {
        Channel::from_shared(self.address.clone())
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    pub async fn client(&self) -> PlanServiceClient<Channel> {
        PlanServiceClient::new(self.channel().await).max_decoding_message_size(MAX_MESSAGE_BYTES)
    }

    /// SIGKILL: no chance to write anything any more.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and whether the server ended by itself without a failure. Connections of this runtime go on meanwhile, so that
    /// clients notice that the server wants them to go.
    pub async fn terminate(self) -> bool {
        let ended = tokio::task::spawn_blocking(move || {
            let mut server = self;
            let id = server.child.id().to_string();
            let sent = Command::new("kill").args(["-TERM", &id]).status();
            assert!(sent.is_ok_and(|status| status.success()));
            server.child.wait().unwrap().success()
        });
        ended.await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
