//! `kubectl get … -o json` to a problem file: the committed dump of a 50-workload cluster, what each object becomes, and every kind
//! of dump that is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "cluster_dump/constraints.rs"]
mod constraints;
#[path = "cluster_dump/machines.rs"]
mod machines;
#[path = "cluster_dump/refused.rs"]
mod refused;
#[path = "cluster_dump/small.rs"]
mod small;
#[path = "cluster_dump/workloads.rs"]
mod workloads;

use std::collections::BTreeMap;

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::cluster_dump::{Options, Translation, to_yaml, translate};
use ketscale_engine::problem::{
    InputErrors, ProblemFile, Resources, Service, WorkloadKind, read, resolve,
};
use proptest::prelude::*;
use small::Dump;

const CLUSTER: &[u8] = include_bytes!("../../tests/fixtures/cluster-50.json");

fn try_translate(dump: &[u8]) -> Result<Translation, InputErrors> {
    translate(dump, "dump.json", &Options::new(Catalogue::built_in()))
}

/// Translates, and holds what must hold of every translation.
fn translated(dump: &[u8]) -> Translation {
    let translation = try_translate(dump).unwrap_or_else(|errors| panic!("{errors}"));
    assert_reads_back(&translation);
    translation
}

fn assert_reads_back(translation: &Translation) {
    let text = to_yaml(translation);
    let back =
        read(text.as_bytes(), "problem.yaml").unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    assert_eq!(back, translation.problem, "{text}");
    for (path, reason) in translation.comments.iter() {
        assert!(
            text.contains(reason.trim()),
            "the reason of {path} is not shown"
        );
    }
}

fn service<'a>(translation: &'a Translation, name: &str) -> &'a Service {
    let found = translation
        .problem
        .services
        .iter()
        .find(|service| service.name == name);
    found.unwrap_or_else(|| panic!("no service {name}; {:#?}", translation.untranslated))
}

fn lists(translation: &Translation, part: &str) -> bool {
    translation
        .untranslated
        .iter()
        .any(|line| line.contains(part))
}

fn amounts(resources: &Resources) -> BTreeMap<&str, u64> {
    let amount = |(name, q): (&String, &ketscale_engine::problem::Quantity)| {
        if name == "cpu" { q.milli() } else { q.units() }
    };
    resources
        .iter()
        .map(|entry| (entry.0.as_str(), amount(entry).unwrap()))
        .collect()
}

#[test]
#[allow(clippy::too_many_lines, reason = "one case after another")]
fn the_committed_cluster_translates() {
    let translation = translated(CLUSTER);
    let problem = &translation.problem;
    assert_eq!(problem.clusters[0].name, "shop-prod");
    assert_eq!(
        problem.services.len(),
        49,
        "50 workloads, one of them scaled to zero"
    );
    assert_eq!(
        problem
            .services
            .iter()
            .filter(|service| service.kind == WorkloadKind::StatefulSet)
            .count(),
        7
    );
    assert_eq!(problem.daemonsets.len(), 6);
    assert_eq!(
        problem
            .pools
            .iter()
            .map(|pool| pool.name.as_str())
            .collect::<Vec<_>>(),
        ["arm", "data", "general", "system"]
    );
    let nodes = &problem.current.as_ref().unwrap().nodes;
    assert_eq!(nodes.len(), 26);
    let pods: u32 = nodes.iter().flat_map(|node| node.pods.values()).sum();
    assert_eq!(
        pods,
        problem
            .services
            .iter()
            .flat_map(|s| s.clusters.values())
            .filter_map(|bounds| bounds.now)
            .sum::<u32>()
    );
    assert_eq!(
        nodes.iter().filter(|node| !node.foreign.is_empty()).count(),
        2,
        "a pod without a controller and a running Job"
    );
    assert_eq!(
        nodes.iter().filter(|node| !node.movable).count(),
        1,
        "safe-to-evict: false"
    );
    assert!(
        lists(&translation, "shop/legacy-import") && lists(&translation, "shop/recommendation")
    );
    assert_eq!(translation.untranslated.len(), 2);

    let requests = |name: &str| amounts(&service(&translation, name).requests);
    assert_eq!(
        requests("platform/api-gateway"),
        BTreeMap::from([("cpu", 500), ("memory", 512 << 20)]),
        "with its sidecar"
    );
    assert_eq!(
        requests("shop/images"),
        BTreeMap::from([("cpu", 600), ("memory", 512 << 20)]),
        "its init container is larger"
    );
    assert_eq!(
        service(&translation, "shop/payment")
            .disruption
            .max_unavailable,
        1,
        "minAvailable 3 of 4"
    );
    assert_eq!(
        service(&translation, "platform/api-gateway")
            .disruption
            .max_unavailable,
        2,
        "minAvailable 60 % of 6 is 4"
    );
    assert_eq!(
        service(&translation, "orders/order-api")
            .disruption
            .max_unavailable,
        3,
        "34 % of 6, rounded up"
    );
    assert_eq!(
        service(&translation, "data/kafka")
            .placement
            .zonal_volumes
            .len(),
        3
    );
}

