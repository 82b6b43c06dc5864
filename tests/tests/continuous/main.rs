//! Continuous planning through the real binary, against a real Prometheus: what is published as the load moves, and what is held as the
//! Prometheus is cut off, answers garbage, stops and starts again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod proxy;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ketscale_engine::plan::Plan;
use ketscale_engine::problem;
use ketscale_engine::verify::verify;
use ketscale_proto::v1;
use ketscale_service::store::Store;
use ketscale_tests::{Exporter, How, Prometheus, Server, binary};
use tokio_stream::StreamExt;
use tonic::{Code, Streaming};

use proxy::{Proxy, Way};

/// The problem of the cluster: three replicas run, on two nodes.
const PROBLEM: &str = "
schema: ketscale.problem/v1
name: shop
clusters: [{name: eu, provider: other, region: here}]
services:
- name: shop/web
  clusters: {eu: {min: 1, max: 20, now: 3}}
  requests: {cpu: 250m, memory: 256Mi}
  load: {rps: 30}
  capacity: {cpu_per_rps: 10m, memory_peak: 100Mi, concurrency: 4, service_time_ms: 5}
  slo: {latency_p95_ms: 200}
pools:
- name: general
  cluster: eu
  nodes: {max: 8}
  offerings:
  - {instance_type: m4, zone: a, capacity_type: on-demand, usd_per_hour: 0.2, allocatable: {cpu: 4, memory: 16Gi, pods: 110}}
  - {instance_type: m8, zone: a, capacity_type: on-demand, usd_per_hour: 0.3, allocatable: {cpu: 8, memory: 32Gi, pods: 110}}
current:
  nodes:
  - {name: n1, pool: general, offering: m4/a/on-demand, pods: {shop/web: 2}}
  - {name: n2, pool: general, offering: m4/a/on-demand, pods: {shop/web: 1}}
";

/// When to publish and hold, in seconds of a test rather than of a day.
const CONTROL: &str = "
schema: ketscale.control/v1
demand: {confirm_readings: 1, horizon_seconds: 1, history_step_seconds: 1, history_seconds: 60}
intake: {gap_seconds: 3, jump_factor: 20}
fallback: {after_seconds: 8}
judge: {cooldown_seconds: 0}
scale_down: {stabilization_seconds: 2}
";

/// A Prometheus that is cut off is to be noticed soon.
const QUERIES: &str = "{window: 5s, connection: {timeout_seconds: 5}}";

/// Until the server has ended.
const PATIENCE: Duration = Duration::from_secs(120);

/// One Prometheus serves all of this, for it takes a while until it has seen enough.
#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_followed_through_good_and_bad_times() {
    let problem = problem::read(PROBLEM.as_bytes(), "shop.yaml").unwrap();
    let cluster = Exporter::start(&problem);
    let Some(mut prometheus) = Prometheus::start(cluster.address, 1).await else {
        return;
    };
    let proxy = Proxy::start(prometheus.address).await;
    let folder = tempfile::tempdir().unwrap();
    let mut server = start(folder.path(), &proxy).await;
    let mut plans = watch(&mut server, "shop").await;

    the_cheaper_plan_is_published(&mut server, &mut plans).await;
    the_past_begins_where_it_is_known(folder.path()).await;
    the_load_is_followed(&cluster, &mut plans).await;
    a_cut_is_held_through_then_falls_back(&proxy, &mut server, &mut plans).await;
    garbage_is_held_through(&proxy, &mut server).await;
    a_restart_of_the_prometheus_is_held_through(&mut prometheus, &mut server).await;
    refused_capacity_is_avoided(&mut server).await;
    what_is_exposed(&server).await;
    let server = a_crash_forgets_nothing(server, folder.path(), &proxy).await;
    assert!(
        server.terminate(PATIENCE).await,
        "the server did not end cleanly"
    );
    the_log_is_whole(folder.path());
}

/// A server with a cycle a second on the store in a folder.
async fn start(folder: &Path, proxy: &Proxy) -> Server {
    Server::start(&How {
        folder,
        prometheus: &proxy.url,
        name: "shop",
        problem: PROBLEM,
        control: CONTROL,
        queries: QUERIES,
        every_seconds: 1.0,
        record: true,
    })
    .await
}

async fn watch(server: &mut Server, problem: &str) -> Streaming<v1::Plan> {
    let request = v1::WatchPlansRequest {
        problem: problem.to_owned(),
    };
    server
        .client
        .watch_plans(request)
        .await
        .unwrap()
        .into_inner()
}

/// The next plan that is published; it verifies, and its summary says what it says.
async fn next(plans: &mut Streaming<v1::Plan>) -> Plan {
    let next = tokio::time::timeout(Duration::from_secs(120), plans.next()).await;
    let message = next
        .expect("nothing was published")
        .expect("the stream ended")
        .unwrap();
    let verified = verify(&message.plan_json).unwrap();
    assert_eq!(message.summary.unwrap().id, verified.plan().digest);
    verified.plan().clone()
}

fn replicas(plan: &Plan) -> u32 {
    plan.services[0].replicas["eu"]
}

fn nodes(plan: &Plan) -> u32 {
    plan.pools[0].nodes
}

/// 30 requests a second keep 300m busy, of which a pod may use 175m; the second node is for nothing.
async fn the_cheaper_plan_is_published(server: &mut Server, plans: &mut Streaming<v1::Plan>) {
    let plan = next(plans).await;
    assert_eq!(
        (replicas(&plan), nodes(&plan)),
        (2, 1),
        "{:?}",
        plan.decision
    );
    let event = server.event(0, "decision", "publish").await;
    assert!(event.message.contains(&plan.digest), "{}", event.message);
    let stored = v1::GetPlanRequest {
        id: plan.digest.clone(),
    };
    assert!(server.client.get_plan(stored).await.is_ok());
}

