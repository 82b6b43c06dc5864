//! The method that did best on the recent past, fitted on all of it.

use super::candidate::{Curve, Model};
use super::correction::Correction;
use super::history::{History, as_f64, count};
use super::residuals::Residuals;
use super::trial::{Errors, Test, Trial};
use super::{Accuracy, Backtest, Forecast, Method, Settings};
use crate::series::Series;

/// Fewest measured values on either side of the first origin; with fewer there is no test.
const FEWEST_TESTED: usize = 8;

/// A forecast is at most so many times the largest value ever seen: nothing in a history says more.
const MOST_GROWTH: f64 = 4.0;

/// Largest multiple of the past's scale that is calculated with; squares of it are finite.
const LARGEST: f64 = 1e150;

/// A model with everything that turns later values into a forecast.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fit {
    method: Method,
    /// The model's values from the end of the past on.
    curve: Vec<f64>,
    level: f64,
    correction: Correction,
    /// `None` where the past was too short to test a method.
    residuals: Option<Residuals>,
    /// Least and largest value of the past.
    seen: (f64, f64),
    /// Values are divided by this power of two, which is exact, so that the largest is near 1: models calculate in single precision.
    scale: f64,
    backtest: Option<Backtest>,
}

impl Fit {
    /// Tests every method, and fits the best one.
    pub(super) fn new(past: &History, reach: usize, settings: &Settings) -> Self {
        let scale = scale(&past.values);
        let values: Vec<Option<f64>> = past.values.iter().map(|v| scaled(*v, scale)).collect();
        let split = values.len() - past.steps(settings.test_seconds).min(values.len() / 2);
        let (training, test) = values.split_at(split);
        let test = Test {
            training,
            test,
            horizon: past.steps(settings.horizon_seconds),
        };
        let trials = if count(test.test).min(count(training)) < FEWEST_TESTED {
            Vec::new()
        } else {
            test.trials(models(training, &past.periods(settings)))
        };
        let chosen = best(&trials)
            .into_iter()
            .find_map(|trial| Some((trial, trial.model.curve(&values, reach)?)));
        let seen = values
            .iter()
            .flatten()
            .fold((f64::INFINITY, 0.0_f64), |(least, most), value| {
                (least.min(*value), most.max(*value))
            });
        let naive = trials.first();
        let fit = |method, curve: Curve, correction: Correction| Self {
            method,
            level: correction.level(&curve.errors),
            curve: curve.values,
            correction,
            residuals: None,
            seen,
            scale,
            backtest: None,
        };
        let Some(((trial, curve), naive)) = chosen.zip(naive) else {
            let curve = Model::Naive.curve(&values, reach).unwrap_or_default();
            return fit(Method::Naive, curve, Correction::FULL);
        };
        let residuals = Residuals::new(&trial.leads);
        let backtest = (residuals.as_ref())
            .map(|residuals| backtest(trial, naive, residuals, past.step_seconds, settings));
        Self {
            residuals,
            backtest,
            ..fit(trial.model.method(), curve, trial.correction)
        }
    }

    /// How many steps after its past the fit can speak of.
    pub(super) fn reach(&self) -> usize {
        self.curve.len()
    }

    /// The forecast of `steps` values from the end of a series, given its values `later` than the past.
    pub(super) fn of_series(
        &self,
        series: &Series,
        later: &[Option<f64>],
        steps: usize,
        settings: &Settings,
    ) -> Forecast {
        let errors = later
            .iter()
            .zip(&self.curve)
            .map(|(value, said)| scaled(*value, self.scale).map(|value| value - said));
        let level = errors.fold(self.level, |level, error| {
            self.correction.after(level, error)
        });
        let largest = later.iter().filter_map(|value| scaled(*value, self.scale));
        let most = MOST_GROWTH * largest.fold(self.seen.1, f64::max);
        let upper = settings.upper_quantile();
        let mut forecast = Forecast {
            method: self.method,
            start_seconds: series.end_seconds(),
            step_seconds: series.step_seconds,
            median: Vec::with_capacity(steps),
            lower: Vec::with_capacity(steps),
            upper: Vec::with_capacity(steps),
            backtest: self.backtest.clone(),
        };
        let ahead = self.curve.iter().skip(later.len()).take(steps);
        for (index, curve) in ahead.enumerate() {
            let lead = index + 1;
            let said = (curve + level * self.correction.left(lead)).clamp(0.0, most);
            let (low, high) = match &self.residuals {
                Some(residuals) => (
                    said + residuals.quantile(lead, said, 1.0 - upper),
                    said + residuals.quantile(lead, said, upper),
                ),
                None => self.seen,
            };
            let load = |value: f64| (value * self.scale).min(f64::MAX);
            forecast.median.push(load(said));
            forecast.lower.push(load(low.clamp(0.0, said)));
            forecast.upper.push(load(high.max(said)));
        }
        forecast
    }
}

/// What can be tried on this training part: with more gaps than values only the naive method can.
fn models(training: &[Option<f64>], periods: &[usize]) -> Vec<Model> {
    if 2 * count(training) < training.len() {
        return vec![Model::Naive];
    }
    Model::all(training.len(), periods)
}

/// Methods from the best on; none that does worse than the naive one, which is the first of the trials.
fn best(trials: &[Trial]) -> Vec<&Trial> {
    let Some(naive) = trials.first() else {
        return Vec::new();
    };
    let mut ranked: Vec<&Trial> = trials
        .iter()
        .filter(|trial| trial.errors.no_worse_than(&naive.errors))
        .collect();
    // Stable: of equals the simplest stays first.
    ranked.sort_by(|a, b| a.errors.absolute().total_cmp(&b.errors.absolute()));
    ranked
}

fn backtest(
    trial: &Trial,
    naive: &Trial,
    residuals: &Residuals,
    step_seconds: f64,
    settings: &Settings,
) -> Backtest {
    let upper = settings.upper_quantile();
    let mut by_lead = Vec::new();
    for (lead, naive) in trial.leads.iter().zip(&naive.leads) {
        let (errors, naive) = (Errors::of(&lead.pairs), Errors::of(&naive.pairs));
        let judged = residuals.judge(lead, 1.0 - upper, upper);
        by_lead.push(Accuracy::new(
            as_f64(lead.steps) * step_seconds,
            &errors,
            &naive,
            &judged,
        ));
    }
    Backtest::new(
        by_lead,
        &trial.errors,
        &naive.errors,
        upper,
        settings.horizon_seconds,
    )
}

/// The largest power of two that is not above the largest value; 1 where all are 0.
fn scale(values: &[Option<f64>]) -> f64 {
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    if most > 0.0 {
        most.log2().floor().exp2()
    } else {
        1.0
    }
}

fn scaled(value: Option<f64>, scale: f64) -> Option<f64> {
    let load = value.filter(|value| value.is_finite() && *value >= 0.0);
    load.map(|value| (value / scale).min(LARGEST))
}
