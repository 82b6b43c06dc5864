//! What kube-state-metrics tells of a cluster, put together as the objects that `kubectl get … -o json` would print.
//!
//! Left out is what no metric tells: selectors, affinities and spread of pods, which pods a disruption budget covers, zones of volumes.

mod pods;

use std::collections::{BTreeMap, BTreeSet};

use ketscale_engine::cluster_dump::{COMMAND, Translation};
use ketscale_engine::problem::Mode;
use serde_json::{Map, Value, json};

use pods::{PodObject, owner, template};

use super::LiveError;
use super::answers::Answers;
use super::nodes;
use super::requests::amount;
use crate::prometheus::{Client, Family, Moment, PrometheusError, Queries, Sample};

/// Extended resources whose names kube-state-metrics' spelling does not tell, and their names.
const RESOURCES: [(&str, &str); 5] = [
    ("ephemeral_storage", "ephemeral-storage"),
    ("nvidia_com_gpu", "nvidia.com/gpu"),
    ("amd_com_gpu", "amd.com/gpu"),
    ("aws_amazon_com_neuron", "aws.amazon.com/neuron"),
    ("google_com_tpu", "google.com/tpu"),
];

/// What a new problem needs beside the answers.
pub(super) struct Extra {
    node_allocatable: Family,
    node_taints: Family,
    pod_tolerations: Family,
    pod_claims: Family,
    hpa_targets: Family,
    hpa_min: Family,
    hpa_max: Family,
}

impl Extra {
    pub(super) async fn read(
        client: &Client,
        queries: &Queries,
        moment: &Moment,
    ) -> Result<Self, PrometheusError> {
        let ask = |query| Family::read(client, queries, query, moment);
        let (
            node_allocatable,
            node_taints,
            pod_tolerations,
            pod_claims,
            hpa_targets,
            hpa_min,
            hpa_max,
        ) = futures::try_join!(
            ask(&queries.node_allocatable),
            ask(&queries.node_taints),
            ask(&queries.pod_tolerations),
            ask(&queries.pod_claims),
            ask(&queries.hpa_targets),
            ask(&queries.hpa_min),
            ask(&queries.hpa_max),
        )?;
        Ok(Self {
            node_allocatable,
            node_taints,
            pod_tolerations,
            pod_claims,
            hpa_targets,
            hpa_min,
            hpa_max,
        })
    }
}

/// One cluster as `kubectl` would print it.
pub(super) struct Objects {
    /// A `List`.
    pub(super) list: Value,
    /// The cluster's name, where a label tells it.
    pub(super) cluster: Option<String>,
    /// Workloads whose pods claim volumes, as `namespace/name`.
    pub(super) claimed: BTreeSet<String>,
}

/// Puts the objects of a cluster together.
pub(super) fn read(
    answers: &Answers,
    more: &Extra,
    queries: &Queries,
    name: Option<&str>,
    url: &str,
) -> Result<Objects, LiveError> {
    let cluster = chosen(answers, queries, name, url)?;
    let view = View {
        answers,
        more,
        label: &queries.cluster_label,
        cluster: &cluster,
    };
    view.require(url)?;
    let pods = view.pods();
    let mut items: Vec<Value> = view.nodes();
    items.extend(view.replica_sets());
    items.extend(view.workloads(
        "Deployment",
        "deployment",
        &answers.deployment_replicas,
        &pods,
    ));
    items.extend(view.workloads(
        "StatefulSet",
        "statefulset",
        &answers.statefulset_replicas,
        &pods,
    ));
    items.extend(daemon_sets(&pods));
    items.extend(view.autoscalers());
    let claimed = view.claimed(&pods);
    items.extend(pods.into_values().map(|pod| pod.object));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    Ok(Objects {
        list,
        cluster: Some(cluster).filter(|name| !name.is_empty()),
        claimed,
    })
}

