//! More nodes, until the stock scheduler places every pod in every order tried.

use std::collections::BTreeMap;

use super::arrival::Pod;
use super::nodes::Nodes;
use super::{ORDERS, Outcome, Queue};
use crate::cost::{self, cost};
use crate::feasibility::is_feasible;
use crate::fleet::Fleet;
use crate::limits::Meter;
use crate::placement::{Group, Placement};

/// Additions in a row that may leave as many pods pending as before: nodes can move the shortage elsewhere, as a full zone does.
const STALLS: u32 = 8;

/// How often what is added is doubled in such a row.
const MOST_DOUBLINGS: u32 = 4;

/// Share of the seconds left in which nodes that turn out to be unnecessary are given back.
const SHRINKING: f64 = 0.3;

/// Adds nodes until no order leaves a pod pending.
///
/// The placement, feasible by [`crate::feasibility::violations`], keeps its replicas; added nodes may be empty in the result, for the
/// scheduler alone fills them. Where the scheduler's own arrangement of the pods is feasible and no costlier, it is
/// taken instead. `None` when the limits (pools, available nodes, caps, budget) do not allow enough nodes, or the meter ends it before
/// there are enough; where it ends later, some nodes may be more than needed.
pub fn make_schedulable(fleet: &Fleet, placement: &Placement, meter: &Meter) -> Option<Placement> {
    let placement = placement.clone().normalized();
    let replays = Replays { fleet, meter };
    if replays.all_pass(&placement)? {
        return Some(placement);
    }
    let limit = cost(fleet, &placement).total_usd_per_hour;
    if let Some(rearranged) = replays.rearranged(&placement, limit) {
        return Some(rearranged);
    }
    let grown = replays.grow(placement.clone())?;
    let part = meter.stage(SHRINKING);
    let grown = Replays {
        fleet,
        meter: &part,
    }
    .shrink(&placement, grown);
    drop(part);
    let limit = cost(fleet, &grown).total_usd_per_hour;
    Some(replays.rearranged(&grown, limit).unwrap_or(grown))
}

/// Replays of the scheduler against a meter.
struct Replays<'a> {
    fleet: &'a Fleet,
    meter: &'a Meter<'a>,
}

impl<'a> Replays<'a> {
    /// Whether every order leaves no pod pending; `None` when that could not be seen to its end.
    fn all_pass(&self, placement: &Placement) -> Option<bool> {
        let queue = Queue::new(self.fleet, placement);
        for seed in 0..ORDERS {
            if !self.outcome(&queue, seed)?.pending.is_empty() {
                return Some(false);
            }
        }
        Some(true)
    }

