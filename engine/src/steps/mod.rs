//! From what runs now to the plan, step by step.
//!
//! Steps come in the order nodes up, replicas up, moves, replicas down, nodes down, as far as they fit; what does not fit yet
//! waits until something else has made room. Where nothing fits, detours are tried in this order:
//!
//! 1. pods of several services change places at once ([`Change::Exchange`](crate::plan::Change::Exchange));
//! 2. pods that are in the way wait elsewhere: in spare room, or on a node that is ordered for the purpose and given back;
//! 3. a node to be given back is emptied that way, so that another may come up within the limits;
//! 4. pods are removed and added again later, as far as the disruption budget lets them be missing.
//!
//! What holds after each step:
//!
//! - every node that received a pod in the step fits in every dimension (sizes at the planned replica count), keeps anti-affinity,
//!   and has at most `Class::most` pods of the service that arrived; a node that is overfull today receives none before it fits;
//! - a node up keeps every upper limit on nodes, the `policy.surge.nodes` nodes with the largest coefficients left out where
//!   the limit allows surge; a limit that is exceeded today lets no node up. Nodes given back keep every lower limit;
//! - arriving pods fit before the others leave, except in an exchange; a service moves at most `max_unavailable` pods a step,
//!   and never has fewer pods than `min(now, planned) − max_unavailable`;
//! - nodes given back hold no pod of a service, and none that must stay are given back.

mod detour;
mod direct;
mod journal;
mod limits;
mod state;
mod stuck;
mod target;

use crate::fleet::Fleet;
use crate::placement::Placement;
use crate::plan::Step;

pub use stuck::Stuck;

use journal::Journal;
use state::State;

/// Orders the changes from what runs now to the placement; `None` when the problem does not say what runs now.
///
/// # Errors
///
/// [`Stuck`] when no order was found that keeps limits and disruption budgets, with what is in the way.
pub fn sequence(fleet: &Fleet, placement: &Placement) -> Result<Option<Vec<Step>>, Stuck> {
    if !fleet.has_current {
        return Ok(None);
    }
    let mut state = State::new(fleet, placement);
    let mut journal = Journal::new(fleet);
    // Detours put pods where they do not belong; their number is bounded, so that the search ends.
    let mut detours = 4 * state.nodes.len() + 16;
    while !state.is_done() {
        if direct::nodes_up(&mut state, &mut journal)
            || direct::replicas_up(&mut state, &mut journal)
            || direct::moves(&mut state, &mut journal)
            || direct::replicas_down(&mut state, &mut journal)
            || direct::nodes_down(&mut state, &mut journal)
            || detour::exchange(&mut state, &mut journal)
        {
            continue;
        }
        let found = detours > 0
            && (detour::make_room(&mut state, &mut journal)
                || detour::empty_a_node(&mut state, &mut journal)
                || detour::do_without(&mut state, &mut journal));
        if !found {
            return Err(stuck::explain(&state));
        }
        detours -= 1;
    }
    Ok(Some(journal.steps))
}

/// List price of nodes by offering in USD an hour, added up in the order of the offerings so that it is the same to the bit everywhere.
pub fn list_price(fleet: &Fleet, nodes_by_offering: &[u32]) -> f64 {
    let prices = fleet.offerings.iter().zip(nodes_by_offering);
    prices.fold(0.0, |sum, (offering, nodes)| {
        sum + offering.usd_per_hour * f64::from(*nodes)
    })
}
