//! Selectors, affinity, spread, tolerations and volumes as placement, and what of them a problem file cannot say.

use ketscale_engine::problem::{Mode, Service, TaintEffect};
use serde_json::{Value, json};

use super::small::{Dump, node};
use super::{lists, service, translated};

/// The service made of a Deployment whose pods' template is changed, and whether its rule was listed as not translated.
fn with(change: impl Fn(&mut Value)) -> (Service, Vec<String>) {
    let mut dump = Dump::new();
    change(dump.app());
    let translation = translated(&dump.bytes());
    (
        service(&translation, "shop/app").clone(),
        translation.untranslated,
    )
}

fn node_affinity(terms: Value) -> Value {
    json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}})
}

fn one(key: &str, operator: &str, values: &[&str]) -> Value {
    json!([{"matchExpressions": [{"key": key, "operator": operator, "values": values}]}])
}

#[test]
fn node_selectors_and_affinity_become_a_selector() {
    let zone = "topology.kubernetes.io/zone";
    let (service, _) = with(
        |spec| spec["nodeSelector"] = json!({"failure-domain.beta.kubernetes.io/zone": "us-east-1a", "kubernetes.io/os": "linux"}),
    );
    assert_eq!(
        json!(service.placement.selector),
        json!({zone: "us-east-1a"}),
        "under its stable name; every node is Linux"
    );
    for (terms, expected) in [
        (
            one(zone, "In", &["us-east-1a", "us-east-1b"]),
            json!({zone: ["us-east-1a", "us-east-1b"]}),
        ),
        (
            one(zone, "NotIn", &["us-east-1b"]),
            json!({zone: "us-east-1a"}),
        ),
        (one("eks.amazonaws.com/nodegroup", "Exists", &[]), json!({})),
        (
            one("eks.amazonaws.com/compute-type", "NotIn", &["fargate"]),
            json!({}),
        ),
        (
            json!([
                one(zone, "In", &["us-east-1a"])[0],
                one("nope", "Exists", &[])[0]
            ]),
            json!({zone: "us-east-1a"}),
        ),
    ] {
        let (service, untranslated) = with(|spec| spec["affinity"] = node_affinity(terms.clone()));
        assert_eq!(json!(service.placement.selector), expected, "{terms}");
        assert_eq!(
            (service.mode, untranslated.len()),
            (Mode::Recommend, 0),
            "{terms}"
        );
    }
}

#[test]
fn architectures_are_stated_or_those_of_the_nodes() {
    let (service, _) = with(|spec| spec["nodeSelector"] = json!({"kubernetes.io/arch": "amd64"}));
    assert!(service.placement.selector.is_empty());
    let many = one("kubernetes.io/arch", "In", &["amd64", "arm64", "s390x"]);
    let (service, _) = with(|spec| spec["affinity"] = node_affinity(many.clone()));
    assert_eq!(service.placement.architectures, ["amd64", "arm64"]);
}

#[test]
fn rules_that_cannot_be_said_leave_the_pods_where_they_are() {
    let term = json!({"labelSelector": {"matchLabels": {"app": "app"}}, "topologyKey": "topology.kubernetes.io/zone"});
    let rack = json!({"labelSelector": {"matchLabels": {"app": "app"}}, "topologyKey": "rack"});
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    for (affinity, field) in [
        (
            node_affinity(one("kubernetes.io/hostname", "In", &["a"])),
            "required nodeAffinity on kubernetes.io/hostname",
        ),
        (
            node_affinity(
                json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}]),
            ),
            "on metadata.name",
        ),
        (
            json!({"podAffinity": {required: [term]}}),
            "required podAffinity",
        ),
        (
            json!({"podAntiAffinity": {required: [rack]}}),
            "required podAntiAffinity on rack",
        ),
    ] {
        let (service, untranslated) = with(|spec| spec["affinity"] = affinity.clone());
        assert_eq!(service.mode, Mode::Observe, "{field}");
        assert!(
            untranslated
                .iter()
                .any(|line| line.contains("Deployment shop/app") && line.contains(field)),
            "{field}: {untranslated:?}"
        );
    }
}

