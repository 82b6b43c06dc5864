//! What a user may choose of forecasts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of forecasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Quantile that demand is sized by, in [0.5, 1); the interval runs from 1 − quantile to quantile. Default 0.9.
    pub quantile: f64,
    /// Lengths of seasons in seconds, shortest first. Default a day and a week.
    pub seasons_seconds: Vec<f64>,
    /// Models are fitted on values up to the last whole multiple of this many seconds; later values correct their level. Default 3600.
    pub refit_seconds: f64,
    /// Older values are not looked at, in seconds. Default 21 days: enough to test a weekly season.
    pub most_history_seconds: f64,
    /// The recent past that methods are tested on, in seconds; at most half of the history is used. Default a day.
    pub test_seconds: f64,
    /// Methods are compared at leads up to this many seconds. Default 3600: node start-up, readiness and the next scale-down.
    pub horizon_seconds: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            quantile: 0.9,
            seasons_seconds: vec![86_400.0, 604_800.0],
            refit_seconds: 3600.0,
            most_history_seconds: 21.0 * 86_400.0,
            test_seconds: 86_400.0,
            horizon_seconds: 3600.0,
        }
    }
}

impl Settings {
    /// All mistakes, each as `key: value is …`; empty where there are none.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        if !(0.5..1.0).contains(&self.quantile) {
            mistakes.push(format!("quantile: {} is not in [0.5, 1)", self.quantile));
        }
        let lengths = [
            ("refit_seconds", self.refit_seconds),
            ("most_history_seconds", self.most_history_seconds),
            ("test_seconds", self.test_seconds),
            ("horizon_seconds", self.horizon_seconds),
        ];
        let seasons = self
            .seasons_seconds
            .iter()
            .map(|season| ("seasons_seconds", *season));
        for (key, seconds) in lengths.into_iter().chain(seasons) {
            if !(seconds > 0.0 && seconds.is_finite()) {
                mistakes.push(format!(
                    "{key}: {seconds} is not a number of seconds above 0"
                ));
            }
        }
        if self
            .seasons_seconds
            .windows(2)
            .any(|pair| pair[0] >= pair[1])
        {
            mistakes.push(format!(
                "seasons_seconds: {:?} is not in ascending order",
                self.seasons_seconds
            ));
        }
        mistakes
    }

    /// The quantile, within what it may be.
    pub(super) fn upper_quantile(&self) -> f64 {
        if self.quantile.is_nan() {
            return Self::default().quantile;
        }
        self.quantile.clamp(0.5, 0.9999)
    }
}
