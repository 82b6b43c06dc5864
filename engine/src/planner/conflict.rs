//! Why nothing is feasible: constraints that clash, and what giving one up would do.

use crate::exact;
use crate::fleet::{self, Fleet};
use crate::limits::Meter;
use crate::plan::{Certificate, Leaf};
use crate::problem::{Placement, ProblemFile, Survive};
use crate::verify::bound::{Prices, bound};

/// Most constraints of which each is left out in turn: every one takes a proof of its own.
const MOST_FAMILIES: usize = 200;

/// A certificate that nothing is feasible, when there is one: no multipliers at all where some service's own rules leave it no choice,
/// else those of the exact relaxation.
pub(super) fn prove(fleet: &Fleet, meter: &Meter) -> Option<Certificate> {
    let empty = Leaf {
        branches: Vec::new(),
        duals: std::collections::BTreeMap::new(),
    };
    let refutes = |leaf: Leaf| {
        let certificate = Certificate { leaves: vec![leaf] };
        let value = bound(fleet, &certificate, Prices::Zero);
        value.is_ok_and(|value| value > 0.0).then_some(certificate)
    };
    refutes(empty).or_else(|| refutes(exact::prove_infeasible(fleet, meter)?))
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
    let families = families(&fleet.problem);
    if families.len() > MOST_FAMILIES {
        let many = families.len();
        return vec![format!(
            "it is not told which of {many} constraints clash: they are too many to try"
        )];
    }
    let mut problem = fleet.problem.clone();
    let mut clashing: Vec<Family> = Vec::new();
    // Deletion filter (Chinneck and Dravnieks 1991): what can be left out with the rest still infeasible does not matter.
    for family in families {
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
    prove(&fleet, meter).is_some()
}

fn families(problem: &ProblemFile) -> Vec<Family> {
    let mut families = policy_families(problem);
    families.extend((0..problem.pools.len()).flat_map(|index| pool_families(problem, index)));
    families.extend((0..problem.services.len()).flat_map(|index| service_families(problem, index)));
    families
}

impl Family {
    /// `None` where the problem has no such constraint.
    fn new(
        present: bool,
        name: String,
        without: impl Fn(&mut ProblemFile) + 'static,
    ) -> Option<Self> {
        present.then(|| Self {
            name,
            without: Box::new(without),
        })
    }
}

fn policy_families(problem: &ProblemFile) -> Vec<Family> {
    let policy = &problem.policy;
    let budget = Family::new(
        policy.budget_usd_per_hour.is_some(),
        "policy.budget_usd_per_hour".to_owned(),
        |p| p.policy.budget_usd_per_hour = None,
    );
    let max_moves = Family::new(
        policy.max_moves.is_some(),
        "policy.max_moves".to_owned(),
        |p| p.policy.max_moves = None,
    );
    let caps = policy.caps.iter().filter_map(|cap| {
        let name = cap.name.clone();
        Family::new(true, format!("policy.caps.{name}"), move |p| {
            p.policy.caps.retain(|cap| cap.name != name);
        })
    });
    budget.into_iter().chain(max_moves).chain(caps).collect()
}

fn pool_families(problem: &ProblemFile, index: usize) -> Vec<Family> {
    let pool = &problem.pools[index];
    let max = Family::new(
        pool.nodes.max.is_some(),
        format!("pools.{}.nodes.max", pool.name),
        move |p| p.pools[index].nodes.max = None,
    );
    let available = Family::new(
        pool.offerings
            .iter()
            .any(|offering| offering.available_nodes.is_some()),
        format!("pools.{}.offerings.*.available_nodes", pool.name),
        move |p| {
            let offerings = p.pools[index].offerings.iter_mut();
            offerings.for_each(|o| o.available_nodes = None);
        },
    );
    max.into_iter().chain(available).collect()
}

fn service_families(problem: &ProblemFile, index: usize) -> Vec<Family> {
    let service = &problem.services[index];
    let placement = &service.placement;
    type Rule = (bool, &'static str, fn(&mut Placement));
    let rules: [Rule; 7] = [
        (placement.survive != Survive::None, "survive", |p| {
            p.survive = Survive::None;
        }),
        (placement.spot_share_max < 1.0, "spot_share_max", |p| {
            p.spot_share_max = 1.0;
        }),
        (placement.max_skew.is_some(), "max_skew", |p| {
            p.max_skew = None;
        }),
        (placement.min_zones > 1, "min_zones", |p| p.min_zones = 1),
        (placement.max_per_node.is_some(), "max_per_node", |p| {
            p.max_per_node = None;
        }),
        (!placement.anti_affinity.is_empty(), "anti_affinity", |p| {
            p.anti_affinity.clear();
        }),
        (!placement.zonal_volumes.is_empty(), "zonal_volumes", |p| {
            p.zonal_volumes.clear();
        }),
    ];
    let family = |(present, key, change): Rule| {
        let name = format!("services.{}.placement.{key}", service.name);
        Family::new(present, name, move |p| {
            change(&mut p.services[index].placement);
        })
    };
    rules.into_iter().filter_map(family).collect()
}
