//! A series as models want it: clean, bounded in length, and cut where models are fitted.

use crate::series::Series;

use super::Settings;

/// Most values that a model is fitted on: 28 days of five minutes. Finer series keep fewer days.
const MOST_VALUES: usize = 8064;

/// Below this many refits of history, models are fitted on all of it: it is short, and every value counts.
const SHORT_REFITS: f64 = 8.0;

/// Measured values at even steps, the first one present; a value that is no load (negative or not finite) counts as absent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct History {
    pub(super) values: Vec<Option<f64>>,
    pub(super) step_seconds: f64,
}

/// A series in two: what models are fitted on, and what came later.
pub(super) struct Split {
    pub(super) past: History,
    pub(super) later: Vec<Option<f64>>,
}

impl History {
    /// The fitted part ends at the last whole multiple of `refit_seconds` and begins at such a multiple as well, so that a window which slides along
    /// with the clock has the same fitted part until the next multiple. `None` where there is nothing to fit.
    pub(super) fn split(series: &Series, settings: &Settings) -> Option<Split> {
        if !(series.step_seconds > 0.0 && series.step_seconds.is_finite()) {
            return None;
        }
        let values: Vec<Option<f64>> = series.values.iter().copied().map(load).collect();
        let all = count(&values);
        let (from, to) = fitted_range(series, settings);
        // A part with little in it would fit little: then all of the series is the past.
        let (from, to) = if 2 * count(&values[from..to]) < all {
            (0, values.len())
        } else {
            (from, to)
        };
        let from = from.max(to.saturating_sub(most_values(series.step_seconds, settings)));
        let first = from + values[from..to].iter().position(Option::is_some)?;
        Some(Split {
            past: Self {
                values: values[first..to].to_vec(),
                step_seconds: series.step_seconds,
            },
            later: values[to..].to_vec(),
        })
    }

    /// Lengths of the seasons in steps, those that are whole numbers of steps.
    pub(super) fn periods(&self, settings: &Settings) -> Vec<usize> {
        let in_steps = |season: &f64| {
            let steps = season / self.step_seconds;
            let whole = steps.round();
            // Half a percent: steps of seven minutes have a day of 205.7, which 206 serves.
            let fits = whole >= 2.0 && (steps - whole).abs() <= 0.005 * whole;
            fits.then(|| to_index(whole))
        };
        settings
            .seasons_seconds
            .iter()
            .filter_map(in_steps)
            .collect()
    }

    /// Whole steps in a time, at least one.
    pub(super) fn steps(&self, seconds: f64) -> usize {
        to_index((seconds / self.step_seconds).round()).max(1)
    }
}

/// Values without gaps: from a season before where that is known, else on a straight line between neighbours. The first value must be there.
pub(super) fn filled(values: &[Option<f64>], period: Option<usize>) -> Vec<f64> {
    let mut full: Vec<f64> = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let season_before = period
            .and_then(|period| index.checked_sub(period))
            .and_then(|before| full.get(before).copied());
        let estimate = value
            .or(season_before)
            .or_else(|| on_a_line(values, &full, index))
            .unwrap_or(0.0);
        full.push(estimate);
    }
    full
}

/// Between the value before, which is filled already, and the next measured one.
fn on_a_line(values: &[Option<f64>], full: &[f64], index: usize) -> Option<f64> {
    let before = *full.last()?;
    let next = values
        .iter()
        .enumerate()
        .skip(index)
        .find_map(|(at, value)| Some((at, (*value)?)));
    let Some((at, after)) = next else {
        return Some(before);
    };
    Some(before + (after - before) / as_f64(at + 1 - index))
}

/// Measured values among some.
pub(super) fn count(values: &[Option<f64>]) -> usize {
    values.iter().flatten().count()
}

/// A count as a real number.
#[allow(
    clippy::cast_precision_loss,
    reason = "counts of steps are far below 2⁵³"
)]
pub(super) fn as_f64(count: usize) -> f64 {
    count as f64
}

/// A whole real number as a count; 0 for what is none.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates at 0 and at the largest count, which callers cut to lengths"
)]
pub(super) fn to_index(whole: f64) -> usize {
    whole as usize
}

/// What may be a load.
fn load(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite() && *value >= 0.0)
}

fn most_values(step_seconds: f64, settings: &Settings) -> usize {
    to_index((settings.most_history_seconds / step_seconds).round()).clamp(1, MOST_VALUES)
}

/// Where the fitted part begins and ends.
fn fitted_range(series: &Series, settings: &Settings) -> (usize, usize) {
    let (refit, step) = (settings.refit_seconds, series.step_seconds);
    let span = series.end_seconds() - series.start_seconds;
    let whole = 0..series.values.len();
    // Written so that what is not a number takes the whole series as well.
    if !(refit > 0.0 && span >= SHORT_REFITS * refit && series.start_seconds.is_finite()) {
        return (whole.start, whole.end);
    }
    // A value belongs to the multiple that it ends by; times may be a rounding error off.
    let steps_to = |seconds: f64| (seconds - series.start_seconds) / step;
    let begin = (series.start_seconds / refit).ceil() * refit;
    let end = (series.end_seconds() / refit).floor() * refit;
    let from = to_index((steps_to(begin) - 1e-6).ceil());
    let to = to_index((steps_to(end) + 1e-6).floor()).min(whole.end);
    (from.min(to), to)
}