/// Leaves services with volumes where they are, and says what no metric tells.
pub(super) fn hold(translation: &mut Translation, claimed: &BTreeSet<String>) {
    for service in &mut translation.problem.services {
        if claimed.contains(&service.name) {
            service.mode = Mode::Observe;
            translation.untranslated.push(format!("{}: its volumes, whose zones no metric tells; its pods are left where they are (mode observe)", service.name));
        }
    }
    translation.untranslated.push(format!(
        "selectors, affinities and spread of pods, and what disruption budgets cover, are in no metric: nothing holds a plan to them; where they matter use {COMMAND}"
    ));
}

/// The value of the cluster label that is meant.
fn chosen(
    answers: &Answers,
    queries: &Queries,
    name: Option<&str>,
    url: &str,
) -> Result<String, LiveError> {
    let values: BTreeSet<&str> = answers
        .nodes
        .samples
        .iter()
        .map(|sample| sample.label(&queries.cluster_label))
        .collect();
    let named = name.map(|name| queries.cluster_names.get(name).map_or(name, String::as_str));
    match (values.len(), named.filter(|name| values.contains(name))) {
        (_, Some(name)) => Ok(name.to_owned()),
        (0 | 1, None) => Ok(values
            .first()
            .map(|value| (*value).to_owned())
            .unwrap_or_default()),
        (_, None) => Err(LiveError::SeveralClusters {
            url: url.to_owned(),
            clusters: values.into_iter().collect::<Vec<_>>().join(", "),
        }),
    }
}

/// Namespace and name.
type Name<'a> = (&'a str, &'a str);

struct View<'a> {
    answers: &'a Answers,
    more: &'a Extra,
    label: &'a str,
    cluster: &'a str,
}

impl<'a> View<'a> {
    fn samples(&self, family: &'a Family) -> impl Iterator<Item = &'a Sample> + use<'a> {
        let (label, cluster) = (self.label, self.cluster);
        family
            .samples
            .iter()
            .filter(move |sample| sample.label(label) == cluster)
    }

    /// Refuses what is missing, stale or hidden.
    fn require(&self, url: &str) -> Result<(), LiveError> {
        let answers = self.answers;
        for family in [
            &answers.nodes,
            &answers.pods,
            &answers.running_pods,
            &answers.container_requests,
            &self.more.node_allocatable,
        ] {
            let here = |sample: &Sample| (sample.label(self.label) == self.cluster).then_some(());
            let time = family.oldest_by(here).get(&()).copied();
            let reason = if self.samples(family).next().is_none() {
                Some(crate::prometheus::MISSING.to_owned())
            } else {
                family.fresh(time).err()
            };
            if let Some(reason) = reason {
                return Err(LiveError::Incomplete {
                    url: url.to_owned(),
                    query: family.query.clone(),
                    reason,
                });
            }
        }
        let shown = self
            .samples(&answers.node_labels)
            .any(|sample| sample.labels.keys().any(|name| name.starts_with("label_")));
        if shown {
            Ok(())
        } else {
            Err(LiveError::HiddenLabels {
                url: url.to_owned(),
                missing: "kube_node_labels has none".to_owned(),
            })
        }
    }

