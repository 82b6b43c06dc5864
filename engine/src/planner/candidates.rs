//! Every solver's candidate for one set of constraints.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use ketscale_optimizer::Register;
use ketscale_optimizer::simulator::estimate;

use super::{Settings, Solver};
use crate::baseline::{self, Stock};
use crate::choices;
use crate::cost::cost;
use crate::exact::{self, Exact};
use crate::feasibility::{excess, is_feasible, violations};
use crate::fleet::Fleet;
use crate::improve::{improve, improve_schedulable, until_feasible, until_schedulable};
use crate::limits::Meter;
use crate::packing::Values;
use crate::parallel;
use crate::placement::Placement;
use crate::plan::{Candidate, Certificate, Leaf, QaoaReport};
use crate::sampling::{self, Source};
use crate::scheduler;
use crate::verify::bound::{Prices, bound};

/// Placements of one solver that are made realisable, the cheapest pinned ones.
const MOST_FINISHED: usize = 12;

/// Work units that a certificate's search tree may take in any case.
const LEAST_TREE_WORK: u64 = 4_000_000;

/// Placements of one solver that are improved: those cheapest with a node more for everything by which they break a constraint.
const MOST_IMPROVED: usize = 16;

/// Work units that making the repaired baseline realisable may take in any case: without it there may be no plan at all.
const LEAST_REALISING_WORK: u64 = 20_000_000;

/// Where a clock ends the run, each stage ends when this share of the seconds is spent that were left when it began; what is over at the
/// end is for ordering the steps and for verifying.
mod share {
    /// The stock tools.
    pub(super) const STOCK: f64 = 0.1;
    /// Repairing what they did.
    pub(super) const REPAIR: f64 = 0.15;
    /// The same where the scheduler must realise it.
    pub(super) const REALISING: f64 = 0.5;
    /// Columns, and plans in whole numbers.
    pub(super) const COLUMNS: f64 = 0.85;
    /// Of that, before these plans are improved.
    pub(super) const GENERATION: f64 = 0.9;
    /// The same where the scheduler must realise them.
    pub(super) const GENERATION_REALISED: f64 = 0.6;
    /// The same as [`GENERATION`] of the work, where that ends the run: improving the example's plans takes about 75,000 units.
    pub(super) const GENERATION_WORK: f64 = 0.75;
    /// What each plan that the scheduler is to realise may take of the seconds left by then, the cheapest first: better one than none.
    pub(super) const FINISHED: f64 = 0.5;
    /// The samplers.
    pub(super) const SAMPLERS: f64 = 0.5;
    /// Of that, before their samples are improved.
    pub(super) const SAMPLING: f64 = 0.5;
    /// Of that, the largest circuit that is searched for angles.
    pub(super) const CIRCUIT: f64 = 0.3;
    /// The certificate.
    pub(super) const CERTIFICATE: f64 = 0.4;
}

/// What the solvers found for one set of constraints.
pub(super) struct Attempt {
    /// The best stock tool's placement.
    pub(super) stock: Placement,
    /// The repaired one, realisable by the scheduler where that is asked for.
    pub(super) repaired: Option<Placement>,
    /// Rows of the plan's table, with the placement of those that may be published.
    pub(super) rows: Vec<(Candidate, Option<Placement>)>,
    /// The best lower bound in USD/h with its certificate, where there is something to publish.
    pub(super) proven: Option<(f64, Certificate)>,
    /// QAOA's report.
    pub(super) qaoa: Option<QaoaReport>,
}

impl Attempt {
    /// Whether there is something to publish.
    pub(super) fn is_successful(&self) -> bool {
        self.rows.iter().any(|(_, placement)| placement.is_some())
    }
}

