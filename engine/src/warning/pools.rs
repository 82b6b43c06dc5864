//! Pools whose services will request more than the pool may grow to.
//!
//! A service's pods are taken to stay spread over pools as they are now: a plan may spread them otherwise, and the warning says that it must.

use std::collections::BTreeMap;

use super::saturation::rps_of_a_pod;
use super::{Cause, Outlook, Warning, probability_above};
use crate::forecast::Forecast;
use crate::problem::{Pool, ProblemFile, Resources, Service};

/// Resources that are compared.
const RESOURCES: [&str; 3] = ["cpu", "memory", "pods"];

/// Of every pool that is bounded: the first time at which a resource is too little.
pub(super) fn warnings(outlook: &Outlook<'_>) -> Vec<Warning> {
    let pools = outlook.problem.pools.iter();
    pools.filter_map(|pool| of_pool(outlook, pool)).collect()
}

fn of_pool(outlook: &Outlook<'_>, pool: &Pool) -> Option<Warning> {
    let tenants = tenants(outlook, pool);
    let first = tenants.first()?.forecast;
    let most = |resource| Some((resource, largest(outlook.problem, pool, resource)?));
    let mosts: BTreeMap<&str, f64> = RESOURCES.into_iter().filter_map(most).collect();
    let foreign = |resource| foreign(outlook.problem, pool, resource);
    (0..first.upper.len())
        .filter(|step| first.time_seconds(step + 1) > outlook.now_seconds)
        .find_map(|step| {
            let at_seconds = first.time_seconds(step).max(outlook.now_seconds);
            mosts.iter().find_map(|(resource, most)| {
                let needed = |quantile: fn(&Forecast) -> &[f64]| {
                    let needs = tenants
                        .iter()
                        .map(|one| one.needs(at_seconds, resource, quantile));
                    foreign(*resource) + needs.sum::<f64>()
                };
                let quantiles = [
                    needed(|forecast| &forecast.lower),
                    needed(|forecast| &forecast.median),
                    needed(|forecast| &forecast.upper),
                ];
                let probability = probability_above(*most, quantiles, outlook.quantile)?;
                Some(warning(
                    outlook,
                    pool,
                    at_seconds,
                    probability,
                    resource,
                    quantiles[1],
                    *most,
                ))
            })
        })
}

fn warning(
    outlook: &Outlook<'_>,
    pool: &Pool,
    at_seconds: f64,
    probability: f64,
    resource: &str,
    expected: f64,
    most: f64,
) -> Warning {
    let subject = format!("pools.{}", pool.name);
    let bound = if pool.nodes.max.is_some() {
        "nodes.max"
    } else {
        "offerings"
    };
    Warning {
        constraint: format!("{subject}.{bound}"),
        subject,
        at_seconds,
        in_seconds: at_seconds - outlook.now_seconds,
        probability,
        cause: Cause::PoolSaturation {
            resource: resource.to_owned(),
            expected,
            most,
        },
    }
}

/// A service with pods on a pool.
struct Tenant<'a> {
    service: &'a Service,
    forecast: &'a Forecast,
    /// Share of its pods that are on this pool now.
    share: f64,
    /// Load that one pod carries.
    rps_of_a_pod: f64,
    least: f64,
    most: f64,
}

impl Tenant<'_> {
    /// What its pods on the pool request at a time.
    fn needs(&self, at_seconds: f64, resource: &str, quantile: fn(&Forecast) -> &[f64]) -> f64 {
        let steps =
            ((at_seconds - self.forecast.start_seconds) / self.forecast.step_seconds).floor();
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates at 0; what is too large is beyond the forecast"
        )]
        let values = quantile(self.forecast);
        let index = (steps.max(0.0) as usize).min(values.len().saturating_sub(1));
        let rps = values.get(index).copied().unwrap_or(0.0);
        let replicas = (rps / self.rps_of_a_pod)
            .ceil()
            .clamp(self.least, self.most);
        self.share * replicas * request(&self.service.requests, resource)
    }
}

/// Services that have pods on a pool now, a forecast, and a capacity.
fn tenants<'a>(outlook: &Outlook<'a>, pool: &Pool) -> Vec<Tenant<'a>> {
    let Some(current) = &outlook.problem.current else {
        return Vec::new();
    };
    let tenant = |service: &'a Service| {
        let forecast = outlook.forecasts.get(&service.name)?;
        let pods = |of_pool: bool| {
            let nodes = current.nodes.iter();
            let nodes = nodes.filter(|node| !of_pool || node.pool == pool.name);
            let pods = nodes.filter_map(|node| node.pods.get(&service.name));
            pods.map(|pods| f64::from(*pods)).sum::<f64>()
        };
        let (here, all) = (pods(true), pods(false));
        let bounds = service.clusters.values();
        let (least, most) = bounds.fold((0.0, 0.0), |(least, most), bounds| {
            (least + f64::from(bounds.min), most + f64::from(bounds.max))
        });
        (here > 0.0 && least <= most).then_some(Tenant {
            service,
            forecast,
            share: here / all,
            rps_of_a_pod: rps_of_a_pod(service, service.capacity.as_ref()?)?,
            least,
            most,
        })
    };
    outlook.problem.services.iter().filter_map(tenant).collect()
}

/// What the largest pool offers to pods: its most nodes, of the offerings with most of the resource first, each as far as it is available. `None` where the
/// pool is not bounded.
fn largest(problem: &ProblemFile, pool: &Pool, resource: &str) -> Option<f64> {
    let daemons = problem.daemonsets.iter().filter(|daemonset| {
        let clusters = daemonset.clusters.as_ref();
        daemonset.selector.is_empty() && clusters.is_none_or(|names| names.contains(&pool.cluster))
    });
    let taken: f64 = daemons
        .map(|daemonset| request(&daemonset.requests, resource))
        .sum();
    let mut offerings: Vec<(f64, Option<u32>)> = (pool.offerings.iter())
        .filter_map(|offering| {
            let allocatable = amount(offering.allocatable.as_ref()?, resource)?;
            Some(((allocatable - taken).max(0.0), offering.available_nodes))
        })
        .collect();
    offerings.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut nodes_left = pool.nodes.max;
    let mut total = 0.0;
    for (allocatable, available) in offerings {
        let nodes = match (nodes_left, available) {
            (Some(left), Some(available)) => left.min(available),
            (Some(only), None) | (None, Some(only)) => only,
            (None, None) => return None,
        };
        total += f64::from(nodes) * allocatable;
        nodes_left = nodes_left.map(|left| left - nodes);
    }
    Some(total)
}

/// What pods of no service request on the pool's nodes; they stay.
fn foreign(problem: &ProblemFile, pool: &Pool, resource: &str) -> f64 {
    let nodes = problem.current.iter().flat_map(|current| &current.nodes);
    let own = nodes.filter(|node| node.pool == pool.name);
    own.filter_map(|node| amount(&node.foreign, resource)).sum()
}

/// What a pod requests: of `pods`, one.
fn request(requests: &Resources, resource: &str) -> f64 {
    if resource == "pods" {
        return 1.0;
    }
    amount(requests, resource).unwrap_or(0.0)
}

/// In cores, bytes or pieces.
#[allow(clippy::cast_precision_loss, reason = "quantities are below 2⁵³")]
fn amount(resources: &Resources, resource: &str) -> Option<f64> {
    let quantity = resources.get(resource)?;
    if resource == "cpu" {
        quantity.milli_f64().map(|mcores| mcores / 1000.0)
    } else {
        quantity.units().map(|units| units as f64)
    }
}
