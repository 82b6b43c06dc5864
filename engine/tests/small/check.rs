//! One problem, planned and compared with its optimum.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;

use ketscale_engine::cost::cost;
use ketscale_engine::feasibility::{is_feasible, violations};
use ketscale_engine::fleet::{self, Fleet};
use ketscale_engine::placement::{Group, Placement};
use ketscale_engine::plan::{NodeGroup, Plan, Status};
use ketscale_engine::planner::{self, Limits, Settings, Source};
use ketscale_engine::problem::{ProblemFile, Relaxation};
use ketscale_engine::verify::{VerifiedPlan, verify_against};

use super::meaning::{Layout, Meaning, Node};
use super::optimum::optimum;

/// Layouts of each problem on which this meaning and the engine's feasibility and cost must agree.
const COMPARED: usize = 200;

/// Cost by which sums in another order may differ, as a share of it, or of 1 USD/h where that is more.
pub const ROUNDING: f64 = 1e-9;

/// A plan that stood every comparison.
pub struct Checked {
    pub plan: VerifiedPlan,
    /// The least cost with what the plan gave up; none when there is no plan at all.
    pub optimum_usd_per_hour: Option<f64>,
}

/// A quick run whose end no clock decides.
pub fn quick() -> Settings {
    Settings {
        most_states: 1 << 8,
        shots: 64,
        packed: 6,
        evaluations: 3,
        depth: 1,
        ..Settings::default()
    }
}

/// Plans a problem and says what is wrong with the plan, if anything is.
pub fn check(problem: &ProblemFile) -> Result<Checked, String> {
    let stop = AtomicBool::new(false);
    let work = Some(20_000_000);
    check_within(problem, &Limits::new(&stop, work), &|_| {})
}

/// The same within limits; `at` is told of every stage that the planner comes to.
pub fn check_within(
    problem: &ProblemFile,
    limits: &Limits<'_>,
    at: &(dyn Fn(&str) + Sync),
) -> Result<Checked, String> {
    let plan = planned(problem, limits, at)?;
    compare(problem, plan)
}

/// A verified plan of a problem; an error for everything that is none.
pub fn planned(
    problem: &ProblemFile,
    limits: &Limits<'_>,
    at: &(dyn Fn(&str) + Sync),
) -> Result<VerifiedPlan, String> {
    let progress = |stage: &str, _: f64| at(stage);
    let run = || {
        planner::plan(
            problem.clone(),
            Source::default(),
            &quick(),
            limits,
            &progress,
        )
    };
    let plan =
        catch_unwind(AssertUnwindSafe(run)).map_err(|_| "the planner panicked".to_owned())?;
    let plan = plan.map_err(|error| error.to_string())?;
    let mut rows = plan.plan().candidates.iter();
    match rows.find(|row| row.note.contains("panicked")) {
        Some(row) => Err(format!("{}: {}", row.solver, row.note)),
        None => Ok(plan),
    }
}

/// Compares a verified plan of a problem with the least cost of all layouts.
pub fn compare(problem: &ProblemFile, plan: VerifiedPlan) -> Result<Checked, String> {
    verify_against(plan.bytes(), problem).map_err(|findings| format!("verify: {findings:?}"))?;
    says_why(plan.plan())?;
    let best = least(problem, &plan.plan().relaxed)?;
    let optimum_usd_per_hour = best.as_ref().map(|(usd_per_hour, _)| *usd_per_hour);
    match optimum_usd_per_hour {
        Some(optimum) => stands_beside(plan.plan(), optimum)?,
        None => ensure(plan.plan().cost.is_none(), || {
            "a plan, though none is feasible".to_owned()
        })?,
    }
    let meaning = Meaning::new(problem, &plan.plan().relaxed);
    let broken = plan
        .plan()
        .cost
        .and_then(|_| meaning.broken(&layout(&meaning, &plan.plan().nodes)));
    match broken {
        Some(rule) => Err(format!("the plan breaks {rule}")),
        None => Ok(Checked {
            plan,
            optimum_usd_per_hour,
        }),
    }
}

/// Where nothing is known, the plan says so.
fn says_why(plan: &Plan) -> Result<(), String> {
    let known = ["no feasible plan was found", "no order of steps"];
    let is_known = |reason: &String| known.iter().any(|known| reason.contains(known));
    let holds = plan.status != Status::Unknown || plan.reasons.iter().any(is_known);
    ensure(holds, || {
        format!("unknown without a reason: {:?}", plan.reasons)
    })
}

