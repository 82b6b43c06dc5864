//! The bound against every plan of small problems, for random multipliers and for good ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/every_plan.rs"]
mod every_plan;
#[path = "common/plain_bound.rs"]
mod plain_bound;
#[path = "common/random_problem.rs"]
mod random_problem;

use std::collections::BTreeMap;

use every_plan::{Found, every_plan};
use ketscale_engine::fleet::{self, Fleet};
use ketscale_engine::plan::{Branch, Certificate, Leaf};
use ketscale_engine::problem::ProblemFile;
use ketscale_engine::verify::bound::{Prices, bound, evaluate};
use plain_bound::plain_bound;
use random_problem::{Draw, random_problem, random_small_problem};

const PROBLEMS: u64 = 60;
const TRIES: usize = 60;

/// Names of the rows that a fleet has, with whether their multiplier may be negative and its usual size.
fn rows(fleet: &Fleet) -> Vec<(String, bool, f64)> {
    let mut rows = Vec::new();
    for service in &fleet.services {
        for cell in &service.cells {
            rows.push((
                format!("pods/{}/{}", service.name, fleet.cell_name(*cell)),
                true,
                0.05,
            ));
        }
        rows.push((format!("spot_share/{}", service.name), false, 0.05));
        if service.unmovable {
            rows.push((format!("no_moves/{}", service.name), false, 0.05));
        }
    }
    rows.extend(fleet.limits.iter().map(|limit| {
        let largest = limit.coefficients.iter().copied().fold(1e-3, f64::max);
        (limit.name.clone(), false, 0.05 / largest)
    }));
    rows.extend(fleet.commitments.iter().map(|c| {
        (
            format!("commitment/{}", fleet.offering_name(c.offering)),
            false,
            0.1,
        )
    }));
    rows.extend(
        fleet
            .budget_usd_per_hour()
            .map(|_| ("budget".to_owned(), false, 0.5)),
    );
    rows.extend(
        fleet
            .max_moves()
            .map(|_| ("max_moves".to_owned(), false, 0.02)),
    );
    rows
}

/// Multipliers that get better: each try changes some at random, and keeps the change when the bound rises.
fn climb(
    fleet: &Fleet,
    branches: &[Branch],
    prices: Prices,
    draw: &mut Draw,
    mut seen: impl FnMut(&Leaf, f64),
) -> (Leaf, f64) {
    let mut rows = rows(fleet);
    for branch in branches
        .iter()
        .filter(|branch| branch.on.starts_with("nodes"))
    {
        let side = if branch.at_most.is_some() {
            "at_most"
        } else {
            "at_least"
        };
        rows.push((format!("{side}/{}", branch.on), false, 0.05));
    }
    let mut best = Leaf {
        branches: branches.to_vec(),
        duals: BTreeMap::new(),
    };
    let mut value = evaluate(fleet, &best, prices).unwrap();
    seen(&best, value);
    for _ in 0..TRIES {
        let mut leaf = best.clone();
        for (name, any_sign, size) in &rows {
            if draw.chance(0.3) {
                let sign = if *any_sign && draw.chance(0.4) {
                    -1.0
                } else {
                    1.0
                };
                let change = leaf.duals.get(name).copied().unwrap_or(0.0)
                    + sign * size * draw.unit()
                    - if *any_sign { 0.0 } else { 0.5 * size };
                leaf.duals.insert(
                    name.clone(),
                    if *any_sign { change } else { change.max(0.0) },
                );
            }
        }
        let bound = evaluate(fleet, &leaf, prices).unwrap();
        seen(&leaf, bound);
        if bound > value {
            (best, value) = (leaf, bound);
        }
    }
    (best, value)
}

fn assert_below(bound: f64, optimum: f64, what: &str) {
    assert!(
        bound <= optimum + 1e-9 * optimum.abs().max(1.0),
        "{what}: bound {bound} above the optimum {optimum}"
    );
}

fn least(plans: &[Found], keeps: impl Fn(&Found) -> bool) -> f64 {
    plans
        .iter()
        .filter(|plan| keeps(plan))
        .map(|plan| plan.usd_per_hour)
        .fold(f64::INFINITY, f64::min)
}

