//! Where pods may run, and which of them, by the definitions of the problem file.

use std::collections::{BTreeMap, BTreeSet};

use ketscale_engine::problem::{
    CurrentNode, Mode, Offering, OneOrMany, Pool, ProblemFile, Resources, Service, Taint,
    TaintEffect, Toleration, TolerationOperator,
};

/// A node that exists, or any new node of an offering.
pub struct Place<'a> {
    pub pool: &'a Pool,
    pub offering: &'a Offering,
    pub node: Option<&'a CurrentNode>,
    /// What services may request there, by resource.
    pub room: Vec<u64>,
    /// Millicores and bytes that they may be expected to use: 9/10 of allocatable, less daemonsets and foreign pods.
    pub usable: [u64; 2],
    /// Whether the scheduler lets new pods there, by service.
    pub eligible: Vec<bool>,
    /// Pods there now, those that must stay, and the most that there may be, by service.
    pub now: Vec<u32>,
    pub pinned: Vec<u32>,
    pub most: Vec<u32>,
    /// Whether the node must stay.
    pub kept: bool,
}

impl<'a> Place<'a> {
    pub fn usd_per_hour(&self) -> f64 {
        self.offering.usd_per_hour.unwrap()
    }

    /// Allocatable CPU; none is stated of what nothing fits.
    pub fn mcores(&self) -> f64 {
        let cpu = self.offering.allocatable.as_ref().unwrap().get("cpu");
        cpu.map_or(0.0, |cpu| cpu.milli().unwrap() as f64)
    }

    /// Cluster and zone.
    pub fn zone(&self) -> (&'a str, &'a str) {
        (&self.pool.cluster, &self.offering.zone)
    }

    pub fn is_of(&self, pool: &str, offering: &str) -> bool {
        self.pool.name == pool && self.offering.name() == offering
    }
}

/// First the new nodes of each offering, in the order of the file, then the nodes that exist.
pub fn places(problem: &ProblemFile) -> Vec<Place<'_>> {
    let mut places = Vec::new();
    for pool in &problem.pools {
        let offerings = pool.offerings.iter();
        places.extend(offerings.map(|offering| place(problem, pool, offering, None)));
    }
    for node in problem.current.iter().flat_map(|current| &current.nodes) {
        let pool = problem
            .pools
            .iter()
            .find(|pool| pool.name == node.pool)
            .unwrap();
        let mut offerings = pool.offerings.iter();
        let offering = offerings
            .find(|offering| offering.name() == node.offering)
            .unwrap();
        places.push(place(problem, pool, offering, Some(node)));
    }
    places
}

fn place<'a>(
    problem: &ProblemFile,
    pool: &'a Pool,
    offering: &'a Offering,
    node: Option<&'a CurrentNode>,
) -> Place<'a> {
    let services = &problem.services;
    let resources = resources(problem);
    let allocatable = amounts(offering.allocatable.as_ref().unwrap(), &resources);
    let mut taken = vec![0; resources.len()];
    for daemonset in &problem.daemonsets {
        let listed = |names: &Vec<String>| names.contains(&pool.cluster);
        if daemonset.clusters.as_ref().is_none_or(listed)
            && selects(&daemonset.selector, problem, pool, offering)
            && tolerates(&daemonset.tolerations, &pool.taints)
        {
            add(&mut taken, &pod(&daemonset.requests, &resources));
        }
    }
    let empty = less(&allocatable, &taken);
    let eligible: Vec<bool> = (services.iter())
        .map(|service| {
            let request = pod(&service.requests, &resources);
            admits(problem, service, pool, offering)
                && request.iter().zip(&empty).all(|(a, b)| a <= b)
        })
        .collect();
    let foreign = node.map_or_else(
        || vec![0; resources.len()],
        |n| amounts(&n.foreign, &resources),
    );
    add(&mut taken, &foreign);
    let pods_now = |s: &Service| {
        node.and_then(|node| node.pods.get(&s.name))
            .copied()
            .unwrap_or(0)
    };
    let now: Vec<u32> = services.iter().map(pods_now).collect();
    let immovable = node.is_some_and(|node| !node.movable);
    let stays = |s: usize| immovable || services[s].mode == Mode::Observe;
    let pinned: Vec<u32> = (0..now.len())
        .map(|s| if stays(s) { now[s] } else { 0 })
        .collect();
    let cordoned = node.is_some_and(|node| node.cordoned);
    let most = |s: usize| {
        let only_stays = cordoned || !eligible[s];
        let allowed = if only_stays { now[s] } else { u32::MAX };
        allowed.min(most_per_node(&services[s])).max(pinned[s])
    };
    Place {
        pool,
        offering,
        node,
        room: less(&allocatable, &taken),
        usable: [0, 1].map(|k| (allocatable[k] * 9 / 10).saturating_sub(taken[k])),
        most: (0..now.len()).map(most).collect(),
        kept: immovable || foreign.iter().any(|n| *n > 0) || pinned.iter().any(|n| *n > 0),
        eligible,
        now,
        pinned,
    }
}

