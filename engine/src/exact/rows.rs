//! Rows of the master: what each stands for, its bounds, and the name of its multiplier in a certificate.

use crate::fleet::{Fleet, Service};
use crate::problem::Survive;

/// A row of the master, with what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Pods of a service in a cell and those like it ([`alike`]), of which it is the first.
    Pods(usize, usize),
    Convexity(usize),
    SpotShare(usize),
    Limit(usize),
    Budget,
    MaxMoves,
    NoMoves(usize),
    Commitment(usize),
    Class(usize),
    /// Nodes of an offering, or of all (`None`), equal a variable of their own whose bounds a branching decision sets.
    Count(Option<usize>),
}

/// For each cell of the fleet the first of those that a service's rules do not tell from it. They have a row together: were its pods worth more
/// in one than in another, it would go there alone, and lowering their worth to the other's makes no plan cheaper.
pub(super) fn alike(fleet: &Fleet, service: &Service) -> Vec<usize> {
    let tells_zones = service.max_skew.is_some()
        || service.min_zones > 1
        || service.survive == Survive::Zone
        || service.volume_zones.iter().any(Option::is_some);
    let tells_spot = service.spot_share_max < 1.0;
    let is_like = |a: usize, b: usize| {
        fleet.cluster_of_cell(a) == fleet.cluster_of_cell(b)
            && (!tells_zones || a / 2 == b / 2)
            && (!tells_spot || a % 2 == b % 2)
    };
    let first = |cell: usize| {
        let before = service
            .cells
            .iter()
            .copied()
            .find(|other| is_like(*other, cell));
        before
            .filter(|_| service.cells.contains(&cell))
            .unwrap_or(cell)
    };
    (0..2 * fleet.zones.len()).map(first).collect()
}

/// Rows of the master in a fixed order; cells [`alike`] share one.
pub(super) fn kinds(fleet: &Fleet, alike: &[Vec<usize>]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for (s, service) in fleet.services.iter().enumerate() {
        kinds.push(Kind::Convexity(s));
        let cells = service
            .cells
            .iter()
            .filter(|cell| alike[s][**cell] == **cell);
        kinds.extend(cells.map(|cell| Kind::Pods(s, *cell)));
        if service.spot_share_max < 1.0 {
            kinds.push(Kind::SpotShare(s));
        }
        if service.unmovable && service.placed_now > 0 {
            kinds.push(Kind::NoMoves(s));
        }
    }
    kinds.extend((0..fleet.limits.len()).map(Kind::Limit));
    kinds.extend(fleet.budget_usd_per_hour().map(|_| Kind::Budget));
    kinds.extend(fleet.max_moves().map(|_| Kind::MaxMoves));
    kinds.extend((0..fleet.commitments.len()).map(Kind::Commitment));
    let existing = fleet
        .classes
        .iter()
        .enumerate()
        .filter(|(_, class)| class.is_existing());
    kinds.extend(existing.map(|(index, _)| Kind::Class(index)));
    kinds.push(Kind::Count(None));
    kinds.extend((0..fleet.offerings.len()).map(|offering| Kind::Count(Some(offering))));
    kinds
}

pub(super) fn bounds(fleet: &Fleet, kind: Kind) -> (f64, f64) {
    match kind {
        Kind::Pods(..) | Kind::Count(_) => (0.0, 0.0),
        Kind::Convexity(_) => (1.0, 1.0),
        Kind::SpotShare(_) | Kind::NoMoves(_) | Kind::Commitment(_) => (f64::NEG_INFINITY, 0.0),
        Kind::Limit(l) if fleet.limits[l].at_least => (fleet.limits[l].limit, f64::INFINITY),
        Kind::Limit(l) => (f64::NEG_INFINITY, fleet.limits[l].limit),
        Kind::Budget => {
            let sunk = fleet.sunk_usd_per_hour();
            (
                f64::NEG_INFINITY,
                fleet.budget_usd_per_hour().unwrap_or(f64::INFINITY) - sunk,
            )
        }
        Kind::MaxMoves => (
            f64::NEG_INFINITY,
            fleet.max_moves().map_or(f64::INFINITY, f64::from),
        ),
        Kind::Class(b) => {
            let count = fleet.classes[b].count().map_or(f64::INFINITY, f64::from);
            (
                if fleet.classes[b].kept {
                    count
                } else {
                    f64::NEG_INFINITY
                },
                count,
            )
        }
    }
}

/// What one unit of a broken row weighs: rows in millicores or dollars are scaled to about a node.
pub(super) fn scale(fleet: &Fleet, kind: Kind) -> f64 {
    match kind {
        Kind::Limit(l) => {
            1.0 / fleet.limits[l]
                .coefficients
                .iter()
                .copied()
                .fold(1e-9, f64::max)
        }
        Kind::Budget => {
            1.0 / fleet
                .offerings
                .iter()
                .map(|o| o.usd_per_hour)
                .fold(1e-3, f64::max)
        }
        _ => 1.0,
    }
}

/// Name and value of a row's multiplier in a certificate; rows that the bound solves inside have none.
pub(super) fn named(fleet: &Fleet, kind: Kind, y: f64) -> Option<(String, f64)> {
    let service = |s: usize| &fleet.services[s].name;
    let at_most = (-y).max(0.0);
    Some(match kind {
        Kind::Pods(s, cell) => (format!("pods/{}/{}", service(s), fleet.cell_name(cell)), y),
        Kind::SpotShare(s) => (format!("spot_share/{}", service(s)), at_most),
        Kind::Limit(l) if fleet.limits[l].at_least => (fleet.limits[l].name.clone(), y.max(0.0)),
        Kind::Limit(l) => (fleet.limits[l].name.clone(), at_most),
        Kind::Budget => ("budget".to_owned(), at_most),
        Kind::MaxMoves => ("max_moves".to_owned(), at_most),
        Kind::NoMoves(s) => (format!("no_moves/{}", service(s)), at_most),
        Kind::Commitment(c) => (
            format!(
                "commitment/{}",
                fleet.offering_name(fleet.commitments[c].offering)
            ),
            at_most,
        ),
        Kind::Convexity(_) | Kind::Class(_) | Kind::Count(_) => return None,
    })
}
