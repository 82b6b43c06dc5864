//! Credentials, read from their files for every request, so that a rotated token or password is used at once.

use std::io::Read;
use std::path::Path;

use reqwest::RequestBuilder;

use super::connection::Connection;
use super::error::QueryFailure;

/// Largest file with a token or a password; real ones are below 10 KiB.
const MAX_SECRET_BYTES: u64 = 64 << 10;

/// The request with its `Authorization`, if any is set.
pub(super) async fn authorize(
    request: RequestBuilder,
    connection: &Connection,
) -> Result<RequestBuilder, QueryFailure> {
    if let Some(file) = &connection.bearer_token_file {
        return Ok(request.bearer_auth(read(file).await?));
    }
    if let Some(basic) = &connection.basic_auth {
        let password = read(&basic.password_file).await?;
        return Ok(request.basic_auth(&basic.username, Some(password)));
    }
    Ok(request)
}

/// The content of a file without the line end that editors leave; no message repeats any of it.
async fn read(file: &Path) -> Result<String, QueryFailure> {
    let path = file.to_owned();
    let refuse = |reason: String| QueryFailure::Credentials {
        file: file.display().to_string(),
        reason,
    };
    let bytes = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?
            .take(MAX_SECRET_BYTES + 1)
            .read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    })
    .await
    .map_err(|error| refuse(error.to_string()))?
    .map_err(|error| refuse(error.to_string()))?;
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        return Err(refuse(format!("is larger than {MAX_SECRET_BYTES} bytes")));
    }
    let secret = String::from_utf8(bytes).map_err(|_| refuse("is not text".to_owned()))?;
    let secret = secret.trim_end_matches(['\r', '\n', ' ', '\t']);
    if secret.is_empty() {
        Err(refuse("is empty".to_owned()))
    } else if secret.chars().any(char::is_control) {
        Err(refuse("holds more than one line".to_owned()))
    } else {
        Ok(secret.to_owned())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    async fn content(bytes: &[u8]) -> Result<String, QueryFailure> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, bytes).unwrap();
        read(&file).await
    }

    #[tokio::test]
    async fn a_line_end_is_no_part_of_a_secret() {
        assert_eq!(content(b"s3cret\n").await, Ok("s3cret".to_owned()));
        assert_eq!(content(b"s3cret\r\n").await, Ok("s3cret".to_owned()));
    }

    #[tokio::test]
    async fn what_is_no_secret_is_refused_without_being_shown() {
        for bytes in [
            &b""[..],
            b"\n",
            b"hunter2\nhunter3",
            b"hunter\xff",
            &[b'h'; 70_000],
        ] {
            let refused = content(bytes).await.unwrap_err();
            assert!(matches!(refused, QueryFailure::Credentials { .. }));
            assert!(!refused.to_string().contains("hunter"), "{refused}");
        }
        let missing = read(Path::new("/nowhere/token")).await.unwrap_err();
        assert!(missing.to_string().contains("/nowhere/token"), "{missing}");
    }
}
