//! Properties of forecasts on series of every kind.

use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

const DAY: usize = 288;

fn series(values: Vec<Option<f64>>) -> Series {
    Series {
        start_seconds: 1_700_000_100.0,
        step_seconds: 300.0,
        values,
    }
}

fn measured(values: impl IntoIterator<Item = f64>) -> Series {
    series(values.into_iter().map(Some).collect())
}

/// Two humps a day around 100.
fn daily(step: usize) -> f64 {
    let angle = step as f64 / DAY as f64 * std::f64::consts::TAU;
    100.0 + 40.0 * angle.sin() + 15.0 * (2.0 * angle).cos()
}

/// Normal noise by Box and Muller.
fn noise(random: &mut ChaCha8Rng) -> f64 {
    let (a, b): (f64, f64) = (random.random(), random.random());
    (-2.0 * (1.0 - a).ln()).sqrt() * (b * std::f64::consts::TAU).cos()
}

/// A load of every kind: level, noise, spikes, gaps, zeros, resets, and values that are none.
fn any_series() -> impl Strategy<Value = Series> {
    let value = prop_oneof![
        12 => (0.0..1000.0_f64).prop_map(Some),
        2 => Just(None),
        1 => Just(Some(0.0)),
        1 => Just(Some(1e300)),
        1 => Just(Some(-5.0)),
        1 => Just(Some(f64::NAN)),
        1 => Just(Some(f64::INFINITY)),
        1 => Just(Some(5e-324)),
    ];
    let wild = prop::collection::vec(value, 0..700);
    let kind = (0_u8..6, 0_usize..900, any::<u64>()).prop_map(|(kind, length, seed)| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut total = 0.0;
        (0..length)
            .map(|step| match kind {
                0 => Some(7.0),
                1 => Some(0.0),
                2 => Some((daily(step) + 5.0 * noise(&mut random)).max(0.0)),
                3 => (random.random::<f64>() < 0.5).then(|| daily(step)),
                4 => Some(if random.random::<f64>() < 0.01 {
                    1e6
                } else {
                    1.0
                }),
                // A counter that is reset.
                _ => {
                    total = if random.random::<f64>() < 0.02 {
                        0.0
                    } else {
                        total + 3.0
                    };
                    Some(total)
                }
            })
            .collect()
    });
    (prop_oneof![wild, kind], 0.0..7200.0_f64).prop_map(|(values, offset)| Series {
        start_seconds: 1_700_000_000.0 + offset.floor(),
        ..series(values)
    })
}

fn sound(forecast: &Forecast) -> bool {
    let rows = forecast
        .lower
        .iter()
        .zip(&forecast.median)
        .zip(&forecast.upper);
    let ordered = rows.into_iter().all(|((lower, median), upper)| {
        0.0 <= *lower && lower <= median && median <= upper && upper.is_finite()
    });
    ordered
        && forecast.lower.len() == forecast.upper.len()
        && forecast.median.len() == forecast.upper.len()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_forecast_is_finite_ordered_and_not_negative(series in any_series(), steps in 0_usize..40) {
        let forecast = forecast(&series, steps, &Settings::default());
        prop_assert!(sound(&forecast), "{forecast:?}");
        let known = series.measured().any(|(_, value)| value.is_finite() && value >= 0.0);
        prop_assert_eq!(forecast.upper.len(), if known { steps } else { 0 });
        prop_assert_eq!(forecast.start_seconds, series.end_seconds());
    }

    #[test]
    fn a_higher_quantile_is_no_lower(series in any_series(), low in 0.5..1.0_f64, high in 0.5..1.0_f64) {
        let of = |quantile| forecast(&series, 12, &Settings { quantile, ..Settings::default() });
        let (narrow, wide) = (of(low.min(high)), of(low.max(high)));
        prop_assert_eq!(&narrow.median, &wide.median);
        // Quantiles are interpolated between errors, which may be as large as the values and cancel out: rounding is relative to those.
        let largest = series.measured().fold(0.0, |most: f64, (_, value)| most.max(value));
        let rounding = 1e-12 * largest;
        for step in 0..narrow.median.len() {
            prop_assert!(narrow.upper[step] <= wide.upper[step] + rounding);
            prop_assert!(narrow.lower[step] >= wide.lower[step] - rounding);
        }
    }

    /// By powers of two every step of the calculation is the same, exponents apart.
    #[test]
    fn a_load_in_other_units_has_the_same_forecast(series in any_series(), power in -40_i32..40) {
        let factor = f64::from(power).exp2();
        let mild = |value: &f64| *value == 0.0 || (1e-9..1e9).contains(value);
        let values: Vec<_> = series.values.iter().map(|v| v.filter(|v| mild(v))).collect();
        let one = Series { values, ..series };
        let other = Series { values: one.values.iter().map(|v| v.map(|v| v * factor)).collect(), ..one };
        let (one, other) = (forecast(&one, 6, &Settings::default()), forecast(&other, 6, &Settings::default()));
        prop_assert_eq!(one.method, other.method);
        for (one, other) in one.upper.iter().zip(&other.upper) {
            prop_assert!((one * factor - other).abs() <= 1e-9 * one * factor, "{} {}", one * factor, other);
        }
    }

    #[test]
    fn a_remembered_fit_gives_the_same_bits(series in any_series(), calls in 1_usize..9, steps in 1_usize..20) {
        let mut forecaster = Forecaster::new();
        let settings = Settings::default();
        let length = series.values.len();
        for call in (0..calls).rev() {
            let until = length.saturating_sub(call * 5);
            let seen = Series { values: series.values[..until].to_vec(), ..series };
            let remembered = forecaster.forecast("one", &seen, steps + call, &settings);
            prop_assert_eq!(remembered, forecast(&seen, steps + call, &settings));
        }
    }
}

