//! Servers that are no Prometheus, or a bad one. Each error names the address and the query.

use std::net::SocketAddr;
use std::time::Duration;

use jiff::Timestamp;
use ketscale_service::live::{LiveError, refresh};
use ketscale_service::prometheus::{
    Client, ClientSettings, Connection, PrometheusError, Queries, QueryFailure, Retries, Sample,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a server does with a connection after it has read the request.
#[derive(Clone, Copy)]
enum Manner {
    /// Sends these bytes and closes.
    Says(&'static str),
    /// Sends a head and then bytes without end.
    Babbles,
    /// Sends nothing and keeps the connection.
    Sulks,
    /// Begins an answer and keeps the connection.
    Stalls,
}

async fn serve(manner: Manner) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, manner));
        }
    });
    address
}

async fn answer(mut stream: TcpStream, manner: Manner) {
    let _ = stream.read(&mut [0; 8192]).await;
    match manner {
        Manner::Says(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
        }
        Manner::Babbles => {
            let _ = stream
                .write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"status\":\"",
                )
                .await;
            while stream.write_all(&[b'x'; 65536]).await.is_ok() {}
        }
        Manner::Sulks => std::future::pending().await,
        Manner::Stalls => {
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
                .await;
            std::future::pending().await
        }
    }
}

fn client(address: SocketAddr) -> Client {
    let settings = ClientSettings {
        url: format!("http://user:hunter2@{address}/prefix"),
        connection: Connection {
            timeout_seconds: 0.5,
            max_response_bytes: 1 << 20,
            retries: Retries {
                max_retries: 1,
                first_pause_seconds: 0.01,
                ..Retries::default()
            },
            ..Connection::default()
        },
    };
    Client::new(settings).unwrap()
}

async fn ask(manner: Manner) -> Result<Vec<Sample>, QueryFailure> {
    let address = serve(manner).await;
    match client(address)
        .query("up{job=\"a\"}", Timestamp::UNIX_EPOCH)
        .await
    {
        Ok(samples) => Ok(samples),
        Err(error) => {
            let text = error.to_string();
            let named = text.contains(&format!("http://{address}/prefix/api/v1/query"))
                && text.contains("up{job=\"a\"}");
            assert!(named && !text.contains("hunter2"), "{text}");
            match error {
                PrometheusError::Query { failure, .. } => Err(failure),
                other => panic!("{other}"),
            }
        }
    }
}

#[tokio::test]
async fn html_is_told_from_an_answer() {
    let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 22\r\n\r\n<html>Log in</html>   ";
    let failure = ask(Manner::Says(page)).await.unwrap_err();
    assert!(
        matches!(&failure, QueryFailure::NotPrometheus { content_type, start, .. } if content_type == "text/html" && start.contains("Log in")),
        "{failure}"
    );
}

#[tokio::test]
async fn errors_carry_status_and_reason() {
    let failure = ask(Manner::Says(
        "HTTP/1.1 500 Oops\r\nContent-Length: 6\r\n\r\nbroken",
    ))
    .await
    .unwrap_err();
    assert_eq!(
        failure,
        QueryFailure::Http {
            code: 500,
            start: "broken".into()
        }
    );
    let body = r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#;
    let text = format!(
        "HTTP/1.1 503 Unavailable\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let failure = ask(Manner::Says(text.leak())).await.unwrap_err();
    assert_eq!(
        failure,
        QueryFailure::Refused {
            code: 503,
            kind: "timeout".into(),
            message: "query timed out".into()
        }
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let failure = ask(Manner::Says(
        "HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\nContent-Length: 0\r\n\r\n",
    ))
    .await
    .unwrap_err();
    assert_eq!(
        failure,
        QueryFailure::Redirect {
            code: 302,
            to: "http://login.example/".into()
        }
    );
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    // Slow machines may reach the time limit first; both end it.
    let failure = ask(Manner::Babbles).await.unwrap_err();
    assert!(
        matches!(
            failure,
            QueryFailure::TooLarge {
                limit_bytes: 1_048_576
            } | QueryFailure::Timeout { .. }
        ),
        "{failure}"
    );
}

#[tokio::test]
async fn silence_ends_with_the_time_limit() {
    let limit = Duration::from_millis(500);
    assert_eq!(
        ask(Manner::Sulks).await,
        Err(QueryFailure::Timeout { limit })
    );
    assert_eq!(
        ask(Manner::Stalls).await,
        Err(QueryFailure::Timeout { limit })
    );
}

#[tokio::test]
async fn half_an_answer_is_none() {
    let failure = ask(Manner::Says(
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"status\"",
    ))
    .await
    .unwrap_err();
    assert!(
        matches!(failure, QueryFailure::Interrupted { .. }),
        "{failure}"
    );
    let failure = ask(Manner::Says("what?\r\n\r\n")).await.unwrap_err();
    assert!(
        matches!(failure, QueryFailure::Interrupted { .. }),
        "{failure}"
    );
}

#[tokio::test]
async fn nobody_there_is_said_so() {
    let address = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = client(address)
        .query("up", Timestamp::UNIX_EPOCH)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, PrometheusError::Query { failure: QueryFailure::Unreachable { reason }, .. } if reason.contains("refused")),
        "{error}"
    );
}

#[tokio::test]
async fn a_proper_answer_is_taken() {
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"pod":"a"},"value":[1,"3"]}]}}"#;
    let text = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let samples = ask(Manner::Says(text.leak())).await.unwrap();
    assert_eq!(
        (samples.len(), samples[0].label("pod"), samples[0].value),
        (1, "a", 3.0)
    );
}

/// A Prometheus without any of the series is no error: everything is a gap, and the problem stays as it is.
#[tokio::test]
async fn an_empty_prometheus_changes_nothing() {
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
    let text = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let settings =
        ClientSettings::new(format!("http://{}", serve(Manner::Says(text.leak())).await));
    let before = super::problem::problem();
    let live = refresh(
        before.clone(),
        &Client::new(settings).unwrap(),
        &Queries::default(),
        Timestamp::UNIX_EPOCH,
    )
    .await
    .unwrap();
    assert_eq!(live.problem, before);
    assert!(live.source.readings.is_empty() && live.source.age_seconds.is_none());
    for service in ["shop/web", "shop/quiet", "shop/db", "shop/odd"] {
        let replicas = format!("services.{service}.clusters.eu.now");
        assert!(
            live.source
                .gaps
                .iter()
                .any(|gap| gap.path == replicas && gap.reason.starts_with("missing")),
            "{service}"
        );
    }
    assert!(
        live.source
            .gaps
            .iter()
            .any(|gap| gap.path == "current.nodes")
    );
}

#[tokio::test]
async fn overwritten_labels_are_explained() {
    let body = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"namespace":"monitoring","exported_namespace":"shop"},"value":[1,"1"]}]}}"#;
    let text = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let settings =
        ClientSettings::new(format!("http://{}", serve(Manner::Says(text.leak())).await));
    let error = refresh(
        super::problem::problem(),
        &Client::new(settings).unwrap(),
        &Queries::default(),
        Timestamp::UNIX_EPOCH,
    )
    .await
    .unwrap_err();
    assert!(
        matches!(
            error,
            LiveError::HonorLabels {
                label: "exported_namespace",
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("honor_labels: true"));
}
