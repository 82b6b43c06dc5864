//! Checks what a problem means: names, references, ranges. Nothing here needs a catalogue, and everything is told at once.

mod fleet;
mod pool;
mod service;
pub(crate) mod value;

use std::collections::{BTreeMap, BTreeSet};

use super::document::{ProblemFile, SCHEMA};
use super::issue::{At, Issue, Mistakes, shown};

/// Longest name, as Kubernetes allows for a qualified one.
const MAX_NAME_BYTES: usize = 253;

/// Every mistake in the meaning of a problem, also of one made in code; `line` is `None` throughout.
pub fn validate(problem: &ProblemFile) -> Vec<Issue> {
    mistakes(problem).into_issues(&[])
}

/// As [`validate`], with places that lines can be looked up for.
pub(super) fn mistakes(problem: &ProblemFile) -> Mistakes {
    let mut mistakes = Mistakes::default();
    let known = Known::of(problem);
    let top = At::Top;
    if problem.schema != SCHEMA {
        mistakes.add(
            &top.key("schema"),
            format!("\"{}\" is not {SCHEMA}", shown(&problem.schema)),
        );
    }
    name(&mut mistakes, &top.key("name"), &problem.name);
    value::positive(
        &mut mistakes,
        &top.key("horizon_hours"),
        problem.horizon_hours,
    );
    fleet::clusters(&mut mistakes, problem);
    service::services(&mut mistakes, problem, &known);
    pool::pools(&mut mistakes, problem, &known);
    fleet::daemonsets(&mut mistakes, problem, &known);
    fleet::current(&mut mistakes, problem, &known);
    fleet::policy(&mut mistakes, problem, &known);
    mistakes
}

/// What references may name.
struct Known<'a> {
    clusters: BTreeSet<&'a str>,
    services: BTreeMap<&'a str, &'a super::Service>,
    pools: BTreeMap<&'a str, KnownPool<'a>>,
    instance_types: BTreeSet<&'a str>,
    zones: BTreeSet<&'a str>,
    /// Zones of the offerings of each cluster.
    cluster_zones: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

struct KnownPool<'a> {
    cluster: &'a str,
    offerings: BTreeMap<String, &'a super::Offering>,
}

impl<'a> Known<'a> {
    fn of(problem: &'a ProblemFile) -> Self {
        let offerings = || problem.pools.iter().flat_map(|pool| &pool.offerings);
        let mut cluster_zones: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for pool in &problem.pools {
            let zones = pool.offerings.iter().map(|offering| offering.zone.as_str());
            cluster_zones
                .entry(&pool.cluster)
                .or_default()
                .extend(zones);
        }
        Self {
            clusters: problem
                .clusters
                .iter()
                .map(|cluster| cluster.name.as_str())
                .collect(),
            services: problem
                .services
                .iter()
                .map(|service| (service.name.as_str(), service))
                .collect(),
            pools: (problem.pools.iter())
                .map(|pool| {
                    let offerings = pool
                        .offerings
                        .iter()
                        .map(|offering| (offering.name(), offering))
                        .collect();
                    (
                        pool.name.as_str(),
                        KnownPool {
                            cluster: &pool.cluster,
                            offerings,
                        },
                    )
                })
                .collect(),
            instance_types: offerings()
                .map(|offering| offering.instance_type.as_str())
                .collect(),
            zones: offerings().map(|offering| offering.zone.as_str()).collect(),
            cluster_zones,
        }
    }

    fn cluster(&self, mistakes: &mut Mistakes, at: &At<'_>, name: &str) {
        exists(mistakes, at, "cluster", name, &self.clusters);
    }

    /// The offering that a pool and an offering name stand for; tells what does not exist.
    fn offering(
        &self,
        mistakes: &mut Mistakes,
        at: &At<'_>,
        pool: &str,
        offering: &str,
    ) -> Option<&'a super::Offering> {
        let Some(known) = self.pools.get(pool) else {
            let near = mistakes.suggestion(pool, self.pools.keys().copied());
            mistakes.add(
                &at.key("pool"),
                format!("no pool is named {}{near}", shown(pool)),
            );
            return None;
        };
        let found = known.offerings.get(offering).copied();
        if found.is_none() {
            let near = mistakes.suggestion(offering, known.offerings.keys().map(String::as_str));
            let message = format!(
                "pool {} has no offering {}; expected type/zone/capacity_type of one of its offerings{near}",
                shown(pool),
                shown(offering)
            );
            mistakes.add(&at.key("offering"), message);
        }
        found
    }
}

/// Tells when `name` is not among `known` things of a kind.
fn exists(mistakes: &mut Mistakes, at: &At<'_>, kind: &str, name: &str, known: &BTreeSet<&str>) {
    if !known.contains(name) {
        let near = mistakes.suggestion(name, known.iter().copied());
        mistakes.add(at, format!("no {kind} is named {}{near}", shown(name)));
    }
}

/// A name of something: not empty, of bounded length, printable.
fn name(mistakes: &mut Mistakes, at: &At<'_>, name: &str) {
    if name.trim().is_empty() {
        mistakes.add(at, "is empty; expected a name");
    } else if name.len() > MAX_NAME_BYTES {
        mistakes.add(
            at,
            format!(
                "has {} bytes; a name has at most {MAX_NAME_BYTES}",
                name.len()
            ),
        );
    } else if name.chars().any(char::is_control) {
        mistakes.add(at, format!("\"{}\" holds control characters", shown(name)));
    } else if name.trim() != name {
        mistakes.add(
            at,
            format!("\"{}\" begins or ends with a blank", shown(name)),
        );
    }
}

/// The names of a list's entries: each one good, and unlike those before it.
fn names<'a>(
    mistakes: &mut Mistakes,
    list: &At<'_>,
    kind: &str,
    all: impl IntoIterator<Item = &'a str>,
) {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, entry) in all.into_iter().enumerate() {
        let at = list.named(index, entry);
        name(mistakes, &at.key("name"), entry);
        if let Some(other) = first.get(entry) {
            let message = format!(
                "{} is also the name of {kind} {} of the list; names are unique",
                shown(entry),
                other + 1
            );
            mistakes.add(&at.key("name"), message);
        } else {
            first.insert(entry, index);
        }
    }
}

fn not_empty(mistakes: &mut Mistakes, at: &At<'_>, what: &str, empty: bool) {
    if empty {
        mistakes.add(at, format!("is empty; expected at least one {what}"));
    }
}

/// Tells of entries of a list that stand in it before.
fn no_repeats<'a>(
    mistakes: &mut Mistakes,
    list: &At<'_>,
    entries: impl IntoIterator<Item = &'a str>,
) {
    let mut seen = BTreeSet::new();
    for (index, entry) in entries.into_iter().enumerate() {
        if !seen.insert(entry) {
            mistakes.add(
                &list.item(index),
                format!("{} stands in the list twice", shown(entry)),
            );
        }
    }
}
