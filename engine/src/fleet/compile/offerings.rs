//! Offerings, and which services their nodes take.

use super::{Compiler, add, cluster_index, fits, subtract};
use crate::fleet::Offering;
use crate::fleet::matching::{Labels, tolerates};
use crate::problem::{CapacityType, Service};

impl Compiler<'_> {
    pub(super) fn offerings(&mut self) {
        for (pool_index, pool) in self.problem.pools.iter().enumerate() {
            let cluster = cluster_index(self.problem, &pool.cluster);
            for offering in &pool.offerings {
                let path = format!("pools.{}.offerings.{}", pool.name, offering.name());
                let (Some(usd_per_hour), Some(allocatable)) =
                    (offering.usd_per_hour, &offering.allocatable)
                else {
                    self.issue(
                        path,
                        "has no price or no allocatable; write usd_per_hour and allocatable"
                            .to_owned(),
                    );
                    continue;
                };
                let zone = self
                    .zones
                    .iter()
                    .position(|z| z.cluster == cluster && z.name == offering.zone)
                    .unwrap_or(0);
                let spot = offering.capacity_type == CapacityType::Spot;
                let startup =
                    usd_per_hour * pool.startup_seconds / 3600.0 / self.problem.horizon_hours;
                self.offerings.push(Offering {
                    pool: pool_index,
                    name: offering.name(),
                    cluster,
                    zone,
                    cell: 2 * zone + usize::from(spot),
                    capacity_type: offering.capacity_type,
                    usd_per_hour,
                    interruptions_per_hour: if spot {
                        offering.interruptions_per_hour.unwrap_or(0.0)
                    } else {
                        0.0
                    },
                    startup_usd_per_hour: if self.problem.current.is_some() {
                        startup
                    } else {
                        0.0
                    },
                    allocatable: self.vector(allocatable),
                    runs_now: false,
                    eligible: Vec::new(),
                });
            }
        }
        let services = self.problem.services.iter();
        let requests: Vec<Vec<u64>> = services.map(|s| self.pod_vector(&s.requests)).collect();
        for index in 0..self.offerings.len() {
            let offering = &self.offerings[index];
            let labels = self.labels(offering);
            let room = subtract(&offering.allocatable, &self.overhead(offering));
            let takes = |(service, request): (&Service, &Vec<u64>)| {
                self.admits(service, offering, &labels) && fits(request, &room)
            };
            let services = self.problem.services.iter().zip(&requests);
            self.offerings[index].eligible = services.map(takes).collect();
        }
    }

    /// Labels and source entries of an offering.
    fn labels(&self, offering: &Offering) -> Labels {
        let pool = &self.problem.pools[offering.pool];
        let source = pool
            .offerings
            .iter()
            .find(|o| o.name() == offering.name)
            .unwrap_or(&pool.offerings[0]);
        Labels::of(&self.problem.clusters[offering.cluster], pool, source)
    }

    /// Whether cluster, architecture, selector and taints let pods of a service onto a node.
    fn admits(&self, service: &Service, offering: &Offering, labels: &Labels) -> bool {
        let placement = &service.placement;
        let architectures = &placement.architectures;
        service
            .clusters
            .contains_key(&self.problem.clusters[offering.cluster].name)
            && architectures.iter().any(|a| a == labels.architecture())
            && labels.match_selector(&placement.selector)
            && tolerates(
                &placement.tolerations,
                &self.problem.pools[offering.pool].taints,
            )
    }

    /// What daemonsets take on a node of the offering.
    pub(super) fn overhead(&self, offering: &Offering) -> Vec<u64> {
        let labels = self.labels(offering);
        let pool = &self.problem.pools[offering.pool];
        let mut sum = vec![0; self.resources.len()];
        for daemonset in &self.problem.daemonsets {
            let here = daemonset
                .clusters
                .as_ref()
                .is_none_or(|names| names.contains(&pool.cluster));
            if here
                && labels.match_selector(&daemonset.selector)
                && tolerates(&daemonset.tolerations, &pool.taints)
            {
                add(&mut sum, &self.pod_vector(&daemonset.requests));
            }
        }
        sum
    }
}
