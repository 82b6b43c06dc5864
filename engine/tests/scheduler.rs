//! The replay of the stock scheduler: hand-checked cases, and what must hold for every fleet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/random_fleet.rs"]
mod random_fleet;
#[path = "common/random_placement.rs"]
mod random_placement;
#[path = "common/random_problem.rs"]
mod random_problem;

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;

use ketscale_engine::cost::cost;
use ketscale_engine::feasibility::violations;
use ketscale_engine::fleet::{Fleet, compile};
use ketscale_engine::limits::{Limits, Meter};
use ketscale_engine::placement::{Group, Placement};
use ketscale_engine::scheduler::{ORDERS, replay};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use random_fleet::{fleet_of, random_fleet};
use random_placement::random_placement;
use random_problem::random_problem;

/// One pool of four offerings: `big` (4 CPU) and `small` (1 CPU) in the zones a and b; 4Gi each, no daemonsets.
fn fleet(services: &str, nodes: &str) -> Fleet {
    let mut offerings = String::new();
    for (zone, name, cpu, price) in [
        ("a", "big", 4, 0.4),
        ("a", "small", 1, 0.1),
        ("b", "big", 4, 0.4),
        ("b", "small", 1, 0.1),
    ] {
        offerings += &format!(
            "  - {{instance_type: {name}, zone: {zone}, capacity_type: on-demand, usd_per_hour: {price}, architecture: amd64, \
             allocatable: {{cpu: {cpu}, memory: 4Gi, pods: 110}}}}\n"
        );
    }
    fleet_of(&format!(
        "schema: ketscale.problem/v1\nname: hand\nclusters: [{{name: c, provider: other, region: r}}]\nservices:\n{services}\
         pools:\n- name: p\n  cluster: c\n  nodes: {{max: 6}}\n  offerings:\n{offerings}current:\n  nodes: [{nodes}]\n"
    ))
}

/// Without limits.
fn make_schedulable(fleet: &Fleet, placement: &Placement) -> Option<Placement> {
    let stop = AtomicBool::new(false);
    let meter = Meter::new(Limits::new(&stop, None));
    ketscale_engine::scheduler::make_schedulable(fleet, placement, &meter)
}

const BIG_A: usize = 0;
const SMALL_A: usize = 1;
const SMALL_B: usize = 3;

fn service(name: &str, replicas: u32, cpu: &str, placement: &str) -> String {
    format!(
        "- {{name: s/{name}, clusters: {{c: {{min: {replicas}, max: {replicas}}}}}, requests: {{cpu: {cpu}, memory: 64Mi}}, \
         placement: {{{placement}}}}}\n"
    )
}

fn groups(groups: &[(usize, u32, &[u32])]) -> Placement {
    let group = |(class, count, pods): &(usize, u32, &[u32])| Group {
        class: *class,
        count: *count,
        pods: pods.to_vec(),
    };
    Placement {
        groups: groups.iter().map(group).collect(),
    }
}

/// Pods of a service in a class of nodes.
fn on(placement: &Placement, class: usize, service: usize) -> u32 {
    placement
        .groups
        .iter()
        .filter(|g| g.class == class)
        .map(|g| g.count * g.pods[service])
        .sum()
}

/// Pods pending over all services, for each order.
fn pending(fleet: &Fleet, placement: &Placement) -> Vec<u32> {
    (0..ORDERS)
        .map(|seed| {
            replay(fleet, placement, seed)
                .pending
                .iter()
                .map(|(_, pods)| pods)
                .sum()
        })
        .collect()
}

#[test]
fn the_emptier_node_is_preferred() {
    // Two big nodes run; b is planned onto n1 beside a's two pods, and goes to n2.
    let services = service("a", 2, "500m", "") + &service("b", 1, "500m", "");
    let nodes = "{name: n1, pool: p, offering: big/a/on-demand, pods: {s/a: 2}}, {name: n2, pool: p, offering: big/a/on-demand, pods: {}}";
    let fleet = fleet(&services, nodes);
    let placement = groups(&[(4, 1, &[2, 1]), (5, 1, &[0, 0])]);
    for seed in 0..ORDERS {
        let replay = replay(&fleet, &placement, seed);
        assert_eq!(
            (on(&replay.placement, 4, 1), on(&replay.placement, 5, 1)),
            (0, 1),
            "seed {seed}"
        );
    }
}

