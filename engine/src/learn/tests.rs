//! Planted coefficients are found within their stated errors, and what cannot be told is not.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;
use crate::problem;

const LENGTH: usize = 600;

fn series(values: impl IntoIterator<Item = f64>) -> Series {
    Series {
        start_seconds: 1_700_000_000.0,
        step_seconds: 300.0,
        values: values.into_iter().map(Some).collect(),
    }
}

/// Load, CPU use with idle 0.03 cores and 0.012 cores per request, and replicas that follow the load loosely.
fn fleet(seed: u64, noise: f64, outliers: f64) -> [Series; 3] {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = Vec::new();
    for step in 0..LENGTH {
        let rps = 300.0 + 200.0 * (step as f64 / 40.0).sin() + 20.0 * random.random::<f64>();
        let replicas = 4.0 + (step as f64 / 90.0).cos().mul_add(2.0, 0.0).round();
        let uniform: f64 = (0..12).map(|_| random.random::<f64>()).sum();
        let mut cores = 0.03 * replicas + 0.012 * rps + noise * (uniform - 6.0);
        if random.random::<f64>() < outliers {
            cores += 8.0;
        }
        rows.push([rps, cores.max(0.0), replicas]);
    }
    [0, 1, 2].map(|column| series(rows.iter().map(|row| row[column])))
}

fn measured([load, cpu, replicas]: &[Series; 3]) -> Measured<'_> {
    Measured {
        load_rps: load,
        cpu_cores: cpu,
        replicas: Some(replicas),
        replicas_now: None,
        memory_bytes: None,
    }
}

/// Over many seeds the planted numbers are within two standard errors about 95 times in a hundred, outliers or not.
#[test]
fn planted_coefficients_are_within_their_error() {
    for outliers in [0.0, 0.1] {
        let (mut slopes, mut idles) = (0, 0);
        for seed in 0..100 {
            let cpu = learn(&measured(&fleet(seed, 0.05, outliers))).cpu.unwrap();
            let within = |estimate: Estimate, truth: f64| {
                i32::from((estimate.value - truth).abs() <= 2.0 * estimate.standard_error)
            };
            slopes += within(cpu.cores_per_rps, 0.012);
            idles += within(cpu.idle_cores, 0.03);
            assert!(cpu.cores_per_rps.standard_error < 0.001);
        }
        assert!(
            slopes >= 88 && idles >= 88,
            "{slopes} {idles} of 100 at {outliers}"
        );
        assert!(slopes < 100 || idles < 100, "errors are stated too wide");
    }
}

#[test]
fn what_cannot_be_told_says_why() {
    let [load, cpu, replicas] = fleet(1, 0.05, 0.0);
    let flat = series((0..LENGTH).map(|_| 100.0));
    let short = series((0..10).map(f64::from));
    let reason = |load: &Series, cpu_cores: &Series, replicas: Option<&Series>| {
        let measured = Measured {
            load_rps: load,
            cpu_cores,
            replicas,
            replicas_now: None,
            memory_bytes: None,
        };
        learn(&measured).cpu.unwrap_err()
    };
    assert!(reason(&flat, &cpu, Some(&flat)).contains("too little variation"));
    assert!(reason(&short, &cpu, Some(&replicas)).contains("too few values"));
    assert!(reason(&load, &cpu, None).contains("number of pods"));
    let zero = series((0..LENGTH).map(|_| 0.0));
    assert!(reason(&zero, &cpu, Some(&replicas)).contains("no requests"));
    assert!(
        reason(&load, &flat, Some(&replicas)).contains("too uncertain")
            || reason(&load, &flat, Some(&replicas)).contains("does not grow")
    );
    assert!(memory::memory(None).is_err());
}

#[test]
fn idle_use_is_never_negative() {
    let [load, _, replicas] = fleet(2, 0.0, 0.0);
    // Use that grows faster than the load.
    let cpu = series(load.measured().map(|(_, rps)| 1e-5 * rps * rps));
    let cpu = learn(&measured(&[load, cpu, replicas])).cpu.unwrap();
    assert!(cpu.idle_cores.value >= 0.0 && cpu.cores_per_rps.value > 0.0);
}

fn problem(capacity: &str) -> ProblemFileAndUse {
    let text = format!(
        "
schema: ketscale.problem/v1
name: one
clusters: [{{name: c, provider: gcp, region: europe-west1}}]
services: [{{name: shop/cart, clusters: {{c: {{min: 3, max: 9, now: 4}}}}, requests: {{cpu: 500m, memory: 1Gi}}, load: {{rps: 100}}{capacity}}}]
pools: [{{name: p, cluster: c, offerings: [{{instance_type: e2-standard-4, zone: europe-west1-b, capacity_type: on-demand}}]}}]
"
    );
    let file = problem::read(text.as_bytes(), "one.yaml").unwrap();
    let memory = series((0..LENGTH).map(|step| f64::from(1 << 20) * (100.0 + step as f64 % 50.0)));
    let rows = fleet(3, 0.02, 0.0);
    let measured = Measured {
        memory_bytes: Some(&memory),
        ..measured(&rows)
    };
    let learned = BTreeMap::from([("shop/cart".to_owned(), learn(&measured))]);
    ProblemFileAndUse { file, learned }
}

struct ProblemFileAndUse {
    file: problem::ProblemFile,
    learned: BTreeMap<String, Learned>,
}

#[test]
fn what_the_file_leaves_out_is_filled_in() {
    let ProblemFileAndUse { mut file, learned } = problem("");
    let filled = fill_in(&mut file, &learned);
    let capacity = file.services[0].capacity.clone().unwrap();
    let mcores = capacity.cpu_per_rps.milli_f64().unwrap();
    assert!((mcores - 12.0).abs() < 0.5, "{mcores}");
    assert_eq!(capacity.memory_peak.unwrap().units(), Some(149 << 20));
    let paths: Vec<&str> = filled
        .readings
        .iter()
        .map(|reading| reading.path.as_str())
        .collect();
    let at = |key| format!("services.shop/cart.capacity.{key}");
    assert_eq!(
        paths,
        [at("cpu_per_rps"), at("idle_cpu"), at("memory_peak")]
    );
    assert!(filled.gaps.is_empty());
}

#[test]
fn what_the_file_states_stays() {
    let stated = ", capacity: {cpu_per_rps: 3m, memory_peak: 1Gi}";
    let ProblemFileAndUse { mut file, learned } = problem(stated);
    let before = file.clone();
    assert_eq!(fill_in(&mut file, &learned), Filled::default());
    assert_eq!(file, before);
}

#[test]
fn what_is_unknown_is_a_gap_and_never_zero() {
    let ProblemFileAndUse {
        mut file,
        mut learned,
    } = problem("");
    let unknown = Learned {
        cpu: Err("too few values".to_owned()),
        memory: Err("memory use was not measured".to_owned()),
    };
    learned.insert("shop/cart".to_owned(), unknown);
    let before = file.clone();
    let filled = fill_in(&mut file, &learned);
    assert_eq!(file, before);
    assert_eq!(filled.gaps.len(), 1);
    assert!(filled.readings.is_empty());
}
