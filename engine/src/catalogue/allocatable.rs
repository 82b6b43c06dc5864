//! Allocatable by the formulas that the providers publish for their stock node images.
//!
//! | | reserved CPU | reserved memory | pods |
//! |---|---|---|---|
//! | EKS | 6 %, 1 %, 0.5 % and 0.25 % of the first, second, next two and further cores | 64 MiB on arm64, 7.5 % of the rest for the hypervisor, 255 MiB + 11 MiB a pod, 100 MiB eviction threshold | by network interfaces |
//! | GKE | the same shares; 1060 millicores on shared-core E2 | 25 %, 20 %, 10 %, 6 % and 2 % of the first 4, next 4, 8, 112 GiB and above (255 MiB below 1 GiB), 100 MiB eviction threshold | 110 |
//! | AKS | 60, 40, 20 and 10 millicores for the first, second, next two and further cores | the lesser of 50 MiB + 20 MiB a pod and 25 %, 100 MiB eviction threshold | 250 |
//!
//! Sources:
//! - EKS: Karpenter's `instancetype/types.go` (<https://github.com/aws/karpenter-provider-aws>) with its default
//!   `vm-memory-overhead-percent` (<https://karpenter.sh/docs/reference/settings/>); the kubelet reservation is that of
//!   <https://github.com/awslabs/amazon-eks-ami>, `nodeadm/internal/kubelet/config.go`.
//! - GKE: <https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes#memory_and_cpu_reservations>; 110 pods is
//!   the default of Standard clusters, <https://cloud.google.com/kubernetes-engine/docs/how-to/flexible-pod-cidr>.
//! - AKS: <https://learn.microsoft.com/azure/aks/node-resource-reservations>, version 1.29 and later. Its megabytes are read as
//!   MiB, which reserves more; its CPU table is linear between the sizes listed, and is carried on above 64 cores. 250 pods is
//!   the default of Azure CNI Overlay, <https://learn.microsoft.com/azure/aks/azure-cni-overlay>; kubenet's is 110, which
//!   reserves less memory.
//!
//! The GKE and AKS formulas apply to the memory that the kernel reports, which is some per cent below the advertised figure and
//! published nowhere; here they are applied to the advertised figure. Where a live node tells its allocatable, that is better.

use super::Allocatable;
use crate::problem::Provider;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Memory below which every kubelet starts to evict pods.
const EVICTION_THRESHOLD_BYTES: u64 = 100 * MIB;

/// Pods a node on GKE Standard unless set otherwise.
pub const GKE_DEFAULT_PODS: u32 = 110;

/// Pods a node on AKS with Azure CNI Overlay unless set otherwise.
pub const AKS_DEFAULT_PODS: u32 = 250;

/// What the formulas start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity<'a> {
    /// The provider's type name.
    pub instance_type: &'a str,
    /// `amd64` or `arm64`.
    pub architecture: &'a str,
    /// Cores as the provider counts them.
    pub vcpus: u32,
    /// Advertised memory in bytes.
    pub memory_bytes: u64,
    /// Whole GPUs.
    pub gpus: u32,
}

/// Allocatable of an empty node. `pods` is the kubelet's limit; `None` takes the provider's default.
///
/// `None` where there is no formula: for [`Provider::Other`], and on AWS without `pods`, which depends on the instance type's
/// network interfaces.
pub fn of(provider: Provider, capacity: &Capacity<'_>, pods: Option<u32>) -> Option<Allocatable> {
    match provider {
        Provider::Aws => Some(eks(capacity, pods?)),
        Provider::Gcp => Some(gke(capacity, pods.unwrap_or(GKE_DEFAULT_PODS))),
        Provider::Azure => Some(aks(capacity, pods.unwrap_or(AKS_DEFAULT_PODS))),
        Provider::Other => None,
    }
}

