//! How fast replicas may change: the `behavior` of a HorizontalPodAutoscaler, applied to each service and cluster.
//!
//! Windows are applied to demands in [`demand`](super::demand), which is the same, for more load never needs fewer replicas. Policies are
//! applied here, as bounds that the planner gets; the arithmetic is that of [`baseline::hpa`](crate::baseline::hpa).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rules for one direction.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Seconds of recommendations of which the safest counts. Default 0 up, 300 down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stabilization_seconds: Option<f64>,
    /// Which of several policies counts. Default max.
    pub select: Select,
    /// Most changes in a period. Default no limit.
    pub policies: Vec<Policy>,
}

/// Which of several policies counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Select {
    /// The one that allows the largest change.
    #[default]
    Max,
    /// The one that allows the smallest change.
    Min,
    /// No change in this direction.
    Disabled,
}

/// Most change of a service's replicas in one cluster within a period: either `pods` or `percent`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Pods, ≥ 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods: Option<u32>,
    /// Percent of the pods at the start of the period, ≥ 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    /// The period in seconds, > 0.
    pub period_seconds: f64,
}

/// A change of replicas in the past.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastChange {
    /// When, seconds since the Unix epoch.
    pub at_seconds: f64,
    /// Replicas after less replicas before.
    pub change: i64,
}

/// Direction of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Up,
    Down,
}

impl Rules {
    /// The replicas that these rules allow from `now` replicas on; `None` is no limit.
    pub(super) fn limit(
        &self,
        direction: Direction,
        now: u32,
        past: &[PastChange],
        now_seconds: f64,
    ) -> Option<u32> {
        if self.select == Select::Disabled {
            return Some(now);
        }
        let limits = self.policies.iter().map(|policy| {
            let cutoff = now_seconds - policy.period_seconds;
            let changed = past.iter().filter(|change| change.at_seconds > cutoff);
            let changed = changed.fold(0_i64, |sum, past| sum.saturating_add(past.change));
            let start = i64::from(now).saturating_sub(changed).max(0).unsigned_abs();
            policy.reach(direction, start)
        });
        let largest = matches!(
            (self.select, direction),
            (Select::Max, Direction::Up) | (Select::Min, Direction::Down)
        );
        let limit = if largest { limits.max() } else { limits.min() };
        // What was done already this period is not undone by its limit.
        limit.map(|limit| match direction {
            Direction::Up => limit.max(now),
            Direction::Down => limit.min(now),
        })
    }

    /// The longest period of a policy, in seconds.
    pub(super) fn longest_period_seconds(&self) -> f64 {
        let periods = self.policies.iter().map(|policy| policy.period_seconds);
        periods.fold(0.0, f64::max)
    }
}

impl Policy {
    /// Replicas that may be reached from those at the start of the period; rounded so that any percentage changes something.
    fn reach(&self, direction: Direction, start: u64) -> u32 {
        let percent = u64::from(self.percent.unwrap_or(0));
        let reach = match (self.pods, direction) {
            (Some(pods), Direction::Up) => start.saturating_add(u64::from(pods)),
            (Some(pods), Direction::Down) => start.saturating_sub(u64::from(pods)),
            (None, Direction::Up) => start.saturating_mul(100 + percent).div_ceil(100),
            (None, Direction::Down) => start.saturating_mul(100 - percent.min(100)) / 100,
        };
        u32::try_from(reach).unwrap_or(u32::MAX)
    }
}
