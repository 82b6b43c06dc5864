//! The operations that carry out a mixer on a tile: worked out once a circuit, and applied at every layer's angle.

use crate::kernels::{InstructionSet, Number, TileMut, Turn};
use crate::layout::Layout;
use crate::mixer::{AxisMixer, Lattice, Matrix};

/// One operation on one axis, or on several neighbouring qubits, at whatever angle.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step<T> {
    /// `e^{-iβX}` on up to four qubits, the lowest with the given stride.
    Turn { qubits: usize, stride: usize },
    /// The same on the lane bits in `lanes`, and on up to three qubits above one vector.
    TurnLanes { lanes: u32, qubits: usize },
    /// `e^{-2iβ|w⟩⟨w|}`.
    Reflect { stride: usize, w: Vec<f64> },
    /// The same on an axis that begins with lane bits.
    ReflectLanes { bits: (u32, u32), w: Vec<T> },
    /// `e^{-iβB}` of one of the group's lattices, given by its number.
    Multiply { stride: usize, lattice: usize },
}

impl<T: Number> Step<T> {
    /// In how many parts, up to `most`, the step is carried out on so many numbers: runs that do not meet.
    fn parts(&self, length: usize, most: usize) -> usize {
        if most == 1 {
            return 1;
        }
        let span = match self {
            Self::Turn { qubits, stride } => stride << qubits,
            Self::TurnLanes { qubits, .. } => T::LANES << qubits,
            Self::Reflect { stride, w } => stride * w.len(),
            Self::ReflectLanes { w, .. } => w.len(),
            Self::Multiply { .. } => length,
        };
        let divides = |&parts: &usize| (length / span).is_multiple_of(parts);
        (1..=most).rev().find(divides).unwrap_or(1)
    }

    pub(crate) fn apply(&self, isa: InstructionSet, beta: &Beta, re: &mut [T], im: &mut [T]) {
        let turn = beta.turn;
        match self {
            &Self::Turn { qubits: 1, stride } => isa.turn1(re, im, stride, turn),
            &Self::Turn { qubits: 2, stride } => isa.turn2(re, im, stride, turn),
            &Self::Turn { qubits: 3, stride } => isa.turn3(re, im, stride, turn),
            &Self::Turn { stride, .. } => isa.turn4(re, im, stride, turn),
            &Self::TurnLanes { lanes, qubits: 0 } => isa.turn_lanes0(re, im, lanes, turn),
            &Self::TurnLanes { lanes, qubits: 1 } => isa.turn_lanes1(re, im, lanes, turn),
            &Self::TurnLanes { lanes, qubits: 2 } => isa.turn_lanes2(re, im, lanes, turn),
            &Self::TurnLanes { lanes, .. } => isa.turn_lanes3(re, im, lanes, turn),
            Self::Reflect { stride, w } => isa.reflect(re, im, *stride, w, beta.reflection),
            Self::ReflectLanes { bits, w } => isa.reflect_lanes(re, im, *bits, w, beta.reflection),
            &Self::Multiply { stride, lattice } => {
                let Matrices { d, exponential, .. } = &beta.lattices[lattice];
                isa.multiply(re, im, stride, *d, &exponential.0, &exponential.1);
            }
        }
    }

