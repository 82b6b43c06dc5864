//! Every command, as a user meets it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::io::Read;
use std::process::Stdio;

use common::{command, data, fed, file, folder, ketscale, small_plan, text};
use serde_json::Value;

#[test]
fn the_plan_file_goes_through_a_pipe_and_verifies() {
    let plan = small_plan();
    let verified = fed(&["verify", "-"], &plan).exits(0);
    assert!(
        verified.text().starts_with("standard input: verified, "),
        "{}",
        verified.text()
    );
    let document: Value = serde_json::from_slice(&plan).unwrap();
    assert!(
        verified
            .text()
            .contains(document["digest"].as_str().unwrap())
    );
}

#[test]
fn the_same_seed_and_work_give_the_same_bytes() {
    assert_eq!(small_plan(), small_plan());
}

#[test]
fn the_table_says_what_an_operator_needs_and_fits_the_terminal() {
    let folder = folder();
    let out = text(&folder.path().join("plan.json")).to_owned();
    let run = ketscale(&["plan", text(&data("small.yaml")), "--out", &out]).exits(0);
    for part in [
        "small: ",
        "Verified.",
        "synthetic",
        "USD/month",
        "saving",
        "proven bound",
        "shop/web",
        "general",
        "To carry it out",
    ] {
        assert!(
            run.text().contains(part),
            "{part} is missing in\n{}",
            run.text()
        );
    }
    assert!(
        run.text().contains(&format!("ketscale verify {out}")),
        "{}",
        run.text()
    );
    assert!(
        run.text()
            .lines()
            .all(|line| line.chars().count() <= 100 || line.contains(&out)),
        "{}",
        run.text()
    );
    assert!(!run.text().contains('\u{1b}'), "no colours in a pipe");
    assert_eq!(run.stderr, "", "no progress bar in a pipe");
    ketscale(&["verify", &out, "--problem", text(&data("small.yaml"))]).exits(0);
}

