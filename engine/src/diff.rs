//! What two plans have different: the problem, the decision, the money, the way there.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::cost::Cost;
use crate::plan::{Change, Plan, Status};
use crate::problem::entry_name;

/// Most differences of the problems that are listed; the rest is counted.
pub const MAX_PROBLEM_CHANGES: usize = 200;

/// The differences from a plan `before` to a plan `after`. Only what differs is listed, costs excepted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanDiff {
    /// Digests of the two plans; equal digests mean equal plans.
    pub digest: Pair<String>,
    /// Statuses.
    pub status: Pair<Status>,
    /// Values of the problem that differ, addressed as in error messages; at most [`MAX_PROBLEM_CHANGES`].
    pub problem: Vec<ProblemChange>,
    /// Differences of the problems beyond those listed.
    pub problem_changes_left_out: usize,
    /// Planned replicas that differ.
    pub replicas: Vec<ReplicaChange>,
    /// Planned nodes that differ.
    pub nodes: Vec<NodeChange>,
    /// The cost's total, its terms, the bound and the savings' reference, USD/h, equal ones too.
    pub costs: Vec<CostChange>,
    /// Gaps.
    pub gap: Pair<Option<f64>>,
    /// How the steps that carry the plans out differ in number, by kind.
    pub steps: Vec<StepChange>,
}

impl PlanDiff {
    /// True when the plans are the same to the byte.
    pub fn is_empty(&self) -> bool {
        self.digest.before == self.digest.after
    }
}

/// A value in both plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pair<T> {
    /// In the first plan.
    pub before: T,
    /// In the second plan.
    pub after: T,
}

/// A value of the problem that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProblemChange {
    /// Where, with list entries addressed by name.
    pub path: String,
    /// The values; absent where the problem has none. Whole lists and mappings appear only where the other side has none.
    pub value: Pair<Option<Value>>,
}

/// Planned replicas of a service in a cluster that differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplicaChange {
    /// `namespace/name`.
    pub service: String,
    /// Cluster.
    pub cluster: String,
    /// Replicas; 0 where a plan has none.
    pub replicas: Pair<u32>,
}

/// Planned nodes of an offering that differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeChange {
    /// Pool.
    pub pool: String,
    /// `type/zone/capacity_type`.
    pub offering: String,
    /// Nodes.
    pub nodes: Pair<u32>,
}

/// A figure in USD/h of both plans.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CostChange {
    /// Name, as in the plan file.
    pub term: String,
    /// USD/h; absent where a plan does not state it.
    pub usd_per_hour: Pair<Option<f64>>,
}

/// Steps of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepChange {
    /// `nodes_up`, `replicas_up`, `move`, `exchange`, `replicas_down` or `nodes_down`.
    pub action: String,
    /// How many.
    pub steps: Pair<usize>,
}

/// The differences from `before` to `after`.
pub fn diff(before: &Plan, after: &Plan) -> PlanDiff {
    let mut problem = Vec::new();
    compare(
        "",
        &problem_value(before),
        &problem_value(after),
        &mut problem,
    );
    let problem_changes_left_out = problem.len().saturating_sub(MAX_PROBLEM_CHANGES);
    problem.truncate(MAX_PROBLEM_CHANGES);
    PlanDiff {
        digest: Pair {
            before: before.digest.clone(),
            after: after.digest.clone(),
        },
        status: Pair {
            before: before.status,
            after: after.status,
        },
        problem,
        problem_changes_left_out,
        replicas: replicas(before, after),
        nodes: nodes(before, after),
        costs: costs(before, after),
        gap: Pair {
            before: before.gap,
            after: after.gap,
        },
        steps: steps(before, after),
    }
}

fn problem_value(plan: &Plan) -> Value {
    serde_json::to_value(&plan.problem).unwrap_or(Value::Null)
}

/// Adds every leaf that differs; entries of lists are matched by their name where all have one, else by position.
fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<ProblemChange>) {
    if before == after {
        return;
    }
    let (Some(old), Some(new)) = (entries(before), entries(after)) else {
        let value = Pair {
            before: present(before),
            after: present(after),
        };
        found.push(ProblemChange {
            path: path.to_owned(),
            value,
        });
        return;
    };
    let mut keys: Vec<&String> = old.keys().collect();
    keys.extend(new.keys().filter(|key| !old.contains_key(*key)));
    for key in keys {
        let below = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        let side =
            |entries: &BTreeMap<String, Value>| entries.get(key).cloned().unwrap_or(Value::Null);
        compare(&below, &side(&old), &side(&new), found);
    }
}

fn present(value: &Value) -> Option<Value> {
    (!value.is_null()).then(|| value.clone())
}

