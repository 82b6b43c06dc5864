//! The body of an answer: <https://prometheus.io/docs/prometheus/latest/querying/api/>.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::QueryFailure;

/// Most characters of a foreign text that a message repeats.
const MAX_SHOWN_CHARS: usize = 160;

/// One element of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Label values by label name.
    pub labels: BTreeMap<String, String>,
    /// The value; may be NaN or infinite.
    pub value: f64,
}

impl Sample {
    /// The value of a label; empty where the label is absent, which means the same to Prometheus.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    status: Status,
    data: Option<Data>,
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Status {
    Success,
    Error,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Element {
    metric: BTreeMap<String, String>,
    /// Time of the query and value. Native histograms come as `histogram` instead and are no number.
    value: Option<(f64, String)>,
}

/// Reads an answer with this HTTP status.
pub(super) fn read(
    body: &[u8],
    code: u16,
    content_type: &str,
) -> Result<Vec<Sample>, QueryFailure> {
    let start = || {
        shown(&String::from_utf8_lossy(
            body.get(..4 * MAX_SHOWN_CHARS).unwrap_or(body),
        ))
    };
    let foreign = |reason: String| QueryFailure::NotPrometheus {
        content_type: content_type.to_owned(),
        start: start(),
        reason,
    };
    let envelope: Envelope = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(_) if code >= 400 => {
            return Err(QueryFailure::Http {
                code,
                start: start(),
            });
        }
        Err(error) => return Err(foreign(shown(&error.to_string()))),
    };
    if envelope.status == Status::Error || code >= 400 {
        return Err(QueryFailure::Refused {
            code,
            kind: shown(&envelope.error_type),
            message: shown(&envelope.error),
        });
    }
    if !envelope.warnings.is_empty() {
        let warnings = envelope
            .warnings
            .iter()
            .take(5)
            .map(|warning| shown(warning))
            .collect();
        return Err(QueryFailure::Warnings { warnings });
    }
    let data = envelope
        .data
        .ok_or_else(|| foreign("no `data`".to_owned()))?;
    if data.result_type != "vector" {
        return Err(QueryFailure::ResultType {
            found: shown(&data.result_type),
        });
    }
    let elements: Vec<Element> =
        serde_json::from_value(data.result).map_err(|error| foreign(shown(&error.to_string())))?;
    elements
        .into_iter()
        .map(|element| sample(element).map_err(foreign))
        .collect()
}

fn sample(element: Element) -> Result<Sample, String> {
    let (_, text) = element
        .value
        .ok_or("a native histogram in place of a number")?;
    let value = text
        .parse()
        .map_err(|_| format!("{:?} is not a number", shown(&text)))?;
    Ok(Sample {
        labels: element.metric,
        value,
    })
}

/// Foreign text as a message may repeat it: on one line, printable, cut.
pub(super) fn shown(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(MAX_SHOWN_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(MAX_SHOWN_CHARS).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn vector(result: &str) -> Result<Vec<Sample>, QueryFailure> {
        let body =
            format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{result}}}}}"#);
        read(body.as_bytes(), 200, "application/json")
    }

    #[test]
    fn values_are_read_with_their_labels() {
        let samples = vector(r#"[{"metric":{"pod":"a"},"value":[1700000000.1,"2.5"]},{"metric":{},"value":[1,"NaN"]},{"metric":{},"value":[1,"+Inf"]}]"#).unwrap();
        assert_eq!(
            (
                samples[0].label("pod"),
                samples[0].label("node"),
                samples[0].value
            ),
            ("a", "", 2.5)
        );
        assert!(samples[1].value.is_nan());
        assert_eq!(samples[2].value, f64::INFINITY);
        assert_eq!(vector("[]"), Ok(vec![]));
    }

    #[test]
    fn everything_else_is_told_apart() {
        let failure = |body: &str, code| read(body.as_bytes(), code, "text/html").unwrap_err();
        assert!(matches!(
            failure("<html>", 200),
            QueryFailure::NotPrometheus { .. }
        ));
        assert!(matches!(
            failure("", 200),
            QueryFailure::NotPrometheus { .. }
        ));
        assert!(matches!(
            failure("<html>", 502),
            QueryFailure::Http { code: 502, .. }
        ));
        let refused = failure(
            r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#,
            400,
        );
        assert_eq!(
            refused,
            QueryFailure::Refused {
                code: 400,
                kind: "bad_data".into(),
                message: "parse error".into()
            }
        );
        assert!(matches!(
            failure(r#"{"status":"error"}"#, 200),
            QueryFailure::Refused { code: 200, .. }
        ));
        assert!(matches!(
            failure(r#"{"status":"success"}"#, 200),
            QueryFailure::NotPrometheus { .. }
        ));
        let matrix = failure(
            r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#,
            200,
        );
        assert_eq!(
            matrix,
            QueryFailure::ResultType {
                found: "matrix".into()
            }
        );
        let warned = failure(
            r#"{"status":"success","warnings":["a store is down"],"data":{"resultType":"vector","result":[]}}"#,
            200,
        );
        assert_eq!(
            warned,
            QueryFailure::Warnings {
                warnings: vec!["a store is down".into()]
            }
        );
        assert!(matches!(
            vector(r#"[{"metric":{},"value":[1,"many"]}]"#),
            Err(QueryFailure::NotPrometheus { .. })
        ));
        assert!(matches!(
            vector(r#"[{"metric":{},"histogram":[1,{}]}]"#),
            Err(QueryFailure::NotPrometheus { .. })
        ));
    }

    #[test]
    fn foreign_text_is_cut_and_kept_on_one_line() {
        let long = shown(&"x\n".repeat(1000));
        assert_eq!(long.chars().count(), MAX_SHOWN_CHARS + 1);
        assert!(!long.contains('\n'));
    }
}
