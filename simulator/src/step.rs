//! The operations that carry out a mixer on a tile, ready for the kernels.

use crate::kernels::{InstructionSet, Number, Tile, Turn};
use crate::layout::Layout;
use crate::mixer::{AxisMixer, Matrix};
use std::f64::consts::FRAC_PI_2;

/// One operation on one axis, or on several neighbouring qubits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step<T> {
    /// `e^{-iβX}` but for a factor, on up to four qubits, the lowest with the given stride.
    Turn {
        qubits: usize,
        stride: usize,
        turn: Turn,
    },
    /// The same on the lane bits in `lanes`, and on up to three qubits above one vector.
    TurnLanes {
        lanes: u32,
        qubits: usize,
        turn: Turn,
    },
    /// `1 + (a + ib)|w⟩⟨w|`.
    Reflect {
        stride: usize,
        w: Vec<f64>,
        factor: (f64, f64),
    },
    /// The same on an axis that begins with lane bits.
    ReflectLanes {
        bits: (u32, u32),
        w: Vec<T>,
        factor: (f64, f64),
    },
    /// A matrix on an axis with `d` levels; `b` is the mixer's own.
    Multiply {
        stride: usize,
        d: usize,
        re: Matrix,
        im: Matrix,
        b: Matrix,
    },
}

impl<T: Number> Step<T> {
    pub(crate) fn apply(&self, isa: InstructionSet, re: &mut [T], im: &mut [T]) {
        match self {
            &Self::Turn {
                qubits: 1,
                stride,
                turn,
            } => isa.turn1(re, im, stride, turn),
            &Self::Turn {
                qubits: 2,
                stride,
                turn,
            } => isa.turn2(re, im, stride, turn),
            &Self::Turn {
                qubits: 3,
                stride,
                turn,
            } => isa.turn3(re, im, stride, turn),
            &Self::Turn { stride, turn, .. } => isa.turn4(re, im, stride, turn),
            &Self::TurnLanes {
                lanes,
                qubits: 0,
                turn,
            } => isa.turn_lanes0(re, im, lanes, turn),
            &Self::TurnLanes {
                lanes,
                qubits: 1,
                turn,
            } => isa.turn_lanes1(re, im, lanes, turn),
            &Self::TurnLanes {
                lanes,
                qubits: 2,
                turn,
            } => isa.turn_lanes2(re, im, lanes, turn),
            &Self::TurnLanes { lanes, turn, .. } => isa.turn_lanes3(re, im, lanes, turn),
            Self::Reflect { stride, w, factor } => isa.reflect(re, im, *stride, w, *factor),
            Self::ReflectLanes { bits, w, factor } => isa.reflect_lanes(re, im, *bits, w, *factor),
            Self::Multiply {
                stride,
                d,
                re: u_re,
                im: u_im,
                ..
            } => isa.multiply(re, im, *stride, *d, u_re, u_im),
        }
    }

    /// `Im⟨λ|B_k|ψ⟩` over a tile. The 1 in `2|w⟩⟨w| − 1` would contribute `Im⟨λ|ψ⟩`, which is zero throughout a gradient.
    fn overlap(&self, isa: InstructionSet, psi: Tile<T>, lambda: Tile<T>) -> f64 {
        let turns = |qubits, stride| match qubits {
            0 => 0.0,
            1 => isa.overlap_turn1(psi, lambda, stride),
            2 => isa.overlap_turn2(psi, lambda, stride),
            3 => isa.overlap_turn3(psi, lambda, stride),
            _ => {
                isa.overlap_turn3(psi, lambda, stride) + isa.overlap_turn1(psi, lambda, 8 * stride)
            }
        };
        match self {
            &Self::Turn { qubits, stride, .. } => turns(qubits, stride),
            &Self::TurnLanes { lanes, qubits, .. } => {
                isa.overlap_turn_lanes(psi, lambda, lanes) + turns(qubits, T::LANES)
            }
            Self::Reflect { stride, w, .. } => 2.0 * isa.overlap_reflect(psi, lambda, *stride, w),
            Self::ReflectLanes { bits, w, .. } => {
                2.0 * isa.overlap_reflect_lanes(psi, lambda, *bits, w)
            }
            Self::Multiply { stride, d, b, .. } => {
                isa.overlap_multiply(psi, lambda, *stride, *d, b)
            }
        }
    }
}

/// Steps on the same tile, and the factor by which they leave its amplitudes too large.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Steps<T> {
    steps: Vec<Step<T>>,
    /// cos β or sin β for every qubit.
    pub(crate) scale: f64,
}

impl<T: Number> Steps<T> {
    pub(crate) fn apply(&self, isa: InstructionSet, re: &mut [T], im: &mut [T]) {
        self.steps.iter().for_each(|step| step.apply(isa, re, im));
    }

    pub(crate) fn all(&self) -> &[Step<T>] {
        &self.steps
    }

    /// All steps but the last, and that one, where it turns the highest bits of a tile of `length` numbers: it can be carried out while
    /// the tile is copied.
    pub(crate) fn split_highest(&self, length: usize) -> (&[Step<T>], Option<(usize, Turn)>) {
        match self.steps.split_last() {
            Some((
                &Step::Turn {
                    qubits,
                    stride,
                    turn,
                },
                others,
            )) if stride << qubits == length => (others, Some((qubits, turn))),
            _ => (&self.steps, None),
        }
    }

    pub(crate) fn overlap(&self, isa: InstructionSet, psi: Tile<T>, lambda: Tile<T>) -> f64 {
        self.steps
            .iter()
            .map(|step| step.overlap(isa, psi, lambda))
            .sum()
    }
}

