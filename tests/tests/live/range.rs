//! Range queries: parts, limits and lies.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use ketscale_service::live::{history, load_history};
use ketscale_service::prometheus::{PrometheusError, Queries, QueryFailure, RangeSeries};

use super::problem::problem;
use super::scripted::{Scripted, answer, matrix, parameter, vector};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// A series whose value is its time in steps of a minute.
fn clockwork(request: &str) -> String {
    let (start, end) = (parameter(request, "start"), parameter(request, "end"));
    let step = parameter(request, "step");
    assert!(end - start <= 11_000.0 * step, "{request}");
    let mut points = Vec::new();
    let mut time = start;
    while time <= end {
        points.push(format!("[{time},\"{}\"]", time / 60.0));
        time += step;
    }
    matrix(&format!(
        r#"{{"metric":{{"a":"b"}},"values":[{}]}}"#,
        points.join(",")
    ))
}

fn is_clockwork(series: &[RangeSeries], points: usize) {
    assert_eq!((series.len(), series[0].label("a")), (1, "b"));
    assert_eq!(series[0].values.len(), points);
    for (index, value) in series[0].values.iter().enumerate() {
        assert_eq!(*value, Some(1000.0 + index as f64), "{index}");
    }
}

#[tokio::test]
async fn a_long_range_is_asked_for_in_parts() {
    let server = Scripted::start(|_, request| clockwork(request)).await;
    let client = server.client(|_| {});
    let end = at(60_000 + 60 * 24_999);
    let series = client.query_range("q", at(60_000), end, 60.0).await;
    is_clockwork(&series.unwrap(), 25_000);
    assert_eq!(server.requests(), 3);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_asked_for_in_parts() {
    let server = Scripted::start(|_, request| clockwork(request)).await;
    let client = server.client(|connection| connection.max_response_bytes = 3000);
    let end = at(60_000 + 60 * 999);
    let series = client.query_range("q", at(60_000), end, 60.0).await;
    is_clockwork(&series.unwrap(), 1000);
    // One point that is too large is an error, not an endless search.
    let tiny = server.client(|connection| connection.max_response_bytes = 10);
    let error = tiny
        .query_range("q", at(60_000), end, 60.0)
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            PrometheusError::Query {
                failure: QueryFailure::TooLarge { .. },
                ..
            }
        ),
        "{error}"
    );
}

#[tokio::test]
async fn points_that_were_not_asked_for_are_refused() {
    for (elements, told) in [
        (r#"{"metric":{},"values":[[90,"1"]]}"#, "not asked for"),
        (r#"{"metric":{},"values":[[240,"1"]]}"#, "not asked for"),
        (
            r#"{"metric":{},"values":[[60,"1"],[60,"2"]]}"#,
            "two points",
        ),
        (
            r#"{"metric":{},"values":[[60,"1"]]},{"metric":{},"values":[[120,"1"]]}"#,
            "one series twice",
        ),
    ] {
        let server = Scripted::start(move |_, _| matrix(elements)).await;
        let client = server.client(|_| {});
        let error = client
            .query_range("q", at(60), at(180), 60.0)
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains(told) && error.to_string().contains("query_range"),
            "{error}"
        );
    }
    let server = Scripted::start(|_, _| vector("")).await;
    let error = server
        .client(|_| {})
        .query_range("q", at(60), at(180), 60.0)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("expected a matrix"), "{error}");
}

