//! Writes every snapshot into a folder, so that `ketscale replay` can run the loop over it again.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ketscale_engine::snapshot::Snapshot;

/// Writes a snapshot whole or not at all; the file's name, which sorts by time.
pub(super) fn write(folder: &Path, snapshot: &Snapshot) -> io::Result<PathBuf> {
    let name = snapshot.file_name();
    let (file, unfinished) = (folder.join(&name), folder.join(format!(".{name}.part")));
    let text = serde_json::to_vec(snapshot).map_err(io::Error::other)?;
    let written = std::fs::File::create(&unfinished).and_then(|mut out| {
        out.write_all(&text)?;
        out.sync_all()
    });
    match written.and_then(|()| std::fs::rename(&unfinished, &file)) {
        Ok(()) => Ok(file),
        Err(error) => {
            // Whatever is there of it is worth nothing; the first failure is what matters.
            let _ = std::fs::remove_file(&unfinished);
            Err(error)
        }
    }
}
