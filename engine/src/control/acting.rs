//! What the controller that sets replicas makes of a plan.

use super::settings::Acting;
use crate::baseline::hpa::TOLERANCE;

/// Whether a change of replicas in one cluster is not carried out, because the controller takes it for noise.
///
/// The bounds that [`export::hpa`](crate::export::hpa) writes are enforced whatever the tolerance. A metric of planned replicas with a
/// target of 1 is what KEDA gives to an HPA: its ratio to the replicas there are changes nothing within the tolerance, and an HPA that
/// has no replicas, or is to have none, is switched off or on by KEDA itself.
pub fn swallows(acting: Acting, now: u32, planned: u32) -> bool {
    let ratio = f64::from(planned) / f64::from(now);
    match acting {
        Acting::Hpa | Acting::Direct => false,
        Acting::Keda => {
            now != planned
                && now > 0
                && planned > 0
                && (1.0 - TOLERANCE..=1.0 + TOLERANCE).contains(&ratio)
        }
    }
}

/// The fewest replicas above `now` that are not swallowed.
pub(super) fn least_noticed(now: u32) -> u32 {
    let beyond = (now..=now.saturating_mul(2).saturating_add(1))
        .find(|planned| *planned > now && !swallows(Acting::Keda, now, *planned));
    beyond.unwrap_or(now)
}
