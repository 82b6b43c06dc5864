//! The real binary over gRPC, driven by a separate client.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod refusals;
mod server;

use std::time::Duration;

use ketscale_engine::plan;
use ketscale_engine::verify::verify;
use ketscale_proto::v1::create_plan_request::Source;
use ketscale_proto::v1::verify_plan_request;
use ketscale_proto::v1::{
    self, CreatePlanRequest, GetPlanRequest, Limits, ListPlansRequest, VerifyPlanRequest,
};
use tonic::{Code, Request};

use server::Server;

/// Two services on two offerings, complete by itself.
const PROBLEM: &str = "
schema: ketscale.problem/v1
name: small
synthetic: true
clusters: [{name: here, provider: other, region: home}]
services:
- name: shop/web
  clusters: {here: {min: 2, max: 12, now: 6}}
  requests: {cpu: 500m, memory: 512Mi}
  load: {rps: 100}
  capacity: {cpu_per_rps: 10m, target_utilization: 0.7}
- name: shop/cart
  clusters: {here: {min: 1, max: 6, now: 3}}
  requests: {cpu: 300m, memory: 256Mi}
  load: {rps: 40}
  capacity: {cpu_per_rps: 8m}
pools:
- name: general
  cluster: here
  nodes: {max: 10}
  offerings:
  - {instance_type: m2, zone: a, capacity_type: on-demand, usd_per_hour: 0.1, allocatable: {cpu: 2, memory: 8Gi, pods: 30}}
  - {instance_type: m4, zone: a, capacity_type: on-demand, usd_per_hour: 0.19, allocatable: {cpu: 4, memory: 16Gi, pods: 60}}
current:
  nodes:
  - {name: n1, pool: general, offering: m4/a/on-demand, pods: {shop/web: 6, shop/cart: 3}}
";

/// The same plan on every machine: work ends the search, not the clock.
fn request(problem: &str) -> CreatePlanRequest {
    CreatePlanRequest {
        source: Some(Source::ProblemJson(problem.as_bytes().to_vec())),
        limits: Some(Limits {
            time: None,
            work: Some(1_000_000),
        }),
        ..Default::default()
    }
}

