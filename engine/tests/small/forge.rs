//! Certificates that claim more than was proven.

use ketscale_engine::fleet::{self, Fleet};
use ketscale_engine::plan::{self, Certificate, Plan};
use ketscale_engine::verify::bound::{Prices, bound, constants, gap};
use ketscale_engine::verify::verify;

use super::check::{Checked, ROUNDING};
use super::random_problem::Draw;

/// What became of the forgeries of one plan.
#[derive(Debug, Default)]
pub struct Count {
    /// Certificates that are none.
    pub malformed: u32,
    /// Certificates that prove less than the plan states.
    pub weaker: u32,
    /// Certificates that prove the same or more, and still no more than is true.
    pub harmless: u32,
}

impl Count {
    pub fn and(&self, other: &Self) -> Self {
        Self {
            malformed: self.malformed + other.malformed,
            weaker: self.weaker + other.weaker,
            harmless: self.harmless + other.harmless,
        }
    }
}

/// Forges the certificate of a plan in every way. Each forgery is refused, or proves no more than the optimum.
pub fn forge(checked: &Checked, seed: u64) -> Result<Count, String> {
    let mut count = Count::default();
    let (plan, Some(optimum)) = (checked.plan.plan(), checked.optimum_usd_per_hour) else {
        return Ok(count);
    };
    let (Some(certificate), Some(stated)) = (&plan.certificate, plan.bound) else {
        return Ok(count);
    };
    let fleet =
        fleet::compile(plan.problem.clone(), &plan.relaxed).map_err(|e| format!("{e:?}"))?;
    refused(
        &with_bound(plan, &fleet, certificate, stated.next_up()),
        "a bound raised by one unit in the last place",
    )?;
    refused(
        &with_bound(plan, &fleet, certificate, stated + 1e-3),
        "a bound raised by 0.001",
    )?;
    for (name, forged) in forgeries(certificate, &rows(&fleet), &mut Draw::new(seed)) {
        let told = |what: &str| format!("{name}: {what}\n{forged:?}");
        let Ok(proven) = bound(&fleet, &forged, Prices::Real) else {
            count.malformed += 1;
            refused(
                &with_bound(plan, &fleet, &forged, stated),
                &told("malformed"),
            )?;
            continue;
        };
        if proven > optimum + ROUNDING * optimum.abs().max(1.0) {
            return Err(told(&format!(
                "proves {proven}, above the optimum {optimum}"
            )));
        }
        if bound(&fleet, &forged, Prices::Zero).is_ok_and(|value| value > 0.0) {
            return Err(told("refutes a feasible problem"));
        }
        if proven < stated {
            count.weaker += 1;
            refused(&with_bound(plan, &fleet, &forged, stated), &told("weaker"))?;
        } else {
            count.harmless += 1;
            refused(
                &with_bound(plan, &fleet, &forged, proven.next_up()),
                &told("overstated"),
            )?;
        }
    }
    Ok(count)
}

/// The plan with another certificate and bound, and with the gap that `verify` works out of the certificate.
fn with_bound(plan: &Plan, fleet: &Fleet, certificate: &Certificate, stated: f64) -> Plan {
    let cost = plan.cost.unwrap().total_usd_per_hour;
    let proven = bound(fleet, certificate, Prices::Real).unwrap_or(stated);
    Plan {
        certificate: Some(certificate.clone()),
        bound: Some(stated),
        gap: Some(gap(cost, proven, constants(fleet))),
        ..plan.clone()
    }
}

fn refused(forged: &Plan, what: &str) -> Result<(), String> {
    let bytes = plan::to_bytes(forged).map_err(|error| error.to_string())?;
    match verify(&bytes) {
        Ok(_) => Err(format!("accepted: {what}")),
        Err(_) => Ok(()),
    }
}

