//! The methods: each turns the past into a curve over the steps to come.

use augurs::ets::AutoETS;
use augurs::mstl::{FittedTrendModel, MSTLModel, TrendModel};
use augurs::{Fit as _, Predict as _};

use super::Method;
use super::history::filled;

/// Values that the trend of a model is fitted on: the trend of last week says little about the next hour, and its cost grows with them.
const TREND_VALUES: usize = 288;

/// Fewest values that an exponential smoothing model is fitted on.
const FEWEST_FOR_ETS: usize = 12;

/// A method with its seasons.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Model {
    /// The last value.
    Naive,
    /// The value a period before.
    SeasonalNaive(usize),
    /// Exponential smoothing with a damped trend.
    Ets,
    /// Seasons of these periods, shortest first, around such a trend.
    Mstl(Vec<usize>),
}

/// What a method says of the steps after its past.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Curve {
    /// Values step by step, before the level is corrected.
    pub(super) values: Vec<f64>,
    /// By how much the last values of the past were above what the same method said; the level is corrected by them to begin with.
    pub(super) errors: Vec<f64>,
}

impl Model {
    /// Everything that a past of this length lets one try, the simplest first.
    pub(super) fn all(length: usize, periods: &[usize]) -> Vec<Self> {
        let seen_once = |period: &&usize| **period < length;
        let seen_twice: Vec<usize> = (periods.iter().copied())
            .filter(|period| 2 * period <= length)
            .collect();
        let mut models = vec![Self::Naive];
        models
            .extend((periods.iter().filter(seen_once)).map(|period| Self::SeasonalNaive(*period)));
        if length >= FEWEST_FOR_ETS {
            models.push(Self::Ets);
        }
        models.extend(
            (1..=seen_twice.len()).map(|seasons| Self::Mstl(seen_twice[..seasons].to_vec())),
        );
        models
    }

    /// The name it is reported under.
    pub(super) fn method(&self) -> Method {
        match self {
            Self::Naive => Method::Naive,
            Self::SeasonalNaive(_) => Method::SeasonalNaive,
            Self::Ets => Method::Ets,
            Self::Mstl(_) => Method::Mstl,
        }
    }

    /// The curve over the next `reach` steps; the first `k` values are the same for every reach above `k`. `None` where the method fails on this past.
    pub(super) fn curve(&self, past: &[Option<f64>], reach: usize) -> Option<Curve> {
        match self {
            Self::Naive => Some(Curve {
                values: vec![0.0; reach],
                errors: past
                    .iter()
                    .rev()
                    .find_map(|value| *value)
                    .into_iter()
                    .collect(),
            }),
            Self::SeasonalNaive(period) => seasonal_naive(past, *period, reach),
            Self::Ets => exponential_smoothing(&filled(tail(past), None), reach),
            Self::Mstl(periods) => decomposition(past, periods, reach),
        }
        .filter(|curve| {
            curve
                .values
                .iter()
                .chain(&curve.errors)
                .all(|value| value.is_finite())
        })
    }
}

fn seasonal_naive(past: &[Option<f64>], period: usize, reach: usize) -> Option<Curve> {
    let full = filled(past, Some(period));
    let last_season = full.get(full.len().checked_sub(period)?..)?;
    let values = last_season.iter().copied().cycle().take(reach).collect();
    let paired = past.iter().zip(past.iter().skip(period));
    let errors = paired.filter_map(|(before, now)| Some((*now)? - (*before)?));
    let errors: Vec<f64> = errors.collect();
    let recent = errors.len().saturating_sub(period);
    Some(Curve {
        values,
        errors: errors[recent..].to_vec(),
    })
}

/// The end of the past, from its first measured value.
fn tail(past: &[Option<f64>]) -> &[Option<f64>] {
    let tail = &past[past.len().saturating_sub(TREND_VALUES)..];
    let first = tail.iter().position(Option::is_some).unwrap_or(tail.len());
    &tail[first..]
}

/// Additive errors and a damped trend: an undamped one runs away, and a trend that is damped to nothing is no trend.
fn smoother() -> Option<AutoETS> {
    AutoETS::new(1, "AAN").ok()?.damped(true).ok()
}

fn exponential_smoothing(full: &[f64], reach: usize) -> Option<Curve> {
    let model = smoother()?.fit(full).ok()?;
    let forecast = model.predict(reach, None).ok()?;
    Some(Curve {
        values: forecast.point,
        errors: Vec::new(),
    })
}

fn decomposition(past: &[Option<f64>], periods: &[usize], reach: usize) -> Option<Curve> {
    let full = filled(past, periods.first().copied());
    let model = MSTLModel::new(periods.to_vec(), RecentTrend(smoother()?));
    let forecast = model.fit(&full).ok()?.predict(reach, None).ok()?;
    Some(Curve {
        values: forecast.point,
        errors: Vec::new(),
    })
}

/// Exponential smoothing of the end of the series.
#[derive(Debug)]
struct RecentTrend(AutoETS);

impl TrendModel for RecentTrend {
    fn name(&self) -> std::borrow::Cow<'_, str> {
        "exponential smoothing of the recent past".into()
    }

    fn fit(
        &self,
        y: &[f64],
    ) -> Result<Box<dyn FittedTrendModel + Sync + Send>, Box<dyn std::error::Error + Send + Sync>>
    {
        let recent = &y[y.len().saturating_sub(TREND_VALUES)..];
        TrendModel::fit(&self.0.clone().into_trend_model(), recent)
    }
}
