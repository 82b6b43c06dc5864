//! The steps taken so far, in the words of the plan file.

use std::collections::BTreeMap;

use super::list_price;
use super::state::State;
use crate::fleet::Fleet;
use crate::plan::{After, Change, Exchange, Step};

/// Pods by node.
pub(super) type Pods = BTreeMap<usize, u32>;

/// The steps taken so far.
pub(super) struct Journal<'a> {
    fleet: &'a Fleet,
    pub(super) steps: Vec<Step>,
}

impl<'a> Journal<'a> {
    pub(super) fn new(fleet: &'a Fleet) -> Self {
        Self {
            fleet,
            steps: Vec::new(),
        }
    }

    /// Nodes of one offering, ready in the given state.
    pub(super) fn nodes_up(&mut self, state: &State<'_>, offering: usize, nodes: &[usize]) {
        let (pool, name) = self.offering(offering);
        let seconds = self.fleet.problem.pools[self.fleet.offerings[offering].pool].startup_seconds;
        let nodes = nodes.iter().map(|n| state.nodes[*n].name.clone()).collect();
        self.push(
            state,
            Change::NodesUp {
                pool,
                offering: name,
                nodes,
            },
            seconds,
        );
    }

    /// Nodes of one offering, gone in the given state.
    pub(super) fn nodes_down(&mut self, state: &State<'_>, offering: usize, nodes: &[usize]) {
        let (pool, name) = self.offering(offering);
        let nodes = nodes.iter().map(|n| state.nodes[*n].name.clone()).collect();
        self.push(
            state,
            Change::NodesDown {
                pool,
                offering: name,
                nodes,
            },
            0.0,
        );
    }

    pub(super) fn replicas_up(
        &mut self,
        state: &State<'_>,
        service: usize,
        cluster: usize,
        onto: &Pods,
    ) {
        let change = Change::ReplicasUp {
            service: self.service(service),
            cluster: self.fleet.problem.clusters[cluster].name.clone(),
            onto: named(state, onto),
        };
        self.push(state, change, self.ready_seconds(service));
    }

    pub(super) fn replicas_down(
        &mut self,
        state: &State<'_>,
        service: usize,
        cluster: usize,
        from: &Pods,
    ) {
        let change = Change::ReplicasDown {
            service: self.service(service),
            cluster: self.fleet.problem.clusters[cluster].name.clone(),
            from: named(state, from),
        };
        self.push(state, change, 0.0);
    }

    pub(super) fn moved(&mut self, state: &State<'_>, service: usize, from: &Pods, onto: &Pods) {
        let change = Change::Move {
            service: self.service(service),
            from: named(state, from),
            onto: named(state, onto),
        };
        self.push(state, change, self.ready_seconds(service));
    }

    /// Moves of several services at once: for each, the pods that leave and those that arrive.
    pub(super) fn exchanged(&mut self, state: &State<'_>, moves: &BTreeMap<usize, (Pods, Pods)>) {
        let seconds = moves
            .keys()
            .map(|service| self.ready_seconds(*service))
            .fold(0.0, f64::max);
        let part = |(service, (from, onto)): (&usize, &(Pods, Pods))| Exchange {
            service: self.service(*service),
            from: named(state, from),
            onto: named(state, onto),
        };
        let change = Change::Exchange {
            moves: moves.iter().map(part).collect(),
        };
        self.push(state, change, seconds);
    }

    fn push(&mut self, state: &State<'_>, change: Change, seconds: f64) {
        let after = After {
            nodes: state.up.iter().sum(),
            pods: state.pods,
            nodes_usd_per_hour: list_price(self.fleet, &state.up),
        };
        self.steps.push(Step {
            change,
            seconds,
            after,
        });
    }

    fn service(&self, service: usize) -> String {
        self.fleet.services[service].name.clone()
    }

    fn ready_seconds(&self, service: usize) -> f64 {
        self.fleet.problem.services[service].ready_seconds
    }

    /// Names of the pool and of the offering in it.
    fn offering(&self, offering: usize) -> (String, String) {
        let offering = &self.fleet.offerings[offering];
        (
            self.fleet.problem.pools[offering.pool].name.clone(),
            offering.name.clone(),
        )
    }
}

fn named(state: &State<'_>, pods: &Pods) -> BTreeMap<String, u32> {
    pods.iter()
        .map(|(node, count)| (state.nodes[*node].name.clone(), *count))
        .collect()
}
