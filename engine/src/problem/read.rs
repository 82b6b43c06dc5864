//! Reads a problem file: text, syntax, schema, types, meaning; every mistake that can be told in one go is told.

use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde_json::{Number, Value};
use serde_saphyr::options::NonFiniteFloatPolicy;
use serde_saphyr::{Error as YamlError, MessageFormatter, UserMessageFormatter};

use super::conform::{self, Format, Remedy};
use super::document::{ProblemFile, SCHEMA};
use super::issue::{InputErrors, Issue, Mistake, Mistakes, Place, Step, shown};
use super::{json_schema, locate, validate};

static JSON_SCHEMA: LazyLock<Value> = LazyLock::new(json_schema);

/// Largest file that is read.
pub const MAX_FILE_BYTES: usize = 64 << 20;

/// Deepest nesting of mappings and lists; a problem needs 8.
const MAX_DEPTH: usize = 64;

/// Most scalars, lists and mappings, aliases not followed: what fits in [`MAX_FILE_BYTES`] at eight bytes each. A node of
/// a fleet takes about forty.
const MAX_YAML_NODES: usize = MAX_FILE_BYTES / 8;

/// Most parser events that anchors may hold and aliases stand for; ends alias bombs.
const MAX_REPLAYED_EVENTS: usize = 1_000_000;

/// Keys whose values others refer to by name: with one of them unknown, further checks would report what is not wrong.
const DEFINING_KEYS: [&str; 11] = [
    "name",
    "cluster",
    "clusters",
    "services",
    "pool",
    "pools",
    "offerings",
    "instance_type",
    "zone",
    "capacity_type",
    "nodes",
];

/// Reads a problem from YAML or JSON and checks all that can be checked without a catalogue.
///
/// # Errors
/// Every mistake found, with its path and line. Where the text is not even YAML, the first syntax error alone.
pub fn read(bytes: &[u8], file: &str) -> Result<ProblemFile, InputErrors> {
    read_as(bytes, file, &problem_format(), validate::mistakes)
}

fn problem_format() -> Format<'static> {
    Format {
        schema: SCHEMA,
        noun: "problem",
        json_schema: &JSON_SCHEMA,
    }
}

/// Reads a file of a format from YAML or JSON; `meaning` tells what is wrong with a file that keeps the schema.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_as<T: DeserializeOwned>(
    bytes: &[u8],
    file: &str,
    format: &Format<'_>,
    meaning: impl Fn(&T) -> Mistakes,
) -> Result<T, InputErrors> {
    let refuse = |issues| InputErrors {
        file: file.to_owned(),
        issues,
    };
    let source = text(bytes, format).map_err(|message| {
        refuse(vec![Issue {
            path: String::new(),
            line: None,
            message,
        }])
    })?;
    let document = parse(source).map_err(|issue| refuse(vec![issue]))?;
    check_as(document, format, meaning).map_err(|mistakes| {
        let places: Vec<&Place> = mistakes
            .kept()
            .iter()
            .map(|mistake| &mistake.place)
            .collect();
        let lines = locate::lines(source, &places);
        refuse(mistakes.into_issues(&lines))
    })
}

fn text<'a>(bytes: &'a [u8], format: &Format<'_>) -> Result<&'a str, String> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(format!(
            "the file has {} bytes; at most {MAX_FILE_BYTES} (64 MiB) are read",
            bytes.len()
        ));
    }
    let source = std::str::from_utf8(bytes).map_err(|error| {
        format!(
            "the file is not UTF-8 text: byte {} is not valid there",
            error.valid_up_to()
        )
    })?;
    if source.trim().is_empty() {
        return Err(format!(
            "the file is empty; expected a {} that begins with `schema: {}`",
            format.noun, format.schema
        ));
    }
    Ok(source)
}

/// The document as plain JSON values. Numbers that JSON cannot hold become the strings `.nan`, `.inf` and `-.inf`,
/// which the schema refuses wherever a number is expected.
pub(super) fn parse(source: &str) -> Result<Value, Issue> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            max_events: 2 * MAX_YAML_NODES,
            max_nodes: MAX_YAML_NODES,
            max_recorded_anchor_events: MAX_REPLAYED_EVENTS,
            // Aliases are bounded by what they stand for, not by how many there are.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPLAYED_EVENTS },
        emit_comments: false,
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    let mut document: Value = serde_saphyr::from_str_with_options(source, options)
        .map_err(|error| syntax_issue(&error))?;
    integers_where_whole(&mut document);
    Ok(document)
}

fn syntax_issue(error: &YamlError) -> Issue {
    let line = error
        .location()
        .and_then(|location| usize::try_from(location.line()).ok());
    Issue {
        path: String::new(),
        line,
        message: syntax_message(error),
    }
}

