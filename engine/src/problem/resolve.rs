//! Completes a problem: what its offerings leave to the catalogue, and replica counts from the pods that run.

use std::collections::BTreeMap;

use super::document::{
    CapacityType, Cluster, Current, Offering, Pool, ProblemFile, Provider, Resources, Service,
};
use super::issue::{At, InputErrors, Mistakes, shown};
use super::quantity::Quantity;
use super::validate;
use crate::catalogue::{Allocatable, Catalogue, InstanceType};

/// Extended resource under which the GPUs of a catalogue type are offered.
const GPU: &str = "nvidia.com/gpu";

/// Fills in what the file leaves to the catalogue and to `current.nodes`: every offering's `usd_per_hour`,
/// `interruptions_per_hour`, `allocatable` (with `cpu`, `memory` and `pods`) and `architecture`, and, where `current` is given,
/// every service's `now` in each cluster. What the file states is kept.
///
/// # Errors
/// Every offering whose price or size nobody knows, with what to write; and all that [`validate`](super::validate()) finds in
/// the completed problem, so that what this returns is always valid. Lines are not known here.
pub fn resolve(
    problem: ProblemFile,
    catalogue: &Catalogue,
    file: &str,
) -> Result<ProblemFile, InputErrors> {
    let mut problem = problem;
    let mut mistakes = Mistakes::default();
    let clusters: BTreeMap<&str, &Cluster> = problem
        .clusters
        .iter()
        .map(|cluster| (cluster.name.as_str(), cluster))
        .collect();
    let list = At::Top.key("pools");
    for (index, pool) in problem.pools.iter_mut().enumerate() {
        // A pool of an unknown cluster is told of by `validate` below.
        if let Some(cluster) = clusters.get(pool.cluster.as_str()) {
            let name = pool.name.clone();
            complete_pool(
                &mut mistakes,
                &list.named(index, &name),
                pool,
                cluster,
                catalogue,
            );
        }
    }
    if let Some(current) = &problem.current {
        count_pods(&mut problem.services, &problem.pools, current);
    }
    mistakes.append(validate::mistakes(&problem));
    if mistakes.is_empty() {
        Ok(problem)
    } else {
        Err(InputErrors {
            file: file.to_owned(),
            issues: mistakes.into_issues(&[]),
        })
    }
}

fn complete_pool(
    mistakes: &mut Mistakes,
    at: &At<'_>,
    pool: &mut Pool,
    cluster: &Cluster,
    catalogue: &Catalogue,
) {
    let list = at.key("offerings");
    for (index, offering) in pool.offerings.iter_mut().enumerate() {
        let source = Source::of(catalogue, cluster, offering);
        let at = list.item(index);
        source.complete_price(mistakes, &at, offering);
        source.complete_size(mistakes, &at, offering);
    }
}

/// What the catalogue knows of one offering.
struct Source<'a> {
    catalogue: &'a Catalogue,
    cluster: &'a Cluster,
    /// The type in the cluster's region.
    regional: Option<&'a InstanceType>,
    /// Its size and architecture, known in any region.
    size: Option<(Allocatable, &'a str)>,
}

impl<'a> Source<'a> {
    fn of(catalogue: &'a Catalogue, cluster: &'a Cluster, offering: &Offering) -> Self {
        let regional = catalogue.get(cluster.provider, &cluster.region, &offering.instance_type);
        let size = match regional {
            Some(known) => Some((known.allocatable, known.architecture.as_str())),
            None => (catalogue.shape(cluster.provider, &offering.instance_type))
                .map(|shape| (shape.allocatable, shape.architecture.as_str())),
        };
        Self {
            catalogue,
            cluster,
            regional,
            size,
        }
    }

