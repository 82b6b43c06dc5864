//! More nodes, until the stock scheduler places every pod in every order tried.

use std::collections::BTreeMap;

use super::arrival::Pod;
use super::nodes::{Nodes, schedulable};
use super::{ORDERS, Outcome, Queue};
use crate::cost::{self, cost};
use crate::feasibility::is_feasible;
use crate::fleet::Fleet;
use crate::limits::Meter;
use crate::parallel;
use crate::placement::{Group, Placement};
use crate::standing::Standing;

/// Additions in a row that may leave about as many pods pending as before: nodes can move the shortage elsewhere, as a full zone does, and
/// other pods can take them. What is added is doubled each time.
const STALLS: u32 = 8;

/// Share of the pods pending before that is about as many.
const ABOUT_AS_MANY: f64 = 0.75;

/// Orders replayed side by side once one has passed. It does not depend on the threads, for work must not.
const SIDE_BY_SIDE: u64 = 4;

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
        let mut passed = 0;
        while passed < ORDERS {
            let outcomes = self.outcomes(&queue, passed, passed)?;
            if outcomes.iter().any(|(_, end)| !end.pending.is_empty()) {
                return Some(false);
            }
            passed += outcomes.len() as u64;
        }
        Some(true)
    }

    /// The ends of the next replays when so many orders have passed, with their seeds: of a few at once, unless none has passed, for a
    /// placement that fails mostly does so in the first. `None` when the meter has run out.
    fn outcomes(
        &self,
        queue: &Queue<'a>,
        seed: u64,
        passed: u64,
    ) -> Option<Vec<(u64, Outcome<'a>)>> {
        if !self.meter.goes_on() {
            return None;
        }
        let count = if passed == 0 {
            1
        } else {
            SIDE_BY_SIDE.min(ORDERS - passed)
        };
        self.meter.spend(queue.work() * count);
        let seeds: Vec<u64> = (seed..seed + count).map(|seed| seed % ORDERS).collect();
        Some(parallel::map(&seeds, |seed| (*seed, queue.run(*seed))))
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
            if !self.meter.goes_on() {
                return None;
            }
            self.meter.spend(queue.work());
            let outcome = queue.run(seed);
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
        let (mut seed, mut passed, mut stalls) = (0, 0, 0);
        let mut fewest = f64::INFINITY;
        let mut queue = Queue::new(self.fleet, &placement);
        while passed < ORDERS {
            let outcomes = self.outcomes(&queue, seed, passed)?;
            let count = outcomes.len() as u64;
            let failed = outcomes
                .into_iter()
                .find(|(_, end)| !end.pending.is_empty());
            let Some((failed, Outcome { pending, nodes })) = failed else {
                (seed, passed) = (seed + count, passed + count);
                continue;
            };
            if failed != seed || passed > 0 {
                fewest = f64::INFINITY;
            }
            (seed, passed) = (failed, 0);
            let waiting = pending.len() as f64;
            stalls = if waiting < ABOUT_AS_MANY * fewest {
                0
            } else {
                stalls + 1
            };
            if stalls > STALLS {
                return None;
            }
            fewest = fewest.min(waiting);
            // What is added may be taken by other pods than those it was added for.
            placement = self.provisioned(placement, &nodes, &pending, 1 << stalls)?;
            queue = Queue::new(self.fleet, &placement);
        }
        Some(placement)
    }

    /// Adds nodes that would take all pending pods several times, at least cost a pod; `None` where the limits allow none that takes any.
    fn provisioned(
        &self,
        mut placement: Placement,
        nodes: &Nodes<'_>,
        pending: &[Pod],
        times: u32,
    ) -> Option<Placement> {
        let mut waiting = BTreeMap::new();
        for pod in pending {
            *waiting.entry(*pod).or_insert(0) += times;
        }
        let mut waiting: Vec<(Pod, u32)> = waiting.into_iter().collect();
        let schedulable = schedulable(self.fleet);
        let mut standing = Standing::new(self.fleet, &placement);
        let before = placement.groups.len();
        while !waiting.is_empty() && self.meter.goes_on() {
            let open = |class: &usize| schedulable[*class] && standing.is_free(*class);
            let classes = (0..self.fleet.classes.len()).filter(open);
            let needs = ranked(self.fleet, &placement, nodes, &waiting, classes);
            let added = needs.into_iter().find_map(|need| {
                let count = add_empties(&mut standing, &need)?;
                Some((need, count))
            });
            let Some((need, count)) = added else {
                break;
            };
            placement.groups.push(Group {
                class: need.class,
                count,
                pods: vec![0; self.fleet.services.len()],
            });
            for (at, pods) in need.taken {
                waiting[at].1 -= count * pods;
            }
            waiting.retain(|(_, pods)| *pods > 0);
        }
        (placement.groups.len() > before).then(|| placement.normalized())
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

/// The classes that take pending pods, least cost a pod first; whether limits allow one more node is not looked at.
fn ranked(
    fleet: &Fleet,
    placement: &Placement,
    on: &Nodes<'_>,
    waiting: &[(Pod, u32)],
    classes: impl Iterator<Item = usize>,
) -> Vec<Need> {
    let mut nodes = placement.nodes(fleet);
    let before = cost::nodes(fleet, &nodes);
    let mut needs = Vec::new();
    for class in classes {
        let taken = on.taken(class, waiting);
        let alike = taken.iter().map(|(at, pods)| waiting[*at].1 / pods).min();
        let Some(alike) = alike else { continue };
        let offering = fleet.classes[class].offering;
        nodes[offering] += 1;
        let usd_per_hour = cost::nodes(fleet, &nodes) - before + cost::startup(fleet, class);
        nodes[offering] -= 1;
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

/// Adds as many empty nodes of a class as could be filled alike, or half as many until that is feasible; how many.
fn add_empties(standing: &mut Standing<'_>, need: &Need) -> Option<u32> {
    let halves = std::iter::successors(Some(need.nodes), |count| Some(count / 2));
    halves.take_while(|count| *count > 0).find(|count| {
        let undo = standing.add_empty(need.class, *count);
        let is_feasible = standing.excess() <= 0.0;
        if is_feasible {
            standing.keep();
        } else {
            standing.revert(undo);
        }
        is_feasible
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
