//! The restricted master: service columns and node patterns, solved by HiGHS as a linear programme.

use std::collections::{BTreeMap, BTreeSet};

use highs::{Col, ColProblem, HighsModelStatus, Model, Row, Sense, SolvedModel};

use super::column::Column;
use super::rows::{Kind, alike, bounds, kinds, named, scale};
use crate::fleet::Fleet;
use crate::limits::Meter;
use crate::plan::Leaf;

/// Nodes of one class with the same pods, or a service's replicas.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Choice {
    /// Service and column.
    Service(usize, Column),
    /// Class and pods by service.
    Pattern(usize, Vec<u32>),
}

/// Whether costs are those of the problem, or zero with a price on every broken row (to prove that none is feasible).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Objective {
    /// Cost in USD/h; broken rows cost this much a unit.
    Cost {
        /// Price of a unit by which a row is broken.
        penalty: f64,
    },
    /// Broken units only.
    Infeasibility,
}

/// Multipliers of a leaf in the form the pricing problems use.
#[derive(Clone, Debug)]
pub(crate) struct Duals {
    /// u by service and cell.
    pub(crate) pods: Vec<Vec<f64>>,
    /// Value of choosing a column, by service.
    pub(crate) convexity: Vec<f64>,
    /// q by service.
    pub(crate) spot_share: Vec<f64>,
    /// Price of a move more, by service: its own, the fleet's and the forbidden one's together.
    pub(crate) moves: Vec<f64>,
    /// Reduced price of a node by class, without the class's own row.
    pub(crate) node: Vec<f64>,
    /// Dual of the class's count (existing classes only).
    pub(crate) class: Vec<f64>,
    /// The same as named multipliers.
    pub(crate) leaf: Leaf,
}

pub(crate) struct Master<'a> {
    fleet: &'a Fleet,
    objective: Objective,
    pub(super) kinds: Vec<Kind>,
    index: BTreeMap<Kind, usize>,
    /// By service, for each cell the one whose row it shares.
    pub(super) alike: Vec<Vec<usize>>,
    rows: Vec<Row>,
    model: Option<Model>,
    /// Columns before the choices: commitments and artificial variables.
    fixed: usize,
    artificial: Vec<usize>,
    /// Variables of node counts, with their bounds.
    counts: BTreeMap<Option<usize>, (Col, (u32, u32))>,
    pub(crate) choices: Vec<Choice>,
    columns: Vec<Col>,
    known: BTreeSet<Choice>,
    pub(super) centre: Option<Centre>,
    /// What the caller's clock showed when HiGHS was asked first.
    first_asked_at: Option<f64>,
}

/// A dual of every row near which columns are priced: those of the best bound so far.
#[derive(Clone, Debug)]
pub(super) struct Centre {
    pub(super) rows: Vec<f64>,
    /// About what they prove, USD/h, where that is known of the programme as it is bounded now.
    pub(super) usd_per_hour: Option<f64>,
}

/// A solution of the linear programme.
pub(crate) struct Relaxed {
    pub(crate) objective: f64,
    /// Sum of broken units.
    pub(crate) broken: f64,
    /// Weight of each choice.
    pub(crate) weights: Vec<f64>,
    pub(crate) duals: Duals,
    /// The dual of every row, from which those are made.
    pub(crate) rows: Vec<f64>,
    /// Simplex iterations.
    pub(crate) iterations: u64,
}

impl Duals {
    /// Lowers what pods are worth in the leaf until no new node is worth more than its price, when it is now by this share at most: a node that
    /// seems to pay counts in the bound as often as it could be bought.
    pub(crate) fn lower(&mut self, share: f64) {
        let pods = self.leaf.duals.iter_mut();
        let worth = pods.filter(|(name, value)| name.starts_with("pods/") && **value > 0.0);
        worth.for_each(|(_, value)| *value /= 1.0 + share);
    }
}

impl<'a> Master<'a> {
    pub(crate) fn new(fleet: &'a Fleet, objective: Objective) -> Option<Self> {
        let services = fleet.services.iter();
        let alike = services.map(|service| alike(fleet, service)).collect();
        Self::with_rows(fleet, objective, alike)
    }

