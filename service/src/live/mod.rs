//! Brings a problem up to date with what a Prometheus knows.
//!
//! Only values that the file has a place for are replaced: replicas now, requests, load, CPU per request, memory peak, observed
//! latency, prices, and what runs on which node. Each replaced value is a [`Reading`](ketscale_engine::plan::Reading) with its query and the
//! time of its oldest sample. Whatever is missing, stale or no number is a [`Gap`](ketscale_engine::plan::Gap), and the file's value stays;
//! nothing is ever taken for zero. All queries are evaluated at one time, so that they tell of one state.

mod answers;
mod clusters;
mod doctor;
mod history;
mod ledger;
mod nodes;
mod objects;
mod placement;
mod pods;
mod prices;
mod problems;
mod requests;
mod services;

use jiff::Timestamp;
use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::cluster_dump::{self, Options, Translation};
use ketscale_engine::planner::Source;
use ketscale_engine::problem::{InputErrors, ProblemFile};
use ketscale_engine::snapshot::Snapshot;

use crate::prometheus::{Client, Moment, PrometheusError, Queries, clock};

use answers::Answers;
use clusters::Clusters;
use ledger::Ledger;

pub use doctor::{Diagnosis, Item, Owner, QueryCheck, ServiceCheck, State, diagnose};
pub use history::{History, history, load_history};
pub(crate) use problems::LiveProblems;

/// A problem with live values, and where each came from.
#[derive(Clone, Debug)]
pub struct Live {
    /// The problem; not resolved.
    pub problem: ProblemFile,
    /// Readings, gaps and the age of the oldest reading.
    pub source: Source,
}

/// Why there are no live values at all.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The Prometheus gives no usable answers.
    #[error(transparent)]
    Prometheus(#[from] PrometheusError),
    /// Clusters cannot be told apart.
    #[error(
        "no series of `{query}` carries the label {label:?} that tells the clusters {clusters} apart; set `cluster_label` in the query settings"
    )]
    ClusterLabel {
        /// The label looked for.
        label: String,
        /// The clusters of the problem.
        clusters: String,
        /// The query looked at.
        query: String,
    },
    /// The scrape overwrites the labels of kube-state-metrics.
    #[error(
        "{url}: kube_pod_info carries `{label}`, so that the scrape of kube-state-metrics overwrites its labels; set `honor_labels: true` in that scrape job"
    )]
    HonorLabels {
        /// The Prometheus.
        url: String,
        /// The label found.
        label: &'static str,
    },
    /// kube-state-metrics does not show the labels of nodes.
    #[error(
        "{url}: kube-state-metrics hides the labels of nodes ({missing}); start it with {}",
        nodes::ALLOWLIST
    )]
    HiddenLabels {
        /// The Prometheus.
        url: String,
        /// What was looked for in vain.
        missing: String,
    },
    /// Several clusters answer, and nobody said which one is meant.
    #[error("{url} knows several clusters ({clusters}); name one of them")]
    SeveralClusters {
        /// The Prometheus.
        url: String,
        /// Their names, as the label tells them.
        clusters: String,
    },
    /// What every problem needs is not there.
    #[error("{url}: {reason}\n  query: {query}")]
    Incomplete {
        /// The Prometheus.
        url: String,
        /// The query in full.
        query: String,
        /// What is wrong with its answer.
        reason: String,
    },
    /// What was read makes no problem.
    #[error(transparent)]
    Problem(#[from] InputErrors),
}

/// Replaces in a problem (read, not resolved) what a Prometheus knows of the time `now`, prices among it where OpenCost exports them.
///
/// The price of an offering is replaced where all its nodes have the same price. Where they have not, or one is missing, it is a gap;
/// without OpenCost nothing is said of prices.
///
/// # Errors
/// When the Prometheus cannot be reached, refuses a query or gives no proper answer; when clusters cannot be told apart. A value
/// that is only missing is a gap, not an error.
pub async fn refresh(
    problem: ProblemFile,
    client: &Client,
    queries: &Queries,
    now: Timestamp,
) -> Result<Live, LiveError> {
    let mut problem = problem;
    let moment = Moment::of(client, now).await?;
    let answers = Answers::read(client, queries, &moment).await?;
    answers.check_labels(&client.address())?;
    let clusters = Clusters::new(&problem, queries, &answers.nodes)?;
    let mut ledger = Ledger::default();
    let pods = pods::read(&problem, &answers, &clusters);
    let requests = requests::read(&answers, &clusters);
    let nodes = placement::read(&problem, &answers, &clusters, &pods, &requests, &mut ledger);
    services::refresh(
        &mut problem,
        &answers,
        &clusters,
        &pods,
        &requests,
        &mut ledger,
    );
    prices::refresh(&mut problem, &answers, &clusters, &mut ledger);
    placement::replace(&mut problem, nodes);
    Ok(Live {
        problem,
        source: ledger.into_source(now),
    })
}

/// A snapshot of a problem (read, not resolved): what [`refresh`] reads, with its time.
///
/// # Errors
/// As [`refresh`].
pub async fn snapshot(
    problem: ProblemFile,
    client: &Client,
    queries: &Queries,
    now: Timestamp,
) -> Result<Snapshot, LiveError> {
    let live = refresh(problem, client, queries, now).await?;
    Ok(Snapshot::new(
        clock::seconds(now),
        live.problem,
        live.source,
    ))
}

/// Makes a problem of what a Prometheus knows of one cluster at the time `now`: nodes, workloads, requests, autoscalers, placement.
///
/// The objects that kube-state-metrics tells of are put together as `kubectl` would print them and translated by
/// [`cluster_dump`](mod@cluster_dump), so that both ways give the same file, with the same comments. `name` names the cluster, and
/// chooses it by the cluster label where the Prometheus knows several.
///
/// # Errors
/// As [`refresh`]; when the labels of nodes are hidden; when nodes, pods or workloads are missing or stale; and what makes the
/// translation fail, such as a price that nobody knows.
pub async fn problem_from(
    client: &Client,
    queries: &Queries,
    name: Option<&str>,
    catalogue: &Catalogue,
    now: Timestamp,
) -> Result<Translation, LiveError> {
    let moment = Moment::of(client, now).await?;
    let answers = Answers::read(client, queries, &moment).await?;
    let url = client.address();
    answers.check_labels(&url)?;
    let more = objects::Extra::read(client, queries, &moment).await?;
    let objects = objects::read(&answers, &more, queries, name, &url)?;
    let mut options = Options::new(catalogue);
    options.cluster_name = name.map(str::to_owned).or(objects.cluster);
    let mut translation =
        cluster_dump::translate(objects.list.to_string().as_bytes(), &url, &options)?;
    objects::hold(&mut translation, &objects.claimed);
    Ok(translation)
}
