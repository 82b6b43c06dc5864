//! Limits of nothing, deadlines that pass anywhere, and numbers at the ends of what a file may say.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::generate::{FleetSize, fleet};
use ketscale_engine::plan::Status;
use ketscale_engine::planner::Limits;
use ketscale_engine::problem::{CapacityType, ProblemFile, Quantity, Service, read, resolve};

use super::check::{Checked, check, check_within, planned};
use super::instance::{instance, is_problem};
use super::random_problem::{Draw, random_problem};
use super::shrink::report;

/// Checks a problem; a failure prints the smallest that still fails.
fn checked(
    seed: u64,
    problem: &ProblemFile,
    check: &dyn Fn(&ProblemFile) -> Result<Checked, String>,
) -> Checked {
    let fails = |problem: &ProblemFile| check(problem).err();
    check(problem).unwrap_or_else(|_| panic!("{}", report(seed, problem, &fails)))
}

#[test]
fn a_limit_on_work_gives_a_verified_plan_or_a_clear_status() {
    for seed in 0..15 {
        for work in [0, 1, 30, 300, 1000, 3000] {
            let within = |problem: &ProblemFile| {
                let stop = AtomicBool::new(false);
                check_within(problem, &Limits::new(&stop, Some(work)), &|_| {})
            };
            checked(seed, &instance(seed), &within);
        }
    }
}

#[test]
fn a_deadline_between_stages_gives_a_verified_plan_or_a_clear_status() {
    for seed in 0..8 {
        for last in ["baseline", "exact", "qaoa", "bound"] {
            let within = |problem: &ProblemFile| {
                let stop = AtomicBool::new(false);
                let limits = Limits::new(&stop, None);
                check_within(problem, &limits, &|stage| {
                    stop.store(stage == last, Ordering::Relaxed)
                })
            };
            checked(seed, &instance(seed), &within);
        }
    }
}

/// Wherever the deadline finds HiGHS, the knapsack or the improvement, nothing here depends on where it does.
#[test]
fn a_deadline_inside_a_solver_gives_a_verified_plan_or_a_clear_status() {
    let size = FleetSize {
        services: 40,
        offerings: 40,
        seed: 1,
    };
    let large = fleet(&size, Catalogue::built_in()).unwrap();
    let large = resolve(large, Catalogue::built_in(), "large.yaml").unwrap();
    for problem in [large, random_problem(3), random_problem(5)] {
        for milliseconds in [0, 1, 3, 10, 30, 100, 300] {
            let stop = AtomicBool::new(false);
            let plan = thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(Duration::from_millis(milliseconds));
                    stop.store(true, Ordering::Relaxed);
                });
                planned(&problem, &Limits::new(&stop, None), &|_| {}).unwrap()
            });
            let plan = plan.plan();
            assert!(
                plan.cost.is_some() || !plan.reasons.is_empty(),
                "{:?} without a reason",
                plan.status
            );
        }
    }
}

#[test]
fn nasty_numbers_never_give_a_wrong_bound() {
    for seed in 0..60 {
        let mut draw = Draw::new(seed + 7);
        let mut problem = instance(seed);
        for offering in problem
            .pools
            .iter_mut()
            .flat_map(|pool| &mut pool.offerings)
        {
            offering.usd_per_hour = Some(draw.pick(&[0.0, 1e-6, 1e-3, 0.1, 1.0, 1e3, 1e6]));
            if offering.capacity_type == CapacityType::Spot {
                offering.interruptions_per_hour = Some(draw.pick(&[0.0, 1e-9, 1.0, 1e6]));
            }
            let allocatable = offering.allocatable.as_mut().unwrap();
            let most = [("cpu", "1G"), ("memory", "1e12"), ("pods", "1000000")];
            for (name, amount) in most.into_iter().filter(|_| draw.chance(0.3)) {
                allocatable.insert(name.to_owned(), Quantity(amount.to_owned()));
            }
            if draw.chance(0.05) {
                allocatable.insert("memory".to_owned(), Quantity("1".to_owned()));
            }
        }
        for service in &mut problem.services {
            service.disruption.usd_per_eviction = draw.pick(&[0.0, 1e-9, 0.1, 1e3, 1e6]);
            if draw.chance(0.3) {
                service
                    .requests
                    .insert("cpu".to_owned(), Quantity("1m".to_owned()));
                service
                    .requests
                    .insert("memory".to_owned(), Quantity("1".to_owned()));
            }
        }
        problem.horizon_hours = draw.pick(&[1e-6, 1.0, 1e6]);
        problem.policy.commitments.clear();
        if is_problem(&problem) {
            checked(seed, &problem, &check);
        }
    }
}

#[test]
fn zero_load_needs_no_more_than_the_bounds_ask_for() {
    let mut free = 0;
    for seed in 0..40 {
        let mut problem = instance(seed);
        problem
            .services
            .iter_mut()
            .flat_map(|s| &mut s.load)
            .for_each(|load| load.rps = 0.0);
        if is_problem(&problem) {
            let optimum = checked(seed, &problem, &check).optimum_usd_per_hour;
            free += u32::from(optimum == Some(0.0));
        }
    }
    assert!(free > 0, "always something runs");
}

#[test]
fn nothing_for_sale_is_infeasible() {
    let mut infeasible = 0;
    for seed in 0..40 {
        let mut problem = instance(seed);
        let offerings = problem
            .pools
            .iter_mut()
            .flat_map(|pool| &mut pool.offerings);
        offerings.for_each(|offering| offering.available_nodes = Some(0));
        let checked = checked(seed, &problem, &check);
        infeasible += u32::from(checked.plan.plan().status == Status::Infeasible);
    }
    assert!(infeasible >= 20, "{infeasible} of 40");
}

/// Two replicas of every service fill a node or part of one.
const EQUAL: &str = "
schema: ketscale.problem/v1
name: equal
clusters: [{name: c, provider: gcp, region: europe-west1}]
services:
- name: shop/s
  clusters: {c: {min: 2, max: 9}}
  requests: {cpu: 500m, memory: 1Gi}
  load: {rps: 60}
  capacity: {cpu_per_rps: 10m}
  placement: {max_skew: 1}
pools:
- name: p
  cluster: c
  offerings:
  - {instance_type: e2-standard-4, zone: europe-west1-b, capacity_type: on-demand}
  - {instance_type: e2-standard-8, zone: europe-west1-c, capacity_type: spot}
";

/// Without any work left over: what does not count its work yet takes most of a minute for twice as many.
#[test]
fn a_thousand_equal_services_give_a_verified_plan() {
    let problem = read(EQUAL.as_bytes(), "equal.yaml").unwrap();
    let mut problem = resolve(problem, Catalogue::built_in(), "equal.yaml").unwrap();
    let service = |number| {
        let name = format!("shop/s{number}");
        Service {
            name,
            ..problem.services[0].clone()
        }
    };
    problem.services = (0..1000).map(service).collect();
    let stop = AtomicBool::new(false);
    let limits = Limits::new(&stop, Some(0));
    let plan = planned(&problem, &limits, &|_| {}).unwrap();
    let (cost, bound) = (plan.plan().cost, plan.plan().bound);
    assert!(
        cost.is_some() && bound.is_some(),
        "{:?}",
        plan.plan().reasons
    );
}
