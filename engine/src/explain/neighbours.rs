//! One replica more or fewer: what it would change at the certificate's prices.

use crate::exact::{Prices, cheapest};
use crate::fleet::{Fleet, Service};
use crate::plan::Leaf;

/// Estimates for one replica fewer and one more, USD/h against the planned number; `None` where that number is not admissible.
///
/// With the pods' prices u of the leaf, r replicas cost slo(r) + w·min(placed, r) + min Σ u_k v_k over the cells v that keep the
/// service's own rules (`docs/decisions/bound.md`, term 3). Prices hold for small changes: nodes come in whole numbers, so that the
/// true difference can be anything from nothing to a node.
pub(super) fn estimates(
    fleet: &Fleet,
    service: &Service,
    leaf: &Leaf,
    replicas: u32,
) -> (Option<f64>, Option<f64>) {
    let dual = |row: String| leaf.duals.get(&row).copied().unwrap_or(0.0);
    let name = &service.name;
    let cells: Vec<f64> = (0..2 * fleet.zones.len())
        .map(|cell| dual(format!("pods/{name}/{}", fleet.cell_name(cell))))
        .collect();
    let prices = Prices {
        cells: &cells,
        spot: dual(format!("spot_share/{name}")),
        move_usd_per_hour: service.move_usd_per_hour
            + dual("max_moves".to_owned())
            + dual(format!("no_moves/{name}")),
        slo_weight: 1.0,
        holds_fixed: false,
    };
    let cost = |replicas: u32| Some(cheapest(fleet, service, &prices, (replicas, replicas))?.0);
    let Some(planned) = cost(replicas) else {
        return (None, None);
    };
    let difference = |replicas: Option<u32>| Some(cost(replicas?)? - planned);
    (
        difference(replicas.checked_sub(1)),
        difference(replicas.checked_add(1)),
    )
}
