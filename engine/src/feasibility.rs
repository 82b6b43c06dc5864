//! Whether a placement keeps every constraint of the problem.

use std::fmt;

use crate::fleet::{Fleet, Service};
use crate::placement::Placement;
use crate::problem::Survive;

/// A constraint that a placement breaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// The constraint's path in the problem file, such as `services.shop/cart.placement.max_skew`.
    pub constraint: String,
    /// What is wrong, with the numbers.
    pub message: String,
    /// By how much: pods, nodes, moves or USD/h too many or too few; a resource's share too much.
    pub amount: f64,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.constraint, self.message)
    }
}

/// Every constraint that the placement breaks; empty when it is feasible.
pub fn violations(fleet: &Fleet, placement: &Placement) -> Vec<Violation> {
    let mut found = Vec::new();
    broken(fleet, placement, &mut found);
    found
}

/// Whether the placement is feasible.
pub fn is_feasible(fleet: &Fleet, placement: &Placement) -> bool {
    let mut amount = Amount(0.0);
    broken(fleet, placement, &mut amount);
    amount.0 <= 0.0
}

/// How far the placement is from feasible: the sum of all amounts, 0 when it is feasible.
pub fn excess(fleet: &Fleet, placement: &Placement) -> f64 {
    let mut amount = Amount(0.0);
    broken(fleet, placement, &mut amount);
    amount.0
}

fn broken(fleet: &Fleet, placement: &Placement, found: &mut impl Found) {
    let counts = placement.counts(fleet);
    let scale = Scale::of(fleet, counts.replicas.clone());
    let mut used = vec![0; fleet.classes.len()];
    let groups = &placement.groups;
    groups
        .iter()
        .for_each(|group| used[group.class] += group.count);
    for (class, used) in used.into_iter().enumerate() {
        existing_nodes(fleet, class, used, found);
    }
    for group in groups {
        let pods = group.pods.iter().copied().enumerate();
        let pods: Vec<(usize, u32)> = pods.filter(|(_, pods)| *pods > 0).collect();
        node(fleet, &scale, group.class, &pods, group.count, found);
    }
    let mut moves = 0;
    for (s, cells) in counts.cells.iter().enumerate() {
        let of_service = counts.moves(fleet, s);
        moves += of_service;
        service(fleet, s, cells, counts.replicas[s], of_service, found);
    }
    let nodes = placement.nodes(fleet);
    let sums: Vec<f64> = fleet.limits.iter().map(|limit| limit.sum(&nodes)).collect();
    whole_fleet(
        fleet,
        &sums,
        crate::cost::nodes(fleet, &nodes),
        moves,
        found,
    );
}

/// Total replicas of every service, and what a pod takes of a node at that total.
pub(crate) struct Scale {
    /// By service.
    pub(crate) replicas: Vec<u32>,
    /// By service, one entry a dimension of a class's capacity.
    pub(crate) sizes: Vec<Vec<u64>>,
}

impl Scale {
    /// Sizes at these totals.
    pub(crate) fn of(fleet: &Fleet, replicas: Vec<u32>) -> Self {
        let sizes = fleet.services.iter().zip(&replicas);
        Self {
            sizes: sizes.map(|(service, r)| service.pod_size(*r)).collect(),
            replicas,
        }
    }

    /// Another total of one service.
    pub(crate) fn set(&mut self, fleet: &Fleet, s: usize, replicas: u32) {
        self.replicas[s] = replicas;
        self.sizes[s] = fleet.services[s].pod_size(replicas);
    }
}

/// Takes note of broken constraints.
pub(crate) trait Found {
    /// A constraint is broken by this much; its path and what is wrong are asked for only where they are kept.
    fn fail(&mut self, amount: f64, told: impl FnOnce() -> (String, String));
}

impl Found for Vec<Violation> {
    fn fail(&mut self, amount: f64, told: impl FnOnce() -> (String, String)) {
        let (constraint, message) = told();
        self.push(Violation {
            constraint,
            message,
            amount,
        });
    }
}

