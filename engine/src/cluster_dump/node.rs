//! What a node says about its pool, place and price.

use super::labels::{self, CAPACITY_TYPE, NODE_NAME};
use super::list::Dump;
use super::manifest::{Node, NodeTaint, StringMap, is_ready};
use super::notes::Notes;
use super::request::Amounts;
use crate::problem::{CapacityType, Provider, Taint};

/// Labels that name a node's pool, by who sets them. The first one present counts.
const POOL_LABELS: [&str; 9] = [
    "eks.amazonaws.com/nodegroup",
    KARPENTER_POOL,
    "karpenter.sh/provisioner-name",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "alpha.eksctl.io/nodegroup-name",
    "kops.k8s.io/instancegroup",
    "doks.digitalocean.com/node-pool",
];

/// Label of the nodes that Karpenter made.
pub(super) const KARPENTER_POOL: &str = "karpenter.sh/nodepool";

/// Taints that a node carries for a while only; they are no property of its pool.
const TRANSIENT_TAINTS: [&str; 6] = [
    "node.kubernetes.io/",
    "node.cloudprovider.kubernetes.io/",
    "node.cilium.io/agent-not-ready",
    "ebs.csi.aws.com/agent-not-ready",
    "efs.csi.aws.com/agent-not-ready",
    "karpenter.sh/unregistered",
];

/// Taints by which an autoscaler says that it is about to remove the node.
const REMOVAL_TAINTS: [&str; 4] = [
    "ToBeDeletedByClusterAutoscaler",
    "DeletionCandidateOfClusterAutoscaler",
    "karpenter.sh/disrupted",
    "karpenter.sh/disruption",
];

/// A node with what its labels mean.
pub(super) struct NodeFacts<'a> {
    pub name: &'a str,
    /// Its labels, also under their stable names, and [`NODE_NAME`].
    pub labels: StringMap,
    pub provider: Provider,
    pub region: String,
    pub zone: String,
    pub instance_type: String,
    pub capacity_type: CapacityType,
    pub architecture: String,
    /// Name of its pool and the label that says so.
    pub pool: String,
    pub pool_label: Option<&'static str>,
    pub taints: Vec<Taint>,
    pub cordoned: bool,
    pub allocatable: Amounts,
    /// Why the node must stay, by its own annotations.
    pub stays: Option<String>,
    /// Fields of this structure that the node did not say, with what was assumed.
    pub assumed: Vec<(&'static str, String)>,
}

/// The nodes that can be planned, in the order of the dump; the others are named in the notes.
pub(super) fn identify<'a>(dump: &'a Dump, notes: &mut Notes) -> Vec<NodeFacts<'a>> {
    let mut nodes = Vec::new();
    for node in &dump.nodes {
        match left_out(&node.metadata.labels) {
            Some(why) => notes.untranslated(format!(
                "Node {}: left out with its pods, {why}",
                node.metadata.name
            )),
            None => match Amounts::from_resources(&node.status.allocatable) {
                Ok(allocatable) => nodes.push(facts(node, allocatable)),
                Err(error) => notes.issue(
                    format!("Node {}.status.allocatable", node.metadata.name),
                    error,
                ),
            },
        }
    }
    if nodes.is_empty() && notes.issues.is_empty() {
        notes.issue(
            "items",
            "no node of the dump can be planned: all are virtual, Fargate or Windows nodes",
        );
    }
    nodes
}

fn left_out(labels: &StringMap) -> Option<&'static str> {
    let is = |key: &str, value: &str| labels.get(key).is_some_and(|found| found == value);
    if is("type", "virtual-kubelet") || is("eks.amazonaws.com/compute-type", "fargate") {
        Some("it is no machine but is billed by the pod")
    } else if is(labels::OS, "windows") || is("beta.kubernetes.io/os", "windows") {
        Some("Windows nodes are not planned")
    } else {
        let architecture = labels
            .get(labels::ARCH)
            .or_else(|| labels.get("beta.kubernetes.io/arch"));
        let known = architecture.is_none_or(|name| ["amd64", "arm64"].contains(&name.as_str()));
        (!known).then_some("only amd64 and arm64 are planned")
    }
}

