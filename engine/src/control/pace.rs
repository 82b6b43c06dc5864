//! Bounds on replicas for one cycle: what scaling policies allow, what the service's own bounds carry, and what the acting controller would
//! not do.

use super::acting;
use super::event::{EventKind, Events};
use super::rules::Direction;
use super::settings::Acting;
use super::{Settings, State};
use crate::fleet::carries;
use crate::plan::Plan;
use crate::problem::{Mode, ProblemFile, Service};

/// Narrows replica bounds to what the policies of both directions allow; where too few are allowed for the demand, the demand that they
/// carry is planned for. Says so in sentences for the plan.
pub(super) fn limit(
    state: &State,
    problem: &mut ProblemFile,
    now_seconds: f64,
    settings: &Settings,
    events: &mut Events,
) -> Vec<String> {
    let mut reasons = Vec::new();
    for service in &mut problem.services {
        if service.mode == Mode::Observe {
            continue;
        }
        let past = state
            .services
            .get(&service.name)
            .map(|memory| &memory.changes);
        let most: u32 = service.clusters.values().map(|bounds| bounds.max).sum();
        for (cluster, bounds) in &mut service.clusters {
            let Some(now) = bounds.now else { continue };
            let past = past
                .and_then(|past| past.get(cluster))
                .map_or(&[][..], Vec::as_slice);
            let limit = |rules: &super::rules::Rules, direction| {
                rules.limit(direction, now, past, now_seconds)
            };
            // Bounds win over policies, as with HPA.
            if let Some(most) = limit(&settings.scale_up, Direction::Up) {
                bounds.max = most.clamp(bounds.min, bounds.max);
            }
            if let Some(least) = limit(&settings.scale_down, Direction::Down) {
                bounds.min = least.clamp(bounds.min, bounds.max);
            }
        }
        reasons.extend(within_reach(service, most, events));
    }
    reasons
}

/// Lowers the demand of a service to what the most replicas carry that policies and its own bounds allow now: where nothing carries the
/// demand, as much as there may be comes nearest to it, and holding would leave less. Says so.
fn within_reach(service: &mut Service, bound: u32, events: &mut Events) -> Option<String> {
    let most: u32 = service.clusters.values().map(|bounds| bounds.max).sum();
    let now: u32 = service
        .clusters
        .values()
        .filter_map(|bounds| bounds.now)
        .sum();
    let rps = service.load.as_ref().map(|load| load.rps)?;
    if most == 0 || carries(service, rps, most) {
        return None;
    }
    let (mut low, mut high) = (0.0, rps);
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if carries(service, middle, most) {
            low = middle;
        } else {
            high = middle;
        }
    }
    let (kind, allowed) = if most == bound {
        (EventKind::Saturated, "that its bounds allow")
    } else {
        (EventKind::RateLimited, "allowed now")
    };
    let message = format!(
        "{rps:.1} requests per second need more than the {most} replicas {allowed} (there are {now}); planned for {low:.1}"
    );
    events.tell_of(kind, &service.name, &message);
    if let Some(load) = &mut service.load {
        load.rps = low;
    }
    Some(format!("{}: {message}", service.name))
}

/// Changes of a plan that the acting controller would swallow, undone as bounds: the count stays as it is where that carries the demand,
/// else it goes beyond what is swallowed. True where there were any.
pub(super) fn undo_swallowed(problem: &mut ProblemFile, plan: &Plan, acting: Acting) -> bool {
    let mut any = false;
    for (service, planned) in problem.services.iter_mut().zip(&plan.services) {
        let total: u32 = planned.replicas.values().sum();
        let rps = service.load.as_ref().map(|load| load.rps);
        for (cluster, replicas) in &planned.replicas {
            let Some(now) = service.clusters.get(cluster).and_then(|bounds| bounds.now) else {
                continue;
            };
            if !acting::swallows(acting, now, *replicas) {
                continue;
            }
            any = true;
            let kept = (total + now).saturating_sub(*replicas);
            let suffices = rps.is_none_or(|rps| carries(service, rps, kept));
            if let Some(bounds) = service.clusters.get_mut(cluster) {
                if suffices && (bounds.min..=bounds.max).contains(&now) {
                    (bounds.min, bounds.max) = (now, now);
                } else {
                    bounds.min = acting::least_noticed(now).clamp(bounds.min, bounds.max);
                }
            }
        }
    }
    any
}
