//! Where in a file a CSV record stands.

use csv::{Position, StringRecord};

/// The line on which a record starts, from 1. The reader's own position is where it began to look, before comments and empty lines.
pub(crate) fn line_of(text: &str, record: &StringRecord) -> u64 {
    let Some(position) = record.position() else {
        return 1;
    };
    let skipped = usize::try_from(Position::byte(position))
        .ok()
        .and_then(|byte| text.get(byte..))
        .map_or(0, |rest| {
            rest.lines()
                .take_while(|line| line.is_empty() || line.starts_with('#'))
                .count()
        });
    position.line() + skipped as u64
}
