//! The HTTP side: bounded in time and size, no redirects, no proxy; what may pass is tried again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use backon::Retryable;
use futures::StreamExt;
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Response, Url};
use tokio::sync::Semaphore;

use super::connection::{Connection, duration};
use super::error::{PrometheusError, QueryFailure};
use super::grid::Grid;
use super::http::{Http, chain};
use super::response::{self, RangeSeries, Sample, Track, shown};
use super::secret;

/// How to reach a Prometheus.
#[derive(Clone)]
pub struct ClientSettings {
    /// Its address, such as `http://prometheus:9090`, with a path where it is served under one. A user name and password in it are
    /// sent as basic authentication and never shown.
    pub url: String,
    /// Credentials, TLS, limits and retries.
    pub connection: Connection,
}

impl ClientSettings {
    /// The defaults for an address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connection: Connection::default(),
        }
    }
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings")
            .field("url", &without_credentials(&self.url))
            .field("connection", &self.connection)
            .finish()
    }
}

/// A client for instant and range queries; clones share connections.
#[derive(Clone)]
pub struct Client {
    http: Arc<Http>,
    endpoint: Url,
    settings: ClientSettings,
    places: Arc<Semaphore>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.settings).finish()
    }
}

/// What a server sends, complete.
struct Answer {
    code: u16,
    content_type: String,
    body: Vec<u8>,
}

impl Client {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// [`PrometheusError::Address`], [`PrometheusError::Connection`] and [`PrometheusError::Setup`].
    pub fn new(settings: ClientSettings) -> Result<Self, PrometheusError> {
        let endpoint = endpoint(&settings.url)?;
        let connection = &settings.connection;
        let url = || without_credentials(&settings.url);
        let refuse = |key, reason| PrometheusError::Connection {
            url: url(),
            key,
            reason,
        };
        if let Some((key, reason)) = connection.mistakes().into_iter().next() {
            return Err(refuse(key, reason));
        }
        let other = connection.bearer_token_file.is_some() || connection.basic_auth.is_some();
        if other && (!endpoint.username().is_empty() || endpoint.password().is_some()) {
            let reason = "the address holds a user name or a password as well";
            return Err(refuse("basic_auth", reason.to_owned()));
        }
        let http = Http::new(connection, endpoint.scheme() == "https");
        let http = http.map_err(|(key, reason)| match key {
            Some(key) => refuse(key, reason),
            None => PrometheusError::Setup { url: url(), reason },
        })?;
        Ok(Self {
            http: Arc::new(http),
            endpoint,
            places: Arc::new(Semaphore::new(
                connection
                    .max_concurrent_queries
                    .min(Semaphore::MAX_PERMITS),
            )),
            settings,
        })
    }

    /// The address that instant queries go to, without credentials.
    pub fn address(&self) -> String {
        without_credentials(self.endpoint.as_str())
    }

    /// The instant vector that a query gives at a time. Its samples carry no age: the API stamps them with the time of the
    /// query. The age comes from asking for `timestamp(…)`, see [`super::Query::sampled_at`].
    ///
    /// # Errors
    /// [`PrometheusError::Query`], with address and query.
    pub async fn query(&self, query: &str, at: Timestamp) -> Result<Vec<Sample>, PrometheusError> {
        let parameters = [("time", seconds(at))];
        self.ask(self.endpoint.clone(), query, &parameters, response::vector)
            .await
    }

