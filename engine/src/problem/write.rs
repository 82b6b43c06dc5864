//! A problem as the file that a user reads and edits.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::comments::Comments;
use super::document::{Disruption, NodeBounds, Placement, Policy, ProblemFile};
use super::issue::entry_name;

/// Widest text of a value that is written on its key's line.
const FLOW_WIDTH: usize = 130;

/// Keys whose values are keyed by the user's own names: what stands in them is never left out as a default.
pub(super) const USERS_MAPS: [&str; 8] = [
    "labels",
    "selector",
    "requests",
    "allocatable",
    "foreign",
    "pods",
    "zonal_volumes",
    "clusters",
];

/// The problem file as YAML: the `head` as comments at the top, one line each, and the reason beside every value that has one.
/// Keys at their defaults are left out. Reads back equal to the problem.
pub fn to_yaml<'a>(
    problem: &ProblemFile,
    head: impl IntoIterator<Item = &'a str>,
    comments: &Comments,
) -> String {
    let mut text = String::new();
    for line in head {
        let _ = writeln!(text, "{}", format!("# {}", one_line(line)).trim_end());
    }
    let mut writer = Writer { text, comments };
    // Every type of a problem file has string keys and finite numbers: it is always a JSON value.
    if let Ok(problem) = serde_json::to_value(problem)
        && let Value::Object(entries) = without_defaults("", &problem, "", comments)
    {
        writer.entries(&entries, "", 0);
    }
    writer.text
}

struct Writer<'a> {
    text: String,
    comments: &'a Comments,
}