    /// `Im⟨λ|B_k|ψ⟩` over a tile, and carries the step out on both states. The 1 in `2|w⟩⟨w| − 1` would contribute `Im⟨λ|ψ⟩`, which is
    /// zero throughout a gradient.
    fn undo(&self, isa: InstructionSet, beta: &Beta, psi: TileMut<T>, lambda: TileMut<T>) -> f64 {
        let turn = beta.turn;
        let states = ((&*psi.0, &*psi.1), (&*lambda.0, &*lambda.1));
        let overlap = match self {
            &Self::Turn { qubits: 1, stride } => return isa.undo1(psi, lambda, stride, turn),
            &Self::Turn { qubits: 2, stride } => return isa.undo2(psi, lambda, stride, turn),
            &Self::Turn { qubits: 3, stride } => return isa.undo3(psi, lambda, stride, turn),
            &Self::Turn { stride, .. } => return isa.undo4(psi, lambda, stride, turn),
            &Self::TurnLanes { lanes, qubits } => {
                return match qubits {
                    0 => isa.undo_lanes0(psi, lambda, lanes, turn),
                    1 => isa.undo_lanes1(psi, lambda, lanes, turn),
                    2 => isa.undo_lanes2(psi, lambda, lanes, turn),
                    _ => isa.undo_lanes3(psi, lambda, lanes, turn),
                };
            }
            Self::Reflect { stride, w } => {
                return 2.0 * isa.undo_reflect(psi, lambda, *stride, w, beta.reflection);
            }
            Self::ReflectLanes { bits, w } => {
                return 2.0 * isa.undo_reflect_lanes(psi, lambda, *bits, w, beta.reflection);
            }
            &Self::Multiply { stride, lattice } => {
                let Matrices { d, own, .. } = &beta.lattices[lattice];
                isa.overlap_multiply(states.0, states.1, stride, *d, own)
            }
        };
        self.apply(isa, beta, psi.0, psi.1);
        self.apply(isa, beta, lambda.0, lambda.1);
        overlap
    }
}

/// Takes the overlaps of some steps, `Im⟨λ|B_k|ψ⟩` summed up, and carries the steps out on both states, each in up to so many
/// parts; does something else after each.
pub(crate) fn undo<T: Number>(
    isa: InstructionSet,
    (steps, beta): (&[Step<T>], &Beta),
    psi: TileMut<T>,
    lambda: TileMut<T>,
    most: usize,
    mut between: impl FnMut(),
) -> f64 {
    let mut overlap = 0.0;
    for step in steps {
        let part = psi.0.len() / step.parts(psi.0.len(), most);
        let psi = psi.0.chunks_mut(part).zip(psi.1.chunks_mut(part));
        let lambda = lambda.0.chunks_mut(part).zip(lambda.1.chunks_mut(part));
        for (psi, lambda) in psi.zip(lambda) {
            overlap += step.undo(isa, beta, psi, lambda);
            between();
        }
    }
    overlap
}

/// Steps on the same tile.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Steps<T>(Vec<Step<T>>);

impl<T: Number> Steps<T> {
    /// Carries all steps out, each in up to so many parts, and does something else after each.
    pub(crate) fn apply(
        &self,
        isa: InstructionSet,
        beta: &Beta,
        (re, im): TileMut<T>,
        most: usize,
        mut between: impl FnMut(),
    ) {
        for step in &self.0 {
            let part = re.len() / step.parts(re.len(), most);
            for (re, im) in re.chunks_mut(part).zip(im.chunks_mut(part)) {
                step.apply(isa, beta, re, im);
                between();
            }
        }
    }

    /// In how many parts the steps are carried out on so many numbers.
    pub(crate) fn parts(&self, length: usize, most: usize) -> usize {
        self.0.iter().map(|step| step.parts(length, most)).sum()
    }

    pub(crate) fn all(&self) -> &[Step<T>] {
        &self.0
    }

    /// All steps but the last, and its number of qubits, where it turns the highest bits of a tile of `length` numbers: it can be carried
    /// out while the tile is copied.
    pub(crate) fn split_highest(&self, length: usize) -> (&[Step<T>], Option<usize>) {
        match self.0.split_last() {
            Some((&Step::Turn { qubits, stride }, others)) if stride << qubits == length => {
                (others, Some(qubits))
            }
            _ => (&self.0, None),
        }
    }
}

/// A mixer's angle, as the steps on one group take it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Beta {
    pub(crate) angle: f64,
    pub(crate) turn: Turn,
    /// `e^{-2iβ} − 1`.
    reflection: (f64, f64),
    lattices: Vec<Matrices>,
}

/// A lattice's B and `e^{-iβB}`, d·d numbers each.
#[derive(Debug, Clone, PartialEq)]
struct Matrices {
    d: usize,
    own: Matrix,
    exponential: (Matrix, Matrix),
}

