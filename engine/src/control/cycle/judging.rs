//! From a plan to a decision.

use super::{Cycle, Decided};
use crate::control::event::EventKind;
use crate::control::judge::{Verdict, judge};
use crate::control::material::Basis;
use crate::control::quiet;
use crate::control::state::InForce;
use crate::fleet;
use crate::plan::{Action, Status};
use crate::planner;
use crate::verify::{self, VerifiedPlan};

impl Cycle<'_, '_> {
    /// Judges a plan and publishes what passes.
    pub(super) fn decide(
        &mut self,
        plan: &VerifiedPlan,
        basis: Option<&Basis>,
        age_seconds: Option<f64>,
    ) -> Decided {
        let found = plan.plan();
        if found.cost.is_none() {
            let reasons = found.reasons.join("; ");
            let rule = format!("{}: {reasons}; the last plan is held", found.decision.rule);
            self.events.tell(EventKind::NothingFeasible, &rule);
            return self.told(plan, Action::Hold, rule, age_seconds);
        }
        if found.status == Status::Relaxed {
            let given_up: Vec<&str> = found.relaxed.iter().map(|r| r.as_str()).collect();
            self.events.tell(
                EventKind::Relaxed,
                format!("given up: {}", given_up.join(", ")),
            );
        }
        match self.verdict(plan, basis) {
            Verdict::Hold(rule) => {
                self.events.tell(EventKind::HeldBack, &rule);
                self.told(plan, Action::Hold, rule, age_seconds)
            }
            Verdict::Whole(rule) => self.publish(plan, Action::Publish, rule, age_seconds),
            Verdict::Part(placement, rule) => {
                let decision = self.decision(plan, Action::Publish, &rule, age_seconds);
                match planner::partial(plan, &placement, decision, &self.remarks) {
                    Ok(part) => self.in_force(part, Action::Publish, rule, age_seconds),
                    Err(refusal) => self.without_part(plan, &rule, &refusal, age_seconds),
                }
            }
        }
    }

    /// A part of a plan is none by itself: all of it where the objective needs something, else nothing.
    fn without_part(
        &mut self,
        plan: &VerifiedPlan,
        rule: &str,
        refusal: &str,
        age_seconds: Option<f64>,
    ) -> Decided {
        let needed = self.groups.iter().any(|group| group.needed);
        let rule = format!("{rule}; but a part alone is no plan: {refusal}");
        self.groups
            .iter_mut()
            .for_each(|group| group.taken = needed);
        if needed {
            self.publish(plan, Action::Publish, rule, age_seconds)
        } else {
            self.told(plan, Action::Hold, rule, age_seconds)
        }
    }

    fn verdict(&mut self, plan: &VerifiedPlan, basis: Option<&Basis>) -> Verdict {
        let found = plan.plan();
        let compiled = fleet::compile(found.problem.clone(), &found.relaxed);
        let placed = compiled.ok().and_then(|fleet| {
            let placement = verify::placement(&fleet, &found.nodes).ok()?;
            Some((fleet, placement))
        });
        // Never so: the plan was verified.
        let Some((fleet, placement)) = placed else {
            return Verdict::Hold("the plan's packing cannot be read".to_owned());
        };
        if !fleet.has_current {
            return self.without_current(plan, basis);
        }
        let restraint = self.restraint();
        let (verdict, groups) = judge(
            &fleet,
            &placement,
            &self.settings.judge,
            restraint.as_deref(),
        );
        self.groups = groups;
        verdict
    }

    /// Without knowing what runs, a plan differs from the last one or it does not.
    fn without_current(&self, plan: &VerifiedPlan, basis: Option<&Basis>) -> Verdict {
        let Some(in_force) = &self.state.in_force else {
            return Verdict::Whole("the first plan".to_owned());
        };
        let next = InForce::of(plan.plan(), self.now_seconds);
        if next.replicas == in_force.replicas && next.nodes == in_force.nodes {
            return Verdict::Hold("the plan in force is what is planned".to_owned());
        }
        let same_load = self
            .state
            .basis
            .as_ref()
            .zip(basis)
            .is_some_and(|(last, now)| last.has_loads_of(now));
        match self.restraint() {
            Some(restraint) if same_load => Verdict::Hold(format!("changes wait: {restraint}")),
            _ => Verdict::Whole("the plan differs from the one in force".to_owned()),
        }
    }

    /// Why nothing but what the objective needs may change now.
    fn restraint(&self) -> Option<String> {
        if let Some(until) = quiet::quiet_until(&self.settings.quiet_hours, self.now_seconds) {
            return Some(format!(
                "quiet hours for another {:.0} s",
                until - self.now_seconds
            ));
        }
        let left = self.cooldown_until_seconds()? - self.now_seconds;
        (left > 0.0).then(|| format!("cooldown for another {left:.0} s after the last plan"))
    }

    fn cooldown_until_seconds(&self) -> Option<f64> {
        let published = self.state.in_force.as_ref()?.published_at_seconds;
        Some(published + self.settings.judge.cooldown_seconds)
    }

    /// When to plan again in any case: once what is published now is carried out, or when what is restrained now is free.
    pub(super) fn retry_at_seconds(&self) -> Option<f64> {
        let published = self
            .state
            .in_force
            .as_ref()
            .map(|plan| plan.published_at_seconds);
        if published == Some(self.now_seconds) {
            let wait = self
                .settings
                .replan_seconds
                .max(self.settings.judge.cooldown_seconds);
            return Some(self.now_seconds + wait);
        }
        let quiet = quiet::quiet_until(&self.settings.quiet_hours, self.now_seconds);
        let cooldown = self
            .cooldown_until_seconds()
            .filter(|until| *until > self.now_seconds);
        let ends = [quiet, cooldown];
        let next = ends.into_iter().flatten().reduce(f64::max);
        next.filter(|_| {
            self.groups
                .iter()
                .any(|group| !group.taken && group.savings_usd_per_hour > 0.0)
        })
    }
}