/// The sum of all amounts.
pub(crate) struct Amount(pub(crate) f64);

impl Found for Amount {
    fn fail(&mut self, amount: f64, _: impl FnOnce() -> (String, String)) {
        self.0 += amount;
    }
}

/// Whether as many nodes of an existing class are planned as there may be.
pub(crate) fn existing_nodes(fleet: &Fleet, class: usize, used: u32, found: &mut impl Found) {
    let class = &fleet.classes[class];
    let Some(count) = class.count() else { return };
    let name = || format!("current.nodes.{}", class.names[0]);
    if used > count {
        found.fail(f64::from(used - count), || {
            (
                name(),
                format!("{used} nodes like it are planned, {count} exist"),
            )
        });
    }
    if class.kept && used < count {
        found.fail(f64::from(count - used), || {
            let removed = count - used;
            (
                name(),
                format!("{removed} of {count} such nodes are removed, but pods on them must stay"),
            )
        });
    }
}

/// Whether `count` nodes of a class may each run these pods (service and how many, none of them 0).
#[allow(clippy::cast_precision_loss)]
pub(crate) fn node(
    fleet: &Fleet,
    scale: &Scale,
    class_index: usize,
    pods: &[(usize, u32)],
    count: u32,
    found: &mut impl Found,
) {
    let class = &fleet.classes[class_index];
    for (k, capacity) in class.capacity.iter().enumerate() {
        let taken = pods.iter().fold(0_u64, |taken, (s, pods)| {
            taken.saturating_add(scale.sizes[*s][k].saturating_mul(u64::from(*pods)))
        });
        if taken > *capacity {
            let share = (taken - capacity) as f64 / (*capacity).max(1) as f64;
            found.fail(share * f64::from(count), || {
                (
                    format!("nodes.{}", place(fleet, class_index)),
                    format!("{}: pods take {taken} of {capacity}", dimension(fleet, k)),
                )
            });
        }
    }
    for (s, here) in pods {
        pods_on_node(fleet, scale, class_index, pods, (*s, *here), count, found);
    }
    if !class.is_existing() {
        return;
    }
    for (s, pinned) in class.pinned.iter().enumerate().filter(|(_, n)| **n > 0) {
        let here = pods
            .iter()
            .find(|(other, _)| *other == s)
            .map_or(0, |(_, n)| *n);
        if here < *pinned {
            found.fail(f64::from((pinned - here) * count), || {
                let place = place(fleet, class_index);
                let message = format!("{pinned} pods must stay on {place}, {here} are planned");
                (key(fleet, s, "mode"), message)
            });
        }
    }
}

fn pods_on_node(
    fleet: &Fleet,
    scale: &Scale,
    class_index: usize,
    pods: &[(usize, u32)],
    (s, here): (usize, u32),
    count: u32,
    found: &mut impl Found,
) {
    let (class, service) = (&fleet.classes[class_index], &fleet.services[s]);
    if here > class.most[s] {
        found.fail(f64::from((here - class.most[s]) * count), || {
            let message = format!(
                "{here} pods on {}, at most {} may run there",
                place(fleet, class_index),
                class.most[s]
            );
            (key(fleet, s, "placement"), message)
        });
    }
    let replicas = scale.replicas[s];
    let limit = service.node_limit(replicas);
    if service.survive == Survive::Node && here > limit.max(class.pinned[s]) {
        found.fail(f64::from((here - limit) * count), || {
            let message = format!(
                "losing {} takes {here} pods; the load needs {} of {replicas}",
                place(fleet, class_index),
                service.least_carrying
            );
            (key(fleet, s, "placement.survive"), message)
        });
    }
    for (other, _) in pods {
        if *other > s && service.conflicts.binary_search(other).is_ok() {
            found.fail(f64::from(count), || {
                let message = format!(
                    "shares {} with {}",
                    place(fleet, class_index),
                    fleet.services[*other].name
                );
                (key(fleet, s, "placement.anti_affinity"), message)
            });
        }
    }
}

