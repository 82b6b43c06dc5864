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
    /// For each service, the most pods by eligibility and `max_per_node`; on a cordoned node those there now.
    pub most: Vec<u32>,
    /// True when the node may not be removed.
    pub kept: bool,
}

impl Class {
    /// True for a class of existing nodes.
    pub fn is_existing(&self) -> bool {
        !self.names.is_empty()
    }

    /// Number of existing nodes, or `None` for new nodes, of which there is no fixed number.
    pub fn count(&self) -> Option<u32> {
        self.is_existing()
            .then(|| u32::try_from(self.names.len()).unwrap_or(u32::MAX))
    }
}
