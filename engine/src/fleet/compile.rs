//! From a complete problem file to a [`Fleet`].

use std::collections::{BTreeMap, BTreeSet};

use super::matching::{Labels, tolerates};
use super::{
    Class, ClusterBounds, Commitment, Fleet, Limit, Offering, Service, USE_LIMIT, Zone, level,
};
use crate::problem::{
    self, CapacityType, CurrentNode, Issue, Mode, ProblemFile, Relaxation, Resources, WorkloadKind,
};

/// Compiles a validated and resolved problem, with some constraints given up.
///
/// # Errors
///
/// Everything that keeps the problem from having a meaning: a service that fits no offering, one whose replica count is neither
/// modelled nor known, a missing price or allocatable (run [`crate::problem::resolve`] first).
pub fn compile(problem: ProblemFile, relaxed: &[Relaxation]) -> Result<Fleet, Vec<Issue>> {
    let mut compiler = Compiler::new(&problem, relaxed);
    compiler.offerings();
    compiler.services();
    if !compiler.issues.is_empty() {
        return Err(compiler.issues);
    }
    compiler.classes();
    compiler.limits();
    let Compiler {
        resources,
        zones,
        services,
        offerings,
        classes,
        limits,
        notes,
        issues,
        ..
    } = compiler;
    if !issues.is_empty() {
        return Err(issues);
    }
    let commitments = commitments(&problem, &offerings);
    let has_current = problem.current.is_some();
    let relaxed = relaxed.to_vec();
    Ok(Fleet {
        problem,
        relaxed,
        resources,
        zones,
        services,
        offerings,
        classes,
        limits,
        commitments,
        has_current,
        notes,
    })
}

/// Most pods of one service, as for its replica bounds.
const MOST_PODS: u32 = 10_000;

struct Compiler<'a> {
    problem: &'a ProblemFile,
    relaxed: &'a [Relaxation],
    resources: Vec<String>,
    zones: Vec<Zone>,
    services: Vec<Service>,
    offerings: Vec<Offering>,
    classes: Vec<Class>,
    limits: Vec<Limit>,
    notes: Vec<String>,
    issues: Vec<Issue>,
}

impl<'a> Compiler<'a> {
    fn new(problem: &'a ProblemFile, relaxed: &'a [Relaxation]) -> Self {
        let (services, offerings, classes) = (Vec::new(), Vec::new(), Vec::new());
        let (limits, notes, issues) = (Vec::new(), Vec::new(), Vec::new());
        let (resources, zones) = (resource_names(problem), zones(problem));
        Self {
            problem,
            relaxed,
            resources,
            zones,
            services,
            offerings,
            classes,
            limits,
            notes,
            issues,
        }
    }

    fn issue(&mut self, path: String, message: String) {
        self.issues.push(Issue {
            path,
            line: None,
            message,
        });
    }

    fn vector(&self, resources: &Resources) -> Vec<u64> {
        self.resources
            .iter()
            .map(|name| match (resources.get(name), name.as_str()) {
                (Some(quantity), "cpu") => quantity.milli().unwrap_or(0),
                (Some(quantity), _) => quantity.units().unwrap_or(0),
                (None, _) => 0,
            })
            .collect()
    }

    /// Request of one pod of a service or daemonset: one entry `pods`.
    fn pod_vector(&self, requests: &Resources) -> Vec<u64> {
        let mut vector = self.vector(requests);
        vector[self.position("pods")] = 1;
        vector
    }

    /// Position of a resource that every fleet has.
    fn position(&self, resource: &str) -> usize {
        self.resources
            .iter()
            .position(|name| name == resource)
            .unwrap_or(0)
    }

    fn offerings(&mut self) {
        for (pool_index, pool) in self.problem.pools.iter().enumerate() {
            let cluster = cluster_index(self.problem, &pool.cluster);
            for offering in &pool.offerings {
                let path = format!("pools.{}.offerings.{}", pool.name, offering.name());
                let (Some(usd_per_hour), Some(allocatable)) =
                    (offering.usd_per_hour, &offering.allocatable)
                else {
                    self.issue(
                        path,
                        "has no price or no allocatable; write usd_per_hour and allocatable"
                            .to_owned(),
                    );
                    continue;
                };
                let zone = self
                    .zones
                    .iter()
                    .position(|z| z.cluster == cluster && z.name == offering.zone)
                    .unwrap_or(0);
                let spot = offering.capacity_type == CapacityType::Spot;
                let startup =
                    usd_per_hour * pool.startup_seconds / 3600.0 / self.problem.horizon_hours;
                self.offerings.push(Offering {
                    pool: pool_index,
                    name: offering.name(),
                    cluster,
                    zone,
                    cell: 2 * zone + usize::from(spot),
                    capacity_type: offering.capacity_type,
                    usd_per_hour,
                    interruptions_per_hour: if spot {
                        offering.interruptions_per_hour.unwrap_or(0.0)
                    } else {
                        0.0
                    },
                    startup_usd_per_hour: if self.problem.current.is_some() {
                        startup
                    } else {
                        0.0
                    },
                    allocatable: self.vector(allocatable),
                    eligible: Vec::new(),
                });
            }
        }
        for index in 0..self.offerings.len() {
            self.offerings[index].eligible = (0..self.problem.services.len())
                .map(|s| self.is_eligible(s, &self.offerings[index]))
                .collect();
        }
    }

