//! Column generation: the master's duals price columns and patterns until none improves, or no more is asked.

use super::classes::{Care, FEW_EXISTING, Known, Pricing};
use super::column::{Prices, cheapest, within_spot_share};
use super::floors::Floors;
use super::master::{Centre, Choice, Duals, Master, Relaxed};
use crate::fleet::{Fleet, Service};
use crate::limits::Meter;
use crate::plan::Leaf;

/// Classes times services up to which the solver takes its time.
const SMALL: usize = 2_000;
/// How much of the centre is in the point that columns are priced at next.
const SMOOTHING: f64 = 0.5;
/// A centre that proves less than this share of the objective leads away: columns are priced at the duals then.
const TRUSTED: f64 = 0.8;
/// Share by which the worth of pods is lowered at least where it is not that of the master's own duals. Many a node is worth its price there but for
/// what its pods leave over: one who checks that needs the prices of dimensions, and comes about so close.
pub(super) const MARGIN: f64 = 1e-2;

/// How much column generation does before its duals are taken as they are.
#[derive(Clone, Copy)]
pub(super) struct Effort {
    /// Most rounds.
    rounds: usize,
    /// How well patterns are searched for, one after the other as long as no column improves.
    pricing: &'static [Care],
    /// Generation ends where no node can be worth more than its price by a larger share than this.
    enough: f64,
    /// It ends, too, where the objective is about this share above the best bound so far.
    close: f64,
}

impl Effort {
    /// For a first plan: the last few thousandths of the objective take more rounds than all before.
    pub(super) const QUICK: Self = Self {
        rounds: 400,
        pricing: &[Care::HASTY, Care::FAIR],
        enough: 1e-2,
        close: 2e-2,
    };
    /// Little is missed.
    pub(super) const THOROUGH: Self = Self {
        rounds: 400,
        pricing: &[Care::HASTY, Care::FAIR, Care::CLOSE, Care::CLOSEST],
        enough: 0.0,
        close: 0.0,
    };
    /// Bounds are missed by about a thousandth.
    const SOUND: Self = Self {
        rounds: 400,
        pricing: &[Care::HASTY, Care::FAIR, Care::CLOSE],
        enough: 2e-3,
        close: 0.0,
    };
    /// Between the decisions of a dive.
    pub(super) const DIVING: Self = Self {
        rounds: 2,
        pricing: &[Care::MODERATE],
        enough: 1e-2,
        close: 0.0,
    };

    /// For bounds.
    pub(super) fn bounding(fleet: &Fleet) -> Self {
        if fleet.classes.len() * fleet.services.len() <= SMALL {
            Self::THOROUGH
        } else {
            Self::SOUND
        }
    }
}

/// Adds improving columns until there are none, work runs out, or the rounds do.
///
/// Columns are priced between the duals and a centre, the point that proved most so far (Wentges 1997): the duals of a master with few columns
/// jump about. Where nothing improves there, they are priced at the duals themselves. The centre is handed on to the next generation.
pub(super) fn generate(
    fleet: &Fleet,
    master: &mut Master,
    floors: &Floors,
    effort: Effort,
    meter: &Meter,
) -> Option<(Relaxed, usize)> {
    let mut last = None;
    let mut known = Known::new(fleet);
    for round in 0..effort.rounds {
        known.round = round;
        let Some(relaxed) = master.relax(meter) else {
            break;
        };
        meter.spend((relaxed.iterations + 50) * (1 + relaxed.rows.len() as u64 / 20));
        let trusted = |centre: &&Centre| {
            let known = centre.usd_per_hour;
            known.is_none_or(|usd| usd > TRUSTED * relaxed.objective)
        };
        let centre = master.centre.as_ref().filter(|_| relaxed.broken <= 1e-6);
        let centre = centre.filter(trusted);
        let between = centre.map(|centre| mixed(&centre.rows, &relaxed.rows));
        let mut progress = Progress::default();
        if let Some(rows) = between {
            let pricing = Pricing::new(fleet, master, master.duals(&rows), floors);
            progress = pricing.improve(master, &effort.pricing[..1], &mut known, meter);
            move_centre(master, &progress, &rows);
        }
        if !progress.added {
            let pricing = Pricing::new(fleet, master, relaxed.duals.clone(), floors);
            progress = pricing.improve(master, effort.pricing, &mut known, meter);
            move_centre(master, &progress, &relaxed.rows);
        }
        let reached = master
            .centre
            .as_ref()
            .and_then(|centre| centre.usd_per_hour);
        let apart = reached.map(|usd| (relaxed.objective - usd) / relaxed.objective.abs());
        let is_close = effort.close > 0.0
            && relaxed.broken <= 1e-6
            && apart.is_some_and(|share| share <= effort.close);
        last = Some((relaxed, round + 1));
        let is_enough = progress.beyond <= effort.enough || is_close;
        if !progress.added || is_enough || !meter.goes_on() {
            break;
        }
    }
    // The next generation may be bounded otherwise.
    if let Some(centre) = &mut master.centre {
        centre.usd_per_hour = None;
    }
    last
}

/// Makes duals the centre where they prove more than the best so far.
fn move_centre(master: &mut Master, progress: &Progress, rows: &[f64]) {
    let usd_per_hour = progress.reached(master.value(rows));
    let known = master
        .centre
        .as_ref()
        .and_then(|centre| centre.usd_per_hour);
    if known.is_none_or(|known| usd_per_hour > known) {
        master.centre = Some(Centre {
            rows: rows.to_vec(),
            usd_per_hour: Some(usd_per_hour),
        });
    }
}

