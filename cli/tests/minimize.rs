//! `minimize`: every method on models whose answers are known, and what it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Run, file, folder, ketscale};
use serde_json::{Value, json};
use tempfile::TempDir;

const METHODS: [&str; 5] = ["qaoa", "recursive", "greedy", "anneal", "enumerate"];

fn write(folder: &TempDir, name: &str, value: &Value) -> String {
    file(folder, name, value.to_string().as_bytes())
}

fn minimize(model: &str, more: &[&str]) -> Run {
    ketscale(&[&["minimize", model, "--output", "json"], more].concat())
}

fn report(run: Run) -> Value {
    serde_json::from_slice(&run.exits(0).stdout).unwrap()
}

fn generated(folder: &TempDir, arguments: &[&str]) -> String {
    let model = ketscale(&[&["generate"], arguments].concat()).exits(0);
    file(folder, "generated.json", &model.stdout)
}

/// The cost of an assignment by the file's own terms, read independently.
fn cost(model: &Value, assignment: &[f64]) -> f64 {
    let product = |term: &Value| -> f64 {
        let vars = term["vars"].as_array().unwrap().iter();
        let values = vars.map(|var| assignment[var.as_u64().unwrap() as usize]);
        values.product::<f64>() * term["coeff"].as_f64().unwrap()
    };
    let terms = model["terms"].as_array().unwrap().iter();
    model["offset"].as_f64().unwrap() + terms.map(product).sum::<f64>()
}

#[test]
fn every_method_reports_the_cost_of_its_assignment() {
    let folder = folder();
    for (family, values) in [("sk", [-1.0, 1.0]), ("qubo", [0.0, 1.0])] {
        let path = generated(&folder, &[family, "--n", "11", "--seed", "5"]);
        let model: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let optimum = report(minimize(&path, &["--method", "enumerate"]))["cost"]
            .as_f64()
            .unwrap();
        for method in METHODS {
            let found = report(minimize(&path, &["--method", method]));
            assert_eq!(found["method"], method);
            let assignment = found["assignment"].as_array().unwrap().iter();
            let assignment: Vec<f64> = assignment.map(|value| value.as_f64().unwrap()).collect();
            assert!(
                assignment.len() == 11 && assignment.iter().all(|value| values.contains(value))
            );
            let claimed = found["cost"].as_f64().unwrap();
            assert!(
                (claimed - cost(&model, &assignment)).abs() < 1e-12,
                "{family} {method}"
            );
            assert!(
                claimed >= optimum - 1e-12 && claimed < 0.0,
                "{family} {method}"
            );
            // Eleven spins are fewer than recursive QAOA leaves to enumeration.
            assert!(method != "recursive" || claimed <= optimum + 1e-12);
        }
    }
}

#[test]
fn levels_and_warm_starts() {
    let folder = folder();
    let table = json!({"vars": [1, 0], "values": [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]});
    let model =
        json!({"vartype": "DISCRETE", "variables": [3, 4], "tables": [table], "offset": -9.0});
    let path = write(&folder, "model.json", &model);
    for method in ["qaoa", "anneal", "enumerate"] {
        let found = report(minimize(&path, &["--method", method]));
        assert_eq!(found["cost"], json!(-8.0), "{method}");
        let assignment = found["assignment"].to_string();
        assert!(
            assignment == "[0,1]" || assignment == "[0,3]",
            "{assignment}"
        );
    }
    let start = write(&folder, "start.json", &json!({"incumbent": [2, 1]}));
    let found = report(minimize(
        &path,
        &["--start", &start, "--mixer", "complete", "--cvar", "0.2"],
    ));
    assert_eq!(found["cost"], json!(-8.0));
    for method in ["recursive", "greedy"] {
        minimize(&path, &["--method", method]).exits(2).says(&[
            "model.json: ",
            "DISCRETE",
            "expected spins or bits",
        ]);
    }
}

/// No register holds 2^2000 states; recursive QAOA and greedy construction make none.
#[test]
fn thousands_of_variables_need_no_register() {
    let folder = folder();
    let path = generated(&folder, &["maxcut-regular", "--n", "2000"]);
    let greedy = report(minimize(&path, &["--method", "greedy"]))["cost"]
        .as_f64()
        .unwrap();
    let found = report(minimize(
        &path,
        &["--method", "recursive", "--threads", "2"],
    ));
    assert!(found["cost"].as_f64().unwrap() <= greedy);
    assert_eq!(found["recursion"]["greedy"], json!(greedy));
    assert_eq!(found["assignment"].as_array().unwrap().len(), 2000);
    let table = ketscale(&["minimize", &path, "--method", "greedy"])
        .exits(0)
        .text();
    assert!(
        table.contains("1800 more, all of them with --output json"),
        "{table}"
    );
    minimize(&path, &["--method", "enumerate"])
        .exits(2)
        .says(&["overflows"]);
}

