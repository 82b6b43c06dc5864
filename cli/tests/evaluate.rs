//! `generate` and `evaluate`: from a family of models to what a circuit's state says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Run, folder, ketscale};
use serde_json::{Value, json};
use std::path::Path;

fn write(folder: &Path, name: &str, value: &Value) -> String {
    let path = folder.join(name);
    std::fs::write(&path, value.to_string()).unwrap();
    path.to_string_lossy().into_owned()
}

fn report(run: Run) -> Value {
    serde_json::from_slice(&run.exits(0).stdout).unwrap()
}

fn evaluate(model: &str, angles: &str, more: &[&str]) -> Run {
    ketscale(
        &[
            &["evaluate", model, "--angles", angles, "--output", "json"],
            more,
        ]
        .concat(),
    )
}

#[track_caller]
fn assert_close(found: &Value, expected: f64, tolerance: f64) {
    let found = found.as_f64().unwrap();
    assert!(
        (found - expected).abs() <= tolerance,
        "{found}, expected {expected}"
    );
}

/// E = z of one qubit and one layer: ⟨E⟩ = sin 2β · sin 2γ, and the slopes by hand.
#[test]
#[allow(clippy::too_many_lines, reason = "one key after another")]
fn one_qubit_agrees_with_its_formula() {
    let folder = folder();
    let model = json!({"vartype": "SPIN", "variables": 1, "terms": [{"vars": [0], "coeff": 1.0}]});
    let model = write(folder.path(), "model.json", &model);
    let (gamma, beta) = (0.3_f64, 0.4_f64);
    let angles = write(
        folder.path(),
        "angles.json",
        &json!({"gamma": [gamma], "beta": [beta]}),
    );
    for precision in ["f64", "f32"] {
        let tolerance = if precision == "f64" { 1e-14 } else { 1e-6 };
        let more = [
            "--precision",
            precision,
            "--gradient",
            "--top",
            "2",
            "--shots",
            "100",
        ];
        let report = report(evaluate(&model, &angles, &more));
        assert_eq!(
            (&report["dimension"], &report["depth"]),
            (&json!(2), &json!(1))
        );
        let mean = (2.0 * beta).sin() * (2.0 * gamma).sin();
        assert_close(&report["expectation"], mean, tolerance);
        assert_close(&report["variance"], 1.0 - mean * mean, tolerance);
        assert_close(&report["minimum"], -1.0, 0.0);
        assert_close(
            &report["probability_of_minimum"],
            (1.0 - mean) / 2.0,
            tolerance,
        );
        assert_close(
            &report["gradient"]["gamma"][0],
            2.0 * (2.0 * beta).sin() * (2.0 * gamma).cos(),
            tolerance,
        );
        assert_close(
            &report["gradient"]["beta"][0],
            2.0 * (2.0 * beta).cos() * (2.0 * gamma).sin(),
            tolerance,
        );
        assert_eq!(report["precision"], precision);
        assert_close(
            &report["top"][0]["probability"],
            (1.0 + mean) / 2.0,
            tolerance,
        );
        assert_eq!(report["top"][0]["digits"], json!([0]));
        let shots: u64 = report["samples"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["count"].as_u64().unwrap())
            .sum();
        assert_eq!(shots, 100);
        assert!(
            report["seconds"]["total"].as_f64() > Some(0.0) && report["bytes"].as_u64() > Some(0)
        );
    }
    let table = ketscale(&[
        "evaluate",
        &model,
        "--angles",
        &angles,
        "--gradient",
        "--cvar",
        "0.5",
    ])
    .exits(0)
    .text();
    assert!(
        table.contains("P(least cost)") && table.contains("CVaR"),
        "{table}"
    );
}

/// Every family, instruction set and number of threads: the same numbers but for the seconds.
#[test]
fn instruction_sets_and_threads_do_not_change_the_answer() {
    let folder = folder();
    let angles = write(
        folder.path(),
        "angles.json",
        &json!({"gamma": [-0.2, 0.3], "beta": [0.5, 1.1]}),
    );
    let generate = |arguments: &[&str]| {
        let path = folder
            .path()
            .join("model.json")
            .to_string_lossy()
            .into_owned();
        ketscale(&[&["generate"], arguments, &["--out", &path]].concat()).exits(0);
        path
    };
    let families: [&[&str]; 4] = [
        &["labs", "--n", "9"],
        &["sk", "--n", "12", "--seed", "4"],
        &["maxcut-regular", "--n", "14", "--degree", "4"],
        &["qubo", "--n", "17"],
    ];
    for family in families {
        let model = generate(family);
        let run = |more: &[&str]| {
            let more = [
                more,
                &["--gradient", "--cvar", "0.3", "--shots", "50", "--top", "3"],
            ]
            .concat();
            let run = evaluate(&model, &angles, &more);
            if run.code == Some(3) {
                // An instruction set that this machine does not have.
                run.says(&["this machine has scalar"]);
                return None;
            }
            let mut report = report(run);
            for key in ["seconds", "isa", "bytes"] {
                report[key] = Value::Null;
            }
            Some(report)
        };
        let expected = run(&["--isa", "scalar"]);
        assert!(expected.is_some());
        for more in [
            ["--isa", "avx2"],
            ["--isa", "avx512"],
            ["--threads", "1"],
            ["--threads", "2"],
            ["--threads", "7"],
        ] {
            let found = run(&more);
            assert!(found.is_none() || found == expected, "{family:?} {more:?}");
        }
    }
}