/// Runs the solvers that the settings ask for; the exact relaxation always, for the bound. A solver that panics costs its row and nothing
/// else, but for the stock tools, which everything is measured against.
pub(super) fn attempt(
    fleet: &Fleet,
    settings: &Settings,
    meter: &Meter,
    progress: &(dyn Fn(&str, f64) + Sync),
) -> Attempt {
    progress("baseline", 0.0);
    let stocks = baseline::stock(fleet, &meter.stage(share::STOCK));
    let stock = baseline::best(fleet, &stocks);
    let mut table = Table {
        fleet,
        settings,
        rows: Vec::new(),
    };
    table.stock("baseline", &stock, 0);
    for stock in &stocks {
        table.stock(stock.tool.as_str(), &stock.placement, stock.work);
    }
    let repair = if fleet.is_exact() {
        share::REPAIR
    } else {
        share::REALISING
    };
    let repaired = table.repaired(&stocks, &meter.stage(repair));
    let current = Some(Placement::current(fleet))
        .filter(|placement| fleet.has_current && is_feasible(fleet, placement));
    progress("exact", 0.05);
    let starts: Vec<Placement> = repaired.iter().chain(&current).cloned().collect();
    let columns = meter.stage(share::COLUMNS);
    let mut exact = table.exact(&starts, &columns);
    table.unchanged(current, &columns);
    drop(columns);
    progress("qaoa", 0.5);
    let qaoa = if wants_samples(settings.solver) {
        table.samples(exact.as_ref(), &meter.stage(share::SAMPLERS))
    } else {
        None
    };
    progress("bound", 0.8);
    let proven = table.proven(exact.as_mut(), meter);
    progress("done", 1.0);
    Attempt {
        stock,
        repaired,
        rows: table.rows,
        proven,
        qaoa,
    }
}

/// What a solver returns; `None` when it panics.
pub(super) fn caught<T>(solver: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(solver)).ok()
}

fn wants_samples(solver: Solver) -> bool {
    !matches!(solver, Solver::Baseline | Solver::Exact)
}

/// Whether the settings let this row be published.
fn may_publish(solver: Solver, row: &str) -> bool {
    match solver {
        Solver::Auto => true,
        Solver::Baseline => row == "baseline_repaired",
        other => row == other.as_str(),
    }
}

struct Table<'a> {
    fleet: &'a Fleet,
    settings: &'a Settings,
    rows: Vec<(Candidate, Option<Placement>)>,
}

impl<'a> Table<'a> {
    fn total(&self, placement: &Placement) -> f64 {
        cost(self.fleet, placement).total_usd_per_hour
    }

    /// The placement that the scheduler realises, with the price of that, where the policy asks for it.
    fn realisable(&self, placement: Placement, meter: &Meter) -> Option<(Placement, f64)> {
        if self.fleet.is_exact() {
            return Some((placement, 0.0));
        }
        let realised = scheduler::make_schedulable(self.fleet, &placement, meter)?;
        let extra = self.total(&realised) - self.total(&placement);
        Some((realised, extra))
    }

    fn push(
        &mut self,
        solver: &str,
        placement: Option<Placement>,
        extra: Option<f64>,
        work: u64,
        note: String,
    ) {
        let total_usd_per_hour = placement.as_ref().map(|placement| self.total(placement));
        let outcome = if placement.is_some() {
            "feasible"
        } else {
            "none"
        };
        let candidate = Candidate {
            solver: solver.to_owned(),
            outcome: outcome.to_owned(),
            total_usd_per_hour,
            schedulable_usd_per_hour: extra,
            work,
            note,
        };
        let publishable = placement.filter(|_| may_publish(self.settings.solver, solver));
        self.rows.push((candidate, publishable));
    }

    /// A stock tool's row, which is never published.
    fn stock(&mut self, solver: &str, stock: &Placement, work: u64) {
        let broken = violations(self.fleet, stock);
        let note = broken.first().map_or(String::new(), |first| {
            format!("{} violations, such as {first}", broken.len())
        });
        let candidate = Candidate {
            solver: solver.to_owned(),
            outcome: if broken.is_empty() {
                "feasible"
            } else {
                "violates"
            }
            .to_owned(),
            total_usd_per_hour: Some(self.total(stock)),
            schedulable_usd_per_hour: None,
            work,
            note,
        };
        self.rows.push((candidate, None));
    }

