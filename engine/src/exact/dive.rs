//! A dive for a plan in whole numbers: fix what the relaxation is surest about, generate columns again, repeat.

use super::master::{Choice, Master, Relaxed};
use super::{Floors, generate};
use crate::fleet::Fleet;
use crate::limits::Meter;

/// Rounds of column generation after each decision.
const ROUNDS: usize = 60;
/// Decisions that may turn out wrong.
const MOST_TAKEN_BACK: usize = 20;
/// Weights this close to a whole number count as whole.
const WHOLE: f64 = 1e-6;

/// (choice, times) of a plan in whole numbers; `None` when the dive ends where rows stay broken. Bounds are lifted again.
pub(super) fn dive(
    fleet: &Fleet,
    master: &mut Master,
    floors: &Floors,
    meter: &Meter,
) -> Option<Vec<(usize, u32)>> {
    for index in 0..master.choices.len() {
        let admitted = floors.admits(fleet, &master.choices[index]);
        master.bound(index, 0.0, if admitted { f64::INFINITY } else { 0.0 });
    }
    let found = descend(fleet, master, floors, meter);
    (0..master.choices.len()).for_each(|index| master.bound(index, 0.0, f64::INFINITY));
    found
}

fn descend(
    fleet: &Fleet,
    master: &mut Master,
    floors: &Floors,
    meter: &Meter,
) -> Option<Vec<(usize, u32)>> {
    let mut bounds: Vec<(f64, f64)> = Vec::new();
    let mut last: Option<(usize, f64)> = None;
    let mut taken_back = 0;
    loop {
        let (relaxed, _) = generate(fleet, master, floors, ROUNDS, meter)?;
        if !meter.goes_on() {
            return None;
        }
        let known = bounds.len();
        bounds.extend(master.choices[known..].iter().map(|choice| {
            (
                0.0,
                if floors.admits(fleet, choice) {
                    f64::INFINITY
                } else {
                    0.0
                },
            )
        }));
        if relaxed.broken > 1e-6 {
            // The last decision was wrong: forbid it instead, and go on.
            let (index, least) = last.take().filter(|_| taken_back < MOST_TAKEN_BACK)?;
            taken_back += 1;
            bounds[index] = (least, least);
            master.bound(index, least, least);
            continue;
        }
        let decisions = decisions(master, &relaxed, &bounds);
        if decisions.is_empty() {
            return Some(whole(&relaxed));
        }
        for (index, least) in decisions {
            last = Some((index, bounds[index].0.max(least - 1.0)));
            bounds[index].0 = least;
            master.bound(index, least, bounds[index].1);
        }
    }
}

/// Lower bounds to set next: service columns first, then every whole part, then the largest fraction is rounded up.
fn decisions(master: &Master, relaxed: &Relaxed, bounds: &[(f64, f64)]) -> Vec<(usize, f64)> {
    let of_services = |services: bool| {
        let weights = relaxed.weights.iter().enumerate().zip(&master.choices);
        weights
            .filter(move |(_, choice)| matches!(choice, Choice::Service(..)) == services)
            .map(|((index, weight), _)| (index, *weight))
    };
    let undecided =
        of_services(true).filter(|(index, weight)| *weight > WHOLE && bounds[*index].0 < 1.0);
    let (sure, open): (Vec<_>, Vec<_>) = undecided.partition(|(_, weight)| *weight > 1.0 - WHOLE);
    let mut decisions: Vec<(usize, f64)> =
        sure.into_iter().map(|(index, _)| (index, 1.0)).collect();
    if let Some((index, _)) = open.into_iter().max_by(|a, b| a.1.total_cmp(&b.1)) {
        decisions.push((index, 1.0));
        return decisions;
    }
    for (index, weight) in of_services(false) {
        let floor = (weight + WHOLE).floor();
        if floor > bounds[index].0 {
            decisions.push((index, floor));
        }
    }
    let fraction = |weight: f64| weight - (weight + WHOLE).floor();
    let largest = of_services(false)
        .filter(|(_, weight)| fraction(*weight) > WHOLE)
        .max_by(|a, b| fraction(a.1).total_cmp(&fraction(b.1)));
    if let Some((index, weight)) = largest {
        decisions.push((index, weight.ceil()));
    }
    decisions
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(relaxed: &Relaxed) -> Vec<(usize, u32)> {
    let times = relaxed.weights.iter().map(|weight| weight.round() as u32);
    times.enumerate().filter(|(_, times)| *times > 0).collect()
}
