//! Small random problems with every kind of rule and price: plans, bounds and certificates against the optimum by exhaustive search.
//!
//! `KETSCALE_INSTANCES=3000` tries more problems than `make test` does. A failure prints its seed and the smallest problem that still fails.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    clippy::print_stdout,
    unreachable_pub
)]

mod check;
mod extremes;
mod forge;
mod instance;
mod kinds;
mod load;
mod meaning;
mod optimum;
mod place;
#[path = "../common/random_problem.rs"]
mod random_problem;
mod service;
mod shrink;
mod sums;
mod tighten;

use std::collections::BTreeMap;
use std::thread;

use check::{Checked, check, least};
use forge::forge;
use instance::instance;
use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::plan::Status;
use ketscale_engine::problem::{ProblemFile, read, resolve};
use kinds::KINDS;

/// Problems that `make test` tries.
const INSTANCES: u64 = 300;

/// Problems are shared out to so many threads.
const THREADS: u64 = 2;

/// Problems in which each rule and price must have been seen to decide the optimum.
const BINDING: u32 = 2;

#[test]
fn bounds_are_below_the_optimum_and_plans_above_it() {
    let asked = std::env::var("KETSCALE_INSTANCES");
    let instances = asked.map_or(INSTANCES, |count| count.parse().expect("a number"));
    let share = |first: u64| {
        move || {
            let mut tally = Tally::default();
            (first..instances)
                .step_by(THREADS as usize)
                .for_each(|seed| tally.add(seed));
            tally
        }
    };
    let threads: Vec<_> = (0..THREADS)
        .map(|first| thread::spawn(share(first)))
        .collect();
    let shares = threads.into_iter().map(|thread| thread.join().unwrap());
    let all = shares.reduce(Tally::and).unwrap();
    println!("{all:#?}");
    assert!(all.forged.weaker > instances as u32, "{:?}", all.forged);
    assert!(
        all.optimal * 10 >= all.feasible * 9,
        "{} of {} optimal",
        all.optimal,
        all.feasible
    );
    // Fewer problems need not have everything.
    if instances >= INSTANCES {
        let rare = KINDS.iter().filter(|kind| all.binding(kind.name) < BINDING);
        let rare: Vec<&str> = rare.map(|kind| kind.name).collect();
        assert!(rare.is_empty(), "hardly ever decide anything: {rare:?}");
        assert!(all.statuses.contains_key("Relaxed, a plan exists") && all.schedulable > 0);
    }
}

/// What became of some problems.
#[derive(Debug, Default)]
struct Tally {
    /// Problems by status of the plan and whether anything is feasible.
    statuses: BTreeMap<String, u32>,
    feasible: u32,
    /// Those with the cheapest plan.
    optimal: u32,
    /// Those in which the scheduler costs something: `packing: schedulable` is dearer than the same pods pinned.
    schedulable: u32,
    most_leaves: usize,
    forged: forge::Count,
    /// Problems in which each rule and price decided the optimum.
    binding: BTreeMap<&'static str, u32>,
}

impl Tally {
    fn add(&mut self, seed: u64) {
        let problem = instance(seed);
        let tried = |problem: &ProblemFile| -> Result<(Checked, forge::Count), String> {
            let checked = check(problem)?;
            let forged = forge(&checked, seed)?;
            Ok((checked, forged))
        };
        let fails = |problem: &ProblemFile| tried(problem).err();
        let (checked, forged) = tried(&problem)
            .unwrap_or_else(|_| panic!("{}", shrink::report(seed, &problem, &fails)));
        self.forged = self.forged.and(&forged);
        let plan = checked.plan.plan();
        let optimum = checked.optimum_usd_per_hour;
        let exists = if optimum.is_some() {
            "a plan exists"
        } else {
            "none exists"
        };
        *self
            .statuses
            .entry(format!("{:?}, {exists}", plan.status))
            .or_default() += 1;
        self.feasible += u32::from(optimum.is_some());
        let cost = plan.cost.map(|cost| cost.total_usd_per_hour);
        let is_optimal = |cost: f64| optimum.is_some_and(|optimum| cost <= optimum + 1e-6);
        self.optimal += u32::from(cost.is_some_and(is_optimal));
        let extra = plan
            .candidates
            .iter()
            .filter_map(|row| row.schedulable_usd_per_hour);
        self.schedulable += u32::from(extra.into_iter().any(|usd_per_hour| usd_per_hour > 0.0));
        let leaves = plan
            .certificate
            .as_ref()
            .map_or(0, |certificate| certificate.leaves.len());
        self.most_leaves = self.most_leaves.max(leaves);
        if plan.status != Status::Relaxed {
            self.count_binding(&problem, optimum);
        }
    }

