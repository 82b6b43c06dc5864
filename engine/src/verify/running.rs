//! What runs while a plan is carried out, and the rules of every step.

mod limits;
mod pods;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::fleet::Fleet;
use crate::placement::{Group, Placement};
use crate::plan::{After, Change, NodeGroup, Step};

/// Pods by node name.
type Pods = BTreeMap<String, u32>;

struct Node {
    class: usize,
    pods: Vec<u32>,
    /// Place in the one order of names: existing nodes as the classes name them, then new ones by number.
    rank: (bool, usize),
}

/// The nodes that run between two steps, with their pods.
pub(super) struct Running<'a> {
    fleet: &'a Fleet,
    nodes: BTreeMap<String, Node>,
    /// How many there are, by offering.
    by_offering: Vec<u32>,
    /// Pods of all services on all nodes.
    pods: u64,
    /// Numbers of the new nodes ordered so far, by offering.
    ordered: BTreeMap<usize, BTreeSet<u32>>,
    /// Size of one pod of each service at the planned total.
    sizes: Vec<Vec<u64>>,
    /// Fewest pods of each service at any time.
    fewest: Vec<u32>,
}

/// Pods of one service that leave and arrive in a step.
struct Shift<'a> {
    service: usize,
    from: &'a Pods,
    onto: &'a Pods,
}

impl<'a> Running<'a> {
    /// What runs now.
    pub(super) fn new(fleet: &'a Fleet, planned: &Placement) -> Self {
        let classes = fleet.classes.iter().enumerate();
        let named = classes.flat_map(|(class, details)| {
            details.names.iter().map(move |name| (class, details, name))
        });
        let (mut by_offering, mut pods) = (vec![0; fleet.offerings.len()], 0);
        let nodes = named.enumerate().map(|(index, (class, details, name))| {
            by_offering[details.offering] += 1;
            pods += details.now.iter().map(|now| u64::from(*now)).sum::<u64>();
            (
                name.clone(),
                Node {
                    class,
                    pods: details.now.clone(),
                    rank: (false, index),
                },
            )
        });
        let replicas = planned.counts(fleet).replicas;
        let fewest = |s: usize| {
            let kept = fleet.services[s].placed_now.min(replicas[s]);
            kept.saturating_sub(fleet.problem.services[s].disruption.max_unavailable)
        };
        Self {
            fleet,
            nodes: nodes.collect(),
            by_offering,
            pods,
            ordered: BTreeMap::new(),
            sizes: fleet
                .services
                .iter()
                .enumerate()
                .map(|(s, service)| service.pod_size(replicas[s]))
                .collect(),
            fewest: (0..fleet.services.len()).map(fewest).collect(),
        }
    }

    /// Takes a step.
    ///
    /// # Errors
    ///
    /// The rule that it breaks, or what it states wrongly.
    pub(super) fn take(&mut self, step: &Step) -> Result<(), String> {
        let seconds = match &step.change {
            Change::NodesUp {
                pool,
                offering,
                nodes,
            } => self.nodes_up(pool, offering, nodes)?,
            Change::NodesDown {
                pool,
                offering,
                nodes,
            } => self.nodes_down(pool, offering, nodes)?,
            Change::ReplicasUp {
                service,
                cluster,
                onto,
            } => self.replicas_up(service, cluster, onto)?,
            Change::ReplicasDown {
                service,
                cluster,
                from,
            } => self.replicas_down(service, cluster, from)?,
            Change::Move {
                service,
                from,
                onto,
            } => self.moves(&[(service, from, onto)])?,
            Change::Exchange { moves } => {
                let moves: Vec<_> = moves
                    .iter()
                    .map(|part| (&part.service, &part.from, &part.onto))
                    .collect();
                self.moves(&moves)?
            }
        };
        if step.seconds != seconds {
            return Err(format!(
                "takes {seconds} seconds, {} are stated",
                step.seconds
            ));
        }
        let after = self.totals();
        if step.after == after {
            Ok(())
        } else {
            Err(format!("{:?} is stated, {after:?} is right", step.after))
        }
    }

