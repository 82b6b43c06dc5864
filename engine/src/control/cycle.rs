//! One cycle, step by step.

use std::collections::BTreeMap;

use super::belief::{Doubt, Sample};
use super::event::{EventKind, Events};
use super::intake::{self, Taken};
use super::judge::{Verdict, judge};
use super::material::{Basis, Difference};
use super::outlook::{Times, outlook};
use super::rules::PastChange;
use super::state::{Failing, Good, InForce};
use super::{
    Context, GroupVerdict, Observation, Outcome, ServiceDemand, Settings, State, capacity, demand,
    pace, quiet, safe, solve,
};
use crate::fleet;
use crate::plan::{Action, Decision, Status};
use crate::planner::{self, Source};
use crate::problem::{self, Mode, ProblemFile};
use crate::series::Series;
use crate::verify::{self, VerifiedPlan};

/// A cycle under way.
pub(super) struct Cycle<'a, 'c> {
    state: State,
    now_seconds: f64,
    settings: &'a Settings,
    context: &'a mut Context<'c>,
    events: Events,
    demand: BTreeMap<String, ServiceDemand>,
    held: BTreeMap<String, String>,
    planned: bool,
    groups: Vec<GroupVerdict>,
    /// Sentences that every plan of this cycle gets as reasons.
    reasons: Vec<String>,
}

/// What a cycle decides.
struct Decided {
    plan: Option<VerifiedPlan>,
    decision: Decision,
}

/// What is planned from.
struct Question {
    problem: ProblemFile,
    source: Source,
    basis: Option<Basis>,
}

impl<'a, 'c> Cycle<'a, 'c> {
    pub(super) fn new(
        state: State,
        now_seconds: f64,
        settings: &'a Settings,
        context: &'a mut Context<'c>,
    ) -> Self {
        Self {
            state,
            now_seconds,
            settings,
            context,
            events: Events::at(now_seconds),
            demand: BTreeMap::new(),
            held: BTreeMap::new(),
            planned: false,
            groups: Vec::new(),
            reasons: Vec::new(),
        }
    }

    pub(super) fn run(mut self, observation: Observation) -> (State, Outcome) {
        let decided = match self.believe(observation) {
            Ok(taken) => self.follow(taken),
            Err(doubt) => self.do_without(&doubt),
        };
        let before = self.state.stepped_at_seconds.unwrap_or(f64::NEG_INFINITY);
        self.state.stepped_at_seconds = Some(before.max(self.now_seconds));
        let planned = self
            .state
            .in_force
            .as_ref()
            .map(|plan| plan.nodes_usd_per_hour);
        let spend = self
            .state
            .spend
            .report(self.now_seconds, planned, &self.settings.spend);
        let outcome = Outcome {
            plan: decided.plan,
            decision: decided.decision,
            planned: self.planned,
            groups: self.groups,
            demand: self.demand,
            held: self.held,
            events: self.events.into_new(&mut self.state.told),
            spend,
        };
        (self.state, outcome)
    }

    /// The observation as a complete problem, once time and readings are believed.
    fn believe(&mut self, observation: Observation) -> Result<Taken, Doubt> {
        if let Some(last) = self
            .state
            .stepped_at_seconds
            .filter(|last| self.now_seconds < *last)
        {
            let message = format!(
                "clock skew: the clock went back by {:.0} s",
                last - self.now_seconds
            );
            return Err(Doubt::new(EventKind::ClockSkew, message));
        }
        let mut taken = intake::take(
            &mut self.state,
            observation,
            self.now_seconds,
            self.settings,
            &mut self.events,
        )?;
        let completed = problem::resolve(taken.problem, self.context.catalogue, "snapshot");
        taken.problem = completed.map_err(|errors| {
            let first = errors
                .issues
                .first()
                .map_or(String::new(), ToString::to_string);
            let message = format!(
                "the snapshot's problem has {} mistakes, such as {first}",
                errors.issues.len()
            );
            Doubt::new(EventKind::Invalid, message)
        })?;
        if let Some(failing) = self.state.failing.take() {
            let seconds = self.now_seconds - failing.since_seconds;
            self.events.tell(
                EventKind::Recovered,
                format!("good snapshots are back after {seconds:.0} s"),
            );
        }
        self.state.good = Some(Good {
            taken_at_seconds: taken.taken_at_seconds,
            problem: taken.problem.clone(),
        });
        Ok(taken)
    }

    /// From a good problem to a decision.
    fn follow(&mut self, taken: Taken) -> Decided {
        let age_seconds = taken.source.age_seconds;
        let alerts =
            self.state
                .spend
                .accrue(&taken.problem, self.now_seconds, &self.settings.spend);
        for alert in alerts {
            self.events.tell(EventKind::Budget, alert);
        }
        let question = self.question(taken);
        if let Some(rule) = self.nothing_new(&question) {
            return self.hold(rule, age_seconds);
        }
        self.planned = true;
        let solved = match self.solve(&question) {
            Ok(plan) => plan,
            Err(failures) => {
                let rule = format!("no plan could be made: {failures}; the last one is held");
                return self.hold(rule, age_seconds);
            }
        };
        let decided = self.decide(&solved, question.basis.as_ref(), age_seconds);
        self.state.basis = question.basis.map(|mut basis| {
            basis.retry_at_seconds = self.retry_at_seconds();
            basis.rule.clone_from(&decided.decision.rule);
            basis
        });
        decided
    }

