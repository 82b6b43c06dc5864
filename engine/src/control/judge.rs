//! Which groups of changes are published: those that the objective needs, and those that are worth their disruption.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::groups::Difference;
use super::score::{Weights, pod_weight};
use super::settings::JudgeSettings;
use crate::cost::cost;
use crate::feasibility::{Violation, is_feasible, violations};
use crate::fleet::Fleet;
use crate::parallel;
use crate::placement::Placement;

/// A group of changes and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupVerdict {
    /// Services whose pods change.
    pub services: Vec<String>,
    /// Pools whose nodes change, or whose nodes' pods do.
    pub pools: Vec<String>,
    /// What it saves, USD/h; negative where it costs more.
    pub savings_usd_per_hour: f64,
    /// Pods that leave their nodes and nodes that go, weighed.
    pub disruption: f64,
    /// Share of the savings over share of the disruption; absent where nothing is disturbed.
    pub score: Option<f64>,
    /// Whether the objective needs it.
    pub needed: bool,
    /// Whether it is carried out.
    pub taken: bool,
}

/// What to do with a plan.
pub(super) enum Verdict {
    /// Nothing, and why.
    Hold(String),
    /// All of it, and why.
    Whole(String),
    /// This part of it, and why.
    Part(Placement, String),
}

/// Judges a plan's difference to what runs now. `restraint` says why nothing but what the objective needs may change now.
pub(super) fn judge(
    fleet: &Fleet,
    planned: &Placement,
    settings: &JudgeSettings,
    restraint: Option<&str>,
) -> (Verdict, Vec<GroupVerdict>) {
    let difference = Difference::new(fleet, planned);
    let current = Placement::current(fleet);
    let broken = violations(fleet, &current);
    let mut groups = verdicts(fleet, &difference, &current, &broken, settings);
    if groups.is_empty() {
        let rule = match broken.first() {
            None => "what runs now is what is planned".to_owned(),
            Some(first) => format!("what runs now breaks {first}, and the plan changes nothing"),
        };
        return (Verdict::Hold(rule), groups);
    }
    let weighing = Weighing {
        fleet,
        difference: &difference,
        now_usd_per_hour: running_usd_per_hour(fleet, &current),
        broken: broken.first(),
        settings,
        restraint,
    };
    (weighing.decide(&mut groups), groups)
}

struct Weighing<'a> {
    fleet: &'a Fleet,
    difference: &'a Difference<'a>,
    now_usd_per_hour: f64,
    broken: Option<&'a Violation>,
    settings: &'a JudgeSettings,
    restraint: Option<&'a str>,
}

impl Weighing<'_> {
    fn decide(&self, groups: &mut [GroupVerdict]) -> Verdict {
        let held_back = self.drop_small(groups);
        let needed = groups.iter().any(|group| group.needed);
        if !groups.iter().any(|group| group.taken) {
            return Verdict::Hold(held_back);
        }
        let taken: BTreeSet<usize> = (0..groups.len())
            .filter(|index| groups.get(*index).is_some_and(|group| group.taken))
            .collect();
        let rule = self.rule(groups);
        if taken.len() == groups.len() {
            return Verdict::Whole(rule);
        }
        let part = self.difference.with(|group| taken.contains(&group));
        if is_feasible(self.fleet, &part) {
            return Verdict::Part(part, rule);
        }
        // The groups lean on each other in a way that their nodes do not show, such as pods that use more when fewer share a load.
        if needed {
            groups.iter_mut().for_each(|group| group.taken = true);
            return Verdict::Whole(format!("{rule}; the other changes are needed to make room"));
        }
        groups.iter_mut().for_each(|group| group.taken = false);
        Verdict::Hold(
            "the changes that are worth their disruption do not hold without those that are not"
                .to_owned(),
        )
    }

    /// Drops the groups that nothing needs where they are restrained or save too little together; says why.
    fn drop_small(&self, groups: &mut [GroupVerdict]) -> String {
        let optional = || |group: &&GroupVerdict| group.taken && !group.needed;
        let savings: f64 = groups
            .iter()
            .filter(optional())
            .map(|group| group.savings_usd_per_hour)
            .sum();
        let share = savings / self.now_usd_per_hour.max(1e-12);
        let reason = if !groups.iter().any(|group| optional()(&group)) {
            let best = groups
                .iter()
                .filter_map(|group| group.score)
                .fold(0.0, f64::max);
            let least = 1.0 / self.settings.k;
            return format!(
                "no change is worth its disruption: the best scores {best:.2}, at least {least:.2} is asked for"
            );
        } else if let Some(restraint) = self.restraint {
            format!("changes that save {savings:.4} USD/h wait: {restraint}")
        } else if share < self.settings.min_saving {
            format!(
                "changes would save {savings:.4} USD/h, {:.1} % of what runs now; at least {:.1} % is asked for",
                100.0 * share,
                100.0 * self.settings.min_saving
            )
        } else {
            return String::new();
        };
        for group in groups.iter_mut().filter(|group| !group.needed) {
            group.taken = false;
        }
        reason
    }

    /// Why the groups that are taken are.
    fn rule(&self, groups: &[GroupVerdict]) -> String {
        let taken = groups.iter().filter(|group| group.taken).count();
        let of = format!("{taken} of {} separable changes", groups.len());
        let savings: f64 = groups
            .iter()
            .filter(|group| group.taken)
            .map(|group| group.savings_usd_per_hour)
            .sum();
        match self.broken {
            Some(broken) if groups.iter().any(|group| group.needed) => {
                format!(
                    "the objective needs it: {broken}; {of}, {:+.4} USD/h",
                    -savings
                )
            }
            _ => {
                let least = groups
                    .iter()
                    .filter(|group| group.taken)
                    .filter_map(|group| group.score);
                let least = least.reduce(f64::min);
                let score = least.map_or("nothing is disturbed".to_owned(), |score| {
                    format!("scores from {score:.2}")
                });
                let share = 100.0 * savings / self.now_usd_per_hour.max(1e-12);
                format!(
                    "worth its disruption: {of} save {savings:.4} USD/h ({share:.1} %), {score}"
                )
            }
        }
    }
}

