//! The sequencing of plans: hand-made fleets that need each kind of step, and what must hold for every fleet.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/random_fleet.rs"]
mod random_fleet;
#[path = "common/random_placement.rs"]
mod random_placement;
#[path = "common/random_problem.rs"]
mod random_problem;
#[path = "common/rollout.rs"]
mod rollout;

use ketscale_engine::fleet::{Fleet, Limit, compile};
use ketscale_engine::placement::{Group, Placement};
use ketscale_engine::plan::{Change, Step};
use ketscale_engine::steps::{list_price, sequence};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use random_fleet::{fleet_of, random_fleet};
use random_placement::random_placement;
use random_problem::random_problem;
use rollout::check;

/// One cluster, one zone, nodes of 2 CPU in a pool of at most `max` nodes; two services of 1 CPU and one of 2 CPU.
fn fleet(max: u32, surge: u32, replicas: [u32; 3], nodes: &[&str]) -> Fleet {
    let mut yaml = "schema: ketscale.problem/v1\nname: hand\nclusters: [{name: c, provider: other, region: r}]\nservices:\n".to_owned();
    for (name, cpu, replicas, ready) in [
        ("a", 1, replicas[0], 10),
        ("b", 1, replicas[1], 30),
        ("wide", 2, replicas[2], 5),
    ] {
        yaml += &format!(
            "- {{name: s/{name}, clusters: {{c: {{min: {replicas}, max: {replicas}}}}}, requests: {{cpu: {cpu}, memory: 64Mi}}, \
             disruption: {{max_unavailable: 1}}, ready_seconds: {ready}}}\n"
        );
    }
    yaml += &format!(
        "pools:\n- name: p\n  cluster: c\n  startup_seconds: 90\n  nodes: {{max: {max}}}\n  offerings:\n  - {{instance_type: m, zone: z, \
         capacity_type: on-demand, usd_per_hour: 0.1, architecture: amd64, allocatable: {{cpu: 2, memory: 4Gi, pods: 10}}}}\n\
         policy: {{surge: {{nodes: {surge}}}}}\ncurrent:\n  nodes:\n"
    );
    for (n, pods) in nodes.iter().enumerate() {
        yaml +=
            &format!("  - {{name: n{n}, pool: p, offering: m/z/on-demand, pods: {{{pods}}}}}\n");
    }
    fleet_of(&yaml)
}

fn groups(groups: &[(usize, u32, [u32; 3])]) -> Placement {
    let group = |(class, count, pods): &(usize, u32, [u32; 3])| Group {
        class: *class,
        count: *count,
        pods: pods.to_vec(),
    };
    Placement {
        groups: groups.iter().map(group).collect(),
    }
}

/// The checked steps and the kinds of them.
fn steps(fleet: &Fleet, placement: &Placement) -> (Vec<Step>, Vec<&'static str>) {
    let steps = sequence(fleet, placement).unwrap().unwrap();
    check(fleet, placement, &steps).unwrap();
    let kinds = steps.iter().map(|step| kind(&step.change)).collect();
    (steps, kinds)
}

fn kind(change: &Change) -> &'static str {
    match change {
        Change::NodesUp { .. } => "nodes up",
        Change::ReplicasUp { .. } => "replicas up",
        Change::Move { .. } => "move",
        Change::Exchange { .. } => "exchange",
        Change::ReplicasDown { .. } => "replicas down",
        Change::NodesDown { .. } => "nodes down",
    }
}

#[test]
fn the_preferred_order_is_kept_where_it_fits() {
    // n0 holds a; the plan replaces it by a new node with a and a second b, drops wide from n1, and gives n0 and n1 back.
    let fleet = fleet(10, 0, [1, 2, 0], &["s/a: 1, s/b: 1", "s/wide: 1"]);
    let placement = groups(&[(0, 1, [1, 1, 0]), (0, 1, [0, 1, 0])]);
    let (steps, kinds) = steps(&fleet, &placement);
    assert_eq!(
        kinds,
        [
            "nodes up",
            "replicas up",
            "move",
            "move",
            "replicas down",
            "nodes down"
        ]
    );
    let seconds: Vec<f64> = steps.iter().map(|step| step.seconds).collect();
    assert_eq!(seconds, [90.0, 30.0, 10.0, 30.0, 0.0, 0.0]);
    let Change::NodesUp { nodes, .. } = &steps[0].change else {
        panic!()
    };
    assert_eq!(nodes, &["new/p/m/z/on-demand/1", "new/p/m/z/on-demand/2"]);
    assert_eq!((steps[0].after.nodes, steps[0].after.pods), (4, 3));
    assert_eq!(steps[5].after.nodes_usd_per_hour, list_price(&fleet, &[2]));
}

