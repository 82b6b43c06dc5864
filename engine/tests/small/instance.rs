//! Problems of one to three services, offerings and zones, so tight that most of what they ask for binds.

use std::collections::BTreeMap;

use ketscale_engine::fleet;
use ketscale_engine::problem::{
    Cap, CapacityType, Cluster, Commitment, Current, CurrentNode, DaemonSet, NodeBounds, Offering,
    OneOrMany, Packing, Policy, Pool, ProblemFile, Provider, Quantity, Relaxation, Resources,
    Surge, Taint, TaintEffect, Toleration, TolerationOperator, validate,
};

use super::meaning::Meaning;
use super::optimum::optimum;
use super::random_problem::Draw;
use super::tighten::tighten;

/// Fewest pods of the optimum, where there has to be one.
const LEAST_PODS: u32 = 3;

/// The problem of a seed: valid, complete and with a meaning. Seven of eight have a feasible plan.
pub fn instance(seed: u64) -> ProblemFile {
    let mut draw = Draw::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d));
    let is_good = |problem: &ProblemFile| {
        is_problem(problem) && (seed.is_multiple_of(8) || optimal_pods(problem) >= LEAST_PODS)
    };
    let mut problem = Maker(Draw::new(draw.next())).problem();
    while !is_good(&problem) {
        problem = Maker(Draw::new(draw.next())).problem();
    }
    for _ in 0..draw.between(0, 3) {
        problem = tighten(&problem, &mut draw)
            .filter(is_good)
            .unwrap_or(problem);
    }
    problem
}

/// Pods of the cheapest plan, 0 where nothing is feasible.
fn optimal_pods(problem: &ProblemFile) -> u32 {
    let best = optimum(&Meaning::new(problem, &[]), &mut |_, _| {});
    best.map_or(0, |(_, layout)| {
        layout.iter().flat_map(|node| &node.pods).sum()
    })
}

/// Whether the engine reads it.
pub fn is_problem(problem: &ProblemFile) -> bool {
    validate(problem).is_empty() && fleet::compile(problem.clone(), &[]).is_ok()
}

/// Draws the parts of a problem.
pub struct Maker(pub Draw);

impl Maker {
    fn problem(&mut self) -> ProblemFile {
        let clusters = self.clusters();
        let pools = self.pools(&clusters);
        let mut problem = ProblemFile {
            schema: "ketscale.problem/v1".to_owned(),
            name: "small".to_owned(),
            synthetic: true,
            horizon_hours: self.0.pick(&[1.0, 1.0, 4.0]),
            services: self.services(&clusters, &pools),
            clusters,
            pools,
            daemonsets: Vec::new(),
            current: None,
            policy: Policy::default(),
        };
        if self.0.chance(0.3) {
            problem.daemonsets.push(self.daemonset());
        }
        if self.0.chance(0.65) {
            self.current(&mut problem);
        }
        problem.policy = self.policy(&problem);
        problem
    }

    fn clusters(&mut self) -> Vec<Cluster> {
        let cluster = |index| Cluster {
            name: format!("c{index}"),
            provider: Provider::Other,
            region: format!("r{index}"),
        };
        (0..self.0.pick(&[1, 1, 2])).map(cluster).collect()
    }

    /// One to three offerings, and a pool in every cluster.
    fn pools(&mut self, clusters: &[Cluster]) -> Vec<Pool> {
        let offerings = self.0.pick(&[2, 3, 3]).max(clusters.len());
        let mut pools: Vec<Pool> = clusters.iter().map(|cluster| self.pool(cluster)).collect();
        if clusters.len() == 1 && self.0.chance(0.3) {
            let mut second = self.pool(&clusters[0]);
            second.name.push_str("-b");
            pools.push(second);
        }
        for number in 0..offerings {
            let index = number % pools.len();
            let offering = self.offering(&clusters[index.min(clusters.len() - 1)].name, number);
            pools[index].offerings.push(offering);
        }
        pools
    }

    fn pool(&mut self, cluster: &Cluster) -> Pool {
        let taint = Taint {
            key: "dedicated".to_owned(),
            value: "batch".to_owned(),
            effect: self.0.pick(&[
                TaintEffect::NoSchedule,
                TaintEffect::NoExecute,
                TaintEffect::PreferNoSchedule,
            ]),
        };
        let min = self.0.pick(&[0, 0, 0, 0, 0, 1, 2]);
        Pool {
            name: format!("{}-p", cluster.name),
            cluster: cluster.name.clone(),
            labels: BTreeMap::from([(
                "tier".to_owned(),
                self.0.pick(&["front", "back"]).to_owned(),
            )]),
            taints: if self.0.chance(0.2) {
                vec![taint]
            } else {
                Vec::new()
            },
            nodes: NodeBounds {
                min,
                max: self.0.chance(0.25).then(|| min + self.0.between(1, 2)),
            },
            startup_seconds: self.0.pick(&[0.0, 120.0, 900.0]),
            offerings: Vec::new(),
        }
    }