    /// The instant vector that a query gives at the time of the server's own clock.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn query_now(&self, query: &str) -> Result<Vec<Sample>, PrometheusError> {
        self.ask(self.endpoint.clone(), query, &[], response::vector)
            .await
    }

    /// What a query gives from `start` to `end` at even steps: series by their labels, with values at `start + i · step_seconds`.
    ///
    /// Prometheus gives at most 11,000 points for a series at a time, so that a longer range is asked for in parts; so is one whose
    /// answer is too large. The step counts in milliseconds.
    ///
    /// # Errors
    /// [`PrometheusError::Range`] for what is no range, or one of more than 1,100,000 steps; [`PrometheusError::Query`].
    pub async fn query_range(
        &self,
        query: &str,
        start: Timestamp,
        end: Timestamp,
        step_seconds: f64,
    ) -> Result<Vec<RangeSeries>, PrometheusError> {
        let grid = Grid::new(start, end, step_seconds)?;
        let mut url = self.endpoint.clone();
        url.set_path(&format!("{}_range", url.path()));
        let mut series = Laid::new();
        let (mut next, mut most) = (0, usize::MAX);
        while next < grid.points {
            let part = grid.part(next, most);
            let read = |body: &[u8], code, content_type: &str| {
                let tracks = response::matrix(body, code, content_type)?;
                on_grid(&part, tracks)
                    .map_err(|reason| response::foreign(body, content_type, reason))
            };
            let answer = self.ask(url.clone(), query, &part.parameters(), read).await;
            let tracks = match answer {
                Err(error) if too_large(&error) && part.points > 1 => {
                    most = part.points / 2;
                    continue;
                }
                answer => answer?,
            };
            for (labels, values) in tracks {
                let all = (series.entry(labels)).or_insert_with(|| vec![None; grid.points]);
                for (place, value) in all.iter_mut().skip(next).zip(values) {
                    *place = value;
                }
            }
            next += part.points;
        }
        let series = series.into_iter();
        Ok(series
            .map(|(labels, values)| RangeSeries { labels, values })
            .collect())
    }

    /// Asks, and asks again as long as it may help.
    async fn ask<T>(
        &self,
        endpoint: Url,
        query: &str,
        parameters: &[(&str, String)],
        read: impl Fn(&[u8], u16, &str) -> Result<T, QueryFailure>,
    ) -> Result<T, PrometheusError> {
        let url = without_credentials(endpoint.as_str());
        let mut endpoint = endpoint;
        endpoint.query_pairs_mut().append_pair("query", query);
        endpoint.query_pairs_mut().extend_pairs(parameters);
        let retries = &self.settings.connection.retries;
        let budget = Budget::new(duration(retries.max_total_seconds));
        let mut attempts: u32 = 0;
        let attempt = || async {
            let answer = self.attempt(endpoint.clone(), &budget).await?;
            read(&answer.body, answer.code, &answer.content_type)
        };
        let answer = attempt
            .retry(retries.pauses())
            .when(|failure: &QueryFailure| {
                attempts += 1;
                failure.may_pass()
            })
            .adjust(|_, pause| pause.filter(|pause| *pause < budget.left()))
            .notify(|failure, pause| {
                tracing::debug!(url, %failure, pause_ms = pause.as_millis(), "a query is tried again");
            })
            .await;
        answer.map_err(|failure| PrometheusError::Query {
            url: url.into(),
            query: query.into(),
            failure,
            attempts,
        })
    }

    /// One request and its answer.
    async fn attempt(&self, url: Url, budget: &Budget) -> Result<Answer, QueryFailure> {
        // Never closed; a place is waited for before the time limits of the query begin.
        let _place = self.places.acquire().await;
        let connection = &self.settings.connection;
        let limit = duration(connection.timeout_seconds).min(budget.begin());
        let request = self.http.client().get(url).timeout(limit);
        let request = secret::authorize(request, connection).await?;
        let answer = request
            .send()
            .await
            .map_err(|error| self.failure(&error, limit))?;
        let code = answer.status();
        if code.is_redirection() {
            return Err(QueryFailure::Redirect {
                code: code.as_u16(),
                to: shown(&header(&answer, LOCATION)),
            });
        }
        Ok(Answer {
            code: code.as_u16(),
            content_type: shown(&header(&answer, CONTENT_TYPE)),
            body: self.body(answer, limit).await?,
        })
    }

    /// The whole body, decompressed; cut off where it passes the limit, so that an endless one ends.
    async fn body(&self, answer: Response, limit: Duration) -> Result<Vec<u8>, QueryFailure> {
        let limit_bytes = self.settings.connection.max_response_bytes;
        let mut body = Vec::new();
        let mut chunks = answer.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| self.failure(&error, limit))?;
            if body.len() + chunk.len() > limit_bytes {
                return Err(QueryFailure::TooLarge { limit_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn failure(&self, error: &reqwest::Error, limit: Duration) -> QueryFailure {
        let reason = chain(error);
        if error.is_timeout() {
            let connecting = duration(self.settings.connection.connect_timeout_seconds);
            let limit = if error.is_connect() {
                connecting.min(limit)
            } else {
                limit
            };
            QueryFailure::Timeout { limit }
        } else if error.is_connect() {
            QueryFailure::Unreachable { reason }
        } else {
            QueryFailure::Interrupted { reason }
        }
    }
}

/// The time that all tries of a query have together, from the first one on.
struct Budget {
    total: Duration,
    begun: OnceLock<Instant>,
}

impl Budget {
    fn new(total: Duration) -> Self {
        Self {
            total,
            begun: OnceLock::new(),
        }
    }

    /// What is left of it; the first call begins it.
    fn begin(&self) -> Duration {
        self.begun.get_or_init(Instant::now);
        self.left()
    }

    fn left(&self) -> Duration {
        let spent = self.begun.get().map(Instant::elapsed).unwrap_or_default();
        self.total.saturating_sub(spent)
    }
}

/// Values on a grid by the labels of their series.
type Laid = BTreeMap<BTreeMap<String, String>, Vec<Option<f64>>>;

/// The series of an answer on the grid that was asked for; else what is wrong with them.
fn on_grid(part: &Grid, tracks: Vec<Track>) -> Result<Laid, String> {
    let mut laid = Laid::new();
    for track in tracks {
        let values = part.lay(&track)?;
        if laid.insert(track.labels, values).is_some() {
            return Err("one series twice".to_owned());
        }
    }
    Ok(laid)
}

fn too_large(error: &PrometheusError) -> bool {
    matches!(
        error,
        PrometheusError::Query {
            failure: QueryFailure::TooLarge { .. },
            ..
        }
    )
}

/// A time as the API takes it.
fn seconds(at: Timestamp) -> String {
    let ms = at.as_millisecond();
    format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000))
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
        let client = Client::new(ClientSettings::new("http://user:hunter2@p:9090")).unwrap();
        let refused = endpoint("htp://user:hunter2@p").unwrap_err();
        let hopeless = endpoint("http//user:hunter2@p").unwrap_err();
        let shown = format!("{client:?} {} {refused} {hopeless}", client.address());
        assert!(!shown.contains("hunter"), "{shown}");
    }

    #[test]
    fn two_kinds_of_credentials_are_refused() {
        let mut settings = ClientSettings::new("http://user:hunter2@p:9090");
        settings.connection.bearer_token_file = Some("token".into());
        let refused = Client::new(settings).unwrap_err();
        assert!(
            matches!(refused, PrometheusError::Connection { .. }),
            "{refused}"
        );
        assert!(!refused.to_string().contains("hunter"), "{refused}");
    }
}
