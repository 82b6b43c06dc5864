//! Capacity learned from history: CPU per request, idle CPU and peak memory, each with its error or with the reason why it cannot be told.
//!
//! The model is that of the problem file: CPU use of all pods = `idle_cpu` · replicas + `cpu_per_rps` · rps. `regression` finds both numbers such that
//! outliers do not matter, `memory` the highest use of any pod, and [`fill_in`] writes them where a problem file leaves them out.

mod fill;
mod memory;
mod regression;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::fill::{Filled, fill_in};
use crate::series::Series;

/// Fewest values that anything is learned from.
pub const FEWEST_VALUES: usize = 24;

/// What was measured of one service over time.
#[derive(Clone, Copy, Debug)]
pub struct Measured<'a> {
    /// Requests per second over all pods.
    pub load_rps: &'a Series,
    /// CPU use of all pods in cores.
    pub cpu_cores: &'a Series,
    /// Number of pods, where it was measured.
    pub replicas: Option<&'a Series>,
    /// Number of pods where it was not measured over time; then taken as constant.
    pub replicas_now: Option<u32>,
    /// Highest memory use of any pod in bytes, where it was measured.
    pub memory_bytes: Option<&'a Series>,
}

/// A number with its error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The number; its unit is in the name of what holds it.
    pub value: f64,
    /// Its standard error, in the same unit.
    pub standard_error: f64,
}

/// What was learned of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learned {
    /// CPU per request and idle CPU, or why they cannot be told.
    pub cpu: Result<Cpu, String>,
    /// Peak memory, or why it cannot be told.
    pub memory: Result<Memory, String>,
}

/// How CPU use depends on load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cpu {
    /// Cores that one request per second keeps busy; above 0.
    pub cores_per_rps: Estimate,
    /// Cores of a pod without load; not negative.
    pub idle_cores: Estimate,
    /// Values behind it.
    pub values: usize,
    /// Time of the newest of them, seconds since the Unix epoch.
    pub newest_seconds: f64,
}

/// How much memory a pod needs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Highest use of any pod in bytes.
    pub most_bytes: f64,
    /// The use that 99 % of the values are not above, in bytes.
    pub high_bytes: Estimate,
    /// Values behind it.
    pub values: usize,
    /// Time of the newest of them, seconds since the Unix epoch.
    pub newest_seconds: f64,
}

/// Learns from what was measured of one service.
pub fn learn(measured: &Measured<'_>) -> Learned {
    Learned {
        cpu: regression::cpu(measured),
        memory: memory::memory(measured.memory_bytes),
    }
}

/// Learns from what was measured of every service, by name.
pub fn learn_all(measured: &BTreeMap<String, Measured<'_>>) -> BTreeMap<String, Learned> {
    let one = |(name, measured): (&String, &Measured<'_>)| (name.clone(), learn(measured));
    measured.iter().map(one).collect()
}

/// The value of a series at a time, within half a step of it.
fn at(series: &Series, seconds: f64) -> Option<f64> {
    let index = ((seconds - series.start_seconds) / series.step_seconds).round();
    let near = (index * series.step_seconds + series.start_seconds - seconds).abs()
        <= 0.5 * series.step_seconds;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be no less than 0; what is too large is beyond the series"
    )]
    let index = (near && index >= 0.0).then_some(index as usize)?;
    let value = series.values.get(index).copied().flatten()?;
    (value.is_finite() && value >= 0.0).then_some(value)
}

/// A count as a real number.
#[allow(clippy::cast_precision_loss, reason = "counts are far below 2⁵³")]
fn as_f64(count: usize) -> f64 {
    count as f64
}

/// Median of some numbers; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (
        values.get(middle),
        middle.checked_sub(1).and_then(|below| values.get(below)),
    ) {
        (Some(high), Some(low)) if values.len().is_multiple_of(2) => low + (high - low) / 2.0,
        (Some(middle), _) => *middle,
        (None, _) => 0.0,
    }
}
