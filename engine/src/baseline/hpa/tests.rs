//! The stories of KEP-853 and the examples of the Kubernetes documentation, replayed.

use super::*;

const MINUTE: f64 = 60.0;

fn rules(stabilization_seconds: f64, policies: &[(Change, f64)]) -> Rules {
    let policy = |(change, period_seconds): &(Change, f64)| Policy {
        change: *change,
        period_seconds: *period_seconds,
    };
    Rules {
        stabilization_seconds,
        select: Select::Max,
        policies: policies.iter().map(policy).collect(),
    }
}

/// Replicas when every `step` seconds these recommendations are made, `start` at first.
fn replay(
    settings: &Settings,
    start: u32,
    step: f64,
    wanted: impl IntoIterator<Item = u32>,
) -> Vec<u32> {
    let (mut state, mut replicas, mut now) = (State::default(), start, 0.0);
    let mut sequence = vec![start];
    for wanted in wanted {
        replicas = state.follow(settings, now, replicas, wanted);
        sequence.push(replicas);
        now += step;
    }
    sequence
}

fn always(wanted: u32, times: usize) -> impl Iterator<Item = u32> {
    std::iter::repeat_n(wanted, times)
}

/// KEP-853, story 1: 900 % a minute.
#[test]
fn as_fast_as_possible() {
    let mut settings = Settings::new(1, 1000, 70);
    settings.scale_up = rules(0.0, &[(Change::Percent(900), 60.0)]);
    let sequence = replay(&settings, 1, MINUTE, always(5000, 4));
    assert_eq!(sequence, [1, 10, 100, 1000, 1000]);
    // Within the minute the period's start counts, not the replicas reached.
    let sequence = replay(&settings, 1, 15.0, always(5000, 6));
    assert_eq!(sequence, [1, 10, 10, 10, 10, 100, 100]);
}

/// KEP-853, story 2: one pod fewer every ten minutes.
#[test]
fn down_very_gradually() {
    let mut settings = Settings::new(1, 1000, 70);
    settings.scale_down = rules(0.0, &[(Change::Pods(1), 600.0)]);
    let sequence = replay(&settings, 1000, MINUTE, always(1, 21));
    let expected: Vec<u32> = [(1, 1000), (10, 999), (10, 998), (1, 997)]
        .into_iter()
        .flat_map(|(times, replicas)| std::iter::repeat_n(replicas, times))
        .collect();
    assert_eq!(sequence, expected);
}

/// KEP-853, story 3: one pod more every five minutes.
#[test]
fn up_very_gradually() {
    let mut settings = Settings::new(1, 100, 70);
    settings.scale_up = rules(0.0, &[(Change::Pods(1), 300.0)]);
    let every_five_minutes = replay(&settings, 1, 300.0, always(50, 3));
    assert_eq!(every_five_minutes, [1, 2, 3, 4]);
    let every_minute = replay(&settings, 1, MINUTE, always(50, 6));
    assert_eq!(every_minute, [1, 2, 2, 2, 2, 2, 3]);
}

/// KEP-853, story 4: up as usual, never down.
#[test]
fn a_disabled_direction_never_changes() {
    let mut settings = Settings::new(1, 100, 70);
    settings.scale_down.select = Select::Disabled;
    let sequence = replay(&settings, 10, 400.0, [1, 1, 30, 1]);
    assert_eq!(sequence, [10, 10, 10, 20, 20]);
}

/// KEP-853, story 5: the largest recommendation of ten minutes, then at most five pods a minute.
#[test]
fn down_after_stabilization() {
    let mut settings = Settings::new(1, 100, 70);
    settings.scale_down = rules(600.0, &[(Change::Pods(5), 60.0)]);
    let wanted = [10, 9, 8, 9, 9, 8, 9, 8, 9, 8, 7];
    let sequence = replay(&settings, 10, MINUTE, wanted);
    assert_eq!(sequence[..11], [10; 11]);
    assert_eq!(sequence[11], 9);
    let falls = replay(&settings, 40, MINUTE, always(10, 17));
    assert_eq!(falls[10..], [40, 35, 30, 25, 20, 15, 10, 10]);
}

/// KEP-853, story 6: the smallest recommendation of five minutes.
#[test]
fn short_spikes_do_not_scale_up() {
    let mut settings = Settings::new(1, 100, 70);
    settings.scale_up = rules(300.0, &[(Change::Pods(20), 60.0)]);
    let sequence = replay(&settings, 2, MINUTE, [2, 3, 19, 10, 3, 4, 7]);
    assert_eq!(sequence[..6], [2; 6]);
    assert_eq!(sequence[6..], [3, 3]);
}