#[test]
fn preferences_are_listed_and_do_not_bind() {
    let preferred = json!({"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": {}}]}});
    let (service, untranslated) = with(|spec| {
        spec["affinity"] = preferred.clone();
        spec["topologySpreadConstraints"] = json!([{"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}]);
    });
    assert_eq!((service.mode, untranslated.len()), (Mode::Recommend, 2));
    assert_eq!(
        (service.placement.max_per_node, service.placement.max_skew),
        (None, None)
    );
}

#[test]
fn pods_kept_apart() {
    let apart = |selector: Value, key: &str| {
        let mut dump = Dump::new();
        dump.workload("Deployment", "other", 1);
        dump.pod("other", "ReplicaSet", "other-5d9", Some("a"));
        let term = json!({"labelSelector": selector, "topologyKey": key});
        dump.app()["affinity"] =
            json!({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}});
        service(&translated(&dump.bytes()), "shop/app").clone()
    };
    let own = apart(
        json!({"matchLabels": {"app": "app"}}),
        "kubernetes.io/hostname",
    )
    .placement;
    assert_eq!((own.max_per_node, own.anti_affinity.len()), (Some(1), 0));
    let other = apart(
        json!({"matchLabels": {"app": "other"}}),
        "kubernetes.io/hostname",
    )
    .placement;
    assert_eq!(
        (other.max_per_node, other.anti_affinity),
        (None, vec!["shop/other".to_owned()])
    );
    let both =
        json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["app", "other"]}]});
    let both = apart(both, "kubernetes.io/hostname").placement;
    assert_eq!((both.max_per_node, both.anti_affinity.len()), (Some(1), 1));
    let nobody = apart(
        json!({"matchLabels": {"app": "gone"}}),
        "kubernetes.io/hostname",
    );
    assert_eq!(
        (nobody.placement.max_per_node, nobody.mode),
        (None, Mode::Recommend)
    );
    let zones = apart(
        json!({"matchLabels": {"app": "app"}}),
        "topology.kubernetes.io/zone",
    )
    .placement;
    assert_eq!(zones.max_skew, Some(1));
    assert_eq!(
        apart(
            json!({"matchLabels": {"app": "other"}}),
            "topology.kubernetes.io/zone"
        )
        .mode,
        Mode::Observe
    );
}

#[test]
fn spread_over_zones_and_nodes() {
    let spread = |key: &str, skew: u32, more: Value| {
        with(|spec| {
            let mut constraint = json!({"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule",
                                        "labelSelector": {"matchLabels": {"app": "app"}}});
            constraint.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            spec["topologySpreadConstraints"] = json!([constraint]);
        })
        .0
    };
    let zone = "topology.kubernetes.io/zone";
    assert_eq!(spread(zone, 2, json!({})).placement.max_skew, Some(2));
    assert_eq!(
        spread(zone, 1, json!({"minDomains": 2}))
            .placement
            .min_zones,
        2
    );
    assert_eq!(
        spread(zone, 1, json!({"minDomains": 5}))
            .placement
            .min_zones,
        2,
        "as many as there are"
    );
    assert_eq!(
        spread("kubernetes.io/hostname", 1, json!({}))
            .placement
            .max_per_node,
        Some(1)
    );
    assert_eq!(
        spread(
            zone,
            1,
            json!({"labelSelector": {"matchLabels": {"tier": "x"}}})
        )
        .mode,
        Mode::Observe
    );
    assert_eq!(spread("rack", 1, json!({})).mode, Mode::Observe);
}

#[test]
fn tolerations_keep_their_meaning() {
    let (service, _) = with(|spec| {
        spec["tolerations"] = json!([
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
            {"key": "dedicated", "value": "web", "effect": "NoSchedule"}, {"operator": "Exists"}]);
    });
    let tolerations = &service.placement.tolerations;
    assert_eq!(
        tolerations.len(),
        2,
        "passing conditions of nodes are no taints of pools"
    );
    assert_eq!(
        (tolerations[0].value.as_str(), tolerations[0].effect),
        ("web", Some(TaintEffect::NoSchedule))
    );
    let (service, untranslated) =
        with(|spec| spec["tolerations"] = json!([{"key": "n", "operator": "Gt", "value": "5"}]));
    assert!(
        service.mode == Mode::Observe && untranslated[0].contains("operator Gt"),
        "{untranslated:?}"
    );
}

