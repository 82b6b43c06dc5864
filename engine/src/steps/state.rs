//! What runs on which node between two steps.

use super::target;
use crate::feasibility::Scale;
use crate::fleet::{Fleet, Offering};
use crate::placement::Placement;

/// A node with the pods it has and the pods it is to have.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) class: usize,
    pub(super) is_up: bool,
    /// True when the plan has it.
    pub(super) stays: bool,
    pub(super) pods: Vec<u32>,
    pub(super) goal: Vec<u32>,
    /// What the pods take, one entry a dimension of the class's capacity.
    pub(super) taken: Vec<u64>,
}

impl Node {
    /// Pods of a service that must leave.
    pub(super) fn surplus(&self, service: usize) -> u32 {
        if self.is_up {
            self.pods[service].saturating_sub(self.goal[service])
        } else {
            0
        }
    }

    /// Pods of a service that must arrive; none before the node is up.
    pub(super) fn deficit(&self, service: usize) -> u32 {
        if self.is_up {
            self.goal[service].saturating_sub(self.pods[service])
        } else {
            0
        }
    }

    /// Pods of all services.
    pub(super) fn load(&self) -> u32 {
        self.pods.iter().sum()
    }

    /// True while it waits to be given back.
    pub(super) fn is_leaving(&self) -> bool {
        self.is_up && !self.stays
    }
}

/// The state between two steps.
pub(super) struct State<'a> {
    pub(super) fleet: &'a Fleet,
    pub(super) nodes: Vec<Node>,
    /// For each service, the nodes that have had pods of it or are to have some, ascending: few of all.
    places: Vec<Vec<usize>>,
    /// Nodes that are up, by offering.
    pub(super) up: Vec<u32>,
    /// Pods of all services on all nodes.
    pub(super) pods: u32,
    /// Size of one pod of each service at the planned replica count.
    sizes: Vec<Vec<u64>>,
    /// Pods that each service must have at any time.
    floor: Vec<u32>,
}

impl<'a> State<'a> {
    pub(super) fn new(fleet: &'a Fleet, placement: &Placement) -> Self {
        let replicas = placement.counts(fleet).replicas;
        let floor = replicas.iter().enumerate();
        let floor = floor
            .map(|(s, planned)| floor_of(fleet, s, *planned))
            .collect();
        let sizes = Scale::of(fleet, replicas).sizes;
        let mut state = Self {
            fleet,
            nodes: target::nodes(fleet, placement),
            places: vec![Vec::new(); fleet.services.len()],
            up: vec![0; fleet.offerings.len()],
            pods: 0,
            sizes,
            floor,
        };
        for n in 0..state.nodes.len() {
            state.nodes[n].taken = state.load_of(&state.nodes[n].pods);
            state.pods += state.nodes[n].load();
            let node = &state.nodes[n];
            for (s, (pods, goal)) in node.pods.iter().zip(&node.goal).enumerate() {
                if pods.max(goal) > &0 {
                    state.places[s].push(n);
                }
            }
            let offering = state.offering_index(n);
            state.up[offering] += u32::from(state.nodes[n].is_up);
        }
        state
    }

    pub(super) fn services(&self) -> std::ops::Range<usize> {
        0..self.fleet.services.len()
    }

    pub(super) fn offering_index(&self, node: usize) -> usize {
        self.fleet.classes[self.nodes[node].class].offering
    }