/// A mixer's angle, and what turns it takes.
#[derive(Debug, Clone, Copy)]
struct Beta {
    angle: f64,
    turn: Turn,
    /// The factor that a turn takes out of `e^{-iβX}`.
    scale: f64,
}

impl Beta {
    fn new(angle: f64) -> Self {
        let turn = Turn::new(angle);
        let scale = match turn {
            Turn::Tangent(_) => angle.cos(),
            Turn::Cotangent(_) => angle.sin(),
        };
        Self { angle, turn, scale }
    }
}

/// A layer's mixer on one group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mix<T> {
    /// On the axes above a block, over a whole tile.
    pub(crate) outer: Steps<T>,
    /// On a block.
    pub(crate) inner: Steps<T>,
    /// On the columns of a block, once it is transposed.
    pub(crate) turned: Steps<T>,
}

impl<T: Number> Mix<T> {
    pub(crate) fn new(layout: &Layout, group: usize, mixers: &[AxisMixer], beta: f64) -> Self {
        let (low, group) = (group == 0, &layout.groups[group]);
        let beta = Beta::new(beta);
        let block_pitch = [group.block_pitch];
        let outer = strides(mixers, group.block_axes.end..group.axes.end, block_pitch[0]);
        let rows = strides(mixers, group.block_axes.clone(), group.pitch);
        let columns = |stride| {
            if low {
                strides(mixers, 0..group.axes.start, stride)
            } else {
                Vec::new()
            }
        };
        let (inner, turned) = if layout.direct {
            ([columns(1), rows].concat(), Vec::new())
        } else {
            (rows, columns(group.turned_pitch::<T>()))
        };
        Self {
            outer: steps(&outer, beta),
            inner: steps(&inner, beta),
            turned: steps(&turned, beta),
        }
    }
}

/// What a layer's mixer leaves to its phase: a factor, and an angle that is added to all phases.
pub(crate) fn left_to_phase(mixers: &[AxisMixer], beta: f64) -> (f64, f64) {
    let qubits = mixers
        .iter()
        .filter(|mixer| matches!(mixer, AxisMixer::Flip))
        .count();
    let projectors = mixers
        .iter()
        .filter(|mixer| matches!(mixer, AxisMixer::Projector(_)))
        .count();
    // The complete mixer's factor e^{iβ} of every axis, and −i of every turn in cotangent form.
    let beta = Beta::new(beta);
    let turned = match beta.turn {
        Turn::Tangent(_) => 0.0,
        Turn::Cotangent(_) => (qubits % 4) as f64 * FRAC_PI_2,
    };
    (
        beta.scale.powi(qubits as i32),
        turned - beta.angle * projectors as f64,
    )
}

type Axis<'a> = (&'a AxisMixer, usize);

/// Axes with their strides, the lowest with the given one.
fn strides(mixers: &[AxisMixer], axes: std::ops::Range<usize>, mut stride: usize) -> Vec<Axis<'_>> {
    let with_stride = |mixer| {
        let here = stride;
        stride *= AxisMixer::levels(mixer);
        (mixer, here)
    };
    mixers[axes].iter().map(with_stride).collect()
}

/// The steps of some axes by ascending stride. Neighbouring qubits are taken several at a time.
fn steps<T: Number>(axes: &[Axis], beta: Beta) -> Steps<T> {
    let mut steps: Vec<Step<T>> = Vec::new();
    let mut qubits_here = 0;
    for &(mixer, stride) in axes {
        qubits_here += i32::from(matches!(mixer, AxisMixer::Flip));
        match (mixer, steps.last_mut()) {
            (
                AxisMixer::Flip,
                Some(Step::TurnLanes {
                    lanes, qubits: 0, ..
                }),
            ) if stride < T::LANES => {
                *lanes |= stride as u32;
            }
            (AxisMixer::Flip, Some(Step::TurnLanes { qubits, .. }))
                if *qubits < 3 && stride == T::LANES << *qubits =>
            {
                *qubits += 1;
            }
            (
                AxisMixer::Flip,
                Some(Step::Turn {
                    qubits,
                    stride: lowest,
                    ..
                }),
            ) if *qubits < 4 && stride == *lowest << *qubits => {
                *qubits += 1;
            }
            _ => steps.push(step(mixer, stride, beta)),
        }
    }
    Steps {
        steps,
        scale: beta.scale.powi(qubits_here),
    }
}

fn step<T: Number>(mixer: &AxisMixer, stride: usize, beta: Beta) -> Step<T> {
    match mixer {
        // The bit of a stride below one vector is the stride itself.
        AxisMixer::Flip if stride < T::LANES => Step::TurnLanes {
            lanes: stride as u32,
            qubits: 0,
            turn: beta.turn,
        },
        AxisMixer::Flip => Step::Turn {
            qubits: 1,
            stride,
            turn: beta.turn,
        },
        AxisMixer::Projector(w) => {
            // e^{-2iβ} − 1 = −2 sin β (sin β + i cos β), without cancellation at small angles.
            let (sin, cos) = beta.angle.sin_cos();
            let factor = (-2.0 * sin * sin, -2.0 * sin * cos);
            if stride < T::LANES {
                let bits = (stride.ilog2(), (stride * w.len()).ilog2().min(T::LANE_BITS));
                let states = (stride * w.len()).max(T::LANES);
                let w = (0..states)
                    .map(|state| T::from_f64(w[state / stride % w.len()]))
                    .collect();
                Step::ReflectLanes { bits, w, factor }
            } else {
                Step::Reflect {
                    stride,
                    w: w.clone(),
                    factor,
                }
            }
        }
        AxisMixer::Lattice(lattice) => {
            let (re, im) = lattice.exponential(beta.angle);
            Step::Multiply {
                stride,
                d: lattice.levels(),
                re,
                im,
                b: lattice.matrix(),
            }
        }
    }
}
