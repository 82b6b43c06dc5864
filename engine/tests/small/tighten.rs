//! A rule more, which the optimum of a problem breaks.

use ketscale_engine::problem::{
    Cap, CapacityType, ProblemFile, Quantity, Survive, Taint, TaintEffect, WorkloadKind,
};

use super::meaning::{Layout, Meaning, Node};
use super::optimum::optimum;
use super::place::Place;
use super::random_problem::Draw;

/// The problem with a rule that keeps its optimum out; `None` where it has none, or the rule drawn is no rule.
pub fn tighten(problem: &ProblemFile, draw: &mut Draw) -> Option<ProblemFile> {
    let meaning = Meaning::new(problem, &[]);
    let (_, layout) = optimum(&meaning, &mut |_, _| {}).filter(|(_, layout)| !layout.is_empty())?;
    let mut tight = problem.clone();
    if draw.chance(0.5) {
        limit_nodes(&mut tight, &meaning, &layout, draw)?;
    } else {
        limit_pods(&mut tight, &meaning, &layout, draw)?;
    }
    Some(tight)
}

/// Keeps one of the optimum's nodes out.
fn limit_nodes(
    tight: &mut ProblemFile,
    meaning: &Meaning<'_>,
    layout: &Layout,
    draw: &mut Draw,
) -> Option<()> {
    let used = || layout.iter().map(|node| &meaning.places[node.place]);
    let out = draw.pick(&used().collect::<Vec<_>>());
    let offering = out.offering.name();
    let pool = tight
        .pools
        .iter_mut()
        .find(|pool| pool.name == out.pool.name)?;
    let count =
        |is: &dyn Fn(&&Place<'_>) -> bool| u32::try_from(used().filter(is).count()).unwrap();
    let cap = cap(out, draw);
    let capped = || used().filter(|place| super::sums::selects(&cap, place));
    match draw.between(0, 9) {
        0 | 7 => tight.policy.budget_usd_per_hour = Some(0.99 * meaning.nodes_usd_per_hour(layout)),
        1 => pool.nodes.max = Some(count(&|place| place.pool.name == out.pool.name) - 1),
        2 => {
            let sold = pool
                .offerings
                .iter_mut()
                .find(|sold| sold.name() == offering)?;
            sold.available_nodes = Some(count(&|place| place.is_of(&out.pool.name, &offering)) - 1);
        }
        3 => pool.taints.push(Taint {
            key: "dedicated".to_owned(),
            value: "other".to_owned(),
            effect: TaintEffect::NoSchedule,
        }),
        4 => {
            let max_nodes = Some(u32::try_from(capped().count()).unwrap() - 1);
            tight.policy.caps = vec![Cap { max_nodes, ..cap }];
        }
        5 => {
            let mcores = capped().map(Place::mcores).sum::<f64>() - 1.0;
            let max_cpu = Some(Quantity(format!("{mcores}m")));
            tight.policy.caps = vec![Cap { max_cpu, ..cap }];
        }
        _ => {
            let usd_per_hour = capped().map(Place::usd_per_hour).sum::<f64>();
            let max_usd_per_hour = Some(0.9 * usd_per_hour);
            tight.policy.caps = vec![Cap {
                max_usd_per_hour,
                ..cap
            }];
        }
    }
    Some(())
}

/// A cap, still without a limit, over a selection that a place belongs to.
fn cap(place: &Place<'_>, draw: &mut Draw) -> Cap {
    let mut cap = Cap {
        name: "tight".to_owned(),
        clusters: None,
        pools: None,
        instance_types: None,
        zones: None,
        capacity_types: None,
        max_nodes: None,
        max_cpu: None,
        max_usd_per_hour: None,
    };
    match draw.between(0, 5) {
        0 => cap.clusters = Some(vec![place.pool.cluster.clone()]),
        1 => cap.pools = Some(vec![place.pool.name.clone()]),
        2 => cap.instance_types = Some(vec![place.offering.instance_type.clone()]),
        3 => cap.zones = Some(vec![place.offering.zone.clone()]),
        4 => cap.capacity_types = Some(vec![place.offering.capacity_type]),
        _ => {}
    }
    cap
}

/// Forbids what the optimum does with the pods of a service.
fn limit_pods(
    tight: &mut ProblemFile,
    meaning: &Meaning<'_>,
    layout: &Layout,
    draw: &mut Draw,
) -> Option<()> {
    let s = draw.between(0, u32::try_from(tight.services.len()).unwrap() - 1) as usize;
    let names: Vec<String> = tight
        .services
        .iter()
        .map(|service| service.name.clone())
        .collect();
    let total: u32 = layout.iter().map(|node| node.pods[s]).sum();
    let fullest = layout
        .iter()
        .max_by_key(|node| node.pods[s])
        .filter(|node| node.pods[s] > 0)?;
    let place = &meaning.places[fullest.place];
    let is_spot =
        |node: &&Node| meaning.places[node.place].offering.capacity_type == CapacityType::Spot;
    let spot: u32 = layout.iter().filter(is_spot).map(|node| node.pods[s]).sum();
    let moves = meaning.moves(layout, s, total);
    let service = &mut tight.services[s];
    let rules = &mut service.placement;
    match draw.between(0, 10) {
        0 => rules.max_per_node = Some(fullest.pods[s].checked_sub(1).filter(|most| *most > 0)?),
        1 => {
            let beside = |other: &usize| *other != s && fullest.pods[*other] > 0;
            let other = (0..names.len()).find(beside).unwrap_or(s);
            rules.anti_affinity = vec![names[other].clone()];
        }
        2 => rules.anti_affinity = vec![names[s].clone()],
        3 => rules.min_zones = 2,
        4 => rules.max_skew = Some(1),
        5 => rules.spot_share_max = f64::from(spot.checked_sub(1)?) / f64::from(total),
        6 if service.load.is_some() => {
            rules.survive = draw.pick(&[Survive::Node, Survive::Zone, Survive::Cluster]);
        }
        7 => service.disruption.max_unavailable = 0,
        8 => tight.policy.max_moves = Some(moves.checked_sub(1)?),
        9 => rules.architectures = vec!["amd64".to_owned()],
        _ => {
            let other = |zone: &&str| **zone != place.offering.zone;
            let mut zones = meaning
                .places
                .iter()
                .map(|place| place.offering.zone.as_str());
            let zone = zones.find(|zone| other(zone))?.to_owned();
            service.kind = WorkloadKind::StatefulSet;
            service.placement.zonal_volumes = (0..total)
                .map(|ordinal| (ordinal.to_string(), zone.clone()))
                .collect();
        }
    }
    Some(())
}
