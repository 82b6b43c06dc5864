//! Cost now, planned and by the stock autoscalers, an hour and a month; the saving and the bound.

use ketscale_engine::cost::{Cost, HOURS_PER_MONTH};
use ketscale_engine::plan::Plan;

use super::table::{count, section, table, thousands};

/// Terms below this are not worth a word, USD/h.
const SMALLEST_TERM: f64 = 5e-4;

/// The table of costs.
pub(super) fn costs(plan: &Plan) -> String {
    let mut rows = Vec::new();
    if let Some(now) = &plan.current_cost {
        rows.push(row("now", now.total_usd_per_hour, terms(now)));
    }
    if let Some(baseline) = &plan.baseline_cost {
        let broken = u32::try_from(baseline.stock.violations.len()).unwrap_or(u32::MAX);
        let note = if broken == 0 {
            "keeps every constraint".to_owned()
        } else {
            format!("breaks {}", count(broken, "constraint"))
        };
        rows.push(row(
            "stock autoscalers",
            baseline.stock.cost.total_usd_per_hour,
            note,
        ));
        if let Some(repaired) = &baseline.repaired {
            rows.push(row(
                "… made feasible",
                repaired.cost.total_usd_per_hour,
                terms(&repaired.cost),
            ));
        }
    }
    if let Some(cost) = &plan.cost {
        rows.push(row("planned", cost.total_usd_per_hour, terms(cost)));
    }
    rows.extend(saving(plan));
    if let Some(bound) = plan.bound {
        let gap = plan
            .gap
            .map_or(String::new(), |gap| format!("; gap {:.2} %", gap * 100.0));
        rows.push(row(
            "proven bound",
            bound,
            format!("no plan costs less{gap}"),
        ));
    }
    section(
        "Cost",
        &table(["", "USD/h", "USD/month", "of it, USD/h"], rows, 1..=2),
    )
}

fn row(what: &str, usd_per_hour: f64, note: String) -> [String; 4] {
    [
        what.to_owned(),
        format!("{usd_per_hour:.3}"),
        thousands(usd_per_hour * HOURS_PER_MONTH),
        note,
    ]
}

/// What the plan saves: against the stock autoscalers made feasible, for those are what would run otherwise; without them, against now.
fn saving(plan: &Plan) -> Option<[String; 4]> {
    let planned = plan.cost.as_ref()?.total_usd_per_hour;
    let repaired = plan
        .baseline_cost
        .as_ref()
        .and_then(|baseline| baseline.repaired.as_ref());
    let (reference, against) = match (repaired, &plan.current_cost) {
        (Some(repaired), _) => (
            repaired.cost.total_usd_per_hour,
            "the stock autoscalers made feasible",
        ),
        (None, Some(now)) => (now.total_usd_per_hour, "now"),
        (None, None) => return None,
    };
    let saved = reference - planned;
    let note = format!(
        "{:.1} % against {against}",
        100.0 * saved / reference.max(1e-9)
    );
    Some(row("saving", saved, note))
}

/// `nodes 2.913, moves 0.041`: the terms that matter.
fn terms(cost: &Cost) -> String {
    let terms = [
        ("nodes", Some(cost.nodes_usd_per_hour)),
        ("spot evictions", Some(cost.spot_evictions_usd_per_hour)),
        ("latency", Some(cost.slo_usd_per_hour)),
        ("moves", cost.moves_usd_per_hour),
        ("node starts", cost.startup_usd_per_hour),
    ];
    let shown = terms
        .into_iter()
        .filter_map(|(name, usd)| Some((name, usd.filter(|usd| *usd >= SMALLEST_TERM)?)));
    shown
        .map(|(name, usd)| format!("{name} {usd:.3}"))
        .collect::<Vec<_>>()
        .join(", ")
}
