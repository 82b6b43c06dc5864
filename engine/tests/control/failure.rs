//! Each way in which metrics fail gives the right action, and a reason that names it.

use ketscale_engine::control::{EventKind, Outcome};
use ketscale_engine::plan::{Action, Reading};

use crate::world::World;

fn told(outcome: &Outcome, kind: EventKind) -> bool {
    outcome.events.iter().any(|event| event.kind == kind)
}

/// The cycle is held for a reason that says these words.
fn held(outcome: &Outcome, kind: EventKind, words: &str) {
    assert_eq!(outcome.decision.action, Action::Hold);
    assert!(
        outcome.decision.rule.contains(words),
        "{}",
        outcome.decision.rule
    );
    assert!(told(outcome, kind), "{:?}", outcome.events);
    assert!(!outcome.planned);
}

#[test]
fn no_metrics_hold_the_last_good_plan_with_its_age() {
    let mut world = World::settled();
    let in_force = world.state.in_force().cloned();
    let outcome = world.observe(Err("connection refused".to_owned()));
    held(
        &outcome,
        EventKind::NoMetrics,
        "no metrics: connection refused",
    );
    assert_eq!(outcome.decision.age_seconds, Some(60.0));
    assert_eq!(world.state.in_force().cloned(), in_force);
    // A condition that lasts is told once.
    let outcome = world.observe(Err("connection refused".to_owned()));
    assert!(!told(&outcome, EventKind::NoMetrics));
    let outcome = world.cycle(&[400.0, 200.0]);
    assert!(told(&outcome, EventKind::Recovered));
}

#[test]
fn safe_replicas_are_published_once_after_the_set_age() {
    let mut world = World::settled();
    // The past needed more than what runs in the end.
    for _ in 0..5 {
        world.cycle(&[600.0, 200.0]);
    }
    for _ in 0..60 {
        world.cycle(&[400.0, 200.0]);
    }
    let running = world.replicas("shop/cart");
    world.published.clear();
    let mut fell_back = Vec::new();
    for cycle in 0..30 {
        let outcome = world.observe(Err("timeout".to_owned()));
        if outcome.decision.action == Action::Fallback {
            assert!(
                outcome.decision.rule.contains("safe replicas"),
                "{}",
                outcome.decision.rule
            );
            assert_eq!(
                outcome.plan.unwrap().plan().decision.action,
                Action::Fallback
            );
            fell_back.push(cycle);
        }
    }
    // 900 s after the last good snapshot, which was a cycle before the first failure.
    assert_eq!(fell_back, [14]);
    let safe = world.replicas("shop/cart");
    // 600 requests a second need 18 replicas; that load is so recent that as many may still run.
    assert!(safe >= running.max(18), "{running} then {safe}");
    let outcome = world.cycle(&[400.0, 200.0]);
    assert!(told(&outcome, EventKind::Recovered));
}

#[test]
fn safe_replicas_may_be_set_for_a_service() {
    let mut world = World::settled();
    world
        .settings
        .fallback
        .replicas
        .insert("shop/ads".to_owned(), 23);
    for _ in 0..20 {
        world.observe(Err("timeout".to_owned()));
    }
    assert_eq!(world.replicas("shop/ads"), 23);
}

#[test]
fn nothing_ever_seen_is_held() {
    let mut world = World::new();
    for _ in 0..20 {
        let outcome = world.observe(Err("timeout".to_owned()));
        held_or_repeated(&outcome);
    }
}

fn held_or_repeated(outcome: &Outcome) {
    assert_eq!(outcome.decision.action, Action::Hold);
    assert!(
        outcome.decision.rule.contains("no metrics"),
        "{}",
        outcome.decision.rule
    );
}

#[test]
fn a_missing_load_keeps_the_last_good_one_then_holds_that_service_only() {
    let mut world = World::settled();
    let missing = ["services.shop/cart.load.rps"];
    let snapshot = world.with_gaps(&[0.0, 200.0], &missing);
    let outcome = world.observe(Ok(snapshot));
    assert!(told(&outcome, EventKind::Gap));
    assert!((outcome.demand["shop/cart"].reading_rps - 400.0).abs() < 1e-9);
    let cart = world.replicas("shop/cart");
    for _ in 0..12 {
        let snapshot = world.with_gaps(&[0.0, 420.0], &missing);
        let outcome = world.observe(Ok(snapshot));
        assert_eq!(
            world.replicas("shop/cart"),
            cart,
            "{}",
            outcome.decision.rule
        );
    }
    let snapshot = world.with_gaps(&[0.0, 420.0], &missing);
    let outcome = world.observe(Ok(snapshot));
    assert!(
        outcome.held["shop/cart"].contains("partial metrics"),
        "{:?}",
        outcome.held
    );
    // The other service is followed.
    assert!(world.replicas("shop/ads") >= 12);
}

