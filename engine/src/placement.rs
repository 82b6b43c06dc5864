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

/// Where the pods of each service are.
#[derive(Clone, Debug)]
pub struct Counts {
    /// For each service, its pods in each cell.
    pub cells: Vec<Vec<u32>>,
    /// For each service, its pods over all nodes.
    pub replicas: Vec<u32>,
    /// For each service, its pods that stay on their nodes.
    pub staying: Vec<u32>,
}

impl Counts {
    /// Pods of a service in each cluster.
    pub fn by_cluster(&self, fleet: &Fleet, service: usize) -> Vec<u32> {
        let mut clusters = vec![0; fleet.problem.clusters.len()];
        for (cell, pods) in self.cells[service].iter().enumerate() {
            clusters[fleet.cluster_of_cell(cell)] += pods;
        }
        clusters
    }

    /// Pods of a service that move: `Σ_e max(0, now − planned) − max(0, placed − r)` over existing nodes e.
    pub fn moves(&self, fleet: &Fleet, service: usize) -> u32 {
        let kept = fleet.services[service]
            .placed_now
            .min(self.replicas[service]);
        kept.saturating_sub(self.staying[service])
    }
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

    /// The pods of all services, counted in one pass over the nodes.
    pub fn counts(&self, fleet: &Fleet) -> Counts {
        let services = fleet.services.len();
        let mut counts = Counts {
            cells: vec![vec![0; 2 * fleet.zones.len()]; services],
            replicas: vec![0; services],
            staying: vec![0; services],
        };
        for group in &self.groups {
            let (cell, class) = (
                fleet.offering_of(group.class).cell,
                &fleet.classes[group.class],
            );
            let pods = group.pods.iter().copied().enumerate();
            for (s, pods) in pods.filter(|(_, pods)| *pods > 0) {
                counts.cells[s][cell] += group.count * pods;
                counts.replicas[s] += group.count * pods;
                counts.staying[s] += group.count * pods.min(class.now[s]);
            }
        }
        counts
    }

    /// Nodes of each offering, existing and new.
    pub fn nodes(&self, fleet: &Fleet) -> Vec<u32> {
        let mut nodes = vec![0; fleet.offerings.len()];
        for group in &self.groups {
            nodes[fleet.classes[group.class].offering] += group.count;
        }
        nodes
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
