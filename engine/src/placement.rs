//! A decision: how many nodes of each class, and the pods on them.

use crate::fleet::Fleet;

/// Nodes and the multiset of pods on each. Equal nodes stand together, never one entry a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Groups of equal nodes of one class; nodes of existing classes that appear in no group are removed.
    pub groups: Vec<Group>,
}

/// Equal nodes with equal pods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    /// Index of the class.
    pub class: usize,
    /// Number of nodes.
    pub count: u32,
    /// Pods on each node, one entry a service.
    pub pods: Vec<u32>,
}

impl Placement {
    /// Every existing node as it is now.
    pub fn current(fleet: &Fleet) -> Self {
        let groups = fleet
            .classes
            .iter()
            .enumerate()
            .filter_map(|(index, class)| {
                Some(Group {
                    class: index,
                    count: class.count()?,
                    pods: class.now.clone(),
                })
            });
        Self {
            groups: groups.collect(),
        }
    }

    /// Pods of a service over all nodes.
    pub fn replicas(&self, service: usize) -> u32 {
        self.groups
            .iter()
            .map(|group| group.count * group.pods[service])
            .sum()
    }

    /// Pods of a service in each cell.
    pub fn by_cell(&self, fleet: &Fleet, service: usize) -> Vec<u32> {
        let mut cells = vec![0; 2 * fleet.zones.len()];
        for group in &self.groups {
            cells[fleet.offering_of(group.class).cell] += group.count * group.pods[service];
        }
        cells
    }

    /// Pods of a service in each cluster.
    pub fn by_cluster(&self, fleet: &Fleet, service: usize) -> Vec<u32> {
        let mut clusters = vec![0; fleet.problem.clusters.len()];
        for (cell, pods) in self.by_cell(fleet, service).into_iter().enumerate() {
            clusters[fleet.cluster_of_cell(cell)] += pods;
        }
        clusters
    }

    /// Nodes of each offering, existing and new.
    pub fn nodes(&self, fleet: &Fleet) -> Vec<u32> {
        let mut nodes = vec![0; fleet.offerings.len()];
        for group in &self.groups {
            nodes[fleet.classes[group.class].offering] += group.count;
        }
        nodes
    }

    /// Pods of a service that stay on their nodes.
    pub fn staying(&self, fleet: &Fleet, service: usize) -> u32 {
        let on = |group: &Group| fleet.classes[group.class].now[service].min(group.pods[service]);
        self.groups
            .iter()
            .map(|group| group.count * on(group))
            .sum()
    }

    /// Pods of a service that move: `Σ_e max(0, now − planned) − max(0, placed − r)` over existing nodes e.
    pub fn moves(&self, fleet: &Fleet, service: usize) -> u32 {
        let kept = fleet.services[service]
            .placed_now
            .min(self.replicas(service));
        kept.saturating_sub(self.staying(fleet, service))
    }

    /// The same decision with equal groups merged, empty ones dropped, in a fixed order.
    pub fn normalized(mut self) -> Self {
        self.groups.retain(|group| group.count > 0);
        self.groups
            .sort_by(|a, b| (a.class, &b.pods).cmp(&(b.class, &a.pods)));
        self.groups.dedup_by(|later, earlier| {
            let same = later.class == earlier.class && later.pods == earlier.pods;
            if same {
                earlier.count += later.count;
            }
            same
        });
        self
    }
}
