use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// What the documentation and the exposition say of a metric: its type, its labels and its words.
#[derive(Debug, PartialEq, Eq, Default, Clone)]
struct Told {
    kind: String,
    labels: BTreeSet<String>,
    help: String,
}

/// Every figure is there once.
fn everything() -> Latest {
    let half = Some(0.5);
    Latest {
        at_seconds: 1_000_000.0,
        observed: false,
        age_seconds: half,
        gaps: 1,
        events: vec![("jump", 2)],
        held_services: 1,
        made: Some(Made {
            status: "feasible".to_owned(),
            solver: "exact".to_owned(),
            money: Money {
                cost: half,
                current: half,
                baseline: half,
                bound: half,
                gap: half,
            },
        }),
        in_force_since_seconds: half,
        services: vec![ServiceFigures {
            name: "shop/cart".to_owned(),
            load_rps: half,
            demand_rps: half,
            replicas: vec![ReplicaFigures {
                cluster: "eu".to_owned(),
                now: Some(1),
                planned: Some(2),
            }],
        }],
        pools: vec![PoolFigures {
            name: "general".to_owned(),
            now: Some(1),
            planned: Some(2),
        }],
        warnings: BTreeMap::from([(("pools.general".to_owned(), "nodes.max".to_owned()), 600.0)]),
        refused_offerings: 1,
        month_usd: half,
        month_end_usd: half,
    }
}

fn metrics() -> Metrics {
    Metrics::new(["shop".to_owned()], Duration::from_secs(60))
}

/// Name to what an exposition says of it.
fn exposed(text: &str) -> BTreeMap<String, Told> {
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            told.entry(name.to_owned()).or_default().help = help.trim_end_matches('.').to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            told.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if let Some((series, labels)) = line.split_once('{') {
            let name = told
                .keys()
                .filter(|name| series.starts_with(name.as_str()))
                .max_by_key(|name| name.len());
            let name = name
                .unwrap_or_else(|| panic!("{series} has no type"))
                .clone();
            let labels = labels.rsplit_once('}').unwrap().0;
            let names = labels
                .split("\",")
                .filter_map(|label| label.split_once('='))
                .map(|(name, _)| name.to_owned());
            told.get_mut(&name)
                .unwrap()
                .labels
                .extend(names.filter(|name| name != "le"));
        }
    }
    told
}

/// Name to what the table of the documentation says of it.
fn documented() -> BTreeMap<String, Told> {
    let table = include_str!("../../../docs/metrics.md");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, help] = cells.as_slice() else {
            panic!("{line}")
        };
        let labels = labels.split(", ").filter(|label| !label.is_empty());
        let told = Told {
            kind: (*kind).to_owned(),
            labels: labels
                .map(|label| label.trim_matches('`').to_owned())
                .collect(),
            help: (*help).to_owned(),
        };
        (name.trim_matches('`').to_owned(), told)
    };
    rows.map(row).collect()
}

#[test]
fn the_documentation_lists_what_is_exposed_and_nothing_else() {
    let metrics = metrics();
    metrics.cycle(
        "shop",
        CycleResult::Held,
        Duration::from_secs(1),
        Some(everything()),
    );
    let (exposed, documented) = (exposed(&metrics.text().unwrap()), documented());
    for (name, told) in &exposed {
        assert_eq!(
            documented.get(name),
            Some(told),
            "docs/metrics.md should have another row for {name}"
        );
    }
    let names = |told: &BTreeMap<String, Told>| told.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&exposed), names(&documented));
}

#[test]
fn what_is_gone_leaves_no_series() {
    let metrics = metrics();
    metrics.cycle(
        "shop",
        CycleResult::Held,
        Duration::from_secs(1),
        Some(everything()),
    );
    assert!(metrics.text().unwrap().contains("shop/cart"));
    let without = Latest {
        services: Vec::new(),
        made: None,
        ..everything()
    };
    metrics.cycle(
        "shop",
        CycleResult::Published,
        Duration::from_secs(1),
        Some(without),
    );
    let text = metrics.text().unwrap();
    assert!(!text.contains("shop/cart"), "{text}");
    // A cycle without a plan leaves the last one's cost standing.
    assert!(
        text.contains("ketscale_plan_cost_usd_per_hour{problem=\"shop\"} 0.5"),
        "{text}"
    );
    assert!(
        text.contains("ketscale_cycles_total{problem=\"shop\",result=\"held\"} 1"),
        "{text}"
    );
    assert!(
        text.contains("ketscale_observation_failures_total{problem=\"shop\"} 2"),
        "{text}"
    );
}

#[test]
fn a_problem_without_recent_cycles_is_late() {
    let metrics = metrics();
    let at = |seconds| Timestamp::from_second(seconds).unwrap();
    assert_eq!(metrics.late(at(1_000_000)), ["shop"]);
    metrics.cycle(
        "shop",
        CycleResult::Held,
        Duration::from_secs(1),
        Some(everything()),
    );
    assert!(metrics.late(at(1_000_180)).is_empty());
    assert_eq!(metrics.late(at(1_000_181)), ["shop"]);
    // A broken cycle is none.
    metrics.cycle("shop", CycleResult::Failed, Duration::from_secs(1), None);
    assert_eq!(metrics.late(at(1_000_181)), ["shop"]);
}