#[test]
fn nothing_to_do_is_no_step() {
    let fleet = fleet(10, 0, [1, 1, 1], &["s/a: 1, s/b: 1", "s/wide: 1"]);
    assert_eq!(steps(&fleet, &Placement::current(&fleet)).0, []);
}

#[test]
fn replicas_go_early_where_they_are_in_the_way() {
    // The third b fits only after wide has left n1.
    let fleet = fleet(2, 0, [1, 3, 0], &["s/a: 1, s/b: 1", "s/wide: 1"]);
    let (_, kinds) = steps(&fleet, &groups(&[(1, 1, [1, 1, 0]), (2, 1, [0, 2, 0])]));
    assert_eq!(kinds, ["replicas down", "replicas up"]);
}

#[test]
fn pods_change_places_at_once_where_no_order_fits() {
    let full = fleet(2, 0, [2, 2, 0], &["s/a: 2", "s/b: 2"]);
    let placement = groups(&[(1, 1, [1, 1, 0]), (2, 1, [1, 1, 0])]);
    let (steps, kinds) = steps(&full, &placement);
    assert_eq!(kinds, ["exchange"]);
    assert_eq!(steps[0].seconds, 30.0);
}

/// The existing class with these pods now.
fn class(fleet: &Fleet, pods: [u32; 3]) -> usize {
    fleet
        .classes
        .iter()
        .position(|class| class.is_existing() && class.now == pods)
        .unwrap()
}

#[test]
fn three_services_change_places_at_once() {
    let tight = fleet(
        3,
        0,
        [2, 2, 1],
        &["s/a: 1, s/b: 1", "s/a: 1, s/b: 1", "s/wide: 1"],
    );
    let (mixed, wide) = (class(&tight, [1, 1, 0]), class(&tight, [0, 0, 1]));
    let placement = groups(&[
        (mixed, 1, [0, 0, 1]),
        (mixed, 1, [1, 1, 0]),
        (wide, 1, [1, 1, 0]),
    ]);
    assert_eq!(steps(&tight, &placement).1, ["exchange"]);
}

/// Two a on one node and wide on the other change places; two a at once are beyond the disruption budget of 1.
fn swap(surge: u32) -> (Fleet, Placement) {
    let tight = fleet(2, surge, [2, 0, 1], &["s/a: 2", "s/wide: 1"]);
    let goal = groups(&[
        (class(&tight, [2, 0, 0]), 1, [0, 0, 1]),
        (class(&tight, [0, 0, 1]), 1, [2, 0, 0]),
    ]);
    (tight, goal)
}

#[test]
fn a_temporary_node_comes_and_goes_within_the_surge() {
    let (fleet, goal) = swap(1);
    let (found, kinds) = steps(&fleet, &goal);
    assert_eq!(kinds.first(), Some(&"nodes up"));
    assert_eq!(kinds.last(), Some(&"nodes down"));
    assert_eq!(found.iter().map(|step| step.after.nodes).max(), Some(3));
}

#[test]
fn without_surge_a_pod_is_missing_for_a_while() {
    let (fleet, goal) = swap(0);
    let (_, kinds) = steps(&fleet, &goal);
    assert_eq!(kinds, ["replicas down", "move", "move", "replicas up"]);
}

#[test]
fn what_no_step_can_do_is_said() {
    // Neither service may miss a pod, and the pool has no node to spare.
    let yaml = "schema: ketscale.problem/v1\nname: hand\nclusters: [{name: c, provider: other, region: r}]\nservices:\n\
                - {name: s/a, clusters: {c: {min: 3, max: 3}}, requests: {cpu: 1, memory: 64Mi}}\npools:\n- name: p\n  cluster: c\n  \
                nodes: {max: 1}\n  offerings:\n";
    let offering = |name: &str, cpu: u32| {
        format!(
            "  - {{instance_type: {name}, zone: z, capacity_type: on-demand, usd_per_hour: 0.1, architecture: amd64, \
             allocatable: {{cpu: {cpu}, memory: 4Gi, pods: 10}}}}\n"
        )
    };
    let current =
        "current:\n  nodes: [{name: n0, pool: p, offering: m/z/on-demand, pods: {s/a: 3}}]\n";
    let fleet = fleet_of(&(yaml.to_owned() + &offering("m", 4) + &offering("n", 3) + current));
    let goal = Placement {
        groups: vec![Group {
            class: 1,
            count: 1,
            pods: vec![3],
        }],
    };
    let stuck = sequence(&fleet, &goal).unwrap_err().to_string();
    assert!(
        stuck.contains("new/p/n/z/on-demand/1 cannot start within pool_max/p"),
        "{stuck}"
    );
    assert!(
        stuck.contains("3 pods have nowhere to go from n0")
            && stuck.contains("policy.surge.nodes (now 0)"),
        "{stuck}"
    );
}