#[test]
fn a_season_is_forecast() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let history = measured((0..6 * DAY).map(|step| daily(step) + noise(&mut random)));
    let forecast = forecast(&history, DAY / 2, &Settings::default());
    assert_eq!(forecast.method, Method::Mstl);
    for (ahead, median) in forecast.median.iter().enumerate() {
        let truth = daily(6 * DAY + ahead);
        assert!(
            (median - truth).abs() < 4.0,
            "{ahead}: {median} for {truth}"
        );
    }
    let backtest = forecast.backtest.unwrap();
    assert!(backtest.mape < Some(0.02), "{backtest:?}");
    assert!(backtest.mape < backtest.naive_mape);
}

#[test]
fn a_week_is_forecast_where_there_are_enough_of_them() {
    let quiet = |step: usize| if (step / DAY) % 7 < 5 { 1.0 } else { 0.3 };
    let load = |step: usize| quiet(step) * daily(step);
    let mut random = ChaCha8Rng::seed_from_u64(2);
    // The next day begins a weekend.
    let history = measured((0..19 * DAY).map(|step| load(step) + noise(&mut random)));
    let forecast = forecast(&history, 24, &Settings::default());
    let worst = (0..24).map(|ahead| (forecast.median[ahead] - load(19 * DAY + ahead)).abs());
    let worst = worst.fold(0.0, f64::max);
    assert!(worst < 25.0, "{worst} by {}", forecast.method);
}

#[test]
fn a_random_walk_is_left_to_naive_or_hardly_beaten() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut level = 1000.0;
    let walk = measured((0..5 * DAY).map(|_| {
        level += noise(&mut random);
        level
    }));
    let backtest = forecast(&walk, 12, &Settings::default()).backtest.unwrap();
    assert!(backtest.mape <= backtest.naive_mape);
    assert!(backtest.wape <= backtest.naive_wape);
    assert!(backtest.wape > backtest.naive_wape.map(|wape| 0.8 * wape));
}

/// On noise whose law does not change, the share of later values within the interval is near its nominal one.
#[test]
fn intervals_cover_what_they_say() {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let settings = Settings::default();
    let mut forecaster = Forecaster::new();
    let values: Vec<f64> = (0..8 * DAY)
        .map(|step| (daily(step) * (1.0 + 0.05 * noise(&mut random))).max(0.0))
        .collect();
    let (mut within, mut not_above, mut all) = (0.0, 0.0, 0.0);
    for now in (5 * DAY..8 * DAY - 12).step_by(7) {
        let seen = measured(values[..now].iter().copied());
        let forecast = forecaster.forecast("one", &seen, 12, &settings);
        for (ahead, value) in values[now..now + 12].iter().enumerate() {
            within += f64::from(u8::from(
                forecast.lower[ahead] <= *value && *value <= forecast.upper[ahead],
            ));
            not_above += f64::from(u8::from(*value <= forecast.upper[ahead]));
            all += 1.0;
        }
        let backtest = forecast.backtest.unwrap();
        assert!(
            (backtest.coverage - 0.8).abs() < 0.1,
            "{}",
            backtest.coverage
        );
    }
    assert!((within / all - 0.8_f64).abs() < 0.05, "{}", within / all);
    assert!(
        (not_above / all - 0.9_f64).abs() < 0.04,
        "{}",
        not_above / all
    );
}

