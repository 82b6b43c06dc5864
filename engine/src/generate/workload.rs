//! Services: how many replicas, how large, under which rules.

use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::market::Market;
use super::{AGENT, resources};
use crate::catalogue::InstanceType;
use crate::problem::{
    Capacity, Disruption, Load, Mode, Placement, Quantity, ReplicaBounds, Service, WorkloadKind,
};

/// Replicas that a service's load needs, fewest and most.
const REPLICAS: (u32, u32) = (3, 50);

/// Share of a node that a pod takes in the resource that binds, least and most.
const POD_SHARE: (f64, f64) = (0.02, 0.60);

/// Shares of services with zone rules, anti-affinity, a limit on spot, and images for arm64 as well.
const WITH_ZONE_RULES: f64 = 0.3;
const WITH_ANTI_AFFINITY: f64 = 0.2;
const WITH_SPOT_LIMIT: f64 = 0.2;
const WITH_ARM_IMAGE: f64 = 0.4;

/// Ratio of use to request that services are sized for.
const TARGET_UTILIZATION: f64 = 0.7;

/// Millicores that a request a second keeps busy.
const CPU_PER_RPS: [(f64, &str); 5] = [
    (0.5, "0.5m"),
    (1.0, "1m"),
    (2.0, "2m"),
    (5.0, "5m"),
    (12.0, "12m"),
];

/// A service, with what its placement is drawn from.
pub(super) struct Draft<'a> {
    pub(super) service: Service,
    /// Index of its cluster.
    pub(super) market: usize,
    /// The type whose nodes are bought for its pods now.
    pub(super) home: &'a InstanceType,
    pub(super) cpu_mcores: u64,
    pub(super) memory_bytes: u64,
    /// Replicas now.
    pub(super) now: u32,
}

/// Draws the services of a fleet, dealt out to the clusters in turn.
pub(super) fn draw<'a>(
    markets: &[Market<'a>],
    count: usize,
    random: &mut ChaCha8Rng,
) -> Vec<Draft<'a>> {
    let zone_rules = some(count, WITH_ZONE_RULES, random);
    let anti_affinity = some(count, WITH_ANTI_AFFINITY, random);
    let spot_limit = some(count, WITH_SPOT_LIMIT, random);
    let arm_image = some(count, WITH_ARM_IMAGE, random);
    let mut drafts: Vec<Draft> = Vec::new();
    for index in 0..count {
        let market = index % markets.len();
        let name = name(index, count);
        let mut draft = sized(&markets[market], market, name, random);
        let placement = &mut draft.service.placement;
        if zone_rules.contains(&index) {
            add_zone_rules(placement, markets[market].zones().len(), random);
        }
        if anti_affinity.contains(&index) {
            let others: Vec<&Draft> = drafts.iter().filter(|d| d.market == market).collect();
            let other = others.choose(random).filter(|_| random.random_bool(0.5));
            let name = other.map_or(&draft.service.name, |other| &other.service.name);
            placement.anti_affinity.push(name.clone());
        }
        if spot_limit.contains(&index) {
            placement.spot_share_max = 0.25 * f64::from(random.random_range(0..4_u8));
        }
        if arm_image.contains(&index) {
            placement.architectures.push("arm64".to_owned());
        }
        drafts.push(draft);
    }
    drafts
}

/// A share of the numbers below `count`, exact but for rounding.
fn some(count: usize, share: f64, random: &mut ChaCha8Rng) -> BTreeSet<usize> {
    let mut all: Vec<usize> = (0..count).collect();
    all.shuffle(random);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "counts are small"
    )]
    let chosen = (count as f64 * share).round() as usize;
    all.into_iter().take(chosen).collect()
}

/// Forty namespaces at most, about ten services each in fleets that are smaller.
fn name(index: usize, count: usize) -> String {
    let namespaces = count.div_ceil(10).min(40);
    format!("team-{:02}/service-{index:04}", index % namespaces)
}

