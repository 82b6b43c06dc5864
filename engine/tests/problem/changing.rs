//! What if: values set and entries left out, addressed by name.

use ketscale_engine::problem::{Changes, ProblemFile, Setting, read};

const PROBLEM: &str = "
schema: ketscale.problem/v1
name: p
clusters: [{name: c, provider: other, region: r}, {name: d, provider: other, region: r}]
services:
- {name: a/web, clusters: {c: {min: 1, max: 4}, d: {min: 0, max: 4}}, requests: {cpu: 1, memory: 1Gi}, load: {rps: 5}, capacity: {cpu_per_rps: 1m}}
- {name: a/db, clusters: {c: {min: 1, max: 4}}, requests: {cpu: 1, memory: 1Gi}, placement: {anti_affinity: [a/web], tolerations: [{operator: Exists}]}}
- {name: a/web.two, clusters: {c: {min: 1, max: 4}}, requests: {cpu: 1, memory: 1Gi}}
pools:
- name: general
  cluster: c
  offerings:
  - {instance_type: m6i.large, zone: z1, capacity_type: on-demand, usd_per_hour: 1, allocatable: {cpu: 4, memory: 8Gi, pods: 9}}
  - {instance_type: m6i.large, zone: z1, capacity_type: spot, usd_per_hour: 0.5, allocatable: {cpu: 4, memory: 8Gi, pods: 9}}
- {name: other, cluster: d, offerings: [{instance_type: x, zone: z2, capacity_type: on-demand, usd_per_hour: 1, allocatable: {cpu: 4, memory: 8Gi, pods: 9}}]}
current:
  nodes:
  - {name: n1, pool: general, offering: m6i.large/z1/on-demand, pods: {a/web: 1, a/db: 1}}
  - {name: n2, pool: other, offering: x/z2/on-demand, pods: {a/web: 1}}
policy:
  caps: [{name: both, pools: [general, other], max_nodes: 9}, {name: one, pools: [other], max_nodes: 9}, {name: kinds, instance_types: [x], max_nodes: 3}]
  commitments: [{pool: other, offering: x/z2/on-demand, nodes: 1, usd_per_hour: 0.5}]
";

fn problem() -> ProblemFile {
    read(PROBLEM.as_bytes(), "p.yaml").unwrap_or_else(|errors| panic!("{errors}"))
}

