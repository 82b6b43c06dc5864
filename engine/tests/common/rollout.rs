//! Carries steps out on paper and checks what must hold after each; shares no code with what makes them.

use std::collections::BTreeMap;

use ketscale_engine::fleet::Fleet;
use ketscale_engine::placement::Placement;
use ketscale_engine::plan::{Change, Exchange, Step};

/// Nodes by name: class and pods.
type Nodes = BTreeMap<String, (usize, Vec<u32>)>;

/// Checks every step, and that the last one ends in the placement.
pub(crate) fn check(fleet: &Fleet, placement: &Placement, steps: &[Step]) -> Result<(), String> {
    let mut rollout = Rollout {
        fleet,
        placement,
        nodes: start(fleet),
        touched: Vec::new(),
    };
    for (index, step) in steps.iter().enumerate() {
        let before = rollout.nodes.clone();
        rollout.apply(&step.change)?;
        rollout
            .check(&before, step)
            .map_err(|fault| format!("step {index} {:?}: {fault}", step.change))?;
    }
    let mut ended: Vec<(usize, Vec<u32>)> = rollout.nodes.into_values().collect();
    let goal = placement
        .groups
        .iter()
        .flat_map(|g| (0..g.count).map(|_| (g.class, g.pods.clone())));
    let mut goal: Vec<(usize, Vec<u32>)> = goal.collect();
    ended.sort();
    goal.sort();
    if ended == goal {
        Ok(())
    } else {
        Err(format!("ends in {ended:?}, planned is {goal:?}"))
    }
}

fn start(fleet: &Fleet) -> Nodes {
    let existing = fleet.classes.iter().enumerate();
    existing
        .flat_map(|(c, class)| {
            class
                .names
                .iter()
                .map(move |n| (n.clone(), (c, class.now.clone())))
        })
        .collect()
}

struct Rollout<'a> {
    fleet: &'a Fleet,
    placement: &'a Placement,
    nodes: Nodes,
    /// Nodes that received pods in the step at hand.
    touched: Vec<String>,
}