    /// With one row for all cells of a service that have the same first one.
    pub(super) fn with_rows(
        fleet: &'a Fleet,
        objective: Objective,
        alike: Vec<Vec<usize>>,
    ) -> Option<Self> {
        let kinds = kinds(fleet, &alike);
        let index: BTreeMap<Kind, usize> = kinds
            .iter()
            .enumerate()
            .map(|(i, kind)| (*kind, i))
            .collect();
        let mut problem = ColProblem::new();
        let rows: Vec<Row> = kinds
            .iter()
            .map(|kind| {
                let (low, high) = bounds(fleet, *kind);
                problem.add_row(low..=high)
            })
            .collect();
        let mut master = Self {
            fleet,
            objective,
            kinds,
            index,
            alike,
            rows,
            model: None,
            fixed: 0,
            artificial: Vec::new(),
            counts: BTreeMap::new(),
            choices: Vec::new(),
            columns: Vec::new(),
            known: BTreeSet::new(),
            centre: None,
            first_asked_at: None,
        };
        for c in 0..fleet.commitments.len() {
            let (cost, entries) = master.commitment(c);
            let entries: Vec<(Row, f64)> = entries
                .into_iter()
                .map(|(i, value)| (master.rows[i], value))
                .collect();
            problem.add_column(cost, 0.0..=f64::from(fleet.commitments[c].nodes), entries);
        }
        master.fixed = fleet.commitments.len();
        let penalty = master.penalty();
        for i in 0..master.kinds.len() {
            let (low, high) = bounds(fleet, master.kinds[i]);
            for sign in [(low.is_finite(), 1.0), (high.is_finite(), -1.0)]
                .into_iter()
                .filter_map(|(needed, sign)| needed.then_some(sign))
            {
                let surplus = match master.kinds[i] {
                    Kind::Pods(s, _) if sign < 0.0 => Some(&fleet.services[s]),
                    _ => None,
                };
                // A pod too many is no harm beyond the move it seems to save; priced higher it would only blow up the duals.
                let price = surplus.map_or(penalty * scale(fleet, master.kinds[i]), |service| {
                    service.move_usd_per_hour
                });
                problem.add_column(price, 0.0.., [(master.rows[i], sign)]);
                if surplus.is_none() {
                    master.artificial.push(master.fixed);
                }
                master.fixed += 1;
            }
        }
        master.model = Some(Model::try_new(problem).ok()?);
        master.model.as_mut()?.set_sense(Sense::Minimise);
        master.add_counts()?;
        Some(master)
    }

    /// A variable for every sum of nodes that may be branched on.
    fn add_counts(&mut self) -> Option<()> {
        for (i, kind) in self.kinds.iter().enumerate() {
            if let Kind::Count(offering) = kind {
                let column = self
                    .model
                    .as_mut()?
                    .try_add_column(0.0, 0.0.., [(self.rows[i], -1.0)])
                    .ok()?;
                self.counts.insert(*offering, (column, (0, u32::MAX)));
                self.fixed += 1;
            }
        }
        Some(())
    }

    /// Bounds the nodes of an offering, or of all.
    pub(crate) fn bound_nodes(&mut self, offering: Option<usize>, range: (u32, u32)) {
        let most = if range.1 == u32::MAX {
            f64::INFINITY
        } else {
            f64::from(range.1)
        };
        if let (Some(model), Some((column, known))) =
            (&mut self.model, self.counts.get_mut(&offering))
        {
            model.change_column_bounds(*column, f64::from(range.0)..=most);
            *known = range;
        }
    }

    /// Adds a choice; false when it was there. Pods of a service's column are counted in the first of cells alike.
    pub(crate) fn add(&mut self, mut choice: Choice) -> bool {
        if let Choice::Service(s, column) = &mut choice {
            for (cell, first) in self.alike[*s].iter().enumerate() {
                let pods = std::mem::take(&mut column.cells[cell]);
                column.cells[*first] += pods;
            }
        }
        if !self.known.insert(choice.clone()) {
            return false;
        }
        let (cost, entries) = self.entries(&choice);
        let entries: Vec<(Row, f64)> = entries
            .into_iter()
            .map(|(i, value)| (self.rows[i], value))
            .collect();
        let Some(Ok(column)) = self
            .model
            .as_mut()
            .map(|model| model.try_add_column(cost, 0.0.., entries))
        else {
            return false;
        };
        self.choices.push(choice);
        self.columns.push(column);
        true
    }

