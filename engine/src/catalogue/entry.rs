//! What the catalogue knows of an instance type.

use serde::Serialize;

use crate::problem::Provider;

/// One instance type in one region.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InstanceType {
    /// Cloud provider.
    pub provider: Provider,
    /// The provider's region name, such as `europe-west1`.
    pub region: String,
    /// The provider's type name, such as `e2-standard-4`.
    pub instance_type: String,
    /// CPU architecture: `amd64` or `arm64`.
    pub architecture: String,
    /// Cores as the provider counts them (hardware threads on most types).
    pub vcpus: u32,
    /// Memory as the provider advertises it, in bytes.
    pub memory_bytes: u64,
    /// Whole GPUs.
    pub gpus: u32,
    /// List price on demand, USD an hour; `None` when not known.
    pub on_demand_usd_per_hour: Option<f64>,
    /// Spot price on the date of the source, USD an hour; `None` when not known.
    pub spot_usd_per_hour: Option<f64>,
    /// Expected reclaims of one spot node an hour; `None` when not known.
    pub spot_interruptions_per_hour: Option<f64>,
    /// What pods may request on an empty node.
    pub allocatable: Allocatable,
    /// Where the figures come from, with dates.
    pub source: String,
}

impl InstanceType {
    /// The part that does not depend on the region.
    pub fn shape(&self) -> Shape {
        Shape {
            architecture: self.architecture.clone(),
            vcpus: self.vcpus,
            memory_bytes: self.memory_bytes,
            gpus: self.gpus,
            allocatable: self.allocatable,
        }
    }
}

/// The size of an instance type, the same in every region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// CPU architecture: `amd64` or `arm64`.
    pub architecture: String,
    /// Cores as the provider counts them.
    pub vcpus: u32,
    /// Memory as the provider advertises it, in bytes.
    pub memory_bytes: u64,
    /// Whole GPUs.
    pub gpus: u32,
    /// What pods may request on an empty node.
    pub allocatable: Allocatable,
}

/// What the kubelet lets pods request on an empty node, daemonsets included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Allocatable {
    /// Thousandths of a core.
    pub cpu_mcores: u64,
    /// Bytes.
    pub memory_bytes: u64,
    /// Pods.
    pub pods: u64,
    /// Whole GPUs.
    pub gpus: u64,
}
