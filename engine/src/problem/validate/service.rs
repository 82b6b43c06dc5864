//! Services: replica bounds, load, capacity, objective, placement.

use std::collections::BTreeSet;

use super::value::{self, Stated, Unit};
use super::{Known, exists, names, no_repeats, not_empty};
use crate::problem::document::{
    Capacity, Mode, Placement, ProblemFile, Service, Slo, Survive, WorkloadKind,
};
use crate::problem::issue::{At, Mistakes, shown};

/// Most replicas of one service over all clusters.
const MAX_REPLICAS: u32 = 10_000;

/// Most requests that one pod serves at a time.
const MAX_CONCURRENCY: u32 = 100_000;

pub(super) fn services(mistakes: &mut Mistakes, problem: &ProblemFile, known: &Known<'_>) {
    let list = At::Top.key("services");
    not_empty(mistakes, &list, "service", problem.services.is_empty());
    names(
        mistakes,
        &list,
        "service",
        problem.services.iter().map(|service| service.name.as_str()),
    );
    for (index, service) in problem.services.iter().enumerate() {
        let at = list.named(index, &service.name);
        bounds(mistakes, &at, service, known);
        held_count(mistakes, &at, service, problem.current.is_some());
        value::resources(
            mistakes,
            &at.key("requests"),
            &service.requests,
            Stated::Pod,
        );
        if let Some(load) = &service.load {
            value::not_negative(mistakes, &at.key("load").key("rps"), load.rps);
        }
        if let Some(stated) = &service.capacity {
            capacity(mistakes, &at.key("capacity"), stated);
        }
        if let Some(objective) = &service.slo {
            slo(mistakes, &at, service, objective);
        }
        placement(mistakes, &at, service, known);
        value::not_negative(
            mistakes,
            &at.key("disruption").key("usd_per_eviction"),
            service.disruption.usd_per_eviction,
        );
        value::not_negative(mistakes, &at.key("ready_seconds"), service.ready_seconds);
    }
}

fn bounds(mistakes: &mut Mistakes, at: &At<'_>, service: &Service, known: &Known<'_>) {
    let clusters = at.key("clusters");
    not_empty(
        mistakes,
        &clusters,
        "cluster with its replica bounds",
        service.clusters.is_empty(),
    );
    let mut total: u64 = 0;
    for (cluster, bounds) in &service.clusters {
        let at = clusters.key(cluster);
        known.cluster(mistakes, &at, cluster);
        value::ordered(mistakes, &at, bounds.min, bounds.max);
        value::at_most(
            mistakes,
            &at.key("now"),
            bounds.now.unwrap_or_default(),
            MAX_REPLICAS,
        );
        total += u64::from(bounds.max);
    }
    if total > u64::from(MAX_REPLICAS) {
        mistakes.add(&clusters, format!("the maxima sum up to {total} replicas; at most {MAX_REPLICAS} are planned for a service"));
    }
}

/// A count that the plan holds must be known.
fn held_count(mistakes: &mut Mistakes, at: &At<'_>, service: &Service, current_is_known: bool) {
    let why = if service.mode == Mode::Observe {
        "mode observe"
    } else if service.load.is_none() || service.capacity.is_none() {
        "no load and capacity"
    } else {
        return;
    };
    for (cluster, bounds) in &service.clusters {
        if bounds.now.is_none() && !current_is_known && bounds.min != bounds.max {
            let message = format!(
                "is missing; with {why} the count is held at its current value: write it here or give current.nodes"
            );
            mistakes.add(&at.key("clusters").key(cluster).key("now"), message);
        }
    }
}

fn capacity(mistakes: &mut Mistakes, at: &At<'_>, capacity: &Capacity) {
    value::quantity(
        mistakes,
        &at.key("cpu_per_rps"),
        &capacity.cpu_per_rps,
        Unit::Mcores,
    );
    value::quantity(
        mistakes,
        &at.key("idle_cpu"),
        &capacity.idle_cpu,
        Unit::Mcores,
    );
    if let Some(peak) = &capacity.memory_peak {
        value::quantity(mistakes, &at.key("memory_peak"), peak, Unit::Units);
    }
    value::ratio(
        mistakes,
        &at.key("target_utilization"),
        capacity.target_utilization,
    );
    value::at_least_one(mistakes, &at.key("concurrency"), capacity.concurrency);
    value::at_most(
        mistakes,
        &at.key("concurrency"),
        capacity.concurrency,
        MAX_CONCURRENCY,
    );
    if let Some(milliseconds) = capacity.service_time_ms {
        value::positive(mistakes, &at.key("service_time_ms"), milliseconds);
    }
}