#[test]
fn an_unknown_placement_or_no_load_at_all_holds_the_fleet() {
    let mut world = World::settled();
    let snapshot = world.with_gaps(&[400.0, 200.0], &["current.nodes"]);
    let outcome = world.observe(Ok(snapshot));
    held(&outcome, EventKind::Gap, "what runs where is not known");
    let all = ["services.shop/cart.load.rps", "services.shop/ads.load.rps"];
    let snapshot = world.with_gaps(&[0.0, 0.0], &all);
    let outcome = world.observe(Ok(snapshot));
    held(
        &outcome,
        EventKind::NoMetrics,
        "no service's load could be read",
    );
}

#[test]
fn a_jump_is_believed_when_the_next_reading_confirms_it() {
    let mut world = World::settled();
    let outcome = world.cycle(&[40_000.0, 200.0]);
    assert!(told(&outcome, EventKind::Jump), "{:?}", outcome.events);
    assert_eq!(outcome.decision.action, Action::Hold);
    let outcome = world.cycle(&[400.0, 200.0]);
    assert_eq!(outcome.decision.action, Action::Hold);
    assert!(world.published.is_empty());
    let outcome = world.cycle(&[1500.0, 200.0]);
    assert!(told(&outcome, EventKind::Jump));
    for _ in 0..3 {
        world.cycle(&[1500.0, 200.0]);
    }
    assert!(!world.published.is_empty());
}

#[test]
fn a_sudden_zero_is_a_counter_reset_until_it_lasts() {
    let mut world = World::settled();
    let outcome = world.cycle(&[0.0, 200.0]);
    assert!(
        told(&outcome, EventKind::CounterReset),
        "{:?}",
        outcome.events
    );
    assert!((outcome.demand["shop/cart"].reading_rps - 400.0).abs() < 1e-9);
    world.cycle(&[0.0, 200.0]);
    let outcome = world.cycle(&[0.0, 200.0]);
    assert!(
        outcome.demand["shop/cart"].reading_rps.abs() < 1e-9,
        "{:?}",
        outcome.demand
    );
}

#[test]
fn clocks_that_disagree_hold() {
    let mut world = World::settled();
    let mut snapshot = world.snapshot(&[400.0, 200.0]);
    snapshot.taken_at_seconds += 120.0;
    let outcome = world.observe(Ok(snapshot));
    held(&outcome, EventKind::ClockSkew, "in the future");
    world.cycle(&[400.0, 200.0]);
    let mut snapshot = world.snapshot(&[400.0, 200.0]);
    snapshot.taken_at_seconds -= 200.0;
    let outcome = world.observe(Ok(snapshot));
    held(&outcome, EventKind::ClockSkew, "before the last one");
    world.cycle(&[400.0, 200.0]);
    world.now -= 3600.0;
    let outcome = world.cycle(&[400.0, 200.0]);
    held(&outcome, EventKind::ClockSkew, "the clock went back");
}

#[test]
fn stale_data_hold() {
    let mut world = World::settled();
    world.now += 500.0;
    let mut snapshot = world.snapshot(&[400.0, 200.0]);
    snapshot.taken_at_seconds -= 400.0;
    let outcome = world.observe(Ok(snapshot));
    held(&outcome, EventKind::Stale, "400 s old");
    // The same snapshot again and again, as a slow server gives it.
    let snapshot = world.snapshot(&[400.0, 200.0]);
    world.observe(Ok(snapshot.clone()));
    let outcome = world.observe(Ok(snapshot));
    held(&outcome, EventKind::Stale, "nothing newer");
    let mut snapshot = world.snapshot(&[400.0, 200.0]);
    snapshot.readings = vec![Reading {
        path: "services.shop/cart.load.rps".to_owned(),
        value: 400.0,
        query: "q".to_owned(),
        timestamp: world.now - 500.0,
    }];
    let outcome = world.observe(Ok(snapshot));
    assert!(
        outcome
            .events
            .iter()
            .any(|e| e.kind == EventKind::Stale && e.subject.as_deref() == Some("shop/cart"))
    );
}

#[test]
fn loads_that_cannot_be_and_problems_without_meaning_hold() {
    let mut world = World::settled();
    let outcome = world.cycle(&[f64::NAN, 200.0]);
    assert!(told(&outcome, EventKind::Invalid));
    assert!((outcome.demand["shop/cart"].reading_rps - 400.0).abs() < 1e-9);
    let mut snapshot = world.snapshot(&[400.0, 200.0]);
    snapshot.problem.pools[0].cluster = "elsewhere".to_owned();
    let outcome = world.observe(Ok(snapshot));
    held(&outcome, EventKind::Invalid, "mistakes, such as");
}

#[test]
fn what_is_feasible_no_more_holds_and_says_why() {
    let mut world = World::settled();
    let running = world.problem.current.as_ref().map(|now| now.nodes.len());
    world.problem.pools[0].nodes.max = running.and_then(|nodes| u32::try_from(nodes).ok());
    for _ in 0..5 {
        world.cycle(&[400.0 * 2.9, 200.0]);
    }
    let outcome = world.cycle(&[400.0 * 2.9, 200.0]);
    assert_eq!(outcome.decision.action, Action::Hold);
    assert!(
        outcome.decision.rule.contains("pools.general"),
        "{}",
        outcome.decision.rule
    );
}
