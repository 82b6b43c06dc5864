//! `ketscale generate`: models of well-known families, and fleets made up to a size.

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::generate::{FleetSize, fleet};
use ketscale_engine::problem::{self, Comments};
use ketscale_optimizer::Model;

use crate::args::{Family, GenerateArgs};
use crate::exit::{Exit, Failure};
use crate::output;

/// Degree of a random regular graph unless stated otherwise.
const DEFAULT_DEGREE: usize = 3;

pub(super) fn run(args: &GenerateArgs) -> Result<Exit, Failure> {
    refuse_foreign_options(args)?;
    let text = match args.family {
        Family::Fleet => problem_file(&size(args)?)?,
        Family::Labs => model_file(Model::labs(variables(args)?))?,
        Family::Sk => model_file(Model::sherrington_kirkpatrick(variables(args)?, args.seed))?,
        Family::MaxcutRegular => {
            let degree = args.degree.unwrap_or(DEFAULT_DEGREE);
            model_file(Model::regular_maxcut(variables(args)?, degree, args.seed))?
        }
        Family::Qubo => model_file(Model::qubo(variables(args)?, args.seed))?,
    };
    match &args.out {
        Some(path) => output::write_file(path, text.as_bytes())?,
        None => output::print(text)?,
    }
    Ok(Exit::Yes)
}

/// Every option that does not belong to the family, in one go.
fn refuse_foreign_options(args: &GenerateArgs) -> Result<(), Failure> {
    let is_fleet = args.family == Family::Fleet;
    let is_regular = args.family == Family::MaxcutRegular;
    let given = [
        ("--n", args.n.is_some(), !is_fleet, "the families of models"),
        (
            "--degree",
            args.degree.is_some(),
            is_regular,
            "maxcut-regular",
        ),
        ("--services", args.services.is_some(), is_fleet, "fleet"),
        ("--offerings", args.offerings.is_some(), is_fleet, "fleet"),
    ];
    let foreign: Vec<String> = given
        .into_iter()
        .filter(|(_, is_given, belongs, _)| *is_given && !belongs)
        .map(|(option, _, _, whose)| {
            format!(
                "{option} belongs to {whose} alone, not to {}",
                name(args.family)
            )
        })
        .collect();
    if foreign.is_empty() {
        Ok(())
    } else {
        Err(Failure::usage(foreign.join("\n")))
    }
}

/// The family as it is typed.
fn name(family: Family) -> &'static str {
    match family {
        Family::Labs => "labs",
        Family::Sk => "sk",
        Family::MaxcutRegular => "maxcut-regular",
        Family::Qubo => "qubo",
        Family::Fleet => "fleet",
    }
}

fn variables(args: &GenerateArgs) -> Result<usize, Failure> {
    let family = name(args.family);
    args.n.ok_or_else(|| {
        Failure::usage(format!(
            "generate {family} needs --n, its number of variables"
        ))
    })
}

fn size(args: &GenerateArgs) -> Result<FleetSize, Failure> {
    let (Some(services), Some(offerings)) = (args.services, args.offerings) else {
        return Err(Failure::usage(
            "generate fleet needs --services and --offerings, such as: ketscale generate fleet --services 50 --offerings 60",
        ));
    };
    Ok(FleetSize {
        services,
        offerings,
        seed: args.seed,
    })
}

fn model_file(model: Result<Model, ketscale_optimizer::Error>) -> Result<String, Failure> {
    Ok(format!("{}\n", model.map_err(Failure::usage)?.to_json()))
}

fn problem_file(size: &FleetSize) -> Result<String, Failure> {
    let problem = fleet(size, Catalogue::built_in()).map_err(|refusals| {
        let lines: Vec<String> = refusals.iter().map(|r| format!("--{r}")).collect();
        Failure::usage(lines.join("\n"))
    })?;
    let FleetSize {
        services,
        offerings,
        seed,
    } = size;
    let command = format!(
        "Made by `ketscale generate fleet --services {services} --offerings {offerings} --seed {seed}`."
    );
    let head = [
        command.as_str(),
        "Services, loads and what runs now are made up. Instance types, their sizes and prices are the catalogue's (`ketscale catalog`).",
    ];
    Ok(problem::to_yaml(&problem, head, &Comments::default()))
}
