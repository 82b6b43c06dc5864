//! The HorizontalPodAutoscaler `autoscaling/v2` on a CPU utilisation target, as a function of a state, a reading and a time.
//!
//! Three stages, in the controller's order: [`recommended`] turns the pods' use into replicas (tolerance, unready and missing pods),
//! a stabilisation window takes the safest of the recent recommendations, and scaling policies limit the change in a period.
//!
//! Sources: the algorithm at <https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details>, windows,
//! policies and the stories that the tests replay in KEP-853,
//! <https://github.com/kubernetes/enhancements/tree/master/keps/sig-autoscaling/853-configurable-hpa-scale-velocity>; rounding
//! follows `replica_calculator.go` and `horizontal.go` of Kubernetes 1.35.

/// The controller's default tolerance: ratios of use to target this close to 1 change nothing.
pub const TOLERANCE: f64 = 0.1;

/// What an autoscaler was told to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Fewest replicas, ≥ 1.
    pub min: u32,
    /// Most replicas, ≥ `min`.
    pub max: u32,
    /// Target ratio of CPU use to request in whole percent, > 0.
    pub target_percent: u32,
    /// Largest distance of the ratio of use to target from 1 that changes nothing.
    pub tolerance: f64,
    /// Rules for more replicas.
    pub scale_up: Rules,
    /// Rules for fewer replicas.
    pub scale_down: Rules,
}

impl Settings {
    /// Kubernetes' defaults: up at once by the larger of 100 % and 4 pods in 15 s, down to any count after 300 s.
    pub fn new(min: u32, max: u32, target_percent: u32) -> Self {
        let in_15_seconds = |change| Policy {
            change,
            period_seconds: 15.0,
        };
        Self {
            min,
            max,
            target_percent,
            tolerance: TOLERANCE,
            scale_up: Rules {
                stabilization_seconds: 0.0,
                select: Select::Max,
                policies: [Change::Percent(100), Change::Pods(4)]
                    .map(in_15_seconds)
                    .to_vec(),
            },
            scale_down: Rules {
                stabilization_seconds: 300.0,
                select: Select::Max,
                policies: vec![in_15_seconds(Change::Percent(100))],
            },
        }
    }
}

/// How fast replicas may change in one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// Seconds of recommendations of which the safest counts.
    pub stabilization_seconds: f64,
    /// Which policy counts.
    pub select: Select,
    /// The policies; at least one unless the direction is disabled.
    pub policies: Vec<Policy>,
}

/// Which of several policies counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Select {
    /// The one that allows the largest change.
    Max,
    /// The one that allows the smallest change.
    Min,
    /// None: no change in this direction.
    Disabled,
}

/// Most change in a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// The change.
    pub change: Change,
    /// The period in seconds.
    pub period_seconds: f64,
}

/// A change of replicas from those at the start of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Pods.
    Pods(u32),
    /// Percent of the pods.
    Percent(u32),
}

/// What the metrics say of a service's pods, all of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// CPU request of a pod in millicores, > 0.
    pub request_mcores: u64,
    /// Pods that are ready and have metrics.
    pub ready: u32,
    /// CPU use of those, in sum, in millicores.
    pub use_mcores: u64,
    /// Pods that are not ready yet; their use says nothing.
    pub unready: u32,
    /// Pods without metrics.
    pub missing: u32,
}

/// Replicas that bring use to its target, before any rule on how fast; `current` where the reading says nothing or too little.
pub fn recommended(settings: &Settings, current: u32, reading: &Reading) -> u32 {
    if reading.ready == 0 {
        return current;
    }
    let first = ratio(settings, reading.use_mcores, reading.ready, reading);
    let counts_unready = reading.unready > 0 && first > 1.0;
    if !counts_unready && reading.missing == 0 {
        return for_ratio(first, settings.tolerance, current, reading.ready);
    }
    // Whichever way it goes, pods that are not heard of hold it back: they count as busy when it would shrink, as idle when it would grow.
    let missing_use = if first < 1.0 {
        u64::from(reading.missing) * reading.request_mcores
    } else {
        0
    };
    let pods = reading.ready + reading.missing + if counts_unready { reading.unready } else { 0 };
    let second = ratio(settings, reading.use_mcores + missing_use, pods, reading);
    let turns = |a: f64, b: f64| (a < 1.0 && b > 1.0) || (a > 1.0 && b < 1.0);
    let replicas = needed(second, pods);
    let against = (second < 1.0 && replicas > current) || (second > 1.0 && replicas < current);
    if is_near(second, settings.tolerance) || turns(first, second) || against {
        current
    } else {
        replicas
    }
}

/// Replicas for a ratio of use to target of `ready` pods, all of them heard of: `current` within the tolerance, else ⌈ratio · ready⌉.
fn for_ratio(ratio: f64, tolerance: f64, current: u32, ready: u32) -> u32 {
    if is_near(ratio, tolerance) {
        current
    } else {
        needed(ratio, ready)
    }
}

fn is_near(ratio: f64, tolerance: f64) -> bool {
    (1.0 - tolerance..=1.0 + tolerance).contains(&ratio)
}

