//! Writing: standard output that may be closed early, and files that are whole or not there.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::exit::Failure;

/// Writes to standard output. A reader that has seen enough (`| head`) is no error.
pub(crate) fn print(bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(bytes.as_ref())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::environment(format!("standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

/// Writes a line to standard error, if anyone listens.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", line.trim_end());
}

/// Writes a file that is whole or not there: under another name beside it first, then renamed.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .unwrap_or_else(|| Path::new("."));
    let fail = |error: &dyn std::fmt::Display| {
        Failure::environment(format!("{}: cannot be written: {error}", path.display()))
    };
    if path.is_dir() {
        return Err(Failure::input(format!(
            "{}: is a directory; expected the name of a file",
            path.display()
        )));
    }
    let mut file = tempfile::Builder::new()
        .prefix(".ketscale-")
        .suffix(".part")
        .permissions(usual_permissions())
        .tempfile_in(folder)
        .map_err(|error| fail(&error))?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| fail(&error))?;
    file.persist(path).map_err(|error| fail(&error.error))?;
    Ok(())
}

/// What a new file usually gets: readable by all, less the user's mask. A temporary file would be its owner's alone.
#[cfg(unix)]
fn usual_permissions() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o666)
}
