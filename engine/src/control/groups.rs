//! The difference between what runs and a plan, in groups that can be carried out each without the others.
//!
//! Two changes belong together when a service changes on both nodes, when they change the same node, or when a limit over nodes (a pool's,
//! a cap's, an offering's, the budget) would not hold if all that adds to it were carried out without what takes from it.

use crate::cost;
use crate::fleet::Fleet;
use crate::placement::{Group, Placement};

/// Equal changes of equal nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Change {
    class: usize,
    count: u32,
    /// Pods by service before; `None` for nodes that are new.
    before: Option<Vec<u32>>,
    /// Pods by service after; `None` for nodes that go.
    after: Option<Vec<u32>>,
}

/// What changes between two placements, in groups.
pub(super) struct Difference<'a> {
    fleet: &'a Fleet,
    /// What does not change.
    stays: Vec<Group>,
    changes: Vec<Change>,
    /// Group of each change, from 0.
    group_of: Vec<usize>,
    groups: usize,
}

impl Change {
    /// Services whose pods on the node change.
    fn services(&self) -> Vec<usize> {
        let none = Vec::new();
        let (before, after) = (
            self.before.as_ref().unwrap_or(&none),
            self.after.as_ref().unwrap_or(&none),
        );
        let pods = |list: &[u32], s: usize| list.get(s).copied().unwrap_or(0);
        let services = before.len().max(after.len());
        (0..services)
            .filter(|s| pods(before, *s) != pods(after, *s))
            .collect()
    }

    /// Nodes more.
    fn nodes(&self) -> f64 {
        let there = |pods: &Option<Vec<u32>>| f64::from(u8::from(pods.is_some()));
        (there(&self.after) - there(&self.before)) * f64::from(self.count)
    }
}

impl<'a> Difference<'a> {
    /// The groups of changes from what runs now to a placement.
    pub(super) fn new(fleet: &'a Fleet, planned: &Placement) -> Self {
        let (stays, changes) = changes(fleet, planned);
        let mut difference = Self {
            fleet,
            stays,
            group_of: Vec::new(),
            changes,
            groups: 0,
        };
        difference.connect();
        difference
    }

    /// Number of groups.
    pub(super) fn len(&self) -> usize {
        self.groups
    }

    /// What runs when the groups that `taken` names are carried out and the others are not.
    pub(super) fn with(&self, taken: impl Fn(usize) -> bool) -> Placement {
        let mut groups = self.stays.clone();
        for (change, group) in self.changes.iter().zip(&self.group_of) {
            let pods = if taken(*group) {
                &change.after
            } else {
                &change.before
            };
            if let Some(pods) = pods {
                groups.push(Group {
                    class: change.class,
                    count: change.count,
                    pods: pods.clone(),
                });
            }
        }
        Placement { groups }.normalized()
    }

    /// Services that change in a group, ascending.
    pub(super) fn services(&self, group: usize) -> Vec<usize> {
        let changes = self.changes.iter().zip(&self.group_of);
        let own = changes.filter(|(_, of)| **of == group);
        let mut services: Vec<usize> = own.flat_map(|(change, _)| change.services()).collect();
        services.sort_unstable();
        services.dedup();
        services
    }

    /// Pools in which a group changes nodes, ascending.
    pub(super) fn pools(&self, group: usize) -> Vec<usize> {
        let changes = self.changes.iter().zip(&self.group_of);
        let own = changes.filter(|(_, of)| **of == group);
        let mut pools: Vec<usize> = own
            .map(|(change, _)| self.fleet.offering_of(change.class).pool)
            .collect();
        pools.sort_unstable();
        pools.dedup();
        pools
    }

    /// Existing nodes that a group gives back.
    pub(super) fn nodes_removed(&self, group: usize) -> u32 {
        let changes = self.changes.iter().zip(&self.group_of);
        let removed = changes.filter(|(change, of)| **of == group && change.after.is_none());
        removed.map(|(change, _)| change.count).sum()
    }

    /// Pods of a service that leave their node in a group: moved ones and those that end.
    pub(super) fn pods_leaving(&self, group: usize, service: usize) -> u32 {
        let changes = self.changes.iter().zip(&self.group_of);
        let pods = |pods: &Option<Vec<u32>>| {
            pods.as_ref()
                .and_then(|pods| pods.get(service))
                .copied()
                .unwrap_or(0)
        };
        let own = changes.filter(|(_, of)| **of == group);
        own.map(|(change, _)| {
            change.count * pods(&change.before).saturating_sub(pods(&change.after))
        })
        .sum()
    }

    /// Whether a group changes how many nodes an offering has.
    pub(super) fn touches(&self, group: usize, offering: usize) -> bool {
        let mut changes = self.changes.iter().zip(&self.group_of);
        changes.any(|(change, of)| {
            *of == group
                && self
                    .fleet
                    .classes
                    .get(change.class)
                    .is_some_and(|class| class.offering == offering)
        })
    }

