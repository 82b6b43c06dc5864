//! The smallest problem that fails as a larger one does.

use ketscale_engine::problem::{Comments, ProblemFile, to_yaml};
use serde_json::Value;

use super::instance::is_problem;

/// The smallest failing problem as a file, with the seed and the failure at its head. Things and keys are dropped one at a time while
/// `fails` still says why.
pub fn report(
    seed: u64,
    problem: &ProblemFile,
    fails: &dyn Fn(&ProblemFile) -> Option<String>,
) -> String {
    let (smallest, why) = smallest(problem, fails);
    let head = [format!("seed {seed}: {why}")];
    to_yaml(
        &smallest,
        head.iter().map(String::as_str),
        &Comments::default(),
    )
}

fn smallest(
    problem: &ProblemFile,
    fails: &dyn Fn(&ProblemFile) -> Option<String>,
) -> (ProblemFile, String) {
    let mut smallest = problem.clone();
    let mut why = fails(problem).unwrap_or_else(|| "does not fail again".to_owned());
    while let Some((problem, reason)) = (smaller(&smallest).into_iter())
        .find_map(|problem| fails(&problem).map(|reason| (problem, reason)))
    {
        (smallest, why) = (problem, reason);
    }
    (smallest, why)
}

/// Every problem that one drop makes: things with all that refers to them, then single entries.
fn smaller(problem: &ProblemFile) -> Vec<ProblemFile> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut ProblemFile)| {
        let mut smaller = problem.clone();
        change(&mut smaller);
        forget_what_is_gone(&mut smaller);
        all.push(smaller);
    };
    with(&|p| p.current = None);
    (0..problem.clusters.len()).for_each(|index| with(&|p| drop(p.clusters.remove(index))));
    (0..problem.services.len()).for_each(|index| with(&|p| drop(p.services.remove(index))));
    (0..problem.pools.len()).for_each(|index| with(&|p| drop(p.pools.remove(index))));
    for (pool, offerings) in problem
        .pools
        .iter()
        .map(|pool| pool.offerings.len())
        .enumerate()
    {
        (0..offerings).for_each(|index| with(&|p| drop(p.pools[pool].offerings.remove(index))));
    }
    let whole = serde_json::to_value(problem).unwrap();
    for path in paths(&whole) {
        let mut smaller = whole.clone();
        remove(&mut smaller, &path);
        all.extend(serde_json::from_value::<ProblemFile>(smaller));
    }
    all.retain(|smaller| smaller != problem && is_problem(smaller));
    all
}

/// Takes out every reference to something that is not there.
fn forget_what_is_gone(problem: &mut ProblemFile) {
    let ProblemFile {
        clusters,
        services,
        pools,
        daemonsets,
        current,
        policy,
        ..
    } = problem;
    let is_cluster = |name: &str| clusters.iter().any(|cluster| cluster.name == name);
    pools.retain(|pool| is_cluster(&pool.cluster) && !pool.offerings.is_empty());
    services
        .iter_mut()
        .for_each(|service| service.clusters.retain(|name, _| is_cluster(name)));
    services.retain(|service| !service.clusters.is_empty());
    daemonsets.retain(|daemonset| {
        daemonset
            .clusters
            .iter()
            .flatten()
            .all(|name| is_cluster(name))
    });
    let names: Vec<String> = services
        .iter()
        .map(|service| service.name.clone())
        .collect();
    for service in services {
        service
            .placement
            .anti_affinity
            .retain(|other| names.contains(other));
    }
    let is_sold = |pool: &str, offering: &str| {
        let mut offerings = pools
            .iter()
            .filter(|p| p.name == pool)
            .flat_map(|p| &p.offerings);
        offerings.any(|known| known.name() == offering)
    };
    policy
        .commitments
        .retain(|commitment| is_sold(&commitment.pool, &commitment.offering));
    policy.max_moves = policy.max_moves.filter(|_| current.is_some());
    for nodes in current.iter_mut().map(|current| &mut current.nodes) {
        nodes.retain(|node| is_sold(&node.pool, &node.offering));
        nodes
            .iter_mut()
            .for_each(|node| node.pods.retain(|name, _| names.contains(name)));
    }
}

/// The way to every entry of every list and map.
fn paths(value: &Value) -> Vec<Vec<String>> {
    let entries: Vec<(String, &Value)> = match value {
        Value::Object(entries) => entries
            .iter()
            .map(|(key, value)| (key.clone(), value))
            .collect(),
        Value::Array(entries) => entries
            .iter()
            .enumerate()
            .map(|(index, value)| (index.to_string(), value))
            .collect(),
        _ => Vec::new(),
    };
    let below = |(key, value): (String, &Value)| {
        let here = vec![key.clone()];
        let deeper = paths(value)
            .into_iter()
            .map(move |path| [vec![key.clone()], path].concat());
        std::iter::once(here).chain(deeper).collect::<Vec<_>>()
    };
    entries.into_iter().flat_map(below).collect()
}

fn remove(value: &mut Value, path: &[String]) {
    let [key, rest @ ..] = path else { return };
    match value {
        Value::Object(entries) if rest.is_empty() => drop(entries.remove(key)),
        Value::Object(entries) => remove(&mut entries[key], rest),
        Value::Array(entries) if rest.is_empty() => drop(entries.remove(key.parse().unwrap())),
        Value::Array(entries) => remove(&mut entries[key.parse::<usize>().unwrap()], rest),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::instance::instance;
    use super::*;

    #[test]
    fn what_does_not_matter_is_dropped() {
        let spot = |problem: &ProblemFile| {
            let shares = problem
                .services
                .iter()
                .map(|service| service.placement.spot_share_max);
            shares
                .into_iter()
                .any(|share| share == 0.0)
                .then(|| "no spot".to_owned())
        };
        let seed = (0..).find(|seed| spot(&instance(*seed)).is_some()).unwrap();
        let text = report(seed, &instance(seed), &spot);
        let smallest = ketscale_engine::problem::read(text.as_bytes(), "smallest.yaml").unwrap();
        assert!(
            text.starts_with(&format!("# seed {seed}: no spot")),
            "{text}"
        );
        assert_eq!(
            (
                smallest.services.len(),
                smallest.pools.len(),
                smallest.clusters.len()
            ),
            (1, 1, 1)
        );
        assert!(
            smallest.current.is_none() && smallest.daemonsets.is_empty(),
            "{text}"
        );
        assert!(
            smallest.services[0].load.is_none() && smallest.policy.caps.is_empty(),
            "{text}"
        );
    }
}
