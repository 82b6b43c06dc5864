//! What patterns and columns are sized for.

use super::column::Column;
use super::master::Choice;
use crate::fleet::{Fleet, Service};
use crate::problem::Survive;

/// The replica counts at which expected use and node limits are taken. Both bind less at more replicas.
#[derive(Clone)]
pub(super) struct Floors {
    /// Fewest replicas of a column.
    pub(super) least: Vec<u32>,
    /// Most replicas of a column.
    pub(super) most: Vec<u32>,
    /// Replicas at which a pattern's pods are sized and limited.
    pub(super) sized: Vec<u32>,
    /// Whether each column alone must keep the spot share, as it must in a plan; in the relaxation their mixture does.
    pub(super) whole: bool,
}

impl Floors {
    /// For the relaxation: any column, patterns as at the highest admissible count.
    pub(super) fn none(fleet: &Fleet) -> Self {
        let top = |service: &Service| {
            service
                .admissible()
                .next_back()
                .map_or(0, |level| level.replicas)
        };
        Self {
            least: vec![0; fleet.services.len()],
            most: vec![u32::MAX; fleet.services.len()],
            sized: fleet.services.iter().map(top).collect(),
            whole: false,
        }
    }

    /// For whole plans: columns and patterns that fit together whichever are chosen, around the given counts.
    pub(super) fn around(fleet: &Fleet, columns: &[Column]) -> Self {
        let none = Self::none(fleet);
        let depends = |s: usize| {
            fleet.services[s].survive == Survive::Node
                || fleet.services[s].pod_size(columns[s].replicas)
                    != fleet.services[s].pod_size(none.sized[s])
        };
        let floor = |s: usize| if depends(s) { columns[s].replicas } else { 0 };
        let sized = |s: usize| {
            if depends(s) {
                columns[s].replicas
            } else {
                none.sized[s]
            }
        };
        Self {
            least: (0..columns.len()).map(floor).collect(),
            most: vec![u32::MAX; columns.len()],
            sized: (0..columns.len()).map(sized).collect(),
            whole: true,
        }
    }

    /// Most of a choice's weight: without limit, or none where it is not admitted.
    pub(super) fn most_weight(&self, fleet: &Fleet, choice: &Choice) -> f64 {
        if self.admits(fleet, choice) {
            f64::INFINITY
        } else {
            0.0
        }
    }

    /// Whether the choice may stand in a plan with any other that may.
    pub(super) fn admits(&self, fleet: &Fleet, choice: &Choice) -> bool {
        match choice {
            Choice::Service(s, column) => {
                (self.least[*s]..=self.most[*s]).contains(&column.replicas)
                    && (!self.whole || column.keeps_spot_share(&fleet.services[*s]))
            }
            Choice::Pattern(class, pods) => {
                let class = &fleet.classes[*class];
                let limit = |s: usize| {
                    let limit = fleet.services[s].node_limit(self.sized[s]);
                    limit.max(class.pinned[s])
                };
                let size = |s: usize| fleet.services[s].pod_size(self.sized[s]);
                (0..pods.len()).all(|s| pods[s] <= limit(s))
                    && class.room_beside(pods, size).is_some()
            }
        }
    }
}
