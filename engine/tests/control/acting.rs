//! From every count to every planned one: the controller arrives there, or the plan says that nothing changes.

use ketscale_engine::baseline::hpa::{self, Reading};
use ketscale_engine::control::{Acting, swallows};
use ketscale_engine::export;
use ketscale_engine::plan::{Action, Plan};

use crate::world::World;

const MOST: u32 = 50;

/// The replicas at which an HPA with these bounds settles, whatever its pods use.
fn settled(min: u32, max: u32, now: u32, use_percent: u64) -> u32 {
    let settings = hpa::Settings::new(min, max, 70);
    let (mut state, mut current) = (hpa::State::default(), now);
    for evaluation in 0..60 {
        let reading = Reading {
            request_mcores: 1000,
            ready: current,
            use_mcores: u64::from(current) * use_percent * 10,
            unready: 0,
            missing: 0,
        };
        current = state.desired(&settings, f64::from(evaluation) * 15.0, current, &reading);
    }
    current
}

/// What `export hpa` writes as bounds for a plan.
fn exported(plan: &mut Plan, now: u32, planned: u32) -> (u32, u32) {
    let service = &mut plan.services[0];
    service.replicas_now.insert("c".to_owned(), now);
    service.replicas.insert("c".to_owned(), planned);
    let yaml = export::hpa(plan, None).unwrap();
    let bound = |key: &str| {
        let line = yaml
            .lines()
            .find(|line| line.trim_start().starts_with(key))
            .unwrap();
        line.split_once(": ").unwrap().1.parse::<u32>().unwrap()
    };
    (bound("minReplicas"), bound("maxReplicas"))
}

#[test]
fn exported_bounds_arrive_from_everywhere() {
    let mut world = World::settled();
    for _ in 0..3 {
        world.cycle(&[600.0, 300.0]);
    }
    let mut plan = world.published[0].1.clone();
    plan.problem.services.truncate(1);
    plan.services.truncate(1);
    for now in 1..=MOST {
        for planned in 1..=MOST {
            assert!(!swallows(Acting::Hpa, now, planned));
            let (min, max) = exported(&mut plan, now, planned);
            // At their target, far below it: never fewer than planned, and no more unless the load asks for it.
            for use_percent in [70, 10] {
                assert_eq!(
                    settled(min, max, now, use_percent),
                    planned,
                    "{now} to {planned}"
                );
            }
            // With too much load, only where there is room for a surge.
            let surge = settled(min, max, now, 140);
            assert!(
                surge == planned || (surge > planned && planned > now),
                "{now} to {planned}: {surge}"
            );
        }
    }
}

/// KEDA gives the planned replicas as a metric with target 1: the HPA sees the ratio of planned to current.
fn fed(now: u32, planned: u32) -> u32 {
    let ratio = f64::from(planned) / f64::from(now);
    if (1.0 - hpa::TOLERANCE..=1.0 + hpa::TOLERANCE).contains(&ratio) {
        now
    } else {
        planned
    }
}

#[test]
fn a_fed_autoscaler_arrives_or_the_plan_says_no_change() {
    let mut swallowed = 0;
    for now in 1..=MOST {
        for planned in 1..=MOST {
            let arrives = fed(now, planned) == planned;
            assert_eq!(
                arrives,
                !swallows(Acting::Keda, now, planned),
                "{now} to {planned}"
            );
            swallowed += u32::from(!arrives);
        }
    }
    assert!(swallowed > 100, "{swallowed}");
}

#[test]
fn no_published_plan_has_a_change_that_its_controller_swallows() {
    let mut world = World::settled();
    world.settings.acting = Acting::Keda;
    world.settings.demand.tolerance = 0.02;
    let mut published = 0;
    for cycle in 0..60_u32 {
        let share = 1.0 + 0.06 * f64::from(cycle / 4);
        let outcome = world.cycle(&[400.0 * share, 200.0]);
        if outcome.decision.action != Action::Publish {
            continue;
        }
        published += 1;
        let plan = outcome.plan.unwrap();
        for service in &plan.plan().services {
            let (now, planned) = (service.replicas_now["c"], service.replicas["c"]);
            assert!(
                !swallows(Acting::Keda, now, planned),
                "{}: {now} to {planned}",
                service.name
            );
        }
    }
    assert!(published >= 3, "{published}");
}
