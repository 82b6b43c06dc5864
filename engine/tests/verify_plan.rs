//! Plans made without any solver pass, and every single change to what can be recomputed is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/every_plan.rs"]
mod every_plan;
#[path = "common/random_problem.rs"]
mod random_problem;

use std::collections::BTreeMap;

use every_plan::every_plan;
use ketscale_engine::cost::cost;
use ketscale_engine::feasibility::violations;
use ketscale_engine::fleet::{self, Fleet};
use ketscale_engine::placement::Placement;
use ketscale_engine::plan::{
    self, Action, Baseline, BaselineRow, Candidate, Certificate, Decision, Leaf, Plan, Provenance,
    SCHEMA, Status, rows,
};
use ketscale_engine::problem::ProblemFile;
use ketscale_engine::steps;
use ketscale_engine::verify::bound::{Prices, bound, constants, gap};
use ketscale_engine::verify::{Finding, verify, verify_against};
use random_problem::random_small_problem;
use serde_json::Value;

fn row(fleet: &Fleet, placement: &Placement) -> BaselineRow {
    BaselineRow {
        cost: cost(fleet, placement),
        nodes: rows::node_groups(fleet, placement),
        violations: violations(fleet, placement)
            .iter()
            .map(ToString::to_string)
            .collect(),
    }
}

/// A file without a plan.
fn empty(fleet: &Fleet) -> Plan {
    let candidate = Candidate {
        solver: "enumerate".to_owned(),
        outcome: "none".to_owned(),
        total_usd_per_hour: None,
        schedulable_usd_per_hour: None,
        work: 0,
        note: String::new(),
    };
    let provenance = Provenance {
        version: "0".to_owned(),
        solver: "enumerate".to_owned(),
        seed: 0,
        work_limit: None,
        work: 0,
        cut_by_clock: false,
        synthetic: true,
        readings: Vec::new(),
        gaps: Vec::new(),
    };
    Plan {
        schema: SCHEMA.to_owned(),
        digest: String::new(),
        problem: fleet.problem.clone(),
        status: Status::Unknown,
        relaxed: fleet.relaxed.clone(),
        decision: Decision {
            action: Action::Hold,
            rule: "synthetic".to_owned(),
            age_seconds: None,
        },
        services: Vec::new(),
        pools: Vec::new(),
        nodes: Vec::new(),
        cost: None,
        current_cost: fleet
            .has_current
            .then(|| cost(fleet, &Placement::current(fleet))),
        baseline_cost: None,
        bound: None,
        gap: None,
        certificate: None,
        candidates: vec![candidate],
        qaoa: None,
        steps: None,
        reasons: Vec::new(),
        warnings: Vec::new(),
        provenance,
    }
}

/// The plan file for a placement; `None` when no order of steps leads to it.
fn plan_for(fleet: &Fleet, placement: &Placement) -> Option<Plan> {
    let own = cost(fleet, placement);
    let duals = fleet.services.iter().flat_map(|s| {
        s.cells
            .iter()
            .map(|cell| (format!("pods/{}/{}", s.name, fleet.cell_name(*cell)), 0.001))
    });
    let certificate = Certificate {
        leaves: vec![Leaf {
            branches: Vec::new(),
            duals: duals.collect(),
        }],
    };
    let proven = bound(fleet, &certificate, Prices::Real).unwrap();
    let mut plan = empty(fleet);
    plan.services = rows::services(fleet, placement);
    plan.pools = rows::pools(fleet, placement);
    plan.nodes = rows::node_groups(fleet, placement);
    plan.baseline_cost = Some(Baseline {
        stock: row(fleet, &Placement::current(fleet)),
        repaired: Some(row(fleet, placement)),
    });
    plan.bound = Some(proven);
    plan.gap = Some(gap(own.total_usd_per_hour, proven, constants(fleet)));
    plan.certificate = Some(certificate);
    plan.status = match own.total_usd_per_hour - proven <= 1e-6 * own.total_usd_per_hour.max(1.0) {
        _ if !fleet.relaxed.is_empty() => Status::Relaxed,
        true => Status::Optimal,
        false => Status::Feasible,
    };
    plan.candidates[0].outcome = "chosen".to_owned();
    plan.candidates[0].total_usd_per_hour = Some(own.total_usd_per_hour);
    let stock = cost(fleet, &Placement::current(fleet)).total_usd_per_hour;
    for (solver, total) in [
        ("baseline", stock),
        ("baseline_repaired", own.total_usd_per_hour),
    ] {
        plan.candidates.push(Candidate {
            solver: solver.to_owned(),
            total_usd_per_hour: Some(total),
            ..empty(fleet).candidates.swap_remove(0)
        });
    }
    plan.cost = Some(own);
    plan.steps = steps::sequence(fleet, placement).ok()?;
    Some(plan)
}

