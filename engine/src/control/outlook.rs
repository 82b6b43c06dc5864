//! What the forecast of a service's load says in the figures that count.

use super::demand::Outlook;
use crate::forecast::{Forecast, Forecaster, Settings, demand};
use crate::series::Series;

/// Most steps that are forecast ahead.
const MOST_STEPS: f64 = 10_000.0;

/// Looks ahead from a history to the horizon beyond the lead; without a single value the reading stands for everything.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a number of steps"
)]
pub(super) fn outlook(
    forecaster: &mut Forecaster,
    service: &str,
    history: &Series,
    reading_rps: f64,
    times: Times,
    settings: &Settings,
) -> (Outlook, String) {
    let ahead =
        times.now_seconds + times.lead_seconds + times.horizon_seconds - history.end_seconds();
    let steps = (ahead / history.step_seconds).ceil().clamp(1.0, MOST_STEPS) as usize;
    let forecast = forecaster.forecast(service, history, steps, settings);
    of(&forecast, times).unwrap_or_else(|| (constant(reading_rps), "reading".to_owned()))
}

/// When a forecast is looked at.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) now_seconds: f64,
    pub(super) lead_seconds: f64,
    /// Beyond the lead.
    pub(super) horizon_seconds: f64,
}

fn of(forecast: &Forecast, times: Times) -> Option<(Outlook, String)> {
    let Times {
        now_seconds,
        lead_seconds,
        horizon_seconds,
    } = times;
    let demand = demand(
        forecast,
        now_seconds,
        lead_seconds,
        lead_seconds + horizon_seconds,
    )?;
    let outlook = Outlook {
        median_rps: *forecast.median.first()?,
        lower_rps: *forecast.lower.first()?,
        upper_rps: *forecast.upper.first()?,
        up_rps: demand.up,
        down_rps: demand.down,
    };
    Some((outlook, demand.method.to_string()))
}

/// The same load for ever.
fn constant(rps: f64) -> Outlook {
    Outlook {
        median_rps: rps,
        lower_rps: rps,
        upper_rps: rps,
        up_rps: rps,
        down_rps: rps,
    }
}
