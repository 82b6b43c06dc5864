//! The fluid relaxation: pods pour into the nodes of a cell as their resources do, and nodes come in any fraction.
//!
//! Its linear programme has a row for each resource of a cell where the master has one for each service, and needs no patterns: it is solved in a
//! few rounds whatever the size of the fleet. What it says pods are worth proves a bound; the larger the fleet and the smaller its
//! pods, the more of what column generation comes to prove.

use highs::{ColProblem, HighsModelStatus, Model, Row, Sense};

use super::column::Column;
use super::floors::Floors;
use super::generate::improving_columns;
use super::master::{Centre, Choice, Master, limit_time};
use super::rows::{Kind, bounds, scale};
use crate::fleet::Fleet;
use crate::limits::Meter;

/// Most rounds in which services' columns are priced.
const MOST_ROUNDS: usize = 60;
/// Rounds end where columns improve by less than this share of the objective.
const ENOUGH: f64 = 1e-3;

/// Duals of the master's rows by which no new node is worth more than its price, about the best such. The columns of services that it comes to
/// are added to the master. `None` where HiGHS fails or the clock ends it first.
pub(super) fn relax(fleet: &Fleet, master: &mut Master, meter: &Meter) -> Option<Centre> {
    let floors = Floors::none(fleet);
    let programme = Programme::new(fleet, master, &floors);
    let (mut model, rows) = programme.model(master)?;
    let (mut best, mut first_asked_at): (Option<Centre>, _) = (None, None);
    for _ in 0..MOST_ROUNDS {
        limit_time(&mut model, &mut first_asked_at, meter);
        let solved = model.try_solve().ok()?;
        if solved.status() == HighsModelStatus::ReachedTimeLimit {
            meter.cut();
        }
        if solved.status() != HighsModelStatus::Optimal {
            break;
        }
        let iterations = u64::try_from(solved.simplex_iteration_count()).unwrap_or(0);
        meter.spend((iterations + 50) * (1 + rows.len() as u64 / 20));
        let solution = solved.get_solution();
        let here = programme.lifted(master, solution.dual_rows());
        let mut duals = master.duals(&here);
        duals.pods = programme.worth(master, solution.dual_rows());
        let objective = solved.objective_value();
        model = Model::from(solved);
        let columns = improving_columns(fleet, &duals, master.price_weight(), &floors);
        let deficit: f64 = columns.iter().map(|(_, by)| by).sum();
        let usd_per_hour = objective - deficit;
        if best
            .as_ref()
            .is_none_or(|best| Some(usd_per_hour) > best.usd_per_hour)
        {
            best = Some(Centre {
                rows: here,
                usd_per_hour: Some(usd_per_hour),
            });
        }
        if deficit <= ENOUGH * objective.abs() || !meter.goes_on() {
            break;
        }
        for (choice, _) in columns {
            if let Choice::Service(s, column) = &choice {
                let (cost, entries) = programme.service(master, *s, column);
                let entries = entries.into_iter().map(|(i, value)| (rows[i], value));
                model.try_add_column(cost, 0.0.., entries).ok()?;
            }
            master.add(choice);
        }
    }
    best
}

/// What the linear programme is made of. Its rows are the master's without those of pods and of counts, then those of cells' resources.
struct Programme<'a> {
    fleet: &'a Fleet,
    /// For each row of the master its row here.
    row: Vec<Option<usize>>,
    /// For each cell and dimension its row, and what it is counted in: the largest capacity of a node.
    resource: Vec<Vec<Option<(usize, f64)>>>,
    /// Size of a service's pods.
    sizes: Vec<Vec<u64>>,
    /// For each cell, the fewest interruptions an hour of an offering.
    interruptions: Vec<f64>,
    rows: usize,
}

