//! Limits over sums of nodes, and commitments.

use super::Compiler;
use crate::fleet::{Commitment, Limit, Offering};
use crate::problem::{self, ProblemFile};

impl Compiler<'_> {
    pub(super) fn limits(&mut self) {
        let problem = self.problem;
        for (index, pool) in problem.pools.iter().enumerate() {
            let members = self.indicator(|o| o.pool == index);
            if pool.nodes.min > 0 {
                self.limit(
                    format!("pool_min/{}", pool.name),
                    members.clone(),
                    f64::from(pool.nodes.min),
                    true,
                );
            }
            if let Some(max) = pool.nodes.max {
                self.limit(
                    format!("pool_max/{}", pool.name),
                    members,
                    f64::from(max),
                    false,
                );
            }
            for offering in &pool.offerings {
                if let Some(available) = offering.available_nodes {
                    let name = offering.name();
                    let members = self.indicator(|o| o.pool == index && o.name == name);
                    self.limit(
                        format!("available/{}/{name}", pool.name),
                        members,
                        f64::from(available),
                        false,
                    );
                }
            }
        }
        for cap in &problem.policy.caps {
            self.cap(cap);
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn cap(&mut self, cap: &problem::Cap) {
        let members = self.indicator(|offering| self.is_capped(cap, offering));
        let cpu = self.position("cpu");
        let weighted = |weight: &dyn Fn(&Offering) -> f64| -> Vec<f64> {
            members
                .iter()
                .zip(&self.offerings)
                .map(|(member, offering)| member * weight(offering))
                .collect()
        };
        let by_cpu = weighted(&|offering| offering.allocatable[cpu] as f64);
        let by_price = weighted(&|offering| offering.usd_per_hour);
        let max_cpu = cap
            .max_cpu
            .as_ref()
            .and_then(problem::Quantity::milli)
            .map(|milli| milli as f64);
        let bounds = [
            ("nodes", members, cap.max_nodes.map(f64::from)),
            ("cpu", by_cpu, max_cpu),
            ("usd", by_price, cap.max_usd_per_hour),
        ];
        for (what, coefficients, limit) in bounds {
            if let Some(limit) = limit {
                self.limit(
                    format!("cap/{}/{what}", cap.name),
                    coefficients,
                    limit,
                    false,
                );
            }
        }
    }

    fn is_capped(&self, cap: &problem::Cap, offering: &Offering) -> bool {
        let pool = &self.problem.pools[offering.pool];
        let listed = |names: &Option<Vec<String>>, name: &str| {
            names.as_ref().is_none_or(|n| n.iter().any(|x| x == name))
        };
        let instance_type = offering.name.split('/').next().unwrap_or_default();
        listed(&cap.clusters, &pool.cluster)
            && listed(&cap.pools, &pool.name)
            && listed(&cap.instance_types, instance_type)
            && listed(&cap.zones, &self.zones[offering.zone].name)
            && cap
                .capacity_types
                .as_ref()
                .is_none_or(|types| types.contains(&offering.capacity_type))
    }

    fn indicator(&self, member: impl Fn(&Offering) -> bool) -> Vec<f64> {
        self.offerings
            .iter()
            .map(|offering| f64::from(u8::from(member(offering))))
            .collect()
    }

    fn limit(&mut self, name: String, coefficients: Vec<f64>, limit: f64, at_least: bool) {
        self.limits.push(Limit {
            name,
            coefficients,
            limit,
            at_least,
            surge: !at_least,
        });
    }
}

pub(super) fn commitments(problem: &ProblemFile, offerings: &[Offering]) -> Vec<Commitment> {
    let find = |c: &problem::Commitment| {
        offerings
            .iter()
            .position(|o| problem.pools[o.pool].name == c.pool && o.name == c.offering)
            .map(|offering| Commitment {
                offering,
                nodes: c.nodes,
                usd_per_hour: c.usd_per_hour,
                used_usd_per_hour: c.used_usd_per_hour,
            })
    };
    problem.policy.commitments.iter().filter_map(find).collect()
}