impl Writer<'_> {
    fn entries(&mut self, entries: &Map<String, Value>, path: &str, depth: usize) {
        for (key, value) in entries {
            self.indent(depth);
            self.entry(key, value, &joined(path, key), depth);
        }
    }

    /// `key: value` with everything below it.
    fn entry(&mut self, key: &str, value: &Value, path: &str, depth: usize) {
        let _ = write!(self.text, "{}:", scalar(key));
        let flow = if self.comments.has_below(path) {
            None
        } else {
            short_flow(value)
        };
        if let Some(flow) = flow {
            let _ = write!(self.text, " {flow}");
            self.end_line(path);
            return;
        }
        self.end_line(path);
        match value {
            Value::Array(items) => self.items(items, path, depth),
            Value::Object(entries) => self.entries(entries, path, depth + 1),
            _ => {}
        }
    }

    fn items(&mut self, items: &[Value], path: &str, depth: usize) {
        for (index, item) in items.iter().enumerate() {
            let here = joined(path, &item_name(item, index));
            self.indent(depth);
            self.text.push_str("- ");
            match item {
                Value::Object(entries)
                    if self.comments.has_below(&here) || short_flow(item).is_none() =>
                {
                    for (position, (key, value)) in entries.iter().enumerate() {
                        if position > 0 {
                            self.indent(depth + 1);
                        }
                        let before = self.text.len();
                        self.entry(key, value, &joined(&here, key), depth + 1);
                        if position == 0 {
                            self.comment_first_line(before, &here);
                        }
                    }
                }
                _ => {
                    self.text.push_str(&flow(item));
                    self.end_line(&here);
                }
            }
        }
    }

    /// The reason of a list entry stands on the line of its first key, which is its name.
    fn comment_first_line(&mut self, from: usize, path: &str) {
        if let Some(reason) = self.comments.get(path)
            && let Some(end) = self.text.get(from..).and_then(|line| line.find('\n'))
        {
            self.text
                .insert_str(from + end, &format!(" # assumed: {}", one_line(reason)));
        }
    }

    fn indent(&mut self, depth: usize) {
        self.text.extend(std::iter::repeat_n("  ", depth));
    }

    fn end_line(&mut self, path: &str) {
        if let Some(reason) = self.comments.get(path) {
            let _ = write!(self.text, " # assumed: {}", one_line(reason));
        }
        self.text.push('\n');
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// How comments address a list entry: by name, an offering by its parts, anything else by number.
fn item_name(item: &Value, index: usize) -> String {
    entry_name(item).unwrap_or_else(|| index.to_string())
}

/// Whether the key may be left out, for its value is what it means when absent.
fn is_default(key: &str, value: &Value) -> bool {
    match key {
        "placement" => {
            serde_json::to_value(Placement::default()).is_ok_and(|default| default == *value)
        }
        "disruption" => {
            serde_json::to_value(Disruption::default()).is_ok_and(|default| default == *value)
        }
        "policy" => serde_json::to_value(Policy::default()).is_ok_and(|default| default == *value),
        "nodes" => {
            serde_json::to_value(NodeBounds::default()).is_ok_and(|default| default == *value)
        }
        "daemonsets" | "taints" | "tolerations" | "anti_affinity" | "caps" | "commitments"
        | "relax" => value.as_array().is_some_and(Vec::is_empty),
        "labels" | "selector" | "pods" | "foreign" | "zonal_volumes" => {
            value.as_object().is_some_and(Map::is_empty)
        }
        "kind" => value == "Deployment",
        "mode" => value == "recommend",
        "operator" => value == "Equal",
        "key" | "value" => value == "",
        "survive" => value == "none",
        "packing" => value == "schedulable",
        "cordoned" => value == &Value::Bool(false),
        "movable" => value == &Value::Bool(true),
        "priority" | "ready_seconds" | "startup_seconds" | "used_usd_per_hour" => {
            value.as_f64() == Some(0.0)
        }
        "min_zones" | "spot_share_max" => value.as_f64() == Some(1.0),
        "architectures" => *value == serde_json::json!(["amd64"]),
        _ => false,
    }
}

/// The value of a key without the keys in it that are at their defaults and say nothing by a comment.
fn without_defaults(key: &str, value: &Value, path: &str, comments: &Comments) -> Value {
    let users = USERS_MAPS.contains(&key);
    match value {
        Value::Object(entries) => {
            let keep = |(key, value): &(&String, &Value)| {
                let below = joined(path, key);
                users
                    || comments.get(&below).is_some()
                    || comments.has_below(&below)
                    || !is_default(key, value)
            };
            let pruned = |(key, value): (&String, &Value)| {
                let value = without_defaults(
                    if users { "" } else { key },
                    value,
                    &joined(path, key),
                    comments,
                );
                (key.clone(), value)
            };
            Value::Object(entries.iter().filter(keep).map(pruned).collect())
        }
        Value::Array(items) => {
            let pruned = |(index, item)| {
                without_defaults("", item, &joined(path, &item_name(item, index)), comments)
            };
            Value::Array(items.iter().enumerate().map(pruned).collect())
        }
        other => other.clone(),
    }
}

/// The value on one line, if it is short and shallow: a scalar, a list or mapping of them, or mappings of small mappings.
fn short_flow(value: &Value) -> Option<String> {
    let is_empty = match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        _ => return Some(flow(value)),
    };
    let listed_by_name =
        matches!(value, Value::Array(items) if items.iter().any(|item| item.get("name").is_some()));
    let text = flow(value);
    (is_empty || (!listed_by_name && text.len() <= FLOW_WIDTH)).then_some(text)
}

fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(flow).collect::<Vec<_>>().join(", ")
        ),
        Value::Object(entries) => {
            let entry =
                |(key, value): (&String, &Value)| format!("{}: {}", scalar(key), flow(value));
            format!(
                "{{{}}}",
                entries.iter().map(entry).collect::<Vec<_>>().join(", ")
            )
        }
        Value::String(text) => scalar(text),
        other => other.to_string(),
    }
}

/// A string, quoted where YAML would read something else or another reader might.
fn scalar(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next();
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '.' | '-');
    let number_like = [
        "true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf", "infinity",
    ];
    let is_quantity = text.strip_suffix(['m', 'i']).is_some_and(|number| {
        let digits = number.trim_end_matches(['K', 'M', 'G', 'T']);
        !digits.is_empty()
            && number.len() - digits.len() <= 1
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    let plain = first.is_some_and(|c| c.is_ascii_alphabetic() || c == '/')
        && characters.all(safe)
        && !number_like.contains(&text.to_ascii_lowercase().as_str());
    if plain || is_quantity {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// Double-quoted with every character outside printable ASCII escaped.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            _ => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

/// Comments hold whatever names a dump has; a line break would end them.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}') {
                ' '
            } else {
                c
            }
        })
        .collect()
}
