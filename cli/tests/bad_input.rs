//! What is refused: with which exit code, naming file, line and field, without a panic, and with nothing half-written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::fs;

use common::{data, fed, file, folder, ketscale, small_plan, small_with, text};

/// Plans the small problem with one change.
fn planned_with(old: &str, new: &str) -> common::Run {
    fed(&["plan", "-"], small_with(old, new).as_bytes())
}

#[test]
fn mistakes_in_fields_name_their_path_and_line() {
    for (old, new, path) in [
        ("rps: 100", "rpm: 100", "services.shop/web.load"),
        ("cpu: 500m", "cpu: 500q", "services.shop/web.requests.cpu"),
        (
            "min: 1, max: 8",
            "min: 9, max: 8",
            "services.shop/web.clusters.lab.min",
        ),
        ("rps: 100", "rps: -1", "services.shop/web.load.rps"),
        ("rps: 100", "rps: .nan", "services.shop/web.load.rps"),
        ("name: shop/cart", "name: shop/web", "shop/web"),
        (
            "usd_per_hour: 0.2,",
            "usd_per_hour: -0.2,",
            "pools.general.offerings",
        ),
    ] {
        let run = planned_with(old, new)
            .exits(2)
            .says(&["standard input:", path]);
        assert_eq!(run.stdout, b"", "{new}");
    }
    // With the line: the load of the first service.
    planned_with("rps: 100", "rps: -1").says(&["standard input:11:"]);
}

