//! Random problems, valid and complete, in which every kind of constraint turns up.

// Each test target that includes this file uses its own part of it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

#[path = "random_service.rs"]
mod random_service;

use std::collections::BTreeMap;

use ketscale_engine::fleet::{self, Fleet};
use ketscale_engine::problem::{
    Cap, CapacityType, Cluster, Commitment, Current, CurrentNode, DaemonSet, NodeBounds, Offering,
    OneOrMany, Packing, Policy, Pool, ProblemFile, Provider, Quantity, Relaxation, Resources,
    Surge, Taint, TaintEffect, Toleration, TolerationOperator, validate,
};

/// A problem of up to 8 services, 12 offerings and 3 clusters.
pub fn random_problem(seed: u64) -> ProblemFile {
    draw(seed, false)
}

/// A problem small enough to try every plan: up to 3 services of up to 4 replicas and 8 together, 3 offerings, 2 existing nodes.
pub fn random_small_problem(seed: u64) -> ProblemFile {
    draw(seed, true)
}

/// Source of random choices: SplitMix64 (Steele, Lea, Flood 2014), so that a seed means the same problem for ever.
pub struct Draw(u64);

impl Draw {
    /// A source that a seed decides.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both possible.
    pub fn between(&mut self, low: u32, high: u32) -> u32 {
        low + u32::try_from(self.next() % u64::from(high - low + 1)).unwrap()
    }

    /// A real number in [0, 1).
    #[allow(clippy::cast_precision_loss)]
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with a probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of several.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.next() % from.len() as u64).unwrap()].clone()
    }
}

/// Draws until the problem is valid and means something; most are at the first attempt.
fn draw(seed: u64, small: bool) -> ProblemFile {
    let mut draw = Draw::new(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ u64::from(small));
    for _ in 0..1000 {
        let mut maker = Maker {
            draw: Draw::new(draw.next()),
            small,
        };
        let problem = maker.problem();
        if let Some(problem) =
            problem.filter(|p| validate(p).is_empty() && fleet::compile(p.clone(), &[]).is_ok())
        {
            return problem;
        }
    }
    panic!("seed {seed}: no valid problem in 1000 attempts");
}

struct Maker {
    draw: Draw,
    small: bool,
}

impl Maker {
    fn problem(&mut self) -> Option<ProblemFile> {
        let clusters = self.clusters();
        let pools = self.pools(&clusters);
        let services = self.services(&clusters, &pools);
        let mut problem = ProblemFile {
            schema: "ketscale.problem/v1".to_owned(),
            name: "random".to_owned(),
            synthetic: true,
            horizon_hours: self.draw.pick(&[1.0, 1.0, 4.0, 24.0]),
            clusters,
            services,
            pools,
            daemonsets: self.daemonsets(),
            current: None,
            policy: Policy::default(),
        };
        if self.draw.chance(0.6) {
            self.current(&mut problem)?;
        }
        problem.policy = self.policy(&problem);
        Some(problem)
    }

    fn clusters(&mut self) -> Vec<Cluster> {
        let most = if self.small { 2 } else { 3 };
        let count = self.draw.between(1, most);
        let cluster = |index| Cluster {
            name: format!("c{index}"),
            provider: Provider::Other,
            region: format!("region-{index}"),
        };
        (0..count).map(cluster).collect()
    }

    fn pools(&mut self, clusters: &[Cluster]) -> Vec<Pool> {
        let mut left: usize = if self.small { 3 } else { 12 };
        let mut pools = Vec::new();
        for (index, cluster) in clusters.iter().enumerate() {
            let count = if self.small || clusters.len() == 3 {
                1
            } else {
                self.draw.between(1, 2)
            };
            for number in 0..count {
                let clusters_after = clusters.len() - 1 - index;
                let most = left
                    .saturating_sub(clusters_after)
                    .clamp(1, if self.small { 3 } else { 4 });
                let offerings = self.offerings(&cluster.name, u32::try_from(most).unwrap());
                left = left.saturating_sub(offerings.len());
                pools.push(self.pool(format!("{}-p{number}", cluster.name), cluster, offerings));
            }
        }
        pools
    }

