//! What is tried when no pod can go straight to its place.

use std::collections::BTreeMap;

use super::journal::{Journal, Pods};
use super::state::State;
use super::target;
use crate::scheduler::schedulable;

/// Moves tried in the search for one exchange.
const EXCHANGE_EFFORT: u32 = 4000;

/// One pod that changes its node.
#[derive(Clone, Copy)]
struct Hop {
    service: usize,
    from: usize,
    onto: usize,
}

/// Lets pods of several services change places at once, each within its disruption budget, so that everything fits afterwards.
pub(super) fn exchange(state: &mut State<'_>, journal: &mut Journal<'_>) -> bool {
    let mut search = Search {
        hops: Vec::new(),
        effort: EXCHANGE_EFFORT,
    };
    for hop in possible_hops(state) {
        if search.tries(state, hop) {
            journal.exchanged(state, &by_service(&search.hops));
            return true;
        }
    }
    false
}

/// Every single pod that could go to its place if there were room.
fn possible_hops(state: &State<'_>) -> Vec<Hop> {
    let mut hops = Vec::new();
    for cluster in 0..state.fleet.problem.clusters.len() {
        for service in state.services() {
            let nodes = state.places(service, cluster);
            for from in nodes
                .iter()
                .copied()
                .filter(|n| state.nodes[*n].surplus(service) > 0)
            {
                let onto = nodes
                    .iter()
                    .copied()
                    .filter(|n| state.nodes[*n].deficit(service) > 0);
                hops.extend(onto.map(|onto| Hop {
                    service,
                    from,
                    onto,
                }));
            }
        }
    }
    hops
}

/// A depth-first search for hops that fit together.
struct Search {
    hops: Vec<Hop>,
    effort: u32,
}

impl Search {
    /// Whether a set of hops that begins with the ones so far and this one fits; then it has been carried out.
    fn tries(&mut self, state: &mut State<'_>, hop: Hop) -> bool {
        let moving = self
            .hops
            .iter()
            .filter(|other| other.service == hop.service)
            .count();
        if self.effort == 0 || moving >= state.budget(hop.service) as usize {
            return false;
        }
        self.effort -= 1;
        state.leave(hop.from, hop.service, 1);
        state.arrive(hop.onto, hop.service, 1);
        self.hops.push(hop);
        if self.completes(state) {
            return true;
        }
        self.hops.pop();
        state.leave(hop.onto, hop.service, 1);
        state.arrive(hop.from, hop.service, 1);
        false
    }

    /// Whether further hops from the first node that received too much make everything fit.
    fn completes(&mut self, state: &mut State<'_>) -> bool {
        let Some(crowded) = self
            .hops
            .iter()
            .map(|hop| hop.onto)
            .find(|n| !state.is_sound(*n))
        else {
            return true;
        };
        for service in state
            .services()
            .filter(|s| state.nodes[crowded].surplus(*s) > 0)
            .collect::<Vec<_>>()
        {
            let mut places = state.places(service, state.cluster(crowded));
            places.retain(|n| state.nodes[*n].deficit(service) > 0);
            // Places with room first: they end the chain.
            places.sort_by_key(|n| state.room(*n, service, 1) == 0);
            if places.into_iter().any(|onto| {
                self.tries(
                    state,
                    Hop {
                        service,
                        from: crowded,
                        onto,
                    },
                )
            }) {
                return true;
            }
        }
        false
    }
}

/// Pods that leave and pods that arrive, by service.
fn by_service(hops: &[Hop]) -> BTreeMap<usize, (Pods, Pods)> {
    let mut moves: BTreeMap<usize, (Pods, Pods)> = BTreeMap::new();
    for hop in hops {
        let (from, onto) = moves.entry(hop.service).or_default();
        *from.entry(hop.from).or_insert(0) += 1;
        *onto.entry(hop.onto).or_insert(0) += 1;
    }
    moves
}

/// Lets pods that are in the way of an arrival wait elsewhere.
pub(super) fn make_room(state: &mut State<'_>, journal: &mut Journal<'_>) -> bool {
    clear_the_way(state, |state, node, pods| {
        wait_elsewhere(state, journal, node, pods)
    })
}