    fn nodes(&self) -> Vec<Value> {
        let mut labels: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for sample in self.samples(&self.answers.node_labels) {
            labels.entry(sample.label("node")).or_default().extend(
                nodes::kubernetes_labels(sample)
                    .map(|(name, value)| (name.to_owned(), json!(value))),
            );
        }
        let allocatable = self.amounts(&self.more.node_allocatable, |sample| sample.label("node"));
        let mut taints: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for sample in self.samples(&self.more.node_taints) {
            let taint = json!({"key": sample.label("key"), "value": sample.label("value"), "effect": sample.label("effect")});
            taints.entry(sample.label("node")).or_default().push(taint);
        }
        let set = |family: &'a Family| -> BTreeSet<&'a str> {
            self.samples(family)
                .filter(|sample| sample.value > 0.0)
                .map(|sample| sample.label("node"))
                .collect()
        };
        let (cordoned, ready) = (
            set(&self.answers.node_unschedulable),
            set(&self.answers.node_ready),
        );
        let infos: BTreeMap<&str, &str> = self
            .samples(&self.answers.nodes)
            .map(|sample| (sample.label("node"), sample.label("provider_id")))
            .collect();
        let node = |(name, provider_id): (&str, &str)| {
            json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": labels.get(name)},
                "spec": {"providerID": provider_id, "unschedulable": cordoned.contains(name), "taints": taints.get(name).cloned().unwrap_or_default()},
                "status": {
                    "allocatable": allocatable.get(name),
                    "conditions": [{"type": "Ready", "status": if ready.contains(name) { "True" } else { "False" }}],
                },
            })
        };
        infos.into_iter().map(without_nulls(node)).collect()
    }

    /// Amounts of resources by some key.
    fn amounts<K: Ord>(
        &self,
        family: &'a Family,
        key: impl Fn(&'a Sample) -> K,
    ) -> BTreeMap<K, Map<String, Value>> {
        let mut amounts: BTreeMap<K, Map<String, Value>> = BTreeMap::new();
        for sample in self.samples(family) {
            let resource = sample.label("resource");
            // What is no amount is left out; the translation then says that the node or pod has none.
            if let Ok(amount) = amount(sample.value, resource) {
                amounts.entry(key(sample)).or_default().insert(
                    resource_name(resource),
                    json!(super::placement::quantity(resource, amount).0),
                );
            }
        }
        amounts
    }

    fn replica_sets(&self) -> Vec<Value> {
        let sets: BTreeMap<Name<'_>, &Sample> = self
            .samples(&self.answers.replicaset_owners)
            .map(|sample| {
                (
                    (sample.label("namespace"), sample.label("replicaset")),
                    sample,
                )
            })
            .collect();
        let object = |((namespace, name), sample): (Name<'_>, &Sample)| {
            let owners = owner(sample.label("owner_kind"), sample.label("owner_name"));
            json!({"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"namespace": namespace, "name": name, "ownerReferences": owners}})
        };
        sets.into_iter().map(object).collect()
    }

    /// Deployments or StatefulSets, each with the spec of its first pod as its template.
    fn workloads(
        &self,
        kind: &str,
        label: &str,
        family: &'a Family,
        pods: &BTreeMap<Name<'a>, PodObject<'a>>,
    ) -> Vec<Value> {
        let here = |sample: &'a Sample| {
            (sample.label(self.label) == self.cluster)
                .then(|| (sample.label("namespace"), sample.label(label)))
        };
        let observed = family.by(here);
        let desired = observed
            .into_iter()
            .filter_map(|(name, observation)| Some((name, whole(observation.ok()?.0)?)));
        let object = |((namespace, name), replicas): (Name<'a>, u64)| {
            let template = self.first_pod(kind, namespace, name, pods);
            json!({
                "apiVersion": "apps/v1",
                "kind": kind,
                "metadata": {"namespace": namespace, "name": name},
                "spec": {"replicas": replicas, "template": {"spec": template}},
            })
        };
        desired.map(without_nulls(object)).collect()
    }

    fn first_pod(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        pods: &BTreeMap<Name<'a>, PodObject<'a>>,
    ) -> Option<Value> {
        let owned = |sample: &&Sample| {
            (
                sample.label("namespace"),
                sample.label("owner_kind"),
                sample.label("owner_name"),
            ) == (namespace, "Deployment", name)
        };
        let owners: BTreeSet<(&str, &str)> = if kind == "Deployment" {
            self.samples(&self.answers.replicaset_owners)
                .filter(owned)
                .map(|sample| ("ReplicaSet", sample.label("replicaset")))
                .collect()
        } else {
            BTreeSet::from([(kind, name)])
        };
        let own = pods.iter().find(|((pod_namespace, _), pod)| {
            *pod_namespace == namespace && owners.contains(&pod.owner)
        });
        own.map(|(_, pod)| template(&pod.spec))
    }

    fn autoscalers(&self) -> Vec<Value> {
        let here = |sample: &'a Sample| {
            (sample.label(self.label) == self.cluster).then(|| {
                (
                    sample.label("namespace"),
                    sample.label("horizontalpodautoscaler"),
                )
            })
        };
        let (min, max) = (self.more.hpa_min.by(here), self.more.hpa_max.by(here));
        let bound = |bounds: &BTreeMap<Name<'_>, crate::prometheus::Observation>,
                     name: &Name<'_>| whole(bounds.get(name)?.clone().ok()?.0);
        let mut objects = Vec::new();
        let mut seen = BTreeSet::new();
        for sample in self.samples(&self.more.hpa_targets) {
            let name = (
                sample.label("namespace"),
                sample.label("horizontalpodautoscaler"),
            );
            // Without its upper bound an autoscaler says nothing.
            if let (Some(most), true) = (bound(&max, &name), seen.insert(name)) {
                objects.push(json!({
                    "apiVersion": "autoscaling/v2",
                    "kind": "HorizontalPodAutoscaler",
                    "metadata": {"namespace": name.0, "name": name.1},
                    "spec": {
                        "scaleTargetRef": {"kind": sample.label("scaletargetref_kind"), "name": sample.label("scaletargetref_name")},
                        "minReplicas": bound(&min, &name),
                        "maxReplicas": most,
                    },
                }));
            }
        }
        objects
    }

    /// Workloads of which a pod claims a volume.
    fn claimed(&self, pods: &BTreeMap<Name<'a>, PodObject<'a>>) -> BTreeSet<String> {
        let sets: BTreeMap<Name<'_>, &str> = self
            .samples(&self.answers.replicaset_owners)
            .map(|sample| {
                (
                    (sample.label("namespace"), sample.label("replicaset")),
                    sample.label("owner_name"),
                )
            })
            .collect();
        let workload = |sample: &Sample| {
            let namespace = sample.label("namespace");
            let (kind, name) = pods.get(&(namespace, sample.label("pod")))?.owner;
            let name = if kind == "ReplicaSet" {
                sets.get(&(namespace, name)).copied()?
            } else {
                name
            };
            Some(format!("{namespace}/{name}"))
        };
        self.samples(&self.more.pod_claims)
            .filter_map(workload)
            .collect()
    }
}

