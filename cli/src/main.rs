//! `ketscale`: plans replicas and nodes for clusters, with a proven bound.
//!
//! `args` is what a user may type, `command` what the program then means, `report` how a plan is shown to people. Everything a library
//! user would want is in the engine and the service.
#![forbid(unsafe_code)]

mod args;
mod bug;
mod command;
mod deadline;
mod exit;
mod input;
mod output;
mod progress;
mod report;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::Cli;
use crate::exit::Exit;

fn main() -> ExitCode {
    bug::watch();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error).into(),
    };
    match bug::guard(|| command::run(cli.command)) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::say(&failure.message);
            failure.exit.into()
        }
    }
}

/// Shows clap's answer: help and version are what was asked for, anything else is a mistake on the command line.
fn usage(error: &clap::Error) -> Exit {
    let asked_for = matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    );
    let _ = error.print();
    if asked_for { Exit::Yes } else { Exit::Usage }
}
