//! A series as a CSV file with the columns `time` and `value`: all mistakes at once, each with its line and column.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use ketscale_engine::series::Series;

/// Mistakes after which the rest of a file is not looked at.
const MAX_MISTAKES: usize = 50;

/// Most steps that a series may span, measured or not.
const MOST_STEPS: f64 = 2_000_000.0;

/// A row that was understood.
struct Row {
    line: u64,
    seconds: f64,
    value: f64,
}

/// The series of a file. Times may be RFC 3339, `YYYY-MM-DD HH:MM:SS` (UTC) or Unix seconds; steps that are not there are gaps, and an empty value is one.
pub(super) fn read(bytes: &[u8], file: &str) -> Result<Series, String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let mut mistakes = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    for (index, record) in reader.records().enumerate() {
        if mistakes.len() >= MAX_MISTAKES {
            mistakes.push(format!(
                "{file}: there are more mistakes than the {MAX_MISTAKES} told here"
            ));
            break;
        }
        match record {
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                mistakes.push(format!("{file}:{line}: is not UTF-8 text"));
                break;
            }
            Ok(record) => {
                let line = record.position().map_or(0, csv::Position::line);
                if index == 0 {
                    header(&record).map_err(|mistake| format!("{file}:{line}: {mistake}"))?;
                } else {
                    let read = row(&record, line, rows.last());
                    let at_line = |mistake| format!("{file}:{line}: {mistake}");
                    match read {
                        Ok(row) => rows.extend(row),
                        Err(wrong) => mistakes.extend(wrong.into_iter().map(at_line)),
                    }
                }
            }
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes.join("\n"));
    }
    series(&rows).map_err(|mistake| format!("{file}: {mistake}"))
}

/// `time` may be called `timestamp`.
fn header(record: &csv::StringRecord) -> Result<(), String> {
    let cells: Vec<&str> = record.iter().collect();
    match cells.as_slice() {
        [time, "value"] if matches!(time.trim_start_matches('\u{feff}'), "time" | "timestamp") => {
            Ok(())
        }
        _ => Err(format!(
            "the header is {:?}; expected time,value",
            cells.join(",")
        )),
    }
}

/// The row, or nothing where its value is empty, or what is wrong with it.
fn row(
    record: &csv::StringRecord,
    line: u64,
    before: Option<&Row>,
) -> Result<Option<Row>, Vec<String>> {
    let (Some(time), Some(value), 2) = (record.get(0), record.get(1), record.len()) else {
        return Err(vec![format!(
            "has {} columns; expected time,value",
            record.len()
        )]);
    };
    let mut wrong = Vec::new();
    let seconds = seconds(time);
    match (seconds, before) {
        (None, _) => wrong.push(format!(
            "time: {time:?} is not RFC 3339, YYYY-MM-DD HH:MM:SS or Unix seconds"
        )),
        (Some(seconds), Some(before)) if seconds <= before.seconds => wrong.push(format!(
            "time: {time} is not after the time of line {}",
            before.line
        )),
        _ => {}
    }
    let number = value
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite());
    match number {
        None if !value.is_empty() => wrong.push(format!("value: {value:?} is not a finite number")),
        Some(number) if number < 0.0 => {
            wrong.push(format!("value: {value} is negative, which no load is"));
        }
        _ => {}
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let both = seconds.zip(number);
    Ok(both.map(|(seconds, value)| Row {
        line,
        seconds,
        value,
    }))
}

fn seconds(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Some(seconds).filter(|seconds| seconds.abs() <= 1e11);
    }
    let civil = || {
        let time = DateTime::strptime("%Y-%m-%d %H:%M:%S", text).ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    let time = text.parse::<Timestamp>().ok().or_else(civil)?;
    Some(time.as_duration().as_secs_f64())
}

/// At the step that most rows are apart; every row is at the step nearest to its time.
fn series(rows: &[Row]) -> Result<Series, String> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Err("has no value; expected rows of time,value below the header".to_owned());
    };
    let pairs = rows.iter().zip(rows.iter().skip(1));
    let mut steps: Vec<f64> = pairs
        .map(|(one, next)| next.seconds - one.seconds)
        .collect();
    steps.sort_unstable_by(f64::total_cmp);
    // Of a single value nobody can tell: a minute, as good as any.
    let step_seconds = steps.get(steps.len() / 2).copied().unwrap_or(60.0);
    let position = |row: &Row| ((row.seconds - first.seconds) / step_seconds).round();
    if position(last) > MOST_STEPS {
        return Err(format!(
            "spans {:.0} steps of {step_seconds} s; at most {MOST_STEPS} are read",
            position(last)
        ));
    }
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "times ascend, and the last position was checked"
    )]
    let index = |row: &Row| position(row) as usize;
    let mut values = vec![None; index(last) + 1];
    let mut mistakes = Vec::new();
    for row in rows {
        let slot = values.get_mut(index(row));
        let taken = slot.and_then(|slot| slot.replace(row.value));
        if taken.is_some() && mistakes.len() < MAX_MISTAKES {
            mistakes.push(format!(
                "line {}: time: is in the same step of {step_seconds} s as the row before",
                row.line
            ));
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes.join("\n"));
    }
    Ok(Series {
        start_seconds: first.seconds,
        step_seconds,
        values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_three_spellings_and_gaps_stay() {
        let file = "time,value\n2026-01-01T00:00:00Z,1\n2026-01-01 00:05:00,2\n1767226200,3\n2026-01-01T00:20:00Z,5\n2026-01-01T00:25:00Z,\n";
        let series = read(file.as_bytes(), "f").unwrap();
        assert_eq!(
            (series.start_seconds, series.step_seconds),
            (1_767_225_600.0, 300.0)
        );
        assert_eq!(
            series.values,
            [Some(1.0), Some(2.0), Some(3.0), None, Some(5.0)]
        );
    }

    #[test]
    fn every_mistake_is_told_with_line_and_column() {
        let file = "time,value\nsoon,-1\n100,NaN\n200,1\n150,2\n300,1,1\n";
        let mistakes = read(file.as_bytes(), "f").unwrap_err();
        let lines: Vec<&str> = mistakes.lines().collect();
        let starts = [
            "f:2: time: \"soon\"",
            "f:2: value: -1",
            "f:3: value: \"NaN\"",
            "f:5: time: 150",
            "f:6: has 3 columns",
        ];
        assert_eq!(lines.len(), starts.len(), "{mistakes}");
        for (line, start) in lines.iter().zip(starts) {
            assert!(line.starts_with(start), "{line}");
        }
    }

    #[test]
    fn what_is_no_series_is_refused() {
        for file in [
            "",
            "value,time\n",
            "time,value\n",
            "time,value\n1,\n",
            "time,value\n0,1\n1,1\n2,1\n1e11,1\n",
        ] {
            assert!(read(file.as_bytes(), "f").is_err(), "{file:?}");
        }
        assert!(read(b"time,value\n1,\xff\n", "f").is_err());
        assert!(read(b"time,value\n0,1\n100,1\n200,1\n201,1\n", "f").is_err());
    }
}
