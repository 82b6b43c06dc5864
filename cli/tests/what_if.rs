//! `plan --set` and `plan --without`: the changed problem's plan, and what differs from the plan of the file as it is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Run, data, file, folder, ketscale, text};
use serde_json::Value;

fn what_if(arguments: &[&str]) -> Run {
    let small = data("small.yaml");
    let plan = ["plan", text(&small), "--work-limit", "100000"];
    ketscale(&[&plan[..], arguments].concat())
}

#[test]
fn the_table_ends_with_what_differs() {
    let run = what_if(&["--set", "services.shop/web.load.rps=150"]).exits(0);
    let (report, difference) = run
        .text()
        .split_once("Against the plan of the file as it is\n")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("a section with the differences");
    assert!(report.starts_with("small: "), "{report}");
    for part in [
        "services.shop/web.load.rps",
        "100",
        "150",
        "Replicas",
        "Costs, USD/h",
    ] {
        assert!(
            difference.contains(part),
            "{part} is missing in\n{difference}"
        );
    }
}

#[test]
fn json_is_the_changed_problems_plan_file_alone() {
    let folder = folder();
    let arguments = [
        "--set",
        "services.shop/web.load.rps=150",
        "--without",
        "services.shop/cart",
        "--output",
        "json",
    ];
    let run = what_if(&arguments).exits(0);
    assert_eq!(run.stderr, "");
    let plan: Value = serde_json::from_slice(&run.stdout).unwrap();
    let services = plan["problem"]["services"].as_array().unwrap();
    assert_eq!(services.len(), 1);
    assert_eq!(services[0]["load"]["rps"], 150.0);
    let path = file(&folder, "plan.json", &run.stdout);
    ketscale(&["verify", &path]).exits(0);
    ketscale(&["verify", &path, "--problem", text(&data("small.yaml"))]).exits(1);
}

#[test]
fn a_change_that_leaves_no_plan_is_answered_with_no() {
    let run = what_if(&[
        "--set",
        "pools.general.nodes.max=1",
        "--set",
        "services.shop/web.clusters.lab.min=8",
    ])
    .exits(1);
    assert!(
        run.text().contains("infeasible → ") || run.text().contains("(infeasible)"),
        "{}",
        run.text()
    );
}

#[test]
fn mistakes_are_told_together_and_nothing_is_planned() {
    let run = what_if(&["--set", "services.shop/wbe.load.rps=1", "--without", "pools.genral"])
        .exits(2)
        .says(&["small.yaml: --set services.shop/wbe.load.rps: services has no shop/wbe; did you mean shop/web?", "--without pools.genral: pools has no genral; did you mean general?"]);
    assert_eq!(run.stdout, b"");
    what_if(&["--set", "services.shop/web.load.rps=-1"])
        .exits(2)
        .says(&["small.yaml as changed: services.shop/web.load.rps: -1"]);
    what_if(&["--set", "services"])
        .exits(64)
        .says(&["expected PATH=VALUE"]);
}
