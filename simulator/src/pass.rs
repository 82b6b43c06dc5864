//! Passes over memory.
//!
//! A pass does to a tile all that its group of axes can do while the tile is in the cache: a low one, whose amplitudes follow each other, is
//! worked on where it stands, others are copied into a thread's buffer and back. A layer's mixers
//! act on different axes and so commute: a pass finishes layer l on its group, applies the phase of layer l + 1 and starts that
//! layer's mixer on the same group; the next pass does the same on the next group. So p layers take p + 1 passes on two groups.
//! Tiles are independent of each other; sums over them are taken in their order.

mod ahead;
mod backward;
mod forward;
mod plan;
mod scratch;

use ahead::Ahead;
use plan::Stage;
pub(crate) use plan::{Plan, backward, forward};
pub(crate) use scratch::Scratch;

use crate::amplitudes::{Amplitudes, Views};
use crate::cost::Linear;
use crate::diagonal::{Diagonal, Phase, Position, Table, positions};
use crate::kernels::{Angle, InstructionSet, Number, Weight};
use crate::layout::{Group, Layout};
use crate::parallel;
use crate::step::{Beta, Mix};
use std::ops::Range;

/// What every pass of a circuit needs to know.
#[derive(Debug)]
pub(crate) struct Circuit<'a, T: Number> {
    pub(crate) layout: &'a Layout,
    /// The mixer on each group.
    pub(crate) mixes: &'a [Mix<T>],
    /// Axes whose mixers leave a factor to the phase.
    pub(crate) left: usize,
    pub(crate) diagonals: &'a [Diagonal<'a>],
    pub(crate) isa: InstructionSet,
    /// One pair (γ, β) a layer.
    pub(crate) angles: Vec<(f64, f64)>,
    /// Whether the states are kept by half: the highest axis is a qubit whose level 1 mirrors level 0.
    pub(crate) mirrored: bool,
    /// Buffers that threads hand on from pass to pass.
    pub(crate) pool: &'a parallel::Pool<Scratch<T>>,
    /// Tables of phases that passes leave to the next ones, for each group.
    pub(crate) tables: &'a [parallel::Pool<Table<T>>],
}

/// `Im⟨λ|B|ψ⟩` and `Im⟨λ|C|ψ⟩` at a layer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Overlaps {
    pub(crate) mixer: f64,
    pub(crate) cost: f64,
}

/// What a pass begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum From<'a> {
    /// The amplitudes in memory.
    Memory,
    /// A product state: the amplitudes of a low tile but for a factor, one a tile.
    Product { tile: &'a [f64], factors: &'a [f64] },
}

/// A stage with its phase ready to be applied.
struct Ready<'a, T: Number> {
    before: Option<usize>,
    phase: Option<(usize, Phase<'a, T>)>,
    after: Option<usize>,
    /// The layer of which a mirrored qubit is turned, in the stage that has the layer's phase and the mixer beside it.
    mirror: Option<usize>,
}

/// One pass, ready to be applied to a tile.
struct Pass<'a, T: Number> {
    group: &'a Group,
    mix: &'a Mix<T>,
    diagonal: &'a Diagonal<'a>,
    stages: Vec<Ready<'a, T>>,
    isa: InstructionSet,
    /// Whether the columns are mixed in transposed blocks.
    turned: bool,
    /// The layers that have a part in the pass, and their mixers' angles.
    layers: Range<usize>,
    betas: Vec<Beta>,
}

impl<T: Number> Pass<'_, T> {
    /// A layer's mixer angle.
    fn beta(&self, layer: usize) -> &Beta {
        &self.betas[layer - self.layers.start]
    }
}

/// Which turns are carried out while a tile is copied: that of the first stage on the way to the thread's copy, that of the last one on
/// the way back.
#[derive(Debug, Clone, Copy)]
struct OnTheWay {
    to: bool,
    back: bool,
}

/// Where a tile is, what that makes of its costs, and what comes after it.
struct Place {
    tile: usize,
    position: Position,
    outside: Option<Linear>,
    ahead: Option<Ahead>,
}

/// One tile: its number, its place, what a thread will probably take next, and its memory.
struct Part<V> {
    tile: usize,
    position: Position,
    ahead: Option<Ahead>,
    views: V,
}

/// What a thread works on at once: a tile, and of a state that is kept by half the tile that holds its partners, mirrored.
struct Job<V> {
    near: Part<V>,
    far: Option<Part<V>>,
}

impl<V> Job<V> {
    fn parts(&mut self) -> impl Iterator<Item = &mut Part<V>> {
        std::iter::once(&mut self.near).chain(&mut self.far)
    }
}

