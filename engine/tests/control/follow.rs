//! What the loop follows and what it lets pass.

use ketscale_engine::control::{
    CapacityReport, EventKind, NodeOutcome, QuietHours, report_outcome,
};
use ketscale_engine::plan::Action;
use ketscale_engine::verify::verify;

use crate::world::{CYCLE, START, World};

const DAY: u32 = 86_400 / 60;

/// The three numbers of the issue, with the same settings: a week of noise, a step up, a lasting drop.
#[test]
fn noise_is_let_pass_and_steps_are_followed() {
    let mut world = World::with_noisy_past(0.05);
    let noisy = |world: &mut World, share: f64| {
        let loads = [400.0, 200.0].map(|mean| world.noisy(mean * share, 0.05));
        world.cycle(&loads)
    };
    for _ in 0..20 {
        noisy(&mut world, 1.0);
    }
    world.published.clear();
    for _ in 0..7 * DAY {
        noisy(&mut world, 1.0);
    }
    let rules: Vec<&str> = world
        .published
        .iter()
        .map(|(_, plan)| plan.decision.rule.as_str())
        .collect();
    assert!(rules.is_empty(), "{rules:?}");

    let before = world.replicas("shop/cart");
    let published = (0..2).find(|_| noisy(&mut world, 1.3).decision.action == Action::Publish);
    assert!(
        published.is_some(),
        "a step of 30 % is published within two cycles"
    );
    assert!(world.replicas("shop/cart") > before);

    for _ in 0..DAY {
        noisy(&mut world, 1.3);
    }
    world.published.clear();
    let before = world.replicas("shop/cart");
    let dropped = world.now;
    for _ in 0..15 {
        noisy(&mut world, 1.3 * 0.6);
    }
    let first = world.published.first().map(|(at, _)| at - dropped);
    assert!(
        first.is_some_and(|seconds| seconds < 15.0 * CYCLE),
        "{first:?}"
    );
    assert!(world.replicas("shop/cart") < before);
}

#[test]
fn a_cycle_in_which_nothing_changed_plans_nothing() {
    let mut world = World::settled();
    for _ in 0..100 {
        let outcome = world.cycle(&[400.0, 200.0]);
        assert!(!outcome.planned, "{}", outcome.decision.rule);
        assert!(
            outcome.decision.rule.starts_with("held: nothing"),
            "{}",
            outcome.decision.rule
        );
    }
}

#[test]
fn what_is_published_verifies_and_carries_the_load() {
    let mut world = World::new();
    let first = world.cycle(&[400.0, 200.0]);
    assert_eq!(
        first.decision.action,
        Action::Publish,
        "{}",
        first.decision.rule
    );
    assert!(
        first.decision.rule.starts_with("the objective needs it"),
        "{}",
        first.decision.rule
    );
    let plan = first.plan.unwrap();
    assert!(verify(plan.bytes()).is_ok());
    assert_eq!(plan.plan().decision, first.decision);
    // 400 requests per second at 10m each and 70 % of 500m: 12 replicas.
    assert!(world.replicas("shop/cart") >= 12);
}

#[test]
fn quiet_hours_hold_savings_but_not_what_the_objective_needs() {
    let mut world = World::settled();
    world.settings.quiet_hours = vec![QuietHours {
        days: Vec::new(),
        from: "00:00".to_owned(),
        to: "06:00".to_owned(),
    }];
    for _ in 0..30 {
        world.cycle(&[240.0, 120.0]);
    }
    assert!(world.published.is_empty());
    let held = world.cycle(&[240.0, 120.0]);
    assert!(
        held.decision.rule.contains("quiet hours"),
        "{}",
        held.decision.rule
    );
    for _ in 0..3 {
        world.cycle(&[700.0, 350.0]);
    }
    assert!(!world.published.is_empty());
}

#[test]
fn savings_wait_for_the_end_of_quiet_hours() {
    let mut world = World::settled();
    world.settings.quiet_hours = vec![QuietHours {
        days: Vec::new(),
        from: "00:00".to_owned(),
        to: "01:00".to_owned(),
    }];
    while world.published.is_empty() && world.now < START + 7200.0 {
        world.cycle(&[240.0, 120.0]);
    }
    let at = world.published[0].0;
    assert!(
        (START + 3600.0..START + 3600.0 + CYCLE).contains(&at),
        "{}",
        at - START
    );
}

