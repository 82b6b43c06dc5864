//! Dumps that are no dumps, lack something, or say what cannot be.

use serde_json::json;

use super::small::Dump;
use super::{CLUSTER, try_translate};

fn message(dump: &[u8]) -> String {
    try_translate(dump)
        .err()
        .map(|errors| errors.to_string())
        .unwrap_or_else(|| panic!("expected a refusal"))
}

#[test]
fn what_is_no_list_is_refused_with_the_reason() {
    let utf16: Vec<u8> = [0xff, 0xfe]
        .into_iter()
        .chain("{}".encode_utf16().flat_map(u16::to_le_bytes))
        .collect();
    for (dump, expected) in [
        (&b""[..], "is empty"),
        (b" \n\t", "is empty"),
        (b"<!DOCTYPE html><html>login</html>", "is HTML"),
        (b"apiVersion: v1\nkind: List\n", "is not a JSON object"),
        (b"[]", "is not a JSON object"),
        (&utf16, "UTF-16"),
        (b"{\"a\": \"\xff\"}", "is not UTF-8"),
        (b"{}", "expected a List of objects, found no kind"),
        (b"{\"kind\":\"Pod\",\"metadata\":{}}", "found kind Pod"),
        (b"{\"kind\":\"PodList\",\"items\":[]}", "found kind PodList"),
        (b"{\"kind\":\"List\"}", "items: is missing"),
        (b"{\"kind\":\"List\",\"items\":[]}", "the dump has no Node"),
        (b"{\"kind\":\"List\",\n\"items\":[,]}", "dump.json:2:"),
        (
            b"{\"kind\":\"List\",\"items\":[]} {}",
            "trailing characters",
        ),
    ] {
        let message = message(dump);
        assert!(
            message.starts_with("dump.json:") && message.contains(expected),
            "{message}"
        );
    }
}

#[test]
fn a_dump_cut_anywhere_is_refused_with_its_line() {
    for end in (0..CLUSTER.len() - 1).step_by(1000) {
        let cut = &CLUSTER[..end];
        let errors = try_translate(cut).expect_err("a cut dump");
        if end > 0 {
            let lines = 1 + cut.iter().filter(|byte| **byte == b'\n').count();
            assert!(errors.issues[0].message.contains("cut off"), "{errors}");
            assert!(
                errors.issues[0]
                    .line
                    .is_some_and(|line| line <= lines && lines - line <= 1),
                "{errors}: {lines}"
            );
        }
    }
}

#[test]
fn deep_nesting_is_refused() {
    let deep = [
        b"{\"kind\":\"List\",\"items\":[".to_vec(),
        vec![b'['; 1 << 20],
    ]
    .concat();
    assert!(message(&deep).contains("cut off"));
    let mut dump = Dump::new();
    dump.app()["affinity"] =
        serde_json::from_str(&format!("{}0{}", "[".repeat(100), "]".repeat(100))).unwrap();
    assert!(message(&dump.bytes()).contains("Deployment shop/app"));
}

#[test]
fn missing_kinds_are_named_with_the_command() {
    for (kind, expected) in [
        ("Node", "no Node"),
        ("Pod", "no Pod"),
        ("Deployment", "no Deployment"),
    ] {
        let mut dump = Dump::new();
        dump.0.retain(|object| object["kind"] != kind);
        let message = message(&dump.bytes());
        assert!(
            message.contains(expected) && message.contains("kubectl get deploy,sts,ds"),
            "{message}"
        );
    }
    let mut dump = Dump::new();
    dump.pod("agent", "DaemonSet", "agent", Some("a"));
    dump.pod("db", "StatefulSet", "db", Some("a"))["spec"]["volumes"] =
        json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}]);
    let message = message(&dump.bytes());
    for kind in ["DaemonSet", "StatefulSet", "PersistentVolumeClaim"] {
        assert!(
            message.contains(&format!("the dump has no {kind}")),
            "{kind}: {message}"
        );
    }
}

#[test]
fn bad_fields_name_object_and_line_all_at_once() {
    let mut dump = Dump::new();
    dump.get("Deployment", "app")["spec"]["replicas"] = json!("three");
    dump.object(
        "policy/v1",
        "PodDisruptionBudget",
        "bad",
        json!({"maxUnavailable": -1}),
    );
    let bytes = dump.bytes();
    let errors = try_translate(&bytes).expect_err("two bad fields");
    let text = String::from_utf8(bytes).unwrap();
    let line = text
        .lines()
        .position(|line| line.contains("\"three\""))
        .unwrap()
        + 1;
    assert_eq!(errors.issues.len(), 2, "{errors}");
    assert!(
        errors
            .issues
            .iter()
            .any(|issue| issue.line == Some(line) && issue.path.contains("Deployment shop/app")),
        "{errors}"
    );
    assert!(errors.to_string().contains("PodDisruptionBudget shop/bad"));
}

#[test]
fn impossible_values_are_refused() {
    let refused = |change: &dyn Fn(&mut Dump), expected: &str| {
        let mut dump = Dump::new();
        change(&mut dump);
        let message = message(&dump.bytes());
        assert!(message.contains(expected), "{message}");
    };
    refused(
        &|dump| dump.app()["containers"][0]["resources"]["requests"]["cpu"] = json!("-1"),
        "Deployment shop/app: spec.template.spec.containers.main.resources.requests.cpu",
    );
    refused(
        &|dump| dump.get("Node", "a")["status"]["allocatable"]["cpu"] = json!("lots"),
        "Node a.status.allocatable: cpu",
    );
    let hpa = json!({"scaleTargetRef": {"kind": "Deployment", "name": "app"}, "minReplicas": 9, "maxReplicas": 3});
    refused(
        &|dump| {
            dump.object(
                "autoscaling/v2",
                "HorizontalPodAutoscaler",
                "app",
                hpa.clone(),
            )
        },
        "HorizontalPodAutoscaler shop/app: spec.minReplicas 9 is above spec.maxReplicas 3",
    );
    let budget = json!({"selector": {"matchLabels": {"app": "app"}}, "minAvailable": "half"});
    refused(
        &|dump| dump.object("policy/v1", "PodDisruptionBudget", "app", budget.clone()),
        "PodDisruptionBudget shop/app.spec: expected",
    );
    refused(
        &|dump| {
            dump.get("Node", "a")["metadata"]["labels"]["topology.kubernetes.io/region"] =
                json!("us-west-2")
        },
        "several regions",
    );
    refused(
        &|dump| dump.0.push(super::small::node("a", "us-east-1a")),
        "(Node a): appears twice",
    );
    refused(
        &|dump| dump.get("Node", "a")["metadata"]["name"] = json!(""),
        "has no metadata.name",
    );
    refused(
        &|dump| dump.get("Deployment", "app")["spec"]["replicas"] = json!(0),
        "no Deployment or StatefulSet with replicas",
    );
}
