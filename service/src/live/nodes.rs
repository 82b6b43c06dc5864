//! Which pool and offering a node belongs to.

use std::collections::BTreeMap;

use ketscale_engine::problem::{CapacityType, CurrentNode, Offering, Pool, ProblemFile};

use crate::prometheus::Sample;

/// The flag that makes kube-state-metrics show the labels that are looked at here.
pub(super) const ALLOWLIST: &str = "--metric-labels-allowlist=nodes=[node.kubernetes.io/instance-type,topology.kubernetes.io/zone,\
topology.kubernetes.io/region,kubernetes.io/arch,karpenter.sh/capacity-type,karpenter.sh/nodepool,eks.amazonaws.com/capacityType,\
eks.amazonaws.com/nodegroup,cloud.google.com/gke-nodepool,cloud.google.com/gke-spot,cloud.google.com/gke-provisioning,\
kubernetes.azure.com/agentpool,kubernetes.azure.com/scalesetpriority]";

const TYPE: [&str; 2] = [
    "node.kubernetes.io/instance-type",
    "beta.kubernetes.io/instance-type",
];
const ZONE: [&str; 2] = [
    "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/zone",
];
const POOL: [&str; 7] = [
    "eks.amazonaws.com/nodegroup",
    "karpenter.sh/nodepool",
    "cloud.google.com/gke-nodepool",
    "kubernetes.azure.com/agentpool",
    "agentpool",
    "alpha.eksctl.io/nodegroup-name",
    "kops.k8s.io/instancegroup",
];

/// Labels that say something of a node beside those above.
const OTHERS: [&str; 16] = [
    "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/region",
    "kubernetes.io/arch",
    "kubernetes.io/os",
    "karpenter.sh/capacity-type",
    "eks.amazonaws.com/capacityType",
    "eks.amazonaws.com/compute-type",
    "cloud.google.com/gke-spot",
    "cloud.google.com/gke-preemptible",
    "cloud.google.com/gke-provisioning",
    "kubernetes.azure.com/scalesetpriority",
    "kubernetes.azure.com/cluster",
    "alpha.eksctl.io/cluster-name",
    "karpenter.sh/cluster-name",
    "karpenter.k8s.aws/instance-family",
    "type",
];

/// The labels of a node under their Kubernetes names, as far as these can be told from kube-state-metrics' spelling.
pub(super) fn kubernetes_labels(sample: &Sample) -> impl Iterator<Item = (&'static str, &str)> {
    let names = TYPE.into_iter().chain(ZONE).chain(POOL).chain(OTHERS);
    names.filter_map(|name| {
        let value = spellings(name)
            .iter()
            .find_map(|spelled| sample.labels.get(spelled))?;
        Some((name, value.as_str()))
    })
}

/// A node's labels as kube-state-metrics shows them.
#[derive(Default)]
pub(super) struct NodeLabels<'a> {
    shown: BTreeMap<&'a str, &'a str>,
}

impl<'a> NodeLabels<'a> {
    /// Adds those of one series; two exporters may show the same node.
    pub(super) fn add(&mut self, sample: &'a Sample) {
        let labels = sample
            .labels
            .iter()
            .filter(|(name, _)| name.starts_with("label_"));
        self.shown
            .extend(labels.map(|(name, value)| (name.as_str(), value.as_str())));
    }

    /// The value of the first of some Kubernetes labels.
    pub(super) fn get(&self, labels: &[&str]) -> Option<&'a str> {
        labels
            .iter()
            .flat_map(|label| spellings(label))
            .find_map(|name| self.shown.get(name.as_str()).copied())
            .filter(|value| !value.is_empty())
    }

    /// Instance type.
    pub(super) fn instance_type(&self) -> Option<&'a str> {
        self.get(&TYPE)
    }

    /// Zone.
    pub(super) fn zone(&self) -> Option<&'a str> {
        self.get(&ZONE)
    }

    /// Pool.
    pub(super) fn pool(&self) -> Option<&'a str> {
        self.get(&POOL)
    }

    /// Capacity type, where a label tells: Google and Azure label spot nodes only.
    pub(super) fn capacity_type(&self) -> Option<CapacityType> {
        if let Some(value) = self.get(&[
            "karpenter.sh/capacity-type",
            "eks.amazonaws.com/capacityType",
        ]) {
            return Some(if value.eq_ignore_ascii_case("spot") {
                CapacityType::Spot
            } else {
                CapacityType::OnDemand
            });
        }
        if self.get(&[
            "cloud.google.com/gke-spot",
            "cloud.google.com/gke-preemptible",
        ]) == Some("true")
        {
            return Some(CapacityType::Spot);
        }
        match self.get(&[
            "cloud.google.com/gke-provisioning",
            "kubernetes.azure.com/scalesetpriority",
        ]) {
            Some("spot" | "preemptible") => Some(CapacityType::Spot),
            Some(_) => Some(CapacityType::OnDemand),
            None => None,
        }
    }
}

