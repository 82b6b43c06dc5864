//! Checks a settings file: every mistake is told at once, with its path.
//!
//! The file is held against a pattern, which is the settings themselves with every key written out: keys that are not in it are
//! unknown, and values must be of its types.

use ketscale_engine::problem::{Issue, suggestion};
use serde_json::{Map, Value};

use super::Queries;
use crate::prometheus::connection::{BasicAuth, Connection, TlsConfig};
use crate::prometheus::window;

/// Keys that stand wherever the mapping around them is written.
const REQUIRED: [&str; 8] = [
    "value",
    "sampled_at",
    "namespace_label",
    "name_label",
    "deployments",
    "statefulsets",
    "username",
    "password_file",
];

/// Reads settings from YAML or JSON; else every mistake.
pub(super) fn read(text: &str) -> Result<Queries, Vec<Issue>> {
    let broken = |error: &dyn std::fmt::Display| vec![issue("", error.to_string())];
    let document: Value = serde_saphyr::from_str(text).map_err(|error| broken(&error))?;
    // A file of comments alone says nothing.
    let document = match document {
        Value::Null => Value::Object(Map::new()),
        document => document,
    };
    let mut issues = Vec::new();
    against(&pattern(), &document, "", &mut issues);
    if !issues.is_empty() {
        return Err(issues);
    }
    let queries: Queries = serde_json::from_value(document).map_err(|error| broken(&error))?;
    let issues = meaning(&queries);
    if issues.is_empty() {
        Ok(queries)
    } else {
        Err(issues)
    }
}

/// A mistake at a path.
pub(super) fn issue(path: &str, message: impl Into<String>) -> Issue {
    Issue {
        path: path.to_owned(),
        line: None,
        message: message.into(),
    }
}

/// The settings with every key.
fn pattern() -> Value {
    let queries = Queries {
        connection: Connection {
            bearer_token_file: Some("file".into()),
            basic_auth: Some(BasicAuth {
                username: "user".to_owned(),
                password_file: "file".into(),
            }),
            tls_config: TlsConfig {
                ca_file: Some("file".into()),
                cert_file: Some("file".into()),
                key_file: Some("file".into()),
            },
            ..Connection::default()
        },
        ..Queries::default()
    };
    serde_json::to_value(queries).unwrap_or_default()
}

fn against(pattern: &Value, value: &Value, path: &str, issues: &mut Vec<Issue>) {
    match (pattern, value) {
        // The one open mapping, of names.
        (Value::Object(known), Value::Object(entries)) if known.is_empty() => {
            let text = Value::String(String::new());
            for (key, value) in entries {
                against(&text, value, &below(path, key), issues);
            }
        }
        (Value::Object(known), Value::Object(entries)) => {
            entries_against(known, entries, path, issues);
        }
        (Value::Array(known), Value::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                if let Some(pattern) = known.first() {
                    against(pattern, item, &format!("{path}[{index}]"), issues);
                }
            }
        }
        (Value::Number(known), Value::Number(number)) if number.is_u64() || !known.is_u64() => {}
        (Value::String(_), Value::String(_)) => {}
        _ => issues.push(issue(
            path,
            format!("{} is not {}", quoted(value), expected(pattern)),
        )),
    }
}

fn entries_against(
    known: &Map<String, Value>,
    entries: &Map<String, Value>,
    path: &str,
    issues: &mut Vec<Issue>,
) {
    for key in REQUIRED {
        if known.contains_key(key) && !entries.contains_key(key) {
            issues.push(issue(&below(path, key), "is missing"));
        }
    }
    for (key, value) in entries {
        match known.get(key) {
            Some(pattern) => against(pattern, value, &below(path, key), issues),
            None => {
                let near = suggestion(key, known.keys().map(String::as_str));
                issues.push(issue(&below(path, key), format!("unknown key{near}")));
            }
        }
    }
}

fn below(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn quoted(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    }
}

fn expected(pattern: &Value) -> &'static str {
    match pattern {
        Value::Number(number) if number.is_u64() => "a whole number of 0 or more",
        Value::Number(_) => "a number",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
        _ => "a string",
    }
}

/// What the types alone do not say.
fn meaning(queries: &Queries) -> Vec<Issue> {
    let mut issues: Vec<Issue> = (queries.connection.mistakes().into_iter())
        .map(|(key, reason)| issue(&format!("connection.{key}"), reason))
        .collect();
    for (key, seconds) in [
        ("max_age_seconds", queries.max_age_seconds),
        ("max_clock_skew_seconds", queries.max_clock_skew_seconds),
    ] {
        if !(seconds.is_finite() && seconds > 0.0) {
            issues.push(issue(key, format!("{seconds} is not above 0")));
        }
    }
    for (key, range) in [
        ("window", &queries.window),
        ("memory_window", &queries.memory_window),
    ] {
        if window::seconds(range).is_none() {
            let message = format!("{range:?} is not a duration of Prometheus, such as 5m");
            issues.push(issue(key, message));
        }
    }
    for (key, label) in [
        ("cluster_label", &queries.cluster_label),
        ("http_namespace_label", &queries.http_namespace_label),
        ("http_service_label", &queries.http_service_label),
    ] {
        if !is_label(label) {
            issues.push(issue(key, format!("{label:?} is not the name of a label")));
        }
    }
    issues
}

/// A label's name as PromQL takes it unquoted.
fn is_label(name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(word) && !name.starts_with(|c: char| c.is_ascii_digit())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let issues = read(text).unwrap_err();
        issues.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = "
max_aeg_seconds: 3
pods: kube_pod_info
hpa_min: {value: a}
request_rate: [{value: a, sampled_at: b, namespace_label: c, name_label: 4}]
cluster_names: {eu: 1}
connection:
  timeout_seconds: soon
  bearer_token_fiel: /token
  max_response_bytes: 1.5
  basic_auth: {username: a}
  retries: {max_retries: -1}
";
        assert_eq!(
            told(text),
            [
                "max_aeg_seconds: unknown key; did you mean max_age_seconds?",
                "pods: \"kube_pod_info\" is not a mapping",
                "hpa_min.sampled_at: is missing",
                "request_rate[0].name_label: 4 is not a string",
                "cluster_names.eu: 1 is not a string",
                "connection.timeout_seconds: \"soon\" is not a number",
                "connection.bearer_token_fiel: unknown key; did you mean bearer_token_file?",
                "connection.max_response_bytes: 1.5 is not a whole number of 0 or more",
                "connection.basic_auth.password_file: is missing",
                "connection.retries.max_retries: -1 is not a whole number of 0 or more",
            ]
        );
    }

    #[test]
    fn what_makes_no_sense_is_told_at_once() {
        let text = "{max_age_seconds: 0, window: 5, cluster_label: 'a b', connection: {timeout_seconds: 0, tls_config: {key_file: k}}}";
        assert_eq!(told(text), ["window: 5 is not a string"]);
        let text = text.replace("window: 5", "window: often");
        assert_eq!(
            told(&text),
            [
                "connection.timeout_seconds: 0 is not above 0 and at most 86400",
                "connection.tls_config.key_file: needs cert_file",
                "max_age_seconds: 0 is not above 0",
                "window: \"often\" is not a duration of Prometheus, such as 5m",
                "cluster_label: \"a b\" is not the name of a label",
            ]
        );
        for text in ["[", "[]", "max_age_seconds: .nan", "3"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_that_says_nothing_changes_nothing() {
        assert_eq!(read("# nothing\n"), Ok(Queries::default()));
        assert_eq!(read("{}"), Ok(Queries::default()));
    }
}
