//! Karpenter NodePools (karpenter.sh/v1) that hold the planned nodes.
//!
//! A NodePool is a set of requirements, not a count: Karpenter buys what its pending pods need, cheapest first. So the requirements
//! name the planned instance types, zones and capacity types and nothing else, `limits` end at the most CPU that the plan's steps
//! use at a time, and consolidation is `WhenEmpty`, so that Karpenter gives back what the plan empties and repacks nothing itself.
//! Fields: <https://karpenter.sh/docs/concepts/nodepools/>.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{CLUSTER_LABEL, Document, ExportError, PLAN_ANNOTATION, apply_hint, check, stream};
use crate::plan::{Change, Plan};
use crate::problem::{Cluster, Offering, Pool, Provider};

/// One NodePool a pool, as a stream of YAML documents; of one cluster only when it is named.
///
/// The node class is `default` of the provider's own kind, to be changed where it has another name.
///
/// # Errors
///
/// A plan without a decision, an unknown cluster.
pub fn karpenter(plan: &Plan, cluster: Option<&str>) -> Result<String, ExportError> {
    check(plan, cluster)?;
    let mut documents = vec![Document::Comment(apply_hint(plan, cluster))];
    let wanted = |pool: &&Pool| cluster.is_none_or(|only| only == pool.cluster);
    for pool in plan.problem.pools.iter().filter(wanted) {
        let home = plan
            .problem
            .clusters
            .iter()
            .find(|cluster| cluster.name == pool.cluster);
        documents.extend(home.map(|home| document(plan, pool, home)));
    }
    stream(&documents)
}

fn document(plan: &Plan, pool: &Pool, cluster: &Cluster) -> Document {
    let Some(node_class) = node_class(cluster.provider) else {
        return Document::Comment(format!(
            "{}: no Karpenter provider for {}.",
            pool.name, cluster.provider
        ));
    };
    let planned = planned_nodes(plan, pool);
    let offered: Vec<&Offering> = pool
        .offerings
        .iter()
        .filter(|o| planned.contains_key(&o.name()))
        .collect();
    // An empty pool keeps its own requirements under a limit of 0: a NodePool without requirements would mean any node.
    let requirements = requirements(if offered.is_empty() {
        pool.offerings.iter().collect()
    } else {
        offered
    });
    let mut template = json!({"spec": {"nodeClassRef": node_class, "requirements": requirements}});
    if !pool.labels.is_empty() {
        template["metadata"] = json!({"labels": pool.labels});
    }
    if !pool.taints.is_empty() {
        template["spec"]["taints"] = json!(pool.taints);
    }
    Document::Object(json!({
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {
            "name": pool.name,
            "labels": {CLUSTER_LABEL: pool.cluster},
            "annotations": {PLAN_ANNOTATION: plan.digest},
        },
        "spec": {
            "template": template,
            "limits": {"cpu": most_cores(plan, pool).to_string()},
            "disruption": {
                "consolidationPolicy": "WhenEmpty",
                "consolidateAfter": "1m",
                "budgets": [{"nodes": "1"}],
            },
        },
    }))
}

fn node_class(provider: Provider) -> Option<Value> {
    let (group, kind) = match provider {
        Provider::Aws => ("karpenter.k8s.aws", "EC2NodeClass"),
        Provider::Azure => ("karpenter.azure.com", "AKSNodeClass"),
        Provider::Gcp => ("karpenter.k8s.gcp", "GCENodeClass"),
        Provider::Other => return None,
    };
    Some(json!({"group": group, "kind": kind, "name": "default"}))
}

fn requirements(offerings: Vec<&Offering>) -> Vec<Value> {
    let distinct =
        |of: &dyn Fn(&Offering) -> String| offerings.iter().map(|o| of(o)).collect::<BTreeSet<_>>();
    let architecture = |o: &Offering| o.architecture.clone().unwrap_or_else(|| "amd64".to_owned());
    [
        (
            "node.kubernetes.io/instance-type",
            distinct(&|o| o.instance_type.clone()),
        ),
        ("topology.kubernetes.io/zone", distinct(&|o| o.zone.clone())),
        (
            "karpenter.sh/capacity-type",
            distinct(&|o| o.capacity_type.as_str().to_owned()),
        ),
        ("kubernetes.io/arch", distinct(&architecture)),
    ]
    .into_iter()
    .map(|(key, values)| json!({"key": key, "operator": "In", "values": values}))
    .collect()
}

fn planned_nodes(plan: &Plan, pool: &Pool) -> BTreeMap<String, u32> {
    let mut nodes = BTreeMap::new();
    for group in plan
        .nodes
        .iter()
        .filter(|group| group.pool == pool.name && group.count > 0)
    {
        *nodes.entry(group.offering.clone()).or_default() += group.count;
    }
    nodes
}

/// The most cores that the pool's nodes have at a time: when planned, and after each step on the way.
fn most_cores(plan: &Plan, pool: &Pool) -> u64 {
    let cores: BTreeMap<String, u64> = pool
        .offerings
        .iter()
        .map(|o| (o.name(), cores(o)))
        .collect();
    let cores_of =
        |offering: &str, nodes: usize| cores.get(offering).copied().unwrap_or(0) * nodes as u64;
    let planned = planned_nodes(plan, pool)
        .iter()
        .map(|(offering, nodes)| cores_of(offering, *nodes as usize))
        .sum();
    let Some(steps) = &plan.steps else {
        return planned;
    };
    let nodes_now = plan
        .problem
        .current
        .iter()
        .flat_map(|current| &current.nodes);
    let mut running: u64 = nodes_now
        .filter(|n| n.pool == pool.name)
        .map(|n| cores_of(&n.offering, 1))
        .sum();
    let mut most = planned;
    for step in steps {
        match &step.change {
            Change::NodesUp {
                pool: name,
                offering,
                nodes,
            } if *name == pool.name => {
                running += cores_of(offering, nodes.len());
                most = most.max(running);
            }
            Change::NodesDown {
                pool: name,
                offering,
                nodes,
            } if *name == pool.name => {
                running = running.saturating_sub(cores_of(offering, nodes.len()));
            }
            _ => {}
        }
    }
    most
}

/// Cores of a node. `limits` counts capacity, of which the plan knows allocatable: the kubelet keeps back less than one core.
fn cores(offering: &Offering) -> u64 {
    let allocatable = offering
        .allocatable
        .as_ref()
        .and_then(|resources| resources.get("cpu"));
    allocatable
        .and_then(crate::problem::Quantity::milli)
        .unwrap_or(0)
        .div_ceil(1000)
}
