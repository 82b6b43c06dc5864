//! Ranges of numbers and quantities, and what selectors, taints and resources may say.

use std::collections::{BTreeMap, BTreeSet};

use crate::problem::document::{OneOrMany, Resources, Taint, Toleration, TolerationOperator};
use crate::problem::expected::is_non_finite;
use crate::problem::issue::{At, Mistakes, shown, suggestion};
use crate::problem::quantity::Quantity;

/// Largest real number in a problem; keeps every sum and product of them finite.
const LARGEST: f64 = 1e12;

/// Smallest number where zero is not allowed; keeps every quotient finite.
const SMALLEST: f64 = 1e-9;

/// Largest number of nodes, or of pods on a node, that a key may state; keeps sums far from overflow.
const MAX_COUNT: u32 = 1_000_000;

/// Most CPU and most of any other resource that one pod or node may have: a million cores, 64 Ti.
const MAX_MCORES: u64 = 1_000_000_000;
const MAX_UNITS: u64 = 1 << 46;

/// Resource names without a domain that Kubernetes knows.
const PLAIN_RESOURCES: [&str; 4] = ["cpu", "memory", "ephemeral-storage", "pods"];

/// A real number ≥ 0.
pub(crate) fn not_negative(mistakes: &mut Mistakes, at: &At<'_>, value: f64) {
    if finite(mistakes, at, value) && value < 0.0 {
        mistakes.add(at, format!("{value} is below 0"));
    }
}

/// A real number > 0.
pub(crate) fn positive(mistakes: &mut Mistakes, at: &At<'_>, value: f64) {
    if !finite(mistakes, at, value) {
    } else if value <= 0.0 {
        mistakes.add(at, format!("{value} is not above 0"));
    } else if value < SMALLEST {
        mistakes.add(
            at,
            format!("{value:e} is below {SMALLEST:e}, the smallest number that is read here"),
        );
    }
}

/// A share in [0, 1].
pub(crate) fn share(mistakes: &mut Mistakes, at: &At<'_>, value: f64) {
    if finite(mistakes, at, value) && !(0.0..=1.0).contains(&value) {
        mistakes.add(at, format!("{value} is outside [0, 1]"));
    }
}

/// A ratio in (0, 1].
pub(super) fn ratio(mistakes: &mut Mistakes, at: &At<'_>, value: f64) {
    if finite(mistakes, at, value) && !(SMALLEST..=1.0).contains(&value) {
        mistakes.add(at, format!("{value} is outside (0, 1]"));
    }
}

fn finite(mistakes: &mut Mistakes, at: &At<'_>, value: f64) -> bool {
    if !value.is_finite() {
        mistakes.add(at, format!("{value} is not a finite number"));
    } else if value > LARGEST {
        mistakes.add(
            at,
            format!("{value:e} is above {LARGEST:e}, the largest number that is read"),
        );
    }
    value.is_finite() && value <= LARGEST
}

/// A whole number ≥ 1.
pub(crate) fn at_least_one(mistakes: &mut Mistakes, at: &At<'_>, value: u32) {
    if value < 1 {
        mistakes.add(at, "0 is below 1");
    }
    count(mistakes, at, value);
}

/// A whole number of nodes or pods.
pub(crate) fn count(mistakes: &mut Mistakes, at: &At<'_>, value: u32) {
    at_most(mistakes, at, value, MAX_COUNT);
}

/// A whole number up to a limit.
pub(crate) fn at_most(mistakes: &mut Mistakes, at: &At<'_>, value: u32, limit: u32) {
    if value > limit {
        mistakes.add(
            at,
            format!("{value} is above {limit}, the most that is read here"),
        );
    }
}

/// `min` ≤ `max`, told at `min`.
pub(super) fn ordered(mistakes: &mut Mistakes, at: &At<'_>, min: u32, max: u32) {
    if min > max {
        mistakes.add(&at.key("min"), format!("{min} is above max {max}"));
    }
}

/// How a resource's quantity is counted.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Unit {
    /// CPU, in thousandths of a core.
    Mcores,
    /// Everything else, in whole units such as bytes.
    Units,
}

/// A quantity ≥ 0 within the limit of one pod or node; its value in thousandths or units.
pub(super) fn quantity(
    mistakes: &mut Mistakes,
    at: &At<'_>,
    quantity: &Quantity,
    unit: Unit,
) -> Option<u64> {
    let limit = if unit == Unit::Mcores {
        MAX_MCORES
    } else {
        MAX_UNITS
    };
    let value = total_quantity(mistakes, at, quantity, unit)?;
    if value > limit {
        let limit = if unit == Unit::Mcores {
            "1000000 cores"
        } else {
            "64Ti"
        };
        mistakes.add(
            at,
            format!(
                "{} is above {limit}, the most of one pod or node",
                shown(&quantity.0)
            ),
        );
        return None;
    }
    Some(value)
}

