//! Shifts of a load's level, and single values that stand out.
//!
//! Both are judged by residuals from the same time of the days before, with medians throughout, so that neither a season nor an earlier outlier is taken
//! for one. `docs/decisions/forecast.md` says why these are our own.

use super::{Cause, Outlook, Settings, Warning};
use crate::series::Series;

/// Seconds of a day.
const DAY_SECONDS: f64 = 86_400.0;

/// Days that what is expected is taken from.
const MOST_DAYS: usize = 7;

/// Fewest values of the time before with which anything is judged.
const FEWEST_BEFORE: usize = 24;

/// Fewest values in the recent past for a shift.
const FEWEST_RECENT: usize = 3;

/// The median size of normal residuals is so many of their standard deviations.
const NORMAL: f64 = 0.6745;

/// A residual at its time.
#[derive(Clone, Copy, Debug)]
struct Residual {
    seconds: f64,
    measured: f64,
    expected: f64,
}

impl Residual {
    fn error(&self) -> f64 {
        self.measured - self.expected
    }
}

/// Shifts and outliers of every load.
pub(super) fn warnings(outlook: &Outlook<'_>, settings: &Settings) -> Vec<Warning> {
    let one = |(name, series): (&String, &Series)| {
        let subject = format!("services.{name}");
        anomalies(series, settings)
            .into_iter()
            .map(move |(at_seconds, cause)| Warning {
                constraint: format!("{subject}.load.rps"),
                subject: subject.clone(),
                at_seconds,
                in_seconds: at_seconds - outlook.now_seconds,
                probability: 1.0,
                cause,
            })
    };
    outlook.history.iter().flat_map(one).collect()
}

/// At most one shift, else the outliers, of the recent past.
fn anomalies(series: &Series, settings: &Settings) -> Vec<(f64, Cause)> {
    let residuals = residuals(series, settings);
    let begin = series.end_seconds() - settings.recent_seconds;
    let split = residuals.partition_point(|residual| residual.seconds < begin);
    let (before, recent) = residuals.split_at(split);
    if before.len() < FEWEST_BEFORE {
        return Vec::new();
    }
    let usual = Usual::new(before, recent.len());
    if let Some(shift) = shift(&usual, recent, settings) {
        return vec![shift];
    }
    let outlier = |residual: &&Residual| {
        let distance = (residual.error() - usual.error).abs();
        distance > settings.deviations * usual.deviation
            && distance > settings.least_outlier * residual.expected.abs()
    };
    let cause = |residual: &Residual| Cause::Outlier {
        expected_rps: residual.expected,
        measured_rps: residual.measured,
    };
    (recent.iter().filter(outlier))
        .map(|residual| (residual.seconds, cause(residual)))
        .collect()
}

/// What residuals are like when nothing has changed.
struct Usual {
    /// Their median.
    error: f64,
    /// Robust standard deviation of one.
    deviation: f64,
    /// Robust standard deviation of the median of as many neighbours as the recent past has: of residuals that follow one another it is far more than that of
    /// as many independent ones.
    deviation_of_median: f64,
}

impl Usual {
    fn new(before: &[Residual], length: usize) -> Self {
        let errors: Vec<f64> = before.iter().map(Residual::error).collect();
        let error = median(&errors);
        let medians: Vec<f64> = errors.chunks(length.max(1)).map(median).collect();
        // Rounding errors of a constant load are no deviation.
        let least = 1e-6 * median(&before.iter().map(|r| r.measured.abs()).collect::<Vec<_>>());
        let deviation = |values: &[f64]| {
            let sizes: Vec<f64> = values.iter().map(|value| (value - error).abs()).collect();
            (median(&sizes) / NORMAL).max(least).max(f64::MIN_POSITIVE)
        };
        #[allow(clippy::cast_precision_loss, reason = "a count of values")]
        let independent = deviation(&errors) / (length.max(1) as f64).sqrt();
        Self {
            error,
            deviation: deviation(&errors),
            deviation_of_median: deviation(&medians).max(independent),
        }
    }
}

/// The recent past as a whole is away from what is usual; it began where the cumulative sum of the residuals turns (Page 1954).
fn shift(usual: &Usual, recent: &[Residual], settings: &Settings) -> Option<(f64, Cause)> {
    if recent.len() < FEWEST_RECENT {
        return None;
    }
    let errors: Vec<f64> = recent.iter().map(Residual::error).collect();
    let away = median(&errors) - usual.error;
    let expected = median(&recent.iter().map(|r| r.expected).collect::<Vec<_>>());
    if away.abs() <= settings.deviations * usual.deviation_of_median
        || away.abs() <= settings.least_shift * expected.abs()
    {
        return None;
    }
    // Before the change this sum falls, since the residuals are nearer to what is usual; after it, it rises.
    let mut sum = 0.0;
    let mut least = (0.0, 0);
    for (index, error) in errors.iter().enumerate() {
        sum += away.signum() * (error - usual.error - away / 2.0);
        if sum < least.0 {
            least = (sum, index + 1);
        }
    }
    let since = recent.get(least.1..).filter(|since| !since.is_empty())?;
    let median_of =
        |what: fn(&Residual) -> f64| median(&since.iter().map(what).collect::<Vec<_>>());
    let cause = Cause::Changepoint {
        expected_rps: median_of(|r| r.expected),
        measured_rps: median_of(|r| r.measured),
    };
    Some((since.first()?.seconds, cause))
}

/// Residuals of the last day and the recent past. Where two days are known, a value is expected as at the same time of the days before (their median);
/// else as the median of all before the recent past.
fn residuals(series: &Series, settings: &Settings) -> Vec<Residual> {
    let per_day = (DAY_SECONDS / series.step_seconds).round();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and is compared with lengths"
    )]
    let steps = |whole: f64| whole as usize;
    let (day, length) = (steps(per_day), series.values.len());
    let recent = steps((settings.recent_seconds / series.step_seconds).round());
    let value = |index: usize| series.values.get(index).copied().flatten();
    let days_known = day > 0 && length > 3 * day + recent;
    let first = length.saturating_sub(day.saturating_add(recent));
    let before: Vec<f64> = (0..length.saturating_sub(recent))
        .filter_map(value)
        .collect();
    let level = median(&before);
    let expected = |index: usize| {
        if !days_known {
            return Some(level);
        }
        let earlier = (1..=MOST_DAYS).filter_map(|days| value(index.checked_sub(days * day)?));
        let earlier: Vec<f64> = earlier.collect();
        (!earlier.is_empty()).then(|| median(&earlier))
    };
    let residual = |index: usize| {
        Some(Residual {
            seconds: series.time_seconds(index),
            measured: value(index)?,
            expected: expected(index)?,
        })
    };
    (first..length).filter_map(residual).collect()
}

/// Median of some numbers, the higher middle one of an even count; 0 of none.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}