#[test]
fn the_demo_shows_a_verified_plan_and_what_to_do_next() {
    // Time enough to end by itself on any machine.
    let run = ketscale(&["demo", "--time-limit", "3600"]).exits(0);
    assert_eq!(run.stderr, "");
    assert!(run.text().starts_with("boutique: "), "{}", run.text());
    assert!(
        run.text().lines().next().unwrap().ends_with("Verified."),
        "{}",
        run.text()
    );
    insta::assert_snapshot!(shape(&run.text()), @r"
    # Cost
    | USD/h USD/month of it, USD/h
    now
    stock autoscalers
    … made feasible
    planned
    saving
    proven bound
    # Replicas, now → planned
    | service eks-use1 gke-euw1 aks-weu replicas CPU p95 / objective moves
    shop/frontend
    shop/catalog
    shop/cart
    shop/cart-store
    shop/checkout
    shop/payment
    shop/shipping
    shop/currency
    shop/recommendation
    shop/ads
    shop/email
    # Nodes, now → planned
    | pool nodes USD/h planned
    eks-general
    eks-spot
    gke-general
    gke-arm
    aks-general
    all
    # Candidates
    | solver outcome USD/h of it for the scheduler work units
    # QAOA (simulated; a sampler of candidates, not a faster computer)
    # To carry it out
    # Next: plan a fleet of your own
    ");
}

/// The table without its figures: headings, headers, and the first cells of rows. What depends on the search is left out: the
/// headline, the solvers' rows, sentences.
fn shape(text: &str) -> String {
    let lines: Vec<&str> = text.lines().skip(2).collect();
    let mut shape = String::new();
    let mut heading = "";
    for (index, line) in lines.iter().enumerate() {
        let rule = |line: Option<&&str>| line.is_some_and(|line| line.starts_with('─'));
        if line.is_empty() || line.starts_with('─') || line.starts_with(" -") {
            continue;
        }
        if !line.starts_with(' ') {
            heading = line;
            if heading != "Why" {
                shape.push_str(&format!("# {line}\n"));
            }
        } else if rule(lines.get(index + 1)) {
            shape.push_str(&format!(
                "| {}\n",
                line.split_whitespace().collect::<Vec<_>>().join(" ")
            ));
        } else if !line.starts_with("  ") && heading != "Candidates" {
            shape.push_str(&format!(
                "{}\n",
                line.trim_start().split("  ").next().unwrap_or_default()
            ));
        }
    }
    shape
}

#[test]
fn explain_names_every_service_or_the_one_asked_for() {
    let folder = folder();
    let plan = file(&folder, "plan.json", &small_plan());
    let all = ketscale(&["explain", &plan]).exits(0).text();
    assert!(
        all.contains("shop/web: ") && all.contains("shop/cart: "),
        "{all}"
    );
    assert!(all.contains("not fewer: "), "{all}");
    let one = ketscale(&["explain", &plan, "shop/cart"]).exits(0).text();
    assert!(
        !one.contains("shop/web: ") && one.contains("shop/cart: "),
        "{one}"
    );
    ketscale(&["explain", &plan, "shop/none"])
        .exits(2)
        .says(&["no service shop/none", "shop/web"]);
    let json = ketscale(&["explain", &plan, "--output", "json"]).exits(0);
    let explanation: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(explanation["services"].as_array().unwrap().len(), 2);
}

#[test]
fn explain_tells_unused_offerings_and_neighbouring_replica_counts() {
    let folder = folder();
    let plan = file(&folder, "plan.json", &small_plan());
    let table = ketscale(&["explain", &plan, "--exact", "--time-limit", "3600"]).exits(0);
    for part in [
        "Offerings that the plan does not use",
        "its best filling is worth",
        "With one replica fewer or more, planned anew",
        "at the plan's prices one replica",
    ] {
        assert!(
            table.text().contains(part),
            "{part:?} is missing in\n{}",
            table.text()
        );
    }
    let json = ["explain", &plan, "shop/web", "--exact", "--output", "json"];
    let answer: Value = serde_json::from_slice(&ketscale(&json).exits(0).stdout).unwrap();
    let replanned = answer["replanned"].as_array().unwrap();
    assert_eq!(replanned.len(), 2, "one fewer and one more");
    let no_offerings = answer["unused"].as_array().is_some_and(Vec::is_empty);
    assert!(no_offerings, "one service was asked for");
    ketscale(&["explain", &plan, "--time-limit", "5"])
        .exits(64)
        .says(&["--exact"]);
}

#[test]
fn explain_begins_with_what_clashes_where_nothing_is_feasible() {
    let folder = folder();
    let clashing = common::small_with("nodes: {max: 6}", "nodes: {max: 1}").replacen(
        "min: 1, max: 8",
        "min: 8, max: 8",
        1,
    );
    let plan = fed(&["plan", "-", "--output", "json"], clashing.as_bytes()).exits(1);
    let path = file(&folder, "plan.json", &plan.stdout);
    let told = ketscale(&["explain", &path]).exits(0).text();
    assert!(told.starts_with("Nothing is feasible"), "{told}");
    assert!(told.contains("pools.general.nodes.max"), "{told}");
}

#[test]
fn diff_tells_what_changed_and_nothing_else() {
    let folder = folder();
    let before = file(&folder, "a.json", &small_plan());
    assert!(
        ketscale(&["diff", &before, &before])
            .exits(0)
            .text()
            .contains("the same to the byte")
    );
    let changed = common::small_with("rps: 20}", "rps: 60}");
    let run = fed(
        &["plan", "-", "--output", "json", "--work-limit", "2000000"],
        changed.as_bytes(),
    )
    .exits(0);
    let after = file(&folder, "b.json", &run.stdout);
    let json = ketscale(&["diff", &before, &after, "--output", "json"]).exits(0);
    let found: Value = serde_json::from_slice(&json.stdout).unwrap();
    let problem = serde_json::json!([{"path": "services.shop/cart.load.rps", "value": {"before": 20.0, "after": 60.0}}]);
    assert_eq!(found["problem"], problem);
    assert!(
        ketscale(&["diff", &before, &after])
            .exits(0)
            .text()
            .contains("services.shop/cart.load.rps")
    );
    ketscale(&["diff", "-", "-"]).exits(64);
}

#[test]
fn exported_autoscalers_hold_the_planned_replicas() {
    let plan = small_plan();
    let document: Value = serde_json::from_slice(&plan).unwrap();
    let stream = fed(&["export", "-", "--as", "hpa"], &plan).exits(0).text();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&stream).unwrap();
    assert_eq!(objects.len(), 2, "{stream}");
    for (object, planned) in objects.iter().zip(document["services"].as_array().unwrap()) {
        let replicas = planned["replicas"]["lab"].as_u64().unwrap();
        let now = planned["replicas_now"]["lab"].as_u64().unwrap();
        assert_eq!(object["apiVersion"], "autoscaling/v2");
        assert_eq!(object["kind"], "HorizontalPodAutoscaler");
        assert_eq!(object["metadata"]["namespace"], "shop");
        assert_eq!(object["spec"]["minReplicas"].as_u64(), Some(replicas));
        // Both services have fewer replicas planned than now, to which an HPA must be made to come down.
        assert!(replicas < now, "{document}");
        assert_eq!(object["spec"]["maxReplicas"].as_u64(), Some(replicas));
        assert_eq!(
            object["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"],
            70
        );
    }
}