/// The Prometheus is far younger than the minute of past that is asked for.
async fn the_past_begins_where_it_is_known(folder: &Path) {
    let store = Store::open(&folder.join("plans.sqlite")).await.unwrap();
    let state = store.state("shop").await.unwrap().unwrap();
    store.close().await;
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    let load = &state["history"]["shop/web"]["values"];
    assert!(load[0].is_number(), "{load}");
}

/// 120 requests a second need 7 replicas of 175m at least.
async fn the_load_is_followed(cluster: &Exporter, plans: &mut Streaming<v1::Plan>) {
    cluster.set_load("shop/web", 120.0);
    for _ in 0..20 {
        if (7..=9).contains(&replicas(&next(plans).await)) {
            return;
        }
    }
    panic!("20 plans were published, none for the load");
}

async fn a_cut_is_held_through_then_falls_back(
    proxy: &Proxy,
    server: &mut Server,
    plans: &mut Streaming<v1::Plan>,
) {
    let before = server.last_event().await;
    proxy.set(Way::Cut);
    let told = server.event(before, "no_metrics", "no metrics").await;
    let held = server.event(told.number - 1, "decision", "hold").await;
    assert!(held.message.contains("no metrics"), "{}", held.message);
    server.event(before, "fell_back", "").await;
    let fallback = server.event(before, "decision", "fallback").await;
    loop {
        let plan = next(plans).await;
        if fallback.message.contains(&plan.digest) {
            assert!(
                replicas(&plan) >= 7,
                "what the recent past needed: {:?}",
                plan.services
            );
            break;
        }
    }
    proxy.set(Way::Open);
    server
        .event(before, "recovered", "good snapshots are back")
        .await;
}

async fn garbage_is_held_through(proxy: &Proxy, server: &mut Server) {
    let before = server.last_event().await;
    proxy.set(Way::Garbage);
    server.event(before, "decision", "no metrics").await;
    server.event(before, "no_metrics", "text/html").await;
    proxy.set(Way::Open);
    server.event(before, "recovered", "").await;
}

async fn a_restart_of_the_prometheus_is_held_through(
    prometheus: &mut Prometheus,
    server: &mut Server,
) {
    let before = server.last_event().await;
    prometheus.stop();
    server.event(before, "no_metrics", "").await;
    prometheus.start_again().await;
    server.event(before, "recovered", "").await;
}

async fn refused_capacity_is_avoided(server: &mut Server) {
    let before = server.last_event().await;
    let report = |pool: &str, outcome: v1::NodeOutcome| v1::ReportOutcomeRequest {
        problem: "shop".to_owned(),
        offerings: vec![v1::OfferingOutcome {
            pool: pool.to_owned(),
            offering: "m8/a/on-demand".to_owned(),
            outcome: outcome.into(),
            reason: "InsufficientInstanceCapacity".to_owned(),
        }],
    };
    let refused = server
        .client
        .report_outcome(report("general", v1::NodeOutcome::Unspecified))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let unknown = server
        .client
        .report_outcome(report("nowhere", v1::NodeOutcome::Refused))
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound, "{unknown}");
    server
        .client
        .report_outcome(report("general", v1::NodeOutcome::Refused))
        .await
        .unwrap();
    let taken = server
        .event(before, "capacity_refused", "InsufficientInstanceCapacity")
        .await;
    assert!(taken.message.contains("avoided for"), "{}", taken.message);
}

async fn what_is_exposed(server: &Server) {
    let (status, text) = server.get("/metrics").await;
    assert_eq!(status, 200);
    for series in [
        "ketscale_cycles_total{problem=\"shop\",result=\"published\"}",
        "ketscale_cycles_total{problem=\"shop\",result=\"fallback\"} ",
        "ketscale_demand_requests_per_second{problem=\"shop\",service=\"shop/web\"}",
        "ketscale_replicas_planned{problem=\"shop\",service=\"shop/web\",cluster=\"eu\"}",
        "ketscale_refused_offerings{problem=\"shop\"} 1",
        "ketscale_month_spend_usd{problem=\"shop\"}",
    ] {
        assert!(text.contains(series), "{series} is missing in\n{text}");
    }
    assert_eq!(server.get("/healthz").await.0, 200);
    // On a loaded machine a cycle may take longer than three of its periods; the next one ends that.
    while server.get("/readyz").await.0 != 200 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(server.get("/else").await.0, 404);
}

/// What was in force is in force again at once: nothing can be planned anew, for the Prometheus is cut off.
async fn a_crash_forgets_nothing(server: Server, folder: &Path, proxy: &Proxy) -> Server {
    server.kill();
    proxy.set(Way::Cut);
    let mut server = start(folder, proxy).await;
    let in_force = next(&mut watch(&mut server, "shop").await).await.digest;
    let events = server.events().await;
    let published = events
        .iter()
        .find(|event| event.message.contains("[sha256:"));
    assert!(
        published.unwrap().message.contains(&in_force),
        "{published:?}"
    );
    let unknown = v1::WatchPlansRequest {
        problem: "other".to_owned(),
    };
    let refused = server.client.watch_plans(unknown).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound, "{refused}");
    server
}

fn the_log_is_whole(folder: &Path) {
    let audit = Command::new(binary())
        .args(["audit", "--output", "json", "--last", "1000000", "--store"])
        .arg(folder.join("plans.sqlite"))
        .output()
        .unwrap();
    let told: serde_json::Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert!(audit.status.success() && told["whole"] == true, "{told:#}");
    assert_eq!(
        told["events_in_log"].as_u64().unwrap(),
        told["events"].as_array().unwrap().len() as u64
    );
}
