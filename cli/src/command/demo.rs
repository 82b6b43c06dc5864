//! `ketscale demo`: plans the example fleet that the program carries.

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::planner::{Settings, Source};
use ketscale_engine::problem::{self, ProblemFile};

use super::plan::{Search, exit, search};
use crate::args::DemoArgs;
use crate::exit::{Exit, Failure};
use crate::output;
use crate::report::{Origin, next_steps, report};

/// The example's place in the repository.
const FILE: &str = "examples/boutique/problem.yaml";

const EXAMPLE: &str = include_str!("../../../examples/boutique/problem.yaml");

pub(super) fn run(args: &DemoArgs) -> Result<Exit, Failure> {
    let search_for = Search {
        name: FILE,
        settings: Settings {
            evaluations: 6,
            most_leaves: 6,
            ..Settings::default()
        },
        time_limit: Some(args.time_limit),
        work_limit: None,
    };
    let found = search(example()?, Source::default(), &search_for)?;
    if let Some(path) = &args.out {
        output::write_file(path, found.bytes())?;
    }
    let next = next_steps(found.plan(), &Origin::Demo);
    output::print(format!("{}\n{next}", report(found.plan(), true)))?;
    Ok(exit(found.plan()))
}

/// The example, complete. That it is well formed is tested; were it not, that would be our mistake.
fn example() -> Result<ProblemFile, Failure> {
    let problem = problem::read(EXAMPLE.as_bytes(), FILE).map_err(Failure::bug)?;
    problem::resolve(problem, Catalogue::built_in(), FILE).map_err(Failure::bug)
}
