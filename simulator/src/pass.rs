//! Passes over memory.
//!
//! A pass copies a tile into a thread's buffer, does there all that its group of axes can do, and copies it back. A layer's mixers
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
use crate::diagonal::{Diagonal, Phase, Position, positions};
use crate::kernels::{Angle, InstructionSet, Number, Weight};
use crate::layout::{Group, Layout};
use crate::mixer::AxisMixer;
use crate::parallel;
use crate::step::{Mix, left_to_phase};
use std::ops::Range;

/// What every pass of a circuit needs to know.
#[derive(Debug)]
pub(crate) struct Circuit<'a, T: Number> {
    pub(crate) layout: &'a Layout,
    pub(crate) mixers: &'a [AxisMixer],
    pub(crate) diagonals: &'a [Diagonal<'a>],
    pub(crate) isa: InstructionSet,
    /// One pair (γ, β) a layer.
    pub(crate) angles: Vec<(f64, f64)>,
    /// Buffers that threads hand on from pass to pass.
    pub(crate) pool: &'a parallel::Pool<Scratch<T>>,
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

/// A stage's parts that are ready to be applied.
struct Ready<T> {
    before: Option<(usize, Mix<T>)>,
    phase: Option<(usize, Phase<T>)>,
    after: Option<(usize, Mix<T>)>,
}

impl<T: Number> Ready<T> {
    fn new(circuit: &Circuit<T>, group: usize, stage: Stage) -> Self {
        let mix = |layer: usize| {
            (
                layer,
                Mix::new(
                    circuit.layout,
                    group,
                    circuit.mixers,
                    circuit.angles[layer].1,
                ),
            )
        };
        let phase = |layer: usize| {
            let (gamma, beta) = circuit.angles[layer];
            let (scale, offset) = left_to_phase(circuit.mixers, beta);
            (
                layer,
                circuit.diagonals[group].phase(
                    circuit.isa,
                    Angle {
                        gamma,
                        offset,
                        scale,
                    },
                ),
            )
        };
        Self {
            before: stage.before.map(mix),
            phase: stage.phase.map(phase),
            after: stage.after.map(mix),
        }
    }
}

/// One pass, ready to be applied to a tile.
struct Pass<'a, T> {
    group: &'a Group,
    diagonal: &'a Diagonal<'a>,
    stages: Vec<Ready<T>>,
    isa: InstructionSet,
    /// Whether the columns are mixed in transposed blocks.
    turned: bool,
    /// The layers that have a part in the pass.
    layers: Range<usize>,
}

/// A tile with what is known of its place.
struct Place {
    position: Position,
    outside: Option<Linear>,
}

/// One tile's work.
struct Job<'a, T> {
    tile: usize,
    position: Position,
    views: Views<'a, T>,
    ahead: Option<Ahead>,
}

/// One tile's work on ψ and λ.
type Both<'a, T> = ((Position, Option<Ahead>), (Views<'a, T>, Views<'a, T>));

/// The work of a pass, tile by tile.
fn jobs<'a, T: Number>(group: &Group, from: From, psi: &'a mut Amplitudes<T>) -> Vec<Job<'a, T>> {
    let positions: Vec<Position> = positions(group, psi.dimension()).collect();
    let next = |tile: usize| match from {
        From::Memory => Ahead::new(group, &[&*psi], positions.get(tile + 1).copied()),
        From::Product { .. } => None,
    };
    let ahead: Vec<Option<Ahead>> = (0..positions.len()).map(next).collect();
    let parts = positions
        .into_iter()
        .zip(ahead)
        .zip(psi.tiles(group))
        .enumerate();
    parts
        .map(|(tile, ((position, ahead), views))| Job {
            tile,
            position,
            views,
            ahead,
        })
        .collect()
}

