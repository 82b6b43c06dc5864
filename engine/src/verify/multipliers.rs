//! A leaf of the certificate, read: which decisions led to it and the multiplier of every row.

use std::collections::BTreeMap;

use super::Finding;
use crate::fleet::Fleet;
use crate::plan::{Branch, Leaf};

/// Largest multiplier, in either direction, that is read: with it no sum of the bound overflows.
const LARGEST: f64 = 1e12;

/// A row that multipliers are given for; indices are those of the fleet.
#[derive(Clone, Copy, Debug)]
enum Row {
    Pods { service: usize, cell: usize },
    SpotShare(usize),
    Limit(usize),
    Budget,
    MaxMoves,
    NoMoves(usize),
    Commitment(usize),
}

/// What a branching decision is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sum {
    Replicas(usize),
    AllNodes,
    NodesOf(usize),
}

/// The rows and sums of a fleet by name.
pub(super) struct Names {
    rows: BTreeMap<String, Row>,
    sums: BTreeMap<String, Sum>,
}

/// A decision on a number of nodes, with its multiplier.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeBranch {
    /// The offering, or all of them.
    pub(super) offering: Option<usize>,
    pub(super) at_least: bool,
    pub(super) nodes: u32,
    pub(super) multiplier: f64,
}

impl NodeBranch {
    pub(super) fn counts(&self, offering: usize) -> bool {
        self.offering.is_none_or(|only| only == offering)
    }
}

/// Multipliers of all rows, 0 where the leaf names none, and the leaf's decisions.
pub(super) struct Multipliers {
    /// By service and cell.
    pub(super) pods: Vec<Vec<f64>>,
    pub(super) spot_share: Vec<f64>,
    pub(super) limits: Vec<f64>,
    pub(super) budget: f64,
    pub(super) max_moves: f64,
    pub(super) no_moves: Vec<f64>,
    pub(super) commitments: Vec<f64>,
    /// By service: fewest and most replicas.
    pub(super) replicas: Vec<(u32, u32)>,
    pub(super) nodes: Vec<NodeBranch>,
}

impl Names {
    pub(super) fn of(fleet: &Fleet) -> Self {
        let mut rows = BTreeMap::new();
        let mut sums = BTreeMap::from([("nodes".to_owned(), Sum::AllNodes)]);
        for (index, service) in fleet.services.iter().enumerate() {
            let name = &service.name;
            sums.insert(format!("replicas/{name}"), Sum::Replicas(index));
            rows.insert(format!("spot_share/{name}"), Row::SpotShare(index));
            for cell in &service.cells {
                rows.insert(
                    format!("pods/{name}/{}", fleet.cell_name(*cell)),
                    Row::Pods {
                        service: index,
                        cell: *cell,
                    },
                );
            }
            if service.unmovable {
                rows.insert(format!("no_moves/{name}"), Row::NoMoves(index));
            }
        }
        for offering in 0..fleet.offerings.len() {
            sums.insert(
                format!("nodes/{}", fleet.offering_name(offering)),
                Sum::NodesOf(offering),
            );
        }
        for (index, limit) in fleet.limits.iter().enumerate() {
            rows.insert(limit.name.clone(), Row::Limit(index));
        }
        for (index, commitment) in fleet.commitments.iter().enumerate() {
            rows.insert(
                format!("commitment/{}", fleet.offering_name(commitment.offering)),
                Row::Commitment(index),
            );
        }
        if fleet.budget_usd_per_hour().is_some() {
            rows.insert("budget".to_owned(), Row::Budget);
        }
        if fleet.max_moves().is_some() {
            rows.insert("max_moves".to_owned(), Row::MaxMoves);
        }
        Self { rows, sums }
    }

    /// Reads a leaf.
    ///
    /// # Errors
    ///
    /// Names that are unknown, numbers that are not finite or beyond ±10¹², negative multipliers of inequalities, and
    /// decisions that have not exactly one side.
    pub(super) fn read(&self, fleet: &Fleet, leaf: &Leaf) -> Result<Multipliers, Vec<Finding>> {
        let mut findings = Vec::new();
        let mut multipliers = Multipliers::zero(fleet);
        for branch in &leaf.branches {
            match self.sum(branch) {
                Ok(sum) => multipliers.decide(sum, branch),
                Err(finding) => findings.push(finding),
            }
        }
        for (name, value) in &leaf.duals {
            if let Err(message) = self.set(&mut multipliers, name, *value) {
                findings.push(Finding::new(
                    format!("certificate.leaves.duals.{name}"),
                    message,
                ));
            }
        }
        if findings.is_empty() {
            Ok(multipliers)
        } else {
            Err(findings)
        }
    }