    /// Capacity in half cores and gibibytes; larger is dearer, with exceptions.
    fn offering(&mut self, cluster: &str, number: usize) -> Offering {
        let (cpu, memory) = (self.0.between(2, 7), self.0.between(2, 7));
        let spot = self.0.chance(0.4);
        let list = f64::from(cpu + memory) * 0.02 * (0.7 + 0.6 * self.0.unit());
        let mut allocatable = resources(cpu, memory);
        allocatable.insert(
            "pods".to_owned(),
            Quantity(self.0.pick(&["3", "10", "110"]).to_owned()),
        );
        if self.0.chance(0.5) {
            allocatable.insert("example.com/chip".to_owned(), Quantity("1".to_owned()));
        }
        Offering {
            instance_type: format!("t{number}"),
            zone: format!("{cluster}-{}", self.0.pick(&["a", "b", "c"])),
            capacity_type: if spot {
                CapacityType::Spot
            } else {
                CapacityType::OnDemand
            },
            usd_per_hour: Some((list * if spot { 0.4 } else { 1.0 } * 1e4).round() / 1e4),
            interruptions_per_hour: Some(if spot {
                self.0.pick(&[0.0, 0.1, 0.5])
            } else {
                0.0
            }),
            available_nodes: self.0.chance(0.25).then(|| self.0.between(0, 2)),
            allocatable: Some(allocatable),
            architecture: Some(
                self.0
                    .pick(&["amd64", "amd64", "amd64", "arm64"])
                    .to_owned(),
            ),
        }
    }

    pub fn toleration(&mut self) -> Toleration {
        let equal = Toleration {
            key: "dedicated".to_owned(),
            operator: TolerationOperator::Equal,
            value: "batch".to_owned(),
            effect: self.0.pick(&[None, Some(TaintEffect::NoSchedule)]),
        };
        let all = Toleration {
            key: String::new(),
            operator: TolerationOperator::Exists,
            value: String::new(),
            effect: None,
        };
        self.0.pick(&[equal, all])
    }

    fn daemonset(&mut self) -> DaemonSet {
        let tier = ("tier".to_owned(), OneOrMany::One("front".to_owned()));
        DaemonSet {
            name: "kube-system/agent".to_owned(),
            requests: resources(1, self.0.between(0, 1)),
            clusters: self.0.chance(0.3).then(|| vec!["c0".to_owned()]),
            selector: BTreeMap::from_iter(self.0.chance(0.3).then_some(tier)),
            tolerations: if self.0.chance(0.5) {
                vec![self.toleration()]
            } else {
                Vec::new()
            },
        }
    }

    /// Up to three nodes, each with some pods that fit it by request.
    fn current(&mut self, problem: &mut ProblemFile) {
        let offerings: Vec<(usize, usize)> = (problem.pools.iter().enumerate())
            .flat_map(|(pool, p)| (0..p.offerings.len()).map(move |offering| (pool, offering)))
            .collect();
        let mut nodes = Vec::new();
        let mut now: BTreeMap<(usize, String), u32> = BTreeMap::new();
        for number in 0..self.0.between(0, 3) {
            let (pool, offering) = self.0.pick(&offerings);
            let pool = &problem.pools[pool];
            let node =
                self.current_node(number, pool, &pool.offerings[offering], problem, &mut now);
            nodes.push(node);
        }
        for (s, service) in problem.services.iter_mut().enumerate() {
            for (cluster, bounds) in &mut service.clusters {
                bounds.now = Some(now.get(&(s, cluster.clone())).copied().unwrap_or(0));
            }
        }
        problem.current = Some(Current { nodes });
    }

