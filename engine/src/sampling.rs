//! QAOA over the register of choices, with annealing, uniform sampling and enumeration beside it on the same register.

use std::collections::BTreeMap;

use ketscale_optimizer::{
    Cost as Table, Limits, Mixer, Objective, Register, Sample, Samples, Start, anneal, enumerate,
    qaoa, uniform,
};

use crate::choices::{Axes, Choice};
use crate::cost::cost;
use crate::exact::Column;
use crate::fleet::Fleet;
use crate::improve::until_feasible;
use crate::limits::Meter;
use crate::packing::{Demand, Values, pack};
use crate::parallel;
use crate::placement::Placement;
use crate::plan::QaoaReport;
use crate::surrogate::Surrogate;

/// Work units that making one packed sample feasible may take.
const REPAIR_WORK: u64 = 4_000;

/// Settings of the sampling solvers.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Layers of the circuit.
    pub depth: usize,
    /// Evaluations of the objective that the angle search may take.
    pub evaluations: usize,
    /// Shots, and so many evaluations of annealing and uniform sampling.
    pub shots: u64,
    /// Distinct samples of each solver that are packed, the best by surrogate first.
    pub packed: usize,
    /// Probability that the warm start leaves the incumbent's choice on an axis.
    pub epsilon: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// Most evaluations of annealing and uniform sampling at work equal to QAOA's.
    pub most_equal_work: u64,
}

/// Which sampling solver a placement came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The QAOA circuit.
    Qaoa,
    /// Simulated annealing.
    Anneal,
    /// Uniform sampling.
    Uniform,
    /// The register's best states.
    Enumerate,
}

impl Source {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 4] = [Self::Qaoa, Self::Anneal, Self::Uniform, Self::Enumerate];

    /// The name in plan files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Qaoa => "qaoa",
            Self::Anneal => "anneal",
            Self::Uniform => "uniform",
            Self::Enumerate => "enumerate",
        }
    }
}

/// What the sampling solvers found.
pub struct Outcome {
    /// The best feasible placement of each solver, before local improvement.
    pub best: BTreeMap<Source, Placement>,
    /// QAOA's report; `chosen` is left false.
    pub report: QaoaReport,
    /// What else must be said, such as why the angle search ended.
    pub note: String,
}