/// Between the centre and the duals.
fn mixed(centre: &[f64], duals: &[f64]) -> Vec<f64> {
    let both = centre.iter().zip(duals);
    both.map(|(before, dual)| SMOOTHING * before + (1.0 - SMOOTHING) * dual)
        .collect()
}

/// What one round of pricing came to.
pub(super) struct Progress {
    pub(super) added: bool,
    /// By what share of its price a node may be worth more than that, as far as all are known.
    pub(super) beyond: f64,
    /// The same where classes that had no improving pattern lately are taken to have none.
    pub(super) about: f64,
    /// By how much services' columns improve, together, USD/h.
    pub(super) deficit: f64,
}

impl Progress {
    /// About the bound at duals whose objective has a value.
    fn reached(&self, value: f64) -> f64 {
        lowered(value - self.deficit, self.about)
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self {
            added: false,
            beyond: f64::INFINITY,
            about: f64::INFINITY,
            deficit: 0.0,
        }
    }
}

/// About what a value of the objective proves when duals are lowered until nodes that may be worth more than their price, by a share of it, are
/// not (Farley 1990).
fn lowered(value: f64, beyond: f64) -> f64 {
    value - value.abs() * (1.0 - 1.0 / (1.0 + beyond))
}

/// Multipliers from the duals of a relaxation or from the centre, whichever prove more, and about what that is, USD/h. They are lowered until no
/// new node is worth more than it costs: one that seems to pay counts in the bound as often as it could be bought.
pub(super) fn lower(
    fleet: &Fleet,
    master: &Master,
    relaxed: &Relaxed,
    floors: &Floors,
    effort: Effort,
    meter: &Meter,
) -> (Leaf, f64) {
    let (new, existing): (Vec<usize>, Vec<usize>) =
        (0..fleet.classes.len()).partition(|class| !fleet.classes[*class].is_existing());
    let mut known = Known::new(fleet);
    let mut proven = |rows: &[f64], margin: f64| {
        let pricing = Pricing::new(fleet, master, master.duals(rows), floors);
        let columns = improving_columns(fleet, &pricing.duals, pricing.weight, floors);
        let value = columns
            .iter()
            .fold(master.value(rows), |value, (_, by)| value - by);
        // The first care finds patterns in haste, and bounds little. Where time runs out, what was known before is not as close, but known.
        let mut least = f64::INFINITY;
        for care in effort.pricing.iter().skip(1) {
            let priced = pricing.priced(&new, *care, &mut known, meter);
            let beyond = priced.into_iter().map(|priced| priced.beyond);
            least = least.min(beyond.fold(margin, f64::max));
            if !meter.is_in_time() {
                break;
            }
        }
        (lowered(value, least), least, pricing)
    };
    let mut best = proven(&relaxed.rows, 0.0);
    if let Some(centre) = master.centre.as_ref().filter(|_| relaxed.broken <= 1e-6) {
        let of_centre = proven(&centre.rows, MARGIN);
        if of_centre.0 > best.0 {
            best = of_centre;
        }
    }
    let (proven, least, pricing) = best;
    let mut duals = pricing.duals.clone();
    duals.lower(least);
    (
        duals.leaf,
        proven - paying(&pricing, &existing, effort, &mut known, meter),
    )
}

/// What existing nodes are worth more than they cost, USD/h: in the bound each counts once.
fn paying(
    pricing: &Pricing,
    existing: &[usize],
    effort: Effort,
    known: &mut Known,
    meter: &Meter,
) -> f64 {
    let care = if existing.len() <= FEW_EXISTING {
        effort.pricing.last()
    } else {
        effort.pricing.first()
    };
    let care = *care.unwrap_or(&Care::HASTY);
    let priced = pricing.priced(existing, care, known, meter);
    let paying = priced
        .iter()
        .filter(|priced| priced.beyond > 1.01 * care.missed);
    let usd = paying.map(|priced| {
        let nodes = pricing.fleet.classes[priced.class].count();
        let price = pricing.duals.node[priced.class].abs();
        nodes.map_or(0.0, f64::from) * priced.beyond * price
    });
    usd.sum()
}

/// The cheapest column of every service where that improves, and by how much.
pub(super) fn improving_columns(
    fleet: &Fleet,
    duals: &Duals,
    weight: f64,
    floors: &Floors,
) -> Vec<(Choice, f64)> {
    let improving = |(s, service): (usize, &Service)| {
        let prices = Prices {
            cells: &duals.pods[s],
            spot: duals.spot_share[s],
            move_usd_per_hour: duals.moves[s],
            slo_weight: weight,
            holds_fixed: false,
        };
        let (value, column) = cheapest(fleet, service, &prices, (floors.least[s], floors.most[s]))?;
        if value >= duals.convexity[s] - 1e-7 {
            return None;
        }
        let column = if floors.whole {
            within_spot_share(fleet, service, &prices, column.replicas)?
        } else {
            column
        };
        Some((Choice::Service(s, column), duals.convexity[s] - value))
    };
    fleet
        .services
        .iter()
        .enumerate()
        .filter_map(improving)
        .collect()
}