#[test]
fn exported_counts_are_the_planned_nodes() {
    let plan = small_plan();
    let document: Value = serde_json::from_slice(&plan).unwrap();
    let run = fed(&["export", "-", "--as", "nodegroups"], &plan).exits(0);
    let groups: Vec<Value> = serde_json::from_slice(&run.stdout).unwrap();
    let sum = |values: &[Value], key: &str| {
        values
            .iter()
            .filter_map(|value| value[key].as_u64())
            .sum::<u64>()
    };
    assert_eq!(
        sum(&groups, "desired"),
        sum(document["nodes"].as_array().unwrap(), "count")
    );
    assert_eq!(sum(&groups, "now"), 2);
    assert!(groups.iter().all(|group| group["min"] == group["desired"]
        && group["max"].as_u64() >= group["desired"].as_u64()));
}

#[test]
fn node_pools_for_karpenter_name_the_planned_types_only() {
    let aws = common::small_with(
        "provider: other, region: here",
        "provider: aws, region: here",
    );
    let plan = fed(
        &["plan", "-", "--output", "json", "--work-limit", "2000000"],
        aws.as_bytes(),
    )
    .exits(0)
    .stdout;
    let document: Value = serde_json::from_slice(&plan).unwrap();
    let stream = fed(&["export", "-", "--as", "karpenter"], &plan)
        .exits(0)
        .text();
    let pools: Vec<Value> = serde_saphyr::from_multiple(&stream).unwrap();
    assert_eq!(pools.len(), 1, "{stream}");
    assert_eq!(
        (&pools[0]["apiVersion"], &pools[0]["kind"]),
        (&"karpenter.sh/v1".into(), &"NodePool".into())
    );
    assert_eq!(
        pools[0]["spec"]["template"]["spec"]["nodeClassRef"]["kind"],
        "EC2NodeClass"
    );
    let requirement = &pools[0]["spec"]["template"]["spec"]["requirements"][0];
    assert_eq!(requirement["key"], "node.kubernetes.io/instance-type");
    for kind in requirement["values"].as_array().unwrap() {
        let planned = |group: &Value| {
            group["offering"]
                .as_str()
                .unwrap()
                .starts_with(&format!("{}/", kind.as_str().unwrap()))
        };
        assert!(
            document["nodes"].as_array().unwrap().iter().any(planned),
            "{kind} is not planned"
        );
    }
    let other = fed(&["export", "-", "--as", "karpenter"], &small_plan())
        .exits(0)
        .text();
    assert!(
        other.contains("# general: no Karpenter provider for other."),
        "{other}"
    );
}

