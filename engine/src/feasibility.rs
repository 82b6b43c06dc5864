//! Whether a placement keeps every constraint of the problem.

use std::fmt;

use crate::fleet::{Fleet, Service};
use crate::placement::{Group, Placement};
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
    let mut checker = Checker {
        fleet,
        placement,
        replicas: Vec::new(),
        found: Vec::new(),
    };
    checker.replicas = (0..fleet.services.len())
        .map(|s| placement.replicas(s))
        .collect();
    checker.existing_nodes();
    placement
        .groups
        .iter()
        .for_each(|group| checker.node(group));
    (0..fleet.services.len()).for_each(|s| checker.service(s));
    checker.fleet_limits();
    checker.found
}

/// Whether the placement is feasible.
pub fn is_feasible(fleet: &Fleet, placement: &Placement) -> bool {
    violations(fleet, placement).is_empty()
}

/// How far the placement is from feasible: the sum of all amounts, 0 when it is feasible.
pub fn excess(fleet: &Fleet, placement: &Placement) -> f64 {
    violations(fleet, placement)
        .iter()
        .map(|violation| violation.amount)
        .fold(0.0, |sum, amount| sum + amount)
}

struct Checker<'a> {
    fleet: &'a Fleet,
    placement: &'a Placement,
    replicas: Vec<u32>,
    found: Vec<Violation>,
}

