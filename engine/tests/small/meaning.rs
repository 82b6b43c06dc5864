//! What a problem file asks for, read from the file alone: which layouts keep its rules, and what they cost.
//!
//! Written from the definitions of the keys; nothing here uses the engine's compiled fleet, its feasibility or its cost.

use std::collections::{BTreeMap, BTreeSet};

use ketscale_engine::problem::{
    CapacityType, Mode, ProblemFile, Relaxation, Survive, WorkloadKind,
};

use super::load::{Level, levels};
use super::place::{Place, places, request};
use super::sums::{Limit, Prepaid, limits, prepaid};

/// The nodes of a plan. An existing one stands at most once in it.
pub type Layout = Vec<Node>;

/// A node of a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Index among the places.
    pub place: usize,
    /// By service.
    pub pods: Vec<u32>,
}

/// A problem with some rules given up.
pub struct Meaning<'a> {
    pub problem: &'a ProblemFile,
    pub places: Vec<Place<'a>>,
    /// By service and total.
    pub levels: Vec<Vec<Level>>,
    /// By service: zones with an offering that takes its new pods.
    eligible_zones: Vec<BTreeSet<(&'a str, &'a str)>>,
    relaxed: &'a [Relaxation],
    requests: Vec<Vec<u64>>,
    limits: Vec<Limit>,
    prepaid: Vec<Prepaid>,
}

impl<'a> Meaning<'a> {
    pub fn new(problem: &'a ProblemFile, relaxed: &'a [Relaxation]) -> Self {
        let services = || problem.services.iter();
        let places = places(problem);
        let eligible_zones = |s: usize| {
            let takes = |place: &&Place<'_>| place.node.is_none() && place.eligible[s];
            places.iter().filter(takes).map(Place::zone).collect()
        };
        Self {
            problem,
            eligible_zones: (0..problem.services.len()).map(eligible_zones).collect(),
            levels: services().map(|s| levels(s, relaxed)).collect(),
            relaxed,
            requests: services().map(|s| request(problem, &s.requests)).collect(),
            limits: limits(problem, &places),
            prepaid: prepaid(problem, &places),
            places,
        }
    }

    fn is_given_up(&self, relaxation: Relaxation) -> bool {
        self.relaxed.contains(&relaxation)
    }

