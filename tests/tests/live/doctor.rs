//! `ketscale doctor` and `ketscale snapshot`, as people use them.

use std::process::Output;

use ketscale_engine::snapshot::Snapshot;
use serde_json::Value;

use super::problem::FILE;
use super::prometheus::{Prometheus, WINDOW};
use super::server;

pub fn through_the_binary(prometheus: &Prometheus) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("shop.yaml"), FILE).unwrap();
    std::fs::write(path("queries.yaml"), format!("window: {WINDOW}\n")).unwrap();
    let (problem, queries) = (path("shop.yaml"), path("queries.yaml"));
    let ketscale = |command: &str, more: &[&str]| {
        std::process::Command::new(server::binary())
            .args([command, &problem, "--prometheus", &prometheus.url])
            .args(["--queries", &queries])
            .args(more)
            .output()
            .unwrap()
    };
    diagnosis(&ketscale("doctor", &["--output", "json"]));
    report(&ketscale("doctor", &[]));
    let out = path("snapshot.json");
    let written = ketscale("snapshot", &["--out", &out]);
    let said = text(&written);
    assert!(written.status.success(), "{written:?}");
    assert!(
        said.contains("services.shop/db.load.rps") && said.contains(&out),
        "{said}"
    );
    is_a_snapshot(&std::fs::read(&out).unwrap());
    std::fs::create_dir(path("all")).unwrap();
    assert!(
        ketscale("snapshot", &["--out-dir", &path("all")])
            .status
            .success()
    );
    for entry in std::fs::read_dir(path("all")).unwrap() {
        is_a_snapshot(&std::fs::read(entry.unwrap().path()).unwrap());
    }
    let printed = ketscale("snapshot", &[]);
    is_a_snapshot(&printed.stdout);
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn is_a_snapshot(bytes: &[u8]) {
    let snapshot: Snapshot = serde_json::from_slice(bytes).unwrap();
    assert_eq!(snapshot.schema, "ketscale.snapshot/v1");
    assert_eq!(snapshot.problem.name, "shop");
    assert!(!snapshot.readings.is_empty() && !snapshot.gaps.is_empty());
}

/// `db` is no part of the mesh, so that its load is missing, and something needed is missing.
fn diagnosis(output: &Output) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let item = |service: &str, path: &str| {
        let services = found["services"].as_array().unwrap();
        let service = services.iter().find(|check| check["service"] == service);
        let items = service.unwrap()["items"].as_array().unwrap();
        items.iter().find(|item| item["path"] == path).cloned()
    };
    let load = item("shop/db", "load.rps").unwrap();
    assert_eq!(
        (load["state"].as_str(), load["needed"].as_bool()),
        (Some("missing"), Some(true))
    );
    assert!(load["advice"].as_str().unwrap().contains("request_rate"));
    let web = item("shop/web", "load.rps").unwrap();
    assert_eq!(web["state"], "found");
    assert!(web["age_seconds"].as_f64().unwrap() >= 0.0);
    let memory = item("shop/db", "capacity.memory_peak").unwrap();
    assert_eq!(memory["state"], "stale");
    let query = |name: &str| {
        let queries = found["queries"].as_array().unwrap();
        let query = queries.iter().find(|check| check["name"] == name);
        query.unwrap()["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(query("pods"), "found");
    assert_eq!(query("request_rate[0]"), "found");
    assert_eq!(query("request_rate[1]"), "missing");
    assert_eq!(query("autoscaler_groups"), "missing");
    // The containers of `db` ended long ago.
    assert_eq!(query("cpu_history.deployments"), "found");
    assert_eq!(query("memory_history.deployments"), "found");
    assert_eq!(query("cpu_history.statefulsets"), "missing");
    owners(&found["owners"]);
}

fn owners(owners: &Value) {
    let owners: Vec<(&str, &str, &str)> = (owners.as_array().unwrap().iter())
        .map(|owner| {
            (
                owner["field"].as_str().unwrap(),
                owner["kind"].as_str().unwrap(),
                owner["name"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        owners,
        [
            (
                "services.shop/web.clusters.eu: replicas",
                "HorizontalPodAutoscaler",
                "shop/web"
            ),
            (
                "services.shop/web.requests",
                "VerticalPodAutoscaler",
                "shop/web-vpa"
            ),
            (
                "services.shop/quiet.clusters.eu: replicas",
                "ScaledObject",
                "shop/quiet"
            ),
            ("pools.general: nodes", "NodePool", "general"),
        ]
    );
}

fn report(output: &Output) {
    let said = text(output);
    for part in [
        "its clock agrees with this machine's",
        "What to do",
        "shop/db load.rps",
        "Who else sets what a plan would change",
        "2 to 9 replicas",
    ] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
    assert!(
        said.lines().all(|line| line.chars().count() <= 100),
        "{said}"
    );
}