    /// The cheapest of the stock tools' placements made feasible and, where that is asked for, realisable. Where a clock may end that, the
    /// cheapest of them come first.
    fn repaired(&mut self, stocks: &[Stock], meter: &Meter) -> Option<Placement> {
        let repaired = caught(|| {
            let half = meter.stage(0.5);
            let repaired = baseline::repair(self.fleet, stocks, &half);
            let realising = meter.granted(LEAST_REALISING_WORK);
            let mut realised: Vec<Placement> = Vec::new();
            for placement in repaired {
                if !realised.is_empty() && !half.is_in_time() {
                    break;
                }
                let found = self.realisable(placement, &realising);
                realised.extend(found.map(|(placement, _)| placement));
            }
            let total = |placement: &Placement| self.total(placement);
            realised
                .into_iter()
                .min_by(|a, b| total(a).total_cmp(&total(b)))
        });
        let Some(repaired) = repaired else {
            self.panicked("baseline_repaired");
            return None;
        };
        self.push(
            "baseline_repaired",
            repaired.clone(),
            None,
            meter.used(),
            String::new(),
        );
        repaired
    }

    /// Keeping everything as it is, when that is feasible.
    fn unchanged(&mut self, current: Option<Placement>, meter: &Meter) {
        let Some(placement) = current else { return };
        let realising = meter.granted(LEAST_REALISING_WORK);
        match caught(|| self.realisable(placement, &realising)) {
            Some(realised) => {
                let (placement, extra) = realised.unzip();
                self.push("unchanged", placement, extra, 0, "what runs now".to_owned());
            }
            None => self.panicked("unchanged"),
        }
    }

    /// Improves the most promising placements, makes the cheapest realisable, and keeps the cheapest of those.
    fn best(&self, placements: Vec<Placement>, meter: &Meter) -> Option<(Placement, f64)> {
        let dearest = self.fleet.offerings.iter().map(|o| o.usd_per_hour);
        let dearest = dearest.fold(0.0, f64::max);
        let promise =
            |placement: &Placement| self.total(placement) + dearest * excess(self.fleet, placement);
        let ranked = placements
            .into_iter()
            .map(|placement| (promise(&placement), placement));
        let mut ranked: Vec<(f64, Placement)> = ranked.collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        ranked.dedup_by(|a, b| a.1 == b.1);
        ranked.truncate(MOST_IMPROVED);
        let placements = ranked.into_iter().map(|(_, placement)| placement).collect();
        let half = if self.fleet.is_exact() { 1.0 } else { 0.5 };
        let improved = side_by_side(placements, &meter.stage(half), 0.0, |placement, meter| {
            let feasible = until_feasible(self.fleet, placement.clone(), meter)?;
            let improved = improve(self.fleet, feasible, meter);
            Some((self.total(&improved), improved))
        });
        let mut improved: Vec<(f64, Placement)> = improved.into_iter().flatten().collect();
        improved.sort_by(|a, b| a.0.total_cmp(&b.0));
        improved.dedup_by(|a, b| a.1 == b.1);
        improved.truncate(MOST_FINISHED);
        let least = improved.first()?.0;
        let finished = side_by_side(improved, meter, share::FINISHED, |(_, placement), meter| {
            self.finished(placement.clone(), least, meter)
        });
        let finished = finished.into_iter().flatten();
        finished.min_by(|a, b| self.total(&a.0).total_cmp(&self.total(&b.0)))
    }

    /// A realisable placement, improved as far as it stays so, with its price over the best pinned packing: the cheaper of one with
    /// nodes added and one with pods shifted.
    fn finished(
        &self,
        placement: Placement,
        least: f64,
        meter: &Meter,
    ) -> Option<(Placement, f64)> {
        if self.fleet.is_exact() {
            return Some((placement, 0.0));
        }
        let shifted = until_schedulable(self.fleet, placement.clone(), meter);
        let enlarged = scheduler::make_schedulable(self.fleet, &placement, meter);
        let improved = shifted
            .into_iter()
            .chain(enlarged)
            .map(|placement| improve_schedulable(self.fleet, placement, meter))
            .map(|placement| (self.total(&placement), placement));
        let (total, placement) = improved.min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some((placement, (total - least).max(0.0)))
    }