#[test]
fn scores_are_rounded_down_as_upstream_does() {
    // CPU: (4000 − 500 − 40) · 100 / 4000 = 86 after rounding, beside 87 on the other node; memory: 98 on both. The means 92 and
    // 92.5 round to the same score, so both nodes are drawn. With 80 foreign millicores it is 85, mean 91: the other always wins.
    let nodes = |foreign: u32| {
        format!(
            "{{name: n1, pool: p, offering: big/a/on-demand, foreign: {{cpu: {foreign}m}}}}, \
             {{name: n2, pool: p, offering: big/a/on-demand, foreign: {{cpu: 1m}}}}"
        )
    };
    let chosen = |foreign: u32| {
        let fleet = fleet(&service("a", 1, "500m", ""), &nodes(foreign));
        let placement = groups(&[(4, 1, &[1]), (5, 1, &[0])]);
        (0..ORDERS)
            .map(|seed| on(&replay(&fleet, &placement, seed).placement, 4, 0))
            .collect::<BTreeSet<u32>>()
    };
    assert_eq!(chosen(40), BTreeSet::from([0, 1]));
    assert_eq!(chosen(80), BTreeSet::from([0]));
}

#[test]
fn zones_are_kept_within_the_skew() {
    // Zone b has room for one pod, so zone a may take two, and the fourth waits.
    let fleet = fleet(&service("a", 4, "800m", "max_skew: 1"), "");
    let placement = groups(&[(BIG_A, 1, &[3]), (SMALL_B, 1, &[1])]);
    for seed in 0..ORDERS {
        let replay = replay(&fleet, &placement, seed);
        assert_eq!(replay.pending, [(0, 1)]);
        assert_eq!(
            (
                on(&replay.placement, BIG_A, 0),
                on(&replay.placement, SMALL_B, 0)
            ),
            (2, 1)
        );
    }
}

#[test]
fn a_missing_zone_counts_as_empty_below_min_zones() {
    let one_zone = groups(&[(BIG_A, 1, &[3])]);
    let two = fleet(&service("a", 3, "800m", "max_skew: 1, min_zones: 2"), "");
    assert_eq!(replay(&two, &one_zone, 0).pending, [(0, 2)]);
    // Without minDomains the scheduler knows no zone but those with nodes.
    let one = fleet(&service("a", 3, "800m", "max_skew: 1"), "");
    assert_eq!(replay(&one, &one_zone, 0).pending, []);
}

#[test]
fn a_pod_that_waits_for_the_skew_is_tried_again() {
    // Whatever the order, both zones end with two pods.
    let fleet = fleet(&service("a", 4, "800m", "max_skew: 1"), "");
    let placement = groups(&[(SMALL_A, 2, &[1]), (SMALL_B, 2, &[1])]);
    assert!(pending(&fleet, &placement).iter().all(|pods| *pods == 0));
}

#[test]
fn anti_affinity_holds_in_both_directions() {
    let services = service("a", 1, "100m", "anti_affinity: [s/b]") + &service("b", 1, "100m", "");
    let fleet = fleet(&services, "");
    let losers: BTreeSet<usize> = (0..ORDERS)
        .map(|seed| {
            let replay = replay(&fleet, &groups(&[(BIG_A, 1, &[1, 1])]), seed);
            assert_eq!(replay.pending.len(), 1);
            replay.pending[0].0
        })
        .collect();
    assert_eq!(losers, BTreeSet::from([0, 1]), "either may come first");
}

