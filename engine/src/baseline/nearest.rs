//! The column nearest to given replicas that keeps a service's own rules.

use crate::exact::{Column, Prices, within_spot_share};
use crate::fleet::{Fleet, Service};
use crate::packing::Values;
use crate::problem::Survive;

/// Starts from replicas in cells and adds, shifts or removes one replica at a time, whichever brings it closest to the rules, more
/// rather than fewer; when that gets stuck, the cheapest column with the fewest replicas more.
pub(super) fn column(
    fleet: &Fleet,
    s: usize,
    mut cells: Vec<u32>,
    values: &Values,
) -> Option<Column> {
    let service = &fleet.services[s];
    let mut broken = excess(fleet, service, &cells);
    while broken > 0 {
        let best = neighbours(service, &cells)
            .into_iter()
            .map(|next| (excess(fleet, service, &next), next))
            .min_by_key(|(excess, _)| *excess);
        match best {
            Some((excess, next)) if excess < broken => (broken, cells) = (excess, next),
            _ => return cheapest(fleet, s, cells.iter().sum(), values),
        }
    }
    Some(Column {
        replicas: cells.iter().sum(),
        cells,
    })
}

fn cheapest(fleet: &Fleet, s: usize, replicas: u32, values: &Values) -> Option<Column> {
    let service = &fleet.services[s];
    let prices = Prices {
        cells: &values.pods[s],
        spot: 0.0,
        move_usd_per_hour: 0.0,
        slo_weight: 1.0,
        holds_fixed: false,
    };
    let more = service
        .admissible()
        .filter(|level| level.replicas >= replicas);
    let fewer = service
        .admissible()
        .rev()
        .filter(|level| level.replicas < replicas);
    more.chain(fewer)
        .find_map(|level| within_spot_share(fleet, service, &prices, level.replicas))
}

/// One replica more, then one moved, then one less.
fn neighbours(service: &Service, cells: &[u32]) -> Vec<Vec<u32>> {
    let changed = |from: Option<usize>, to: Option<usize>| {
        let mut next = cells.to_vec();
        from.iter().for_each(|cell| next[*cell] -= 1);
        to.iter().for_each(|cell| next[*cell] += 1);
        next
    };
    let used = || {
        service
            .cells
            .iter()
            .copied()
            .filter(|cell| cells[*cell] > 0)
    };
    let mut next: Vec<Vec<u32>> = service
        .cells
        .iter()
        .map(|to| changed(None, Some(*to)))
        .collect();
    next.extend(
        used()
            .flat_map(|from| service.cells.iter().map(move |to| (from, *to)))
            .filter(|(a, b)| a != b)
            .map(|(a, b)| changed(Some(a), Some(b))),
    );
    next.extend(used().map(|from| changed(Some(from), None)));
    next
}

/// Replicas by which a column breaks the service's own rules, spot share included.
fn excess(fleet: &Fleet, service: &Service, cells: &[u32]) -> u32 {
    let replicas: u32 = cells.iter().sum();
    let zone = |zone: usize| cells[2 * zone] + cells[2 * zone + 1];
    let failure = service.failure_limit(replicas);
    let limit = |wanted: Survive| {
        if service.survive == wanted {
            failure
        } else {
            u32::MAX
        }
    };
    let mut broken = service
        .admissible()
        .map(|level| level.replicas.abs_diff(replicas))
        .min()
        .unwrap_or(u32::MAX / 4);
    broken += cells
        .iter()
        .skip(1)
        .step_by(2)
        .sum::<u32>()
        .saturating_sub(service.spot_limit(replicas));
    for z in 0..fleet.zones.len() {
        broken += zone(z).saturating_sub(limit(Survive::Zone))
            + service.bound_to_zone(z, replicas).saturating_sub(zone(z));
    }
    for bounds in &service.clusters {
        let here = |z: &usize| fleet.zones[*z].cluster == bounds.cluster;
        let counts: Vec<u32> = (0..fleet.zones.len()).filter(here).map(zone).collect();
        let total: u32 = counts.iter().sum();
        broken += bounds.min.saturating_sub(total)
            + total.saturating_sub(bounds.max.min(limit(Survive::Cluster)));
        if total > 0 {
            let used = u32::try_from(counts.iter().filter(|n| **n > 0).count()).unwrap_or(u32::MAX);
            broken += service.min_zones.saturating_sub(used);
        }
        let eligible: Vec<u32> = service
            .eligible_zones
            .iter()
            .filter(|z| here(z))
            .map(|z| zone(*z))
            .collect();
        let skew = eligible.iter().max().unwrap_or(&0) - eligible.iter().min().unwrap_or(&0);
        broken += skew.saturating_sub(service.max_skew.unwrap_or(u32::MAX));
    }
    broken
}