#[test]
fn a_pod_that_no_offering_fits() {
    let huge = small_with("cpu: 500m", "cpu: 64");
    let without_current = huge.split("current:").next().unwrap();
    fed(&["plan", "-"], without_current.as_bytes())
        .exits(2)
        .says(&["standard input: services.shop/web: no offering fits a pod"]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let both = small_with("rps: 100", "rps: -1").replacen("rps: 20", "rps: -2", 1);
    fed(&["plan", "-"], both.as_bytes())
        .exits(2)
        .says(&["shop/web.load.rps", "shop/cart.load.rps"]);
}

#[test]
fn files_that_are_no_files() {
    let folder = folder();
    let here = text(folder.path());
    for command in [
        vec!["plan"],
        vec!["verify"],
        vec!["init"],
        vec!["explain"],
        vec!["export", "--as", "hpa"],
    ] {
        let on = |path: &str| ketscale(&[command.clone(), vec![path]].concat());
        on(here).exits(2).says(&[here, "is a directory"]);
        on("/nowhere/at/all").exits(2).says(&["/nowhere/at/all"]);
        on(&file(&folder, "empty", b""))
            .exits(2)
            .says(&["empty: is empty"]);
    }
    fed(&["plan", "-"], b"")
        .exits(2)
        .says(&["standard input: is empty"]);
    fed(&["plan", "-"], b"  \n\n").exits(2).says(&["empty"]);
    fed(&["plan", "-"], b"\xff\xfe\x00")
        .exits(2)
        .says(&["UTF-8"]);
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let secret = file(&folder, "secret.yaml", b"schema: x");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    let denied = fs::read(&secret).is_err();
    if ketscale_test_support::require("unprivileged-user", denied) && denied {
        ketscale(&["plan", &secret])
            .exits(2)
            .says(&["secret.yaml: cannot be read"]);
    }
}

#[test]
fn a_huge_file_is_refused_unread() {
    let folder = folder();
    let path = folder.path().join("huge.yaml");
    fs::File::create(&path).unwrap().set_len(100 << 20).unwrap();
    ketscale(&["plan", text(&path)])
        .exits(2)
        .says(&["huge.yaml: is larger than 64 MiB"]);
}

#[test]
fn deep_nesting_is_refused() {
    for open in ["[", "{a: "] {
        let deep = open.repeat(100_000);
        fed(&["plan", "-"], deep.as_bytes())
            .exits(2)
            .says(&["standard input"]);
    }
    let plan = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    fed(&["verify", "-"], plan.as_bytes()).exits(1);
    fed(&["init", "-"], plan.as_bytes()).exits(2);
}

#[test]
fn a_dump_cut_in_half_is_refused_and_nothing_is_written() {
    let folder = folder();
    let dump = fs::read(data("dump.json")).unwrap();
    let half = file(&folder, "half.json", &dump[..dump.len() / 2]);
    let kept = file(&folder, "problem.yaml", b"what was there before");
    ketscale(&["init", &half, "--output", &kept])
        .exits(2)
        .says(&["half.json"]);
    assert_eq!(fs::read(&kept).unwrap(), b"what was there before");
}

#[test]
fn an_output_that_cannot_be_written_leaves_nothing_behind() {
    let folder = folder();
    let small = data("small.yaml");
    let nowhere = folder.path().join("missing/plan.json");
    ketscale(&["plan", text(&small), "--out", text(&nowhere)])
        .exits(3)
        .says(&["missing/plan.json: cannot be written"]);
    ketscale(&["plan", text(&small), "--out", text(folder.path())])
        .exits(2)
        .says(&["is a directory"]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    let out = folder.path().join("plan.json");
    ketscale(&["plan", text(&small), "--out", text(&out)]).exits(0);
    let names: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["plan.json"], "no temporary file is left");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_the_environments_fault() {
    let full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = common::command(&["catalog"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));
}

#[test]
fn what_nobody_can_mean_is_a_usage_error() {
    let small = data("small.yaml");
    let small = text(&small);
    for args in [
        vec!["fly"],
        vec![],
        vec!["plan"],
        vec!["plan", small, "--problem", small],
        vec!["plan", small, "--solver", "magic"],
        vec!["plan", small, "--time-limit", "NaN"],
        vec!["plan", small, "--time-limit", "0"],
        vec!["plan", small, "--seed", "-1"],
        vec!["export", small],
        vec!["init"],
        vec!["catalog", "--provider", "moon"],
        vec!["serve", "--listen", "here"],
    ] {
        let run = ketscale(&args).exits(64);
        assert!(!run.stderr.is_empty() && run.stdout.is_empty(), "{args:?}");
    }
    for asked in ["--help", "--version"] {
        assert!(
            ketscale(&[asked]).exits(0).text().contains("ketscale"),
            "{asked}"
        );
    }
}

#[test]
fn an_unreachable_prometheus_is_the_environments_fault() {
    // Port 1 is tcpmux, which nothing on a test machine offers.
    let url = "http://127.0.0.1:1";
    ketscale(&["plan", text(&data("small.yaml")), "--prometheus", url])
        .exits(3)
        .says(&["http://127.0.0.1:1"]);
    ketscale(&["init", "--prometheus", url])
        .exits(3)
        .says(&["http://127.0.0.1:1"]);
    ketscale(&[
        "plan",
        text(&data("small.yaml")),
        "--prometheus",
        "not an address",
    ])
    .exits(2)
    .says(&["not an address"]);
}

#[test]
fn all_mistakes_of_a_settings_file_are_told_at_once() {
    let folder = folder();
    let text_of = "window: often\nconnection: {timeout_secs: 3, tls_config: {ca_file: 7}}\npods: {value: up}\n";
    let queries = file(&folder, "queries.yaml", text_of.as_bytes());
    let small = data("small.yaml");
    for command in ["plan", "snapshot", "doctor"] {
        let url = "http://127.0.0.1:1";
        let args = [
            command,
            text(&small),
            "--prometheus",
            url,
            "--queries",
            &queries,
        ];
        ketscale(&args).exits(2).says(&[
            "queries.yaml: connection.timeout_secs: unknown key; did you mean timeout_seconds?",
            "queries.yaml: connection.tls_config.ca_file: 7 is not a string",
            "queries.yaml: pods.sampled_at: is missing",
        ]);
    }
    for command in ["snapshot", "doctor"] {
        let unreachable = [command, text(&small), "--prometheus", "http://127.0.0.1:1"];
        ketscale(&unreachable)
            .exits(3)
            .says(&["http://127.0.0.1:1"]);
        ketscale(&[command, text(&small)]).exits(64);
    }
    let secured = file(
        &folder,
        "secured.yaml",
        b"connection: {tls_config: {ca_file: /nowhere/ca.pem}}",
    );
    let url = "https://127.0.0.1:1";
    let args = [
        "doctor",
        text(&small),
        "--prometheus",
        url,
        "--queries",
        &secured,
    ];
    ketscale(&args)
        .exits(2)
        .says(&["connection.tls_config.ca_file: /nowhere/ca.pem"]);
}

#[test]
fn infeasible_is_an_answer_that_names_what_clashes() {
    let folder = folder();
    let out = text(&folder.path().join("plan.json")).to_owned();
    // 100 requests a second need three pods at least.
    let problem = file(
        &folder,
        "tight.yaml",
        small_with("max: 8", "max: 2").as_bytes(),
    );
    let run = ketscale(&["plan", &problem, "--out", &out]).exits(1);
    assert!(
        run.text().contains("infeasible") && run.text().contains("What to relax"),
        "{}",
        run.text()
    );
    assert!(run.text().contains("shop/web"), "{}", run.text());
    // The refusal is proven, and verifies; there is nothing to export.
    ketscale(&["verify", &out]).exits(0);
    ketscale(&["export", &out, "--as", "hpa"])
        .exits(1)
        .says(&["infeasible"]);
}

#[test]
fn a_changed_plan_is_refused_with_the_answer_no() {
    let plan = String::from_utf8(small_plan()).unwrap();
    let changed = plan.replacen("\"synthetic\":true", "\"synthetic\":false", 1);
    assert_ne!(plan, changed);
    let run = fed(&["verify", "-"], changed.as_bytes()).exits(1);
    assert!(run.text().contains("refused"), "{}", run.text());
    fed(&["verify", "-"], format!("{plan}\n").as_bytes()).exits(1);
    let folder = folder();
    let other = file(
        &folder,
        "other.yaml",
        small_with("rps: 100", "rps: 101").as_bytes(),
    );
    fed(&["verify", "-", "--problem", &other], plan.as_bytes()).exits(1);
}
