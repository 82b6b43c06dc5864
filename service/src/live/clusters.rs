//! Which cluster a series belongs to.

use std::collections::{BTreeMap, BTreeSet};

use ketscale_engine::problem::ProblemFile;

use super::LiveError;
use crate::prometheus::{Family, Queries, Sample};

/// Tells the clusters of a problem apart by a label.
pub(super) struct Clusters {
    /// Names in the order of the problem.
    names: Vec<String>,
    label: String,
    by_value: BTreeMap<String, usize>,
    /// Everything belongs to the only cluster.
    only: bool,
}

impl Clusters {
    /// With one cluster in the problem, and no more than one in the Prometheus, the label is not looked at.
    pub(super) fn new(
        problem: &ProblemFile,
        queries: &Queries,
        nodes: &Family,
    ) -> Result<Self, LiveError> {
        let label = queries.cluster_label.clone();
        let values: BTreeSet<&str> = nodes
            .samples
            .iter()
            .map(|sample| sample.label(&label))
            .collect();
        let names: Vec<String> = problem
            .clusters
            .iter()
            .map(|cluster| cluster.name.clone())
            .collect();
        if names.len() > 1 && !values.is_empty() && values.iter().all(|value| value.is_empty()) {
            return Err(LiveError::ClusterLabel {
                label,
                clusters: names.join(", "),
                query: nodes.query.clone(),
            });
        }
        let value_of = |name: &String| queries.cluster_names.get(name).unwrap_or(name).clone();
        let by_value = names
            .iter()
            .enumerate()
            .map(|(index, name)| (value_of(name), index))
            .collect();
        Ok(Self {
            only: names.len() == 1 && values.len() <= 1,
            names,
            label,
            by_value,
        })
    }

    /// The position of a series' cluster in the problem; `None` for clusters that the problem does not have.
    pub(super) fn of(&self, sample: &Sample) -> Option<usize> {
        self.named(sample.label(&self.label))
    }

    /// The same by the value of the cluster label.
    pub(super) fn named(&self, value: &str) -> Option<usize> {
        if self.only {
            Some(0)
        } else {
            self.by_value.get(value).copied()
        }
    }

    /// The cluster label.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// The position of a cluster by its name.
    pub(super) fn index(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    /// The names in the order of the problem.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }
}
