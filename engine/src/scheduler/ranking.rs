//! The nodes of an offering by what is free of them, and the score that follows from it.

use std::ops::Range;

use crate::fleet::Fleet;

/// The highest score of a node, `framework.MaxNodeScore` upstream.
const MAX_NODE_SCORE: u64 = 100;

/// Nodes of one offering by their **points**: the shares of allocatable CPU and memory that are free, each of 100 and rounded down, added
/// up.
///
/// The share of what is free beside a pod is the share that is free now less the pod's, or one less: with it, a node that the pod fits has
/// a score of (its points − the pod's) / 2 rounded down, or one less. Where only one of the two resources is allocatable, the same holds
/// without the division.
#[derive(Clone)]
pub(super) struct Ranking {
    /// Index of the offering.
    pub(super) offering: usize,
    /// Index of the offering's zone.
    pub(super) zone: usize,
    /// The scored resources and how much of them is allocatable, as far as any is.
    scored: Vec<(usize, u64)>,
    /// Nodes by points, up to the most that any has.
    kinds: Vec<Vec<Kind>>,
}

/// Nodes of which the same is free.
#[derive(Clone)]
struct Kind {
    /// Of each scored resource.
    free: [u64; 2],
    nodes: Vec<u32>,
}

impl Ranking {
    /// Without nodes yet.
    pub(super) fn new(fleet: &Fleet, offering: usize) -> Self {
        let resource = |name: &str| fleet.resources.iter().position(|other| other == name);
        let allocatable = &fleet.offerings[offering].allocatable;
        let scored = ["cpu", "memory"].into_iter().filter_map(resource);
        Self {
            offering,
            zone: fleet.offerings[offering].zone,
            scored: scored
                .map(|resource| (resource, allocatable[resource]))
                .filter(|(_, allocatable)| *allocatable > 0)
                .collect(),
            kinds: Vec::new(),
        }
    }

    /// The points of an amount of each resource.
    pub(super) fn points(&self, amounts: &[u64]) -> usize {
        let shares = self.scored.iter();
        let shares = shares.map(|(k, allocatable)| share(amounts[*k], *allocatable));
        shares.fold(0, u64::saturating_add) as usize
    }

    /// `LeastAllocated` for a pod on nodes of some points and kind: the mean over CPU and memory of
    /// (allocatable − requested) · 100 / allocatable, each rounded down. What daemonsets and foreign pods request is not free.
    pub(super) fn score(&self, points: usize, kind: usize, request: &[u64]) -> usize {
        let free = self.kinds[points][kind].free.iter();
        let shares = self
            .scored
            .iter()
            .zip(free)
            .map(|((k, allocatable), free)| {
                share(free.saturating_sub(request[*k]), *allocatable) as usize
            });
        shares.sum::<usize>() / self.weights()
    }

    /// The weights of the resources added up; 1 without any.
    fn weights(&self) -> usize {
        self.scored.len().max(1)
    }

    /// The highest score that a node can have for a pod of some points; `None` when it fits none.
    pub(super) fn highest_score(&self, points: usize) -> Option<usize> {
        let highest = self.kinds.len().checked_sub(1)?;
        Some(highest.checked_sub(points)? / self.weights())
    }

    /// Points, kind and number of the nodes whose score for a pod of some points is this one or one less, as far as it fits them.
    pub(super) fn scored(
        &self,
        points: usize,
        score: usize,
    ) -> impl Iterator<Item = (usize, usize, usize)> {
        let first = points.saturating_add(score * self.weights());
        let end = self.kinds.len().min(first.saturating_add(self.weights()));
        (first..end).flat_map(|points| {
            let kinds = self.kinds[points].iter().enumerate();
            kinds.map(move |(kind, of_kind)| (points, kind, of_kind.nodes.len()))
        })
    }

    /// Swaps two nodes of the same kind, and returns the one that is at the second place then.
    pub(super) fn swap(&mut self, points: usize, kind: usize, a: usize, b: usize) -> u32 {
        let nodes = &mut self.kinds[points][kind].nodes;
        nodes.swap(a, b);
        nodes[b]
    }

    /// Adds equal nodes.
    pub(super) fn add(&mut self, nodes: Range<u32>, free: &[u64]) {
        let points = self.points(free);
        if self.kinds.len() <= points {
            self.kinds.resize_with(points + 1, Vec::new);
        }
        let mut scored = [0; 2];
        for (scored, (k, _)) in scored.iter_mut().zip(&self.scored) {
            *scored = free[*k];
        }
        let kinds = &mut self.kinds[points];
        match kinds.iter_mut().find(|kind| kind.free == scored) {
            Some(kind) => kind.nodes.extend(nodes),
            None => kinds.push(Kind {
                free: scored,
                nodes: nodes.collect(),
            }),
        }
    }

    /// Takes a node of some points and kind out.
    pub(super) fn take(&mut self, points: usize, kind: usize, node: u32) {
        let kinds = &mut self.kinds[points];
        let nodes = &mut kinds[kind].nodes;
        if let Some(at) = nodes.iter().position(|other| *other == node) {
            nodes.swap_remove(at);
        }
        if nodes.is_empty() {
            kinds.swap_remove(kind);
        }
        while self.kinds.last().is_some_and(Vec::is_empty) {
            self.kinds.pop();
        }
    }
}

/// The share of allocatable that is free, of [`MAX_NODE_SCORE`], rounded down.
fn share(free: u64, allocatable: u64) -> u64 {
    // A division of 128 bits takes many times as long.
    match free.checked_mul(MAX_NODE_SCORE) {
        Some(scaled) => scaled / allocatable,
        None => {
            let scaled = u128::from(free) * u128::from(MAX_NODE_SCORE);
            u64::try_from(scaled / u128::from(allocatable)).unwrap_or(MAX_NODE_SCORE)
        }
    }
}
