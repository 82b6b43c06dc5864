//! Replicas, requests, budgets, ownership and what keeps a pod in its place.

use ketscale_engine::problem::{Mode, TolerationOperator};
use serde_json::{Value, json};

use super::small::Dump;
use super::{amounts, lists, service, translated};

#[test]
fn bounds_come_from_the_autoscaler() {
    let bounds = |spec: Option<Value>| {
        let mut dump = Dump::new();
        if let Some(mut spec) = spec {
            spec["scaleTargetRef"] = json!({"kind": "Deployment", "name": "app"});
            dump.object(
                "autoscaling/v2beta2",
                "HorizontalPodAutoscaler",
                "app",
                spec,
            );
        }
        let translation = translated(&dump.bytes());
        let bounds = &service(&translation, "shop/app").clusters["cluster"];
        (bounds.min, bounds.max, bounds.now)
    };
    assert_eq!(bounds(None), (2, 2, Some(2)));
    assert_eq!(bounds(Some(json!({"maxReplicas": 9}))), (1, 9, Some(2)));
    assert_eq!(
        bounds(Some(json!({"minReplicas": 3, "maxReplicas": 9}))),
        (2, 9, Some(2)),
        "widened to hold what runs"
    );
    assert_eq!(
        bounds(Some(json!({"maxReplicas": 50_000}))),
        (1, 10_000, Some(2))
    );
}

#[test]
fn budgets_round_as_the_disruption_controller_does() {
    let unavailable = |budgets: &[Value]| {
        let mut dump = Dump::new();
        dump.get("Deployment", "app")["spec"]["replicas"] = json!(7);
        for (number, budget) in budgets.iter().enumerate() {
            let mut spec = budget.clone();
            spec["selector"] = json!({"matchLabels": {"app": "app"}});
            dump.object(
                "policy/v1",
                "PodDisruptionBudget",
                &format!("b{number}"),
                spec,
            );
        }
        service(&translated(&dump.bytes()), "shop/app")
            .disruption
            .max_unavailable
    };
    assert_eq!(unavailable(&[]), 1, "assumed");
    assert_eq!(unavailable(&[json!({"maxUnavailable": 2})]), 2);
    assert_eq!(
        unavailable(&[json!({"maxUnavailable": "30%"})]),
        3,
        "2.1 rounded up"
    );
    assert_eq!(unavailable(&[json!({"minAvailable": 5})]), 2);
    assert_eq!(
        unavailable(&[json!({"minAvailable": "50%"})]),
        3,
        "4 of 7 stay"
    );
    assert_eq!(unavailable(&[json!({"minAvailable": 9})]), 0);
    assert_eq!(unavailable(&[json!({"maxUnavailable": 50})]), 7);
    assert_eq!(
        unavailable(&[json!({"maxUnavailable": 1}), json!({"minAvailable": 1})]),
        0,
        "evictions are refused"
    );
}

#[test]
fn an_empty_budget_selector_means_what_its_version_says() {
    for (version, expected) in [("policy/v1", 2), ("policy/v1beta1", 1)] {
        let mut dump = Dump::new();
        let budget = json!({"apiVersion": version, "kind": "PodDisruptionBudget", "metadata": {"name": "b", "namespace": "shop"},
                            "spec": {"selector": {}, "maxUnavailable": 2}});
        dump.0.push(budget);
        assert_eq!(
            service(&translated(&dump.bytes()), "shop/app")
                .disruption
                .max_unavailable,
            expected,
            "{version}"
        );
    }
}

#[test]
fn old_api_versions_translate_alike() {
    let expected = translated(&Dump::new().bytes());
    for version in ["apps/v1beta2", "extensions/v1beta1"] {
        let mut dump = Dump::new();
        dump.get("Deployment", "app")["apiVersion"] = json!(version);
        assert_eq!(translated(&dump.bytes()), expected, "{version}");
    }
}

#[test]
fn replica_sets_lead_to_deployments_with_and_without_being_in_the_dump() {
    let expected = translated(&Dump::new().bytes());
    let mut dump = Dump::new();
    let owner = json!([{"kind": "Deployment", "name": "app", "controller": true}]);
    dump.0.push(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
                       "metadata": {"name": "app-5d9", "namespace": "shop", "ownerReferences": owner}}));
    assert_eq!(translated(&dump.bytes()), expected);

    dump.get("ReplicaSet", "app-5d9")["metadata"]["ownerReferences"][0]["kind"] = json!("Rollout");
    let translation = translated(&dump.bytes());
    let nodes = translation.problem.current.unwrap().nodes;
    assert!(
        nodes
            .iter()
            .all(|node| node.pods.is_empty() && node.foreign["pods"].0 == "1")
    );
}

