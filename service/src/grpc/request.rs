//! Requests as sent, checked and turned into what they mean.

use std::time::Duration;

use ketscale_engine::planner::{self, Settings};
use ketscale_proto::v1;
use ketscale_proto::v1::create_plan_request::Source;
use prost::Message;
use sha2::{Digest, Sha256};
use tonic::metadata::MetadataMap;

use super::status::CallError;
use crate::store::RequestKey;

/// Longest request id.
const MAX_REQUEST_ID_BYTES: usize = 128;

/// Plans in a page, unless the request says otherwise.
const PAGE_SIZE: u32 = 100;

/// Most plans in a page.
const MAX_PAGE_SIZE: u32 = 1000;

/// Of the caller's deadline, the share for planning; the rest is for verifying, storing and the way back.
const PLANNING_SHARE: f64 = 0.9;

/// Of the caller's deadline, the share after which we say that it has passed, before the transport hangs up without a reason.
const ANSWER_SHARE: f64 = 0.97;

/// A request for a plan that makes sense.
pub(super) struct Create {
    pub(super) key: Option<RequestKey>,
    pub(super) source: Source,
    pub(super) settings: Settings,
    pub(super) work: Option<u64>,
    /// Time for planning; absent leaves it to the server.
    pub(super) time: Option<Duration>,
}

impl Create {
    /// Every mistake of the request itself at once; those of the problem file come later.
    pub(super) fn new(request: v1::CreatePlanRequest) -> Result<Self, CallError> {
        let mut mistakes = Vec::new();
        let mut note = |field: &str, result: Result<(), String>| {
            if let Err(message) = result {
                mistakes.push((field.to_owned(), message));
            }
        };
        let key = key(&request);
        note("request_id", request_id(&request.request_id));
        let solver = solver(request.solver);
        note("solver", solver.as_ref().map(|_| ()).map_err(Clone::clone));
        let limits = request.limits.unwrap_or_default();
        let time = limits.time.map(time).transpose();
        note(
            "limits.time",
            time.as_ref().map(|_| ()).map_err(Clone::clone),
        );
        note(
            "limits.work",
            if limits.work == Some(0) {
                Err("0 is below 1".to_owned())
            } else {
                Ok(())
            },
        );
        note("source", source(request.source.as_ref()));
        match (request.source, solver, time) {
            (Some(source), Ok(solver), Ok(time)) if mistakes.is_empty() => {
                let settings = Settings {
                    solver,
                    seed: request.seed,
                    ..Settings::default()
                };
                Ok(Self {
                    key,
                    source,
                    settings,
                    work: limits.work,
                    time,
                })
            }
            _ => Err(CallError::Fields(mistakes)),
        }
    }
}

/// The request's promise of idempotency, if it asks for one: its id, and a hash of all the rest.
fn key(request: &v1::CreatePlanRequest) -> Option<RequestKey> {
    if request.request_id.is_empty() {
        return None;
    }
    let rest = v1::CreatePlanRequest {
        request_id: String::new(),
        ..request.clone()
    };
    // The message has no maps, so that equal requests have equal encodings.
    let hash = Sha256::digest(rest.encode_to_vec());
    let fingerprint = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(RequestKey {
        request_id: request.request_id.clone(),
        fingerprint,
    })
}

fn request_id(id: &str) -> Result<(), String> {
    if id.len() > MAX_REQUEST_ID_BYTES {
        Err(format!(
            "has {} bytes; at most {MAX_REQUEST_ID_BYTES}",
            id.len()
        ))
    } else if !id
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ')
    {
        Err("holds something else than printable ASCII".to_owned())
    } else {
        Ok(())
    }
}

fn source(source: Option<&Source>) -> Result<(), String> {
    match source {
        None => Err("is missing; expected problem_json or live".to_owned()),
        Some(Source::Live(name)) if name.is_empty() => {
            Err("live is empty; expected the name of a problem".to_owned())
        }
        Some(Source::Live(_) | Source::ProblemJson(_)) => Ok(()),
    }
}

fn solver(number: i32) -> Result<planner::Solver, String> {
    match v1::Solver::try_from(number) {
        Ok(v1::Solver::Unspecified | v1::Solver::Auto) => Ok(planner::Solver::Auto),
        Ok(v1::Solver::Baseline) => Ok(planner::Solver::Baseline),
        Ok(v1::Solver::Exact) => Ok(planner::Solver::Exact),
        Ok(v1::Solver::Qaoa) => Ok(planner::Solver::Qaoa),
        Ok(v1::Solver::Anneal) => Ok(planner::Solver::Anneal),
        Ok(v1::Solver::Uniform) => Ok(planner::Solver::Uniform),
        Ok(v1::Solver::Enumerate) => Ok(planner::Solver::Enumerate),
        Err(_) => Err(format!("{number} is no solver that this server knows")),
    }
}

fn time(time: prost_types::Duration) -> Result<Duration, String> {
    let seconds = u64::try_from(time.seconds).ok();
    let nanos = u32::try_from(time.nanos)
        .ok()
        .filter(|nanos| *nanos < 1_000_000_000);
    let duration = seconds
        .zip(nanos)
        .map(|(seconds, nanos)| Duration::new(seconds, nanos))
        .filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| {
        format!(
            "{} s and {} ns is not a time above zero",
            time.seconds, time.nanos
        )
    })
}

