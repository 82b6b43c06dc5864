//! `pack`: the published instances with known optima, and what it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Run, file, folder, ketscale};
use ketscale_test_support::shared;
use serde_json::Value;

fn pack(path: &str) -> Run {
    ketscale(&["pack", path, "--time-limit", "600", "--output", "json"])
}

fn report(run: Run) -> Value {
    serde_json::from_slice(&run.exits(0).stdout).unwrap()
}

fn numbers(text: &str) -> Vec<i64> {
    text.split_whitespace()
        .map(|token| token.parse().unwrap())
        .collect()
}

/// The assignment holds every item as often as the file says, and no bin more than it can.
fn check(text: &str, report: &Value) {
    let all = numbers(text);
    let dimensions = usize::try_from(all[0]).unwrap();
    let (capacity, items) = (
        &all[1..=dimensions],
        all[dimensions + 2..].chunks(dimensions + 1),
    );
    let items: Vec<&[i64]> = items.collect();
    let mut left: Vec<i64> = items.iter().map(|item| item[dimensions]).collect();
    let assignment = report["assignment"].as_array().unwrap();
    for bin in assignment {
        let held: Vec<usize> = bin
            .as_array()
            .unwrap()
            .iter()
            .map(|item| usize::try_from(item.as_u64().unwrap()).unwrap())
            .collect();
        for k in 0..dimensions {
            assert!(
                held.iter().map(|item| items[*item][k]).sum::<i64>() <= capacity[k],
                "{bin}"
            );
        }
        held.iter().for_each(|item| left[*item] -= 1);
    }
    assert!(left.iter().all(|left| *left == 0), "{left:?}");
    assert_eq!(report["bins"].as_u64().unwrap() as usize, assignment.len());
}

#[test]
fn published_optima_are_found_and_proven() {
    let Some(folder) = shared("data/vectorpack") else {
        return;
    };
    let optima = std::fs::read_to_string(folder.join("known_optima.csv")).unwrap();
    let mut proven = 0;
    for line in optima.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let path = folder.join(fields[0]);
        let report = report(pack(path.to_str().unwrap()));
        check(&std::fs::read_to_string(&path).unwrap(), &report);
        if let Ok(optimum) = fields[2].parse::<u64>() {
            assert_eq!(
                (&report["bins"], &report["bound"], &report["status"]),
                (&optimum.into(), &optimum.into(), &"optimal".into()),
                "{line}"
            );
            proven += 1;
        }
    }
    assert!(proven >= 29, "{proven}");
}

#[test]
fn cloud_balancing_is_proven_where_it_is_small() {
    let Some(folder) = shared("data/timefold") else {
        return;
    };
    for (name, optimum) in [
        ("2computers-6processes", 5460),
        ("3computers-9processes", 5460),
        ("4computers-12processes", 7410),
    ] {
        let report = report(pack(folder.join(format!("{name}.json")).to_str().unwrap()));
        assert_eq!(
            (&report["cost"], &report["bound"], &report["status"]),
            (&optimum.into(), &optimum.into(), &"optimal".into()),
            "{name}"
        );
        let (computers, bins) = (
            report["computers"].as_array().unwrap(),
            report["assignment"].as_array().unwrap(),
        );
        assert_eq!(computers.len(), bins.len());
    }
}

#[test]
fn what_cannot_be_packed_is_said() {
    let folder = folder();
    let path = file(&folder, "large.vbp", b"2\n10 10\n2\n3 3 1\n3 11 1\n");
    let run = pack(&path).exits(1);
    let report: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(
        (&report["status"], &report["bins"]),
        (&"infeasible".into(), &Value::Null)
    );
}

#[test]
fn all_mistakes_of_a_file_are_told() {
    let folder = folder();
    let path = file(&folder, "bad.vbp", b"2\n10 ten\n1\n3 3 0\n");
    pack(&path)
        .exits(2)
        .says(&["bad.vbp: line 2", "bad.vbp: line 4"]);
}
