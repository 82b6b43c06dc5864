//! Deployments and StatefulSets as services.

use std::collections::{BTreeMap, BTreeSet};

use super::Options;
use super::budget;
use super::census::{Candidate, Census};
use super::constraints::{self, Constraints, Surroundings};
use super::demand;
use super::labels::ZONE;
use super::list::Dump;
use super::manifest::Autoscaler;
use super::node::NodeFacts;
use super::node_affinity::{narrow, to_selector};
use super::notes::Notes;
use super::request::Amounts;
use super::volume::{Reach, Volumes};
use crate::problem::{
    Disruption, Mode, ReplicaBounds, Service, Taint, TaintEffect, Toleration, TolerationOperator,
    WorkloadKind,
};

/// Most replicas that a problem file may state for a service.
const MOST_REPLICAS: u32 = 10_000;

/// A service with what is needed to see where it fits.
pub(super) struct Draft {
    pub service: Service,
    pub request: Amounts,
    /// What messages call it, such as `Deployment shop/cart`.
    pub object: String,
    /// True when none of its pods is on a node.
    pub unplaced: bool,
}

/// Everything that the services of one cluster are translated with.
pub(super) struct Scene<'a> {
    pub dump: &'a Dump,
    pub cluster: &'a str,
    pub nodes: &'a [NodeFacts<'a>],
    pub volumes: &'a Volumes<'a>,
    pub options: &'a Options<'a>,
}

/// The services, in the order of the census.
pub(super) fn translate(scene: &Scene<'_>, census: &Census<'_>, notes: &mut Notes) -> Vec<Draft> {
    let peers = census.peers();
    let around = Surroundings {
        nodes: scene.nodes,
        peers: &peers,
    };
    let planned = census
        .candidates
        .iter()
        .filter(|candidate| candidate.left_out.is_none());
    planned
        .map(|candidate| draft(scene, census, candidate, &around, notes))
        .collect()
}

fn draft(
    scene: &Scene<'_>,
    census: &Census<'_>,
    candidate: &Candidate<'_>,
    around: &Surroundings<'_>,
    notes: &mut Notes,
) -> Draft {
    let (object, path) = (candidate.object(), format!("services.{}", candidate.name));
    let request = demand::of_workload(&path, &object, candidate.workload, &candidate.pods, notes);
    let request = demand::at_least_something(&path, request, notes);
    let mut constraints = constraints::translate(candidate, around);
    let zonal_volumes = volumes(scene, candidate, &mut constraints);
    report(&object, &path, &constraints, notes);
    let bounds = bounds(
        scene.dump,
        candidate,
        &path,
        constraints.most_replicas,
        notes,
    );
    let budgets = budget::covering(candidate, scene.dump);
    let mode = mode(candidate, &path, &constraints, !budgets.is_empty(), notes);
    let max_unavailable = budget::max_unavailable(candidate, &budgets, &census.candidates, notes);
    notes.assume(
        format!("{path}.disruption.usd_per_eviction"),
        "a dump does not say what an eviction costs",
    );
    let mut placement = constraints.placement;
    placement.selector = to_selector(constraints.values);
    placement.zonal_volumes = zonal_volumes;
    placement
        .architectures
        .retain(|architecture| ["amd64", "arm64"].contains(&architecture.as_str()));
    if !constraints.states_architectures {
        placement.architectures = architectures(scene.nodes, candidate);
        let assumed = "those of the nodes that its pods run on";
        notes.assume(format!("{path}.placement.architectures"), assumed);
    }
    let service = Service {
        name: candidate.name.clone(),
        kind: candidate.kind,
        mode,
        clusters: BTreeMap::from([(scene.cluster.to_owned(), bounds)]),
        requests: request.to_resources(),
        load: None,
        capacity: None,
        slo: None,
        placement,
        disruption: Disruption {
            max_unavailable,
            usd_per_eviction: scene.options.usd_per_eviction,
        },
        ready_seconds: 0.0,
        priority: priority(candidate),
    };
    Draft {
        service,
        request,
        object,
        unplaced: candidate.pods.iter().all(|pod| pod.node.is_none()),
    }
}

/// Priorities are resolved on pods; a template has the name of a class only.
fn priority(candidate: &Candidate<'_>) -> i32 {
    let pods = candidate
        .pods
        .iter()
        .find_map(|live| live.pod.spec.priority);
    pods.or(candidate.workload.spec.template.spec.priority)
        .unwrap_or(0)
}