    fn pool(&mut self, name: String, cluster: &Cluster, offerings: Vec<Offering>) -> Pool {
        let taint = Taint {
            key: "dedicated".to_owned(),
            value: "batch".to_owned(),
            effect: TaintEffect::NoSchedule,
        };
        let min = if self.draw.chance(0.15) { 1 } else { 0 };
        Pool {
            name,
            cluster: cluster.name.clone(),
            labels: BTreeMap::from([(
                "tier".to_owned(),
                self.draw.pick(&["front", "back"]).to_owned(),
            )]),
            taints: if self.draw.chance(0.2) {
                vec![taint]
            } else {
                Vec::new()
            },
            nodes: NodeBounds {
                min,
                max: self.draw.chance(0.5).then(|| self.draw.between(3, 12)),
            },
            startup_seconds: self.draw.pick(&[0.0, 60.0, 120.0]),
            offerings,
        }
    }

    fn offerings(&mut self, cluster: &str, most: u32) -> Vec<Offering> {
        let mut offerings: Vec<Offering> = Vec::new();
        for _ in 0..self.draw.between(1.min(most), most).max(most.min(2)) {
            let offering = self.offering(cluster);
            if offerings
                .iter()
                .all(|other| other.name() != offering.name())
            {
                offerings.push(offering);
            }
        }
        offerings
    }

    fn offering(&mut self, cluster: &str) -> Offering {
        let cores = self.draw.pick(&[2_u32, 4, 4, 8]);
        let gib_per_core = self.draw.pick(&[2_u32, 4]);
        let arm = self.draw.chance(0.15);
        let gpu = !self.small && self.draw.chance(0.1);
        let spot = self.draw.chance(0.4);
        let list = f64::from(cores) * 0.03
            + f64::from(cores * gib_per_core) * 0.004
            + if gpu { 0.5 } else { 0.0 };
        let price = list * if spot { 0.3 } else { 1.0 } * (0.9 + 0.2 * self.draw.unit());
        let mut allocatable = Resources::from([
            (
                "cpu".to_owned(),
                Quantity(format!("{}m", cores * 1000 - 80)),
            ),
            (
                "memory".to_owned(),
                Quantity(format!("{}Mi", cores * gib_per_core * 1024 - 600)),
            ),
            (
                "pods".to_owned(),
                Quantity(self.draw.pick(&["8", "30", "110"]).to_owned()),
            ),
        ]);
        if gpu {
            allocatable.insert("nvidia.com/gpu".to_owned(), Quantity("1".to_owned()));
        }
        let zones = if self.small { 2 } else { 3 };
        Offering {
            instance_type: format!(
                "{}{cores}x{gib_per_core}{}",
                if arm { "arm" } else { "std" },
                if gpu { "-gpu" } else { "" }
            ),
            zone: format!(
                "{cluster}-{}",
                ["a", "b", "c"][self.draw.between(0, zones - 1) as usize]
            ),
            capacity_type: if spot {
                CapacityType::Spot
            } else {
                CapacityType::OnDemand
            },
            usd_per_hour: Some((price * 1e4).round() / 1e4),
            interruptions_per_hour: Some(if spot {
                0.01 + 0.1 * self.draw.unit()
            } else {
                0.0
            }),
            available_nodes: self.draw.chance(0.2).then(|| self.draw.between(2, 8)),
            allocatable: Some(allocatable),
            architecture: Some(if arm { "arm64" } else { "amd64" }.to_owned()),
        }
    }

    fn daemonsets(&mut self) -> Vec<DaemonSet> {
        let tolerations = vec![Toleration {
            key: String::new(),
            operator: TolerationOperator::Exists,
            value: String::new(),
            effect: None,
        }];
        let daemonset = |number: u32, mcores: u32, tolerations| DaemonSet {
            name: format!("kube-system/d{number}"),
            requests: Resources::from([
                ("cpu".to_owned(), Quantity(format!("{mcores}m"))),
                ("memory".to_owned(), Quantity("128Mi".to_owned())),
            ]),
            clusters: None,
            selector: BTreeMap::new(),
            tolerations,
        };
        match self.draw.between(0, 3) {
            0 => Vec::new(),
            1 => vec![daemonset(0, 100, tolerations)],
            2 => vec![daemonset(0, 50, tolerations), daemonset(1, 100, Vec::new())],
            _ => vec![DaemonSet {
                clusters: Some(vec!["c0".to_owned()]),
                selector: BTreeMap::from([("tier".to_owned(), OneOrMany::One("front".to_owned()))]),
                ..daemonset(0, 120, Vec::new())
            }],
        }
    }

