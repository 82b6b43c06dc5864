//! The loop as a state machine under any sequence of observations.

use ketscale_engine::control::{Outcome, State};
use ketscale_engine::plan::Action;
use ketscale_engine::verify::verify;
use proptest::prelude::*;

use crate::world::World;

/// What comes in for a cycle.
#[derive(Clone, Debug)]
enum Input {
    Good(f64, f64),
    NoMetrics,
    Gap(bool, bool),
    Skewed(f64),
    Pause(f64),
    PriceChange(f64),
    NodeLost,
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        8 => (0.0..900.0_f64, 0.0..500.0_f64).prop_map(|(a, b)| Input::Good(a, b)),
        4 => (390.0..410.0_f64, 190.0..210.0_f64).prop_map(|(a, b)| Input::Good(a, b)),
        1 => Just(Input::Good(f64::NAN, -1.0)),
        1 => Just(Input::Good(1e9, 0.0)),
        2 => Just(Input::NoMetrics),
        2 => any::<(bool, bool)>().prop_map(|(a, b)| Input::Gap(a, b)),
        1 => (-4000.0..4000.0_f64).prop_map(Input::Skewed),
        1 => (-100.0..4000.0_f64).prop_map(Input::Pause),
        1 => (0.05..0.5_f64).prop_map(Input::PriceChange),
        1 => Just(Input::NodeLost),
    ]
}

fn feed(world: &mut World, input: &Input) -> Outcome {
    match input {
        Input::Good(a, b) => world.cycle(&[*a, *b]),
        Input::NoMetrics => world.observe(Err("timeout".to_owned())),
        Input::Gap(a, b) => {
            let paths = ["services.shop/cart.load.rps", "services.shop/ads.load.rps"];
            let missing: Vec<&str> = paths
                .into_iter()
                .zip([a, b])
                .filter(|(_, gap)| **gap)
                .map(|(path, _)| path)
                .collect();
            let snapshot = world.with_gaps(&[400.0, 200.0], &missing);
            world.observe(Ok(snapshot))
        }
        Input::Skewed(seconds) => {
            let mut snapshot = world.snapshot(&[400.0, 200.0]);
            snapshot.taken_at_seconds += seconds;
            world.observe(Ok(snapshot))
        }
        Input::Pause(seconds) => {
            world.now += seconds;
            world.cycle(&[400.0, 200.0])
        }
        Input::PriceChange(price) => {
            world.problem.pools[0].offerings[0].usd_per_hour = Some(*price);
            world.cycle(&[400.0, 200.0])
        }
        Input::NodeLost => {
            if let Some(current) = &mut world.problem.current {
                current.nodes.pop();
            }
            world.cycle(&[400.0, 200.0])
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_in(inputs in prop::collection::vec(input(), 1..40), cut in any::<prop::sample::Index>()) {
        let mut world = World::new();
        let cut = cut.index(inputs.len());
        let mut last: Option<String> = None;
        for (index, input) in inputs.iter().enumerate() {
            let outcome = feed(&mut world, input);
            prop_assert!(!outcome.decision.rule.is_empty());
            if let Some(plan) = &outcome.plan {
                prop_assert!(verify(plan.bytes()).is_ok());
                prop_assert_eq!(&plan.plan().decision, &outcome.decision);
            }
            if outcome.decision.action != Action::Hold {
                last = outcome.plan.as_ref().map(|plan| plan.plan().digest.clone());
            }
            // What is held is always the plan that was published last.
            prop_assert_eq!(world.state.in_force().map(|plan| plan.digest.clone()), last.clone());
            let text = serde_json::to_string(&world.state).unwrap();
            prop_assert!(text.len() < 200_000, "{} bytes", text.len());
            if index == cut {
                // A loop that was stopped and started again goes on as if it had not been.
                let read: State = serde_json::from_str(&text).unwrap();
                prop_assert_eq!(&read, &world.state);
                world.state = read;
            }
        }
    }
}

/// A stopped loop, read back, decides as the one that went on.
#[test]
fn a_state_that_was_read_back_behaves_the_same() {
    let (mut kept, mut stopped) = (World::new(), World::new());
    for cycle in 0..60_u32 {
        let share = 1.0 + 0.5 * (f64::from(cycle) / 9.0).sin();
        let loads = [400.0 * share, 200.0 / share];
        let text = serde_json::to_vec(&stopped.state).unwrap();
        stopped.state = serde_json::from_slice(&text).unwrap();
        let (a, b) = (kept.cycle(&loads), stopped.cycle(&loads));
        assert_eq!(a.decision, b.decision);
        assert_eq!(
            a.plan.map(|plan| plan.bytes().to_vec()),
            b.plan.map(|plan| plan.bytes().to_vec())
        );
        assert_eq!(kept.state, stopped.state);
    }
}

/// No cycle lets the state grow once its windows are full.
#[test]
fn the_state_does_not_grow() {
    let mut world = World::settled();
    world.settings.demand.history_seconds = 36_000.0;
    let size = |world: &World| serde_json::to_string(&world.state).unwrap().len();
    let mut at = [0, 0];
    for cycle in 0..3000_usize {
        let loads = [world.noisy(400.0, 0.02), world.noisy(200.0, 0.02)];
        world.cycle(&loads);
        if cycle == 999 {
            at[0] = size(&world);
        }
    }
    at[1] = size(&world);
    assert!(at[1] < at[0] + at[0] / 10, "{at:?} bytes");
}
