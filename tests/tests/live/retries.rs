//! What is tried again and what is not, and what is sent with it.

use jiff::Timestamp;
use ketscale_service::prometheus::{
    BasicAuth, Connection, PrometheusError, QueryFailure, Retries, Sample,
};

use super::scripted::{Scripted, answer, vector};

const ONE: &str = r#"{"metric":{},"value":[1,"1"]}"#;

async fn ask(
    server: &Scripted,
    change: impl FnOnce(&mut Connection),
) -> Result<Vec<Sample>, PrometheusError> {
    let client = server.client(change);
    client.query("up", Timestamp::UNIX_EPOCH).await
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    for status in ["429 Slow", "502 Bad", "503 Gone", "504 Late"] {
        let server = Scripted::start(move |number, _| match number {
            0 | 1 => answer(status, "later"),
            _ => vector(ONE),
        })
        .await;
        assert_eq!(ask(&server, |_| {}).await.unwrap().len(), 1, "{status}");
        assert_eq!(server.requests(), 3, "{status}");
    }
    // A connection that is closed without a word.
    let server = Scripted::start(|number, _| match number {
        0 => String::new(),
        _ => vector(ONE),
    })
    .await;
    assert!(ask(&server, |_| {}).await.is_ok());
}

#[tokio::test]
async fn what_stays_wrong_is_asked_once() {
    for status in ["400 Bad", "401 Who", "403 No", "422 What", "500 Oops"] {
        let server = Scripted::start(move |_, _| answer(status, "no")).await;
        let error = ask(&server, |_| {}).await.unwrap_err();
        assert!(
            matches!(error, PrometheusError::Query { attempts: 1, .. }),
            "{error}"
        );
        assert_eq!(server.requests(), 1, "{status}");
    }
}

#[tokio::test]
async fn retries_are_bounded_in_number_and_time() {
    let server = Scripted::start(|_, _| answer("503 Gone", "later")).await;
    let error = ask(&server, |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("tried 4 times"), "{error}");
    assert_eq!(server.requests(), 4);

    // No pause fits into the time that is left.
    let server = Scripted::start(|_, _| answer("503 Gone", "later")).await;
    let hurried = |connection: &mut Connection| {
        connection.retries = Retries {
            first_pause_seconds: 60.0,
            max_pause_seconds: 60.0,
            max_total_seconds: 30.0,
            ..Retries::default()
        };
    };
    assert!(ask(&server, hurried).await.is_err());
    assert_eq!(server.requests(), 1);
}

/// Says back whether the request carried a header.
async fn expecting(header: &'static str) -> Scripted {
    Scripted::start(move |_, request| {
        if request
            .to_ascii_lowercase()
            .contains(&header.to_ascii_lowercase())
        {
            vector(ONE)
        } else {
            answer("401 Who", "who are you?")
        }
    })
    .await
}

#[tokio::test]
async fn a_rotated_token_is_used_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "hunter2\n").unwrap();
    let server = expecting("authorization: Bearer hunter3\r\n").await;
    let client = server.client(|connection| connection.bearer_token_file = Some(file.clone()));
    let ask = || client.query("up", Timestamp::UNIX_EPOCH);
    let refused = ask().await.unwrap_err();
    assert!(matches!(
        refused,
        PrometheusError::Query {
            failure: QueryFailure::Http { code: 401, .. },
            ..
        }
    ));
    std::fs::write(&file, "hunter3\n").unwrap();
    assert!(ask().await.is_ok());
    std::fs::remove_file(&file).unwrap();
    let missing = ask().await.unwrap_err();
    assert!(
        matches!(&missing, PrometheusError::Query { failure: QueryFailure::Credentials { file: name, .. }, attempts: 1, .. } if name.ends_with("token")),
        "{missing}"
    );
    let shown = format!("{refused} {refused:?} {missing:?} {client:?}");
    assert!(!shown.contains("hunter"), "{shown}");
}

#[tokio::test]
async fn a_user_and_a_password_are_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "open sesame").unwrap();
    let server = expecting("authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n").await;
    let answered = ask(&server, |connection| {
        connection.basic_auth = Some(BasicAuth {
            username: "Aladdin".to_owned(),
            password_file: file,
        });
    });
    // The example of RFC 7617, section 2.
    assert!(answered.await.is_ok());
}
