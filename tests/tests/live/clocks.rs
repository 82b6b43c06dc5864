//! A Prometheus whose clock is wrong: its values are gaps that say so, and no age is below zero.

use jiff::Timestamp;
use ketscale_engine::plan::Gap;
use ketscale_service::live::{History, Live, State, diagnose, history, refresh};
use ketscale_service::prometheus::Queries;

use super::problem::problem;
use super::scripted::{Scripted, answer, matrix, vector};

const PATH: &str = "services.shop/web.clusters.eu.now";

fn seconds(now: Timestamp) -> f64 {
    now.as_millisecond() as f64 / 1000.0
}

/// One with `web` at three replicas; its clock is `ahead` of ours, and its samples are `future` ahead of the time asked for.
async fn server(ahead: f64, future: f64) -> Scripted {
    Scripted::start(move |_, request| {
        let now = seconds(Timestamp::now());
        if request.contains("broken") {
            answer("400 Bad", r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#)
        } else if request.contains("vector(time())") {
            let time = now + ahead;
            vector(&format!(r#"{{"metric":{{}},"value":[{time},"{time}"]}}"#))
        } else if request.contains("kube_deployment_spec_replicas") {
            let value = if request.contains("timestamp(") {
                now + future
            } else {
                3.0
            };
            vector(&format!(
                r#"{{"metric":{{"namespace":"shop","deployment":"web"}},"value":[{now},"{value}"]}}"#
            ))
        } else {
            vector("")
        }
    })
    .await
}

async fn live(ahead: f64, future: f64) -> Live {
    let client = server(ahead, future).await.client(|_| {});
    let now = Timestamp::now();
    refresh(problem(), &client, &Queries::default(), now)
        .await
        .unwrap()
}

fn gap(live: &Live) -> &Gap {
    assert!(live.source.readings.is_empty(), "{:?}", live.source);
    assert_eq!(live.problem, problem());
    live.source
        .gaps
        .iter()
        .find(|gap| gap.path == PATH)
        .unwrap()
}

#[tokio::test]
async fn a_clock_that_differs_makes_everything_a_gap() {
    let ahead = live(600.0, -1.0).await;
    assert!(
        gap(&ahead).reason.starts_with("clock skew") && gap(&ahead).reason.contains("ahead of"),
        "{:?}",
        gap(&ahead)
    );
    let behind = live(-600.0, -1.0).await;
    assert!(gap(&behind).reason.contains("behind"), "{:?}", gap(&behind));
}

#[tokio::test]
async fn samples_of_the_future_are_a_gap() {
    let live = live(0.0, 500.0).await;
    assert!(
        gap(&live).reason.starts_with("in the future"),
        "{:?}",
        gap(&live)
    );
}

#[tokio::test]
async fn a_small_difference_is_tolerated_and_no_age_is_negative() {
    let live = live(5.0, 5.0).await;
    assert_eq!(live.source.readings[0].path, PATH);
    assert_eq!(live.source.age_seconds, Some(0.0));
}

/// The past of a server whose clock is `ahead` of ours.
async fn past(ahead: f64) -> History {
    let server = Scripted::start(move |_, request| {
        if request.contains("vector(time())") {
            let time = seconds(Timestamp::now()) + ahead;
            vector(&format!(r#"{{"metric":{{}},"value":[{time},"{time}"]}}"#))
        } else if !request.contains("query_range") {
            vector("")
        } else if request.contains("istio_requests_total") {
            matrix(
                r#"{"metric":{"destination_workload_namespace":"shop","destination_workload":"web"},"values":[[60,"5"]]}"#,
            )
        } else {
            matrix("")
        }
    })
    .await;
    let (client, queries) = (server.client(|_| {}), Queries::default());
    let at = Timestamp::from_second(60).unwrap();
    history(&problem(), &client, &queries, at, at, 60.0)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_clock_that_differs_makes_the_past_a_gap() {
    assert_eq!(past(5.0).await.load["shop/web"].values, [Some(5.0)]);
    let behind = past(-600.0).await;
    assert!(behind.load.is_empty(), "{:?}", behind.load);
    let path = "services.shop/web.load";
    let gap = behind.gaps.iter().find(|gap| gap.path == path).unwrap();
    assert!(gap.reason.starts_with("clock skew"), "{gap:?}");
}

#[tokio::test]
async fn the_doctor_names_the_clock_and_what_to_do() {
    let client = server(600.0, -1.0).await.client(|_| {});
    let queries = Queries::default();
    let diagnosis = diagnose(&problem(), &client, &queries, Timestamp::now())
        .await
        .unwrap();
    assert!(diagnosis.obstacles[0].starts_with("clock skew"));
    assert!(!diagnosis.is_sufficient());
    let web = &diagnosis.services[0];
    let replicas = (web.items.iter()).find(|item| item.path == "clusters.eu.now");
    let replicas = replicas.unwrap();
    assert!(replicas.needed && replicas.state == State::Unusable);
    assert!(replicas.advice.as_deref().unwrap().contains("NTP"));
}

#[tokio::test]
async fn the_doctor_survives_a_query_that_fails() {
    let client = server(0.0, -1.0).await.client(|_| {});
    let mut queries = Queries::default();
    queries.pods.value = "broken".to_owned();
    queries.memory_history.deployments = "broken too".to_owned();
    let diagnosis = diagnose(&problem(), &client, &queries, Timestamp::now())
        .await
        .unwrap();
    let failed = (diagnosis.queries.iter()).find(|check| check.name == "pods");
    let failed = failed.unwrap();
    assert!(failed.state == State::Failed && !diagnosis.is_sufficient());
    assert!(failed.reason.as_deref().unwrap().contains("parse error"));
    let past = (diagnosis.queries.iter()).find(|check| check.name == "memory_history.deployments");
    assert_eq!(past.unwrap().state, State::Failed);
    let web = &diagnosis.services[0];
    let found = (web.items.iter()).find(|item| item.state == State::Found);
    assert_eq!(found.unwrap().value, Some(3.0));
}
