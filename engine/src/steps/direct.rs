//! Steps that bring the plan nearer without a detour. Each function takes as many as fit and says whether there was one.

use super::journal::{Journal, Pods};
use super::state::State;

/// Orders the new nodes of the plan, as many as the limits allow.
pub(super) fn nodes_up(state: &mut State<'_>, journal: &mut Journal<'_>) -> bool {
    each_offering(state, |state, offering, wanted| {
        let wanted = wanted
            .iter()
            .copied()
            .filter(|n| state.nodes[*n].stays && !state.nodes[*n].is_up)
            .collect::<Vec<_>>();
        let mut nodes = Vec::new();
        for n in wanted {
            if state.may_add(offering) {
                state.switch(n, true);
                nodes.push(n);
            }
        }
        if !nodes.is_empty() {
            journal.nodes_up(state, offering, &nodes);
        }
        !nodes.is_empty()
    })
}

/// Gives back nodes that the plan does not have, once no pod of a service is left on them.
pub(super) fn nodes_down(state: &mut State<'_>, journal: &mut Journal<'_>) -> bool {
    each_offering(state, |state, offering, nodes| {
        let mut gone = Vec::new();
        for n in nodes {
            if state.nodes[*n].is_leaving()
                && state.nodes[*n].load() == 0
                && state.may_remove(offering)
            {
                state.switch(*n, false);
                gone.push(*n);
            }
        }
        if !gone.is_empty() {
            journal.nodes_down(state, offering, &gone);
        }
        !gone.is_empty()
    })
}

/// Calls a function with every offering and its nodes; true when one of the calls was.
fn each_offering(
    state: &mut State<'_>,
    mut act: impl FnMut(&mut State<'_>, usize, &[usize]) -> bool,
) -> bool {
    let mut acted = false;
    for (offering, nodes) in state.by_offering().into_iter().enumerate() {
        acted |= act(state, offering, &nodes);
    }
    acted
}

/// Calls a function with every service, every cluster and the service's places there; true when one of the calls was.
fn each_service(
    state: &mut State<'_>,
    mut act: impl FnMut(&mut State<'_>, usize, usize, &[usize]) -> bool,
) -> bool {
    let mut acted = false;
    for cluster in 0..state.fleet.problem.clusters.len() {
        for service in state.services() {
            let nodes = state.places(service, cluster);
            acted |= act(state, service, cluster, &nodes);
        }
    }
    acted
}

/// Adds replicas where the plan has them, as many as have room.
pub(super) fn replicas_up(state: &mut State<'_>, journal: &mut Journal<'_>) -> bool {
    each_service(state, |state, service, cluster, nodes| {
        let (missing, _) = state.change_in(service, cluster);
        let onto = arrivals(state, service, nodes, missing);
        if !onto.is_empty() {
            journal.replicas_up(state, service, cluster, &onto);
        }
        !onto.is_empty()
    })
}

/// Lets at most `wanted` pods of a service arrive where the plan has them and there is room.
fn arrivals(state: &mut State<'_>, service: usize, nodes: &[usize], wanted: u32) -> Pods {
    let (mut onto, mut left) = (Pods::new(), wanted);
    for n in nodes {
        let wanted = state.nodes[*n].deficit(service).min(left);
        let count = if wanted == 0 {
            0
        } else {
            state.room(*n, service, wanted)
        };
        if count > 0 {
            state.arrive(*n, service, count);
            onto.insert(*n, count);
            left -= count;
        }
    }
    onto
}

/// Moves pods to where the plan has them, each service at most its disruption budget a step, until no move has room.
pub(super) fn moves(state: &mut State<'_>, journal: &mut Journal<'_>) -> bool {
    let round = |state: &mut State<'_>, journal: &mut Journal<'_>| {
        each_service(state, |state, service, _, nodes| {
            move_some(state, journal, service, nodes)
        })
    };
    let mut moved = false;
    while round(state, journal) {
        moved = true;
    }
    moved
}

fn move_some(
    state: &mut State<'_>,
    journal: &mut Journal<'_>,
    service: usize,
    nodes: &[usize],
) -> bool {
    let surplus: u32 = nodes.iter().map(|n| state.nodes[*n].surplus(service)).sum();
    if surplus == 0 {
        return false;
    }
    let onto = arrivals(state, service, nodes, surplus.min(state.budget(service)));
    let from = departures(state, service, nodes, onto.values().sum());
    if !onto.is_empty() {
        journal.moved(state, service, &from, &onto);
    }
    !onto.is_empty()
}

/// Removes replicas that the plan does not have, as far as the disruption budget allows before others are added.
pub(super) fn replicas_down(state: &mut State<'_>, journal: &mut Journal<'_>) -> bool {
    each_service(state, |state, service, cluster, nodes| {
        let (_, excess) = state.change_in(service, cluster);
        let from = departures(state, service, nodes, excess.min(state.spare(service)));
        if !from.is_empty() {
            journal.replicas_down(state, service, cluster, &from);
        }
        !from.is_empty()
    })
}

/// Lets `count` pods of a service leave where the plan has fewer.
fn departures(state: &mut State<'_>, service: usize, nodes: &[usize], count: u32) -> Pods {
    let (mut from, mut left) = (Pods::new(), count);
    if count == 0 {
        return from;
    }
    let surplus = nodes.iter().copied();
    let surplus = surplus.filter(|n| state.nodes[*n].surplus(service) > 0);
    for n in by_need_to_leave(state, surplus.collect()) {
        let count = state.nodes[n].surplus(service).min(left);
        if count == 0 {
            break;
        }
        state.leave(n, service, count);
        from.insert(n, count);
        left -= count;
    }
    from
}

/// Nodes in the order in which their pods should leave: those where other pods must arrive, then those to be given back, the
/// emptiest first, so that one node becomes free before the next is begun.
fn by_need_to_leave(state: &State<'_>, mut nodes: Vec<usize>) -> Vec<usize> {
    nodes.sort_by_cached_key(|n| {
        let node = &state.nodes[*n];
        let awaits = state.services().any(|s| node.deficit(s) > 0);
        (
            !awaits,
            !node.is_leaving(),
            if node.is_leaving() { node.load() } else { 0 },
            *n,
        )
    });
    nodes
}
