//! Loads from a CSV file, long (`time,service,rps`) or wide (`time` and a column for each service).
//!
//! Times are RFC 3339, `YYYY-MM-DD HH:MM:SS` in UTC, or seconds since the Unix epoch. Lines that begin with `#` are comments. An empty
//! cell is a value that was not measured.

use std::collections::BTreeMap;

use csv::{StringRecord, Trim};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::trace::Trace;
use crate::csv_line::line_of;
use crate::problem::{InputErrors, Issue, ProblemFile};

/// Largest file of loads that is read, 256 MiB.
pub const MAX_LOADS_BYTES: usize = 256 << 20;

/// Mistakes after which the rest of a file is not looked at.
const MAX_MISTAKES: usize = 1000;

/// Reads the loads of a problem's services.
///
/// # Errors
///
/// Every mistake with its line and column: unknown services, times that do not ascend, values that are no loads.
pub fn read_loads(bytes: &[u8], file: &str, problem: &ProblemFile) -> Result<Trace, InputErrors> {
    let mut reader = Reader::new(problem);
    match std::str::from_utf8(bytes) {
        Ok(text) => reader.read(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let line = 1 + good.iter().filter(|byte| **byte == b'\n').count() as u64;
            reader.refuse(line, None, "is not UTF-8 text".to_owned());
        }
    }
    reader.finish().map_err(|issues| InputErrors {
        file: file.to_owned(),
        issues,
    })
}

/// Which columns mean what.
enum Layout {
    /// Positions of time, service and rps.
    Long([usize; 3]),
    /// Position of time, and of each service's column.
    Wide(usize, Vec<(usize, String)>),
}

struct Reader<'a> {
    problem: &'a ProblemFile,
    header: StringRecord,
    /// Loads by time (as ordered bits) and service.
    values: BTreeMap<Time, BTreeMap<String, f64>>,
    named: Vec<String>,
    issues: Vec<Issue>,
}

/// A time that orders.
#[derive(Clone, Copy, PartialEq)]
struct Time(f64);

impl Eq for Time {}

impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Time {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl<'a> Reader<'a> {
    fn new(problem: &'a ProblemFile) -> Self {
        Self {
            problem,
            header: StringRecord::new(),
            values: BTreeMap::new(),
            named: Vec::new(),
            issues: Vec::new(),
        }
    }

    /// Notes a mistake; `column` counts from 0.
    fn refuse(&mut self, line: u64, column: Option<usize>, message: String) {
        let path = column.map_or(String::new(), |column| {
            let name = self.header.get(column).unwrap_or_default();
            format!("column {} ({name})", column + 1)
        });
        self.issues.push(Issue {
            path,
            line: usize::try_from(line).ok(),
            message,
        });
    }

    fn read(&mut self, text: &str) {
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .trim(Trim::All)
            .from_reader(text.as_bytes());
        // Text that is UTF-8 has no unreadable record: rows of another length are let through and refused below.
        let mut records = reader.records().map_while(Result::ok);
        let Some(header) = records.next() else {
            self.refuse(1, None, format!("is empty; expected {EXPECTED_HEADER}"));
            return;
        };
        self.header = header.clone();
        let Some(layout) = self.layout(line_of(text, &header)) else {
            return;
        };
        for record in records {
            let line = line_of(text, &record);
            if self.issues.len() >= MAX_MISTAKES {
                let message = format!("what follows {MAX_MISTAKES} mistakes was not looked at");
                self.refuse(line, None, message);
                return;
            }
            if record.len() == self.header.len() {
                self.row(&layout, line, &record);
            } else {
                let (cells, wanted) = (record.len(), self.header.len());
                let message = format!("{cells} cells; expected {wanted}, as in the header");
                self.refuse(line, None, message);
            }
        }
    }

    /// What the header says; `None`, with the mistakes, when the rows cannot be read.
    fn layout(&mut self, line: u64) -> Option<Layout> {
        let position = |name: &str| self.header.iter().position(|cell| cell == name);
        let Some(time) = position("time") else {
            self.refuse(
                line,
                None,
                format!("has no column time; expected {EXPECTED_HEADER}"),
            );
            return None;
        };
        if let (Some(service), Some(rps), 3) =
            (position("service"), position("rps"), self.header.len())
        {
            return Some(Layout::Long([time, service, rps]));
        }
        let columns: Vec<(usize, String)> = (self.header.iter().enumerate())
            .filter(|(index, _)| *index != time)
            .map(|(index, name)| (index, name.to_owned()))
            .collect();
        let before = self.issues.len();
        if columns.is_empty() {
            self.refuse(
                line,
                None,
                format!("has no service; expected {EXPECTED_HEADER}"),
            );
        }
        for (index, name) in &columns {
            if self.named.contains(name) {
                self.refuse(line, Some(*index), "each service once".to_owned());
            } else {
                self.name(line, *index, name);
            }
        }
        (self.issues.len() == before).then_some(Layout::Wide(time, columns))
    }

    /// Notes that the file has loads of a service; refuses one that has no use for them.
    fn name(&mut self, line: u64, column: usize, name: &str) {
        let service = self.problem.services.iter().find(|s| s.name == name);
        match service {
            None => self.refuse(
                line,
                Some(column),
                format!(
                    "{name:?} is no service of the problem; expected one of {}",
                    self.services()
                ),
            ),
            Some(service) if service.capacity.is_none() || service.load.is_none() => self.refuse(
                line,
                Some(column),
                format!("{name} has no load and capacity in the problem, so a load means nothing"),
            ),
            Some(_) => self.named.push(name.to_owned()),
        }
    }

    fn services(&self) -> String {
        let names = self.problem.services.iter().map(|s| s.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    }

    fn row(&mut self, layout: &Layout, line: u64, record: &StringRecord) {
        match layout {
            Layout::Long([time, service, rps]) => {
                let at = self.time(line, *time, record);
                let name = record.get(*service).unwrap_or_default().to_owned();
                if !self.named.contains(&name) {
                    self.name(line, *service, &name);
                }
                let value = self.rps(line, *rps, record);
                if let (Some(at), Some(value)) = (at, value) {
                    let known = self
                        .values
                        .entry(at)
                        .or_default()
                        .insert(name.clone(), value);
                    if known.is_some() {
                        let message = format!("{name} has a load at this time already");
                        self.refuse(line, Some(*time), message);
                    }
                }
            }
            Layout::Wide(time, columns) => {
                let at = self.time(line, *time, record);
                let last = self.values.keys().next_back().copied();
                if let (Some(at), Some(last)) = (at, last)
                    && at <= last
                {
                    let message = "is not after the time before it".to_owned();
                    self.refuse(line, Some(*time), message);
                }
                let mut row = BTreeMap::new();
                for (index, name) in columns {
                    row.extend(
                        self.rps(line, *index, record)
                            .map(|rps| (name.clone(), rps)),
                    );
                }
                if let Some(at) = at {
                    self.values.insert(at, row);
                }
            }
        }
    }

    fn time(&mut self, line: u64, column: usize, record: &StringRecord) -> Option<Time> {
        let text = record.get(column).unwrap_or_default();
        let seconds = parse_time(text);
        if seconds.is_none() {
            let message = format!(
                "{text:?} is no time; expected RFC 3339, YYYY-MM-DD HH:MM:SS in UTC, or seconds since 1970"
            );
            self.refuse(line, Some(column), message);
        }
        seconds.map(Time)
    }

    /// A load; `None` for an empty cell as well, which is no mistake.
    fn rps(&mut self, line: u64, column: usize, record: &StringRecord) -> Option<f64> {
        let text = record.get(column).unwrap_or_default();
        if text.is_empty() {
            return None;
        }
        let rps = text
            .parse()
            .ok()
            .filter(|rps: &f64| rps.is_finite() && *rps >= 0.0);
        if rps.is_none() {
            let message = format!("{text:?} is no load; expected requests per second, at least 0");
            self.refuse(line, Some(column), message);
        }
        rps
    }

    fn finish(mut self) -> Result<Trace, Vec<Issue>> {
        if !self.issues.is_empty() {
            return Err(self.issues);
        }
        let (times, rows): (Vec<Time>, Vec<_>) =
            std::mem::take(&mut self.values).into_iter().unzip();
        let times = times.into_iter().map(|Time(seconds)| seconds).collect();
        let measured = |service: &str, index: usize| rows.get(index)?.get(service).copied();
        let is_named = |service: &str| self.named.iter().any(|name| name == service);
        Trace::new(self.problem, times, measured, is_named).map_err(|message| {
            vec![Issue {
                path: String::new(),
                line: None,
                message,
            }]
        })
    }
}

const EXPECTED_HEADER: &str = "a header time,service,rps, or time and the names of services";

/// Seconds since the Unix epoch.
fn parse_time(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.parse::<f64>() {
        // Later than the year 9999 is a mistake, such as milliseconds.
        return (seconds.is_finite() && (0.0..=253_402_300_800.0).contains(&seconds))
            .then_some(seconds);
    }
    let stamp = text.parse::<Timestamp>().or_else(|_| {
        let civil = text.parse::<DateTime>()?;
        civil.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp())
    });
    stamp.ok().map(|stamp| stamp.as_duration().as_secs_f64())
}
