//! A dive for nodes in whole numbers: fix what the relaxation is surest about, generate columns again, repeat.
//!
//! Only nodes are fixed. A service's column is an extreme point of its own rules, and no single one matches the pods that a mixture of
//! them has put on nodes; the pods on the nodes are its replicas.

use super::floors::Floors;
use super::generate::{Effort, generate};
use super::master::{Choice, Master, Relaxed};
use super::rounding;
use crate::cost::cost;
use crate::fleet::Fleet;
use crate::limits::Meter;
use crate::placement::Placement;

/// Of the fractions above one half, how many are rounded up at once: one in so many.
const AT_ONCE: usize = 4;
/// Decisions that may turn out wrong.
const MOST_TAKEN_BACK: usize = 20;
/// Plans that are returned.
const MOST_PLANS: usize = 24;
/// Weights this close to a whole number count as whole.
const WHOLE: f64 = 1e-6;

/// Plans that the dive leads to, cheapest first; they may still break rules that only whole plans show. Bounds are lifted again.
/// The first fraction rounded up is the largest but `detour`.
pub(super) fn dive(
    fleet: &Fleet,
    master: &mut Master,
    floors: &Floors,
    detour: usize,
    meter: &Meter,
) -> Vec<Placement> {
    for index in 0..master.choices.len() {
        let most = floors.most_weight(fleet, &master.choices[index]);
        master.bound(index, 0.0, most);
    }
    let mut found = Vec::new();
    descend(fleet, master, floors, detour, meter, &mut found);
    (0..master.choices.len()).for_each(|index| master.bound(index, 0.0, f64::INFINITY));
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    found.dedup_by(|a, b| a.1 == b.1);
    found.truncate(MOST_PLANS);
    found.into_iter().map(|(_, placement)| placement).collect()
}

/// After every decision the nodes fixed so far are completed to a plan. The deeper, the more the relaxation has decided, and the more
/// it has been led astray; the dive ends where it costs more than the best of these plans.
fn descend(
    fleet: &Fleet,
    master: &mut Master,
    floors: &Floors,
    mut detour: usize,
    meter: &Meter,
    found: &mut Vec<(f64, Placement)>,
) {
    let sunk = fleet.sunk_usd_per_hour();
    let mut bounds: Vec<(f64, f64)> = Vec::new();
    let mut last: Vec<(usize, f64)> = Vec::new();
    let (mut taken_back, mut at_once) = (0, AT_ONCE);
    while let Some((relaxed, _)) = generate(fleet, master, floors, Effort::DIVING, meter) {
        let known = bounds.len();
        let new = master.choices[known..].iter();
        bounds.extend(new.map(|choice| (0.0, floors.most_weight(fleet, choice))));
        if relaxed.broken > 1e-6 {
            // The last decision was wrong: forbid it instead, and go on; of several at once nobody knows which one.
            if last.is_empty() || taken_back >= MOST_TAKEN_BACK {
                return;
            }
            taken_back += 1;
            at_once = usize::MAX;
            let only = last.len() == 1;
            for (index, least) in last.drain(..) {
                let most = if only { least } else { bounds[index].1 };
                bounds[index] = (least, most);
                master.bound(index, least, most);
            }
            continue;
        }
        if let Some(plan) = rounding::completed(fleet, master, &relaxed.weights) {
            found.push((cost(fleet, &plan).total_usd_per_hour, plan));
        }
        let best = found
            .iter()
            .map(|(usd, _)| *usd)
            .fold(f64::INFINITY, f64::min);
        let detour = std::mem::take(&mut detour);
        let decisions = decisions(master, &relaxed, &bounds, detour, at_once);
        if decisions.is_empty() || relaxed.objective + sunk >= best || !meter.goes_on() {
            return;
        }
        last.clear();
        for (index, least) in decisions {
            if relaxed
                .weights
                .get(index)
                .is_none_or(|weight| *weight < least - WHOLE)
            {
                last.push((index, bounds[index].0.max(least - 1.0)));
            }
            bounds[index].0 = least;
            master.bound(index, least, bounds[index].1);
        }
    }
}

/// Lower bounds to set next: every whole part of the patterns' weights, and the largest fractions but `detour` rounded up, one in `at_once` of
/// those above one half.
fn decisions(
    master: &Master,
    relaxed: &Relaxed,
    bounds: &[(f64, f64)],
    detour: usize,
    at_once: usize,
) -> Vec<(usize, f64)> {
    let patterns = || {
        let weights = relaxed.weights.iter().enumerate().zip(&master.choices);
        weights
            .filter(|(_, choice)| matches!(choice, Choice::Pattern(..)))
            .map(|((index, weight), _)| (index, *weight))
    };
    let whole = |weight: f64| (weight + WHOLE).floor();
    let mut decisions: Vec<(usize, f64)> = patterns()
        .map(|(index, weight)| (index, whole(weight)))
        .filter(|(index, least)| *least > bounds[*index].0)
        .collect();
    let fraction = |weight: f64| weight - whole(weight);
    let mut fractions: Vec<(usize, f64)> = patterns()
        .filter(|(_, weight)| fraction(*weight) > WHOLE)
        .collect();
    fractions.sort_by(|a, b| fraction(b.1).total_cmp(&fraction(a.1)));
    let large = fractions
        .iter()
        .filter(|(_, weight)| fraction(*weight) > 0.5);
    let several = (large.count() / at_once).max(1);
    let from = detour.min(fractions.len().saturating_sub(1));
    let rounded = fractions.into_iter().skip(from).take(several);
    decisions.extend(rounded.map(|(index, weight)| (index, weight.ceil())));
    decisions
}
