//! From the bytes of `kubectl get … -o json` to typed objects.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::manifest::{Autoscaler, Budget, Claim, Metadata, Node, PersistentVolume, Pod, Workload};
use crate::problem::{InputErrors, Issue};

/// The command that makes a dump.
pub const COMMAND: &str = "kubectl get deploy,sts,ds,hpa,pdb,pvc,pv,nodes,pods -A -o json";

/// The objects of a dump by kind, each list ordered by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Dump {
    pub deployments: Vec<Workload>,
    pub stateful_sets: Vec<Workload>,
    pub daemon_sets: Vec<Workload>,
    pub replica_sets: Vec<Workload>,
    pub autoscalers: Vec<Autoscaler>,
    pub budgets: Vec<Budget>,
    pub claims: Vec<Claim>,
    pub volumes: Vec<PersistentVolume>,
    pub nodes: Vec<Node>,
    pub pods: Vec<Pod>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    kind: String,
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    metadata: Name,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Name {
    name: String,
    namespace: String,
}

/// Reads a dump. Objects of other kinds are skipped.
pub(super) fn read(bytes: &[u8], file: &str) -> Result<Dump, InputErrors> {
    let text = json_text(bytes).map_err(|message| refuse(file, "", None, message))?;
    let envelope: Envelope<'_> =
        serde_json::from_str(text).map_err(|error| syntax_error(file, text, &error))?;
    let items = match (envelope.kind.as_str(), envelope.items) {
        ("List", Some(items)) => items,
        ("List", None) => return Err(refuse(file, "items", None, "is missing".to_owned())),
        (kind, _) => return Err(refuse(file, "kind", None, not_a_list(kind))),
    };
    let (mut dump, mut seen, mut issues) = (Dump::default(), BTreeSet::new(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        if let Err(issue) = dump.add(index, item.get(), &mut seen, |line| {
            line_of(text, item.get()) + line.saturating_sub(1)
        }) {
            issues.push(issue);
        }
    }
    if issues.is_empty() {
        issues = dump.missing_kinds();
    }
    if !issues.is_empty() {
        return Err(InputErrors {
            file: file.to_owned(),
            issues,
        });
    }
    dump.sort();
    Ok(dump)
}

impl Dump {
    fn add(
        &mut self,
        index: usize,
        item: &str,
        seen: &mut BTreeSet<(String, String, String)>,
        absolute: impl Fn(usize) -> usize,
    ) -> Result<(), Issue> {
        let issue = |path: String, error: &serde_json::Error| Issue {
            path,
            line: Some(absolute(error.line())),
            message: plain_message(error),
        };
        let head: Head =
            serde_json::from_str(item).map_err(|error| issue(format!("items[{index}]"), &error))?;
        let Name { name, namespace } = head.metadata;
        let object = if namespace.is_empty() {
            name.clone()
        } else {
            format!("{namespace}/{name}")
        };
        let path = format!("items[{index}] ({} {object})", head.kind);
        let group = head
            .api_version
            .split_once('/')
            .map_or("", |(group, _)| group);
        let known = match (group, head.kind.as_str()) {
            ("apps" | "extensions", "Deployment") => push(&mut self.deployments, item),
            ("apps", "StatefulSet") => push(&mut self.stateful_sets, item),
            ("apps" | "extensions", "DaemonSet") => push(&mut self.daemon_sets, item),
            ("apps" | "extensions", "ReplicaSet") => push(&mut self.replica_sets, item),
            ("autoscaling" | "extensions", "HorizontalPodAutoscaler") => {
                push(&mut self.autoscalers, item)
            }
            ("policy" | "extensions", "PodDisruptionBudget") => push(&mut self.budgets, item),
            ("", "PersistentVolumeClaim") => push(&mut self.claims, item),
            ("", "PersistentVolume") => push(&mut self.volumes, item),
            ("", "Node") => push(&mut self.nodes, item),
            ("", "Pod") => push(&mut self.pods, item),
            _ => return Ok(()),
        };
        known.map_err(|error| issue(path.clone(), &error))?;
        let line = Some(absolute(1));
        if name.is_empty() {
            return Err(Issue {
                path,
                line,
                message: "has no metadata.name".to_owned(),
            });
        }
        if !seen.insert((head.kind, namespace, name)) {
            return Err(Issue {
                path,
                line,
                message: "appears twice in the dump".to_owned(),
            });
        }
        Ok(())
    }

    /// A plan needs nodes, pods and workloads; volumes where pods claim them. Anything else may truly be absent.
    fn missing_kinds(&self) -> Vec<Issue> {
        let mut missing = Vec::new();
        let mut require = |present: bool, kind: &str, why: &str| {
            missing.extend((!present).then(|| without(kind, why)));
        };
        require(
            !self.nodes.is_empty(),
            "Node",
            ": without nodes there is nothing to plan on",
        );
        require(
            !self.pods.is_empty(),
            "Pod",
            ": without pods nobody knows what runs where",
        );
        require(
            !(self.deployments.is_empty() && self.stateful_sets.is_empty()),
            "Deployment or StatefulSet",
            ": without them there is nothing to plan",
        );
        let owned_by = |kind: &str| {
            self.pods.iter().find(|pod| {
                pod.metadata
                    .controller()
                    .is_some_and(|owner| owner.kind == kind)
            })
        };
        for (kind, needs, present) in [
            ("ReplicaSet", "Deployment", !self.deployments.is_empty()),
            ("StatefulSet", "StatefulSet", !self.stateful_sets.is_empty()),
            ("DaemonSet", "DaemonSet", !self.daemon_sets.is_empty()),
        ] {
            if let (Some(pod), false) = (owned_by(kind), present) {
                require(
                    false,
                    needs,
                    &format!(
                        ", yet Pod {} is owned by a {kind}",
                        pod.metadata.full_name()
                    ),
                );
            }
        }
        missing.extend(self.missing_volumes());
        missing.dedup();
        missing
    }

    /// Claims that pods use, and volumes that claims are bound to.
    fn missing_volumes(&self) -> Vec<Issue> {
        let mut missing = Vec::new();
        let claims = |pod: &&Pod| {
            pod.spec
                .volumes
                .iter()
                .any(|volume| volume.persistent_volume_claim.is_some())
        };
        if let (Some(pod), true) = (self.pods.iter().find(claims), self.claims.is_empty()) {
            let why = format!(", yet Pod {} uses one", pod.metadata.full_name());
            missing.push(without("PersistentVolumeClaim", &why));
        }
        let mut claims = self.claims.iter();
        let bound = claims.find(|claim| !claim.spec.volume_name.is_empty());
        if let (Some(claim), true) = (bound, self.volumes.is_empty()) {
            let claim = claim.metadata.full_name();
            let why = format!(", yet PersistentVolumeClaim {claim} is bound to one");
            missing.push(without("PersistentVolume", &why));
        }
        missing
    }

    fn sort(&mut self) {
        let key = |metadata: &Metadata| (metadata.namespace.clone(), metadata.name.clone());
        for workloads in [
            &mut self.deployments,
            &mut self.stateful_sets,
            &mut self.daemon_sets,
            &mut self.replica_sets,
        ] {
            workloads.sort_by_key(|object| key(&object.metadata));
        }
        self.autoscalers.sort_by_key(|object| key(&object.metadata));
        self.budgets.sort_by_key(|object| key(&object.metadata));
        self.claims.sort_by_key(|object| key(&object.metadata));
        self.volumes.sort_by_key(|object| key(&object.metadata));
        self.nodes.sort_by_key(|object| key(&object.metadata));
        self.pods.sort_by_key(|object| key(&object.metadata));
    }
}

fn push<'a, T: Deserialize<'a>>(list: &mut Vec<T>, item: &'a str) -> Result<(), serde_json::Error> {
    list.push(serde_json::from_str(item)?);
    Ok(())
}

/// The text of a JSON file, or what the bytes are instead.
fn json_text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err("is UTF-16, as PowerShell's > writes it; write it with: … | Out-File -Encoding utf8 FILE".to_owned());
    }
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // A file cut inside a character is cut, not garbled: let the parser say so with its line.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or("")
        }
        Err(error) => return Err(format!("is not UTF-8 text (byte {})", error.valid_up_to())),
    };
    match text.trim_start().chars().next() {
        None => Err(format!("is empty; make the dump with: {COMMAND}")),
        Some('<') => Err(format!(
            "is HTML or XML, not JSON: did a proxy or a login page answer? Make the dump with: {COMMAND}"
        )),
        Some('{') => Ok(text),
        Some(_) => Err(format!(
            "is not a JSON object; make the dump with: {COMMAND}"
        )),
    }
}