fn seal(plan: &Plan) -> Vec<u8> {
    plan::to_bytes(plan).unwrap()
}

fn findings(plan: &Plan) -> Vec<Finding> {
    verify(&seal(plan)).map_or_else(|findings| findings, |_| Vec::new())
}

/// Plans of small problems that verify, the first of each problem by cost.
fn verified_plans(seeds: std::ops::Range<u64>) -> Vec<(u64, Fleet, Plan)> {
    let mut plans = Vec::new();
    for seed in seeds {
        let mut problem = random_small_problem(seed);
        // The scheduler has its own tests; here its replay would only thin out the plans.
        problem.policy.packing = ketscale_engine::problem::Packing::Exact;
        let fleet = fleet::compile(problem, &[]).unwrap();
        let mut found = every_plan(&fleet);
        found.sort_by(|a, b| a.usd_per_hour.total_cmp(&b.usd_per_hour));
        if let Some(plan) = found
            .iter()
            .take(20)
            .find_map(|found| plan_for(&fleet, &found.placement))
        {
            let wrong = findings(&plan);
            assert!(wrong.is_empty(), "seed {seed}: {wrong:?}");
            plans.push((seed, fleet, plan));
        }
    }
    plans
}

#[test]
fn plans_made_without_a_solver_pass() {
    let plans = verified_plans(0..200);
    let stepped = plans
        .iter()
        .filter(|(_, _, plan)| plan.steps.as_ref().is_some_and(|steps| steps.len() > 2))
        .count();
    println!("{} plans, {stepped} with more than two steps", plans.len());
    assert!(
        plans.len() >= 50 && stepped >= 15,
        "{} plans, {stepped} with steps",
        plans.len()
    );
}

/// Every value of a JSON document that a change can begin at, by path.
fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            paths(
                value,
                &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")),
                found,
            )
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, value)| paths(value, &format!("{path}/{index}"), found)),
        _ => {}
    }
}

/// Other values in the place of one.
fn changes(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![Value::from(1)],
        Value::Bool(value) => vec![Value::from(!value)],
        Value::Number(number) => match number.as_u64() {
            Some(number) => vec![
                Value::from(number + 1),
                Value::from(number.saturating_sub(1)),
                Value::from(4_000_000_000_u32),
            ],
            None => {
                let number = number.as_f64().unwrap();
                vec![
                    Value::from(number.next_up()),
                    Value::from(-number),
                    Value::from(number * 1e300),
                ]
            }
        },
        Value::String(text) => vec![Value::from(format!("{text}x")), Value::from("")],
        Value::Array(items) => {
            let mut changed = vec![Value::Null];
            if let Some((first, rest)) = items.split_first() {
                changed.push(Value::from(rest.to_vec()));
                changed.push(Value::from(
                    [std::slice::from_ref(first), items.as_slice()].concat(),
                ));
                changed.push(Value::from(items.iter().rev().cloned().collect::<Vec<_>>()));
            }
            changed
        }
        Value::Object(map) => {
            let without = |key: &String| {
                Value::from(
                    map.iter()
                        .filter(|(other, _)| *other != key)
                        .map(|(k, v)| (k.clone(), v.clone()))
                        .collect::<serde_json::Map<_, _>>(),
                )
            };
            map.keys().map(without).chain([Value::Null]).collect()
        }
    }
}

const RECOMPUTED: [&str; 11] = [
    "services",
    "pools",
    "nodes",
    "steps",
    "cost",
    "current_cost",
    "baseline_cost",
    "bound",
    "gap",
    "status",
    "relaxed",
];

/// Canonical bytes of a document with its digest made right again.
fn redigest(mut document: Value) -> Option<Vec<u8>> {
    let digest = plan::digest(&document).ok()?;
    document["digest"] = Value::from(digest);
    serde_json_canonicalizer::to_vec(&document).ok()
}

#[test]
fn every_single_change_to_what_is_recomputed_is_refused() {
    let mut tried = 0;
    for (seed, _, plan) in verified_plans(0..40) {
        let document: Value = serde_json::from_slice(&seal(&plan)).unwrap();
        for key in RECOMPUTED {
            let mut all = Vec::new();
            paths(&document[key], &format!("/{key}"), &mut all);
            for path in all {
                let original = document.pointer(&path).unwrap();
                for changed in changes(original).into_iter().filter(|c| c != original) {
                    let mut other = document.clone();
                    *other.pointer_mut(&path).unwrap() = changed.clone();
                    let Some(bytes) = redigest(other) else {
                        continue;
                    };
                    tried += 1;
                    // Another packing of the same cost supports the same statement about a baseline.
                    let supports = path.starts_with("/baseline_cost/") && path.contains("/nodes");
                    assert!(
                        supports || verify(&bytes).is_err(),
                        "seed {seed}: {path} from {original} to {changed} passes"
                    );
                }
            }
        }
    }
    println!("{tried} changes");
    assert!(tried > 4000, "{tried} changes only");
}

