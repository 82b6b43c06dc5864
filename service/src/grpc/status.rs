//! What went wrong with a call, as its caller sees it.

use std::time::Duration;

use ketscale_engine::problem::Issue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::live::LiveError;
use crate::planning::PlanningError;
use crate::store::StoreError;

/// Most field violations in one answer; a status travels in HTTP headers, which peers bound to some kilobytes.
const MAX_VIOLATIONS: usize = 50;

/// Most bytes of all their text.
const MAX_VIOLATION_BYTES: usize = 4096;

/// When a caller may try again.
const RETRY_DELAY: Duration = Duration::from_secs(5);

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// Mistakes in fields of the request.
    #[error("the request has {} mistakes", .0.len())]
    Fields(Vec<(String, String)>),
    /// No plan has this digest.
    #[error("no plan {0} is stored")]
    UnknownPlan(String),
    /// The server was started without a problem of this name.
    #[error("no live problem is named {name:?}; the server was started with {known}")]
    UnknownLive {
        /// As asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// No problem of this name is planned continuously.
    #[error("no problem named {name:?} is planned continuously; the server plans {known}")]
    NotControlled {
        /// As asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The problem has no such offerings.
    #[error("the problem has no offering {}", .0.join(", nor "))]
    UnknownOfferings(Vec<String>),
    /// The call took longer than its deadline.
    #[error("the deadline of the call passed")]
    Deadline,
    /// Live values could not be read.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// No plan was made.
    #[error(transparent)]
    Planning(#[from] PlanningError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<CallError> for Status {
    fn from(error: CallError) -> Self {
        let message = error.to_string();
        match error {
            CallError::Fields(fields) => violations(fields),
            CallError::Planning(PlanningError::Input(issues)) => {
                violations(issues.iter().map(violation).collect())
            }
            CallError::UnknownPlan(_)
            | CallError::UnknownLive { .. }
            | CallError::NotControlled { .. }
            | CallError::UnknownOfferings(_) => Self::not_found(message),
            CallError::Deadline | CallError::Planning(PlanningError::NoTime) => {
                Self::deadline_exceeded(message)
            }
            CallError::Planning(PlanningError::Busy(_)) => retry(Code::ResourceExhausted, message),
            CallError::Planning(PlanningError::Internal(_)) => Self::internal(message),
            CallError::Live(LiveError::Prometheus(_) | LiveError::Incomplete { .. }) => {
                retry(Code::Unavailable, message)
            }
            CallError::Live(
                LiveError::ClusterLabel { .. }
                | LiveError::SeveralClusters { .. }
                | LiveError::HonorLabels { .. }
                | LiveError::HiddenLabels { .. }
                | LiveError::Problem(_),
            ) => Self::failed_precondition(message),
            CallError::Store(StoreError::RequestIdTaken { .. }) => Self::already_exists(message),
            CallError::Store(StoreError::Database(_) | StoreError::Open { .. }) => {
                retry(Code::Unavailable, message)
            }
            CallError::Store(StoreError::Damaged(_)) => Self::data_loss(message),
        }
    }
}

impl CallError {
    /// A single mistake.
    pub(super) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::Fields(vec![(field.to_owned(), message.into())])
    }

    /// Whether it is for us, not the caller, to look into.
    pub(super) fn is_ours(&self) -> bool {
        match self {
            Self::Fields(_)
            | Self::UnknownPlan(_)
            | Self::UnknownLive { .. }
            | Self::NotControlled { .. }
            | Self::UnknownOfferings(_)
            | Self::Deadline => false,
            Self::Live(_) => true,
            Self::Planning(error) => matches!(error, PlanningError::Internal(_)),
            Self::Store(error) => !matches!(error, StoreError::RequestIdTaken { .. }),
        }
    }
}

/// A mistake in a problem file, by its path in it.
fn violation(issue: &Issue) -> (String, String) {
    let separator = if issue.path.is_empty() || issue.path.starts_with('[') {
        ""
    } else {
        "."
    };
    let line = issue
        .line
        .map(|line| format!("line {line}: "))
        .unwrap_or_default();
    (
        format!("problem_json{separator}{}", issue.path),
        format!("{line}{}", issue.message),
    )
}

fn violations(fields: Vec<(String, String)>) -> Status {
    let found = fields.len();
    let mut room = MAX_VIOLATION_BYTES;
    let mut told: Vec<FieldViolation> = Vec::new();
    for (field, description) in fields {
        let bytes = field.len() + description.len();
        if !told.is_empty() && (told.len() == MAX_VIOLATIONS || bytes > room) {
            break;
        }
        room = room.saturating_sub(bytes);
        told.push(FieldViolation::new(field, description));
    }
    let first = told
        .first()
        .map(|first| format!("{}: {}", first.field, first.description))
        .unwrap_or_default();
    let message = match (found, found - told.len()) {
        (1, _) => first,
        (_, 0) => format!("{found} mistakes; the first: {first}"),
        (_, _) => format!(
            "{found} mistakes, of which the first {} are in the details; the first: {first}",
            told.len()
        ),
    };
    Status::with_error_details(
        Code::InvalidArgument,
        message,
        ErrorDetails::with_bad_request(told),
    )
}

fn retry(code: Code, message: String) -> Status {
    Status::with_error_details(
        code,
        message,
        ErrorDetails::with_retry_info(Some(RETRY_DELAY)),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn issues(count: usize) -> CallError {
        let issue = |at| Issue {
            path: format!("services.shop/s{at}.clusters.a.min"),
            line: Some(at + 1),
            message: "7 is above max 5".into(),
        };
        PlanningError::Input((0..count).map(issue).collect()).into()
    }

    #[test]
    fn every_mistake_is_a_field_violation() {
        let status = Status::from(issues(3));
        let details = status.get_error_details();
        let told = &details.bad_request().unwrap().field_violations;
        assert_eq!((status.code(), told.len()), (Code::InvalidArgument, 3));
        assert_eq!(
            told[1].field,
            "problem_json.services.shop/s1.clusters.a.min"
        );
        assert_eq!(told[1].description, "line 2: 7 is above max 5");
    }

    #[test]
    fn what_does_not_fit_into_headers_is_counted() {
        let status = Status::from(issues(1000));
        let told = status
            .get_error_details()
            .bad_request()
            .unwrap()
            .field_violations
            .len();
        assert!((10..=MAX_VIOLATIONS).contains(&told), "{told}");
        assert!(
            status.message().starts_with("1000 mistakes"),
            "{}",
            status.message()
        );
    }

    #[test]
    fn a_huge_message_is_cut_by_its_maker_but_still_told() {
        let status = Status::from(CallError::field(
            "request_id",
            "x".repeat(2 * MAX_VIOLATION_BYTES),
        ));
        assert_eq!(
            status
                .get_error_details()
                .bad_request()
                .unwrap()
                .field_violations
                .len(),
            1
        );
    }
}
