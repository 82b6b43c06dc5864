//! A plan in any case: what fails, panics or finds nothing is followed by the exact solver, then by the baseline.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicBool;

use super::event::{EventKind, Events};
use crate::limits::Clock;
use crate::plan::Status;
use crate::planner::{self, Limits, PlanError, Solver, Source};
use crate::problem::ProblemFile;
use crate::verify::VerifiedPlan;

/// Work units of the baseline after everything else failed: about a second beyond the time.
const BASELINE_WORK: u64 = 1_000_000;

/// What the baseline may take beyond the time where a clock ends the run, as a share of the seconds given, and in seconds at least: a large
/// fleet must not hold up the loop, which holds its last plan instead.
const BASELINE_OVERTIME: (f64, f64) = (0.25, 1.0);

/// A plan and what must be said of how it was found.
pub(super) struct Solved {
    pub(super) plan: VerifiedPlan,
    /// One sentence for each solver that failed before.
    pub(super) failures: Vec<String>,
}

/// Plans a complete problem.
///
/// # Errors
/// What every solver said.
pub(super) fn solve(
    problem: &ProblemFile,
    source: &Source,
    settings: &planner::Settings,
    limits: &Limits<'_>,
    events: &mut Events,
) -> Result<Solved, String> {
    let never = AtomicBool::new(false);
    let seconds_left = || limits.seconds_left().unwrap_or(0.0);
    let (share, least) = BASELINE_OVERTIME;
    let overtime = (share * seconds_left()).max(least);
    let with_overtime = || seconds_left() + overtime;
    first_that_works(settings.solver, events, |solver| {
        let settings = planner::Settings {
            solver,
            ..*settings
        };
        // Something must be known even when the clock has run out.
        let limits = if solver == Solver::Baseline {
            let work = limits
                .work
                .map_or(BASELINE_WORK, |work| work.min(BASELINE_WORK));
            Limits {
                clock: limits.clock.map(|_| Clock(&with_overtime)),
                ..Limits::new(&never, Some(work))
            }
        } else {
            *limits
        };
        planner::plan(
            problem.clone(),
            source.clone(),
            &settings,
            &limits,
            &|_, _| {},
        )
    })
}