    /// Bounds the weight of a choice.
    pub(crate) fn bound(&mut self, index: usize, least: f64, most: f64) {
        if let Some(model) = &mut self.model {
            model.change_column_bounds(self.columns[index], least..=most);
        }
    }

    /// Solves the linear programme; `None` when HiGHS fails, or the clock ends it.
    pub(crate) fn relax(&mut self, meter: &Meter) -> Option<Relaxed> {
        let mut model = self.model.take()?;
        limit_time(&mut model, &mut self.first_asked_at, meter);
        // Primal where only columns came, dual where bounds changed.
        model.set_option("simplex_strategy", 0);
        let solved = model.try_solve().ok()?;
        if solved.status() == HighsModelStatus::ReachedTimeLimit {
            meter.cut();
        }
        let relaxed = (solved.status() == HighsModelStatus::Optimal).then(|| self.read(&solved));
        self.model = Some(Model::from(solved));
        relaxed
    }

    fn read(&self, solved: &SolvedModel) -> Relaxed {
        let solution = solved.get_solution();
        let columns = solution.columns();
        Relaxed {
            objective: solved.objective_value(),
            broken: self.artificial.iter().map(|i| columns[*i]).sum(),
            weights: columns[self.fixed..].to_vec(),
            duals: self.duals(solution.dual_rows()),
            rows: solution.dual_rows().to_vec(),
            iterations: u64::try_from(solved.simplex_iteration_count()).unwrap_or(0),
        }
    }

    /// The dual objective, as far as no choice's weight is bounded from below.
    pub(crate) fn value(&self, y: &[f64]) -> f64 {
        let within = |y: f64, (low, high): (f64, f64)| {
            let bound = if y > 0.0 { low } else { high };
            if bound.is_finite() { y * bound } else { 0.0 }
        };
        let rows = self.kinds.iter().zip(y);
        let rows: f64 = rows
            .map(|(kind, y)| within(*y, bounds(self.fleet, *kind)))
            .sum();
        let counts = self.counts.iter().map(|(counted, (_, (least, most)))| {
            let most = if *most == u32::MAX {
                f64::INFINITY
            } else {
                f64::from(*most)
            };
            within(
                y[self.index[&Kind::Count(*counted)]],
                (f64::from(*least), most),
            )
        });
        let commitments = (0..self.fleet.commitments.len()).map(|c| {
            let (cost, entries) = self.commitment(c);
            let reduced = entries
                .iter()
                .fold(cost, |cost, (i, value)| cost - y[*i] * value);
            reduced.min(0.0) * f64::from(self.fleet.commitments[c].nodes)
        });
        rows + counts.sum::<f64>() + commitments.sum::<f64>()
    }

    /// The dual of a row, as far as the programme as it is bounded now has a use for it.
    fn dual(&self, y: &[f64], kind: Kind) -> f64 {
        let y = self.index.get(&kind).map_or(0.0, |i| y[*i]);
        match kind {
            // Without a least number there is nothing to pay a node for, without a most nothing to ask for one: of an offering without patterns
            // it may be any price, and a centre is from a programme that was bounded otherwise.
            Kind::Count(counted) => {
                let range = self.counts.get(&counted).map(|(_, range)| *range);
                let (least, most) = range.unwrap_or((0, u32::MAX));
                let is_bounded = if y > 0.0 { least > 0 } else { most < u32::MAX };
                if is_bounded { y } else { 0.0 }
            }
            _ => y,
        }
    }

