//! What a pool may buy: the types, zones and capacity types seen, and for Karpenter the next sizes of the same family.

use std::collections::BTreeSet;

use super::Options;
use super::notes::Notes;
use super::pool::{Group, least_allocatable};
use crate::catalogue::{Allocatable, Catalogue, InstanceType};
use crate::problem::{CapacityType, Cluster, Offering, Provider, Quantity, Resources};

/// Offerings of a group: every type × zone × capacity type that its nodes have. A group that only keeps its nodes offers just those.
pub(super) fn of_group(
    group: &Group<'_>,
    cluster: &Cluster,
    extended: &BTreeSet<String>,
    odd: bool,
    options: &Options<'_>,
    notes: &mut Notes,
) -> Vec<Offering> {
    let seen: BTreeSet<(&str, &str, CapacityType)> = group
        .members()
        .map(|node| {
            (
                node.instance_type.as_str(),
                node.zone.as_str(),
                node.capacity_type,
            )
        })
        .collect();
    let types: BTreeSet<&str> = seen.iter().map(|(name, _, _)| *name).collect();
    let zones: BTreeSet<&str> = seen.iter().map(|(_, zone, _)| *zone).collect();
    let capacity_types: BTreeSet<CapacityType> = seen
        .iter()
        .map(|(_, _, capacity_type)| *capacity_type)
        .collect();
    let mut offerings = Vec::new();
    for instance_type in &types {
        let sizes = Sizes::of(group, instance_type, cluster, extended, options, notes);
        for zone in &zones {
            for capacity_type in &capacity_types {
                let is_seen = seen.contains(&(*instance_type, *zone, *capacity_type));
                let price = price(options.catalogue, cluster, instance_type, *capacity_type);
                // What nobody bought here may be left away; what runs needs its price.
                if !is_seen && (odd || (price.is_none() && cluster.provider != Provider::Other)) {
                    continue;
                }
                let offering = sizes.offering(zone, *capacity_type, price, cluster, options);
                if price.is_none() {
                    unknown_price(group, &offering, cluster, notes);
                }
                offerings.push(offering);
            }
        }
    }
    if group.is_karpenter() && !odd {
        offerings.extend(neighbours(
            group,
            &types,
            &zones,
            &capacity_types,
            cluster,
            options,
            notes,
        ));
    }
    offerings
}

/// Size and architecture of a seen type, where the built-in catalogue does not say the same.
struct Sizes {
    instance_type: String,
    allocatable: Option<Resources>,
    architecture: Option<String>,
}

impl Sizes {
    fn of(
        group: &Group<'_>,
        instance_type: &str,
        cluster: &Cluster,
        extended: &BTreeSet<String>,
        options: &Options<'_>,
        notes: &mut Notes,
    ) -> Self {
        let least = least_allocatable(group, instance_type).unwrap_or_default();
        let mut found = least.to_resources();
        found.retain(|name, _| {
            ["cpu", "memory", "pods"].contains(&name.as_str()) || extended.contains(name)
        });
        let stated = ["cpu", "memory", "pods"]
            .into_iter()
            .all(|name| found.contains_key(name));
        let by_catalogue = Catalogue::built_in().shape(cluster.provider, instance_type);
        let by_file = options.catalogue.shape(cluster.provider, instance_type);
        if !stated && by_catalogue.is_none() && by_file.is_none() {
            let path = format!(
                "pools.{}.offerings.{instance_type}.allocatable",
                group.pool.name
            );
            notes.issue(path, "no node of this type states its allocatable cpu, memory and pods, and the catalogue does not know the type");
        }
        let same = by_catalogue.is_some_and(|shape| {
            let allocatable = &shape.allocatable;
            let units = |name: &str| found.get(name).and_then(Quantity::units);
            found.get("cpu").and_then(Quantity::milli) == Some(allocatable.cpu_mcores)
                && units("memory") == Some(allocatable.memory_bytes)
                && units("pods") == Some(allocatable.pods)
                && found.keys().all(|name| match name.as_str() {
                    "cpu" | "memory" | "pods" => true,
                    "nvidia.com/gpu" => units(name) == Some(allocatable.gpus),
                    _ => false,
                })
        });
        let allocatable = match by_file {
            _ if stated => (!same).then_some(found),
            Some(shape) if by_catalogue.is_none() => Some(resources(&shape.allocatable)),
            _ => None,
        };
        let architecture = group
            .members()
            .find(|node| node.instance_type == instance_type)
            .map(|node| node.architecture.clone());
        let known_architecture = by_catalogue.map(|shape| shape.architecture.as_str());
        Self {
            instance_type: instance_type.to_owned(),
            allocatable,
            architecture: architecture.filter(|name| known_architecture != Some(name.as_str())),
        }
    }

    fn offering(
        &self,
        zone: &str,
        capacity_type: CapacityType,
        price: Option<f64>,
        cluster: &Cluster,
        options: &Options<'_>,
    ) -> Offering {
        let built_in = self::price(
            Catalogue::built_in(),
            cluster,
            &self.instance_type,
            capacity_type,
        );
        let rate = interruptions(
            options.catalogue,
            cluster,
            &self.instance_type,
            capacity_type,
        );
        let built_in_rate = interruptions(
            Catalogue::built_in(),
            cluster,
            &self.instance_type,
            capacity_type,
        );
        Offering {
            instance_type: self.instance_type.clone(),
            zone: zone.to_owned(),
            capacity_type,
            usd_per_hour: price.filter(|price| built_in != Some(*price)),
            interruptions_per_hour: rate.filter(|rate| built_in_rate != Some(*rate)),
            available_nodes: None,
            allocatable: self.allocatable.clone(),
            architecture: self.architecture.clone(),
        }
    }
}

