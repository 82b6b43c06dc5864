//! The planner on random problems: every published plan verifies, is no dearer than the repaired baseline, and its bound holds.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

#[path = "common/every_plan.rs"]
mod every_plan;
#[path = "common/random_problem.rs"]
mod random_problem;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use every_plan::every_plan;
use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::explain::explain;
use ketscale_engine::feasibility::is_feasible;
use ketscale_engine::fleet;
use ketscale_engine::improve::until_schedulable;
use ketscale_engine::limits::{Clock, Meter};
use ketscale_engine::plan::{Plan, Status, to_bytes};
use ketscale_engine::planner::{Limits, Settings, Solver, Source, plan};
use ketscale_engine::problem::{self, Packing, ProblemFile};
use ketscale_engine::scheduler::{ORDERS, replay};
use ketscale_engine::verify::VerifiedPlan;
use random_problem::{random_problem, random_small_problem};

/// A quick run whose end no clock decides.
fn quick() -> Settings {
    Settings {
        most_states: 1 << 10,
        shots: 128,
        packed: 8,
        evaluations: 4,
        depth: 1,
        ..Settings::default()
    }
}

/// A plan, which has been verified: there are no others.
fn planned(problem: ProblemFile, settings: &Settings) -> Plan {
    let stop = AtomicBool::new(false);
    let limits = Limits::new(&stop, None);
    let verified: VerifiedPlan = plan(problem, Source::default(), settings, &limits, &|_, _| {})
        .unwrap_or_else(|error| panic!("{error}"));
    verified.plan().clone()
}

fn total(plan: &Plan) -> Option<f64> {
    plan.cost.map(|cost| cost.total_usd_per_hour)
}

#[test]
fn plans_beat_the_repaired_baseline_and_come_close_to_their_bound() {
    let (mut feasible, mut compared, mut cheaper, mut gaps) = (0, 0, 0, 0.0);
    let mut seed = 0;
    while feasible < 200 {
        let mut problem = random_problem(seed);
        problem.policy.packing = Packing::Exact;
        let plan = planned(problem, &quick());
        seed += 1;
        let (Some(cost), Status::Optimal | Status::Feasible) = (total(&plan), plan.status) else {
            continue;
        };
        feasible += 1;
        gaps += plan.gap.unwrap_or(1.0);
        if plan.gap.unwrap_or(1.0) > 0.15 {
            println!(
                "seed {}: cost {cost} bound {:?} gap {:?}",
                seed - 1,
                plan.bound,
                plan.gap
            );
        }
        assert!(
            plan.bound.unwrap_or(f64::NEG_INFINITY) <= cost,
            "seed {}",
            seed - 1
        );
        let Some(repaired) = plan.baseline_cost.and_then(|baseline| baseline.repaired) else {
            continue;
        };
        compared += 1;
        let repaired = repaired.cost.total_usd_per_hour;
        assert!(
            cost <= repaired + 1e-9,
            "seed {}: {cost} above {repaired}",
            seed - 1
        );
        cheaper += u32::from(cost < repaired - 1e-9);
    }
    println!(
        "{feasible} of {seed} feasible, {compared} with a repaired baseline, {cheaper} cheaper, mean gap {:.4}",
        gaps / f64::from(feasible)
    );
    assert!(2 * cheaper >= compared, "{cheaper} of {compared} cheaper");
    assert!(
        gaps / f64::from(feasible) <= 0.1,
        "mean gap {}",
        gaps / f64::from(feasible)
    );
}

fn boutique(packing: Packing) -> ProblemFile {
    let text = include_bytes!("../../examples/boutique/problem.yaml");
    let problem = problem::read(text, "problem.yaml").unwrap();
    let mut problem = problem::resolve(problem, Catalogue::built_in(), "problem.yaml").unwrap();
    problem.policy.packing = packing;
    problem
}

/// The example with settings under which work alone ends the run.
fn example(packing: Packing) -> Plan {
    let settings = Settings {
        evaluations: 6,
        ..Settings::default()
    };
    planned(boutique(packing), &settings)
}

/// A control loop plans in a fraction of the work after which the search ends by itself.
#[test]
fn a_little_work_is_enough_for_a_good_plan() {
    let stop = AtomicBool::new(false);
    let limits = Limits::new(&stop, Some(300_000));
    let problem = boutique(Packing::Schedulable);
    let plan = plan(
        problem,
        Source::default(),
        &Settings::default(),
        &limits,
        &|_, _| {},
    );
    let plan = plan.unwrap();
    let repaired = plan
        .plan()
        .baseline_cost
        .as_ref()
        .unwrap()
        .repaired
        .as_ref();
    let saving = 1.0 - total(plan.plan()).unwrap() / repaired.unwrap().cost.total_usd_per_hour;
    assert!(saving >= 0.1, "saving {saving}");
    let gap = plan.plan().gap.unwrap();
    assert!(gap <= 0.1, "gap {gap}");
}

