//! Cluster Autoscaler: pending pods are packed onto new nodes of each node group in turn, the expander chooses a group, and nodes
//! that are at most half used go when their pods fit elsewhere. It never replaces a node by a cheaper one.
//!
//! From kubernetes/autoscaler, release branch cluster-autoscaler-release-1.37 of 2026-07-30:
//! `cluster-autoscaler/core/scaleup/orchestrator/orchestrator.go`, `estimator/binpacking_estimator.go`,
//! `estimator/decreasing_pod_orderer.go`, `core/scaledown/eligibility/eligibility.go`, `core/scaledown/planner/planner.go`,
//! `simulator/utilization/info.go`. An offering is a node group, so a group has one zone. Delays, cool-downs and limits on how many
//! nodes go at a time decide when and not what, and are left out; similar groups are not balanced (`--balance-similar-node-groups`
//! is off by default).

use super::builder::{Area, Batch, Builder, CPU, Load, MEMORY};
use super::expander::{Expander, Offer, Size};
use crate::limits::Meter;

/// Most nodes added at once (`--max-nodes-per-scaleup`).
const MOST_NODES: u32 = 1000;
/// Use of a node at or below which it may go (`--scale-down-utilization-threshold`).
const UNDERUSED: f64 = 0.5;
/// Node checks in a unit of work.
const CHECKS: usize = 200;
/// The extended resource of GPUs that is priced.
const GPU: &str = "nvidia.com/gpu";

/// Scales every cluster up for its pending pods, of which those that fit nowhere stay, and down.
pub(super) fn run(builder: &mut Builder, pending: &mut [Batch], expander: Expander, meter: &Meter) {
    for cluster in 0..builder.fleet.problem.clusters.len() {
        let here = |batch: &&mut Batch| batch.area == Area::Cluster(cluster) && batch.count > 0;
        let mut pending: Vec<&mut Batch> = pending.iter_mut().filter(here).collect();
        while let Some(expansion) = best(builder, cluster, &pending, expander) {
            expansion.carry_out(builder, &mut pending);
            schedule(builder, &mut pending);
        }
        scale_down(builder, cluster, meter);
    }
}

/// The scheduler's turn: what the new nodes have let in, such as pods that waited for another zone.
fn schedule(builder: &mut Builder, pending: &mut Vec<&mut Batch>) {
    for batch in pending.iter_mut() {
        batch.count -= builder.first_fit(**batch);
    }
    pending.retain(|batch| batch.count > 0);
}

/// New nodes of one group with the pods that go there.
struct Expansion {
    class: usize,
    bins: Vec<Bin>,
    /// Pods of each pending batch that find room.
    placed: Vec<u32>,
}

/// Equal new nodes.
struct Bin {
    count: u32,
    load: Load,
}

/// The group that the expander chooses.
fn best(
    builder: &Builder,
    cluster: usize,
    pending: &[&mut Batch],
    expander: Expander,
) -> Option<Expansion> {
    let offerings = builder.fleet.offerings.iter().enumerate();
    let groups = offerings.filter(|(_, offering)| offering.cluster == cluster);
    let nodes = builder.nodes(cluster).count();
    let mut best: Option<(f64, Expansion)> = None;
    for (class, _) in groups {
        let expansion = Expansion::estimate(builder, class, pending);
        if expansion.bins.is_empty() {
            continue;
        }
        let score = expander.score(&expansion.offer(builder, pending, nodes));
        if (best.as_ref()).is_none_or(|(least, _)| score.total_cmp(least).is_lt()) {
            best = Some((score, expansion));
        }
    }
    best.map(|(_, expansion)| expansion)
}

impl Expansion {
    /// First-fit decreasing of the pending pods onto new nodes of a group.
    fn estimate(builder: &Builder, class: usize, pending: &[&mut Batch]) -> Self {
        let mut expansion = Self {
            class,
            bins: Vec::new(),
            placed: vec![0; pending.len()],
        };
        let most = builder.affordable(class).min(MOST_NODES);
        if most > 0 {
            for index in by_size(builder, class, pending) {
                expansion.place(builder, index, pending[index], most);
            }
        }
        expansion
    }

    fn place(&mut self, builder: &Builder, index: usize, batch: &Batch, most: u32) {
        let zone = builder.fleet.offering_of(self.class).zone;
        let s = batch.service;
        let wanted = batch.count.min(builder.skew_room(s, zone));
        let mut left = wanted;
        let bins = std::mem::take(&mut self.bins);
        for bin in bins {
            left = self.fill(builder, bin, s, left);
        }
        let nodes: u32 = self.bins.iter().map(|bin| bin.count).sum();
        if left > 0 && nodes < most {
            let new = Bin {
                count: most - nodes,
                load: builder.empty(),
            };
            left = self.fill(builder, new, s, left);
            self.bins.retain(|bin| !bin.load.pods.is_empty());
        }
        self.placed[index] = wanted - left;
    }

