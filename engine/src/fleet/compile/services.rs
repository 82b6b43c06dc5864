//! Services: replica bounds, levels, cells, and what constrains their pods.

use std::collections::{BTreeMap, BTreeSet};

use super::{Compiler, cluster_index};
use crate::fleet::{ClusterBounds, Service, level};
use crate::problem::{CurrentNode, Mode, Relaxation, WorkloadKind};

/// Most pods of one service, as for its replica bounds.
const MOST_PODS: u32 = 10_000;

impl Compiler<'_> {
    pub(super) fn services(&mut self) {
        for index in 0..self.problem.services.len() {
            if let Some(service) = self.service(index) {
                self.services.push(service);
            }
        }
    }

    fn service(&mut self, index: usize) -> Option<Service> {
        let source = &self.problem.services[index];
        let path = format!("services.{}", source.name);
        let movable_offerings = self.offerings.iter().filter(|o| o.eligible[index]);
        let eligible_zones: BTreeSet<usize> = movable_offerings.clone().map(|o| o.zone).collect();
        let mut cells: BTreeSet<usize> = movable_offerings.map(|o| o.cell).collect();
        let nodes_now = self.nodes_with(index);
        cells.extend(
            nodes_now
                .iter()
                .map(|(offering, _)| self.offerings[*offering].cell),
        );
        let placed: u64 = nodes_now.iter().map(|(_, pods)| u64::from(*pods)).sum();
        let Some(placed_now) = u32::try_from(placed).ok().filter(|n| *n <= MOST_PODS) else {
            let message = format!(
                "{placed} pods on current.nodes are more than {MOST_PODS}, the most of one service"
            );
            self.issue(path, message);
            return None;
        };
        let replicas_may_exist = source.clusters.values().any(|bounds| bounds.max > 0);
        if cells.is_empty() && replicas_may_exist {
            let message = "no offering fits a pod: check requests against allocatable less daemonsets, and selector, tolerations, \
                           architectures and clusters against the pools";
            self.issue(path, message.to_owned());
            return None;
        }
        let clusters = self.cluster_bounds(index)?;
        let placement = &source.placement;
        let own_conflict = placement.anti_affinity.contains(&source.name);
        let max_per_node = if own_conflict {
            1
        } else {
            placement.max_per_node.unwrap_or(u32::MAX)
        };
        let spread = !self.relaxed.contains(&Relaxation::Spread);
        let mut request = self.pod_vector(&source.requests);
        request.extend([0, 0]);
        let (levels, least_carrying, note) =
            level::levels(source, &clusters, placed_now, request[0], self.relaxed);
        self.notes.extend(note);
        Some(Service {
            name: source.name.clone(),
            request,
            levels,
            least_carrying,
            cells: cells.into_iter().collect(),
            eligible_zones: eligible_zones.into_iter().collect(),
            max_per_node,
            conflicts: self.conflicts(index),
            min_zones: if spread { placement.min_zones } else { 1 },
            max_skew: placement.max_skew.filter(|_| spread),
            spot_share_max: if self.relaxed.contains(&Relaxation::SpotShare) {
                1.0
            } else {
                placement.spot_share_max
            },
            survive: placement.survive,
            volume_zones: self.volume_zones(index),
            usd_per_eviction: source.disruption.usd_per_eviction,
            move_usd_per_hour: self.move_price(index),
            unmovable: source.mode == Mode::Observe || source.disruption.max_unavailable == 0,
            placed_now,
            cells_now: vec![0; 2 * self.zones.len()],
            cells_pinned: vec![0; 2 * self.zones.len()],
            now: clusters.iter().map(|bounds| bounds.now).sum(),
            clusters,
        })
    }

    fn move_price(&self, index: usize) -> f64 {
        if self.problem.current.is_none() {
            return 0.0;
        }
        self.problem.services[index].disruption.usd_per_eviction / self.problem.horizon_hours
    }

    /// Current nodes with pods of the service: (offering, pods).
    fn nodes_with(&self, service: usize) -> Vec<(usize, u32)> {
        let name = &self.problem.services[service].name;
        self.current_nodes()
            .filter_map(|node| {
                let pods = *node.pods.get(name)?;
                Some((self.offering_of(node)?, pods))
            })
            .collect()
    }

    pub(super) fn offering_of(&self, node: &CurrentNode) -> Option<usize> {
        self.offerings
            .iter()
            .position(|o| self.problem.pools[o.pool].name == node.pool && o.name == node.offering)
    }

    /// Bounds, with pinned pods counted in; services that are not sized are held where they are.
    fn cluster_bounds(&mut self, index: usize) -> Option<Vec<ClusterBounds>> {
        let source = &self.problem.services[index];
        let held =
            source.mode == Mode::Observe || source.load.is_none() || source.capacity.is_none();
        let mut clusters = Vec::new();
        for (name, bounds) in &source.clusters {
            let cluster = cluster_index(self.problem, name);
            let fixed = bounds.min == bounds.max && source.mode != Mode::Observe;
            let (min, max) = match bounds.now {
                Some(now) if source.mode == Mode::Observe => (now, now),
                Some(now) if held => (
                    now.clamp(bounds.min, bounds.max),
                    now.clamp(bounds.min, bounds.max),
                ),
                None if held && !fixed => {
                    let path = format!("services.{}.clusters.{name}.now", source.name);
                    let message = "is needed: without load and capacity, or with mode observe, replicas are held at their current value";
                    self.issue(path, message.to_owned());
                    return None;
                }
                _ => (bounds.min, bounds.max),
            };
            let pinned = self.pinned_in_cluster(index, cluster);
            clusters.push(ClusterBounds {
                cluster,
                min: min.max(pinned),
                max,
                now: bounds.now,
            });
        }
        clusters.sort_by_key(|bounds| bounds.cluster);
        Some(clusters)
    }

    fn pinned_in_cluster(&self, service: usize, cluster: usize) -> u32 {
        let name = &self.problem.services[service].name;
        self.current_nodes()
            .filter(|node| {
                !node.movable
                    && self
                        .offering_of(node)
                        .is_some_and(|o| self.offerings[o].cluster == cluster)
            })
            .filter_map(|node| node.pods.get(name))
            .sum()
    }

    fn conflicts(&self, index: usize) -> Vec<usize> {
        let services = &self.problem.services;
        let apart = |a: usize, b: usize| {
            services[a]
                .placement
                .anti_affinity
                .contains(&services[b].name)
        };
        (0..services.len())
            .filter(|other| *other != index && (apart(index, *other) || apart(*other, index)))
            .collect()
    }

    fn volume_zones(&self, index: usize) -> Vec<Option<usize>> {
        let source = &self.problem.services[index];
        if source.kind != WorkloadKind::StatefulSet {
            return Vec::new();
        }
        let by_ordinal: BTreeMap<usize, &String> = source
            .placement
            .zonal_volumes
            .iter()
            .filter_map(|(ordinal, zone)| Some((ordinal.parse().ok()?, zone)))
            .collect();
        let clusters: BTreeSet<usize> = source
            .clusters
            .keys()
            .map(|name| cluster_index(self.problem, name))
            .collect();
        let zone_of = |name: &String| {
            self.zones
                .iter()
                .position(|z| clusters.contains(&z.cluster) && z.name == *name)
        };
        let ordinals = by_ordinal.keys().max().map_or(0, |last| last + 1);
        (0..ordinals)
            .map(|ordinal| by_ordinal.get(&ordinal).and_then(|zone| zone_of(zone)))
            .collect()
    }
}