/// Path of a key of a service.
fn key(fleet: &Fleet, s: usize, key: &str) -> String {
    format!("services.{}.{key}", fleet.services[s].name)
}

/// The first node of a class, or its offering.
fn place(fleet: &Fleet, class: usize) -> String {
    let class = &fleet.classes[class];
    let first = class.names.first().cloned();
    first.unwrap_or_else(|| fleet.offering_name(class.offering))
}

fn dimension(fleet: &Fleet, k: usize) -> String {
    match k.checked_sub(fleet.resources.len()) {
        None => format!("requested {}", fleet.resources[k]),
        Some(0) => "expected use of cpu (of 90 %)".to_owned(),
        Some(_) => "expected use of memory (of 90 %)".to_owned(),
    }
}

/// Whether a service may have its pods so: by cell, their total, and how many of them move.
pub(crate) fn service(
    fleet: &Fleet,
    s: usize,
    cells: &[u32],
    replicas: u32,
    moves: u32,
    found: &mut impl Found,
) {
    let service = &fleet.services[s];
    if !service.is_admissible(replicas) {
        let distances = service.admissible().map(|l| l.replicas.abs_diff(replicas));
        found.fail(f64::from(distances.min().unwrap_or(1)), || {
            (key(fleet, s, "clusters"), inadmissible(service, replicas))
        });
    }
    let mut clusters = vec![0; fleet.problem.clusters.len()];
    let mut zones = vec![0; fleet.zones.len()];
    for (cell, pods) in cells.iter().enumerate() {
        clusters[fleet.cluster_of_cell(cell)] += pods;
        zones[cell / 2] += pods;
    }
    for (index, pods) in clusters.iter().enumerate() {
        cluster(fleet, s, replicas, index, *pods, found);
    }
    let spot: u32 = cells.iter().skip(1).step_by(2).sum();
    let limit = service.spot_limit(replicas);
    if spot > limit {
        found.fail(f64::from(spot - limit), || {
            let message = format!("{spot} of {replicas} replicas on spot, at most {limit}");
            (key(fleet, s, "placement.spot_share_max"), message)
        });
    }
    for (index, pods) in zones.iter().enumerate() {
        zone(fleet, s, replicas, index, *pods, found);
    }
    for (cluster, _) in clusters.iter().enumerate().filter(|(_, pods)| **pods > 0) {
        spread(fleet, s, &zones, cluster, found);
    }
    if service.unmovable && moves > 0 {
        found.fail(f64::from(moves), || {
            let message = format!("{moves} pods move, but its pods may not be moved");
            (key(fleet, s, "disruption.max_unavailable"), message)
        });
    }
}

fn inadmissible(service: &Service, replicas: u32) -> String {
    let level = service.level(replicas);
    let utilization = level.utilization.map_or(String::new(), |u| {
        format!(", CPU at {:.0} % of request", u * 100.0)
    });
    let latency = level
        .latency_p95_ms
        .map_or(String::new(), |ms| format!(", p95 {ms:.0} ms"));
    format!("{replicas} replicas are not admissible{utilization}{latency}")
}

fn cluster(
    fleet: &Fleet,
    s: usize,
    replicas: u32,
    cluster: usize,
    pods: u32,
    found: &mut impl Found,
) {
    let service = &fleet.services[s];
    let name = || &fleet.problem.clusters[cluster].name;
    let bounds = service.bounds(cluster);
    let (min, max) = bounds.map_or((0, 0), |bounds| (bounds.min, bounds.max));
    if pods < min || pods > max {
        let amount = min.saturating_sub(pods).max(pods.saturating_sub(max));
        found.fail(f64::from(amount), || {
            (
                key(fleet, s, &format!("clusters.{}", name())),
                format!("{pods} replicas, allowed are {min} to {max}"),
            )
        });
    }
    if service.survive == Survive::Cluster {
        failure(fleet, s, replicas, pods, name(), found);
    }
}