#[test]
fn the_committed_cluster_is_feasible_by_requests() {
    let problem = resolve(
        translated(CLUSTER).problem,
        Catalogue::built_in(),
        "problem",
    )
    .unwrap_or_else(|errors| panic!("{errors}"));
    for node in &problem.current.as_ref().unwrap().nodes {
        let used = requested_on(&problem, node);
        let pool = problem
            .pools
            .iter()
            .find(|pool| pool.name == node.pool)
            .unwrap();
        let offering = pool
            .offerings
            .iter()
            .find(|offering| offering.name() == node.offering)
            .unwrap();
        let room = amounts(offering.allocatable.as_ref().unwrap());
        for (resource, amount) in used {
            assert!(
                amount <= room[resource],
                "{} {resource}: {amount} of {}",
                node.name,
                room[resource]
            );
        }
    }
}

#[test]
fn the_committed_cluster_compiles_for_planning() {
    let problem = resolve(
        translated(CLUSTER).problem,
        Catalogue::built_in(),
        "problem",
    )
    .unwrap();
    let fleet =
        ketscale_engine::fleet::compile(problem, &[]).unwrap_or_else(|issues| panic!("{issues:?}"));
    assert_eq!(fleet.services.len(), 49);
    for service in &fleet.services {
        assert!(
            !service.levels.is_empty() && service.now.is_some(),
            "{}",
            service.name
        );
    }
}

/// What services, daemonsets (all of which tolerate everything here) and foreign pods request on a node.
fn requested_on<'a>(
    problem: &'a ProblemFile,
    node: &'a ketscale_engine::problem::CurrentNode,
) -> BTreeMap<&'a str, u64> {
    let mut used: BTreeMap<&str, u64> = amounts(&node.foreign);
    let mut add = |resources: &'a Resources, count: u64| {
        for (name, amount) in amounts(resources) {
            *used.entry(name).or_default() += amount * count;
        }
        *used.entry("pods").or_default() += count;
    };
    problem
        .daemonsets
        .iter()
        .for_each(|daemonset| add(&daemonset.requests, 1));
    for (name, count) in &node.pods {
        let service = problem
            .services
            .iter()
            .find(|service| service.name == *name)
            .unwrap();
        add(&service.requests, u64::from(*count));
    }
    used
}

#[test]
fn a_translation_is_the_same_every_time() {
    assert_eq!(to_yaml(&translated(CLUSTER)), to_yaml(&translated(CLUSTER)));
}

/// Names and values that YAML would read as something else.
const AWKWARD: [&str; 16] = [
    "yes",
    "null",
    "1e3",
    "0x1f",
    "1.0",
    "007",
    "on",
    "~",
    ".nan",
    "1_000",
    "12:30",
    "a b",
    "- x",
    "#x",
    "é: {}",
    "'\"\\\t\u{85}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is missing from a dump, it is refused or its file reads back equal.
    #[test]
    fn parts_of_a_dump_are_refused_or_read_back(drop in proptest::collection::vec(any::<prop::sample::Index>(), 0..200)) {
        let mut list: serde_json::Value = serde_json::from_slice(CLUSTER).unwrap();
        let items = list["items"].as_array_mut().unwrap();
        for index in drop {
            items.swap_remove(index.index(items.len()));
        }
        if let Ok(translation) = try_translate(&serde_json::to_vec(&list).unwrap()) {
            assert_reads_back(&translation);
        }
    }

    #[test]
    fn awkward_names_read_back(value in prop::sample::select(AWKWARD.to_vec()), name in "[^/\\p{Cc}]{1,20}") {
        let mut dump = Dump::new();
        for node in ["a", "b"] {
            dump.get("Node", node)["metadata"]["labels"]["tier"] = value.into();
            dump.get("Node", node)["spec"]["taints"] = serde_json::json!([{"key": "t", "value": value, "effect": "NoSchedule"}]);
        }
        dump.app()["nodeSelector"] = serde_json::json!({"tier": value});
        dump.app()["tolerations"] = serde_json::json!([{"key": "t", "value": value}]);
        let options = Options { cluster_name: Some(name), ..Options::new(Catalogue::built_in()) };
        if let Ok(translation) = translate(&dump.bytes(), "dump.json", &options) {
            prop_assert_eq!(&translation.problem.pools[0].labels["tier"], value);
            assert_reads_back(&translation);
        }
    }
}
