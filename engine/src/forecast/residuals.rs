//! Prediction intervals: what a method missed by in the recent past, by lead.
//!
//! The quantiles of a model assume that its errors are normal and that the model is right; those of past errors assume that the next hours are like the
//! last day. `docs/decisions/forecast.md` has what was measured.

use super::history::as_f64;
use super::trial::{Lead, Pair};

/// Contiguous parts of the test; each is judged by the quantiles of the others.
const PARTS: usize = 4;

/// How errors may grow with what was said: not at all, with its root (counts), in proportion.
const POWERS: [f64; 3] = [0.0, 0.5, 1.0];

/// Quantiles at which the powers are compared. They do not depend on the one that is asked for, so that intervals of two quantiles never cross.
const COMPARED: [f64; 3] = [0.1, 0.5, 0.9];

/// Share of the mean below which errors are taken as those at that share: a night without load says nothing of relative errors.
const FLOOR: f64 = 0.05;

/// Errors by lead, in units of a power of what was said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Residuals {
    unit: Unit,
    /// Ascending by lead, each with its errors in ascending order; at least one.
    leads: Vec<(usize, Vec<f64>)>,
}

/// What errors are counted in.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Unit {
    power: f64,
    floor: f64,
}

impl Unit {
    fn at(self, said: f64) -> f64 {
        said.max(self.floor).powf(self.power)
    }

    fn error(self, pair: &Pair) -> f64 {
        (pair.came - pair.said) / self.at(pair.said)
    }
}

/// A value against an interval that knew nothing of it.
pub(super) struct Judged {
    /// Values within the interval.
    pub(super) within: usize,
    /// Values not above its upper end.
    pub(super) not_above: usize,
    /// Values in all.
    pub(super) values: usize,
}

impl Residuals {
    /// From what a method missed by. `None` where there is no lead with a value.
    pub(super) fn new(leads: &[Lead]) -> Option<Self> {
        let first = leads.first()?;
        let came: f64 = first.pairs.iter().map(|pair| pair.came).sum();
        let floor = (FLOOR * came / as_f64(first.pairs.len().max(1))).max(f64::MIN_POSITIVE);
        let unit = POWERS
            .map(|power| Unit { power, floor })
            .into_iter()
            .map(|unit| (unit, loss(unit, leads)))
            .min_by(|a, b| a.1.total_cmp(&b.1))?
            .0;
        let leads = leads
            .iter()
            .filter(|lead| !lead.pairs.is_empty())
            .map(|lead| (lead.steps, sorted(unit, &lead.pairs)))
            .collect::<Vec<_>>();
        (!leads.is_empty()).then_some(Self { unit, leads })
    }

    /// Quantile of what comes, less what was said; between tested leads on a straight line, beyond the last as at the last.
    pub(super) fn quantile(&self, lead: usize, said: f64, quantile: f64) -> f64 {
        let after = self.leads.partition_point(|(tested, _)| *tested < lead);
        let at = |index: usize| {
            let (tested, errors) = self.leads.get(index)?;
            Some((as_f64(*tested), of_sorted(errors, quantile)))
        };
        let before = after.checked_sub(1).and_then(at);
        let error = match (before, at(after)) {
            (Some((from, low)), Some((to, high))) => {
                low + (high - low) * (as_f64(lead) - from) / (to - from)
            }
            (Some((_, only)), None) | (None, Some((_, only))) => only,
            (None, None) => 0.0,
        };
        error * self.unit.at(said)
    }

    /// How many of the values of a lead were in the intervals of the test's other parts.
    pub(super) fn judge(&self, lead: &Lead, lower: f64, upper: f64) -> Judged {
        let mut judged = Judged {
            within: 0,
            not_above: 0,
            values: 0,
        };
        for (part, others) in parts(&lead.pairs) {
            let errors = sorted(self.unit, &others);
            let (low, high) = (of_sorted(&errors, lower), of_sorted(&errors, upper));
            for pair in part {
                // The forecast is within its own interval, whatever the errors were.
                let error = self.unit.error(pair);
                let not_above = error <= high.max(0.0);
                judged.not_above += usize::from(not_above);
                judged.within += usize::from(not_above && error >= low.min(0.0));
                judged.values += 1;
            }
        }
        judged
    }
}

/// Pinball loss of the quantiles of all parts but one on that one, in units of load.
fn loss(unit: Unit, leads: &[Lead]) -> f64 {
    let mut loss = 0.0;
    for lead in leads {
        for (part, others) in parts(&lead.pairs) {
            let errors = sorted(unit, &others);
            for quantile in COMPARED {
                let margin = of_sorted(&errors, quantile);
                for pair in part {
                    let over = pair.came - pair.said - margin * unit.at(pair.said);
                    loss += over.max(0.0) * quantile + (-over).max(0.0) * (1.0 - quantile);
                }
            }
        }
    }
    loss
}

/// Each contiguous part with all the others; fewer than two values cannot be parted.
fn parts(pairs: &[Pair]) -> impl Iterator<Item = (&[Pair], Vec<Pair>)> {
    let size = pairs.len().div_ceil(PARTS).max(1);
    let parted = if pairs.len() < 2 { &[] } else { pairs };
    parted.chunks(size).enumerate().map(move |(index, part)| {
        let others = pairs.chunks(size).enumerate();
        let others = others.filter(move |(other, _)| *other != index);
        (part, others.flat_map(|(_, other)| other).copied().collect())
    })
}

fn sorted(unit: Unit, pairs: &[Pair]) -> Vec<f64> {
    let mut errors: Vec<f64> = pairs.iter().map(|pair| unit.error(pair)).collect();
    errors.sort_unstable_by(f64::total_cmp);
    errors
}

/// Quantile p of n sorted values at position p·(n + 1), so that a further value is below it with probability p (Hyndman and Fan 1996, type 6).
fn of_sorted(values: &[f64], quantile: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else {
        return 0.0;
    };
    let position = (quantile * as_f64(values.len() + 1) - 1.0).clamp(0.0, as_f64(last));
    let below = super::history::to_index(position.floor());
    let at = |index: usize| values.get(index.min(last)).copied().unwrap_or(0.0);
    at(below) + (at(below + 1) - at(below)) * (position - position.floor())
}