/// A quantity ≥ 0 of a whole fleet.
pub(super) fn total_quantity(
    mistakes: &mut Mistakes,
    at: &At<'_>,
    quantity: &Quantity,
    unit: Unit,
) -> Option<u64> {
    let value = if unit == Unit::Mcores {
        quantity.milli()
    } else {
        quantity.units()
    };
    if value.is_none() {
        let text = shown(&quantity.0);
        mistakes.add(
            at,
            match quantity.nano() {
                None if is_non_finite(&quantity.0) => format!("{text} is not a finite number"),
                None => format!("\"{text}\" is not a quantity; expected a number with a suffix, such as 250m, 1.5 or 256Mi"),
                Some(nano) if nano < 0 => format!("{text} is below 0"),
                Some(_) => format!("{text} is too large"),
            },
        );
    }
    value
}

/// Who states resources, and what that allows.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Stated {
    /// By a service's pod: CPU and memory are required.
    Pod,
    /// By a pod that may do without.
    AnyPod,
    /// Of a node or of several pods: `pods` counts too.
    Sum,
}

/// Resource names and their quantities.
pub(super) fn resources(
    mistakes: &mut Mistakes,
    at: &At<'_>,
    resources: &Resources,
    stated: Stated,
) {
    for required in ["cpu", "memory"] {
        if stated == Stated::Pod && !resources.contains_key(required) {
            mistakes.add(
                &at.key(required),
                "is missing; every service requests cpu and memory",
            );
        }
    }
    for (resource, amount) in resources {
        let at = at.key(resource);
        if resource == "pods" && stated != Stated::Sum {
            mistakes.add(&at, "each pod counts as one; take the key out");
            continue;
        }
        resource_name(mistakes, &at, resource);
        let unit = if resource == "cpu" {
            Unit::Mcores
        } else {
            Unit::Units
        };
        let value = quantity(mistakes, &at, amount, unit);
        if stated == Stated::Pod && unit_is_required(resource) && value == Some(0) {
            mistakes.add(&at, format!("{} is not above 0", shown(&amount.0)));
        }
        // Thousandths of a byte are legal, and written by tools that average; a few of them are a slip for Mi.
        if resource == "memory"
            && amount.0.ends_with('m')
            && value.is_some_and(|bytes| bytes < 1 << 20)
        {
            let text = shown(amount.0.trim_end_matches('m'));
            mistakes.add(
                &at,
                format!("{text}m is in thousandths of a byte; did you mean {text}Mi?"),
            );
        }
    }
}

fn unit_is_required(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory")
}

fn resource_name(mistakes: &mut Mistakes, at: &At<'_>, resource: &str) {
    let qualified = resource
        .split_once('/')
        .is_some_and(|(domain, rest)| !domain.is_empty() && !rest.is_empty());
    if !qualified && !PLAIN_RESOURCES.contains(&resource) && !resource.starts_with("hugepages-") {
        let near = suggestion(resource, PLAIN_RESOURCES);
        let message = "is not a resource name of Kubernetes; expected cpu, memory or an extended resource such as nvidia.com/gpu";
        mistakes.add(at, format!("{message}{near}"));
    }
}

/// Labels of nodes.
pub(super) fn labels(mistakes: &mut Mistakes, at: &At<'_>, labels: &BTreeMap<String, String>) {
    if labels.keys().any(|key| key.trim().is_empty()) {
        mistakes.add(at, "a label's key is empty");
    }
}

/// Labels that pods ask of nodes.
pub(super) fn selector(
    mistakes: &mut Mistakes,
    at: &At<'_>,
    selector: &BTreeMap<String, OneOrMany>,
) {
    for (key, accepted) in selector {
        if key.trim().is_empty() {
            mistakes.add(at, "a label's key is empty");
        }
        if accepted.values().is_empty() {
            mistakes.add(
                &at.key(key),
                "is an empty list, which no node matches; take the key out to match every node",
            );
        }
    }
}

/// Taints of nodes.
pub(super) fn taints(mistakes: &mut Mistakes, at: &At<'_>, taints: &[Taint]) {
    let mut seen = BTreeSet::new();
    for (index, taint) in taints.iter().enumerate() {
        let at = at.item(index);
        if taint.key.trim().is_empty() {
            mistakes.add(&at.key("key"), "is empty; expected the taint's key");
        }
        if !seen.insert((taint.key.as_str(), taint.effect as u8)) {
            mistakes.add(
                &at,
                format!(
                    "taint {} stands in the list with this effect before",
                    shown(&taint.key)
                ),
            );
        }
    }
}

/// Tolerations of pods, with the API server's rules.
pub(super) fn tolerations(mistakes: &mut Mistakes, at: &At<'_>, tolerations: &[Toleration]) {
    for (index, toleration) in tolerations.iter().enumerate() {
        let at = at.item(index);
        match toleration.operator {
            TolerationOperator::Equal if toleration.key.is_empty() => {
                mistakes.add(&at.key("key"), "is empty; only operator Exists may leave it out, and then tolerates every taint");
            }
            TolerationOperator::Exists if !toleration.value.is_empty() => {
                mistakes.add(
                    &at.key("value"),
                    format!(
                        "\"{}\" is not allowed with operator Exists",
                        shown(&toleration.value)
                    ),
                );
            }
            _ => {}
        }
    }
}
