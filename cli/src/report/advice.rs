//! What an operator must know and do: gaps of live data, reasons, the steps in sum, what to relax, the next commands.

use std::path::Path;

use ketscale_engine::plan::{Action, Change, Plan, Step};
use ketscale_engine::problem::{ProblemFile, Relaxation};

use super::table::{count, list, section, thousands};

/// Most gaps that are listed.
const MAX_GAPS: usize = 20;

/// Live readings that were missing.
pub(super) fn gaps(plan: &Plan) -> String {
    let provenance = &plan.provenance;
    let mut lines: Vec<String> = (provenance.gaps.iter().take(MAX_GAPS))
        .map(|gap| {
            format!(
                "{}: {}; the file's value is kept. Query: {}",
                gap.path, gap.reason, gap.query
            )
        })
        .collect();
    if provenance.gaps.len() > MAX_GAPS {
        lines.push(format!(
            "and {} more, in the plan file under provenance.gaps",
            provenance.gaps.len() - MAX_GAPS
        ));
    }
    let heading = format!(
        "Missing live readings ({} of {})",
        provenance.gaps.len(),
        provenance.gaps.len() + provenance.readings.len()
    );
    section(&heading, &list("-", lines.iter().map(String::as_str)))
}

/// The plan's reasons in words.
pub(super) fn reasons(plan: &Plan) -> String {
    let heading = if plan.cost.is_some() {
        "Why"
    } else {
        "What clashes"
    };
    section(heading, &list("-", plan.reasons.iter().map(String::as_str)))
}

/// What is expected to become too little, and what has changed.
pub(super) fn warnings(plan: &Plan) -> String {
    let lines: Vec<String> = plan.warnings.iter().map(ToString::to_string).collect();
    section(
        "What to expect",
        &list("-", lines.iter().map(String::as_str)),
    )
}

/// The steps in sum.
pub(super) fn carrying_out(plan: &Plan) -> String {
    let mut lines = Vec::new();
    match plan.decision.action {
        Action::Publish => {}
        Action::Hold => lines.push(format!(
            "Decision: hold what runs now ({}).",
            plan.decision.rule
        )),
        Action::Fallback => lines.push(format!(
            "Decision: fall back to the safe replicas ({}).",
            plan.decision.rule
        )),
    }
    match &plan.steps {
        None => lines
            .push("The problem does not say what runs now, so the plan has no steps.".to_owned()),
        Some(steps) if steps.is_empty() => {
            lines.push("Nothing: what runs now is the plan.".to_owned())
        }
        Some(steps) => lines.push(summary(steps)),
    }
    section(
        "To carry it out",
        &list("-", lines.iter().map(String::as_str)),
    )
}

/// `31 steps: 4 nodes up, 12 pods moved, …; about 14 minutes one after another.`
fn summary(steps: &[Step]) -> String {
    let [
        mut nodes_up,
        mut replicas_up,
        mut moved,
        mut replicas_down,
        mut nodes_down,
    ] = [0_u32; 5];
    let number = |nodes: &[String]| u32::try_from(nodes.len()).unwrap_or(u32::MAX);
    for step in steps {
        match &step.change {
            Change::NodesUp { nodes, .. } => nodes_up += number(nodes),
            Change::ReplicasUp { onto, .. } => replicas_up += onto.values().sum::<u32>(),
            Change::Move { from, .. } => moved += from.values().sum::<u32>(),
            Change::Exchange { moves } => {
                moved += moves
                    .iter()
                    .flat_map(|part| part.from.values())
                    .sum::<u32>()
            }
            Change::ReplicasDown { from, .. } => replicas_down += from.values().sum::<u32>(),
            Change::NodesDown { nodes, .. } => nodes_down += number(nodes),
        }
    }
    let parts = [
        (nodes_up, "node", "up"),
        (replicas_up, "replica", "up"),
        (moved, "pod", "moved"),
        (replicas_down, "replica", "down"),
        (nodes_down, "node", "down"),
    ];
    let parts = parts.into_iter().filter(|(number, ..)| *number > 0);
    let parts: Vec<String> = parts
        .map(|(number, noun, what)| format!("{} {what}", count(number, noun)))
        .collect();
    let seconds: f64 = steps.iter().map(|step| step.seconds).sum();
    let total = count(u32::try_from(steps.len()).unwrap_or(u32::MAX), "step");
    format!(
        "{total} in the plan file, in an order in which every pod fits and every disruption budget is kept: {}. \
         About {} one after another.",
        parts.join(", "),
        duration(seconds),
    )
}

