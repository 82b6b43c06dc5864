//! Forecasts of a series: what comes next, and how sure that is.
//!
//! 1. [`history`] cleans the series and cuts it at the last whole multiple of `refit_seconds`: what is before is fitted, what is after corrects the level.
//! 2. [`candidate`] has the methods: the last value, the value a season ago, exponential smoothing, and seasons around it (augurs).
//! 3. [`trial`] lets each of them forecast the recent past from every step of it, and finds how fast its level should follow ([`correction`]).
//! 4. [`fit`] takes the one with the least absolute error, unless the last value did better by MAPE or WAPE, and fits it on all of the past.
//! 5. [`residuals`] turns what it missed by at each lead into quantiles.
//!
//! Everything is a function of the series and the settings: the same input gives the same bits, whether a [`Forecaster`] remembers the fit or not.
//!
//! ```
//! use ketscale_engine::forecast::{Settings, demand, forecast};
//! use ketscale_engine::series::Series;
//!
//! let day = |step: usize| 100.0 + 50.0 * (step as f64 * std::f64::consts::TAU / 288.0).sin();
//! let series = Series {
//!     start_seconds: 0.0,
//!     step_seconds: 300.0,
//!     values: (0..4 * 288).map(|step| Some(day(step))).collect(),
//! };
//! let forecast = forecast(&series, 12, &Settings::default());
//! assert!((forecast.median[11] - day(4 * 288 + 11)).abs() < 2.0);
//! let demand = demand(&forecast, series.end_seconds(), 180.0, 3600.0).expect("there are values");
//! assert!(demand.up >= day(4 * 288 + 11) - 2.0);
//! ```

mod backtest;
mod candidate;
mod correction;
mod demand;
mod fit;
mod forecaster;
mod history;
mod residuals;
mod settings;
#[cfg(test)]
mod tests;
mod trial;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::backtest::{Accuracy, Backtest};
pub use self::demand::{Demand, demand};
pub use self::forecaster::Forecaster;
pub use self::settings::Settings;
use crate::series::Series;
use fit::Fit;
use history::{History, as_f64};

/// How a forecast was made.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The last value.
    Naive,
    /// The value a season before.
    SeasonalNaive,
    /// Exponential smoothing with a damped trend.
    Ets,
    /// Seasons found by multiple seasonal-trend decomposition, around exponential smoothing.
    Mstl,
}

impl Method {
    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Naive => "naive",
            Self::SeasonalNaive => "seasonal_naive",
            Self::Ets => "ets",
            Self::Mstl => "mstl",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Values to come, at `start_seconds + i · step_seconds`; finite, never negative, and `lower ≤ median ≤ upper`.
///
/// The three lists are equally long; they are empty where the series has no value at all, for then nothing is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forecast {
    /// How it was made.
    pub method: Method,
    /// Time of the first value, seconds since the Unix epoch.
    pub start_seconds: f64,
    /// Seconds from one value to the next.
    pub step_seconds: f64,
    /// The forecast itself.
    pub median: Vec<f64>,
    /// The quantile 1 − `quantile` of the settings.
    pub lower: Vec<f64>,
    /// The quantile that demand is sized by.
    pub upper: Vec<f64>,
    /// How the method did on the recent past; absent where the history is too short to tell. Then the interval is the range of values seen.
    pub backtest: Option<Backtest>,
}

impl Forecast {
    /// Time of a value.
    pub fn time_seconds(&self, index: usize) -> f64 {
        self.start_seconds + self.step_seconds * as_f64(index)
    }

    /// Of a series without values.
    fn unknown(series: &Series) -> Self {
        Self {
            method: Method::Naive,
            start_seconds: series.end_seconds(),
            step_seconds: series.step_seconds,
            median: Vec::new(),
            lower: Vec::new(),
            upper: Vec::new(),
            backtest: None,
        }
    }
}

/// Forecast of `steps` values from the end of the series. Values that are negative or not finite count as absent. Never fails: without a single value the
/// forecast is empty.
pub fn forecast(series: &Series, steps: usize, settings: &Settings) -> Forecast {
    let Some(split) = History::split(series, settings) else {
        return Forecast::unknown(series);
    };
    let reach = steps + split.later.len();
    Fit::new(&split.past, reach, settings).of_series(series, &split.later, steps, settings)
}
