//! `ketscale completions`: a completion script for a shell.

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs};
use crate::exit::{Exit, Failure};
use crate::output;

pub(super) fn run(args: &CompletionsArgs) -> Result<Exit, Failure> {
    // Into memory first: clap_complete panics when its writer fails, and a pipe may be closed early.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ketscale", &mut script);
    output::print(script)?;
    Ok(Exit::Yes)
}