    fn connect(&mut self) {
        let services = self.fleet.services.len();
        let mut sets = Sets::new(services + self.changes.len());
        for (index, change) in self.changes.iter().enumerate() {
            for service in change.services() {
                sets.join(service, services + index);
            }
        }
        for tied in self.tied_by_limits() {
            for pair in tied.windows(2) {
                if let [a, b] = pair {
                    sets.join(services + a, services + b);
                }
            }
        }
        let mut roots: Vec<usize> = Vec::new();
        for index in 0..self.changes.len() {
            let root = sets.root(services + index);
            let known = roots.iter().position(|known| *known == root);
            let group = known.unwrap_or_else(|| {
                roots.push(root);
                roots.len() - 1
            });
            self.group_of.push(group);
        }
        self.groups = roots.len();
    }

    /// Changes that each limit ties together.
    fn tied_by_limits(&self) -> Vec<Vec<usize>> {
        let current = Placement::current(self.fleet).nodes(self.fleet);
        let offering = |change: &Change| {
            self.fleet
                .classes
                .get(change.class)
                .map_or(0, |class| class.offering)
        };
        let tied = |weights: &dyn Fn(usize) -> f64, base: f64, limit: f64, at_least: bool| {
            let deltas: Vec<f64> = (self.changes.iter())
                .map(|change| weights(offering(change)) * change.nodes())
                .collect();
            let sign = if at_least { -1.0 } else { 1.0 };
            let against = deltas
                .iter()
                .map(|delta| sign * delta)
                .filter(|delta| *delta > 0.0);
            let worst = sign * base + against.fold(0.0, |sum, delta| sum + delta);
            if worst <= sign * limit + 1e-9 * limit.abs().max(1.0) {
                return Vec::new();
            }
            let touched = deltas
                .iter()
                .enumerate()
                .filter(|(_, delta)| **delta != 0.0);
            touched.map(|(index, _)| index).collect()
        };
        let mut all: Vec<Vec<usize>> = Vec::new();
        for limit in &self.fleet.limits {
            let weights = |o: usize| limit.coefficients.get(o).copied().unwrap_or(0.0);
            all.push(tied(
                &weights,
                limit.sum(&current),
                limit.limit,
                limit.at_least,
            ));
        }
        if let Some(budget) = self.fleet.budget_usd_per_hour() {
            let weights = |o: usize| self.fleet.offerings.get(o).map_or(0.0, |o| o.usd_per_hour);
            all.push(tied(
                &weights,
                cost::nodes(self.fleet, &current),
                budget,
                false,
            ));
        }
        all
    }
}

/// What stays as it is, and what changes.
fn changes(fleet: &Fleet, planned: &Placement) -> (Vec<Group>, Vec<Change>) {
    let (mut stays, mut changes) = (Vec::new(), Vec::new());
    for (index, class) in fleet.classes.iter().enumerate() {
        let mut left = class.count().unwrap_or(0);
        for group in planned.groups.iter().filter(|group| group.class == index) {
            if !class.is_existing() {
                changes.push(Change {
                    class: index,
                    count: group.count,
                    before: None,
                    after: Some(group.pods.clone()),
                });
                continue;
            }
            left = left.saturating_sub(group.count);
            if group.pods == class.now {
                stays.push(group.clone());
            } else {
                changes.push(Change {
                    class: index,
                    count: group.count,
                    before: Some(class.now.clone()),
                    after: Some(group.pods.clone()),
                });
            }
        }
        if left > 0 {
            changes.push(Change {
                class: index,
                count: left,
                before: Some(class.now.clone()),
                after: None,
            });
        }
    }
    // Equal nodes without pods, and new ones without, each go or come on their own.
    let split = |change: Change| {
        let alone = change.services().is_empty();
        let (times, count) = if alone {
            (change.count, 1)
        } else {
            (1, change.count)
        };
        (0..times).map(move |_| Change {
            count,
            ..change.clone()
        })
    };
    let changes = changes.into_iter().flat_map(split).collect();
    (stays, changes)
}

/// Disjoint sets of indices (Galler and Fischer 1964), with path halving.
struct Sets {
    parent: Vec<usize>,
}

impl Sets {
    fn new(size: usize) -> Self {
        Self {
            parent: (0..size).collect(),
        }
    }

    fn root(&mut self, mut index: usize) -> usize {
        while self.parent[index] != index {
            self.parent[index] = self.parent[self.parent[index]];
            index = self.parent[index];
        }
        index
    }

    /// The smaller root stays, so that groups are numbered in the order of their first change.
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b)] = a.min(b);
    }
}
