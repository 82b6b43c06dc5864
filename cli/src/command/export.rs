//! `ketscale export`: a plan in the words of the controllers that carry it out.

use ketscale_engine::export::{ExportError, hpa, karpenter, node_groups};

use super::json;
use super::verify::{self, Checked};
use crate::args::{ExportArgs, Target};
use crate::exit::{Exit, Failure};
use crate::output;

pub(super) fn run(args: &ExportArgs) -> Result<Exit, Failure> {
    let plan = match verify::check(&args.plan)? {
        Checked::Holds(plan) => plan,
        Checked::Refused(findings) => {
            output::say("The plan does not verify, so it is not exported:");
            findings.iter().for_each(|finding| output::say(finding));
            return Ok(Exit::No);
        }
    };
    let cluster = args.cluster.as_deref();
    let exported = match args.target {
        Target::Hpa => hpa(&plan, cluster),
        Target::Karpenter => karpenter(&plan, cluster),
        Target::Nodegroups => {
            return node_groups(&plan, cluster)
                .map_or_else(refuse, |groups| print(&json(&groups)?));
        }
    };
    exported.map_or_else(refuse, |text| print(&text))
}

fn print(text: &str) -> Result<Exit, Failure> {
    output::print(text)?;
    Ok(Exit::Yes)
}

fn refuse(error: ExportError) -> Result<Exit, Failure> {
    match error {
        ExportError::NoDecision(_) => {
            output::say(&error.to_string());
            Ok(Exit::No)
        }
        ExportError::UnknownCluster { .. } => Err(Failure::input(error)),
        ExportError::Yaml(_) => Err(Failure::bug(error)),
    }
}
