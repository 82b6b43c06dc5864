//! What runs now, as stock tools leave it: pods first where they fit, nodes bought when they fit nowhere, then a fall in load after
//! which emptied nodes go and half-empty ones stay unless their pods fit elsewhere.

use std::collections::BTreeMap;

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::AGENT;
use super::market::{Market, Offer};
use super::workload::Draft;
use crate::problem::{CapacityType, CurrentNode, Resources};

/// Replicas at the last peak over those now.
const PEAK: f64 = 1.25;

/// Probability that a node bought for a service without a limit on spot is a spot node.
const SPOT: f64 = 0.3;

/// Cluster Autoscaler gives a node back when less than this share of it is requested and its pods fit elsewhere.
/// <https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md> `--scale-down-utilization-threshold`
const SCALE_DOWN_UTILIZATION: f64 = 0.5;

struct Node<'a> {
    offer: Offer<'a>,
    market: usize,
    cpu_mcores: u64,
    memory_bytes: u64,
    free_pods: u64,
    /// Pods by index of the service.
    pods: BTreeMap<usize, u32>,
}

/// Nodes by cluster and zone, in the order in which they were bought.
type Zones<'a> = BTreeMap<(usize, &'static str), Vec<Node<'a>>>;

/// The nodes now.
pub(super) fn place(
    markets: &[Market<'_>],
    drafts: &[Draft<'_>],
    random: &mut ChaCha8Rng,
) -> Vec<CurrentNode> {
    let conflicts = conflicts(drafts);
    let mut order: Vec<usize> = (0..drafts.len()).collect();
    order.shuffle(random);
    let mut zones = Zones::new();
    for s in &order {
        fill(&mut zones, markets, drafts, *s, &conflicts, random);
    }
    for s in order {
        shrink(&mut zones, drafts, s, random);
    }
    for nodes in zones.values_mut() {
        give_back(nodes, drafts, &conflicts);
    }
    listed(markets, drafts, zones.into_values().flatten())
}

/// A service at its peak: pods in turn to each zone, as the scheduler spreads them by default, first where they fit.
fn fill<'a>(
    zones: &mut Zones<'a>,
    markets: &[Market<'a>],
    drafts: &[Draft<'a>],
    s: usize,
    conflicts: &[Vec<usize>],
    random: &mut ChaCha8Rng,
) {
    let draft = &drafts[s];
    let market = &markets[draft.market];
    for zone in market.zones().into_iter().cycle().take(peak(draft.now)) {
        let nodes = zones.entry((draft.market, zone)).or_default();
        let fit = nodes
            .iter()
            .position(|node| node.accepts(s, draft, conflicts));
        let index = fit.unwrap_or_else(|| {
            nodes.push(bought(market, draft, zone, random));
            nodes.len() - 1
        });
        nodes[index].add(s, draft);
    }
}

/// A service after its peak: pods leave nodes drawn at random until as many are left as run now.
fn shrink(zones: &mut Zones<'_>, drafts: &[Draft<'_>], s: usize, random: &mut ChaCha8Rng) {
    let draft = &drafts[s];
    let mut nodes: Vec<&mut Node> = zones
        .iter_mut()
        .filter(|((market, _), _)| *market == draft.market)
        .flat_map(|(_, nodes)| nodes)
        .filter(|node| node.pods.contains_key(&s))
        .collect();
    for _ in draft.now as usize..peak(draft.now) {
        let index = random.random_range(0..nodes.len());
        nodes[index].remove(s, draft);
        if !nodes[index].pods.contains_key(&s) {
            nodes.swap_remove(index);
        }
    }
}

/// Replicas at the last peak.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "replicas are few"
)]
fn peak(now: u32) -> usize {
    (f64::from(now) * PEAK).round() as usize
}

