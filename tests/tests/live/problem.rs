//! The problem file behind the exporter's cluster, with values that differ from what is live.

use ketscale_engine::problem::{self, ProblemFile};

/// One cluster.
pub const FILE: &str = "
schema: ketscale.problem/v1
name: shop
clusters: [{name: eu, provider: other, region: here}]
services:
- name: shop/web
  clusters: {eu: {min: 1, max: 10, now: 2}}
  requests: {cpu: 250m, memory: 256Mi}
  load: {rps: 10}
  capacity: {cpu_per_rps: 5m, idle_cpu: 20m, memory_peak: 100Mi, concurrency: 4, service_time_ms: 20}
  slo: {latency_p95_ms: 200, observed_p95_ms: 60}
- name: shop/quiet
  clusters: {eu: {min: 1, max: 4, now: 2}}
  requests: {cpu: 100m, memory: 128Mi}
  load: {rps: 1}
  capacity: {cpu_per_rps: 5m, service_time_ms: 20}
  slo: {latency_p95_ms: 200, observed_p95_ms: 60}
- name: shop/db
  kind: StatefulSet
  clusters: {eu: {min: 1, max: 1, now: 1}}
  requests: {cpu: 500m, memory: 1Gi}
  load: {rps: 7}
  capacity: {cpu_per_rps: 9m, memory_peak: 700Mi}
- name: shop/odd
  clusters: {eu: {min: 1, max: 4, now: 1}}
  requests: {cpu: 50m, memory: 64Mi}
pools:
- name: general
  cluster: eu
  nodes: {max: 8}
  offerings:
  - {instance_type: m4, zone: a, capacity_type: on-demand, usd_per_hour: 0.2, allocatable: {cpu: 4, memory: 16Gi, pods: 110}}
  - {instance_type: m8, zone: b, capacity_type: spot, usd_per_hour: 0.15, allocatable: {cpu: 8, memory: 32Gi, pods: 110}}
  - {instance_type: m8, zone: b, capacity_type: on-demand, usd_per_hour: 0.4, allocatable: {cpu: 8, memory: 32Gi, pods: 110}}
daemonsets: [{name: kube-system/agent, requests: {cpu: 100m, memory: 128Mi}}]
current:
  nodes:
  - {name: n1, pool: general, offering: m4/a/on-demand, pods: {shop/web: 2, shop/quiet: 2, shop/db: 1, shop/odd: 1}}
";

pub fn problem() -> ProblemFile {
    problem::read(FILE.as_bytes(), "shop.yaml").unwrap()
}

/// The same with a second cluster, of which the placement is known in part only.
pub fn two_clusters() -> ProblemFile {
    let file = FILE
        .replace("region: here}]", "region: here}, {name: us, provider: other, region: there}]")
        .replace("{eu: {min: 1, max: 10, now: 2}}", "{eu: {min: 1, max: 10, now: 2}, us: {min: 1, max: 10, now: 7}}")
        .replace(
            "daemonsets:",
            "- name: away
  cluster: us
  offerings: [{instance_type: m4, zone: x, capacity_type: on-demand, usd_per_hour: 0.2, allocatable: {cpu: 4, memory: 16Gi, pods: 110}}]
daemonsets:",
        )
        + "  - {name: u1, pool: away, offering: m4/x/on-demand, pods: {shop/web: 7}}\n";
    problem::read(file.as_bytes(), "shop.yaml").unwrap()
}