    fn exact(&mut self, starts: &[Placement], meter: &Meter) -> Option<Exact<'a>> {
        let before = meter.used();
        let solved = caught(|| {
            let generation = if self.fleet.is_exact() {
                share::GENERATION
            } else {
                share::GENERATION_REALISED
            };
            let meter = meter.stage(generation);
            let meter = meter.portion(share::GENERATION_WORK);
            exact::solve(self.fleet, starts, self.settings.most_leaves, &meter)
        });
        let Some(solved) = solved else {
            self.panicked("exact");
            return None;
        };
        let Some(exact) = solved else {
            let note = "no relaxation: a service has no admissible choice".to_owned();
            self.push("exact", None, None, meter.used() - before, note);
            return None;
        };
        let placements = exact.placements.iter().chain(starts).cloned().collect();
        let note = format!("{} rounds of column generation", exact.relaxation.rounds);
        let work = || meter.used() - before;
        self.push_best("exact", placements, meter, &work, note);
        Some(exact)
    }

    /// A row for the best that comes of some placements; the work is asked for when it is done.
    fn push_best(
        &mut self,
        solver: &str,
        placements: Vec<Placement>,
        meter: &Meter,
        work: &dyn Fn() -> u64,
        note: String,
    ) {
        let Some(best) = caught(|| self.best(placements, meter)) else {
            return self.panicked(solver);
        };
        let (placement, extra) = best.unzip();
        self.push(solver, placement, extra, work(), note);
    }

    /// The better of the root's multipliers, those of a tree where the gap is worth one, and none at all (which bounds by the constants).
    fn proven(&self, exact: Option<&mut Exact>, meter: &Meter) -> Option<(f64, Certificate)> {
        let totals = self
            .rows
            .iter()
            .filter_map(|(row, placement)| placement.as_ref().and(row.total_usd_per_hour));
        let incumbent = totals.min_by(f64::total_cmp)?;
        let nothing = Leaf {
            branches: Vec::new(),
            duals: BTreeMap::new(),
        };
        let mut best = self.valued(vec![nothing]);
        let Some(exact) = exact else { return best };
        let before = meter.seconds_left();
        let root = self.valued(vec![exact.relaxation.leaf.clone()]);
        let leaf_seconds = before
            .zip(meter.seconds_left())
            .map(|(before, left)| before - left);
        best = better(best, root);
        // What was about to be proved may not have been.
        let fluid = exact.relaxation.fluid.as_ref();
        let known = best.as_ref().map(|(proven, _)| *proven);
        if let Some((leaf, _)) = fluid.filter(|(_, about)| known.is_none_or(|usd| usd < *about)) {
            best = better(best, self.valued(vec![leaf.clone()]));
        }
        if exact.relaxation.infeasible || !meter.goes_on() {
            return best;
        }
        // Each leaf is verified twice, once here; for that as many seconds are left as for finding it.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let affordable = meter.seconds_left().zip(leaf_seconds).map(|(left, leaf)| {
            (left * (1.0 - share::CERTIFICATE) / (2.0 * leaf.max(1e-3))) as usize
        });
        let most_leaves = affordable
            .map_or(usize::MAX, |most| most)
            .min(self.settings.most_leaves);
        if most_leaves < 2 {
            return best;
        }
        // No more work than half of what the relaxation and its plans took: in large fleets a tree raises the bound little. Where the
        // tree's search panics, the root still proves something.
        let stage = meter.stage(share::CERTIFICATE);
        let part = stage.part((exact.work / 2).max(LEAST_TREE_WORK));
        let leaves = caught(|| exact.leaves(incumbent, most_leaves, &part)).unwrap_or_default();
        if leaves.len() < 2 {
            return best;
        }
        better(best, self.valued(leaves))
    }

    /// A certificate with what it proves, USD/h; `None` when that is nothing.
    fn valued(&self, leaves: Vec<Leaf>) -> Option<(f64, Certificate)> {
        let certificate = Certificate { leaves };
        let value = bound(self.fleet, &certificate, Prices::Real).ok();
        value
            .filter(|value| value.is_finite())
            .map(|value| (value, certificate))
    }

    fn panicked(&mut self, solver: &str) {
        let note = "the solver panicked; please report it".to_owned();
        self.failed(solver, note);
    }

    fn failed(&mut self, solver: &str, note: String) {
        self.push(solver, None, None, 0, note);
        if let Some((candidate, _)) = self.rows.last_mut() {
            "failed".clone_into(&mut candidate.outcome);
        }
    }

    /// The samplers' rows, on a register of choices around the cheapest placement so far.
    fn samples(&mut self, exact: Option<&Exact>, meter: &Meter) -> Option<QaoaReport> {
        let relaxed = exact.map(|exact| &exact.relaxation);
        let feasible = self.feasible(exact);
        let incumbent = feasible
            .iter()
            .min_by(|a, b| self.total(a).total_cmp(&self.total(b)))?;
        if !meter.goes_on() {
            self.push("qaoa", None, None, 0, "no time was left".to_owned());
            return None;
        }
        let values = relaxed.map_or_else(|| Values::of_prices(self.fleet), |r| r.values.clone());
        let most_states = self.most_states(meter);
        let settings = sampling::Settings {
            depth: self.settings.depth,
            evaluations: self.settings.evaluations,
            shots: self.settings.shots,
            packed: self.settings.packed,
            epsilon: 0.25,
            seed: self.settings.seed,
            most_equal_work: most_states.clamp(1 << 10, 1 << 20) as u64,
        };
        let sampled = caught(|| {
            let meter = meter.stage(share::SAMPLING);
            let axes = choices::axes(self.fleet, incumbent, &feasible, relaxed, most_states);
            sampling::sample(self.fleet, &axes, &values, &settings, &meter)
        });
        match sampled {
            Some(Ok(outcome)) => {
                self.sampled(&outcome, meter);
                Some(outcome.report)
            }
            Some(Err(error)) => {
                self.failed("qaoa", error.to_string());
                None
            }
            None => {
                self.panicked("qaoa");
                None
            }
        }
    }

    /// Feasible placements known so far.
    fn feasible(&self, exact: Option<&Exact>) -> Vec<Placement> {
        let published = self
            .rows
            .iter()
            .filter_map(|(_, placement)| placement.as_ref());
        let found = exact.iter().flat_map(|exact| &exact.placements);
        published
            .chain(found)
            .filter(|placement| is_feasible(self.fleet, placement))
            .cloned()
            .collect()
    }

    /// Most states of a register whose angles are searched within its share of the work and of the seconds left.
    fn most_states(&self, meter: &Meter) -> usize {
        // Steps of an angle search pass over two states, forth and back.
        let steps = self.settings.evaluations.saturating_add(2);
        let layers = self.settings.depth.saturating_add(1);
        let passes = layers.saturating_mul(steps).saturating_mul(6);
        let of_work = meter.work_left().map_or(usize::MAX, |left| {
            let amplitudes = left / 2 * sampling::AMPLITUDES_A_UNIT;
            usize::try_from(amplitudes).unwrap_or(usize::MAX) / passes.max(1)
        });
        let most = self.settings.most_states.min(of_work.max(16));
        let Some(left) = meter.seconds_left() else {
            return most;
        };
        let seconds = |qubits: u32| {
            let register = Register::new(&vec![2; qubits as usize]).ok()?;
            let once = estimate(&register, self.settings.depth).gradient_seconds;
            Some(once * (self.settings.evaluations + 2) as f64)
        };
        let affordable =
            |qubits: &u32| seconds(*qubits).is_some_and(|all| all <= left * share::CIRCUIT);
        let qubits = (4..=most.max(16).ilog2()).rev().find(affordable);
        most.min(1 << qubits.unwrap_or(4))
    }

    /// A row for each sampler; the work is told with QAOA's.
    fn sampled(&mut self, outcome: &sampling::Outcome, meter: &Meter) {
        let work = meter.used();
        for (index, source) in Source::ALL.into_iter().enumerate() {
            let placements = outcome.best.get(&source).cloned().into_iter().collect();
            let (work, note) = if source == Source::Qaoa {
                (work, outcome.note.clone())
            } else {
                (0, String::new())
            };
            let stage = meter.stage(1.0 / (Source::ALL.len() - index) as f64);
            self.push_best(source.as_str(), placements, &stage, &|| work, note);
        }
    }
}

