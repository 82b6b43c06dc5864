//! From `kubectl get … -A -o json` to a problem file.
//!
//! The dump says what runs where, what it requests and what binds it; it does not say loads, prices, limits of pools or what an
//! eviction costs. What is missing is assumed and says so ([`Translation::comments`]); a rule that a problem file cannot state is
//! listed ([`Translation::untranslated`]), and where breaking it would break the plan, the workload is left where it is.
//!
//! [`list`] reads the objects, [`census`] sorts the pods by owner; then [`service`], [`daemons`], [`pool`] and [`current`] write
//! one part of the file each. Choices worth knowing:
//!
//! - Requests are the scheduler's: init containers, sidecars, overhead and pod-level resources counted ([`request`]).
//! - Workloads of `kube-system` without a PodDisruptionBudget are observed, as Cluster Autoscaler does not move them either.
//! - Pods without a controller, of Jobs and of owners that are not planned are foreign: they stay, and so do their nodes.
//! - Static pods that every node of some pools has are taken as a daemonset, for new nodes of those pools will have them too.
//! - Karpenter's pools may also buy the next sizes of the families that they run; managed node groups have one type.

mod budget;
mod census;
mod constraints;
mod current;
mod daemons;
mod demand;
mod labels;
mod list;
mod manifest;
mod node;
mod node_affinity;
mod notes;
mod offering;
mod pool;
mod request;
mod service;
mod volume;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

pub use list::COMMAND;
pub use yaml::to_yaml;

use crate::catalogue::Catalogue;
use crate::problem::{Cluster, Comments, InputErrors, Policy, ProblemFile, SCHEMA};
use daemons::Daemon;
use node::NodeFacts;
use notes::Notes;
use pool::Group;
use service::{Draft, Scene};
use volume::Volumes;

/// A problem made from a dump, with what must be said about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Translation {
    /// The problem; it passes [`crate::problem::validate`].
    pub problem: ProblemFile,
    /// Reasons of assumed values.
    pub comments: Comments,
    /// Rules that could not be translated, each naming object and field, and what was left out.
    pub untranslated: Vec<String>,
}

/// What a dump does not say and the caller knows.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// Name of the cluster. Default: what node labels say, else `cluster`.
    pub cluster_name: Option<String>,
    /// Prices and sizes; the built-in catalogue or one extended by a price file. Prices that the built-in catalogue does not have
    /// are written into the problem, so that it stands alone.
    pub catalogue: &'a Catalogue,
    /// USD of one eviction, written for every service as an assumption.
    pub usd_per_eviction: f64,
    /// Seconds from ordering a node to its being ready, written for every pool as an assumption.
    pub startup_seconds: f64,
}

impl<'a> Options<'a> {
    /// Defaults: 0.01 USD an eviction, 90 seconds for a node to start.
    pub fn new(catalogue: &'a Catalogue) -> Self {
        Self {
            cluster_name: None,
            catalogue,
            usd_per_eviction: 0.01,
            startup_seconds: 90.0,
        }
    }
}

/// Translates a dump. `file` is its name in messages.
///
/// # Errors
///
/// What is no dump (with the line where JSON is the reason), kinds that are missing from it, bad quantities and bounds, and running
/// nodes whose price nobody knows; all that can be told at once.
pub fn translate(
    dump: &[u8],
    file: &str,
    options: &Options<'_>,
) -> Result<Translation, InputErrors> {
    let dump = list::read(dump, file)?;
    let mut notes = Notes::default();
    let nodes = node::identify(&dump, &mut notes);
    let problem = if nodes.is_empty() {
        None
    } else {
        Some(build(&dump, &nodes, options, &mut notes))
    };
    let Notes {
        comments,
        untranslated,
        mut issues,
    } = notes;
    match problem {
        Some(problem) if issues.is_empty() => {
            let invalid = crate::problem::validate(&problem);
            if invalid.is_empty() {
                return Ok(Translation {
                    problem,
                    comments,
                    untranslated,
                });
            }
            issues = invalid;
        }
        _ => {}
    }
    Err(InputErrors {
        file: file.to_owned(),
        issues,
    })
}

