//! The services of random problems.

use std::collections::BTreeMap;

use ketscale_engine::problem::{
    Capacity, Cluster, Disruption, Load, Mode, OneOrMany, Placement, Pool, Quantity, ReplicaBounds,
    Resources, Service, Slo, Survive, TaintEffect, Toleration, TolerationOperator, WorkloadKind,
};

use super::Maker;

impl Maker {
    pub(super) fn services(&mut self, clusters: &[Cluster], pools: &[Pool]) -> Vec<Service> {
        let count = if self.small {
            self.draw.between(1, 3)
        } else {
            self.draw.between(2, 8)
        };
        let mut left = 8;
        let mut services = Vec::new();
        for index in 0..count {
            let most = if self.small {
                (left - (count - 1 - index)).clamp(1, 4)
            } else {
                16
            };
            let service = self.service(index, count, most, clusters, pools);
            left -= if self.small {
                service.clusters.values().map(|bounds| bounds.max).sum()
            } else {
                0
            };
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
        let kind = if self.draw.chance(0.3) {
            WorkloadKind::StatefulSet
        } else {
            WorkloadKind::Deployment
        };
        let bounds = self.bounds(most, clusters, kind);
        let mcores = self.draw.between(2, 18) * 100;
        let modelled = self.draw.chance(0.8);
        let capacity = modelled.then(|| self.capacity(mcores));
        let load = capacity
            .as_ref()
            .map(|capacity| self.load(mcores, capacity, bounds.values().map(|b| b.max).sum()));
        let slo = capacity
            .as_ref()
            .filter(|c| c.service_time_ms.is_some() && self.draw.chance(0.6))
            .map(|c| self.slo(c));
        let mut requests = Resources::from([
            ("cpu".to_owned(), Quantity(format!("{mcores}m"))),
            (
                "memory".to_owned(),
                Quantity(format!("{}Mi", self.draw.between(1, 12) * 256)),
            ),
        ]);
        if !self.small
            && pools
                .iter()
                .flat_map(|p| &p.offerings)
                .any(|o| o.instance_type.ends_with("gpu"))
            && self.draw.chance(0.15)
        {
            requests.insert("nvidia.com/gpu".to_owned(), Quantity("1".to_owned()));
        }
        Service {
            name: format!("shop/s{index}"),
            kind,
            mode: self.draw.pick(&[
                Mode::Recommend,
                Mode::Enforce,
                Mode::Enforce,
                Mode::Recommend,
                Mode::Recommend,
                Mode::Observe,
            ]),
            placement: self.placement(index, count, modelled, kind, &bounds, pools),
            clusters: bounds,
            requests,
            load,
            capacity,
            slo,
            disruption: Disruption {
                max_unavailable: self.draw.pick(&[0, 1, 1, 1, 2, 3]),
                usd_per_eviction: self.draw.pick(&[0.0, 0.01, 0.05]),
            },
            ready_seconds: self.draw.pick(&[0.0, 15.0, 40.0]),
            priority: self.draw.pick(&[0, 0, 10]),
        }
    }

    fn bounds(
        &mut self,
        most: u32,
        clusters: &[Cluster],
        kind: WorkloadKind,
    ) -> BTreeMap<String, ReplicaBounds> {
        let mut bounds = BTreeMap::new();
        let only = self.draw.pick(clusters).name;
        let everywhere = kind == WorkloadKind::Deployment && most >= 2 && self.draw.chance(0.5);
        let here: Vec<&Cluster> = clusters
            .iter()
            .filter(|c| everywhere || c.name == only)
            .collect();
        let share = (most / u32::try_from(here.len()).unwrap()).max(1);
        for cluster in here {
            let max = self.draw.between(share.div_ceil(2), share);
            let min = if self.draw.chance(0.5) {
                0
            } else {
                self.draw.between(0, max.min(2))
            };
            // Overwritten where current nodes are drawn.
            let now = Some(self.draw.between(min, max));
            bounds.insert(cluster.name.clone(), ReplicaBounds { min, max, now });
        }
        bounds
    }

    fn capacity(&mut self, mcores: u32) -> Capacity {
        Capacity {
            cpu_per_rps: Quantity(format!("{}m", self.draw.between(2, 20))),
            idle_cpu: Quantity(format!("{}m", mcores / 20)),
            memory_peak: self
                .draw
                .chance(0.6)
                .then(|| Quantity(format!("{}Mi", self.draw.between(1, 10) * 256))),
            target_utilization: self.draw.pick(&[0.6, 0.7, 0.8]),
            concurrency: self.draw.pick(&[1, 4, 16]),
            service_time_ms: self.draw.chance(0.7).then(|| 2.0 + 20.0 * self.draw.unit()),
        }
    }

    /// A load that some count up to the maximum carries, most of the time.
    fn load(&mut self, mcores: u32, capacity: &Capacity, most: u32) -> Load {
        let per_rps = capacity.cpu_per_rps.milli_f64().unwrap();
        let by_cpu = f64::from(mcores) * (capacity.target_utilization - 0.05) / per_rps;
        let by_queue = capacity.service_time_ms.map_or(f64::INFINITY, |ms| {
            f64::from(capacity.concurrency) * 900.0 / ms
        });
        let replicas = f64::from(most) * (0.1 + 0.8 * self.draw.unit());
        Load {
            rps: if self.draw.chance(0.05) {
                0.0
            } else {
                (replicas * by_cpu.min(by_queue)).floor()
            },
        }
    }

    fn slo(&mut self, capacity: &Capacity) -> Slo {
        let service_time = capacity.service_time_ms.unwrap();
        let latency_p95_ms = service_time * (3.0 + 5.0 * self.draw.unit());
        Slo {
            latency_p95_ms,
            usd_per_hour: self.draw.chance(0.6).then(|| 3.0 * self.draw.unit()),
            observed_p95_ms: self
                .draw
                .chance(0.3)
                .then(|| latency_p95_ms * (0.4 + self.draw.unit())),
        }
    }

    fn placement(
        &mut self,
        index: u32,
        count: u32,
        modelled: bool,
        kind: WorkloadKind,
        bounds: &BTreeMap<String, ReplicaBounds>,
        pools: &[Pool],
    ) -> Placement {
        let selector = (
            "tier".to_owned(),
            self.draw.pick(&[
                OneOrMany::One("front".into()),
                OneOrMany::Many(vec!["front".into(), "back".into()]),
            ]),
        );
        let toleration = self.draw.pick(&[
            Toleration {
                key: String::new(),
                operator: TolerationOperator::Exists,
                value: String::new(),
                effect: None,
            },
            Toleration {
                key: "dedicated".to_owned(),
                operator: TolerationOperator::Equal,
                value: "batch".to_owned(),
                effect: Some(TaintEffect::NoSchedule),
            },
        ]);
        let others: Vec<String> = (0..count).map(|other| format!("shop/s{other}")).collect();
        let both = vec!["amd64".to_owned(), "arm64".to_owned()];
        Placement {
            selector: if self.draw.chance(0.15) {
                BTreeMap::from([selector])
            } else {
                BTreeMap::new()
            },
            tolerations: if self.draw.chance(0.6) {
                vec![toleration]
            } else {
                Vec::new()
            },
            architectures: if self.draw.chance(0.5) {
                both
            } else {
                vec!["amd64".to_owned()]
            },
            max_per_node: self.draw.chance(0.25).then(|| self.draw.between(1, 3)),
            anti_affinity: if index > 0 && self.draw.chance(0.2) {
                vec![self.draw.pick(&others)]
            } else {
                Vec::new()
            },
            min_zones: if self.draw.chance(0.2) { 2 } else { 1 },
            max_skew: self.draw.chance(0.25).then(|| self.draw.between(1, 3)),
            spot_share_max: if self.draw.chance(0.4) {
                self.draw.pick(&[0.0, 0.3, 0.5, 0.75])
            } else {
                1.0
            },
            survive: if modelled {
                self.draw.pick(&[
                    Survive::None,
                    Survive::None,
                    Survive::None,
                    Survive::Node,
                    Survive::Zone,
                    Survive::Cluster,
                ])
            } else {
                Survive::None
            },
            zonal_volumes: self.volumes(kind, bounds, pools),
        }
    }

    fn volumes(
        &mut self,
        kind: WorkloadKind,
        bounds: &BTreeMap<String, ReplicaBounds>,
        pools: &[Pool],
    ) -> BTreeMap<String, String> {
        if kind != WorkloadKind::StatefulSet || self.draw.chance(0.4) {
            return BTreeMap::new();
        }
        let here = pools
            .iter()
            .filter(|pool| bounds.contains_key(&pool.cluster));
        let zones: Vec<String> = here
            .flat_map(|pool| pool.offerings.iter().map(|o| o.zone.clone()))
            .collect();
        (0..self.draw.between(1, 2))
            .map(|ordinal| (ordinal.to_string(), self.draw.pick(&zones)))
            .collect()
    }
}
