//! Generated fleets: of the size asked for, of the mix promised, good problems, and the same from the same seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::feasibility::violations;
use ketscale_engine::fleet;
use ketscale_engine::generate::{FleetSize, MOST_SERVICES, OutOfRange, fleet as generated};
use ketscale_engine::placement::Placement;
use ketscale_engine::problem::{Comments, ProblemFile, Provider, Service, read, resolve, to_yaml};

/// As it is written, read and completed.
fn made(services: usize, offerings: usize, seed: u64) -> ProblemFile {
    let size = FleetSize {
        services,
        offerings,
        seed,
    };
    let problem = generated(&size, Catalogue::built_in()).unwrap();
    let text = to_yaml(&problem, ["made up"], &Comments::default());
    let again = read(text.as_bytes(), "fleet.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(again, problem, "what is written reads back equal");
    resolve(again, Catalogue::built_in(), "fleet.yaml").unwrap_or_else(|errors| panic!("{errors}"))
}

fn count(problem: &ProblemFile, has: impl Fn(&Service) -> bool) -> usize {
    problem.services.iter().filter(|s| has(s)).count()
}

#[test]
fn a_fleet_has_the_size_and_the_mix_promised() {
    for (services, offerings, seed) in [(10, 12, 0), (50, 60, 1), (200, 200, 2), (60, 2000, 3)] {
        let problem = made(services, offerings, seed);
        assert!(problem.synthetic);
        assert_eq!(problem.services.len(), services);
        let sold: usize = problem.pools.iter().map(|pool| pool.offerings.len()).sum();
        assert_eq!(sold, offerings);
        let placement = |s: &Service| s.placement.clone();
        let zones = |s: &Service| placement(s).min_zones > 1 || placement(s).max_skew.is_some();
        assert_eq!(count(&problem, zones), services * 3 / 10);
        let apart = |s: &Service| !placement(s).anti_affinity.is_empty();
        assert_eq!(count(&problem, apart), services / 5);
        assert!(count(&problem, |s| placement(s).spot_share_max < 1.0) == services / 5);
        for service in &problem.services {
            let (_, bounds) = service.clusters.iter().next().unwrap();
            assert!(3 <= bounds.min && bounds.max <= 50, "{}", service.name);
        }
    }
}

#[test]
fn the_largest_fleet_has_several_providers_and_300_shapes() {
    let problem = made(10, 2000, 7);
    let providers: BTreeSet<Provider> = problem.clusters.iter().map(|c| c.provider).collect();
    assert_eq!(providers.len(), 3);
    let shapes: BTreeSet<(&str, &str)> = problem
        .pools
        .iter()
        .flat_map(|pool| {
            let types = pool.offerings.iter();
            types.map(|offering| (pool.cluster.as_str(), offering.instance_type.as_str()))
        })
        .collect();
    assert!((280..=360).contains(&shapes.len()), "{}", shapes.len());
}

/// Each pod takes 2 to 60 % of some node of its cluster in the resource that binds, and its load needs 3 to 50 replicas.
#[test]
fn pods_and_replicas_are_in_the_promised_range() {
    let problem = made(200, 200, 5);
    let compiled = fleet::compile(problem, &[]).unwrap_or_else(|issues| panic!("{issues:?}"));
    let mut shares = Vec::new();
    for (s, service) in compiled.services.iter().enumerate() {
        assert!(
            (3..=50).contains(&service.least_carrying),
            "{}",
            service.name
        );
        let share = |offering: &fleet::Offering| {
            let of = |k: usize| service.request[k] as f64 / offering.allocatable[k] as f64;
            of(0).max(of(1))
        };
        let eligible = compiled.offerings.iter().filter(|o| o.eligible[s]);
        let range = eligible
            .map(share)
            .filter(|share| (0.015..=0.6).contains(share));
        shares.push(range.fold(f64::NAN, f64::max));
    }
    assert!(shares.iter().all(|share| share.is_finite()), "{shares:?}");
}

/// Requests, eligibility and anti-affinity hold now, as the scheduler enforces them; what it does not know may be broken.
#[test]
fn what_runs_now_is_what_a_scheduler_allows() {
    for seed in 0..5 {
        let problem = made(60, 100, seed);
        let now: BTreeMap<String, u32> = (problem.services.iter())
            .map(|s| {
                (
                    s.name.clone(),
                    s.clusters.values().map(|b| b.now.unwrap()).sum(),
                )
            })
            .collect();
        let mut placed: BTreeMap<String, u32> = BTreeMap::new();
        for node in &problem.current.as_ref().unwrap().nodes {
            assert!(!node.pods.is_empty(), "{} is empty", node.name);
            for (service, pods) in &node.pods {
                *placed.entry(service.clone()).or_default() += pods;
            }
        }
        assert_eq!(placed, now, "seed {seed}");
        let compiled = fleet::compile(problem, &[]).unwrap_or_else(|issues| panic!("{issues:?}"));
        let current = Placement::current(&compiled);
        for broken in violations(&compiled, &current) {
            let is_filter = broken.constraint.ends_with(".placement")
                || broken.constraint.ends_with(".anti_affinity")
                || broken.message.starts_with("requested ");
            assert!(!is_filter, "seed {seed}: {broken}");
        }
    }
}

#[test]
fn the_largest_fleet_reads_and_compiles() {
    let problem = made(1000, 2000, 0);
    assert!(problem.clusters.len() > 2);
    let compiled = fleet::compile(problem, &[]).unwrap_or_else(|issues| panic!("{issues:?}"));
    assert_eq!(
        (compiled.services.len(), compiled.offerings.len()),
        (1000, 2000)
    );
    let eligible = |s: usize| compiled.offerings.iter().any(|o| o.eligible[s]);
    assert!((0..1000).all(eligible));
}

#[test]
fn the_seed_decides() {
    assert_eq!(made(20, 30, 1), made(20, 30, 1));
    assert_ne!(made(20, 30, 1).services, made(20, 30, 2).services);
}

#[test]
fn numbers_out_of_range_are_all_told() {
    let size = |services, offerings| FleetSize {
        services,
        offerings,
        seed: 0,
    };
    let refusals = generated(&size(0, 1_000_000), Catalogue::built_in()).unwrap_err();
    let told: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2);
    assert_eq!(
        told[0],
        format!("services: 0 is not from 1 to {MOST_SERVICES}")
    );
    assert!(
        told[1].starts_with("offerings: 1000000 is not from 1 to "),
        "{}",
        told[1]
    );
    let most = match refusals.as_slice() {
        [_, OutOfRange { most, .. }] => *most,
        _ => panic!("{refusals:?}"),
    };
    assert!(most >= 2000);
    assert!(generated(&size(1, most), Catalogue::built_in()).is_ok());
    assert!(generated(&size(1, most + 1), Catalogue::built_in()).is_err());
    assert!(generated(&size(1, 1), Catalogue::built_in()).is_ok());
}
