//! `ketscale replay`, as a user meets it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{command, data, file, folder, ketscale, text};
use serde_json::Value;

/// Loads of the small problem's services over half an hour, with a step up.
const LOADS: &str = "time,shop/web,shop/cart
2026-11-02T00:00:00Z,100,20
2026-11-02T00:05:00Z,110,20
2026-11-02T00:10:00Z,300,
2026-11-02T00:15:00Z,310,22
2026-11-02T00:20:00Z,120,22
2026-11-02T00:25:00Z,100,20
";

#[test]
fn policies_are_compared_in_a_table_and_a_chart() {
    let folder = folder();
    let loads = file(&folder, "loads.csv", LOADS.as_bytes());
    let chart = folder.path().join("chart.svg");
    let small = data("small.yaml");
    let arguments = [
        "replay",
        text(&small),
        "--loads",
        &loads,
        "--chart",
        text(&chart),
    ];
    let run = ketscale(&arguments).exits(0);
    for part in [
        "small: 0.0 days in 6 steps",
        "synthetic",
        "1 loads were not measured",
        "hpa-50",
        "hpa-80",
        "ketscale",
        "replica changes",
    ] {
        assert!(
            run.text().contains(part),
            "{part} is missing in\n{}",
            run.text()
        );
    }
    assert!(
        run.text().lines().all(|line| line.chars().count() <= 100),
        "{}",
        run.text()
    );
    assert!(
        std::fs::read_to_string(&chart)
            .unwrap()
            .contains("ketscale: replicas")
    );
}

/// A range that nobody reads is told of, not passed over.
#[test]
fn a_range_without_a_prometheus_is_a_usage_error() {
    let folder = folder();
    let loads = file(&folder, "loads.csv", LOADS.as_bytes());
    let small = data("small.yaml");
    let from = ["--from", "2026-11-01T00:00:00Z"];
    let replay = ["replay", text(&small), "--loads", &loads];
    for command in [&replay[..], &["forecast", &loads]] {
        ketscale(&[command, &from[..]].concat())
            .exits(64)
            .says(&["--from without --prometheus"]);
    }
    ketscale(&["forecast", &loads, "--service", "shop/web"]).exits(64);
    ketscale(&["forecast", "--prometheus", "http://127.0.0.1:1"]).exits(64);
    ketscale(&["forecast"]).exits(64);
}

#[test]
fn the_same_input_gives_the_same_bytes_on_one_and_two_threads() {
    let folder = folder();
    let loads = file(&folder, "loads.csv", LOADS.as_bytes());
    let small = data("small.yaml");
    let run = |threads: &str| {
        let arguments = [
            "replay",
            text(&small),
            "--loads",
            &loads,
            "--output",
            "json",
        ];
        let output = command(&arguments)
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    let one = run("1");
    assert_eq!(one, run("2"));
    let report: Value = serde_json::from_slice(&one).unwrap();
    assert_eq!(report["schema"], "ketscale.replay/v1");
    let policies = report["policies"].as_array().unwrap();
    assert_eq!(policies.len(), 5);
    for policy in policies {
        for key in [
            "cost_usd",
            "minutes_over_slo",
            "replica_changes",
            "node_changes",
            "evictions",
        ] {
            assert!(policy[key].is_number(), "{key} of {policy}");
        }
    }
    let ketscale = &policies[4];
    assert_eq!(ketscale["policy"], "ketscale");
    assert!(
        ketscale["plans_published"].as_u64().unwrap() > 0,
        "{ketscale}"
    );
}

#[test]
fn snapshots_are_a_source_as_well() {
    let folder = folder();
    let small = std::fs::read_to_string(data("small.yaml")).unwrap();
    let problem: Value = serde_saphyr::from_str(&small).unwrap();
    for (name, seconds, rps) in [("b.json", 300.0, 130.0), ("a.json", 600.0, 140.0)] {
        let mut problem = problem.clone();
        problem["services"][0]["load"]["rps"] = rps.into();
        let snapshot = serde_json::json!({
            "schema": "ketscale.snapshot/v1", "taken_at_seconds": seconds, "problem": problem,
            "readings": [], "gaps": []});
        file(&folder, name, snapshot.to_string().as_bytes());
    }
    let run = ketscale(&[
        "replay",
        "--snapshots",
        text(folder.path()),
        "--policies",
        "hpa-70",
        "--output",
        "json",
    ])
    .exits(0);
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(report["steps"], 2);
    assert_eq!(report["end_seconds"], 900.0);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = folder();
    let small = data("small.yaml");
    let small = text(&small);
    let loads = file(&folder, "loads.csv", b"time,shop/wob\nsoon,1\n");
    ketscale(&["replay", small, "--loads", &loads])
        .exits(2)
        .says(&[
            "loads.csv:1: column 2 (shop/wob)",
            "is no service of the problem",
        ]);
    let good = file(&folder, "good.csv", LOADS.as_bytes());
    ketscale(&["replay", small, "--loads", &good, "--policies", "hpa-0"])
        .exits(64)
        .says(&["is no policy"]);
    ketscale(&["replay", small]).exits(64).says(&["--loads"]);
    ketscale(&["replay", "--loads", &good])
        .exits(64)
        .says(&["PROBLEM"]);
    let empty = common::folder();
    ketscale(&["replay", "--snapshots", text(empty.path())])
        .exits(2)
        .says(&["0 files; a replay needs at least two"]);
    let control = file(
        &folder,
        "control.yaml",
        b"schema: ketscale.control/v1\nreplan_second: 1\n",
    );
    ketscale(&["replay", small, "--loads", &good, "--control", &control])
        .exits(2)
        .says(&["control.yaml:2", "replan_seconds"]);
}