impl Checker<'_> {
    fn fail(&mut self, constraint: String, amount: f64, message: String) {
        self.found.push(Violation {
            constraint,
            message,
            amount,
        });
    }

    fn service_fail(&mut self, service: usize, key: &str, amount: u32, message: String) {
        self.fail(
            format!("services.{}.{key}", self.fleet.services[service].name),
            f64::from(amount),
            message,
        );
    }

    fn existing_nodes(&mut self) {
        for (index, class) in self.fleet.classes.iter().enumerate() {
            let Some(count) = class.count() else { continue };
            let used: u32 = self
                .placement
                .groups
                .iter()
                .filter(|g| g.class == index)
                .map(|g| g.count)
                .sum();
            if used > count {
                let message = format!("{used} nodes like it are planned, {count} exist");
                self.fail(
                    format!("current.nodes.{}", class.names[0]),
                    f64::from(used - count),
                    message,
                );
            }
            if class.kept && used < count {
                let message = format!(
                    "{} of {count} such nodes are removed, but pods on them must stay",
                    count - used
                );
                self.fail(
                    format!("current.nodes.{}", class.names[0]),
                    f64::from(count - used),
                    message,
                );
            }
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn node(&mut self, group: &Group) {
        let class = &self.fleet.classes[group.class];
        let place = class
            .names
            .first()
            .cloned()
            .unwrap_or_else(|| self.fleet.offering_name(class.offering));
        let mut taken = vec![0_u64; class.capacity.len()];
        for (s, pods) in group.pods.iter().enumerate() {
            let size = self.fleet.services[s].pod_size(self.replicas[s]);
            taken.iter_mut().zip(size).for_each(|(sum, one)| {
                *sum = sum.saturating_add(one.saturating_mul(u64::from(*pods)))
            });
        }
        for (k, (taken, capacity)) in taken.iter().zip(&class.capacity).enumerate() {
            if taken > capacity {
                let name = self.dimension(k);
                let share = (taken - capacity) as f64 / (*capacity).max(1) as f64;
                self.fail(
                    format!("nodes.{place}"),
                    share * f64::from(group.count),
                    format!("{name}: pods take {taken} of {capacity}"),
                );
            }
        }
        for (s, pods) in group.pods.iter().enumerate().filter(|(_, pods)| **pods > 0) {
            self.pods_on_node(group, s, *pods, &place);
        }
        for (s, (pods, pinned)) in group.pods.iter().zip(&class.pinned).enumerate() {
            if pods < pinned {
                self.service_fail(
                    s,
                    "mode",
                    pinned - pods,
                    format!("{pinned} pods must stay on {place}, {pods} are planned"),
                );
            }
        }
    }

    fn pods_on_node(&mut self, group: &Group, s: usize, pods: u32, place: &str) {
        let class = &self.fleet.classes[group.class];
        let service = &self.fleet.services[s];
        if pods > class.most[s] {
            let message = format!(
                "{pods} pods on {place}, at most {} may run there",
                class.most[s]
            );
            self.service_fail(s, "placement", pods - class.most[s], message);
        }
        if pods > service.node_limit(self.replicas[s]).max(class.pinned[s])
            && service.survive == Survive::Node
        {
            let message = format!(
                "losing {place} takes {pods} pods; the load needs {} of {}",
                service.least_carrying, self.replicas[s]
            );
            self.service_fail(
                s,
                "placement.survive",
                pods - service.node_limit(self.replicas[s]),
                message,
            );
        }
        for other in service
            .conflicts
            .iter()
            .filter(|other| **other > s && group.pods[**other] > 0)
        {
            let message = format!("shares {place} with {}", self.fleet.services[*other].name);
            self.service_fail(s, "placement.anti_affinity", group.count, message);
        }
    }

    fn dimension(&self, k: usize) -> String {
        let resources = &self.fleet.resources;
        match k.checked_sub(resources.len()) {
            None => format!("requested {}", resources[k]),
            Some(0) => "expected use of cpu (of 90 %)".to_owned(),
            Some(_) => "expected use of memory (of 90 %)".to_owned(),
        }
    }

    fn service(&mut self, s: usize) {
        let service = &self.fleet.services[s];
        let replicas = self.replicas[s];
        if !service.is_admissible(replicas) {
            let level = service.level(replicas);
            let utilization = level.utilization.map_or(String::new(), |u| {
                format!(", CPU at {:.0} % of request", u * 100.0)
            });
            let latency = level
                .latency_p95_ms
                .map_or(String::new(), |ms| format!(", p95 {ms:.0} ms"));
            let nearest = service
                .admissible()
                .map(|level| level.replicas.abs_diff(replicas))
                .min()
                .unwrap_or(1);
            self.service_fail(
                s,
                "clusters",
                nearest,
                format!("{replicas} replicas are not admissible{utilization}{latency}"),
            );
        }
        let clusters = self.placement.by_cluster(self.fleet, s);
        for (cluster, pods) in clusters.iter().enumerate() {
            self.cluster(s, service, cluster, *pods);
        }
        let cells = self.placement.by_cell(self.fleet, s);
        let spot: u32 = cells.iter().skip(1).step_by(2).sum();
        if spot > service.spot_limit(replicas) {
            let message = format!(
                "{spot} of {replicas} replicas on spot, at most {}",
                service.spot_limit(replicas)
            );
            self.service_fail(
                s,
                "placement.spot_share_max",
                spot - service.spot_limit(replicas),
                message,
            );
        }
        let zones: Vec<u32> = cells.chunks(2).map(|cell| cell.iter().sum()).collect();
        self.zones(s, service, &zones, &clusters);
        if service.unmovable && self.placement.moves(self.fleet, s) > 0 {
            let message = format!(
                "{} pods move, but its pods may not be moved",
                self.placement.moves(self.fleet, s)
            );
            self.service_fail(
                s,
                "disruption.max_unavailable",
                self.placement.moves(self.fleet, s),
                message,
            );
        }
    }

    fn cluster(&mut self, s: usize, service: &Service, cluster: usize, pods: u32) {
        let name = &self.fleet.problem.clusters[cluster].name;
        let (min, max) = service
            .bounds(cluster)
            .map_or((0, 0), |bounds| (bounds.min, bounds.max));
        if pods < min || pods > max {
            let amount = min.saturating_sub(pods).max(pods.saturating_sub(max));
            self.service_fail(
                s,
                &format!("clusters.{name}"),
                amount,
                format!("{pods} replicas, allowed are {min} to {max}"),
            );
        }
        if service.survive == Survive::Cluster && pods > service.failure_limit(self.replicas[s]) {
            let message = format!(
                "losing {name} takes {pods} pods; the load needs {} of {}",
                service.least_carrying, self.replicas[s]
            );
            self.service_fail(
                s,
                "placement.survive",
                pods - service.failure_limit(self.replicas[s]),
                message,
            );
        }
    }

    fn zones(&mut self, s: usize, service: &Service, zones: &[u32], clusters: &[u32]) {
        for (zone, pods) in zones.iter().enumerate() {
            let name = &self.fleet.zones[zone].name;
            let bound = service.bound_to_zone(zone, self.replicas[s]);
            if *pods < bound {
                self.service_fail(
                    s,
                    "placement.zonal_volumes",
                    bound - pods,
                    format!("{pods} pods in {name}, volumes bind {bound} there"),
                );
            }
            if service.survive == Survive::Zone && *pods > service.failure_limit(self.replicas[s]) {
                let message = format!(
                    "losing {name} takes {pods} pods; the load needs {} of {}",
                    service.least_carrying, self.replicas[s]
                );
                self.service_fail(
                    s,
                    "placement.survive",
                    pods - service.failure_limit(self.replicas[s]),
                    message,
                );
            }
        }
        for (cluster, _) in clusters.iter().enumerate().filter(|(_, pods)| **pods > 0) {
            let here = |zone: &usize| self.fleet.zones[*zone].cluster == cluster;
            let used = (0..zones.len())
                .filter(|zone| here(zone) && zones[*zone] > 0)
                .count();
            let counts: Vec<u32> = service
                .eligible_zones
                .iter()
                .filter(|z| here(z))
                .map(|z| zones[*z])
                .collect();
            let skew = counts.iter().max().unwrap_or(&0) - counts.iter().min().unwrap_or(&0);
            if used < service.min_zones as usize {
                let missing = service.min_zones - u32::try_from(used).unwrap_or(0);
                self.service_fail(
                    s,
                    "placement.min_zones",
                    missing,
                    format!("pods in {used} zones, at least {}", service.min_zones),
                );
            }
            if let Some(max_skew) = service.max_skew.filter(|max_skew| skew > *max_skew) {
                self.service_fail(
                    s,
                    "placement.max_skew",
                    skew - max_skew,
                    format!("skew {skew} over eligible zones, at most {max_skew}"),
                );
            }
        }
    }

    fn fleet_limits(&mut self) {
        let nodes = self.placement.nodes(self.fleet);
        for limit in &self.fleet.limits {
            let sum: f64 = limit
                .coefficients
                .iter()
                .zip(&nodes)
                .map(|(c, n)| c * f64::from(*n))
                .sum();
            let slack = 1e-9 * limit.limit.abs().max(1.0);
            let broken = if limit.at_least {
                sum < limit.limit - slack
            } else {
                sum > limit.limit + slack
            };
            if broken {
                let bound = if limit.at_least {
                    "at least"
                } else {
                    "at most"
                };
                let largest = limit.coefficients.iter().copied().fold(1e-9, f64::max);
                self.fail(
                    limit.name.clone(),
                    (sum - limit.limit).abs() / largest,
                    format!("{sum}, {bound} {}", limit.limit),
                );
            }
        }
        if let Some(budget) = self.fleet.budget_usd_per_hour() {
            let spent = crate::cost::nodes(self.fleet, &nodes);
            if spent > budget * (1.0 + 1e-9) {
                self.fail(
                    "policy.budget_usd_per_hour".to_owned(),
                    spent - budget,
                    format!("nodes cost {spent:.4}, at most {budget}"),
                );
            }
        }
        let moves: u32 = (0..self.fleet.services.len())
            .map(|s| self.placement.moves(self.fleet, s))
            .sum();
        if let Some(max) = self.fleet.max_moves().filter(|max| moves > *max) {
            self.fail(
                "policy.max_moves".to_owned(),
                f64::from(moves - max),
                format!("{moves} moves, at most {max}"),
            );
        }
    }
}
