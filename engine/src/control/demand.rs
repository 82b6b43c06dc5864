//! The load that a service is planned for.
//!
//! A forecast gives two recommendations: the capacity that is needed when what is ordered now is ready (`up`), and the capacity down to
//! which everything may be given back (`down`). Readings that contradict the forecast move it. HPA's stabilisation windows are kept on
//! these loads instead of on replicas, which is the same, for more load never needs fewer replicas: of the recommendations in a window the
//! least counts before the load planned for rises, the most before it falls. Within the tolerance around what was planned for, as
//! within HPA's, nothing changes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Settings;
use super::belief::{Belief, Sample};
use super::rules::PastChange;
use crate::fleet::tolerates;
use crate::problem::{ProblemFile, Service};
use crate::series::Series;

/// Parts of the fallback's window of which the greatest demand is remembered each.
const PEAKS: f64 = 24.0;

/// Most samples of a window that are remembered, far beyond any cycle that planning could keep.
const MOST_SAMPLES: usize = 4096;

/// What is remembered of one service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceMemory {
    /// What is believed of its load.
    pub(super) belief: Belief,
    /// Believed readings of the recent past.
    readings: Vec<Sample>,
    /// Readings in the last value of its history.
    readings_in_last: u32,
    /// Recent recommendations to add capacity.
    ups: Vec<Up>,
    /// Recent recommendations down to which capacity may be given back.
    downs: Vec<Sample>,
    /// The load planned for, in requests per second.
    pub(super) planned_rps: Option<f64>,
    /// The greatest load planned for in each part of the fallback's window.
    peaks: Vec<Sample>,
    /// Recent changes of replicas that were published, by cluster.
    pub(super) changes: BTreeMap<String, Vec<PastChange>>,
}

/// A recommendation to add capacity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Up {
    at_seconds: f64,
    /// Load that must exceed what was planned for, in requests per second.
    trigger_rps: f64,
    /// Load to plan for then.
    target_rps: f64,
}

/// The forecast of one service in the figures that count, in requests per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Outlook {
    /// Median of what is expected now.
    pub(super) median_rps: f64,
    /// Least of the interval expected now.
    pub(super) lower_rps: f64,
    /// Most of the interval expected now.
    pub(super) upper_rps: f64,
    /// The largest chosen quantile from now + lead to now + horizon.
    pub(super) up_rps: f64,
    /// The same from now on.
    pub(super) down_rps: f64,
}

/// The demand of one service in one cycle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceDemand {
    /// The reading that was believed, or the last good one, in requests per second.
    pub reading_rps: f64,
    /// Load below which there is too little capacity.
    pub up_rps: f64,
    /// Load down to which capacity may be given back, before the stabilisation window.
    pub down_rps: f64,
    /// Load planned for.
    pub planned_rps: f64,
    /// Seconds from an order to ready pods: start-up of the slowest pool that it may run in, and readiness.
    pub lead_seconds: f64,
    /// How the forecast was made.
    pub method: String,
}

impl ServiceMemory {
    /// Takes a believed reading into the recent past and the history.
    pub(super) fn record(&mut self, sample: Sample, history: &mut Series, settings: &Settings) {
        let window = settings.down_window_seconds();
        self.readings.push(sample);
        // One reading from before the window shows that the window is covered.
        let cutoff = sample.at_seconds - window;
        let covered = self
            .readings
            .iter()
            .rposition(|reading| reading.at_seconds <= cutoff);
        let confirming = self
            .readings
            .len()
            .saturating_sub(settings.demand.confirm_readings as usize);
        self.readings.drain(..covered.unwrap_or(0).min(confirming));
        cap(&mut self.readings);
        self.extend(history, sample, settings);
    }