fn named(id: &str, problem: &str) -> CreatePlanRequest {
    CreatePlanRequest {
        request_id: id.to_owned(),
        ..request(problem)
    }
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "one case after another")]
async fn a_plan_is_made_kept_listed_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("plans.sqlite"), &[]);
    let mut client = server.client().await;
    let made = client
        .create_plan(request(PROBLEM))
        .await
        .unwrap()
        .into_inner();
    let summary = made.summary.clone().unwrap();

    let verified = verify(&made.plan_json).unwrap_or_else(|findings| panic!("{findings:#?}"));
    let plan = verified.plan();
    assert_eq!(plan::to_bytes(plan).unwrap(), made.plan_json);
    assert_eq!(
        (&summary.id, summary.problem.as_str(), summary.synthetic),
        (&plan.digest, "small", true)
    );
    assert_eq!(
        summary.cost_usd_per_hour,
        plan.cost.as_ref().map(|cost| cost.total_usd_per_hour)
    );
    assert_eq!(
        (summary.bound_usd_per_hour, summary.gap),
        (plan.bound, plan.gap)
    );
    assert_eq!(
        summary.nodes,
        plan.pools.iter().map(|pool| pool.nodes).sum::<u32>()
    );
    assert_eq!(summary.plan_bytes, made.plan_json.len() as u64);
    assert!(summary.created_at.unwrap().seconds > 1_700_000_000);
    assert!(
        [v1::PlanStatus::Optimal, v1::PlanStatus::Feasible].contains(&summary.status()),
        "{summary:?}"
    );
    assert_ne!(summary.action(), v1::PlanAction::Unspecified);

    let got = client
        .get_plan(GetPlanRequest {
            id: summary.id.clone(),
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(got, made);
    let valid = client
        .verify_plan(VerifyPlanRequest {
            plan: Some(verify_plan_request::Plan::Id(summary.id.clone())),
        })
        .await
        .unwrap()
        .into_inner();
    assert!(
        valid.valid && valid.findings.is_empty() && valid.id == summary.id,
        "{valid:?}"
    );

    let mut forged = made.plan_json.clone();
    let digit = forged.iter().rposition(u8::is_ascii_digit).unwrap();
    forged[digit] = if forged[digit] == b'1' { b'2' } else { b'1' };
    let refuted = client
        .verify_plan(VerifyPlanRequest {
            plan: Some(verify_plan_request::Plan::PlanJson(forged)),
        })
        .await
        .unwrap()
        .into_inner();
    assert!(
        !refuted.valid && !refuted.findings.is_empty(),
        "{refuted:?}"
    );
    let nonsense = client
        .verify_plan(VerifyPlanRequest {
            plan: Some(verify_plan_request::Plan::PlanJson(b"<html>".to_vec())),
        })
        .await
        .unwrap()
        .into_inner();
    assert!(!nonsense.valid && nonsense.id.is_empty(), "{nonsense:?}");
    assert!(server.terminate().await);
}

#[tokio::test]
async fn pages_list_every_plan_once_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("plans.sqlite"), &[]);
    let mut client = server.client().await;
    let mut made = Vec::new();
    for name in ["one", "two", "three"] {
        let problem = PROBLEM.replace("name: small", &format!("name: {name}"));
        made.push(
            client
                .create_plan(request(&problem))
                .await
                .unwrap()
                .into_inner()
                .summary
                .unwrap(),
        );
    }
    let first = client
        .list_plans(ListPlansRequest {
            page_size: 2,
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    let rest = ListPlansRequest {
        page_size: 2,
        page_token: first.next_page_token.clone(),
        ..Default::default()
    };
    let second = client.list_plans(rest).await.unwrap().into_inner();
    made.reverse();
    assert_eq!([first.plans, second.plans].concat(), made);
    assert!(!first.next_page_token.is_empty() && second.next_page_token.is_empty());
    let two = client
        .list_plans(ListPlansRequest {
            problem: "two".into(),
            ..Default::default()
        })
        .await
        .unwrap()
        .into_inner();
    assert_eq!(two.plans, made[1..2]);
}

#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("plans.sqlite");
    let server = Server::start(&store, &[]);
    let made = server
        .client()
        .await
        .create_plan(named("nightly", PROBLEM))
        .await
        .unwrap()
        .into_inner();
    server.kill();

    let server = Server::start(&store, &[]);
    let mut client = server.client().await;
    let id = made.summary.clone().unwrap().id;
    assert_eq!(
        client
            .get_plan(GetPlanRequest { id })
            .await
            .unwrap()
            .into_inner(),
        made
    );
    assert_eq!(
        client
            .list_plans(ListPlansRequest::default())
            .await
            .unwrap()
            .into_inner()
            .plans
            .len(),
        1
    );
    // The retry of a client that never saw the answer.
    assert_eq!(
        client
            .create_plan(named("nightly", PROBLEM))
            .await
            .unwrap()
            .into_inner(),
        made
    );
    assert_eq!(
        client
            .list_plans(ListPlansRequest::default())
            .await
            .unwrap()
            .into_inner()
            .plans
            .len(),
        1
    );
}

#[tokio::test]
async fn a_request_id_stands_for_one_request() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("plans.sqlite"), &[]);
    let mut client = server.client().await;
    let made = client
        .create_plan(named("a", PROBLEM))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        client
            .create_plan(named("a", PROBLEM))
            .await
            .unwrap()
            .into_inner(),
        made
    );
    let other = CreatePlanRequest {
        seed: 7,
        ..named("a", PROBLEM)
    };
    let taken = client.create_plan(other).await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists, "{taken}");
    // Another id for the same request: the same bytes, which are kept once.
    let again = client
        .create_plan(named("b", PROBLEM))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(again, made);
    assert_eq!(
        client
            .list_plans(ListPlansRequest::default())
            .await
            .unwrap()
            .into_inner()
            .plans
            .len(),
        1
    );
}

