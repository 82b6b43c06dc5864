//! Settings of the control loop, `ketscale.control/v1`.

mod read;
mod validate;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::quiet::QuietHours;
use super::rules::Rules;
use crate::{forecast, spend};

pub use read::{json_schema, read};

/// The only value of the `schema` key of control settings that this version reads.
pub const SCHEMA: &str = "ketscale.control/v1";

/// How the control loop follows a fleet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Always `ketscale.control/v1`.
    pub schema: String,
    /// Seconds after which a plan is looked for anew though loads, prices and capacity moved within their tolerances. Default 900.
    #[serde(default = "fifteen_minutes")]
    pub replan_seconds: f64,
    /// What load is planned for.
    #[serde(default)]
    pub demand: DemandSettings,
    /// How load is forecast.
    #[serde(default)]
    pub forecast: forecast::Settings,
    /// Which readings are believed.
    #[serde(default)]
    pub intake: IntakeSettings,
    /// What happens when metrics stay away.
    #[serde(default)]
    pub fallback: FallbackSettings,
    /// Which changes are worth their disruption.
    #[serde(default)]
    pub judge: JudgeSettings,
    /// How fast replicas may be added, as `behavior.scaleUp` of a HorizontalPodAutoscaler. Default no window, no policies.
    #[serde(default)]
    pub scale_up: Rules,
    /// How fast replicas may be removed, as `behavior.scaleDown` of a HorizontalPodAutoscaler. Default a window of 300 s, no policies.
    #[serde(default)]
    pub scale_down: Rules,
    /// Times in which only what the objective needs is published. Default none.
    #[serde(default)]
    pub quiet_hours: Vec<QuietHours>,
    /// How long capacity that a provider refused is avoided.
    #[serde(default)]
    pub capacity: CapacitySettings,
    /// Who sets the replicas of the plan. Default hpa.
    #[serde(default)]
    pub acting: Acting,
    /// Budgets and credits of the cost watch.
    #[serde(default)]
    pub spend: spend::Settings,
}

/// What load is planned for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DemandSettings {
    /// Seconds beyond the lead (node start-up and pod readiness) that a plan looks ahead. Default 600.
    pub horizon_seconds: f64,
    /// Relative change of a service's demand since its last plan that changes nothing, as HPA's tolerance. Default 0.1.
    pub tolerance: f64,
    /// Readings in a row that must exceed the forecast before they count; 1 believes every reading. Default 2.
    pub confirm_readings: u32,
    /// Seconds between the values of a history that the loop starts itself. Default 300.
    pub history_step_seconds: f64,
    /// Seconds of history that are kept. Default 1 296 000 (15 days).
    pub history_seconds: f64,
}

/// Which readings are believed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IntakeSettings {
    /// Age in seconds from which a snapshot or a reading is stale. Default 300.
    pub stale_seconds: f64,
    /// Seconds by which a snapshot may be ahead of the clock. Default 30.
    pub skew_seconds: f64,
    /// Seconds for which a service without a reading keeps its last good load; after that it is held as it is. Default 300.
    pub gap_seconds: f64,
    /// Factor by which a load may change from one reading to the next and be believed at once, > 1. Default 3.
    pub jump_factor: f64,
    /// Readings for which a larger change is held back unless the following reading confirms it. Default 3.
    pub jump_readings: u32,
    /// Zeros in a row after which a load that fell to nothing is believed to be gone. Default 3.
    pub zero_readings: u32,
}

/// What happens when metrics stay away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FallbackSettings {
    /// Seconds without a good snapshot after which the safe replicas are published. Default 900.
    pub after_seconds: f64,
    /// Seconds of the past whose greatest demand the safe replicas carry. Default 86 400 (a day).
    pub window_seconds: f64,
    /// Fewest safe replicas over all clusters, by service. Default what the greatest demand of the window needs.
    pub replicas: BTreeMap<String, u32>,
}

/// Which changes are worth their disruption.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JudgeSettings {
    /// The k of the balanced score: a group of changes is worth it when its share of the savings is at least 1/k of its share of the
    /// disruption. Default 2.
    pub k: f64,
    /// Least savings of all worthwhile changes together, as a share of what runs now. Default 0.01.
    pub min_saving: f64,
    /// Seconds after a published plan in which only what the objective needs is published. Default 300.
    pub cooldown_seconds: f64,
}

/// How long capacity that a provider refused is avoided.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CapacitySettings {
    /// Seconds after the first refusal; each further one doubles them. Default 300.
    pub backoff_seconds: f64,
    /// Most seconds after a refusal. Default 7200.
    pub most_backoff_seconds: f64,
}

/// Who sets the replicas of a published plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Acting {
    /// HorizontalPodAutoscalers as `ketscale export hpa` writes them: bounds pin the planned replicas.
    #[default]
    Hpa,
    /// HorizontalPodAutoscalers that are fed the planned replicas as a metric, as KEDA does: they swallow changes within their tolerance.
    Keda,
    /// A controller that sets the planned replicas itself.
    Direct,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            replan_seconds: fifteen_minutes(),
            demand: DemandSettings::default(),
            forecast: forecast::Settings::default(),
            intake: IntakeSettings::default(),
            fallback: FallbackSettings::default(),
            judge: JudgeSettings::default(),
            scale_up: Rules::default(),
            scale_down: Rules::default(),
            quiet_hours: Vec::new(),
            capacity: CapacitySettings::default(),
            acting: Acting::default(),
            spend: spend::Settings::default(),
        }
    }
}

impl Default for DemandSettings {
    fn default() -> Self {
        Self {
            horizon_seconds: 600.0,
            tolerance: 0.1,
            confirm_readings: 2,
            history_step_seconds: 300.0,
            history_seconds: 1_296_000.0,
        }
    }
}

impl Default for IntakeSettings {
    fn default() -> Self {
        Self {
            stale_seconds: 300.0,
            skew_seconds: 30.0,
            gap_seconds: 300.0,
            jump_factor: 3.0,
            jump_readings: 3,
            zero_readings: 3,
        }
    }
}

impl Default for FallbackSettings {
    fn default() -> Self {
        Self {
            after_seconds: 900.0,
            window_seconds: 86_400.0,
            replicas: BTreeMap::new(),
        }
    }
}

impl Default for JudgeSettings {
    fn default() -> Self {
        Self {
            k: 2.0,
            min_saving: 0.01,
            cooldown_seconds: 300.0,
        }
    }
}

impl Default for CapacitySettings {
    fn default() -> Self {
        Self {
            backoff_seconds: 300.0,
            most_backoff_seconds: 7200.0,
        }
    }
}

impl Settings {
    /// Seconds of recommendations of which the least counts before replicas are added.
    pub(super) fn up_window_seconds(&self) -> f64 {
        self.scale_up.stabilization_seconds.unwrap_or(0.0)
    }

    /// Seconds of recommendations of which the most counts before replicas are removed; HPA's default where it is not set.
    pub(super) fn down_window_seconds(&self) -> f64 {
        self.scale_down.stabilization_seconds.unwrap_or(300.0)
    }
}

fn fifteen_minutes() -> f64 {
    900.0
}