/// A window of fixed length that slides along with the clock is fitted once in a refit, not once in a cycle.
#[test]
fn a_sliding_window_is_fitted_once_an_hour() {
    let mut forecaster = Forecaster::new();
    for cycle in 0..36 {
        let window = Series {
            start_seconds: 1_700_000_100.0 + 300.0 * cycle as f64,
            step_seconds: 300.0,
            values: (0..3 * DAY).map(|step| Some(daily(step + cycle))).collect(),
        };
        forecaster.forecast("one", &window, 12, &Settings::default());
    }
    assert_eq!(forecaster.fits(), 4, "three hours touch four refits");
    forecaster.retain(|name| name != "one");
    let again = measured((0..3 * DAY).map(daily));
    forecaster.forecast("one", &again, 12, &Settings::default());
    assert_eq!(forecaster.fits(), 5);
}

#[test]
fn a_level_shift_is_followed_between_fits() {
    // Nine values after the last whole hour.
    let length = 3 * DAY;
    let history = measured((0..length).map(|step| if step + 9 < length { 100.0 } else { 300.0 }));
    let history = Series {
        start_seconds: 1_699_999_200.0 + 9.0 * 300.0,
        ..history
    };
    let forecast = forecast(&history, 6, &Settings::default());
    assert!(forecast.median[0] > 200.0, "{:?}", forecast.median);
}

#[test]
fn nothing_measured_is_not_zero() {
    let empty = forecast(&series(vec![None; 500]), 12, &Settings::default());
    assert!(empty.upper.is_empty());
    assert_eq!(demand(&empty, 0.0, 60.0, 3600.0), None);
    let no_step = Series {
        step_seconds: 0.0,
        ..measured([1.0, 2.0])
    };
    assert!(
        forecast(&no_step, 12, &Settings::default())
            .upper
            .is_empty()
    );
}

#[test]
fn a_short_history_has_the_range_seen() {
    let forecast = forecast(&measured([3.0, 9.0, 5.0]), 2, &Settings::default());
    assert_eq!(forecast.method, Method::Naive);
    assert_eq!(
        (forecast.lower[1], forecast.median[1], forecast.upper[1]),
        (3.0, 5.0, 9.0)
    );
    assert_eq!(forecast.backtest, None);
}

#[test]
fn demand_is_the_largest_quantile_of_its_window() {
    let forecast = Forecast {
        method: Method::Naive,
        start_seconds: 1000.0,
        step_seconds: 100.0,
        median: vec![0.0; 5],
        lower: vec![0.0; 5],
        upper: vec![9.0, 1.0, 5.0, 4.0, 8.0],
        backtest: None,
    };
    let of = |now, lead, horizon| {
        let demand = demand(&forecast, now, lead, horizon).unwrap();
        (demand.up, demand.down)
    };
    assert_eq!(of(1000.0, 150.0, 350.0), (5.0, 9.0));
    assert_eq!(of(1000.0, 400.0, 400.0), (8.0, 9.0));
    assert_eq!(of(1100.0, 0.0, 250.0), (5.0, 5.0));
    // Beyond the end of the forecast.
    assert_eq!(of(9000.0, 60.0, 3600.0), (8.0, 8.0));
}

#[test]
fn mistakes_in_settings_are_told_all_at_once() {
    let wrong = Settings {
        quantile: 1.0,
        refit_seconds: f64::NAN,
        seasons_seconds: vec![604_800.0, 86_400.0, -1.0],
        ..Settings::default()
    };
    assert_eq!(wrong.mistakes().len(), 4, "{:?}", wrong.mistakes());
    assert!(Settings::default().mistakes().is_empty());
    let history = measured((0..1000).map(daily));
    assert!(sound(&forecast(&history, 12, &wrong)));
}
