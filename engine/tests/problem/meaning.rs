//! What is refused by schema and meaning.

use ketscale_engine::problem::{ProblemFile, validate};

use crate::example::{EXAMPLE, bad, edited, errors, example, line_of};
use crate::refusals::{MEANING_REFUSALS, SCHEMA_REFUSALS};

#[test]
fn every_refusal_names_path_value_and_line() {
    for (find, replace, path, message, on_line) in SCHEMA_REFUSALS.iter().chain(MEANING_REFUSALS) {
        let source = edited(find, replace);
        let errors = errors(&source);
        let found = errors
            .issues
            .iter()
            .find(|issue| issue.path == *path && issue.message.contains(message));
        let issue = found.unwrap_or_else(|| {
            panic!("{find} → {replace}: expected {path}: {message}, got\n{errors}")
        });
        // The line is that of the key or, for an entry, of its first key, which stands at most one line above the text named.
        let line = line_of(&source, on_line);
        assert!(
            issue.line == Some(line) || issue.line == Some(line - 1),
            "{find} → {replace}: expected line {line}, got\n{errors}"
        );
        assert!(
            errors
                .to_string()
                .contains(&format!("fleet.yaml:{}: {path}: ", issue.line.unwrap())),
            "{errors}"
        );
    }
}

#[test]
fn a_problem_made_in_code_is_checked_alike() {
    for (find, replace, path, message, _) in MEANING_REFUSALS {
        // Parsed without our reader, as a caller's own code would.
        let source = edited(find, replace).replace("{cpu: .inf", "{cpu: '.inf'");
        let problem: ProblemFile = match serde_saphyr::from_str(&source) {
            Ok(problem) => problem,
            Err(error) => panic!("{find} → {replace}: {error}"),
        };
        let issues = validate(&problem);
        assert!(
            issues.iter().any(|issue| issue.path == *path
                && issue.message.contains(message)
                && issue.line.is_none()),
            "{}",
            bad(&problem)
        );
    }
    let mut problem = example();
    problem.horizon_hours = f64::NAN;
    problem.services[0].ready_seconds = f64::INFINITY;
    problem.schema = "other".into();
    assert_eq!(
        bad(&problem),
        "schema: \"other\" is not ketscale.problem/v1\nhorizon_hours: NaN is not a finite number\nservices.shop/cart.ready_seconds: inf is not a finite number\n"
    );
}

#[test]
fn lists_must_not_be_empty_and_moves_need_current_nodes() {
    let mut problem = example();
    problem.services.clear();
    problem.pools.clear();
    problem.current = None;
    let text = bad(&problem);
    for expected in [
        "services: is empty; expected at least one service",
        "pools: is empty; expected at least one pool",
        "policy.max_moves: needs current.nodes",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    let mut problem = example();
    problem.pools[0].offerings.clear();
    assert!(
        bad(&problem).contains("pools.general.offerings: is empty; expected at least one offering")
    );
}

#[test]
fn a_count_that_is_held_must_be_known() {
    let unknown = |edit: fn(&mut ProblemFile)| {
        let mut problem = example();
        problem.current = None;
        problem.policy.max_moves = None;
        problem.services[0]
            .clusters
            .get_mut("gke-euw1")
            .unwrap()
            .now = None;
        edit(&mut problem);
        bad(&problem)
    };
    assert_eq!(unknown(|_| {}), "");
    let observed =
        unknown(|problem| problem.services[0].mode = ketscale_engine::problem::Mode::Observe);
    assert!(
        observed
            .starts_with("services.shop/cart.clusters.gke-euw1.now: is missing; with mode observe"),
        "{observed}"
    );
    let unloaded = unknown(|problem| {
        problem.services[0].load = None;
        problem.services[0].slo = None;
        problem.services[0].placement.survive = ketscale_engine::problem::Survive::None;
    });
    assert!(
        unloaded.contains("clusters.gke-euw1.now: is missing; with no load and capacity"),
        "{unloaded}"
    );
}

#[test]
fn pods_run_only_where_their_service_may() {
    let mut problem = example();
    let mut elsewhere = problem.clusters[0].clone();
    elsewhere.name = "b".into();
    problem.clusters.push(elsewhere);
    problem.pools[0].cluster = "b".into();
    let text = bad(&problem);
    assert!(text.contains("current.nodes.n1.pods.shop/cart: the node is in cluster b, where the service may not run"), "{text}");
}

#[test]
fn names_are_bounded_and_messages_are_short() {
    let mut problem = example();
    problem.services[0].name = "n".repeat(254);
    let issues = validate(&problem);
    assert!(
        issues
            .iter()
            .any(|issue| issue.message == "has 254 bytes; a name has at most 253")
    );
    assert!(
        issues
            .iter()
            .all(|issue| issue.path.len() < 300 && issue.message.len() < 300)
    );
    problem.services[0].name = "n".repeat(253);
    assert!(!bad(&problem).contains("a name has at most"));
    let long = "x".repeat(1_000_000);
    let errors = errors(&edited("cpu: 250m", &format!("cpu: {long}")));
    assert!(errors.to_string().len() < 1000);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let source = EXAMPLE
        .replace("horizon_hours: 1", "horizon_hours: .nan\nhorizont: 2")
        .replace("cpu: 250m", "cpu: 250 m")
        .replace("{min: 1, max: 1}", "{min: 7, max: 5}")
        .replace("max_per_node: 2", "max_per_node: two")
        .replace("startup_seconds: 90", "startup_seconds: -90")
        .replace("taints: []", "taints: []\n  colour: red")
        .replace("pool: general", "pool: generic");
    let errors = errors(&source);
    let told: Vec<&str> = errors
        .issues
        .iter()
        .map(|issue| issue.path.as_str())
        .collect();
    // Of shop/cart, whose placement is mistyped, nothing but the schema's complaint is told: the rest might be its consequence.
    let expected = [
        "horizon_hours",
        "horizont",
        "services.shop/cart.placement.max_per_node",
        "services.shop/redis.clusters.gke-euw1.min",
        "pools.general.colour",
        "pools.general.startup_seconds",
        "current.nodes.n1.pool",
    ];
    assert_eq!(told, expected, "{errors}");
    assert_eq!(errors.to_string().lines().count(), expected.len());
}

#[test]
fn mistakes_against_the_schema_bring_no_false_ones_along() {
    for (find, replace, path, ..) in SCHEMA_REFUSALS {
        let errors = errors(&edited(find, replace));
        let parent = path.rsplit_once('.').map_or("", |(parent, _)| parent);
        for issue in &errors.issues {
            assert!(
                issue.path == *path
                    || issue.path.starts_with(parent) && issue.message == "is missing"
                    || issue.path == "x",
                "{find} → {replace}:\n{errors}"
            );
        }
    }
}
