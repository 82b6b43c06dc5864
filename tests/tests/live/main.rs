//! Live values: from a real Prometheus, and from everything that only says it is one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod clocks;
mod cloud;
mod commands;
mod doctor;
mod exporter;
mod hostile;
mod made;
mod past;
mod problem;
mod prometheus;
mod range;
mod retries;
mod scripted;
mod secured;
#[path = "../grpc/server.rs"]
mod server;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::plan::{Gap, Reading};
use ketscale_engine::planner::{self, Limits, Settings};
use ketscale_engine::problem::{ProblemFile, Service, resolve};
use ketscale_service::live::{Live, LiveError, refresh};
use ketscale_service::prometheus::Queries;

use prometheus::{Prometheus, WINDOW};

fn queries() -> Queries {
    Queries {
        window: WINDOW.to_owned(),
        ..Queries::default()
    }
}

fn service<'a>(problem: &'a ProblemFile, name: &str) -> &'a Service {
    problem
        .services
        .iter()
        .find(|service| service.name == name)
        .unwrap()
}

fn reading<'a>(live: &'a Live, path: &str) -> &'a Reading {
    let found: Vec<&Reading> = live
        .source
        .readings
        .iter()
        .filter(|reading| reading.path == path)
        .collect();
    assert_eq!(found.len(), 1, "{path}: {found:?} among {:#?}", live.source);
    found[0]
}

fn gap<'a>(live: &'a Live, path: &str) -> &'a Gap {
    let found: Vec<&Gap> = live
        .source
        .gaps
        .iter()
        .filter(|gap| gap.path == path)
        .collect();
    assert_eq!(
        found.len(),
        1,
        "{path}: {found:?} among {:#?}",
        live.source.gaps
    );
    found[0]
}

fn near(value: f64, expected: f64) -> bool {
    (value - expected).abs() <= 0.25 * expected
}

/// One Prometheus serves all of this, for it takes a while until it has seen enough.
#[tokio::test(flavor = "multi_thread")]
async fn a_problem_is_brought_up_to_date_and_planned() {
    let Some(prometheus) = Prometheus::start().await else {
        return;
    };
    let now = Timestamp::now();
    let live = refresh(problem::problem(), &prometheus.client(), &queries(), now)
        .await
        .unwrap();
    replicas_and_requests(&live);
    placement(&live);
    load(&live);
    gaps(&live);
    provenance(&live, now);
    planned(live.clone());
    several_clusters(&prometheus, now).await;
    what_is_hidden(&prometheus, now).await;
    a_bad_query_is_named(&prometheus, now).await;
    made::a_problem_is_made(&prometheus, now).await;
    past::is_read(&prometheus, now).await;
    past::prices(&prometheus, now).await;
    past::through_the_binary(&prometheus);
    doctor::through_the_binary(&prometheus);
    commands::through_the_binary(&prometheus).await;
}

fn replicas_and_requests(live: &Live) {
    let web = service(&live.problem, "shop/web");
    assert_eq!(web.clusters["eu"].now, Some(3));
    assert_eq!(
        reading(live, "services.shop/web.clusters.eu.now").value,
        3.0
    );
    // Containers together, for the init container alone is smaller.
    assert_eq!(
        (web.requests["cpu"].milli(), web.requests["memory"].units()),
        (Some(300), Some(256 << 20))
    );
    assert_eq!(reading(live, "services.shop/web.requests.cpu").value, 0.3);
    // The init container, which is larger.
    let db = service(&live.problem, "shop/db");
    assert_eq!(
        (db.requests["cpu"].milli(), db.requests["memory"].units()),
        (Some(800), Some(1 << 30))
    );
    assert_eq!(db.clusters["eu"].now, Some(1));
    assert_eq!(
        service(&live.problem, "shop/quiet").clusters["eu"].now,
        Some(1)
    );
}

