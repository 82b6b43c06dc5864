//! The control loop: one cycle from what was observed to what is published, as a pure function.
//!
//! [`step`] takes the state, an observation and the time, and returns the next state and what was decided. A cycle goes
//!
//! 1. [`intake`]: is the observation to be believed? Failing that, the last good plan is held, and after a while the safe replicas
//!    ([`safe`]) are published;
//! 2. [`demand`]: what load is each service planned for? [`capacity`] and [`pace`] narrow what may be bought and scaled;
//! 3. [`material`]: could planning give another answer than the last time? If not, nothing is planned;
//! 4. [`solve`]: a plan, from whichever solver works;
//! 5. [`judge`]: of its separable changes ([`groups`]) those that the objective needs, and those that are worth their disruption
//!    ([`score`]).
//!
//! Nothing here reads a clock, and nothing is remembered outside of [`State`]: the same state, observation, time, settings and catalogue
//! give the same bytes. The only thing kept beside it is the [`Forecaster`], which is a cache.

mod acting;
mod belief;
mod capacity;
mod cycle;
mod demand;
mod event;
mod groups;
mod intake;
mod judge;
mod material;
mod outlook;
mod pace;
mod quiet;
mod rules;
mod safe;
mod score;
mod settings;
mod solve;
mod state;

use std::collections::BTreeMap;

use crate::catalogue::Catalogue;
use crate::forecast::Forecaster;
use crate::plan::Decision;
use crate::planner::{self, Limits};
use crate::snapshot::Snapshot;
use crate::spend;
use crate::verify::VerifiedPlan;

pub use acting::swallows;
pub use belief::{Belief, Sample};
pub use capacity::{CapacityReport, NodeOutcome, Refusal, report_outcome};
pub use demand::{ServiceDemand, ServiceMemory};
pub use event::{Event, EventKind, Told};
pub use judge::GroupVerdict;
pub use material::Basis;
pub use quiet::{QuietHours, Weekday};
pub use rules::{PastChange, Policy, Rules, Select};
pub use score::{Weights, pod_weight};
pub use settings::{
    Acting, CapacitySettings, DemandSettings, FallbackSettings, IntakeSettings, JudgeSettings,
    SCHEMA, Settings, json_schema, read,
};
pub use state::{Failing, Good, InForce, State};

/// What came in for a cycle: a snapshot, or why there is none.
pub type Observation = Result<Snapshot, String>;

/// What a cycle works with, beside state and settings.
pub struct Context<'a> {
    /// Prices and sizes that the problem leaves out.
    pub catalogue: &'a Catalogue,
    /// Settings of the planner; its solver is the first that is tried.
    pub planner: planner::Settings,
    /// Limits of every planning run.
    pub limits: &'a Limits<'a>,
    /// Fits of the last cycles; a cache only.
    pub forecaster: &'a mut Forecaster,
}

/// What a cycle came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The plan of this cycle, where one was made; its own `decision` says the same as this one's, but a synthetic problem's plan
    /// always says hold.
    pub plan: Option<VerifiedPlan>,
    /// What to do: publish `plan`, hold what is in force, or publish `plan` as the fallback; with the rule and the age in seconds of
    /// the data behind it.
    pub decision: Decision,
    /// Whether a plan was looked for in this cycle.
    pub planned: bool,
    /// The separable changes of the plan and what became of each; empty where nothing was judged.
    pub groups: Vec<GroupVerdict>,
    /// Demand by service; empty where nothing was believed.
    pub demand: BTreeMap<String, ServiceDemand>,
    /// Services that stay as they are in this cycle, with the reason.
    pub held: BTreeMap<String, String>,
    /// What happened, in order; conditions that last are told when they begin.
    pub events: Vec<Event>,
    /// What is spent now and is expected until the end of the month; absent before the first good snapshot.
    pub spend: Option<spend::Report>,
}

/// One cycle. Times are seconds since the Unix epoch.
pub fn step(
    state: State,
    observation: Observation,
    now_seconds: f64,
    settings: &Settings,
    context: &mut Context<'_>,
) -> (State, Outcome) {
    cycle::Cycle::new(state, now_seconds, settings, context).run(observation)
}
