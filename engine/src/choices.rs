//! Candidate choices of each service: the levels of its axis in the register.

use crate::exact::{Column, Prices, Relaxation, within_spot_share};
use crate::fleet::Fleet;
use crate::packing::Values;
use crate::placement::Placement;

/// A choice of one service: how many pods on nodes of each offering. Replicas and zones follow from it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Choice {
    /// Pods by offering of the fleet.
    pub pods: Vec<u32>,
}

impl Choice {
    /// What a placement chose for a service.
    pub fn of(fleet: &Fleet, placement: &Placement, service: usize) -> Self {
        let mut pods = vec![0; fleet.offerings.len()];
        for group in &placement.groups {
            pods[fleet.classes[group.class].offering] += group.count * group.pods[service];
        }
        Self { pods }
    }

    /// Total replicas.
    pub fn replicas(&self) -> u32 {
        self.pods.iter().sum()
    }

    /// The service's column.
    pub fn column(&self, fleet: &Fleet) -> Column {
        let mut cells = vec![0; 2 * fleet.zones.len()];
        for (offering, pods) in fleet.offerings.iter().zip(&self.pods) {
            cells[offering.cell] += pods;
        }
        Column {
            replicas: self.replicas(),
            cells,
        }
    }
}

/// The axes of a register: the services that have a choice, and their choices, the incumbent's first.
#[derive(Clone, Debug)]
pub struct Axes {
    /// Services with an axis, ascending.
    pub services: Vec<usize>,
    /// Choices by service; one alone means the service is fixed.
    pub choices: Vec<Vec<Choice>>,
}

impl Axes {
    /// Number of states.
    pub fn dimension(&self) -> usize {
        self.services
            .iter()
            .map(|s| self.choices[*s].len())
            .product()
    }

    /// Levels of the register's axes.
    pub fn levels(&self) -> Vec<usize> {
        self.services
            .iter()
            .map(|s| self.choices[*s].len())
            .collect()
    }

    /// The choice of every service at a basis state.
    pub fn decode(&self, digits: &[usize]) -> Vec<&Choice> {
        let mut chosen: Vec<&Choice> = self.choices.iter().map(|choices| &choices[0]).collect();
        for (s, digit) in self.services.iter().zip(digits) {
            chosen[*s] = &self.choices[*s][*digit];
        }
        chosen
    }
}

/// Most choices of one service.
const MOST_CHOICES: usize = 32;

/// Collects choices for every service and trims them to at most `most_states` states, at least three choices an axis where there
/// are so many; services for which no room is left keep the incumbent's choice.
pub fn axes(
    fleet: &Fleet,
    incumbent: &Placement,
    others: &[Placement],
    relaxation: Option<&Relaxation>,
    most_states: usize,
) -> Axes {
    let values = relaxation.map_or_else(|| Values::of_prices(fleet), |r| r.values.clone());
    let found: Vec<Vec<Choice>> = (0..fleet.services.len())
        .map(|s| {
            let columns = relaxation.map_or(&[][..], |r| &r.columns[s]);
            candidates(fleet, s, incumbent, others, columns, &values)
        })
        .collect();
    let sizes = sizes(&found, most_states);
    let choices: Vec<Vec<Choice>> = found
        .into_iter()
        .zip(&sizes)
        .map(|(found, size)| found.into_iter().take(*size).collect())
        .collect();
    let services = (0..choices.len())
        .filter(|s| choices[*s].len() > 1)
        .collect();
    Axes { services, choices }
}

/// How many choices each service gets: three each while they fit, then one more each in turn.
fn sizes(found: &[Vec<Choice>], most_states: usize) -> Vec<usize> {
    let mut sizes = vec![1; found.len()];
    let mut states = 1_usize;
    // Services with the most candidates first: there the relaxation is least sure.
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|s| std::cmp::Reverse(found[*s].len()));
    for s in order.iter().copied() {
        let size = found[s].len().min(3);
        if states.saturating_mul(size) <= most_states {
            sizes[s] = size;
            states *= size;
        }
    }
    for size in 4..=MOST_CHOICES {
        for s in order.iter().copied().filter(|s| found[*s].len() >= size) {
            if sizes[s] == size - 1 && states / (size - 1) <= most_states / size {
                sizes[s] = size;
                states = states / (size - 1) * size;
            }
        }
    }
    sizes
}

