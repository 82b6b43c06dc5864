//! The circuit's cost: a surrogate of the true cost that is a function of the digits alone.
//!
//! `C(x) = Σ_s local_s(x_s) + Σ_o price_o · n_o + penalties`, `n_o = max(kept_o, max_k ⌈Σ_s demand_{s,o,k}(x_s) / capacity_{o,k}⌉)`: nodes are
//! counted as if pods could be cut, so C is usually below the true cost. Nodes beyond the existing ones also pay their start-up.

use crate::choices::{Axes, Choice};
use crate::fleet::{Commitment, Fleet, Limit};
use crate::parallel;

/// States built by one task.
const CHUNK: usize = 1 << 14;

/// The surrogate over the register of the axes.
pub struct Surrogate<'a> {
    fleet: &'a Fleet,
    axes: &'a Axes,
    /// Offerings that some choice uses.
    offerings: Vec<usize>,
    /// Dimensions of a node's capacity.
    dimensions: usize,
    /// For each axis and level: share of a node in every offering and dimension.
    shares: Vec<Vec<Vec<f64>>>,
    /// The fixed services' shares.
    fixed: Vec<f64>,
    /// For each axis and level: latency, evictions and moves of the service, USD/h.
    local: Vec<Vec<f64>>,
    fixed_local: f64,
    /// Price of one unit by which a limit is broken, USD/h.
    penalty: f64,
    /// Limits that used offerings can break.
    limits: Vec<Row>,
    /// Nodes of each used offering that stay in any case, and that exist.
    kept: Vec<f64>,
    existing: Vec<f64>,
}

/// A limit over the used offerings, its coefficients scaled to at most 1 a node.
struct Row {
    /// Positions among the used offerings with their coefficients.
    coefficients: Vec<(usize, f64)>,
    limit: f64,
}

impl Row {
    /// Upper limits are kept as they are, lower ones with both sides negated.
    fn new(limit: &Limit, offerings: &[usize]) -> Self {
        let largest = limit.coefficients.iter().copied().fold(1e-9, f64::max);
        let scale = if limit.at_least { -1.0 } else { 1.0 } / largest;
        let used = offerings.iter().enumerate();
        Self {
            coefficients: used
                .map(|(i, o)| (i, scale * limit.coefficients[*o]))
                .filter(|(_, coefficient)| *coefficient != 0.0)
                .collect(),
            limit: scale * limit.limit,
        }
    }

    /// Nodes too many or too few.
    fn excess(&self, nodes: &[f64]) -> f64 {
        let sum = |sum, (i, coefficient): &(usize, f64)| sum + coefficient * nodes[*i];
        (self.coefficients.iter().fold(0.0, sum) - self.limit).max(0.0)
    }
}

impl<'a> Surrogate<'a> {
    /// Prepares the tables of each axis.
    pub fn new(fleet: &'a Fleet, axes: &'a Axes) -> Self {
        let uses = |o: &usize| {
            axes.choices
                .iter()
                .flatten()
                .any(|choice| choice.pods[*o] > 0)
                || kept(fleet, *o) > 0.0
        };
        let offerings: Vec<usize> = (0..fleet.offerings.len()).filter(uses).collect();
        let dimensions = fleet.requested_dimensions() + 2;
        let is_axis = |s: &usize| axes.services.contains(s);
        let share = |s: usize, choice: &Choice| shares(fleet, s, choice, &offerings);
        let mut fixed = vec![0.0; offerings.len() * dimensions];
        let mut fixed_local = 0.0;
        for s in (0..fleet.services.len()).filter(|s| !is_axis(s)) {
            let choice = &axes.choices[s][0];
            fixed
                .iter_mut()
                .zip(share(s, choice))
                .for_each(|(sum, x)| *sum += x);
            fixed_local += local(fleet, s, choice);
        }
        let of_axis = |s: &usize| &axes.choices[*s];
        Self {
            fleet,
            axes,
            dimensions,
            shares: axes
                .services
                .iter()
                .map(|s| of_axis(s).iter().map(|choice| share(*s, choice)).collect())
                .collect(),
            local: axes
                .services
                .iter()
                .map(|s| {
                    of_axis(s)
                        .iter()
                        .map(|choice| local(fleet, *s, choice))
                        .collect()
                })
                .collect(),
            fixed,
            fixed_local,
            penalty: fleet
                .offerings
                .iter()
                .map(|o| o.usd_per_hour)
                .fold(0.0, f64::max),
            limits: fleet
                .limits
                .iter()
                .map(|limit| Row::new(limit, &offerings))
                .filter(|row| !row.coefficients.is_empty() || row.limit < 0.0)
                .collect(),
            kept: offerings.iter().map(|o| kept(fleet, *o)).collect(),
            existing: offerings.iter().map(|o| existing(fleet, *o)).collect(),
            offerings,
        }
    }

    /// C of every state, axis 0 fastest.
    pub fn table(&self) -> Vec<f64> {
        let mut values = vec![0.0; self.axes.dimension()];
        parallel::fill_chunks(&mut values, CHUNK, |first, part| self.fill(first, part));
        values
    }

