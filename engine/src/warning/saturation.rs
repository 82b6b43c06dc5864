//! Services whose load will be more than their replicas carry.

use super::{Cause, Outlook, Warning, probability_above};
use crate::fleet::latency::Queue;
use crate::forecast::Forecast;
use crate::problem::{Capacity, ProblemFile, Service};

/// A limit on the load of a service.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Limit {
    most_rps: f64,
    /// The key of the service that sets it.
    key: &'static str,
}

/// Of every service with a forecast and a capacity: the first crossing of what the most replicas carry, and of what those of now carry before more can be ready.
pub(super) fn warnings(outlook: &Outlook<'_>) -> Vec<Warning> {
    let services = outlook.problem.services.iter();
    services
        .filter_map(|service| Some((service, outlook.forecasts.get(&service.name)?)))
        .flat_map(|(service, forecast)| of_service(outlook, service, forecast))
        .collect()
}

fn of_service(outlook: &Outlook<'_>, service: &Service, forecast: &Forecast) -> Vec<Warning> {
    let Some(capacity) = &service.capacity else {
        return Vec::new();
    };
    let most: u32 = service.clusters.values().map(|bounds| bounds.max).sum();
    let now = replicas_now(outlook.problem, service);
    let ready = outlook.now_seconds + lead_seconds(outlook.problem, service);
    let saturation = crossing(
        outlook,
        forecast,
        limit(service, capacity, most),
        f64::INFINITY,
    );
    let saturation = saturation.map(|crossed| {
        crossed.warning(outlook, service, |expected_rps, most_rps| {
            Cause::Saturation {
                expected_rps,
                most_rps,
                replicas: most,
            }
        })
    });
    let lag = now.filter(|now| *now < most).and_then(|now| {
        let crossed = crossing(outlook, forecast, limit(service, capacity, now), ready)?;
        Some(
            crossed.warning(outlook, service, |expected_rps, most_rps| Cause::Lag {
                expected_rps,
                most_rps,
                replicas: now,
            }),
        )
    });
    saturation.into_iter().chain(lag).collect()
}

/// Where a forecast crosses a limit.
struct Crossing {
    limit: Limit,
    at_seconds: f64,
    expected_rps: f64,
    probability: f64,
}

impl Crossing {
    fn warning(
        &self,
        outlook: &Outlook<'_>,
        service: &Service,
        cause: impl FnOnce(f64, f64) -> Cause,
    ) -> Warning {
        let subject = format!("services.{}", service.name);
        Warning {
            constraint: format!("{subject}.{}", self.limit.key),
            subject,
            at_seconds: self.at_seconds,
            in_seconds: self.at_seconds - outlook.now_seconds,
            probability: self.probability,
            cause: cause(self.expected_rps, self.limit.most_rps),
        }
    }
}

/// The first step of a forecast, from now and up to a time, that is above a limit with the probability of the quantile or more.
fn crossing(
    outlook: &Outlook<'_>,
    forecast: &Forecast,
    limit: Limit,
    until_seconds: f64,
) -> Option<Crossing> {
    let quantiles = forecast
        .lower
        .iter()
        .zip(&forecast.median)
        .zip(&forecast.upper);
    quantiles
        .enumerate()
        .find_map(|(index, ((lower, median), upper))| {
            let at_seconds = forecast.time_seconds(index).max(outlook.now_seconds);
            let past = forecast.time_seconds(index + 1) <= outlook.now_seconds;
            if past || at_seconds > until_seconds {
                return None;
            }
            Some(Crossing {
                limit,
                at_seconds,
                expected_rps: *median,
                probability: probability_above(
                    limit.most_rps,
                    [*lower, *median, *upper],
                    outlook.quantile,
                )?,
            })
        })
}

/// Replicas of now over all clusters: as stated, else the pods on nodes.
pub(super) fn replicas_now(problem: &ProblemFile, service: &Service) -> Option<u32> {
    let stated: Option<u32> = service.clusters.values().map(|bounds| bounds.now).sum();
    let placed = || {
        let nodes = &problem.current.as_ref()?.nodes;
        Some(
            nodes
                .iter()
                .filter_map(|node| node.pods.get(&service.name))
                .sum(),
        )
    };
    stated.or_else(placed)
}

/// Seconds until a replica that is ordered now is ready, on a node that is ordered now as well: the slowest pool of its clusters.
fn lead_seconds(problem: &ProblemFile, service: &Service) -> f64 {
    let pools = problem.pools.iter();
    let own = pools.filter(|pool| service.clusters.contains_key(&pool.cluster));
    let startup = own.map(|pool| pool.startup_seconds).fold(0.0, f64::max);
    startup + service.ready_seconds
}

/// The most load that so many replicas carry: within target utilisation, in a stable queue, and within a hard latency objective.
fn limit(service: &Service, capacity: &Capacity, replicas: u32) -> Limit {
    let by_cpu = Limit {
        most_rps: f64::from(replicas) * rps_of_a_pod(service, capacity).unwrap_or(f64::INFINITY),
        key: "capacity.target_utilization",
    };
    let by_queue = queue_limit(service, capacity, replicas);
    by_queue
        .filter(|limit| limit.most_rps < by_cpu.most_rps)
        .unwrap_or(by_cpu)
}

/// Load at which a pod is at its target utilisation. `None` where that never happens.
pub(super) fn rps_of_a_pod(service: &Service, capacity: &Capacity) -> Option<f64> {
    let mcores = |quantity: &crate::problem::Quantity| quantity.milli_f64();
    let request = service.requests.get("cpu").and_then(mcores)?;
    let idle = mcores(&capacity.idle_cpu)?;
    let per_rps = mcores(&capacity.cpu_per_rps).filter(|per_rps| *per_rps > 0.0)?;
    Some((request * capacity.target_utilization - idle).max(0.0) / per_rps)
}

/// By the M/M/c queue, where the service time is known.
fn queue_limit(service: &Service, capacity: &Capacity, replicas: u32) -> Option<Limit> {
    let service_per_second = 1000.0 / capacity.service_time_ms?;
    let servers = f64::from(replicas) * f64::from(capacity.concurrency);
    let stable = Limit {
        most_rps: servers * service_per_second,
        key: "capacity.service_time_ms",
    };
    let hard = service
        .slo
        .as_ref()
        .filter(|slo| slo.usd_per_hour.is_none());
    let Some(slo) = hard else {
        return Some(stable);
    };
    let meets = |arrivals_per_second: f64| {
        let queue = Queue {
            arrivals_per_second,
            service_per_second,
            servers,
        };
        let p95 = queue.p95_seconds();
        p95.is_some_and(|p95| p95 * 1000.0 <= slo.latency_p95_ms)
    };
    // Latency grows with the load.
    let (mut low, mut high) = (0.0, stable.most_rps);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if meets(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(Limit {
        most_rps: low,
        key: "slo.latency_p95_ms",
    })
}