    /// Labels and source entries of an offering.
    fn labels(&self, offering: &Offering) -> Labels {
        let pool = &self.problem.pools[offering.pool];
        let source = pool
            .offerings
            .iter()
            .find(|o| o.name() == offering.name)
            .unwrap_or(&pool.offerings[0]);
        Labels::of(&self.problem.clusters[offering.cluster], pool, source)
    }

    fn is_eligible(&self, service: usize, offering: &Offering) -> bool {
        let service = &self.problem.services[service];
        let labels = self.labels(offering);
        let room = subtract(&offering.allocatable, &self.overhead(offering));
        service
            .clusters
            .contains_key(&self.problem.clusters[offering.cluster].name)
            && service
                .placement
                .architectures
                .iter()
                .any(|a| a == labels.architecture())
            && labels.match_selector(&service.placement.selector)
            && tolerates(
                &service.placement.tolerations,
                &self.problem.pools[offering.pool].taints,
            )
            && fits(&self.pod_vector(&service.requests), &room)
    }

    /// What daemonsets take on a node of the offering.
    fn overhead(&self, offering: &Offering) -> Vec<u64> {
        let labels = self.labels(offering);
        let pool = &self.problem.pools[offering.pool];
        let mut sum = vec![0; self.resources.len()];
        for daemonset in &self.problem.daemonsets {
            let here = daemonset
                .clusters
                .as_ref()
                .is_none_or(|names| names.contains(&pool.cluster));
            if here
                && labels.match_selector(&daemonset.selector)
                && tolerates(&daemonset.tolerations, &pool.taints)
            {
                add(&mut sum, &self.pod_vector(&daemonset.requests));
            }
        }
        sum
    }

    fn services(&mut self) {
        for index in 0..self.problem.services.len() {
            if let Some(service) = self.service(index) {
                self.services.push(service);
            }
        }
    }

    fn service(&mut self, index: usize) -> Option<Service> {
        let source = &self.problem.services[index];
        let path = format!("services.{}", source.name);
        let movable_offerings = self.offerings.iter().filter(|o| o.eligible[index]);
        let eligible_zones: BTreeSet<usize> = movable_offerings.clone().map(|o| o.zone).collect();
        let mut cells: BTreeSet<usize> = movable_offerings.map(|o| o.cell).collect();
        let nodes_now = self.nodes_with(index);
        cells.extend(
            nodes_now
                .iter()
                .map(|(offering, _)| self.offerings[*offering].cell),
        );
        let placed: u64 = nodes_now.iter().map(|(_, pods)| u64::from(*pods)).sum();
        let Some(placed_now) = u32::try_from(placed).ok().filter(|n| *n <= MOST_PODS) else {
            let message = format!(
                "{placed} pods on current.nodes are more than {MOST_PODS}, the most of one service"
            );
            self.issue(path, message);
            return None;
        };
        let replicas_may_exist = source.clusters.values().any(|bounds| bounds.max > 0);
        if cells.is_empty() && replicas_may_exist {
            let message = "no offering fits a pod: check requests against allocatable less daemonsets, and selector, tolerations, \
                           architectures and clusters against the pools";
            self.issue(path, message.to_owned());
            return None;
        }
        let clusters = self.cluster_bounds(index)?;
        let placement = &source.placement;
        let own_conflict = placement.anti_affinity.contains(&source.name);
        let max_per_node = if own_conflict {
            1
        } else {
            placement.max_per_node.unwrap_or(u32::MAX)
        };
        let spread = !self.relaxed.contains(&Relaxation::Spread);
        let mut request = self.pod_vector(&source.requests);
        request.extend([0, 0]);
        let (levels, least_carrying, note) =
            level::levels(source, &clusters, placed_now, request[0], self.relaxed);
        self.notes.extend(note);
        Some(Service {
            name: source.name.clone(),
            request,
            levels,
            least_carrying,
            cells: cells.into_iter().collect(),
            eligible_zones: eligible_zones.into_iter().collect(),
            max_per_node,
            conflicts: self.conflicts(index),
            min_zones: if spread { placement.min_zones } else { 1 },
            max_skew: placement.max_skew.filter(|_| spread),
            spot_share_max: if self.relaxed.contains(&Relaxation::SpotShare) {
                1.0
            } else {
                placement.spot_share_max
            },
            survive: placement.survive,
            volume_zones: self.volume_zones(index),
            usd_per_eviction: source.disruption.usd_per_eviction,
            move_usd_per_hour: self.move_price(index),
            unmovable: source.mode == Mode::Observe || source.disruption.max_unavailable == 0,
            placed_now,
            now: clusters.iter().map(|bounds| bounds.now).sum(),
            clusters,
        })
    }

