//! The example of the design and ways to spoil it.

use ketscale_engine::problem::{InputErrors, ProblemFile, read, validate};

/// The example of the design, one thing a line.
pub const EXAMPLE: &str = r#"# a comment
schema: ketscale.problem/v1
name: boutique
horizon_hours: 1
clusters: [{name: gke-euw1, provider: gcp, region: europe-west1}]
services:
- name: shop/cart
  kind: Deployment
  mode: recommend
  clusters: {gke-euw1: {min: 2, max: 40, now: 6}}
  requests: {cpu: 250m, memory: 256Mi}
  load: {rps: 410}
  capacity: {cpu_per_rps: 12m, idle_cpu: 20m, memory_peak: 220Mi, target_utilization: 0.7, concurrency: 4, service_time_ms: 9}
  slo: {latency_p95_ms: 120, usd_per_hour: 3.0, observed_p95_ms: 80}
  placement:
    selector: {}
    tolerations: []
    architectures: [amd64]
    max_per_node: 2
    anti_affinity: []
    min_zones: 2
    max_skew: 1
    spot_share_max: 0.5
    survive: zone
    zonal_volumes: {}
  disruption: {max_unavailable: 1, usd_per_eviction: 0.01}
  ready_seconds: 20
  priority: 0
- name: shop/redis
  kind: StatefulSet
  clusters:
    gke-euw1: {min: 1, max: 1}
  requests: {cpu: 1, memory: 1Gi}
  placement:
    zonal_volumes: {"0": europe-west1-b}
pools:
- name: general
  cluster: gke-euw1
  labels: {}
  taints: []
  nodes: {min: 0, max: 30}
  startup_seconds: 90
  offerings:
  - {instance_type: e2-standard-4, zone: europe-west1-b, capacity_type: spot, usd_per_hour: 0.05, interruptions_per_hour: 0.01, available_nodes: 20}
  - {instance_type: e2-standard-4, zone: europe-west1-b, capacity_type: on-demand, usd_per_hour: 0.15}
daemonsets: [{name: kube-system/agent, requests: {cpu: 100m, memory: 128Mi}, selector: {}, tolerations: []}]
current:
  nodes:
  - {name: n1, pool: general, offering: e2-standard-4/europe-west1-b/spot, pods: {shop/cart: 3, shop/redis: 1}, foreign: {cpu: 500m, memory: 1Gi}, cordoned: false}
policy: {budget_usd_per_hour: 12, max_moves: 40, caps: [], commitments: [], packing: schedulable, surge: {nodes: 2}, relax: [budget, spot_share, spread, slo]}
"#;

pub fn errors(source: &str) -> InputErrors {
    match read(source.as_bytes(), "fleet.yaml") {
        Ok(_) => panic!("read without a complaint:\n{source}"),
        Err(errors) => errors,
    }
}

/// The example with one piece of text replaced, which must be there.
pub fn edited(find: &str, replace: &str) -> String {
    assert!(EXAMPLE.contains(find), "{find} is not in the example");
    EXAMPLE.replacen(find, replace, 1)
}

/// The line, from 1, of the first line that holds `text`.
pub fn line_of(source: &str, text: &str) -> usize {
    1 + source
        .lines()
        .position(|line| line.contains(text))
        .unwrap_or_else(|| panic!("{text} is not in the source"))
}

pub fn example() -> ProblemFile {
    read(EXAMPLE.as_bytes(), "fleet.yaml").unwrap_or_else(|errors| panic!("{errors}"))
}

pub fn bad(problem: &ProblemFile) -> String {
    let issues = validate(problem);
    issues
        .iter()
        .map(|issue| format!("{}: {}\n", issue.path, issue.message))
        .collect()
}