/// NaN, infinity and negative loads are no measurements; what is not there is absent, never zero.
#[tokio::test]
async fn a_history_has_holes_and_no_lies() {
    let server = Scripted::start(|_, request| {
        if request.contains("query_range") && request.contains("istio_requests_total") {
            matrix(
                r#"{"metric":{"destination_workload_namespace":"shop","destination_workload":"web"},
                   "values":[[60,"5"],[120,"NaN"],[180,"+Inf"],[240,"-1"],[360,"0"]]}"#,
            )
        } else if request.contains("query_range") {
            matrix("")
        } else {
            vector("")
        }
    })
    .await;
    let queries = Queries::default();
    let past = history(
        &problem(),
        &server.client(|_| {}),
        &queries,
        at(60),
        at(360),
        60.0,
    )
    .await
    .unwrap();
    assert_eq!(
        past.load["shop/web"].values,
        [Some(5.0), None, None, None, None, Some(0.0)]
    );
    assert_eq!(past.load["shop/web"].start_seconds, 60.0);
    let reason = |path: &str| {
        let gap = past.gaps.iter().find(|gap| gap.path == path);
        gap.map(|gap| gap.reason.as_str()).unwrap_or_default()
    };
    assert_eq!(reason("services.shop/web.load"), "missing at 4 of 6 times");
    assert!(reason("services.shop/quiet.load").starts_with("missing"));
    assert!(!past.load.contains_key("shop/quiet") && past.cpu_use.is_empty());
}

/// Replicas are not answered for before somebody asked for CPU use as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kinds_of_the_past_are_asked_for_side_by_side() {
    let asked = AtomicBool::new(false);
    let server = Scripted::start(move |_, request| {
        if !request.contains("query_range") {
            return vector("");
        }
        if request.contains("container_cpu_usage_seconds_total") {
            asked.store(true, Ordering::SeqCst);
        } else if request.contains("kube_deployment_spec_replicas") {
            let end = Instant::now() + Duration::from_secs(20);
            while !asked.load(Ordering::SeqCst) {
                if Instant::now() > end {
                    return answer("400 Bad", "nobody asked for CPU use");
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        matrix("")
    })
    .await;
    let (client, queries) = (server.client(|_| {}), Queries::default());
    let past = history(&problem(), &client, &queries, at(60), at(60), 60.0).await;
    assert!(past.is_ok(), "{past:?}");
}

/// What a server cannot do for a large fleet does not cost the loads.
#[tokio::test]
async fn use_that_is_asked_for_in_vain_is_a_gap() {
    let server = Scripted::start(|_, request| match request {
        request if !request.contains("query_range") => vector(""),
        request if request.contains("container_cpu_usage_seconds_total") => answer(
            "400 Bad",
            r#"{"status":"error","errorType":"execution","error":"too many samples"}"#,
        ),
        request if request.contains("istio_requests_total") => matrix(
            r#"{"metric":{"destination_workload_namespace":"shop","destination_workload":"web"},"values":[[60,"5"]]}"#,
        ),
        _ => matrix(""),
    })
    .await;
    let (client, queries) = (server.client(|_| {}), Queries::default());
    let all = history(&problem(), &client, &queries, at(60), at(60), 60.0).await;
    let all = all.unwrap();
    assert_eq!(all.load["shop/web"].values, [Some(5.0)]);
    let path = "services.shop/web.cpu_use";
    let gap = all.gaps.iter().find(|gap| gap.path == path).unwrap();
    assert!(gap.reason.contains("too many samples"), "{gap:?}");
    let loads = load_history(&problem(), &client, &queries, at(60), at(60), 60.0).await;
    let loads = loads.unwrap();
    assert_eq!(loads.load, all.load);
    assert!(loads.gaps.iter().all(|gap| !gap.path.contains("cpu_use")));
}

#[tokio::test]
async fn two_series_for_one_service_are_ambiguous() {
    let element = |code: &str| {
        format!(
            r#"{{"metric":{{"destination_workload_namespace":"shop","destination_workload":"web","code":"{code}"}},"values":[[60,"5"]]}}"#
        )
    };
    let twice = format!("{},{}", element("200"), element("500"));
    let server = Scripted::start(move |_, request| match request {
        request if !request.contains("query_range") => vector(""),
        request if request.contains("istio_requests_total") => matrix(&twice),
        _ => matrix(""),
    })
    .await;
    let client = server.client(|_| {});
    let past = history(
        &problem(),
        &client,
        &Queries::default(),
        at(60),
        at(60),
        60.0,
    )
    .await
    .unwrap();
    assert!(past.load.is_empty());
    assert!(
        past.gaps
            .iter()
            .any(|gap| gap.reason.contains("ambiguous") && gap.path == "services.shop/web.load")
    );
}
