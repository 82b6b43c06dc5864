//! `ketscale explain`: why a plan is as it is.

use ketscale_engine::explain::{Explanation, ServiceExplanation, Unused, explain};
use ketscale_engine::plan::{Plan, Status};
use ketscale_engine::planner::{self, Settings};
use ketscale_engine::problem::InputErrors;
use serde::Serialize;

use super::json;
use crate::args::{DEFAULT_TIME_LIMIT_SECONDS, ExplainArgs, Format};
use crate::deadline::Deadline;
use crate::exit::{Exit, Failure};
use crate::report::table::{list, section, table};
use crate::{input, output};

/// Most unused offerings in the table, those nearest to being worth their price.
const MOST_UNUSED: usize = 12;

/// Prices of pods below this are shown as none, USD/h.
const SMALLEST_PRICE: f64 = 5e-5;

pub(super) fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let plan = input::plan(&args.plan)?;
    let file = input::name_of(&args.plan).into_owned();
    let mut explanation = explain(&plan).map_err(|issues| {
        Failure::input(InputErrors {
            file: file.clone(),
            issues,
        })
    })?;
    if let Some(only) = &args.service {
        explanation.services.retain(|service| service.name == *only);
        explanation.unused.clear();
        if explanation.services.is_empty() {
            let known: Vec<&str> = plan
                .services
                .iter()
                .map(|service| service.name.as_str())
                .collect();
            return Err(Failure::input(format!(
                "{file}: no service {only}; it has {}",
                known.join(", ")
            )));
        }
    }
    let replanned = if args.exact {
        Some(replanned(&plan, &explanation, args.time_limit)?)
    } else {
        None
    };
    output::print(match args.output {
        Format::Json => json(&Answer {
            explanation: &explanation,
            replanned,
        })?,
        Format::Table => shown(&plan, &explanation, replanned.as_deref()),
    })?;
    Ok(Exit::Yes)
}

/// The explanation for programs, and with `--exact` what was planned anew.
#[derive(Serialize)]
struct Answer<'a> {
    #[serde(flatten)]
    explanation: &'a Explanation,
    #[serde(skip_serializing_if = "Option::is_none")]
    replanned: Option<Vec<Replanned>>,
}

/// What the whole fleet costs with a service at another number of replicas, planned anew.
#[derive(Serialize)]
struct Replanned {
    service: String,
    replicas: u32,
    /// Found within the time; absent where nothing feasible was.
    total_usd_per_hour: Option<f64>,
}

/// Every service of the explanation at one replica fewer and one more, each in an equal share of the seconds.
fn replanned(
    plan: &Plan,
    explanation: &Explanation,
    time_limit: Option<f64>,
) -> Result<Vec<Replanned>, Failure> {
    if plan.cost.is_none() {
        return Ok(Vec::new());
    }
    let services = explanation.services.iter();
    let neighbours: Vec<(&str, u32)> = services
        .flat_map(|service| {
            let counts = [
                service.replicas.checked_sub(1),
                service.replicas.checked_add(1),
            ];
            counts
                .into_iter()
                .flatten()
                .map(|n| (service.name.as_str(), n))
        })
        .collect();
    #[allow(clippy::cast_precision_loss, reason = "services are few")]
    let seconds = time_limit.unwrap_or(DEFAULT_TIME_LIMIT_SECONDS) / neighbours.len() as f64;
    let plan_one = |(service, replicas): (&str, u32)| {
        let deadline = Deadline::after(Some(seconds));
        let limits = deadline.limits(None);
        let settings = Settings::default();
        let total = planner::cost_at_replicas(plan, service, replicas, &settings, &limits);
        Ok(Replanned {
            service: service.to_owned(),
            replicas,
            total_usd_per_hour: total.map_err(Failure::bug)?,
        })
    };
    neighbours.into_iter().map(plan_one).collect()
}

fn shown(plan: &Plan, explanation: &Explanation, replanned: Option<&[Replanned]>) -> String {
    let mut sections = vec![clash(plan)];
    if plan.cost.is_some() {
        sections.push(binding(explanation, plan.certificate.is_some()));
    }
    sections.extend(replanned.map(|replanned| neighbours_replanned(plan, replanned)));
    sections.extend(explanation.services.iter().map(service));
    sections.push(unused(&explanation.unused));
    if plan.cost.is_some() {
        sections.push(section(
            "The plan's own reasons",
            &list("-", explanation.reasons.iter().map(String::as_str)),
        ));
    }
    sections.retain(|section| !section.is_empty());
    sections.join("\n")
}

/// Of a plan that is none: what clashes, before all else.
fn clash(plan: &Plan) -> String {
    let heading = match plan.status {
        Status::Infeasible => "Nothing is feasible, and the plan file proves it",
        _ => "No plan was found, and no proof that there is none",
    };
    if plan.cost.is_some() {
        return String::new();
    }
    section(heading, &list("-", plan.reasons.iter().map(String::as_str)))
}

