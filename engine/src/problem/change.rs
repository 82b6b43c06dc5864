//! A problem with values changed and entries left out, addressed as messages address them: what if?
//!
//! A path follows keys and names: `services.shop/cart.load.rps`, `pools.general.offerings.m6i.large/us-east-1a/spot`. Names may
//! hold dots, so the longest one that matches counts. Entries without a name go by their position, `taints[0]`.

use std::collections::BTreeSet;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::document::{Cap, ProblemFile};
use super::issue::{InputErrors, Issue, Place, Step, entry_name, path_of, shown, suggestion};
use super::read;
use super::write::USERS_MAPS;

/// Most names that a message lists where none is near.
const MOST_LISTED: usize = 8;

/// A value to set: `PATH=VALUE`, the value as in a problem file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Where.
    pub path: String,
    /// The value as YAML: `900`, `250m`, `[amd64, arm64]`; `null` is an optional key left out.
    pub value: String,
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((path, value)) if !path.trim().is_empty() && !value.trim().is_empty() => {
                Ok(Self {
                    path: path.trim().to_owned(),
                    value: value.trim().to_owned(),
                })
            }
            _ => Err("expected PATH=VALUE, such as services.shop/cart.load.rps=900".to_owned()),
        }
    }
}

/// What to change; first all is set, then all is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Values to set.
    pub set: Vec<Setting>,
    /// Paths of list entries or optional keys to leave out. What hangs on an entry goes with it: the nodes of a pool or an
    /// offering, the pods of a service, and mentions in caps, commitments and anti-affinity.
    pub without: Vec<String>,
}

impl Changes {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty() && self.without.is_empty()
    }

    /// Whether a value of the problem is changed, or is inside something that is.
    pub fn concern(&self, path: &str) -> bool {
        let paths = self.set.iter().map(|setting| &setting.path);
        paths.chain(&self.without).any(|changed| {
            path.strip_prefix(changed.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// The changed problem, checked as a file is.
    ///
    /// # Errors
    /// Every path that leads nowhere and every value that is no YAML, with what there is; where all can be applied, every mistake of
    /// the problem that results.
    pub fn apply(&self, problem: &ProblemFile, file: &str) -> Result<ProblemFile, InputErrors> {
        let mut document = serde_json::to_value(problem).unwrap_or_default();
        let set = self.set.iter().filter_map(|setting| {
            let refusal = set(&mut document, setting).err()?;
            Some(issue(format!("--set {}", setting.path), refusal))
        });
        let mut issues: Vec<Issue> = set.collect();
        let mut places: Vec<Place> = Vec::new();
        for path in &self.without {
            match existing(&document, path) {
                Ok(place) if places.contains(&place) => {}
                Ok(place) => places.push(place),
                Err(refusal) => issues.push(issue(format!("--without {path}"), refusal)),
            }
        }
        if issues.is_empty() {
            return left_out(document, places).map_err(|issues| InputErrors {
                file: format!("{file} as changed"),
                issues,
            });
        }
        Err(InputErrors {
            file: file.to_owned(),
            issues,
        })
    }
}

fn issue(path: String, message: String) -> Issue {
    Issue {
        path,
        line: None,
        message,
    }
}

/// Sets one value; keys on the way that are left out are put in, and the schema says later whether they may be.
fn set(document: &mut Value, setting: &Setting) -> Result<(), String> {
    let value = read::parse(&setting.value).map_err(|issue| issue.message)?;
    let (place, rest) = follow(document, &setting.path);
    let missing = missing(document, &place, rest);
    let is_users =
        matches!(place.last(), Some(Step::Key(key)) if USERS_MAPS.contains(&key.as_str()));
    let mut target = at(document, &place).ok_or_else(|| missing.clone())?;
    let mut rest = rest;
    while !rest.is_empty() {
        let Value::Object(entries) = target else {
            return Err(missing);
        };
        // Resources, labels and the like may have dots in their keys.
        let (key, further) = match rest.split_once('.') {
            Some((key, further)) if !is_users => (key, further),
            _ => (rest, ""),
        };
        target = entries
            .entry(key)
            .or_insert_with(|| Value::Object(Map::new()));
        rest = further;
    }
    *target = value;
    Ok(())
}

/// The place of a path that leads to something.
fn existing(document: &Value, path: &str) -> Result<Place, String> {
    let (place, rest) = follow(document, path);
    if rest.is_empty() && !place.is_empty() {
        Ok(place)
    } else {
        Err(missing(document, &place, rest))
    }
}

/// Follows a path as far as there is something, and gives what is left of it.
fn follow<'p>(document: &Value, path: &'p str) -> (Place, &'p str) {
    let (mut place, mut value, mut rest) = (Place::new(), document, path);
    while let Some((name, step, inner)) = longest(value, rest) {
        place.push(step);
        value = inner;
        rest = rest.get(name.len()..).unwrap_or_default();
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
    (place, rest)
}

/// The entry with the longest name that a path begins with.
fn longest<'v>(value: &'v Value, path: &str) -> Option<(String, Step, &'v Value)> {
    let begins = |name: &String| {
        path.strip_prefix(name.as_str())
            .is_some_and(|after| after.is_empty() || after.starts_with(['.', '[']))
    };
    let entries = entries(value);
    let matching = entries.filter(|(name, ..)| !name.is_empty() && begins(name));
    matching.max_by_key(|(name, ..)| name.len())
}

/// What a mapping or a list holds, with the name of each entry.
fn entries(value: &Value) -> impl Iterator<Item = (String, Step, &Value)> {
    let keys = value.as_object().into_iter().flatten();
    let keys = keys.map(|(key, value)| (key.clone(), Step::Key(key.clone()), value));
    let items = value.as_array().into_iter().flatten().enumerate();
    let items = items.map(|(index, item)| {
        let name = entry_name(item);
        let step = Step::Item(index, name.clone().unwrap_or_default());
        (name.unwrap_or_else(|| format!("[{index}]")), step, item)
    });
    keys.chain(items)
}

fn at<'v>(document: &'v mut Value, place: &[Step]) -> Option<&'v mut Value> {
    place.iter().try_fold(document, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Item(index, _) => value.get_mut(index),
    })
}

