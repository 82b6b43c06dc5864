//! What a cycle does without a good observation.

use super::{Cycle, Decided};
use crate::control::belief::Doubt;
use crate::control::event::EventKind;
use crate::control::state::Failing;
use crate::control::{safe, solve};
use crate::plan::Action;
use crate::planner::Source;

impl Cycle<'_, '_> {
    /// Nothing was believed: the last good plan is held; after a while the safe replicas are published.
    pub(super) fn do_without(&mut self, doubt: &Doubt) -> Decided {
        self.events.tell(doubt.kind, &doubt.message);
        let since = self.state.good_at_seconds();
        let failing = self.state.failing.get_or_insert(Failing {
            since_seconds: self.now_seconds,
            fell_back: false,
        });
        let age = (self.now_seconds - since.unwrap_or(failing.since_seconds)).max(0.0);
        let fell_back = failing.fell_back;
        let after = self.settings.fallback.after_seconds;
        let message = &doubt.message;
        if fell_back {
            return self.hold(
                format!(
                    "{message}; the safe replicas are held, the last good data are {age:.0} s old"
                ),
                Some(age),
            );
        }
        if age < after {
            let rule = format!(
                "{message}; the last good plan is held, its data are {age:.0} s old; safe replicas after {after:.0} s"
            );
            return self.hold(rule, Some(age));
        }
        self.fall_back(message, age)
    }

    fn fall_back(&mut self, message: &str, age: f64) -> Decided {
        let rule = format!("{message}; no good data for {age:.0} s: safe replicas");
        let Some(problem) = safe::problem(&self.state, &self.settings.fallback) else {
            return self.hold(format!("{message}; nothing good was ever seen"), None);
        };
        self.planned = true;
        let source = Source {
            age_seconds: Some(age),
            ..Source::default()
        };
        let limits = self.context.limits;
        let solved = solve::solve(
            &problem,
            &source,
            &self.context.planner,
            limits,
            &mut self.events,
        );
        let plan = match solved {
            Ok(solved) if solved.plan.plan().cost.is_some() => solved.plan,
            Ok(_) => {
                return self.hold(
                    format!("{rule}, but nothing is feasible; the last plan is held"),
                    Some(age),
                );
            }
            Err(failures) => {
                return self.hold(
                    format!("{rule}, but {failures}; the last plan is held"),
                    Some(age),
                );
            }
        };
        self.events.tell(EventKind::FellBack, &rule);
        if let Some(failing) = &mut self.state.failing {
            failing.fell_back = true;
        }
        for service in &problem.services {
            if let (Some(memory), Some(load)) =
                (self.state.services.get_mut(&service.name), &service.load)
            {
                memory.planned_rps = Some(load.rps);
            }
        }
        self.state.basis = None;
        self.publish(&plan, Action::Fallback, rule, Some(age))
    }
}
