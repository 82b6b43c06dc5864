//! The stock controllers: an HPA a service and cluster, and a node autoscaler, over the world.
//!
//! Every fifteen seconds each HPA reads the use of its ready pods. Where replicas change, the scheduler puts missing pods onto the first
//! nodes with room, and the node autoscaler orders nodes for what is pending, the cheapest that take it, spot among them, and
//! consolidates. It meets the rules that the scheduler knows: requests, selectors, taints, architectures, anti-affinity, pods a node,
//! skew, and the limits of pools; spot shares, failures to survive and budgets it does not.
//!
//! Karpenter consolidates whenever something has changed, without waiting and without a budget for disruption. Cluster Autoscaler gives
//! a node back that was unneeded for ten minutes (`--scale-down-unneeded-time`).

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use super::ReplayError;
use super::world::World;
use crate::baseline::{Tool, at_replicas, hpa};
use crate::fleet::{Fleet, compile};
use crate::limits::{Limits, Meter};
use crate::plan::{NodeGroup, rows};
use crate::problem::ProblemFile;

/// Seconds between two readings (`--horizontal-pod-autoscaler-sync-period`).
pub(super) const PERIOD_SECONDS: f64 = 15.0;

/// Seconds for which Cluster Autoscaler must find a node unneeded (`--scale-down-unneeded-time`).
const UNNEEDED_SECONDS: f64 = 600.0;

/// HPAs of one target with a node autoscaler.
pub(super) struct Stock {
    tool: Tool,
    autoscalers: Vec<Autoscaler>,
    /// Since when a node is unneeded, by name; Cluster Autoscaler's only.
    unneeded: BTreeMap<String, f64>,
    /// Whether something has changed since the node autoscaler last found nothing to do.
    is_restless: bool,
}

/// The HPA of a service in a cluster.
struct Autoscaler {
    service: usize,
    cluster: usize,
    request_mcores: u64,
    settings: hpa::Settings,
    state: hpa::State,
}

impl Stock {
    /// HPAs for every service with a load model; the others keep their replicas.
    pub(super) fn new(fleet: &Fleet, target_percent: u32, tool: Tool) -> Self {
        let mut autoscalers = Vec::new();
        for (service, source) in fleet.services.iter().enumerate() {
            let sized = &fleet.problem.services[service];
            if sized.load.is_none() || sized.capacity.is_none() {
                continue;
            }
            for bounds in source.clusters.iter().filter(|bounds| bounds.max > 0) {
                // An HPA that may go down to 0 needs a feature that is off by default.
                let min = bounds.min.max(1);
                autoscalers.push(Autoscaler {
                    service,
                    cluster: bounds.cluster,
                    request_mcores: source.request.first().copied().unwrap_or(0),
                    settings: hpa::Settings::new(min, bounds.max.max(min), target_percent),
                    state: hpa::State::default(),
                });
            }
        }
        Self {
            tool,
            autoscalers,
            unneeded: BTreeMap::new(),
            is_restless: true,
        }
    }

    /// One reading of every HPA, and the node autoscaler's turn where there is something for it to do.
    pub(super) fn act(&mut self, world: &mut World) -> Result<(), ReplayError> {
        let wanted = self.wanted(world);
        let changed = wanted != world.wanted;
        if changed || self.is_restless || world.pending() > 0 {
            self.scale_nodes(world, wanted)?;
        }
        Ok(())
    }

    /// Replicas that the HPAs ask for, by service and cluster.
    fn wanted(&mut self, world: &World) -> Vec<Vec<u32>> {
        let ready = world.ready_by_cluster();
        let mut wanted = world.wanted.clone();
        for autoscaler in &mut self.autoscalers {
            let Autoscaler {
                service, cluster, ..
            } = *autoscaler;
            let replicas = &mut wanted[service][cluster];
            *replicas = autoscaler.desired(world, *replicas, &ready[service]);
        }
        wanted
    }

    fn scale_nodes(&mut self, world: &mut World, wanted: Vec<Vec<u32>>) -> Result<(), ReplayError> {
        let fleet = compile(stripped(world), &[]).map_err(ReplayError::Problem)?;
        let mut groups = self.groups(&fleet, &wanted);
        if self.tool != Tool::Karpenter {
            let fleet = self.only_unneeded(fleet, &groups, world.now_seconds);
            groups = self.groups(&fleet, &wanted);
        }
        let before = (world.wanted == wanted).then(|| (world.placed(), world.tally.node_changes));
        world.carry_out(&groups, wanted);
        let after = (world.placed(), world.tally.node_changes);
        self.is_restless = before != Some(after) || !self.unneeded.is_empty();
        Ok(())
    }

    /// What the tool makes of the nodes with these replicas.
    fn groups(&self, fleet: &Fleet, wanted: &[Vec<u32>]) -> Vec<NodeGroup> {
        let stop = AtomicBool::new(false);
        let limits = Limits::new(&stop, None);
        let stock = at_replicas(fleet, wanted, self.tool, &Meter::new(limits));
        rows::node_groups(fleet, &stock.placement)
    }

    /// The fleet with every node kept that Cluster Autoscaler would not give back, or not yet.
    fn only_unneeded(&mut self, fleet: Fleet, groups: &[NodeGroup], now_seconds: f64) -> Fleet {
        let kept: Vec<&String> = groups.iter().flat_map(|group| &group.names).collect();
        let names = fleet.classes.iter().flat_map(|class| &class.names);
        let gone = names.filter(|name| !kept.contains(name));
        let since = |name: &String| self.unneeded.get(name).copied().unwrap_or(now_seconds);
        let unneeded: BTreeMap<String, f64> =
            gone.map(|name| (name.clone(), since(name))).collect();
        let mut fleet = fleet;
        for class in &mut fleet.classes {
            let due = |name: &String| {
                let since = unneeded.get(name);
                since.is_some_and(|since| now_seconds - since >= UNNEEDED_SECONDS)
            };
            class.kept |= class.is_existing() && !class.names.iter().all(due);
        }
        self.unneeded = unneeded;
        fleet
    }
}

impl Autoscaler {
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a use is finite and not below 0, and the cast saturates"
    )]
    /// Replicas to have, of `current` of which `ready` by cluster serve.
    fn desired(&mut self, world: &World, current: u32, ready: &[u32]) -> u32 {
        let here = ready.get(self.cluster).copied().unwrap_or(0).min(current);
        let Some(use_mcores) = world.use_mcores(self.service, ready.iter().sum()) else {
            return current;
        };
        let reading = hpa::Reading {
            request_mcores: self.request_mcores,
            ready: here,
            use_mcores: (use_mcores * f64::from(here)).round() as u64,
            unready: current - here,
            missing: 0,
        };
        (self.state).desired(&self.settings, world.now_seconds, current, &reading)
    }
}

/// The world's problem as the stock tools know it: without loads, which the HPAs have turned into replicas already.
fn stripped(world: &World) -> ProblemFile {
    let mut problem = world.fleet.problem.clone();
    for (service, wanted) in problem.services.iter_mut().zip(&world.wanted) {
        service.load = None;
        service.slo = None;
        for (cluster, replicas) in world.fleet.problem.clusters.iter().zip(wanted) {
            if let Some(bounds) = service.clusters.get_mut(&cluster.name) {
                bounds.now = Some(*replicas);
            }
        }
    }
    problem.current = Some(crate::problem::Current {
        nodes: world.current_nodes(),
    });
    problem
}
