//! Prices that OpenCost exports for nodes, as prices of offerings.

use std::collections::BTreeMap;

use ketscale_engine::problem::ProblemFile;

use super::answers::Answers;
use super::clusters::Clusters;
use super::ledger::Ledger;
use super::nodes::{self, Home, NodeLabels};
use crate::prometheus::Observation;

/// Prices of nodes that differ by no more than this share are one price: OpenCost makes them of a node's cores and memory, and nodes
/// of one type report slightly different memory.
const SAME_PRICE_SHARE: f64 = 1e-3;

/// Replaces the price of every offering whose nodes all have the same price; the highest counts. Where OpenCost is not there at all
/// nothing is said, for a file without it is complete.
pub(super) fn refresh(
    problem: &mut ProblemFile,
    answers: &Answers,
    clusters: &Clusters,
    ledger: &mut Ledger,
) {
    let prices = &answers.node_price;
    if prices.samples.is_empty() {
        return;
    }
    let by_node = prices.by(|sample| Some((clusters.of(sample)?, sample.label("node"))));
    let mut by_offering: BTreeMap<Home, Vec<(&str, Option<&Observation>)>> = BTreeMap::new();
    for (cluster, node, home) in homes(problem, answers, clusters) {
        let price = by_node.get(&(cluster, node));
        by_offering.entry(home).or_default().push((node, price));
    }
    for (home, nodes) in by_offering {
        let path = format!(
            "pools.{}.offerings.{}.usd_per_hour",
            home.pool, home.offering
        );
        match agreed(&nodes) {
            Ok((usd_per_hour, time)) => {
                set(problem, &home, usd_per_hour);
                ledger.read(path, usd_per_hour, &prices.query, time);
            }
            Err(reason) => ledger.gap(path, &prices.query, reason),
        }
    }
}

/// Every node with its cluster and home; those whose home is not known are told elsewhere.
fn homes<'a>(
    problem: &ProblemFile,
    answers: &'a Answers,
    clusters: &Clusters,
) -> Vec<(usize, &'a str, Home)> {
    let mut labels: BTreeMap<(usize, &str), NodeLabels<'_>> = BTreeMap::new();
    for sample in &answers.node_labels.samples {
        if let Some(cluster) = clusters.of(sample) {
            let node = (cluster, sample.label("node"));
            labels.entry(node).or_default().add(sample);
        }
    }
    let none = NodeLabels::default();
    let mut homes = BTreeMap::new();
    for sample in &answers.nodes.samples {
        let (Some(cluster), node) = (clusters.of(sample), sample.label("node")) else {
            continue;
        };
        let name = clusters.names().get(cluster).map_or("", String::as_str);
        let labels = labels.get(&(cluster, node)).unwrap_or(&none);
        if let Ok(home) = nodes::home(problem, name, node, labels) {
            homes.insert((cluster, node), home);
        }
    }
    let homes = homes.into_iter();
    homes
        .map(|((cluster, node), home)| (cluster, node, home))
        .collect()
}

/// The price that all nodes have, and the time of its oldest sample; else why there is none.
fn agreed(nodes: &[(&str, Option<&Observation>)]) -> Result<(f64, f64), String> {
    let mut agreed: Option<(&str, f64, f64, f64)> = None;
    for (node, price) in nodes {
        let observation = price
            .cloned()
            .unwrap_or(Err(crate::prometheus::MISSING.to_owned()));
        let (usd, time) = observation.map_err(|reason| format!("node {node}: {reason}"))?;
        if usd <= 0.0 {
            return Err(format!("node {node}: not a price: the query gives {usd}"));
        }
        let (first, least, most, oldest) = agreed.unwrap_or((*node, usd, usd, time));
        let (least, most) = (least.min(usd), most.max(usd));
        if most > least * (1.0 + SAME_PRICE_SHARE) {
            return Err(format!(
                "ambiguous: node {first} costs {least} USD an hour or more and node {node} {usd}; one offering has one price"
            ));
        }
        agreed = Some((first, least, most, oldest.min(time)));
    }
    agreed
        .map(|(_, _, usd, time)| (usd, time))
        .ok_or_else(|| crate::prometheus::MISSING.to_owned())
}

fn set(problem: &mut ProblemFile, home: &Home, usd_per_hour: f64) {
    let pools = problem.pools.iter_mut();
    let offerings = pools
        .filter(|pool| pool.name == home.pool)
        .flat_map(|pool| &mut pool.offerings);
    for offering in offerings.filter(|offering| offering.name() == home.offering) {
        offering.usd_per_hour = Some(usd_per_hour);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn of(prices: &[Observation]) -> Result<(f64, f64), String> {
        let nodes: Vec<_> = prices.iter().map(|price| ("n", Some(price))).collect();
        agreed(&nodes)
    }

    #[test]
    fn nodes_that_agree_have_a_price() {
        assert_eq!(
            of(&[Ok((0.2, 90.0)), Ok((0.2001, 80.0))]),
            Ok((0.2001, 80.0))
        );
    }

    #[test]
    fn nodes_that_do_not_agree_have_none() {
        let reason = |prices: &[Observation]| of(prices).unwrap_err();
        assert!(reason(&[Ok((0.2, 90.0)), Ok((0.3, 90.0))]).starts_with("ambiguous"));
        // Steps below the tolerance do not add up to more than it.
        let drift: Vec<Observation> = (0..5)
            .map(|i| Ok((0.2 * (1.0 + 0.0005 * f64::from(i)), 90.0)))
            .collect();
        assert!(reason(&drift).starts_with("ambiguous"));
        assert!(reason(&[Ok((0.0, 90.0))]).contains("not a price"));
        assert!(reason(&[Ok((0.2, 90.0)), Err("stale: …".to_owned())]).contains("stale"));
        assert!(agreed(&[("n", None)]).unwrap_err().contains("missing"));
        assert!(agreed(&[]).is_err());
    }
}
