//! Live readings from a Prometheus, for `plan` and `init`.

use std::future::Future;
use std::path::Path;

use jiff::Timestamp;
use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::cluster_dump::Translation;
use ketscale_engine::problem::ProblemFile;
use ketscale_service::live::{self, Live, LiveError};
use ketscale_service::prometheus::{Client, ClientSettings, PrometheusError, Queries};

use crate::exit::Failure;
use crate::input;

/// Largest file of query settings that is read.
const MAX_QUERIES_BYTES: usize = 1 << 20;

/// The queries: the built-in ones, or those of a file.
pub(super) fn queries(path: Option<&Path>) -> Result<Queries, Failure> {
    let Some(path) = path else {
        return Ok(Queries::default());
    };
    Queries::read(
        &input::read(path, MAX_QUERIES_BYTES)?,
        &input::name_of(path),
    )
    .map_err(Failure::input)
}

/// A problem (read, not completed) with what the Prometheus knows of it now.
pub(super) fn refresh(problem: ProblemFile, url: &str, queries: &Queries) -> Result<Live, Failure> {
    let client = client(url, queries)?;
    wait(live::refresh(problem, &client, queries, Timestamp::now()))?.map_err(refuse)
}

/// A problem made of nothing but what the Prometheus knows.
pub(super) fn problem_from(
    url: &str,
    queries: &Queries,
    name: Option<&str>,
    catalogue: &Catalogue,
) -> Result<Translation, Failure> {
    let client = client(url, queries)?;
    wait(live::problem_from(
        &client,
        queries,
        name,
        catalogue,
        Timestamp::now(),
    ))?
    .map_err(refuse)
}

/// A client for an address, with the connection that the settings describe.
pub(super) fn client(url: &str, queries: &Queries) -> Result<Client, Failure> {
    Client::new(settings(url, queries)).map_err(refuse_prometheus)
}

/// An address, with the connection that the settings describe.
pub(super) fn settings(url: &str, queries: &Queries) -> ClientSettings {
    ClientSettings {
        url: url.to_owned(),
        connection: queries.connection.clone(),
    }
}

/// Runs a future to its end on a runtime of its own.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime
        .map_err(|error| Failure::environment(format!("no threads to work with: {error}")))?;
    Ok(runtime.block_on(future))
}

/// An address that is none is the user's mistake; that nothing proper answers there is not.
pub(super) fn refuse_prometheus(error: PrometheusError) -> Failure {
    match error {
        PrometheusError::Address { .. }
        | PrometheusError::Connection { .. }
        | PrometheusError::Range { .. } => Failure::input(error),
        PrometheusError::Setup { .. } | PrometheusError::Query { .. } => {
            Failure::environment(error)
        }
    }
}

/// What makes no problem is the input's mistake; anything else the network's or the server's.
pub(super) fn refuse(error: LiveError) -> Failure {
    match error {
        LiveError::Prometheus(error) => refuse_prometheus(error),
        LiveError::Problem(errors) => Failure::input(errors),
        other => Failure::environment(other),
    }
}