/// For each service, those that may not share a node with it, itself included where it says so.
fn conflicts(drafts: &[Draft<'_>]) -> Vec<Vec<usize>> {
    let index: BTreeMap<&str, usize> = drafts
        .iter()
        .enumerate()
        .map(|(s, draft)| (draft.service.name.as_str(), s))
        .collect();
    let mut conflicts = vec![Vec::new(); drafts.len()];
    for (s, draft) in drafts.iter().enumerate() {
        for other in &draft.service.placement.anti_affinity {
            if let Some(other) = index.get(other.as_str()) {
                conflicts[s].push(*other);
                conflicts[*other].push(s);
            }
        }
    }
    conflicts
}

/// A new node of the service's usual type: spot now and then, where the service has no limit on it.
fn bought<'a>(
    market: &Market<'a>,
    draft: &Draft<'a>,
    zone: &'static str,
    random: &mut ChaCha8Rng,
) -> Node<'a> {
    let spot = Offer {
        kind: draft.home,
        zone,
        capacity_type: CapacityType::Spot,
    };
    let is_spot = tolerates_spot(draft) && random.random_bool(SPOT) && market.sells(&spot);
    let offer = if is_spot {
        spot
    } else {
        Offer {
            capacity_type: CapacityType::OnDemand,
            ..spot
        }
    };
    let size = draft.home.allocatable;
    Node {
        offer,
        market: draft.market,
        cpu_mcores: size.cpu_mcores.saturating_sub(AGENT.0),
        memory_bytes: size.memory_bytes.saturating_sub(AGENT.1),
        free_pods: size.pods.saturating_sub(1),
        pods: BTreeMap::new(),
    }
}

/// Stock tools keep a service with a limit on spot off it altogether.
fn tolerates_spot(draft: &Draft<'_>) -> bool {
    draft.service.placement.spot_share_max >= 1.0
}

impl Node<'_> {
    fn accepts(&self, s: usize, draft: &Draft<'_>, conflicts: &[Vec<usize>]) -> bool {
        self.cpu_mcores >= draft.cpu_mcores
            && self.memory_bytes >= draft.memory_bytes
            && self.free_pods > 0
            && (self.offer.capacity_type == CapacityType::OnDemand || tolerates_spot(draft))
            && !conflicts[s]
                .iter()
                .any(|other| self.pods.contains_key(other))
    }

    fn add(&mut self, s: usize, draft: &Draft<'_>) {
        self.cpu_mcores -= draft.cpu_mcores;
        self.memory_bytes -= draft.memory_bytes;
        self.free_pods -= 1;
        *self.pods.entry(s).or_default() += 1;
    }

    fn remove(&mut self, s: usize, draft: &Draft<'_>) {
        self.cpu_mcores += draft.cpu_mcores;
        self.memory_bytes += draft.memory_bytes;
        self.free_pods += 1;
        let left = self.pods.get(&s).map_or(0, |count| count - 1);
        if left == 0 {
            self.pods.remove(&s);
        } else {
            self.pods.insert(s, left);
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a node's size is far below 2⁵³")]
    fn utilization(&self) -> f64 {
        let of = |free: u64, all: u64| 1.0 - free as f64 / all.max(1) as f64;
        let size = self.offer.kind.allocatable;
        of(self.cpu_mcores, size.cpu_mcores).max(of(self.memory_bytes, size.memory_bytes))
    }
}

/// Removes empty nodes, and half-empty ones whose pods fit on the others.
fn give_back(nodes: &mut Vec<Node<'_>>, drafts: &[Draft<'_>], conflicts: &[Vec<usize>]) {
    nodes.retain(|node| !node.pods.is_empty());
    let mut index = 0;
    while index < nodes.len() {
        if nodes[index].utilization() >= SCALE_DOWN_UTILIZATION {
            index += 1;
            continue;
        }
        let gone = nodes.remove(index);
        let pods = gone.pods.iter().flat_map(|(s, n)| (0..*n).map(|_| *s));
        let mut moved: Vec<(usize, usize)> = Vec::new();
        for s in pods {
            let Some(to) = nodes
                .iter()
                .position(|node| node.accepts(s, &drafts[s], conflicts))
            else {
                break;
            };
            nodes[to].add(s, &drafts[s]);
            moved.push((to, s));
        }
        let count: u32 = gone.pods.values().sum();
        if moved.len() < count as usize {
            for (to, s) in moved {
                nodes[to].remove(s, &drafts[s]);
            }
            nodes.insert(index, gone);
            index += 1;
        }
    }
}

fn listed<'a>(
    markets: &[Market<'_>],
    drafts: &[Draft<'_>],
    nodes: impl Iterator<Item = Node<'a>>,
) -> Vec<CurrentNode> {
    let mut numbers = vec![0; markets.len()];
    nodes
        .map(|node| {
            let market = &markets[node.market];
            numbers[node.market] += 1;
            let named = |(s, count): (&usize, &u32)| (drafts[*s].service.name.clone(), *count);
            CurrentNode {
                name: format!("{}-{:04}", market.cluster_name(), numbers[node.market]),
                pool: market.pool_of(node.offer.kind),
                offering: node.offer.offering().name(),
                pods: node.pods.iter().map(named).collect(),
                foreign: Resources::new(),
                cordoned: false,
                movable: true,
                reason: None,
            }
        })
        .collect()
}
