//! What `minimize` prints.

use serde::Serialize;

use crate::report::table::{section, table};

/// Values of an assignment that a table shows; JSON has all.
const MOST_SHOWN: usize = 200;

/// What the command prints.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) method: &'static str,
    pub(super) status: Option<&'static str>,
    pub(super) cost: f64,
    pub(super) assignment: Vec<i64>,
    pub(super) angles: Option<Angles>,
    pub(super) expectation: Option<f64>,
    pub(super) probability_of_minimum: Option<f64>,
    pub(super) recursion: Option<Recursion>,
    pub(super) evaluations: Option<u64>,
    pub(super) seconds: f64,
}

/// A file of angles.
#[derive(Debug, Serialize)]
pub(super) struct Angles {
    pub(super) gamma: Vec<f64>,
    pub(super) beta: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deviation: Option<f64>,
}

/// Costs along the way of a recursion.
#[derive(Debug, Serialize)]
pub(super) struct Recursion {
    pub(super) greedy: f64,
    pub(super) first_round_before_flips: Option<f64>,
    pub(super) first_round: Option<f64>,
    pub(super) eliminations: usize,
}

impl Report {
    /// An assignment with its cost.
    pub(super) fn new(method: &'static str, assignment: Vec<i64>, cost: f64) -> Self {
        Self {
            method,
            status: None,
            cost,
            assignment,
            angles: None,
            expectation: None,
            probability_of_minimum: None,
            recursion: None,
            evaluations: None,
            seconds: 0.0,
        }
    }
}

/// The report for people.
pub(super) fn shown(report: &Report) -> String {
    let number = |value: f64| format!("{value:.9}");
    let mut rows = vec![
        ["cost".to_owned(), number(report.cost)],
        ["method".to_owned(), report.method.to_owned()],
    ];
    let mut row = |name: &str, value: Option<String>| {
        rows.extend(value.map(|value| [name.to_owned(), value]));
    };
    row("ended", report.status.map(str::to_owned));
    row("⟨C⟩", report.expectation.map(number));
    row(
        "P(least cost)",
        report.probability_of_minimum.map(|p| format!("{p:.3e}")),
    );
    if let Some(Angles { gamma, beta, .. }) = &report.angles {
        for (layer, (gamma, beta)) in gamma.iter().zip(beta).enumerate() {
            let angles = Some(format!("{gamma:.6}, {beta:.6}"));
            row(&format!("γ and β of layer {}", layer + 1), angles);
        }
    }
    if let Some(recursion) = &report.recursion {
        row("greedy and single flips", Some(number(recursion.greedy)));
        row("recursion alone", recursion.first_round.map(number));
        row(
            "… before its flips",
            recursion.first_round_before_flips.map(number),
        );
        row("eliminations", Some(recursion.eliminations.to_string()));
    }
    row("evaluations", report.evaluations.map(|n| n.to_string()));
    row("seconds", Some(format!("{:.3}", report.seconds)));
    section("Found", &table(["quantity", "value"], rows, 1..=1))
        + &section("Variables, 0 first", &values(&report.assignment))
}

fn values(assignment: &[i64]) -> String {
    let shown: Vec<String> = assignment
        .iter()
        .take(MOST_SHOWN)
        .map(i64::to_string)
        .collect();
    let lines: Vec<String> = shown.chunks(25).map(|line| line.join(" ")).collect();
    let mut text = lines.join("\n");
    if assignment.len() > MOST_SHOWN {
        text += &format!(
            "\n… {} more, all of them with --output json",
            assignment.len() - MOST_SHOWN
        );
    }
    text
}
