//! What a Prometheus knows of the past: load, replicas and use of each service at even steps.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use jiff::Timestamp;
use ketscale_engine::plan::Gap;
use ketscale_engine::problem::{ProblemFile, Service, WorkloadKind};
use ketscale_engine::series::Series;

use super::LiveError;
use super::clusters::Clusters;
use super::services;
use crate::prometheus::{
    Client, Family, HistoryQuery, MISSING, Moment, PrometheusError, Queries, RangeSeries,
    WorkloadQuery, clock, usable, window,
};

/// The past of the services by name, at even steps, over all clusters. What was not measured is absent, never zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Requests per second in all.
    pub load: BTreeMap<String, Series>,
    /// CPU use of all pods together, in cores.
    pub cpu_use: BTreeMap<String, Series>,
    /// Desired replicas in all.
    pub replicas: BTreeMap<String, Series>,
    /// Highest memory use of any pod, in bytes.
    pub memory_peak: BTreeMap<String, Series>,
    /// What is missing, in whole or in part: `services.shop/cart.load`, `.cpu_use`, `.replicas` or `.memory_peak`.
    pub gaps: Vec<Gap>,
}

/// Reads everything of the past from `start` to `end`, both included where the step reaches them. Resets of counters are dealt with by `rate` in
/// the queries.
///
/// Where the server's clock differs from this machine's by more than is accepted, everything is a gap, as with readings of now.
///
/// A value over several clusters is there only at times when it is known of all that take part: those with a load or with replicas at
/// any time of the range, unless their replicas are known to be 0 then.
///
/// Use of CPU and memory must be put together from pods at every step, which may be more than a server does in its time for a large fleet:
/// where its query fails, that use is a gap.
///
/// # Errors
/// When the Prometheus cannot be reached, refuses a query for loads or replicas or gives no proper answer, when clusters cannot be told
/// apart, and for a range of more than 1,100,000 steps.
pub async fn history(
    problem: &ProblemFile,
    client: &Client,
    queries: &Queries,
    start: Timestamp,
    end: Timestamp,
    step_seconds: f64,
) -> Result<History, LiveError> {
    read(problem, client, queries, (start, end, step_seconds), true).await
}

/// The same without use of CPU and memory.
///
/// # Errors
/// Those of [`history`].
pub async fn load_history(
    problem: &ProblemFile,
    client: &Client,
    queries: &Queries,
    start: Timestamp,
    end: Timestamp,
    step_seconds: f64,
) -> Result<History, LiveError> {
    read(problem, client, queries, (start, end, step_seconds), false).await
}

async fn read(
    problem: &ProblemFile,
    client: &Client,
    queries: &Queries,
    (start, end, step_seconds): (Timestamp, Timestamp, f64),
    with_use: bool,
) -> Result<History, LiveError> {
    let range = Range {
        client,
        queries,
        start,
        end,
        step_seconds,
        window: window_of(queries, step_seconds),
    };
    let moment = Moment::of(client, end).await?;
    let nodes = Family::read(client, queries, &queries.nodes, &moment).await?;
    let clusters = Clusters::new(problem, queries, &nodes)?;
    let replicas = HistoryQuery {
        deployments: queries.deployment_replicas.value.clone(),
        statefulsets: queries.statefulset_replicas.value.clone(),
    };
    let use_by_kind = async |query| {
        if !with_use {
            return Ok(None);
        }
        let asked = range.ask_by_kind(&clusters, query).await;
        Ok(Some(
            asked.unwrap_or_else(|error| range.in_vain(query, &error)),
        ))
    };
    let (replicas, cpu_use, memory_peak, load) = futures::try_join!(
        range.ask_by_kind(&clusters, &replicas),
        use_by_kind(&queries.cpu_history),
        use_by_kind(&queries.memory_history),
        try_join_all(
            (queries.request_rate.iter()).map(|query| range.ask_workloads(&clusters, query))
        )
    )?;
    let mut past = Past {
        replicas,
        cpu_use,
        memory_peak,
        load,
        skew: moment.skew(queries.max_clock_skew_seconds),
        start_seconds: clock::seconds(start),
        step_seconds,
        clusters: &clusters,
        history: History::default(),
    };
    for service in &problem.services {
        past.service(service);
    }
    Ok(past.history)
}

/// Ranges at least as long as a step, so that nothing between two values is passed over.
fn window_of(queries: &Queries, step_seconds: f64) -> String {
    match window::seconds(&queries.window) {
        Some(seconds) if seconds < step_seconds => window::of_seconds(step_seconds),
        _ => queries.window.clone(),
    }
}

/// A range of times to ask for.
struct Range<'a> {
    client: &'a Client,
    queries: &'a Queries,
    start: Timestamp,
    end: Timestamp,
    step_seconds: f64,
    /// For `$window`.
    window: String,
}