/// <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#scaling-policies>: 4 pods or 10 % a minute, the larger,
/// from 80 pods on: 8, then 7.2 rounded up to 8, and below 40 pods 4 at a time.
#[test]
fn down_by_ten_percent_or_four_pods() {
    let mut settings = Settings::new(1, 100, 70);
    settings.scale_down = rules(0.0, &[(Change::Pods(4), 60.0), (Change::Percent(10), 60.0)]);
    let sequence = replay(&settings, 80, MINUTE, always(10, 14));
    let expected = [80, 72, 64, 57, 51, 45, 40, 36, 32, 28, 24, 20, 16, 12, 10];
    assert_eq!(sequence, expected);
    settings.scale_down.select = Select::Min;
    assert_eq!(replay(&settings, 80, MINUTE, always(10, 2)), [80, 76, 72]);
}

/// The defaults: doubled or 4 more every 15 s, whichever is more; down at once after five minutes.
#[test]
fn the_defaults_are_those_of_kubernetes() {
    let settings = Settings::new(1, 100, 70);
    assert_eq!(
        replay(&settings, 1, 15.0, always(100, 5)),
        [1, 5, 10, 20, 40, 80]
    );
    let down = replay(&settings, 100, MINUTE, always(3, 7));
    assert_eq!(down, [100, 100, 100, 100, 100, 100, 3, 3]);
}

#[test]
fn bounds_hold_at_once_and_zero_stays() {
    let settings = Settings::new(5, 20, 70);
    assert_eq!(replay(&settings, 2, 15.0, [2]), [2, 5]);
    assert_eq!(replay(&settings, 90, 15.0, [90]), [90, 20]);
    assert_eq!(replay(&settings, 0, 15.0, [10]), [0, 0]);
    assert_eq!(replay(&settings, 10, 15.0, [900])[1], 20);
}

/// Steps have no effect on the count when nothing is wanted, whatever came before.
#[test]
fn a_state_forgets() {
    let settings = Settings::new(1, 1000, 70);
    let mut state = State::default();
    for step in 0..10_000_u32 {
        let wanted = 1 + step % 900;
        state.follow(&settings, f64::from(step) * 15.0, 450, wanted);
    }
    assert!(state.recommendations.len() <= 21 && state.changes.len() <= 2);
}

fn reading(ready: u32, percent: u64, unready: u32, missing: u32) -> Reading {
    Reading {
        request_mcores: 1000,
        ready,
        use_mcores: u64::from(ready) * percent * 10,
        unready,
        missing,
    }
}

/// Rows of replicas now, ready pods, their use in percent, unready and missing pods, and what is recommended at a target of 50 %; the
/// cases of `replica_calculator_test.go`, and the documentation's.
#[test]
fn recommendations_follow_use_tolerance_unready_and_missing_pods() {
    let settings = Settings::new(1, 100, 50);
    for (current, ready, percent, unready, missing, expected) in [
        (4, 4, 100, 0, 0, 8),
        (4, 4, 25, 0, 0, 2),
        (4, 4, 55, 0, 0, 4),
        (4, 4, 56, 0, 0, 5),
        (4, 4, 45, 0, 0, 4),
        // Unready pods count as idle when it would grow: 2 busy, 2 idle, so half the use.
        (4, 2, 100, 2, 0, 4),
        (4, 3, 100, 1, 0, 6),
        // They do not count at all when it would shrink.
        (4, 2, 25, 2, 0, 1),
        // Missing pods count as busy when it would shrink, as idle when it would grow.
        (4, 3, 10, 0, 1, 3),
        (4, 2, 10, 0, 2, 4),
        (4, 2, 100, 0, 2, 4),
        (4, 3, 100, 0, 1, 6),
        // No pod is heard of: nothing changes.
        (4, 0, 0, 2, 2, 4),
    ] {
        let reading = reading(ready, percent, unready, missing);
        assert_eq!(
            recommended(&settings, current, &reading),
            expected,
            "{reading:?}"
        );
    }
}

/// Use is counted in whole percent, rounded down: 55.9 % is 55 %, which is within the tolerance of a target of 50 %.
#[test]
fn use_counts_in_whole_percent() {
    let settings = Settings::new(1, 100, 50);
    let reading = Reading {
        use_mcores: 4 * 559,
        ..reading(4, 0, 0, 0)
    };
    assert_eq!(recommended(&settings, 4, &reading), 4);
}
