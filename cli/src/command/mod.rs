//! What the program means by a command: one file each.

mod audit;
mod catalog;
mod circuit;
mod completions;
mod demo;
mod diff;
mod doctor;
mod evaluate;
mod explain;
mod export;
mod forecast;
mod generate;
mod init;
mod live;
mod minimize;
mod pack;
mod past;
mod plan;
mod replay;
mod schema;
mod serve;
mod snapshot;
mod verify;

use crate::args::Command;
use crate::exit::{Exit, Failure};

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Demo(args) => demo::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Catalog(args) => catalog::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Minimize(args) => minimize::run(&args),
        Command::Pack(args) => pack::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Serve(args) => serve::run(args),
        Command::Audit(args) => audit::run(&args),
        Command::Snapshot(args) => snapshot::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Forecast(args) => forecast::run(&args),
    }
}

/// A value as indented JSON with a final newline.
fn json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(Failure::bug)
}