/// DaemonSets by their pods; that one has pods is all that is needed of it.
fn daemon_sets(pods: &BTreeMap<Name<'_>, PodObject<'_>>) -> Vec<Value> {
    let mut sets: BTreeMap<Name<'_>, Value> = BTreeMap::new();
    for ((namespace, _), pod) in pods.iter().filter(|(_, pod)| pod.owner.0 == "DaemonSet") {
        sets.entry((namespace, pod.owner.1))
            .or_insert_with(|| template(&pod.spec));
    }
    let object = |((namespace, name), spec): (Name<'_>, Value)| json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"namespace": namespace, "name": name}, "spec": {"template": {"spec": spec}}});
    sets.into_iter().map(object).collect()
}

/// The API's name of a resource.
fn resource_name(spelled: &str) -> String {
    let known = RESOURCES
        .iter()
        .find(|(label, _)| *label == spelled)
        .map(|(_, name)| (*name).to_owned());
    known.unwrap_or_else(|| match spelled.strip_prefix("hugepages_") {
        Some(size) => format!("hugepages-{size}"),
        None => spelled.to_owned(),
    })
}

fn whole(value: f64) -> Option<u64> {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range is checked"
    )]
    (value.fract() == 0.0 && (0.0..=1e6).contains(&value)).then_some(value as u64)
}

fn without_nulls<T>(make: impl Fn(T) -> Value) -> impl Fn(T) -> Value {
    move |value| stripped(make(value))
}

/// Without keys that hold null, which to the API are keys that are not there.
fn stripped(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, stripped(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(stripped).collect(),
        other => other,
    }
}