/// The number of plans of a page.
pub(super) fn page_size(asked: u32) -> Result<u32, CallError> {
    match asked {
        0 => Ok(PAGE_SIZE),
        1..=MAX_PAGE_SIZE => Ok(asked),
        _ => Err(CallError::field(
            "page_size",
            format!("{asked} is above {MAX_PAGE_SIZE}"),
        )),
    }
}

/// Where a page begins.
pub(super) fn page_token(token: &str) -> Result<Option<i64>, CallError> {
    if token.is_empty() {
        return Ok(None);
    }
    let known = token.parse().ok().filter(|seq| *seq > 0);
    known
        .map(Some)
        .ok_or_else(|| CallError::field("page_token", "is not a next_page_token of this server"))
}

/// A plan's digest.
pub(super) fn digest(id: &str) -> Result<&str, CallError> {
    let hex = id.strip_prefix("sha256:").filter(|hex| hex.len() == 64);
    let lower = |hex: &&str| {
        hex.bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    match hex.filter(lower) {
        Some(_) => Ok(id),
        None => Err(CallError::field(
            "id",
            "is no digest; expected sha256: and 64 hexadecimal digits",
        )),
    }
}

/// What the caller's `grpc-timeout` leaves: time for planning, and time until an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CallTime {
    pub(super) planning: Option<Duration>,
    pub(super) answer: Option<Duration>,
}

impl CallTime {
    /// As the caller's metadata say; a header that cannot be read is the transport's business, which refuses it.
    pub(super) fn of(metadata: &MetadataMap) -> Self {
        let text = metadata
            .get("grpc-timeout")
            .and_then(|value| value.to_str().ok());
        let timeout = text.and_then(grpc_timeout);
        Self {
            planning: timeout.map(|timeout| timeout.mul_f64(PLANNING_SHARE)),
            answer: timeout.map(|timeout| timeout.mul_f64(ANSWER_SHARE)),
        }
    }
}

/// At most eight digits and a unit: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>.
fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(3600 * number),
        "M" => Duration::from_secs(60 * number),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn fields(request: v1::CreatePlanRequest) -> Vec<String> {
        match Create::new(request) {
            Err(CallError::Fields(fields)) => fields.into_iter().map(|(field, _)| field).collect(),
            Err(other) => panic!("{other}"),
            Ok(_) => vec![],
        }
    }

    fn good() -> v1::CreatePlanRequest {
        v1::CreatePlanRequest {
            source: Some(Source::ProblemJson(b"{}".to_vec())),
            ..Default::default()
        }
    }

    #[test]
    fn all_mistakes_of_a_request_are_told() {
        let limits = v1::Limits {
            time: Some(prost_types::Duration {
                seconds: -1,
                nanos: 0,
            }),
            work: Some(0),
        };
        let bad = v1::CreatePlanRequest {
            request_id: "ü".into(),
            solver: 99,
            limits: Some(limits),
            ..Default::default()
        };
        assert_eq!(
            fields(bad),
            [
                "request_id",
                "solver",
                "limits.time",
                "limits.work",
                "source"
            ]
        );
        assert!(fields(good()).is_empty());
        assert_eq!(
            fields(v1::CreatePlanRequest {
                request_id: "x".repeat(129),
                ..good()
            }),
            ["request_id"]
        );
    }

    #[test]
    fn odd_durations_are_refused_or_exact() {
        let of = |seconds, nanos| time(prost_types::Duration { seconds, nanos });
        assert_eq!(of(1, 500_000_000), Ok(Duration::from_millis(1500)));
        for (seconds, nanos) in [(0, 0), (0, -1), (-1, 0), (i64::MIN, -1), (1, 1_000_000_000)] {
            assert!(of(seconds, nanos).is_err(), "{seconds} {nanos}");
        }
    }

    #[test]
    fn a_fingerprint_ignores_the_id_alone() {
        let of = |id: &str, seed| {
            key(&v1::CreatePlanRequest {
                request_id: id.into(),
                seed,
                ..good()
            })
            .unwrap()
            .fingerprint
        };
        assert_eq!(of("a", 1), of("b", 1));
        assert_ne!(of("a", 1), of("a", 2));
        assert_eq!(key(&good()), None);
    }

    #[test]
    fn deadlines_are_read_in_every_unit() {
        let units = [
            ("2H", 7_200_000),
            ("3M", 180_000),
            ("4S", 4_000),
            ("5m", 5),
            ("6000u", 6),
            ("7000000n", 7),
        ];
        for (text, milliseconds) in units {
            assert_eq!(
                grpc_timeout(text),
                Some(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in ["", "S", "1", "1s", "-1S", "123456789S", "1 S", "é"] {
            assert_eq!(grpc_timeout(text), None, "{text}");
        }
    }

    #[test]
    fn ids_and_tokens_are_checked() {
        let id = format!("sha256:{}", "0a".repeat(32));
        assert_eq!(digest(&id).unwrap(), id);
        for bad in [
            "",
            "sha256:",
            &"0".repeat(64),
            &id.to_uppercase(),
            &format!("{id}0"),
        ] {
            assert!(digest(bad).is_err(), "{bad}");
        }
        assert_eq!(page_token("").unwrap(), None);
        assert_eq!(page_token("7").unwrap(), Some(7));
        for bad in ["0", "-1", "x", "99999999999999999999"] {
            assert!(page_token(bad).is_err(), "{bad}");
        }
        assert!(page_size(0).is_ok() && page_size(1000).is_ok() && page_size(1001).is_err());
    }
}