fn syntax_error(file: &str, text: &str, error: &serde_json::Error) -> InputErrors {
    let message = if error.is_eof() {
        format!(
            "the JSON ends in the middle, after {} bytes: the dump was cut off",
            text.len()
        )
    } else {
        plain_message(error)
    };
    refuse(file, "", Some(error.line()), message)
}

/// The message without its position, which is reported apart.
fn plain_message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}

fn not_a_list(kind: &str) -> String {
    let found = if kind.is_empty() {
        "no kind".to_owned()
    } else {
        format!("kind {kind}")
    };
    format!("expected a List of objects, found {found}; make the dump with: {COMMAND}")
}

fn refuse(file: &str, path: &str, line: Option<usize>, message: String) -> InputErrors {
    let issues = vec![Issue {
        path: path.to_owned(),
        line,
        message,
    }];
    InputErrors {
        file: file.to_owned(),
        issues,
    }
}

/// Line of the text, counted from 1, on which a part of it begins.
fn line_of(text: &str, part: &str) -> usize {
    let offset = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count()
}

/// A kind that the dump must have and has not.
fn without(kind: &str, why: &str) -> Issue {
    Issue {
        path: "items".to_owned(),
        line: None,
        message: format!("the dump has no {kind}{why}; make it with: {COMMAND}"),
    }
}