#[test]
fn own_anti_affinity_and_max_per_node_limit_a_node() {
    let own = fleet(&service("a", 3, "100m", "anti_affinity: [s/a]"), "");
    assert_eq!(replay(&own, &groups(&[(BIG_A, 2, &[1])]), 0).pending, []);
    assert_eq!(
        replay(&own, &groups(&[(BIG_A, 1, &[3])]), 0).pending,
        [(0, 2)]
    );
    let two = fleet(&service("a", 3, "100m", "max_per_node: 2"), "");
    assert_eq!(
        replay(&two, &groups(&[(BIG_A, 1, &[3])]), 0).pending,
        [(0, 1)]
    );
}

#[test]
fn volumes_bind_pods_to_their_zone() {
    // The node in zone a is far emptier; ordinals 0 and 1 go to b all the same, and ordinal 2 to a.
    let services = "- {name: s/db, kind: StatefulSet, clusters: {c: {min: 3, max: 3}}, requests: {cpu: 300m, memory: 64Mi}, \
                    placement: {zonal_volumes: {\"0\": b, \"1\": b}}}\n";
    let fleet = fleet(services, "");
    for seed in 0..ORDERS {
        let placed = replay(
            &fleet,
            &groups(&[(BIG_A, 1, &[1]), (SMALL_B, 1, &[2])]),
            seed,
        );
        assert_eq!(
            (
                on(&placed.placement, BIG_A, 0),
                on(&placed.placement, SMALL_B, 0)
            ),
            (1, 2),
            "seed {seed}"
        );
    }
}

#[test]
fn cordoned_nodes_keep_their_pods_and_take_none() {
    let nodes = "{name: n1, pool: p, offering: big/a/on-demand, pods: {s/a: 1}, cordoned: true}";
    let fleet = fleet(&service("a", 2, "100m", ""), nodes);
    let replay = replay(&fleet, &groups(&[(4, 1, &[1]), (SMALL_B, 1, &[1])]), 0);
    assert_eq!(
        (
            on(&replay.placement, 4, 0),
            on(&replay.placement, SMALL_B, 0)
        ),
        (1, 1)
    );
}

#[test]
fn higher_priority_comes_first() {
    let services = service("low", 1, "800m", "")
        + "- {name: s/high, priority: 5, clusters: {c: {min: 1, max: 1}}, requests: {cpu: 800m, memory: 64Mi}}\n";
    let fleet = fleet(&services, "");
    for seed in 0..ORDERS {
        assert_eq!(
            replay(&fleet, &groups(&[(SMALL_A, 1, &[1, 1])]), seed).pending,
            [(0, 1)],
            "seed {seed}"
        );
    }
}

#[test]
fn nodes_are_added_where_least_allocated_fragments() {
    // One pod of 3 CPU and three of 1 CPU fill big nodes exactly when the small ones stand together; LeastAllocated spreads them.
    let services = service("huge", 1, "3500m", "") + &service("tiny", 4, "900m", "");
    let fleet = fleet(&services, "");
    let packed = groups(&[(BIG_A, 1, &[1, 0]), (BIG_A, 1, &[0, 4])]);
    assert_eq!(violations(&fleet, &packed), []);
    assert!(pending(&fleet, &packed).iter().any(|pods| *pods > 0));
    let larger = make_schedulable(&fleet, &packed).unwrap();
    assert!(pending(&fleet, &larger).iter().all(|pods| *pods == 0));
    assert_eq!(violations(&fleet, &larger), []);
    assert!(cost(&fleet, &larger).total_usd_per_hour > cost(&fleet, &packed).total_usd_per_hour);
}

#[test]
fn limits_may_forbid_more_nodes() {
    // The pool holds six nodes at most; five small ones and a big one leave none for the pods that LeastAllocated displaces.
    let services = service("huge", 6, "3500m", "") + &service("tiny", 6, "400m", "");
    let fleet = fleet(&services, "");
    let full = groups(&[(BIG_A, 6, &[1, 1])]);
    assert_eq!(violations(&fleet, &full), []);
    assert!(pending(&fleet, &full).iter().any(|pods| *pods > 0));
    assert_eq!(make_schedulable(&fleet, &full), None);
}