/// `cpu` and `memory`, then everything else that some pod requests.
fn resources(problem: &ProblemFile) -> Vec<String> {
    let requests = problem.services.iter().map(|service| &service.requests);
    let requests = requests.chain(
        problem
            .daemonsets
            .iter()
            .map(|daemonset| &daemonset.requests),
    );
    let mut others: BTreeSet<&str> = requests.flatten().map(|(name, _)| name.as_str()).collect();
    others.insert("pods");
    let others = others
        .into_iter()
        .filter(|name| !["cpu", "memory"].contains(name));
    ["cpu", "memory"]
        .into_iter()
        .chain(others)
        .map(str::to_owned)
        .collect()
}

/// Millicores of CPU, units of everything else, 0 of what is not stated.
fn amounts(stated: &Resources, resources: &[String]) -> Vec<u64> {
    let amount = |name: &String| match stated.get(name) {
        Some(quantity) if name == "cpu" => quantity.milli().unwrap(),
        Some(quantity) => quantity.units().unwrap(),
        None => 0,
    };
    resources.iter().map(amount).collect()
}

/// What a service's or daemonset's pod requests.
pub fn request(problem: &ProblemFile, requests: &Resources) -> Vec<u64> {
    pod(requests, &resources(problem))
}

fn pod(requests: &Resources, resources: &[String]) -> Vec<u64> {
    let amounts = amounts(requests, resources).into_iter().zip(resources);
    amounts
        .map(|(amount, name)| if name == "pods" { 1 } else { amount })
        .collect()
}

fn most_per_node(service: &Service) -> u32 {
    let alone = service.placement.anti_affinity.contains(&service.name);
    if alone {
        1
    } else {
        service.placement.max_per_node.unwrap_or(u32::MAX)
    }
}

fn admits(problem: &ProblemFile, service: &Service, pool: &Pool, offering: &Offering) -> bool {
    let architecture = offering.architecture.as_deref().unwrap_or("amd64");
    service.clusters.contains_key(&pool.cluster)
        && service
            .placement
            .architectures
            .iter()
            .any(|known| known == architecture)
        && selects(&service.placement.selector, problem, pool, offering)
        && tolerates(&service.placement.tolerations, &pool.taints)
}

fn selects(
    selector: &BTreeMap<String, OneOrMany>,
    problem: &ProblemFile,
    pool: &Pool,
    offering: &Offering,
) -> bool {
    let mut clusters = problem.clusters.iter();
    let cluster = clusters
        .find(|cluster| cluster.name == pool.cluster)
        .unwrap();
    selector.iter().all(|(key, wanted)| {
        let label = match key.as_str() {
            "topology.kubernetes.io/region" => Some(cluster.region.as_str()),
            "topology.kubernetes.io/zone" => Some(offering.zone.as_str()),
            "node.kubernetes.io/instance-type" => Some(offering.instance_type.as_str()),
            "kubernetes.io/arch" => Some(offering.architecture.as_deref().unwrap_or("amd64")),
            "kubernetes.io/os" => Some("linux"),
            "karpenter.sh/capacity-type" => Some(offering.capacity_type.as_str()),
            other => pool.labels.get(other).map(String::as_str),
        };
        label.is_some_and(|label| wanted.values().iter().any(|value| value == label))
    })
}

fn tolerates(tolerations: &[Toleration], taints: &[Taint]) -> bool {
    let matches = |toleration: &Toleration, taint: &Taint| {
        let any = toleration.operator == TolerationOperator::Exists;
        toleration
            .effect
            .is_none_or(|effect| effect == taint.effect)
            && (toleration.key == taint.key || (any && toleration.key.is_empty()))
            && (any || toleration.value == taint.value)
    };
    let keeps_away = |taint: &&Taint| taint.effect != TaintEffect::PreferNoSchedule;
    (taints.iter().filter(keeps_away)).all(|taint| {
        tolerations
            .iter()
            .any(|toleration| matches(toleration, taint))
    })
}

fn add(sum: &mut [u64], other: &[u64]) {
    sum.iter_mut().zip(other).for_each(|(a, b)| *a += b);
}

fn less(from: &[u64], taken: &[u64]) -> Vec<u64> {
    from.iter()
        .zip(taken)
        .map(|(a, b)| a.saturating_sub(*b))
        .collect()
}