/// Why what is left of a path leads nowhere, with what there is instead.
fn missing(document: &Value, place: &[Step], rest: &str) -> String {
    let value = place.iter().try_fold(document, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Item(index, _) => value.get(index),
    });
    let names: Vec<String> = value
        .into_iter()
        .flat_map(entries)
        .map(|(name, ..)| name)
        .collect();
    let whole = if place.is_empty() {
        "the problem".to_owned()
    } else {
        path_of(place)
    };
    if names.is_empty() {
        return format!("{whole} has nothing inside, so there is no {}", shown(rest));
    }
    // Names may hold dots: any beginning of what is left could have been meant.
    let ends = rest.match_indices('.').map(|(end, _)| end);
    let meant = ends.chain([rest.len()]).filter_map(|end| rest.get(..end));
    let near = meant
        .map(|word| suggestion(word, names.iter().map(String::as_str)))
        .find(|near| !near.is_empty());
    let wanted = rest.split('.').next().unwrap_or_default();
    match near {
        Some(near) => format!("{whole} has no {}{near}", shown(wanted)),
        None => format!(
            "{whole} has no {}; it has {}",
            shown(wanted),
            listed(&names)
        ),
    }
}

fn listed(names: &[String]) -> String {
    let mut shown: Vec<String> = names
        .iter()
        .take(MOST_LISTED)
        .map(|name| shown(name))
        .collect();
    if names.len() > MOST_LISTED {
        shown.push(format!("{} more", names.len() - MOST_LISTED));
    }
    shown.join(", ")
}

/// The document without what is at these places, and without what hangs on it.
fn left_out(mut document: Value, mut places: Vec<Place>) -> Result<ProblemFile, Vec<Issue>> {
    // From the inside out and from the end of a list, so that the places stay right.
    places.sort_by_key(|place| {
        let index = match place.last() {
            Some(Step::Item(index, _)) => *index,
            _ => 0,
        };
        std::cmp::Reverse((place.len(), index))
    });
    let offered = serde_json::from_value(document.clone())
        .map_or_else(|_| Offered::default(), |problem| Offered::of(&problem));
    for place in &places {
        remove(&mut document, place);
    }
    if let Ok(mut problem) = serde_json::from_value::<ProblemFile>(document.clone())
        && !places.is_empty()
    {
        places.iter().for_each(|place| forget(&mut problem, place));
        forget_offered(&mut problem, &offered);
        document = serde_json::to_value(problem).unwrap_or(document);
    }
    read::check(document).map_err(|mistakes| mistakes.into_issues(&[]))
}

