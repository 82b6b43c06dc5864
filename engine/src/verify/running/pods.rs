//! What holds for the pods of a node and of a service after a step.

use super::{Node, Running};

impl Running<'_> {
    /// Pods that must stay have stayed.
    pub(super) fn pinned(&self, name: &str, service: usize) -> Result<(), String> {
        let pinned = |node: &Node| self.fleet.classes[node.class].pinned[service];
        match self.nodes.get(name) {
            Some(node) if node.pods[service] < pinned(node) => {
                Err(format!("{} pods must stay on {name}", pinned(node)))
            }
            _ => Ok(()),
        }
    }

    /// A node that received pods has room for all of its pods, and may have them together.
    pub(super) fn received(&self, name: &str, service: usize) -> Result<(), String> {
        let Some(node) = self.nodes.get(name) else {
            return Err(format!("no node is named {name}"));
        };
        let class = &self.fleet.classes[node.class];
        if node.pods[service] > class.most[service] {
            return Err(format!(
                "{} pods on {name}, at most {} may run there",
                node.pods[service], class.most[service]
            ));
        }
        if let Some(other) = self.fleet.services[service]
            .conflicts
            .iter()
            .find(|other| node.pods[**other] > 0)
        {
            return Err(format!(
                "{} shares {name} with {}",
                self.fleet.services[service].name, self.fleet.services[*other].name
            ));
        }
        for (k, capacity) in class.capacity.iter().enumerate() {
            let sizes = self
                .sizes
                .iter()
                .zip(&node.pods)
                .map(|(size, pods)| u128::from(size[k]) * u128::from(*pods));
            if sizes.sum::<u128>() > u128::from(*capacity) {
                return Err(format!("pods do not fit {name}"));
            }
        }
        Ok(())
    }

    /// Enough pods of a service run: what runs now or is planned, less its disruption budget.
    pub(super) fn enough(&self, service: usize) -> Result<(), String> {
        let running: u64 = self
            .nodes
            .values()
            .map(|node| u64::from(node.pods[service]))
            .sum();
        let fewest = self.fewest[service];
        if running < u64::from(fewest) {
            return Err(format!(
                "{running} pods of {} are left, its disruption budget leaves {fewest}",
                self.fleet.services[service].name
            ));
        }
        Ok(())
    }
}