fn build(
    dump: &list::Dump,
    nodes: &[NodeFacts<'_>],
    options: &Options<'_>,
    notes: &mut Notes,
) -> ProblemFile {
    let cluster = cluster(nodes, options, notes);
    let mut census = census::take(dump, nodes, notes);
    let volumes = Volumes::new(dump, nodes);
    let daemons = daemons::translate(dump, &mut census, nodes, notes);
    let scene = Scene {
        dump,
        cluster: &cluster.name,
        nodes,
        volumes: &volumes,
        options,
    };
    let mut drafts = service::translate(&scene, &census, notes);
    let foreign = current::foreign(&census, nodes.len(), notes);
    let free: Vec<request::Amounts> = nodes
        .iter()
        .map(|node| node.allocatable.less(&daemons::on_node(&daemons, node)))
        .collect();
    service::drop_homeless(&mut drafts, nodes, &free, notes);
    if drafts.is_empty() {
        notes.issue(
            "items",
            "no Deployment or StatefulSet with replicas that a node of the dump would take",
        );
    }
    let requests = drafts
        .iter()
        .map(|draft| &draft.request)
        .chain(daemons.iter().map(|daemon| &daemon.request));
    let extended = demand::extended(requests.chain(foreign.iter().map(|foreign| &foreign.sum)));
    let groups = pool::group(
        nodes,
        &cluster,
        &asked_labels(&drafts, &daemons),
        &extended,
        options,
        notes,
    );
    let current = current::translate(nodes, &groups, &census, &drafts, &foreign, &volumes, notes);
    ProblemFile {
        schema: SCHEMA.to_owned(),
        name: cluster.name.clone(),
        synthetic: false,
        horizon_hours: 1.0,
        clusters: vec![cluster],
        services: drafts.into_iter().map(|draft| draft.service).collect(),
        pools: groups.into_iter().map(|Group { pool, .. }| pool).collect(),
        daemonsets: daemons.into_iter().map(|daemon| daemon.daemonset).collect(),
        current: Some(current),
        policy: Policy::default(),
    }
}

/// Labels of nodes that somebody selects by.
fn asked_labels(drafts: &[Draft], daemons: &[Daemon]) -> BTreeSet<String> {
    let services = drafts
        .iter()
        .flat_map(|draft| draft.service.placement.selector.keys());
    services
        .chain(
            daemons
                .iter()
                .flat_map(|daemon| daemon.daemonset.selector.keys()),
        )
        .cloned()
        .collect()
}

/// The cluster: provider and region of most of its nodes.
fn cluster(nodes: &[NodeFacts<'_>], options: &Options<'_>, notes: &mut Notes) -> Cluster {
    let mut counts = BTreeMap::new();
    for node in nodes {
        *counts
            .entry((node.provider, node.region.as_str()))
            .or_insert(0_usize) += 1;
    }
    if counts.len() > 1 {
        let places: Vec<String> = counts
            .keys()
            .map(|(provider, region)| format!("{provider} {region}"))
            .collect();
        notes.issue(
            "items",
            format!(
                "the nodes are in several regions ({}); a cluster of a problem file is in one",
                places.join(", ")
            ),
        );
    }
    let (provider, region) = counts
        .keys()
        .next()
        .copied()
        .unwrap_or((crate::problem::Provider::Other, "default"));
    let name = options.cluster_name.clone().unwrap_or_else(|| {
        let labels = [
            "alpha.eksctl.io/cluster-name",
            "kubernetes.azure.com/cluster",
            "karpenter.sh/cluster-name",
        ];
        let by_label = nodes
            .iter()
            .find_map(|node| labels.iter().find_map(|key| node.labels.get(*key)));
        let reason = "a dump does not name its cluster";
        by_label.cloned().unwrap_or_else(|| {
            notes.assume("clusters.cluster", reason);
            "cluster".to_owned()
        })
    });
    if nodes
        .iter()
        .any(|node| node.assumed.iter().any(|(field, _)| *field == "region"))
    {
        notes.assume(
            format!("clusters.{name}.region"),
            "the nodes have no region label",
        );
    }
    Cluster {
        name,
        provider,
        region: region.to_owned(),
    }
}
