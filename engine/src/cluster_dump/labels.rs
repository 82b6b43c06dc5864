//! Label selectors and node selector terms, matched as the API server and the scheduler do.

use super::manifest::{LabelSelector, NodeSelector, NodeSelectorTerm, Requirement, StringMap};

/// Label of a node's zone.
pub(super) const ZONE: &str = "topology.kubernetes.io/zone";
/// Label of a node's region.
pub(super) const REGION: &str = "topology.kubernetes.io/region";
/// Label of a node's instance type.
pub(super) const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
/// Label of a node's CPU architecture.
pub(super) const ARCH: &str = "kubernetes.io/arch";
/// Label of a node's operating system.
pub(super) const OS: &str = "kubernetes.io/os";
/// Label of a node's host name.
pub(super) const HOSTNAME: &str = "kubernetes.io/hostname";
/// Not a label: the field by which terms name a node, kept beside the labels.
pub(super) const NODE_NAME: &str = "metadata.name";
/// Karpenter's label of a node's capacity type.
pub(super) const CAPACITY_TYPE: &str = "karpenter.sh/capacity-type";

/// The stable name of a label that older clusters or storage drivers spell otherwise.
pub(super) fn canonical(key: &str) -> &str {
    match key {
        "failure-domain.beta.kubernetes.io/zone"
        | "topology.ebs.csi.aws.com/zone"
        | "topology.gke.io/zone"
        | "topology.disk.csi.azure.com/zone" => ZONE,
        "failure-domain.beta.kubernetes.io/region" => REGION,
        "beta.kubernetes.io/instance-type" => INSTANCE_TYPE,
        "beta.kubernetes.io/arch" => ARCH,
        "beta.kubernetes.io/os" => OS,
        _ => key,
    }
}

/// Whether every offering carries the label by itself, so that pools need not.
pub(super) fn is_well_known(key: &str) -> bool {
    [ZONE, REGION, INSTANCE_TYPE, ARCH, OS, CAPACITY_TYPE].contains(&key)
}

/// Whether the value of a label follows from the instance type, as Karpenter's and the providers' machine labels do.
pub(super) fn follows_from_type(key: &str) -> bool {
    [
        "karpenter.k8s.aws/instance-",
        "karpenter.azure.com/sku-",
        "cloud.google.com/machine-family",
    ]
    .iter()
    .any(|prefix| key.starts_with(prefix))
}

impl LabelSelector {
    /// Whether the labels match; an empty selector matches everything.
    pub(super) fn matches(&self, labels: &StringMap) -> bool {
        self.match_labels
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
            && self
                .match_expressions
                .iter()
                .all(|requirement| requirement.matches(labels, &requirement.key))
    }

    /// Whether it asks for nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }
}

impl NodeSelector {
    /// Whether a node matches one of the terms; labels under their stable names.
    pub(super) fn matches(&self, labels: &StringMap) -> bool {
        self.node_selector_terms
            .iter()
            .any(|term| term.matches(labels))
    }
}

impl NodeSelectorTerm {
    fn matches(&self, labels: &StringMap) -> bool {
        // An empty term matches nothing; fields other than the node's name do not exist.
        let empty = self.match_expressions.is_empty() && self.match_fields.is_empty();
        !empty
            && self
                .match_expressions
                .iter()
                .all(|requirement| requirement.matches(labels, canonical(&requirement.key)))
            && self
                .match_fields
                .iter()
                .all(|requirement| requirement.matches(labels, &requirement.key))
    }
}

impl Requirement {
    /// Whether the label with this key meets the requirement.
    pub(super) fn matches(&self, labels: &StringMap, key: &str) -> bool {
        let value = labels.get(key);
        let number = |text: &String| text.parse::<i64>().ok();
        let bound = self.values.first().and_then(number);
        match self.operator.as_str() {
            "In" => value.is_some_and(|value| self.values.contains(value)),
            "NotIn" => value.is_none_or(|value| !self.values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            "Gt" => value
                .and_then(number)
                .zip(bound)
                .is_some_and(|(value, bound)| value > bound),
            "Lt" => value
                .and_then(number)
                .zip(bound)
                .is_some_and(|(value, bound)| value < bound),
            _ => false,
        }
    }
}