fn syntax_message(error: &YamlError) -> String {
    match error {
        YamlError::AliasError { error, .. } | YamlError::WithSnippet { error, .. } => {
            syntax_message(error)
        }
        YamlError::DuplicateMappingKey { key, .. } => match key {
            Some(key) => format!("the key `{}` stands twice in the same mapping", shown(key)),
            None => "a key stands twice in the same mapping".to_owned(),
        },
        YamlError::MultipleDocuments { .. } => {
            "the file holds several YAML documents; expected one problem".to_owned()
        }
        YamlError::Budget { breach, .. } => too_complex(breach),
        YamlError::AliasReplayLimitExceeded { .. } => too_many_aliased(),
        other => format!(
            "not valid YAML or JSON: {}",
            shown(&UserMessageFormatter.format_message(other))
        ),
    }
}

fn too_many_aliased() -> String {
    format!(
        "anchors and aliases stand for more than {MAX_REPLAYED_EVENTS} values; write them out or use fewer"
    )
}

fn too_complex(breach: &serde_saphyr::budget::BudgetBreach) -> String {
    use serde_saphyr::budget::BudgetBreach;
    match breach {
        BudgetBreach::Depth { .. } => {
            format!("nested deeper than {MAX_DEPTH} levels; a problem needs 8")
        }
        BudgetBreach::Nodes { .. } | BudgetBreach::Events { .. } => {
            format!("the file holds more than {MAX_YAML_NODES} values")
        }
        BudgetBreach::RecordedAnchorEvents { .. } | BudgetBreach::RecordedAnchorBytes { .. } => {
            too_many_aliased()
        }
        other => format!("the file is too complex to read: {other:?}"),
    }
}

/// Writes `3.0` as `3`, so that both are whole numbers as JSON Schema sees it.
fn integers_where_whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(float) = number.as_f64().filter(|_| number.is_f64())
                && float.fract() == 0.0
                && float.abs() <= 9_007_199_254_740_992.0
            {
                #[allow(clippy::cast_possible_truncation)]
                let whole = float as i64;
                *number = Number::from(whole);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(integers_where_whole),
        Value::Object(entries) => entries.values_mut().for_each(integers_where_whole),
        _ => {}
    }
}

/// Checks against the schema, then the meaning. After mistakes against the schema the meaning is still checked wherever
/// those mistakes cannot make it look wrong.
pub(super) fn check(document: Value) -> Result<ProblemFile, Mistakes> {
    check_as(document, &problem_format(), validate::mistakes)
}

fn check_as<T: DeserializeOwned>(
    document: Value,
    format: &Format<'_>,
    meaning: impl Fn(&T) -> Mistakes,
) -> Result<T, Mistakes> {
    let (mut mistakes, remedies) = conform::check(format, &document);
    let Some((repaired, untrusted)) = repair(document, mistakes.kept(), &remedies) else {
        return Err(mistakes);
    };
    match serde_json::from_value::<T>(repaired) {
        Ok(content) => {
            let mut meaning = meaning(&content);
            meaning.retain(|mistake| {
                !untrusted
                    .iter()
                    .any(|entry| mistake.place.starts_with(entry))
            });
            mistakes.append(meaning);
            if mistakes.is_empty() {
                Ok(content)
            } else {
                Err(mistakes)
            }
        }
        Err(error) => {
            if mistakes.is_empty() {
                mistakes.push(Mistake {
                    place: Place::new(),
                    message: error.to_string(),
                });
            }
            Err(mistakes)
        }
    }
}

/// The document without its mistakes against the schema, and the entries of which nothing further is to be believed.
/// `None` where others may refer to what is mistaken.
fn repair(
    mut document: Value,
    mistakes: &[Mistake],
    remedies: &[Remedy],
) -> Option<(Value, Vec<Place>)> {
    let mut untrusted = Vec::new();
    for (mistake, remedy) in mistakes.iter().zip(remedies) {
        let (last, parents) = mistake.place.split_last()?;
        let parent = parents
            .iter()
            .try_fold(&mut document, |value, step| match step {
                Step::Key(key) => value.get_mut(key),
                Step::Item(index, _) => value.get_mut(index),
            })?;
        match (remedy, last) {
            (Remedy::Remove, Step::Key(key)) => {
                parent.as_object_mut()?.remove(key);
            }
            (Remedy::Replace(value), Step::Key(key)) if !DEFINING_KEYS.contains(&key.as_str()) => {
                *parent.get_mut(key)? = value.clone();
                untrusted.push(entry_of(&mistake.place));
            }
            (Remedy::Replace(value), Step::Item(index, _)) => {
                *parent.get_mut(index)? = value.clone();
                untrusted.push(entry_of(&mistake.place));
            }
            _ => return None,
        }
    }
    Some((document, untrusted))
}

/// The list entry that a place belongs to, or the place itself.
fn entry_of(place: &Place) -> Place {
    let end = place
        .iter()
        .position(|step| matches!(step, Step::Item(..)))
        .map_or(place.len(), |index| index + 1);
    place.iter().take(end).cloned().collect()
}