    fn complete_price(&self, mistakes: &mut Mistakes, at: &At<'_>, offering: &mut Offering) {
        let spot = offering.capacity_type == CapacityType::Spot;
        if offering.usd_per_hour.is_none() {
            let known = self.regional;
            offering.usd_per_hour = known.and_then(|known| {
                if spot {
                    known.spot_usd_per_hour
                } else {
                    known.on_demand_usd_per_hour
                }
            });
        }
        if offering.usd_per_hour.is_none() {
            let message = format!(
                "no price is known for {}: {}; write usd_per_hour",
                shown(&offering.name()),
                self.why(offering)
            );
            mistakes.add(&at.key("usd_per_hour"), message);
        }
        let rate = self
            .regional
            .and_then(|known| known.spot_interruptions_per_hour)
            .filter(|_| spot);
        offering
            .interruptions_per_hour
            .get_or_insert(rate.unwrap_or(0.0));
    }

    fn complete_size(&self, mistakes: &mut Mistakes, at: &At<'_>, offering: &mut Offering) {
        let name = offering.name();
        let architecture = self.size.map_or("amd64", |(_, architecture)| architecture);
        offering
            .architecture
            .get_or_insert_with(|| architecture.to_owned());
        let known = self.size.map(|(allocatable, _)| allocatable);
        match &mut offering.allocatable {
            Some(stated) => {
                for (resource, amount) in known.map(required).unwrap_or_default() {
                    stated.entry(resource).or_insert(amount);
                }
                for resource in ["cpu", "memory", "pods"] {
                    if !stated.contains_key(resource) {
                        let message = format!(
                            "is missing, and the size of {} is not in the catalogue",
                            shown(&name)
                        );
                        mistakes.add(&at.key("allocatable").key(resource), message);
                    }
                }
            }
            None => match known {
                Some(known) => offering.allocatable = Some(all(known)),
                None => {
                    let why = self.why(offering);
                    let message = format!(
                        "no size is known for {}: {why}; write allocatable: {{cpu: …, memory: …, pods: …}}",
                        shown(&name)
                    );
                    mistakes.add(&at.key("allocatable"), message);
                }
            },
        }
    }

    /// Why the catalogue does not know it, in words.
    fn why(&self, offering: &Offering) -> String {
        let provider = self.cluster.provider;
        if provider == Provider::Other {
            return "provider other has no catalogue".to_owned();
        }
        let kind = shown(&offering.instance_type);
        if self.regional.is_some() {
            return format!(
                "the catalogue has no {} price of it",
                offering.capacity_type.as_str()
            );
        }
        let region = shown(&self.cluster.region);
        if self.size.is_some() {
            return format!("the catalogue has no prices of {kind} in region {region}");
        }
        let types = self
            .catalogue
            .iter()
            .filter(|known| known.provider == provider);
        format!(
            "the catalogue has no type {kind} of this provider{}",
            super::issue::suggestion(
                &offering.instance_type,
                types.map(|known| known.instance_type.as_str())
            )
        )
    }
}

/// What every node must state.
fn required(known: Allocatable) -> Resources {
    BTreeMap::from([
        ("cpu".to_owned(), Quantity::from_milli(known.cpu_mcores)),
        (
            "memory".to_owned(),
            Quantity::from_units(known.memory_bytes),
        ),
        ("pods".to_owned(), Quantity::from_units(known.pods)),
    ])
}

fn all(known: Allocatable) -> Resources {
    let mut resources = required(known);
    if known.gpus > 0 {
        resources.insert(GPU.to_owned(), Quantity::from_units(known.gpus));
    }
    resources
}

/// Fills every absent `now` with the pods of the service on the nodes of the cluster.
fn count_pods(services: &mut [Service], pools: &[Pool], current: &Current) {
    let cluster_of: BTreeMap<&str, &str> = pools
        .iter()
        .map(|pool| (pool.name.as_str(), pool.cluster.as_str()))
        .collect();
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for node in &current.nodes {
        let Some(cluster) = cluster_of.get(node.pool.as_str()) else {
            continue;
        };
        for (service, pods) in &node.pods {
            let count = counts.entry((service, cluster)).or_default();
            *count = count.saturating_add(*pods);
        }
    }
    for service in services {
        for (cluster, bounds) in &mut service.clusters {
            let count = counts.get(&(service.name.as_str(), cluster.as_str()));
            bounds.now.get_or_insert(count.copied().unwrap_or_default());
        }
    }
}
