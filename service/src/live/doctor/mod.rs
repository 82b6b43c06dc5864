//! Checks every query against a server: what is found, missing or stale, service by service, and who else sets what a plan would.

mod advice;
mod owners;

use std::collections::BTreeMap;

use futures::future::join_all;
use jiff::Timestamp;
use ketscale_engine::plan::{Gap, Reading};
use ketscale_engine::problem::ProblemFile;
use serde::Serialize;

use super::{Live, LiveError};
use crate::prometheus::{Client, Family, Moment, PrometheusError, Queries, Query};

pub use owners::Owner;

/// A query that any server answers with nothing.
const NOTHING: &str = "vector(1) < 0";

/// What a server knows of a problem.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// The server's query endpoint.
    pub url: String,
    /// Seconds by which its clock is ahead of this machine's (below 0: behind), as far as the answer's delay lets tell; absent where it
    /// does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead_seconds: Option<f64>,
    /// What stands in the way of everything: labels that are overwritten, clusters that cannot be told apart, clocks that differ.
    pub obstacles: Vec<String>,
    /// Every query.
    pub queries: Vec<QueryCheck>,
    /// Every service of the problem.
    pub services: Vec<ServiceCheck>,
    /// Nodes with what runs on them, and prices.
    pub fleet: Vec<Item>,
    /// Who else sets what a plan would change.
    pub owners: Vec<Owner>,
}

/// A query and what it gives.
#[derive(Clone, Debug, Serialize)]
pub struct QueryCheck {
    /// Its key in the settings file.
    pub name: String,
    /// The query in full.
    pub query: String,
    /// What it gives.
    pub state: State,
    /// Number of series.
    pub series: usize,
    /// Age of its newest and its oldest sample in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<(f64, f64)>,
    /// Why it is not found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who exports it, or what its absence means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// A service and what is known of it.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceCheck {
    /// `namespace/name`.
    pub service: String,
    /// Each value that its entry in the problem file has a place for.
    pub items: Vec<Item>,
}

/// A value of the problem file.
#[derive(Clone, Debug, Serialize)]
pub struct Item {
    /// Its path, below the service where it belongs to one.
    pub path: String,
    /// Whether it is known.
    pub state: State,
    /// Whether a plan from live values needs it. Of others the file's value will do.
    pub needed: bool,
    /// The value in base units (cores, bytes, milliseconds, pieces, US dollars).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Age of the oldest sample that it rests on, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<f64>,
    /// Why it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The query in full.
    pub query: String,
}

/// Whether something is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is there and recent.
    Found,
    /// Nothing answers.
    Missing,
    /// What answers is too old.
    Stale,
    /// What answers is no usable value.
    Unusable,
    /// The server refused the query, or gave no proper answer.
    Failed,
}

impl State {
    /// The state that the reason of a gap stands for; those reasons begin with a word for it, after the pod or cluster if one is named.
    fn of_reason(reason: &str) -> Self {
        if reason.contains("stale: ") {
            Self::Stale
        } else if reason.contains("missing") {
            Self::Missing
        } else {
            Self::Unusable
        }
    }
}

impl Diagnosis {
    /// Whether everything is there that a plan from live values needs.
    pub fn is_sufficient(&self) -> bool {
        let lacking = |item: &Item| item.needed && item.state != State::Found;
        let items = self.services.iter().flat_map(|check| &check.items);
        self.obstacles.is_empty()
            && !items.chain(&self.fleet).any(lacking)
            && !(self.queries.iter()).any(|check| check.state == State::Failed)
    }
}

/// Checks every query against a server, for a problem as read.
///
/// # Errors
/// When the server does not even say what time it is: nobody there, or access refused. Anything else is part of the diagnosis.
pub async fn diagnose(
    problem: &ProblemFile,
    client: &Client,
    queries: &Queries,
    now: Timestamp,
) -> Result<Diagnosis, PrometheusError> {
    let moment = Moment::of(client, now).await?;
    let mut usable = queries.clone();
    let asked = ask_all(client, queries, &mut usable, &moment).await;
    let mut diagnosis = Diagnosis {
        url: client.address(),
        clock_ahead_seconds: moment.ahead_seconds,
        obstacles: (moment.skew(queries.max_clock_skew_seconds).into_iter()).collect(),
        queries: (asked.iter().map(check))
            .chain(check_histories(client, queries, &moment).await)
            .collect(),
        services: Vec::new(),
        fleet: Vec::new(),
        owners: Vec::new(),
    };
    let families = asked.into_iter();
    let families: BTreeMap<String, Family> = families
        .filter_map(|asked| Some((asked.name, asked.answer.ok()?)))
        .collect();
    match owners::owners(problem, queries, &families) {
        Ok(owners) => diagnosis.owners = owners,
        Err(error) => diagnosis.obstacles.push(error.to_string()),
    }
    match super::refresh(problem.clone(), client, &usable, now).await {
        Ok(live) => sort(&mut diagnosis, problem, live, moment.seconds()),
        Err(LiveError::Prometheus(error)) => return Err(error),
        Err(error) => diagnosis.obstacles.push(error.to_string()),
    }
    diagnosis.obstacles.dedup();
    Ok(diagnosis)
}

/// A query with its answer.
struct Asked {
    name: String,
    query: String,
    answer: Result<Family, PrometheusError>,
}