    fn binding(&self, name: &str) -> u32 {
        self.binding.get(name).copied().unwrap_or(0)
    }

    /// Counts the rules and prices without which the optimum is another one; those seen often enough are not tried.
    fn count_binding(&mut self, problem: &ProblemFile, optimum: Option<f64>) {
        for kind in KINDS {
            let without = kind.without(problem).filter(instance::is_problem);
            let Some(without) = without.filter(|_| self.binding(kind.name) < BINDING) else {
                continue;
            };
            let differs = match (optimum, least(&without, &[]).unwrap()) {
                (Some(with), Some((without, _))) => (with - without).abs() > 1e-6,
                (with, without) => with.is_some() != without.is_some(),
            };
            *self.binding.entry(kind.name).or_default() += u32::from(differs);
        }
    }

    fn and(mut self, other: Self) -> Self {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (kind, count) in other.binding {
            *self.binding.entry(kind).or_default() += count;
        }
        Self {
            feasible: self.feasible + other.feasible,
            optimal: self.optimal + other.optimal,
            schedulable: self.schedulable + other.schedulable,
            most_leaves: self.most_leaves.max(other.most_leaves),
            forged: self.forged.and(&other.forged),
            ..self
        }
    }
}

/// Where only pods that run already may stay, no more of them stay than `max_per_node` allows: feasibility let them, unless `survive: node` was
/// asked for as well.
#[test]
fn max_per_node_holds_where_no_new_pods_may_go() {
    let text = "
schema: ketscale.problem/v1
name: stays
clusters: [{name: c, provider: other, region: r}]
services:
- name: shop/s
  clusters: {c: {min: 2, max: 2}}
  requests: {cpu: 500m, memory: 1Gi}
  placement: {max_per_node: 1}
pools:
- name: p
  cluster: c
  offerings: [{instance_type: t, zone: a, capacity_type: on-demand, usd_per_hour: 1, allocatable: {cpu: 4, memory: 8Gi, pods: 10}}]
current: {nodes: [{name: n, pool: p, offering: t/a/on-demand, pods: {shop/s: 2}, cordoned: true}]}
policy: {packing: exact}
";
    let problem = read(text.as_bytes(), "stays.yaml").unwrap();
    let problem = resolve(problem, Catalogue::built_in(), "stays.yaml").unwrap();
    assert_eq!(check(&problem).unwrap().optimum_usd_per_hour, Some(2.0));
}

/// A service whose own rules leave it no choice makes a problem infeasible, whether the relaxation can be solved or not.
#[test]
fn a_service_without_a_choice_is_infeasible() {
    let text = "
schema: ketscale.problem/v1
name: zones
clusters: [{name: c, provider: other, region: r}]
services:
- name: shop/s
  clusters: {c: {min: 1, max: 1}}
  requests: {cpu: 500m, memory: 1Gi}
  placement: {min_zones: 2}
pools:
- name: p
  cluster: c
  offerings: [{instance_type: t, zone: a, capacity_type: on-demand, usd_per_hour: 1, allocatable: {cpu: 4, memory: 8Gi, pods: 10}}]
";
    let problem = read(text.as_bytes(), "zones.yaml").unwrap();
    let problem = resolve(problem, Catalogue::built_in(), "zones.yaml").unwrap();
    let checked = check(&problem).unwrap();
    assert_eq!(checked.plan.plan().status, Status::Infeasible);
    let reasons = &checked.plan.plan().reasons;
    assert!(
        reasons.iter().any(|reason| reason.contains("min_zones")),
        "{reasons:?}"
    );
}
