//! The lower bound L(u) of a certificate, evaluated with every operation rounded down: `docs/decisions/bound.md` has the formula, and
//! the numbers of its terms stand at the functions here.

use std::collections::BTreeMap;

use super::multipliers::{Multipliers, Names};
use super::pricing::{Pods, best_pattern};
use super::rounding::{add_down, add_up, mul_down, mul_up};
use super::{Finding, service, tree};
use crate::fleet::{Class, Fleet, Limit};
use crate::parallel;
use crate::plan::{Certificate, Leaf};
use crate::problem::Survive;

/// Share of a limit by which [`crate::feasibility`] lets it be exceeded, and the rounding of its sum.
const LIMIT_TOLERANCE: f64 = 1.001e-9;

/// Classes that are looked at together, so that equal patterns are priced once.
const CLASSES: usize = 16;

/// The prices to bound with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prices {
    /// Those of the problem.
    Real,
    /// Everything is free: then a bound above 0 proves that nothing is feasible. Prices in constraints (budget, caps) stay.
    Zero,
}

/// The bound of one leaf in USD/h, rounded down: no feasible plan that keeps the leaf's decisions costs less. Infinite when no plan keeps
/// them.
///
/// # Errors
///
/// Unknown names, multipliers that are not finite, beyond ±10¹² or of the wrong sign, malformed decisions.
pub fn evaluate(fleet: &Fleet, leaf: &Leaf, prices: Prices) -> Result<f64, Vec<Finding>> {
    let multipliers = Names::of(fleet).read(fleet, leaf)?;
    Ok(LeafBound::new(fleet, &multipliers, prices).value())
}

/// The bound of a certificate: the least over its leaves, which must cover everything.
///
/// # Errors
///
/// As [`evaluate`], and leaves that leave something out.
pub fn bound(
    fleet: &Fleet,
    certificate: &Certificate,
    prices: Prices,
) -> Result<f64, Vec<Finding>> {
    tree::check(&certificate.leaves)?;
    let names = Names::of(fleet);
    let multipliers: Vec<Multipliers> = certificate
        .leaves
        .iter()
        .map(|leaf| names.read(fleet, leaf))
        .collect::<Result<_, _>>()?;
    let values = parallel::map(&multipliers, |multipliers| {
        LeafBound::new(fleet, multipliers, prices).value()
    });
    Ok(values.into_iter().fold(f64::INFINITY, f64::min))
}

/// The part of the cost that no decision changes, USD/h: commitments, and for every service the least that its latency costs at
/// an admissible total.
pub fn constants(fleet: &Fleet) -> f64 {
    let services = fleet.services.iter().filter_map(|service| {
        service
            .admissible()
            .map(|level| level.slo_usd_per_hour)
            .reduce(f64::min)
    });
    fleet.sunk_usd_per_hour() + services.sum::<f64>()
}

/// The gap of a plan: `(cost − bound) / max(cost − constants, 1e-6)`.
pub fn gap(cost_usd_per_hour: f64, bound_usd_per_hour: f64, constants_usd_per_hour: f64) -> f64 {
    (cost_usd_per_hour - bound_usd_per_hour)
        / (cost_usd_per_hour - constants_usd_per_hour).max(1e-6)
}

struct LeafBound<'a> {
    fleet: &'a Fleet,
    multipliers: &'a Multipliers,
    prices: Prices,
    /// For each service, the highest admissible total; `None` when there is none.
    highest: Vec<Option<u32>>,
    /// Weight of the price of nodes, rounded down and up: 1 in the objective (or 0) and what the budget adds.
    usd: (f64, f64),
}

/// Values of patterns known so far, by everything they depend on.
type Priced = BTreeMap<Vec<u64>, Option<f64>>;

impl<'a> LeafBound<'a> {
    fn new(fleet: &'a Fleet, multipliers: &'a Multipliers, prices: Prices) -> Self {
        let highest =
            fleet
                .services
                .iter()
                .zip(&multipliers.replicas)
                .map(|(service, (low, high))| {
                    let totals = service.admissible().rev().map(|level| level.replicas);
                    totals
                        .into_iter()
                        .find(|total| (low..=high).contains(&total))
                });
        let objective = if prices == Prices::Real { 1.0 } else { 0.0 };
        let usd = (
            add_down(objective, multipliers.budget),
            add_up(objective, multipliers.budget),
        );
        Self {
            fleet,
            multipliers,
            prices,
            highest: highest.collect(),
            usd,
        }
    }