fn facts<'a>(node: &'a Node, allocatable: Amounts) -> NodeFacts<'a> {
    let mut assumed = Vec::new();
    let mut labels = node.metadata.labels.clone();
    for (key, value) in &node.metadata.labels {
        labels
            .entry(labels::canonical(key).to_owned())
            .or_insert_with(|| value.clone());
    }
    labels.insert(NODE_NAME.to_owned(), node.metadata.name.clone());
    let mut read = |field: &'static str, key: &str, otherwise: &dyn Fn() -> String| {
        labels.get(key).cloned().unwrap_or_else(|| {
            let value = otherwise();
            assumed.push((field, format!("the node has no label {key}")));
            value
        })
    };
    let region = read("region", labels::REGION, &|| "default".to_owned());
    let zone = read("zone", labels::ZONE, &|| "default".to_owned());
    let architecture = read("architecture", labels::ARCH, &|| "amd64".to_owned());
    let instance_type = read("instance_type", labels::INSTANCE_TYPE, &|| {
        size_name(&allocatable)
    });
    let provider = provider(node);
    let capacity_type = capacity_type(&labels).unwrap_or_else(|| {
        // Google and Azure label spot nodes only; on AWS every managed node says what it is.
        if provider == Provider::Aws {
            assumed.push((
                "capacity_type",
                "the node does not say whether it is spot".to_owned(),
            ));
        }
        CapacityType::OnDemand
    });
    let label = POOL_LABELS
        .into_iter()
        .find(|key| labels.contains_key(*key));
    let pool = label
        .and_then(|key| labels.get(key))
        .cloned()
        .unwrap_or_else(|| {
            assumed.push((
                "pool",
                "the node names no pool: pools are told apart by instance type".to_owned(),
            ));
            instance_type.clone()
        });
    let cordoned = cordoned(node, &mut assumed);
    NodeFacts {
        name: &node.metadata.name,
        provider,
        region,
        zone,
        instance_type,
        capacity_type,
        architecture,
        pool,
        pool_label: label,
        taints: node
            .spec
            .taints
            .iter()
            .filter(|taint| is_lasting(taint))
            .map(taint_of)
            .collect(),
        cordoned,
        allocatable,
        stays: stays(&node.metadata.annotations),
        assumed,
        labels,
    }
}

/// A name for a machine without an instance type: machines of one size get one name.
fn size_name(allocatable: &Amounts) -> String {
    let resources = allocatable.to_resources();
    let cores = resources
        .get("cpu")
        .and_then(|cpu| cpu.milli())
        .unwrap_or(0)
        .div_ceil(1000);
    let gib = resources
        .get("memory")
        .and_then(|memory| memory.units())
        .unwrap_or(0)
        .div_ceil(1 << 30);
    format!("machine-{cores}cpu-{gib}gib")
}

fn provider(node: &Node) -> Provider {
    let scheme = node
        .spec
        .provider_id
        .split_once("://")
        .map_or("", |(scheme, _)| scheme);
    let labelled = |prefix: &str| {
        node.metadata
            .labels
            .keys()
            .any(|key| key.starts_with(prefix))
    };
    match scheme {
        "aws" => Provider::Aws,
        "gce" => Provider::Gcp,
        "azure" => Provider::Azure,
        _ if labelled("eks.amazonaws.com/") || labelled("karpenter.k8s.aws/") => Provider::Aws,
        _ if labelled("cloud.google.com/gke-") => Provider::Gcp,
        _ if labelled("kubernetes.azure.com/") => Provider::Azure,
        _ => Provider::Other,
    }
}

fn capacity_type(labels: &StringMap) -> Option<CapacityType> {
    let get = |key: &str| labels.get(key).map(String::as_str);
    let by_value = match (get(CAPACITY_TYPE), get("eks.amazonaws.com/capacityType")) {
        (Some("spot"), _) | (None, Some("SPOT")) => Some(CapacityType::Spot),
        (Some(_), _) | (None, Some(_)) => Some(CapacityType::OnDemand),
        (None, None) => None,
    };
    let spot = [
        ("cloud.google.com/gke-spot", "true"),
        ("cloud.google.com/gke-preemptible", "true"),
        ("cloud.google.com/gke-provisioning", "spot"),
        ("cloud.google.com/gke-provisioning", "preemptible"),
        ("kubernetes.azure.com/scalesetpriority", "spot"),
    ];
    by_value.or_else(|| {
        spot.iter()
            .any(|(key, value)| get(key) == Some(value))
            .then_some(CapacityType::Spot)
    })
}

fn is_lasting(taint: &NodeTaint) -> bool {
    !TRANSIENT_TAINTS
        .iter()
        .any(|prefix| taint.key.starts_with(prefix))
        && !REMOVAL_TAINTS.contains(&taint.key.as_str())
}

fn taint_of(taint: &NodeTaint) -> Taint {
    Taint {
        key: taint.key.clone(),
        value: taint.value.clone(),
        effect: taint.effect,
    }
}

fn cordoned(node: &Node, assumed: &mut Vec<(&'static str, String)>) -> bool {
    let removal = node
        .spec
        .taints
        .iter()
        .find(|taint| REMOVAL_TAINTS.contains(&taint.key.as_str()));
    if let Some(taint) = removal {
        assumed.push((
            "cordoned",
            format!(
                "taint {} says that an autoscaler removes the node",
                taint.key
            ),
        ));
    } else if !is_ready(&node.status.conditions) && !node.spec.unschedulable {
        assumed.push(("cordoned", "the node is not Ready".to_owned()));
        return true;
    }
    node.spec.unschedulable || removal.is_some()
}

fn stays(annotations: &StringMap) -> Option<String> {
    [
        "cluster-autoscaler.kubernetes.io/scale-down-disabled",
        "karpenter.sh/do-not-disrupt",
        "karpenter.sh/do-not-consolidate",
    ]
    .into_iter()
    .find(|key| annotations.get(*key).is_some_and(|value| value == "true"))
    .map(|key| format!("the node is annotated {key}: true"))
}