/// Why nothing was sampled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to choose.
    #[error("no service has more than one choice")]
    NoChoice,
    /// The simulator or the optimizer refused.
    #[error(transparent)]
    Optimizer(#[from] ketscale_optimizer::Error),
    /// The register was refused.
    #[error(transparent)]
    Simulator(#[from] ketscale_optimizer::simulator::Error),
}

/// Amplitudes that a pass over a register changes in one work unit.
pub(crate) const AMPLITUDES_A_UNIT: u64 = 128;

impl Settings {
    fn angle_search(&self) -> qaoa::Settings {
        qaoa::Settings {
            depth: self.depth,
            objective: Objective::Expectation,
            max_evaluations: self.evaluations,
            shots: self.shots,
            seed: self.seed,
            ..qaoa::Settings::default()
        }
    }
}

/// Runs all four on the register of the axes; digit 0 is the incumbent's choice.
///
/// # Errors
///
/// No axis, or a register that the simulator refuses.
pub fn sample(
    fleet: &Fleet,
    axes: &Axes,
    values: &Values,
    settings: &Settings,
    meter: &Meter,
) -> Result<Outcome, Error> {
    if axes.services.is_empty() {
        return Err(Error::NoChoice);
    }
    let register = Register::new(&axes.levels())?;
    let table = Table::table(&register, Surrogate::new(fleet, axes).table())?;
    let start = Start::warm(&register, &vec![0; axes.services.len()], settings.epsilon)?;
    let limits = Limits::new(Some(meter.stop()), None);
    let search = settings.angle_search();
    let found = qaoa::search(&table, Mixer::Complete, &start, &search, &limits)?;
    let passes = limits.spent();
    meter.spend(passes * register.dimension() as u64 / AMPLITUDES_A_UNIT);
    let annealed = annealed(&register, &table, settings.shots, settings, meter)?;
    let drawn = uniform(&table, settings.shots, settings.seed);
    let listed = enumerate(&table, settings.packed);
    let mut bench = Bench {
        fleet,
        axes,
        register: &register,
        values,
        meter,
        known: BTreeMap::new(),
    };
    let kept: Vec<(Source, Vec<usize>)> = vec![
        (Source::Qaoa, first(&found.samples, settings.packed)),
        (Source::Anneal, first(&annealed, settings.packed)),
        (Source::Uniform, first(&drawn, settings.packed)),
        (Source::Enumerate, first(&listed, settings.packed)),
    ];
    kept.iter().for_each(|(_, states)| bench.pack(states));
    let best = kept
        .iter()
        .filter_map(|(source, states)| Some((*source, bench.best(states)?.1.clone())))
        .collect();
    // Amplitudes passed over, in reads of the table: what the same work buys a classical sampler.
    let equal = (passes << 20).clamp(settings.shots, settings.most_equal_work);
    let equal_anneal = first(
        &self::annealed(&register, &table, equal, settings, meter)?,
        settings.packed,
    );
    let equal_uniform = first(&uniform(&table, equal, settings.seed ^ 1), settings.packed);
    bench.pack(&equal_anneal);
    bench.pack(&equal_uniform);
    let dollars = |states: &[usize]| bench.best(states).map(|(total, _)| *total);
    let states = |source: Source| {
        kept.iter()
            .find(|(other, _)| *other == source)
            .map_or(&[][..], |(_, states)| states)
    };
    let report = QaoaReport {
        anneal_usd_per_hour: dollars(states(Source::Anneal)),
        anneal_equal_work_usd_per_hour: dollars(&equal_anneal),
        uniform_usd_per_hour: dollars(states(Source::Uniform)),
        uniform_equal_work_usd_per_hour: dollars(&equal_uniform),
        enumerate_usd_per_hour: dollars(states(Source::Enumerate)),
        best_usd_per_hour: dollars(states(Source::Qaoa)),
        packed: states(Source::Qaoa).len() as u64,
        rank_correlation: bench.rank_correlation(&table, states(Source::Qaoa)),
        own_candidates: bench.own(states(Source::Qaoa), &kept[1..]),
        ..circuit(fleet, axes, &table, &start, &found, settings)?
    };
    let note = format!(
        "angle search: {:?} after {} evaluations; equal work: {equal} table reads",
        found.status, found.evaluations
    );
    Ok(Outcome { best, report, note })
}

fn annealed(
    register: &Register,
    table: &Table,
    evaluations: u64,
    settings: &Settings,
    meter: &Meter,
) -> Result<Samples, Error> {
    let anneal_settings = anneal::Settings {
        evaluations,
        seed: settings.seed,
        ..anneal::Settings::default()
    };
    let limits = Limits::new(Some(meter.stop()), None);
    let values = table.values();
    Ok(anneal(
        register,
        |index, _| values[index],
        &anneal_settings,
        &limits,
    )?)
}

fn first(samples: &Samples, most: usize) -> Vec<usize> {
    samples
        .entries()
        .iter()
        .take(most)
        .map(|sample| sample.index)
        .collect()
}

/// The part of the report that the circuit alone decides.
#[allow(clippy::cast_precision_loss)]
fn circuit(
    fleet: &Fleet,
    axes: &Axes,
    table: &Table,
    start: &Start,
    found: &qaoa::Outcome,
    settings: &Settings,
) -> Result<QaoaReport, Error> {
    let best = found
        .samples
        .best()
        .map_or(f64::INFINITY, |sample: Sample| sample.cost);
    let better = table
        .values()
        .iter()
        .filter(|value| **value < best - 1e-12)
        .count();
    let names = axes.services.iter().map(|s| {
        (
            fleet.services[*s].name.clone(),
            axes.choices[*s].len().try_into().unwrap_or(u32::MAX),
        )
    });
    Ok(QaoaReport {
        axes: names.collect(),
        dimension: table.register().dimension() as u64,
        depth: u32::try_from(settings.depth).unwrap_or(u32::MAX),
        gamma: found.angles.gamma.clone(),
        beta: found.angles.beta.clone(),
        initial_expectation: found.initial_expectation,
        expectation: found.expectation,
        uniform_mean: table.mean(),
        uniform_standard_deviation: table.standard_deviation(),
        sampled_mean: found.samples.mean_cost().unwrap_or(found.expectation),
        table_minimum: table.min(),
        probability_of_minimum: found.probability_of_minimum,
        initial_probability_of_minimum: product_probability_of_minimum(table, start),
        uniform_probability_of_minimum: table.minimum_count() as f64
            / table.register().dimension() as f64,
        best_sample_rank: better as u64 + 1,
        rank_correlation: None,
        shots: settings.shots,
        evaluations: found.evaluations as u64,
        packed: 0,
        best_usd_per_hour: None,
        anneal_usd_per_hour: None,
        anneal_equal_work_usd_per_hour: None,
        uniform_usd_per_hour: None,
        uniform_equal_work_usd_per_hour: None,
        enumerate_usd_per_hour: None,
        own_candidates: 0,
        chosen: false,
    })
}

/// Probability of a minimum in the product state that the circuit starts from.
fn product_probability_of_minimum(table: &Table, start: &Start) -> f64 {
    let threshold = table.minimum_threshold();
    let values = table.values();
    let minima = values
        .iter()
        .enumerate()
        .filter(|(_, value)| **value <= threshold);
    let probability = |mut index: usize| {
        let mut product = 1.0;
        for axis in start.axes() {
            product *= axis[index % axis.len()].powi(2);
            index /= axis.len();
        }
        product
    };
    minima.map(|(index, _)| probability(index)).sum()
}

/// Packs states and remembers what became of them.
struct Bench<'a> {
    fleet: &'a Fleet,
    axes: &'a Axes,
    register: &'a Register,
    values: &'a Values,
    meter: &'a Meter<'a>,
    /// The feasible placement of a state, with its cost in USD/h.
    known: BTreeMap<usize, Option<(f64, Placement)>>,
}

