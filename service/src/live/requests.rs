//! The effective request of each pod, as far as the metrics tell.
//!
//! The scheduler counts per resource the larger of (a) all containers and sidecars together and (b) the largest init container with
//! the sidecars started before it, plus the runtime's overhead
//! (<https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers>). The order of init
//! containers is in no metric, so that (b) is known exactly only without sidecars, and otherwise only bounded from above.

use std::collections::{BTreeMap, BTreeSet};

use ketscale_engine::problem::Resources;

use super::answers::Answers;
use super::clusters::Clusters;
use super::pods::{self, PodKey};
use crate::prometheus::{Family, Sample};

/// Most of any resource that a single container may request: what JSON numbers hold exactly.
const MAX_AMOUNT: f64 = 9_007_199_254_740_992.0;

/// Amounts by resource as kube-state-metrics spells it (`cpu`, `memory`, `nvidia_com_gpu`); CPU in millicores, others in whole units.
pub(super) type Amounts = BTreeMap<String, u64>;

/// Requests of all pods.
pub(super) struct Requests<'a> {
    pods: BTreeMap<PodKey<'a>, PodRequest>,
    times: BTreeMap<PodKey<'a>, f64>,
    family: &'a Family,
    clusters_with_requests: BTreeSet<usize>,
}

#[derive(Default)]
struct PodRequest {
    containers: Amounts,
    sidecars: Amounts,
    largest_init: Amounts,
    overhead: Amounts,
    /// Set when a value is no amount.
    broken: Option<String>,
}

/// An amount of one resource.
pub(super) enum Effective {
    /// As the scheduler counts it.
    Exact(u64),
    /// At most this much.
    AtMost(u64),
}

/// Collects the requests of all pods.
pub(super) fn read<'a>(answers: &'a Answers, clusters: &Clusters) -> Requests<'a> {
    let mut pods: BTreeMap<PodKey<'a>, PodRequest> = BTreeMap::new();
    let sidecars: BTreeSet<(PodKey<'_>, &str)> = (answers.sidecars.samples.iter())
        .filter_map(|sample| Some((pods::key(clusters, sample)?, sample.label("container"))))
        .collect();
    for sample in &answers.container_requests.samples {
        add(
            &mut pods,
            clusters,
            sample,
            sample.label("resource"),
            |pod| &mut pod.containers,
        );
    }
    for sample in &answers.init_container_requests.samples {
        let Some(key) = pods::key(clusters, sample) else {
            continue;
        };
        if sidecars.contains(&(key, sample.label("container"))) {
            add(
                &mut pods,
                clusters,
                sample,
                sample.label("resource"),
                |pod| &mut pod.sidecars,
            );
        } else {
            largest(&mut pods, key, sample);
        }
    }
    for (family, resource) in [
        (&answers.overhead_cpu, "cpu"),
        (&answers.overhead_memory, "memory"),
    ] {
        for sample in &family.samples {
            add(&mut pods, clusters, sample, resource, |pod| {
                &mut pod.overhead
            });
        }
    }
    let family = &answers.container_requests;
    Requests {
        pods,
        times: family.oldest_by(|sample| pods::key(clusters, sample)),
        family,
        clusters_with_requests: family
            .samples
            .iter()
            .filter_map(|sample| clusters.of(sample))
            .collect(),
    }
}

fn add<'a>(
    pods: &mut BTreeMap<PodKey<'a>, PodRequest>,
    clusters: &Clusters,
    sample: &'a Sample,
    resource: &str,
    part: impl Fn(&mut PodRequest) -> &mut Amounts,
) {
    let Some(key) = pods::key(clusters, sample) else {
        return;
    };
    let pod = pods.entry(key).or_default();
    match amount(sample.value, resource) {
        Ok(amount) => {
            let sum = part(pod).entry(resource.to_owned()).or_default();
            *sum = sum.saturating_add(amount);
        }
        Err(reason) => pod.broken = Some(reason),
    }
}

