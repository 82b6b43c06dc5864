//! `ketscale init`: writes a problem file from a kubectl dump, from Prometheus, or from both.

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::cluster_dump::{self, Options, Translation};
use ketscale_service::prometheus::Queries;

use super::live;
use crate::args::InitArgs;
use crate::exit::{Exit, Failure};
use crate::{input, output};

/// Largest dump that is read.
const MAX_DUMP_BYTES: usize = 1 << 30;

pub(super) fn run(args: &InitArgs) -> Result<Exit, Failure> {
    let catalogue = input::catalogue(args.prices.as_deref())?;
    let translation = match &args.prometheus {
        None => from_dump(args, &catalogue)?,
        Some(url) => {
            let queries = live::queries(args.queries.as_deref())?;
            let translation = match &args.file {
                Some(_) => from_dump(args, &catalogue)?,
                None => live::problem_from(url, &queries, args.name.as_deref(), &catalogue)?,
            };
            with_loads(translation, url, &queries)?
        }
    };
    for line in &translation.untranslated {
        output::say(&format!("not translated: {line}"));
    }
    let yaml = cluster_dump::to_yaml(&translation);
    match &args.output {
        Some(path) => output::write_file(path, yaml.as_bytes())?,
        None => output::print(yaml)?,
    }
    Ok(Exit::Yes)
}

fn from_dump(args: &InitArgs, catalogue: &Catalogue) -> Result<Translation, Failure> {
    let path = args
        .file
        .as_deref()
        .ok_or_else(|| Failure::usage("a dump or --prometheus is missing"))?;
    let dump = input::read(path, MAX_DUMP_BYTES)?;
    let mut options = Options::new(catalogue);
    options.cluster_name = args.name.clone();
    cluster_dump::translate(&dump, &input::name_of(path), &options).map_err(Failure::input)
}

/// The translation with what the Prometheus knows of loads, latencies and use; what it does not know is said.
fn with_loads(
    translation: Translation,
    url: &str,
    queries: &Queries,
) -> Result<Translation, Failure> {
    let live = live::refresh(translation.problem, url, queries)?;
    for gap in &live.source.gaps {
        let (path, reason, query) = (&gap.path, &gap.reason, &gap.query);
        output::say(&format!(
            "missing in Prometheus: {path}: {reason} (query: {query})"
        ));
    }
    Ok(Translation {
        problem: live.problem,
        ..translation
    })
}