impl<T: Number> Circuit<'_, T> {
    fn pass(&self, plan: &Plan) -> Pass<'_, T> {
        Pass {
            group: &self.layout.groups[plan.group],
            diagonal: &self.diagonals[plan.group],
            stages: plan
                .stages
                .iter()
                .map(|&stage| Ready::new(self, plan.group, stage))
                .collect(),
            isa: self.isa,
            turned: plan.group == 0 && !self.layout.direct,
            layers: plan.layers(),
        }
    }

    /// Carries out a pass.
    pub(crate) fn run(&self, plan: &Plan, from: From, psi: &mut Amplitudes<T>) {
        let pass = self.pass(plan);
        self.work(&pass, jobs(pass.group, from, psi), |scratch, job| {
            let mut views = job.views;
            pass.load(from, job.tile, &views, &mut scratch.states[0]);
            pass.apply(&pass.place(job.position), job.ahead, scratch, true);
            scratch.states[0].scatter(pass.isa, pass.group, &mut views, pass.last_turn());
        });
    }

    /// Carries out the last pass for ⟨C⟩ − center alone: the state is not written back.
    pub(crate) fn run_mean(
        &self,
        plan: &Plan,
        from: From,
        psi: &mut Amplitudes<T>,
        center: f64,
    ) -> f64 {
        let pass = self.pass(plan);
        let means = self.work(&pass, jobs(pass.group, from, psi), |scratch, job| {
            pass.load(from, job.tile, &job.views, &mut scratch.states[0]);
            let place = pass.place(job.position);
            pass.apply(&place, job.ahead, scratch, false);
            pass.mean(&place, scratch, center)
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
        let amplitudes = jobs.len() * pass.group.amplitudes();
        parallel::map(
            amplitudes,
            jobs,
            self.pool,
            || Scratch::new(self.layout),
            work,
        )
    }

    /// Carries out a backward pass on ψ and λ; the first one makes λ of ψ.
    pub(crate) fn run_back(
        &self,
        plan: &Plan,
        weight: Option<Weight>,
        lead: f64,
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
        let next = |tile: usize| Ahead::new(pass.group, states, positions.get(tile + 1).copied());
        let ahead: Vec<Option<Ahead>> = (0..positions.len()).map(next).collect();
        let tiles = psi.tiles(pass.group).zip(lambda.tiles(pass.group));
        let parts = positions.into_iter().zip(ahead).zip(tiles).collect();
        let work = |scratch: &mut Scratch<T>,
                    ((position, ahead), (mut psi, mut lambda)): Both<T>| {
            let place = pass.place(position);
            // λ is made of ψ as it stands in memory.
            let turn = if weight.is_some() {
                None
            } else {
                pass.first_turn()
            };
            scratch.states[0].gather(pass.isa, pass.group, &psi, turn);
            match weight {
                Some(weight) => pass.weigh(&place, scratch, weight),
                None => scratch.states[1].gather(pass.isa, pass.group, &lambda, turn),
            }
            let mut overlaps = vec![Overlaps::default(); pass.layers.len()];
            pass.apply_back(&place, ahead, scratch, (lead, turn), &mut overlaps);
            scratch.states[0].scatter(pass.isa, pass.group, &mut psi, pass.last_turn());
            scratch.states[1].scatter(pass.isa, pass.group, &mut lambda, pass.last_turn());
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

    /// By what the parts of layer `layer`'s mixer on the groups that `plan` comes after leave overlaps too large: their squared factors.
    pub(crate) fn lead(&self, plans: &[Plan], at: usize) -> f64 {
        let begins = |plan: &Plan| plan.stages.first().and_then(|stage| stage.before);
        let Some(layer) = begins(&plans[at]) else {
            return 1.0;
        };
        let touches = |plan: &&Plan| {
            plan.stages
                .iter()
                .any(|stage| stage.before == Some(layer) || stage.after == Some(layer))
        };
        let factor = |plan: &Plan| {
            let mix = Mix::<T>::new(self.layout, plan.group, self.mixers, self.angles[layer].1);
            (mix.outer.scale * mix.inner.scale * mix.turned.scale).powi(2)
        };
        plans[..at].iter().filter(touches).map(factor).product()
    }
}
