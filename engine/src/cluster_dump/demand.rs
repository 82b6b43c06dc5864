//! The request that a workload's pods are planned with.

use std::collections::BTreeSet;

use super::census::LivePod;
use super::manifest::{PodSpec, Workload};
use super::notes::Notes;
use super::request::{Amounts, effective};

/// One millicore and one mebibyte: what a pod without a request is counted with, for the file asks for more than zero.
const LEAST: [(&str, i128, &str); 2] = [
    ("cpu", 1_000_000, "1m"),
    ("memory", (1 << 20) * 1_000_000_000, "1Mi"),
];

/// The request of a workload's pods: that of its template, unless all its pods agree on another one.
///
/// A template is not what runs where a LimitRange, the vertical autoscaler or an injected sidecar changes pods on admission;
/// while a rollout is under way the pods differ, and the template is what comes.
pub(super) fn of_workload(
    path: &str,
    object: &str,
    workload: &Workload,
    pods: &[LivePod<'_>],
    notes: &mut Notes,
) -> Amounts {
    if effective(&workload.spec.template.spec)
        .is_ok_and(|request| request.amounts.get("ephemeral-storage") > 0)
    {
        notes.untranslated(format!(
            "{object}: its request of ephemeral-storage, which plans do not count"
        ));
    }
    let Some((mut amounts, from_limits)) = read(
        object,
        "spec.template.spec",
        &workload.spec.template.spec,
        notes,
    ) else {
        return Amounts::default();
    };
    let running: Vec<Amounts> = pods
        .iter()
        .filter_map(|live| Some(cleaned(effective(&live.pod.spec).ok()?.amounts)))
        .collect();
    if let Some(first) = running.first().filter(|first| **first != amounts) {
        if running.iter().all(|other| other == first) {
            notes.assume(
                format!("{path}.requests"),
                "all its pods request this, their template something else",
            );
            amounts = first.clone();
        } else {
            notes.assume(
                format!("{path}.requests"),
                "its pods differ from each other: the template's request",
            );
        }
    } else {
        for name in from_limits {
            notes.assume(
                format!("{path}.requests.{name}"),
                "not requested by every container: the limit, as the API server takes it",
            );
        }
    }
    amounts
}

/// The request with CPU and memory above zero, as a problem file wants it of services.
pub(super) fn at_least_something(path: &str, mut amounts: Amounts, notes: &mut Notes) -> Amounts {
    for (name, nano, shown) in LEAST {
        if amounts.get(name) == 0 {
            notes.assume(
                format!("{path}.requests.{name}"),
                format!("no request: the scheduler counts 0, the file {shown}"),
            );
            amounts.set(name, nano);
        }
    }
    amounts
}

/// The request of a pod that belongs to nothing that is planned.
pub(super) fn of_pod(object: &str, spec: &PodSpec, notes: &mut Notes) -> Amounts {
    read(object, "spec", spec, notes)
        .map(|(amounts, _)| amounts)
        .unwrap_or_default()
}

/// Sum of several pods' requests with their number.
pub(super) fn sum<'a>(requests: impl IntoIterator<Item = &'a Amounts>) -> Amounts {
    let mut total = Amounts::default();
    for request in requests {
        total.add(request);
        total.count_pod();
    }
    total
}

fn read(
    object: &str,
    field: &str,
    spec: &PodSpec,
    notes: &mut Notes,
) -> Option<(Amounts, Vec<String>)> {
    match effective(spec) {
        Ok(request) => Some((cleaned(request.amounts), request.from_limits)),
        Err(error) => {
            notes.issue(object, format!("{field}.{error}"));
            None
        }
    }
}

/// Without what the catalogue's machines do not state.
fn cleaned(mut amounts: Amounts) -> Amounts {
    amounts.remove("ephemeral-storage");
    amounts
}

/// Nodes' resources that matter beside `cpu`, `memory` and `pods`: those that some pod requests.
pub(super) fn extended<'a>(requests: impl IntoIterator<Item = &'a Amounts>) -> BTreeSet<String> {
    let names = requests
        .into_iter()
        .flat_map(|amounts| amounts.names().filter(|name| amounts.get(name) > 0));
    names
        .filter(|name| !["cpu", "memory", "pods"].contains(name))
        .map(str::to_owned)
        .collect()
}