#[test]
fn a_workload_that_no_node_takes_is_left_out() {
    let mut dump = Dump::new();
    dump.workload("Deployment", "trainer", 1)["spec"]["template"]["spec"]["nodeSelector"] =
        json!({"gpu": "yes"});
    dump.pod("trainer", "ReplicaSet", "trainer-5d9", None);
    let translation = translated(&dump.bytes());
    assert_eq!(translation.problem.services.len(), 1);
    assert!(lists(
        &translation,
        "Deployment shop/trainer: left out, no node of the dump"
    ));
    assert!(
        translation
            .comments
            .iter()
            .all(|(path, _)| !path.contains("trainer"))
    );
}

fn zonal(dump: &mut Dump, claim: &str, zones: &[&str]) {
    dump.object(
        "v1",
        "PersistentVolumeClaim",
        claim,
        json!({"volumeName": format!("pv-{claim}")}),
    );
    let required = json!({"nodeSelectorTerms": one("topology.kubernetes.io/zone", "In", zones)});
    dump.object(
        "v1",
        "PersistentVolume",
        &format!("pv-{claim}"),
        json!({"nodeAffinity": {"required": required}}),
    );
}

#[test]
fn zonal_volumes_tie_a_statefulsets_pods_by_ordinal() {
    let mut dump = Dump::new();
    dump.0.push(node("c", "us-east-1c"));
    let workload = dump.workload("StatefulSet", "db", 3);
    workload["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}}]);
    workload["spec"]["ordinals"] = json!({"start": 4});
    zonal(&mut dump, "data-db-4", &["us-east-1b"]);
    zonal(&mut dump, "data-db-5", &["us-east-1a"]);
    let translation = translated(&dump.bytes());
    let db = service(&translation, "shop/db");
    assert_eq!(
        json!(db.placement.zonal_volumes),
        json!({"0": "us-east-1b", "1": "us-east-1a"}),
        "counted from the first ordinal"
    );

    zonal(&mut dump, "data-db-6", &["us-east-1a", "us-east-1b"]);
    let translation = translated(&dump.bytes());
    assert_eq!(service(&translation, "shop/db").mode, Mode::Observe);
    assert!(lists(
        &translation,
        "volume claim data-db-6: a volume in several zones"
    ));
}

#[test]
fn zonal_volumes_narrow_a_deployments_selector() {
    let mut dump = Dump::new();
    dump.app()["volumes"] = json!([{"name": "d", "persistentVolumeClaim": {"claimName": "disk"}}]);
    zonal(&mut dump, "disk", &["us-east-1b"]);
    let placement = service(&translated(&dump.bytes()), "shop/app")
        .placement
        .clone();
    assert_eq!(
        json!(placement.selector),
        json!({"topology.kubernetes.io/zone": "us-east-1b"})
    );

    dump.0.retain(|object| object["metadata"]["name"] != "disk");
    dump.object(
        "v1",
        "PersistentVolumeClaim",
        "another",
        json!({"volumeName": ""}),
    );
    let translation = translated(&dump.bytes());
    assert!(lists(
        &translation,
        "volume claim disk: it or its volume is not in the dump"
    ));
}

#[test]
fn daemonsets_run_where_their_rules_let_them() {
    let mut dump = Dump::new();
    let spec = &mut dump.workload("DaemonSet", "agent", 0)["spec"]["template"]["spec"];
    spec["tolerations"] = json!([{"operator": "Exists"}]);
    spec["affinity"] = node_affinity(json!([{"matchExpressions": [
        {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
        {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64", "arm64"]},
        {"key": "eks.amazonaws.com/compute-type", "operator": "NotIn", "values": ["fargate"]}]}]));
    let daemonsets = translated(&dump.bytes()).problem.daemonsets;
    assert_eq!(
        (
            daemonsets.len(),
            daemonsets[0].selector.len(),
            daemonsets[0].tolerations.len()
        ),
        (1, 0, 1)
    );
}
