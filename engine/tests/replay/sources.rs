//! Loads and snapshots: what they say, and what is refused.

use ketscale_engine::replay::{read_loads, read_snapshots};
use serde_json::{Value, json};

use super::{ONE_SERVICE, one_service};

fn rps(text: &str) -> Vec<(f64, f64, Option<f64>)> {
    let trace = read_loads(text.as_bytes(), "loads.csv", &one_service(&[])).unwrap();
    let steps = trace
        .steps()
        .map(|step| (step.start_seconds, step.end_seconds, step.rps[0]));
    steps.collect()
}

fn refused(text: &str) -> String {
    let problem = one_service(&[]);
    read_loads(text.as_bytes(), "loads.csv", &problem)
        .unwrap_err()
        .to_string()
}

#[test]
fn long_and_wide_files_say_the_same_in_every_spelling_of_time() {
    let expected = [(60.0, 120.0, Some(3.5)), (120.0, 180.0, Some(4.0))];
    assert_eq!(
        rps("time,service,rps\n60,shop/web,3.5\n120,shop/web,4\n"),
        expected
    );
    // Rows of a long file may stand in any order.
    assert_eq!(
        rps("rps,time,service\n4,120,shop/web\n3.5,60,shop/web\n"),
        expected
    );
    assert_eq!(
        rps("time,shop/web\n1970-01-01T00:01:00Z,3.5\n1970-01-01T01:02:00+01:00,4\n"),
        expected
    );
    assert_eq!(
        rps("# made up\ntime,shop/web\n1970-01-01 00:01:00,3.5\n1970-01-01 00:02:00,4\n"),
        expected
    );
}

#[test]
fn what_was_not_measured_keeps_the_value_before_it_and_is_counted() {
    let text = "time,shop/web\n0,\n60,4\n120,\n";
    let trace = read_loads(text.as_bytes(), "loads.csv", &one_service(&[])).unwrap();
    let rps: Vec<_> = trace.steps().map(|step| step.rps[0]).collect();
    assert_eq!(rps, [Some(10.0), Some(4.0), Some(4.0)]);
    assert_eq!(trace.held(), 2);
}

#[test]
fn every_mistake_is_told_with_line_and_column() {
    let wide = refused("time,shop/web\nsoon,1\n60,-1\n60,x\n90,1,2\n");
    assert_eq!(
        wide.lines().collect::<Vec<_>>(),
        [
            "loads.csv:2: column 1 (time): \"soon\" is no time; expected RFC 3339, YYYY-MM-DD HH:MM:SS in UTC, or seconds since 1970",
            "loads.csv:3: column 2 (shop/web): \"-1\" is no load; expected requests per second, at least 0",
            "loads.csv:4: column 1 (time): is not after the time before it",
            "loads.csv:4: column 2 (shop/web): \"x\" is no load; expected requests per second, at least 0",
            "loads.csv:5: 3 cells; expected 2, as in the header",
        ]
    );
    let long = refused("time,service,rps\n0,shop/web,1\n0,shop/web,2\n60,shop/cart,inf\n");
    assert_eq!(
        long.lines().collect::<Vec<_>>(),
        [
            "loads.csv:3: column 1 (time): shop/web has a load at this time already",
            "loads.csv:4: column 2 (service): \"shop/cart\" is no service of the problem; expected one of shop/web",
            "loads.csv:4: column 3 (rps): \"inf\" is no load; expected requests per second, at least 0",
        ]
    );
}

#[test]
fn files_that_say_nothing_are_refused() {
    for (text, message) in [
        ("", "loads.csv:1: is empty; expected a header"),
        ("when,shop/web\n", "loads.csv:1: has no column time"),
        ("time\n0\n", "loads.csv:1: has no service"),
        (
            "time,shop/web,shop/web\n",
            "loads.csv:1: column 3 (shop/web): each service once",
        ),
        (
            "time,shop/web\n0,1\n",
            "loads.csv: 1 times; a replay needs at least two",
        ),
        (
            "time,shop/web\n1e15,1\n",
            "loads.csv:2: column 1 (time): \"1e15\" is no time",
        ),
    ] {
        let said = refused(text);
        assert!(said.starts_with(message), "{said}");
    }
    let bytes = read_loads(b"time,shop/web\n\xff", "loads.csv", &one_service(&[])).unwrap_err();
    assert_eq!(bytes.to_string(), "loads.csv:2: is not UTF-8 text");
}

/// A snapshot with a load.
fn snapshot(seconds: f64, rps: f64) -> Value {
    let mut problem: Value = serde_json::to_value(one_service(&[])).unwrap();
    problem["services"][0]["load"]["rps"] = json!(rps);
    json!({"schema": "ketscale.snapshot/v1", "taken_at_seconds": seconds, "problem": problem, "readings": [], "gaps": []})
}

fn file(name: &str, value: &Value) -> (String, Vec<u8>) {
    (name.to_owned(), value.to_string().into_bytes())
}

#[test]
fn snapshots_are_put_in_the_order_of_their_times() {
    let files = [
        file("a.json", &snapshot(600.0, 7.0)),
        file("b.json", &snapshot(300.0, 5.0)),
    ];
    let found = read_snapshots(&files).unwrap();
    let steps: Vec<_> = found
        .trace
        .steps()
        .map(|step| (step.start_seconds, step.rps[0]))
        .collect();
    assert_eq!(steps, [(300.0, Some(5.0)), (600.0, Some(7.0))]);
    assert_eq!(found.problem.services[0].load.as_ref().unwrap().rps, 5.0);
}

#[test]
fn every_mistake_of_every_snapshot_is_told() {
    let mut wrong = snapshot(300.0, 5.0);
    wrong["problem"]["services"][0]["clusters"]["c"]["min"] = json!(70);
    wrong["schema"] = json!("ketscale.snapshot/v0");
    wrong["taken"] = json!(1);
    let files = [
        file("a.json", &snapshot(300.0, 1.0)),
        file("b.json", &wrong),
        file("c.json", &snapshot(300.0, 1.0)),
        ("d.json".to_owned(), ONE_SERVICE.as_bytes().to_vec()),
    ];
    let errors = read_snapshots(&files).unwrap_err();
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let said = said.join("\n");
    for part in [
        "b.json: taken: is not known",
        "b.json: schema: expected ketscale.snapshot/v1",
        "b.json: problem.services.shop/web.clusters.c",
        "c.json: taken_at_seconds: 300 is also that of a.json",
        "d.json:2: is not JSON",
    ] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
    let one = read_snapshots(&files[..1]).unwrap_err();
    assert!(one[0].to_string().contains("at least two"), "{}", one[0]);
}