    /// Adds a reading to the value of its step, which is the mean of its readings; older values than are kept go.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index within the bounded length of a history"
    )]
    fn extend(&mut self, history: &mut Series, sample: Sample, settings: &Settings) {
        let most = (settings.demand.history_seconds / history.step_seconds)
            .ceil()
            .clamp(1.0, 1e6);
        let index = ((sample.at_seconds - history.start_seconds) / history.step_seconds).floor();
        if index < 0.0 {
            return;
        }
        if index >= history.values.len() as f64 + most {
            // Nothing of it would be kept.
            history.start_seconds += index * history.step_seconds;
            history.values.clear();
            return self.extend(history, sample, settings);
        }
        let index = index as usize;
        if index >= history.values.len() {
            history.values.resize(index + 1, None);
            self.readings_in_last = 0;
        } else if index + 1 < history.values.len() {
            return;
        }
        let n = f64::from(self.readings_in_last);
        if let Some(value) = history.values.get_mut(index) {
            *value = Some(value.map_or(sample.rps, |mean| (mean * n + sample.rps) / (n + 1.0)));
        }
        self.readings_in_last = self.readings_in_last.saturating_add(1).min(1000);
        let beyond = history.values.len().saturating_sub(most as usize);
        history.values.drain(..beyond);
        history.start_seconds += history.step_seconds * beyond as f64;
    }

    /// The load to plan for, from the forecast, the readings and the windows.
    pub(super) fn plan_for(
        &mut self,
        outlook: Outlook,
        now_seconds: f64,
        settings: &Settings,
    ) -> Recommended {
        let recommended = self.recommend(outlook, now_seconds, settings);
        let planned = self.stabilised(&recommended, now_seconds, settings);
        self.planned_rps = Some(planned);
        self.remember_peak(planned, now_seconds, settings.fallback.window_seconds);
        recommended
    }

    /// What the forecast says once readings that contradict it have moved it.
    fn recommend(&self, outlook: Outlook, now_seconds: f64, settings: &Settings) -> Recommended {
        let margin = outlook.upper_rps / outlook.median_rps.max(1e-9);
        let margin = if margin.is_finite() {
            margin.clamp(1.0, 2.0)
        } else {
            1.0
        };
        let Outlook {
            mut up_rps,
            mut down_rps,
            ..
        } = outlook;
        // Every reading of the down window below the interval: the level has fallen.
        let window_start = now_seconds - settings.down_window_seconds();
        let covered = self
            .readings
            .first()
            .is_some_and(|first| first.at_seconds <= window_start);
        let highest = self
            .readings
            .iter()
            .map(|reading| reading.rps)
            .reduce(f64::max);
        if let Some(highest) = highest.filter(|highest| covered && *highest < outlook.lower_rps) {
            let factor = highest / outlook.median_rps.max(1e-9);
            up_rps *= factor;
            down_rps *= factor;
        }
        let mut target_rps = up_rps;
        // The last readings above everything that was expected: the level has risen, by the least of them at least.
        let confirming = settings.demand.confirm_readings as usize;
        let last = self.readings.iter().rev().take(confirming);
        let lowest = last.map(|reading| reading.rps).reduce(f64::min);
        if let Some(lowest) =
            lowest.filter(|lowest| self.readings.len() >= confirming && *lowest > up_rps)
        {
            up_rps = lowest;
            target_rps = target_rps.max(lowest * margin);
        }
        Recommended {
            up_rps,
            target_rps,
            down_rps: down_rps.max(target_rps),
        }
    }

    /// HPA's windows and tolerance around what was planned for.
    fn stabilised(
        &mut self,
        recommended: &Recommended,
        now_seconds: f64,
        settings: &Settings,
    ) -> f64 {
        let Recommended {
            up_rps,
            target_rps,
            down_rps,
        } = *recommended;
        let planned = self.planned_rps;
        let (up_window, down_window) =
            (settings.up_window_seconds(), settings.down_window_seconds());
        self.ups
            .retain(|up| up.at_seconds > now_seconds - up_window);
        self.downs
            .retain(|down| down.at_seconds > now_seconds - down_window);
        if let Some(planned) = planned.filter(|_| self.downs.is_empty() && down_window > 0.0) {
            // As HPA does at its first reading: what is there now is the first recommendation.
            self.downs.push(Sample {
                at_seconds: now_seconds,
                rps: planned,
            });
        }
        self.ups.push(Up {
            at_seconds: now_seconds,
            trigger_rps: up_rps,
            target_rps,
        });
        self.downs.push(Sample {
            at_seconds: now_seconds,
            rps: down_rps,
        });
        cap(&mut self.ups);
        cap(&mut self.downs);
        let Some(planned) = planned else {
            return target_rps;
        };
        let least = self
            .ups
            .iter()
            .copied()
            .reduce(|a, b| if b.trigger_rps < a.trigger_rps { b } else { a });
        let most = self.downs.iter().map(|down| down.rps).fold(0.0, f64::max);
        let tolerance = settings.demand.tolerance;
        match least {
            Some(least) if least.trigger_rps > planned * (1.0 + tolerance) => least.target_rps,
            _ if most < planned * (1.0 - tolerance) => most,
            _ => planned,
        }
    }

    fn remember_peak(&mut self, rps: f64, now_seconds: f64, window_seconds: f64) {
        let part = window_seconds / PEAKS;
        let begins = (now_seconds / part).floor() * part;
        match self.peaks.last_mut() {
            Some(last) if last.at_seconds >= begins => last.rps = last.rps.max(rps),
            _ => self.peaks.push(Sample {
                at_seconds: begins,
                rps,
            }),
        }
        self.peaks
            .retain(|peak| peak.at_seconds > now_seconds - window_seconds - part);
    }

    /// The greatest load planned for within the fallback's window, in requests per second.
    pub(super) fn peak_rps(&self) -> Option<f64> {
        self.peaks.iter().map(|peak| peak.rps).reduce(f64::max)
    }

    /// The last good reading, in requests per second.
    pub(super) fn reading_rps(&self) -> Option<f64> {
        self.belief.good.map(|good| good.rps)
    }
}

/// Recommendations of one cycle, in requests per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Recommended {
    pub(super) up_rps: f64,
    pub(super) target_rps: f64,
    pub(super) down_rps: f64,
}

/// Drops the oldest beyond what is remembered.
fn cap<T>(samples: &mut Vec<T>) {
    let beyond = samples.len().saturating_sub(MOST_SAMPLES);
    samples.drain(..beyond);
}

/// Seconds from an order to ready pods: the start-up of the slowest pool that the service may run in, and readiness.
pub(super) fn lead_seconds(problem: &ProblemFile, service: &Service) -> f64 {
    let pools = problem.pools.iter().filter(|pool| {
        service.clusters.contains_key(&pool.cluster)
            && tolerates(&service.placement.tolerations, &pool.taints)
    });
    let startup = pools.map(|pool| pool.startup_seconds).fold(0.0, f64::max);
    startup + service.ready_seconds
}
