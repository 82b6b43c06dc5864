//! Why nothing is feasible: constraints that clash, and what giving one up would do.

use crate::exact;
use crate::fleet::{self, Fleet};
use crate::limits::Meter;
use crate::plan::{Certificate, Leaf};
use crate::problem::{Placement, ProblemFile, Survive};
use crate::verify::bound::{Prices, bound};

/// A certificate that nothing is feasible, when there is one.
pub(super) fn prove(fleet: &Fleet, meter: &Meter) -> Option<Certificate> {
    let empty = Leaf {
        branches: Vec::new(),
        duals: std::collections::BTreeMap::new(),
    };
    let impossible = fleet
        .services
        .iter()
        .any(|service| service.admissible().next().is_none());
    let leaf = if impossible {
        empty
    } else {
        exact::prove_infeasible(fleet, meter)?
    };
    let certificate = Certificate { leaves: vec![leaf] };
    bound(fleet, &certificate, Prices::Zero)
        .is_ok_and(|value| value > 0.0)
        .then_some(certificate)
}

/// A constraint or family of constraints that can be left out.
struct Family {
    name: String,
    without: Box<dyn Fn(&mut ProblemFile)>,
}

/// Which constraints clash, and which of them would make it feasible when given up.
pub(super) fn reasons(fleet: &Fleet, meter: &Meter) -> Vec<String> {
    let mut reasons = inadmissible(fleet);
    if !reasons.is_empty() {
        return reasons;
    }
    let mut problem = fleet.problem.clone();
    let mut clashing: Vec<Family> = Vec::new();
    // Deletion filter (Chinneck and Dravnieks 1991): what can be left out with the rest still infeasible does not matter.
    for family in families(&fleet.problem) {
        let mut without = problem.clone();
        (family.without)(&mut without);
        if is_infeasible(&without, fleet, meter) {
            problem = without;
        } else {
            clashing.push(family);
        }
    }
    let names: Vec<&str> = clashing.iter().map(|family| family.name.as_str()).collect();
    reasons.push(match names.as_slice() {
        [] => "the replicas that the load needs do not fit the offerings".to_owned(),
        [one] => format!("{one} cannot be kept with the replicas that the load needs"),
        _ => format!("these clash: {}", names.join("; ")),
    });
    for family in &clashing {
        reasons.push(format!(
            "relax {}: the others can then be kept, as far as the relaxation tells",
            family.name
        ));
    }
    reasons
}

/// Services for which no replica count is admissible, with the reason.
fn inadmissible(fleet: &Fleet) -> Vec<String> {
    let stuck = fleet
        .services
        .iter()
        .filter(|service| service.admissible().next().is_none());
    stuck
        .map(|service| {
            let most: u32 = service.clusters.iter().map(|bounds| bounds.max).sum();
            let least: u32 = service.clusters.iter().map(|bounds| bounds.min).sum();
            let needed = match service.least_carrying {
                u32::MAX => format!("more than {most} replicas"),
                needed => format!("{needed} replicas"),
            };
            format!(
                "{}: no replica count is admissible between {least} and {most}: the load at target utilisation needs {needed}, and a latency \
                 objective without a price is a hard limit; raise clusters.*.max, requests.cpu or the objective",
                service.name
            )
        })
        .collect()
}

fn is_infeasible(problem: &ProblemFile, fleet: &Fleet, meter: &Meter) -> bool {
    let Ok(fleet) = fleet::compile(problem.clone(), &fleet.relaxed) else {
        return true;
    };
    exact::prove_infeasible(&fleet, meter).is_some()
}

fn families(problem: &ProblemFile) -> Vec<Family> {
    let mut families = Vec::new();
    let mut add = |present: bool, name: String, without: Box<dyn Fn(&mut ProblemFile)>| {
        if present {
            families.push(Family { name, without });
        }
    };
    let policy = &problem.policy;
    add(
        policy.budget_usd_per_hour.is_some(),
        "policy.budget_usd_per_hour".into(),
        Box::new(|p| p.policy.budget_usd_per_hour = None),
    );
    add(
        policy.max_moves.is_some(),
        "policy.max_moves".into(),
        Box::new(|p| p.policy.max_moves = None),
    );
    for (index, cap) in policy.caps.iter().enumerate() {
        let name = cap.name.clone();
        add(
            true,
            format!("policy.caps.{}", policy.caps[index].name),
            Box::new(move |p| p.policy.caps.retain(|cap| cap.name != name)),
        );
    }
    for (index, pool) in problem.pools.iter().enumerate() {
        add(
            pool.nodes.max.is_some(),
            format!("pools.{}.nodes.max", pool.name),
            Box::new(move |p| p.pools[index].nodes.max = None),
        );
        let limited = pool
            .offerings
            .iter()
            .any(|offering| offering.available_nodes.is_some());
        let unlimited = move |p: &mut ProblemFile| {
            p.pools[index]
                .offerings
                .iter_mut()
                .for_each(|o| o.available_nodes = None)
        };
        add(
            limited,
            format!("pools.{}.offerings.*.available_nodes", pool.name),
            Box::new(unlimited),
        );
    }
    for (index, service) in problem.services.iter().enumerate() {
        let path = |key: &str| format!("services.{}.placement.{key}", service.name);
        let change = |change: fn(&mut Placement)| {
            Box::new(move |p: &mut ProblemFile| change(&mut p.services[index].placement))
        };
        let placement = &service.placement;
        add(
            placement.survive != Survive::None,
            path("survive"),
            change(|p| p.survive = Survive::None),
        );
        add(
            placement.spot_share_max < 1.0,
            path("spot_share_max"),
            change(|p| p.spot_share_max = 1.0),
        );
        add(
            placement.max_skew.is_some(),
            path("max_skew"),
            change(|p| p.max_skew = None),
        );
        add(
            placement.min_zones > 1,
            path("min_zones"),
            change(|p| p.min_zones = 1),
        );
        add(
            placement.max_per_node.is_some(),
            path("max_per_node"),
            change(|p| p.max_per_node = None),
        );
        add(
            !placement.anti_affinity.is_empty(),
            path("anti_affinity"),
            change(|p| p.anti_affinity.clear()),
        );
        add(
            !placement.zonal_volumes.is_empty(),
            path("zonal_volumes"),
            change(|p| p.zonal_volumes.clear()),
        );
    }
    families
}
