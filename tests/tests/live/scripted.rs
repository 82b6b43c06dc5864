//! A server whose answers a test writes, request by request.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ketscale_service::prometheus::{Client, ClientSettings, Connection, Retries};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A running server.
pub struct Scripted {
    pub address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Scripted {
    /// Answers each request, by its number from 0 and its text, and closes the connection.
    pub async fn start(answer: impl Fn(usize, &str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let (counted, answer) = (Arc::clone(&requests), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (counted, answer) = (Arc::clone(&counted), Arc::clone(&answer));
                tokio::spawn(async move {
                    let mut request = vec![0; 65_536];
                    let length = stream.read(&mut request).await.unwrap_or(0);
                    let number = counted.fetch_add(1, Ordering::SeqCst);
                    let text = decoded(&request[..length]);
                    let _ = stream.write_all(answer(number, &text).as_bytes()).await;
                });
            }
        });
        Self { address, requests }
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// A client that does not wait long between tries.
    pub fn client(&self, change: impl FnOnce(&mut Connection)) -> Client {
        let mut connection = Connection {
            retries: Retries {
                max_retries: 3,
                first_pause_seconds: 0.001,
                ..Retries::default()
            },
            ..Connection::default()
        };
        change(&mut connection);
        Client::new(ClientSettings {
            url: format!("http://{}", self.address),
            connection,
        })
        .unwrap()
    }
}

/// The request with its address as it was before it was encoded.
fn decoded(request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request).replace('+', " ");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let hex = (*first == b'%')
            .then(|| others.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match hex {
            Some(byte) => {
                bytes.push(byte);
                rest = &others[2..];
            }
            None => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The value of a parameter of a request, up to the next one.
pub fn parameter(request: &str, name: &str) -> f64 {
    let (_, rest) = request.split_once(&format!("&{name}=")).unwrap();
    let end = rest.find(['&', ' ']).unwrap();
    rest[..end].parse().unwrap()
}

/// A whole answer.
pub fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// An instant vector.
pub fn vector(elements: &str) -> String {
    let data = format!(r#"{{"resultType":"vector","result":[{elements}]}}"#);
    answer(
        "200 OK",
        &format!(r#"{{"status":"success","data":{data}}}"#),
    )
}

/// A matrix.
pub fn matrix(elements: &str) -> String {
    let data = format!(r#"{{"resultType":"matrix","result":[{elements}]}}"#);
    answer(
        "200 OK",
        &format!(r#"{{"status":"success","data":{data}}}"#),
    )
}