#[test]
fn nodes_are_replaced_one_by_one_within_the_surge() {
    // All three nodes are replaced; the pool allows three, surge one more.
    let nodes = ["s/a: 1, s/b: 1", "s/a: 1, s/b: 1", "s/a: 1, s/b: 1"];
    let (found, _) = steps(
        &fleet(3, 1, [3, 3, 0], &nodes),
        &groups(&[(0, 3, [1, 1, 0])]),
    );
    assert_eq!(found.iter().map(|step| step.after.nodes).max(), Some(4));
}

#[test]
fn without_what_runs_now_there_are_no_steps() {
    let yaml = "schema: ketscale.problem/v1\nname: new\nclusters: [{name: c, provider: other, region: r}]\nservices:\n\
                - {name: s/a, clusters: {c: {min: 1, max: 1}}, requests: {cpu: 1, memory: 1Gi}}\npools:\n- name: p\n  cluster: c\n  offerings:\n\
                \x20 - {instance_type: m, zone: z, capacity_type: on-demand, usd_per_hour: 1, architecture: amd64, \
                allocatable: {cpu: 2, memory: 4Gi, pods: 10}}\n";
    let fleet = fleet_of(yaml);
    let placement = Placement {
        groups: vec![Group {
            class: 0,
            count: 1,
            pods: vec![1],
        }],
    };
    assert_eq!(sequence(&fleet, &placement), Ok(None));
}

/// Random fleets with something running, a random plan for each, once as they are and once with no node to spare.
fn cases() -> impl Iterator<Item = (String, Fleet, Placement)> {
    (0..800).flat_map(|seed| {
        let fleet = if seed < 400 {
            random_fleet(seed)
        } else {
            compile(random_problem(seed), &[]).unwrap()
        };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let placement = random_placement(&fleet, &mut rng).filter(|_| fleet.has_current);
        let loose = placement.map(|placement| (format!("fleet {seed}"), fleet, placement));
        let tight = loose.clone().map(|(name, fleet, placement)| {
            (
                format!("{name}, tight"),
                tightened(fleet, &placement),
                placement,
            )
        });
        loose.into_iter().chain(tight)
    })
}

/// The fleet with every pool's limit at what it has now or is to have.
fn tightened(mut fleet: Fleet, placement: &Placement) -> Fleet {
    let (now, planned) = (
        Placement::current(&fleet).nodes(&fleet),
        placement.nodes(&fleet),
    );
    fleet
        .limits
        .retain(|limit| !limit.name.starts_with("pool_max/"));
    for (index, pool) in fleet.problem.pools.iter().enumerate() {
        let members: Vec<bool> = fleet
            .offerings
            .iter()
            .map(|offering| offering.pool == index)
            .collect();
        let sum = |nodes: &[u32]| {
            nodes
                .iter()
                .zip(&members)
                .filter(|(_, member)| **member)
                .map(|(n, _)| *n)
                .sum::<u32>()
        };
        fleet.limits.push(Limit {
            name: format!("pool_max/{}", pool.name),
            coefficients: members
                .iter()
                .map(|member| f64::from(u8::from(*member)))
                .collect(),
            limit: f64::from(sum(&now).max(sum(&planned))),
            at_least: false,
            surge: true,
        });
    }
    fleet
}

#[test]
fn every_random_plan_is_carried_out_or_refused_for_want_of_room() {
    let (mut carried_out, mut stuck) = (0, Vec::new());
    for (name, fleet, placement) in cases() {
        let steps = sequence(&fleet, &placement);
        assert_eq!(steps, sequence(&fleet, &placement), "{name}");
        match steps {
            Ok(steps) => {
                let steps = steps.unwrap();
                check(&fleet, &placement, &steps)
                    .unwrap_or_else(|fault| panic!("{name}: {fault}\n{steps:#?}"));
                carried_out += 1;
            }
            Err(refusal) => stuck.push(format!("{name}: {refusal}")),
        }
    }
    assert!(
        carried_out > 400 && stuck.len() * 10 < carried_out,
        "{carried_out} carried out; {stuck:#?}"
    );
}
