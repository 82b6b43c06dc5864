//! Pools and what they may buy.

use std::collections::BTreeMap;

use super::value::{self, Stated};
use super::{Known, name, names, not_empty};
use crate::problem::document::{CapacityType, Offering, Pool, ProblemFile};
use crate::problem::issue::{At, Mistakes, shown, suggestion};

/// CPU architectures that catalogue and scheduler labels know.
const ARCHITECTURES: [&str; 2] = ["amd64", "arm64"];

pub(super) fn pools(mistakes: &mut Mistakes, problem: &ProblemFile, known: &Known<'_>) {
    let list = At::Top.key("pools");
    not_empty(mistakes, &list, "pool", problem.pools.is_empty());
    names(
        mistakes,
        &list,
        "pool",
        problem.pools.iter().map(|pool| pool.name.as_str()),
    );
    for (index, pool) in problem.pools.iter().enumerate() {
        let at = list.named(index, &pool.name);
        known.cluster(mistakes, &at.key("cluster"), &pool.cluster);
        value::labels(mistakes, &at.key("labels"), &pool.labels);
        value::taints(mistakes, &at.key("taints"), &pool.taints);
        nodes(mistakes, &at.key("nodes"), pool);
        value::not_negative(mistakes, &at.key("startup_seconds"), pool.startup_seconds);
        offerings(mistakes, &at.key("offerings"), pool);
    }
}

fn nodes(mistakes: &mut Mistakes, at: &At<'_>, pool: &Pool) {
    value::count(mistakes, &at.key("min"), pool.nodes.min);
    if let Some(max) = pool.nodes.max {
        value::count(mistakes, &at.key("max"), max);
        value::ordered(mistakes, at, pool.nodes.min, max);
    }
}

fn offerings(mistakes: &mut Mistakes, list: &At<'_>, pool: &Pool) {
    not_empty(mistakes, list, "offering", pool.offerings.is_empty());
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    for (index, entry) in pool.offerings.iter().enumerate() {
        let at = list.item(index);
        offering(mistakes, &at, entry);
        let full_name = entry.name();
        if let Some(other) = first.get(&full_name) {
            mistakes.add(
                &at,
                format!(
                    "{} is also offerings[{other}] of this pool",
                    shown(&full_name)
                ),
            );
        } else {
            first.insert(full_name, index);
        }
    }
}

fn offering(mistakes: &mut Mistakes, at: &At<'_>, offering: &Offering) {
    for (key, part) in [
        ("instance_type", &offering.instance_type),
        ("zone", &offering.zone),
    ] {
        name(mistakes, &at.key(key), part);
        if part.contains('/') {
            mistakes.add(
                &at.key(key),
                format!(
                    "{} holds a slash, which separates the parts of an offering's name",
                    shown(part)
                ),
            );
        }
    }
    if let Some(price) = offering.usd_per_hour {
        value::not_negative(mistakes, &at.key("usd_per_hour"), price);
    }
    if let Some(rate) = offering.interruptions_per_hour {
        value::not_negative(mistakes, &at.key("interruptions_per_hour"), rate);
        if offering.capacity_type == CapacityType::OnDemand && rate > 0.0 {
            mistakes.add(
                &at.key("interruptions_per_hour"),
                format!("{rate} is above 0, but on-demand nodes are not interrupted"),
            );
        }
    }
    if let Some(most) = offering.available_nodes {
        value::count(mistakes, &at.key("available_nodes"), most);
    }
    if let Some(allocatable) = &offering.allocatable {
        value::resources(mistakes, &at.key("allocatable"), allocatable, Stated::Sum);
    }
    if let Some(stated) = &offering.architecture {
        architecture(mistakes, &at.key("architecture"), stated);
    }
}

pub(super) fn architecture(mistakes: &mut Mistakes, at: &At<'_>, architecture: &str) {
    if !ARCHITECTURES.contains(&architecture) {
        let near = suggestion(architecture, ARCHITECTURES);
        mistakes.add(
            at,
            format!(
                "\"{}\" is not one of {}{near}",
                shown(architecture),
                ARCHITECTURES.join(", ")
            ),
        );
    }
}