    /// The end of one replay; `None` when the meter has run out.
    fn outcome(&self, queue: &Queue<'a>, seed: u64) -> Option<Outcome<'a>> {
        if !self.meter.goes_on() {
            return None;
        }
        self.meter.spend(queue.work());
        Some(queue.run(seed))
    }

    /// The cheapest schedulable arrangement that the scheduler itself made of these nodes, feasible and at most as costly as `limit`.
    fn rearranged(&self, placement: &Placement, limit: f64) -> Option<Placement> {
        let fleet = self.fleet;
        if placement
            .groups
            .iter()
            .all(|group| !fleet.classes[group.class].is_existing())
        {
            // Nothing stays anywhere, so the arrangement has no influence on the replay.
            return None;
        }
        let queue = Queue::new(fleet, placement);
        let mut candidates = Vec::new();
        for seed in 0..ORDERS {
            let outcome = self.outcome(&queue, seed)?;
            if !outcome.pending.is_empty() {
                continue;
            }
            let arranged = outcome.nodes.placement();
            let usd_per_hour = cost(fleet, &arranged).total_usd_per_hour;
            let is_known = candidates.iter().any(|(_, other)| *other == arranged);
            if !is_known && usd_per_hour <= limit && is_feasible(fleet, &arranged) {
                candidates.push((usd_per_hour, arranged));
            }
        }
        candidates.sort_by(|a, b| a.0.total_cmp(&b.0));
        candidates
            .into_iter()
            .map(|(_, arranged)| arranged)
            .find(|arranged| self.all_pass(arranged) == Some(true))
    }

    /// Adds nodes order by order, until all of them pass one after another.
    fn grow(&self, mut placement: Placement) -> Option<Placement> {
        let (mut passed, mut stalls) = (0, 0);
        let mut queue = Queue::new(self.fleet, &placement);
        for seed in (0..ORDERS).cycle() {
            let mut fewest = usize::MAX;
            loop {
                let Outcome { pending, nodes } = self.outcome(&queue, seed)?;
                if pending.is_empty() {
                    break;
                }
                stalls = if pending.len() < fewest {
                    0
                } else {
                    stalls + 1
                };
                if stalls > STALLS {
                    return None;
                }
                fewest = fewest.min(pending.len());
                passed = 0;
                // What is added may be taken by other pods than those it was added for.
                for _ in 0..1_u32 << stalls.min(MOST_DOUBLINGS) {
                    placement = self.provisioned(placement, &nodes, &pending)?;
                }
                queue = Queue::new(self.fleet, &placement);
            }
            passed += 1;
            if passed >= ORDERS {
                break;
            }
        }
        Some(placement)
    }

    /// Adds nodes that would take all pending pods, at least cost a pod; `None` where the limits allow none that takes any.
    fn provisioned(
        &self,
        placement: Placement,
        nodes: &Nodes<'_>,
        pending: &[Pod],
    ) -> Option<Placement> {
        let mut waiting = BTreeMap::new();
        for pod in pending {
            *waiting.entry(*pod).or_insert(0) += 1;
        }
        let mut waiting: Vec<(Pod, u32)> = waiting.into_iter().collect();
        let (mut larger, mut added) = (placement, false);
        while !waiting.is_empty() && self.meter.goes_on() {
            let needs = ranked(self.fleet, &larger, nodes, &waiting);
            let next = needs.into_iter().find_map(|need| {
                let (larger, count) = with_empties(self.fleet, &larger, &need)?;
                Some((larger, count, need.taken))
            });
            let Some((next, count, taken)) = next else {
                break;
            };
            (larger, added) = (next, true);
            for (at, pods) in taken {
                waiting[at].1 -= count * pods;
            }
            waiting.retain(|(_, pods)| *pods > 0);
        }
        added.then_some(larger)
    }

    /// Gives back added nodes that turned out to be unnecessary, dearest first.
    fn shrink(&self, planned: &Placement, mut grown: Placement) -> Placement {
        let fleet = self.fleet;
        let mut added: Vec<(usize, u32)> = Vec::new();
        let before = empty_nodes(planned);
        for (class, count) in empty_nodes(&grown) {
            added.push((
                class,
                count.saturating_sub(before.get(&class).copied().unwrap_or(0)),
            ));
        }
        added.sort_by(|a, b| {
            fleet
                .offering_of(b.0)
                .usd_per_hour
                .total_cmp(&fleet.offering_of(a.0).usd_per_hour)
        });
        for (class, count) in added {
            let (mut left, mut chunk) = (count, count);
            while chunk > 0 {
                match self.without_empty(&grown, class, chunk) {
                    Some(smaller) => (grown, left) = (smaller, left - chunk),
                    None => chunk /= 2,
                }
                chunk = chunk.min(left);
            }
        }
        grown
    }

    /// The placement without some of the empty nodes of a class, if it stays feasible and schedulable.
    fn without_empty(&self, placement: &Placement, class: usize, count: u32) -> Option<Placement> {
        let mut smaller = placement.clone();
        let is_empty =
            |group: &&mut Group| group.class == class && group.pods.iter().all(|pods| *pods == 0);
        let empty = smaller.groups.iter_mut().find(is_empty)?;
        empty.count = empty.count.checked_sub(count)?;
        let smaller = smaller.normalized();
        let fits = is_feasible(self.fleet, &smaller) && self.all_pass(&smaller) == Some(true);
        fits.then_some(smaller)
    }
}

/// A class whose empty nodes could take pending pods.
struct Need {
    class: usize,
    usd_per_pod: f64,
    /// What one node takes of each kind of pods, by its place among those that wait.
    taken: Vec<(usize, u32)>,
    /// Nodes that could be filled alike.
    nodes: u32,
}

/// Classes that take pending pods, least cost a pod first; whether limits allow one more node is not looked at.
fn ranked(
    fleet: &Fleet,
    placement: &Placement,
    on: &Nodes<'_>,
    waiting: &[(Pod, u32)],
) -> Vec<Need> {
    let mut nodes = placement.nodes(fleet);
    let before = cost::nodes(fleet, &nodes);
    let mut needs = Vec::new();
    for (class, data) in fleet.classes.iter().enumerate() {
        let taken = on.taken(class, waiting);
        let alike = taken.iter().map(|(at, pods)| waiting[*at].1 / pods).min();
        let Some(alike) = alike else { continue };
        nodes[data.offering] += 1;
        let usd_per_hour = cost::nodes(fleet, &nodes) - before + cost::startup(fleet, class);
        nodes[data.offering] -= 1;
        let pods: u32 = taken.iter().map(|(_, pods)| pods).sum();
        needs.push(Need {
            class,
            usd_per_pod: usd_per_hour / f64::from(pods),
            taken,
            nodes: alike,
        });
    }
    needs.sort_by(|a, b| a.usd_per_pod.total_cmp(&b.usd_per_pod));
    needs
}

/// The placement with as many empty nodes of a class as could be filled alike, or half as many until that is feasible; and how many.
fn with_empties(fleet: &Fleet, placement: &Placement, need: &Need) -> Option<(Placement, u32)> {
    let halves = std::iter::successors(Some(need.nodes), |count| Some(count / 2));
    halves.take_while(|count| *count > 0).find_map(|count| {
        let mut larger = placement.clone();
        larger.groups.push(Group {
            class: need.class,
            count,
            pods: vec![0; fleet.services.len()],
        });
        is_feasible(fleet, &larger).then(|| (larger.normalized(), count))
    })
}

/// Empty nodes by class.
fn empty_nodes(placement: &Placement) -> BTreeMap<usize, u32> {
    let mut nodes = BTreeMap::new();
    for group in placement
        .groups
        .iter()
        .filter(|group| group.pods.iter().all(|pods| *pods == 0))
    {
        *nodes.entry(group.class).or_insert(0) += group.count;
    }
    nodes
}
