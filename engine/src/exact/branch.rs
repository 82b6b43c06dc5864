//! Branching on replicas and node counts, best bound first: a better bound with a certificate of one dual vector a leaf.

use super::master::{Choice, Master, Relaxed};
use super::{Floors, MOST_ROUNDS, generate};
use crate::fleet::Fleet;
use crate::limits::Meter;
use crate::plan::{Branch, Leaf};

/// Sums this close to a whole number are not branched on.
const WHOLE: f64 = 1e-4;

/// A leaf of the tree as it stands.
struct Open {
    branches: Vec<Branch>,
    leaf: Leaf,
    /// Value of its linear programme with the sunk cost, USD/h.
    bound_usd_per_hour: f64,
    /// What to branch on next, and the whole number below.
    next: Option<(Sum, u32)>,
}

/// A sum that may be branched on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sum {
    Replicas(usize),
    Nodes(Option<usize>),
}

impl Sum {
    fn name(self, fleet: &Fleet) -> String {
        match self {
            Self::Replicas(s) => format!("replicas/{}", fleet.services[s].name),
            Self::Nodes(None) => "nodes".to_owned(),
            Self::Nodes(Some(offering)) => format!("nodes/{}", fleet.offering_name(offering)),
        }
    }
}

/// Branches until every leaf reaches the incumbent, no sum is left to branch on, or there are enough leaves.
pub(super) fn leaves(
    fleet: &Fleet,
    master: &mut Master,
    incumbent_usd_per_hour: f64,
    most_leaves: usize,
    meter: &Meter,
) -> Vec<Leaf> {
    let mut search = Search {
        fleet,
        master,
        meter,
    };
    let Some(root) = search.solve(Vec::new()) else {
        return Vec::new();
    };
    let mut open = vec![root];
    while open.len() < most_leaves && meter.goes_on() {
        let Some(weakest) =
            weakest(&open).filter(|i| open[*i].bound_usd_per_hour < incumbent_usd_per_hour - 1e-9)
        else {
            break;
        };
        let Some((sum, below)) = open[weakest].next else {
            break;
        };
        let name = sum.name(fleet);
        let child = |at_most, at_least| {
            let mut branches = open[weakest].branches.clone();
            branches.push(Branch {
                on: name.clone(),
                at_most,
                at_least,
            });
            branches
        };
        let (low, high) = (
            search.solve(child(Some(below), None)),
            search.solve(child(None, Some(below + 1))),
        );
        let (Some(low), Some(high)) = (low, high) else {
            break;
        };
        open.remove(weakest);
        open.extend([low, high]);
    }
    search.lift();
    open.into_iter()
        .map(|node| Leaf {
            branches: node.branches,
            ..node.leaf
        })
        .collect()
}

fn weakest(open: &[Open]) -> Option<usize> {
    (0..open.len()).min_by(|a, b| {
        open[*a]
            .bound_usd_per_hour
            .total_cmp(&open[*b].bound_usd_per_hour)
    })
}

struct Search<'s, 'm> {
    fleet: &'s Fleet,
    master: &'s mut Master<'m>,
    meter: &'s Meter<'s>,
}

impl Search<'_, '_> {
    fn solve(&mut self, branches: Vec<Branch>) -> Option<Open> {
        let floors = self.apply(&branches);
        // A total that no admissible count meets makes the leaf empty; any multipliers do.
        let empty = (0..self.fleet.services.len()).any(|s| {
            !self.fleet.services[s]
                .admissible()
                .any(|l| (floors.least[s]..=floors.most[s]).contains(&l.replicas))
        });
        if empty {
            let leaf = Leaf {
                branches: Vec::new(),
                duals: std::collections::BTreeMap::new(),
            };
            return Some(Open {
                branches,
                leaf,
                bound_usd_per_hour: f64::INFINITY,
                next: None,
            });
        }
        let (relaxed, _) = generate(self.fleet, self.master, &floors, MOST_ROUNDS, self.meter)?;
        let sunk: f64 = self
            .fleet
            .commitments
            .iter()
            .map(|c| c.usd_per_hour * f64::from(c.nodes))
            .sum();
        let next = self.next(&relaxed);
        Some(Open {
            branches,
            leaf: relaxed.duals.leaf,
            bound_usd_per_hour: relaxed.objective + sunk,
            next,
        })
    }

    /// Sets the bounds that the decisions ask for.
    fn apply(&mut self, branches: &[Branch]) -> Floors {
        let mut floors = Floors::none(self.fleet);
        let range = |name: &str| {
            let on = branches.iter().filter(|branch| branch.on == name);
            on.fold((0, u32::MAX), |(least, most), branch| {
                (
                    branch.at_least.unwrap_or(0).max(least),
                    branch.at_most.unwrap_or(u32::MAX).min(most),
                )
            })
        };
        for (s, service) in self.fleet.services.iter().enumerate() {
            let (least, most) = range(&Sum::Replicas(s).name(self.fleet));
            (floors.least[s], floors.most[s]) = (least, most);
            let highest = service
                .admissible()
                .rev()
                .map(|level| level.replicas)
                .find(|r| (least..=most).contains(r));
            floors.sized[s] = highest.unwrap_or(0);
        }
        for offering in (0..self.fleet.offerings.len()).map(Some).chain([None]) {
            self.master
                .bound_nodes(offering, range(&Sum::Nodes(offering).name(self.fleet)));
        }
        for index in 0..self.master.choices.len() {
            let admitted = floors.admits(self.fleet, &self.master.choices[index]);
            self.master
                .bound(index, 0.0, if admitted { f64::INFINITY } else { 0.0 });
        }
        floors
    }

    /// Lifts all bounds again.
    fn lift(&mut self) {
        self.apply(&[]);
    }

    /// The sum furthest from whole: all nodes first, then replicas, then the dearest offering's nodes.
    fn next(&self, relaxed: &Relaxed) -> Option<(Sum, u32)> {
        let mut nodes = vec![0.0; self.fleet.offerings.len()];
        let mut replicas = vec![0.0; self.fleet.services.len()];
        for (choice, weight) in self.master.choices.iter().zip(&relaxed.weights) {
            match choice {
                Choice::Service(s, column) => replicas[*s] += weight * f64::from(column.replicas),
                Choice::Pattern(class, _) => nodes[self.fleet.classes[*class].offering] += weight,
            }
        }
        let off = |value: f64| (value - value.round()).abs();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let decision =
            |sum: Sum, value: f64| (off(value) > WHOLE).then_some((sum, value.floor() as u32));
        let furthest = |values: &[f64], weight: &dyn Fn(usize) -> f64| {
            (0..values.len()).max_by(|a, b| {
                (off(values[*a]) * weight(*a)).total_cmp(&(off(values[*b]) * weight(*b)))
            })
        };
        let all: f64 = nodes.iter().sum();
        decision(Sum::Nodes(None), all)
            .or_else(|| {
                furthest(&replicas, &|_| 1.0).and_then(|s| decision(Sum::Replicas(s), replicas[s]))
            })
            .or_else(|| {
                let price = |offering: usize| self.fleet.offerings[offering].usd_per_hour;
                furthest(&nodes, &price).and_then(|o| decision(Sum::Nodes(Some(o)), nodes[o]))
            })
    }
}
