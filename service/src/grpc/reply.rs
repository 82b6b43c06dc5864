//! Stored plans and findings as messages.

use jiff::Timestamp;
use ketscale_engine::plan::{Action, Status};
use ketscale_engine::verify::Finding;
use ketscale_proto::v1;

use crate::store::{Entry, Event, StoredPlan};

pub(super) fn plan(stored: StoredPlan) -> v1::Plan {
    v1::Plan {
        plan_json: stored.bytes,
        summary: Some(summary(stored.entry)),
    }
}

pub(super) fn summary(entry: Entry) -> v1::PlanSummary {
    let headline = entry.headline;
    v1::PlanSummary {
        id: entry.digest,
        created_at: Some(timestamp(entry.created_at)),
        problem: headline.problem,
        status: status(headline.status).into(),
        action: action(headline.action).into(),
        cost_usd_per_hour: headline.cost_usd_per_hour,
        current_cost_usd_per_hour: headline.current_cost_usd_per_hour,
        baseline_cost_usd_per_hour: headline.baseline_cost_usd_per_hour,
        bound_usd_per_hour: headline.bound_usd_per_hour,
        gap: headline.gap,
        replicas: headline.replicas,
        nodes: headline.nodes,
        synthetic: headline.synthetic,
        gaps: headline.gaps,
        cut_by_clock: headline.cut_by_clock,
        plan_bytes: headline.plan_bytes,
    }
}

pub(super) fn event(event: Event) -> v1::Event {
    let what = event.happening;
    v1::Event {
        number: event.number,
        at: Some(timestamp(what.at)),
        problem: what.problem,
        kind: what.kind,
        message: what.message,
        details_json: what.details,
        digest: event.digest,
    }
}

pub(super) fn verification(findings: Vec<Finding>, id: String) -> v1::VerifyPlanResponse {
    let findings: Vec<v1::Finding> = findings
        .into_iter()
        .map(|finding| v1::Finding {
            path: finding.path,
            message: finding.message,
        })
        .collect();
    v1::VerifyPlanResponse {
        valid: findings.is_empty(),
        findings,
        id,
    }
}

fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.as_second(),
        nanos: at.subsec_nanosecond(),
    }
}

fn status(status: Status) -> v1::PlanStatus {
    match status {
        Status::Optimal => v1::PlanStatus::Optimal,
        Status::Feasible => v1::PlanStatus::Feasible,
        Status::Relaxed => v1::PlanStatus::Relaxed,
        Status::Infeasible => v1::PlanStatus::Infeasible,
        Status::Unknown => v1::PlanStatus::Unknown,
    }
}

fn action(action: Action) -> v1::PlanAction {
    match action {
        Action::Publish => v1::PlanAction::Publish,
        Action::Hold => v1::PlanAction::Hold,
        Action::Fallback => v1::PlanAction::Fallback,
    }
}