fn duration(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{seconds:.0} seconds")
    } else {
        format!("{} minutes", thousands((seconds / 60.0).ceil()))
    }
}

/// For a problem without a plan: what to give up.
pub(super) fn what_to_relax(plan: &Plan) -> String {
    let allowed = &plan.problem.policy.relax;
    let mut lines: Vec<String> = possible(&plan.problem)
        .into_iter()
        .filter(|(relaxation, _)| !allowed.contains(relaxation))
        .map(|(relaxation, what)| {
            format!(
                "policy.relax: [{}] allows to give up {what}",
                relaxation.as_str()
            )
        })
        .collect();
    lines.push(
        "or loosen one of the constraints named above in the problem file, and plan again"
            .to_owned(),
    );
    if !allowed.is_empty() {
        let names: Vec<&str> = allowed
            .iter()
            .map(|relaxation| relaxation.as_str())
            .collect();
        lines.push(format!(
            "giving up {} was allowed and is not enough",
            names.join(", ")
        ));
    }
    section(
        "What to relax",
        &list("-", lines.iter().map(String::as_str)),
    )
}

/// What the problem has that could be given up.
fn possible(problem: &ProblemFile) -> Vec<(Relaxation, &'static str)> {
    let any = |condition: &dyn Fn(&ketscale_engine::problem::Service) -> bool| {
        problem.services.iter().any(condition)
    };
    let spread = any(&|s| s.placement.min_zones > 1 || s.placement.max_skew.is_some());
    let hard_slo = any(&|s| s.slo.as_ref().is_some_and(|slo| slo.usd_per_hour.is_none()));
    [
        (
            problem.policy.budget_usd_per_hour.is_some(),
            Relaxation::Budget,
            "the budget",
        ),
        (
            any(&|s| s.placement.spot_share_max < 1.0),
            Relaxation::SpotShare,
            "the limits on spot replicas",
        ),
        (spread, Relaxation::Spread, "the spread over zones"),
        (
            hard_slo,
            Relaxation::Slo,
            "the latency objectives without a price",
        ),
    ]
    .into_iter()
    .filter_map(|(present, relaxation, what)| present.then_some((relaxation, what)))
    .collect()
}

/// Where a plan's problem came from and where the plan went.
pub(crate) enum Origin<'a> {
    /// The example that the program carries.
    Demo,
    /// A user's problem file.
    File {
        /// The problem file as the user named it.
        problem: &'a Path,
        /// The plan file, if one was written.
        plan: Option<&'a Path>,
    },
}

/// The next commands.
pub(crate) fn next_steps(plan: &Plan, origin: &Origin<'_>) -> String {
    let commands = match origin {
        Origin::Demo => vec![
            format!(
                "{} | ketscale init - > problem.yaml",
                ketscale_engine::cluster_dump::COMMAND
            ),
            "ketscale plan problem.yaml --out plan.json    # add --prometheus URL for live loads"
                .to_owned(),
            "ketscale explain plan.json".to_owned(),
            "ketscale export plan.json --as hpa            # or karpenter, nodegroups".to_owned(),
        ],
        Origin::File {
            plan: Some(file), ..
        } => on_plan(plan, &shell(file)),
        Origin::File {
            problem,
            plan: None,
        } => {
            let mut commands = vec![format!("ketscale plan {} --out plan.json", shell(problem))];
            commands.extend(on_plan(plan, "plan.json"));
            commands
        }
    };
    let heading = match origin {
        Origin::Demo => "Next: plan a fleet of your own",
        Origin::File { .. } => "Next",
    };
    let lines: Vec<String> = commands
        .iter()
        .map(|command| format!("  {command}"))
        .collect();
    section(heading, &lines.join("\n"))
}

fn on_plan(plan: &Plan, file: &str) -> Vec<String> {
    let mut commands = vec![
        format!("ketscale verify {file}"),
        format!("ketscale explain {file}"),
    ];
    if plan.cost.is_some() {
        commands.push(format!(
            "ketscale export {file} --as hpa            # or karpenter, nodegroups"
        ));
    }
    commands
}

/// A path as a shell reads it.
fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:@%,=".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