#[test]
fn the_example_is_planned_close_to_its_bound() {
    for (packing, most_gap) in [(Packing::Exact, 0.01), (Packing::Schedulable, 0.05)] {
        let plan = example(packing);
        assert!(!plan.provenance.cut_by_clock);
        let repaired = plan
            .baseline_cost
            .as_ref()
            .unwrap()
            .repaired
            .as_ref()
            .unwrap();
        let saving = 1.0 - total(&plan).unwrap() / repaired.cost.total_usd_per_hour;
        let gap = plan.gap.unwrap();
        println!("{packing:?}: saving {saving:.4}, gap {gap:.5}");
        assert!(saving >= 0.1, "{packing:?}: saving {saving}");
        assert!(gap <= most_gap, "{packing:?}: gap {gap}");
        // A pod is priced by the plan's own part of the search tree; in parts that are all but infeasible it has any price.
        for service in explain(&plan).unwrap().services {
            for (cell, usd_per_hour) in service.pod_usd_per_hour {
                let name = &service.name;
                assert!(
                    usd_per_hour < total(&plan).unwrap(),
                    "{name} in {cell}: {usd_per_hour}"
                );
            }
        }
    }
}

#[test]
fn qaoa_concentrates_on_good_states_of_the_example() {
    let report = example(Packing::Exact).qaoa.unwrap();
    assert!(report.dimension >= 1 << 20, "{} states", report.dimension);
    assert!(
        report.axes.iter().all(|(_, levels)| *levels >= 3),
        "{:?}",
        report.axes
    );
    let times_uniform = report.probability_of_minimum / report.uniform_probability_of_minimum;
    assert!(times_uniform >= 100.0, "{times_uniform} times uniform");
    let below = (report.uniform_mean - report.sampled_mean) / report.uniform_standard_deviation;
    assert!(
        below >= 2.0,
        "{below} standard deviations below the uniform mean"
    );
}

#[test]
fn shifted_pods_please_the_scheduler_and_break_nothing() {
    let (mut tried, mut found) = (0, 0);
    for seed in 2000..2150 {
        let mut problem = random_problem(seed);
        problem.policy.packing = Packing::Exact;
        let plan = planned(problem.clone(), &quick());
        if plan.status != Status::Feasible && plan.status != Status::Optimal {
            continue;
        }
        tried += 1;
        let fleet = fleet::compile(problem, &plan.relaxed).unwrap();
        let pinned = ketscale_engine::verify::placement(&fleet, &plan.nodes).unwrap();
        let stop = AtomicBool::new(false);
        let meter = Meter::new(Limits::new(&stop, None));
        if let Some(shifted) = until_schedulable(&fleet, pinned, &meter) {
            found += 1;
            assert!(is_feasible(&fleet, &shifted), "seed {seed}");
            assert!(
                (0..ORDERS).all(|order| replay(&fleet, &shifted, order).pending.is_empty()),
                "seed {seed}"
            );
        }
    }
    println!("{found} of {tried} realised by shifting pods");
    assert!(tried >= 20 && found >= 5, "{found} of {tried}");
}

#[test]
fn no_planned_pod_is_left_pending() {
    let mut tried = 0;
    for seed in 1000..1250 {
        let mut problem = random_problem(seed);
        problem.policy.packing = Packing::Schedulable;
        let relaxed = problem.clone();
        let plan = planned(problem, &quick());
        if total(&plan).is_none() {
            continue;
        }
        tried += 1;
        let fleet = fleet::compile(relaxed, &plan.relaxed).unwrap();
        let placement = ketscale_engine::verify::placement(&fleet, &plan.nodes).unwrap();
        for order in 0..ORDERS {
            assert!(
                replay(&fleet, &placement, order).pending.is_empty(),
                "seed {seed}, order {order}"
            );
        }
    }
    assert!(tried >= 30, "only {tried} feasible");
}