    fn move_price(&self, index: usize) -> f64 {
        if self.problem.current.is_none() {
            return 0.0;
        }
        self.problem.services[index].disruption.usd_per_eviction / self.problem.horizon_hours
    }

    /// Current nodes with pods of the service: (offering, pods).
    fn nodes_with(&self, service: usize) -> Vec<(usize, u32)> {
        let name = &self.problem.services[service].name;
        let nodes = self
            .problem
            .current
            .iter()
            .flat_map(|current| &current.nodes);
        nodes
            .filter_map(|node| Some((self.offering_of(node)?, *node.pods.get(name)?)))
            .collect()
    }

    fn offering_of(&self, node: &CurrentNode) -> Option<usize> {
        self.offerings
            .iter()
            .position(|o| self.problem.pools[o.pool].name == node.pool && o.name == node.offering)
    }

    /// Bounds, with pinned pods counted in; services that are not sized are held where they are.
    fn cluster_bounds(&mut self, index: usize) -> Option<Vec<ClusterBounds>> {
        let source = &self.problem.services[index];
        let held =
            source.mode == Mode::Observe || source.load.is_none() || source.capacity.is_none();
        let mut clusters = Vec::new();
        for (name, bounds) in &source.clusters {
            let cluster = cluster_index(self.problem, name);
            let fixed = bounds.min == bounds.max && source.mode != Mode::Observe;
            let (min, max) = match bounds.now {
                Some(now) if source.mode == Mode::Observe => (now, now),
                Some(now) if held => (
                    now.clamp(bounds.min, bounds.max),
                    now.clamp(bounds.min, bounds.max),
                ),
                None if held && !fixed => {
                    let path = format!("services.{}.clusters.{name}.now", source.name);
                    let message = "is needed: without load and capacity, or with mode observe, replicas are held at their current value";
                    self.issue(path, message.to_owned());
                    return None;
                }
                _ => (bounds.min, bounds.max),
            };
            let pinned = self.pinned_in_cluster(index, cluster);
            clusters.push(ClusterBounds {
                cluster,
                min: min.max(pinned),
                max,
                now: bounds.now,
            });
        }
        clusters.sort_by_key(|bounds| bounds.cluster);
        Some(clusters)
    }

    fn pinned_in_cluster(&self, service: usize, cluster: usize) -> u32 {
        let name = &self.problem.services[service].name;
        let nodes = self
            .problem
            .current
            .iter()
            .flat_map(|current| &current.nodes);
        nodes
            .filter(|node| {
                !node.movable
                    && self
                        .offering_of(node)
                        .is_some_and(|o| self.offerings[o].cluster == cluster)
            })
            .filter_map(|node| node.pods.get(name))
            .sum()
    }

    fn conflicts(&self, index: usize) -> Vec<usize> {
        let services = &self.problem.services;
        let apart = |a: usize, b: usize| {
            services[a]
                .placement
                .anti_affinity
                .contains(&services[b].name)
        };
        (0..services.len())
            .filter(|other| *other != index && (apart(index, *other) || apart(*other, index)))
            .collect()
    }

    fn volume_zones(&self, index: usize) -> Vec<Option<usize>> {
        let source = &self.problem.services[index];
        if source.kind != WorkloadKind::StatefulSet {
            return Vec::new();
        }
        let by_ordinal: BTreeMap<usize, &String> = source
            .placement
            .zonal_volumes
            .iter()
            .filter_map(|(ordinal, zone)| Some((ordinal.parse().ok()?, zone)))
            .collect();
        let clusters: BTreeSet<usize> = source
            .clusters
            .keys()
            .map(|name| cluster_index(self.problem, name))
            .collect();
        let zone_of = |name: &String| {
            self.zones
                .iter()
                .position(|z| clusters.contains(&z.cluster) && z.name == *name)
        };
        let ordinals = by_ordinal.keys().max().map_or(0, |last| last + 1);
        (0..ordinals)
            .map(|ordinal| by_ordinal.get(&ordinal).and_then(|zone| zone_of(zone)))
            .collect()
    }

