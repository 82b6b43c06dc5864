#![allow(clippy::unwrap_used)]

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::catalogue::Catalogue;
use crate::cost::cost;
use crate::feasibility::excess;
use crate::generate::FleetSize;
use crate::{fleet, generate, problem};

fn fleet_of(seed: u64) -> Fleet {
    let size = FleetSize {
        services: 8,
        offerings: 12,
        seed,
    };
    let mut problem = generate::fleet(&size, Catalogue::built_in()).unwrap();
    problem.policy.max_moves = seed.is_multiple_of(2).then_some(2);
    problem.policy.budget_usd_per_hour = seed.is_multiple_of(3).then_some(5.0);
    let problem = problem::resolve(problem, Catalogue::built_in(), "f.yaml").unwrap();
    fleet::compile(problem, &[]).unwrap()
}

/// A node given back, or changed to another class, or one pod more or less on it, or a new one.
fn random_change(fleet: &Fleet, standing: &Standing, random: &mut ChaCha8Rng) -> Change {
    let mut change = Vec::new();
    let nodes: Vec<usize> = standing.nodes().map(|(index, _)| index).collect();
    let (class, s) = (
        random.random_range(0..fleet.classes.len()),
        random.random_range(0..fleet.services.len()),
    );
    for _ in 0..random.random_range(1..=3) {
        let index = nodes[random.random_range(0..nodes.len())];
        let node = standing.node(index).unwrap();
        let new = match random.random_range(0..4) {
            0 => None,
            1 => Some(Node {
                class,
                ..node.clone()
            }),
            2 => Some(node.without_one(s)),
            _ => Some(node.with(s, 1)),
        };
        if !change.iter().any(|(known, _)| *known == index) {
            change.push((index, new));
        }
    }
    if random.random_bool(0.2) {
        let pods = vec![(s, 2)];
        change.push((standing.slots.len(), Some(Node { class, pods })));
    }
    change
}

fn assert_stands(fleet: &Fleet, standing: &Standing, what: &str) {
    let placement = standing.placement();
    let (total, by) = (
        cost(fleet, &placement).total_usd_per_hour,
        excess(fleet, &placement),
    );
    assert!(
        (standing.total() - total).abs() < 1e-9,
        "{what}: {} for {total}",
        standing.total()
    );
    assert!(
        (standing.excess() - by).abs() < 1e-9,
        "{what}: {} for {by}",
        standing.excess()
    );
    assert_eq!(standing.excess() > 0.0, by > 0.0, "{what}");
}

#[test]
fn changes_kept_and_taken_back_stand_as_the_whole_placement_does() {
    let (mut feasible, mut broken) = (0, 0);
    for seed in 0..20 {
        let fleet = fleet_of(seed);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut standing = Standing::new(&fleet, &Placement::current(&fleet));
        assert_stands(&fleet, &standing, "at first");
        for step in 0..60 {
            let before = standing.placement();
            let change = random_change(&fleet, &standing, &mut random);
            let what = format!("seed {seed}, step {step}: {change:?}");
            let undo = standing.apply(change);
            assert_stands(&fleet, &standing, &what);
            *(if standing.excess() > 0.0 {
                &mut broken
            } else {
                &mut feasible
            }) += 1;
            if random.random_bool(0.5) && standing.nodes().count() > 3 {
                standing.keep();
            } else {
                standing.revert(undo);
                assert_eq!(standing.placement(), before, "{what}");
            }
            assert_stands(&fleet, &standing, &what);
        }
    }
    assert!(broken > 100, "{feasible} feasible, {broken} not");
}