#[test]
fn small_problems_are_bounded_by_their_optimum() {
    let (mut checked, mut optimal) = (0, 0);
    for seed in 0..150 {
        let mut problem = random_small_problem(seed);
        problem.policy.packing = Packing::Exact;
        problem.policy.relax.clear();
        let plan = planned(problem.clone(), &quick());
        let fleet = fleet::compile(problem, &[]).unwrap();
        let optimum = every_plan(&fleet)
            .into_iter()
            .map(|found| found.usd_per_hour)
            .min_by(f64::total_cmp);
        match (optimum, total(&plan)) {
            (Some(optimum), Some(cost)) => {
                let bound = plan.bound.unwrap();
                assert!(
                    bound <= optimum + 1e-9,
                    "seed {seed}: bound {bound} above {optimum}"
                );
                assert!(
                    cost >= optimum - 1e-9,
                    "seed {seed}: cost {cost} below {optimum}"
                );
                checked += 1;
                optimal += u32::from(cost <= optimum + 1e-9);
            }
            (None, Some(cost)) => {
                panic!("seed {seed}: nothing is feasible, but a plan of {cost} was published")
            }
            (optimum, None) => assert!(
                plan.status != Status::Infeasible || optimum.is_none(),
                "seed {seed}: {optimum:?} exists"
            ),
        }
    }
    println!("{checked} small problems, {optimal} solved to the optimum");
    assert!(
        checked >= 50 && optimal * 10 >= checked * 9,
        "{optimal} of {checked}"
    );
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    for seed in 0..6 {
        let run = || to_bytes(&planned(random_problem(seed), &quick())).unwrap();
        assert_eq!(run(), run(), "seed {seed}");
    }
}

/// Wherever a work limit ends the run, and however many threads share the work.
#[test]
fn a_work_limit_gives_the_same_bytes_on_any_number_of_threads() {
    let run = |threads: usize, seed: u64, work: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let stop = AtomicBool::new(false);
            let limits = Limits::new(&stop, Some(work));
            let problem = random_problem(seed);
            let plan = plan(problem, Source::default(), &quick(), &limits, &|_, _| {});
            plan.unwrap().bytes().to_vec()
        })
    };
    for seed in 0..12 {
        for work in [500, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000] {
            let once = run(1, seed, work);
            for threads in [2, 7] {
                assert!(
                    once == run(threads, seed, work),
                    "seed {seed}, work {work}, {threads} threads"
                );
            }
        }
    }
}

/// Whenever the caller's clock runs out, here after so many looks at it: what comes is a plan that verifies, or none that says so.
#[test]
fn a_clock_may_run_out_at_any_time() {
    let (mut planned, mut cut) = (0, 0);
    for seed in 0..12 {
        for looks in [0, 10, 30, 100, 300, 1_000, 3_000, 10_000, 100_000] {
            let (stop, looked) = (AtomicBool::new(false), AtomicU64::new(0));
            #[allow(clippy::cast_precision_loss)]
            let clock = || looks as f64 - looked.fetch_add(1, Ordering::Relaxed) as f64;
            let limits = Limits {
                clock: Some(Clock(&clock)),
                ..Limits::new(&stop, None)
            };
            let problem = random_problem(seed);
            let plan = plan(problem, Source::default(), &quick(), &limits, &|_, _| {});
            let plan = plan.unwrap_or_else(|error| panic!("seed {seed}, {looks} looks: {error}"));
            let over = looked.load(Ordering::Relaxed).saturating_sub(looks);
            assert!(over < 3_000, "seed {seed}: {over} looks after {looks}");
            let provenance = &plan.plan().provenance;
            assert!(
                over == 0 || provenance.cut_by_clock,
                "seed {seed}, {looks} looks"
            );
            planned += u32::from(plan.plan().cost.is_some());
            cut += u32::from(provenance.cut_by_clock);
        }
    }
    println!("{planned} planned, {cut} cut by the clock");
    assert!(planned >= 5 && cut >= 40, "{planned} planned, {cut} cut");
}

#[test]
fn every_solver_can_be_asked_for() {
    let problem = random_problem(3);
    for solver in Solver::ALL {
        let plan = planned(problem.clone(), &Settings { solver, ..quick() });
        let chosen: Vec<&str> = plan
            .candidates
            .iter()
            .filter(|row| row.outcome == "chosen")
            .map(|row| row.solver.as_str())
            .collect();
        match solver {
            Solver::Auto => assert!(chosen.len() <= 1),
            Solver::Baseline => assert!(chosen.is_empty() || chosen == ["baseline_repaired"]),
            other => assert!(
                chosen.is_empty() || chosen == [other.as_str()],
                "{other}: {chosen:?}"
            ),
        }
    }
}
