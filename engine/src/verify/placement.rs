//! The placement that the node groups of a plan describe.

use std::collections::{BTreeMap, BTreeSet};

use super::Finding;
use crate::fleet::Fleet;
use crate::placement::{Group, Placement};
use crate::plan::{NodeGroup, rows};

/// Most nodes of a plan.
const MOST_NODES: u64 = 1_000_000;

/// Most pods of a plan.
const MOST_PODS: u64 = 100_000_000;

/// Reads node groups, which must be spelled as [`rows::node_groups`] spells the normalized placement.
///
/// # Errors
///
/// Names that do not exist, stand twice or belong elsewhere, counts of 0 or beyond reach, and another order or grouping.
pub fn placement(fleet: &Fleet, nodes: &[NodeGroup]) -> Result<Placement, Vec<Finding>> {
    let reader = Reader::new(fleet);
    let mut findings = Vec::new();
    let mut groups = Vec::new();
    for (index, group) in nodes.iter().enumerate() {
        match reader.group(group) {
            Ok(group) => groups.push(group),
            Err(message) => findings.push(Finding::new(format!("nodes[{index}]"), message)),
        }
    }
    findings.extend(names_used_twice(nodes));
    findings.extend(beyond_reach(&groups));
    if !findings.is_empty() {
        return Err(findings);
    }
    let placement = Placement { groups }.normalized();
    if rows::node_groups(fleet, &placement) != nodes {
        let message = "groups are not in their one spelling: merged, ordered by class and pods, existing nodes named in the order of the problem";
        return Err(vec![Finding::new("nodes", message)]);
    }
    Ok(placement)
}

struct Reader<'a> {
    services: BTreeMap<&'a str, usize>,
    /// Class of each existing node.
    existing: BTreeMap<&'a str, usize>,
    /// Offering by pool and name.
    offerings: BTreeMap<(&'a str, &'a str), usize>,
    /// Offering of each class.
    offering_of: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn new(fleet: &'a Fleet) -> Self {
        let classes = fleet.classes.iter().enumerate();
        let pool = |index: usize| fleet.problem.pools[index].name.as_str();
        Self {
            services: fleet
                .services
                .iter()
                .enumerate()
                .map(|(index, service)| (service.name.as_str(), index))
                .collect(),
            existing: classes
                .flat_map(|(index, class)| {
                    class.names.iter().map(move |name| (name.as_str(), index))
                })
                .collect(),
            offerings: fleet
                .offerings
                .iter()
                .enumerate()
                .map(|(index, o)| ((pool(o.pool), o.name.as_str()), index))
                .collect(),
            offering_of: fleet.classes.iter().map(|class| class.offering).collect(),
        }
    }

    fn group(&self, group: &NodeGroup) -> Result<Group, String> {
        let offering = self
            .offerings
            .get(&(group.pool.as_str(), group.offering.as_str()))
            .copied();
        let offering = offering
            .ok_or_else(|| format!("pool {} has no offering {}", group.pool, group.offering))?;
        let class = match group.names.first() {
            None => offering,
            Some(first) => self.existing_class(first, group)?,
        };
        if self.offering_of.get(class) != Some(&offering) {
            return Err(format!(
                "{} is of another pool or offering",
                group.names.join(", ")
            ));
        }
        if group.count == 0 {
            return Err("count is 0".to_owned());
        }
        let mut pods = vec![0; self.services.len()];
        for (name, count) in &group.pods {
            let service = self
                .services
                .get(name.as_str())
                .ok_or_else(|| format!("no service is named {name}"))?;
            pods[*service] = *count;
        }
        Ok(Group {
            class,
            count: group.count,
            pods,
        })
    }

    /// The class of all named nodes of a group.
    fn existing_class(&self, first: &str, group: &NodeGroup) -> Result<usize, String> {
        let class = self
            .existing
            .get(first)
            .copied()
            .ok_or_else(|| format!("no node is named {first}"))?;
        if group.names.len() != group.count as usize {
            return Err(format!(
                "{} names for {} nodes",
                group.names.len(),
                group.count
            ));
        }
        match group
            .names
            .iter()
            .find(|name| self.existing.get(name.as_str()) != Some(&class))
        {
            Some(other) => Err(format!("{other} does not exist or differs from {first}")),
            None => Ok(class),
        }
    }
}

fn names_used_twice(nodes: &[NodeGroup]) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let names = nodes.iter().flat_map(|group| &group.names);
    names
        .filter(|name| !seen.insert(name.as_str()))
        .map(|name| Finding::new("nodes", format!("{name} stands there twice")))
        .collect()
}

/// Sums that later arithmetic could not hold.
fn beyond_reach(groups: &[Group]) -> Option<Finding> {
    let count = |group: &Group| u64::from(group.count);
    let nodes = groups
        .iter()
        .fold(0_u64, |sum, group| sum.saturating_add(count(group)));
    let on_node = |group: &Group| group.pods.iter().map(|pods| u64::from(*pods)).sum::<u64>();
    let pods = groups.iter().fold(0_u64, |sum, group| {
        sum.saturating_add(count(group).saturating_mul(on_node(group)))
    });
    let message = format!(
        "{nodes} nodes and {pods} pods are more than any plan has ({MOST_NODES} and {MOST_PODS})"
    );
    (nodes > MOST_NODES || pods > MOST_PODS).then(|| Finding::new("nodes", message))
}