    /// Fewest and most replicas in a cluster; held where they are when nothing sizes them.
    fn bounds(&self, s: usize, cluster: &str) -> (u32, u32) {
        let service = &self.problem.services[s];
        let Some(stated) = service.clusters.get(cluster) else {
            return (0, 0);
        };
        let (least, most) = match stated.now {
            Some(now) if service.mode == Mode::Observe => (now, now),
            Some(now) if service.load.is_none() || service.capacity.is_none() => {
                let held = now.clamp(stated.min, stated.max);
                (held, held)
            }
            _ => (stated.min, stated.max),
        };
        let stays = |place: &&Place<'_>| {
            place.pool.cluster == cluster && place.node.is_some_and(|node| !node.movable)
        };
        let pinned: u32 = self
            .places
            .iter()
            .filter(stays)
            .map(|place| place.pinned[s])
            .sum();
        (least.max(pinned), most)
    }

    /// Whether a service may have a total of replicas.
    pub fn allows(&self, s: usize, total: u32) -> bool {
        let clusters = self.problem.services[s].clusters.keys();
        let (least, most) = (clusters.map(|cluster| self.bounds(s, cluster)))
            .fold((0, 0), |sum, bounds| (sum.0 + bounds.0, sum.1 + bounds.1));
        let level = self.levels[s].get(total as usize);
        (least..=most).contains(&total) && level.is_some_and(|level| level.allowed)
    }

    /// Whether a node keeps its own rules when the services have these totals.
    pub fn node_keeps(&self, node: &Node, totals: &[u32]) -> bool {
        let place = &self.places[node.place];
        let pods = || node.pods.iter().enumerate().filter(|(_, pods)| **pods > 0);
        let sum = |size: &dyn Fn(usize) -> u64| -> u64 {
            pods().map(|(s, pods)| size(s) * u64::from(*pods)).sum()
        };
        let fits = |k: usize| sum(&|s| self.requests[s][k]) <= place.room[k];
        let runs =
            |k: usize| sum(&|s| self.levels[s][totals[s] as usize].pod_use[k]) <= place.usable[k];
        (0..place.room.len()).all(fits)
            && (0..2).all(runs)
            && pods().all(|(s, pods)| *pods <= place.most[s])
            && pods().all(|(s, pods)| self.survives_node(place, s, *pods, totals[s]))
            && pods().all(|(a, _)| pods().all(|(b, _)| a == b || !self.are_apart(a, b)))
            && node
                .pods
                .iter()
                .zip(&place.pinned)
                .all(|(pods, pinned)| pods >= pinned)
    }

    fn survives_node(&self, place: &Place<'_>, s: usize, pods: u32, total: u32) -> bool {
        self.problem.services[s].placement.survive != Survive::Node
            || pods <= place.pinned[s]
            || self.survives(s, pods, total)
    }

    /// Whether the rest carries the load when so many of all pods are lost.
    fn survives(&self, s: usize, lost: u32, total: u32) -> bool {
        lost == 0 || self.levels[s][(total - lost) as usize].carries
    }

    fn are_apart(&self, one: usize, other: usize) -> bool {
        let services = &self.problem.services;
        let names = |a: usize, b: usize| {
            services[a]
                .placement
                .anti_affinity
                .contains(&services[b].name)
        };
        names(one, other) || names(other, one)
    }

    /// The first rule that a layout breaks.
    pub fn broken(&self, layout: &Layout) -> Option<&'static str> {
        let totals: Vec<u32> = (0..self.levels.len()).map(|s| pods(layout, s)).collect();
        if !totals
            .iter()
            .enumerate()
            .all(|(s, total)| self.allows(s, *total))
        {
            return Some("load");
        }
        if !layout.iter().all(|node| self.node_keeps(node, &totals)) {
            return Some("a node");
        }
        self.broken_together(layout, &totals)
    }

    /// The first rule that a layout of good nodes and totals breaks.
    pub fn broken_together(&self, layout: &Layout, totals: &[u32]) -> Option<&'static str> {
        let services = 0..totals.len();
        let is_there = |place: usize| layout.iter().any(|node| node.place == place);
        if (0..self.places.len()).any(|place| self.places[place].kept && !is_there(place)) {
            return Some("a node that must stay");
        }
        if let Some(limit) = self.limits.iter().find(|limit| !limit.holds(layout)) {
            return Some(limit.key);
        }
        let budget = self.problem.policy.budget_usd_per_hour;
        let spends = |budget: &f64| self.nodes_usd_per_hour(layout) > budget * (1.0 + 1e-9);
        if !self.is_given_up(Relaxation::Budget) && budget.is_some_and(|b| spends(&b)) {
            return Some("budget_usd_per_hour");
        }
        let moves: u32 = services
            .clone()
            .map(|s| self.moves(layout, s, totals[s]))
            .sum();
        if self
            .problem
            .policy
            .max_moves
            .is_some_and(|most| moves > most)
        {
            return Some("max_moves");
        }
        services
            .into_iter()
            .find_map(|s| self.broken_by_service(layout, s, totals[s]))
    }

    fn broken_by_service(&self, layout: &Layout, s: usize, total: u32) -> Option<&'static str> {
        let service = &self.problem.services[s];
        let on_spot = layout.iter().filter(|node| self.is_spot(node));
        let spot: u32 = on_spot.map(|node| node.pods[s]).sum();
        let most_spot = (service.placement.spot_share_max * f64::from(total) + 1e-9).floor();
        if f64::from(spot) > most_spot && !self.is_given_up(Relaxation::SpotShare) {
            return Some("spot_share_max");
        }
        let fixed = service.mode == Mode::Observe || service.disruption.max_unavailable == 0;
        if fixed && self.moves(layout, s, total) > 0 {
            return Some("max_unavailable");
        }
        let mut clusters = self.problem.clusters.iter();
        clusters.find_map(|cluster| self.broken_in_cluster(layout, s, total, &cluster.name))
    }

    fn broken_in_cluster(
        &self,
        layout: &Layout,
        s: usize,
        total: u32,
        cluster: &str,
    ) -> Option<&'static str> {
        let placement = &self.problem.services[s].placement;
        let mut zones: BTreeMap<&str, u32> = BTreeMap::new();
        for node in layout {
            let place = &self.places[node.place];
            if place.pool.cluster == cluster {
                *zones.entry(&place.offering.zone).or_default() += node.pods[s];
            }
        }
        let pods = zones.values().sum();
        let (least, most) = self.bounds(s, cluster);
        if !(least..=most).contains(&pods) {
            return Some("clusters");
        }
        let survives = match placement.survive {
            Survive::Cluster => self.survives(s, pods, total),
            Survive::Zone => zones.values().all(|lost| self.survives(s, *lost, total)),
            Survive::Node | Survive::None => true,
        };
        if !survives {
            return Some("survive");
        }
        let here = |zone: &str| zones.get(zone).copied().unwrap_or(0);
        let has_volumes = |(zone, volumes): (&str, u32)| here(zone) >= volumes;
        if !self.volumes(s, total, cluster).into_iter().all(has_volumes) {
            return Some("zonal_volumes");
        }
        if pods == 0 || self.is_given_up(Relaxation::Spread) {
            return None;
        }
        if zones.values().filter(|pods| **pods > 0).count() < placement.min_zones as usize {
            return Some("min_zones");
        }
        let eligible = self.eligible_zones[s]
            .iter()
            .filter(|zone| zone.0 == cluster);
        let counts: Vec<u32> = eligible.map(|zone| here(zone.1)).collect();
        let skew = counts.iter().max().unwrap_or(&0) - counts.iter().min().unwrap_or(&0);
        placement
            .max_skew
            .filter(|most| skew > *most)
            .map(|_| "max_skew")
    }

    /// Pods that volumes bind to each zone: those of the ordinals that a total has. Such a service has one cluster.
    fn volumes(&self, s: usize, total: u32, cluster: &str) -> BTreeMap<&str, u32> {
        let service = &self.problem.services[s];
        let mut volumes = BTreeMap::new();
        if service.kind == WorkloadKind::StatefulSet && service.clusters.contains_key(cluster) {
            for (ordinal, zone) in &service.placement.zonal_volumes {
                if ordinal.parse::<u32>().unwrap() < total {
                    *volumes.entry(zone.as_str()).or_default() += 1;
                }
            }
        }
        volumes
    }

    /// `max(0, now − planned)` over existing nodes, less what the service shrinks by.
    pub fn moves(&self, layout: &Layout, s: usize, total: u32) -> u32 {
        let placed: u32 = self.places.iter().map(|place| place.now[s]).sum();
        let stays = |node: &Node| node.pods[s].min(self.places[node.place].now[s]);
        let staying: u32 = layout.iter().map(stays).sum();
        (placed - staying).saturating_sub(placed.saturating_sub(total))
    }

    fn is_spot(&self, node: &Node) -> bool {
        self.places[node.place].offering.capacity_type == CapacityType::Spot
    }

    /// What a layout costs.
    pub fn usd_per_hour(&self, layout: &Layout) -> f64 {
        let mut sum = self.nodes_usd_per_hour(layout) + self.startup_usd_per_hour(layout);
        for (s, service) in self.problem.services.iter().enumerate() {
            let total = pods(layout, s);
            let eviction = service.disruption.usd_per_eviction;
            let moves = f64::from(self.moves(layout, s, total));
            let interrupted = layout.iter().filter(|node| self.is_spot(node)).map(|node| {
                let offering = self.places[node.place].offering;
                f64::from(node.pods[s]) * offering.interruptions_per_hour.unwrap_or(0.0)
            });
            sum += self.levels[s][total as usize].slo_usd_per_hour;
            sum += moves * eviction / self.problem.horizon_hours;
            sum += interrupted.sum::<f64>() * eviction;
        }
        sum
    }

    /// Price of the nodes; the first ones of a commitment are paid for in any case.
    pub fn nodes_usd_per_hour(&self, layout: &Layout) -> f64 {
        let listed = layout
            .iter()
            .map(|node| self.places[node.place].usd_per_hour());
        let prepaid = self
            .prepaid
            .iter()
            .map(|prepaid| prepaid.usd_per_hour(layout));
        listed.sum::<f64>() + prepaid.sum::<f64>()
    }

    fn startup_usd_per_hour(&self, layout: &Layout) -> f64 {
        let places = layout.iter().map(|node| &self.places[node.place]);
        let new = places.filter(|place| place.node.is_none() && self.problem.current.is_some());
        let hours = |place: &Place<'_>| place.pool.startup_seconds / 3600.0;
        new.map(|place| place.usd_per_hour() * hours(place) / self.problem.horizon_hours)
            .sum()
    }
}

/// Pods of a service on all nodes of a layout.
fn pods(layout: &Layout, s: usize) -> u32 {
    layout.iter().map(|node| node.pods[s]).sum()
}
