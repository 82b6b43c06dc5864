//! Cost, service and changes under an HPA, against what they are by hand.

use ketscale_engine::replay::PolicyReport;

use super::{one_service, under_hpa};

fn near(value: f64, expected: f64) {
    assert!(
        (value - expected).abs() < 1e-9,
        "{value} instead of {expected}"
    );
}

fn only(replay: ketscale_engine::replay::Replay) -> PolicyReport {
    replay.report.policies.into_iter().next().unwrap()
}

#[test]
fn a_world_in_which_nothing_changes_costs_its_rate_times_the_time() {
    // Two pods use half of what they request, which is the target.
    let report = only(under_hpa(&one_service(&[]), &[10.0; 12], 50));
    near(report.nodes_usd, 1.0);
    near(report.cost_usd, 1.0);
    near(report.node_hours, 1.0);
    near(report.pod_hours, 2.0);
    let counts = [
        report.replica_changes,
        report.node_changes,
        report.evictions,
        report.plans_published,
    ];
    assert_eq!(counts, [0; 4]);
    for minutes in [
        report.minutes_over_slo,
        report.minutes_over_target,
        report.minutes_overloaded,
        report.minutes_pending,
    ] {
        near(minutes, 0.0);
    }
}

#[test]
fn commitments_are_paid_whether_used_or_not() {
    let commitments = "policy: {commitments: [{pool: p, offering: big/z/on-demand, nodes: 2, usd_per_hour: 0.6}]}\ncurrent:";
    let problem = one_service(&[("current:", commitments)]);
    near(only(under_hpa(&problem, &[10.0; 12], 50)).nodes_usd, 1.2);
}

#[test]
fn what_no_policy_can_save_is_commitments_and_nodes_that_must_stay() {
    let kept_usd = |changes: &[(&str, &str)]| {
        let report = under_hpa(&one_service(changes), &[10.0; 12], 50).report;
        assert!(report.kept_usd <= report.policies[0].nodes_usd + 1e-9);
        report.kept_usd
    };
    near(kept_usd(&[]), 0.0);
    let others = ("pods: {shop/web", "foreign: {cpu: 100m}, pods: {shop/web");
    near(kept_usd(&[others]), 1.0);
    let immovable = (
        "pods: {shop/web",
        "movable: false, reason: a test, pods: {shop/web",
    );
    near(kept_usd(&[immovable]), 1.0);
    let commitment = "policy: {commitments: [{pool: p, offering: big/z/on-demand, nodes: 1, usd_per_hour: 0.6}]}\ncurrent:";
    near(kept_usd(&[("current:", commitment)]), 0.6);
    near(kept_usd(&[others, ("current:", commitment)]), 0.6);
}

#[test]
fn a_step_up_is_over_the_objective_until_the_new_pods_are_ready() {
    // 30 requests a second are more than two pods serve. The HPA sees 150 % of the request 15 s later and asks for ⌈150/50 · 2⌉ = 6 pods,
    // which there is room for; they are ready 20 s after that, at 50 % and a p95 of about 300 ms.
    let replay = under_hpa(&one_service(&[]), &[10.0, 30.0, 30.0], 50);
    assert_eq!(replay.timelines[0].replicas, [2, 6, 6]);
    let report = only(replay);
    near(report.minutes_over_slo, 35.0 / 60.0);
    near(report.over_slo_by_service["shop/web"], 35.0 / 60.0);
    near(report.minutes_over_target, 35.0 / 60.0);
    // Ten times the price at most, for a queue that grows.
    near(report.slo_usd, 10.0 * 6.0 * 35.0 / 3600.0);
    assert_eq!((report.replica_changes, report.replicas_changed), (1, 4));
    assert_eq!((report.node_changes, report.evictions), (0, 0));
    near(
        report.pod_hours,
        (2.0 * 900.0 + 4.0 * (900.0 - 335.0)) / 3600.0,
    );
}

#[test]
fn a_node_is_paid_from_its_order_and_serves_when_it_has_started() {
    // A node takes three pods, so the three that are missing come with a second one, 90 s later.
    let problem = one_service(&[("pods: 100", "pods: 3")]);
    let report = only(under_hpa(&problem, &[10.0, 30.0, 30.0], 50));
    // The one that fits is ready after 35 s and is not enough: 30 requests a second need a fourth pod.
    near(report.minutes_over_slo, (15.0 + 90.0 + 20.0) / 60.0);
    near(report.nodes_usd, (900.0 + 585.0) / 3600.0);
    assert_eq!((report.node_changes, report.evictions), (1, 0));
    near(report.minutes_pending, 0.0);
}

#[test]
fn replicas_go_after_five_minutes_of_less_load_and_their_node_with_them() {
    let problem = one_service(&[("pods: 100", "pods: 3")]);
    let rps = [30.0, 30.0, 10.0, 10.0, 10.0];
    let replay = under_hpa(&problem, &rps, 50);
    // The high load was last read at 600 s, which the window of 300 s no longer reaches at 900 s, the end of the third step. Six pods then
    // use 16 % of their request: ⌈16/50 · 6⌉ = 2.
    assert_eq!(replay.timelines[0].replicas, [6, 6, 2, 2, 2]);
    assert_eq!(replay.timelines[0].nodes, [2, 2, 1, 1, 1]);
    let report = only(replay);
    assert_eq!((report.replica_changes, report.replicas_changed), (2, 8));
    assert_eq!(report.node_changes, 2);
}

#[test]
fn pods_that_find_no_node_are_pending() {
    let problem = one_service(&[
        ("pods: 100", "pods: 3"),
        ("nodes: {min: 1}", "nodes: {min: 1, max: 1}"),
    ]);
    let report = only(under_hpa(&problem, &[10.0, 30.0], 50));
    near(report.minutes_pending, 3.0 * 285.0 / 60.0);
    near(report.minutes_over_slo, 5.0);
}

#[test]
fn a_problem_without_nodes_is_refused() {
    let problem = ketscale_engine::problem::ProblemFile {
        current: None,
        ..one_service(&[])
    };
    let trace = super::steps(&problem, &[10.0; 2]);
    let error = ketscale_engine::replay::replay(&problem, &trace, &Default::default()).unwrap_err();
    assert!(
        error.to_string().starts_with("current: is needed"),
        "{error}"
    );
}