fn largest<'a>(pods: &mut BTreeMap<PodKey<'a>, PodRequest>, key: PodKey<'a>, sample: &'a Sample) {
    let pod = pods.entry(key).or_default();
    let resource = sample.label("resource");
    match amount(sample.value, resource) {
        Ok(amount) => {
            let most = pod.largest_init.entry(resource.to_owned()).or_default();
            *most = amount.max(*most);
        }
        Err(reason) => pod.broken = Some(reason),
    }
}

/// Millicores or whole units, rounded up as the API server does; the metric is a double, whose own rounding is not to add one.
pub(super) fn amount(value: f64, resource: &str) -> Result<u64, String> {
    let scaled = if resource == "cpu" {
        value * 1000.0
    } else {
        value
    };
    if !(0.0..=MAX_AMOUNT).contains(&scaled) {
        return Err(format!("not a request: {value} of {resource}"));
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    Ok((scaled - 1e-6).ceil().max(0.0) as u64)
}

impl Requests<'_> {
    /// The query for the requests of containers.
    pub(super) fn query(&self) -> &str {
        &self.family.query
    }

    /// Whether any pod of the cluster has a request: if none has, the metric is not there.
    pub(super) fn has_cluster(&self, cluster: usize) -> bool {
        self.clusters_with_requests.contains(&cluster)
    }

    /// The time of a pod's oldest sample, if it is fresh; `Ok(None)` for a pod that requests nothing.
    pub(super) fn time(&self, pod: PodKey<'_>) -> Result<Option<f64>, String> {
        match self.pods.get(&pod) {
            None => Ok(None),
            Some(PodRequest {
                broken: Some(reason),
                ..
            }) => Err(reason.clone()),
            // A pod whose request comes from init containers or overhead alone has no time of its own.
            Some(request) if request.containers.is_empty() => Ok(None),
            Some(_) => self.family.fresh(self.times.get(&pod).copied()).map(Some),
        }
    }

    /// What a pod requests of a resource, as kube-state-metrics spells it; `None` when it requests none.
    pub(super) fn of(&self, pod: PodKey<'_>, resource: &str) -> Option<Effective> {
        let request = self.pods.get(&pod)?;
        let part = |amounts: &Amounts| amounts.get(resource).copied();
        let (containers, sidecars) = (part(&request.containers), part(&request.sidecars));
        let (init, overhead) = (part(&request.largest_init), part(&request.overhead));
        if containers.is_none() && sidecars.is_none() && init.is_none() && overhead.is_none() {
            return None;
        }
        let sum = |a: Option<u64>, b: Option<u64>| a.unwrap_or(0).saturating_add(b.unwrap_or(0));
        let steady = sum(Some(sum(containers, sidecars)), overhead);
        let starting = sum(Some(sum(init, sidecars)), overhead);
        let exact = starting <= steady || sidecars.is_none();
        let most = steady.max(starting);
        Some(if exact {
            Effective::Exact(most)
        } else {
            Effective::AtMost(most)
        })
    }
}

/// A resource's name as kube-state-metrics spells it in labels.
pub(super) fn spelled(resource: &str) -> String {
    resource
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

/// The extended resources that some lists of requests name.
pub(super) fn extended<'a>(requests: impl IntoIterator<Item = &'a Resources>) -> BTreeSet<&'a str> {
    let names = requests
        .into_iter()
        .flat_map(|resources| resources.keys().map(String::as_str));
    names
        .filter(|name| !matches!(*name, "cpu" | "memory" | "pods"))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn doubles_become_the_amounts_that_were_written() {
        for milli in (1..2000_u32).chain([999_999]) {
            assert_eq!(
                amount(f64::from(milli) / 1000.0, "cpu"),
                Ok(u64::from(milli))
            );
        }
        assert_eq!(amount(0.0001, "cpu"), Ok(1));
        assert_eq!(amount(268_435_456.0, "memory"), Ok(256 << 20));
        for bad in [f64::NAN, f64::INFINITY, -1.0] {
            assert!(amount(bad, "cpu").is_err());
        }
    }
}