#[test]
fn no_multipliers_bound_above_the_optimum() {
    let (mut pairs, mut feasible, mut ratios) = (0, 0, Vec::new());
    for seed in 0..PROBLEMS {
        let fleet = fleet::compile(random_small_problem(seed), &[]).unwrap();
        let plans = every_plan(&fleet);
        let optimum = least(&plans, |_| true);
        let mut draw = Draw::new(seed);
        let (_, value) = climb(&fleet, &[], Prices::Real, &mut draw, |leaf, bound| {
            pairs += 1;
            assert_below(bound, optimum, &format!("seed {seed}, {leaf:?}"));
        });
        if optimum.is_finite() {
            feasible += 1;
            ratios.push(if optimum > 0.0 { value / optimum } else { 1.0 });
            let zero = |leaf: &Leaf, bound: f64| {
                assert!(
                    bound <= 0.0,
                    "seed {seed}, {leaf:?}: {bound} refutes a feasible problem"
                )
            };
            climb(&fleet, &[], Prices::Zero, &mut draw, zero);
        }
    }
    println!("{pairs} pairs, {feasible} of {PROBLEMS} feasible, bounds over optima {ratios:.2?}");
    assert!(
        pairs >= 1000 && feasible >= PROBLEMS / 3,
        "{pairs} pairs, {feasible} feasible problems say too little"
    );
    // Otherwise the multipliers were too bad to test anything.
    assert!(
        ratios.iter().filter(|ratio| **ratio > 0.5).count() >= ratios.len() / 4,
        "{ratios:?}"
    );
}

/// A decision on the replicas of a service, the nodes of an offering or all nodes.
fn random_decision(fleet: &Fleet, draw: &mut Draw) -> (String, u32) {
    let service = draw.pick(&fleet.services);
    let offering = draw.between(0, fleet.offerings.len() as u32 - 1) as usize;
    let on = [
        format!("replicas/{}", service.name),
        format!("nodes/{}", fleet.offering_name(offering)),
        "nodes".to_owned(),
    ];
    (draw.pick(&on), draw.between(0, 4))
}

fn keeps(fleet: &Fleet, branch: &Branch, plan: &Found) -> bool {
    let sum = match branch.on.strip_prefix("replicas/") {
        Some(name) => plan
            .placement
            .replicas(fleet.services.iter().position(|s| s.name == name).unwrap()),
        None => {
            let named = |o: usize| {
                branch.on == "nodes" || branch.on == format!("nodes/{}", fleet.offering_name(o))
            };
            plan.placement
                .nodes(fleet)
                .iter()
                .enumerate()
                .filter(|(o, _)| named(*o))
                .map(|(_, nodes)| nodes)
                .sum()
        }
    };
    branch.at_most.is_none_or(|most| sum <= most)
        && branch.at_least.is_none_or(|least| sum >= least)
}

#[test]
fn leaves_bound_what_keeps_their_decisions_and_the_certificate_everything() {
    for seed in 0..40 {
        let fleet = fleet::compile(random_small_problem(seed), &[]).unwrap();
        let plans = every_plan(&fleet);
        let mut draw = Draw::new(seed + 1000);
        let (on, number) = random_decision(&fleet, &mut draw);
        let below = Branch {
            on: on.clone(),
            at_most: Some(number),
            at_least: None,
        };
        let above = Branch {
            on,
            at_most: None,
            at_least: Some(number + 1),
        };
        let mut leaves = Vec::new();
        for branch in [below, above] {
            let optimum = least(&plans, |plan| keeps(&fleet, &branch, plan));
            let what = format!("seed {seed}, {branch:?}");
            let (leaf, _) = climb(&fleet, &[branch], Prices::Real, &mut draw, |leaf, value| {
                assert_below(value, optimum, &format!("{what} {leaf:?}"))
            });
            leaves.push(leaf);
        }
        let values: Vec<f64> = leaves
            .iter()
            .map(|leaf| evaluate(&fleet, leaf, Prices::Real).unwrap())
            .collect();
        let whole = bound(
            &fleet,
            &Certificate {
                leaves: leaves.clone(),
            },
            Prices::Real,
        )
        .unwrap();
        assert_eq!(whole, values[0].min(values[1]));
        assert!(
            bound(
                &fleet,
                &Certificate {
                    leaves: leaves[..1].to_vec()
                },
                Prices::Real
            )
            .is_err(),
            "one side alone proves nothing"
        );
    }
}

