//! Batches against pods placed one by one, HPA's rounding, and what the rows have in common.
#![allow(clippy::unwrap_used)]

mod naive;

use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use super::*;
use crate::catalogue::Catalogue;
use crate::fleet::compile;
use crate::generate::{self, FleetSize};
use crate::limits::Limits;
use crate::placement::Group;
use crate::problem;
use naive::Naive;

/// A fleet of one cluster: services and offerings in short, nodes with an offering and pods.
pub(super) fn fleet(services: &Value, offerings: &[Value], nodes: &[Value]) -> Fleet {
    let node = |(index, node): (usize, &Value)| {
        let mut node = node.clone();
        node["name"] = json!(format!("n{index}"));
        node["pool"] = json!("p");
        node
    };
    let problem = json!({
        "schema": "ketscale.problem/v1", "name": "stock",
        "clusters": [{"name": "c", "provider": "other", "region": "r"}],
        "services": services,
        "pools": [{"name": "p", "cluster": "c", "offerings": offerings}],
        "current": {"nodes": nodes.iter().enumerate().map(node).collect::<Vec<_>>()}});
    compile(serde_json::from_value(problem).unwrap(), &[]).unwrap()
}

/// A service that keeps its replicas.
pub(super) fn service(name: &str, replicas: u32, cpu: &str, memory: &str) -> Value {
    json!({"name": name, "clusters": {"c": {"min": replicas, "max": replicas, "now": replicas}},
           "requests": {"cpu": cpu, "memory": memory}, "disruption": {"max_unavailable": 1}})
}

/// An offering `TYPE/z/CAPACITY`.
pub(super) fn offering(kind: &str, capacity: &str, cpu: &str, memory: &str, usd: f64) -> Value {
    json!({"instance_type": kind, "zone": "z", "capacity_type": capacity, "usd_per_hour": usd,
           "allocatable": {"cpu": cpu, "memory": memory, "pods": "20"}})
}

/// Offerings of the nodes that a tool ends with, and the pods that it leaves pending.
pub(super) fn outcome(fleet: &Fleet, tool: Tool) -> (Vec<String>, u32) {
    let stock = row(fleet, tool, None);
    let names = |group: &Group| {
        let name = &fleet.offering_of(group.class).name;
        std::iter::repeat_n(name.clone(), group.count as usize)
    };
    let mut names: Vec<String> = stock.placement.groups.iter().flat_map(names).collect();
    names.sort();
    (names, stock.pending)
}

fn row(fleet: &Fleet, tool: Tool, work: Option<u64>) -> Stock {
    let stop = AtomicBool::new(false);
    let limits = Limits::new(&stop, work);
    let mut stocks = stock(fleet, &Meter::new(limits)).into_iter();
    stocks.find(|stock| stock.tool == tool).unwrap()
}

fn generated(services: usize, offerings: usize, seed: u64) -> Fleet {
    let size = FleetSize {
        services,
        offerings,
        seed,
    };
    let problem = generate::fleet(&size, Catalogue::built_in()).unwrap();
    let problem = problem::resolve(problem, Catalogue::built_in(), "fleet").unwrap();
    compile(problem, &[]).unwrap()
}

/// Replicas by service and cell about those that run now: more, fewer, elsewhere.
fn wanted(fleet: &Fleet, seed: u64) -> Vec<Column> {
    let current = Placement::current(fleet);
    let mut state = seed;
    let mut draw = |most: u32| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        u32::try_from((state >> 33) % u64::from(most)).unwrap()
    };
    let mut column = |s: usize| {
        let mut cells = current.by_cell(fleet, s);
        for cell in &fleet.services[s].cells {
            cells[*cell] = match draw(4) {
                0 => cells[*cell] / 2,
                1 => cells[*cell] + draw(12),
                _ => cells[*cell],
            };
        }
        let replicas = cells.iter().sum();
        Column { replicas, cells }
    };
    (0..fleet.services.len()).map(&mut column).collect()
}

