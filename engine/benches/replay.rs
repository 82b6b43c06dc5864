//! The example fleet under measured loads: cost and service of Ketscale against HPA targets of 50 to 80 % with Karpenter.
//!
//! `make bench BENCH=replay` replays the first two days, `ARGS=14` that many. Loads are those of `benches/replay/loads.py`: each service
//! follows one series by position, scaled so that the series' 95th percentile is the problem's load. The answer is checked: the same
//! replay gives the same report, and what a policy pays for its nodes lies between the cheapest and the dearest offering's price.
//!
//! Skipped, with a line that says so, where the series are not there.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot run has nothing to report"
)]

use std::path::Path;
use std::time::Instant;

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::problem::{self, ProblemFile};
use ketscale_engine::replay::{Policy, PolicyReport, Settings, Trace, replay};
use ketscale_test_support::shared;

const STEP_SECONDS: f64 = 300.0;
const STEPS_PER_DAY: usize = 288;

/// Services of the example and the series that they follow.
const FOLLOWS: [(&str, &str); 11] = [
    ("shop/frontend", "elb_request_count_8c0756"),
    ("shop/catalog", "elb_request_count_8c0756"),
    ("shop/cart", "elb_request_count_8c0756"),
    ("shop/cart-store", "rds_cpu_utilization_cc0c53"),
    ("shop/checkout", "elb_request_count_8c0756"),
    ("shop/payment", "rds_cpu_utilization_cc0c53"),
    ("shop/shipping", "ec2_cpu_utilization_5f5533"),
    ("shop/currency", "ec2_cpu_utilization_5f5533"),
    ("shop/recommendation", "ec2_cpu_utilization_5f5533"),
    ("shop/ads", "ec2_cpu_utilization_5f5533"),
    ("shop/email", "rds_cpu_utilization_cc0c53"),
];

fn main() {
    let days = std::env::args().find_map(|argument| argument.parse().ok());
    let problem = example();
    let Some(trace) = trace(&problem, days.unwrap_or(2)) else {
        return;
    };
    let mut rows = Vec::new();
    println!(
        "policy        seconds       USD  min over SLO  replica changes  node changes  evictions"
    );
    for policy in Policy::ALL {
        let (row, seconds) = timed(&problem, &trace, policy);
        println!(
            "{:<12} {seconds:>8.1} {:>9.2} {:>13.1} {:>16} {:>13} {:>10}",
            row.policy,
            row.cost_usd,
            row.minutes_over_slo,
            row.replica_changes,
            row.node_changes,
            row.evictions
        );
        rows.push(row);
    }
    let Some((ketscale, hpas)) = rows.split_last() else {
        return;
    };
    println!("Ketscale against each target: cost, minutes over SLO, replica changes");
    for hpa in hpas {
        println!(
            "{:<12} {:>6.3} {:>6.3} {:>6.3}",
            hpa.policy,
            ketscale.cost_usd / hpa.cost_usd,
            ketscale.minutes_over_slo / hpa.minutes_over_slo,
            count(ketscale.replica_changes) / count(hpa.replica_changes)
        );
    }
}

fn timed(problem: &ProblemFile, trace: &Trace, policy: Policy) -> (PolicyReport, f64) {
    let settings = Settings {
        policies: vec![policy],
        ..Settings::default()
    };
    let run = || {
        replay(problem, trace, &settings)
            .expect("the example is a fleet")
            .report
    };
    let start = Instant::now();
    let report = run();
    let seconds = start.elapsed().as_secs_f64();
    if policy != Policy::Ketscale {
        assert_eq!(report, run(), "the same replay gives the same report");
    }
    let row = report.policies.into_iter().next().expect("one policy");
    let prices = problem.pools.iter().flat_map(|pool| &pool.offerings);
    let prices: Vec<f64> = prices
        .filter_map(|offering| offering.usd_per_hour)
        .collect();
    let (least, most) = prices
        .iter()
        .fold((f64::MAX, 0.0_f64), |(least, most), usd| {
            (least.min(*usd), most.max(*usd))
        });
    let usd_per_node_hour = row.nodes_usd / row.node_hours;
    assert!(
        (least..=most).contains(&usd_per_node_hour),
        "{usd_per_node_hour}"
    );
    (row, seconds)
}

fn example() -> ProblemFile {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/boutique/problem.yaml");
    let bytes = std::fs::read(path).expect("the example");
    let problem = problem::read(&bytes, "problem.yaml").expect("a problem");
    problem::resolve(problem, Catalogue::built_in(), "problem.yaml").expect("complete")
}

fn trace(problem: &ProblemFile, days: usize) -> Option<Trace> {
    let names = [
        "elb_request_count_8c0756",
        "rds_cpu_utilization_cc0c53",
        "ec2_cpu_utilization_5f5533",
    ];
    let mut series = Vec::new();
    for name in names {
        let text =
            std::fs::read_to_string(shared(&format!("data/series/{name}.csv"))?).expect("text");
        let values = text
            .lines()
            .skip(1)
            .filter_map(|line| line.split(',').next_back()?.parse().ok());
        series.push((name, values.collect::<Vec<f64>>()));
    }
    let steps = series
        .iter()
        .map(|(_, values)| values.len())
        .min()?
        .min(days * STEPS_PER_DAY);
    let times = (0..u32::try_from(steps).ok()?).map(|step| STEP_SECONDS * f64::from(step));
    let load = |service: &str, step: usize| {
        let (_, follows) = FOLLOWS.iter().find(|(name, _)| *name == service)?;
        let (_, values) = series.iter().find(|(name, _)| name == follows)?;
        let source = problem
            .services
            .iter()
            .find(|source| source.name == service)?;
        Some(source.load.as_ref()?.rps * values.get(step)? / reference(values))
    };
    Trace::new(problem, times.collect(), load, |_| true).ok()
}

/// The 95th percentile: it becomes the problem's load.
fn reference(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
        .get(sorted.len().saturating_sub(1) * 95 / 100)
        .copied()
        .unwrap_or(1.0)
}

#[allow(clippy::cast_precision_loss, reason = "counts are far below 2⁵³")]
fn count(number: u64) -> f64 {
    number as f64
}