/// Cluster, namespace and name.
type Key = (usize, String, String);

/// What a query gives of each workload; a reason where several series answer for one.
struct Found {
    query: String,
    /// Why it gives nothing.
    failure: Option<String>,
    series: BTreeMap<Key, Result<Vec<Option<f64>>, String>>,
}

/// What is found by kind of workload.
struct ByKind {
    deployments: Found,
    stateful_sets: Found,
}

impl Range<'_> {
    async fn ask(
        &self,
        clusters: &Clusters,
        query: &str,
        namespace: &str,
        name: &str,
    ) -> Result<Found, LiveError> {
        let query = self.queries.expand_with(query, &self.window);
        let answer = self
            .client
            .query_range(&query, self.start, self.end, self.step_seconds)
            .await?;
        let mut found = Found {
            query,
            failure: None,
            series: BTreeMap::new(),
        };
        for series in answer {
            if let Some(cluster) = clusters.named(series.label(clusters.label())) {
                let (namespace, name) = (series.label(namespace), series.label(name));
                found.add((cluster, namespace.to_owned(), name.to_owned()), series);
            }
        }
        Ok(found)
    }

    async fn ask_workloads(
        &self,
        clusters: &Clusters,
        query: &WorkloadQuery,
    ) -> Result<Found, LiveError> {
        let namespace = self.queries.expand(&query.namespace_label);
        let name = self.queries.expand(&query.name_label);
        self.ask(clusters, &query.value, &namespace, &name).await
    }

    async fn ask_by_kind(
        &self,
        clusters: &Clusters,
        query: &HistoryQuery,
    ) -> Result<ByKind, LiveError> {
        let ask = |query, label| self.ask(clusters, query, "namespace", label);
        let (deployments, stateful_sets) = futures::try_join!(
            ask(&query.deployments, "deployment"),
            ask(&query.statefulsets, "statefulset")
        )?;
        Ok(ByKind {
            deployments,
            stateful_sets,
        })
    }

    /// What was asked for and not answered.
    fn in_vain(&self, query: &HistoryQuery, error: &LiveError) -> ByKind {
        let failure = match error {
            LiveError::Prometheus(PrometheusError::Query { failure, .. }) => failure.to_string(),
            other => other.to_string(),
        };
        let found = |query| Found {
            query: self.queries.expand_with(query, &self.window),
            failure: Some(failure.clone()),
            series: BTreeMap::new(),
        };
        ByKind {
            deployments: found(&query.deployments),
            stateful_sets: found(&query.statefulsets),
        }
    }
}

impl Found {
    /// Values that can be no measurement are left out.
    fn add(&mut self, key: Key, series: RangeSeries) {
        let measured = |value: Option<f64>| value.filter(|value| usable(*value).is_ok());
        let values = series.values.into_iter().map(measured).collect();
        self.series
            .entry(key)
            .and_modify(|known| {
                *known = Err("ambiguous: several series answer where one was expected".to_owned());
            })
            .or_insert(Ok(values));
    }

    fn of(&self, key: &Key) -> Option<&Result<Vec<Option<f64>>, String>> {
        self.series.get(key)
    }
}

impl ByKind {
    fn of(&self, kind: WorkloadKind) -> &Found {
        match kind {
            WorkloadKind::Deployment => &self.deployments,
            WorkloadKind::StatefulSet => &self.stateful_sets,
        }
    }
}

/// The answers, and the history made of them.
struct Past<'a> {
    replicas: ByKind,
    cpu_use: Option<ByKind>,
    memory_peak: Option<ByKind>,
    load: Vec<Found>,
    /// Why no time of the server can be trusted.
    skew: Option<String>,
    start_seconds: f64,
    step_seconds: f64,
    clusters: &'a Clusters,
    history: History,
}

/// What is read, by its name in gaps, and its place in the history.
type Kind = (
    &'static str,
    fn(&mut History) -> &mut BTreeMap<String, Series>,
);

/// How values of clusters become one.
type Fold = fn(f64, f64) -> f64;

