//! Reading: files and standard input up to a size, prices, problems and plans.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use ketscale_engine::catalogue::{Catalogue, MAX_PRICE_FILE_BYTES};
use ketscale_engine::control;
use ketscale_engine::plan::{self, Plan};
use ketscale_engine::problem::{self, MAX_FILE_BYTES, ProblemFile};

use crate::exit::Failure;

/// Largest plan file that is read.
pub(crate) const MAX_PLAN_BYTES: usize = 256 << 20;

/// Largest file with a model, angles or a start state that is read.
pub(crate) const MAX_MODEL_BYTES: usize = 1 << 30;

/// Largest file with settings of the control loop that is read.
const MAX_CONTROL_BYTES: usize = 1 << 20;

/// Mistakes of a price file that are shown.
const MAX_SHOWN_MISTAKES: usize = 50;

/// The name under which messages speak of an input.
pub(crate) fn name_of(path: &Path) -> Cow<'_, str> {
    if is_stdin(path) {
        Cow::Borrowed("standard input")
    } else {
        path.to_string_lossy()
    }
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Reads a file, or standard input for `-`, of at most `most` bytes.
pub(crate) fn read(path: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    let name = name_of(path);
    let refuse = |error: io::Error| match error.kind() {
        ErrorKind::NotFound
        | ErrorKind::PermissionDenied
        | ErrorKind::InvalidInput
        | ErrorKind::NotADirectory => Failure::input(format!("{name}: cannot be read: {error}")),
        ErrorKind::IsADirectory => {
            Failure::input(format!("{name}: is a directory; expected a file"))
        }
        _ => Failure::environment(format!("{name}: cannot be read: {error}")),
    };
    let bytes = if is_stdin(path) {
        limited(io::stdin().lock(), most).map_err(refuse)?
    } else {
        limited(File::open(path).map_err(refuse)?, most).map_err(refuse)?
    };
    match bytes {
        Some(bytes) if bytes.is_empty() => Err(Failure::input(format!("{name}: is empty"))),
        Some(bytes) => Ok(bytes),
        None => Err(Failure::input(format!(
            "{name}: is larger than {} MiB, the most that is read",
            most >> 20
        ))),
    }
}

/// All that a reader gives; `None` if that is more than `most` bytes.
fn limited(reader: impl Read, most: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= most).then_some(bytes))
}

/// The built-in catalogue, with a user's own prices over it.
pub(crate) fn catalogue(prices: Option<&Path>) -> Result<Cow<'static, Catalogue>, Failure> {
    let Some(path) = prices else {
        return Ok(Cow::Borrowed(Catalogue::built_in()));
    };
    let bytes = read(path, MAX_PRICE_FILE_BYTES)?;
    let catalogue = Catalogue::built_in()
        .with_price_csv(&bytes, &name_of(path))
        .map_err(|errors| {
            let mut lines: Vec<String> = errors
                .iter()
                .take(MAX_SHOWN_MISTAKES)
                .map(ToString::to_string)
                .collect();
            if errors.len() > MAX_SHOWN_MISTAKES {
                lines.push(format!(
                    "and {} more mistakes",
                    errors.len() - MAX_SHOWN_MISTAKES
                ));
            }
            Failure::input(lines.join("\n"))
        })?;
    Ok(Cow::Owned(catalogue))
}

/// A problem, checked but not completed from the catalogue.
pub(crate) fn problem(path: &Path) -> Result<ProblemFile, Failure> {
    problem::read(&read(path, MAX_FILE_BYTES)?, &name_of(path)).map_err(Failure::input)
}

/// A problem, completed from the catalogue.
pub(crate) fn complete_problem(path: &Path, catalogue: &Catalogue) -> Result<ProblemFile, Failure> {
    problem::resolve(problem(path)?, catalogue, &name_of(path)).map_err(Failure::input)
}

/// A plan, its spelling and digest checked.
pub(crate) fn plan(path: &Path) -> Result<Plan, Failure> {
    plan::from_bytes(&read(path, MAX_PLAN_BYTES)?)
        .map_err(|error| Failure::input(format!("{}: {error}", name_of(path))))
}

/// Settings of the control loop; the defaults without a file.
pub(crate) fn control(path: Option<&Path>) -> Result<control::Settings, Failure> {
    let Some(path) = path else {
        return Ok(control::Settings::default());
    };
    control::read(&read(path, MAX_CONTROL_BYTES)?, &name_of(path)).map_err(Failure::input)
}