    /// Named multipliers from a dual of every row.
    fn leaf(&self, y: &[f64]) -> Leaf {
        let fleet = self.fleet;
        let mut duals = BTreeMap::new();
        for offering in self.counts.keys() {
            let y = self.dual(y, Kind::Count(*offering));
            let on = offering.map_or("nodes".to_owned(), |o| {
                format!("nodes/{}", fleet.offering_name(o))
            });
            if y > 0.0 {
                duals.insert(format!("at_least/{on}"), y);
            } else if y < 0.0 {
                duals.insert(format!("at_most/{on}"), -y);
            }
        }
        for (kind, y) in self.kinds.iter().zip(y) {
            let alike = match kind {
                Kind::Pods(s, first) => {
                    let cells = fleet.services[*s].cells.iter().copied();
                    let alike = cells.filter(|cell| self.alike[*s][*cell] == *first);
                    alike.map(|cell| Kind::Pods(*s, cell)).collect()
                }
                kind => vec![*kind],
            };
            let named = alike.into_iter().filter_map(|kind| named(fleet, kind, *y));
            duals.extend(named.filter(|(_, value)| *value != 0.0));
        }
        Leaf {
            branches: Vec::new(),
            duals,
        }
    }

    /// Multipliers from a dual of every row.
    pub(crate) fn duals(&self, y: &[f64]) -> Duals {
        let fleet = self.fleet;
        let at = |kind: Kind| self.dual(y, kind);
        let nonnegative = |kind: Kind| (-at(kind)).max(0.0);
        let services = 0..fleet.services.len();
        let cells = 2 * fleet.zones.len();
        let weight = self.price_weight();
        let moves = |s: usize| {
            weight * fleet.services[s].move_usd_per_hour
                + nonnegative(Kind::MaxMoves)
                + nonnegative(Kind::NoMoves(s))
        };
        Duals {
            pods: services
                .clone()
                .map(|s| {
                    (0..cells)
                        .map(|k| at(Kind::Pods(s, self.alike[s][k])))
                        .collect()
                })
                .collect(),
            convexity: services.clone().map(|s| at(Kind::Convexity(s))).collect(),
            spot_share: services
                .clone()
                .map(|s| nonnegative(Kind::SpotShare(s)))
                .collect(),
            moves: services.map(moves).collect(),
            node: (0..fleet.classes.len())
                .map(|b| self.node_price(b, &at))
                .collect(),
            class: (0..fleet.classes.len())
                .map(|b| at(Kind::Class(b)))
                .collect(),
            leaf: self.leaf(y),
        }
    }

    /// 1, or 0 when only feasibility is asked.
    pub(crate) fn price_weight(&self) -> f64 {
        if self.objective == Objective::Infeasibility {
            0.0
        } else {
            1.0
        }
    }

    /// Price of a unit of a broken row.
    pub(super) fn penalty(&self) -> f64 {
        match self.objective {
            Objective::Cost { penalty } => penalty,
            Objective::Infeasibility => 1.0,
        }
    }

    fn node_price(&self, class: usize, at: &dyn Fn(Kind) -> f64) -> f64 {
        self.node_entries(class)
            .iter()
            .fold(self.node_cost(class), |price, (i, value)| {
                price - at(self.kinds[*i]) * value
            })
    }

    fn node_cost(&self, class: usize) -> f64 {
        let offering = self.fleet.offering_of(class);
        let startup = if self.fleet.classes[class].is_existing() {
            0.0
        } else {
            offering.startup_usd_per_hour
        };
        self.price_weight() * (offering.usd_per_hour + startup)
    }

    /// Entries of a node whatever is on it, its class's own row left out.
    fn node_entries(&self, class: usize) -> Vec<(usize, f64)> {
        let offering = self.fleet.classes[class].offering;
        let mut entries = Vec::new();
        for (l, limit) in self
            .fleet
            .limits
            .iter()
            .enumerate()
            .filter(|(_, limit)| limit.coefficients[offering] != 0.0)
        {
            entries.push((self.index[&Kind::Limit(l)], limit.coefficients[offering]));
        }
        if let Some(row) = self.index.get(&Kind::Budget) {
            entries.push((*row, self.fleet.offerings[offering].usd_per_hour));
        }
        for (c, _) in self
            .fleet
            .commitments
            .iter()
            .enumerate()
            .filter(|(_, commitment)| commitment.offering == offering)
        {
            entries.push((self.index[&Kind::Commitment(c)], -1.0));
        }
        for counted in [None, Some(offering)] {
            entries.push((self.index[&Kind::Count(counted)], 1.0));
        }
        entries
    }

