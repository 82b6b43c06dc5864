//! What is right: the same problem in other spellings.

use ketscale_engine::problem::{CapacityType, Quantity, WorkloadKind, read, validate};

use crate::example::{EXAMPLE, edited, example};

#[test]
fn the_design_s_example_is_read() {
    let problem = example();
    assert_eq!(problem.services.len(), 2);
    assert_eq!(problem.services[0].clusters["gke-euw1"].now, Some(6));
    assert_eq!(problem.services[0].requests["cpu"], Quantity("250m".into()));
    assert_eq!(problem.services[1].kind, WorkloadKind::StatefulSet);
    assert_eq!(problem.services[1].requests["cpu"], Quantity("1".into()));
    assert_eq!(
        problem.pools[0].offerings[0].capacity_type,
        CapacityType::Spot
    );
    assert_eq!(validate(&problem), []);
}

#[test]
fn yaml_and_json_of_a_problem_are_equal() {
    let problem = example();
    let compact = serde_json::to_string(&problem).unwrap();
    assert_eq!(read(compact.as_bytes(), "fleet.json").unwrap(), problem);
    let pretty = serde_json::to_string_pretty(&problem)
        .unwrap()
        .replace("  ", "\t");
    assert_eq!(read(pretty.as_bytes(), "fleet.json").unwrap(), problem);
    let yaml = serde_saphyr::to_string(&problem).unwrap();
    assert_eq!(read(yaml.as_bytes(), "fleet.yaml").unwrap(), problem);
}

#[test]
fn json_escapes_are_read() {
    let source = serde_json::to_string(&example())
        .unwrap()
        .replace("boutique", r"b\ud83d\udecdtique \/ \u00e9");
    assert_eq!(
        read(source.as_bytes(), "fleet.json").unwrap().name,
        "b\u{1f6cd}tique / é"
    );
}

#[test]
fn other_spellings_of_the_same_problem_are_equal() {
    for (find, replace) in [
        ("horizon_hours: 1\n", "horizon_hours: 1.0\n"),
        ("horizon_hours: 1\n", ""),
        ("min: 2,", "min: 2.0,"),
        ("  kind: Deployment\n", ""),
        ("zonal_volumes: {\"0\": ", "zonal_volumes: {0: "),
        ("  labels: {}\n", ""),
        ("current:\n", "current: &now\n"),
        ("load: {rps: 410}", "load: !!map {rps: 410}"),
        ("# a comment", "%YAML 1.2\n---"),
        ("# a comment", "\u{feff}# a comment"),
    ] {
        let source = edited(find, replace);
        let problem = read(source.as_bytes(), "fleet.yaml")
            .unwrap_or_else(|errors| panic!("{find} → {replace}: {errors}"));
        assert_eq!(problem, example(), "{find} → {replace}");
    }
    let windows = EXAMPLE.replace('\n', "\r\n");
    assert_eq!(read(windows.as_bytes(), "fleet.yaml").unwrap(), example());
}

#[test]
fn optional_keys_may_be_null_and_aliases_repeat_values() {
    let source = edited("max_per_node: 2", "max_per_node: ~");
    assert_eq!(
        read(source.as_bytes(), "f").unwrap().services[0]
            .placement
            .max_per_node,
        None
    );
    let source = edited("labels: {}", "labels: &l {a: b}")
        .replace("selector: {}, tolerations: []}]", "selector: *l}]");
    let problem = read(source.as_bytes(), "f").unwrap();
    assert_eq!(problem.daemonsets[0].selector["a"].values(), ["b"]);
    // More aliases of one anchor than a fixed ratio would allow.
    let cart = "- {name: shop/cart-0, clusters: &c {gke-euw1: {min: 1, max: 1}}, requests: &r {cpu: 1, memory: 1Gi}}\n";
    let many: String = (1..2000)
        .map(|i| format!("- {{name: shop/cart-{i}, clusters: *c, requests: *r}}\n"))
        .collect();
    let source = edited("pools:\n", &format!("{cart}{many}pools:\n"));
    assert_eq!(
        read(source.as_bytes(), "f")
            .unwrap_or_else(|errors| panic!("{errors}"))
            .services
            .len(),
        2002
    );
}

#[test]
fn a_replica_count_may_lie_outside_its_bounds_now() {
    let source = edited("max: 40, now: 6", "max: 40, now: 90");
    assert_eq!(
        read(source.as_bytes(), "f").unwrap().services[0].clusters["gke-euw1"].now,
        Some(90)
    );
}
