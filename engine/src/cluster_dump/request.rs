//! What a pod requests, as the scheduler counts it.
//!
//! Source: `PodRequests` in k8s.io/component-helpers/resource, which follows KEP-753 (sidecar containers) and KEP-2837
//! (pod-level resources): the larger of what runs at the end and what runs at any moment of the initialisation, plus overhead.

use std::collections::BTreeMap;

use super::manifest::{Container, PodSpec, Requirements};
use crate::problem::{Quantity, Resources};

/// Amounts in 10⁻⁹ of the resource's unit, exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Amounts(BTreeMap<String, i128>);

const NANO: i128 = 1_000_000_000;

impl Amounts {
    pub(super) fn from_resources(resources: &Resources) -> Result<Self, String> {
        let amount = |(name, quantity): (&String, &Quantity)| match quantity.nano() {
            Some(nano) if nano >= 0 && quantity.units().is_some() => Ok((name.clone(), nano)),
            _ => Err(format!(
                "{name}: {:?} is not a quantity ≥ 0 that a node could have",
                quantity.0
            )),
        };
        resources
            .iter()
            .map(amount)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (name, nano) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*nano);
        }
    }

    fn raise_to(&mut self, other: &Self) {
        for (name, nano) in &other.0 {
            let most = self.0.entry(name.clone()).or_default();
            *most = (*most).max(*nano);
        }
    }

    pub(super) fn get(&self, name: &str) -> i128 {
        self.0.get(name).copied().unwrap_or(0)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some_and(|nano| nano > 0)
    }

    pub(super) fn set(&mut self, name: &str, nano: i128) {
        self.0.insert(name.to_owned(), nano);
    }

    /// Counts one pod, the unit of the resource `pods`.
    pub(super) fn count_pod(&mut self) {
        *self.0.entry("pods".to_owned()).or_default() += NANO;
    }

    /// The smaller of both, resource by resource; one that either lacks is absent.
    pub(super) fn least(&self, other: &Self) -> Self {
        let both = self
            .0
            .iter()
            .filter_map(|(name, nano)| Some((name.clone(), (*nano).min(*other.0.get(name)?))));
        Self(both.collect())
    }

    /// What is left after taking `other`, never below zero.
    pub(super) fn less(&self, other: &Self) -> Self {
        Self(
            self.0
                .iter()
                .map(|(name, nano)| (name.clone(), nano.saturating_sub(other.get(name)).max(0)))
                .collect(),
        )
    }

    /// Whether a pod with this request fits into the room.
    pub(super) fn fits(&self, room: &Self) -> bool {
        self.0.iter().all(|(name, nano)| *nano <= room.get(name))
    }

    /// As quantities, rounded up to millicores and whole units; other resources than CPU and memory only where they are not zero.
    pub(super) fn to_resources(&self) -> Resources {
        let rounded = |nano: i128, unit: i128| {
            u64::try_from(nano / unit + i128::from(nano % unit != 0)).unwrap_or(u64::MAX)
        };
        let entry = |(name, nano): (&String, &i128)| match name.as_str() {
            "cpu" => Some((
                name.clone(),
                Quantity::from_milli(rounded(*nano, NANO / 1000)),
            )),
            "memory" => Some((name.clone(), Quantity::from_units(rounded(*nano, NANO)))),
            _ if *nano > 0 => Some((name.clone(), Quantity::from_units(rounded(*nano, NANO)))),
            _ => None,
        };
        self.0.iter().filter_map(entry).collect()
    }
}

/// The effective request of a pod and what had to be assumed for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PodRequest {
    pub amounts: Amounts,
    /// Resources for which a limit stood in for a missing request.
    pub from_limits: Vec<String>,
}

/// The effective request of a pod.
///
/// # Errors
///
/// A bad quantity, with the field in which it stands.
pub(super) fn effective(spec: &PodSpec) -> Result<PodRequest, String> {
    let mut from_limits = Vec::new();
    let mut read = |field: &str, container: &Container| {
        let amounts = container_request(&container.resources, &mut from_limits);
        amounts.map_err(|error| format!("{field}.{}.resources.{error}", container.name))
    };
    let mut running = Amounts::default();
    for container in &spec.containers {
        running.add(&read("containers", container)?);
    }
    let (mut sidecars, mut initialising) = (Amounts::default(), Amounts::default());
    for container in &spec.init_containers {
        let mut amounts = read("initContainers", container)?;
        if container.restart_policy.as_deref() == Some("Always") {
            running.add(&amounts);
            sidecars.add(&amounts);
            initialising.raise_to(&sidecars);
        } else {
            amounts.add(&sidecars);
            initialising.raise_to(&amounts);
        }
    }
    running.raise_to(&initialising);
    if let Some(resources) = &spec.resources {
        override_by_pod_level(&mut running, resources)
            .map_err(|error| format!("resources.{error}"))?;
    }
    running.add(
        &Amounts::from_resources(&spec.overhead).map_err(|error| format!("overhead.{error}"))?,
    );
    from_limits.sort();
    from_limits.dedup();
    Ok(PodRequest {
        amounts: running,
        from_limits,
    })
}