    fn sum(&self, branch: &Branch) -> Result<Sum, Finding> {
        let path = "certificate.leaves.branches";
        if branch.at_most.is_some() == branch.at_least.is_some() {
            return Err(Finding::new(
                path,
                format!(
                    "the decision on {} has not exactly one of at_most and at_least",
                    branch.on
                ),
            ));
        }
        self.sums
            .get(&branch.on)
            .copied()
            .ok_or_else(|| Finding::new(path, format!("{} is nothing to decide on", branch.on)))
    }

    fn set(&self, multipliers: &mut Multipliers, name: &str, value: f64) -> Result<(), String> {
        if !value.is_finite() || value.abs() > LARGEST {
            return Err(format!("{value} is not a number within ±{LARGEST:e}"));
        }
        let (slot, may_be_negative) = match self.rows.get(name) {
            Some(row) => (multipliers.slot(*row), matches!(row, Row::Pods { .. })),
            None => (self.branch_slot(multipliers, name), false),
        };
        let slot = slot.ok_or("names no row of the problem and no decision of the leaf")?;
        if value < 0.0 && !may_be_negative {
            return Err(format!("{value} is below 0"));
        }
        *slot = value;
        Ok(())
    }

    /// The multiplier of a decision on nodes: `at_most/nodes…` or `at_least/nodes…`.
    fn branch_slot<'a>(&self, multipliers: &'a mut Multipliers, name: &str) -> Option<&'a mut f64> {
        let (at_least, on) = match name.split_once('/')? {
            ("at_most", on) => (false, on),
            ("at_least", on) => (true, on),
            _ => return None,
        };
        let offering = match self.sums.get(on)? {
            Sum::AllNodes => None,
            Sum::NodesOf(offering) => Some(*offering),
            Sum::Replicas(_) => return None,
        };
        let found = multipliers
            .nodes
            .iter_mut()
            .find(|branch| branch.offering == offering && branch.at_least == at_least);
        found.map(|branch| &mut branch.multiplier)
    }
}

impl Multipliers {
    fn zero(fleet: &Fleet) -> Self {
        let services = fleet.services.len();
        Self {
            pods: vec![vec![0.0; 2 * fleet.zones.len()]; services],
            spot_share: vec![0.0; services],
            limits: vec![0.0; fleet.limits.len()],
            budget: 0.0,
            max_moves: 0.0,
            no_moves: vec![0.0; services],
            commitments: vec![0.0; fleet.commitments.len()],
            replicas: vec![(0, u32::MAX); services],
            nodes: Vec::new(),
        }
    }

    fn slot(&mut self, row: Row) -> Option<&mut f64> {
        match row {
            Row::Pods { service, cell } => self.pods.get_mut(service)?.get_mut(cell),
            Row::SpotShare(service) => self.spot_share.get_mut(service),
            Row::Limit(limit) => self.limits.get_mut(limit),
            Row::Budget => Some(&mut self.budget),
            Row::MaxMoves => Some(&mut self.max_moves),
            Row::NoMoves(service) => self.no_moves.get_mut(service),
            Row::Commitment(commitment) => self.commitments.get_mut(commitment),
        }
    }

    /// Adds a decision; of several on the same sum and side the tightest counts.
    fn decide(&mut self, sum: Sum, branch: &Branch) {
        let (at_least, number) = match (branch.at_least, branch.at_most) {
            (Some(number), _) => (true, number),
            (None, number) => (false, number.unwrap_or(u32::MAX)),
        };
        let offering = match sum {
            Sum::Replicas(service) => {
                let (low, high) = &mut self.replicas[service];
                if at_least {
                    *low = number.max(*low)
                } else {
                    *high = number.min(*high)
                }
                return;
            }
            Sum::AllNodes => None,
            Sum::NodesOf(offering) => Some(offering),
        };
        match self
            .nodes
            .iter_mut()
            .find(|known| known.offering == offering && known.at_least == at_least)
        {
            Some(known) if at_least => known.nodes = known.nodes.max(number),
            Some(known) => known.nodes = known.nodes.min(number),
            None => self.nodes.push(NodeBranch {
                offering,
                at_least,
                nodes: number,
                multiplier: 0.0,
            }),
        }
    }
}