/// Distinct choices of a service, best first: the incumbent's, other placements', the relaxation's columns, greedy ones.
fn candidates(
    fleet: &Fleet,
    s: usize,
    incumbent: &Placement,
    others: &[Placement],
    columns: &[(Column, f64)],
    values: &Values,
) -> Vec<Choice> {
    let mut found = Found {
        fleet,
        s,
        choices: Vec::new(),
    };
    found.add(Choice::of(fleet, incumbent, s));
    for (column, _) in columns.iter().take(4) {
        for rank in 0..2 {
            found.add(spread(fleet, s, column, values, rank));
        }
    }
    others
        .iter()
        .for_each(|placement| found.add(Choice::of(fleet, placement, s)));
    greedy(&mut found, values);
    found.choices.truncate(MOST_CHOICES);
    found.choices
}

struct Found<'a> {
    fleet: &'a Fleet,
    s: usize,
    choices: Vec<Choice>,
}

impl Found<'_> {
    /// Adds a choice that is new and keeps the service's own rules.
    fn add(&mut self, choice: Choice) {
        let service = &self.fleet.services[self.s];
        let column = choice.column(self.fleet);
        if service.is_admissible(column.replicas)
            && column.keeps_spot_share(service)
            && !self.choices.contains(&choice)
        {
            self.choices.push(choice);
        }
    }
}

/// Columns at the fewest replicas and a few more, on the cheapest and on the next offerings.
fn greedy(found: &mut Found, values: &Values) {
    let (fleet, s) = (found.fleet, found.s);
    let service = &fleet.services[s];
    let cheapest = service
        .admissible()
        .min_by(|a, b| a.slo_usd_per_hour.total_cmp(&b.slo_usd_per_hour))
        .map(|level| level.replicas);
    let levels: Vec<u32> = service
        .admissible()
        .take(3)
        .map(|level| level.replicas)
        .chain(cheapest)
        .collect();
    for rank in 0..4 {
        for replicas in &levels {
            // Each rank makes the cells used so far dearer, so that the next column goes elsewhere.
            let used = |cell: usize| {
                found
                    .choices
                    .iter()
                    .filter(|choice| choice.column(fleet).cells[cell] > 0)
                    .count()
            };
            let prices: Vec<f64> = values.pods[s]
                .iter()
                .enumerate()
                .map(|(cell, v)| v * (1.0 + 0.25 * rank as f64 * used(cell) as f64))
                .collect();
            let prices = Prices {
                cells: &prices,
                spot: 0.0,
                move_usd_per_hour: 0.0,
                slo_weight: 1.0,
                holds_fixed: false,
            };
            if let Some(column) = within_spot_share(fleet, service, &prices, *replicas) {
                found.add(spread(fleet, s, &column, values, rank));
            }
        }
    }
}

/// Puts the pods of each cell on one offering of it: the `rank`-th by price for what a pod takes, pods that are there first.
fn spread(fleet: &Fleet, s: usize, column: &Column, values: &Values, rank: usize) -> Choice {
    let mut pods = vec![0; fleet.offerings.len()];
    for (cell, wanted) in column
        .cells
        .iter()
        .enumerate()
        .filter(|(_, wanted)| **wanted > 0)
    {
        let mut left = *wanted;
        for class in fleet
            .classes
            .iter()
            .filter(|class| class.is_existing() && fleet.offerings[class.offering].cell == cell)
        {
            let pinned = (class.pinned[s] * class.count().unwrap_or(0)).min(left);
            pods[class.offering] += pinned;
            left -= pinned;
        }
        let mut offerings: Vec<usize> = (0..fleet.offerings.len())
            .filter(|o| fleet.offerings[*o].cell == cell && fleet.offerings[*o].eligible[s])
            .collect();
        offerings.sort_by(|a, b| {
            price_of_pod(fleet, s, *a, values).total_cmp(&price_of_pod(fleet, s, *b, values))
        });
        if let Some(offering) = offerings.get(rank.min(offerings.len().saturating_sub(1))) {
            pods[*offering] += left;
        }
    }
    Choice { pods }
}

/// Price of the share of a node that a pod takes, USD/h; existing nodes' offerings win ties.
#[allow(clippy::cast_precision_loss)]
fn price_of_pod(fleet: &Fleet, s: usize, offering: usize, values: &Values) -> f64 {
    let capacity = &fleet.classes[offering].capacity;
    let shares = fleet.services[s]
        .request
        .iter()
        .zip(capacity)
        .map(|(size, room)| *size as f64 / (*room).max(1) as f64);
    let offering = &fleet.offerings[offering];
    let bonus = if offering.runs_now {
        1e-3 * values.pods[s][offering.cell]
    } else {
        0.0
    };
    shares.fold(0.0, f64::max) * offering.usd_per_hour - bonus
}