/// Repeated evaluations have seconds of their own and change nothing else.
#[test]
fn repeated_evaluations_are_timed() {
    let folder = folder();
    let term = json!({"vars": [0, 1], "coeff": 1.0});
    let model = json!({"vartype": "SPIN", "variables": 2, "terms": [term]});
    let model = write(folder.path(), "model.json", &model);
    let angles = json!({"gamma": [0.3], "beta": [0.4]});
    let angles = write(folder.path(), "angles.json", &angles);
    let once = report(evaluate(&model, &angles, &[]));
    assert_eq!(once["seconds"]["repeat"], Value::Null);
    for more in [
        vec!["--repeat", "3"],
        vec!["--repeat", "4", "--cvar", "0.5", "--precision", "f32"],
    ] {
        let often = report(evaluate(&model, &angles, &more));
        let seconds = |key: &str| often["seconds"][key].as_f64().unwrap();
        assert!(seconds("repeat") > 0.0 && seconds("repeat") < seconds("total"));
        assert_close(
            &often["expectation"],
            once["expectation"].as_f64().unwrap(),
            1e-6,
        );
    }
    let more = ["--angles", &angles, "--repeat", "1"];
    let table = ketscale(&[&["evaluate", &model], &more[..]].concat());
    assert!(table.exits(0).text().contains("seconds, repeated"));
}

#[test]
fn warm_starts_and_mixers() {
    let folder = folder();
    let table = json!({"vars": [1, 0], "values": [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8]});
    let model =
        json!({"vartype": "DISCRETE", "variables": [3, 4], "tables": [table], "offset": 0.5});
    let model = write(folder.path(), "model.json", &model);
    let none = write(
        folder.path(),
        "none.json",
        &json!({"gamma": [], "beta": []}),
    );
    let warm = write(
        folder.path(),
        "warm.json",
        &json!({"incumbent": [2, 1], "epsilon": 0.1}),
    );
    let found = report(evaluate(&model, &none, &["--start", &warm, "--top", "1"]));
    assert_eq!(found["top"][0]["digits"], json!([2, 1]));
    assert_close(&found["top"][0]["probability"], 0.81, 1e-12);
    // Values stand with variable 1 fastest: x_1 = 1, x_0 = 2 is entry 9.
    assert_close(&found["top"][0]["cost"], 3.5, 0.0);
    let one = write(
        folder.path(),
        "one.json",
        &json!({"gamma": [0.2], "beta": [0.4]}),
    );
    let values: Vec<f64> = ["complete", "path", "ring"]
        .into_iter()
        .map(|mixer| {
            report(evaluate(&model, &one, &["--mixer", mixer]))["expectation"]
                .as_f64()
                .unwrap()
        })
        .collect();
    assert!(
        values[0] != values[1] && values[1] != values[2],
        "{values:?}"
    );
    evaluate(&model, &one, &["--mixer", "ring", "--start", &warm])
        .exits(2)
        .says(&["ring mixer needs a uniform start"]);
    let wrong = write(
        folder.path(),
        "wrong.json",
        &json!({"incumbent": [2, 4, -1], "epsilon": 2, "else": 1}),
    );
    evaluate(&model, &one, &["--start", &wrong])
        .exits(2)
        .says(&["incumbent[2]", "else"]);
}

#[test]
fn mistakes_are_named_with_their_place() {
    let folder = folder();
    let model = write(
        folder.path(),
        "model.json",
        &json!({"vartype": "SPIN", "variables": 2, "terms": []}),
    );
    let angles = |value: Value| write(folder.path(), "angles.json", &value);
    let cases = [
        (
            json!({"gamma": [0.1], "beta": []}),
            "beta: has 0 angles and gamma 1",
        ),
        (
            json!({"gamma": ["a"], "beta": [0.1]}),
            "gamma[0]: is a text",
        ),
        (json!({"gamma": [0.1]}), "beta: is missing"),
        (json!([1]), "is a list, not an object"),
    ];
    for (value, says) in cases {
        evaluate(&model, &angles(value), &[])
            .exits(2)
            .says(&["angles.json", says]);
    }
    let good = angles(json!({"gamma": [0.1], "beta": [0.1]}));
    let twice = json!({"vartype": "SPIN", "variables": 2, "terms": [{"vars": [1, 1], "coeff": 1}, {"vars": [2], "coeff": 1}]});
    let twice = write(folder.path(), "twice.json", &twice);
    evaluate(&twice, &good, &[]).exits(2).says(&[
        "terms[0].vars: names variable 1 twice",
        "terms[1].vars[0]: is 2",
    ]);
    let large = json!({"vartype": "SPIN", "variables": 60, "terms": []});
    let large = write(folder.path(), "large.json", &large);
    evaluate(&large, &good, &[])
        .exits(3)
        .says(&["bytes of memory", "are allowed"]);
    let wide = json!({"vartype": "SPIN", "variables": 1, "terms": [{"vars": [0], "coeff": 1e39}]});
    let wide = write(folder.path(), "wide.json", &wide);
    evaluate(&wide, &good, &["--precision", "f32"])
        .exits(2)
        .says(&["single precision ends at"]);
    evaluate(&model, &good, &["--cvar", "0"]).exits(64);
    ketscale(&["generate", "maxcut-regular", "--n", "5"])
        .exits(64)
        .says(&["degree is 3"]);
    ketscale(&["generate", "labs", "--n", "1"])
        .exits(64)
        .says(&["n is 1"]);
    ketscale(&["generate", "sk", "--n", "5", "--degree", "3"])
        .exits(64)
        .says(&["maxcut-regular alone"]);
}