/// A container's request; a missing one is its limit, as the API server defaults it.
fn container_request(
    resources: &Requirements,
    from_limits: &mut Vec<String>,
) -> Result<Amounts, String> {
    let mut amounts = Amounts::from_resources(&resources.requests)
        .map_err(|error| format!("requests.{error}"))?;
    let limits =
        Amounts::from_resources(&resources.limits).map_err(|error| format!("limits.{error}"))?;
    for (name, nano) in limits.0 {
        if let std::collections::btree_map::Entry::Vacant(entry) = amounts.0.entry(name) {
            from_limits.push(entry.key().clone());
            entry.insert(nano);
        }
    }
    Ok(amounts)
}

/// KEP-2837: a pod-level request replaces the sum; a pod-level limit stands in only where no container requests anything.
fn override_by_pod_level(amounts: &mut Amounts, resources: &Requirements) -> Result<(), String> {
    let requests = Amounts::from_resources(&resources.requests)
        .map_err(|error| format!("requests.{error}"))?;
    let limits =
        Amounts::from_resources(&resources.limits).map_err(|error| format!("limits.{error}"))?;
    for (name, nano) in &limits.0 {
        amounts.0.entry(name.clone()).or_insert(*nano);
    }
    for (name, nano) in &requests.0 {
        amounts.set(name, *nano);
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn requested(spec: Value) -> Resources {
        effective(&serde_json::from_value(spec).unwrap())
            .unwrap()
            .amounts
            .to_resources()
    }

    fn cpu(amount: &str) -> Value {
        json!({"resources": {"requests": {"cpu": amount}}})
    }

    fn sidecar(amount: &str) -> Value {
        json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": amount}}})
    }

    /// Cases and sums of `TestPodResourceRequests` in k8s.io/component-helpers/resource (KEP-753's formula).
    #[test]
    fn init_containers_and_sidecars_count_as_kubernetes_counts_them() {
        let one = || vec![cpu("1")];
        for (what, init, containers, expected) in [
            ("larger init container", vec![cpu("4")], one(), "4"),
            (
                "larger containers",
                vec![cpu("2")],
                vec![cpu("2"), cpu("3")],
                "5",
            ),
            ("sidecar and container", vec![sidecar("1")], one(), "2"),
            (
                "sidecars outweigh",
                vec![cpu("5"), sidecar("1"), sidecar("2"), sidecar("3")],
                one(),
                "7",
            ),
            (
                "init after two sidecars",
                vec![cpu("5"), sidecar("1"), sidecar("2"), cpu("5"), sidecar("3")],
                one(),
                "8",
            ),
            (
                "sidecar before init",
                vec![sidecar("10"), cpu("200")],
                vec![cpu("100")],
                "210",
            ),
            ("no container requests", vec![], vec![json!({})], "0"),
        ] {
            let resources = requested(json!({"initContainers": init, "containers": containers}));
            let found = resources
                .get("cpu")
                .cloned()
                .unwrap_or(Quantity("0".to_owned()));
            assert_eq!(found.0, expected, "{what}");
        }
    }

    #[test]
    fn overhead_is_added_last() {
        let spec = json!({"initContainers": [cpu("2")], "containers": [cpu("2"), cpu("3")], "overhead": {"cpu": "1", "memory": "1Gi"}});
        assert_eq!(json!(requested(spec)), json!({"cpu": "6", "memory": "1Gi"}));
    }

    /// KEP-2837: pod-level requests replace the sum of those resources that they name.
    #[test]
    fn pod_level_requests_replace_the_sum() {
        let container = json!({"resources": {"requests": {"cpu": "2", "memory": "1Gi", "nvidia.com/gpu": "1"}}});
        let spec = json!({"containers": [container, container], "resources": {"requests": {"cpu": "3"}, "limits": {"memory": "9Gi"}}});
        assert_eq!(
            json!(requested(spec)),
            json!({"cpu": "3", "memory": "2Gi", "nvidia.com/gpu": "2"})
        );
        let spec = json!({"containers": [{}], "resources": {"limits": {"memory": "9Gi"}}});
        assert_eq!(json!(requested(spec)), json!({"memory": "9Gi"}));
    }

    #[test]
    fn a_limit_stands_in_for_a_missing_request() {
        let spec = json!({"containers": [{"resources": {"limits": {"cpu": "1", "memory": "2Gi"}, "requests": {"cpu": "100m"}}}]});
        let request = effective(&serde_json::from_value(spec).unwrap()).unwrap();
        assert_eq!(
            json!(request.amounts.to_resources()),
            json!({"cpu": "100m", "memory": "2Gi"})
        );
        assert_eq!(request.from_limits, ["memory"]);
    }

    #[test]
    fn sums_are_exact_before_they_are_rounded() {
        let spec = json!({"containers": [cpu("0.4m"), cpu("400u"), cpu("200u")]});
        assert_eq!(requested(spec).get("cpu").unwrap().0, "1m");
    }

    #[test]
    fn a_bad_quantity_names_its_field() {
        for bad in ["-1", "1x", "", "1e99"] {
            let spec =
                json!({"containers": [{"name": "web", "resources": {"requests": {"cpu": bad}}}]});
            let error = effective(&serde_json::from_value(spec).unwrap()).unwrap_err();
            assert!(
                error.starts_with("containers.web.resources.requests.cpu"),
                "{error}"
            );
        }
    }
}
