//! Karpenter: pending pods are packed onto claims, each launched as the cheapest offering that holds its pods; then nodes are
//! deleted, and any number of them replaced by a cheaper one.
//!
//! From kubernetes-sigs/karpenter, release v1.9.1 of 2026-06-25: `pkg/controllers/provisioning/scheduling/queue.go` and
//! `scheduler.go` for packing, `nodeclaim.go` and `topologygroup.go` for what a claim takes, `pkg/controllers/disruption/` with
//! `emptiness.go`, `multinodeconsolidation.go`, `singlenodeconsolidation.go` and `consolidation.go`, `pkg/utils/disruption` for the
//! order of candidates. Feature gates are at their defaults, so a spot node is deleted but not replaced by a spot node.
//!
//! What is simpler here. The pools of a cluster are one `NodePool`, for the file knows no weights. The price of an offering is what
//! its launch costs. Budgets, cool-downs and timeouts decide when and not what: a pass over single nodes goes on behind a node that
//! was consolidated, and nodes that several can replace are looked for again after the pass.

use std::collections::BTreeMap;

use super::builder::{Area, Batch, Builder, CPU, MEMORY};
use super::claim::Claim;
use crate::limits::Meter;
use crate::problem::CapacityType;

/// Most nodes consolidated at once, less one, as upstream counts them.
const MOST_TOGETHER: usize = 100;
/// Node checks in a unit of work.
const CHECKS: usize = 200;

/// Launches nodes for the pending pods of every cluster, of which those that fit nowhere stay, and consolidates.
pub(super) fn run(builder: &mut Builder, pending: &mut [Batch], meter: &Meter) {
    for cluster in 0..builder.fleet.problem.clusters.len() {
        let area = Area::Cluster(cluster);
        let here = pending.iter_mut().filter(|batch| batch.area == area);
        let mut here: Vec<&mut Batch> = here.collect();
        let batches = here.iter().map(|batch| **batch).collect();
        let left = provision(builder, cluster, batches);
        for batch in &mut here {
            let left = left.iter().filter(|other| other.service == batch.service);
            batch.count = left.map(|other| other.count).sum();
        }
        consolidate(builder, cluster, meter);
    }
}

/// Launches nodes for pods and tells which are left. A claim that limits refuse gives its pods back to the next round.
fn provision(builder: &mut Builder, cluster: usize, mut pending: Vec<Batch>) -> Vec<Batch> {
    loop {
        let before: u32 = pending.iter().map(|batch| batch.count).sum();
        sort(builder, &mut pending);
        let mut claims: Vec<Claim> = Vec::new();
        for batch in &mut pending {
            batch.count -= place(builder, cluster, &mut claims, *batch);
        }
        for mut claim in claims {
            claim.close(builder);
            let cheapest = cheapest(builder, claim.offerings(), f64::INFINITY);
            match cheapest.filter(|offering| builder.affordable(*offering) > 0) {
                Some(offering) => claim.launch(builder, offering),
                None => pending.extend(claim.batches(cluster)),
            }
        }
        let left: u32 = pending.iter().map(|batch| batch.count).sum();
        if left == 0 || left >= before {
            return pending;
        }
    }
}

/// By falling CPU, then memory.
fn sort(builder: &Builder, batches: &mut [Batch]) {
    let key = |batch: &Batch| {
        let size = builder.size(batch.service);
        (size[CPU], size[MEMORY])
    };
    batches.sort_by_key(|batch| std::cmp::Reverse(key(batch)));
}

/// Places pods on nodes, then on claims, new ones where none takes them, and tells how many.
fn place(builder: &mut Builder, cluster: usize, claims: &mut Vec<Claim>, batch: Batch) -> u32 {
    let mut left = batch.count;
    while left > 0 {
        let count = left;
        left -= builder.first_fit(Batch { count, ..batch });
        let added = add(builder, cluster, claims, batch.service, left);
        if added == 0 {
            break;
        }
        left -= added;
    }
    batch.count - left
}

