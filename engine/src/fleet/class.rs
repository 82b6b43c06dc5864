//! A class of equal nodes.

/// Equal nodes: the new nodes of an offering, or existing nodes that nothing tells apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Class {
    /// Index of the offering.
    pub offering: usize,
    /// Names of the existing nodes; empty for new nodes.
    pub names: Vec<String>,
    /// What services may take: allocatable less daemonsets and foreign pods, then 9/10 of allocatable CPU and memory less the same.
    pub capacity: Vec<u64>,
    /// For each service, its pods there now.
    pub now: Vec<u32>,
    /// For each service, the fewest pods that must stay.
    pub pinned: Vec<u32>,
    /// For each service, the most pods by eligibility and `max_per_node`; where no new ones may go those there now, as far as `max_per_node` allows.
    pub most: Vec<u32>,
    /// True when the node may not be removed.
    pub kept: bool,
}

impl Class {
    /// True for a class of existing nodes.
    pub fn is_existing(&self) -> bool {
        !self.names.is_empty()
    }

    /// Whether nothing but the names tells the nodes of two classes apart.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        let Self {
            offering,
            names: _,
            capacity,
            now,
            pinned,
            most,
            kept,
        } = self;
        (offering, kept) == (&other.offering, &other.kept)
            && (now, pinned) == (&other.now, &other.pinned)
            && (capacity, most) == (&other.capacity, &other.most)
    }

    /// Room left beside pods of the services, each of the `size` given; `None` when they do not fit.
    pub(crate) fn room_beside(
        &self,
        pods: &[u32],
        size: impl Fn(usize) -> Vec<u64>,
    ) -> Option<Vec<u64>> {
        let mut room = self.capacity.clone();
        for (s, count) in pods.iter().enumerate().filter(|(_, count)| **count > 0) {
            take(&mut room, &size(s), *count)?;
        }
        Some(room)
    }

    /// Number of existing nodes, or `None` for new nodes, of which there is no fixed number.
    pub fn count(&self) -> Option<u32> {
        self.is_existing()
            .then(|| u32::try_from(self.names.len()).unwrap_or(u32::MAX))
    }
}

/// Takes pods out of the room; `None` (with the room partly used) when they do not fit.
pub(crate) fn take(room: &mut [u64], size: &[u64], count: u32) -> Option<()> {
    for (room, size) in room.iter_mut().zip(size) {
        *room = room.checked_sub(size.checked_mul(u64::from(count))?)?;
    }
    Some(())
}
