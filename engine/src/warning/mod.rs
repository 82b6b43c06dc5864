//! Early warnings: what has changed, and what will be too little before it is.
//!
//! - [`anomaly`]: the level of a load has shifted, or a value stands out, against the same time of the days before.
//! - [`saturation`]: a service's forecast crosses what it carries: with its replicas of now before more can be ready, or with the most it may have.
//! - [`pools`]: what the services on a pool will request is more than the pool may grow to.
//!
//! A warning comes with how sure it is: the probability by the forecast's quantiles. What the upper quantile does not reach is no warning.

mod anomaly;
mod pools;
mod saturation;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::forecast::Forecast;
use crate::problem::ProblemFile;
use crate::series::Series;

/// Settings of early warnings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Length of the recent past in which shifts and outliers are looked for, in seconds. Default 3600.
    pub recent_seconds: f64,
    /// Least shift of the level, as a share of what was expected. Default 0.2.
    pub least_shift: f64,
    /// Least distance of an outlier, as a share of what was expected. Default 0.5.
    pub least_outlier: f64,
    /// How many robust standard deviations a shift or an outlier is away at least. Default 6.
    pub deviations: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            recent_seconds: 3600.0,
            least_shift: 0.2,
            least_outlier: 0.5,
            deviations: 6.0,
        }
    }
}

impl Settings {
    /// All mistakes, each as `key: value is …`; empty where there are none.
    pub fn mistakes(&self) -> Vec<String> {
        let positive = [
            ("recent_seconds", self.recent_seconds),
            ("least_shift", self.least_shift),
            ("least_outlier", self.least_outlier),
            ("deviations", self.deviations),
        ];
        let wrong = |(_, value): &(&str, f64)| !(*value > 0.0 && value.is_finite());
        (positive.into_iter().filter(wrong))
            .map(|(key, value)| format!("{key}: {value} is not a number above 0"))
            .collect()
    }
}

/// What warnings are made from.
#[derive(Clone, Copy, Debug)]
pub struct Outlook<'a> {
    /// The problem, resolved: its offerings have `allocatable`.
    pub problem: &'a ProblemFile,
    /// Load of services in requests per second, by name.
    pub history: &'a BTreeMap<String, Series>,
    /// Forecasts of these loads, by name.
    pub forecasts: &'a BTreeMap<String, Forecast>,
    /// The quantile of the forecasts' upper values.
    pub quantile: f64,
    /// Now, seconds since the Unix epoch.
    pub now_seconds: f64,
}

/// Something that happened, or that is expected to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Warning {
    /// Path in the problem file of what it is about: `services.shop/cart` or `pools.general`.
    pub subject: String,
    /// Path of the limit that is expected to be violated; of the load where it has changed.
    pub constraint: String,
    /// When, seconds since the Unix epoch.
    pub at_seconds: f64,
    /// Seconds from now until then; negative where it has happened.
    pub in_seconds: f64,
    /// How sure it is, in (0, 1]: the probability by the forecast; 1 for what was measured.
    pub probability: f64,
    /// What it is.
    pub cause: Cause,
}

/// What a warning is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Cause {
    /// The level of the load has shifted.
    Changepoint {
        /// Load expected for the time since, in requests per second.
        expected_rps: f64,
        /// Load measured since, in requests per second.
        measured_rps: f64,
    },
    /// A single value stands out.
    Outlier {
        /// Load expected, in requests per second.
        expected_rps: f64,
        /// Load measured, in requests per second.
        measured_rps: f64,
    },
    /// The load crosses what the replicas of now carry before more can be ready.
    Lag {
        /// Median of the load, in requests per second.
        expected_rps: f64,
        /// What the replicas of now carry, in requests per second.
        most_rps: f64,
        /// Replicas now.
        replicas: u32,
    },
    /// The load crosses what the most replicas carry.
    Saturation {
        /// Median of the load, in requests per second.
        expected_rps: f64,
        /// What the most replicas carry, in requests per second.
        most_rps: f64,
        /// Most replicas.
        replicas: u32,
    },
    /// The pods of a pool's services request more than the pool may grow to.
    PoolSaturation {
        /// `cpu` (cores), `memory` (bytes) or `pods`.
        resource: String,
        /// What will be requested at the median of the loads.
        expected: f64,
        /// What the largest pool has.
        most: f64,
    },
}

/// All warnings, by time.
pub fn warnings(outlook: &Outlook<'_>, settings: &Settings) -> Vec<Warning> {
    let mut warnings = anomaly::warnings(outlook, settings);
    warnings.extend(saturation::warnings(outlook));
    warnings.extend(pools::warnings(outlook));
    warnings.sort_by(|a, b| {
        (a.at_seconds.total_cmp(&b.at_seconds))
            .then_with(|| (&a.subject, &a.constraint).cmp(&(&b.subject, &b.constraint)))
    });
    warnings
}

/// Probability that a value is above a limit, by three of its quantiles with straight lines between; `None` where not even the upper one is.
fn probability_above(limit: f64, [lower, median, upper]: [f64; 3], quantile: f64) -> Option<f64> {
    let between = |low: f64, high: f64, at_low: f64, at_high: f64| {
        at_low + (at_high - at_low) * ((limit - low) / (high - low)).clamp(0.0, 1.0)
    };
    if lower > limit {
        Some(quantile)
    } else if median > limit {
        Some(between(lower, median, quantile, 0.5))
    } else if upper > limit {
        Some(between(median, upper, 0.5, 1.0 - quantile))
    } else {
        None
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subject = &self.subject;
        let percent = 100.0 * self.probability;
        let ago = span(-self.in_seconds);
        let ahead = if self.in_seconds < 60.0 {
            "now".to_owned()
        } else {
            format!("in {}", span(self.in_seconds))
        };
        match &self.cause {
            Cause::Changepoint {
                expected_rps,
                measured_rps,
            } => write!(
                f,
                "{subject}: the load shifted {ago} ago, to {measured_rps:.3} requests per second where {expected_rps:.3} were expected"
            ),
            Cause::Outlier {
                expected_rps,
                measured_rps,
            } => write!(
                f,
                "{subject}: the load stood out {ago} ago, at {measured_rps:.3} requests per second where {expected_rps:.3} were expected"
            ),
            Cause::Lag {
                expected_rps,
                most_rps,
                replicas,
            } => write!(
                f,
                "{subject}: {ahead}, before more can be ready, the load of {expected_rps:.3} requests per second is expected to be more than {replicas} replicas carry, {most_rps:.3} ({percent:.0} % sure)"
            ),
            Cause::Saturation {
                expected_rps,
                most_rps,
                replicas,
            } => write!(
                f,
                "{subject}: {ahead} the load of {expected_rps:.3} requests per second is expected to be more than the most replicas, {replicas}, carry, {most_rps:.3} ({percent:.0} % sure)"
            ),
            Cause::PoolSaturation {
                resource,
                expected,
                most,
            } => write!(
                f,
                "{subject}: {ahead} its pods are expected to request {expected:.3} of {resource}, more than its most nodes have, {most:.3} ({percent:.0} % sure)"
            ),
        }
    }
}

/// A time in plain words.
fn span(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else if seconds < 7200.0 {
        format!("{:.0} min", seconds / 60.0)
    } else {
        format!("{:.1} h", seconds / 3600.0)
    }
}
