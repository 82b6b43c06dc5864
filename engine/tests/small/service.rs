//! Services of small problems: bounds, load, objective, placement.

use std::collections::BTreeMap;

use ketscale_engine::problem::{
    Capacity, Cluster, Disruption, Load, Mode, OneOrMany, Placement, Pool, Quantity, ReplicaBounds,
    Service, Slo, Survive, WorkloadKind,
};

use super::instance::{Maker, resources};

/// Most pods of all services.
const MOST_PODS: u32 = 9;

impl Maker {
    pub fn services(&mut self, clusters: &[Cluster], pools: &[Pool]) -> Vec<Service> {
        let count = self.0.between(1, 3);
        let mut left = MOST_PODS;
        let mut services = Vec::new();
        for index in 0..count {
            let most = (left - (count - 1 - index)).min(self.0.between(2, 6));
            let service = self.service(index, count, most, clusters, pools);
            left -= service
                .clusters
                .values()
                .map(|bounds| bounds.max)
                .sum::<u32>();
            services.push(service);
        }
        services
    }

    fn service(
        &mut self,
        index: u32,
        count: u32,
        most: u32,
        clusters: &[Cluster],
        pools: &[Pool],
    ) -> Service {
        let bounds = self.bounds(most, clusters);
        let total = bounds.values().map(|bounds| bounds.max).sum();
        let (cpu, memory) = (self.0.between(1, 3), self.0.between(1, 3));
        let mut requests = resources(cpu, memory);
        if self.0.chance(0.08) {
            requests.insert("example.com/chip".to_owned(), Quantity("1".to_owned()));
        }
        let sized = self.0.chance(0.85);
        let capacity = sized.then(|| self.capacity(cpu, memory));
        let load = capacity
            .as_ref()
            .map(|capacity| self.load(cpu, capacity, total));
        let slo = capacity.as_ref().and_then(|capacity| self.slo(capacity));
        let stateful = bounds.len() == 1 && self.0.chance(0.3);
        let placement = self.placement(index, count, sized);
        let mut service = Service {
            name: format!("shop/s{index}"),
            kind: if stateful {
                WorkloadKind::StatefulSet
            } else {
                WorkloadKind::Deployment
            },
            mode: self.0.pick(&[
                Mode::Enforce,
                Mode::Recommend,
                Mode::Enforce,
                Mode::Recommend,
                Mode::Enforce,
                Mode::Observe,
            ]),
            clusters: bounds,
            requests,
            load,
            capacity,
            slo,
            placement,
            disruption: Disruption {
                max_unavailable: self.0.pick(&[0, 1, 1, 1, 1, 2]),
                usd_per_eviction: self.0.pick(&[0.0, 0.02, 0.1, 0.3]),
            },
            ready_seconds: self.0.pick(&[0.0, 20.0]),
            priority: self.0.pick(&[0, 0, 10]),
        };
        if stateful && self.0.chance(0.6) {
            service.placement.zonal_volumes = self.volumes(&service, pools);
        }
        service
    }

    fn bounds(&mut self, most: u32, clusters: &[Cluster]) -> BTreeMap<String, ReplicaBounds> {
        let everywhere = clusters.len() > 1 && most > 1 && self.0.chance(0.7);
        let only = self.0.pick(clusters).name;
        let here: Vec<&Cluster> = (clusters.iter())
            .filter(|c| everywhere || c.name == only)
            .collect();
        let share = most / u32::try_from(here.len()).unwrap();
        let mut bounds = BTreeMap::new();
        for cluster in here {
            let max = self.0.between(1, share.max(1)).max(share.div_ceil(2));
            let min = self.0.between(0, max) * self.0.between(0, 1);
            bounds.insert(
                cluster.name.clone(),
                ReplicaBounds {
                    min,
                    max,
                    now: Some(self.0.between(min, max)),
                },
            );
        }
        bounds
    }