/// The one that proves more.
fn better(
    a: Option<(f64, Certificate)>,
    b: Option<(f64, Certificate)>,
) -> Option<(f64, Certificate)> {
    a.into_iter()
        .chain(b)
        .reduce(|a, b| if b.0 > a.0 { b } else { a })
}

/// Applies a function to all items in parallel, each with a share of the work left and, as it comes to its turn, of the seconds, of which
/// an item may have this share at least: those that come last have what is over.
fn side_by_side<T: Sync, R: Send>(
    items: Vec<T>,
    meter: &Meter,
    least: f64,
    apply: impl Fn(&T, &Meter) -> R + Sync + Send,
) -> Vec<R> {
    let waiting = AtomicUsize::new(items.len());
    let shares = meter.shares(items.len());
    let items: Vec<_> = items.into_iter().zip(shares).collect();
    parallel::map(&items, |(item, share)| {
        let waiting = waiting.fetch_sub(1, Ordering::Relaxed).max(1);
        let turns = waiting.div_ceil(parallel::threads());
        apply(item, &share.stage(least.max(1.0 / turns as f64)))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::fleet;
    use crate::limits::Limits;
    use crate::problem;

    /// Outcomes of the solvers on a fleet that `corrupt` spoils.
    fn outcomes(settings: &Settings, corrupt: impl Fn(&mut Fleet)) -> Vec<(String, String)> {
        let text = include_bytes!("../../../examples/boutique/problem.yaml");
        let problem = problem::read(text, "problem.yaml").unwrap();
        let catalogue = crate::catalogue::Catalogue::built_in();
        let problem = problem::resolve(problem, catalogue, "problem.yaml").unwrap();
        let mut fleet = fleet::compile(problem, &[]).unwrap();
        corrupt(&mut fleet);
        let stop = AtomicBool::new(false);
        let work = Some(2_000_000);
        let meter = Meter::new(Limits::new(&stop, work));
        let rows = attempt(&fleet, settings, &meter, &|_, _| {}).rows;
        rows.into_iter()
            .map(|(row, _)| (row.solver, row.outcome))
            .collect()
    }

    fn is(outcomes: &[(String, String)], solver: &str, outcome: &str) -> bool {
        outcomes.contains(&(solver.to_owned(), outcome.to_owned()))
    }

    #[test]
    fn a_panic_of_the_exact_solver_and_the_repair_costs_their_rows() {
        // A cell that no zone has.
        let outcomes = outcomes(&Settings::default(), |fleet| {
            fleet.services[0].cells.push(999)
        });
        assert!(is(&outcomes, "exact", "failed"), "{outcomes:?}");
        assert!(is(&outcomes, "baseline_repaired", "failed"), "{outcomes:?}");
    }

    #[test]
    fn a_panic_of_the_samplers_costs_their_row() {
        // More angles than memory has addresses.
        let settings = Settings {
            depth: usize::MAX,
            ..Settings::default()
        };
        let outcomes = outcomes(&settings, |_| {});
        assert!(is(&outcomes, "qaoa", "failed"), "{outcomes:?}");
        assert!(is(&outcomes, "exact", "feasible"), "{outcomes:?}");
    }
}