    pub(super) fn commitment(&self, c: usize) -> (f64, Vec<(usize, f64)>) {
        let commitment = &self.fleet.commitments[c];
        let saved =
            self.fleet.offerings[commitment.offering].usd_per_hour - commitment.used_usd_per_hour;
        let mut entries = vec![(self.index[&Kind::Commitment(c)], 1.0)];
        if let Some(row) = self.index.get(&Kind::Budget) {
            entries.push((*row, -saved));
        }
        (-saved * self.price_weight(), entries)
    }

    fn entries(&self, choice: &Choice) -> (f64, Vec<(usize, f64)>) {
        match choice {
            Choice::Service(s, column) => self.service_entries(*s, column),
            Choice::Pattern(class, pods) => self.pattern_entries(*class, pods),
        }
    }

    pub(super) fn service_entries(&self, s: usize, column: &Column) -> (f64, Vec<(usize, f64)>) {
        let service = &self.fleet.services[s];
        let mut entries = vec![(self.index[&Kind::Convexity(s)], 1.0)];
        let cells = column.cells.iter().enumerate();
        for (cell, pods) in cells.filter(|(_, pods)| **pods > 0) {
            let first = self.alike[s][cell];
            entries.push((self.index[&Kind::Pods(s, first)], -f64::from(*pods)));
        }
        if let Some(row) = self.index.get(&Kind::SpotShare(s)) {
            let spot: u32 = column.cells.iter().skip(1).step_by(2).sum();
            entries.push((
                *row,
                f64::from(spot) - f64::from(service.spot_limit(column.replicas)),
            ));
        }
        let placed = f64::from(service.placed_now.min(column.replicas));
        for kind in [Kind::MaxMoves, Kind::NoMoves(s)] {
            if let Some(row) = self.index.get(&kind) {
                entries.push((*row, placed));
            }
        }
        let cost =
            service.level(column.replicas).slo_usd_per_hour + service.move_usd_per_hour * placed;
        (cost * self.price_weight(), entries)
    }

    pub(super) fn pattern_entries(&self, class: usize, pods: &[u32]) -> (f64, Vec<(usize, f64)>) {
        let (class_data, offering) = (&self.fleet.classes[class], self.fleet.offering_of(class));
        let mut entries = self.node_entries(class);
        let mut cost = self.node_cost(class);
        let mut staying = 0.0;
        for (s, pods) in pods.iter().enumerate().filter(|(_, pods)| **pods > 0) {
            let service = &self.fleet.services[s];
            let cell = self.alike[s][offering.cell];
            entries.push((self.index[&Kind::Pods(s, cell)], f64::from(*pods)));
            let stay = f64::from(class_data.now[s].min(*pods));
            staying += stay;
            if let Some(row) = self.index.get(&Kind::NoMoves(s)).filter(|_| stay > 0.0) {
                entries.push((*row, -stay));
            }
            let evictions =
                offering.interruptions_per_hour * service.usd_per_eviction * f64::from(*pods);
            cost += self.price_weight() * (evictions - service.move_usd_per_hour * stay);
        }
        if let Some(row) = self.index.get(&Kind::MaxMoves).filter(|_| staying > 0.0) {
            entries.push((*row, -staying));
        }
        if let Some(row) = self.index.get(&Kind::Class(class)) {
            entries.push((*row, 1.0));
        }
        (cost, entries)
    }
}

/// Ends HiGHS with the meter's seconds. It counts from when a model was first asked, which is kept here as what the caller's clock showed then.
pub(super) fn limit_time(model: &mut Model, first_asked_at: &mut Option<f64>, meter: &Meter) {
    if let (Some(left), Some(clock)) = (meter.seconds_left(), meter.clock_seconds()) {
        let first = *first_asked_at.get_or_insert(clock);
        model.set_option("time_limit", first - clock + left.max(0.0));
    }
}
