//! Packing and consolidation, on fleets small enough to follow.
#![allow(clippy::float_cmp, reason = "prices are copied")]

use serde_json::{Value, json};

use super::super::Tool;
use super::super::builder::View;
use super::super::tests::{fleet, offering, outcome, service};
use super::*;
use crate::placement::Placement;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn node(kind: &str, capacity: &str, pods: &Value) -> Value {
    json!({"offering": format!("{kind}/z/{capacity}"), "pods": pods})
}

/// Pods of 2.1 cores on two nodes of 4: each is more than half used and neither pod fits beside the other, but one node of 8 costs
/// less than the two.
#[test]
fn two_nodes_become_one_cheaper_node() {
    let fleet = fleet(
        &json!([service("a/web", 2, "2100m", "1Gi")]),
        &[
            offering("m", "on-demand", "4", "16Gi", 0.2),
            offering("l", "on-demand", "8", "32Gi", 0.35),
        ],
        &[
            node("m", "on-demand", &json!({"a/web": 1})),
            node("m", "on-demand", &json!({"a/web": 1})),
        ],
    );
    assert_eq!(
        outcome(&fleet, Tool::Karpenter).0,
        names(&["l/z/on-demand"])
    );
    for tool in [
        Tool::ClusterAutoscalerLeastWaste,
        Tool::ClusterAutoscalerPrice,
    ] {
        assert_eq!(outcome(&fleet, tool).0, names(&["m/z/on-demand"; 2]));
    }
}

/// As above, but the one node costs more than the two.
#[test]
fn dearer_nodes_replace_none() {
    let fleet = fleet(
        &json!([service("a/web", 2, "2100m", "1Gi")]),
        &[
            offering("m", "on-demand", "4", "16Gi", 0.2),
            offering("l", "on-demand", "8", "32Gi", 0.45),
        ],
        &[
            node("m", "on-demand", &json!({"a/web": 1})),
            node("m", "on-demand", &json!({"a/web": 1})),
        ],
    );
    assert_eq!(
        outcome(&fleet, Tool::Karpenter).0,
        names(&["m/z/on-demand"; 2])
    );
}

/// A claim is launched as the cheapest offering that holds all its pods, large pods first: 3 + 1 + 1 cores take one node of 5 or two
/// of 3, and Karpenter opens a second claim only when no type holds more.
#[test]
fn the_cheapest_type_that_holds_the_batch_is_launched() {
    let fleet = fleet(
        &json!([
            service("a/small", 2, "1", "1Gi"),
            service("a/large", 1, "3", "1Gi")
        ]),
        &[
            offering("xl", "on-demand", "16", "64Gi", 0.9),
            offering("five", "on-demand", "5", "20Gi", 0.3),
            offering("three", "on-demand", "3", "12Gi", 0.1),
        ],
        &[],
    );
    assert_eq!(
        outcome(&fleet, Tool::Karpenter),
        (names(&["five/z/on-demand"]), 0)
    );
}

/// A spot node is not replaced by a spot node unless a feature gate says so; one on demand is replaced by spot.
#[test]
fn spot_replaces_on_demand_but_not_spot() {
    for (capacity, expected) in [("spot", "l/z/spot"), ("on-demand", "s/z/spot")] {
        let fleet = fleet(
            &json!([service("a/web", 1, "1", "1Gi")]),
            &[
                offering("l", "spot", "8", "32Gi", 0.4),
                offering("l", "on-demand", "8", "32Gi", 0.8),
                offering("s", "spot", "2", "8Gi", 0.05),
                offering("s", "on-demand", "2", "8Gi", 0.1),
            ],
            &[node("l", capacity, &json!({"a/web": 1}))],
        );
        assert_eq!(outcome(&fleet, Tool::Karpenter).0, names(&[expected]));
    }
}

/// Upstream's examples (`filterOutSameInstanceType`): two large nodes and a small one are not replaced by a small one, for the large
/// ones would better just be deleted; a nano, cheaper than the small one, replaces all three.
#[test]
fn several_nodes_are_not_replaced_by_the_type_of_one_of_them() {
    let fleet = fleet(
        &json!([service("a/web", 3, "100m", "100Mi")]),
        &[
            offering("nano", "on-demand", "1", "4Gi", 0.02),
            offering("small", "on-demand", "2", "8Gi", 0.05),
            offering("large", "on-demand", "8", "32Gi", 0.4),
        ],
        &["large", "large", "small"].map(|kind| node(kind, "on-demand", &json!({"a/web": 1}))),
    );
    let builder = Builder::new(&fleet, &View::Stock, &Placement::current(&fleet));
    let nodes: Vec<usize> = builder.nodes(0).collect();
    assert_eq!(nodes.len(), 3);
    let [nano, small, large] = [0, 1, 2];
    assert_eq!(same_type(&builder, &nodes, &[small, large], 0.85), 0.05);
    assert_eq!(
        same_type(&builder, &nodes, &[nano, small, large], 0.85),
        0.05
    );
    assert_eq!(same_type(&builder, &nodes, &[nano], 0.85), f64::INFINITY);
    assert_eq!(
        outcome(&fleet, Tool::Karpenter).0,
        names(&["nano/z/on-demand"])
    );
}

/// Pods of one service spread over zones, one more in a zone at most than in another.
#[test]
fn claims_follow_topology_spread() {
    let mut web = service("a/web", 4, "1", "1Gi");
    web["placement"] = json!({"max_skew": 1});
    let mut elsewhere = offering("m", "on-demand", "8", "32Gi", 0.5);
    elsewhere["zone"] = json!("y");
    let fleet = fleet(
        &json!([web]),
        &[offering("m", "on-demand", "8", "32Gi", 0.4), elsewhere],
        &[],
    );
    for tool in Tool::ALL {
        assert_eq!(
            outcome(&fleet, tool),
            (names(&["m/y/on-demand", "m/z/on-demand"]), 0),
            "{tool:?}"
        );
    }
}