#[test]
fn every_changed_byte_is_refused() {
    let bytes = verified_plans(0..40)
        .iter()
        .map(|(_, _, plan)| seal(plan))
        .min_by_key(Vec::len)
        .unwrap();
    for index in 0..bytes.len() {
        for byte in [b'0', b'"', bytes[index] ^ 1, bytes[index] ^ 0x80] {
            let mut other = bytes.clone();
            other[index] = byte;
            assert!(
                other == bytes || verify(&other).is_err(),
                "byte {index} from {} to {byte} passes",
                bytes[index]
            );
        }
        assert!(
            verify(&[&bytes[..index], &bytes[index + 1..]].concat()).is_err(),
            "without byte {index} it passes"
        );
    }
    assert!(verify(&[&bytes[..], b"\n"].concat()).is_err());
    assert!(verify(b"").is_err());
}

#[test]
fn another_problem_is_another_problem() {
    let (_, _, plan) = verified_plans(0..40).swap_remove(0);
    assert!(verify_against(&seal(&plan), &plan.problem).is_ok());
    let other = ProblemFile {
        horizon_hours: plan.problem.horizon_hours + 1.0,
        ..plan.problem.clone()
    };
    let findings = verify_against(&seal(&plan), &other).unwrap_err();
    assert_eq!(
        findings.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(),
        ["problem.horizon_hours"]
    );
}

#[test]
fn a_forged_certificate_gives_a_weak_bound_at_most() {
    for (seed, fleet, plan) in verified_plans(0..40) {
        let mut forged = plan.clone();
        let leaf = &mut forged.certificate.as_mut().unwrap().leaves[0];
        leaf.duals.values_mut().for_each(|dual| *dual += 0.3);
        let proven = bound(&fleet, forged.certificate.as_ref().unwrap(), Prices::Real).unwrap();
        let total = plan.cost.unwrap().total_usd_per_hour;
        assert!(proven <= total + 1e-9, "seed {seed}");
        if forged.bound != Some(proven) {
            assert!(
                !findings(&forged).is_empty(),
                "seed {seed}: the old bound passes with other multipliers"
            );
        }
        forged.bound = Some(total);
        forged.gap = Some(0.0);
        forged.status = Status::Optimal;
        assert!(
            proven >= total || !findings(&forged).is_empty(),
            "seed {seed}: a claimed optimum passes"
        );
    }
}

#[test]
fn infeasible_needs_a_proof() {
    let mut refuted = 0;
    for seed in 0..60 {
        let fleet = fleet::compile(random_small_problem(seed), &[]).unwrap();
        if !fleet.problem.policy.relax.is_empty() {
            continue;
        }
        let mut plan = empty(&fleet);
        assert!(
            findings(&plan).is_empty(),
            "unknown claims nothing: {:?}",
            findings(&plan)
        );
        plan.status = Status::Infeasible;
        assert!(
            !findings(&plan).is_empty(),
            "seed {seed}: infeasible without a certificate passes"
        );
        plan.certificate = Some(Certificate {
            leaves: vec![Leaf {
                branches: Vec::new(),
                duals: BTreeMap::new(),
            }],
        });
        let impossible = fleet
            .services
            .iter()
            .any(|service| service.admissible().next().is_none());
        assert!(
            findings(&plan).is_empty() == impossible || every_plan(&fleet).is_empty(),
            "seed {seed}"
        );
        refuted += usize::from(findings(&plan).is_empty());
    }
    assert!(refuted > 0);
}

/// Huge numbers, nonsense and nothing: an answer, never a panic.
#[test]
fn hostile_files_are_refused() {
    let (_, _, plan) = verified_plans(0..40).swap_remove(0);
    let mut huge = plan.clone();
    huge.nodes.iter_mut().for_each(|group| {
        group.names.clear();
        group.count = u32::MAX;
        group.pods.values_mut().for_each(|pods| *pods = u32::MAX);
    });
    assert!(
        findings(&huge)
            .iter()
            .any(|finding| finding.path.starts_with("nodes"))
    );
    let mut many = plan.clone();
    many.nodes = vec![huge.nodes[0].clone(); 10];
    assert!(!findings(&many).is_empty());
    let deep = "[".repeat(100_000);
    assert!(verify(deep.as_bytes()).is_err());
    assert!(verify(b"{}").is_err());
}