/// Deleted pods and finished jobs do not count, daemonsets are counted elsewhere, and a new node is found by its labels.
fn placement(live: &Live) {
    let nodes = &live.problem.current.as_ref().unwrap().nodes;
    let pods = |counts: &[(&str, u32)]| -> BTreeMap<String, u32> {
        counts
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    };
    assert_eq!(nodes.len(), 2, "{nodes:#?}");
    assert_eq!(
        (
            nodes[0].name.as_str(),
            nodes[0].offering.as_str(),
            nodes[0].cordoned
        ),
        ("n1", "m4/a/on-demand", false)
    );
    assert_eq!(
        (
            nodes[1].name.as_str(),
            nodes[1].offering.as_str(),
            nodes[1].cordoned
        ),
        ("n2", "m8/b/spot", true)
    );
    assert_eq!(nodes[0].pods, pods(&[("shop/web", 2), ("shop/quiet", 1)]));
    assert_eq!(nodes[1].pods, pods(&[("shop/web", 1), ("shop/db", 1)]));
    assert!(nodes[0].foreign.is_empty(), "{:?}", nodes[0].foreign);
    let foreign = &nodes[1].foreign;
    assert_eq!(
        (
            foreign["cpu"].milli(),
            foreign["memory"].units(),
            foreign["pods"].units()
        ),
        (Some(200), Some(64 << 20), Some(1))
    );
    assert_eq!(reading(live, "current.nodes.n1.pods.shop/web").value, 2.0);
    assert_eq!(reading(live, "current.nodes.n2.foreign.cpu").value, 0.2);
    assert_eq!(reading(live, "current.nodes.n2.cordoned").value, 1.0);
}

fn load(live: &Live) {
    let web = service(&live.problem, "shop/web");
    let rps = web.load.as_ref().unwrap().rps;
    assert!(near(rps, 30.0), "{rps}");
    assert_eq!(reading(live, "services.shop/web.load.rps").value, rps);
    let capacity = web.capacity.as_ref().unwrap();
    let per_rps = capacity.cpu_per_rps.milli_f64().unwrap();
    assert!(near(per_rps, 10.0), "{per_rps}");
    // The largest pod, not the sum of all, and without the pod's own control group.
    assert_eq!(
        capacity.memory_peak.as_ref().unwrap().units(),
        Some(210 << 20)
    );
    // Halfway from 90 % at 50 ms to 100 % at 100 ms; the shares are exact at every scrape.
    let p95 = web.slo.as_ref().unwrap().observed_p95_ms.unwrap();
    assert!((p95 - 75.0).abs() < 0.5, "{p95}");
    // No requests are a reading of zero, not a gap.
    assert_eq!(
        service(&live.problem, "shop/quiet")
            .load
            .as_ref()
            .unwrap()
            .rps,
        0.0
    );
    assert_eq!(reading(live, "services.shop/quiet.load.rps").value, 0.0);
}

/// What is missing, stale or no number keeps the file's value and names query and reason.
fn gaps(live: &Live) {
    let quiet = gap(live, "services.shop/quiet.slo.observed_p95_ms");
    assert!(
        quiet.reason.contains("NaN") && quiet.query.contains("histogram_quantile"),
        "{quiet:?}"
    );
    assert_eq!(
        service(&live.problem, "shop/quiet")
            .slo
            .as_ref()
            .unwrap()
            .observed_p95_ms,
        Some(60.0)
    );
    let missing = gap(live, "services.shop/db.load.rps");
    assert!(
        missing.reason.starts_with("missing") && missing.query.contains("istio_requests_total"),
        "{missing:?}"
    );
    assert!(
        missing.reason.contains("http_requests_total"),
        "{missing:?}"
    );
    let db = service(&live.problem, "shop/db");
    assert_eq!(db.load.as_ref().unwrap().rps, 7.0);
    let stale = gap(live, "services.shop/db.capacity.memory_peak");
    assert!(
        stale.reason.contains("stale: the last sample is 2") && stale.query.contains("working_set"),
        "{stale:?}"
    );
    assert_eq!(
        db.capacity
            .as_ref()
            .unwrap()
            .memory_peak
            .as_ref()
            .unwrap()
            .units(),
        Some(700 << 20)
    );
    let odd = gap(live, "services.shop/odd.clusters.eu.now");
    assert!(odd.reason.contains("NaN"), "{odd:?}");
    assert_eq!(
        service(&live.problem, "shop/odd").clusters["eu"].now,
        Some(1)
    );
    assert!(
        gap(live, "services.shop/odd.requests.cpu")
            .reason
            .contains("no pod")
    );
}

/// Nothing is both read and missing, and every reading is as old as its samples.
fn provenance(live: &Live, now: Timestamp) {
    let now = now.as_millisecond() as f64 / 1000.0;
    let oldest = live
        .source
        .readings
        .iter()
        .map(|reading| reading.timestamp)
        .fold(f64::INFINITY, f64::min);
    assert!(
        (live.source.age_seconds.unwrap() - (now - oldest)).abs() < 1e-3,
        "{:?}",
        live.source.age_seconds
    );
    for reading in &live.source.readings {
        assert!(
            now - reading.timestamp <= 120.0 && reading.timestamp <= now,
            "{reading:?}"
        );
        assert!(
            !reading.query.is_empty() && !reading.query.contains('$'),
            "{reading:?}"
        );
        assert!(
            !live.source.gaps.iter().any(|gap| gap.path == reading.path),
            "{reading:?}"
        );
    }
}