/// Clears pods that are in the way of an arrival off their node; false when that succeeds nowhere.
fn clear_the_way(
    state: &mut State<'_>,
    mut clear: impl FnMut(&mut State<'_>, usize, &[usize]) -> bool,
) -> bool {
    for node in 0..state.nodes.len() {
        for service in state.services() {
            if state.nodes[node].deficit(service) > 0
                && let Some(pods) = in_the_way(state, node, service)
                && clear(state, node, &pods)
            {
                return true;
            }
        }
    }
    false
}

/// Pods, one entry each, that must leave a node before one of a service fits; `None` when the others would still be too many.
fn in_the_way(state: &mut State<'_>, node: usize, service: usize) -> Option<Vec<usize>> {
    let conflicts = &state.fleet.services[service].conflicts;
    let mut surplus: Vec<usize> = Vec::new();
    for other in state.services().filter(|other| *other != service) {
        surplus.extend((0..state.nodes[node].surplus(other)).map(|_| other));
    }
    surplus.sort_by_key(|other| !conflicts.contains(other));
    let mut leaving = Vec::new();
    for other in surplus {
        if state.room(node, service, 1) > 0 {
            break;
        }
        state.leave(node, other, 1);
        leaving.push(other);
    }
    let fits = state.room(node, service, 1) > 0;
    leaving
        .iter()
        .for_each(|other| state.arrive(node, *other, 1));
    fits.then_some(leaving)
}

/// Empties a node that is to be given back, so that another may come up within the limits: the emptiest that has somewhere to go.
pub(super) fn empty_a_node(state: &mut State<'_>, journal: &mut Journal<'_>) -> bool {
    leaving(state)
        .into_iter()
        .any(|(node, pods)| wait_elsewhere(state, journal, node, &pods))
}

/// Does without some pods for a while, as far as the disruption budgets allow: all of a node that is to be given back, or
/// those in the way of an arrival. They are added again where the plan has them.
pub(super) fn do_without(state: &mut State<'_>, journal: &mut Journal<'_>) -> bool {
    if leaving(state)
        .into_iter()
        .any(|(node, pods)| remove(state, journal, node, &pods))
    {
        return true;
    }
    clear_the_way(state, |state, node, pods| {
        remove(state, journal, node, pods)
    })
}

/// Nodes to be given back with their pods, one entry each, the emptiest first; none unless another node waits to come up.
fn leaving(state: &State<'_>) -> Vec<(usize, Vec<usize>)> {
    if state.nodes.iter().all(|node| node.is_up || !node.stays) {
        return Vec::new();
    }
    let mut leaving: Vec<usize> = (0..state.nodes.len())
        .filter(|n| state.nodes[*n].is_leaving())
        .collect();
    leaving.sort_by_key(|n| state.nodes[*n].load());
    let pods = |n: usize| {
        state
            .services()
            .flat_map(move |s| (0..state.nodes[n].pods[s]).map(move |_| s))
            .collect()
    };
    leaving.into_iter().map(|n| (n, pods(n))).collect()
}

/// Removes pods from a node; false, with nothing done, when a disruption budget forbids it.
fn remove(state: &mut State<'_>, journal: &mut Journal<'_>, node: usize, pods: &[usize]) -> bool {
    let mut counts: BTreeMap<usize, u32> = BTreeMap::new();
    pods.iter()
        .for_each(|service| *counts.entry(*service).or_insert(0) += 1);
    if counts.is_empty()
        || counts
            .iter()
            .any(|(service, count)| *count > state.spare(*service))
    {
        return false;
    }
    for (service, count) in counts {
        state.leave(node, service, count);
        journal.replicas_down(
            state,
            service,
            state.cluster(node),
            &Pods::from([(node, count)]),
        );
    }
    true
}

/// Moves pods from a node to where they may wait: spare room, else one temporary node; false, with nothing done, when there is neither.
fn wait_elsewhere(
    state: &mut State<'_>,
    journal: &mut Journal<'_>,
    node: usize,
    pods: &[usize],
) -> bool {
    if pods.is_empty() || pods.iter().any(|service| state.budget(*service) == 0) {
        return false;
    }
    if let Some(hops) = in_spare_room(state, node, pods) {
        carry_out(state, journal, &hops);
        return true;
    }
    for class in temporary_classes(state, node) {
        let number = state
            .nodes
            .iter()
            .filter(|node| node.class == class)
            .count()
            + 1;
        state
            .nodes
            .push(target::temporary(state.fleet, class, number));
        let temporary = state.nodes.len() - 1;
        state.switch(temporary, true);
        if let Some(hops) = in_spare_room(state, node, pods) {
            journal.nodes_up(state, state.offering_index(temporary), &[temporary]);
            carry_out(state, journal, &hops);
            return true;
        }
        state.switch(temporary, false);
        state.forget_last();
    }
    false
}

/// Where each of the pods could wait, in the order given, nodes that stay first; `None` when one has no place.
fn in_spare_room(state: &mut State<'_>, node: usize, pods: &[usize]) -> Option<Vec<Hop>> {
    let open = schedulable(state.fleet);
    let mut places = state.up_in(state.cluster(node));
    places.retain(|n| *n != node && open[state.nodes[*n].class]);
    places.sort_by_key(|n| state.nodes[*n].is_leaving());
    let mut hops = Vec::new();
    for service in pods {
        let eligible =
            |n: &&usize| state.offering(**n).eligible[*service] && state.can_wait(**n, *service);
        let Some(onto) = places.iter().find(eligible).copied() else {
            break;
        };
        state.arrive(onto, *service, 1);
        hops.push(Hop {
            service: *service,
            from: node,
            onto,
        });
    }
    hops.iter()
        .for_each(|hop| state.leave(hop.onto, hop.service, 1));
    (hops.len() == pods.len()).then_some(hops)
}

/// Classes of new nodes of which one may come up for a while in the cluster of a node, cheapest first.
fn temporary_classes(state: &State<'_>, node: usize) -> Vec<usize> {
    let offerings = &state.fleet.offerings;
    let allowed = |offering: &usize| {
        offerings[*offering].cluster == state.cluster(node) && state.may_add(*offering)
    };
    let mut classes: Vec<usize> = (0..offerings.len()).filter(allowed).collect();
    classes.sort_by(|a, b| {
        offerings[*a]
            .usd_per_hour
            .total_cmp(&offerings[*b].usd_per_hour)
    });
    classes
}

/// Moves pods as the hops say, each service at most its disruption budget a step.
fn carry_out(state: &mut State<'_>, journal: &mut Journal<'_>, hops: &[Hop]) {
    for service in state.services() {
        let of_service: Vec<Hop> = hops
            .iter()
            .copied()
            .filter(|hop| hop.service == service)
            .collect();
        for together in of_service.chunks(state.budget(service).max(1) as usize) {
            for hop in together {
                state.leave(hop.from, service, 1);
                state.arrive(hop.onto, service, 1);
            }
            let moves = by_service(together);
            moves
                .iter()
                .for_each(|(service, (from, onto))| journal.moved(state, *service, from, onto));
        }
    }
}
