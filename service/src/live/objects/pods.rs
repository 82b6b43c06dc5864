//! Pods with their containers, and the templates that follow from them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Name, View, stripped};
use crate::live::placement::quantity;
use crate::live::requests::amount;
use crate::prometheus::{Family, Sample};

/// A pod under way.
pub(super) struct PodObject<'a> {
    pub(super) owner: (&'a str, &'a str),
    pub(super) spec: Value,
    pub(super) object: Value,
}

impl<'a> View<'a> {
    /// Every live pod.
    pub(super) fn pods(&self) -> BTreeMap<Name<'a>, PodObject<'a>> {
        let name = |sample: &'a Sample| (sample.label("namespace"), sample.label("pod"));
        let container = |sample: &'a Sample| (name(sample), sample.label("container"));
        let names =
            |family: &'a Family| -> BTreeSet<Name<'a>> { self.samples(family).map(name).collect() };
        let (running, terminating) = (
            names(&self.answers.running_pods),
            names(&self.answers.terminating_pods),
        );
        let containers = self.amounts(&self.answers.container_requests, container);
        let init_containers = self.amounts(&self.answers.init_container_requests, container);
        let sidecars: BTreeSet<_> = self
            .samples(&self.answers.sidecars)
            .map(container)
            .collect();
        let overhead = self.overhead();
        let tolerations = self.tolerations();
        let mut pods = BTreeMap::new();
        for sample in self.samples(&self.answers.pods) {
            let key = name(sample);
            if !running.contains(&key) || terminating.contains(&key) {
                continue;
            }
            let of = |all: &BTreeMap<(Name<'a>, &'a str), Map<String, Value>>,
                      sidecar: Option<bool>|
             -> Vec<Value> {
                let own = all
                    .range((key, "")..)
                    .take_while(|((pod, _), _)| *pod == key);
                let kept = own.filter(|(at, _)| {
                    sidecar.is_none_or(|sidecar| sidecars.contains(at) == sidecar)
                });
                let policy = (sidecar == Some(true)).then_some("Always");
                kept.map(|((_, name), requests)| json!({"name": name, "restartPolicy": policy, "resources": {"requests": requests}})).collect()
            };
            // The order is in no metric; sidecars first is the order that requests the most.
            let init: Vec<Value> = [
                of(&init_containers, Some(true)),
                of(&init_containers, Some(false)),
            ]
            .concat();
            let spec = json!({
                "nodeName": sample.label("node"),
                "containers": of(&containers, None),
                "initContainers": init,
                "overhead": overhead.get(&key).cloned().unwrap_or_default(),
                "tolerations": tolerations.get(&key).cloned().unwrap_or_default(),
            });
            pods.insert(key, pod(key, sample, spec));
        }
        pods
    }

    fn overhead(&self) -> BTreeMap<Name<'a>, Map<String, Value>> {
        let mut overhead: BTreeMap<Name<'_>, Map<String, Value>> = BTreeMap::new();
        for (family, resource) in [
            (&self.answers.overhead_cpu, "cpu"),
            (&self.answers.overhead_memory, "memory"),
        ] {
            for sample in self.samples(family) {
                if let Ok(amount) = amount(sample.value, resource) {
                    let pod = overhead
                        .entry((sample.label("namespace"), sample.label("pod")))
                        .or_default();
                    pod.insert(resource.to_owned(), json!(quantity(resource, amount).0));
                }
            }
        }
        overhead
    }

    fn tolerations(&self) -> BTreeMap<Name<'a>, Vec<Value>> {
        let mut tolerations: BTreeMap<Name<'_>, Vec<Value>> = BTreeMap::new();
        for sample in self.samples(&self.more.pod_tolerations) {
            let some =
                |name: &str| Some(sample.label(name).to_owned()).filter(|value| !value.is_empty());
            let toleration = json!({"key": sample.label("key"), "operator": some("operator"), "value": sample.label("value"), "effect": some("effect")});
            tolerations
                .entry((sample.label("namespace"), sample.label("pod")))
                .or_default()
                .push(toleration);
        }
        tolerations
    }
}

fn pod<'a>(name: Name<'a>, sample: &'a Sample, spec: Value) -> PodObject<'a> {
    let kind_and_name = (
        sample.label("created_by_kind"),
        sample.label("created_by_name"),
    );
    let metadata = json!({"namespace": name.0, "name": name.1, "ownerReferences": owner(kind_and_name.0, kind_and_name.1)});
    let phase = if sample.label("node").is_empty() {
        "Pending"
    } else {
        "Running"
    };
    let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": phase}});
    PodObject {
        owner: kind_and_name,
        spec,
        object: stripped(object),
    }
}

/// Owner references; none where kube-state-metrics says `<none>`.
pub(super) fn owner(kind: &str, name: &str) -> Value {
    if kind.is_empty() || kind == "<none>" {
        json!([])
    } else {
        json!([{"kind": kind, "name": name, "controller": true}])
    }
}

/// A pod's spec without its node.
pub(super) fn template(spec: &Value) -> Value {
    let mut spec = stripped(spec.clone());
    if let Some(fields) = spec.as_object_mut() {
        fields.remove("nodeName");
    }
    spec
}