impl<'a> Programme<'a> {
    fn new(fleet: &'a Fleet, master: &Master, floors: &Floors) -> Self {
        let mut rows = 0;
        let mut next = || {
            rows += 1;
            rows - 1
        };
        let is_kept = |kind: &Kind| !matches!(kind, Kind::Pods(..) | Kind::Count(_));
        let kinds = master.kinds.iter();
        let row = kinds.map(|kind| is_kept(kind).then(&mut next)).collect();
        let mut largest = vec![vec![0; fleet.requested_dimensions() + 2]; 2 * fleet.zones.len()];
        for (b, class) in fleet.classes.iter().enumerate() {
            let of_cell = largest[fleet.offering_of(b).cell].iter_mut();
            (of_cell.zip(&class.capacity)).for_each(|(most, room)| *most = (*most).max(*room));
        }
        let mut resource = |most: u64| (most > 0).then(|| (next(), as_f64(most)));
        let cells = largest.into_iter();
        let resource = cells.map(|of_cell| of_cell.into_iter().map(&mut resource).collect());
        let resource = resource.collect();
        let mut interruptions = vec![f64::INFINITY; 2 * fleet.zones.len()];
        for offering in &fleet.offerings {
            let fewest = &mut interruptions[offering.cell];
            *fewest = fewest.min(offering.interruptions_per_hour);
        }
        let services = fleet.services.iter().zip(&floors.sized);
        Self {
            fleet,
            row,
            resource,
            sizes: services
                .map(|(service, sized)| service.pod_size(*sized))
                .collect(),
            interruptions,
            rows,
        }
    }

    /// The programme with every class of nodes and the master's columns of services, and its rows.
    fn model(&self, master: &Master) -> Option<(Model, Vec<Row>)> {
        let (fleet, mut problem) = (self.fleet, ColProblem::new());
        let kept = || {
            let kinds = master.kinds.iter().zip(&self.row);
            kinds.filter_map(|(kind, row)| Some((*kind, (*row)?)))
        };
        let of_master = kept().map(|(kind, _)| bounds(fleet, kind));
        let of_resources = std::iter::repeat((0.0, f64::INFINITY));
        let rows: Vec<Row> = of_master
            .chain(of_resources)
            .take(self.rows)
            .map(|(low, high)| problem.add_row(low..=high))
            .collect();
        let mut add = |cost: f64, most: f64, entries: Vec<(usize, f64)>| {
            let entries = entries.into_iter().map(|(i, value)| (rows[i], value));
            problem.add_column(cost, 0.0..=most, entries);
        };
        for (kind, i) in kept() {
            let (low, high) = bounds(fleet, kind);
            let broken = [(low.is_finite(), 1.0), (high.is_finite(), -1.0)];
            for (_, sign) in broken.into_iter().filter(|(needed, _)| *needed) {
                let price = master.penalty() * scale(fleet, kind);
                add(price, f64::INFINITY, vec![(i, sign)]);
            }
        }
        for (c, commitment) in fleet.commitments.iter().enumerate() {
            let (cost, entries) = master.commitment(c);
            add(
                cost,
                f64::from(commitment.nodes),
                self.kept(entries).collect(),
            );
        }
        for b in 0..fleet.classes.len() {
            let (cost, entries) = self.node(master, b);
            add(cost, f64::INFINITY, entries);
        }
        for choice in &master.choices {
            if let Choice::Service(s, column) = choice {
                let (cost, entries) = self.service(master, *s, column);
                add(cost, f64::INFINITY, entries);
            }
        }
        let mut model = Model::try_new(problem).ok()?;
        model.set_sense(Sense::Minimise);
        Some((model, rows))
    }

    /// Entries in rows of the master, as far as they are here.
    fn kept(&self, entries: Vec<(usize, f64)>) -> impl Iterator<Item = (usize, f64)> {
        let kept = |(i, value): (usize, f64)| Some((self.row[i]?, value));
        entries.into_iter().filter_map(kept)
    }

