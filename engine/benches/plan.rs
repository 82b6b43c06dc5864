//! Seconds to plan the example, the committed cluster dump and made-up fleets, what the plans save, their gaps, and seconds to verify them.
//!
//! `cargo bench -p ketscale-engine --bench plan`, or with `-- 200x200 1000x2000` fleets of these sizes alone (services x offerings, default
//! 50x60), with `-- 50x60/7` one of a seed, and with `-- 50x60@5` in five seconds. Seeds are drawn and printed. Fleets have a minute
//! otherwise. Each answer is checked: a [`VerifiedPlan`] comes from the verifier alone. A fleet counts only if the repaired baseline is at
//! least 3 % above the bound; others are marked.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

use std::sync::atomic::AtomicBool;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::cluster_dump::{Options, translate};
use ketscale_engine::generate::{self, FleetSize};
use ketscale_engine::limits::{Clock, Limits};
use ketscale_engine::planner::{Settings, Source, plan};
use ketscale_engine::problem::{self, Packing, ProblemFile};
use ketscale_engine::verify::{VerifiedPlan, verify};

const EXAMPLE: &[u8] = include_bytes!("../../examples/boutique/problem.yaml");
/// Made-up fleets of each size.
const FLEETS: usize = 3;
/// Seconds for a fleet's plan.
const SECONDS: f64 = 60.0;

const CLUSTER: &[u8] = include_bytes!("../../tests/fixtures/cluster-50.json");

fn main() {
    println!(
        "{:<14} {:<12} {:>8} {:>9} {:>9} {:>8} {:>8} {:>7} {:>9}",
        "problem", "packing", "plan s", "cost", "bound", "gap %", "saved %", "leaves", "verify s"
    );
    let sizes: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    if !sizes.is_empty() {
        sizes.iter().for_each(|size| fleets(size));
        return;
    }
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
            measure(name, problem, None);
        }
    }
    fleets("50x60");
}

/// Fleets of a size such as `50x60`, or the one of a seed, such as `50x60/7`; in so many seconds, such as `50x60@5`.
fn fleets(text: &str) {
    let (text, seconds) = text.split_once('@').unwrap_or((text, ""));
    let seconds = seconds.parse().unwrap_or(SECONDS);
    let (size, seed) = text.split_once('/').unwrap_or((text, ""));
    let (services, offerings) = size.split_once('x').expect("SERVICESxOFFERINGS");
    let number = |text: &str| text.parse().expect("a number");
    let (services, offerings) = (number(services), number(offerings));
    let seeds: Vec<u64> = match seed.parse() {
        Ok(seed) => vec![seed],
        Err(_) => drawn_seeds(),
    };
    for seed in seeds {
        let size = FleetSize {
            services,
            offerings,
            seed,
        };
        let problem = generate::fleet(&size, Catalogue::built_in()).expect("a size that can be");
        let name = format!("{services}x{offerings}/{seed}");
        let problem = problem::resolve(problem, Catalogue::built_in(), &name).expect("complete");
        for packing in [Packing::Exact, Packing::Schedulable] {
            let mut problem = problem.clone();
            problem.policy.packing = packing;
            measure(&name, problem, Some(seconds));
        }
    }
}

/// Seeds that no earlier run was tuned to.
fn drawn_seeds() -> Vec<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let first = now.map_or(0, |now| u64::from(now.subsec_micros()));
    (first..).take(FLEETS).collect()
}

fn measure(name: &str, problem: ProblemFile, limit: Option<f64>) {
    let packing = problem.policy.packing;
    let start = Instant::now();
    let verified = planned(problem, limit);
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
        "{name:<14} {:<12} {seconds:>8.2} {cost:>9.4} {:>9.4} {:>8.2} {:>8.2} {:>7} {verify_seconds:>9.3}{}",
        format!("{packing:?}"),
        plan.bound.unwrap_or(f64::NAN),
        100.0 * plan.gap.unwrap_or(f64::NAN),
        100.0 * (1.0 - cost / repaired),
        plan.certificate.as_ref().map_or(0, |c| c.leaves.len()),
        if limit.is_some() && repaired < 1.03 * plan.bound.unwrap_or(f64::NAN) {
            "  (too easy to count)"
        } else {
            ""
        },
    );
}

fn planned(problem: ProblemFile, seconds: Option<f64>) -> VerifiedPlan {
    let (stop, begun) = (AtomicBool::new(false), Instant::now());
    let seconds_left =
        || seconds.map_or(f64::INFINITY, |limit| limit - begun.elapsed().as_secs_f64());
    let limits = Limits {
        clock: seconds.map(|_| Clock(&seconds_left)),
        ..Limits::new(&stop, None)
    };
    let settings = Settings::default();
    plan(problem, Source::default(), &settings, &limits, &|_, _| {}).expect("a plan")
}
