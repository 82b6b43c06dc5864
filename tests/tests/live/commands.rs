//! Live values through `ketscale plan`, `init` and `serve`.

use ketscale_engine::verify::verify;
use ketscale_engine::{plan, problem};
use ketscale_proto::v1::CreatePlanRequest;
use ketscale_proto::v1::create_plan_request::Source;

use super::problem::FILE;
use super::prometheus::{Prometheus, WINDOW};
use super::server;

/// The same by the commands that people use.
#[allow(clippy::too_many_lines, reason = "one case after another")]
pub async fn through_the_binary(prometheus: &Prometheus) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("shop.yaml"), FILE).unwrap();
    std::fs::write(path("queries.yaml"), format!("window: {WINDOW}\n")).unwrap();
    let files = [
        "--prometheus",
        &prometheus.url,
        "--queries",
        &path("queries.yaml"),
    ];

    let ketscale = |arguments: &[&str]| {
        std::process::Command::new(server::binary())
            .args(arguments)
            .args(files)
            .output()
            .unwrap()
    };
    let planned = ketscale(&[
        "plan",
        "--problem",
        &path("shop.yaml"),
        "--work-limit",
        "1000000",
        "--output",
        "json",
    ]);
    assert!(
        planned.status.success(),
        "{}",
        String::from_utf8_lossy(&planned.stderr)
    );
    let verified = verify(&planned.stdout).unwrap_or_else(|findings| panic!("{findings:#?}"));
    is_live(verified.plan());
    let made = ketscale(&["init", "--name", "cloud"]);
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    assert_eq!(
        problem::read(&made.stdout, "made.yaml").unwrap().name,
        "cloud"
    );
    let unreachable = std::process::Command::new(server::binary())
        .args([
            "plan",
            "--problem",
            &path("shop.yaml"),
            "--prometheus",
            "http://127.0.0.1:1",
        ])
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&unreachable.stderr);
    assert_eq!(unreachable.status.code(), Some(3), "{message}");
    assert!(
        message.contains("http://127.0.0.1:1/api/v1/query") && unreachable.stdout.is_empty(),
        "{message}"
    );

    let file = path("shop.yaml");
    let arguments = [&files[..], &["--problem", &file]].concat();
    let server = server::Server::start(&folder.path().join("plans.sqlite"), &arguments);
    let mut client = server.client().await;
    let live = |name: &str| CreatePlanRequest {
        source: Some(Source::Live(name.to_owned())),
        ..Default::default()
    };
    let plan = client.create_plan(live("shop")).await.unwrap().into_inner();
    is_live(
        verify(&plan.plan_json)
            .unwrap_or_else(|findings| panic!("{findings:#?}"))
            .plan(),
    );
    assert!(plan.summary.unwrap().gaps > 0);
    let unknown = client.create_plan(live("other")).await.unwrap_err();
    assert!(
        unknown.code() == tonic::Code::NotFound && unknown.message().contains("shop"),
        "{unknown}"
    );
}

fn is_live(plan: &plan::Plan) {
    let provenance = &plan.provenance;
    assert!(
        provenance
            .readings
            .iter()
            .any(|reading| reading.path == "services.shop/web.load.rps"),
        "{:#?}",
        provenance.readings
    );
    assert!(
        provenance
            .gaps
            .iter()
            .any(|gap| gap.path == "services.shop/db.load.rps"),
        "{:#?}",
        provenance.gaps
    );
    assert!(plan.decision.age_seconds.is_some());
    // What OpenCost says of the node, not what the file says.
    let price = provenance.readings.iter().find(|reading| {
        reading.path == "pools.general.offerings.m4/a/on-demand.usd_per_hour"
            && reading.query.contains("node_total_hourly_cost")
    });
    assert_eq!(price.map(|reading| reading.value), Some(0.21));
    let offering = &plan.problem.pools[0].offerings[0];
    assert_eq!(
        (offering.name().as_str(), offering.usd_per_hour),
        ("m4/a/on-demand", Some(0.21))
    );
}
