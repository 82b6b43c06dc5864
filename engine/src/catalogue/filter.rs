//! Which rows of the catalogue a listing shows.

use super::InstanceType;
use crate::problem::Provider;

/// Conditions on catalogue rows; one that is `None` accepts every row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this provider.
    pub provider: Option<Provider>,
    /// In this region.
    pub region: Option<String>,
    /// Of this architecture, `amd64` or `arm64`.
    pub architecture: Option<String>,
    /// At least this many cores.
    pub min_vcpus: Option<u32>,
    /// At most this many cores.
    pub max_vcpus: Option<u32>,
    /// At least this much advertised memory, in bytes.
    pub min_memory_bytes: Option<u64>,
    /// With GPUs (`true`) or without (`false`).
    pub gpus: Option<bool>,
    /// Whose type name contains this, ASCII letter case ignored.
    pub name_contains: Option<String>,
}

impl Filter {
    pub(super) fn accepts(&self, row: &InstanceType) -> bool {
        self.provider
            .is_none_or(|provider| row.provider == provider)
            && self
                .region
                .as_deref()
                .is_none_or(|region| row.region == region)
            && self
                .architecture
                .as_deref()
                .is_none_or(|architecture| row.architecture == architecture)
            && self.min_vcpus.is_none_or(|least| row.vcpus >= least)
            && self.max_vcpus.is_none_or(|most| row.vcpus <= most)
            && self
                .min_memory_bytes
                .is_none_or(|least| row.memory_bytes >= least)
            && self.gpus.is_none_or(|wanted| (row.gpus > 0) == wanted)
            && self
                .name_contains
                .as_deref()
                .is_none_or(|part| contains_ignoring_case(&row.instance_type, part))
    }
}

fn contains_ignoring_case(name: &str, part: &str) -> bool {
    name.to_ascii_lowercase()
        .contains(&part.to_ascii_lowercase())
}
