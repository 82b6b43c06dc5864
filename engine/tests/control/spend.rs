//! The cost watch: sums that add up, months that end, budgets told once, credits and commitments drawn down.

use std::collections::BTreeMap;

use ketscale_engine::problem::{self, ProblemFile};
use ketscale_engine::spend::{Credit, Ledger, Money, Rate, Settings};
use proptest::prelude::*;

use crate::world::START;

const HOUR: f64 = 3600.0;

/// Two nodes at 0.40 USD/h and one at 0.10; three are committed to at 0.25, of which the two use two.
fn fleet() -> ProblemFile {
    let text = "
schema: ketscale.problem/v1
name: spend
clusters: [{name: c, provider: aws, region: r}, {name: d, provider: other, region: r}]
services:
- {name: a/big, clusters: {c: {min: 1, max: 9}}, requests: {cpu: '1', memory: 1Gi}}
- {name: a/small, clusters: {c: {min: 1, max: 9}, d: {min: 0, max: 1}}, requests: {cpu: 500m, memory: 1Gi}}
pools:
- name: p
  cluster: c
  offerings:
  - {instance_type: t, zone: z, capacity_type: on-demand, usd_per_hour: 0.4, allocatable: {cpu: 4, memory: 16Gi, pods: 50}}
- name: q
  cluster: d
  offerings:
  - {instance_type: u, zone: y, capacity_type: on-demand, usd_per_hour: 0.1, allocatable: {cpu: 4, memory: 16Gi, pods: 50}}
current:
  nodes:
  - {name: n1, pool: p, offering: t/z/on-demand, pods: {a/big: 2, a/small: 4}}
  - {name: n2, pool: p, offering: t/z/on-demand, pods: {a/big: 3}, foreign: {cpu: '1', memory: 1Gi}}
  - {name: n3, pool: q, offering: u/y/on-demand}
policy:
  commitments: [{pool: p, offering: t/z/on-demand, nodes: 3, usd_per_hour: 0.25}]
";
    problem::read(text.as_bytes(), "spend.yaml").unwrap()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

#[test]
fn a_rate_is_shared_by_dominant_requests() {
    let rate = Rate::of(&fleet());
    assert!(near(rate.total_usd_per_hour, 0.85));
    // n1: 2 of 4 cores each; n2: 3 cores and 1 of others'.
    let by_service = &rate.by_service;
    assert!(
        near(by_service["a/big"], 0.25 / 2.0 + 0.25 * 0.75),
        "{by_service:?}"
    );
    assert!(near(by_service["a/small"], 0.25 / 2.0));
    assert!(near(by_service["(other pods)"], 0.25 / 4.0));
    assert!(near(by_service["(empty nodes)"], 0.1));
    assert!(near(by_service["(unused commitments)"], 0.25));
    assert!(near(rate.by_pool["p"], 0.75) && near(rate.by_pool["q"], 0.1));
    assert!(near(rate.by_provider["aws"], 0.75) && near(rate.by_provider["other"], 0.1));
    assert!(near(rate.commitments_used_usd_per_hour, 0.5));
    assert!(near(rate.commitments_unused_usd_per_hour, 0.25));
    let sum: f64 = by_service.values().sum();
    assert!(near(sum, rate.total_usd_per_hour));
}

#[test]
fn spend_is_counted_to_the_end_of_the_month_and_begins_anew() {
    let (problem, settings, mut ledger) = (fleet(), Settings::default(), Ledger::default());
    assert_eq!(ledger.report(START, None, &settings), None);
    // 28 November, 00:00: three days are left.
    let mut now = START;
    while now < START + 72.0 * HOUR {
        ledger.accrue(&problem, now, &settings);
        now += 60.0;
    }
    ledger.accrue(&problem, START + 72.0 * HOUR - 1.0, &settings);
    let report = ledger.report(now, Some(0.5), &settings).unwrap();
    assert_eq!(report.month, "2026-11");
    let counted = 0.85 * (72.0 - 1.0 / 3600.0);
    assert!(
        (report.month_usd - counted).abs() < 1e-6,
        "{}",
        report.month_usd
    );
    assert!(
        (report.month_end_usd - 0.85 * 72.0).abs() < 1e-6,
        "{}",
        report.month_end_usd
    );
    assert!((report.month_end_planned_usd.unwrap() - counted).abs() < 1e-3);
    for parts in [
        &report.by_service_usd,
        &report.by_pool_usd,
        &report.by_provider_usd,
    ] {
        let sum: f64 = parts.values().sum();
        assert!(near(sum, report.month_usd), "{parts:?}");
    }
    assert!((report.commitments_unused_usd - counted * 0.25 / 0.85).abs() < 1e-5);
    ledger.accrue(&problem, START + 73.0 * HOUR, &settings);
    let report = ledger.report(START + 73.0 * HOUR, None, &settings).unwrap();
    assert_eq!(report.month, "2026-12");
    assert!(
        (report.month_usd - 0.85).abs() < 1e-6,
        "{}",
        report.month_usd
    );
    assert!((report.months_usd["2026-11"] - 0.85 * 72.0).abs() < 1e-6);
}

#[test]
fn each_share_of_the_budget_is_told_once_a_month() {
    let settings = Settings {
        monthly_budget_usd: Some(8.5),
        ..Settings::default()
    };
    let (problem, mut ledger) = (fleet(), Ledger::default());
    let mut told = Vec::new();
    for hour in 0..(24 * 30) {
        let now = START + f64::from(hour) * HOUR;
        told.extend(
            ledger
                .accrue(&problem, now, &settings)
                .into_iter()
                .map(|alert| (hour, alert)),
        );
    }
    let hours: Vec<i32> = told.iter().map(|(hour, _)| *hour).collect();
    // 0.85 USD/h: shares 0.5, 0.8 and 1 after 5, 8 and 10 hours of each month; December begins after 72.
    assert_eq!(hours, [5, 8, 10, 77, 80, 82], "{told:?}");
    assert!(
        told[2]
            .1
            .starts_with("100 % of the budget of 8.50 USD for 2026-11"),
        "{}",
        told[2].1
    );
}

#[test]
fn credits_are_used_up_by_expiry() {
    let credit = |name: &str, usd, hours: Option<f64>| Credit {
        name: name.to_owned(),
        usd,
        expires_at_seconds: hours.map(|hours| START + hours * HOUR),
    };
    let settings = Settings {
        credits: vec![
            credit("for ever", 3.0, None),
            credit("soon", 1.0, Some(1.0)),
            credit("later", 1.0, Some(48.0)),
        ],
        ..Settings::default()
    };
    let (problem, mut ledger) = (fleet(), Ledger::default());
    let mut left = Vec::new();
    for hour in 0..6 {
        let now = START + f64::from(hour) * HOUR;
        ledger.accrue(&problem, now, &settings);
        left.push(ledger.report(now, None, &settings).unwrap());
    }
    // The first hour takes 0.85 of the one that expires then; the next 0.85 and 0.15 are of the one that expires later.
    assert!(near(left[1].credits_left_usd["soon"], 0.0));
    assert!(near(left[1].credits_left_usd["later"], 1.0));
    assert!(near(left[2].credits_left_usd["later"], 0.15));
    assert!(near(left[3].credits_left_usd["for ever"], 3.0 - 0.7));
    assert!(near(left[5].credited_usd, 5.0 * 0.85));
}

proptest! {
    #[test]
    fn parts_of_a_split_add_up(usd in -1e6..1e6_f64, weights in prop::collection::btree_map("[a-z]{1,3}", 0.0..10.0_f64, 0..20)) {
        let amount = Money::from_usd(usd);
        let parts: BTreeMap<String, Money> = amount.split(&weights);
        let has_weight = weights.values().any(|weight| *weight > 0.0);
        let sum: Money = parts.values().copied().sum();
        prop_assert_eq!(sum, if has_weight { amount } else { Money::ZERO });
    }

    /// However a time is cut into cycles, the same is counted but for the rounding of each part to a billionth.
    #[test]
    fn cycles_do_not_change_the_sum(mut cuts in prop::collection::vec(0.0..400_000.0_f64, 0..40)) {
        let (problem, settings) = (fleet(), Settings::default());
        cuts.sort_by(f64::total_cmp);
        cuts.push(400_000.0);
        let mut ledger = Ledger::default();
        ledger.accrue(&problem, START, &settings);
        for cut in &cuts {
            ledger.accrue(&problem, START + cut, &settings);
        }
        let report = ledger.report(START + 400_000.0, None, &settings).unwrap();
        let sum: f64 = report.months_usd.values().sum();
        prop_assert!((sum - 0.85 * 400_000.0 / HOUR).abs() < 1e-6, "{sum}");
    }
}