    fn current_node(
        &mut self,
        number: u32,
        pool: &Pool,
        offering: &Offering,
        problem: &ProblemFile,
        now: &mut BTreeMap<(usize, String), u32>,
    ) -> CurrentNode {
        let allocatable = offering.allocatable.as_ref().unwrap();
        let amount =
            |all: &Resources, name: &str| all.get(name).map_or(0, |amount| amount.milli().unwrap());
        let foreign = if self.0.chance(0.12) {
            resources(1, 1)
        } else {
            Resources::new()
        };
        let mut left = ["cpu", "memory", "pods"]
            .map(|name| amount(allocatable, name).saturating_sub(amount(&foreign, name)));
        let mut pods = BTreeMap::new();
        for (s, service) in problem.services.iter().enumerate() {
            let Some(bounds) = service.clusters.get(&pool.cluster) else {
                continue;
            };
            let here = now.entry((s, pool.cluster.clone())).or_default();
            let size = [
                amount(&service.requests, "cpu"),
                amount(&service.requests, "memory"),
                1000,
            ];
            let most = (0..3).map(|k| left[k] / size[k].max(1)).min().unwrap();
            let most = u32::try_from(most)
                .unwrap_or(u32::MAX)
                .min(bounds.max - *here)
                .min(service.placement.max_per_node.unwrap_or(3));
            let placed = self.0.between(0, most);
            if placed > 0 {
                (0..3).for_each(|k| left[k] -= size[k] * u64::from(placed));
                pods.insert(service.name.clone(), placed);
                *here += placed;
            }
        }
        let movable = !self.0.chance(0.1);
        CurrentNode {
            name: format!("n{number}"),
            pool: pool.name.clone(),
            offering: offering.name(),
            pods,
            foreign,
            cordoned: self.0.chance(0.12),
            movable,
            reason: (!movable).then(|| "a pod with local storage".to_owned()),
        }
    }

    fn policy(&mut self, problem: &ProblemFile) -> Policy {
        let all = [
            Relaxation::Budget,
            Relaxation::SpotShare,
            Relaxation::Spread,
            Relaxation::Slo,
        ];
        Policy {
            budget_usd_per_hour: self.0.chance(0.25).then(|| 0.2 + 0.6 * self.0.unit()),
            max_moves: (problem.current.is_some() && self.0.chance(0.2))
                .then(|| self.0.between(0, 2)),
            caps: self.caps(problem),
            commitments: self.commitments(problem),
            packing: self
                .0
                .pick(&[Packing::Exact, Packing::Exact, Packing::Schedulable]),
            surge: Surge {
                nodes: self.0.between(0, 3),
            },
            relax: if self.0.chance(0.4) {
                all.to_vec()
            } else {
                Vec::new()
            },
        }
    }

    fn caps(&mut self, problem: &ProblemFile) -> Vec<Cap> {
        let pool = self.0.pick(&problem.pools);
        let offering = self.0.pick(&pool.offerings);
        let all = Cap {
            name: "cap".to_owned(),
            clusters: None,
            pools: None,
            instance_types: None,
            zones: None,
            capacity_types: None,
            max_nodes: None,
            max_cpu: None,
            max_usd_per_hour: None,
        };
        let selections = [
            all.clone(),
            Cap {
                clusters: Some(vec![pool.cluster.clone()]),
                ..all.clone()
            },
            Cap {
                pools: Some(vec![pool.name.clone()]),
                ..all.clone()
            },
            Cap {
                instance_types: Some(vec![offering.instance_type.clone()]),
                ..all.clone()
            },
            Cap {
                zones: Some(vec![offering.zone.clone()]),
                ..all.clone()
            },
            Cap {
                capacity_types: Some(vec![offering.capacity_type]),
                ..all
            },
        ];
        let mut cap = self.0.pick(&selections);
        match self.0.between(0, 9) {
            0 => cap.max_nodes = Some(self.0.between(0, 3)),
            1 => cap.max_cpu = Some(Quantity(self.0.between(1, 6).to_string())),
            2 => cap.max_usd_per_hour = Some(0.1 + 0.4 * self.0.unit()),
            _ => return Vec::new(),
        }
        vec![cap]
    }

    fn commitments(&mut self, problem: &ProblemFile) -> Vec<Commitment> {
        let pool = self.0.pick(&problem.pools);
        let offering = self.0.pick(&pool.offerings);
        let price = offering.usd_per_hour.unwrap();
        let commitment = Commitment {
            pool: pool.name,
            offering: offering.name(),
            nodes: self.0.between(1, 2),
            usd_per_hour: price * 0.6,
            used_usd_per_hour: self.0.pick(&[0.0, 0.2]) * price,
        };
        let is_committed = offering.capacity_type == CapacityType::OnDemand && self.0.chance(0.25);
        Vec::from_iter(is_committed.then_some(commitment))
    }
}

/// Half cores and gibibytes.
pub fn resources(half_cores: u32, gibibytes: u32) -> Resources {
    Resources::from([
        ("cpu".to_owned(), Quantity(format!("{}m", half_cores * 500))),
        ("memory".to_owned(), Quantity(format!("{gibibytes}Gi"))),
    ])
}
