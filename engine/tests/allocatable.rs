//! Allocatable against the examples of the providers' documentation. EKS is held against Karpenter's table in `catalogue.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ketscale_engine::catalogue::allocatable::{self, Capacity};
use ketscale_engine::problem::Provider;
use proptest::prelude::*;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

fn capacity(instance_type: &str, vcpus: u32, memory_bytes: u64) -> Capacity<'_> {
    Capacity {
        instance_type,
        architecture: "amd64",
        vcpus,
        memory_bytes,
        gpus: 0,
    }
}

#[test]
fn gke_reserves_what_its_documentation_says() {
    // <https://cloud.google.com/kubernetes-engine/docs/concepts/plan-node-sizes#memory_and_cpu_reservations>; its example node
    // of four cores shows 3920m. n1-standard-2 (2 cores, 7.5 GiB) reserves 70 millicores and 25 % · 4 + 20 % · 3.5 = 1.7 GiB,
    // as worked out at <https://learnk8s.io/allocatable-resources>; to both the eviction threshold of 100 MiB is added.
    assert_eq!(
        allocatable::gke(&capacity("e2-standard-4", 4, 16 * GIB), 110).cpu_mcores,
        3920
    );
    let n1 = allocatable::gke(&capacity("n1-standard-2", 2, 7680 * MIB), 110);
    assert_eq!(n1.cpu_mcores, 1930);
    assert_eq!(
        n1.memory_bytes,
        7680 * MIB - (17 * GIB).div_ceil(10) - 100 * MIB
    );
    // Every bracket: of 150 GiB 1 + 0.8 + 0.8 + 6.72 + 0.44 GiB are reserved, of 64 GiB 1 + 0.8 + 0.8 + 2.88 GiB.
    for (memory_gib, reserved_hundredths_gib) in [(150, 976), (64, 548)] {
        let left = allocatable::gke(&capacity("n2-custom", 32, memory_gib * GIB), 110).memory_bytes;
        assert_eq!(
            left,
            memory_gib * GIB - (reserved_hundredths_gib * GIB).div_ceil(100) - 100 * MIB
        );
    }
    // Less than 1 GiB reserves 255 MiB; shared-core E2 reserves 1060 millicores of its two.
    assert_eq!(
        allocatable::gke(&capacity("f1-micro", 1, 614 * MIB), 110).memory_bytes,
        (614 - 255 - 100) * MIB
    );
    assert_eq!(
        allocatable::gke(&capacity("e2-medium", 2, 4 * GIB), 110).cpu_mcores,
        940
    );
}

#[test]
fn aks_reserves_what_its_documentation_says() {
    // <https://learn.microsoft.com/azure/aks/node-resource-reservations>: the CPU table and both memory examples.
    for (cores, reserved) in [
        (1, 60),
        (2, 100),
        (4, 140),
        (8, 180),
        (16, 260),
        (32, 420),
        (64, 740),
    ] {
        let got = allocatable::aks(&capacity("any", cores, 8 * GIB), 30).cpu_mcores;
        assert_eq!(got, u64::from(cores) * 1000 - reserved, "{cores} cores");
    }
    // 8 GB and 30 pods: 20 · 30 + 50 = 650 for the kubelet and 100 for eviction.
    assert_eq!(
        allocatable::aks(&capacity("any", 2, 8 * GIB), 30).memory_bytes,
        8 * GIB - 750 * MIB
    );
    // 4 GB and 70 pods: 25 %, which is less than 20 · 70 + 50 = 1450.
    assert_eq!(
        allocatable::aks(&capacity("any", 2, 4 * GIB), 70).memory_bytes,
        3 * GIB - 100 * MIB
    );
}

#[test]
fn a_missing_pod_limit_takes_the_providers_default_and_has_none_on_aws() {
    let node = capacity("any", 4, 16 * GIB);
    assert_eq!(
        allocatable::of(Provider::Gcp, &node, None).map(|left| left.pods),
        Some(110)
    );
    assert_eq!(
        allocatable::of(Provider::Azure, &node, None).map(|left| left.pods),
        Some(250)
    );
    assert_eq!(allocatable::of(Provider::Aws, &node, None), None);
    assert_eq!(allocatable::of(Provider::Other, &node, Some(110)), None);
}

proptest! {
    #[test]
    fn allocatable_never_exceeds_capacity_nor_falls_as_the_node_grows(
        vcpus in 1_u32..=512, memory_mib in 0_u64..=(1 << 22), pods in 1_u32..=1000, arm in any::<bool>(),
    ) {
        let architecture = if arm { "arm64" } else { "amd64" };
        for provider in [Provider::Aws, Provider::Gcp, Provider::Azure] {
            let of = |vcpus: u32, memory_mib: u64| {
                let capacity = Capacity { instance_type: "any", architecture, vcpus, memory_bytes: memory_mib * MIB, gpus: 0 };
                allocatable::of(provider, &capacity, Some(pods)).unwrap()
            };
            let (here, larger) = (of(vcpus, memory_mib), of(vcpus + 1, memory_mib + 1));
            prop_assert!(here.cpu_mcores < u64::from(vcpus) * 1000);
            prop_assert!(here.memory_bytes <= memory_mib * MIB);
            prop_assert!(larger.cpu_mcores > here.cpu_mcores);
            // The one step down is GKE's own: 255 MiB below 1 GiB, 256 MiB at 1 GiB, where 1 MiB is gained and 1 MiB lost.
            prop_assert!(larger.memory_bytes >= here.memory_bytes);
        }
    }
}