fn report(object: &str, path: &str, constraints: &Constraints, notes: &mut Notes) {
    for rule in &constraints.binding {
        notes.untranslated(format!(
            "{object}: {rule}; its pods are left where they are (mode observe)"
        ));
    }
    for preference in &constraints.preferences {
        notes.untranslated(format!(
            "{object}: {preference}, a preference that plans do not weigh"
        ));
    }
    for (key, reason) in &constraints.stricter {
        notes.assume(format!("{path}.placement.{key}"), reason);
    }
}

fn mode(
    candidate: &Candidate<'_>,
    path: &str,
    constraints: &Constraints,
    has_budget: bool,
    notes: &mut Notes,
) -> Mode {
    if !constraints.binding.is_empty() {
        let rules = if constraints.binding.len() == 1 {
            "a rule"
        } else {
            "rules"
        };
        notes.assume(
            format!("{path}.mode"),
            format!("{rules} on its pods could not be translated, see the top of this file"),
        );
        return Mode::Observe;
    }
    // Cluster Autoscaler's rule (skip-nodes-with-system-pods): system pods are moved only where a budget says how.
    if candidate.workload.metadata.namespace == "kube-system" && !has_budget {
        notes.assume(
            format!("{path}.mode"),
            "autoscalers do not move pods of kube-system without a PodDisruptionBudget",
        );
        return Mode::Observe;
    }
    Mode::Recommend
}

fn bounds(
    dump: &Dump,
    candidate: &Candidate<'_>,
    path: &str,
    most: Option<u32>,
    notes: &mut Notes,
) -> ReplicaBounds {
    let now = candidate.desired();
    let path = format!("{path}.clusters");
    let metadata = &candidate.workload.metadata;
    let targets = |autoscaler: &&Autoscaler| {
        let target = &autoscaler.spec.scale_target_ref;
        autoscaler.metadata.namespace == metadata.namespace
            && target.kind == candidate.kind_name()
            && target.name == metadata.name
    };
    let Some(autoscaler) = dump.autoscalers.iter().find(targets) else {
        notes.assume(path, "no HorizontalPodAutoscaler: as many replicas as now");
        return ReplicaBounds {
            min: now,
            max: now,
            now: Some(now),
        };
    };
    let (min, max) = (
        autoscaler.spec.min_replicas.unwrap_or(1),
        autoscaler.spec.max_replicas,
    );
    if min > max {
        let object = format!(
            "HorizontalPodAutoscaler {}",
            autoscaler.metadata.full_name()
        );
        notes.issue(
            object,
            format!("spec.minReplicas {min} is above spec.maxReplicas {max}"),
        );
    }
    let mut bounds = ReplicaBounds {
        min: min.min(now),
        max: max.max(now),
        now: Some(now),
    };
    if (bounds.min, bounds.max) != (min, max) {
        notes.assume(
            &path,
            format!("the autoscaler's bounds {min} to {max}, widened to hold the replicas now"),
        );
    }
    for (limit, why) in [
        (most, "its own pods keep apart by zone"),
        (Some(MOST_REPLICAS), "no file may state more"),
    ] {
        if let Some(limit) = limit
            .map(|limit| limit.max(now))
            .filter(|limit| *limit < bounds.max)
        {
            notes.assume(&path, format!("max lowered from {}: {why}", bounds.max));
            bounds.max = limit;
        }
    }
    bounds.min = bounds.min.min(bounds.max);
    bounds
}

