//! The body of an answer: <https://prometheus.io/docs/prometheus/latest/querying/api/>.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeOwned, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};

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
        label(&self.labels, name)
    }
}

impl RangeSeries {
    /// The value of a label; empty where the label is absent, which means the same to Prometheus.
    pub fn label(&self, name: &str) -> &str {
        label(&self.labels, name)
    }
}

fn label<'a>(labels: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    labels.get(name).map_or("", String::as_str)
}

/// One series of a range query.
#[derive(Clone, Debug, PartialEq)]
pub struct RangeSeries {
    /// Label values by label name.
    pub labels: BTreeMap<String, String>,
    /// The value at each step of the range; may be NaN or infinite. `None` where the series has none.
    pub values: Vec<Option<f64>>,
}

/// One element of a matrix: a series with a value at some times.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Track {
    /// Label values by label name.
    pub(super) labels: BTreeMap<String, String>,
    /// Time in seconds since the Unix epoch, and value; may be NaN or infinite.
    pub(super) points: Vec<(f64, f64)>,
}

/// What an answer can be about.
trait Element: Sized {
    /// Prometheus' `resultType`.
    const RESULT_TYPE: &'static str;
    /// The same in words.
    const EXPECTED: &'static str;
    /// As Prometheus writes one.
    type Written: DeserializeOwned;
    /// Reads one; else what is wrong with it.
    fn of(written: Self::Written) -> Result<Self, String>;
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<T> {
    status: Status,
    data: Option<Data<T>>,
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
struct Data<T> {
    result_type: String,
    result: T,
}

/// A number as Prometheus writes it: a string, for JSON knows neither NaN nor infinity.
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number in a string")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                let number = text.parse().map(Number);
                number.map_err(|_| E::custom(format!("{:?} is not a number", shown(text))))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[derive(Deserialize)]
struct InstantElement {
    metric: BTreeMap<String, String>,
    /// Time of the query and value. Native histograms come as `histogram` instead and are no number.
    value: Option<(f64, Number)>,
}

#[derive(Deserialize)]
struct MatrixElement {
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<(f64, Number)>,
    histograms: Option<IgnoredAny>,
}

impl Element for Sample {
    const RESULT_TYPE: &'static str = "vector";
    const EXPECTED: &'static str = "an instant vector";
    type Written = InstantElement;

    fn of(written: InstantElement) -> Result<Self, String> {
        let (_, Number(value)) = written.value.ok_or(HISTOGRAM)?;
        Ok(Self {
            labels: written.metric,
            value,
        })
    }
}

impl Element for Track {
    const RESULT_TYPE: &'static str = "matrix";
    const EXPECTED: &'static str = "a matrix";
    type Written = MatrixElement;

    fn of(written: MatrixElement) -> Result<Self, String> {
        if written.histograms.is_some() {
            return Err(HISTOGRAM.to_owned());
        }
        let points = written.values.into_iter();
        Ok(Self {
            labels: written.metric,
            points: points.map(|(time, Number(value))| (time, value)).collect(),
        })
    }
}

const HISTOGRAM: &str = "a native histogram in place of a number";

/// Reads the answer to an instant query, with this HTTP status.
pub(super) fn vector(
    body: &[u8],
    code: u16,
    content_type: &str,
) -> Result<Vec<Sample>, QueryFailure> {
    read(body, code, content_type)
}

/// Reads the answer to a range query, with this HTTP status.
pub(super) fn matrix(
    body: &[u8],
    code: u16,
    content_type: &str,
) -> Result<Vec<Track>, QueryFailure> {
    read(body, code, content_type)
}

/// First what kind of answer it is, for an error says most of that; then what it says.
fn read<T: Element>(body: &[u8], code: u16, content_type: &str) -> Result<Vec<T>, QueryFailure> {
    let foreign = |reason: String| foreign(body, content_type, reason);
    let envelope: Envelope<IgnoredAny> = match serde_json::from_slice(body) {
        Ok(envelope) => envelope,
        Err(_) if code >= 400 => {
            return Err(QueryFailure::Http {
                code,
                start: start(body),
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
        let warnings = envelope.warnings.iter().take(5);
        return Err(QueryFailure::Warnings {
            warnings: warnings.map(|warning| shown(warning)).collect(),
        });
    }
    let data = envelope
        .data
        .ok_or_else(|| foreign("no `data`".to_owned()))?;
    if data.result_type != T::RESULT_TYPE {
        return Err(QueryFailure::ResultType {
            found: shown(&data.result_type),
            expected: T::EXPECTED,
        });
    }
    let envelope: Envelope<Vec<T::Written>> =
        serde_json::from_slice(body).map_err(|error| foreign(shown(&error.to_string())))?;
    let elements = envelope.data.map(|data| data.result).unwrap_or_default();
    elements
        .into_iter()
        .map(|element| T::of(element).map_err(foreign))
        .collect()
}

/// The failure of a body that is not what the API gives.
pub(super) fn foreign(body: &[u8], content_type: &str, reason: String) -> QueryFailure {
    QueryFailure::NotPrometheus {
        content_type: content_type.to_owned(),
        start: start(body),
        reason,
    }
}

/// How a body begins.
fn start(body: &[u8]) -> String {
    let bytes = body.get(..4 * MAX_SHOWN_CHARS).unwrap_or(body);
    shown(&String::from_utf8_lossy(bytes))
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

    fn answer(kind: &str, result: &str) -> Vec<u8> {
        let data = format!(r#"{{"resultType":"{kind}","result":{result}}}"#);
        format!(r#"{{"status":"success","data":{data}}}"#).into_bytes()
    }

    fn instant(result: &str) -> Result<Vec<Sample>, QueryFailure> {
        vector(&answer("vector", result), 200, "application/json")
    }

    fn range(result: &str) -> Result<Vec<Track>, QueryFailure> {
        matrix(&answer("matrix", result), 200, "application/json")
    }

    #[test]
    fn a_matrix_is_read_with_its_times() {
        let tracks = range(r#"[{"metric":{"pod":"a"},"values":[[60,"1"],[120.5,"NaN"]]},{"metric":{},"values":[]}]"#).unwrap();
        assert_eq!(tracks[0].labels["pod"], "a");
        assert_eq!(tracks[0].points[0], (60.0, 1.0));
        assert!(tracks[0].points[1].0 == 120.5 && tracks[0].points[1].1.is_nan());
        assert_eq!(tracks[1], Track::default());
    }

    #[test]
    fn a_matrix_is_read_as_strictly_as_a_vector() {
        for wrong in [
            r#"[{"metric":{},"values":[[1,"many"]]}]"#,
            r#"[{"metric":{},"values":[[1,2]]}]"#,
            r#"[{"metric":{},"values":[["1","2"]]}]"#,
            r#"[{"metric":{},"values":[[1]]}]"#,
            r#"[{"metric":{},"values":[],"histograms":[[1,{}]]}]"#,
            r#"[{"metric":{"a":1},"values":[]}]"#,
            r#"{}"#,
        ] {
            assert!(
                matches!(range(wrong), Err(QueryFailure::NotPrometheus { .. })),
                "{wrong}"
            );
        }
        assert_eq!(
            matrix(&answer("vector", "[]"), 200, ""),
            Err(QueryFailure::ResultType {
                found: "vector".into(),
                expected: "a matrix"
            })
        );
        let cut = answer("matrix", r#"[{"metric":{},"values":[[1,"2"]]}]"#);
        let cut = matrix(&cut[..cut.len() - 4], 200, "").unwrap_err();
        assert!(matches!(cut, QueryFailure::NotPrometheus { .. }), "{cut}");
    }

    #[test]
    fn values_are_read_with_their_labels() {
        let samples = instant(r#"[{"metric":{"pod":"a"},"value":[1700000000.1,"2.5"]},{"metric":{},"value":[1,"NaN"]},{"metric":{},"value":[1,"+Inf"]}]"#).unwrap();
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
        assert_eq!(instant("[]"), Ok(vec![]));
    }

    #[test]
    fn everything_else_is_told_apart() {
        let failure = |body: &str, code| vector(body.as_bytes(), code, "text/html").unwrap_err();
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
                found: "matrix".into(),
                expected: "an instant vector"
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
            instant(r#"[{"metric":{},"value":[1,"many"]}]"#),
            Err(QueryFailure::NotPrometheus { .. })
        ));
        assert!(matches!(
            instant(r#"[{"metric":{},"histogram":[1,{}]}]"#),
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