/// bound ≤ optimum ≤ every solver, and nobody calls it infeasible.
fn stands_beside(plan: &Plan, optimum: f64) -> Result<(), String> {
    let slack = ROUNDING * optimum.abs().max(1.0);
    ensure(plan.status != Status::Infeasible, || {
        format!("infeasible, though {optimum} is possible")
    })?;
    if let Some(bound) = plan.bound {
        ensure(bound <= optimum + slack, || {
            format!("the bound {bound} is above the optimum {optimum}")
        })?;
    }
    let costs = plan
        .candidates
        .iter()
        .filter(|row| ["feasible", "chosen"].contains(&row.outcome.as_str()));
    for row in costs {
        let total = row
            .total_usd_per_hour
            .ok_or_else(|| format!("{} has no cost", row.solver))?;
        ensure(total >= optimum - slack, || {
            format!("{} at {total} is below the optimum {optimum}", row.solver)
        })?;
    }
    let optimal = plan
        .cost
        .is_some_and(|cost| cost.total_usd_per_hour <= optimum + 1e-6 * optimum.max(1.0) + slack);
    ensure(plan.status != Status::Optimal || optimal, || {
        format!("optimal, though {optimum} is possible")
    })
}

/// The least cost of all layouts, on some of which the engine's feasibility and cost must agree with what the file means.
pub fn least(
    problem: &ProblemFile,
    relaxed: &[Relaxation],
) -> Result<Option<(f64, Layout)>, String> {
    let meaning = Meaning::new(problem, relaxed);
    let fleet = fleet::compile(problem.clone(), relaxed).map_err(|issues| format!("{issues:?}"))?;
    let (mut seen, mut wrong) = (0_usize, None);
    let best = optimum(&meaning, &mut |layout, broken| {
        seen += 1;
        // The first ones, and ever fewer of those that follow.
        if seen.is_power_of_two() || seen <= COMPARED || broken.is_none() {
            wrong = wrong
                .take()
                .or_else(|| disagreement(&meaning, &fleet, layout, broken));
        }
    });
    wrong.map_or(Ok(best), Err)
}

/// What the engine says of a layout that the file does not.
fn disagreement(
    meaning: &Meaning<'_>,
    fleet: &Fleet,
    layout: &Layout,
    broken: Option<&str>,
) -> Option<String> {
    let placement = placement(meaning, fleet, layout);
    if is_feasible(fleet, &placement) == broken.is_some() {
        let violations = violations(fleet, &placement);
        return Some(format!(
            "{layout:?} breaks {broken:?} by the file, {violations:?} by feasibility"
        ));
    }
    let (own, engine) = (
        meaning.usd_per_hour(layout),
        cost(fleet, &placement).total_usd_per_hour,
    );
    let differ = (own - engine).abs() > ROUNDING * own.max(1.0);
    differ.then(|| format!("{layout:?} costs {own} by the file, {engine} by cost"))
}

fn placement(meaning: &Meaning<'_>, fleet: &Fleet, layout: &Layout) -> Placement {
    let class = |place: usize| match meaning.places[place].node {
        None => place,
        Some(node) => {
            let mut classes = fleet.classes.iter();
            classes
                .position(|class| class.names.contains(&node.name))
                .unwrap()
        }
    };
    let group = |node: &Node| Group {
        class: class(node.place),
        count: 1,
        pods: node.pods.clone(),
    };
    Placement {
        groups: layout.iter().map(group).collect(),
    }
    .normalized()
}

/// The layout that a plan's node groups describe.
fn layout(meaning: &Meaning<'_>, groups: &[NodeGroup]) -> Layout {
    let mut layout = Layout::new();
    for group in groups {
        let names = (0..group.count as usize).map(|index| group.names.get(index));
        for name in names {
            let is_it = |place: &super::place::Place<'_>| {
                place.node.map(|node| &node.name) == name
                    && place.is_of(&group.pool, &group.offering)
            };
            let place = meaning.places.iter().position(is_it).unwrap();
            let services = meaning.problem.services.iter();
            let pods = services
                .map(|s| group.pods.get(&s.name).copied().unwrap_or(0))
                .collect();
            layout.push(Node { place, pods });
        }
    }
    layout
}

fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message()) }
}
