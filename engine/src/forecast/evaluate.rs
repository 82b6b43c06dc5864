//! Forecasts of the past, with nothing known that was not known then.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::backtest::Accuracy;
use super::history::{as_f64, to_index};
use super::residuals::Judged;
use super::trial::{Errors, Pair};
use super::{Forecaster, Method, Settings};
use crate::series::Series;

/// How forecasts of the end of a series did. Unlike a backtest it tests everything: which method was chosen, its fit, and its intervals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Time of the first forecast, seconds since the Unix epoch.
    pub from_seconds: f64,
    /// Forecasts made, one a step.
    pub forecasts: usize,
    /// How often each method was chosen.
    pub methods: BTreeMap<Method, usize>,
    /// How they did by lead, ascending.
    pub by_lead: Vec<Accuracy>,
}

/// What came at a lead, what was said, and what the naive method would have said.
#[derive(Default)]
struct Tally {
    errors: Errors,
    naive: Errors,
    within: usize,
    not_above: usize,
    values: usize,
}

/// Forecasts at every step of the last `seconds` of a series, as if what came after were not known, at some leads in seconds.
pub fn evaluate(
    series: &Series,
    seconds: f64,
    leads_seconds: &[f64],
    settings: &Settings,
) -> Evaluation {
    let length = series.values.len();
    let steps = |seconds: f64| to_index((seconds / series.step_seconds).round());
    let first = length.saturating_sub(steps(seconds)).max(1);
    let mut leads: Vec<usize> = leads_seconds
        .iter()
        .map(|lead| steps(*lead).max(1))
        .collect();
    leads.sort_unstable();
    leads.dedup();
    let reach = leads.last().copied().unwrap_or(1);
    let mut forecaster = Forecaster::new();
    let mut tallies: Vec<Tally> = leads.iter().map(|_| Tally::default()).collect();
    let mut methods = BTreeMap::new();
    for origin in first..length {
        let known = Series {
            values: series.values[..origin].to_vec(),
            ..*series
        };
        let forecast = forecaster.forecast("", &known, reach, settings);
        let Some((_, last)) = known.measured().next_back() else {
            continue;
        };
        *methods.entry(forecast.method).or_default() += 1;
        for (lead, tally) in leads.iter().zip(&mut tallies) {
            let at = |values: &[f64]| values.get(lead - 1).copied();
            let interval = (
                at(&forecast.lower),
                at(&forecast.median),
                at(&forecast.upper),
            );
            let came = series.values.get(origin + lead - 1).copied().flatten();
            if let ((Some(lower), Some(said), Some(upper)), Some(came)) = (interval, came) {
                tally.errors = tally.errors.with(Pair { came, said });
                tally.naive = tally.naive.with(Pair { came, said: last });
                tally.within += usize::from(lower <= came && came <= upper);
                tally.not_above += usize::from(came <= upper);
                tally.values += 1;
            }
        }
    }
    let by_lead = leads.iter().zip(&tallies).map(|(lead, tally)| {
        let judged = Judged {
            within: tally.within,
            not_above: tally.not_above,
            values: tally.values,
        };
        Accuracy::new(
            as_f64(*lead) * series.step_seconds,
            &tally.errors,
            &tally.naive,
            &judged,
        )
    });
    Evaluation {
        from_seconds: series.time_seconds(first),
        forecasts: length - first.min(length),
        methods,
        by_lead: by_lead.collect(),
    }
}
