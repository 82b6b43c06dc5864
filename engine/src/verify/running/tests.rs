//! Every rule of a step, broken once.
#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::fleet::compile;

/// n1 runs two pods of shop/a, n2 one of shop/a and one of shop/b and a foreign pod, n3 (other cluster) nothing. shop/b never moves.
fn fleet() -> Fleet {
    let offering = |zone: &str| {
        json!({"instance_type": "m", "zone": zone, "capacity_type": "on-demand", "usd_per_hour": 0.25,
               "allocatable": {"cpu": "2", "memory": "8Gi", "pods": "20"}})
    };
    let service = |name: &str, unavailable: u32, ready: u32, apart: Vec<&str>| {
        json!({"name": name, "clusters": {"c": {"min": 0, "max": 9, "now": 1}, "d": {"min": 0, "max": 9, "now": 0}},
               "requests": {"cpu": "500m", "memory": "512Mi"}, "ready_seconds": ready, "disruption": {"max_unavailable": unavailable},
               "load": {"rps": 0}, "capacity": {"cpu_per_rps": "1m"}, "placement": {"max_per_node": 3, "anti_affinity": apart}})
    };
    let problem = json!({
        "schema": "ketscale.problem/v1", "name": "steps",
        "clusters": [{"name": "c", "provider": "other", "region": "r"}, {"name": "d", "provider": "other", "region": "r"}],
        "services": [service("shop/a", 1, 20, vec![]), service("shop/b", 0, 30, vec![]), service("shop/x", 2, 40, vec!["shop/b"])],
        "pools": [
            {"name": "p", "cluster": "c", "startup_seconds": 60.0, "nodes": {"min": 2, "max": 3}, "offerings": [offering("z")]},
            {"name": "q", "cluster": "d", "offerings": [offering("y")]}],
        "current": {"nodes": [
            {"name": "n1", "pool": "p", "offering": "m/z/on-demand", "pods": {"shop/a": 2}},
            {"name": "n2", "pool": "p", "offering": "m/z/on-demand", "pods": {"shop/a": 1, "shop/b": 1}, "foreign": {"cpu": "100m", "pods": "1"}},
            {"name": "n3", "pool": "q", "offering": "m/y/on-demand"}]},
        "policy": {"surge": {"nodes": 1}}});
    compile(serde_json::from_value(problem).unwrap(), &[]).unwrap()
}