/// What a mapping or a list holds, by key, by name or by position; `None` for anything else.
fn entries(value: &Value) -> Option<BTreeMap<String, Value>> {
    match value {
        Value::Object(map) => Some(
            map.iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
        ),
        Value::Array(items) => {
            let key = |index: usize, item: &Value| {
                entry_name(item).unwrap_or_else(|| format!("[{index}]"))
            };
            Some(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| (key(index, item), item.clone()))
                    .collect(),
            )
        }
        _ => None,
    }
}

fn replicas(before: &Plan, after: &Plan) -> Vec<ReplicaChange> {
    let by_place = |plan: &Plan| -> BTreeMap<(String, String), u32> {
        let places = |service: &crate::plan::ServicePlan| {
            let name = service.name.clone();
            service
                .replicas
                .clone()
                .into_iter()
                .map(move |(cluster, replicas)| ((name.clone(), cluster), replicas))
        };
        plan.services.iter().flat_map(places).collect()
    };
    let change = |((service, cluster), replicas)| ReplicaChange {
        service,
        cluster,
        replicas,
    };
    changed(by_place(before), by_place(after))
        .map(change)
        .collect()
}

fn nodes(before: &Plan, after: &Plan) -> Vec<NodeChange> {
    let by_offering = |plan: &Plan| {
        let mut nodes: BTreeMap<(String, String), u32> = BTreeMap::new();
        for group in &plan.nodes {
            *nodes
                .entry((group.pool.clone(), group.offering.clone()))
                .or_default() += group.count;
        }
        nodes
    };
    let change = |((pool, offering), nodes)| NodeChange {
        pool,
        offering,
        nodes,
    };
    changed(by_offering(before), by_offering(after))
        .map(change)
        .collect()
}

/// Keys whose count differs, absent ones counted as 0.
fn changed<K: Ord + Clone>(
    before: BTreeMap<K, u32>,
    after: BTreeMap<K, u32>,
) -> impl Iterator<Item = (K, Pair<u32>)> {
    let mut both: BTreeMap<K, Pair<u32>> = BTreeMap::new();
    for (key, count) in before {
        both.insert(
            key,
            Pair {
                before: count,
                after: 0,
            },
        );
    }
    for (key, count) in after {
        both.entry(key)
            .or_insert(Pair {
                before: 0,
                after: 0,
            })
            .after = count;
    }
    both.into_iter()
        .filter(|(_, pair)| pair.before != pair.after)
}

fn costs(before: &Plan, after: &Plan) -> Vec<CostChange> {
    let term = |name: &str, of: &dyn Fn(&Cost) -> Option<f64>| CostChange {
        term: name.to_owned(),
        usd_per_hour: Pair {
            before: before.cost.as_ref().and_then(of),
            after: after.cost.as_ref().and_then(of),
        },
    };
    let repaired = |plan: &Plan| {
        Some(
            plan.baseline_cost
                .as_ref()?
                .repaired
                .as_ref()?
                .cost
                .total_usd_per_hour,
        )
    };
    vec![
        term("total_usd_per_hour", &|cost| Some(cost.total_usd_per_hour)),
        term("nodes_usd_per_hour", &|cost| Some(cost.nodes_usd_per_hour)),
        term("spot_evictions_usd_per_hour", &|cost| {
            Some(cost.spot_evictions_usd_per_hour)
        }),
        term("slo_usd_per_hour", &|cost| Some(cost.slo_usd_per_hour)),
        term("moves_usd_per_hour", &|cost| cost.moves_usd_per_hour),
        term("startup_usd_per_hour", &|cost| cost.startup_usd_per_hour),
        CostChange {
            term: "bound".to_owned(),
            usd_per_hour: Pair {
                before: before.bound,
                after: after.bound,
            },
        },
        CostChange {
            term: "baseline_repaired".to_owned(),
            usd_per_hour: Pair {
                before: repaired(before),
                after: repaired(after),
            },
        },
    ]
}

fn steps(before: &Plan, after: &Plan) -> Vec<StepChange> {
    let count = |plan: &Plan, action: &str| {
        plan.steps
            .iter()
            .flatten()
            .filter(|step| action_name(&step.change) == action)
            .count()
    };
    [
        "nodes_up",
        "replicas_up",
        "move",
        "exchange",
        "replicas_down",
        "nodes_down",
    ]
    .into_iter()
    .map(|action| StepChange {
        action: action.to_owned(),
        steps: Pair {
            before: count(before, action),
            after: count(after, action),
        },
    })
    .filter(|change| change.steps.before != change.steps.after)
    .collect()
}

/// The kind of a step, as the plan file writes it.
fn action_name(change: &Change) -> &'static str {
    match change {
        Change::NodesUp { .. } => "nodes_up",
        Change::ReplicasUp { .. } => "replicas_up",
        Change::Move { .. } => "move",
        Change::Exchange { .. } => "exchange",
        Change::ReplicasDown { .. } => "replicas_down",
        Change::NodesDown { .. } => "nodes_down",
    }
}
