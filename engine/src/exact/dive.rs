//! A dive for nodes in whole numbers: fix what the relaxation is surest about, generate columns again, repeat.
//!
//! Only nodes are fixed. A service's column is an extreme point of its own rules, and no single one matches the pods that a mixture of
//! them has put on nodes; the pods on the nodes are its replicas.

use super::master::{Choice, Master, Relaxed};
use super::{Floors, generate, rounding};
use crate::cost::cost;
use crate::fleet::Fleet;
use crate::limits::Meter;
use crate::placement::Placement;

/// Rounds of column generation after each decision.
const ROUNDS: usize = 60;
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
    let mut last: Option<(usize, f64)> = None;
    let mut taken_back = 0;
    while let Some((relaxed, _)) = generate(fleet, master, floors, ROUNDS, meter) {
        let known = bounds.len();
        let new = master.choices[known..].iter();
        bounds.extend(new.map(|choice| (0.0, floors.most_weight(fleet, choice))));
        if relaxed.broken > 1e-6 {
            // The last decision was wrong: forbid it instead, and go on.
            let Some((index, least)) = last.take().filter(|_| taken_back < MOST_TAKEN_BACK) else {
                return;
            };
            taken_back += 1;
            bounds[index] = (least, least);
            master.bound(index, least, least);
            continue;
        }
        if let Some(plan) = rounding::completed(fleet, &master.choices, &relaxed.weights) {
            found.push((cost(fleet, &plan).total_usd_per_hour, plan));
        }
        let best = found
            .iter()
            .map(|(usd, _)| *usd)
            .fold(f64::INFINITY, f64::min);
        let decisions = decisions(master, &relaxed, &bounds, std::mem::take(&mut detour));
        if decisions.is_empty() || relaxed.objective + sunk >= best || !meter.goes_on() {
            return;
        }
        for (index, least) in decisions {
            last = Some((index, bounds[index].0.max(least - 1.0)));
            bounds[index].0 = least;
            master.bound(index, least, bounds[index].1);
        }
    }
}

/// Lower bounds to set next: every whole part of the patterns' weights, and the largest fraction but `detour` rounded up.
fn decisions(
    master: &Master,
    relaxed: &Relaxed,
    bounds: &[(f64, f64)],
    detour: usize,
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
    let largest = fractions.get(detour).or(fractions.last());
    if let Some((index, weight)) = largest {
        decisions.push((*index, weight.ceil()));
        return decisions;
    }
    Vec::new()
}