    /// The sum of all terms.
    fn value(&self) -> f64 {
        let mut sum = add_down(self.constants(), self.commitments());
        for index in 0..self.fleet.services.len() {
            let Some(cost) = service::least_cost(self.fleet, index, self.multipliers, self.prices)
            else {
                return f64::INFINITY;
            };
            sum = add_down(sum, cost);
        }
        let parts: Vec<&[Class]> = self.fleet.classes.chunks(CLASSES).collect();
        let costs = parallel::map(&parts, |classes| {
            let mut priced = Priced::new();
            let costs = classes.iter().map(|class| self.class(class, &mut priced));
            costs.collect::<Option<Vec<f64>>>()
        });
        let costs: Option<Vec<Vec<f64>>> = costs.into_iter().collect();
        costs.map_or(f64::INFINITY, |costs| {
            costs.concat().into_iter().fold(sum, add_down)
        })
    }

    /// Term 1: what the multipliers earn or pay on the right-hand sides.
    fn constants(&self) -> f64 {
        let mut sum = 0.0;
        for (limit, multiplier) in self.fleet.limits.iter().zip(&self.multipliers.limits) {
            sum = add_down(
                sum,
                if limit.at_least {
                    mul_down(*multiplier, loosened(limit))
                } else {
                    mul_down(-multiplier, loosened(limit))
                },
            );
        }
        for branch in &self.multipliers.nodes {
            let sign = if branch.at_least { 1.0 } else { -1.0 };
            sum = add_down(
                sum,
                mul_down(sign * branch.multiplier, f64::from(branch.nodes)),
            );
        }
        if let Some(budget) = self.fleet.budget_usd_per_hour() {
            sum = add_down(
                sum,
                mul_down(-self.multipliers.budget, budget * (1.0 + LIMIT_TOLERANCE)),
            );
        }
        if let Some(most) = self.fleet.max_moves() {
            sum = add_down(sum, mul_down(-self.multipliers.max_moves, f64::from(most)));
        }
        for commitment in &self.fleet.commitments {
            sum = add_down(
                sum,
                mul_down(
                    mul_down(commitment.usd_per_hour, f64::from(commitment.nodes)),
                    self.usd.0,
                ),
            );
        }
        sum
    }

    /// Term 2: committed nodes, all used or none.
    fn commitments(&self) -> f64 {
        let mut sum = 0.0;
        for (commitment, multiplier) in self
            .fleet
            .commitments
            .iter()
            .zip(&self.multipliers.commitments)
        {
            let listed = self.fleet.offerings[commitment.offering].usd_per_hour;
            let saved = add_up(listed, -commitment.used_usd_per_hour);
            let each = add_down(*multiplier, -mul_up(saved, self.usd.1));
            sum = add_down(sum, mul_down(f64::from(commitment.nodes), each).min(0.0));
        }
        sum
    }

    /// Terms 4 and 5: all nodes of a class; `None` when one must stay and no pattern fits it.
    fn class(&self, class: &Class, priced: &mut Priced) -> Option<f64> {
        let node = self.reduced_price(class);
        let floor = if class.kept { f64::NEG_INFINITY } else { node };
        let value = self.pattern(class, floor, priced)?;
        // Beside a node that may be left out stands not having it, which costs nothing.
        let each = if value == node {
            0.0
        } else {
            add_down(node, -value)
        };
        let count = class
            .count()
            .map_or_else(|| self.most_new_nodes(class), f64::from);
        Some(if each == 0.0 {
            0.0
        } else {
            mul_down(count, each)
        })
    }

    /// The reduced price of an empty node of a class.
    fn reduced_price(&self, class: &Class) -> f64 {
        let offering = &self.fleet.offerings[class.offering];
        let mut price = mul_down(offering.usd_per_hour, self.usd.0);
        if !class.is_existing() && self.prices == Prices::Real {
            price = add_down(price, offering.startup_usd_per_hour);
        }
        for (limit, multiplier) in self.fleet.limits.iter().zip(&self.multipliers.limits) {
            let coefficient = limit.coefficients[class.offering];
            price = add_down(
                price,
                if limit.at_least {
                    mul_down(-multiplier, coefficient)
                } else {
                    mul_down(*multiplier, coefficient)
                },
            );
        }
        for branch in self
            .multipliers
            .nodes
            .iter()
            .filter(|branch| branch.counts(class.offering))
        {
            price = add_down(
                price,
                if branch.at_least {
                    -branch.multiplier
                } else {
                    branch.multiplier
                },
            );
        }
        for (commitment, multiplier) in self
            .fleet
            .commitments
            .iter()
            .zip(&self.multipliers.commitments)
        {
            if commitment.offering == class.offering {
                price = add_down(price, -multiplier);
            }
        }
        price
    }