#[test]
fn batches_go_where_pods_go_one_by_one() {
    let mut bought = 0;
    for seed in 0..30 {
        let fleet = generated(2 + seed as usize % 9, 6 + seed as usize % 40, seed);
        let (columns, values) = (wanted(&fleet, seed), Values::of_prices(&fleet));
        let start = Placement::current(&fleet);
        let batches = rebuilt(&fleet, &start, &columns, &values);
        assert_eq!(
            batches,
            naive::rebuilt(&fleet, &start, &columns, &values),
            "seed {seed}"
        );
        let new = |group: &&Group| !fleet.classes[group.class].is_existing();
        bought += batches.map_or(0, |placement| placement.groups.iter().filter(new).count());
    }
    assert!(bought > 50, "only {bought} groups of new nodes");
}

#[test]
fn spread_pods_go_where_they_go_one_by_one() {
    for seed in 0..30 {
        let fleet = generated(12, 24, seed);
        let start = Placement::current(&fleet);
        let mut builder = Builder::new(&fleet, &View::Stock, &start);
        let mut naive = Naive::new(&fleet, View::Stock, &start);
        for s in (0..fleet.services.len()).filter(|s| fleet.services[*s].max_skew.is_some()) {
            for bounds in &fleet.services[s].clusters {
                let area = Area::Cluster(bounds.cluster);
                builder.scale_down(s, area, 2);
                naive.scale_down(s, area, 2);
                let batch = Batch {
                    service: s,
                    area,
                    count: 15,
                };
                let placed = builder.first_fit(batch);
                assert_eq!(placed, naive.first_fit(batch), "seed {seed}");
            }
        }
        assert_eq!(builder.finish(), naive.finish(), "seed {seed}");
    }
}

/// A target of 50 % and ten replicas: whole percent decide, so 55.9 % is 1.1 times the target and within the tolerance, 56 % is not.
#[test]
fn use_counts_in_whole_percent() {
    let replicas = |use_mcores: u32| {
        let mut web = service("a/web", 10, "1", "1Gi");
        web["clusters"]["c"] = json!({"min": 1, "max": 40, "now": 10});
        web["load"] = json!({"rps": 10});
        web["capacity"] =
            json!({"cpu_per_rps": format!("{use_mcores}m"), "target_utilization": 0.5});
        let fleet = fleet(
            &json!([web]),
            &[offering("m", "on-demand", "4", "16Gi", 0.2)],
            &[],
        );
        desired(&fleet, 0, 0)
    };
    assert_eq!(replicas(559), 10);
    assert_eq!(replicas(560), 12);
    // Below: 44.9 % is 44 %, 0.88 of the target, and 45 % is within the tolerance.
    assert_eq!(replicas(449), 9);
    assert_eq!(replicas(450), 10);
}

#[test]
fn limits_end_consolidation_but_place_all_pods() {
    let fleet = generated(10, 30, 3);
    for tool in Tool::ALL {
        let (cut, whole) = (row(&fleet, tool, Some(0)), row(&fleet, tool, None));
        assert_eq!(cut.pending, whole.pending);
        assert!(total(&fleet, &cut.placement) > total(&fleet, &whole.placement));
        for s in 0..fleet.services.len() {
            assert_eq!(cut.placement.replicas(s), whole.placement.replicas(s));
        }
    }
}

#[test]
fn the_baseline_is_the_cheapest_row_with_the_fewest_pods_pending() {
    let fleet = fleet(
        &json!([service("a/web", 1, "1", "1Gi")]),
        &[
            offering("small", "on-demand", "2", "4Gi", 0.1),
            offering("large", "on-demand", "4", "8Gi", 0.2),
        ],
        &[],
    );
    let stock = |tool, class, pending| {
        let group = Group {
            class,
            count: 1,
            pods: vec![1],
        };
        Stock {
            tool,
            placement: Placement {
                groups: vec![group],
            },
            pending,
            work: 0,
        }
    };
    let [waste, price, karpenter] = Tool::ALL;
    let stocks = [
        stock(waste, 1, 0),
        stock(price, 0, 1),
        stock(karpenter, 0, 0),
    ];
    assert_eq!(best(&fleet, &stocks[..2]), stocks[0].placement);
    assert_eq!(best(&fleet, &stocks), stocks[2].placement);
}
