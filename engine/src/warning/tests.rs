//! Warnings come before what they warn of, and not from noise.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::forecast;
use crate::problem;

const DAY: usize = 288;

fn problem_file() -> ProblemFile {
    let text = "
schema: ketscale.problem/v1
name: one
clusters: [{name: c, provider: gcp, region: europe-west1}]
services:
- {name: shop/cart, clusters: {c: {min: 1, max: 10, now: 5}}, requests: {cpu: 1, memory: 1Gi}, load: {rps: 100}, ready_seconds: 60, capacity: {cpu_per_rps: 35m, target_utilization: 0.7}}
pools:
- {name: p, cluster: c, nodes: {max: 2}, startup_seconds: 240, offerings: [{instance_type: x, zone: europe-west1-b, capacity_type: on-demand, usd_per_hour: 1, allocatable: {cpu: 4, memory: 16Gi, pods: 30}}]}
current: {nodes: [{name: n1, pool: p, offering: x/europe-west1-b/on-demand, pods: {shop/cart: 3}}, {name: n2, pool: p, offering: x/europe-west1-b/on-demand, pods: {shop/cart: 2}}]}
";
    problem::read(text.as_bytes(), "one.yaml").unwrap()
}

/// A pod carries 20 requests per second: 5 carry 100, the pool's 8 cores 160, the most replicas 200.
fn told(load: impl Fn(usize, &mut ChaCha8Rng) -> f64, length: usize, steps: usize) -> Vec<Warning> {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let series = Series {
        start_seconds: 1_700_000_000.0,
        step_seconds: 300.0,
        values: (0..length)
            .map(|step| Some(load(step, &mut random)))
            .collect(),
    };
    let settings = forecast::Settings::default();
    let forecast = forecast::forecast(&series, steps, &settings);
    let name = "shop/cart".to_owned();
    let outlook = Outlook {
        problem: &problem_file(),
        now_seconds: series.end_seconds(),
        quantile: settings.quantile,
        forecasts: &BTreeMap::from([(name.clone(), forecast)]),
        history: &BTreeMap::from([(name, series)]),
    };
    warnings(&outlook, &Settings::default())
}

fn noisy(level: f64, random: &mut ChaCha8Rng) -> f64 {
    let normal: f64 = (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0;
    level * (1.0 + 0.05 * normal)
}

fn daily(step: usize) -> f64 {
    60.0 - 30.0 * (step as f64 / DAY as f64 * std::f64::consts::TAU).cos()
}

#[test]
fn noise_and_seasons_are_silent() {
    for length in [40, 2 * DAY, 5 * DAY, 5 * DAY + 70, 5 * DAY + 140] {
        let flat = told(|_, random| noisy(60.0, random), length, 12);
        assert_eq!(flat, [], "{length}");
        let seasonal = told(|step, random| noisy(0.8 * daily(step), random), length, 12);
        assert!(
            length < 3 * DAY || seasonal.is_empty(),
            "{length}: {seasonal:?}"
        );
    }
}

/// A daily peak that grows to 200: the crossing lies ahead at the end of a night, and comes in the order of the limits.
#[test]
fn a_planted_saturation_is_told_before_it_happens() {
    let load = |step: usize, random: &mut ChaCha8Rng| noisy(2.6 * daily(step), random).max(0.0);
    // At 5 in the morning; the peak of 234 comes at noon.
    let told = told(load, 6 * DAY + 60, 100);
    let of = |kind: fn(&Cause) -> bool| {
        told.iter()
            .find(|warning| kind(&warning.cause))
            .unwrap_or_else(|| panic!("{told:?}"))
    };
    let pool = of(|cause| matches!(cause, Cause::PoolSaturation { .. }));
    let service = of(|cause| matches!(cause, Cause::Saturation { .. }));
    assert!(
        service.in_seconds > 3600.0 && service.in_seconds < 6.0 * 3600.0,
        "{service}"
    );
    assert!(pool.at_seconds <= service.at_seconds);
    assert_eq!(
        service.constraint,
        "services.shop/cart.capacity.target_utilization"
    );
    assert_eq!(pool.constraint, "pools.p.nodes.max");
    assert!(service.to_string().contains("10, carry, 200"), "{service}");
}

#[test]
fn too_little_before_more_can_be_ready_is_told() {
    let told = told(
        |step, random| noisy(50.0 + 0.05 * step as f64, random),
        1000,
        12,
    );
    let lag = told
        .iter()
        .find(|warning| matches!(warning.cause, Cause::Lag { replicas: 5, .. }));
    let lag = lag.unwrap_or_else(|| panic!("{told:?}"));
    assert!((0.0..=300.0).contains(&lag.in_seconds) && lag.probability > 0.1);
}

#[test]
fn a_shift_and_an_outlier_are_told_apart() {
    let length = 5 * DAY;
    let shifted = told(
        |step, random| noisy(if step + 8 < length { 40.0 } else { 60.0 }, random),
        length,
        12,
    );
    let [
        Warning {
            cause: Cause::Changepoint { measured_rps, .. },
            in_seconds,
            ..
        },
        ..,
    ] = shifted.as_slice()
    else {
        panic!("{shifted:?}");
    };
    assert!((measured_rps - 60.0).abs() < 6.0);
    assert!((in_seconds + 8.0 * 300.0).abs() <= 900.0, "{in_seconds}");
    let spiked = told(
        |step, random| noisy(if step + 3 == length { 95.0 } else { 40.0 }, random),
        length,
        12,
    );
    let outliers = spiked
        .iter()
        .filter(|warning| matches!(warning.cause, Cause::Outlier { .. }));
    assert_eq!(outliers.count(), 1, "{spiked:?}");
}

#[test]
fn sureness_is_the_probability_by_the_quantiles() {
    let of = |limit| probability_above(limit, [10.0, 20.0, 40.0], 0.9);
    assert_eq!(of(5.0), Some(0.9));
    assert_eq!(of(15.0), Some(0.7));
    assert_eq!(of(30.0), Some(0.3));
    assert_eq!(of(40.0), None);
}

#[test]
fn a_warning_is_the_same_after_a_file() {
    let told = told(|_, random| noisy(500.0, random), 3 * DAY, 12);
    assert!(!told.is_empty());
    let text = serde_json::to_string(&told).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Warning>>(&text).unwrap(), told);
}
