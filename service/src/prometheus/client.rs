//! The HTTP side: bounded in time and size, no redirects, no proxy.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Response, Url, redirect};
use tokio::sync::Semaphore;

use super::error::{PrometheusError, QueryFailure};
use super::response::{self, Sample, shown};

/// Most queries under way at a time; a Prometheus runs twenty by default, and others use it too.
const MAX_CONCURRENT_QUERIES: usize = 4;

/// How to reach a Prometheus.
#[derive(Clone)]
pub struct ClientSettings {
    /// Its address, such as `http://prometheus:9090`, with a path where it is served under one. A user name and password in it are
    /// sent as basic authentication and never shown.
    pub url: String,
    /// Sent as `Authorization: Bearer`. Default none.
    pub bearer_token: Option<String>,
    /// Longest time to connect. Default 5 s.
    pub connect_timeout: Duration,
    /// Longest time from the request to the last byte of the answer. Default 30 s.
    pub timeout: Duration,
    /// Largest answer in bytes, decompressed. Default 64 MiB.
    pub max_response_bytes: usize,
}

impl ClientSettings {
    /// The defaults for an address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            bearer_token: None,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            max_response_bytes: 64 << 20,
        }
    }
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("url", &without_credentials(&self.url))
            .field("bearer_token", &self.bearer_token.as_ref().map(|_| "…"))
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("max_response_bytes", &self.max_response_bytes)
            .finish()
    }
}

/// A client for instant queries; clones share connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    endpoint: Url,
    settings: ClientSettings,
    places: Arc<Semaphore>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.settings).finish()
    }
}

impl Client {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// [`PrometheusError::Address`] and [`PrometheusError::Setup`].
    pub fn new(settings: ClientSettings) -> Result<Self, PrometheusError> {
        let endpoint = endpoint(&settings.url)?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.timeout)
            .redirect(redirect::Policy::none())
            // A Prometheus stands in the same network; a proxy from the environment would be a surprise.
            .no_proxy()
            .user_agent(concat!("ketscale/", env!("CARGO_PKG_VERSION")));
        if endpoint.scheme() == "http" {
            // Without TLS no root certificates are needed, and a minimal container image has none.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| PrometheusError::Setup {
            url: without_credentials(&settings.url),
            reason: chain(&error),
        })?;
        Ok(Self {
            http,
            endpoint,
            settings,
            places: Arc::new(Semaphore::new(MAX_CONCURRENT_QUERIES)),
        })
    }

    /// The address that queries go to, without credentials.
    pub fn address(&self) -> String {
        without_credentials(self.endpoint.as_str())
    }

    /// The instant vector that a query gives at a time. Its samples carry no age: the API stamps them with the time of the
    /// query. The age comes from asking for `timestamp(…)`, see [`super::Query::sampled_at`].
    ///
    /// # Errors
    /// [`PrometheusError::Query`], with address and query.
    pub async fn query(&self, query: &str, at: Timestamp) -> Result<Vec<Sample>, PrometheusError> {
        self.ask(query, at)
            .await
            .map_err(|failure| PrometheusError::Query {
                url: self.address(),
                query: query.to_owned(),
                failure,
            })
    }

    async fn ask(&self, query: &str, at: Timestamp) -> Result<Vec<Sample>, QueryFailure> {
        // Never closed; a place is waited for before the time limit of the query begins.
        let _place = self.places.acquire().await;
        let mut url = self.endpoint.clone();
        #[allow(
            clippy::cast_precision_loss,
            reason = "milliseconds since 1970 are exact in a double for 285,000 years"
        )]
        let seconds = at.as_millisecond() as f64 / 1000.0;
        url.query_pairs_mut()
            .append_pair("query", query)
            .append_pair("time", &format!("{seconds:.3}"));
        let mut request = self.http.get(url);
        if let Some(token) = &self.settings.bearer_token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.map_err(|error| self.failure(&error))?;
        let code = answer.status();
        if code.is_redirection() {
            return Err(QueryFailure::Redirect {
                code: code.as_u16(),
                to: shown(&header(&answer, LOCATION)),
            });
        }
        let content_type = shown(&header(&answer, CONTENT_TYPE));
        let body = self.body(answer).await?;
        response::read(&body, code.as_u16(), &content_type)
    }

    /// The whole body, decompressed; cut off where it passes the limit, so that an endless one ends.
    async fn body(&self, answer: Response) -> Result<Vec<u8>, QueryFailure> {
        let limit_bytes = self.settings.max_response_bytes;
        let mut body = Vec::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| self.failure(&error))?;
            if body.len() + chunk.len() > limit_bytes {
                return Err(QueryFailure::TooLarge { limit_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn failure(&self, error: &reqwest::Error) -> QueryFailure {
        let reason = chain(error);
        if error.is_timeout() {
            let limit = if error.is_connect() {
                self.settings.connect_timeout
            } else {
                self.settings.timeout
            };
            QueryFailure::Timeout { limit }
        } else if error.is_connect() {
            QueryFailure::Unreachable { reason }
        } else {
            QueryFailure::Interrupted { reason }
        }
    }
}

fn header(answer: &Response, name: reqwest::header::HeaderName) -> String {
    answer
        .headers()
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .unwrap_or_default()
}

/// `BASE/api/v1/query`.
fn endpoint(base: &str) -> Result<Url, PrometheusError> {
    let refuse = |reason: &str| PrometheusError::Address {
        url: without_credentials(base),
        reason: reason.to_owned(),
    };
    let mut url = Url::parse(base).map_err(|error| refuse(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse("the scheme is neither http nor https"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it has a query or a fragment"));
    }
    let path = format!("{}/api/v1/query", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

/// The address without user name and password; of text that is no URL, what follows the last `@`.
fn without_credentials(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) if parsed.has_host() => {
            // Both fail only for addresses that cannot hold credentials.
            let _ = parsed.set_username("");
            let _ = parsed.set_password(None);
            parsed.into()
        }
        _ => url
            .rsplit_once('@')
            .map_or(url, |(_, rest)| rest)
            .to_owned(),
    }
}

/// An error with its causes, without the address that reqwest repeats in it (which may hold credentials).
fn chain(error: &reqwest::Error) -> String {
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_keeps_the_prefix() {
        let path = |base| endpoint(base).unwrap().to_string();
        assert_eq!(path("http://p:9090"), "http://p:9090/api/v1/query");
        assert_eq!(path("http://p:9090/"), "http://p:9090/api/v1/query");
        assert_eq!(
            path("https://p/prometheus/"),
            "https://p/prometheus/api/v1/query"
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for base in [
            "",
            "p:9090",
            "ftp://p",
            "http://",
            "http://p?x=1",
            "http://p#f",
            "/metrics",
        ] {
            assert!(
                matches!(endpoint(base), Err(PrometheusError::Address { .. })),
                "{base}"
            );
        }
    }

    #[test]
    fn credentials_are_never_shown() {
        let mut settings = ClientSettings::new("http://user:hunter2@p:9090");
        settings.bearer_token = Some("hunter3".to_owned());
        let client = Client::new(settings).unwrap();
        let refused = endpoint("htp://user:hunter2@p").unwrap_err();
        let hopeless = endpoint("http//user:hunter2@p").unwrap_err();
        let shown = format!("{client:?} {} {refused} {hopeless}", client.address());
        assert!(!shown.contains("hunter"), "{shown}");
    }
}
