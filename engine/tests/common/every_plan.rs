//! Every feasible plan of a small problem, by plain enumeration.

// Each test target that includes this file uses its own part of it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

use ketscale_engine::cost;
use ketscale_engine::feasibility;
use ketscale_engine::fleet::Fleet;
use ketscale_engine::placement::{Group, Placement};

/// A feasible plan.
pub struct Found {
    pub usd_per_hour: f64,
    pub placement: Placement,
}

/// All feasible plans, up to further empty nodes of pools without a lower bound, which only cost more.
pub fn every_plan(fleet: &Fleet) -> Vec<Found> {
    let most: Vec<u32> = fleet
        .services
        .iter()
        .map(|s| s.admissible().next_back().map_or(0, |level| level.replicas))
        .collect();
    let mut slots = Vec::new();
    for (class, details) in fleet
        .classes
        .iter()
        .enumerate()
        .filter(|(_, class)| class.is_existing())
    {
        slots.extend((0..details.count().unwrap()).map(|_| class));
    }
    let patterns = (0..fleet.classes.len())
        .map(|class| patterns(fleet, class, &most))
        .collect();
    let empties = fleet
        .limits
        .iter()
        .filter(|limit| limit.at_least)
        .map(|limit| limit.limit as u32)
        .sum();
    let mut walk = Walk {
        fleet,
        patterns,
        slots,
        left: most,
        groups: Vec::new(),
        empties,
        found: Vec::new(),
    };
    walk.existing(0);
    walk.found
}

/// Patterns of a class that fit when use is least.
fn patterns(fleet: &Fleet, class: usize, most: &[u32]) -> Vec<Vec<u32>> {
    let mut patterns = vec![Vec::new()];
    for (s, most) in most.iter().enumerate() {
        let longer = |pattern: &Vec<u32>| -> Vec<Vec<u32>> {
            (0..=*most.min(&fleet.classes[class].most[s]))
                .map(|pods| pattern.iter().copied().chain([pods]).collect())
                .collect()
        };
        patterns = patterns.iter().flat_map(longer).collect();
    }
    let fits = |pattern: &Vec<u32>| {
        fleet.classes[class]
            .capacity
            .iter()
            .enumerate()
            .all(|(k, capacity)| {
                let size = |s: usize| fleet.services[s].pod_size(most[s])[k];
                pattern
                    .iter()
                    .enumerate()
                    .map(|(s, pods)| size(s) * u64::from(*pods))
                    .sum::<u64>()
                    <= *capacity
            })
    };
    patterns.retain(fits);
    patterns
}

struct Walk<'a> {
    fleet: &'a Fleet,
    /// By class.
    patterns: Vec<Vec<Vec<u32>>>,
    /// Class of each existing node.
    slots: Vec<usize>,
    /// Pods that may still be placed, by service.
    left: Vec<u32>,
    groups: Vec<Group>,
    /// Empty new nodes that may still be added.
    empties: u32,
    found: Vec<Found>,
}

impl Walk<'_> {
    fn existing(&mut self, slot: usize) {
        let Some(&class) = self.slots.get(slot) else {
            return self.new_nodes(0, 0);
        };
        self.existing(slot + 1);
        for index in 0..self.patterns[class].len() {
            self.with(class, index, |walk| walk.existing(slot + 1));
        }
    }

    /// New nodes in ascending order of offering and pattern, so that no set of them comes twice.
    fn new_nodes(&mut self, first_offering: usize, first_pattern: usize) {
        self.check();
        for offering in first_offering..self.fleet.offerings.len() {
            let first = if offering == first_offering {
                first_pattern
            } else {
                0
            };
            for index in first..self.patterns[offering].len() {
                let empty = self.patterns[offering][index].iter().all(|pods| *pods == 0);
                if !empty {
                    self.with(offering, index, |walk| walk.new_nodes(offering, index));
                } else if self.empties > 0 {
                    self.empties -= 1;
                    self.with(offering, index, |walk| walk.new_nodes(offering, index));
                    self.empties += 1;
                }
            }
        }
    }

    fn with(&mut self, class: usize, index: usize, next: impl FnOnce(&mut Self)) {
        let pods = self.patterns[class][index].clone();
        if pods.iter().zip(&self.left).any(|(pods, left)| pods > left) {
            return;
        }
        self.left
            .iter_mut()
            .zip(&pods)
            .for_each(|(left, pods)| *left -= pods);
        self.groups.push(Group {
            class,
            count: 1,
            pods: pods.clone(),
        });
        next(self);
        self.groups.pop();
        self.left
            .iter_mut()
            .zip(&pods)
            .for_each(|(left, pods)| *left += pods);
    }

    fn check(&mut self) {
        let placement = Placement {
            groups: self.groups.clone(),
        };
        let admissible = |s: usize| self.fleet.services[s].is_admissible(placement.replicas(s));
        if (0..self.fleet.services.len()).all(admissible) {
            let placement = placement.normalized();
            if feasibility::is_feasible(self.fleet, &placement) {
                self.found.push(Found {
                    usd_per_hour: cost::cost(self.fleet, &placement).total_usd_per_hour,
                    placement,
                });
            }
        }
    }
}