/// The work of a pass, given the tiles' places, what it is to say of a place that comes next, and their memory.
fn jobs<V>(
    positions: Vec<Position>,
    ahead: Vec<Option<Ahead>>,
    views: impl Iterator<Item = V>,
    mirrored: bool,
) -> Vec<Job<V>> {
    let parts = positions.into_iter().zip(ahead).zip(views).enumerate();
    let part = |(tile, ((position, ahead), views))| Part {
        tile,
        position,
        ahead,
        views,
    };
    let mut near: Vec<Part<V>> = parts.map(part).collect();
    let mut far = if mirrored {
        near.split_off(near.len() / 2)
    } else {
        Vec::new()
    };
    near.into_iter()
        .map(|near| Job {
            near,
            far: far.pop(),
        })
        .collect()
}

impl<T: Number> Circuit<'_, T> {
    fn pass(&self, plan: &Plan) -> Pass<'_, T> {
        let (mix, layers) = (&self.mixes[plan.group], plan.layers());
        let angles = &self.angles[layers.clone()];
        let betas: Vec<Beta> = angles.iter().map(|&(_, beta)| mix.at(beta)).collect();
        let ready = |&stage: &Stage| {
            let phase = |layer: usize| {
                let (gamma, beta) = (self.angles[layer].0, &betas[layer - layers.start]);
                (layer, self.phase(plan.group, gamma, beta))
            };
            let beside = |layer: &usize| [stage.before, stage.after].contains(&Some(*layer));
            Ready {
                before: stage.before,
                phase: stage.phase.map(phase),
                after: stage.after,
                mirror: stage.phase.filter(|layer| self.mirrored && beside(layer)),
            }
        };
        Pass {
            group: &self.layout.groups[plan.group],
            mix,
            diagonal: &self.diagonals[plan.group],
            stages: plan.stages.iter().map(ready).collect(),
            isa: self.isa,
            turned: plan.group == 0 && !self.layout.direct,
            layers,
            betas,
        }
    }

    /// A layer's phase on a group, with what its mixer leaves to it.
    fn phase(&self, group: usize, gamma: f64, beta: &Beta) -> Phase<'_, T> {
        let offset = -beta.angle * self.left as f64;
        let angle = Angle { gamma, offset };
        self.diagonals[group].phase(self.isa, angle, &self.tables[group])
    }

    /// The work of a pass on one state.
    fn jobs<'s>(
        &self,
        group: &Group,
        from: From,
        psi: &'s mut Amplitudes<T>,
    ) -> Vec<Job<Views<'s, T>>> {
        let positions: Vec<Position> = positions(group, psi.dimension()).collect();
        let ahead = match from {
            From::Memory => self.ahead(group, &[&*psi], &positions),
            From::Product { .. } => vec![None; positions.len()],
        };
        jobs(positions, ahead, psi.tiles(group), self.mirrored)
    }

    /// What each tile's thread will probably take next: the next tile, and of those that mirror others the one before.
    fn ahead(
        &self,
        group: &Group,
        states: &[&Amplitudes<T>],
        positions: &[Position],
    ) -> Vec<Option<Ahead>> {
        let far = if self.mirrored {
            positions.len() / 2
        } else {
            positions.len()
        };
        let next = |tile: usize| if tile < far { tile + 1 } else { tile - 1 };
        (0..positions.len())
            .map(|tile| Ahead::new(group, states, positions.get(next(tile)).copied()))
            .collect()
    }

    /// Carries out a pass. With a `center`, also sums up ⟨C⟩ − center before tiles are copied back: only in the last pass, which turns nothing on
    /// the way back.
    pub(crate) fn run(
        &self,
        plan: &Plan,
        from: From,
        psi: &mut Amplitudes<T>,
        center: Option<f64>,
    ) -> f64 {
        let pass = self.pass(plan);
        let jobs = self.jobs(pass.group, from, psi);
        let (group, in_place) = (pass.group, pass.group.is_contiguous());
        let on_the_way = OnTheWay {
            to: !in_place,
            back: !in_place,
        };
        debug_assert!(center.is_none() || in_place || pass.last_turn().is_none());
        let means = self.work(&pass, jobs, |scratch, mut job| {
            let Scratch { tiles, buffers } = scratch;
            let places = pass.places(&mut job);
            if !in_place && let From::Memory = from {
                pass.load_all(&mut job, tiles);
            }
            let working = job.parts().zip(&mut *tiles);
            let mut working: Vec<_> = working
                .map(|(part, [state, _])| state.working(group, &mut part.views))
                .collect();
            pass.fill(from, &places, &mut working);
            pass.apply(&places, &mut working, buffers, on_the_way);
            let mean = center.map(|center| pass.mean(&places, &working, buffers, center));
            if !in_place {
                for (part, [state, _]) in job.parts().zip(tiles) {
                    state.scatter(pass.isa, group, &mut part.views, pass.last_turn());
                }
            }
            mean
        });
        means.into_iter().flatten().sum()
    }

    /// Carries out the last pass for ⟨C⟩ − center alone: the state is not kept.
    pub(crate) fn run_mean(
        &self,
        plan: &Plan,
        from: From,
        psi: &mut Amplitudes<T>,
        center: f64,
    ) -> f64 {
        let pass = self.pass(plan);
        let jobs = self.jobs(pass.group, from, psi);
        let on_the_way = OnTheWay {
            to: true,
            back: false,
        };
        let means = self.work(&pass, jobs, |scratch, mut job| {
            let Scratch { tiles, buffers } = scratch;
            let places = pass.places(&mut job);
            if let From::Memory = from {
                pass.load_all(&mut job, tiles);
            }
            let copies = tiles.iter_mut().take(places.len());
            let mut working: Vec<_> = copies.map(|[state, _]| state.copy(pass.group)).collect();
            pass.fill(from, &places, &mut working);
            pass.apply(&places, &mut working, buffers, on_the_way);
            pass.mean(&places, &working, buffers, center)
        });
        means.into_iter().sum()
    }

    /// Hands every tile to a thread with buffers of its own.
    fn work<J: Send, R: Send>(
        &self,
        pass: &Pass<T>,
        jobs: Vec<J>,
        work: impl Fn(&mut Scratch<T>, J) -> R + Sync,
    ) -> Vec<R> {
        let tiles = self.tiles();
        let amplitudes = jobs.len() * tiles * pass.group.amplitudes();
        let scratch = || Scratch::new(self.layout, tiles);
        parallel::map(amplitudes, jobs, self.pool, scratch, work)
    }

    /// Tiles that a thread works on at once.
    fn tiles(&self) -> usize {
        if self.mirrored { 2 } else { 1 }
    }

    /// Carries out a backward pass on ψ and λ; the first one makes λ of ψ.
    pub(crate) fn run_back(
        &self,
        plan: &Plan,
        weight: Option<Weight>,
        psi: &mut Amplitudes<T>,
        lambda: &mut Amplitudes<T>,
    ) -> Vec<Overlaps> {
        let (pass, dimension) = (self.pass(plan), psi.dimension());
        let depth = self.angles.len();
        let positions: Vec<Position> = positions(pass.group, dimension).collect();
        let states: &[&Amplitudes<T>] = if weight.is_some() {
            &[&*psi]
        } else {
            &[&*psi, &*lambda]
        };
        let ahead = self.ahead(pass.group, states, &positions);
        let tiles = psi.tiles(pass.group).zip(lambda.tiles(pass.group));
        let parts = jobs(positions, ahead, tiles, self.mirrored);
        let (group, in_place) = (pass.group, pass.group.is_contiguous());
        // λ is made of ψ as it stands in memory.
        let turn = pass.first_turn().filter(|_| weight.is_none());
        let on_the_way = OnTheWay {
            to: !in_place && turn.is_some(),
            back: !in_place,
        };
        let work = |scratch: &mut Scratch<T>, mut job: Job<(Views<T>, Views<T>)>| {
            let Scratch { tiles, buffers } = scratch;
            let places = pass.places(&mut job);
            if !in_place {
                for (part, [psi, lambda]) in job.parts().zip(&mut *tiles) {
                    psi.gather(pass.isa, group, &part.views.0, turn);
                    if weight.is_none() {
                        lambda.gather(pass.isa, group, &part.views.1, turn);
                    }
                }
            }
            let working = job.parts().zip(&mut *tiles);
            let mut working: Vec<_> = working
                .map(|(part, [psi, lambda])| {
                    let (views, lambdas) = &mut part.views;
                    [psi.working(group, views), lambda.working(group, lambdas)]
                })
                .collect();
            if let Some(weight) = weight {
                for (place, states) in places.iter().zip(&mut working) {
                    pass.weigh(place, states, buffers, weight);
                }
            }
            let mut overlaps = vec![Overlaps::default(); pass.layers.len()];
            pass.apply_back(&places, &mut working, buffers, on_the_way, &mut overlaps);
            if !in_place {
                for (part, [psi, lambda]) in job.parts().zip(tiles) {
                    psi.scatter(pass.isa, group, &mut part.views.0, pass.last_turn());
                    lambda.scatter(pass.isa, group, &mut part.views.1, pass.last_turn());
                }
            }
            overlaps
        };
        let parts = self.work(&pass, parts, work);
        let mut sums = vec![Overlaps::default(); depth];
        for part in parts {
            for (sum, part) in sums[pass.layers.clone()].iter_mut().zip(part) {
                *sum = Overlaps {
                    mixer: sum.mixer + part.mixer,
                    cost: sum.cost + part.cost,
                };
            }
        }
        sums
    }
}