    pub(super) fn offering(&self, node: usize) -> &'a Offering {
        &self.fleet.offerings[self.offering_index(node)]
    }

    pub(super) fn cluster(&self, node: usize) -> usize {
        self.offering(node).cluster
    }

    /// Nodes of a cluster that are up.
    pub(super) fn up_in(&self, cluster: usize) -> Vec<usize> {
        (0..self.nodes.len())
            .filter(|n| self.nodes[*n].is_up && self.cluster(*n) == cluster)
            .collect()
    }

    /// Nodes of a cluster that are up and have had pods of a service or are to have some: where there may be one too many or too few.
    pub(super) fn places(&self, service: usize, cluster: usize) -> Vec<usize> {
        let places = self.places[service].iter().copied();
        places
            .filter(|n| self.nodes[*n].is_up && self.cluster(*n) == cluster)
            .collect()
    }

    /// Nodes by offering.
    pub(super) fn by_offering(&self) -> Vec<Vec<usize>> {
        let mut nodes = vec![Vec::new(); self.fleet.offerings.len()];
        (0..self.nodes.len()).for_each(|n| nodes[self.offering_index(n)].push(n));
        nodes
    }

    /// Takes away the node that was added last.
    pub(super) fn forget_last(&mut self) {
        self.nodes.pop();
        let places = self.places.iter_mut();
        places.for_each(|places| {
            let _ = places.pop_if(|last| *last == self.nodes.len());
        });
    }

    /// Whether what runs is what was planned.
    pub(super) fn is_done(&self) -> bool {
        self.nodes
            .iter()
            .all(|node| node.is_up == node.stays && node.pods == node.goal)
    }

    /// Pods of a service on all nodes.
    pub(super) fn replicas(&self, service: usize) -> u32 {
        let pods = self.places[service].iter();
        pods.map(|n| self.nodes[*n].pods[service]).sum()
    }

    /// Pods of a service that are to be added in a cluster, and those to be removed; one of them is 0.
    pub(super) fn change_in(&self, service: usize, cluster: usize) -> (u32, u32) {
        let (mut have, mut want) = (0, 0);
        let places = self.places[service].iter().copied();
        for n in places.filter(|n| self.cluster(*n) == cluster) {
            have += self.nodes[n].pods[service];
            want += self.nodes[n].goal[service];
        }
        (
            u32::saturating_sub(want, have),
            u32::saturating_sub(have, want),
        )
    }

    /// Pods of a service that may be under way at a time; 0 when they may not be moved.
    pub(super) fn budget(&self, service: usize) -> u32 {
        if self.fleet.services[service].unmovable {
            return 0;
        }
        self.fleet.problem.services[service]
            .disruption
            .max_unavailable
            .min(self.spare(service))
    }

    /// Pods of a service that may be missing for now.
    pub(super) fn spare(&self, service: usize) -> u32 {
        self.replicas(service).saturating_sub(self.floor[service])
    }

    /// Pods of a service, at most `wanted`, for which there is room on a node that is up.
    pub(super) fn room(&self, node: usize, service: usize, wanted: u32) -> u32 {
        let Node {
            class, pods, taken, ..
        } = &self.nodes[node];
        self.room_beside(*class, pods, taken, service).min(wanted)
    }

    /// Whether a pod of a service could wait on a node without being in the way of those that are planned there.
    pub(super) fn can_wait(&self, node: usize, service: usize) -> bool {
        let Node {
            class,
            is_up,
            pods,
            goal,
            ..
        } = &self.nodes[node];
        let reserved: Vec<u32> = pods
            .iter()
            .zip(goal)
            .map(|(have, want)| *have.max(want))
            .collect();
        *is_up && self.room_beside(*class, &reserved, &self.load_of(&reserved), service) > 0
    }

    /// Pods of a service for which there is room on a node of a class beside others.
    fn room_beside(&self, class: usize, pods: &[u32], taken: &[u64], service: usize) -> u32 {
        let class = &self.fleet.classes[class];
        if self.has_conflict(pods, service) {
            return 0;
        }
        let dimensions = taken.iter().zip(&class.capacity).zip(&self.sizes[service]);
        let by_size = dimensions.map(|((taken, capacity), size)| {
            match (capacity.checked_sub(*taken), size) {
                (None, _) => 0,
                (Some(_), 0) => u64::MAX,
                (Some(free), size) => free / size,
            }
        });
        let by_size = u32::try_from(by_size.min().unwrap_or(0)).unwrap_or(u32::MAX);
        by_size.min(class.most[service].saturating_sub(pods[service]))
    }

    /// Whether a node may stay as it is after pods have arrived there.
    pub(super) fn is_sound(&self, node: usize) -> bool {
        let Node { pods, taken, .. } = &self.nodes[node];
        self.fits(node, taken)
            && self
                .services()
                .filter(|s| pods[*s] > 0)
                .all(|s| !self.has_conflict(pods, s))
    }

    fn fits(&self, node: usize, taken: &[u64]) -> bool {
        taken
            .iter()
            .zip(&self.fleet.classes[self.nodes[node].class].capacity)
            .all(|(taken, capacity)| taken <= capacity)
    }

    fn has_conflict(&self, pods: &[u32], service: usize) -> bool {
        self.fleet.services[service]
            .conflicts
            .iter()
            .any(|other| pods[*other] > 0)
    }

    fn load_of(&self, pods: &[u32]) -> Vec<u64> {
        let dimensions = self.fleet.requested_dimensions() + 2;
        let mut sum = vec![0_u64; dimensions];
        for (size, count) in self.sizes.iter().zip(pods).filter(|(_, count)| **count > 0) {
            sum.iter_mut().zip(size).for_each(|(sum, one)| {
                *sum = sum.saturating_add(one.saturating_mul(u64::from(*count)))
            });
        }
        sum
    }

    pub(super) fn arrive(&mut self, node: usize, service: usize, count: u32) {
        if let Err(at) = self.places[service].binary_search(&node) {
            self.places[service].insert(at, node);
        }
        self.pods += count;
        self.nodes[node].pods[service] += count;
        self.nodes[node].taken = self.load_of(&self.nodes[node].pods);
    }

    pub(super) fn leave(&mut self, node: usize, service: usize, count: u32) {
        self.pods -= count;
        self.nodes[node].pods[service] -= count;
        self.nodes[node].taken = self.load_of(&self.nodes[node].pods);
    }

    pub(super) fn switch(&mut self, node: usize, is_up: bool) {
        let offering = self.offering_index(node);
        self.nodes[node].is_up = is_up;
        if is_up {
            self.up[offering] += 1;
        } else {
            self.up[offering] -= 1;
        }
    }
}

/// `min(now, planned) − max_unavailable`.
fn floor_of(fleet: &Fleet, service: usize, planned: u32) -> u32 {
    let least = fleet.services[service].placed_now.min(planned);
    least.saturating_sub(fleet.problem.services[service].disruption.max_unavailable)
}