    /// In what the running nodes differ from the planned ones.
    pub(super) fn differences(&self, planned: &[NodeGroup], placement: &Placement) -> Vec<String> {
        let mut messages = Vec::new();
        for group in planned {
            let by_name = |pods: &[u32]| -> Pods {
                let services = self.fleet.services.iter().zip(pods);
                services
                    .filter(|(_, count)| **count > 0)
                    .map(|(service, count)| (service.name.clone(), *count))
                    .collect()
            };
            let differs = |name: &&String| {
                self.nodes
                    .get(*name)
                    .is_none_or(|node| by_name(&node.pods) != group.pods)
            };
            messages.extend(
                group
                    .names
                    .iter()
                    .filter(differs)
                    .map(|name| format!("{name} does not end as planned")),
            );
        }
        let groups = self.nodes.values().map(|node| Group {
            class: node.class,
            count: 1,
            pods: node.pods.clone(),
        });
        if messages.is_empty()
            && (Placement {
                groups: groups.collect(),
            })
            .normalized()
                != *placement
        {
            messages.push("do not end with the planned nodes".to_owned());
        }
        for (offering, numbers) in &self.ordered {
            if numbers.last().copied().unwrap_or(0) as usize != numbers.len() {
                messages.push(format!(
                    "the new nodes of {} are not numbered from 1",
                    self.fleet.offering_name(*offering)
                ));
            }
        }
        messages
    }

    fn nodes_up(&mut self, pool: &str, offering: &str, names: &[String]) -> Result<f64, String> {
        let index = self.offering(pool, offering)?;
        let before = self.by_offering.clone();
        let prefix = format!("new/{}/", self.fleet.offering_name(index));
        for name in names {
            let number = name.strip_prefix(&prefix).and_then(|number| {
                number
                    .parse::<u32>()
                    .ok()
                    .filter(|n| n.to_string() == number)
            });
            let number = number
                .filter(|number| *number > 0)
                .ok_or_else(|| format!("{name} is not named {prefix} and a number from 1"))?;
            let is_fresh = self.ordered.entry(index).or_default().insert(number);
            let node = Node {
                class: index,
                pods: vec![0; self.fleet.services.len()],
                rank: (true, number as usize),
            };
            if !is_fresh || self.nodes.insert(name.clone(), node).is_some() {
                return Err(format!("{name} was there before"));
            }
            self.by_offering[index] += 1;
        }
        self.something(names.is_empty())?;
        self.in_order(names)?;
        limits::hold(self.fleet, &before, &self.by_offering)?;
        Ok(self.fleet.problem.pools[self.fleet.offerings[index].pool].startup_seconds)
    }

    fn nodes_down(&mut self, pool: &str, offering: &str, names: &[String]) -> Result<f64, String> {
        let index = self.offering(pool, offering)?;
        let before = self.by_offering.clone();
        self.in_order(names)?;
        for name in names {
            let node = self
                .nodes
                .remove(name)
                .ok_or_else(|| format!("no node is named {name}"))?;
            let class = &self.fleet.classes[node.class];
            if class.offering != index {
                return Err(format!("{name} is of another offering"));
            }
            if class.kept {
                return Err(format!("{name} holds pods that must stay"));
            }
            if node.pods.iter().any(|pods| *pods > 0) {
                return Err(format!("{name} still holds pods"));
            }
            self.by_offering[index] -= 1;
        }
        self.something(names.is_empty())?;
        limits::hold(self.fleet, &before, &self.by_offering)?;
        Ok(0.0)
    }

    fn replicas_up(&mut self, service: &str, cluster: &str, onto: &Pods) -> Result<f64, String> {
        let service = self.service(service)?;
        self.in_cluster(cluster, onto)?;
        self.shift(&[Shift {
            service,
            from: &Pods::new(),
            onto,
        }])?;
        Ok(self.fleet.problem.services[service].ready_seconds)
    }

    fn replicas_down(&mut self, service: &str, cluster: &str, from: &Pods) -> Result<f64, String> {
        let service = self.service(service)?;
        self.in_cluster(cluster, from)?;
        self.shift(&[Shift {
            service,
            from,
            onto: &Pods::new(),
        }])?;
        Ok(0.0)
    }

    /// Moves of pods at the same time, each service within its disruption budget and its cluster.
    fn moves(&mut self, moves: &[(&String, &Pods, &Pods)]) -> Result<f64, String> {
        let mut shifts: Vec<Shift<'_>> = Vec::new();
        let mut seconds: f64 = 0.0;
        for (name, from, onto) in moves {
            let service = self.service(name)?;
            if shifts
                .last()
                .is_some_and(|before| before.service >= service)
            {
                return Err(format!(
                    "{name} stands there twice, or before a service that the problem names first"
                ));
            }
            self.disruption(service, from, onto)?;
            seconds = seconds.max(self.fleet.problem.services[service].ready_seconds);
            shifts.push(Shift {
                service,
                from,
                onto,
            });
        }
        self.shift(&shifts)?;
        Ok(seconds)
    }