/// The rows over several services, whether the leaves give them a multiplier or not.
fn rows(fleet: &Fleet) -> Vec<String> {
    let limits = fleet.limits.iter().map(|limit| limit.name.clone());
    let services = fleet.services.iter();
    let spot = services.map(|service| format!("spot_share/{}", service.name));
    let moves = fleet.max_moves().map(|_| "max_moves".to_owned());
    let budget = fleet.budget_usd_per_hour().map(|_| "budget".to_owned());
    limits.chain(spot).chain(moves).chain(budget).collect()
}

/// Every forgery of a certificate that differs from it, with its name.
fn forgeries(
    certificate: &Certificate,
    rows: &[String],
    draw: &mut Draw,
) -> Vec<(String, Certificate)> {
    let mut forger = Forger {
        certificate,
        forged: Vec::new(),
    };
    forger.forge("no leaf".to_owned(), &|c| c.leaves.clear());
    for leaf in 0..certificate.leaves.len().min(3) {
        forger.decisions(leaf, (leaf + 1) % certificate.leaves.len());
        forger.multipliers(leaf, rows, draw);
    }
    forger.forged
}

struct Forger<'a> {
    certificate: &'a Certificate,
    forged: Vec<(String, Certificate)>,
}

impl Forger<'_> {
    fn forge(&mut self, name: String, change: &dyn Fn(&mut Certificate)) {
        let mut forged = self.certificate.clone();
        change(&mut forged);
        if forged != *self.certificate {
            self.forged.push((name, forged));
        }
    }

    /// Leaves too few or too many, and with decisions that are not theirs.
    fn decisions(&mut self, leaf: usize, other: usize) {
        self.forge(format!("leaf {leaf} dropped"), &|c| {
            drop(c.leaves.remove(leaf))
        });
        self.forge(format!("leaf {leaf} twice"), &|c| {
            c.leaves.push(c.leaves[leaf].clone())
        });
        self.forge(
            format!("leaf {leaf} with the decisions of leaf {other}"),
            &|c| {
                c.leaves[leaf].branches = c.leaves[other].branches.clone();
            },
        );
        self.forge(
            format!("decisions of leaves {leaf} and {other} swapped"),
            &|c| {
                let branches = c.leaves[other].branches.clone();
                c.leaves[other].branches =
                    std::mem::replace(&mut c.leaves[leaf].branches, branches);
            },
        );
        self.forge(format!("last decision of leaf {leaf} dropped"), &|c| {
            c.leaves[leaf].branches.pop();
        });
        self.forge(format!("last decision of leaf {leaf} moved"), &|c| {
            if let Some(branch) = c.leaves[leaf].branches.last_mut() {
                branch.at_most = branch.at_most.map(|most| most + 1);
                branch.at_least = branch.at_least.map(|least| least + 1);
            }
        });
    }

    /// Multipliers that are not the solver's.
    fn multipliers(&mut self, leaf: usize, rows: &[String], draw: &mut Draw) {
        for row in rows {
            let by = draw.pick(&[0.003, 0.03, 0.3]);
            self.forge(format!("{row} of leaf {leaf} raised by {by}"), &|c| {
                *c.leaves[leaf].duals.entry(row.clone()).or_insert(0.0) += by;
            });
        }
        let names: Vec<String> = self.certificate.leaves[leaf]
            .duals
            .keys()
            .cloned()
            .collect();
        for _ in 0..names.len().min(3) {
            let name = draw.pick(&names);
            let by = 0.02 * draw.unit() - 0.01;
            let factor = draw.pick(&[-1.0, 0.0, 0.5, 1.5, 1e6]);
            self.forge(format!("{name} of leaf {leaf} nudged by {by}"), &|c| {
                *c.leaves[leaf].duals.entry(name.clone()).or_insert(0.0) += by;
            });
            self.forge(format!("{name} of leaf {leaf} times {factor}"), &|c| {
                *c.leaves[leaf].duals.entry(name.clone()).or_insert(0.0) *= factor;
            });
            self.forge(format!("{name} of leaf {leaf} dropped"), &|c| {
                c.leaves[leaf].duals.remove(&name);
            });
        }
    }
}
