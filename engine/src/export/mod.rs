//! A plan in the words of the controllers that carry it out: plain HPAs, Karpenter, node groups.
//!
//! Each export says only what its controller really does: an HPA cannot place pods, a node group cannot count replicas. What a
//! controller cannot be told stands beside it as a comment.

mod hpa;
mod karpenter;
mod nodegroups;

pub use hpa::hpa;
pub use karpenter::karpenter;
pub use nodegroups::{NodeGroupCounts, node_groups};

use serde_json::Value;

use crate::plan::{Plan, Status};

/// Label on every exported object that names its cluster, so that `kubectl apply -l` can take one cluster's out of the stream.
const CLUSTER_LABEL: &str = "ketscale.dev/cluster";

/// Annotation on every exported object that names the plan it was made from.
const PLAN_ANNOTATION: &str = "ketscale.dev/plan";

/// Why a plan cannot be exported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The plan has no decision to export.
    #[error("the plan has nothing to export: its status is {}", format!("{:?}", .0).to_lowercase())]
    NoDecision(Status),
    /// The plan has no such cluster.
    #[error("the plan has no cluster {asked}; it has {}", known.join(", "))]
    UnknownCluster {
        /// As asked for.
        asked: String,
        /// Those there are.
        known: Vec<String>,
    },
    /// An object that YAML cannot hold.
    #[error("cannot be written as YAML: {0}")]
    Yaml(String),
}

/// Refuses a plan without a decision, and a cluster that it does not have.
fn check(plan: &Plan, cluster: Option<&str>) -> Result<(), ExportError> {
    if plan.cost.is_none() {
        return Err(ExportError::NoDecision(plan.status));
    }
    let known = || {
        plan.problem
            .clusters
            .iter()
            .map(|cluster| cluster.name.clone())
    };
    match cluster {
        Some(asked) if !known().any(|name| name == asked) => Err(ExportError::UnknownCluster {
            asked: asked.to_owned(),
            known: known().collect(),
        }),
        _ => Ok(()),
    }
}

/// One entry of a stream of YAML documents.
enum Document {
    /// A remark to the reader.
    Comment(String),
    /// An object to apply.
    Object(Value),
}

/// A stream of YAML documents, comments standing before the objects that they are about.
fn stream(documents: &[Document]) -> Result<String, ExportError> {
    let mut text = String::new();
    for document in documents {
        match document {
            Document::Comment(lines) => lines
                .lines()
                .for_each(|line| text.push_str(&format!("# {line}\n"))),
            Document::Object(value) => {
                let yaml = serde_saphyr::to_string(value)
                    .map_err(|error| ExportError::Yaml(error.to_string()))?;
                text.push_str("---\n");
                text.push_str(yaml.trim_end());
                text.push('\n');
            }
        }
    }
    Ok(text)
}

/// How to apply one cluster's part of a stream.
fn apply_hint(plan: &Plan, cluster: Option<&str>) -> String {
    let several = cluster.is_none() && plan.problem.clusters.len() > 1;
    let selector = if several {
        format!(" -l {CLUSTER_LABEL}=CLUSTER")
    } else {
        String::new()
    };
    let each = if several { "for each cluster" } else { "with" };
    format!(
        "Plan {} of {}.\nApply {each}: kubectl apply -f FILE{selector}",
        plan.digest, plan.problem.name
    )
}