#[test]
fn export_refuses_what_does_not_verify_and_clusters_that_are_not_there() {
    let plan = small_plan();
    fed(&["export", "-", "--as", "hpa", "--cluster", "moon"], &plan)
        .exits(2)
        .says(&["no cluster moon", "lab"]);
    let changed =
        String::from_utf8(plan)
            .unwrap()
            .replacen("\"synthetic\":true", "\"synthetic\":false", 1);
    let run = fed(&["export", "-", "--as", "hpa"], changed.as_bytes())
        .exits(1)
        .says(&["does not verify"]);
    assert_eq!(run.stdout, b"");
}

#[test]
fn the_catalogue_is_filtered_and_takes_prices_of_ones_own() {
    let json = |args: &[&str]| -> Vec<Value> {
        let run = ketscale(&[&["catalog", "--output", "json"], args].concat()).exits(0);
        serde_json::from_slice(&run.stdout).unwrap()
    };
    assert!(json(&[]).len() >= 100);
    let arm = json(&[
        "--provider",
        "aws",
        "--architecture",
        "arm64",
        "--min-cpu",
        "4",
        "--min-memory",
        "16Gi",
    ]);
    assert!(!arm.is_empty());
    assert!(arm.iter().all(|row| row["provider"] == "aws"
        && row["architecture"] == "arm64"
        && row["vcpus"].as_u64() >= Some(4)));
    assert!(
        json(&["--gpu"])
            .iter()
            .all(|row| row["gpus"].as_u64() > Some(0))
    );
    let folder = folder();
    let prices = file(
        &folder,
        "prices.csv",
        b"provider,region,instance_type,on_demand_usd_per_hour\naws,eu-west-1,m7g.large,0.0911\n",
    );
    let own = json(&["--region", "eu-west-1", "--prices", &prices]);
    assert_eq!(own[0]["on_demand_usd_per_hour"], 0.0911);
    let table = ketscale(&["catalog", "--name", "e2-standard"])
        .exits(0)
        .text();
    assert!(
        table.contains("gcp europe-west1") && table.lines().all(|line| line.chars().count() <= 100),
        "{table}"
    );
    let wrong = file(
        &folder,
        "wrong.csv",
        b"provider,region,instance_type,on_demand_usd_per_hour\naws,eu,x,cheap\n",
    );
    ketscale(&["catalog", "--prices", &wrong])
        .exits(2)
        .says(&["wrong.csv:2: on_demand_usd_per_hour", "cheap"]);
}

#[test]
fn schemas_are_json_schemas() {
    for (of, key) in [
        (vec![], "services"),
        (vec!["problem"], "services"),
        (vec!["plan"], "certificate"),
        (vec!["control"], "quiet_hours"),
    ] {
        let run = ketscale(&[vec!["schema"], of].concat()).exits(0);
        let schema: Value = serde_json::from_slice(&run.stdout).unwrap();
        assert!(schema["properties"][key].is_object(), "{key}");
    }
}

#[test]
fn every_shell_has_its_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = ketscale(&["completions", shell]).exits(0).text();
        assert!(
            script.contains("ketscale") && script.contains("completions"),
            "{shell}"
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = command(&["catalog", "--output", "json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0_u8; 1];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stderr, b"");
}

#[test]
fn init_and_plan_share_a_pipe() {
    let dump = std::fs::read(data("dump.json")).unwrap();
    let problem = fed(&["init", "-"], &dump).exits(0);
    let plan = fed(
        &["plan", "-", "--output", "json", "--work-limit", "2000000"],
        &problem.stdout,
    )
    .exits(0);
    fed(&["verify", "-"], &plan.stdout).exits(0);
    assert!(problem.text().contains("shop/web"), "{}", problem.text());
}

/// The dump is made, seeded, in the real API's shape: `tests/fixtures/make_cluster.py`.
#[test]
fn a_cluster_of_fifty_workloads_is_planned_unedited() {
    let dump = include_bytes!("../../tests/fixtures/cluster-50.json");
    let problem = fed(&["init", "-"], dump).exits(0);
    let plan = fed(
        &["plan", "-", "--time-limit", "10", "--output", "json"],
        &problem.stdout,
    )
    .exits(0);
    fed(&["verify", "-"], &plan.stdout).exits(0);
}
