//! `ketscale generate`: models of well-known families.

use ketscale_optimizer::Model;

use crate::args::{Family, GenerateArgs};
use crate::exit::{Exit, Failure};
use crate::output;

/// Degree of a random regular graph unless stated otherwise.
const DEFAULT_DEGREE: usize = 3;

pub(super) fn run(args: &GenerateArgs) -> Result<Exit, Failure> {
    if args.degree.is_some() && args.family != Family::MaxcutRegular {
        return Err(Failure::usage("--degree belongs to maxcut-regular alone"));
    }
    let model = match args.family {
        Family::Labs => Model::labs(args.n),
        Family::Sk => Model::sherrington_kirkpatrick(args.n, args.seed),
        Family::MaxcutRegular => {
            Model::regular_maxcut(args.n, args.degree.unwrap_or(DEFAULT_DEGREE), args.seed)
        }
        Family::Qubo => Model::qubo(args.n, args.seed),
    };
    let text = format!("{}\n", model.map_err(Failure::usage)?.to_json());
    match &args.out {
        Some(path) => output::write_file(path, text.as_bytes())?,
        None => output::print(text)?,
    }
    Ok(Exit::Yes)
}