impl Bench<'_> {
    fn pack(&mut self, states: &[usize]) {
        let new: Vec<usize> = states
            .iter()
            .copied()
            .filter(|state| !self.known.contains_key(state))
            .collect();
        let shared: Vec<_> = new.iter().zip(self.meter.shares(new.len())).collect();
        let packed = parallel::map(&shared, |(state, share)| {
            if share.goes_on() {
                self.packed(**state, share)
            } else {
                None
            }
        });
        drop(shared);
        self.known.extend(new.into_iter().zip(packed));
    }

    /// The cheaper packing of a state that is feasible, or becomes so by a few local changes: on the offerings chosen, or on any of the
    /// same cells.
    fn packed(&self, state: usize, meter: &Meter) -> Option<(f64, Placement)> {
        let digits = self.register.digits(state).ok()?;
        let chosen: Vec<&Choice> = self.axes.decode(&digits);
        let columns: Vec<Column> = chosen
            .iter()
            .map(|choice| choice.column(self.fleet))
            .collect();
        let as_chosen = Demand::by_offering(
            self.fleet,
            chosen.iter().map(|choice| choice.pods.clone()).collect(),
        );
        let demands = [as_chosen, Demand::by_cell(self.fleet, &columns)];
        let placements = demands
            .iter()
            .filter_map(|demand| pack(self.fleet, demand, self.values, meter));
        let feasible = placements.filter_map(|placement| {
            until_feasible(self.fleet, placement, &meter.part(REPAIR_WORK))
        });
        let priced =
            feasible.map(|placement| (cost(self.fleet, &placement).total_usd_per_hour, placement));
        priced.min_by(|a, b| a.0.total_cmp(&b.0))
    }

    fn best(&self, states: &[usize]) -> Option<&(f64, Placement)> {
        let found = states
            .iter()
            .filter_map(|state| self.known.get(state)?.as_ref());
        found.min_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// Feasible states of QAOA that none of the others had packed.
    fn own(&self, states: &[usize], others: &[(Source, Vec<usize>)]) -> u64 {
        let had = |state: &usize| others.iter().any(|(_, states)| states.contains(state));
        states
            .iter()
            .filter(|state| self.known.get(state).is_some_and(Option::is_some) && !had(state))
            .count() as u64
    }

    /// Spearman's rank correlation of surrogate and true cost over the feasible states.
    fn rank_correlation(&self, table: &Table, states: &[usize]) -> Option<f64> {
        let pairs: Vec<(f64, f64)> = states
            .iter()
            .filter_map(|state| Some((table.value(*state)?, self.known.get(state)?.as_ref()?.0)))
            .collect();
        if pairs.len() < 3 {
            return None;
        }
        let (x, y): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        pearson(&ranks(&x), &ranks(&y))
    }
}

/// Ranks from 1, equal values sharing their mean rank.
#[allow(clippy::cast_precision_loss)]
fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |v: &f64| values.iter().filter(|other| *other < v).count() as f64;
    let equal = |v: &f64| values.iter().filter(|other| *other == v).count() as f64;
    values
        .iter()
        .map(|v| below(v) + (equal(v) + 1.0) / 2.0)
        .collect()
}

/// Pearson's correlation; `None` when one side does not vary.
#[allow(clippy::cast_precision_loss)]
fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let product = |a: &[f64], ma: f64, b: &[f64], mb: f64| {
        a.iter()
            .zip(b)
            .map(|(a, b)| (a - ma) * (b - mb))
            .sum::<f64>()
    };
    let scale = (product(x, mx, x, mx) * product(y, my, y, my)).sqrt();
    (scale > 0.0).then(|| product(x, mx, y, my) / scale)
}