fn architectures(nodes: &[NodeFacts<'_>], candidate: &Candidate<'_>) -> Vec<String> {
    let of = |index: usize| nodes.get(index).map(|node| node.architecture.clone());
    let running: BTreeSet<String> = candidate
        .pods
        .iter()
        .filter_map(|live| of(live.node?))
        .collect();
    let all: BTreeSet<String> = nodes.iter().map(|node| node.architecture.clone()).collect();
    let found = if running.is_empty() { all } else { running };
    found.into_iter().collect()
}

/// Zones of a StatefulSet's volumes by ordinal; other volumes narrow the selector.
fn volumes(
    scene: &Scene<'_>,
    candidate: &Candidate<'_>,
    constraints: &mut Constraints,
) -> BTreeMap<String, String> {
    let (spec, namespace) = (
        &candidate.workload.spec,
        candidate.workload.metadata.namespace.as_str(),
    );
    for (claim, reach) in scene.volumes.of_pod(namespace, &spec.template.spec) {
        match reach {
            Reach::Zones(zones) => narrow(&mut constraints.values, ZONE, zones.clone()),
            Reach::Unknown => constraints.binding.push(format!(
                "volume claim {claim}: it or its volume is not in the dump"
            )),
            // Nodes with local volumes are held one by one.
            Reach::Anywhere | Reach::Nodes => {}
        }
    }
    let mut by_ordinal = BTreeMap::new();
    if candidate.kind == WorkloadKind::StatefulSet {
        let first = spec.ordinals.as_ref().map_or(0, |ordinals| ordinals.start);
        for ordinal in 0..candidate.desired().min(MOST_REPLICAS) {
            for template in &spec.volume_claim_templates {
                let number = u64::from(first) + u64::from(ordinal);
                let claim = format!(
                    "{}-{}-{number}",
                    template.metadata.name, candidate.workload.metadata.name
                );
                let reach = scene.volumes.of_claim(namespace, &claim);
                if let Some(zone) = claim_zone(scene, &claim, reach, constraints) {
                    by_ordinal.insert(ordinal.to_string(), zone);
                }
            }
        }
    }
    by_ordinal
}

/// The one zone of a claim that a StatefulSet's pod owns; a claim that does not exist yet is free.
fn claim_zone(
    scene: &Scene<'_>,
    claim: &str,
    reach: Option<&Reach>,
    constraints: &mut Constraints,
) -> Option<String> {
    let zones = match reach? {
        Reach::Zones(zones) => zones,
        Reach::Unknown => {
            constraints.binding.push(format!(
                "volume claim {claim}: its volume is not in the dump"
            ));
            return None;
        }
        Reach::Anywhere | Reach::Nodes => return None,
    };
    match zones.iter().next() {
        Some(zone) if zones.len() == 1 && scene.nodes.iter().any(|node| node.zone == *zone) => {
            Some(zone.clone())
        }
        Some(zone) if zones.len() == 1 => {
            constraints.binding.push(format!(
                "volume claim {claim}: its zone {zone} has no node in the dump"
            ));
            None
        }
        _ => {
            constraints.binding.push(format!(
                "volume claim {claim}: a volume in several zones cannot be stated"
            ));
            None
        }
    }
}

/// Takes out the services that fit no node of the dump and run on none: their pool is empty now, and what it buys unknown.
pub(super) fn drop_homeless(
    drafts: &mut Vec<Draft>,
    nodes: &[NodeFacts<'_>],
    free: &[Amounts],
    notes: &mut Notes,
) {
    let fits = |draft: &Draft| {
        let placement = &draft.service.placement;
        nodes.iter().zip(free).any(|(node, free)| {
            placement.architectures.contains(&node.architecture)
                && placement.selector.iter().all(|(key, accepted)| {
                    node.labels
                        .get(key)
                        .is_some_and(|v| accepted.values().contains(v))
                })
                && tolerates(&placement.tolerations, &node.taints)
                && draft.request.fits(free)
        })
    };
    drafts.retain(|draft| {
        let contradictory = draft.service.placement.selector.values().any(|accepted| accepted.values().is_empty());
        let none = draft.service.placement.architectures.is_empty();
        let stays = !contradictory && !none && (!draft.unplaced || fits(draft));
        if !stays {
            let object = &draft.object;
            notes.untranslated(format!("{object}: left out, no node of the dump would take its pods; add a pool for it by hand"));
            notes.comments.forget(&format!("services.{}", draft.service.name));
        }
        stays
    });
    let names: BTreeSet<String> = drafts
        .iter()
        .map(|draft| draft.service.name.clone())
        .collect();
    for draft in drafts {
        draft
            .service
            .placement
            .anti_affinity
            .retain(|other| names.contains(other));
    }
}

/// Whether the tolerations let a pod onto a node with these taints.
pub(super) fn tolerates(tolerations: &[Toleration], taints: &[Taint]) -> bool {
    let tolerated = |taint: &Taint| {
        tolerations.iter().any(|toleration| {
            toleration
                .effect
                .is_none_or(|effect| effect == taint.effect)
                && match toleration.operator {
                    TolerationOperator::Exists => {
                        toleration.key.is_empty() || toleration.key == taint.key
                    }
                    TolerationOperator::Equal => {
                        toleration.key == taint.key && toleration.value == taint.value
                    }
                }
        })
    };
    taints
        .iter()
        .filter(|taint| taint.effect != TaintEffect::PreferNoSchedule)
        .all(tolerated)
}