    /// Cost and entries of a node. Of the pods there now all stay: no use of the node saves more.
    fn node(&self, master: &Master, class: usize) -> (f64, Vec<(usize, f64)>) {
        let nodes = &self.fleet.classes[class];
        let offering = self.fleet.offering_of(class);
        let (cost, entries) = master.pattern_entries(class, &nodes.now);
        let pods = self.fleet.services.iter().zip(&nodes.now);
        let evictions = pods.map(|(service, pods)| service.usd_per_eviction * f64::from(*pods));
        let counted_with_pods =
            master.price_weight() * offering.interruptions_per_hour * evictions.sum::<f64>();
        let resources = self.resource[offering.cell].iter().zip(&nodes.capacity);
        let room =
            resources.filter_map(|(row, room)| row.map(|(i, unit)| (i, as_f64(*room) / unit)));
        (
            cost - counted_with_pods,
            self.kept(entries).chain(room).collect(),
        )
    }

    /// Cost and entries of a service's column; its pods are where interruptions are fewest.
    fn service(&self, master: &Master, s: usize, column: &Column) -> (f64, Vec<(usize, f64)>) {
        let (mut cost, entries) = master.service_entries(s, column);
        let mut entries: Vec<(usize, f64)> = self.kept(entries).collect();
        let cells = column.cells.iter().enumerate();
        for (cell, pods) in cells.filter(|(_, pods)| **pods > 0) {
            let pods = f64::from(*pods);
            cost += pods * self.usd_of_interruptions(master, s, cell);
            entries.extend(self.taken(s, cell).map(|(i, share)| (i, -pods * share)));
        }
        (cost, entries)
    }

    /// Rows of a cell's resources, and what a pod of a service takes of them.
    fn taken(&self, s: usize, cell: usize) -> impl Iterator<Item = (usize, f64)> {
        let resources = self.resource[cell].iter().zip(&self.sizes[s]);
        let some = resources.filter(|(_, size)| **size > 0);
        some.filter_map(|(row, size)| row.map(|(i, unit)| (i, as_f64(*size) / unit)))
    }

    /// What interruptions cost a pod in a cell at least, USD/h.
    fn usd_of_interruptions(&self, master: &Master, s: usize, cell: usize) -> f64 {
        let fewest = Some(self.interruptions[cell]).filter(|fewest| fewest.is_finite());
        master.price_weight() * fewest.unwrap_or(0.0) * self.fleet.services[s].usd_per_eviction
    }

    /// What a pod is worth by its resources, by service and cell, USD/h.
    fn worth(&self, master: &Master, duals: &[f64]) -> Vec<Vec<f64>> {
        let worth = |s: usize, cell: usize| {
            let resources = self.taken(s, cell).map(|(i, share)| duals[i] * share);
            resources.sum::<f64>() + self.usd_of_interruptions(master, s, cell)
        };
        let cells = 0..self.resource.len();
        let of_service = |s: usize| cells.clone().map(|cell| worth(s, cell)).collect();
        (0..self.sizes.len()).map(of_service).collect()
    }

    /// The duals of the master's rows. A pod is worth in cells alike what it is worth where that is least; nothing is known about counts.
    fn lifted(&self, master: &Master, duals: &[f64]) -> Vec<f64> {
        let worth = self.worth(master, duals);
        let dual = |(kind, row): (&Kind, &Option<usize>)| match (kind, row) {
            (_, Some(row)) => duals[*row],
            (Kind::Pods(s, first), None) => {
                let cells = self.fleet.services[*s].cells.iter();
                let alike = cells.filter(|cell| master.alike[*s][**cell] == *first);
                alike
                    .map(|cell| worth[*s][*cell])
                    .fold(f64::INFINITY, f64::min)
            }
            (_, None) => 0.0,
        };
        master.kinds.iter().zip(&self.row).map(dual).collect()
    }
}

#[allow(clippy::cast_precision_loss)]
fn as_f64(value: u64) -> f64 {
    value as f64
}
