//! `ReportOutcome` and `ListEvents`: what goes into the log from outside, and what comes out of it.

use jiff::Timestamp;
use ketscale_proto::v1;

use super::Plans;
use super::reply;
use super::request;
use super::status::CallError;
use crate::controller::Reported;
use crate::prometheus::clock::seconds;
use crate::store::{Happening, StoreError};

/// Longest reason that a provider may give.
const MAX_REASON_BYTES: usize = 1024;

impl Plans {
    pub(super) async fn report(
        &self,
        request: v1::ReportOutcomeRequest,
    ) -> Result<v1::ReportOutcomeResponse, CallError> {
        let at = Timestamp::now();
        let outcomes = outcomes(&request, at)?;
        let problem = self.controlled.problem(&request.problem)?;
        let unknown: Vec<String> = (outcomes.iter())
            .filter(|outcome| !problem.offers(&outcome.pool, &outcome.offering))
            .map(|outcome| format!("{} in pool {}", outcome.offering, outcome.pool))
            .collect();
        if !unknown.is_empty() {
            return Err(CallError::UnknownOfferings(unknown));
        }
        let happening = Happening {
            at,
            problem: request.problem,
            kind: "outcome".to_owned(),
            message: outcomes
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("; "),
            details: json(&outcomes)?,
        };
        let rows = outcomes.iter().map(json).collect::<Result<Vec<_>, _>>()?;
        self.store
            .report(&happening.problem.clone(), &rows, happening)
            .await?;
        Ok(v1::ReportOutcomeResponse {})
    }

    pub(super) async fn events(
        &self,
        request: v1::ListEventsRequest,
    ) -> Result<v1::ListEventsResponse, CallError> {
        let size = request::page_size(request.page_size)?;
        let before = request::page_token(&request.page_token)?.map(i64::unsigned_abs);
        let problem = Some(request.problem.as_str()).filter(|name| !name.is_empty());
        let page = self.store.events(problem, before, size).await?;
        Ok(v1::ListEventsResponse {
            events: page.events.into_iter().map(reply::event).collect(),
            next_page_token: page
                .next
                .map(|number| number.to_string())
                .unwrap_or_default(),
        })
    }
}

/// The outcomes as reported at a time; every mistake at once.
fn outcomes(request: &v1::ReportOutcomeRequest, at: Timestamp) -> Result<Vec<Reported>, CallError> {
    let mut mistakes = Vec::new();
    if request.problem.is_empty() {
        mistakes.push(("problem".to_owned(), "is missing".to_owned()));
    }
    if request.offerings.is_empty() {
        mistakes.push((
            "offerings".to_owned(),
            "is empty; expected at least one".to_owned(),
        ));
    }
    let mut outcomes = Vec::new();
    for (index, one) in request.offerings.iter().enumerate() {
        let mut refuse = |field: &str, message: String| {
            mistakes.push((format!("offerings[{index}].{field}"), message));
        };
        let refused = match v1::NodeOutcome::try_from(one.outcome) {
            Ok(v1::NodeOutcome::Refused) => true,
            Ok(v1::NodeOutcome::Provided) => false,
            Ok(v1::NodeOutcome::Unspecified) | Err(_) => {
                refuse(
                    "outcome",
                    format!("{} is neither provided nor refused", one.outcome),
                );
                continue;
            }
        };
        if one.reason.len() > MAX_REASON_BYTES {
            refuse(
                "reason",
                format!("has {} bytes; at most {MAX_REASON_BYTES}", one.reason.len()),
            );
            continue;
        }
        outcomes.push(Reported {
            pool: one.pool.clone(),
            offering: one.offering.clone(),
            refused,
            reason: one.reason.clone(),
            at_seconds: seconds(at),
        });
    }
    if mistakes.is_empty() {
        Ok(outcomes)
    } else {
        Err(CallError::Fields(mistakes))
    }
}

fn json(value: &impl serde::Serialize) -> Result<String, CallError> {
    serde_json::to_string(value).map_err(|error| StoreError::Damaged(error.to_string()).into())
}