/// Tries a solver, then those that follow it, until one neither fails, panics nor ends without knowing anything.
fn first_that_works(
    first: Solver,
    events: &mut Events,
    plan: impl Fn(Solver) -> Result<VerifiedPlan, PlanError>,
) -> Result<Solved, String> {
    let following = [Solver::Exact, Solver::Baseline];
    let solvers =
        std::iter::once(first).chain(following.into_iter().filter(|solver| *solver != first));
    let mut failures: Vec<String> = Vec::new();
    for solver in solvers {
        let failure = match catch_unwind(AssertUnwindSafe(|| plan(solver))) {
            Ok(Ok(plan)) if plan.plan().status != Status::Unknown => {
                return Ok(Solved { plan, failures });
            }
            Ok(Ok(_)) => "found no plan within its limits".to_owned(),
            Ok(Err(error)) => format!("failed: {error}"),
            Err(_) => "panicked; please report it".to_owned(),
        };
        let failure = format!("the solver {solver} {failure}");
        events.tell_of(EventKind::SolverFailed, solver.as_str(), &failure);
        failures.push(failure);
    }
    Err(failures.join("; "))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::problem;

    const TEXT: &str = "
schema: ketscale.problem/v1
name: one
clusters: [{name: c, provider: gcp, region: europe-west1}]
services: [{name: shop/cart, clusters: {c: {min: 3, max: 3}}, requests: {cpu: 500m, memory: 1Gi}}]
pools: [{name: p, cluster: c, offerings: [{instance_type: e2-standard-4, zone: europe-west1-b, capacity_type: on-demand}]}]
";

    fn planned(solver: Solver, work: Option<u64>) -> Result<VerifiedPlan, PlanError> {
        let problem = problem::read(TEXT.as_bytes(), "one.yaml").unwrap();
        let problem = problem::resolve(problem, Catalogue::built_in(), "one.yaml").unwrap();
        let stop = AtomicBool::new(false);
        let settings = planner::Settings {
            solver,
            ..planner::Settings::default()
        };
        planner::plan(
            problem,
            Source::default(),
            &settings,
            &Limits::new(&stop, work),
            &|_, _| {},
        )
    }

    /// What is tried when some solvers panic or fail.
    fn tried(
        first: Solver,
        panics: &[Solver],
        fails: &[Solver],
    ) -> (Result<Solved, String>, usize) {
        let mut events = Events::at(0.0);
        let solved = first_that_works(first, &mut events, |solver| {
            if panics.contains(&solver) {
                panic!("on purpose");
            }
            if fails.contains(&solver) {
                return Err(PlanError::Internal("on purpose".to_owned()));
            }
            planned(solver, None)
        });
        (solved, events.into_vec().len())
    }

    #[test]
    fn a_solver_that_works_is_the_only_one() {
        let (solved, events) = tried(Solver::Exact, &[], &[]);
        let solved = solved.unwrap_or_else(|failures| panic!("{failures}"));
        assert_eq!(
            (solved.plan.plan().provenance.solver.as_str(), events),
            ("exact", 0)
        );
        assert!(solved.failures.is_empty());
    }

    #[test]
    fn a_crash_falls_back_to_exact_and_then_to_the_baseline() {
        let (solved, events) = tried(Solver::Qaoa, &[Solver::Qaoa], &[]);
        let solved = solved.unwrap_or_else(|failures| panic!("{failures}"));
        assert_eq!(
            (solved.plan.plan().provenance.solver.as_str(), events),
            ("exact", 1)
        );
        assert_eq!(
            solved.failures,
            ["the solver qaoa panicked; please report it"]
        );
        let (solved, events) = tried(Solver::Auto, &[Solver::Auto], &[Solver::Exact]);
        let solved = solved.unwrap_or_else(|failures| panic!("{failures}"));
        assert_eq!(
            (solved.plan.plan().provenance.solver.as_str(), events),
            ("baseline", 2)
        );
        assert!(
            solved
                .failures
                .last()
                .is_some_and(|last| last.contains("the solver exact failed: internal error"))
        );
    }

    #[test]
    fn when_all_fail_every_reason_is_told() {
        let all = [Solver::Auto, Solver::Exact, Solver::Baseline];
        let (solved, events) = tried(Solver::Auto, &[], &all);
        assert_eq!(events, 3);
        assert!(
            solved
                .is_err_and(|failures| all.iter().all(|solver| failures.contains(solver.as_str())))
        );
    }

    #[test]
    fn an_overrun_falls_back_to_the_baseline() {
        let problem = problem::read(TEXT.as_bytes(), "one.yaml").unwrap();
        let problem = problem::resolve(problem, Catalogue::built_in(), "one.yaml").unwrap();
        // The clock has run out before anything began.
        let stop = AtomicBool::new(true);
        let limits = Limits::new(&stop, None);
        let settings = planner::Settings {
            solver: Solver::Qaoa,
            ..planner::Settings::default()
        };
        let mut events = Events::at(0.0);
        let solved = solve(
            &problem,
            &Source::default(),
            &settings,
            &limits,
            &mut events,
        );
        let solved = solved.unwrap_or_else(|failures| panic!("{failures}"));
        assert!(solved.plan.plan().cost.is_some());
        assert!(!solved.failures.is_empty());
    }

    #[test]
    fn the_baseline_has_some_time_beyond_the_limit_and_no_more() {
        let problem = problem::read(TEXT.as_bytes(), "one.yaml").unwrap();
        let problem = problem::resolve(problem, Catalogue::built_in(), "one.yaml").unwrap();
        let never = AtomicBool::new(false);
        let solved = |seconds_left: &(dyn Fn() -> f64 + Sync)| {
            let limits = Limits {
                clock: Some(Clock(seconds_left)),
                ..Limits::new(&never, None)
            };
            let (settings, mut events) = (planner::Settings::default(), Events::at(0.0));
            solve(
                &problem,
                &Source::default(),
                &settings,
                &limits,
                &mut events,
            )
        };
        let found = solved(&|| 0.0).unwrap_or_else(|failures| panic!("{failures}"));
        assert_eq!(found.plan.plan().provenance.solver, "baseline");
        // So late that the overtime is over, too.
        let began = AtomicBool::new(false);
        let late = || {
            if began.swap(true, Ordering::Relaxed) {
                -60.0
            } else {
                100.0
            }
        };
        let failures = solved(&late).err().unwrap_or_default();
        assert!(
            failures.contains("the solver baseline found no plan"),
            "{failures}"
        );
    }
}