/// Normal problems cut down to counts at which everything can be tried.
fn cut_down(mut problem: ProblemFile) -> ProblemFile {
    problem.services.truncate(5);
    problem.current = None;
    problem.policy.max_moves = None;
    let names: Vec<String> = problem
        .services
        .iter()
        .map(|service| service.name.clone())
        .collect();
    for service in &mut problem.services {
        service
            .placement
            .anti_affinity
            .retain(|other| names.contains(other));
        let before: u32 = service.clusters.values().map(|bounds| bounds.max).sum();
        let most = 6 / service.clusters.len() as u32;
        for bounds in service.clusters.values_mut() {
            bounds.max = bounds.max.min(most);
            bounds.min = bounds.min.min(bounds.max);
            bounds.now = Some(bounds.min);
        }
        let after: u32 = service.clusters.values().map(|bounds| bounds.max).sum();
        if let Some(load) = &mut service.load {
            load.rps *= f64::from(after) / f64::from(before);
        }
    }
    problem
}

#[test]
fn equals_the_formula_in_plain_arithmetic() {
    let (mut finite, mut compared) = (0, 0);
    for seed in 0..150 {
        let problem = if seed % 2 == 0 {
            random_small_problem(seed)
        } else {
            cut_down(random_problem(seed))
        };
        let Ok(fleet) = fleet::compile(problem, &[]) else {
            continue;
        };
        let mut draw = Draw::new(seed + 2000);
        let (on, number) = random_decision(&fleet, &mut draw);
        let decisions = [
            Branch {
                on: on.clone(),
                at_most: Some(number),
                at_least: None,
            },
            Branch {
                on,
                at_most: None,
                at_least: Some(number),
            },
        ];
        let branches = if draw.chance(0.5) {
            vec![draw.pick(&decisions)]
        } else {
            Vec::new()
        };
        let mut tried = 0;
        climb(&fleet, &branches, Prices::Real, &mut draw, |leaf, value| {
            tried += 1;
            if tried % 6 != 0 {
                return;
            }
            let (plain, size) = plain_bound(&fleet, leaf);
            compared += 1;
            finite += usize::from(plain.is_finite());
            if plain.is_infinite() || value.is_infinite() {
                assert_eq!(plain, value, "seed {seed}, {leaf:?}");
            } else {
                let scale = size.max(1.0);
                assert!(
                    value <= plain + 1e-14 * scale,
                    "seed {seed}: {value} above {plain}, {leaf:?}"
                );
                assert!(
                    value >= plain - 2e-9 * scale,
                    "seed {seed}: {value} far below {plain}, {leaf:?}"
                );
            }
        });
    }
    println!("{compared} compared, {finite} finite");
    assert!(finite >= 500, "{finite} finite of {compared}");
}

#[test]
fn a_certificate_that_cannot_be_read_is_refused() {
    let fleet = fleet::compile(random_small_problem(1), &[]).unwrap();
    let leaf = |name: &str, value: f64| Leaf {
        branches: Vec::new(),
        duals: BTreeMap::from([(name.to_owned(), value)]),
    };
    let service = &fleet.services[0].name;
    let pods = format!(
        "pods/{service}/{}",
        fleet.cell_name(fleet.services[0].cells[0])
    );
    assert!(evaluate(&fleet, &leaf(&pods, -0.1), Prices::Real).is_ok());
    let spot = format!("spot_share/{service}");
    for (name, value) in [
        (spot.as_str(), -0.1),
        ("pods/no/such", 0.1),
        ("budget/", 0.1),
        ("at_most/nodes", 0.1),
        (pods.as_str(), f64::NAN),
        (pods.as_str(), f64::INFINITY),
        (pods.as_str(), -2e12),
    ] {
        let findings = evaluate(&fleet, &leaf(name, value), Prices::Real).expect_err(name);
        assert!(findings[0].path.contains(name), "{findings:?}");
    }
    for (on, at_most, at_least) in [
        ("nodes", None, None),
        ("nodes", Some(1), Some(2)),
        ("nodes/no/such", Some(1), None),
        ("", Some(1), None),
    ] {
        let branches = vec![Branch {
            on: on.to_owned(),
            at_most,
            at_least,
        }];
        assert!(
            evaluate(
                &fleet,
                &Leaf {
                    branches,
                    duals: BTreeMap::new()
                },
                Prices::Real
            )
            .is_err(),
            "{on}"
        );
    }
}