impl Beta {
    pub(crate) fn new(angle: f64, lattices: &[Lattice]) -> Self {
        let (sin, cos) = angle.sin_cos();
        let matrices = |lattice: &Lattice| Matrices {
            d: lattice.levels(),
            own: lattice.matrix(),
            exponential: lattice.exponential(angle),
        };
        Self {
            angle,
            turn: Turn::new(sin, cos),
            // −2 sin β (sin β + i cos β), without cancellation at small angles.
            reflection: (-2.0 * sin * sin, -2.0 * sin * cos),
            lattices: lattices.iter().map(matrices).collect(),
        }
    }
}

/// The mixer on one group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mix<T> {
    /// On the axes above a block, over a whole tile.
    pub(crate) outer: Steps<T>,
    /// On a block.
    pub(crate) inner: Steps<T>,
    /// On the columns of a block, once it is transposed.
    pub(crate) turned: Steps<T>,
    /// Those of its axes, each one once.
    lattices: Vec<Lattice>,
}

impl<T: Number> Mix<T> {
    pub(crate) fn new(layout: &Layout, group: usize, mixers: &[AxisMixer]) -> Self {
        let (low, group) = (group == 0, &layout.groups[group]);
        let outer = strides(
            mixers,
            group.block_axes.end..group.axes.end,
            group.block_pitch,
        );
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
        let mut lattices = Vec::new();
        Self {
            outer: steps(&outer, &mut lattices),
            inner: steps(&inner, &mut lattices),
            turned: steps(&turned, &mut lattices),
            lattices,
        }
    }

    /// An angle for the steps.
    pub(crate) fn at(&self, angle: f64) -> Beta {
        Beta::new(angle, &self.lattices)
    }
}

/// The axes whose mixers leave the factor `e^{iβ}` to the phase: those with `e^{-2iβ|w⟩⟨w|}`.
pub(crate) fn left_to_phase(mixers: &[AxisMixer]) -> usize {
    let left = |mixer: &&AxisMixer| matches!(mixer, AxisMixer::Projector(_));
    mixers.iter().filter(left).count()
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

/// The steps of some axes by ascending stride; their lattices are added to the list. Neighbouring qubits are taken several at a
/// time.
fn steps<T: Number>(axes: &[Axis], lattices: &mut Vec<Lattice>) -> Steps<T> {
    let mut steps: Vec<Step<T>> = Vec::new();
    for &(mixer, stride) in axes {
        match (mixer, steps.last_mut()) {
            (AxisMixer::Flip, Some(Step::TurnLanes { lanes, qubits: 0 })) if stride < T::LANES => {
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
                }),
            ) if *qubits < 4 && stride == *lowest << *qubits => {
                *qubits += 1;
            }
            _ => steps.push(step(mixer, stride, lattices)),
        }
    }
    Steps(steps)
}

fn step<T: Number>(mixer: &AxisMixer, stride: usize, lattices: &mut Vec<Lattice>) -> Step<T> {
    match mixer {
        // The bit of a stride below one vector is the stride itself.
        AxisMixer::Flip if stride < T::LANES => Step::TurnLanes {
            lanes: stride as u32,
            qubits: 0,
        },
        AxisMixer::Flip => Step::Turn { qubits: 1, stride },
        AxisMixer::Projector(w) if stride < T::LANES => {
            let bits = (stride.ilog2(), (stride * w.len()).ilog2().min(T::LANE_BITS));
            let states = (stride * w.len()).max(T::LANES);
            let w = (0..states)
                .map(|state| T::from_f64(w[state / stride % w.len()]))
                .collect();
            Step::ReflectLanes { bits, w }
        }
        AxisMixer::Projector(w) => Step::Reflect {
            stride,
            w: w.clone(),
        },
        AxisMixer::Lattice(lattice) => {
            let known = lattices.iter().position(|known| known == lattice);
            let lattice = known.unwrap_or_else(|| {
                lattices.push(*lattice);
                lattices.len() - 1
            });
            Step::Multiply { stride, lattice }
        }
    }
}
