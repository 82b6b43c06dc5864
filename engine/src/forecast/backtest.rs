//! How a method did on the recent past.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::as_f64;
use super::residuals::Judged;
use super::trial::Errors;

/// How the chosen method did on the recent past: at every step it forecast what was known by then, and later values only corrected its level.
///
/// MAPE is the mean of |error|/value over the values above 0; WAPE is the sum of |error| over the sum of values. Both are shares: 0.1 is 10 %.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Backtest {
    /// Leads up to this one are in the figures below, in seconds.
    pub horizon_seconds: f64,
    /// MAPE; absent where no value was above 0.
    pub mape: Option<f64>,
    /// WAPE; absent likewise.
    pub wape: Option<f64>,
    /// MAPE of the naive method (the last value) on the same values. The method's own is never above it.
    pub naive_mape: Option<f64>,
    /// WAPE of the naive method, likewise.
    pub naive_wape: Option<f64>,
    /// Share of values within the interval, each against the errors of other parts of the test.
    pub coverage: f64,
    /// What the coverage should be: 2 · quantile − 1.
    pub nominal_coverage: f64,
    /// Share of values not above the upper quantile, which should be the quantile.
    pub upper_coverage: f64,
    /// The same by lead, ascending.
    pub by_lead: Vec<Accuracy>,
}

/// How the method did at one lead.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Time from the last known value to the value that was forecast, in seconds.
    pub lead_seconds: f64,
    /// Number of values.
    pub values: usize,
    /// MAPE.
    pub mape: Option<f64>,
    /// WAPE.
    pub wape: Option<f64>,
    /// MAPE of the naive method.
    pub naive_mape: Option<f64>,
    /// WAPE of the naive method.
    pub naive_wape: Option<f64>,
    /// Share of values within the interval.
    pub coverage: f64,
    /// Share of values not above the upper quantile.
    pub upper_coverage: f64,
}

impl Backtest {
    pub(super) fn new(
        by_lead: Vec<Accuracy>,
        errors: &Errors,
        naive: &Errors,
        quantile: f64,
        horizon_seconds: f64,
    ) -> Self {
        let compared = |share: fn(&Accuracy) -> f64| {
            // The shortest lead counts where it is beyond the horizon already.
            let within = |(index, accuracy): &(usize, &Accuracy)| {
                *index == 0 || accuracy.lead_seconds <= horizon_seconds
            };
            let leads = by_lead.iter().enumerate().filter(within);
            let (sum, values) = leads.fold((0.0, 0.0), |(sum, values), (_, accuracy)| {
                let weight = as_f64(accuracy.values);
                (sum + share(accuracy) * weight, values + weight)
            });
            sum / values.max(1.0)
        };
        Self {
            horizon_seconds,
            mape: errors.mape(),
            wape: errors.wape(),
            naive_mape: naive.mape(),
            naive_wape: naive.wape(),
            coverage: compared(|accuracy| accuracy.coverage),
            nominal_coverage: 2.0 * quantile - 1.0,
            upper_coverage: compared(|accuracy| accuracy.upper_coverage),
            by_lead,
        }
    }
}

impl Accuracy {
    pub(super) fn new(lead_seconds: f64, errors: &Errors, naive: &Errors, judged: &Judged) -> Self {
        let share = |count: usize| as_f64(count) / as_f64(judged.values.max(1));
        Self {
            lead_seconds,
            values: judged.values,
            mape: errors.mape(),
            wape: errors.wape(),
            naive_mape: naive.mape(),
            naive_wape: naive.wape(),
            coverage: share(judged.within),
            upper_coverage: share(judged.not_above),
        }
    }
}