#[test]
fn angles_found_are_where_evaluate_and_the_next_search_begin() {
    let folder = folder();
    let path = generated(&folder, &["labs", "--n", "10"]);
    let angles = folder
        .path()
        .join("angles.json")
        .to_string_lossy()
        .into_owned();
    let more = [
        "--depth",
        "4",
        "--deepen",
        "--starts",
        "2",
        "--evaluations",
        "150",
        "--angles-out",
        &angles,
    ];
    let found = report(minimize(&path, &more));
    assert_eq!(found["angles"]["gamma"].as_array().unwrap().len(), 4);
    let evaluated = report(ketscale(&[
        "evaluate", &path, "--angles", &angles, "--output", "json",
    ]));
    let difference =
        evaluated["expectation"].as_f64().unwrap() - found["expectation"].as_f64().unwrap();
    assert!(difference.abs() < 1e-9, "{difference}");
    let again = report(minimize(
        &path,
        &["--depth", "4", "--angles", &angles, "--evaluations", "1"],
    ));
    assert_eq!(again["expectation"], found["expectation"]);
    assert_eq!(again["evaluations"], 1);
}

#[test]
fn threads_and_instruction_sets_do_not_change_the_answer() {
    let folder = folder();
    let path = generated(&folder, &["maxcut-regular", "--n", "60"]);
    let small = file(
        &folder,
        "small.json",
        &ketscale(&["generate", "sk", "--n", "9"]).exits(0).stdout,
    );
    for (model, method) in [(&path, "recursive"), (&small, "qaoa")] {
        let run = |more: &[&str]| {
            let starts: &[&str] = if method == "qaoa" {
                &["--starts", "3"]
            } else {
                &[]
            };
            let mut report = report(minimize(
                model,
                &[&["--method", method], starts, more].concat(),
            ));
            report["seconds"] = Value::Null;
            report
        };
        let expected = run(&["--threads", "1"]);
        assert_eq!(run(&["--threads", "2"]), expected);
        assert_eq!(run(&["--threads", "7"]), expected);
        if method == "qaoa" {
            assert_eq!(run(&["--isa", "scalar"]), expected);
        }
    }
}

#[test]
fn mistakes_of_all_files_and_options_are_named_at_once() {
    let folder = folder();
    let model = json!({"vartype": "SPIN", "variables": 2, "terms": [{"vars": [0, 2], "coeff": 1}, {"vars": [1], "coeff": "x"}]});
    let model = write(&folder, "model.json", &model);
    let angles = write(
        &folder,
        "angles.json",
        &json!({"gamma": [0.1], "beta": [], "deviation": -1}),
    );
    minimize(&model, &["--angles", &angles]).exits(2).says(&[
        "model.json: terms[0].vars[1]: is 2, the model has 2 variables",
        "model.json: terms[1].coeff: is a text",
        "angles.json: deviation: is -1, not above 0",
        "angles.json: beta: has 0 angles and gamma 1",
    ]);
    let good = json!({"vartype": "SPIN", "variables": 2, "terms": [{"vars": [0, 1], "coeff": 1}]});
    let good = write(&folder, "good.json", &good);
    let start = write(&folder, "start.json", &json!({"incumbent": [0, 2]}));
    minimize(&good, &["--angles", &angles, "--start", &start])
        .exits(2)
        .says(&["angles.json: ", "start.json: digit 2 on axis 1"]);
    minimize(
        &good,
        &[
            "--method",
            "greedy",
            "--depth",
            "2",
            "--seed",
            "1",
            "--angles-out",
            "x",
        ],
    )
    .exits(64)
    .says(&[
        "--depth belongs to --method qaoa",
        "--seed belongs to --method qaoa or anneal",
        "--angles-out belongs to --method qaoa or recursive",
    ]);
    minimize(&good, &["--depth", "0"]).exits(64);
    let cubic =
        json!({"vartype": "BINARY", "variables": 3, "terms": [{"vars": [0, 1, 2], "coeff": 1}]});
    let cubic = write(&folder, "cubic.json", &cubic);
    minimize(&cubic, &["--method", "recursive"])
        .exits(2)
        .says(&[
            "cubic.json: terms[0] has 3 variables; expected spins or bits, at most two in a term",
        ]);
    minimize(&good, &["--mixer", "ring"])
        .exits(2)
        .says(&["--mixer: the ring mixer needs at least 3 levels"]);
}
