//! From a complete problem file to a [`Fleet`].

mod limits;
mod nodes;
mod offerings;
mod services;

use std::collections::BTreeSet;

use super::{Class, Fleet, Limit, Offering, Service, Zone};
use crate::problem::{CurrentNode, Issue, ProblemFile, Relaxation, Resources};

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
    let commitments = limits::commitments(&problem, &offerings);
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

    /// Nodes that exist.
    fn current_nodes(&self) -> impl Iterator<Item = &'a CurrentNode> {
        let current = self.problem.current.iter();
        current.flat_map(|current| &current.nodes)
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