fn changes(set: &[&str], without: &[&str]) -> Changes {
    Changes {
        set: set.iter().map(|text| text.parse().unwrap()).collect(),
        without: without.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn changed(set: &[&str], without: &[&str]) -> ProblemFile {
    let applied = changes(set, without).apply(&problem(), "p.yaml");
    applied.unwrap_or_else(|errors| panic!("{errors}"))
}

fn refused(set: &[&str], without: &[&str]) -> String {
    let applied = changes(set, without).apply(&problem(), "p.yaml");
    applied.expect_err("refused").to_string()
}

#[test]
fn only_what_is_named_changes() {
    let mut expected = problem();
    expected.services[0].load.as_mut().unwrap().rps = 900.0;
    assert_eq!(changed(&["services.a/web.load.rps=900"], &[]), expected);
    expected.services[2].clusters.get_mut("c").unwrap().max = 9;
    let both = [
        "services.a/web.load.rps=900",
        "services.a/web.two.clusters.c.max=9",
    ];
    assert_eq!(changed(&both, &[]), expected);
}

#[test]
fn names_with_dots_and_slashes_and_keys_that_are_absent() {
    let offering = "pools.general.offerings.m6i.large/z1/spot.available_nodes=3";
    let problem = changed(
        &[
            offering,
            "services.a/db.placement.tolerations[0].key=k",
            "services.a/web.requests.example.com/gpu=1",
            "pools.general.offerings.m6i.large/z1/on-demand.allocatable.example.com/gpu=4",
            "policy.budget_usd_per_hour=12.5",
            "services.a/web.placement={min_zones: 1, architectures: [amd64, arm64]}",
            "services.a/web.capacity.service_time_ms=3",
        ],
        &[],
    );
    assert_eq!(problem.pools[0].offerings[1].available_nodes, Some(3));
    assert_eq!(problem.services[1].placement.tolerations[0].key, "k");
    assert_eq!(problem.services[0].requests["example.com/gpu"].0, "1");
    assert_eq!(problem.policy.budget_usd_per_hour, Some(12.5));
    assert_eq!(
        problem.services[0].placement.architectures,
        ["amd64", "arm64"]
    );
    let capacity = problem.services[0].capacity.as_ref().unwrap();
    assert_eq!(capacity.service_time_ms, Some(3.0));
}

#[test]
fn null_and_without_leave_an_optional_key_out() {
    for problem in [
        changed(&["services.a/web.load=null"], &[]),
        changed(&[], &["services.a/web.load"]),
    ] {
        assert_eq!(problem.services[0].load, None);
    }
}

#[test]
fn what_hangs_on_an_entry_goes_with_it() {
    let nodes = |problem: &ProblemFile| -> Vec<String> {
        let nodes = problem.current.iter().flat_map(|current| &current.nodes);
        nodes.map(|node| node.name.clone()).collect()
    };
    let caps = |problem: &ProblemFile| -> Vec<String> {
        problem
            .policy
            .caps
            .iter()
            .map(|cap| cap.name.clone())
            .collect()
    };
    let pool = changed(&[], &["pools.other"]);
    assert_eq!(
        (nodes(&pool), caps(&pool)),
        (vec!["n1".to_owned()], vec!["both".to_owned()])
    );
    assert!(pool.policy.commitments.is_empty());
    let cluster = changed(&[], &["clusters.d"]);
    assert_eq!(cluster.pools.len(), 1);
    assert_eq!(nodes(&cluster), ["n1"]);
    assert!(!cluster.services[0].clusters.contains_key("d"));
    let offering = changed(&[], &["pools.general.offerings.m6i.large/z1/on-demand"]);
    assert_eq!(offering.pools[0].offerings.len(), 1);
    assert_eq!(nodes(&offering), ["n2"]);
    let service = changed(&[], &["services.a/web"]);
    assert!(service.services[0].placement.anti_affinity.is_empty());
    assert_eq!(service.current.as_ref().unwrap().nodes[1].pods.len(), 0);
}

/// Places are right whatever the order: the later entries of a list first, the inner ones before the outer ones.
#[test]
fn several_entries_are_left_out_at_once() {
    let left = |paths: &[&str]| changed(&[], paths).services.len();
    assert_eq!(
        left(&["services.a/web", "services.a/web.two", "services.a/web"]),
        1
    );
    assert_eq!(left(&["services.a/web.two", "services.a/web"]), 1);
    let both = changed(
        &[],
        &["pools.general.offerings.m6i.large/z1/spot", "pools.other"],
    );
    assert_eq!((both.pools.len(), both.pools[0].offerings.len()), (1, 1));
}

#[test]
fn paths_that_lead_nowhere_are_all_told_with_what_there_is() {
    let told = refused(
        &[
            "services.a/wbe.load.rps=1",
            "services.a/web.load.rps.x=1",
            "policy.max_moves=: [",
        ],
        &[
            "pools.genreal",
            "pools.nothing-like-it",
            "services.a/db.load",
            "",
        ],
    );
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 7, "{told}");
    for (line, parts) in lines.iter().zip([
        &["p.yaml: --set services.a/wbe.load.rps: services has no a/wbe; did you mean a/web?"][..],
        &["--set services.a/web.load.rps.x: services.a/web.load.rps has nothing inside"],
        &["--set policy.max_moves: not valid YAML"],
        &["--without pools.genreal: pools has no genreal; did you mean general?"],
        &["pools has no nothing-like-it; it has general, other"],
        &["services.a/db has no load; it has"],
        &["the problem has no"],
    ]) {
        for part in parts {
            assert!(line.contains(part), "{part:?} is missing in {line:?}");
        }
    }
}

#[test]
fn the_changed_problem_is_checked_as_a_file_is() {
    let told = refused(
        &[
            "services.a/web.load.rpm=1",
            "services.a/web.clusters.c.min=9",
            "horizon_hours=soon",
            "name=7",
        ],
        &["services.a/db.requests"],
    );
    for part in [
        "p.yaml as changed: services.a/web.load.rpm: unknown key; did you mean rps?",
        "horizon_hours: \"soon\" is not a number",
        "name: 7 is not a string",
        "services.a/db.requests: is missing",
    ] {
        assert!(told.contains(part), "{part:?} is missing in\n{told}");
    }
    assert!(refused(&["services.a/web.clusters.c.min=9"], &[]).contains("9 is above max 4"));
    assert!(refused(&[], &["pools.general", "pools.other"]).contains("pools: is empty"));
    // A reference that the change did not break by itself is still told.
    assert!(
        refused(&["current.nodes.n1.pool=gone"], &["pools.other"])
            .contains("no pool is named gone")
    );
}

#[test]
fn a_setting_has_a_path_and_a_value() {
    for refused in ["", "x", "=1", "x=", " = "] {
        assert!(refused.parse::<Setting>().is_err(), "{refused}");
    }
    let setting: Setting = "a.b = {c: d=e}".parse().unwrap();
    assert_eq!(
        (setting.path.as_str(), setting.value.as_str()),
        ("a.b", "{c: d=e}")
    );
}

#[test]
fn a_change_concerns_what_it_names_and_what_is_inside() {
    let changes = changes(&["services.a/web.load=null"], &["pools.other"]);
    for (path, concerned) in [
        ("services.a/web.load.rps", true),
        ("services.a/web.load", true),
        ("services.a/web.loads", false),
        ("pools.other.offerings[0]", true),
        ("services.a/web", false),
    ] {
        assert_eq!(changes.concern(path), concerned, "{path}");
    }
}
