//! What a provider did with an order of nodes, as somebody reported it and the store keeps it until a cycle takes it into account.

use std::fmt;

use ketscale_engine::control::{CapacityReport, NodeOutcome};
use serde::{Deserialize, Serialize};

/// One offering's outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reported {
    /// When it was reported, seconds since the Unix epoch.
    pub(crate) at_seconds: f64,
    /// Pool.
    pub(crate) pool: String,
    /// `type/zone/capacity_type`.
    pub(crate) offering: String,
    /// Whether there was no capacity.
    pub(crate) refused: bool,
    /// The provider's own words.
    pub(crate) reason: String,
}

impl Reported {
    /// As the control loop takes it.
    pub(crate) fn report(&self) -> CapacityReport {
        CapacityReport {
            pool: self.pool.clone(),
            offering: self.offering.clone(),
            outcome: if self.refused {
                NodeOutcome::Refused
            } else {
                NodeOutcome::Provided
            },
            reason: self.reason.clone(),
        }
    }
}

impl fmt::Display for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let did = if self.refused { "refused" } else { "provided" };
        write!(f, "{}/{}: {did}", self.pool, self.offering)?;
        if self.reason.is_empty() {
            Ok(())
        } else {
            write!(f, " ({})", self.reason)
        }
    }
}
