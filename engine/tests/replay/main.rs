//! Replays of small fleets, with figures worked out by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod drawing;
mod sources;
mod world;

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::problem::{self, ProblemFile};
use ketscale_engine::replay::{Policy, Replay, Settings, Trace, replay};

/// One service on nodes of 4 cores at 1 USD an hour on demand, of which one is committed to at 0.6 USD. A pod serves ten requests a
/// second, and a request a second takes 10m of its 100m.
const ONE_SERVICE: &str = "
schema: ketscale.problem/v1
name: one
clusters: [{name: c, provider: other, region: r}]
services:
- name: shop/web
  clusters: {c: {min: 1, max: 20, now: 2}}
  requests: {cpu: 100m, memory: 64Mi}
  load: {rps: 10}
  capacity: {cpu_per_rps: 10m, target_utilization: 0.8, service_time_ms: 100}
  slo: {latency_p95_ms: 400, usd_per_hour: 6}
  disruption: {usd_per_eviction: 0.25}
  ready_seconds: 20
pools:
- name: p
  cluster: c
  nodes: {min: 1}
  startup_seconds: 90
  offerings: [{instance_type: big, zone: z, capacity_type: on-demand, usd_per_hour: 1, allocatable: {cpu: '4', memory: 8Gi, pods: 100}}]
current: {nodes: [{name: n1, pool: p, offering: big/z/on-demand, pods: {shop/web: 2}}]}
";

/// The service, with a change of one text by another, which must be there.
fn one_service(changes: &[(&str, &str)]) -> ProblemFile {
    let mut text = ONE_SERVICE.to_owned();
    for (old, new) in changes {
        assert!(text.contains(old), "{old:?} is not in the problem");
        text = text.replacen(old, new, 1);
    }
    let read = problem::read(text.as_bytes(), "one.yaml").unwrap();
    problem::resolve(read, Catalogue::built_in(), "one.yaml").unwrap()
}

/// Loads of the only service, a step of 300 s each.
fn steps(problem: &ProblemFile, rps: &[f64]) -> Trace {
    let times = (0..rps.len()).map(|step| 300.0 * step as f64).collect();
    Trace::new(problem, times, |_, index| Some(rps[index]), |_| true).unwrap()
}

fn under_hpa(problem: &ProblemFile, rps: &[f64], target_percent: u32) -> Replay {
    let settings = Settings {
        policies: vec![Policy::Hpa { target_percent }],
        ..Settings::default()
    };
    replay(problem, &steps(problem, rps), &settings).unwrap()
}
