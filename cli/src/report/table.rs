//! Tables and lists of at most 100 columns, without colours.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, LineStyle, Row, Table, TableStyle, Width,
};

/// Most columns of anything printed.
pub(crate) const WIDTH: u16 = 100;

/// One line under the header and no others.
const STYLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table whose first column is text; those named in `right` are numbers.
pub(crate) fn table<H: Into<Row>, R: Into<Row>>(
    header: H,
    rows: impl IntoIterator<Item = R>,
    right: std::ops::RangeInclusive<usize>,
) -> String {
    let mut table = plain();
    table.load_style(STYLE).set_header(header).add_rows(rows);
    for index in right {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// Lines with a mark before each, wrapped.
pub(crate) fn list<'a>(mark: &str, lines: impl IntoIterator<Item = &'a str>) -> String {
    let mut table = plain();
    table.load_style(comfy_table::presets::NOTHING);
    table.add_rows(lines.into_iter().map(|line| [mark, line]));
    let width = u16::try_from(mark.chars().count()).unwrap_or(1) + 2;
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
    }
    table.trim_fmt()
}

fn plain() -> Table {
    let mut table = Table::new();
    table
        .set_width(WIDTH)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .force_no_tty();
    table
}

/// A heading with what stands under it; nothing when there is nothing under it.
pub(crate) fn section(heading: &str, body: &str) -> String {
    if body.trim().is_empty() {
        String::new()
    } else {
        format!("{heading}\n{}\n", body.trim_end())
    }
}

/// A whole number with thin groups of three: `12,345`.
pub(crate) fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let grouped: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|part| std::str::from_utf8(part).ok())
        .collect();
    let sign = if number < 0.0 && digits != "0" {
        "-"
    } else {
        ""
    };
    format!("{sign}{}", grouped.join(","))
}

/// `4`, or `7 → 4` where it changes.
pub(crate) fn change(now: Option<u32>, planned: u32) -> String {
    match now {
        Some(now) if now != planned => format!("{now} → {planned}"),
        _ => planned.to_string(),
    }
}

/// `1 node`, `2 nodes`.
pub(crate) fn count(number: u32, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (number, text) in [
            (0.4, "0"),
            (999.6, "1,000"),
            (1_234_567.0, "1,234,567"),
            (-1234.0, "-1,234"),
            (-0.2, "0"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn long_lines_are_wrapped_within_the_width() {
        let text = list("-", ["word ".repeat(60).as_str()]);
        assert!(text.lines().count() > 2);
        assert!(
            text.lines()
                .all(|line| line.chars().count() <= usize::from(WIDTH))
        );
    }
}