fn planned(live: Live) {
    let problem = resolve(live.problem, Catalogue::built_in(), "shop.yaml").unwrap();
    let (readings, gaps) = (live.source.readings.len(), live.source.gaps.len());
    let stop = AtomicBool::new(false);
    let limits = Limits::new(&stop, Some(2_000_000));
    let verified = planner::plan(
        problem,
        live.source,
        &Settings::default(),
        &limits,
        &|_, _| {},
    )
    .unwrap();
    let provenance = &verified.plan().provenance;
    assert_eq!(
        (provenance.readings.len(), provenance.gaps.len()),
        (readings, gaps)
    );
    assert!(
        verified.plan().cost.is_some(),
        "{:?} {:?}",
        verified.plan().status,
        verified.plan().reasons
    );
}

async fn several_clusters(prometheus: &Prometheus, now: Timestamp) {
    let live = refresh(
        problem::two_clusters(),
        &prometheus.client(),
        &queries(),
        now,
    )
    .await
    .unwrap();
    let web = service(&live.problem, "shop/web");
    assert_eq!(
        (web.clusters["eu"].now, web.clusters["us"].now),
        (Some(3), Some(2))
    );
    // A pod of `us` runs on a node that nobody knows: its placement stays as the file has it, that of `eu` is live.
    let hole = gap(&live, "current.nodes");
    assert!(
        hole.reason.contains("cluster us") && hole.reason.contains("ghost"),
        "{hole:?}"
    );
    let names: Vec<&str> = live
        .problem
        .current
        .as_ref()
        .unwrap()
        .nodes
        .iter()
        .map(|node| node.name.as_str())
        .collect();
    assert_eq!(names, ["u1", "n1", "n2"]);
    assert_eq!(
        live.problem.current.as_ref().unwrap().nodes[0].pods["shop/web"],
        7
    );
    // The load of `us` is missing although pods run there, so that the sum is not known.
    let load = gap(&live, "services.shop/web.load.rps");
    assert!(
        load.reason.contains("cluster us") && web.load.as_ref().unwrap().rps == 10.0,
        "{load:?}"
    );

    let wrong = Queries {
        cluster_label: "kluster".to_owned(),
        ..queries()
    };
    let error = refresh(problem::two_clusters(), &prometheus.client(), &wrong, now)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, LiveError::ClusterLabel { label, .. } if label == "kluster"),
        "{error}"
    );
    let named = Queries {
        cluster_names: BTreeMap::from([("eu".to_owned(), "us".to_owned())]),
        ..queries()
    };
    let live = refresh(problem::problem(), &prometheus.client(), &named, now)
        .await
        .unwrap();
    assert_eq!(
        service(&live.problem, "shop/web").clusters["eu"].now,
        Some(2)
    );
    assert_eq!(
        reading(&live, "services.shop/web.clusters.eu.now").value,
        2.0
    );
}

/// A node that is neither in the file nor shown with its labels: the gap names the flag that shows them.
async fn what_is_hidden(prometheus: &Prometheus, now: Timestamp) {
    let mut unknown = problem::problem();
    for node in &mut unknown.current.as_mut().unwrap().nodes {
        node.name = format!("old-{}", node.name);
    }
    let live = refresh(unknown.clone(), &prometheus.client(), &queries(), now)
        .await
        .unwrap();
    let hidden = gap(&live, "current.nodes");
    assert!(
        hidden.reason.contains("n1") && hidden.reason.contains("--metric-labels-allowlist=nodes=["),
        "{hidden:?}"
    );
    assert_eq!(live.problem.current, unknown.current);
    assert!(
        !live
            .source
            .readings
            .iter()
            .any(|reading| reading.path.starts_with("current."))
    );
}

async fn a_bad_query_is_named(prometheus: &Prometheus, now: Timestamp) {
    let mut bad = queries();
    bad.nodes.value = "sum by (kube_node_info".to_owned();
    let error = refresh(problem::problem(), &prometheus.client(), &bad, now)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("bad_data")
            && error.contains("sum by (kube_node_info")
            && error.contains(&prometheus.url),
        "{error}"
    );
    bad.nodes.value = "1 + 1".to_owned();
    let error = refresh(problem::problem(), &prometheus.client(), &bad, now)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("scalar"), "{error}");
}
