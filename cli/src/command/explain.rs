//! `ketscale explain`: why a plan is as it is.

use ketscale_engine::explain::{Explanation, ServiceExplanation, explain};
use ketscale_engine::problem::InputErrors;

use super::json;
use crate::args::{ExplainArgs, Format};
use crate::exit::{Exit, Failure};
use crate::report::table::{list, section, table};
use crate::{input, output};

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
    output::print(match args.output {
        Format::Json => json(&explanation)?,
        Format::Table => shown(&explanation, plan.certificate.is_some()),
    })?;
    Ok(Exit::Yes)
}

fn shown(explanation: &Explanation, has_certificate: bool) -> String {
    let mut sections = vec![binding(explanation, has_certificate)];
    sections.extend(explanation.services.iter().map(service));
    sections.push(section(
        "The plan's own reasons",
        &list("-", explanation.reasons.iter().map(String::as_str)),
    ));
    sections.retain(|section| !section.is_empty());
    sections.join("\n")
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
    section(&heading, &list("-", lines.iter().map(String::as_str)))
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
