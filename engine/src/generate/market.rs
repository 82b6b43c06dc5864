//! Clusters, pools and what they may buy: types that the catalogue has a price for.

use std::collections::{BTreeMap, BTreeSet};

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::catalogue::{Catalogue, Filter, InstanceType};
use crate::problem::{CapacityType, Cluster, NodeBounds, Offering, Pool, Provider};

/// Offerings that one cluster has at most, unless the catalogue's regions are too few.
const OFFERINGS_A_CLUSTER: usize = 500;

/// Types that a cluster's existing nodes are of.
const USUAL_TYPES: usize = 4;

/// Seconds from ordering a node to its being ready, as `ketscale init` assumes.
const STARTUP_SECONDS: f64 = 90.0;

/// Regions that the catalogue has prices for, in the order in which clusters open there.
const REGIONS: [Region; 7] = [
    Region {
        cluster: "gke-euw1",
        provider: Provider::Gcp,
        name: "europe-west1",
        zones: &["europe-west1-b", "europe-west1-c", "europe-west1-d"],
    },
    Region {
        cluster: "eks-use1",
        provider: Provider::Aws,
        name: "us-east-1",
        zones: &["us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d"],
    },
    Region {
        cluster: "aks-weu",
        provider: Provider::Azure,
        name: "westeurope",
        zones: &["westeurope-1", "westeurope-2", "westeurope-3"],
    },
    Region {
        cluster: "gke-usc1",
        provider: Provider::Gcp,
        name: "us-central1",
        zones: &[
            "us-central1-a",
            "us-central1-b",
            "us-central1-c",
            "us-central1-f",
        ],
    },
    Region {
        cluster: "gke-euw4",
        provider: Provider::Gcp,
        name: "europe-west4",
        zones: &["europe-west4-a", "europe-west4-b", "europe-west4-c"],
    },
    Region {
        cluster: "aks-neu",
        provider: Provider::Azure,
        name: "northeurope",
        zones: &["northeurope-1", "northeurope-2", "northeurope-3"],
    },
    Region {
        cluster: "aks-eus",
        provider: Provider::Azure,
        name: "eastus",
        zones: &["eastus-1", "eastus-2", "eastus-3"],
    },
];

struct Region {
    cluster: &'static str,
    provider: Provider,
    name: &'static str,
    zones: &'static [&'static str],
}

/// An instance type in one zone under one capacity type.
#[derive(Clone, Copy)]
pub(super) struct Offer<'a> {
    pub(super) kind: &'a InstanceType,
    pub(super) zone: &'static str,
    pub(super) capacity_type: CapacityType,
}

/// A cluster and what it may buy.
pub(super) struct Market<'a> {
    region: &'static Region,
    offers: Vec<Offer<'a>>,
    /// Types that its nodes are of now: amd64, of middling size, on demand in every zone in which the cluster has any.
    pub(super) usual: Vec<&'a InstanceType>,
}

/// Number of offerings that the catalogue has for generated fleets.
pub(super) fn most_offerings(catalogue: &Catalogue) -> usize {
    REGIONS.iter().map(|region| region.room(catalogue)).sum()
}

/// The clusters of a fleet with `offerings` offerings, which the catalogue has.
pub(super) fn markets<'a>(
    catalogue: &'a Catalogue,
    offerings: usize,
    random: &mut ChaCha8Rng,
) -> Vec<Market<'a>> {
    let (mut opened, mut room) = (0, 0);
    while opened < REGIONS.len() && (room < offerings || opened * OFFERINGS_A_CLUSTER < offerings) {
        room += REGIONS[opened].room(catalogue);
        opened += 1;
    }
    // Shares by room, rounded so that their sum is exact and none is above its room.
    let mut before = 0;
    let share = |before: usize| offerings * before / room;
    let mut markets = Vec::new();
    for region in &REGIONS[..opened] {
        let after = before + region.room(catalogue);
        let count = share(after) - share(before);
        if count > 0 {
            markets.push(Market::open(region, catalogue, count, random));
        }
        before = after;
    }
    markets
}

impl Region {
    /// Types without GPUs that have a price on demand here.
    fn types<'a>(&self, catalogue: &'a Catalogue) -> Vec<&'a InstanceType> {
        let filter = Filter {
            provider: Some(self.provider),
            region: Some(self.name.to_owned()),
            gpus: Some(false),
            ..Filter::default()
        };
        let mut types = catalogue.filter(&filter);
        types.retain(|kind| kind.on_demand_usd_per_hour.is_some());
        types
    }

    /// A type in every zone, on demand and, where its price is known, on spot.
    fn offers<'a>(&'static self, kind: &'a InstanceType) -> impl Iterator<Item = Offer<'a>> {
        let spot = kind.spot_usd_per_hour.map(|_| CapacityType::Spot);
        [CapacityType::OnDemand]
            .into_iter()
            .chain(spot)
            .flat_map(move |capacity_type| {
                self.zones.iter().map(move |zone| Offer {
                    kind,
                    zone,
                    capacity_type,
                })
            })
    }

    /// Number of offerings here.
    fn room(&'static self, catalogue: &Catalogue) -> usize {
        let types = self.types(catalogue);
        types
            .into_iter()
            .map(|kind| self.offers(kind).count())
            .sum()
    }
}

