//! A price file as a whole: header, rows, duplicates.

use std::collections::BTreeMap;

use csv::{StringRecord, Trim};

use super::cells::{Cells, Columns};
use super::{Catalogue, InstanceType, PriceError, row};
use crate::csv_line::line_of;

/// Largest price file that is read, 16 MiB: well over a hundred thousand rows.
pub const MAX_PRICE_FILE_BYTES: usize = 16 << 20;

/// Mistakes after which the rest of a file is not looked at.
pub const MAX_ERRORS: usize = 1000;

const COLUMNS: [&str; 12] = [
    "provider",
    "region",
    "instance_type",
    "architecture",
    "vcpus",
    "memory",
    "gpus",
    "pods",
    "on_demand_usd_per_hour",
    "spot_usd_per_hour",
    "interruptions_per_hour",
    "interruption_band",
];

const REQUIRED_COLUMNS: [&str; 4] = [
    "provider",
    "region",
    "instance_type",
    "on_demand_usd_per_hour",
];

/// The rows of a price file merged with `base`. `source` is the citation of every row; `None` cites file and line.
pub(super) fn read(
    base: &Catalogue,
    bytes: &[u8],
    file: &str,
    source: Option<&str>,
) -> Result<Vec<InstanceType>, Vec<PriceError>> {
    let text = text_of(bytes, file).map_err(|error| vec![error])?;
    let wrong =
        |line, column, value: &str, expected| PriceError::new(file, line, column, value, expected);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(Trim::All)
        .from_reader(text.as_bytes());
    // Text that is UTF-8 has no unreadable record: rows of another length are let through and refused below.
    let mut records = reader.records().map_while(Result::ok);
    let header = records
        .next()
        .ok_or_else(|| vec![wrong(1, "header", "", expected_header())])?;
    let (columns, mut errors) = columns_of(&header, file, line_of(text, &header))?;

    let mut rows = Vec::new();
    let mut first_lines = BTreeMap::new();
    let mut empty = true;
    for record in records {
        empty = false;
        let line = line_of(text, &record);
        if errors.len() >= MAX_ERRORS {
            let expected =
                format!("fewer than {MAX_ERRORS} mistakes; what follows was not looked at");
            errors.truncate(MAX_ERRORS);
            errors.push(wrong(line, "file", "", expected));
            break;
        }
        if record.len() != header.len() {
            let expected = format!("{} cells, as in the header", header.len());
            errors.push(wrong(
                line,
                "row",
                &format!("{} cells", record.len()),
                expected,
            ));
            continue;
        }
        let mut cells = Cells {
            record: &record,
            columns: &columns,
            file,
            line,
            errors: &mut errors,
        };
        refuse_duplicate(&mut cells, &mut first_lines);
        rows.extend(row::read(base, &mut cells, source));
    }
    if empty {
        errors.push(wrong(
            1,
            "file",
            "",
            "at least one row below the header".to_owned(),
        ));
    }
    if errors.is_empty() {
        Ok(rows)
    } else {
        Err(errors)
    }
}

fn expected_header() -> String {
    format!("a header line with columns out of {}", COLUMNS.join(","))
}

/// The file as text, without the byte order mark that spreadsheets write.
fn text_of<'a>(bytes: &'a [u8], file: &str) -> Result<&'a str, PriceError> {
    if bytes.len() > MAX_PRICE_FILE_BYTES {
        let size = format!("{} bytes", bytes.len());
        let expected = format!("at most {MAX_PRICE_FILE_BYTES} bytes");
        return Err(PriceError::new(file, 1, "file", &size, expected));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let (good, bad) = bytes.split_at(error.valid_up_to());
            let line = 1 + good.iter().filter(|&&byte| byte == b'\n').count() as u64;
            let byte = bad.first().copied().unwrap_or_default();
            Err(PriceError::new(
                file,
                line,
                "file",
                &format!("byte 0x{byte:02x}"),
                "UTF-8 text",
            ))
        }
    }
}

/// Where each known column stands, with the mistakes that leave the rows readable. `Err` when the rows cannot be read at all.
fn columns_of(
    header: &StringRecord,
    file: &str,
    line: u64,
) -> Result<(Columns, Vec<PriceError>), Vec<PriceError>> {
    let wrong = |cell: &str, expected| PriceError::new(file, line, "header", cell, expected);
    let mut columns = Columns::new();
    let mut errors = Vec::new();
    // More cells than this hold hundreds of mistakes within the first thousand.
    for (index, cell) in header.iter().enumerate().take(MAX_ERRORS) {
        match COLUMNS.iter().find(|&&column| column == cell) {
            None => errors.push(wrong(cell, format!("one of {}", COLUMNS.join(",")))),
            Some(&column) => {
                if columns.insert(column, index).is_some() {
                    errors.push(wrong(cell, "each column once".to_owned()));
                }
            }
        }
    }
    if columns.is_empty() {
        let first_line = header.iter().collect::<Vec<_>>().join(",");
        return Err(vec![wrong(&first_line, expected_header())]);
    }
    let missing: Vec<_> = REQUIRED_COLUMNS
        .iter()
        .filter(|&&column| !columns.contains_key(column))
        .collect();
    errors.extend(
        missing
            .iter()
            .map(|column| wrong("", format!("the column {column}"))),
    );
    if missing.is_empty() {
        Ok((columns, errors))
    } else {
        Err(errors)
    }
}

fn refuse_duplicate(cells: &mut Cells<'_>, first_lines: &mut BTreeMap<[String; 3], u64>) {
    let key = ["provider", "region", "instance_type"]
        .map(|column| cells.stated(column).unwrap_or_default().to_owned());
    if key.iter().any(String::is_empty) {
        return;
    }
    let [.., instance_type] = key.clone();
    let first_line = *first_lines.entry(key).or_insert(cells.line);
    if first_line != cells.line {
        let expected = format!("one row a type and region; line {first_line} has it already");
        cells.refuse("instance_type", &instance_type, expected);
    }
}