    /// The problem to plan: demands as loads, refused capacity and scaling policies as bounds, held services observed.
    fn question(&mut self, taken: Taken) -> Question {
        let mut problem = taken.problem;
        self.held = taken.held;
        self.set_demand(&mut problem, &taken.loads, taken.taken_at_seconds);
        for service in &mut problem.services {
            if self.held.contains_key(&service.name) {
                service.mode = Mode::Observe;
            }
        }
        for (service, reason) in &self.held {
            self.reasons
                .push(format!("{service} is held as it is: {reason}"));
        }
        let (now, settings) = (self.now_seconds, self.settings);
        let avoided = capacity::limit(&mut self.state, &mut problem, now, &settings.capacity);
        self.reasons.extend(avoided);
        let mut source = taken.source;
        source.age_seconds = source
            .age_seconds
            .or(Some((now - taken.taken_at_seconds).max(0.0)));
        pace::limit(&self.state, &mut problem, now, settings, &mut self.events);
        Question {
            basis: Basis::of(&problem, now, settings.demand.tolerance),
            problem,
            source,
        }
    }

    /// Sets the load of every service to what it is planned for.
    fn set_demand(
        &mut self,
        problem: &mut ProblemFile,
        loads: &BTreeMap<String, f64>,
        at_seconds: f64,
    ) {
        let leads: BTreeMap<String, f64> = (problem.services.iter())
            .map(|service| (service.name.clone(), demand::lead_seconds(problem, service)))
            .collect();
        let known = |name: &String| leads.contains_key(name);
        self.state.services.retain(|name, _| known(name));
        self.state.history.retain(|name, _| known(name));
        self.context
            .forecaster
            .retain(|name| leads.contains_key(name));
        for service in &mut problem.services {
            let Some(reading_rps) = loads.get(&service.name).copied() else {
                continue;
            };
            let lead_seconds = leads.get(&service.name).copied().unwrap_or(0.0);
            let demand = self.service_demand(&service.name, reading_rps, lead_seconds, at_seconds);
            observed_at(service, reading_rps, demand.planned_rps);
            if let Some(load) = &mut service.load {
                load.rps = demand.planned_rps;
            }
            self.demand.insert(service.name.clone(), demand);
        }
    }

    fn service_demand(
        &mut self,
        name: &str,
        reading_rps: f64,
        lead_seconds: f64,
        at_seconds: f64,
    ) -> ServiceDemand {
        let settings = self.settings;
        let memory = self.state.services.entry(name.to_owned()).or_default();
        let history = self
            .state
            .history
            .entry(name.to_owned())
            .or_insert_with(|| Series {
                start_seconds: at_seconds,
                step_seconds: settings.demand.history_step_seconds,
                values: Vec::new(),
            });
        let is_new = memory
            .belief
            .good
            .is_some_and(|good| good.at_seconds >= at_seconds);
        if is_new {
            memory.record(
                Sample {
                    at_seconds,
                    rps: reading_rps,
                },
                history,
                settings,
            );
        }
        let times = Times {
            now_seconds: self.now_seconds,
            lead_seconds,
            horizon_seconds: settings.demand.horizon_seconds,
        };
        let (outlook, method) = outlook(
            self.context.forecaster,
            name,
            history,
            reading_rps,
            times,
            &settings.forecast,
        );
        let recommended = memory.plan_for(outlook, self.now_seconds, settings);
        ServiceDemand {
            reading_rps,
            up_rps: recommended.up_rps,
            down_rps: recommended.down_rps,
            planned_rps: memory.planned_rps.unwrap_or(reading_rps),
            lead_seconds,
            method,
        }
    }

    /// Why planning would give nothing new, if it would not.
    fn nothing_new(&mut self, question: &Question) -> Option<String> {
        let basis = self.state.basis.as_ref()?;
        let later = question.basis.as_ref()?;
        let now = self.now_seconds;
        if basis.retry_at_seconds.is_some_and(|at| now >= at) {
            return None;
        }
        let age = now - basis.at_seconds;
        let rule = &basis.rule;
        match basis.difference(later, self.settings.demand.tolerance) {
            Difference::Material(_) => None,
            Difference::None => Some(format!(
                "held: nothing changed since the plan of {age:.0} s ago ({rule})"
            )),
            Difference::Within(_) if age >= self.settings.replan_seconds => None,
            Difference::Within(largest) => Some(format!(
                "held: nothing material changed since the plan of {age:.0} s ago, figures by {:.1} % at most ({rule})",
                100.0 * largest
            )),
            Difference::Standing => self.under_way(&question.problem, later),
        }
    }