#[test]
fn a_refused_offering_is_avoided_longer_each_time_until_it_is_provided() {
    let mut world = World::settled();
    let report = |outcome| CapacityReport {
        pool: "general".to_owned(),
        offering: "four/z/on-demand".to_owned(),
        outcome,
        reason: "InsufficientInstanceCapacity".to_owned(),
    };
    let fours = |world: &World| {
        let nodes = world
            .problem
            .current
            .iter()
            .flat_map(|current| &current.nodes);
        nodes
            .filter(|node| node.offering == "four/z/on-demand")
            .count()
    };
    let before = fours(&world);
    for seconds in [300.0, 600.0, 1200.0] {
        let events = report_outcome(
            &mut world.state,
            &report(NodeOutcome::Refused),
            world.now,
            &world.settings,
        );
        assert_eq!(events[0].kind, EventKind::CapacityRefused);
        assert!(
            events[0]
                .message
                .contains(&format!("avoided for {seconds:.0} s")),
            "{}",
            events[0].message
        );
    }
    for _ in 0..3 {
        world.cycle(&[800.0, 400.0]);
    }
    let (_, plan) = world.published.last().expect("the load needs more");
    assert!(
        plan.reasons
            .iter()
            .any(|reason| reason.contains("InsufficientInstanceCapacity")),
        "{:?}",
        plan.reasons
    );
    assert_eq!(fours(&world), before);
    let events = report_outcome(
        &mut world.state,
        &report(NodeOutcome::Provided),
        world.now,
        &world.settings,
    );
    assert_eq!(events[0].kind, EventKind::CapacityProvided);
    for _ in 0..3 {
        world.cycle(&[1200.0, 600.0]);
    }
    assert!(fours(&world) > before);
}

/// A load that steps up is told of in the plan that follows it, and in the cycle's outcome alike.
#[test]
fn a_plan_lists_the_warnings_of_its_cycle() {
    let mut world = World::settled();
    let mut told = None;
    for _ in 0..60 {
        let outcome = world.cycle(&[900.0, 200.0]);
        if let Some(plan) = outcome.plan.filter(|_| !outcome.warnings.is_empty()) {
            told = Some((plan.plan().warnings.clone(), outcome.warnings));
            break;
        }
    }
    let (in_plan, of_cycle) = told.expect("a plan was made while something was warned of");
    assert_eq!(in_plan, of_cycle);
    assert!(
        in_plan
            .iter()
            .any(|warning| warning.subject == "services.shop/cart"),
        "{in_plan:?}"
    );
}

/// Holding what runs would leave even less than the bounds allow.
#[test]
fn a_load_that_nothing_carries_gets_all_that_there_may_be() {
    let mut world = World::settled();
    let mut kinds = Vec::new();
    for _ in 0..10 {
        let outcome = world.cycle(&[5000.0, 200.0]);
        kinds.extend(outcome.events.into_iter().map(|event| event.kind));
    }
    assert_eq!(world.replicas("shop/cart"), 60);
    assert!(kinds.contains(&EventKind::Saturated), "{kinds:?}");
    let (_, plan) = world.published.last().expect("the load needs more");
    assert!(
        plan.reasons
            .iter()
            .any(|reason| reason.contains("60 replicas that its bounds allow")),
        "{:?}",
        plan.reasons
    );
}

#[test]
fn scaling_policies_limit_the_change_of_a_period() {
    let mut world = World::settled();
    world.settings.scale_up.policies = vec![ketscale_engine::control::Policy {
        pods: Some(3),
        percent: None,
        period_seconds: 600.0,
    }];
    let before = world.replicas("shop/cart");
    for _ in 0..5 {
        world.cycle(&[1000.0, 200.0]);
    }
    assert_eq!(world.replicas("shop/cart"), before + 3);
    for _ in 0..10 {
        world.cycle(&[1000.0, 200.0]);
    }
    assert_eq!(world.replicas("shop/cart"), before + 6);
}
