//! Everything that a problem file may ask for, and how to ask for it no more.

use ketscale_engine::problem::{
    CurrentNode, Mode, Offering, Placement, Pool, ProblemFile, Service, Survive,
};

/// A rule or a price.
pub struct Kind {
    pub name: &'static str,
    without: fn(&mut ProblemFile),
}

impl Kind {
    /// The problem that does not ask for it; `None` where it never did.
    pub fn without(&self, problem: &ProblemFile) -> Option<ProblemFile> {
        let mut without = problem.clone();
        (self.without)(&mut without);
        (without != *problem).then_some(without)
    }
}

/// What an optimum may depend on.
pub const KINDS: [Kind; 41] = [
    kind("clusters.min", |p| {
        services(p, |s| {
            s.clusters.values_mut().for_each(|bounds| bounds.min = 0)
        })
    }),
    kind("requests of extended resources", |p| {
        services(p, |s| s.requests.retain(|name, _| !name.contains('/')))
    }),
    kind("load", |p| {
        services(p, |s| s.load.iter_mut().for_each(|load| load.rps = 0.0))
    }),
    kind("capacity.idle_cpu", |p| {
        services(p, |s| {
            s.capacity
                .iter_mut()
                .for_each(|c| "0".clone_into(&mut c.idle_cpu.0))
        })
    }),
    kind("capacity.memory_peak", |p| {
        services(p, |s| {
            s.capacity.iter_mut().for_each(|c| c.memory_peak = None)
        })
    }),
    kind("capacity.target_utilization", |p| {
        services(p, |s| {
            s.capacity
                .iter_mut()
                .for_each(|c| c.target_utilization = 1.0)
        })
    }),
    kind("slo, hard", |p| {
        services(p, |s| {
            s.slo = s.slo.take().filter(|slo| slo.usd_per_hour.is_some())
        })
    }),
    kind("slo, priced", |p| {
        services(p, |s| {
            s.slo = s.slo.take().filter(|slo| slo.usd_per_hour.is_none())
        })
    }),
    kind("slo.observed_p95_ms", |p| {
        services(p, |s| {
            s.slo.iter_mut().for_each(|slo| slo.observed_p95_ms = None)
        })
    }),
    kind("placement.selector", |p| {
        placements(p, |placement| placement.selector.clear())
    }),
    kind("placement.architectures", |p| {
        placements(p, |placement| {
            placement.architectures = ["amd64", "arm64"].map(str::to_owned).to_vec()
        })
    }),
    kind("placement.max_per_node", |p| {
        placements(p, |placement| placement.max_per_node = None)
    }),
    kind("placement.anti_affinity of others", |p| {
        services(p, |s| {
            s.placement.anti_affinity.retain(|other| *other == s.name)
        })
    }),
    kind("placement.anti_affinity of itself", |p| {
        services(p, |s| {
            s.placement.anti_affinity.retain(|other| *other != s.name)
        })
    }),
    kind("placement.min_zones", |p| {
        placements(p, |placement| placement.min_zones = 1)
    }),
    kind("placement.max_skew", |p| {
        placements(p, |placement| placement.max_skew = None)
    }),
    kind("placement.spot_share_max", |p| {
        placements(p, |placement| placement.spot_share_max = 1.0)
    }),
    kind("placement.survive: node", |p| {
        survive_less(p, Survive::Node)
    }),
    kind("placement.survive: zone", |p| {
        survive_less(p, Survive::Zone)
    }),
    kind("placement.survive: cluster", |p| {
        survive_less(p, Survive::Cluster)
    }),
    kind("placement.zonal_volumes", |p| {
        placements(p, |placement| placement.zonal_volumes.clear())
    }),
    kind("mode: observe", |p| services(p, |s| s.mode = Mode::Enforce)),
    kind("disruption.max_unavailable: 0", |p| {
        services(p, |s| {
            s.disruption.max_unavailable = s.disruption.max_unavailable.max(1)
        })
    }),
    kind("disruption.usd_per_eviction", |p| {
        services(p, |s| s.disruption.usd_per_eviction = 0.0)
    }),
    kind("pools.taints", |p| pools(p, |pool| pool.taints.clear())),
    kind("pools.nodes.min", |p| pools(p, |pool| pool.nodes.min = 0)),
    kind("pools.nodes.max", |p| {
        pools(p, |pool| pool.nodes.max = None)
    }),
    kind("pools.startup_seconds", |p| {
        pools(p, |pool| pool.startup_seconds = 0.0)
    }),
    kind("offerings.available_nodes", |p| {
        offerings(p, |offering| offering.available_nodes = None)
    }),
    kind("offerings.interruptions_per_hour", |p| {
        offerings(p, |offering| offering.interruptions_per_hour = Some(0.0))
    }),
    kind("daemonsets", |p| p.daemonsets.clear()),
    kind("current.nodes.foreign", |p| {
        nodes(p, |node| node.foreign.clear())
    }),
    kind("current.nodes.cordoned", |p| {
        nodes(p, |node| node.cordoned = false)
    }),
    kind("current.nodes.movable: false", |p| {
        nodes(p, |node| node.movable = true)
    }),
    kind("policy.budget_usd_per_hour", |p| {
        p.policy.budget_usd_per_hour = None
    }),
    kind("policy.max_moves", |p| p.policy.max_moves = None),
    kind("policy.caps.max_nodes", |p| {
        p.policy.caps.retain(|cap| cap.max_nodes.is_none())
    }),
    kind("policy.caps.max_cpu", |p| {
        p.policy.caps.retain(|cap| cap.max_cpu.is_none())
    }),
    kind("policy.caps.max_usd_per_hour", |p| {
        p.policy.caps.retain(|cap| cap.max_usd_per_hour.is_none())
    }),
    kind("policy.commitments", |p| p.policy.commitments.clear()),
    kind("horizon_hours", |p| p.horizon_hours = 1.0),
];

const fn kind(name: &'static str, without: fn(&mut ProblemFile)) -> Kind {
    Kind { name, without }
}

fn services(problem: &mut ProblemFile, change: fn(&mut Service)) {
    problem.services.iter_mut().for_each(change);
}

fn placements(problem: &mut ProblemFile, change: fn(&mut Placement)) {
    problem
        .services
        .iter_mut()
        .for_each(|service| change(&mut service.placement));
}

fn survive_less(problem: &mut ProblemFile, survive: Survive) {
    let placements = problem
        .services
        .iter_mut()
        .map(|service| &mut service.placement);
    let such = placements.filter(|placement| placement.survive == survive);
    such.for_each(|placement| placement.survive = Survive::None);
}

fn pools(problem: &mut ProblemFile, change: fn(&mut Pool)) {
    problem.pools.iter_mut().for_each(change);
}

fn offerings(problem: &mut ProblemFile, change: fn(&mut Offering)) {
    problem
        .pools
        .iter_mut()
        .flat_map(|pool| &mut pool.offerings)
        .for_each(change);
}

fn nodes(problem: &mut ProblemFile, change: fn(&mut CurrentNode)) {
    problem
        .current
        .iter_mut()
        .flat_map(|current| &mut current.nodes)
        .for_each(change);
}
