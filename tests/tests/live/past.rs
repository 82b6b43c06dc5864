//! The past and the prices of the exporter's cluster.

use std::time::Duration;

use jiff::Timestamp;
use ketscale_service::live::{history, snapshot};

use serde_json::Value;

use super::problem::FILE;
use super::prometheus::{Prometheus, WINDOW};
use super::{near, problem, queries, server};

/// At the last steps everything has been scraped long enough; what stopped long ago is missing, not zero.
pub async fn is_read(prometheus: &Prometheus, now: Timestamp) {
    let start = now - Duration::from_secs(2);
    let past = history(
        &problem::problem(),
        &prometheus.client(),
        &queries(),
        start,
        now,
        1.0,
    )
    .await
    .unwrap();
    let last = |of: &std::collections::BTreeMap<_, ketscale_engine::series::Series>, name: &str| {
        let series = of.get(name)?;
        assert_eq!((series.values.len(), series.step_seconds), (3, 1.0));
        *series.values.last().unwrap()
    };
    let load = last(&past.load, "shop/web").unwrap();
    assert!(near(load, 30.0), "{load}");
    assert_eq!(last(&past.load, "shop/quiet"), Some(0.0));
    assert_eq!(last(&past.load, "shop/db"), None);
    // Three pods of 0.12 cores each; the pod's own control group does not count again.
    let cores = last(&past.cpu_use, "shop/web").unwrap();
    assert!(near(cores, 0.36), "{cores} {:?}", past.gaps);
    assert_eq!(last(&past.cpu_use, "shop/db"), None);
    assert_eq!(last(&past.replicas, "shop/web"), Some(3.0));
    assert_eq!(last(&past.replicas, "shop/db"), Some(1.0));
    assert_eq!(last(&past.replicas, "shop/odd"), None);
    assert_eq!(
        last(&past.memory_peak, "shop/web"),
        Some(210.0 * super::exporter::MIB)
    );
    let missing = past
        .gaps
        .iter()
        .find(|gap| gap.path == "services.shop/db.load");
    assert!(missing.unwrap().reason.starts_with("missing"));
}

/// `n1` and `n2` are of different offerings; the third has no node and keeps its price.
pub async fn prices(prometheus: &Prometheus, now: Timestamp) {
    let taken = snapshot(problem::problem(), &prometheus.client(), &queries(), now)
        .await
        .unwrap();
    let prices: Vec<Option<f64>> = (taken.problem.pools[0].offerings.iter())
        .map(|offering| offering.usd_per_hour)
        .collect();
    assert_eq!(prices, [Some(0.21), Some(0.11), Some(0.4)]);
    let path = "pools.general.offerings.m4/a/on-demand.usd_per_hour";
    let reading = taken.readings.iter().find(|reading| reading.path == path);
    assert!(reading.unwrap().query.contains("node_total_hourly_cost"));
}

/// `ketscale forecast` and `ketscale replay` on the last seconds.
pub fn through_the_binary(prometheus: &Prometheus) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("shop.yaml"), FILE).unwrap();
    std::fs::write(path("queries.yaml"), format!("window: {WINDOW}\n")).unwrap();
    let now = Timestamp::now();
    let (from, to) = ((now - Duration::from_secs(2)).to_string(), now.to_string());
    let ketscale = |arguments: &[&str]| {
        let output = std::process::Command::new(server::binary())
            .args(arguments)
            .args(["--prometheus", &prometheus.url])
            .args(["--queries", &path("queries.yaml"), "--step", "1"])
            .args(["--from", &from, "--to", &to, "--output", "json"])
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let json = |text: &str| -> Value { serde_json::from_str(text).unwrap() };

    let problem = path("shop.yaml");
    let forecast = |service| ketscale(&["forecast", "--problem", &problem, "--service", service]);
    let (code, found, said) = forecast("shop/web");
    assert_eq!(code, Some(0), "{said}");
    let median = json(&found)["forecast"]["median"][0].as_f64().unwrap();
    assert!(near(median, 30.0), "{median}");
    let (code, _, said) = forecast("shop/db");
    assert!(
        code == Some(3) && said.contains("services.shop/db.load: missing"),
        "{said}"
    );
    let (code, _, said) = forecast("shop/none");
    assert!(
        code == Some(2) && said.contains("shop/none") && said.contains("shop/web"),
        "{said}"
    );

    let (code, found, said) = ketscale(&["replay", &problem, "--policies", "hpa-70"]);
    assert_eq!(code, Some(0), "{said}");
    let report = json(&found);
    assert_eq!(report["steps"], 3);
    assert_eq!(report["policies"][0]["policy"], "hpa-70");
}
