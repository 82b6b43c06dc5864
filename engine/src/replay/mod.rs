//! Replay: what each policy would have cost on a load of the past, and how it would have served it.
//!
//! Every policy runs a world of its own ([`world`]) that begins with the problem's nodes and replicas and meets the same [`Trace`] of loads.
//! The load of a step is known to no policy before the step has begun: an HPA reads it every fifteen seconds from then on, Ketscale
//! once a cycle. Nothing here reads a clock; the same problem, trace and settings give the same bytes, whatever the number of threads.

mod chart;
mod ketscale;
mod loads;
mod node;
mod policy;
mod report;
mod rollout;
mod snapshots;
mod stock;
mod strain;
mod tally;
mod timeline;
mod trace;
mod world;

pub use chart::{ChartError, chart};
pub use loads::{MAX_LOADS_BYTES, read_loads};
pub use policy::{Policy, UnknownPolicy};
pub use report::{PolicyReport, Report, SCHEMA};
pub use snapshots::{Snapshots, read_snapshots};
pub use timeline::Timeline;
pub use trace::{Step, Trace};

use crate::baseline::Tool;
use crate::control;
use crate::fleet::{Fleet, compile};
use crate::parallel;
use crate::planner;
use crate::problem::{Issue, ProblemFile};
use ketscale::Ketscale;
use stock::Stock;
use world::World;

/// How to replay.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The policies. Default: HPA targets of 50, 60, 70 and 80 %, and Ketscale.
    pub policies: Vec<Policy>,
    /// The node autoscaler that runs with the HPAs. Default Karpenter.
    pub node_autoscaler: Tool,
    /// Ketscale's control loop. Default its defaults.
    pub control: control::Settings,
    /// Ketscale's planner.
    pub planner: planner::Settings,
    /// Most work units of one plan of Ketscale. Default 300,000, about half a second.
    pub work_limit: u64,
    /// Seconds from one cycle of Ketscale's control loop to the next, > 0. Default 60.
    pub cycle_seconds: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            policies: Policy::ALL.to_vec(),
            node_autoscaler: Tool::Karpenter,
            control: control::Settings::default(),
            planner: planner::Settings::default(),
            work_limit: 300_000,
            cycle_seconds: 60.0,
        }
    }
}

/// A replay: its report, and the timeline of each policy in the same order.
#[derive(Clone, Debug)]
pub struct Replay {
    /// The sums.
    pub report: Report,
    /// Step by step.
    pub timelines: Vec<Timeline>,
}

/// Why a problem cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The problem has no meaning; every reason.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Problem(Vec<Issue>),
}

/// Replays a trace under every policy. The problem must be complete ([`crate::problem::resolve`]) and say what runs now.
///
/// # Errors
///
/// [`ReplayError`]: the problem has no `current`, or does not compile.
pub fn replay(
    problem: &ProblemFile,
    trace: &Trace,
    settings: &Settings,
) -> Result<Replay, ReplayError> {
    if problem.current.is_none() {
        return Err(ReplayError::Problem(vec![Issue {
            path: "current".to_owned(),
            line: None,
            message: "is needed: a replay begins with the nodes that run".to_owned(),
        }]));
    }
    let fleet = compile(problem.clone(), &[]).map_err(ReplayError::Problem)?;
    let rows = parallel::map(&settings.policies, |policy| {
        run(&fleet, trace, *policy, settings)
    });
    let rows = rows.into_iter().collect::<Result<Vec<_>, _>>()?;
    let (policies, timelines) = rows.into_iter().unzip();
    Ok(Replay {
        report: Report::new(&fleet, trace, settings.node_autoscaler.as_str(), policies),
        timelines,
    })
}

/// One policy from the first step to the last.
fn run(
    fleet: &Fleet,
    trace: &Trace,
    policy: Policy,
    settings: &Settings,
) -> Result<(PolicyReport, Timeline), ReplayError> {
    let mut world = World::new(fleet, trace.start_seconds());
    let mut controller = Controller::new(fleet, policy, settings);
    let period_seconds = controller.period_seconds(settings);
    let mut timeline = Timeline::default();
    let mut next = trace.start_seconds() + period_seconds;
    for step in trace.steps() {
        world.set_load(step.rps);
        // Whoever acts at the very end of a step knows the load of that step.
        while next <= step.end_seconds {
            world.advance(next);
            controller.act(&mut world)?;
            next += period_seconds;
        }
        world.advance(step.end_seconds);
        timeline.record(&world, &step);
    }
    let report = PolicyReport::new(policy, fleet, &world.tally, controller.plans_published());
    Ok((report, timeline))
}

/// Who acts on the world.
enum Controller<'a> {
    Stock(Box<Stock>),
    Ketscale(Box<Ketscale<'a>>),
}

impl<'a> Controller<'a> {
    fn new(fleet: &Fleet, policy: Policy, settings: &'a Settings) -> Self {
        match policy {
            Policy::Hpa { target_percent } => {
                let stock = Stock::new(fleet, target_percent, settings.node_autoscaler);
                Self::Stock(Box::new(stock))
            }
            Policy::Ketscale => Self::Ketscale(Box::new(Ketscale::new(settings))),
        }
    }

    /// Seconds from the beginning to its first act, and from one act to the next.
    fn period_seconds(&self, settings: &Settings) -> f64 {
        match self {
            Self::Stock(_) => stock::PERIOD_SECONDS,
            Self::Ketscale(_) => settings.cycle_seconds.max(1.0),
        }
    }

    fn act(&mut self, world: &mut World) -> Result<(), ReplayError> {
        match self {
            Self::Stock(stock) => stock.act(world),
            Self::Ketscale(ketscale) => {
                ketscale.act(world);
                Ok(())
            }
        }
    }

    fn plans_published(&self) -> u64 {
        match self {
            Self::Stock(_) => 0,
            Self::Ketscale(ketscale) => ketscale.plans_published,
        }
    }
}
