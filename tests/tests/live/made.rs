//! A problem from nothing but a Prometheus.

use jiff::Timestamp;
use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::cluster_dump::to_yaml;
use ketscale_engine::problem::{Mode, WorkloadKind, read, resolve};
use ketscale_service::live::{LiveError, problem_from};

use super::prometheus::Prometheus;
use super::{queries, service};

/// A complete problem from kube-state-metrics alone.
#[allow(clippy::too_many_lines, reason = "one case after another")]
pub async fn a_problem_is_made(prometheus: &Prometheus, now: Timestamp) {
    let (client, queries, catalogue) = (prometheus.client(), queries(), Catalogue::built_in());
    let made = problem_from(&client, &queries, Some("cloud"), catalogue, now)
        .await
        .unwrap();
    let problem = &made.problem;
    let names: Vec<(&str, WorkloadKind)> = problem
        .services
        .iter()
        .map(|service| (service.name.as_str(), service.kind))
        .collect();
    assert_eq!(
        names,
        [
            ("shop/api", WorkloadKind::Deployment),
            ("shop/queue", WorkloadKind::StatefulSet)
        ]
    );
    let api = service(problem, "shop/api");
    let bounds = &api.clusters["cloud"];
    assert_eq!((bounds.min, bounds.max, bounds.now), (2, 9, Some(2)));
    assert_eq!(
        (api.requests["cpu"].milli(), api.requests["memory"].units()),
        (Some(400), Some(512 << 20))
    );
    // Its volume may be bound to a zone, which no metric tells.
    assert_eq!(
        (api.mode, service(problem, "shop/queue").mode),
        (Mode::Recommend, Mode::Observe)
    );
    assert!(
        made.untranslated
            .iter()
            .any(|line| line.contains("shop/queue")),
        "{:?}",
        made.untranslated
    );
    assert_eq!(
        problem
            .daemonsets
            .iter()
            .map(|set| set.name.as_str())
            .collect::<Vec<_>>(),
        ["kube-system/agent"]
    );
    assert_eq!(
        (problem.pools.len(), problem.pools[0].name.as_str()),
        (1, "workers")
    );
    let nodes = &problem.current.as_ref().unwrap().nodes;
    assert_eq!(
        nodes
            .iter()
            .map(|node| node.pods["shop/api"])
            .collect::<Vec<_>>(),
        [1, 1]
    );
    assert_eq!(
        (
            nodes[0].foreign.contains_key("cpu"),
            nodes[1].foreign["cpu"].milli()
        ),
        (false, Some(100))
    );
    let text = to_yaml(&made);
    let read = read(text.as_bytes(), "made.yaml").unwrap();
    resolve(read, catalogue, "made.yaml").unwrap();

    let several = problem_from(&client, &queries, None, catalogue, now)
        .await
        .unwrap_err();
    assert!(
        matches!(&several, LiveError::SeveralClusters { clusters, .. } if clusters == "cloud, eu, us"),
        "{several}"
    );
    let hidden = problem_from(&client, &queries, Some("us"), catalogue, now)
        .await
        .unwrap_err();
    assert!(
        matches!(&hidden, LiveError::HiddenLabels { .. })
            && hidden
                .to_string()
                .contains("--metric-labels-allowlist=nodes=["),
        "{hidden}"
    );
    let mut without_pods = queries.clone();
    without_pods.pods.value = "nothing_at_all".to_owned();
    let incomplete = problem_from(&client, &without_pods, Some("cloud"), catalogue, now)
        .await
        .unwrap_err();
    assert!(
        matches!(&incomplete, LiveError::Incomplete { query, .. } if query == "nothing_at_all"),
        "{incomplete}"
    );
}
