//! What each solver found, and what QAOA did and contributed.

use ketscale_engine::plan::{Plan, QaoaReport};

use super::table::{list, section, table, thousands};

/// The table of candidates, with the solvers' remarks under it.
pub(super) fn candidates(plan: &Plan) -> String {
    if plan.candidates.is_empty() {
        return String::new();
    }
    let usd = |usd: Option<f64>| usd.map_or(String::new(), |usd| format!("{usd:.3}"));
    let rows = plan.candidates.iter().map(|candidate| {
        [
            candidate.solver.clone(),
            candidate.outcome.clone(),
            usd(candidate.total_usd_per_hour),
            usd(candidate.schedulable_usd_per_hour),
            group_u64(candidate.work),
        ]
    });
    let header = [
        "solver",
        "outcome",
        "USD/h",
        "of it for the scheduler",
        "work units",
    ];
    let remarks: Vec<String> = (plan.candidates.iter())
        .filter(|candidate| !candidate.note.is_empty())
        .map(|candidate| format!("{}: {}", candidate.solver, candidate.note))
        .collect();
    let body = format!(
        "{}\n{}",
        table(header, rows, 2..=4),
        list("-", remarks.iter().map(String::as_str))
    );
    section("Candidates", &body)
}

/// QAOA's report in a few lines.
pub(super) fn qaoa(plan: &Plan) -> String {
    let Some(report) = &plan.qaoa else {
        return String::new();
    };
    let lines = [
        circuit(report),
        samples(report),
        others(report),
        contribution(report),
    ];
    section(
        "QAOA (simulated; a sampler of candidates, not a faster computer)",
        &list("-", lines.iter().map(String::as_str)),
    )
}

fn circuit(report: &QaoaReport) -> String {
    #[allow(clippy::cast_precision_loss, reason = "shown rounded")]
    let bits = (report.dimension as f64).log2();
    let times = report.probability_of_minimum
        / report.uniform_probability_of_minimum.max(f64::MIN_POSITIVE);
    format!(
        "{} axes, {} states (2^{bits:.1}), depth {}; the probability of a minimum is {} times the uniform one ({:.2e}).",
        report.axes.len(),
        group_u64(report.dimension),
        report.depth,
        if times >= 10.0 {
            thousands(times)
        } else {
            format!("{times:.2}")
        },
        report.probability_of_minimum,
    )
}

fn samples(report: &QaoaReport) -> String {
    let deviations = (report.uniform_mean - report.sampled_mean)
        / report.uniform_standard_deviation.max(f64::MIN_POSITIVE);
    let rank = if report.best_sample_rank == 1 {
        "the minimum itself".to_owned()
    } else {
        format!("number {}", group_u64(report.best_sample_rank))
    };
    let correlation = report.rank_correlation.map_or(String::new(), |rho| {
        format!(" Rank correlation of surrogate and true cost over the packed samples: {rho:.2}.")
    });
    format!(
        "Surrogate cost: expectation {:.3}, sampled mean {:.3}, {deviations:.1} standard deviations below the uniform mean {:.3}. \
         The best of {} samples is {rank} of all states.{correlation}",
        report.expectation,
        report.sampled_mean,
        report.uniform_mean,
        group_u64(report.shots),
    )
}

fn others(report: &QaoaReport) -> String {
    let usd = |usd: Option<f64>| usd.map_or("none".to_owned(), |usd| format!("{usd:.3}"));
    format!(
        "Best true cost, USD/h: QAOA {}, annealing {} (equal work {}), uniform sampling {} (equal work {}), enumeration {}.",
        usd(report.best_usd_per_hour),
        usd(report.anneal_usd_per_hour),
        usd(report.anneal_equal_work_usd_per_hour),
        usd(report.uniform_usd_per_hour),
        usd(report.uniform_equal_work_usd_per_hour),
        usd(report.enumerate_usd_per_hour),
    )
}

fn contribution(report: &QaoaReport) -> String {
    let own = match report.own_candidates {
        0 => "No feasible candidate was QAOA's alone".to_owned(),
        1 => "One feasible candidate was QAOA's alone".to_owned(),
        own => format!("{} feasible candidates were QAOA's alone", group_u64(own)),
    };
    let chosen = if report.chosen {
        "the plan above is one of its samples."
    } else {
        "the plan above came from elsewhere."
    };
    format!("{own}; {chosen}")
}

fn group_u64(number: u64) -> String {
    #[allow(
        clippy::cast_precision_loss,
        reason = "exact up to 2^53, and shown to people"
    )]
    thousands(number as f64)
}
