//! Small random fleets with something running, for what carries a plan out: little room, tight limits, cordons, volumes.

use std::fmt::Write;

use ketscale_engine::catalogue::Catalogue;
use ketscale_engine::fleet::{Fleet, compile};
use ketscale_engine::problem::{read, resolve};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The fleet of a problem in YAML, with what runs now counted.
pub(crate) fn fleet_of(yaml: &str) -> Fleet {
    let problem =
        read(yaml.as_bytes(), "problem.yaml").unwrap_or_else(|errors| panic!("{errors:?}\n{yaml}"));
    let problem = resolve(problem, Catalogue::built_in(), "problem.yaml")
        .unwrap_or_else(|errors| panic!("{errors:?}\n{yaml}"));
    compile(problem, &[]).unwrap_or_else(|issues| panic!("{issues:?}\n{yaml}"))
}

/// A random fleet of at most two clusters, each of two zones with one pool of two sizes.
pub(crate) fn random_fleet(seed: u64) -> Fleet {
    fleet_of(&random_yaml(seed))
}

fn random_yaml(seed: u64) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let clusters = rng.random_range(1..=2);
    let services = rng.random_range(2..=5);
    let mut yaml = "schema: ketscale.problem/v1\nname: random\nclusters:\n".to_owned();
    for c in 0..clusters {
        writeln!(yaml, "- {{name: c{c}, provider: other, region: r{c}}}").unwrap();
    }
    yaml.push_str("services:\n");
    (0..services).for_each(|s| service(&mut yaml, s, clusters, &mut rng));
    yaml.push_str("pools:\n");
    (0..clusters).for_each(|c| pool(&mut yaml, c, &mut rng));
    yaml.push_str("daemonsets: [{name: kube-system/agent, requests: {cpu: 100m, memory: 64Mi}}]\n");
    yaml.push_str("current:\n  nodes:\n");
    (0..clusters).for_each(|c| current(&mut yaml, c, services, &mut rng));
    writeln!(
        yaml,
        "policy: {{surge: {{nodes: {}}}}}",
        rng.random_range(0..=2)
    )
    .unwrap();
    yaml
}

fn service(yaml: &mut String, s: usize, clusters: usize, rng: &mut ChaCha8Rng) {
    let stateful = is_stateful(s);
    let kind = if stateful {
        "StatefulSet"
    } else {
        "Deployment"
    };
    writeln!(yaml, "- name: shop/s{s}\n  kind: {kind}\n  clusters:").unwrap();
    for c in 0..if stateful { 1 } else { clusters } {
        let replicas = rng.random_range(1..=6);
        writeln!(yaml, "    c{c}: {{min: {replicas}, max: {replicas}}}").unwrap();
    }
    let (cpu, memory) = (
        rng.random_range(2..=14) * 100,
        rng.random_range(1..=12) * 128,
    );
    writeln!(
        yaml,
        "  requests: {{cpu: {cpu}m, memory: {memory}Mi}}\n  placement:"
    )
    .unwrap();
    if rng.random_bool(0.3) {
        writeln!(yaml, "    max_per_node: {}", rng.random_range(1..=3)).unwrap();
    }
    if s > 0 && rng.random_bool(0.3) {
        writeln!(
            yaml,
            "    anti_affinity: [shop/s{}]",
            rng.random_range(0..s)
        )
        .unwrap();
    }
    if rng.random_bool(0.3) {
        writeln!(yaml, "    max_skew: {}", rng.random_range(1..=2)).unwrap();
    }
    if stateful {
        writeln!(yaml, "    zonal_volumes: {{\"0\": c0-a, \"1\": c0-b}}").unwrap();
    }
    let (budget, ready) = (
        [0, 1, 1, 1, 2, 3][rng.random_range(0..6)],
        rng.random_range(0..=30),
    );
    writeln!(
        yaml,
        "    spot_share_max: 1\n  disruption: {{max_unavailable: {budget}}}"
    )
    .unwrap();
    writeln!(
        yaml,
        "  ready_seconds: {ready}\n  priority: {}",
        rng.random_range(0..=1)
    )
    .unwrap();
}

/// Every fourth service has volumes, and so a single cluster.
fn is_stateful(s: usize) -> bool {
    s % 4 == 1
}

fn pool(yaml: &mut String, c: usize, rng: &mut ChaCha8Rng) {
    writeln!(
        yaml,
        "- name: p{c}\n  cluster: c{c}\n  startup_seconds: 60\n  nodes: {{max: {}}}",
        rng.random_range(6..=12)
    )
    .unwrap();
    yaml.push_str("  offerings:\n");
    for zone in ["a", "b"] {
        for (name, cpu, memory, price) in [("small", 2000, 4, 0.11), ("large", 4000, 16, 0.23)] {
            writeln!(
                yaml,
                "  - {{instance_type: {name}, zone: c{c}-{zone}, capacity_type: on-demand, usd_per_hour: {price}, architecture: amd64, \
                 allocatable: {{cpu: {cpu}m, memory: {memory}Gi, pods: 12}}}}"
            )
            .unwrap();
        }
    }
}

/// Nodes of random sizes with a few pods each; some overfull, some cordoned, some that must stay.
fn current(yaml: &mut String, c: usize, services: usize, rng: &mut ChaCha8Rng) {
    for n in 0..rng.random_range(1..=4) {
        let size = if rng.random_bool(0.5) {
            "small"
        } else {
            "large"
        };
        let zone = if rng.random_bool(0.5) { "a" } else { "b" };
        let pods: Vec<String> = (0..services)
            .filter(|s| (c == 0 || !is_stateful(*s)) && rng.random_bool(0.5))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|s| format!("shop/s{s}: {}", rng.random_range(1..=2)))
            .collect();
        let cordoned = rng.random_bool(0.1);
        writeln!(
            yaml,
            "  - {{name: c{c}-n{n}, pool: p{c}, offering: {size}/c{c}-{zone}/on-demand, pods: {{{}}}, cordoned: {cordoned}}}",
            pods.join(", ")
        )
        .unwrap();
    }
}