/// An infeasible problem is an answer, which is kept like any other.
#[tokio::test]
async fn infeasible_is_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("plans.sqlite"), &[]);
    let mut client = server.client().await;
    let tight = format!("{PROBLEM}policy: {{budget_usd_per_hour: 0.05}}\n");
    let made = client
        .create_plan(request(&tight))
        .await
        .unwrap()
        .into_inner();
    let summary = made.summary.unwrap();
    assert_eq!(
        (summary.status(), summary.cost_usd_per_hour),
        (v1::PlanStatus::Infeasible, None)
    );
    assert!(verify(&made.plan_json).is_ok());
    assert_eq!(
        client
            .get_plan(GetPlanRequest { id: summary.id })
            .await
            .unwrap()
            .into_inner()
            .plan_json,
        made.plan_json
    );
}

/// The deadline ends the call with its reason; nothing is kept, and the server goes on.
#[tokio::test]
async fn a_deadline_is_honoured() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("plans.sqlite"), &[]);
    let mut client = server.client().await;
    let mut hasty = Request::new(named("hasty", PROBLEM));
    hasty.set_timeout(Duration::from_millis(1));
    let late = client.create_plan(hasty).await.unwrap_err();
    assert!(
        [Code::DeadlineExceeded, Code::Cancelled].contains(&late.code()),
        "{late}"
    );
    assert!(
        client
            .list_plans(ListPlansRequest::default())
            .await
            .unwrap()
            .into_inner()
            .plans
            .is_empty()
    );
    client.create_plan(named("hasty", PROBLEM)).await.unwrap();

    // A time limit of the request itself ends the search, not the call: the answer is the best plan found by then.
    let time = Some(prost_types::Duration {
        seconds: 0,
        nanos: 1,
    });
    let short = CreatePlanRequest {
        limits: Some(Limits { time, work: None }),
        seed: 3,
        ..request(PROBLEM)
    };
    match client.create_plan(short).await {
        Ok(plan) => assert!(verify(&plan.into_inner().plan_json).is_ok()),
        Err(status) => assert_eq!(status.code(), Code::DeadlineExceeded, "{status}"),
    }
}

#[tokio::test]
async fn calls_at_the_same_time_are_all_answered() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("plans.sqlite"), &[]);
    let client = server.client().await;
    let calls = (0..8).map(|call| {
        let mut client = client.clone();
        tokio::spawn(async move {
            client
                .create_plan(named(&format!("call {call}"), PROBLEM))
                .await
        })
    });
    let mut plans = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        plans.push(call.await.unwrap().unwrap().into_inner());
    }
    assert!(plans.iter().all(|plan| *plan == plans[0]));
}

#[tokio::test]
async fn health_and_reflection_answer() {
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    };
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("plans.sqlite"), &[]);
    let mut health = HealthClient::new(server.channel().await);
    for service in ["", "ketscale.v1.PlanService"] {
        let answer = health
            .check(HealthCheckRequest {
                service: service.to_owned(),
            })
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let mut reflection = ServerReflectionClient::new(server.channel().await);
    let ask = |message_request| ServerReflectionRequest {
        host: String::new(),
        message_request: Some(message_request),
    };
    let asked = [
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol(
            "ketscale.v1.PlanService.CreatePlan".into(),
        )),
    ];
    let mut answers = reflection
        .server_reflection_info(tokio_stream::iter(asked))
        .await
        .unwrap()
        .into_inner();
    let Some(MessageResponse::ListServicesResponse(services)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no list")
    };
    let names: Vec<&str> = services
        .service
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert!(
        names.contains(&"ketscale.v1.PlanService") && names.contains(&"grpc.health.v1.Health"),
        "{names:?}"
    );
    let Some(MessageResponse::FileDescriptorResponse(files)) =
        answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("no file")
    };
    assert!(!files.file_descriptor_proto.is_empty());
}
