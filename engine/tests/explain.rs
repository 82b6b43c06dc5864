//! Why offerings are not used, and one replica more or fewer: against what can be counted by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::AtomicBool;

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::explain::{Explanation, Unused, explain};
use ketscale_engine::plan::Plan;
use ketscale_engine::planner::{self, Limits, Settings, Source, cost_at_replicas};
use ketscale_engine::problem::{read, resolve};

const PROBLEM: &str = "
schema: ketscale.problem/v1
name: p
clusters: [{name: c, provider: other, region: r}]
services:
- {name: a/web, clusters: {c: {min: 1, max: 14}}, requests: {cpu: 1, memory: 1Gi}, load: {rps: 124}, capacity: {cpu_per_rps: 56m, target_utilization: 0.7}}
- {name: a/db, clusters: {c: {min: 3, max: 3}}, requests: {cpu: 2, memory: 1Gi}}
pools:
- name: general
  cluster: c
  offerings:
  - {instance_type: good, zone: z, capacity_type: on-demand, usd_per_hour: 0.4, allocatable: {cpu: 4, memory: 32Gi, pods: 20}}
  - {instance_type: dear, zone: z, capacity_type: on-demand, usd_per_hour: 0.9, allocatable: {cpu: 4, memory: 32Gi, pods: 20}}
  - {instance_type: none, zone: z, capacity_type: on-demand, usd_per_hour: 0.1, available_nodes: 0, allocatable: {cpu: 4, memory: 32Gi, pods: 20}}
  - {instance_type: small, zone: z, capacity_type: on-demand, usd_per_hour: 0.01, allocatable: {cpu: 500m, memory: 32Gi, pods: 20}}
  - {instance_type: arm, zone: z, capacity_type: on-demand, usd_per_hour: 0.01, architecture: arm64, allocatable: {cpu: 4, memory: 32Gi, pods: 20}}
- {name: tainted, cluster: c, taints: [{key: k, effect: NoSchedule}], offerings: [{instance_type: good, zone: z, capacity_type: on-demand, usd_per_hour: 0.01, allocatable: {cpu: 4, memory: 32Gi, pods: 20}}]}
policy: {packing: exact}
";

fn planned(text: &str) -> Plan {
    let problem = read(text.as_bytes(), "p.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    let problem = resolve(problem, Catalogue::built_in(), "p.yaml").unwrap();
    let stop = AtomicBool::new(false);
    let limits = Limits::new(&stop, None);
    let settings = Settings::default();
    let plan = planner::plan(problem, Source::default(), &settings, &limits, &|_, _| {});
    plan.unwrap().plan().clone()
}

fn of<'a>(explanation: &'a Explanation, offering: &str) -> &'a Unused {
    let found = explanation
        .unused
        .iter()
        .find(|one| one.offering == offering);
    found.unwrap_or_else(|| panic!("{offering}: {:?}", explanation.unused))
}

#[test]
fn each_unused_offering_has_its_reason() {
    let plan = planned(PROBLEM);
    let explanation = explain(&plan).unwrap();
    assert_eq!(explanation.unused.len(), 5, "all but the one that is used");
    for (offering, reason) in [
        ("general/none/z/on-demand", "no node of it is available"),
        (
            "general/small/z/on-demand",
            "no service may run there: 2 too large",
        ),
        (
            "general/arm/z/on-demand",
            "no service may run there: 2 for another architecture",
        ),
        (
            "tainted/good/z/on-demand",
            "no service may run there: 2 without a toleration of its taints",
        ),
    ] {
        let one = of(&explanation, offering);
        assert_eq!(one.why, reason, "{offering}");
        assert_eq!((one.node_usd_per_hour, one.filling.len()), (None, 0));
    }
    let dear = of(&explanation, "general/dear/z/on-demand");
    assert_eq!(dear.node_usd_per_hour, Some(0.9));
    assert!(dear.why.contains("a node costs $0.9000/h"), "{}", dear.why);
    // The best of all fillings of four cores by pods of one and two, counted out at the certificate's prices.
    let leaf = &plan.certificate.as_ref().unwrap().leaves[0];
    let price = |service: &str| leaf.duals[&format!("pods/{service}/c/z/on-demand")];
    let (web, db) = (price("a/web"), price("a/db"));
    let best = (0..=2_u32).map(|dbs| f64::from(dbs) * db + f64::from(4 - 2 * dbs) * web);
    let best = best.fold(0.0, f64::max);
    assert!(
        (dear.filling_usd_per_hour.unwrap() - best).abs() < 1e-9,
        "{dear:?} {best}"
    );
}

/// 124 rps at 56 mcores take 10 pods of one core at 70 %: 16 cores with three pods of two, so four full nodes of 0.4.
#[test]
fn one_replica_more_or_fewer_is_estimated_and_planned_anew() {
    let plan = planned(PROBLEM);
    let explanation = explain(&plan).unwrap();
    let web = &explanation.services[0];
    assert_eq!((web.replicas, web.fewest_admissible), (10, Some(10)));
    assert_eq!(
        web.one_fewer_usd_per_hour, None,
        "nine cannot carry the load"
    );
    let pod = web.pod_usd_per_hour["c/z/on-demand"];
    assert!((web.one_more_usd_per_hour.unwrap() - pod).abs() < 1e-9);
    let db = &explanation.services[1];
    assert_eq!(
        (db.one_fewer_usd_per_hour, db.one_more_usd_per_hour),
        (None, None)
    );

    let stop = AtomicBool::new(false);
    let limits = Limits::new(&stop, None);
    let at = |service: &str, replicas| {
        cost_at_replicas(&plan, service, replicas, &Settings::default(), &limits).unwrap()
    };
    let close = |found: Option<f64>, usd: f64| (found.unwrap() - usd).abs() < 1e-9;
    assert!(close(at("a/web", 10), 1.6));
    assert!(close(at("a/web", 11), 2.0), "17 cores take a fifth node");
    assert!(close(at("a/web", 14), 2.0), "and so do 20");
    assert_eq!(at("a/web", 9), None);
    assert_eq!(at("a/none", 1), None);
}

#[test]
fn a_plan_that_is_none_has_reasons_and_no_prices() {
    let plan = planned(&PROBLEM.replace(
        "policy: {packing: exact}",
        "policy: {packing: exact, budget_usd_per_hour: 1}",
    ));
    assert!(plan.cost.is_none());
    let explanation = explain(&plan).unwrap();
    assert!(explanation.unused.is_empty());
    let reasons = explanation.reasons.join("\n");
    assert!(reasons.contains("policy.budget_usd_per_hour"), "{reasons}");
}