impl<'a> Market<'a> {
    fn open(
        region: &'static Region,
        catalogue: &'a Catalogue,
        count: usize,
        random: &mut ChaCha8Rng,
    ) -> Self {
        let mut types = region.types(catalogue);
        types.shuffle(random);
        // Middling types first, so that the smallest fleets have them too.
        types.sort_by_key(|kind| !is_middling(kind));
        let offers: Vec<Offer> = types
            .iter()
            .flat_map(|kind| region.offers(kind))
            .take(count)
            .collect();
        let zones_of = |kind: &InstanceType| {
            let of_kind = |offer: &&Offer| {
                offer.kind == kind && offer.capacity_type == CapacityType::OnDemand
            };
            offers.iter().filter(of_kind).count()
        };
        let most_zones = types.first().map_or(0, |kind| zones_of(kind));
        let usual = types
            .iter()
            .copied()
            .take(USUAL_TYPES)
            .filter(|kind| zones_of(kind) == most_zones)
            .collect();
        Self {
            region,
            offers,
            usual,
        }
    }

    /// Name of the cluster.
    pub(super) fn cluster_name(&self) -> &'static str {
        self.region.cluster
    }

    /// Zones in which every usual type can be bought on demand.
    pub(super) fn zones(&self) -> Vec<&'static str> {
        let on_demand = self
            .offers
            .iter()
            .filter(|offer| offer.capacity_type == CapacityType::OnDemand);
        let zones: BTreeSet<&str> = on_demand.map(|offer| offer.zone).collect();
        zones.into_iter().collect()
    }

    pub(super) fn sells(&self, wanted: &Offer) -> bool {
        self.offers.iter().any(|offer| {
            offer.capacity_type == wanted.capacity_type
                && offer.zone == wanted.zone
                && offer.kind.instance_type == wanted.kind.instance_type
        })
    }

    pub(super) fn cluster(&self) -> Cluster {
        Cluster {
            name: self.cluster_name().to_owned(),
            provider: self.region.provider,
            region: self.region.name.to_owned(),
        }
    }

    /// Name of the pool that buys a type.
    pub(super) fn pool_of(&self, kind: &InstanceType) -> String {
        format!("{}-{}", self.cluster_name(), family(kind))
    }

    /// One pool a family of types.
    pub(super) fn pools(&self) -> Vec<Pool> {
        let mut pools: BTreeMap<String, Vec<Offering>> = BTreeMap::new();
        for offer in &self.offers {
            let offerings = pools.entry(self.pool_of(offer.kind)).or_default();
            offerings.push(offer.offering());
        }
        pools
            .into_iter()
            .map(|(name, offerings)| Pool {
                name,
                cluster: self.cluster_name().to_owned(),
                labels: BTreeMap::new(),
                taints: Vec::new(),
                nodes: NodeBounds::default(),
                startup_seconds: STARTUP_SECONDS,
                offerings,
            })
            .collect()
    }
}

impl Offer<'_> {
    /// The offering; price and size are left to the catalogue.
    pub(super) fn offering(&self) -> Offering {
        Offering {
            instance_type: self.kind.instance_type.clone(),
            zone: self.zone.to_owned(),
            capacity_type: self.capacity_type,
            usd_per_hour: None,
            interruptions_per_hour: None,
            available_nodes: None,
            allocatable: None,
            architecture: None,
        }
    }
}

/// amd64, 4 to 16 cores, 2 to 8 GiB a core.
fn is_middling(kind: &InstanceType) -> bool {
    let gib_a_core = gib_a_core(kind);
    kind.architecture == "amd64"
        && (4..=16).contains(&kind.vcpus)
        && (2.0..=8.0).contains(&gib_a_core)
}

fn family(kind: &InstanceType) -> &'static str {
    match gib_a_core(kind) {
        _ if kind.architecture == "arm64" => "arm",
        ratio if ratio < 3.0 => "compute",
        ratio if ratio > 6.0 => "memory",
        _ => "general",
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "memory of a node is far below 2⁵³ bytes"
)]
fn gib_a_core(kind: &InstanceType) -> f64 {
    kind.memory_bytes as f64 / f64::from(1 << 30) / f64::from(kind.vcpus.max(1))
}
