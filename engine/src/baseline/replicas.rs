//! The replicas that HorizontalPodAutoscalers settle on under the expected load.

use super::builder::CPU;
use super::hpa::{self, Reading};
use crate::fleet::{Fleet, Service};

/// Readings after which an autoscaler that still changes its mind is left where it is.
const READINGS: u32 = 20;

/// Replicas that HPA settles on in a cluster; services that are not sized, and those without known replicas, stay at their bounds.
pub(super) fn desired(fleet: &Fleet, s: usize, cluster: usize) -> u32 {
    let service = &fleet.services[s];
    let Some(bounds) = service.bounds(cluster) else {
        return 0;
    };
    let most = bounds.max.max(bounds.min);
    let now = bounds.now.unwrap_or(bounds.min).clamp(bounds.min, most);
    let Some(settings) = settings(fleet, s, bounds.min, most) else {
        return now;
    };
    // The load is shared by the replicas of all clusters, so HPA sees one utilisation and scales every cluster by the same ratio.
    let others = service.clusters.iter().filter(|b| b.cluster != cluster);
    let elsewhere: u32 = others.map(|b| b.now.unwrap_or(b.min)).sum();
    let mut replicas = now.max(1);
    for _ in 0..READINGS {
        let total = replicas + scale(replicas, elsewhere, now);
        let Some(reading) = reading(service, replicas, total) else {
            return now;
        };
        let next = hpa::recommended(&settings, replicas, &reading)
            .clamp(bounds.min, most)
            .max(u32::from(bounds.max > 0));
        if next == replicas {
            break;
        }
        replicas = next;
    }
    replicas.clamp(bounds.min, most)
}

/// The autoscaler of a sized service; its target is in whole percent.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is from 0 to 1"
)]
fn settings(fleet: &Fleet, s: usize, min: u32, max: u32) -> Option<hpa::Settings> {
    let capacity = fleet.problem.services[s].capacity.as_ref()?;
    let percent = (capacity.target_utilization * 100.0).round().max(1.0) as u32;
    Some(hpa::Settings::new(min, max, percent))
}

/// What the metrics say of `replicas` pods in a cluster, of `total` that share the load; nothing where use is not modelled.
fn reading(service: &Service, replicas: u32, total: u32) -> Option<Reading> {
    let level = service.level(total);
    level.utilization?;
    Some(Reading {
        request_mcores: service.request[CPU],
        ready: replicas,
        use_mcores: level.cpu_use_mcores * u64::from(replicas),
        unready: 0,
        missing: 0,
    })
}

/// What the other clusters have when this one went from `now` to `replicas`.
fn scale(replicas: u32, elsewhere: u32, now: u32) -> u32 {
    if now == 0 {
        return elsewhere;
    }
    let scaled = (u64::from(elsewhere) * u64::from(replicas)).div_ceil(u64::from(now));
    u32::try_from(scaled).unwrap_or(u32::MAX / 2)
}