    /// Puts pods onto equal nodes, one node after the other, and tells how many are left.
    fn fill(&mut self, builder: &Builder, mut bin: Bin, s: usize, left: u32) -> u32 {
        let fits = builder.fits(self.class, &bin.load, s);
        if left == 0 || fits == 0 {
            self.bins.push(bin);
            return left;
        }
        let full = (left / fits).min(bin.count);
        let part = if full < bin.count { left % fits } else { 0 };
        for (count, pods) in [(full, fits), (u32::from(part > 0), part)] {
            if count > 0 {
                let mut load = bin.load.clone();
                builder.load(&mut load, s, pods);
                self.bins.push(Bin { count, load });
                bin.count -= count;
            }
        }
        if bin.count > 0 {
            self.bins.push(bin);
        }
        left - full * fits - part
    }

    /// What the expander looks at.
    fn offer(&self, builder: &Builder, pending: &[&mut Batch], cluster_nodes: usize) -> Offer {
        let offering = builder.fleet.offering_of(self.class);
        let mut pods = vec![0; offering.allocatable.len()];
        for (batch, count) in pending.iter().zip(&self.placed) {
            let sizes = pods.iter_mut().zip(builder.size(batch.service));
            sizes.for_each(|(sum, size)| *sum += size * u64::from(*count));
        }
        Offer {
            nodes: self.bins.iter().map(|bin| bin.count).sum(),
            node: priced(builder, &offering.allocatable),
            usd_per_hour: offering.usd_per_hour,
            pods: priced(builder, &pods),
            cluster_nodes,
        }
    }

    fn carry_out(self, builder: &mut Builder, pending: &mut [&mut Batch]) {
        for bin in &self.bins {
            for _ in 0..bin.count {
                let node = builder.buy(self.class);
                for (s, count) in &bin.load.pods {
                    builder.put(node, *s, *count);
                }
            }
        }
        let placed = pending.iter_mut().zip(self.placed);
        placed.for_each(|(batch, count)| batch.count -= count);
    }
}

/// Pending batches by falling share of the group's node: of CPU, plus of memory.
#[allow(clippy::cast_precision_loss)]
fn by_size(builder: &Builder, class: usize, pending: &[&mut Batch]) -> Vec<usize> {
    let node = &builder.fleet.offering_of(class).allocatable;
    let share = |k: usize, size: &[u64]| size[k] as f64 / node[k].max(1) as f64;
    let score = |batch: &&mut Batch| {
        let size = builder.size(batch.service);
        share(CPU, size) + share(MEMORY, size)
    };
    let scores: Vec<f64> = pending.iter().map(score).collect();
    let fits = |index: &usize| builder.fleet.classes[class].most[pending[*index].service] > 0;
    let mut order: Vec<usize> = (0..pending.len()).filter(fits).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    order
}

#[allow(clippy::cast_precision_loss)]
fn priced(builder: &Builder, amounts: &[u64]) -> Size {
    let gpu = gpu(builder);
    Size {
        cores: amounts[CPU] as f64 / 1e3,
        gib: amounts[MEMORY] as f64 / f64::from(1 << 30),
        gpus: gpu.map_or(0.0, |gpu| amounts[gpu] as f64),
    }
}

/// Position of GPUs in resource vectors, when some pod requests them.
fn gpu(builder: &Builder) -> Option<usize> {
    let mut resources = builder.fleet.resources.iter();
    resources.position(|resource| resource == GPU)
}

/// Removes underused nodes whose pods fit elsewhere, in order, until none is left that can go.
fn scale_down(builder: &mut Builder, cluster: usize, meter: &Meter) {
    builder.drop_empty();
    let order = builder.by_size();
    let mut changed = true;
    while changed {
        changed = false;
        let nodes: Vec<usize> = builder.nodes(cluster).collect();
        for node in &nodes {
            if !meter.goes_on() {
                return;
            }
            if builder.is_movable(*node) && use_of(builder, *node) <= UNDERUSED {
                let services = builder.load_of(*node).pods.len();
                meter.spend((1 + services * nodes.len() / CHECKS) as u64);
                changed |= remove(builder, cluster, *node, &order);
            }
        }
    }
}

/// The larger share of its allocatable CPU and memory that is requested on a node, daemonsets and foreign pods among it; of a node
/// with GPUs, the share of these.
#[allow(clippy::cast_precision_loss)]
fn use_of(builder: &Builder, node: usize) -> f64 {
    let class = &builder.fleet.classes[builder.class(node)];
    let allocatable = &builder.fleet.offerings[class.offering].allocatable;
    let taken = &builder.load_of(node).taken;
    let share = |k: usize| {
        let used = allocatable[k].saturating_sub(class.capacity[k]) + taken[k];
        used as f64 / allocatable[k].max(1) as f64
    };
    match gpu(builder).filter(|gpu| allocatable[*gpu] > 0) {
        Some(gpu) => share(gpu),
        None => share(CPU).max(share(MEMORY)),
    }
}

/// Removes a node when limits allow it and its pods fit elsewhere in the cluster.
fn remove(builder: &mut Builder, cluster: usize, node: usize, order: &[usize]) -> bool {
    builder.mark();
    let pods = builder.load_of(node).pods.clone();
    builder.remove(node);
    let area = Area::Cluster(cluster);
    let mut services = order.iter().filter(|s| pods.contains_key(s));
    let fits = builder.keeps_lower_limits(None)
        && services.all(|s| {
            let (service, count) = (*s, pods[s]);
            let batch = Batch {
                service,
                area,
                count,
            };
            builder.first_fit(batch) == count
        });
    if !fits {
        builder.undo();
    }
    fits
}

#[cfg(test)]
mod tests;