/// Asks every query by itself; in `usable` those that fail are replaced by [`NOTHING`], so that the others can go on.
async fn ask_all(
    client: &Client,
    queries: &Queries,
    usable: &mut Queries,
    moment: &Moment,
) -> Vec<Asked> {
    let mut named = usable.named_mut();
    let asking = named.iter().map(|(name, value, sampled_at)| {
        let query = Query {
            value: (**value).clone(),
            sampled_at: (**sampled_at).clone(),
        };
        async move {
            Asked {
                name: name.clone(),
                query: queries.expand(&query.value),
                answer: Family::read(client, queries, &query, moment).await,
            }
        }
    });
    let asked = join_all(asking).await;
    for ((_, value, sampled_at), asked) in named.iter_mut().zip(&asked) {
        if asked.answer.is_err() {
            NOTHING.clone_into(value);
            NOTHING.clone_into(sampled_at);
        }
    }
    asked
}

/// Checks the queries of the past as of now. Nothing says how old their values are.
async fn check_histories(client: &Client, queries: &Queries, moment: &Moment) -> Vec<QueryCheck> {
    let (cpu, memory) = (&queries.cpu_history, &queries.memory_history);
    let histories = [
        ("cpu_history.deployments", &cpu.deployments),
        ("cpu_history.statefulsets", &cpu.statefulsets),
        ("memory_history.deployments", &memory.deployments),
        ("memory_history.statefulsets", &memory.statefulsets),
    ];
    let checks = histories.map(|(name, query)| async move {
        let query = queries.expand(query);
        let (state, series, reason) = match client.query(&query, moment.at).await {
            Ok(samples) if samples.is_empty() => {
                let missing = crate::prometheus::MISSING.to_owned();
                (State::Missing, 0, Some(missing))
            }
            Ok(samples) => (State::Found, samples.len(), None),
            Err(error) => (State::Failed, 0, Some(failure(&error))),
        };
        QueryCheck {
            name: name.to_owned(),
            query,
            state,
            series,
            age_seconds: None,
            advice: advice::of_query(name, state).map(str::to_owned),
            reason,
        }
    });
    join_all(checks).await
}

/// What is wrong with a query, without the query itself.
fn failure(error: &PrometheusError) -> String {
    match error {
        PrometheusError::Query { failure, .. } => failure.to_string(),
        other => other.to_string(),
    }
}

fn check(asked: &Asked) -> QueryCheck {
    let of = |state, reason: Option<String>| QueryCheck {
        name: asked.name.clone(),
        query: asked.query.clone(),
        state,
        series: 0,
        age_seconds: None,
        advice: advice::of_query(&asked.name, state).map(str::to_owned),
        reason,
    };
    let family = match &asked.answer {
        Ok(family) => family,
        Err(error) => return of(State::Failed, Some(failure(error))),
    };
    if family.samples.is_empty() {
        return of(State::Missing, Some(crate::prometheus::MISSING.to_owned()));
    }
    let checked = match family.fresh(family.newest()) {
        Ok(_) => of(State::Found, None),
        Err(reason) => of(State::of_reason(&reason), Some(reason)),
    };
    QueryCheck {
        series: family.samples.len(),
        age_seconds: family.ages_seconds(),
        ..checked
    }
}

/// Sorts readings and gaps by the service that they belong to.
fn sort(diagnosis: &mut Diagnosis, problem: &ProblemFile, live: Live, now_seconds: f64) {
    let mut items: BTreeMap<&str, Vec<Item>> = BTreeMap::new();
    let source = live.source;
    let read = (source.readings.into_iter()).map(|reading| found(reading, now_seconds));
    let all = read.chain(source.gaps.into_iter().map(lacking));
    let current = live.problem.current.as_ref();
    #[allow(clippy::cast_precision_loss, reason = "nodes are far fewer than 2⁵³")]
    let nodes = current.map_or(0, |current| current.nodes.len()) as f64;
    let mut placement: Option<Item> = None;
    for mut item in all {
        let services = problem.services.iter();
        let owner = services
            .filter_map(|service| {
                let rest = item
                    .path
                    .strip_prefix(&format!("services.{}.", service.name))?;
                Some((service.name.as_str(), rest.to_owned()))
            })
            .max_by_key(|(name, _)| name.len());
        if let Some((service, rest)) = owner {
            item.path = rest;
            finish(&mut item);
            items.entry(service).or_default().push(item);
        } else if item.state == State::Found && item.path.starts_with("current.nodes.") {
            // One line for all nodes, as old as the oldest of their values.
            let all = placement.get_or_insert_with(|| item.clone());
            all.path = "current.nodes".to_owned();
            all.value = Some(nodes);
            let ages = all.age_seconds.into_iter().chain(item.age_seconds);
            all.age_seconds = ages.reduce(f64::max);
        } else {
            finish(&mut item);
            diagnosis.fleet.push(item);
        }
    }
    if let Some(mut item) = placement {
        finish(&mut item);
        diagnosis.fleet.insert(0, item);
    }
    diagnosis.services = (problem.services.iter())
        .map(|service| ServiceCheck {
            service: service.name.clone(),
            items: items.remove(service.name.as_str()).unwrap_or_default(),
        })
        .collect();
}

/// Says whether it is needed and what to do about it.
fn finish(item: &mut Item) {
    item.needed = ["clusters.", "requests.", "load.", "current."]
        .iter()
        .any(|part| item.path.starts_with(part));
    let reason = item.reason.as_deref().unwrap_or_default();
    item.advice = advice::of_value(&item.path, item.state, reason).map(str::to_owned);
}

fn found(reading: Reading, now_seconds: f64) -> Item {
    Item {
        path: reading.path,
        state: State::Found,
        needed: false,
        value: Some(reading.value),
        age_seconds: Some((now_seconds - reading.timestamp).max(0.0)),
        reason: None,
        advice: None,
        query: reading.query,
    }
}

fn lacking(gap: Gap) -> Item {
    Item {
        path: gap.path,
        state: State::of_reason(&gap.reason),
        needed: false,
        value: None,
        age_seconds: None,
        reason: Some(gap.reason),
        advice: None,
        query: gap.query,
    }
}