    fn capacity(&mut self, cpu: u32, memory: u32) -> Capacity {
        let peak = memory * self.0.between(600, 1300);
        Capacity {
            cpu_per_rps: Quantity(format!("{}m", self.0.between(5, 20))),
            idle_cpu: Quantity(format!("{}m", cpu * self.0.between(5, 50))),
            memory_peak: self.0.chance(0.5).then(|| Quantity(format!("{peak}Mi"))),
            target_utilization: self.0.pick(&[0.6, 0.8, 1.0]),
            concurrency: self.0.pick(&[1, 4]),
            service_time_ms: self.0.chance(0.6).then(|| f64::from(self.0.between(4, 40))),
        }
    }

    /// A load that some total up to the maximum carries, most of the time.
    fn load(&mut self, cpu: u32, capacity: &Capacity, most: u32) -> Load {
        let idle = capacity.idle_cpu.milli_f64().unwrap();
        let by_cpu = (f64::from(cpu) * 500.0 * capacity.target_utilization - idle)
            / capacity.cpu_per_rps.milli_f64().unwrap();
        let by_queue = capacity.service_time_ms.map_or(f64::INFINITY, |ms| {
            f64::from(capacity.concurrency) * 1000.0 / ms
        });
        let replicas = f64::from(most) * (0.1 + 0.7 * self.0.unit());
        let rps = replicas * by_cpu.min(by_queue);
        Load {
            rps: if self.0.chance(0.06) {
                0.0
            } else {
                rps.floor().max(1.0)
            },
        }
    }

    fn slo(&mut self, capacity: &Capacity) -> Option<Slo> {
        let served = 20_f64.ln() * capacity.service_time_ms.filter(|_| self.0.chance(0.7))?;
        let latency_p95_ms = served * (0.9 + self.0.unit());
        Some(Slo {
            latency_p95_ms,
            usd_per_hour: self.0.chance(0.6).then(|| 2.0 * self.0.unit()),
            observed_p95_ms: self
                .0
                .chance(0.4)
                .then(|| served * (1.0 + 0.8 * self.0.unit())),
        })
    }

    fn placement(&mut self, index: u32, count: u32, sized: bool) -> Placement {
        let survive = self.0.pick(&[
            Survive::None,
            Survive::None,
            Survive::None,
            Survive::Node,
            Survive::Zone,
            Survive::Cluster,
        ]);
        let others = [
            format!("shop/s{index}"),
            format!("shop/s{}", (index + 1) % count),
        ];
        let apart = self.0.pick(&others);
        let tier = self.0.pick(&[
            OneOrMany::One("front".to_owned()),
            OneOrMany::Many(vec!["front".to_owned(), "back".to_owned()]),
        ]);
        let selector = self.0.pick(&[
            ("tier".to_owned(), tier),
            (
                "karpenter.sh/capacity-type".to_owned(),
                OneOrMany::One("on-demand".to_owned()),
            ),
        ]);
        let both = vec!["amd64".to_owned(), "arm64".to_owned()];
        Placement {
            selector: BTreeMap::from_iter(self.0.chance(0.12).then_some(selector)),
            tolerations: if self.0.chance(0.6) {
                vec![self.toleration()]
            } else {
                Vec::new()
            },
            architectures: if self.0.chance(0.6) {
                both
            } else {
                both[..1].to_vec()
            },
            max_per_node: self.0.chance(0.15).then(|| self.0.between(1, 2)),
            anti_affinity: Vec::from_iter(self.0.chance(0.15).then_some(apart)),
            min_zones: self.0.pick(&[1, 1, 1, 1, 1, 2]),
            max_skew: self.0.chance(0.15).then_some(1),
            spot_share_max: self.0.pick(&[1.0, 1.0, 1.0, 0.0, 0.34, 0.5]),
            survive: if sized { survive } else { Survive::None },
            zonal_volumes: BTreeMap::new(),
        }
    }

    fn volumes(&mut self, service: &Service, pools: &[Pool]) -> BTreeMap<String, String> {
        let here = pools
            .iter()
            .filter(|pool| service.clusters.contains_key(&pool.cluster));
        let zones: Vec<String> = here
            .flat_map(|pool| &pool.offerings)
            .map(|o| o.zone.clone())
            .collect();
        let ordinals = self.0.between(1, 3);
        (0..ordinals)
            .filter(|_| !zones.is_empty())
            .map(|ordinal| (ordinal.to_string(), self.0.pick(&zones)))
            .collect()
    }
}