/// Use over target, with use in whole percent of the request, rounded down, as the controller has it.
#[allow(clippy::cast_precision_loss, reason = "a percentage is far below 2⁵³")]
fn ratio(settings: &Settings, use_mcores: u64, pods: u32, reading: &Reading) -> f64 {
    let requested = (u64::from(pods) * reading.request_mcores).max(1);
    let percent = use_mcores.saturating_mul(100) / requested;
    percent as f64 / f64::from(settings.target_percent.max(1))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what a count can be"
)]
fn needed(ratio: f64, pods: u32) -> u32 {
    // The guard keeps the rounding of a product that is whole from adding a pod.
    (ratio * f64::from(pods) - 1e-9).ceil().clamp(0.0, 1e9) as u32
}

/// What an autoscaler remembers from one reading to the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Time in seconds and replicas of past recommendations.
    recommendations: Vec<(f64, u32)>,
    /// Time in seconds and change of past changes, more replicas positive.
    changes: Vec<(f64, i64)>,
}

impl State {
    /// The replicas to have from `now_seconds` on, when there are `current` ones; times must not fall. The state takes it that this
    /// many will be there.
    pub fn desired(
        &mut self,
        settings: &Settings,
        now_seconds: f64,
        current: u32,
        reading: &Reading,
    ) -> u32 {
        let wanted = recommended(settings, current, reading);
        self.follow(settings, now_seconds, current, wanted)
    }

    /// As [`State::desired`], with the recommendation made elsewhere.
    pub fn follow(
        &mut self,
        settings: &Settings,
        now_seconds: f64,
        current: u32,
        wanted: u32,
    ) -> u32 {
        // Replicas set to 0 by hand switch the autoscaler off, and bounds are enforced at once.
        let next = if current == 0 {
            0
        } else if !(settings.min..=settings.max).contains(&current) {
            current.clamp(settings.min, settings.max)
        } else {
            if self.recommendations.is_empty() {
                self.recommendations.push((now_seconds, current));
            }
            let stable = self.stabilized(settings, now_seconds, current, wanted);
            self.limited(settings, now_seconds, current, stable)
        };
        if next != current {
            let change = i64::from(next) - i64::from(current);
            self.changes.push((now_seconds, change));
        }
        self.forget(settings, now_seconds);
        next
    }

    /// The safest recommendation: the least within the window for more, the most within the window for fewer.
    fn stabilized(&mut self, settings: &Settings, now: f64, current: u32, wanted: u32) -> u32 {
        let within = |rules: &Rules| {
            let cutoff = now - rules.stabilization_seconds;
            let recent = self
                .recommendations
                .iter()
                .filter(move |(at, _)| *at > cutoff);
            recent.map(|(_, replicas)| *replicas)
        };
        let up = within(&settings.scale_up).fold(wanted, u32::min);
        let down = within(&settings.scale_down).fold(wanted, u32::max);
        self.recommendations.push((now, wanted));
        current.max(up).min(down)
    }

    /// What policies and bounds leave of a change.
    fn limited(&self, settings: &Settings, now: f64, current: u32, wanted: u32) -> u32 {
        let limit = if wanted > current {
            self.limit(&settings.scale_up, now, current, true)
        } else {
            self.limit(&settings.scale_down, now, current, false)
        };
        let allowed = if wanted > current {
            wanted.min(limit.max(current))
        } else {
            wanted.max(limit.min(current))
        };
        allowed.clamp(settings.min, settings.max)
    }

    /// The replicas that policies allow in one direction.
    fn limit(&self, rules: &Rules, now: f64, current: u32, up: bool) -> u32 {
        let limits = rules.policies.iter().map(|policy| {
            let cutoff = now - policy.period_seconds;
            let recent = self.changes.iter().filter(|(at, _)| *at > cutoff);
            let changed: i64 = recent.map(|(_, change)| *change).sum();
            let start = u64::try_from(i64::from(current) - changed).unwrap_or(0);
            let limit = match (policy.change, up) {
                (Change::Pods(pods), true) => start + u64::from(pods),
                (Change::Pods(pods), false) => start.saturating_sub(u64::from(pods)),
                // Rounded so that any percentage changes something.
                (Change::Percent(percent), true) => {
                    (start * (100 + u64::from(percent))).div_ceil(100)
                }
                (Change::Percent(percent), false) => {
                    start * u64::from(100 - percent.min(100)) / 100
                }
            };
            u32::try_from(limit).unwrap_or(u32::MAX)
        });
        let limit = match (rules.select, up) {
            (Select::Disabled, _) => None,
            (Select::Max, true) | (Select::Min, false) => limits.max(),
            (Select::Min, true) | (Select::Max, false) => limits.min(),
        };
        limit.unwrap_or(current)
    }

    /// Drops what no window and no period reaches any more.
    fn forget(&mut self, settings: &Settings, now: f64) {
        let rules = [&settings.scale_up, &settings.scale_down];
        let window = rules.map(|rules| rules.stabilization_seconds);
        let window = window.into_iter().fold(0.0, f64::max);
        // One recommendation stays, for it says that this is not the first reading.
        let last = self.recommendations.last().copied();
        self.recommendations.retain(|(at, _)| *at > now - window);
        if self.recommendations.is_empty() {
            self.recommendations.extend(last);
        }
        let periods = rules.into_iter().flat_map(|rules| &rules.policies);
        let period = periods
            .map(|policy| policy.period_seconds)
            .fold(0.0, f64::max);
        self.changes.retain(|(at, _)| *at > now - period);
    }
}

#[cfg(test)]
mod tests;
