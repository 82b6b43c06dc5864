//! Fits remembered between calls.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::fit::Fit;
use super::history::{History, as_f64, to_index};
use super::{Forecast, Settings};
use crate::series::Series;

/// Remembers the last fit of every series. It is a cache and nothing else: the forecast has the same bits without it.
#[derive(Clone, Debug, Default)]
pub struct Forecaster {
    remembered: BTreeMap<String, Remembered>,
    fits: u64,
}

#[derive(Clone, Debug)]
struct Remembered {
    /// Of everything that the fit was made from.
    digest: u64,
    fit: Fit,
}

impl Forecaster {
    /// Remembers nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`super::forecast()`], with the fit of this name's last call where the values it was made from are still the same.
    pub fn forecast(
        &mut self,
        name: &str,
        series: &Series,
        steps: usize,
        settings: &Settings,
    ) -> Forecast {
        let Some(split) = History::split(series, settings) else {
            return Forecast::unknown(series);
        };
        let needed = steps + split.later.len();
        let digest = digest(&split.past, settings);
        let kept = self
            .remembered
            .get(name)
            .filter(|kept| kept.digest == digest && kept.fit.reach() >= needed);
        if let Some(kept) = kept {
            return kept.fit.of_series(series, &split.later, steps, settings);
        }
        // Far enough for all calls until the next fit.
        let refit =
            to_index((settings.refit_seconds / series.step_seconds).min(as_f64(MOST_STEPS)));
        let fit = Fit::new(&split.past, needed.max(steps + refit), settings);
        self.fits += 1;
        let forecast = fit.of_series(series, &split.later, steps, settings);
        self.remembered
            .insert(name.to_owned(), Remembered { digest, fit });
        forecast
    }

    /// Forgets every series that `keep` does not name, such as those of services that are gone.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.remembered.retain(|name, _| keep(name));
    }

    /// Fits so far.
    pub fn fits(&self) -> u64 {
        self.fits
    }
}

/// Most steps that a curve is kept ahead for; a call that needs more fits anew.
const MOST_STEPS: usize = 10_000;

/// Of the values a fit is made from, and of the settings.
fn digest(past: &History, settings: &Settings) -> u64 {
    let mut hasher = DefaultHasher::new();
    past.step_seconds.to_bits().hash(&mut hasher);
    for value in &past.values {
        value.map(f64::to_bits).hash(&mut hasher);
    }
    let Settings {
        quantile,
        seasons_seconds,
        refit_seconds,
        most_history_seconds,
        test_seconds,
        horizon_seconds,
    } = settings;
    let lengths = [
        quantile,
        refit_seconds,
        most_history_seconds,
        test_seconds,
        horizon_seconds,
    ];
    for number in lengths.into_iter().chain(seasons_seconds) {
        number.to_bits().hash(&mut hasher);
    }
    hasher.finish()
}
