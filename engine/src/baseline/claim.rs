//! A node that Karpenter is about to launch: pods, and the offerings that hold them all.

use super::builder::{Area, Batch, Builder, Load};

/// Pods for one node, whose offering is chosen when all are known.
pub(super) struct Claim {
    /// Offerings that hold the pods; the zone of pods that are spread is decided as they are added.
    offerings: Vec<usize>,
    load: Load,
    /// Pods that count in a zone before the node is there: service, zone, how many.
    promised: Vec<(usize, usize, u32)>,
}

impl Claim {
    /// A claim on any offering of a cluster that limits let one buy.
    pub(super) fn new(builder: &Builder, cluster: usize) -> Self {
        let offerings = builder.fleet.offerings.iter().enumerate();
        let offerings = offerings
            .filter(|(index, o)| o.cluster == cluster && builder.affordable(*index) > 0)
            .map(|(index, _)| index);
        Self {
            offerings: offerings.collect(),
            load: builder.empty(),
            promised: Vec::new(),
        }
    }

    /// Number of pods.
    pub(super) fn pods(&self) -> u32 {
        self.load.pods.values().sum()
    }

    /// How many more pods of a service the claim takes, skew aside.
    pub(super) fn room(&self, builder: &Builder, s: usize) -> u32 {
        let rooms = self.offerings.iter();
        let rooms = rooms.map(|offering| builder.fits(*offering, &self.load, s));
        rooms.max().unwrap_or(0)
    }

    /// Adds at most `count` pods and tells how many; offerings that do not hold them are out. Of pods that are spread it takes one
    /// at a time, for the zone that has fewest.
    pub(super) fn add(&mut self, builder: &mut Builder, s: usize, count: u32) -> u32 {
        if builder.is_spread(s) {
            return self.add_spread(builder, s, count.min(1));
        }
        let count = self.room(builder, s).min(count);
        self.accept(builder, s, count);
        count
    }

    fn add_spread(&mut self, builder: &mut Builder, s: usize, count: u32) -> u32 {
        let takes = |o: &usize| builder.fits(*o, &self.load, s) >= count;
        let zone = |o: &usize| builder.fleet.offerings[*o].zone;
        let zones = self.offerings.iter().filter(|o| takes(o)).map(zone);
        let zones = zones.filter(|zone| builder.skew_room(s, *zone) >= count);
        let Some(zone) = zones.min_by_key(|zone| (builder.in_zone(s, *zone), *zone)) else {
            return 0;
        };
        self.offerings
            .retain(|o| builder.fleet.offerings[*o].zone == zone);
        self.accept(builder, s, count);
        builder.promise(s, zone, count);
        self.promised.push((s, zone, count));
        count
    }

    fn accept(&mut self, builder: &Builder, s: usize, count: u32) {
        if count > 0 {
            self.offerings
                .retain(|offering| builder.fits(*offering, &self.load, s) >= count);
            builder.load(&mut self.load, s, count);
        }
    }

    /// The promises are over: the pods are on a node, or nowhere.
    pub(super) fn close(&mut self, builder: &mut Builder) {
        for (s, zone, count) in self.promised.drain(..) {
            builder.withdraw(s, zone, count);
        }
    }

    /// Offerings that hold the pods.
    pub(super) fn offerings(&self) -> &[usize] {
        &self.offerings
    }

    /// Buys a node for the pods.
    pub(super) fn launch(&self, builder: &mut Builder, offering: usize) {
        let node = builder.buy(offering);
        for (s, count) in &self.load.pods {
            builder.put(node, *s, *count);
        }
    }

    /// The pods, to be placed anew.
    pub(super) fn batches(&self, cluster: usize) -> impl Iterator<Item = Batch> {
        let area = Area::Cluster(cluster);
        self.load.pods.iter().map(move |(service, count)| Batch {
            service: *service,
            area,
            count: *count,
        })
    }
}
