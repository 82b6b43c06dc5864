//! Classes of equal nodes: the new ones of each offering, and those that exist.

use super::{Compiler, add, subtract};
use crate::fleet::{Class, Offering, USE_LIMIT};
use crate::problem::{CurrentNode, Mode};

impl Compiler<'_> {
    pub(super) fn classes(&mut self) {
        for index in 0..self.offerings.len() {
            let most = (0..self.services.len())
                .map(|s| self.most_new(s, index))
                .collect();
            let none = vec![0; self.services.len()];
            let capacity = self.capacity(&self.offerings[index], &vec![0; self.resources.len()]);
            let (names, now, pinned) = (Vec::new(), none.clone(), none);
            self.classes.push(Class {
                offering: index,
                names,
                capacity,
                now,
                pinned,
                most,
                kept: false,
            });
        }
        let problem = self.problem;
        for node in problem.current.iter().flat_map(|current| &current.nodes) {
            let Some(class) = self.existing(node) else {
                continue;
            };
            match (self.classes.iter_mut())
                .find(|other| other.is_existing() && other.is_like(&class))
            {
                Some(other) => other.names.push(node.name.clone()),
                None => self.classes.push(Class {
                    names: vec![node.name.clone()],
                    ..class
                }),
            }
        }
        self.note_current();
    }

    /// What offerings and services know of the nodes that run now.
    fn note_current(&mut self) {
        for class in &self.classes {
            let Some(count) = class.count() else { continue };
            let offering = &mut self.offerings[class.offering];
            offering.runs_now = true;
            let cell = offering.cell;
            for (s, service) in self.services.iter_mut().enumerate() {
                service.cells_now[cell] += count * class.now[s];
                service.cells_pinned[cell] += count * class.pinned[s];
            }
        }
    }

    fn most_new(&self, service: usize, offering: usize) -> u32 {
        if self.offerings[offering].eligible[service] {
            self.services[service].max_per_node
        } else {
            0
        }
    }

    /// The class of one existing node, still without its name.
    fn existing(&mut self, node: &CurrentNode) -> Option<Class> {
        let offering = self.offering_of(node)?;
        let foreign = self.vector(&node.foreign);
        let now: Vec<u32> = self
            .services
            .iter()
            .map(|s| node.pods.get(&s.name).copied().unwrap_or(0))
            .collect();
        let stays = |s: usize| !node.movable || self.problem.services[s].mode == Mode::Observe;
        let pinned: Vec<u32> = now
            .iter()
            .enumerate()
            .map(|(s, pods)| if stays(s) { *pods } else { 0 })
            .collect();
        let most = (0..self.services.len()).map(|s| {
            // Where no new pods may go, those there now may stay.
            let only_stays = node.cordoned || !self.offerings[offering].eligible[s];
            let allowed = if only_stays { now[s] } else { u32::MAX };
            allowed.min(self.services[s].max_per_node).max(pinned[s])
        });
        let most = most.collect();
        let kept = !node.movable
            || foreign.iter().any(|amount| *amount > 0)
            || pinned.iter().any(|pods| *pods > 0);
        let capacity = self.capacity(&self.offerings[offering], &foreign);
        Some(Class {
            offering,
            names: Vec::new(),
            capacity,
            now,
            pinned,
            most,
            kept,
        })
    }

    /// What services may take of a node: by request, then by expected use.
    fn capacity(&self, offering: &Offering, foreign: &[u64]) -> Vec<u64> {
        let mut taken = self.overhead(offering);
        add(&mut taken, foreign);
        let mut capacity = subtract(&offering.allocatable, &taken);
        for resource in ["cpu", "memory"] {
            let k = self.position(resource);
            let usable = u128::from(offering.allocatable[k]) * u128::from(USE_LIMIT.0)
                / u128::from(USE_LIMIT.1);
            capacity.push(
                u64::try_from(usable)
                    .unwrap_or(u64::MAX)
                    .saturating_sub(taken[k]),
            );
        }
        capacity
    }
}