/// Adds pods to the claim with the fewest that takes one, or to a new claim, and tells how many: of pods that are not spread as many
/// as come to the claims there are, or to the new one.
fn add(
    builder: &mut Builder,
    cluster: usize,
    claims: &mut Vec<Claim>,
    s: usize,
    count: u32,
) -> u32 {
    if count == 0 {
        return 0;
    }
    if builder.is_spread(s) {
        let mut order: Vec<usize> = (0..claims.len()).collect();
        order.sort_by_key(|index| claims[*index].pods());
        if (order.into_iter()).any(|index| claims[index].add(builder, s, 1) > 0) {
            return 1;
        }
    } else {
        let shares = shares(builder, claims, s, count);
        for (claim, share) in claims.iter_mut().zip(&shares) {
            claim.add(builder, s, *share);
        }
        let added = shares.iter().sum();
        if added > 0 {
            return added;
        }
    }
    let mut claim = Claim::new(builder, cluster);
    let added = claim.add(builder, s, count);
    claims.extend((added > 0).then_some(claim));
    added
}

/// How many pods each claim gets when each pod goes to the claim that has fewest and takes it.
fn shares(builder: &Builder, claims: &[Claim], s: usize, count: u32) -> Vec<u32> {
    let rooms: Vec<u32> = claims.iter().map(|c| c.room(builder, s)).collect();
    let pods: Vec<u32> = claims.iter().map(Claim::pods).collect();
    let mut shares = vec![0; claims.len()];
    for _ in 0..count {
        let open = (0..claims.len()).filter(|i| shares[*i] < rooms[*i]);
        let Some(next) = open.min_by_key(|i| pods[*i] + shares[*i]) else {
            break;
        };
        shares[next] += 1;
    }
    shares
}

/// The cheapest of the offerings below a price; the first of equals.
fn cheapest(builder: &Builder, offerings: &[usize], below: f64) -> Option<usize> {
    let price = |offering: &usize| builder.fleet.offerings[*offering].usd_per_hour;
    let affordable = |o: &&usize| price(o) < below && builder.affordable(**o) > 0;
    let offerings = offerings.iter().filter(affordable);
    offerings
        .min_by(|a, b| price(a).total_cmp(&price(b)))
        .copied()
}

/// Consolidates a cluster until nothing is left to gain.
fn consolidate(builder: &mut Builder, cluster: usize, meter: &Meter) {
    loop {
        builder.drop_empty();
        while several(builder, cluster, meter) {}
        if !singles(builder, cluster, meter) {
            break;
        }
    }
}

/// Replaces the first nodes in order of disruption, as many as a binary search finds, by none or one.
fn several(builder: &mut Builder, cluster: usize, meter: &Meter) -> bool {
    let candidates = candidates(builder, cluster);
    if candidates.len() < 2 {
        return false;
    }
    let (mut low, mut high) = (1, MOST_TOGETHER.min(candidates.len() - 1));
    let mut most = None;
    while low <= high {
        let middle = usize::midpoint(low, high);
        if !meter.goes_on() {
            return false;
        }
        if Move::find(builder, cluster, &candidates[..=middle], meter).is_some() {
            builder.undo();
            most = Some(middle);
            low = middle + 1;
        } else {
            high = middle - 1;
        }
    }
    let found = most.and_then(|most| Move::find(builder, cluster, &candidates[..=most], meter));
    found.map(|found| found.carry_out(builder)).is_some()
}

/// Deletes or replaces nodes one by one, in order of disruption; tells whether there was one.
fn singles(builder: &mut Builder, cluster: usize, meter: &Meter) -> bool {
    let mut changed = false;
    for node in candidates(builder, cluster) {
        if !meter.goes_on() {
            return false;
        }
        if let Some(found) = Move::find(builder, cluster, &[node], meter) {
            found.carry_out(builder);
            changed = true;
        }
    }
    changed
}

/// Nodes that may be disrupted, those with the fewest pods first.
fn candidates(builder: &Builder, cluster: usize) -> Vec<usize> {
    let nodes = builder.nodes(cluster);
    let mut nodes: Vec<usize> = nodes.filter(|node| builder.is_movable(*node)).collect();
    nodes.retain(|node| !builder.load_of(*node).pods.is_empty());
    nodes.sort_by_key(|node| builder.load_of(*node).pods.values().sum::<u32>());
    nodes
}

/// What comes in place of nodes whose other pods have found room.
struct Move {
    replacement: Option<(usize, Claim)>,
}

