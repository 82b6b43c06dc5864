//! Ketscale's control loop over the world.
//!
//! Each cycle sees the world as it is at that time, with the loads of the step under way, and what the loop publishes is carried out as it
//! stands: nodes are ordered, pods move when theirs are ready.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use super::Settings;
use super::world::World;
use crate::catalogue::Catalogue;
use crate::control::{self, Context, State};
use crate::fleet::Fleet;
use crate::forecast::Forecaster;
use crate::limits::Limits;
use crate::plan::{Action, Plan, Reading};
use crate::planner::Source;
use crate::snapshot::Snapshot;

/// The loop, from one cycle to the next.
pub(super) struct Ketscale<'a> {
    settings: &'a Settings,
    state: State,
    forecaster: Forecaster,
    /// Plans carried out so far.
    pub(super) plans_published: u64,
}

impl<'a> Ketscale<'a> {
    /// A loop that knows nothing of the past.
    pub(super) fn new(settings: &'a Settings) -> Self {
        Self {
            settings,
            state: State::default(),
            forecaster: Forecaster::default(),
            plans_published: 0,
        }
    }

    /// One cycle.
    pub(super) fn act(&mut self, world: &mut World) {
        let now = world.now_seconds;
        let snapshot = Snapshot::new(now, world.problem(), source(world));
        let stop = AtomicBool::new(false);
        let limits = Limits::new(&stop, Some(self.settings.work_limit));
        let mut context = Context {
            // The problem is complete, so nothing is looked up.
            catalogue: Catalogue::built_in(),
            planner: self.settings.planner,
            limits: &limits,
            forecaster: &mut self.forecaster,
        };
        let state = std::mem::take(&mut self.state);
        let settings = &self.settings.control;
        let (state, outcome) = control::step(state, Ok(snapshot), now, settings, &mut context);
        self.state = state;
        let is_hold = outcome.decision.action == Action::Hold;
        if let Some(plan) = outcome.plan.filter(|_| !is_hold) {
            self.plans_published += 1;
            world.carry_out(&plan.plan().nodes, replicas(world.fleet, plan.plan()));
        }
    }
}

/// Where the loads of a snapshot come from.
fn source(world: &World) -> Source {
    let services = world.fleet.problem.services.iter().enumerate();
    let readings = services.filter_map(|(s, service)| {
        service.load.as_ref()?;
        Some(Reading {
            path: format!("services.{}.load.rps", service.name),
            value: world.rps(s),
            query: "replay".to_owned(),
            timestamp: world.now_seconds,
        })
    });
    Source {
        readings: readings.collect(),
        gaps: Vec::new(),
        age_seconds: Some(0.0),
    }
}

/// Planned replicas by service and cluster.
fn replicas(fleet: &Fleet, plan: &Plan) -> Vec<Vec<u32>> {
    let clusters: BTreeMap<&str, usize> = (fleet.problem.clusters.iter().enumerate())
        .map(|(index, cluster)| (cluster.name.as_str(), index))
        .collect();
    let of_service = |service: &crate::plan::ServicePlan| {
        let mut replicas = vec![0; clusters.len()];
        for (name, count) in &service.replicas {
            if let Some(slot) = clusters
                .get(name.as_str())
                .and_then(|c| replicas.get_mut(*c))
            {
                *slot = *count;
            }
        }
        replicas
    };
    plan.services.iter().map(of_service).collect()
}
