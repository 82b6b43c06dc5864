//! Seconds to plan the example and the committed cluster dump without a time limit, what the plans save, their gaps, and seconds to verify them.
//!
//! `cargo bench -p ketscale-engine --bench plan`. Each answer is checked: a [`VerifiedPlan`] comes from the verifier alone.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

use std::sync::atomic::AtomicBool;
use std::time::Instant;

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::cluster_dump::{Options, translate};
use ketscale_engine::planner::{Limits, Settings, Source, plan};
use ketscale_engine::problem::{self, Packing, ProblemFile};
use ketscale_engine::verify::{VerifiedPlan, verify};

const EXAMPLE: &[u8] = include_bytes!("../../examples/boutique/problem.yaml");
const CLUSTER: &[u8] = include_bytes!("../../tests/fixtures/cluster-50.json");

fn main() {
    println!(
        "{:<12} {:<12} {:>8} {:>9} {:>9} {:>8} {:>8} {:>7} {:>9}",
        "problem", "packing", "plan s", "cost", "bound", "gap %", "saved %", "leaves", "verify s"
    );
    let dump = translate(
        CLUSTER,
        "cluster-50.json",
        &Options::new(Catalogue::built_in()),
    )
    .expect("the dump is well formed")
    .problem;
    let example = problem::read(EXAMPLE, "problem.yaml").expect("the example is well formed");
    for (name, problem) in [("boutique", example), ("cluster-50", dump)] {
        let problem = problem::resolve(problem, Catalogue::built_in(), name).expect("complete");
        for packing in [Packing::Exact, Packing::Schedulable] {
            let mut problem = problem.clone();
            problem.policy.packing = packing;
            measure(name, problem);
        }
    }
}

fn measure(name: &str, problem: ProblemFile) {
    let packing = problem.policy.packing;
    let start = Instant::now();
    let verified = planned(problem);
    let seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    verify(verified.bytes()).expect("a verified plan verifies");
    let verify_seconds = start.elapsed().as_secs_f64();
    let plan = verified.plan();
    let cost = plan.cost.expect("a plan").total_usd_per_hour;
    let repaired = plan
        .baseline_cost
        .as_ref()
        .and_then(|baseline| baseline.repaired.as_ref())
        .map_or(f64::NAN, |row| row.cost.total_usd_per_hour);
    println!(
        "{name:<12} {:<12} {seconds:>8.2} {cost:>9.4} {:>9.4} {:>8.2} {:>8.2} {:>7} {verify_seconds:>9.3}",
        format!("{packing:?}"),
        plan.bound.unwrap_or(f64::NAN),
        100.0 * plan.gap.unwrap_or(f64::NAN),
        100.0 * (1.0 - cost / repaired),
        plan.certificate.as_ref().map_or(0, |c| c.leaves.len()),
    );
}

fn planned(problem: ProblemFile) -> VerifiedPlan {
    let stop = AtomicBool::new(false);
    let limits = Limits {
        stop: &stop,
        work: None,
    };
    plan(
        problem,
        Source::default(),
        &Settings::default(),
        &limits,
        &|_, _| {},
    )
    .expect("a plan")
}