fn slo(mistakes: &mut Mistakes, at: &At<'_>, service: &Service, slo: &Slo) {
    let here = at.key("slo");
    if service.load.is_none() {
        mistakes.add(&here, "needs load, which is missing");
    }
    match &service.capacity {
        None => mistakes.add(
            &here,
            "needs capacity with service_time_ms, which is missing",
        ),
        Some(capacity) if capacity.service_time_ms.is_none() => {
            mistakes.add(&here, "needs capacity.service_time_ms, which is missing");
        }
        Some(_) => {}
    }
    value::positive(mistakes, &here.key("latency_p95_ms"), slo.latency_p95_ms);
    if let Some(price) = slo.usd_per_hour {
        value::not_negative(mistakes, &here.key("usd_per_hour"), price);
    }
    if let Some(observed) = slo.observed_p95_ms {
        value::positive(mistakes, &here.key("observed_p95_ms"), observed);
    }
}

fn placement(mistakes: &mut Mistakes, at: &At<'_>, service: &Service, known: &Known<'_>) {
    let here = at.key("placement");
    let placement = &service.placement;
    value::selector(mistakes, &here.key("selector"), &placement.selector);
    value::tolerations(mistakes, &here.key("tolerations"), &placement.tolerations);
    architectures(
        mistakes,
        &here.key("architectures"),
        &placement.architectures,
    );
    anti_affinity(mistakes, &here.key("anti_affinity"), placement, known);
    for (key, limit) in [
        ("max_per_node", placement.max_per_node),
        ("max_skew", placement.max_skew),
    ] {
        if let Some(limit) = limit {
            value::at_least_one(mistakes, &here.key(key), limit);
        }
    }
    value::at_least_one(mistakes, &here.key("min_zones"), placement.min_zones);
    value::share(
        mistakes,
        &here.key("spot_share_max"),
        placement.spot_share_max,
    );
    if placement.survive != Survive::None && (service.load.is_none() || service.capacity.is_none())
    {
        mistakes.add(
            &here.key("survive"),
            "needs load and capacity, without which nobody knows what would carry the load",
        );
    }
    zonal_volumes(mistakes, &here.key("zonal_volumes"), service, known);
}

fn architectures(mistakes: &mut Mistakes, at: &At<'_>, architectures: &[String]) {
    not_empty(mistakes, at, "architecture", architectures.is_empty());
    for (index, architecture) in architectures.iter().enumerate() {
        super::pool::architecture(mistakes, &at.item(index), architecture);
    }
    no_repeats(mistakes, at, architectures.iter().map(String::as_str));
}

fn anti_affinity(mistakes: &mut Mistakes, at: &At<'_>, placement: &Placement, known: &Known<'_>) {
    let services: BTreeSet<&str> = known.services.keys().copied().collect();
    for (index, other) in placement.anti_affinity.iter().enumerate() {
        exists(mistakes, &at.item(index), "service", other, &services);
    }
    no_repeats(
        mistakes,
        at,
        placement.anti_affinity.iter().map(String::as_str),
    );
}

fn zonal_volumes(mistakes: &mut Mistakes, at: &At<'_>, service: &Service, known: &Known<'_>) {
    let volumes = &service.placement.zonal_volumes;
    if volumes.is_empty() {
        return;
    }
    if service.kind != WorkloadKind::StatefulSet {
        mistakes.add(
            at,
            "is for a StatefulSet only; pods of a Deployment have no ordinals",
        );
    }
    if service.clusters.len() != 1 {
        mistakes.add(
            at,
            format!(
                "needs exactly one cluster, so that an ordinal names one pod; here are {}",
                service.clusters.len()
            ),
        );
    }
    for (ordinal, zone) in volumes {
        let at = at.key(ordinal);
        let canonical = ordinal
            .parse::<u32>()
            .is_ok_and(|number| number < MAX_REPLICAS && number.to_string() == *ordinal);
        if !canonical {
            mistakes.add(
                &at,
                format!(
                    "\"{}\" is not an ordinal; expected 0, 1, 2 …",
                    shown(ordinal)
                ),
            );
        }
        let mut zones = service
            .clusters
            .keys()
            .filter_map(|cluster| known.cluster_zones.get(cluster.as_str()));
        if !zones.any(|zones| zones.contains(zone.as_str())) {
            mistakes.add(
                &at,
                format!(
                    "no offering of the service's cluster is in zone {}",
                    shown(zone)
                ),
            );
        }
    }
}