/// Every group with its weights; taken where it is needed or worth it.
fn verdicts(
    fleet: &Fleet,
    difference: &Difference<'_>,
    current: &Placement,
    broken: &[Violation],
    settings: &JudgeSettings,
) -> Vec<GroupVerdict> {
    let needed = needed(fleet, difference, broken);
    let before = running_usd_per_hour(fleet, current);
    let totals = Totals::of(fleet, current);
    let verdict = |group: usize| {
        let after = running_usd_per_hour(fleet, &difference.with(|other| other == group));
        let pools = difference.pools(group);
        let weights = Weights {
            savings_usd_per_hour: before - after,
            total_usd_per_hour: totals.sum(&totals.usd_per_hour, &pools),
            disruption: disruption(fleet, difference, group),
            total_disruption: totals.sum(&totals.disruption, &pools),
        };
        let (score, is_needed) = (weights.score(), needed.contains(&group));
        GroupVerdict {
            services: names(difference.services(group), |s| {
                fleet.services.get(s).map(|s| s.name.clone())
            }),
            pools: names(pools, |p| {
                fleet.problem.pools.get(p).map(|p| p.name.clone())
            }),
            savings_usd_per_hour: weights.savings_usd_per_hour,
            disruption: weights.disruption,
            score: score.is_finite().then_some(score),
            needed: is_needed,
            taken: is_needed || weights.is_worth_it(settings.k),
        }
    };
    let groups: Vec<usize> = (0..difference.len()).collect();
    parallel::map(&groups, |group| verdict(*group))
}

fn names(indices: Vec<usize>, name: impl Fn(usize) -> Option<String>) -> Vec<String> {
    indices.into_iter().filter_map(name).collect()
}

/// Groups that may mend what runs now: all of them where it is not told which service or limit is broken, or where those do not suffice.
fn needed(fleet: &Fleet, difference: &Difference<'_>, broken: &[Violation]) -> BTreeSet<usize> {
    let all = || (0..difference.len()).collect();
    let mut needed = BTreeSet::new();
    for violation in broken {
        let constraint = violation.constraint.as_str();
        let service = fleet.services.iter().position(|service| {
            let prefix = constraint.strip_prefix("services.");
            prefix
                .and_then(|rest| rest.strip_prefix(service.name.as_str()))
                .is_some_and(|rest| rest.starts_with('.'))
                || constraint == format!("services.{}", service.name)
        });
        let limit = fleet.limits.iter().find(|limit| limit.name == constraint);
        let offerings = |group: &usize| {
            let coefficients = limit
                .iter()
                .flat_map(|limit| limit.coefficients.iter().enumerate());
            coefficients
                .filter(|(_, c)| **c != 0.0)
                .any(|(o, _)| difference.touches(*group, o))
        };
        match (service, limit) {
            (Some(service), _) => {
                needed.extend(
                    (0..difference.len())
                        .filter(|group| difference.services(*group).contains(&service)),
                );
            }
            (None, Some(_)) => needed.extend((0..difference.len()).filter(offerings)),
            (None, None) => return all(),
        }
    }
    if broken.is_empty() || is_feasible(fleet, &difference.with(|group| needed.contains(&group))) {
        needed
    } else {
        all()
    }
}

/// What a placement costs while it runs: without moves and node starts, which are paid once.
fn running_usd_per_hour(fleet: &Fleet, placement: &Placement) -> f64 {
    let cost = cost(fleet, placement);
    cost.nodes_usd_per_hour + cost.spot_evictions_usd_per_hour + cost.slo_usd_per_hour
}

fn priority_weight(fleet: &Fleet, service: usize) -> f64 {
    let service = fleet.problem.services.get(service);
    pod_weight(service.map_or(0, |service| service.priority))
}

fn disruption(fleet: &Fleet, difference: &Difference<'_>, group: usize) -> f64 {
    let pods = difference.services(group).into_iter().map(|service| {
        f64::from(difference.pods_leaving(group, service)) * priority_weight(fleet, service)
    });
    f64::from(difference.nodes_removed(group)) + pods.fold(0.0, |sum, pods| sum + pods)
}

/// Totals of every pool now.
struct Totals {
    usd_per_hour: Vec<f64>,
    disruption: Vec<f64>,
}

impl Totals {
    fn of(fleet: &Fleet, current: &Placement) -> Self {
        let mut totals = Self {
            usd_per_hour: vec![0.0; fleet.problem.pools.len()],
            disruption: vec![0.0; fleet.problem.pools.len()],
        };
        for group in &current.groups {
            let offering = fleet.offering_of(group.class);
            let nodes = f64::from(group.count);
            let pods = group.pods.iter().enumerate();
            let pods = pods.fold(0.0, |sum, (s, pods)| {
                sum + f64::from(*pods) * priority_weight(fleet, s)
            });
            if let Some(total) = totals.usd_per_hour.get_mut(offering.pool) {
                *total += nodes * offering.usd_per_hour;
            }
            if let Some(total) = totals.disruption.get_mut(offering.pool) {
                *total += nodes * (1.0 + pods);
            }
        }
        totals
    }

    fn sum(&self, by_pool: &[f64], pools: &[usize]) -> f64 {
        pools
            .iter()
            .filter_map(|pool| by_pool.get(*pool))
            .fold(0.0, |sum, value| sum + value)
    }
}