#[test]
fn pods_that_ended_are_ignored_and_pending_ones_count() {
    let mut dump = Dump::new();
    dump.get("Deployment", "app")["spec"]["replicas"] = json!(3);
    dump.pod("app", "ReplicaSet", "app-5d9", None);
    dump.pod("app", "ReplicaSet", "app-5d9", Some("a"))["status"]["phase"] = json!("Failed");
    dump.pod("app", "ReplicaSet", "app-5d9", Some("a"))["metadata"]["deletionTimestamp"] =
        json!("2026-07-29T06:41:08Z");
    let translation = translated(&dump.bytes());
    assert_eq!(
        service(&translation, "shop/app").clusters["cluster"].now,
        Some(3)
    );
    let nodes = translation.problem.current.unwrap().nodes;
    assert_eq!(
        nodes
            .iter()
            .flat_map(|node| node.pods.values())
            .sum::<u32>(),
        2
    );
}

#[test]
fn the_surplus_of_a_rollout_is_not_counted() {
    let mut dump = Dump::new();
    dump.pod("app", "ReplicaSet", "app-5d9", Some("a"))["status"]["conditions"] =
        json!([{"type": "Ready", "status": "True"}]);
    let translation = translated(&dump.bytes());
    assert!(lists(
        &translation,
        "a rollout is under way, 3 pods run for 2 replicas"
    ));
    assert_eq!(
        translation.problem.current.unwrap().nodes[0].pods["shop/app"],
        2,
        "the ready pod and the first other"
    );
}

#[test]
fn requests_follow_the_pods_where_they_agree_and_the_template_where_they_do_not() {
    let mut dump = Dump::new();
    let set = |dump: &mut Dump, number: usize, cpu: &str| {
        let pods = dump.0.iter_mut().filter(|object| object["kind"] == "Pod");
        pods.into_iter().nth(number).unwrap()["spec"]["containers"][0]["resources"]["requests"]["cpu"] =
            json!(cpu);
    };
    let cpu =
        |dump: &Dump| amounts(&service(&translated(&dump.bytes()), "shop/app").requests)["cpu"];
    set(&mut dump, 0, "700m");
    assert_eq!(cpu(&dump), 500, "a rollout: the template");
    set(&mut dump, 1, "700m");
    assert_eq!(
        cpu(&dump),
        700,
        "a LimitRange, a vertical autoscaler or an injected sidecar"
    );
}

#[test]
fn a_pod_without_requests_counts_a_little_and_says_so() {
    let mut dump = Dump::new();
    for object in dump.0.iter_mut().filter(|object| object["kind"] == "Pod") {
        object["spec"]["containers"][0]["resources"] = json!({});
    }
    dump.app()["containers"][0]["resources"] = json!({});
    let translation = translated(&dump.bytes());
    assert_eq!(
        json!(service(&translation, "shop/app").requests),
        json!({"cpu": "1m", "memory": "1Mi"})
    );
    assert!(
        translation
            .comments
            .get("services.shop/app.requests.cpu")
            .is_some_and(|reason| reason.contains("counts 0"))
    );
}

#[test]
fn pods_that_nobody_plans_are_foreign() {
    let mut dump = Dump::new();
    dump.pod("debug", "Job", "report", Some("a"));
    let bare = dump.pod("debug", "Job", "bare", Some("b"));
    bare["metadata"]["ownerReferences"] = json!([]);
    bare["spec"]["initContainers"] = json!([{"resources": {"requests": {"cpu": "2"}}}]);
    let translation = translated(&dump.bytes());
    let nodes = &translation.problem.current.as_ref().unwrap().nodes;
    assert_eq!(
        json!(nodes[0].foreign),
        json!({"cpu": "500m", "memory": "512Mi", "pods": "1"})
    );
    assert_eq!(
        json!(nodes[1].foreign),
        json!({"cpu": "2", "memory": "512Mi", "pods": "1"})
    );
    assert!(
        translation
            .comments
            .get("current.nodes.a.foreign")
            .is_some_and(|reason| reason.contains("Job report"))
    );
}