/// Allocatable on EKS, equal to Karpenter's table.
pub fn eks(capacity: &Capacity<'_>, pods: u32) -> Allocatable {
    // Graviton kernels set 64 MiB aside for contiguous allocation.
    let contiguous_mib = if capacity.architecture == "arm64" {
        64
    } else {
        0
    };
    let usable_mib = (capacity.memory_bytes / MIB).saturating_sub(contiguous_mib);
    let hypervisor_mib = (usable_mib * 75).div_ceil(1000);
    let kubelet_mib = 255 + 11 * u64::from(pods);
    let reserved_bytes = (hypervisor_mib + kubelet_mib) * MIB + EVICTION_THRESHOLD_BYTES;
    remainder(
        capacity,
        shares_reserved_mcores(capacity.vcpus),
        usable_mib * MIB,
        reserved_bytes,
        pods,
    )
}

/// Allocatable on GKE Standard.
pub fn gke(capacity: &Capacity<'_>, pods: u32) -> Allocatable {
    let reserved_mcores = if is_shared_core(capacity.instance_type) {
        1060
    } else {
        shares_reserved_mcores(capacity.vcpus)
    };
    let reserved_bytes = gke_reserved_bytes(capacity.memory_bytes) + EVICTION_THRESHOLD_BYTES;
    remainder(
        capacity,
        reserved_mcores,
        capacity.memory_bytes,
        reserved_bytes,
        pods,
    )
}

/// Allocatable on AKS, Kubernetes 1.29 and later.
pub fn aks(capacity: &Capacity<'_>, pods: u32) -> Allocatable {
    let reserved_mcores = in_core_brackets(capacity.vcpus, [60, 40, 20, 10]);
    let by_pods_bytes = (50 + 20 * u64::from(pods)) * MIB;
    let reserved_bytes =
        by_pods_bytes.min(capacity.memory_bytes.div_ceil(4)) + EVICTION_THRESHOLD_BYTES;
    remainder(
        capacity,
        reserved_mcores,
        capacity.memory_bytes,
        reserved_bytes,
        pods,
    )
}

fn remainder(
    capacity: &Capacity<'_>,
    reserved_mcores: u64,
    usable_bytes: u64,
    reserved_bytes: u64,
    pods: u32,
) -> Allocatable {
    Allocatable {
        cpu_mcores: (u64::from(capacity.vcpus) * 1000).saturating_sub(reserved_mcores),
        memory_bytes: usable_bytes.saturating_sub(reserved_bytes),
        pods: u64::from(pods),
        gpus: u64::from(capacity.gpus),
    }
}

/// 6 %, 1 %, 0.5 % and 0.25 % of the cores, rounded up to a millicore.
fn shares_reserved_mcores(vcpus: u32) -> u64 {
    in_core_brackets(vcpus, [600, 100, 50, 25]).div_ceil(10)
}

/// Sum over the cores of an amount for the first, the second, each of the next two, and each further core.
fn in_core_brackets(vcpus: u32, [first, second, next_two, further]: [u64; 4]) -> u64 {
    let cores = u64::from(vcpus);
    first * cores.min(1)
        + second * cores.saturating_sub(1).min(1)
        + next_two * cores.saturating_sub(2).min(2)
        + further * cores.saturating_sub(4)
}

fn gke_reserved_bytes(memory_bytes: u64) -> u64 {
    if memory_bytes < GIB {
        return 255 * MIB;
    }
    let brackets = [
        (4 * GIB, 25),
        (4 * GIB, 20),
        (8 * GIB, 10),
        (112 * GIB, 6),
        (u64::MAX, 2),
    ];
    let mut rest_bytes = memory_bytes;
    let mut hundredths = 0;
    for (width_bytes, percent) in brackets {
        let part_bytes = rest_bytes.min(width_bytes);
        hundredths += part_bytes * percent;
        rest_bytes -= part_bytes;
    }
    hundredths.div_ceil(100)
}

fn is_shared_core(instance_type: &str) -> bool {
    matches!(instance_type, "e2-micro" | "e2-small" | "e2-medium")
}