/// True costs beside the plan's, by service and number of replicas.
fn neighbours_replanned(plan: &Plan, replanned: &[Replanned]) -> String {
    let planned = plan.cost.map_or(0.0, |cost| cost.total_usd_per_hour);
    let rows = replanned.iter().map(|row| {
        let difference = row.total_usd_per_hour.map(|total| total - planned);
        [
            row.service.clone(),
            row.replicas.to_string(),
            row.total_usd_per_hour
                .map_or("no plan".to_owned(), |total| format!("{total:.4}")),
            difference.map_or("–".to_owned(), |usd| format!("{usd:+.4}")),
        ]
    });
    let heading = format!(
        "With one replica fewer or more, planned anew; this plan costs ${planned:.4}/h (a saving here is a better plan than this one)"
    );
    let header = ["service", "replicas", "USD/h", "difference"];
    section(&heading, &table(header, rows, 1..=3))
}

fn binding(explanation: &Explanation, has_certificate: bool) -> String {
    if !has_certificate {
        return "The plan has no certificate, so no constraint has a price.\n".to_owned();
    }
    if explanation.binding.is_empty() {
        return "No limit over the fleet binds: loosening one would save nothing beyond the gap.\n"
            .to_owned();
    }
    let rows = explanation
        .binding
        .iter()
        .map(|row| [row.relief.clone(), format!("{:.4}", row.usd_per_hour)]);
    section(
        "What binds, and the most that loosening it saves beyond the gap",
        &table(["", "USD/h"], rows, 1..=1),
    )
}

fn service(service: &ServiceExplanation) -> String {
    let now = service
        .replicas_now
        .map_or(String::new(), |now| format!(", {now} now"));
    let fewest = service.fewest_admissible.map_or(String::new(), |fewest| {
        format!(", fewest admissible {fewest}")
    });
    let heading = format!(
        "{}: {} replicas planned{now}{fewest}",
        service.name, service.replicas
    );
    let mut lines = service.why.clone();
    lines.extend(pod_prices(service));
    lines.extend(neighbours(service));
    section(&heading, &list("-", lines.iter().map(String::as_str)))
}

/// What one replica fewer or more is estimated to change.
fn neighbours(service: &ServiceExplanation) -> Option<String> {
    let told = |replicas: &str, usd: Option<f64>| {
        let usd = usd?;
        let verb = if usd < 0.0 { "saves" } else { "costs" };
        Some(format!("one {replicas} {verb} ${:.4}/h", usd.abs()))
    };
    let both: Vec<String> = [
        told("replica fewer", service.one_fewer_usd_per_hour),
        told("replica more", service.one_more_usd_per_hour),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!both.is_empty()).then(|| {
        let both = both.join(", ");
        format!("at the plan's prices {both}: an estimate, for nodes come in whole numbers")
    })
}

/// The offerings nearest to being worth their price; of those on which no pod may run, the reasons.
fn unused(unused: &[Unused]) -> String {
    let share = |one: &Unused| match (one.filling_usd_per_hour, one.node_usd_per_hour) {
        (Some(worth), Some(price)) => worth / price.max(1e-9),
        _ => f64::NEG_INFINITY,
    };
    let mut nearest: Vec<&Unused> = unused.iter().collect();
    nearest.sort_by(|a, b| share(b).total_cmp(&share(a)));
    let mut lines: Vec<String> = nearest
        .iter()
        .take(MOST_UNUSED)
        .map(|one| format!("{}: {}{}", one.offering, one.why, filling(one)))
        .collect();
    if nearest.len() > MOST_UNUSED {
        let left = nearest.len() - MOST_UNUSED;
        lines.push(format!(
            "and {left} more, further from it: --output json has all"
        ));
    }
    section(
        "Offerings that the plan does not use, nearest to being worth their price first",
        &list("-", lines.iter().map(String::as_str)),
    )
}

/// ` (3 × shop/cart, 1 × shop/web)`.
fn filling(one: &Unused) -> String {
    if one.filling.is_empty() {
        return String::new();
    }
    let pods: Vec<String> = (one.filling.iter())
        .map(|(service, pods)| format!("{pods} × {service}"))
        .collect();
    format!(" ({})", pods.join(", "))
}

/// What one more pod costs, the cheapest place and the dearest.
fn pod_prices(service: &ServiceExplanation) -> Option<String> {
    let prices = || {
        service
            .pod_usd_per_hour
            .iter()
            .filter(|(_, price)| **price > SMALLEST_PRICE)
    };
    let least = prices().min_by(|a, b| a.1.total_cmp(b.1))?;
    let most = prices().max_by(|a, b| a.1.total_cmp(b.1))?;
    let show = |(cell, price): (&String, &f64)| format!("${price:.4}/h in {cell}");
    Some(if least.0 == most.0 {
        format!("the room for one more pod is worth {}", show(least))
    } else {
        format!(
            "the room for one more pod is worth {} to {}",
            show(least),
            show(most)
        )
    })
}