#[test]
fn static_pods_of_every_node_are_a_daemonset_and_others_foreign() {
    let mut dump = Dump::new();
    for (name, node) in [
        ("kube-proxy-a", "a"),
        ("kube-proxy-b", "b"),
        ("etcd-a", "a"),
    ] {
        let pod = dump.pod("system", "Node", node, Some(node));
        pod["metadata"]["name"] = json!(name);
        pod["metadata"]["annotations"] = json!({"kubernetes.io/config.mirror": "0"});
        if name == "etcd-a" {
            pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] = json!("1");
        }
    }
    let problem = translated(&dump.bytes()).problem;
    assert_eq!(problem.daemonsets.len(), 2, "{:?}", problem.daemonsets);
    assert_eq!(problem.daemonsets[1].name, "shop/kube-proxy");
    assert_eq!(
        problem.daemonsets[1].tolerations[0].operator,
        TolerationOperator::Exists
    );
    assert_eq!(
        json!(problem.daemonsets[0].selector),
        json!({"topology.kubernetes.io/zone": "us-east-1a"})
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "one case after another")]
fn what_must_stay_holds_its_node_with_a_reason() {
    type Change<'a> = &'a dyn Fn(&mut Dump);
    let annotate = |dump: &mut Dump, kind: &str, key: &str, value: &str| {
        dump.0
            .iter_mut()
            .find(|object| object["kind"] == kind)
            .unwrap()["metadata"]["annotations"] = json!({key: value});
    };
    let on_disk = |dump: &mut Dump| {
        let pod = dump
            .0
            .iter_mut()
            .find(|object| object["kind"] == "Pod")
            .unwrap();
        pod["spec"]["volumes"] =
            json!([{"name": "d", "persistentVolumeClaim": {"claimName": "local"}}]);
        dump.object(
            "v1",
            "PersistentVolumeClaim",
            "local",
            json!({"volumeName": "pv"}),
        );
        let terms = json!([{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["a"]}]}]);
        dump.object(
            "v1",
            "PersistentVolume",
            "pv",
            json!({"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}),
        );
    };
    let changes: [(Change<'_>, &str); 4] = [
        (
            &|dump| {
                annotate(
                    dump,
                    "Pod",
                    "cluster-autoscaler.kubernetes.io/safe-to-evict",
                    "false",
                )
            },
            "safe-to-evict",
        ),
        (
            &|dump| annotate(dump, "Pod", "karpenter.sh/do-not-disrupt", "true"),
            "do-not-disrupt",
        ),
        (
            &|dump| {
                annotate(
                    dump,
                    "Node",
                    "cluster-autoscaler.kubernetes.io/scale-down-disabled",
                    "true",
                )
            },
            "scale-down-disabled",
        ),
        (&on_disk, "volume claim local"),
    ];
    for (change, expected) in changes {
        let mut dump = Dump::new();
        change(&mut dump);
        let nodes = translated(&dump.bytes()).problem.current.unwrap().nodes;
        assert!(
            nodes[0]
                .reason
                .as_ref()
                .is_some_and(|reason| reason.contains(expected)),
            "{expected}: {:?}",
            nodes[0].reason
        );
        assert!(!nodes[0].movable && nodes[1].movable, "{expected}");
    }
}

#[test]
fn workloads_of_kube_system_are_observed_unless_a_budget_covers_them() {
    let mut dump = Dump::new();
    for object in dump.0.iter_mut().filter(|object| object["kind"] != "Node") {
        object["metadata"]["namespace"] = json!("kube-system");
    }
    assert_eq!(
        service(&translated(&dump.bytes()), "kube-system/app").mode,
        Mode::Observe
    );
    dump.object(
        "policy/v1",
        "PodDisruptionBudget",
        "b",
        json!({"selector": {"matchLabels": {"app": "app"}}, "maxUnavailable": 1}),
    );
    dump.get("PodDisruptionBudget", "b")["metadata"]["namespace"] = json!("kube-system");
    assert_eq!(
        service(&translated(&dump.bytes()), "kube-system/app").mode,
        Mode::Recommend
    );
}

#[test]
fn a_statefulset_with_a_deployments_name_gets_another() {
    let mut dump = Dump::new();
    dump.workload("StatefulSet", "app", 1);
    dump.pod("app", "StatefulSet", "app", Some("a"));
    let translation = translated(&dump.bytes());
    let nodes = &translation.problem.current.as_ref().unwrap().nodes;
    assert_eq!(
        (
            nodes[0].pods["shop/app"],
            nodes[0].pods["shop/app.statefulset"]
        ),
        (1, 1)
    );
    assert!(
        translation
            .comments
            .get("services.shop/app.statefulset")
            .is_some()
    );
}

#[test]
fn priorities_are_those_of_the_pods() {
    let mut dump = Dump::new();
    dump.0
        .iter_mut()
        .find(|object| object["kind"] == "Pod")
        .unwrap()["spec"]["priority"] = json!(1000);
    assert_eq!(
        service(&translated(&dump.bytes()), "shop/app").priority,
        1000
    );
}
