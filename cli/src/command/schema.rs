//! `ketscale schema`: the JSON Schema of a file format.

use ketscale_engine::plan::Plan;
use ketscale_engine::{control, problem};

use super::json;
use crate::args::{SchemaArgs, SchemaOf};
use crate::exit::{Exit, Failure};
use crate::output;

pub(super) fn run(args: &SchemaArgs) -> Result<Exit, Failure> {
    output::print(match args.of {
        SchemaOf::Problem => json(&problem::json_schema())?,
        SchemaOf::Control => json(&control::json_schema())?,
        SchemaOf::Plan => json(&schemars::schema_for!(Plan))?,
    })?;
    Ok(Exit::Yes)
}