    /// Current nodes with pods that fit, and the counts that follow.
    fn current(&mut self, problem: &mut ProblemFile) -> Option<()> {
        let fleet = fleet::compile(problem.clone(), &[]).ok()?;
        let count = if self.small {
            self.draw.between(1, 2)
        } else {
            self.draw.between(2, 8)
        };
        let mut nodes: Vec<(usize, CurrentNode)> = (0..count)
            .map(|number| self.current_node(&fleet, number))
            .collect();
        let mut rooms: Vec<Vec<u64>> = nodes
            .iter()
            .map(|(offering, node)| room(&fleet, *offering, node))
            .collect();
        for (index, service) in problem.services.iter_mut().enumerate() {
            for (name, bounds) in &mut service.clusters {
                let cluster = problem
                    .clusters
                    .iter()
                    .position(|cluster| cluster.name == *name)?;
                let wanted = self.draw.between(bounds.min, bounds.max);
                let placed = (0..wanted)
                    .filter(|_| self.place(&fleet, index, cluster, &mut nodes, &mut rooms))
                    .count();
                bounds.now = Some(u32::try_from(placed).ok()?);
            }
        }
        let nodes: Vec<CurrentNode> = nodes.into_iter().map(|(_, node)| node).collect();
        problem.current = Some(Current { nodes });
        Some(())
    }

    fn current_node(&mut self, fleet: &Fleet, number: u32) -> (usize, CurrentNode) {
        let index =
            self.draw
                .between(0, u32::try_from(fleet.offerings.len()).unwrap() - 1) as usize;
        let offering = &fleet.offerings[index];
        let movable = !self.draw.chance(0.1);
        let foreign = [("cpu", "300m"), ("memory", "512Mi"), ("pods", "2")]
            .map(|(name, amount)| (name.to_owned(), Quantity(amount.to_owned())));
        let node = CurrentNode {
            name: format!("n{number}"),
            pool: fleet.problem.pools[offering.pool].name.clone(),
            offering: offering.name.clone(),
            pods: BTreeMap::new(),
            foreign: if self.draw.chance(0.2) {
                Resources::from(foreign)
            } else {
                Resources::new()
            },
            cordoned: self.draw.chance(0.1),
            movable,
            reason: (!movable).then(|| "a pod with local storage".to_owned()),
        };
        (index, node)
    }

    /// Puts a pod on one of the nodes where it may be and fits; false when there is none.
    fn place(
        &mut self,
        fleet: &Fleet,
        service: usize,
        cluster: usize,
        nodes: &mut [(usize, CurrentNode)],
        rooms: &mut [Vec<u64>],
    ) -> bool {
        let model = &fleet.services[service];
        let pods = |node: &CurrentNode, s: usize| {
            node.pods.get(&fleet.services[s].name).copied().unwrap_or(0)
        };
        let fits = |(index, (offering, node)): (usize, &(usize, CurrentNode))| {
            let place = &fleet.offerings[*offering];
            let size = &model.request;
            place.cluster == cluster
                && place.eligible[service]
                && pods(node, service) < model.max_per_node
                && model.conflicts.iter().all(|other| pods(node, *other) == 0)
                && size
                    .iter()
                    .zip(&rooms[index])
                    .all(|(size, room)| size <= room)
        };
        let able: Vec<usize> = nodes
            .iter()
            .enumerate()
            .filter(|node| fits(*node))
            .map(|(index, _)| index)
            .collect();
        if able.is_empty() {
            return false;
        }
        let chosen = self.draw.pick(&able);
        rooms[chosen]
            .iter_mut()
            .zip(&model.request)
            .for_each(|(room, size)| *room -= size);
        *nodes[chosen].1.pods.entry(model.name.clone()).or_insert(0) += 1;
        true
    }