fn sized<'a>(
    market: &Market<'a>,
    index: usize,
    name: String,
    random: &mut ChaCha8Rng,
) -> Draft<'a> {
    // A market has at least one offering, and so one usual type.
    let home = market.usual[random.random_range(0..market.usual.len())];
    let share = between(POD_SHARE.0, POD_SHARE.1, random);
    let other = share * random.random_range(0.3..1.0);
    let (of_cpu, of_memory) = if random.random_bool(0.5) {
        (share, other)
    } else {
        (other, share)
    };
    let cpu_mcores = part(home.allocatable.cpu_mcores.saturating_sub(AGENT.0), of_cpu).max(10);
    let memory = home.allocatable.memory_bytes.saturating_sub(AGENT.1);
    let memory_bytes = (part(memory, of_memory) >> 20).max(16) << 20;
    let needed = whole(between(
        f64::from(REPLICAS.0),
        f64::from(REPLICAS.1) + 0.99,
        random,
    ));
    let max = (2 * needed).min(REPLICAS.1);
    let now = whole(f64::from(needed) * random.random_range(0.8..1.4)).clamp(REPLICAS.0, max);
    let bounds = ReplicaBounds {
        min: REPLICAS.0,
        max,
        now: Some(now),
    };
    let (load, capacity) = demand(cpu_mcores, memory_bytes, needed, random);
    let service = Service {
        name,
        kind: WorkloadKind::Deployment,
        mode: Mode::Recommend,
        clusters: BTreeMap::from([(market.cluster_name().to_owned(), bounds)]),
        requests: resources(cpu_mcores, memory_bytes),
        load: Some(load),
        capacity: Some(capacity),
        slo: None,
        placement: Placement::default(),
        disruption: Disruption {
            max_unavailable: 1 + now / 5,
            usd_per_eviction: 0.001 * f64::from(random.random_range(1..=10_u8)),
        },
        ready_seconds: f64::from(random.random_range(1..=6_u8)) * 5.0,
        priority: 0,
    };
    Draft {
        service,
        market: index,
        home,
        cpu_mcores,
        memory_bytes,
        now,
    }
}

/// A load that takes exactly `needed` replicas at target utilisation, and how it keeps them busy.
fn demand(
    cpu_mcores: u64,
    memory_bytes: u64,
    needed: u32,
    random: &mut ChaCha8Rng,
) -> (Load, Capacity) {
    let (mcores_per_rps, cpu_per_rps) = CPU_PER_RPS[random.random_range(0..CPU_PER_RPS.len())];
    let idle_mcores = cpu_mcores / 20;
    #[allow(clippy::cast_precision_loss, reason = "millicores of a pod are few")]
    let busy_mcores = TARGET_UTILIZATION * cpu_mcores as f64 - idle_mcores as f64;
    // Between what one replica less and what so many carry.
    let rps = (f64::from(needed) - 0.4) * busy_mcores / mcores_per_rps;
    let capacity = Capacity {
        cpu_per_rps: Quantity(cpu_per_rps.to_owned()),
        idle_cpu: Quantity::from_milli(idle_mcores),
        memory_peak: Some(Quantity::from_units(((memory_bytes >> 20) * 9 / 10) << 20)),
        target_utilization: TARGET_UTILIZATION,
        concurrency: 1,
        service_time_ms: None,
    };
    let load = Load {
        rps: (rps * 10.0).round() / 10.0,
    };
    (load, capacity)
}

fn add_zone_rules(placement: &mut Placement, zones: usize, random: &mut ChaCha8Rng) {
    let zones = u32::try_from(zones).unwrap_or(u32::MAX);
    let kind = random.random_range(0..3_u8);
    if kind != 1 {
        placement.min_zones = random.random_range(2..=3).min(zones);
    }
    if kind != 0 {
        placement.max_skew = Some(random.random_range(1..=2));
    }
}

/// A number in the range, as likely to be in any stretch of equal ratio.
fn between(least: f64, most: f64, random: &mut ChaCha8Rng) -> f64 {
    least * (most / least).powf(random.random_range(0.0..1.0))
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "replicas are few"
)]
fn whole(replicas: f64) -> u32 {
    replicas.floor() as u32
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a node's size is far below 2⁵³"
)]
fn part(amount: u64, share: f64) -> u64 {
    (amount as f64 * share) as u64
}
