//! The bound of `docs/decisions/bound.md`, term by term in plain arithmetic, every subproblem by trying everything.

// Each test target that includes this file uses its own part of it.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)]

use ketscale_engine::fleet::{Class, Fleet, Service};
use ketscale_engine::plan::Leaf;
use ketscale_engine::problem::Survive;

/// L(u) of a leaf with the problem's prices, and the sum of its terms' sizes.
pub fn plain_bound(fleet: &Fleet, leaf: &Leaf) -> (f64, f64) {
    let plain = Plain { fleet, leaf };
    let Some(highest) = fleet
        .services
        .iter()
        .map(|s| plain.totals(s).last().copied())
        .collect::<Option<Vec<u32>>>()
    else {
        return (f64::INFINITY, 0.0);
    };
    let mut terms = plain.constants();
    terms.extend((0..fleet.services.len()).map(|s| plain.service(s)));
    terms.extend(
        fleet
            .classes
            .iter()
            .map(|class| plain.class(class, &highest)),
    );
    (
        terms.iter().sum(),
        terms.iter().map(|term| term.abs()).sum(),
    )
}

struct Plain<'a> {
    fleet: &'a Fleet,
    leaf: &'a Leaf,
}

impl Plain<'_> {
    fn dual(&self, name: &str) -> f64 {
        self.leaf.duals.get(name).copied().unwrap_or(0.0)
    }

    /// Decisions on nodes: row name, offering or all, at least, number.
    fn node_decisions(&self) -> Vec<(String, Option<usize>, bool, f64)> {
        let mut decisions = Vec::new();
        for branch in self
            .leaf
            .branches
            .iter()
            .filter(|branch| branch.on.starts_with("nodes"))
        {
            let offering = (0..self.fleet.offerings.len())
                .find(|o| branch.on == format!("nodes/{}", self.fleet.offering_name(*o)));
            let side = if branch.at_least.is_some() {
                "at_least"
            } else {
                "at_most"
            };
            let number = branch.at_least.or(branch.at_most).unwrap();
            decisions.push((
                format!("{side}/{}", branch.on),
                offering,
                branch.at_least.is_some(),
                f64::from(number),
            ));
        }
        decisions
    }

    fn totals(&self, service: &Service) -> Vec<u32> {
        let on = format!("replicas/{}", service.name);
        let keeps = |r: u32| {
            let here = self.leaf.branches.iter().filter(|branch| branch.on == on);
            here.into_iter().all(|branch| {
                branch.at_most.is_none_or(|m| r <= m) && branch.at_least.is_none_or(|m| r >= m)
            })
        };
        service
            .admissible()
            .map(|level| level.replicas)
            .filter(|r| keeps(*r))
            .collect()
    }

    fn usd(&self) -> f64 {
        1.0 + self.dual("budget")
    }

    fn move_price(&self, service: &Service) -> f64 {
        service.move_usd_per_hour
            + self.dual("max_moves")
            + self.dual(&format!("no_moves/{}", service.name))
    }

    fn constants(&self) -> Vec<f64> {
        let mut terms = Vec::new();
        for limit in &self.fleet.limits {
            let sign = if limit.at_least { 1.0 } else { -1.0 };
            terms.push(sign * self.dual(&limit.name) * limit.limit);
        }
        for (name, _, at_least, number) in self.node_decisions() {
            terms.push(if at_least { 1.0 } else { -1.0 } * self.dual(&name) * number);
        }
        terms.push(-self.dual("budget") * self.fleet.budget_usd_per_hour().unwrap_or(0.0));
        terms.push(-self.dual("max_moves") * f64::from(self.fleet.max_moves().unwrap_or(0)));
        for commitment in &self.fleet.commitments {
            terms.push(commitment.usd_per_hour * f64::from(commitment.nodes) * self.usd());
            let t = self.dual(&format!(
                "commitment/{}",
                self.fleet.offering_name(commitment.offering)
            ));
            let saved = self.fleet.offerings[commitment.offering].usd_per_hour
                - commitment.used_usd_per_hour;
            terms.push((f64::from(commitment.nodes) * (t - saved * self.usd())).min(0.0));
        }
        terms
    }

    fn service(&self, s: usize) -> f64 {
        let service = &self.fleet.services[s];
        let spot = self.dual(&format!("spot_share/{}", service.name));
        let cell_price = |cell: usize| {
            let u = self.dual(&format!(
                "pods/{}/{}",
                service.name,
                self.fleet.cell_name(cell)
            ));
            if cell % 2 == 1 { u + spot } else { u }
        };
        let mut zones: Vec<usize> = service.cells.iter().map(|cell| cell / 2).collect();
        zones.dedup();
        let price = |zone: usize| {
            service
                .cells
                .iter()
                .filter(|c| **c / 2 == zone)
                .map(|c| cell_price(*c))
                .fold(f64::INFINITY, f64::min)
        };
        let prices: Vec<f64> = zones.iter().map(|zone| price(*zone)).collect();
        let mut least = f64::INFINITY;
        for total in self.totals(service) {
            let own = service.level(total).slo_usd_per_hour
                + self.move_price(service) * f64::from(service.placed_now.min(total))
                - spot * f64::from(service.spot_limit(total));
            each_split(total, zones.len(), &mut |pods| {
                if self.keeps_own_rules(service, total, &zones, pods) {
                    least = least.min(
                        own + pods
                            .iter()
                            .zip(&prices)
                            .map(|(n, price)| f64::from(*n) * price)
                            .sum::<f64>(),
                    );
                }
            });
        }
        least
    }

    fn keeps_own_rules(
        &self,
        service: &Service,
        total: u32,
        zones: &[usize],
        pods: &[u32],
    ) -> bool {
        let in_zone = |zone: usize| {
            zones
                .iter()
                .position(|z| *z == zone)
                .map_or(0, |index| pods[index])
        };
        let unit = service.failure_limit(total);
        let all_zones = 0..self.fleet.zones.len();
        let zones_keep = all_zones.clone().all(|zone| {
            let existing = self
                .fleet
                .classes
                .iter()
                .filter(|c| c.is_existing() && self.fleet.offerings[c.offering].zone == zone);
            let s = self
                .fleet
                .services
                .iter()
                .position(|other| other.name == service.name)
                .unwrap();
            let room = existing.fold(0_u32, |sum, class| {
                sum.saturating_add(class.count().unwrap().saturating_mul(class.most[s]))
            });
            in_zone(zone) >= service.bound_to_zone(zone, total)
                && (service.survive != Survive::Zone || in_zone(zone) <= unit)
                && (service.eligible_zones.contains(&zone) || in_zone(zone) <= room)
        });
        zones_keep
            && (0..self.fleet.problem.clusters.len()).all(|cluster| {
                let here: Vec<usize> = all_zones
                    .clone()
                    .filter(|zone| self.fleet.zones[*zone].cluster == cluster)
                    .collect();
                let sum: u32 = here.iter().map(|zone| in_zone(*zone)).sum();
                let (min, max) = service
                    .bounds(cluster)
                    .map_or((0, 0), |bounds| (bounds.min, bounds.max));
                let used = here.iter().filter(|zone| in_zone(**zone) > 0).count();
                let eligible: Vec<u32> = here
                    .iter()
                    .filter(|z| service.eligible_zones.contains(z))
                    .map(|z| in_zone(*z))
                    .collect();
                let skew =
                    eligible.iter().max().unwrap_or(&0) - eligible.iter().min().unwrap_or(&0);
                (min..=max).contains(&sum)
                    && (service.survive != Survive::Cluster || sum <= unit)
                    && (sum == 0
                        || used >= service.min_zones as usize
                            && service.max_skew.is_none_or(|max| skew <= max))
            })
    }

    fn class(&self, class: &Class, highest: &[u32]) -> f64 {
        let offering = &self.fleet.offerings[class.offering];
        let counts = |on: &Option<usize>| on.is_none_or(|o| o == class.offering);
        let mut node = offering.usd_per_hour * self.usd()
            + if class.is_existing() {
                0.0
            } else {
                offering.startup_usd_per_hour
            };
        for limit in &self.fleet.limits {
            let sign = if limit.at_least { -1.0 } else { 1.0 };
            node += sign * self.dual(&limit.name) * limit.coefficients[class.offering];
        }
        for (name, on, at_least, _) in self
            .node_decisions()
            .iter()
            .filter(|(_, on, _, _)| counts(on))
        {
            let _ = on;
            node += if *at_least { -1.0 } else { 1.0 } * self.dual(name);
        }
        node -= self.dual(&format!(
            "commitment/{}",
            self.fleet.offering_name(class.offering)
        ));
        let best = self.best_pattern(class, highest);
        match class.count() {
            Some(count) if class.kept => f64::from(count) * (node - best),
            Some(count) => f64::from(count) * (node - best).min(0.0),
            None => self.most_new_nodes(class, highest) * (node - best).min(0.0),
        }
    }

    fn most_new_nodes(&self, class: &Class, highest: &[u32]) -> f64 {
        let cluster = self.fleet.offerings[class.offering].cluster;
        let services = self
            .fleet
            .services
            .iter()
            .zip(highest)
            .zip(&class.most)
            .filter(|(_, most)| **most > 0);
        let pods: u32 = services
            .map(|((s, highest), _)| {
                s.bounds(cluster)
                    .map_or(0, |bounds| bounds.max)
                    .min(*highest)
            })
            .sum();
        let mut most = 1.0 + f64::from(pods);
        let limits: Vec<_> = self
            .fleet
            .limits
            .iter()
            .filter(|limit| limit.coefficients[class.offering] > 0.0)
            .collect();
        let decisions: Vec<_> = self
            .node_decisions()
            .into_iter()
            .filter(|(_, on, _, _)| on.is_none_or(|o| o == class.offering))
            .collect();
        most += limits
            .iter()
            .filter(|l| l.at_least)
            .map(|l| l.limit.ceil())
            .sum::<f64>();
        most += decisions.iter().filter(|d| d.2).map(|d| d.3).sum::<f64>();
        for limit in limits.iter().filter(|limit| !limit.at_least) {
            most =
                most.min((limit.limit * (1.0 + 1e-9) / limit.coefficients[class.offering]).floor());
        }
        decisions
            .iter()
            .filter(|d| !d.2)
            .map(|d| d.3)
            .fold(most, f64::min)
    }

    fn best_pattern(&self, class: &Class, highest: &[u32]) -> f64 {
        let offering = &self.fleet.offerings[class.offering];
        let mut best = f64::NEG_INFINITY;
        let mut pattern = vec![0; highest.len()];
        let value = |pattern: &[u32]| {
            let pods = |(s, n): (usize, &u32)| {
                let service = &self.fleet.services[s];
                let u = self.dual(&format!(
                    "pods/{}/{}",
                    service.name,
                    self.fleet.cell_name(offering.cell)
                ));
                let stay = self.move_price(service) * f64::from(class.now[s].min(*n));
                f64::from(*n) * (u - offering.interruptions_per_hour * service.usd_per_eviction)
                    + stay
            };
            pattern.iter().enumerate().map(pods).sum::<f64>()
        };
        self.each_pattern(
            class,
            highest,
            0,
            &class.capacity,
            &mut pattern,
            &mut |pattern| best = best.max(value(pattern)),
        );
        best
    }

    fn each_pattern(
        &self,
        class: &Class,
        highest: &[u32],
        s: usize,
        room: &[u64],
        pattern: &mut Vec<u32>,
        found: &mut dyn FnMut(&[u32]),
    ) {
        if s == highest.len() {
            found(pattern);
            return;
        }
        let service = &self.fleet.services[s];
        let cluster = self.fleet.offerings[class.offering].cluster;
        let most_here = service
            .bounds(cluster)
            .map_or(0, |bounds| bounds.max)
            .min(highest[s])
            .min(class.most[s]);
        let node_limit = if service.survive == Survive::Node {
            service.node_limit(highest[s]).max(class.pinned[s])
        } else {
            u32::MAX
        };
        for pods in class.pinned[s]..=most_here.min(node_limit).max(class.pinned[s]) {
            let size = service.pod_size(highest[s]);
            let left: Option<Vec<u64>> = room
                .iter()
                .zip(&size)
                .map(|(room, size)| room.checked_sub(size * u64::from(pods)))
                .collect();
            let apart = pods == 0
                || service
                    .conflicts
                    .iter()
                    .all(|other| *other > s || pattern[*other] == 0);
            if let (Some(left), true) = (left, apart) {
                pattern[s] = pods;
                self.each_pattern(class, highest, s + 1, &left, pattern, found);
                pattern[s] = 0;
            }
        }
    }
}

/// Calls a function with every way to split a number into parts.
fn each_split(total: u32, parts: usize, found: &mut dyn FnMut(&[u32])) {
    fn fill(left: u32, index: usize, pods: &mut Vec<u32>, found: &mut dyn FnMut(&[u32])) {
        if index + 1 >= pods.len() {
            if let Some(last) = pods.last_mut() {
                *last = left;
            }
            if !pods.is_empty() || left == 0 {
                found(pods);
            }
            return;
        }
        for here in 0..=left {
            pods[index] = here;
            fill(left - here, index + 1, pods, found);
        }
    }
    fill(total, 0, &mut vec![0; parts], found);
}