impl Past<'_> {
    fn service(&mut self, service: &Service) {
        let (namespace, name) = services::names(service);
        let keys: Vec<Key> = (0..self.clusters.names().len())
            .map(|cluster| (cluster, namespace.clone(), name.clone()))
            .collect();
        let sum: Fold = |a, b| a + b;
        let replicas = self.replicas.of(service.kind);
        let known = |found: &&Found| keys.iter().any(|key| found.of(key).is_some());
        // As with readings of now, the first query that knows the service counts.
        let load = self.load.iter().find(known).or(self.load.first());
        let wanted: [(Kind, Option<&Found>, Fold); 4] = [
            (("load", |history| &mut history.load), load, sum),
            (
                ("cpu_use", |history| &mut history.cpu_use),
                self.cpu_use.as_ref().map(|by| by.of(service.kind)),
                sum,
            ),
            (
                ("replicas", |history| &mut history.replicas),
                Some(replicas),
                sum,
            ),
            (
                ("memory_peak", |history| &mut history.memory_peak),
                self.memory_peak.as_ref().map(|by| by.of(service.kind)),
                f64::max,
            ),
        ];
        let read = wanted.map(|(kind, found, fold)| {
            let found = found?;
            let values = self.over_clusters(&keys, found, replicas, fold);
            Some((kind, found.query.clone(), values))
        });
        for (kind, query, values) in read.into_iter().flatten() {
            self.keep(&service.name, kind, query, values);
        }
    }

    /// One series from the clusters that take part.
    fn over_clusters(
        &self,
        keys: &[Key],
        found: &Found,
        replicas: &Found,
        fold: Fold,
    ) -> Result<Vec<Option<f64>>, String> {
        if let Some(reason) = self.skew.as_ref().or(found.failure.as_ref()) {
            return Err(reason.clone());
        }
        let mut parts = Vec::new();
        for key in keys {
            let of_cluster = match found.of(key) {
                None => None,
                Some(Ok(values)) => Some(values),
                Some(Err(reason)) => {
                    let name = self.clusters.names().get(key.0);
                    let name = name.map_or("", String::as_str);
                    return Err(format!("cluster {name}: {reason}"));
                }
            };
            let replicas = replicas.of(key).and_then(|known| known.as_ref().ok());
            let some = |values: &Vec<Option<f64>>, above: f64| {
                values.iter().flatten().any(|value| *value > above)
            };
            if of_cluster.is_some_and(|values| some(values, -1.0))
                || replicas.is_some_and(|values| some(values, 0.0))
            {
                parts.push((of_cluster, replicas));
            }
        }
        let steps = parts
            .iter()
            .flat_map(|(values, replicas)| [*values, *replicas])
            .flatten()
            .map(Vec::len)
            .max();
        let steps = steps.ok_or(MISSING)?;
        Ok((0..steps).map(|step| at(&parts, step, fold)).collect())
    }

    /// Keeps a series, and says what is missing of it.
    fn keep(
        &mut self,
        service: &str,
        (what, place): Kind,
        query: String,
        values: Result<Vec<Option<f64>>, String>,
    ) {
        let reason = match &values {
            Err(reason) => Some(reason.clone()),
            Ok(values) => {
                let missing = values.iter().filter(|value| value.is_none()).count();
                let all = values.len();
                (missing > 0).then(|| format!("missing at {missing} of {all} times"))
            }
        };
        if let Some(reason) = reason {
            self.history.gaps.push(Gap {
                path: format!("services.{service}.{what}"),
                query,
                reason,
            });
        }
        let Ok(values) = values else { return };
        if values.iter().all(Option::is_none) {
            return;
        }
        let series = Series {
            start_seconds: self.start_seconds,
            step_seconds: self.step_seconds,
            values,
        };
        place(&mut self.history).insert(service.to_owned(), series);
    }
}

/// Values and replicas of a cluster over time.
type Part<'a> = (Option<&'a Vec<Option<f64>>>, Option<&'a Vec<Option<f64>>>);

/// The value of all clusters at one step. One without a value there is passed over only where it is known to have no replicas.
fn at(parts: &[Part<'_>], step: usize, fold: Fold) -> Option<f64> {
    let value = |values: Option<&Vec<Option<f64>>>| values.and_then(|v| v.get(step).copied()?);
    let mut total = None;
    for (values, replicas) in parts {
        match (value(*values), value(*replicas)) {
            (Some(here), _) => total = Some(total.map_or(here, |total| fold(total, here))),
            (None, Some(replicas)) if replicas <= 0.0 => {}
            (None, _) => return None,
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUM: Fold = |a, b| a + b;

    #[test]
    fn a_sum_over_some_of_the_clusters_is_none() {
        let (a, b) = (vec![Some(1.0); 4], vec![Some(2.0), None, None, None]);
        let replicas = vec![Some(1.0), Some(1.0), Some(0.0), None];
        let parts = [(Some(&a), None), (Some(&b), Some(&replicas))];
        let sums: Vec<_> = (0..5).map(|step| at(&parts, step, SUM)).collect();
        assert_eq!(sums, [Some(3.0), None, Some(1.0), None, None]);
    }

    #[test]
    fn without_replicas_there_is_no_load_and_no_zero() {
        let replicas = vec![Some(0.0)];
        assert_eq!(at(&[(None, Some(&replicas))], 0, SUM), None);
    }

    #[test]
    fn windows_are_as_long_as_a_step() {
        let queries = Queries::default();
        assert_eq!(window_of(&queries, 60.0), "5m");
        assert_eq!(window_of(&queries, 900.0), "900000ms");
    }
}