    fn classes(&mut self) {
        for index in 0..self.offerings.len() {
            let most = (0..self.services.len())
                .map(|s| self.most_new(s, index))
                .collect();
            let none = vec![0; self.services.len()];
            let capacity = self.capacity(&self.offerings[index], &vec![0; self.resources.len()]);
            let (names, now, pinned) = (Vec::new(), none.clone(), none);
            self.classes.push(Class {
                offering: index,
                names,
                capacity,
                now,
                pinned,
                most,
                kept: false,
            });
        }
        let problem = self.problem;
        for node in problem.current.iter().flat_map(|current| &current.nodes) {
            let Some(class) = self.existing(node) else {
                continue;
            };
            let alike = |other: &&mut Class| {
                other.is_existing()
                    && Class {
                        names: Vec::new(),
                        ..(**other).clone()
                    } == class
            };
            match self.classes.iter_mut().find(alike) {
                Some(other) => other.names.push(node.name.clone()),
                None => self.classes.push(Class {
                    names: vec![node.name.clone()],
                    ..class
                }),
            }
        }
    }

    fn most_new(&self, service: usize, offering: usize) -> u32 {
        if self.offerings[offering].eligible[service] {
            self.services[service].max_per_node
        } else {
            0
        }
    }

    /// The class of one existing node, still without its name.
    fn existing(&mut self, node: &CurrentNode) -> Option<Class> {
        let offering = self.offering_of(node)?;
        let foreign = self.vector(&node.foreign);
        let now: Vec<u32> = self
            .services
            .iter()
            .map(|s| node.pods.get(&s.name).copied().unwrap_or(0))
            .collect();
        let stays = |s: usize| !node.movable || self.problem.services[s].mode == Mode::Observe;
        let pinned: Vec<u32> = now
            .iter()
            .enumerate()
            .map(|(s, pods)| if stays(s) { *pods } else { 0 })
            .collect();
        let most = (0..self.services.len()).map(|s| {
            let allowed = if node.cordoned {
                now[s]
            } else {
                self.most_new(s, offering)
            };
            let staying = if self.offerings[offering].eligible[s] {
                0
            } else {
                now[s]
            };
            allowed.max(staying).max(pinned[s])
        });
        let most = most.collect();
        let kept = !node.movable
            || foreign.iter().any(|amount| *amount > 0)
            || pinned.iter().any(|pods| *pods > 0);
        let capacity = self.capacity(&self.offerings[offering], &foreign);
        Some(Class {
            offering,
            names: Vec::new(),
            capacity,
            now,
            pinned,
            most,
            kept,
        })
    }

    /// What services may take of a node: by request, then by expected use.
    fn capacity(&self, offering: &Offering, foreign: &[u64]) -> Vec<u64> {
        let mut taken = self.overhead(offering);
        add(&mut taken, foreign);
        let mut capacity = subtract(&offering.allocatable, &taken);
        for resource in ["cpu", "memory"] {
            let k = self.position(resource);
            let usable = u128::from(offering.allocatable[k]) * u128::from(USE_LIMIT.0)
                / u128::from(USE_LIMIT.1);
            capacity.push(
                u64::try_from(usable)
                    .unwrap_or(u64::MAX)
                    .saturating_sub(taken[k]),
            );
        }
        capacity
    }