    /// Whether so many pods of a service may be moved at a time.
    fn disruption(&self, service: usize, from: &Pods, onto: &Pods) -> Result<(), String> {
        let name = &self.fleet.services[service].name;
        let leaving = total(from);
        if leaving != total(onto) {
            return Err(format!(
                "{leaving} pods of {name} leave, {} arrive",
                total(onto)
            ));
        }
        let allowed = u64::from(
            self.fleet.problem.services[service]
                .disruption
                .max_unavailable
                .max(1),
        );
        if self.fleet.services[service].unmovable || leaving > allowed {
            return Err(format!(
                "{leaving} pods of {name} move at a time, more than its disruption budget allows"
            ));
        }
        if let Some(node) = from.keys().find(|node| onto.contains_key(*node)) {
            return Err(format!("pods of {name} leave {node} and arrive there"));
        }
        let clusters: BTreeSet<Option<usize>> = from
            .keys()
            .chain(onto.keys())
            .map(|node| self.cluster(node))
            .collect();
        if clusters.len() > 1 {
            Err(format!("pods of {name} move from one cluster to another"))
        } else {
            Ok(())
        }
    }

    /// Lets pods leave, then arrive, and checks the nodes and services concerned.
    fn shift(&mut self, shifts: &[Shift<'_>]) -> Result<(), String> {
        self.something(
            shifts.is_empty()
                || shifts
                    .iter()
                    .any(|shift| total(shift.from) + total(shift.onto) == 0),
        )?;
        for Shift {
            service,
            from,
            onto,
        } in shifts
        {
            for (name, count) in *from {
                self.add(name, *service, *count, |pods, count| {
                    pods.checked_sub(count)
                })?;
                self.pods -= u64::from(*count);
            }
            for (name, count) in *onto {
                self.add(name, *service, *count, |pods, count| {
                    pods.checked_add(count).filter(|sum| *sum <= 1_000_000)
                })?;
                self.pods += u64::from(*count);
            }
        }
        for Shift {
            service,
            from,
            onto,
        } in shifts
        {
            from.keys()
                .try_for_each(|name| self.pinned(name, *service))?;
            onto.keys()
                .try_for_each(|name| self.received(name, *service))?;
            self.enough(*service)?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        name: &str,
        service: usize,
        count: u32,
        sum: impl Fn(u32, u32) -> Option<u32>,
    ) -> Result<(), String> {
        let node = self
            .nodes
            .get_mut(name)
            .ok_or_else(|| format!("no node is named {name}"))?;
        if count == 0 {
            return Err(format!("0 pods on {name}"));
        }
        node.pods[service] = sum(node.pods[service], count)
            .ok_or_else(|| format!("{count} pods on {name} are out of range"))?;
        Ok(())
    }

    fn totals(&self) -> After {
        let nodes = &self.by_offering;
        let prices = self.fleet.offerings.iter().zip(nodes);
        After {
            nodes: nodes.iter().sum(),
            pods: u32::try_from(self.pods).unwrap_or(u32::MAX),
            nodes_usd_per_hour: prices.fold(0.0, |sum, (offering, nodes)| {
                sum + offering.usd_per_hour * f64::from(*nodes)
            }),
        }
    }

    fn cluster(&self, node: &str) -> Option<usize> {
        self.nodes
            .get(node)
            .map(|node| self.fleet.offering_of(node.class).cluster)
    }

    fn in_cluster(&self, cluster: &str, pods: &Pods) -> Result<(), String> {
        let index = self
            .fleet
            .problem
            .clusters
            .iter()
            .position(|known| known.name == cluster);
        let index = index.ok_or_else(|| format!("no cluster is named {cluster}"))?;
        match pods.keys().find(|node| self.cluster(node) != Some(index)) {
            Some(node) => Err(format!("{node} is not in {cluster}")),
            None => Ok(()),
        }
    }

    fn service(&self, name: &str) -> Result<usize, String> {
        self.fleet
            .services
            .iter()
            .position(|service| service.name == name)
            .ok_or_else(|| format!("no service is named {name}"))
    }

    fn offering(&self, pool: &str, name: &str) -> Result<usize, String> {
        let found = self
            .fleet
            .offerings
            .iter()
            .position(|o| o.name == name && self.fleet.problem.pools[o.pool].name == pool);
        found.ok_or_else(|| format!("pool {pool} has no offering {name}"))
    }

    /// Nodes of a step stand in one order, so that no two files say the same.
    fn in_order(&self, names: &[String]) -> Result<(), String> {
        let rank = |name: &String| self.nodes.get(name).map(|node| node.rank);
        match names
            .windows(2)
            .find(|pair| rank(&pair[0]) >= rank(&pair[1]))
        {
            Some(pair) => Err(format!("{} stands before {}", pair[0], pair[1])),
            None => Ok(()),
        }
    }

    fn something(&self, nothing: bool) -> Result<(), String> {
        if nothing {
            Err("changes nothing".to_owned())
        } else {
            Ok(())
        }
    }
}

fn total(pods: &Pods) -> u64 {
    pods.values().map(|count| u64::from(*count)).sum()
}