/// How kube-state-metrics may spell a Kubernetes label: every other character is an underscore, and since v2.0 capitals become
/// `_` and the small letter.
fn spellings(label: &str) -> [String; 2] {
    let plain: String = label
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let mut snake = String::new();
    for c in plain.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    [format!("label_{snake}"), format!("label_{plain}")]
}

/// Where a node belongs in the problem.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Home {
    pub(super) pool: String,
    pub(super) offering: String,
}

/// The home of a node of a cluster: by its name in the file, else by its labels.
pub(super) fn home(
    problem: &ProblemFile,
    cluster: &str,
    node: &str,
    labels: &NodeLabels<'_>,
) -> Result<Home, String> {
    if let Some(known) = known(problem, cluster, node) {
        return Ok(Home {
            pool: known.pool.clone(),
            offering: known.offering.clone(),
        });
    }
    let not_shown = |label: &str| {
        format!(
            "node {node} is not in the file, and kube-state-metrics hides its label {label}; start it with {ALLOWLIST}"
        )
    };
    let instance_type = labels.instance_type().ok_or_else(|| not_shown(TYPE[0]))?;
    let zone = labels.zone().ok_or_else(|| not_shown(ZONE[0]))?;
    let capacity_type = labels.capacity_type();
    let fits = |offering: &Offering| {
        offering.instance_type == instance_type
            && offering.zone == zone
            && capacity_type.is_none_or(|capacity_type| capacity_type == offering.capacity_type)
    };
    let pools = || problem.pools.iter().filter(|pool| pool.cluster == cluster);
    let named = labels
        .pool()
        .filter(|name| pools().any(|pool| pool.name == *name));
    let of_pool = |pool: &&Pool| named.is_none_or(|name| pool.name == name);
    let mut homes = pools().filter(of_pool).flat_map(|pool| {
        let offerings = pool.offerings.iter().filter(|offering| fits(offering));
        offerings.map(|offering| Home {
            pool: pool.name.clone(),
            offering: offering.name(),
        })
    });
    let machine = format!(
        "{instance_type} in {zone}{}",
        capacity_type
            .map(|kind| format!(", {}", kind.as_str()))
            .unwrap_or_default()
    );
    match (homes.next(), homes.next()) {
        (Some(home), None) => Ok(home),
        (Some(one), Some(other)) => Err(format!(
            "node {node} ({machine}) may be {}/{} or {}/{}; its labels for pool and capacity type do not decide, and may be hidden: {ALLOWLIST}",
            one.pool, one.offering, other.pool, other.offering
        )),
        (None, _) => Err(format!("node {node} ({machine}) is in no pool of the file")),
    }
}

/// The node in the file, if it is in a pool of the cluster.
pub(super) fn known<'p>(
    problem: &'p ProblemFile,
    cluster: &str,
    node: &str,
) -> Option<&'p CurrentNode> {
    let known = problem
        .current
        .as_ref()?
        .nodes
        .iter()
        .find(|known| known.name == node)?;
    problem
        .pools
        .iter()
        .any(|pool| pool.name == known.pool && pool.cluster == cluster)
        .then_some(known)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn sample(labels: &[(&str, &str)]) -> Sample {
        Sample {
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            value: 1.0,
        }
    }

    fn capacity(label: &str, value: &str) -> Option<CapacityType> {
        let sample = sample(&[(label, value)]);
        let mut labels = NodeLabels::default();
        labels.add(&sample);
        labels.capacity_type()
    }

    #[test]
    fn spot_is_told_by_every_provider() {
        assert_eq!(
            capacity("label_karpenter_sh_capacity_type", "spot"),
            Some(CapacityType::Spot)
        );
        assert_eq!(
            capacity("label_karpenter_sh_capacity_type", "on-demand"),
            Some(CapacityType::OnDemand)
        );
        assert_eq!(
            capacity("label_eks_amazonaws_com_capacity_type", "SPOT"),
            Some(CapacityType::Spot)
        );
        assert_eq!(
            capacity("label_eks_amazonaws_com_capacityType", "ON_DEMAND"),
            Some(CapacityType::OnDemand)
        );
        assert_eq!(
            capacity("label_cloud_google_com_gke_spot", "true"),
            Some(CapacityType::Spot)
        );
        assert_eq!(
            capacity("label_kubernetes_azure_com_scalesetpriority", "spot"),
            Some(CapacityType::Spot)
        );
        assert_eq!(capacity("label_x", "spot"), None);
    }
}