impl Move {
    /// Removes the nodes and moves their pods, onto other nodes and at most one claim that is launched for less than the nodes cost;
    /// where that does not succeed, nothing has changed.
    fn find(builder: &mut Builder, cluster: usize, nodes: &[usize], meter: &Meter) -> Option<Self> {
        builder.mark();
        let pods = pods_of(builder, cluster, nodes);
        meter.spend((1 + pods.len() * builder.nodes(cluster).count() / CHECKS) as u64);
        nodes.iter().for_each(|node| builder.remove(*node));
        let found = Self::place(builder, cluster, nodes, pods);
        if found.is_none() {
            builder.undo();
        }
        found
    }

    fn place(
        builder: &mut Builder,
        cluster: usize,
        nodes: &[usize],
        pods: Vec<Batch>,
    ) -> Option<Self> {
        let mut claim = None;
        let mut pods = pods.into_iter();
        let complete = pods.all(|batch| moved(builder, cluster, &mut claim, batch));
        claim.iter_mut().for_each(|claim| claim.close(builder));
        if !complete {
            return None;
        }
        let replacement = match claim {
            Some(claim) => Some((replacement(builder, nodes, &claim)?, claim)),
            None => None,
        };
        let added = replacement.as_ref().map(|(offering, _)| *offering);
        (builder.keeps_lower_limits(added)).then_some(Self { replacement })
    }

    fn carry_out(self, builder: &mut Builder) {
        if let Some((offering, claim)) = self.replacement {
            claim.launch(builder, offering);
        }
    }
}

/// All pods of the nodes, in the order of the queue.
fn pods_of(builder: &Builder, cluster: usize, nodes: &[usize]) -> Vec<Batch> {
    let mut sums = BTreeMap::new();
    for node in nodes {
        for (s, count) in &builder.load_of(*node).pods {
            *sums.entry(*s).or_insert(0) += count;
        }
    }
    let area = Area::Cluster(cluster);
    let batch = |(service, count)| Batch {
        service,
        area,
        count,
    };
    let mut pods: Vec<Batch> = sums.into_iter().map(batch).collect();
    sort(builder, &mut pods);
    pods
}

/// Moves pods onto nodes, the rest onto the one claim; false when it does not take them all.
fn moved(builder: &mut Builder, cluster: usize, claim: &mut Option<Claim>, batch: Batch) -> bool {
    let mut left = batch.count;
    loop {
        let count = left;
        left -= builder.first_fit(Batch { count, ..batch });
        if left == 0 {
            return true;
        }
        let claim = claim.get_or_insert_with(|| Claim::new(builder, cluster));
        let added = claim.add(builder, batch.service, left);
        if added == 0 {
            return false;
        }
        left -= added;
    }
}

/// The offering that a claim is launched as in place of nodes; none when it is not cheaper than these.
fn replacement(builder: &Builder, nodes: &[usize], claim: &Claim) -> Option<usize> {
    let offering = |node: &usize| builder.fleet.offering_of(builder.class(*node));
    let is_spot = |o: &usize| builder.fleet.offerings[*o].capacity_type == CapacityType::Spot;
    let spot: Vec<usize> = claim.offerings().iter().copied().filter(is_spot).collect();
    let all_spot = (nodes.iter()).all(|node| offering(node).capacity_type == CapacityType::Spot);
    if all_spot && !spot.is_empty() {
        return None;
    }
    let price: f64 = nodes.iter().map(|node| offering(node).usd_per_hour).sum();
    // A claim that may be spot must not end up as a dearer node on demand.
    let offerings = if spot.is_empty() {
        claim.offerings()
    } else {
        &spot
    };
    let below = if nodes.len() > 1 {
        price.min(same_type(builder, nodes, offerings, price))
    } else {
        price
    };
    cheapest(builder, offerings, below)
}

/// Among several nodes, the price of the cheapest whose type could replace them all: then the others would better just be deleted,
/// so a replacement has to be cheaper than that.
fn same_type(builder: &Builder, nodes: &[usize], offerings: &[usize], price: f64) -> f64 {
    let fleet = builder.fleet;
    let instance_type = |o: usize| fleet.offerings[o].name.split('/').next();
    let cheap = |o: &&usize| fleet.offerings[**o].usd_per_hour < price;
    let types: Vec<_> = (offerings.iter().filter(cheap))
        .map(|o| instance_type(*o))
        .collect();
    let offering = |node: &usize| fleet.classes[builder.class(*node)].offering;
    let same = nodes.iter().map(offering);
    let same = same.filter(|o| types.contains(&instance_type(*o)));
    same.map(|o| fleet.offerings[o].usd_per_hour)
        .fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests;
