//! Labels, selectors, taints and tolerations, as the scheduler matches them.

use std::collections::BTreeMap;

use crate::problem::{
    Cluster, Offering, OneOrMany, Pool, Taint, TaintEffect, Toleration, TolerationOperator,
};

/// Labels of a node.
pub(crate) struct Labels(BTreeMap<String, String>);

impl Labels {
    /// Labels that a node of this offering carries: the pool's and the well-known ones.
    pub(crate) fn of(cluster: &Cluster, pool: &Pool, offering: &Offering) -> Self {
        let architecture = offering.architecture.as_deref().unwrap_or("amd64");
        let capacity = offering.capacity_type.as_str();
        let mut labels = pool.labels.clone();
        for (key, value) in [
            ("topology.kubernetes.io/region", cluster.region.as_str()),
            ("topology.kubernetes.io/zone", offering.zone.as_str()),
            (
                "node.kubernetes.io/instance-type",
                offering.instance_type.as_str(),
            ),
            ("kubernetes.io/arch", architecture),
            ("kubernetes.io/os", "linux"),
            ("karpenter.sh/capacity-type", capacity),
        ] {
            labels.insert(key.to_owned(), value.to_owned());
        }
        Self(labels)
    }

    /// Whether every key of the selector is present with one of its values.
    pub(crate) fn match_selector(&self, selector: &BTreeMap<String, OneOrMany>) -> bool {
        selector.iter().all(|(key, wanted)| {
            self.0
                .get(key)
                .is_some_and(|value| wanted.values().contains(value))
        })
    }

    /// The node's architecture.
    pub(crate) fn architecture(&self) -> &str {
        self.0
            .get("kubernetes.io/arch")
            .map_or("amd64", String::as_str)
    }
}

/// Whether the tolerations let a pod onto a node with these taints.
pub(crate) fn tolerates(tolerations: &[Toleration], taints: &[Taint]) -> bool {
    taints
        .iter()
        .filter(|taint| taint.effect != TaintEffect::PreferNoSchedule)
        .all(|taint| {
            tolerations
                .iter()
                .any(|toleration| tolerates_taint(toleration, taint))
        })
}

fn tolerates_taint(toleration: &Toleration, taint: &Taint) -> bool {
    if toleration
        .effect
        .is_some_and(|effect| effect != taint.effect)
    {
        return false;
    }
    match toleration.operator {
        TolerationOperator::Exists => toleration.key.is_empty() || toleration.key == taint.key,
        TolerationOperator::Equal => toleration.key == taint.key && toleration.value == taint.value,
    }
}