/// Random fleets with a random feasible placement each.
fn cases() -> impl Iterator<Item = (u64, Fleet, Placement)> {
    (0..300).filter_map(|seed| {
        let fleet = if seed < 150 {
            random_fleet(seed)
        } else {
            compile(random_problem(seed), &[]).unwrap()
        };
        let placement = random_placement(&fleet, &mut ChaCha8Rng::seed_from_u64(seed))?;
        Some((seed, fleet, placement))
    })
}

#[test]
fn no_pod_is_lost_and_what_stays_stays() {
    let mut tried = 0;
    for (seed, fleet, placement) in cases() {
        tried += 1;
        for order in 0..4 {
            let replay = replay(&fleet, &placement, order);
            assert_eq!(
                replay,
                ketscale_engine::scheduler::replay(&fleet, &placement, order),
                "fleet {seed}"
            );
            assert_eq!(
                replay.placement.nodes(&fleet),
                placement.nodes(&fleet),
                "fleet {seed}"
            );
            for s in 0..fleet.services.len() {
                let waiting = replay
                    .pending
                    .iter()
                    .find(|(service, _)| *service == s)
                    .map_or(0, |(_, pods)| *pods);
                assert_eq!(
                    replay.placement.replicas(s) + waiting,
                    placement.replicas(s),
                    "fleet {seed}"
                );
                assert!(
                    replay.placement.counts(&fleet).staying[s]
                        >= placement.counts(&fleet).staying[s],
                    "fleet {seed}"
                );
                let (planned, placed) = (
                    placement.counts(&fleet).by_cluster(&fleet, s),
                    replay.placement.counts(&fleet).by_cluster(&fleet, s),
                );
                assert!(
                    planned
                        .iter()
                        .zip(&placed)
                        .all(|(planned, placed)| placed <= planned),
                    "fleet {seed}"
                );
            }
            assert_eq!(
                seen_by_scheduler(&fleet, &replay.placement),
                Vec::<String>::new(),
                "fleet {seed} order {order}"
            );
        }
    }
    assert!(tried > 75, "only {tried} random fleets had a placement");
}

/// Violations on nodes of what the scheduler sees: requests, eligibility, anti-affinity.
fn seen_by_scheduler(fleet: &Fleet, placement: &Placement) -> Vec<String> {
    let found = violations(fleet, placement)
        .into_iter()
        .map(|violation| violation.to_string());
    let concerns = |text: &String| {
        text.contains("requested") || text.contains("placement:") || text.contains("anti_affinity")
    };
    found.filter(concerns).collect()
}

#[test]
fn enlarged_placements_are_schedulable_and_feasible() {
    let (mut grew, mut refused) = (0, 0);
    for (seed, fleet, placement) in cases() {
        let was_schedulable = pending(&fleet, &placement).iter().all(|pods| *pods == 0);
        let Some(larger) = make_schedulable(&fleet, &placement) else {
            assert!(!was_schedulable, "fleet {seed}");
            refused += 1;
            continue;
        };
        assert_eq!(violations(&fleet, &larger), [], "fleet {seed}");
        assert!(
            pending(&fleet, &larger).iter().all(|pods| *pods == 0),
            "fleet {seed}"
        );
        for s in 0..fleet.services.len() {
            assert_eq!(
                larger.counts(&fleet).by_cluster(&fleet, s),
                placement.counts(&fleet).by_cluster(&fleet, s),
                "fleet {seed}"
            );
        }
        if was_schedulable {
            assert_eq!(larger, placement.normalized(), "fleet {seed}");
        } else {
            grew += 1;
            assert_eq!(
                Some(larger),
                make_schedulable(&fleet, &placement),
                "fleet {seed}"
            );
        }
    }
    assert!(
        grew > 5,
        "{grew} placements were enlarged, {refused} refused"
    );
}
