//! What control settings may say beyond their schema.

use super::{SCHEMA, Settings};
use crate::control::rules::Rules;
use crate::problem::{At, Mistakes, shown, value};

/// Every mistake in the meaning of settings.
pub(super) fn mistakes(settings: &Settings) -> Mistakes {
    let mut mistakes = Mistakes::default();
    let top = At::Top;
    if settings.schema != SCHEMA {
        let message = format!("\"{}\" is not {SCHEMA}", shown(&settings.schema));
        mistakes.add(&top.key("schema"), message);
    }
    seconds(&mut mistakes, settings);
    ratios(&mut mistakes, settings);
    counts(&mut mistakes, settings);
    for (key, rules) in [
        ("scale_up", &settings.scale_up),
        ("scale_down", &settings.scale_down),
    ] {
        policies(&mut mistakes, &top.key(key), rules);
    }
    for (index, hours) in settings.quiet_hours.iter().enumerate() {
        let list = top.key("quiet_hours");
        if let Err(message) = hours.minutes() {
            mistakes.add(&list.item(index), message);
        }
    }
    for mistake in settings.forecast.mistakes() {
        let (key, message) = mistake.split_once(": ").unwrap_or(("", &mistake));
        mistakes.add(&top.key("forecast").key(key), message);
    }
    settings.spend.check(&mut mistakes, &top.key("spend"));
    mistakes
}

fn seconds(mistakes: &mut Mistakes, settings: &Settings) {
    let top = At::Top;
    let positive = [
        (
            "demand",
            "history_step_seconds",
            settings.demand.history_step_seconds,
        ),
        ("demand", "history_seconds", settings.demand.history_seconds),
        ("intake", "stale_seconds", settings.intake.stale_seconds),
        ("fallback", "after_seconds", settings.fallback.after_seconds),
        (
            "fallback",
            "window_seconds",
            settings.fallback.window_seconds,
        ),
        (
            "capacity",
            "backoff_seconds",
            settings.capacity.backoff_seconds,
        ),
        (
            "capacity",
            "most_backoff_seconds",
            settings.capacity.most_backoff_seconds,
        ),
    ];
    for (section, key, seconds) in positive {
        value::positive(mistakes, &top.key(section).key(key), seconds);
    }
    value::positive(
        mistakes,
        &top.key("replan_seconds"),
        settings.replan_seconds,
    );
    let not_negative = [
        ("demand", "horizon_seconds", settings.demand.horizon_seconds),
        ("intake", "skew_seconds", settings.intake.skew_seconds),
        ("intake", "gap_seconds", settings.intake.gap_seconds),
        ("judge", "cooldown_seconds", settings.judge.cooldown_seconds),
        (
            "scale_up",
            "stabilization_seconds",
            settings.up_window_seconds(),
        ),
        (
            "scale_down",
            "stabilization_seconds",
            settings.down_window_seconds(),
        ),
    ];
    for (section, key, seconds) in not_negative {
        value::not_negative(mistakes, &top.key(section).key(key), seconds);
    }
    let (step, whole) = (
        settings.demand.history_step_seconds,
        settings.demand.history_seconds,
    );
    if step > 0.0 && whole / step > MOST_VALUES {
        let message = format!(
            "{whole} s at {step} s are more than {MOST_VALUES} values a service, the most that are kept"
        );
        mistakes.add(&top.key("demand").key("history_seconds"), message);
    }
}

/// Most values of one service's history.
const MOST_VALUES: f64 = 100_000.0;

fn ratios(mistakes: &mut Mistakes, settings: &Settings) {
    let top = At::Top;
    value::share(
        mistakes,
        &top.key("demand").key("tolerance"),
        settings.demand.tolerance,
    );
    value::share(
        mistakes,
        &top.key("judge").key("min_saving"),
        settings.judge.min_saving,
    );
    value::positive(mistakes, &top.key("judge").key("k"), settings.judge.k);
    let factor = settings.intake.jump_factor;
    value::positive(mistakes, &top.key("intake").key("jump_factor"), factor);
    if factor > 0.0 && factor <= 1.0 {
        let message = format!("{factor} is not above 1: every reading would be a jump");
        mistakes.add(&top.key("intake").key("jump_factor"), message);
    }
}

fn counts(mistakes: &mut Mistakes, settings: &Settings) {
    let top = At::Top;
    let counts = [
        (
            "demand",
            "confirm_readings",
            settings.demand.confirm_readings,
        ),
        ("intake", "jump_readings", settings.intake.jump_readings),
        ("intake", "zero_readings", settings.intake.zero_readings),
    ];
    for (section, key, count) in counts {
        value::at_least_one(mistakes, &top.key(section).key(key), count);
        value::at_most(mistakes, &top.key(section).key(key), count, 100);
    }
    let fallback = top.key("fallback");
    let replicas = fallback.key("replicas");
    for (service, count) in &settings.fallback.replicas {
        value::at_most(mistakes, &replicas.key(service), *count, 10_000);
    }
}

fn policies(mistakes: &mut Mistakes, at: &At<'_>, rules: &Rules) {
    let list = at.key("policies");
    if rules.policies.len() > 16 {
        mistakes.add(
            &list,
            format!("{} policies, at most 16", rules.policies.len()),
        );
    }
    for (index, policy) in rules.policies.iter().enumerate() {
        let at = list.item(index);
        value::positive(mistakes, &at.key("period_seconds"), policy.period_seconds);
        if policy.pods.is_some() == policy.percent.is_some() {
            mistakes.add(&at, "needs either pods or percent");
        }
        for (key, amount) in [("pods", policy.pods), ("percent", policy.percent)] {
            if let Some(amount) = amount {
                value::at_least_one(mistakes, &at.key(key), amount);
            }
        }
    }
}
