//! Scale-up by each expander and scale-down, on fleets small enough to follow.

use serde_json::json;

use super::super::Tool;
use super::super::tests::{fleet, offering, outcome, service};

const LEAST_WASTE: Tool = Tool::ClusterAutoscalerLeastWaste;
const PRICE: Tool = Tool::ClusterAutoscalerPrice;

/// Three pods of 1 core and 2 GiB. Two nodes of `fit` (2 cores, 4 GiB) waste a quarter of each resource, 0.5 in all; one `wide`
/// (8 cores, 16 GiB) wastes 5/8 twice, 1.25 in all, yet costs a tenth.
#[test]
fn least_waste_looks_at_waste_and_price_at_price() {
    let fleet = fleet(
        &json!([service("a/web", 3, "1", "2Gi")]),
        &[
            offering("wide", "on-demand", "8", "16Gi", 0.05),
            offering("fit", "on-demand", "2", "4Gi", 0.25),
        ],
        &[],
    );
    let two = vec!["fit/z/on-demand".to_owned(); 2];
    assert_eq!(outcome(&fleet, LEAST_WASTE), (two, 0));
    let one = vec!["wide/z/on-demand".to_owned()];
    assert_eq!(outcome(&fleet, PRICE), (one, 0));
}

/// A node at most half used goes when its pods fit elsewhere, one above stays: 2 of 4 cores against 2.1.
#[test]
fn nodes_at_most_half_used_go() {
    for (cpu, nodes) in [("2", 1), ("2100m", 2)] {
        let fleet = fleet(
            &json!([
                service("a/web", 1, cpu, "1Gi"),
                service("a/db", 1, "2500m", "1Gi")
            ]),
            &[
                offering("m", "on-demand", "4", "16Gi", 0.2),
                offering("l", "on-demand", "8", "32Gi", 0.4),
            ],
            &[
                json!({"offering": "m/z/on-demand", "pods": {"a/web": 1}}),
                json!({"offering": "l/z/on-demand", "pods": {"a/db": 1}}),
            ],
        );
        for tool in [LEAST_WASTE, PRICE] {
            assert_eq!(outcome(&fleet, tool).0.len(), nodes, "{cpu}");
        }
    }
}

/// It leaves a node that a cheaper one could replace.
#[test]
fn no_node_is_replaced_by_a_cheaper_one() {
    let fleet = fleet(
        &json!([service("a/web", 1, "1", "1Gi")]),
        &[
            offering("large", "on-demand", "16", "64Gi", 0.8),
            offering("small", "on-demand", "2", "8Gi", 0.1),
        ],
        &[json!({"offering": "large/z/on-demand", "pods": {"a/web": 1}})],
    );
    let large = vec!["large/z/on-demand".to_owned()];
    assert_eq!(outcome(&fleet, LEAST_WASTE), (large, 0));
    let small = vec!["small/z/on-demand".to_owned()];
    assert_eq!(outcome(&fleet, Tool::Karpenter), (small, 0));
}

/// A group of which two more nodes may be had takes what two nodes hold; the rest goes to the next group.
#[test]
fn groups_end_at_their_limits() {
    let mut fit = offering("fit", "on-demand", "2", "4Gi", 0.1);
    fit["available_nodes"] = json!(2);
    let fleet = fleet(
        &json!([service("a/web", 6, "1", "2Gi")]),
        &[fit, offering("wide", "on-demand", "3", "16Gi", 0.3)],
        &[],
    );
    let names = ["fit/z/on-demand", "fit/z/on-demand", "wide/z/on-demand"];
    let names = names.map(str::to_owned).to_vec();
    assert_eq!(outcome(&fleet, LEAST_WASTE), (names, 0));
}

#[test]
fn pods_that_no_group_takes_stay_pending() {
    let mut only = offering("m", "on-demand", "2", "8Gi", 0.1);
    only["available_nodes"] = json!(1);
    let fleet = fleet(&json!([service("a/web", 3, "1", "1Gi")]), &[only], &[]);
    for tool in Tool::ALL {
        let one = vec!["m/z/on-demand".to_owned()];
        assert_eq!(outcome(&fleet, tool), (one, 1));
    }
}
