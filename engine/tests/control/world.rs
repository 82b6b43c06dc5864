//! A small fleet that does what it is told at once, and the loop that follows it.

use std::sync::atomic::AtomicBool;

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::control::{Context, Observation, Outcome, Settings, State, step};
use ketscale_engine::forecast::Forecaster;
use ketscale_engine::plan::{Action, Gap, Plan};
use ketscale_engine::planner::{self, Limits, Solver};
use ketscale_engine::problem::{self, Current, CurrentNode, Load, ProblemFile};
use ketscale_engine::series::Series;
use ketscale_engine::snapshot::Snapshot;

use crate::random_problem::Draw;

/// Two services on two pools of one zone; nothing runs yet.
const PROBLEM: &str = "
schema: ketscale.problem/v1
name: small
clusters: [{name: c, provider: other, region: r}]
services:
- name: shop/cart
  clusters: {c: {min: 1, max: 60}}
  requests: {cpu: 500m, memory: 256Mi}
  load: {rps: 400}
  capacity: {cpu_per_rps: 10m}
  disruption: {max_unavailable: 50, usd_per_eviction: 0.0001}
  ready_seconds: 10
- name: shop/ads
  clusters: {c: {min: 1, max: 60}}
  requests: {cpu: 500m, memory: 256Mi}
  load: {rps: 200}
  capacity: {cpu_per_rps: 10m}
  disruption: {max_unavailable: 50, usd_per_eviction: 0.0001}
pools:
- name: general
  cluster: c
  startup_seconds: 60
  offerings:
  - {instance_type: four, zone: z, capacity_type: on-demand, usd_per_hour: 0.2, allocatable: {cpu: 4, memory: 16Gi, pods: 50}}
  - {instance_type: two, zone: z, capacity_type: on-demand, usd_per_hour: 0.11, allocatable: {cpu: 2, memory: 8Gi, pods: 50}}
current: {nodes: []}
";

/// When every world begins: Saturday, 28 November 2026, 00:00 UTC.
pub const START: f64 = 1_795_824_000.0;

/// Seconds from one cycle to the next.
pub const CYCLE: f64 = 60.0;

/// A fleet, the loop's state and the clock.
pub struct World {
    pub problem: ProblemFile,
    pub settings: Settings,
    pub state: State,
    pub now: f64,
    pub draw: Draw,
    pub solver: Solver,
    /// Published and fallback plans so far, with their times.
    pub published: Vec<(f64, Plan)>,
    forecaster: Forecaster,
    named: u32,
}

impl World {
    /// A fleet without nodes at the beginning of time.
    pub fn new() -> Self {
        Self {
            problem: problem::read(PROBLEM.as_bytes(), "small.yaml").unwrap(),
            settings: Settings::default(),
            state: State::default(),
            now: START,
            draw: Draw::new(7),
            solver: Solver::Exact,
            published: Vec::new(),
            forecaster: Forecaster::default(),
            named: 0,
        }
    }

    /// A fleet that runs what its load needs, after a steady day and some cycles.
    pub fn settled() -> Self {
        let mut world = Self::with_noisy_past(0.0);
        for _ in 0..20 {
            world.cycle(&[400.0, 200.0]);
        }
        world.published.clear();
        world
    }

    /// A fleet without nodes whose loads of the last day are known, with noise.
    pub fn with_noisy_past(deviation: f64) -> Self {
        let mut world = Self::new();
        let mut past = |mean: f64| Series {
            start_seconds: START - 86_400.0,
            step_seconds: 300.0,
            values: (0..288)
                .map(|_| Some(world.noisy(mean, deviation)))
                .collect(),
        };
        let (cart, ads) = (past(400.0), past(200.0));
        let history = [("shop/cart".to_owned(), cart), ("shop/ads".to_owned(), ads)];
        world.state = State::with_history(history.into());
        world
    }

    /// A snapshot of the fleet now under these loads.
    pub fn snapshot(&self, loads: &[f64]) -> Snapshot {
        let mut problem = self.problem.clone();
        for (service, rps) in problem.services.iter_mut().zip(loads) {
            service.load = Some(Load { rps: *rps });
        }
        Snapshot::new(self.now, problem, planner::Source::default())
    }

    /// A snapshot in which the load of some services could not be read.
    pub fn with_gaps(&self, loads: &[f64], missing: &[&str]) -> Snapshot {
        let mut snapshot = self.snapshot(loads);
        snapshot.gaps = (missing.iter())
            .map(|path| Gap {
                path: (*path).to_owned(),
                query: "q".to_owned(),
                reason: "missing".to_owned(),
            })
            .collect();
        snapshot
    }

    /// One cycle with a good snapshot; the clock then moves on.
    pub fn cycle(&mut self, loads: &[f64]) -> Outcome {
        let snapshot = self.snapshot(loads);
        self.observe(Ok(snapshot))
    }

    /// One cycle; what is published is carried out at once, and the clock then moves on.
    pub fn observe(&mut self, observation: Observation) -> Outcome {
        let stop = AtomicBool::new(false);
        let limits = Limits::new(&stop, None);
        let planner = planner::Settings {
            solver: self.solver,
            most_leaves: 1,
            most_states: 1 << 8,
            shots: 64,
            packed: 4,
            evaluations: 2,
            depth: 1,
            ..planner::Settings::default()
        };
        let mut context = Context {
            catalogue: Catalogue::built_in(),
            planner,
            limits: &limits,
            forecaster: &mut self.forecaster,
        };
        let state = std::mem::take(&mut self.state);
        let (state, outcome) = step(state, observation, self.now, &self.settings, &mut context);
        self.state = state;
        if outcome.decision.action != Action::Hold {
            let plan = outcome
                .plan
                .as_ref()
                .expect("a published plan is there")
                .plan()
                .clone();
            self.carry_out(&plan);
            self.published.push((self.now, plan));
        }
        self.now += CYCLE;
        outcome
    }

    fn carry_out(&mut self, plan: &Plan) {
        let mut nodes = Vec::new();
        for group in &plan.nodes {
            for index in 0..group.count {
                let existing = group.names.get(index as usize).cloned();
                let name = existing.unwrap_or_else(|| {
                    self.named += 1;
                    format!("n{}", self.named)
                });
                nodes.push(CurrentNode {
                    name,
                    pool: group.pool.clone(),
                    offering: group.offering.clone(),
                    pods: group.pods.clone(),
                    foreign: Default::default(),
                    cordoned: false,
                    movable: true,
                    reason: None,
                });
            }
        }
        self.problem.current = Some(Current { nodes });
    }

    /// Replicas of a service on the nodes.
    pub fn replicas(&self, service: &str) -> u32 {
        let nodes = self
            .problem
            .current
            .iter()
            .flat_map(|current| &current.nodes);
        nodes.filter_map(|node| node.pods.get(service)).sum()
    }

    /// A load with normally distributed noise of a relative standard deviation (Box and Muller 1958).
    pub fn noisy(&mut self, mean: f64, deviation: f64) -> f64 {
        let (u, v) = (1.0 - self.draw.unit(), self.draw.unit());
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
        (mean * (1.0 + deviation * normal)).max(0.0)
    }
}