    /// States in a row: only axis 0 changes within a run, the sum over the others is kept.
    fn fill(&self, first: usize, part: &mut [f64]) {
        let levels = self.axes.levels();
        let run = levels.first().copied().unwrap_or(1);
        let mut sum = vec![0.0; self.fixed.len()];
        let mut local = 0.0;
        let mut nodes = vec![0.0; self.offerings.len()];
        let mut scratch = vec![0.0; self.fixed.len()];
        for (offset, value) in part.iter_mut().enumerate() {
            let index = first + offset;
            if offset == 0 || index.is_multiple_of(run) {
                local = self.rest(index / run, &levels, &mut sum);
            }
            let fastest = index % run;
            scratch.copy_from_slice(&sum);
            let own = match self.shares.first() {
                Some(axis) => {
                    scratch
                        .iter_mut()
                        .zip(&axis[fastest])
                        .for_each(|(sum, x)| *sum += x);
                    self.local[0][fastest]
                }
                None => 0.0,
            };
            *value = local + own + self.nodes(&scratch, &mut nodes);
        }
    }

    /// Sums over the axes from 1 on at the digits of `index`.
    fn rest(&self, mut index: usize, levels: &[usize], sum: &mut [f64]) -> f64 {
        sum.copy_from_slice(&self.fixed);
        let mut local = self.fixed_local;
        for (axis, levels) in levels.iter().enumerate().skip(1) {
            let digit = index % levels;
            index /= levels;
            sum.iter_mut()
                .zip(&self.shares[axis][digit])
                .for_each(|(sum, x)| *sum += x);
            local += self.local[axis][digit];
        }
        local
    }

    /// Nodes, their price and the penalties, from the shares taken.
    fn nodes(&self, shares: &[f64], nodes: &mut [f64]) -> f64 {
        let mut total = 0.0;
        for (i, offering) in self.offerings.iter().enumerate() {
            let taken = &shares[i * self.dimensions..(i + 1) * self.dimensions];
            let count = (taken.iter().copied().fold(0.0, f64::max) - 1e-9)
                .ceil()
                .max(self.kept[i]);
            nodes[i] = count;
            let offering = &self.fleet.offerings[*offering];
            total += count * offering.usd_per_hour
                + (count - self.existing[i]).max(0.0) * offering.startup_usd_per_hour;
        }
        total + self.commitments(nodes) + self.penalties(nodes)
    }

    fn commitments(&self, nodes: &[f64]) -> f64 {
        let one = |c: &Commitment| {
            let position = self.offerings.iter().position(|o| *o == c.offering);
            let used = position.map_or(0.0, |i| nodes[i].min(f64::from(c.nodes)));
            let saved = self.fleet.offerings[c.offering].usd_per_hour - c.used_usd_per_hour;
            c.usd_per_hour * f64::from(c.nodes) - saved * used
        };
        self.fleet.commitments.iter().map(one).sum()
    }

    fn penalties(&self, nodes: &[f64]) -> f64 {
        let mut broken: f64 = self.limits.iter().map(|row| row.excess(nodes)).sum();
        if let Some(budget) = self.fleet.budget_usd_per_hour() {
            let used = self.offerings.iter().zip(nodes);
            let spent: f64 = used
                .map(|(o, nodes)| self.fleet.offerings[*o].usd_per_hour * nodes)
                .sum();
            broken += (spent - budget).max(0.0);
        }
        self.penalty * broken
    }
}

/// Nodes of an offering that stay in any case.
fn kept(fleet: &Fleet, offering: usize) -> f64 {
    let here = fleet
        .classes
        .iter()
        .filter(|class| class.offering == offering && class.kept);
    here.filter_map(crate::fleet::Class::count)
        .map(f64::from)
        .sum()
}

fn existing(fleet: &Fleet, offering: usize) -> f64 {
    fleet
        .classes
        .iter()
        .filter(|class| class.offering == offering)
        .filter_map(crate::fleet::Class::count)
        .map(f64::from)
        .sum()
}

/// Share of a node that the choice's pods take, by used offering and dimension.
#[allow(clippy::cast_precision_loss)]
fn shares(fleet: &Fleet, s: usize, choice: &Choice, offerings: &[usize]) -> Vec<f64> {
    let size = fleet.services[s].pod_size(choice.replicas());
    let mut shares = Vec::with_capacity(offerings.len() * size.len());
    for offering in offerings {
        let capacity = &fleet.classes[*offering].capacity;
        let pods = f64::from(choice.pods[*offering]);
        shares.extend(
            size.iter()
                .zip(capacity)
                .map(|(size, room)| pods * *size as f64 / (*room).max(1) as f64),
        );
    }
    shares
}

/// What a choice costs whatever the other services do: latency, evictions from spot nodes, pods that must move.
fn local(fleet: &Fleet, s: usize, choice: &Choice) -> f64 {
    let service = &fleet.services[s];
    let replicas = choice.replicas();
    let evictions: f64 = fleet
        .offerings
        .iter()
        .zip(&choice.pods)
        .map(|(o, pods)| o.interruptions_per_hour * service.usd_per_eviction * f64::from(*pods))
        .sum();
    let staying: u32 = (0..fleet.offerings.len())
        .map(|o| choice.pods[o].min(placed_on(fleet, s, o)))
        .sum();
    let moves = service.placed_now.min(replicas).saturating_sub(staying);
    service.level(replicas).slo_usd_per_hour
        + evictions
        + service.move_usd_per_hour * f64::from(moves)
}

fn placed_on(fleet: &Fleet, s: usize, offering: usize) -> u32 {
    let here = fleet
        .classes
        .iter()
        .filter(|class| class.offering == offering);
    here.filter_map(|class| Some(class.count()? * class.now[s]))
        .sum()
}
