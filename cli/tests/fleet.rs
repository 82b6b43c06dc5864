//! `generate fleet`: a problem file that `plan` reads as it stands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{file, folder, ketscale};
use serde_json::Value;

const SIZE: [&str; 6] = ["generate", "fleet", "--services", "10", "--offerings", "12"];

#[test]
fn a_generated_fleet_is_planned_unedited_and_never_carried_out() {
    let folder = folder();
    let made = ketscale(&SIZE).exits(0);
    assert_eq!(made.stderr, "");
    assert!(
        made.text()
            .starts_with("# Made by `ketscale generate fleet --services 10"),
        "{}",
        made.text()
    );
    let path = file(&folder, "fleet.yaml", &made.stdout);
    let arguments = ["plan", &path, "--output", "json", "--work-limit", "20000"];
    let plan: Value = serde_json::from_slice(&ketscale(&arguments).exits(0).stdout).unwrap();
    assert_eq!(plan["problem"]["name"], "fleet-10x12-0");
    assert_eq!(plan["provenance"]["synthetic"], true);
    assert_eq!(plan["decision"]["action"], "hold");
    assert!(plan["current_cost"]["total_usd_per_hour"].as_f64().unwrap() > 0.0);
}

#[test]
fn the_file_is_the_same_for_the_same_seed_alone() {
    let folder = folder();
    let out = common::text(&folder.path().join("fleet.yaml")).to_owned();
    ketscale(&[&SIZE[..], &["--seed", "0", "--out", &out]].concat()).exits(0);
    assert_eq!(std::fs::read(&out).unwrap(), ketscale(&SIZE).stdout);
    let other = ketscale(&[&SIZE[..], &["--seed", "1"]].concat()).exits(0);
    assert_ne!(other.stdout, ketscale(&SIZE).stdout);
}

#[test]
fn options_of_another_family_are_refused_all_at_once() {
    for (arguments, parts) in [
        (
            &["fleet", "--n", "5", "--degree", "3"][..],
            &["--n belongs to", "--degree belongs to", "not to fleet"][..],
        ),
        (
            &["labs", "--n", "5", "--services", "5", "--offerings", "5"],
            &[
                "--services belongs to fleet alone",
                "--offerings belongs to fleet alone",
            ],
        ),
        (&["fleet"], &["needs --services and --offerings"]),
        (
            &["fleet", "--services", "5"],
            &["needs --services and --offerings"],
        ),
        (&["labs"], &["generate labs needs --n"]),
        (
            &["fleet", "--services", "0", "--offerings", "999999"],
            &[
                "--services: 0 is not from 1",
                "--offerings: 999999 is not from 1",
            ],
        ),
    ] {
        let run = ketscale(&[&["generate"], arguments].concat())
            .exits(64)
            .says(parts);
        assert_eq!(run.stdout, b"", "{arguments:?}");
    }
}
