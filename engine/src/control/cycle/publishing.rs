//! How a decision gets into a plan and into the state.

use super::{Cycle, Decided};
use crate::control::event::EventKind;
use crate::control::rules::PastChange;
use crate::control::state::InForce;
use crate::plan::{Action, Decision};
use crate::planner;
use crate::verify::VerifiedPlan;

impl Cycle<'_, '_> {
    pub(super) fn publish(
        &mut self,
        plan: &VerifiedPlan,
        action: Action,
        rule: String,
        age_seconds: Option<f64>,
    ) -> Decided {
        let decision = self.decision(plan, action, &rule, age_seconds);
        match planner::decided(plan, decision, &self.remarks) {
            Ok(plan) => self.in_force(plan, action, rule, age_seconds),
            Err(refusal) => self.hold(
                format!("{rule}; but verify refuses the plan: {refusal}"),
                age_seconds,
            ),
        }
    }

    /// A plan that is not published, with its decision in it.
    pub(super) fn told(
        &mut self,
        plan: &VerifiedPlan,
        action: Action,
        rule: String,
        age_seconds: Option<f64>,
    ) -> Decided {
        let decision = self.decision(plan, action, &rule, age_seconds);
        let plan = planner::decided(plan, decision, &self.remarks).ok();
        Decided {
            plan,
            ..self.hold(rule, age_seconds)
        }
    }

    /// The decision as the plan file states it: made-up numbers never reach a controller.
    pub(super) fn decision(
        &self,
        plan: &VerifiedPlan,
        action: Action,
        rule: &str,
        age_seconds: Option<f64>,
    ) -> Decision {
        let synthetic = plan.plan().problem.synthetic;
        Decision {
            action: if synthetic { Action::Hold } else { action },
            rule: if synthetic {
                format!("the problem is synthetic; otherwise: {rule}")
            } else {
                rule.to_owned()
            },
            age_seconds,
        }
    }

    /// Takes note of a plan that is published now.
    pub(super) fn in_force(
        &mut self,
        plan: VerifiedPlan,
        action: Action,
        rule: String,
        age_seconds: Option<f64>,
    ) -> Decided {
        let longest = self
            .settings
            .scale_up
            .longest_period_seconds()
            .max(self.settings.scale_down.longest_period_seconds());
        for service in &plan.plan().services {
            let Some(memory) = self.state.services.get_mut(&service.name) else {
                continue;
            };
            for (cluster, planned) in &service.replicas {
                let now = service
                    .replicas_now
                    .get(cluster)
                    .copied()
                    .unwrap_or(*planned);
                let changes = memory.changes.entry(cluster.clone()).or_default();
                changes.retain(|change| change.at_seconds > self.now_seconds - longest);
                if now != *planned && longest > 0.0 {
                    changes.push(PastChange {
                        at_seconds: self.now_seconds,
                        change: i64::from(*planned) - i64::from(now),
                    });
                }
            }
        }
        let mut in_force = InForce::of(plan.plan(), self.now_seconds);
        in_force.action = action;
        self.state.in_force = Some(in_force);
        if action == Action::Publish {
            self.events.tell(EventKind::Published, &rule);
        }
        Decided {
            plan: Some(plan),
            decision: Decision {
                action,
                rule,
                age_seconds,
            },
        }
    }
}