impl Rollout<'_> {
    fn service(&self, name: &str) -> Result<usize, String> {
        self.fleet
            .services
            .iter()
            .position(|s| s.name == name)
            .ok_or_else(|| format!("no service {name}"))
    }

    fn budget(&self, s: usize) -> u32 {
        self.fleet.problem.services[s]
            .disruption
            .max_unavailable
            .max(1)
    }

    fn apply(&mut self, change: &Change) -> Result<(), String> {
        self.touched.clear();
        match change {
            Change::NodesUp {
                pool,
                offering,
                nodes,
            } => nodes
                .iter()
                .try_for_each(|node| self.up(pool, offering, node)),
            Change::NodesDown { nodes, .. } => nodes.iter().try_for_each(|node| self.down(node)),
            Change::ReplicasUp {
                service,
                cluster,
                onto,
            } => {
                self.in_cluster(cluster, onto)?;
                self.arrive(self.service(service)?, onto)
            }
            Change::ReplicasDown {
                service,
                cluster,
                from,
            } => {
                self.in_cluster(cluster, from)?;
                self.leave(self.service(service)?, from)
            }
            Change::Move {
                service,
                from,
                onto,
            } => {
                let s = self.service(service)?;
                self.within_budget(s, from, onto)?;
                self.arrive(s, onto)?;
                let (fit, why) = (
                    self.touched.iter().all(|node| self.fits(node)),
                    "must fit before the others leave",
                );
                self.leave(s, from)?;
                if fit { Ok(()) } else { Err(why.to_owned()) }
            }
            Change::Exchange { moves } => moves.iter().try_for_each(|part| self.exchange(part)),
        }
    }

    fn exchange(&mut self, part: &Exchange) -> Result<(), String> {
        let s = self.service(&part.service)?;
        self.within_budget(s, &part.from, &part.onto)?;
        self.leave(s, &part.from)?;
        self.arrive(s, &part.onto)
    }

    fn within_budget(
        &self,
        s: usize,
        from: &BTreeMap<String, u32>,
        onto: &BTreeMap<String, u32>,
    ) -> Result<(), String> {
        let (gone, come): (u32, u32) = (from.values().sum(), onto.values().sum());
        if gone == 0
            || gone != come
            || gone > self.budget(s)
            || from.keys().any(|node| onto.contains_key(node))
        {
            return Err(format!(
                "{gone} leave and {come} arrive, budget {}",
                self.budget(s)
            ));
        }
        Ok(())
    }

    fn up(&mut self, pool: &str, offering: &str, node: &str) -> Result<(), String> {
        let wanted = |o: &ketscale_engine::fleet::Offering| {
            self.fleet.problem.pools[o.pool].name == pool && o.name == offering
        };
        let class = self
            .fleet
            .offerings
            .iter()
            .position(wanted)
            .ok_or("no such offering")?;
        let none = vec![0; self.fleet.services.len()];
        if !node.starts_with(&format!("new/{pool}/{offering}/"))
            || self.nodes.insert(node.to_owned(), (class, none)).is_some()
        {
            return Err(format!("{node} cannot come up"));
        }
        let counts = self.counts();
        for limit in self
            .fleet
            .limits
            .iter()
            .filter(|l| !l.at_least && l.coefficients[class] > 0.0)
        {
            let each = counts
                .iter()
                .zip(&limit.coefficients)
                .flat_map(|(n, c)| vec![*c; *n as usize]);
            let mut each: Vec<f64> = each.collect();
            each.sort_by(|a, b| b.total_cmp(a));
            let sum: f64 = each
                .iter()
                .skip(self.fleet.problem.policy.surge.nodes as usize)
                .sum();
            if sum > limit.limit + 1e-6 {
                return Err(format!(
                    "{}: {sum} beside the surge, at most {}",
                    limit.name, limit.limit
                ));
            }
        }
        Ok(())
    }

    fn down(&mut self, node: &str) -> Result<(), String> {
        let Some((class, pods)) = self.nodes.remove(node) else {
            return Err(format!("no node {node}"));
        };
        if self.fleet.classes[class].kept || pods.iter().any(|pods| *pods > 0) {
            return Err(format!("{node} has pods or must stay"));
        }
        let counts = self.counts();
        for limit in self.fleet.limits.iter().filter(|l| l.at_least) {
            let sum: f64 = limit
                .coefficients
                .iter()
                .zip(&counts)
                .map(|(c, n)| c * f64::from(*n))
                .sum();
            let concerned = limit.coefficients[self.fleet.classes[class].offering] > 0.0;
            if concerned && sum < limit.limit {
                return Err(format!(
                    "{}: {sum} nodes, at least {}",
                    limit.name, limit.limit
                ));
            }
        }
        Ok(())
    }

    fn in_cluster(&self, cluster: &str, pods: &BTreeMap<String, u32>) -> Result<(), String> {
        let name = |node: &String| {
            let (class, _) = self.nodes.get(node)?;
            Some(&self.fleet.problem.clusters[self.fleet.offering_of(*class).cluster].name)
        };
        if pods
            .keys()
            .all(|node| name(node).is_some_and(|name| name == cluster))
        {
            Ok(())
        } else {
            Err("another cluster".into())
        }
    }

    fn arrive(&mut self, s: usize, onto: &BTreeMap<String, u32>) -> Result<(), String> {
        for (node, count) in onto {
            let (_, pods) = self
                .nodes
                .get_mut(node)
                .ok_or_else(|| format!("no node {node}"))?;
            pods[s] += count;
            self.touched.push(node.clone());
        }
        Ok(())
    }

    fn leave(&mut self, s: usize, from: &BTreeMap<String, u32>) -> Result<(), String> {
        for (node, count) in from {
            let (class, pods) = self
                .nodes
                .get_mut(node)
                .ok_or_else(|| format!("no node {node}"))?;
            pods[s] = pods[s]
                .checked_sub(*count)
                .ok_or_else(|| format!("{node} has fewer"))?;
            if pods[s] < self.fleet.classes[*class].pinned[s] {
                return Err(format!("pods must stay on {node}"));
            }
        }
        Ok(())
    }

    fn fits(&self, node: &str) -> bool {
        let (class, pods) = &self.nodes[node];
        let class = &self.fleet.classes[*class];
        let taken = |k: usize| -> u64 {
            let size = |s: usize| self.fleet.services[s].pod_size(self.placement.replicas(s))[k];
            pods.iter()
                .enumerate()
                .map(|(s, count)| size(s) * u64::from(*count))
                .sum()
        };
        (0..class.capacity.len()).all(|k| taken(k) <= class.capacity[k])
    }

    fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.fleet.offerings.len()];
        self.nodes
            .values()
            .for_each(|(class, _)| counts[self.fleet.classes[*class].offering] += 1);
        counts
    }

    fn check(&self, before: &Nodes, step: &Step) -> Result<(), String> {
        for node in &self.touched {
            let (class, pods) = &self.nodes[node];
            let arrived = |s: usize| pods[s] > before[node].1[s];
            for (s, service) in self
                .fleet
                .services
                .iter()
                .enumerate()
                .filter(|(s, _)| arrived(*s))
            {
                if pods[s] > self.fleet.classes[*class].most[s]
                    || service.conflicts.iter().any(|other| pods[*other] > 0)
                {
                    return Err(format!("{} may not be on {node}: {pods:?}", service.name));
                }
            }
            if !self.fits(node) {
                return Err(format!("{node} is too full: {pods:?}"));
            }
        }
        for (s, service) in self.fleet.services.iter().enumerate() {
            let pods: u32 = self.nodes.values().map(|(_, pods)| pods[s]).sum();
            let least = service.placed_now.min(self.placement.replicas(s));
            if pods
                < least.saturating_sub(self.fleet.problem.services[s].disruption.max_unavailable)
            {
                return Err(format!("{pods} pods of {}", service.name));
            }
        }
        let counts = self.counts();
        let pods: u32 = self
            .nodes
            .values()
            .map(|(_, pods)| pods.iter().sum::<u32>())
            .sum();
        let price: f64 = counts
            .iter()
            .zip(&self.fleet.offerings)
            .fold(0.0, |sum, (n, o)| sum + f64::from(*n) * o.usd_per_hour);
        let after = &step.after;
        let same = after.nodes == counts.iter().sum::<u32>() && after.pods == pods;
        if same && after.nodes_usd_per_hour.to_bits() == price.to_bits() {
            Ok(())
        } else {
            Err(format!("{after:?}"))
        }
    }
}
