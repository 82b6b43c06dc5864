//! Which pods arrive, and in which order.

use std::cmp::Reverse;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::fleet::Fleet;
use crate::placement::Placement;

/// A pod that waits for a node. Equal ones are interchangeable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pod {
    /// Index of its service.
    pub(super) service: usize,
    /// Index of its cluster.
    pub(super) cluster: usize,
    /// Zone of its volume, which it must run in.
    pub(super) volume_zone: Option<usize>,
}

/// The pods that must find a node: the planned ones less those that stay where they are.
pub(super) fn arriving(fleet: &Fleet, placement: &Placement) -> Vec<Pod> {
    let counts = placement.counts(fleet);
    let staying = staying_by_zone(fleet, placement);
    let mut pods = Vec::new();
    for (service, staying) in staying.iter().enumerate() {
        let planned = counts.by_cluster(fleet, service);
        for (cluster, count) in planned.iter().enumerate() {
            arriving_in(
                fleet, service, cluster, *count, &planned, staying, &mut pods,
            );
        }
    }
    pods
}

/// Of the pods of a service that arrive in a cluster, those with a volume go to its zone. Staying pods are taken to be those with
/// volumes as far as there are any: a volume keeps its pod where it is.
fn arriving_in(
    fleet: &Fleet,
    service: usize,
    cluster: usize,
    count: u32,
    planned: &[u32],
    staying: &[u32],
    pods: &mut Vec<Pod>,
) {
    let here = |zone: &usize| fleet.zones[*zone].cluster == cluster;
    let stay: u32 = (0..fleet.zones.len())
        .filter(here)
        .map(|zone| staying[zone])
        .sum();
    let mut left = count.saturating_sub(stay);
    for zone in (0..fleet.zones.len()).filter(here) {
        let bound = fleet.services[service].bound_to_zone(zone, planned.iter().sum());
        let bound = bound.saturating_sub(staying[zone]).min(left);
        left -= bound;
        pods.extend((0..bound).map(|_| Pod {
            service,
            cluster,
            volume_zone: Some(zone),
        }));
    }
    pods.extend((0..left).map(|_| Pod {
        service,
        cluster,
        volume_zone: None,
    }));
}

/// For each service, its pods in each zone that stay where they are.
fn staying_by_zone(fleet: &Fleet, placement: &Placement) -> Vec<Vec<u32>> {
    let mut zones = vec![vec![0; fleet.zones.len()]; fleet.services.len()];
    for group in &placement.groups {
        let zone = fleet.offering_of(group.class).zone;
        let now = &fleet.classes[group.class].now;
        for (s, (planned, now)) in group.pods.iter().zip(now).enumerate() {
            zones[s][zone] += group.count * planned.min(now);
        }
    }
    zones
}

/// The scheduler's queue: by priority, otherwise in the order of arrival, which [`shuffle`] draws.
pub(super) fn by_priority(fleet: &Fleet, mut pods: Vec<Pod>) -> Vec<Pod> {
    pods.sort_by_key(|pod| Reverse(priority(fleet, pod)));
    pods
}

/// Brings pods of equal priority into another order.
pub(super) fn shuffle(fleet: &Fleet, queue: &mut [Pod], rng: &mut ChaCha8Rng) {
    let equal = |a: &Pod, b: &Pod| priority(fleet, a) == priority(fleet, b);
    queue.chunk_by_mut(equal).for_each(|pods| pods.shuffle(rng));
}

fn priority(fleet: &Fleet, pod: &Pod) -> i32 {
    fleet.problem.services[pod.service].priority
}