/// Whether the service survives the loss of a zone or cluster with `pods` of its pods.
fn failure(fleet: &Fleet, s: usize, replicas: u32, pods: u32, name: &str, found: &mut impl Found) {
    let service = &fleet.services[s];
    let limit = service.failure_limit(replicas);
    if pods > limit {
        found.fail(f64::from(pods - limit), || {
            let message = format!(
                "losing {name} takes {pods} pods; the load needs {} of {replicas}",
                service.least_carrying
            );
            (key(fleet, s, "placement.survive"), message)
        });
    }
}

fn zone(fleet: &Fleet, s: usize, replicas: u32, zone: usize, pods: u32, found: &mut impl Found) {
    let service = &fleet.services[s];
    let name = &fleet.zones[zone].name;
    let bound = service.bound_to_zone(zone, replicas);
    if pods < bound {
        found.fail(f64::from(bound - pods), || {
            let message = format!("{pods} pods in {name}, volumes bind {bound} there");
            (key(fleet, s, "placement.zonal_volumes"), message)
        });
    }
    if service.survive == Survive::Zone {
        failure(fleet, s, replicas, pods, name, found);
    }
}

/// Zones used and skew in a cluster with replicas.
fn spread(fleet: &Fleet, s: usize, zones: &[u32], cluster: usize, found: &mut impl Found) {
    let service = &fleet.services[s];
    let here = |zone: &usize| fleet.zones[*zone].cluster == cluster;
    let used = (0..zones.len()).filter(|zone| here(zone) && zones[*zone] > 0);
    let used = u32::try_from(used.count()).unwrap_or(u32::MAX);
    if used < service.min_zones {
        found.fail(f64::from(service.min_zones - used), || {
            let message = format!("pods in {used} zones, at least {}", service.min_zones);
            (key(fleet, s, "placement.min_zones"), message)
        });
    }
    let Some(max_skew) = service.max_skew else {
        return;
    };
    let counts = || {
        let eligible = service.eligible_zones.iter().filter(|zone| here(zone));
        eligible.map(|zone| zones[*zone])
    };
    let skew = counts().max().unwrap_or(0) - counts().min().unwrap_or(0);
    if skew > max_skew {
        found.fail(f64::from(skew - max_skew), || {
            let message = format!("skew {skew} over eligible zones, at most {max_skew}");
            (key(fleet, s, "placement.max_skew"), message)
        });
    }
}

/// Limits over sums of nodes (`sums` has one entry a limit), what nodes cost in USD/h, and all moves.
pub(crate) fn whole_fleet(
    fleet: &Fleet,
    sums: &[f64],
    nodes_usd_per_hour: f64,
    moves: u32,
    found: &mut impl Found,
) {
    for (limit, sum) in fleet.limits.iter().zip(sums) {
        let slack = 1e-9 * limit.limit.abs().max(1.0);
        let (broken, bound) = if limit.at_least {
            (*sum < limit.limit - slack, "at least")
        } else {
            (*sum > limit.limit + slack, "at most")
        };
        if broken {
            let largest = limit.coefficients.iter().copied().fold(1e-9, f64::max);
            found.fail((sum - limit.limit).abs() / largest, || {
                (
                    limit.name.clone(),
                    format!("{sum}, {bound} {}", limit.limit),
                )
            });
        }
    }
    let spent = nodes_usd_per_hour;
    let over = |budget: &f64| spent > budget * (1.0 + 1e-9);
    if let Some(budget) = fleet.budget_usd_per_hour().filter(over) {
        found.fail(spent - budget, || {
            (
                "policy.budget_usd_per_hour".to_owned(),
                format!("nodes cost {spent:.4}, at most {budget}"),
            )
        });
    }
    if let Some(max) = fleet.max_moves().filter(|max| moves > *max) {
        found.fail(f64::from(moves - max), || {
            (
                "policy.max_moves".to_owned(),
                format!("{moves} moves, at most {max}"),
            )
        });
    }
}
