//! Requests that are refused, and why.

use ketscale_proto::v1::create_plan_request::Source;
use ketscale_proto::v1::{
    CreatePlanRequest, GetPlanRequest, Limits, ListPlansRequest, VerifyPlanRequest,
};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::server::Server;
use super::{PROBLEM, request};

/// The fields of a refused request.
fn fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    let details = status.get_error_details();
    let violations = &details
        .bad_request()
        .expect("BadRequest details")
        .field_violations;
    assert!(
        violations
            .iter()
            .all(|violation| !violation.description.is_empty())
    );
    violations
        .iter()
        .map(|violation| violation.field.clone())
        .collect()
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "one case after another")]
async fn mistakes_are_told_field_by_field() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("plans.sqlite"), &[]);
    let mut client = server.client().await;

    let bad = PROBLEM
        .replace("{min: 2, max: 12, now: 6}", "{min: 20, max: 12, now: 6}")
        .replace("rps: 40", "rps: -40");
    let refused = client.create_plan(request(&bad)).await.unwrap_err();
    let told = fields(&refused);
    assert!(
        told.iter()
            .any(|field| field.starts_with("problem_json.services.shop/web.clusters.here")),
        "{told:?}"
    );
    assert!(
        told.contains(&"problem_json.services.shop/cart.load.rps".to_owned()),
        "{told:?}"
    );
    assert!(refused.message().starts_with("2 mistakes"), "{refused}");

    // The price is only missed once the catalogue has been asked.
    let priceless = PROBLEM.replace("usd_per_hour: 0.19, ", "");
    let told = fields(&client.create_plan(request(&priceless)).await.unwrap_err());
    assert!(
        told.iter().any(|field| field.contains("usd_per_hour")),
        "{told:?}"
    );

    assert_eq!(
        fields(&client.create_plan(request("]")).await.unwrap_err()),
        ["problem_json"]
    );
    assert_eq!(
        fields(
            &client
                .create_plan(CreatePlanRequest::default())
                .await
                .unwrap_err()
        ),
        ["source"]
    );
    let several = CreatePlanRequest {
        request_id: "\n".into(),
        solver: 99,
        limits: Some(Limits {
            time: None,
            work: Some(0),
        }),
        ..Default::default()
    };
    assert_eq!(
        fields(&client.create_plan(several).await.unwrap_err()),
        ["request_id", "solver", "limits.work", "source"]
    );
    assert_eq!(
        fields(
            &client
                .get_plan(GetPlanRequest { id: "small".into() })
                .await
                .unwrap_err()
        ),
        ["id"]
    );
    assert_eq!(
        fields(
            &client
                .list_plans(ListPlansRequest {
                    page_size: 1001,
                    ..Default::default()
                })
                .await
                .unwrap_err()
        ),
        ["page_size"]
    );
    assert_eq!(
        fields(
            &client
                .list_plans(ListPlansRequest {
                    page_token: "x".into(),
                    ..Default::default()
                })
                .await
                .unwrap_err()
        ),
        ["page_token"]
    );
    assert_eq!(
        fields(
            &client
                .verify_plan(VerifyPlanRequest { plan: None })
                .await
                .unwrap_err()
        ),
        ["plan"]
    );

    let unknown = format!("sha256:{}", "0".repeat(64));
    assert_eq!(
        client
            .get_plan(GetPlanRequest { id: unknown })
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    let live = CreatePlanRequest {
        source: Some(Source::Live("shop".into())),
        ..Default::default()
    };
    assert_eq!(
        client.create_plan(live).await.unwrap_err().code(),
        Code::NotFound
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
}

#[tokio::test]
async fn a_large_problem_is_refused_with_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&folder.path().join("plans.sqlite"), &[]);
    let mut client = server.client().await;
    let large = format!("{PROBLEM}# {}", "x".repeat(64 << 20));
    let refused = client.create_plan(request(&large)).await.unwrap_err();
    assert_eq!(fields(&refused), ["problem_json"]);
    assert!(refused.message().contains("64 MiB"), "{refused}");
    let larger = format!("{PROBLEM}# {}", "x".repeat(80 << 20));
    assert_eq!(
        client
            .create_plan(request(&larger))
            .await
            .unwrap_err()
            .code(),
        Code::OutOfRange
    );
    client.create_plan(request(PROBLEM)).await.unwrap();
}
