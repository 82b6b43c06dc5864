//! The cheapest of all layouts that keep a problem's rules, by trying every one.

use super::meaning::{Layout, Meaning, Node};

/// The cheapest layout that keeps every rule, with what it costs; `seen` is told of every layout whose nodes and totals are good, with the rule
/// that it breaks. Only layouts with nodes that already cost more than a good one are left out.
pub fn optimum(
    meaning: &Meaning<'_>,
    seen: &mut dyn FnMut(&Layout, Option<&'static str>),
) -> Option<(f64, Layout)> {
    let mut search = Search {
        meaning,
        seen,
        totals: Vec::new(),
        patterns: Vec::new(),
        left: Vec::new(),
        empty_left: 0,
        layout: Vec::new(),
        best: None,
    };
    search.choose_totals();
    search.best
}

struct Search<'a> {
    meaning: &'a Meaning<'a>,
    seen: &'a mut dyn FnMut(&Layout, Option<&'static str>),
    totals: Vec<u32>,
    /// By place: the pods of every node that keeps its own rules.
    patterns: Vec<Vec<Vec<u32>>>,
    /// Pods still to be placed, by service.
    left: Vec<u32>,
    /// Empty new nodes that may still be added: only what pools ask for at least can make one worth having.
    empty_left: u32,
    layout: Layout,
    best: Option<(f64, Layout)>,
}

impl Search<'_> {
    fn choose_totals(&mut self) {
        let s = self.totals.len();
        let Some(levels) = self.meaning.levels.get(s) else {
            self.patterns = (0..self.meaning.places.len())
                .map(|place| self.good_nodes(place))
                .collect();
            self.left = self.totals.clone();
            self.empty_left = self
                .meaning
                .problem
                .pools
                .iter()
                .map(|pool| pool.nodes.min)
                .sum();
            return self.existing_nodes(0);
        };
        for total in 0..u32::try_from(levels.len()).unwrap() {
            if self.meaning.allows(s, total) {
                self.totals.push(total);
                self.choose_totals();
                self.totals.pop();
            }
        }
    }

    /// The pods of every node that keeps its own rules, ascending.
    fn good_nodes(&self, place: usize) -> Vec<Vec<u32>> {
        let mut all = vec![Vec::new()];
        for (total, most) in self.totals.iter().zip(&self.meaning.places[place].most) {
            let longer = |pods: &Vec<u32>| -> Vec<Vec<u32>> {
                let next = 0..=*total.min(most);
                next.map(|next| pods.iter().copied().chain([next]).collect())
                    .collect()
            };
            all = all.iter().flat_map(longer).collect();
        }
        all.retain(|pods| {
            let node = Node {
                place,
                pods: pods.clone(),
            };
            self.meaning.node_keeps(&node, &self.totals)
        });
        all
    }

    /// Decides on the existing nodes one after the other, then on new ones.
    fn existing_nodes(&mut self, from: usize) {
        let mut places = from..self.meaning.places.len();
        let Some(place) = places.find(|place| self.meaning.places[*place].node.is_some()) else {
            return self.new_nodes(0, 0);
        };
        if !self.meaning.places[place].kept {
            self.existing_nodes(place + 1);
        }
        for pattern in 0..self.patterns[place].len() {
            self.with(place, pattern, |search| search.existing_nodes(place + 1));
        }
    }

    /// Adds new nodes in ascending order of place and pods, so that no set of them comes twice.
    fn new_nodes(&mut self, first_place: usize, first_pattern: usize) {
        if self.left.iter().all(|left| *left == 0) {
            self.finished();
        }
        for place in first_place..self.meaning.places.len() {
            if self.meaning.places[place].node.is_some() {
                return;
            }
            let first = if place == first_place {
                first_pattern
            } else {
                0
            };
            for pattern in first..self.patterns[place].len() {
                let empty = u32::from(self.patterns[place][pattern].iter().all(|pods| *pods == 0));
                if self.empty_left >= empty {
                    self.empty_left -= empty;
                    self.with(place, pattern, |search| search.new_nodes(place, pattern));
                    self.empty_left += empty;
                }
            }
        }
    }

    /// Goes on with one more node, unless its pods are more than are left or the nodes alone cost too much.
    fn with(&mut self, place: usize, pattern: usize, next: impl FnOnce(&mut Self)) {
        let pods = self.patterns[place][pattern].clone();
        if pods.iter().zip(&self.left).any(|(pods, left)| pods > left) {
            return;
        }
        self.left
            .iter_mut()
            .zip(&pods)
            .for_each(|(left, pods)| *left -= pods);
        self.layout.push(Node { place, pods });
        if self.is_cheaper(self.meaning.nodes_usd_per_hour(&self.layout)) {
            next(self);
        }
        let Some(Node { pods, .. }) = self.layout.pop() else {
            return;
        };
        self.left
            .iter_mut()
            .zip(&pods)
            .for_each(|(left, pods)| *left += pods);
    }

    fn is_cheaper(&self, usd_per_hour: f64) -> bool {
        self.best
            .as_ref()
            .is_none_or(|(best, _)| usd_per_hour < *best)
    }

    fn finished(&mut self) {
        let usd_per_hour = self.meaning.usd_per_hour(&self.layout);
        if self.is_cheaper(usd_per_hour) {
            let broken = self.meaning.broken_together(&self.layout, &self.totals);
            (self.seen)(&self.layout, broken);
            if broken.is_none() {
                self.best = Some((usd_per_hour, self.layout.clone()));
            }
        }
    }
}
