//! `ketscale verify`: checks a plan from its file alone.

use std::path::Path;

use ketscale_engine::plan::Plan;
use ketscale_engine::verify::{verify, verify_against};

use crate::args::VerifyArgs;
use crate::exit::{Exit, Failure};
use crate::{input, output};

pub(super) fn run(args: &VerifyArgs) -> Result<Exit, Failure> {
    let bytes = input::read(&args.plan, input::MAX_PLAN_BYTES)?;
    let verified = match &args.problem {
        None => verify(&bytes),
        Some(problem) => {
            let catalogue = input::catalogue(args.prices.as_deref())?;
            verify_against(&bytes, &input::complete_problem(problem, &catalogue)?)
        }
    };
    let name = input::name_of(&args.plan);
    match verified {
        Ok(plan) => {
            output::print(holds(&name, plan.plan()))?;
            Ok(Exit::Yes)
        }
        Err(findings) => {
            let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
            output::print(format!("{name}: refused\n{}\n", lines.join("\n")))?;
            Ok(Exit::No)
        }
    }
}

/// What a plan that holds is worth.
fn holds(name: &str, plan: &Plan) -> String {
    let mut text = format!(
        "{name}: verified, {} {}\n",
        plan.status.as_str(),
        plan.digest
    );
    if let Some(cost) = &plan.cost {
        text.push_str(&format!("cost ${:.4}/h", cost.total_usd_per_hour));
        if let (Some(bound), Some(gap)) = (plan.bound, plan.gap) {
            text.push_str(&format!(
                ", no plan costs less than ${bound:.4}/h (gap {:.2} %)",
                gap * 100.0
            ));
        }
        text.push('\n');
    }
    if plan.provenance.cut_by_clock {
        text.push_str("A clock ended the search: another run may give another plan.\n");
    }
    text
}

/// A plan file, checked.
pub(super) enum Checked {
    /// It holds.
    Holds(Box<Plan>),
    /// It does not, for these reasons.
    Refused(Vec<String>),
}

/// Reads a plan file and checks it.
pub(super) fn check(path: &Path) -> Result<Checked, Failure> {
    let bytes = input::read(path, input::MAX_PLAN_BYTES)?;
    Ok(match verify(&bytes) {
        Ok(plan) => Checked::Holds(Box::new(plan.plan().clone())),
        Err(findings) => Checked::Refused(findings.iter().map(ToString::to_string).collect()),
    })
}