fn remove(document: &mut Value, place: &[Step]) {
    let Some((last, parents)) = place.split_last() else {
        return;
    };
    match (at(document, parents), last) {
        (Some(Value::Object(entries)), Step::Key(key)) => {
            entries.remove(key);
        }
        (Some(Value::Array(items)), Step::Item(index, _)) if *index < items.len() => {
            items.remove(*index);
        }
        _ => {}
    }
}

/// Takes out what hangs on an entry that is gone.
fn forget(problem: &mut ProblemFile, gone: &[Step]) {
    let [Step::Key(list), Step::Item(_, name), inside @ ..] = gone else {
        return;
    };
    match (list.as_str(), inside) {
        ("clusters", []) => forget_cluster(problem, name),
        ("pools", []) => forget_pool(problem, name),
        ("pools", [Step::Key(key), Step::Item(_, offering)]) if key == "offerings" => {
            forget_nodes(problem, |pool, of| pool == name && of == offering);
        }
        ("services", []) => {
            for service in &mut problem.services {
                service
                    .placement
                    .anti_affinity
                    .retain(|other| other != name);
            }
            for node in problem.current.iter_mut().flat_map(|now| &mut now.nodes) {
                node.pods.remove(name);
            }
        }
        _ => {}
    }
}

fn forget_cluster(problem: &mut ProblemFile, name: &str) {
    let of_cluster = problem.pools.iter().filter(|pool| pool.cluster == name);
    let pools: Vec<String> = of_cluster.map(|pool| pool.name.clone()).collect();
    problem.pools.retain(|pool| pool.cluster != name);
    pools.iter().for_each(|pool| forget_pool(problem, pool));
    for service in &mut problem.services {
        service.clusters.remove(name);
    }
    problem
        .daemonsets
        .retain_mut(|daemonset| keeps_any(&mut daemonset.clusters, |cluster| cluster != name));
    let caps = &mut problem.policy.caps;
    caps.retain_mut(|cap| keeps_any(&mut cap.clusters, |cluster| cluster != name));
}

fn forget_pool(problem: &mut ProblemFile, name: &str) {
    forget_nodes(problem, |pool, _| pool == name);
    let caps = &mut problem.policy.caps;
    caps.retain_mut(|cap| keeps_any(&mut cap.pools, |pool| pool != name));
}

/// Takes out nodes and commitments, by pool and offering.
fn forget_nodes(problem: &mut ProblemFile, is_gone: impl Fn(&str, &str) -> bool) {
    if let Some(current) = &mut problem.current {
        current
            .nodes
            .retain(|node| !is_gone(&node.pool, &node.offering));
    }
    let commitments = &mut problem.policy.commitments;
    commitments.retain(|bought| !is_gone(&bought.pool, &bought.offering));
}

/// Instance types and zones that some pool buys.
#[derive(Default)]
struct Offered {
    instance_types: BTreeSet<String>,
    zones: BTreeSet<String>,
}

impl Offered {
    fn of(problem: &ProblemFile) -> Self {
        let offerings = || problem.pools.iter().flat_map(|pool| &pool.offerings);
        Self {
            instance_types: offerings().map(|o| o.instance_type.clone()).collect(),
            zones: offerings().map(|o| o.zone.clone()).collect(),
        }
    }
}

/// Takes out of caps what was bought before and is no longer; a cap that then selects nothing goes.
fn forget_offered(problem: &mut ProblemFile, before: &Offered) {
    let now = Offered::of(problem);
    let stays = |before: &BTreeSet<String>, now: &BTreeSet<String>, name: &str| {
        now.contains(name) || !before.contains(name)
    };
    problem.policy.caps.retain_mut(|cap: &mut Cap| {
        keeps_any(&mut cap.instance_types, |name| {
            stays(&before.instance_types, &now.instance_types, name)
        }) && keeps_any(&mut cap.zones, |name| {
            stays(&before.zones, &now.zones, name)
        })
    });
}

/// Shortens a list that narrows a selection; false when nothing is left of it. Without a list everything is selected.
fn keeps_any(list: &mut Option<Vec<String>>, stays: impl Fn(&str) -> bool) -> bool {
    let Some(names) = list else { return true };
    let had_any = !names.is_empty();
    names.retain(|name| stays(name));
    !(had_any && names.is_empty())
}