fn price(
    catalogue: &Catalogue,
    cluster: &Cluster,
    instance_type: &str,
    capacity_type: CapacityType,
) -> Option<f64> {
    price_of(
        catalogue.get(cluster.provider, &cluster.region, instance_type)?,
        capacity_type,
    )
}

fn interruptions(
    catalogue: &Catalogue,
    cluster: &Cluster,
    instance_type: &str,
    capacity_type: CapacityType,
) -> Option<f64> {
    let row = catalogue.get(cluster.provider, &cluster.region, instance_type)?;
    row.spot_interruptions_per_hour
        .filter(|_| capacity_type == CapacityType::Spot)
}

fn price_of(row: &InstanceType, capacity_type: CapacityType) -> Option<f64> {
    match capacity_type {
        CapacityType::OnDemand => row.on_demand_usd_per_hour,
        CapacityType::Spot => row.spot_usd_per_hour,
    }
}

/// Price files know the three clouds; machines of one's own are priced in the problem file itself.
fn unknown_price(group: &Group<'_>, offering: &Offering, cluster: &Cluster, notes: &mut Notes) {
    let path = format!(
        "pools.{}.offerings.{}.usd_per_hour",
        group.pool.name,
        offering.name()
    );
    if cluster.provider == Provider::Other {
        notes.untranslated(format!(
            "{path}: what the machine costs is not known; write it before planning"
        ));
        return;
    }
    let capacity_type = offering.capacity_type.as_str();
    let message = format!(
        "no {capacity_type} price of {} in {} {} is known; state it with --prices FILE.csv (see ketscale catalog --help)",
        offering.instance_type, cluster.provider, cluster.region
    );
    if !notes.issues.iter().any(|issue| issue.message == message) {
        notes.issue(path, message);
    }
}

/// The next smaller and larger sizes of the families seen, priced in the capacity types seen: what a NodePool may well buy too.
/// Managed groups have one type, and get none.
fn neighbours(
    group: &Group<'_>,
    types: &BTreeSet<&str>,
    zones: &BTreeSet<&str>,
    capacity_types: &BTreeSet<CapacityType>,
    cluster: &Cluster,
    options: &Options<'_>,
    notes: &mut Notes,
) -> Vec<Offering> {
    let here =
        |row: &&InstanceType| row.provider == cluster.provider && row.region == cluster.region;
    let seen: Vec<&InstanceType> = options
        .catalogue
        .iter()
        .filter(here)
        .filter(|row| types.contains(row.instance_type.as_str()))
        .collect();
    let is_next = |row: &&InstanceType| {
        seen.iter().any(|other| {
            family(row) == family(other)
                && (row.vcpus == other.vcpus.saturating_mul(2)
                    || row.vcpus.saturating_mul(2) == other.vcpus)
                && (row.architecture == other.architecture && (row.gpus > 0) == (other.gpus > 0))
        })
    };
    let mut offerings = Vec::new();
    for row in options
        .catalogue
        .iter()
        .filter(here)
        .filter(is_next)
        .filter(|row| !types.contains(row.instance_type.as_str()))
    {
        let known =
            Catalogue::built_in().shape(cluster.provider, &row.instance_type) == Some(&row.shape());
        for zone in zones {
            for capacity_type in capacity_types {
                let Some(price) = price_of(row, *capacity_type) else {
                    continue;
                };
                let sizes = Sizes {
                    instance_type: row.instance_type.clone(),
                    allocatable: (!known).then(|| resources(&row.allocatable)),
                    architecture: (!known).then(|| row.architecture.clone()),
                };
                let offering = sizes.offering(zone, *capacity_type, Some(price), cluster, options);
                let path = format!("pools.{}.offerings.{}", group.pool.name, offering.name());
                notes.assume(
                    path,
                    "Karpenter may buy it if its NodePool says so; a dump does not",
                );
                offerings.push(offering);
            }
        }
    }
    offerings
}

fn resources(allocatable: &Allocatable) -> Resources {
    let mut resources = Resources::from([
        (
            "cpu".to_owned(),
            Quantity::from_milli(allocatable.cpu_mcores),
        ),
        (
            "memory".to_owned(),
            Quantity::from_units(allocatable.memory_bytes),
        ),
        ("pods".to_owned(), Quantity::from_units(allocatable.pods)),
    ]);
    if allocatable.gpus > 0 {
        resources.insert(
            "nvidia.com/gpu".to_owned(),
            Quantity::from_units(allocatable.gpus),
        );
    }
    resources
}

/// The type's name without its size: `m6i` of `m6i.xlarge`, `e2-standard` of `e2-standard-4`, `Standard_D#s_v5` of `Standard_D4s_v5`.
fn family(row: &InstanceType) -> String {
    let name = row.instance_type.as_str();
    match row.provider {
        Provider::Aws => name.split('.').next().unwrap_or(name).to_owned(),
        Provider::Gcp => name
            .rsplit_once('-')
            .map_or(name, |(family, _)| family)
            .to_owned(),
        Provider::Azure | Provider::Other => {
            let start = name
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(name.len());
            let (head, rest) = name.split_at(start);
            format!(
                "{head}#{}",
                rest.trim_start_matches(|c: char| c.is_ascii_digit())
            )
        }
    }
}
