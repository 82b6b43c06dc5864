//! Random feasible placements of any fleet, made without a solver.

use ketscale_engine::feasibility::is_feasible;
use ketscale_engine::fleet::{ClusterBounds, Fleet};
use ketscale_engine::placement::{Group, Placement};
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

/// Attempts before a fleet is given up.
const ATTEMPTS: usize = 60;

/// Nodes with room for the pods of random admissible replica counts, packed at random; `None` when no attempt was feasible.
pub(crate) fn random_placement(fleet: &Fleet, rng: &mut ChaCha8Rng) -> Option<Placement> {
    (0..ATTEMPTS)
        .filter_map(|_| attempt(fleet, rng))
        .find(|placement| is_feasible(fleet, placement))
}

struct Node {
    class: usize,
    pods: Vec<u32>,
}

fn attempt(fleet: &Fleet, rng: &mut ChaCha8Rng) -> Option<Placement> {
    let replicas = random_replicas(fleet, rng)?;
    let total: Vec<u32> = replicas
        .iter()
        .map(|clusters| clusters.iter().sum())
        .collect();
    let mut nodes = existing(fleet, rng);
    let mut pods = Vec::new();
    for (service, clusters) in replicas.iter().enumerate() {
        for (cluster, count) in clusters.iter().enumerate() {
            let in_cluster = nodes
                .iter()
                .filter(|n| fleet.offering_of(n.class).cluster == cluster);
            let pinned: u32 = in_cluster.map(|n| n.pods[service]).sum();
            pods.extend((pinned..*count).map(|_| (service, cluster)));
        }
    }
    pods.shuffle(rng);
    for (service, cluster) in pods {
        place(fleet, &total, service, cluster, &mut nodes, rng)?;
    }
    let kept =
        |node: &Node| fleet.classes[node.class].kept || node.pods.iter().any(|pods| *pods > 0);
    let groups = nodes.into_iter().filter(kept).map(|node| Group {
        class: node.class,
        count: 1,
        pods: node.pods,
    });
    Some(
        Placement {
            groups: groups.collect(),
        }
        .normalized(),
    )
}

fn random_replicas(fleet: &Fleet, rng: &mut ChaCha8Rng) -> Option<Vec<Vec<u32>>> {
    let mut replicas = Vec::new();
    for service in &fleet.services {
        let levels: Vec<u32> = service
            .admissible()
            .map(|level| level.replicas)
            .take(8)
            .collect();
        let mut left = *levels.choose(rng)?;
        let mut clusters = vec![0; fleet.problem.clusters.len()];
        for bounds in &service.clusters {
            clusters[bounds.cluster] = bounds.min;
            left = left.checked_sub(bounds.min)?;
        }
        while left > 0 {
            let is_open = |bounds: &&ClusterBounds| clusters[bounds.cluster] < bounds.max;
            let open: Vec<&ClusterBounds> = service.clusters.iter().filter(is_open).collect();
            clusters[open.choose(rng)?.cluster] += 1;
            left -= 1;
        }
        replicas.push(clusters);
    }
    Some(replicas)
}

/// Nodes that must stay, and some of the others, with the pods that must stay.
fn existing(fleet: &Fleet, rng: &mut ChaCha8Rng) -> Vec<Node> {
    let mut nodes = Vec::new();
    for (index, class) in fleet.classes.iter().enumerate() {
        for _ in &class.names {
            if class.kept || rng.random_bool(0.6) {
                nodes.push(Node {
                    class: index,
                    pods: class.pinned.clone(),
                });
            }
        }
    }
    nodes
}

/// Puts a pod where one runs now, onto a random node, or onto a new one.
fn place(
    fleet: &Fleet,
    total: &[u32],
    service: usize,
    cluster: usize,
    nodes: &mut Vec<Node>,
    rng: &mut ChaCha8Rng,
) -> Option<()> {
    let mut open: Vec<usize> = (0..nodes.len()).collect();
    open.retain(|n| {
        fleet.offering_of(nodes[*n].class).cluster == cluster
            && takes(fleet, total, &nodes[*n], service)
    });
    let stays =
        |n: &&usize| nodes[**n].pods[service] < fleet.classes[nodes[**n].class].now[service];
    let staying: Vec<usize> = open.iter().filter(stays).copied().collect();
    let chosen = if rng.random_bool(0.6) {
        staying.choose(rng).or(open.choose(rng))
    } else {
        open.choose(rng)
    };
    if let Some(n) = chosen.filter(|_| rng.random_bool(0.9)) {
        nodes[*n].pods[service] += 1;
        return Some(());
    }
    let empty = |class| Node {
        class,
        pods: vec![0; fleet.services.len()],
    };
    let mut classes: Vec<usize> = (0..fleet.offerings.len()).collect();
    classes.retain(|c| {
        fleet.offerings[*c].cluster == cluster && takes(fleet, total, &empty(*c), service)
    });
    let mut node = empty(*classes.choose(rng)?);
    node.pods[service] += 1;
    nodes.push(node);
    Some(())
}

fn takes(fleet: &Fleet, total: &[u32], node: &Node, service: usize) -> bool {
    let class = &fleet.classes[node.class];
    let mut pods = node.pods.clone();
    pods[service] += 1;
    let mut taken = vec![0; class.capacity.len()];
    for (s, count) in pods.iter().enumerate() {
        let size = fleet.services[s].pod_size(total[s]);
        taken
            .iter_mut()
            .zip(size)
            .for_each(|(sum, one)| *sum += one * u64::from(*count));
    }
    pods[service] <= class.most[service]
        && fleet.services[service]
            .conflicts
            .iter()
            .all(|other| pods[*other] == 0)
        && taken
            .iter()
            .zip(&class.capacity)
            .all(|(taken, capacity)| taken <= capacity)
}
