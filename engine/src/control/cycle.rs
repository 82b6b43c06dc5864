//! One cycle, step by step.

mod failing;
mod judging;
mod publishing;

use std::collections::BTreeMap;

use super::belief::{Doubt, Sample};
use super::event::{EventKind, Events};
use super::intake::{self, Taken};
use super::material::{Basis, Difference};
use super::outlook::{Times, outlook};
use super::state::Good;
use super::{
    Acting, Context, GroupVerdict, Observation, Outcome, ServiceDemand, Settings, State, capacity,
    demand, pace, solve,
};
use crate::fleet;
use crate::forecast::Forecast;
use crate::limits::{Clock, Limits};
use crate::plan::{Action, Decision};
use crate::planner::{Remarks, Source};
use crate::problem::{self, Mode, ProblemFile};
use crate::series::Series;
use crate::verify::VerifiedPlan;
use crate::warning;

/// Rounds of planning in a cycle: the share of the seconds left then that each leaves to those after it. Only where the acting controller
/// swallows changes is there a second one.
const LATER_ROUNDS: &[f64] = &[0.4, 0.4, 0.0];
const ONE_ROUND: &[f64] = &[0.0];

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
    /// What every plan of this cycle says.
    remarks: Remarks,
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
            remarks: Remarks::default(),
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
            warnings: self.remarks.warnings,
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
        let measured = self.now_seconds - taken.taken_at_seconds;
        let age_seconds = taken.source.age_seconds.or(Some(measured.max(0.0)));
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
            self.remarks
                .reasons
                .push(format!("{service} is held as it is: {reason}"));
        }
        let (now, settings) = (self.now_seconds, self.settings);
        let avoided = capacity::limit(&mut self.state, &mut problem, now, &settings.capacity);
        self.remarks.reasons.extend(avoided);
        let limited = pace::limit(&self.state, &mut problem, now, settings, &mut self.events);
        self.remarks.reasons.extend(limited);
        Question {
            basis: Basis::of(&problem, now, settings.demand.tolerance),
            problem,
            source: taken.source,
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
        let mut forecasts = BTreeMap::new();
        for service in &mut problem.services {
            let Some(reading_rps) = loads.get(&service.name).copied() else {
                continue;
            };
            let lead_seconds = leads.get(&service.name).copied().unwrap_or(0.0);
            let (demand, forecast) =
                self.service_demand(&service.name, reading_rps, lead_seconds, at_seconds);
            forecasts.insert(service.name.clone(), forecast);
            observed_at(service, reading_rps, demand.planned_rps);
            if let Some(load) = &mut service.load {
                load.rps = demand.planned_rps;
            }
            self.demand.insert(service.name.clone(), demand);
        }
        let outlook = warning::Outlook {
            problem,
            history: &self.state.history,
            forecasts: &forecasts,
            quantile: self.settings.forecast.quantile,
            now_seconds: self.now_seconds,
        };
        self.remarks.warnings = warning::warnings(&outlook, &self.settings.warning);
    }

    /// The demand of one service, and the forecast behind it.
    fn service_demand(
        &mut self,
        name: &str,
        reading_rps: f64,
        lead_seconds: f64,
        at_seconds: f64,
    ) -> (ServiceDemand, Forecast) {
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
        let (outlook, forecast) = outlook(
            self.context.forecaster,
            name,
            history,
            reading_rps,
            times,
            &settings.forecast,
        );
        let recommended = memory.plan_for(outlook, self.now_seconds, settings);
        let demand = ServiceDemand {
            reading_rps,
            up_rps: recommended.up_rps,
            down_rps: recommended.down_rps,
            planned_rps: memory.planned_rps.unwrap_or(reading_rps),
            lead_seconds,
            method: forecast.method,
        };
        (demand, forecast)
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
        let acting = self.settings.acting;
        let rounds = match acting {
            Acting::Keda => LATER_ROUNDS,
            Acting::Hpa | Acting::Direct => ONE_ROUND,
        };
        for (round, later) in rounds.iter().enumerate() {
            let limits = self.context.limits;
            let on_clock = || limits.seconds_left().unwrap_or(0.0);
            let reserve = later * on_clock().max(0.0);
            let seconds_left = || on_clock() - reserve;
            let solved = solve::solve(
                &problem,
                &question.source,
                &self.context.planner,
                &Limits {
                    clock: limits.clock.map(|_| Clock(&seconds_left)),
                    ..*limits
                },
                &mut self.events,
            )?;
            self.remarks.reasons.extend(solved.failures);
            let swallowed = pace::undo_swallowed(&mut problem, solved.plan.plan(), acting);
            if !swallowed || solved.plan.plan().cost.is_none() {
                return Ok(solved.plan);
            }
            if round + 1 == rounds.len() {
                self.remarks.reasons.push(
                    "some changes of replicas are within the acting controller's tolerance"
                        .to_owned(),
                );
                return Ok(solved.plan);
            }
        }
        Err("no round was tried".to_owned())
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