    /// More new nodes of a class than a plan of least cost has: one for each pod, those that a lower bound asks for, and one; at most what an
    /// upper bound allows by itself.
    fn most_new_nodes(&self, class: &Class) -> f64 {
        let cluster = self.fleet.offerings[class.offering].cluster;
        let services = (0..self.fleet.services.len()).filter(|s| class.most[*s] > 0);
        let pods = services.map(|s| f64::from(self.most_replicas(s, cluster)));
        let mut most = 1.0 + pods.sum::<f64>();
        let limits = || {
            self.fleet
                .limits
                .iter()
                .filter(|limit| limit.coefficients[class.offering] > 0.0)
        };
        let branches = || {
            self.multipliers
                .nodes
                .iter()
                .filter(|branch| branch.counts(class.offering))
        };
        most += limits()
            .filter(|limit| limit.at_least)
            .map(|limit| limit.limit.ceil())
            .sum::<f64>();
        most += branches()
            .filter(|branch| branch.at_least)
            .map(|branch| f64::from(branch.nodes))
            .sum::<f64>();
        for limit in limits().filter(|limit| !limit.at_least) {
            most = most.min(
                (loosened(limit) / limit.coefficients[class.offering])
                    .next_up()
                    .floor(),
            );
        }
        branches()
            .filter(|branch| !branch.at_least)
            .map(|branch| f64::from(branch.nodes))
            .fold(most, f64::min)
    }

    /// Most replicas of a service in a cluster.
    fn most_replicas(&self, service: usize, cluster: usize) -> u32 {
        let most = self.fleet.services[service]
            .bounds(cluster)
            .map_or(0, |bounds| bounds.max);
        most.min(self.highest[service].unwrap_or(0))
    }

    /// The largest value of a pattern of a class, or `floor` if that is larger; `None` when no pattern fits.
    fn pattern(&self, class: &Class, floor: f64, priced: &mut Priced) -> Option<f64> {
        let services: Vec<usize> = (0..self.fleet.services.len())
            .filter(|s| class.most[*s] > 0)
            .collect();
        let pods: Vec<Pods> = services
            .iter()
            .map(|s| self.pods(class, *s, &services))
            .collect();
        let key = key(&class.capacity, &pods, &services, floor);
        if let Some(known) = priced.get(&key) {
            return *known;
        }
        let value = best_pattern(&class.capacity, &pods, floor);
        priced.insert(key, value);
        value
    }

    fn pods(&self, class: &Class, s: usize, services: &[usize]) -> Pods {
        let service = &self.fleet.services[s];
        let offering = &self.fleet.offerings[class.offering];
        let highest = self.highest[s].unwrap_or(0);
        let (low, most) = (
            class.pinned[s],
            class.most[s].min(self.most_replicas(s, offering.cluster)),
        );
        let limit = if service.survive == Survive::Node {
            service.node_limit(highest).max(low)
        } else {
            u32::MAX
        };
        let real = self.prices == Prices::Real;
        let eviction = if real {
            mul_down(offering.interruptions_per_hour, service.usd_per_eviction)
        } else {
            0.0
        };
        let a_move = if real { service.move_usd_per_hour } else { 0.0 };
        Pods {
            size: service.pod_size(highest),
            low,
            high: most.min(limit).max(low),
            now: class.now[s],
            value: add_up(self.multipliers.pods[s][offering.cell], -eviction),
            stay: add_up(
                add_up(a_move, self.multipliers.max_moves),
                self.multipliers.no_moves[s],
            ),
            conflicts: service
                .conflicts
                .iter()
                .filter_map(|other| services.binary_search(other).ok())
                .collect(),
        }
    }
}

/// The right-hand side that every placement within the tolerance of feasibility keeps.
fn loosened(limit: &Limit) -> f64 {
    let slack = LIMIT_TOLERANCE * limit.limit.abs().max(1.0);
    if limit.at_least {
        (limit.limit - slack).next_down()
    } else {
        (limit.limit + slack).next_up()
    }
}

/// Everything that the best pattern depends on; conflicts follow from which services there are.
fn key(capacity: &[u64], pods: &[Pods], services: &[usize], floor: f64) -> Vec<u64> {
    let mut key = vec![floor.to_bits()];
    key.extend(capacity);
    for (p, service) in pods.iter().zip(services) {
        key.extend([
            *service as u64,
            u64::from(p.low),
            u64::from(p.high),
            u64::from(p.now),
            p.value.to_bits(),
            p.stay.to_bits(),
        ]);
    }
    key
}
