//! `ketscale.v1.PlanService`: what each call does, step by step.

mod events;
mod reply;
mod request;
mod status;
mod watch;

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use ketscale_proto::v1;
use ketscale_proto::v1::create_plan_request::Source;
use ketscale_proto::v1::plan_service_server::PlanService;
use ketscale_proto::v1::verify_plan_request;
use tonic::{Request, Response, Status};

use crate::controller::Controlled;
use crate::live::LiveProblems;
use crate::planning::{Job, Planner};
use crate::store::{Store, StoredPlan};

use request::{CallTime, Create};
pub(crate) use status::CallError;

/// The service behind the calls.
pub(crate) struct Plans {
    /// Where plans are kept.
    pub(crate) store: Store,
    /// What makes and checks them.
    pub(crate) planner: Planner,
    /// The problems whose live values can be read.
    pub(crate) live: LiveProblems,
    /// The problems that are planned continuously.
    pub(crate) controlled: Controlled,
    /// Longest time for one plan.
    pub(crate) max_plan_time: Duration,
}

impl Plans {
    async fn create(
        &self,
        request: v1::CreatePlanRequest,
        call: CallTime,
    ) -> Result<v1::Plan, CallError> {
        let create = Create::new(request)?;
        if let Some(key) = &create.key
            && let Some(made_before) = self.store.find(key).await?
        {
            return Ok(reply::plan(made_before));
        }
        let time = [create.time, call.planning]
            .into_iter()
            .flatten()
            .fold(self.max_plan_time, Duration::min);
        let job = self.job(create.source).await?;
        let planned = self
            .planner
            .plan(job, create.settings, create.work, time)
            .await?;
        let kept = self
            .store
            .put(
                StoredPlan::of(&planned, Timestamp::now()),
                create.key.as_ref(),
            )
            .await?;
        tracing::info!(
            plan = kept.entry.digest,
            problem = kept.entry.headline.problem,
            "plan stored"
        );
        Ok(reply::plan(kept))
    }

    async fn job(&self, source: Source) -> Result<Job, CallError> {
        match source {
            Source::ProblemJson(bytes) => Ok(Job::File(bytes)),
            Source::Live(name) => {
                let unknown = || CallError::UnknownLive {
                    name: name.clone(),
                    known: self.live.names(),
                };
                let live = self
                    .live
                    .refresh(&name, Timestamp::now())
                    .await
                    .ok_or_else(unknown)??;
                Ok(Job::Live(Box::new(live.problem), live.source))
            }
        }
    }

    async fn stored(&self, id: &str) -> Result<StoredPlan, CallError> {
        let digest = request::digest(id)?;
        self.store
            .get(digest)
            .await?
            .ok_or_else(|| CallError::UnknownPlan(digest.to_owned()))
    }

    async fn list(
        &self,
        request: v1::ListPlansRequest,
    ) -> Result<v1::ListPlansResponse, CallError> {
        let size = request::page_size(request.page_size)?;
        let before = request::page_token(&request.page_token)?;
        let problem = Some(request.problem.as_str()).filter(|name| !name.is_empty());
        let page = self.store.list(problem, before, size).await?;
        Ok(v1::ListPlansResponse {
            plans: page.entries.into_iter().map(reply::summary).collect(),
            next_page_token: page.next.map(|seq| seq.to_string()).unwrap_or_default(),
        })
    }

    async fn verify(
        &self,
        request: v1::VerifyPlanRequest,
    ) -> Result<v1::VerifyPlanResponse, CallError> {
        let bytes = match request.plan {
            Some(verify_plan_request::Plan::PlanJson(bytes)) => bytes,
            Some(verify_plan_request::Plan::Id(id)) => self.stored(&id).await?.bytes,
            None => {
                return Err(CallError::field(
                    "plan",
                    "is missing; expected plan_json or id",
                ));
            }
        };
        let id = stated_digest(&bytes);
        let findings = self.planner.verify(bytes, self.max_plan_time).await?;
        Ok(reply::verification(findings, id))
    }
}

/// The digest that a plan file states; empty when it is no plan file.
fn stated_digest(bytes: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Stated {
        digest: String,
    }
    serde_json::from_slice::<Stated>(bytes)
        .map(|stated| stated.digest)
        .unwrap_or_default()
}

/// The answer to a call, or its error as a status, within the time of the call.
async fn answer<T>(
    call: CallTime,
    work: impl Future<Output = Result<T, CallError>>,
) -> Result<Response<T>, Status> {
    let result = match call.answer {
        Some(time) => tokio::time::timeout(time, work)
            .await
            .unwrap_or(Err(CallError::Deadline)),
        None => work.await,
    };
    result.map(Response::new).map_err(|error| {
        if error.is_ours() {
            tracing::error!(%error, "call failed");
        } else {
            tracing::info!(%error, "call refused");
        }
        error.into()
    })
}

#[tonic::async_trait]
impl PlanService for Plans {
    async fn create_plan(
        &self,
        request: Request<v1::CreatePlanRequest>,
    ) -> Result<Response<v1::Plan>, Status> {
        let call = CallTime::of(request.metadata());
        answer(call, self.create(request.into_inner(), call)).await
    }

    async fn get_plan(
        &self,
        request: Request<v1::GetPlanRequest>,
    ) -> Result<Response<v1::Plan>, Status> {
        let call = CallTime::of(request.metadata());
        let id = request.into_inner().id;
        answer(call, async { self.stored(&id).await.map(reply::plan) }).await
    }

    async fn list_plans(
        &self,
        request: Request<v1::ListPlansRequest>,
    ) -> Result<Response<v1::ListPlansResponse>, Status> {
        let call = CallTime::of(request.metadata());
        answer(call, self.list(request.into_inner())).await
    }

    async fn verify_plan(
        &self,
        request: Request<v1::VerifyPlanRequest>,
    ) -> Result<Response<v1::VerifyPlanResponse>, Status> {
        let call = CallTime::of(request.metadata());
        answer(call, self.verify(request.into_inner())).await
    }

    type WatchPlansStream = watch::Plans;

    async fn watch_plans(
        &self,
        request: Request<v1::WatchPlansRequest>,
    ) -> Result<Response<Self::WatchPlansStream>, Status> {
        // No deadline of ours: a watch lasts as long as both sides want.
        let call = CallTime::default();
        answer(call, async { self.watch(&request.into_inner().problem) }).await
    }

    async fn report_outcome(
        &self,
        request: Request<v1::ReportOutcomeRequest>,
    ) -> Result<Response<v1::ReportOutcomeResponse>, Status> {
        let call = CallTime::of(request.metadata());
        answer(call, self.report(request.into_inner())).await
    }

    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        let call = CallTime::of(request.metadata());
        answer(call, self.events(request.into_inner())).await
    }
}