    fn policy(&mut self, problem: &ProblemFile) -> Policy {
        let nodes = if self.small { 6.0 } else { 20.0 };
        Policy {
            budget_usd_per_hour: self
                .draw
                .chance(0.3)
                .then(|| nodes * (0.1 + 0.2 * self.draw.unit())),
            max_moves: (problem.current.is_some() && self.draw.chance(0.3))
                .then(|| self.draw.between(0, 6)),
            caps: self.caps(problem),
            commitments: self.commitments(problem),
            packing: self.draw.pick(&[Packing::Exact, Packing::Schedulable]),
            surge: Surge {
                nodes: self.draw.between(0, 3),
            },
            relax: if self.draw.chance(0.3) {
                vec![
                    Relaxation::Budget,
                    Relaxation::SpotShare,
                    Relaxation::Spread,
                    Relaxation::Slo,
                ]
            } else {
                Vec::new()
            },
        }
    }

    fn caps(&mut self, problem: &ProblemFile) -> Vec<Cap> {
        let none = Cap {
            name: String::new(),
            clusters: None,
            pools: None,
            instance_types: None,
            zones: None,
            capacity_types: None,
            max_nodes: None,
            max_cpu: None,
            max_usd_per_hour: None,
        };
        let offering = self.draw.pick(&problem.pools[0].offerings);
        let (nodes, cores) = if self.small { (6, 24) } else { (20, 80) };
        let all = [
            Cap {
                name: "spot".to_owned(),
                capacity_types: Some(vec![CapacityType::Spot]),
                max_nodes: Some(self.draw.between(1, nodes)),
                ..none.clone()
            },
            Cap {
                name: "quota".to_owned(),
                clusters: Some(vec!["c0".to_owned()]),
                max_cpu: Some(Quantity(self.draw.between(cores / 2, cores).to_string())),
                ..none.clone()
            },
            Cap {
                name: "spend".to_owned(),
                pools: Some(vec![problem.pools[0].name.clone()]),
                max_usd_per_hour: Some(f64::from(nodes) * 0.2),
                ..none.clone()
            },
            Cap {
                name: "type".to_owned(),
                instance_types: Some(vec![offering.instance_type]),
                max_nodes: Some(nodes),
                ..none.clone()
            },
            Cap {
                name: "zone".to_owned(),
                zones: Some(vec![offering.zone]),
                max_nodes: Some(nodes),
                max_cpu: Some(Quantity(cores.to_string())),
                ..none
            },
        ];
        all.into_iter().filter(|_| self.draw.chance(0.15)).collect()
    }

    fn commitments(&mut self, problem: &ProblemFile) -> Vec<Commitment> {
        let pool = self.draw.pick(&problem.pools);
        let offering = pool
            .offerings
            .iter()
            .find(|o| o.capacity_type == CapacityType::OnDemand);
        let price = offering.and_then(|o| o.usd_per_hour).unwrap_or(0.0);
        let commitment = offering.map(|offering| Commitment {
            pool: pool.name.clone(),
            offering: offering.name(),
            nodes: self.draw.between(1, 3),
            usd_per_hour: price * 0.6,
            used_usd_per_hour: self.draw.pick(&[0.0, 0.1]) * price,
        });
        commitment
            .filter(|_| self.draw.chance(0.2))
            .into_iter()
            .collect()
    }
}

/// What services may request of a node.
fn room(fleet: &Fleet, offering: usize, node: &CurrentNode) -> Vec<u64> {
    let mut room = fleet.classes[offering].capacity[..fleet.requested_dimensions()].to_vec();
    for (room, name) in room.iter_mut().zip(&fleet.resources) {
        let foreign = node.foreign.get(name).map(|amount| {
            if name == "cpu" {
                amount.milli()
            } else {
                amount.units()
            }
        });
        *room = room.saturating_sub(foreign.flatten().unwrap_or(0));
    }
    room
}