    /// Whether what runs differs from the last time only because the published plan is being carried out, or has been.
    fn under_way(&mut self, problem: &ProblemFile, later: &Basis) -> Option<String> {
        let in_force = self.state.in_force.as_ref()?;
        let age = self.now_seconds - in_force.published_at_seconds;
        if in_force.is_reached(problem) {
            let basis = self.state.basis.as_mut()?;
            basis.standing.clone_from(&later.standing);
            return Some(format!(
                "held: the plan of {age:.0} s ago is carried out, and nothing else changed"
            ));
        }
        let due = self.now_seconds < in_force.due_at_seconds;
        due.then(|| format!("held: the plan of {age:.0} s ago is being carried out"))
    }

    /// A plan whose changes the acting controller carries out.
    fn solve(&mut self, question: &Question) -> Result<VerifiedPlan, String> {
        let mut problem = question.problem.clone();
        // Each round pins counts or moves bounds up, so that few suffice; what is still swallowed then is told.
        for round in 0..3 {
            let solved = solve::solve(
                &problem,
                &question.source,
                &self.context.planner,
                self.context.limits,
                &mut self.events,
            )?;
            self.reasons.extend(solved.failures);
            let swallowed =
                pace::undo_swallowed(&mut problem, solved.plan.plan(), self.settings.acting);
            if !swallowed || solved.plan.plan().cost.is_none() {
                return Ok(solved.plan);
            }
            if round == 2 {
                self.reasons.push(
                    "some changes of replicas are within the acting controller's tolerance"
                        .to_owned(),
                );
                return Ok(solved.plan);
            }
        }
        Err("no round was tried".to_owned())
    }

    /// Judges a plan and publishes what passes.
    fn decide(
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
                let reasons = std::mem::take(&mut self.reasons);
                let decision = self.decision(plan, Action::Publish, &rule, age_seconds);
                match planner::partial(plan, &placement, decision, reasons.clone()) {
                    Ok(part) => self.in_force(part, Action::Publish, rule, age_seconds),
                    Err(refusal) => {
                        self.reasons = reasons;
                        self.without_part(plan, &rule, &refusal, age_seconds)
                    }
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
    fn retry_at_seconds(&self) -> Option<f64> {
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

    /// Nothing was believed: the last good plan is held; after a while the safe replicas are published.
    fn do_without(&mut self, doubt: &Doubt) -> Decided {
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

    /// Nothing is published and nothing was planned.
    fn hold(&self, rule: String, age_seconds: Option<f64>) -> Decided {
        Decided {
            plan: None,
            decision: Decision {
                action: Action::Hold,
                rule,
                age_seconds,
            },
        }
    }

    fn publish(
        &mut self,
        plan: &VerifiedPlan,
        action: Action,
        rule: String,
        age_seconds: Option<f64>,
    ) -> Decided {
        let decision = self.decision(plan, action, &rule, age_seconds);
        match planner::decided(plan, decision, std::mem::take(&mut self.reasons)) {
            Ok(plan) => self.in_force(plan, action, rule, age_seconds),
            Err(refusal) => self.hold(
                format!("{rule}; but verify refuses the plan: {refusal}"),
                age_seconds,
            ),
        }
    }

    /// A plan that is not published, with its decision in it.
    fn told(
        &mut self,
        plan: &VerifiedPlan,
        action: Action,
        rule: String,
        age_seconds: Option<f64>,
    ) -> Decided {
        let decision = self.decision(plan, action, &rule, age_seconds);
        let plan = planner::decided(plan, decision, std::mem::take(&mut self.reasons)).ok();
        Decided {
            plan,
            ..self.hold(rule, age_seconds)
        }
    }

    /// The decision as the plan file states it: made-up numbers never reach a controller.
    fn decision(
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
    fn in_force(
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

/// Carries an observed p95 over from the load it was observed at to the load that is planned for, so that the queue model's waiting part
/// is shifted by what it was off then. Where the queue would not be stable at that load now, nothing was observed of it.
fn observed_at(service: &mut problem::Service, reading_rps: f64, planned_rps: f64) {
    let now: Option<u32> = service.clusters.values().map(|bounds| bounds.now).sum();
    let (Some(slo), Some(capacity), Some(now)) = (&mut service.slo, &service.capacity, now) else {
        return;
    };
    let (Some(observed_ms), Some(service_time_ms)) =
        (slo.observed_p95_ms, capacity.service_time_ms)
    else {
        return;
    };
    let p95_ms = |rps: f64| {
        let queue = fleet::latency::Queue {
            arrivals_per_second: rps,
            service_per_second: 1000.0 / service_time_ms,
            servers: f64::from(now) * f64::from(capacity.concurrency),
        };
        Some(queue.p95_seconds()? * 1000.0)
    };
    let carried = p95_ms(planned_rps).zip(p95_ms(reading_rps));
    let carried = carried.map(|(planned, reading)| observed_ms + planned - reading);
    slo.observed_p95_ms = carried.filter(|ms| ms.is_finite() && *ms > 0.0);
}
