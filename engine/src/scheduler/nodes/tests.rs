//! Binding against a look at every node.
#![allow(clippy::unwrap_used)]

use rand::SeedableRng;

use super::*;
use crate::catalogue::Catalogue;
use crate::generate::FleetSize;
use crate::scheduler::Queue;
use crate::scheduler::arrival::shuffle;
use crate::{fleet, generate, problem};

/// A made-up fleet, and two thirds of its nodes of now bought anew: all pods arrive, and some find no room.
fn anew(seed: u64) -> (Fleet, Placement) {
    let size = FleetSize {
        services: 12,
        offerings: 18,
        seed,
    };
    let problem = generate::fleet(&size, Catalogue::built_in()).unwrap();
    let problem = problem::resolve(problem, Catalogue::built_in(), "f.yaml").unwrap();
    let fleet = fleet::compile(problem, &[]).unwrap();
    let mut placement = Placement::current(&fleet);
    for group in &mut placement.groups {
        let offering = fleet.classes[group.class].offering;
        let new = |class: &crate::fleet::Class| class.offering == offering && !class.is_existing();
        group.class = fleet.classes.iter().position(new).unwrap();
    }
    let groups = placement.groups.chunks(3).flat_map(|three| match three {
        [a, b, c] => {
            let pods = b.pods.iter().zip(&c.pods).map(|(b, c)| b + c).collect();
            vec![a.clone(), Group { pods, ..b.clone() }]
        }
        others => others.to_vec(),
    });
    let groups = groups.collect();
    (fleet, Placement { groups })
}

/// The highest score of a node that takes the pod.
fn best(nodes: &Nodes<'_>, pod: Pod) -> Option<usize> {
    let fewest = nodes.fewest_in_a_domain(pod);
    let takes = |node: &&Node| {
        let offering = nodes.fleet.offering_of(node.class);
        offering.eligible[pod.service]
            && schedulable(nodes.fleet)[node.class]
            && nodes.zone_admits(pod, offering.zone, fewest)
            && nodes.admits(node, pod.service)
    };
    let scores = nodes.nodes.iter().filter(takes);
    scores.map(|node| score(nodes, node, pod.service)).max()
}

/// The mean of two shares that would be left free of CPU and memory, as upstream computes it.
fn score(nodes: &Nodes<'_>, node: &Node, service: usize) -> usize {
    let allocatable = &nodes.fleet.offering_of(node.class).allocatable;
    let request = &nodes.fleet.services[service].request;
    let share = |k: usize| 100 * (node.free[k] - request[k]) / allocatable[k];
    assert_eq!(nodes.fleet.resources[..2], ["cpu", "memory"]);
    ((share(0) + share(1)) / 2) as usize
}

/// The node that has more pods of a service than before.
fn grown(before: &[Node], after: &[Node], service: usize) -> Option<usize> {
    let more = |(a, b): (&Node, &Node)| b.pods_of(service) > a.pods_of(service);
    before.iter().zip(after).position(more)
}

#[test]
fn a_pod_goes_to_one_of_the_best_nodes_of_all() {
    let (mut bound, mut waiting) = (0, 0);
    for seed in 0..8 {
        let (fleet, placement) = anew(seed);
        let queue = Queue::new(&fleet, &placement);
        let (mut nodes, mut pods) = (queue.nodes.clone(), queue.pods.clone());
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        shuffle(&fleet, &mut pods, &mut rng);
        for pod in pods {
            let (best, before) = (best(&nodes, pod), nodes.nodes.clone());
            assert_eq!(nodes.bind(pod, &mut rng), best.is_some(), "fleet {seed}");
            let grown = grown(&before, &nodes.nodes, pod.service);
            let score = grown.map(|index| score(&nodes, &before[index], pod.service));
            assert_eq!(score, best, "fleet {seed}");
            *(if best.is_some() {
                &mut bound
            } else {
                &mut waiting
            }) += 1;
        }
    }
    assert!(bound > 500 && waiting > 10, "{bound} bound, {waiting} not");
}

#[test]
fn equal_nodes_are_equally_likely_and_those_that_became_worse_are_not_drawn() {
    let text = "
schema: ketscale.problem/v1
name: five
clusters: [{name: c, provider: other, region: r}]
services:
- {name: s/a, clusters: {c: {min: 1, max: 1}}, requests: {cpu: 500m, memory: 64Mi}}
- {name: s/b, clusters: {c: {min: 1, max: 1}}, requests: {cpu: 500m, memory: 64Mi}}
pools:
- name: p
  cluster: c
  offerings: [{instance_type: t, zone: z, capacity_type: on-demand, usd_per_hour: 0.1, allocatable: {cpu: 4, memory: 16Gi, pods: 50}}]
";
    let problem = problem::read(text.as_bytes(), "five.yaml").unwrap();
    let problem = problem::resolve(problem, Catalogue::built_in(), "five.yaml").unwrap();
    let fleet = fleet::compile(problem, &[]).unwrap();
    let group = |count, pods: [u32; 2]| Group {
        class: 0,
        count,
        pods: pods.to_vec(),
    };
    let placement = Placement {
        groups: vec![group(1, [1, 1]), group(4, [0, 0])],
    };
    let queue = Queue::new(&fleet, &placement);
    let mut from_the_first = [0_u32; 5];
    for seed in 0..4_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut nodes = queue.nodes.clone();
        let places = [0, 1].map(|service| {
            let before = nodes.nodes.clone();
            let pod = Pod {
                service,
                cluster: 0,
                volume_zone: None,
            };
            assert!(nodes.bind(pod, &mut rng));
            grown(&before, &nodes.nodes, service).unwrap()
        });
        from_the_first[(places[1] + 5 - places[0]) % 5] += 1;
    }
    // A thousand each; the standard deviation is 27.
    let [same, others @ ..] = from_the_first;
    assert_eq!(same, 0);
    assert!(others.iter().all(|n| n.abs_diff(1_000) < 150), "{others:?}");
}
