//! What a forecast means for sizing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Forecast, Method};

/// Load to size a service by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// Capacity below this is too little: the largest upper quantile from now + lead (when capacity ordered now is ready) to now + horizon.
    pub up: f64,
    /// Capacity down to this may be given back: the largest upper quantile from now to now + horizon; never below `up`.
    pub down: f64,
    /// The method behind it.
    pub method: Method,
}

/// Demand from a forecast. A window beyond the forecast's end takes its last value. `None` where the forecast is empty: nothing was measured, and unknown
/// demand is not zero.
pub fn demand(
    forecast: &Forecast,
    now_seconds: f64,
    lead_seconds: f64,
    horizon_seconds: f64,
) -> Option<Demand> {
    let last = *forecast.upper.last()?;
    let until = now_seconds + horizon_seconds.max(lead_seconds);
    let largest = |from: f64| {
        let steps = forecast.upper.iter().enumerate();
        let within = steps.filter(|(index, _)| {
            let begin = forecast.time_seconds(*index);
            begin <= until && begin + forecast.step_seconds > from
        });
        within
            .map(|(_, value)| *value)
            .reduce(f64::max)
            .unwrap_or(last)
    };
    let up = largest(now_seconds + lead_seconds);
    Some(Demand {
        up,
        down: largest(now_seconds).max(up),
        method: forecast.method,
    })
}