fn pods(pods: &[(&str, u32)]) -> Pods {
    pods.iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

fn up(names: &[&str]) -> Change {
    let nodes = names.iter().map(|name| (*name).to_owned()).collect();
    Change::NodesUp {
        pool: "p".into(),
        offering: "m/z/on-demand".into(),
        nodes,
    }
}

fn down(pool: &str, offering: &str, names: &[&str]) -> Change {
    let nodes = names.iter().map(|name| (*name).to_owned()).collect();
    Change::NodesDown {
        pool: pool.into(),
        offering: offering.into(),
        nodes,
    }
}

fn add(service: &str, cluster: &str, onto: &[(&str, u32)]) -> Change {
    Change::ReplicasUp {
        service: service.into(),
        cluster: cluster.into(),
        onto: pods(onto),
    }
}

fn remove(service: &str, from: &[(&str, u32)]) -> Change {
    Change::ReplicasDown {
        service: service.into(),
        cluster: "c".into(),
        from: pods(from),
    }
}

fn shift(service: &str, from: &[(&str, u32)], onto: &[(&str, u32)]) -> Change {
    Change::Move {
        service: service.into(),
        from: pods(from),
        onto: pods(onto),
    }
}

fn swap(services: &[&str]) -> Change {
    let one = |service: &&str| crate::plan::Exchange {
        service: (*service).to_owned(),
        from: pods(&[("n1", 1)]),
        onto: pods(&[("n2", 1)]),
    };
    Change::Exchange {
        moves: services.iter().map(one).collect(),
    }
}

/// Takes changes with the duration given, and whatever totals come out.
fn take(running: &mut Running<'_>, change: Change, seconds: f64) -> Result<(), String> {
    let nothing = After {
        nodes: 0,
        pods: 0,
        nodes_usd_per_hour: 0.0,
    };
    match running.take(&Step {
        change,
        seconds,
        after: nothing,
    }) {
        Err(message) if message.contains("is stated, After") => Ok(()),
        other => other,
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "one case after another")]
fn every_broken_rule_is_told() {
    let fleet = fleet();
    let planned = Placement::current(&fleet);
    let cases = [
        (up(&[]), 60.0, "changes nothing"),
        (up(&["new/p/m/z/on-demand/0"]), 60.0, "is not named"),
        (up(&["new/p/m/z/on-demand/01"]), 60.0, "is not named"),
        (up(&["n4"]), 60.0, "is not named"),
        (up(&["new/p/m/z/on-demand/1"; 2]), 60.0, "was there before"),
        (
            up(&["new/p/m/z/on-demand/2", "new/p/m/z/on-demand/1"]),
            60.0,
            "stands before",
        ),
        (
            up(&[
                "new/p/m/z/on-demand/1",
                "new/p/m/z/on-demand/2",
                "new/p/m/z/on-demand/3",
            ]),
            60.0,
            "pool_max/p",
        ),
        (up(&["new/p/m/z/on-demand/1"]), 61.0, "takes 60 seconds"),
        (down("q", "m/y/on-demand", &["n9"]), 0.0, "no node is named"),
        (down("q", "m/y/on-demand", &["n1"]), 0.0, "another offering"),
        (down("p", "m/y/on-demand", &["n1"]), 0.0, "has no offering"),
        (down("p", "m/z/on-demand", &["n2"]), 0.0, "must stay"),
        (down("p", "m/z/on-demand", &["n1"]), 0.0, "still holds pods"),
        (add("shop/a", "c", &[("n3", 1)]), 20.0, "is not in c"),
        (add("shop/a", "e", &[("n3", 1)]), 20.0, "no cluster"),
        (add("shop/c", "c", &[("n1", 1)]), 20.0, "no service"),
        (add("shop/a", "c", &[("n1", 2)]), 20.0, "at most 3"),
        (add("shop/b", "c", &[("n1", 3)]), 30.0, "do not fit"),
        (add("shop/a", "c", &[("n1", 0)]), 20.0, "changes nothing"),
        (
            add("shop/a", "c", &[("n1", u32::MAX)]),
            20.0,
            "out of range",
        ),
        (
            add("shop/x", "c", &[("n2", 1)]),
            40.0,
            "shares n2 with shop/b",
        ),
        (remove("shop/a", &[("n1", 3)]), 0.0, "out of range"),
        (
            remove("shop/a", &[("n1", 2)]),
            0.0,
            "disruption budget leaves 2",
        ),
        (
            remove("shop/b", &[("n2", 1)]),
            0.0,
            "disruption budget leaves 1",
        ),
        (
            shift("shop/a", &[("n1", 2)], &[("n2", 2)]),
            20.0,
            "move at a time",
        ),
        (
            shift("shop/b", &[("n2", 1)], &[("n1", 1)]),
            30.0,
            "disruption budget",
        ),
        (
            shift("shop/a", &[("n1", 1)], &[("n2", 2)]),
            20.0,
            "leave, 2 arrive",
        ),
        (
            shift("shop/a", &[("n1", 1)], &[("n1", 1)]),
            20.0,
            "and arrive there",
        ),
        (
            shift("shop/a", &[("n1", 1)], &[("n3", 1)]),
            20.0,
            "to another",
        ),
        (shift("shop/a", &[], &[]), 20.0, "changes nothing"),
        (swap(&["shop/a", "shop/a"]), 20.0, "stands there twice"),
        (swap(&[]), 0.0, "changes nothing"),
    ];
    for (change, seconds, message) in cases {
        let told = take(&mut Running::new(&fleet, &planned), change.clone(), seconds);
        assert!(
            told.as_ref().is_err_and(|told| told.contains(message)),
            "{change:?} gives {told:?}, not {message}"
        );
    }
}

#[test]
fn sound_steps_are_taken_and_their_totals_compared() {
    let fleet = fleet();
    let mut running = Running::new(&fleet, &Placement::current(&fleet));
    let steps = [
        (
            up(&["new/p/m/z/on-demand/1", "new/p/m/z/on-demand/2"]),
            60.0,
        ),
        (add("shop/x", "c", &[("new/p/m/z/on-demand/1", 1)]), 40.0),
        (swap(&["shop/a"]), 20.0),
        (
            shift("shop/a", &[("n1", 1)], &[("new/p/m/z/on-demand/2", 1)]),
            20.0,
        ),
        (down("p", "m/z/on-demand", &["n1"]), 0.0),
        (remove("shop/x", &[("new/p/m/z/on-demand/1", 1)]), 0.0),
        (down("q", "m/y/on-demand", &["n3"]), 0.0),
    ];
    for (change, seconds) in steps {
        assert_eq!(
            take(&mut running, change.clone(), seconds),
            Ok(()),
            "{change:?}"
        );
    }
    assert_eq!(
        running.totals(),
        After {
            nodes: 3,
            pods: 4,
            nodes_usd_per_hour: 0.75
        }
    );
    let wrong = Step {
        change: remove("shop/a", &[("n2", 1)]),
        seconds: 0.0,
        after: running.totals(),
    };
    assert!(
        running
            .take(&wrong)
            .is_err_and(|told| told.contains("pods: 3"))
    );
}

#[test]
fn ends_that_differ_from_the_plan_are_told() {
    let fleet = fleet();
    let planned = Placement::current(&fleet);
    let groups = crate::plan::rows::node_groups(&fleet, &planned);
    let mut running = Running::new(&fleet, &planned);
    assert_eq!(running.differences(&groups, &planned), Vec::<String>::new());
    take(
        &mut running,
        shift("shop/a", &[("n1", 1)], &[("n2", 1)]),
        20.0,
    )
    .unwrap();
    let told = running.differences(&groups, &planned);
    assert!(
        told.iter().any(|told| told.contains("n1")) && told.iter().any(|told| told.contains("n2")),
        "{told:?}"
    );
    let mut running = Running::new(&fleet, &planned);
    take(&mut running, up(&["new/p/m/z/on-demand/2"]), 60.0).unwrap();
    let told = running.differences(&groups, &planned);
    assert!(
        told.iter().any(|told| told.contains("planned nodes"))
            && told.iter().any(|told| told.contains("numbered")),
        "{told:?}"
    );
}
