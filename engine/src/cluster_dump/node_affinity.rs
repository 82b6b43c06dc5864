//! Node selectors and required node affinity as a `placement.selector`.
//!
//! A selector can say "this label has one of these values" and nothing else. What affinity says beyond that is decided on the
//! nodes of the dump: a requirement that all of them meet is dropped, one that separates them by a label becomes that label.

use std::collections::{BTreeMap, BTreeSet};

use super::labels::{self, ARCH, CAPACITY_TYPE, HOSTNAME, INSTANCE_TYPE, NODE_NAME, OS, ZONE};
use super::manifest::{NodeSelector, PodSpec, Requirement};
use super::node::{KARPENTER_POOL, NodeFacts};
use crate::problem::OneOrMany;

/// Accepted values by label.
pub(super) type Values = BTreeMap<String, BTreeSet<String>>;

/// The nodes that a pod may use, or why a selector cannot say it.
///
/// # Errors
///
/// One reason for each part that could not be translated; the rest is in the values.
pub(super) fn translate(spec: &PodSpec, nodes: &[NodeFacts<'_>]) -> (Values, Vec<String>) {
    let mut requirements: Vec<(Requirement, String)> = Vec::new();
    for (key, value) in &spec.node_selector {
        let requirement = Requirement {
            key: key.clone(),
            operator: "In".to_owned(),
            values: vec![value.clone()],
        };
        requirements.push((requirement, format!("spec.nodeSelector.{key}")));
    }
    let affinity = spec
        .affinity
        .as_ref()
        .and_then(|affinity| affinity.node_affinity.as_ref());
    let (mut values, mut reasons) = (Values::new(), Vec::new());
    match affinity.and_then(|affinity| affinity.required.as_ref()) {
        Some(NodeSelector {
            node_selector_terms: terms,
        }) if terms.len() == 1 => {
            for requirement in terms
                .iter()
                .flat_map(|term| term.match_expressions.iter().chain(&term.match_fields))
            {
                requirements.push((
                    requirement.clone(),
                    format!("required nodeAffinity on {}", requirement.key),
                ));
            }
        }
        Some(required) => match decided_by_label(|node| required.matches(&node.labels), nodes) {
            Ok(found) => found
                .into_iter()
                .for_each(|(key, accepted)| narrow(&mut values, &key, accepted)),
            Err(why) => reasons.push(format!(
                "required nodeAffinity with {} terms: {why}",
                required.node_selector_terms.len()
            )),
        },
        None => {}
    }
    for (requirement, field) in requirements {
        match translate_one(&requirement, nodes) {
            Ok(found) => found
                .into_iter()
                .for_each(|(key, accepted)| narrow(&mut values, &key, accepted)),
            Err(why) => reasons.push(format!("{field} ({}): {why}", requirement.operator)),
        }
    }
    (values, reasons)
}

/// As the file writes it.
pub(super) fn to_selector(values: Values) -> BTreeMap<String, OneOrMany> {
    let entry = |(key, accepted): (String, BTreeSet<String>)| {
        let mut accepted: Vec<String> = accepted.into_iter().collect();
        let one = if accepted.len() == 1 {
            accepted.pop()
        } else {
            None
        };
        (key, one.map_or(OneOrMany::Many(accepted), OneOrMany::One))
    };
    values.into_iter().map(entry).collect()
}

/// Keeps only these values for a label.
pub(super) fn narrow(values: &mut Values, key: &str, accepted: BTreeSet<String>) {
    match values.get_mut(key) {
        Some(present) => present.retain(|value| accepted.contains(value)),
        None => {
            values.insert(key.to_owned(), accepted);
        }
    }
}

fn translate_one(requirement: &Requirement, nodes: &[NodeFacts<'_>]) -> Result<Values, String> {
    let key = labels::canonical(&requirement.key);
    let meets = |node: &NodeFacts<'_>| requirement.matches(&node.labels, key);
    if nodes.iter().all(meets)
        && (requirement.operator != "In" || [OS, labels::REGION].contains(&key))
    {
        return Ok(Values::new());
    }
    if [HOSTNAME, NODE_NAME].contains(&key) {
        return Err("it names single nodes".to_owned());
    }
    if labels::follows_from_type(key) {
        return separated_by(&meets, nodes, &[INSTANCE_TYPE]);
    }
    let mut values = Values::new();
    if requirement.operator == "In" {
        values.insert(key.to_owned(), requirement.values.iter().cloned().collect());
    } else if nodes
        .iter()
        .filter(|node| meets(node))
        .all(|node| node.labels.contains_key(key))
        && nodes.iter().any(meets)
    {
        let accepted = nodes
            .iter()
            .filter(|node| meets(node))
            .filter_map(|node| node.labels.get(key).cloned());
        values.insert(key.to_owned(), accepted.collect());
    } else {
        return decided_by_label(meets, nodes);
    }
    // Every offering is taken to carry this label; on real nodes only Karpenter sets it.
    if key == CAPACITY_TYPE
        && nodes
            .iter()
            .any(|node| !node.labels.contains_key(CAPACITY_TYPE))
    {
        let pools = nodes
            .iter()
            .filter_map(|node| node.labels.get(KARPENTER_POOL).cloned());
        values.insert(KARPENTER_POOL.to_owned(), pools.collect());
    }
    Ok(values)
}

/// A condition on nodes as values of one label: that of the pools, else architecture, zone or instance type.
pub(super) fn decided_by_label(
    meets: impl Fn(&NodeFacts<'_>) -> bool,
    nodes: &[NodeFacts<'_>],
) -> Result<Values, String> {
    if nodes.iter().all(&meets) {
        return Ok(Values::new());
    }
    let mut keys: Vec<&str> = Vec::new();
    for key in nodes.iter().filter_map(|node| node.pool_label) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys.extend([ARCH, ZONE, INSTANCE_TYPE]);
    separated_by(&meets, nodes, &keys)
}

fn separated_by(
    meets: &dyn Fn(&NodeFacts<'_>) -> bool,
    nodes: &[NodeFacts<'_>],
    keys: &[&str],
) -> Result<Values, String> {
    for key in keys {
        let (inside, outside): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| meets(node));
        let value = |node: &&NodeFacts<'_>| node.labels.get(*key).cloned();
        let inside: Option<BTreeSet<String>> = inside.iter().map(value).collect();
        let outside: BTreeSet<String> = outside.iter().filter_map(value).collect();
        if let Some(inside) =
            inside.filter(|inside| !inside.is_empty() && inside.is_disjoint(&outside))
        {
            return Ok(Values::from([((*key).to_owned(), inside)]));
        }
    }
    if nodes.iter().any(meets) {
        Err("no single label separates the nodes that meet it from the others".to_owned())
    } else {
        Err("no node of the dump meets it".to_owned())
    }
}