    fn limits(&mut self) {
        let problem = self.problem;
        for (index, pool) in problem.pools.iter().enumerate() {
            let members = self.indicator(|o| o.pool == index);
            if pool.nodes.min > 0 {
                self.limit(
                    format!("pool_min/{}", pool.name),
                    members.clone(),
                    f64::from(pool.nodes.min),
                    true,
                );
            }
            if let Some(max) = pool.nodes.max {
                self.limit(
                    format!("pool_max/{}", pool.name),
                    members,
                    f64::from(max),
                    false,
                );
            }
            for offering in &pool.offerings {
                if let Some(available) = offering.available_nodes {
                    let name = offering.name();
                    let members = self.indicator(|o| o.pool == index && o.name == name);
                    self.limit(
                        format!("available/{}/{name}", pool.name),
                        members,
                        f64::from(available),
                        false,
                    );
                }
            }
        }
        for cap in &problem.policy.caps {
            self.cap(cap);
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn cap(&mut self, cap: &problem::Cap) {
        let members = self.indicator(|offering| self.is_capped(cap, offering));
        let cpu = self.position("cpu");
        let weighted = |weight: &dyn Fn(&Offering) -> f64| -> Vec<f64> {
            members
                .iter()
                .zip(&self.offerings)
                .map(|(member, offering)| member * weight(offering))
                .collect()
        };
        let by_cpu = weighted(&|offering| offering.allocatable[cpu] as f64);
        let by_price = weighted(&|offering| offering.usd_per_hour);
        let max_cpu = cap
            .max_cpu
            .as_ref()
            .and_then(problem::Quantity::milli)
            .map(|milli| milli as f64);
        let bounds = [
            ("nodes", members, cap.max_nodes.map(f64::from)),
            ("cpu", by_cpu, max_cpu),
            ("usd", by_price, cap.max_usd_per_hour),
        ];
        for (what, coefficients, limit) in bounds {
            if let Some(limit) = limit {
                self.limit(
                    format!("cap/{}/{what}", cap.name),
                    coefficients,
                    limit,
                    false,
                );
            }
        }
    }

    fn is_capped(&self, cap: &problem::Cap, offering: &Offering) -> bool {
        let pool = &self.problem.pools[offering.pool];
        let listed = |names: &Option<Vec<String>>, name: &str| {
            names.as_ref().is_none_or(|n| n.iter().any(|x| x == name))
        };
        let instance_type = offering.name.split('/').next().unwrap_or_default();
        listed(&cap.clusters, &pool.cluster)
            && listed(&cap.pools, &pool.name)
            && listed(&cap.instance_types, instance_type)
            && listed(&cap.zones, &self.zones[offering.zone].name)
            && cap
                .capacity_types
                .as_ref()
                .is_none_or(|types| types.contains(&offering.capacity_type))
    }

    fn indicator(&self, member: impl Fn(&Offering) -> bool) -> Vec<f64> {
        self.offerings
            .iter()
            .map(|offering| f64::from(u8::from(member(offering))))
            .collect()
    }

    fn limit(&mut self, name: String, coefficients: Vec<f64>, limit: f64, at_least: bool) {
        self.limits.push(Limit {
            name,
            coefficients,
            limit,
            at_least,
            surge: !at_least,
        });
    }
}

/// `cpu`, `memory`, `pods`, then every extended resource that some pod requests.
fn resource_names(problem: &ProblemFile) -> Vec<String> {
    let requests = problem
        .services
        .iter()
        .map(|s| &s.requests)
        .chain(problem.daemonsets.iter().map(|d| &d.requests));
    let mut names: Vec<String> = ["cpu", "memory", "pods"].map(str::to_owned).to_vec();
    let extended: BTreeSet<&String> = requests
        .flat_map(|r| r.keys())
        .filter(|name| !names.contains(name))
        .collect();
    let extended: Vec<String> = extended.into_iter().cloned().collect();
    names.extend(extended);
    names
}

fn zones(problem: &ProblemFile) -> Vec<Zone> {
    let mut zones = Vec::new();
    for pool in &problem.pools {
        for offering in &pool.offerings {
            let zone = Zone {
                cluster: cluster_index(problem, &pool.cluster),
                name: offering.zone.clone(),
            };
            if !zones.contains(&zone) {
                zones.push(zone);
            }
        }
    }
    zones
}

fn commitments(problem: &ProblemFile, offerings: &[Offering]) -> Vec<Commitment> {
    let find = |c: &problem::Commitment| {
        offerings
            .iter()
            .position(|o| problem.pools[o.pool].name == c.pool && o.name == c.offering)
            .map(|offering| Commitment {
                offering,
                nodes: c.nodes,
                usd_per_hour: c.usd_per_hour,
                used_usd_per_hour: c.used_usd_per_hour,
            })
    };
    problem.policy.commitments.iter().filter_map(find).collect()
}

/// Index of a cluster; the problem is validated, so the name exists.
fn cluster_index(problem: &ProblemFile, name: &str) -> usize {
    problem
        .clusters
        .iter()
        .position(|cluster| cluster.name == name)
        .unwrap_or(0)
}

fn add(sum: &mut [u64], other: &[u64]) {
    sum.iter_mut()
        .zip(other)
        .for_each(|(a, b)| *a = a.saturating_add(*b));
}

fn subtract(a: &[u64], b: &[u64]) -> Vec<u64> {
    a.iter().zip(b).map(|(a, b)| a.saturating_sub(*b)).collect()
}

fn fits(size: &[u64], room: &[u64]) -> bool {
    size.iter().zip(room).all(|(s, r)| s <= r)
}
