//! The operations that carry out one layer, ready for the kernels.

use crate::kernels::{InstructionSet, Tile};
use crate::layout::{Group, Layout};
use crate::mixer::{AxisMixer, Matrix};

/// `1/√2`, the amplitudes of a uniform qubit.
const UNIFORM_QUBIT: [f64; 2] = [std::f64::consts::FRAC_1_SQRT_2; 2];

/// One operation on one axis, or on up to three neighbouring qubits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    /// Product of the levels of the group's axes below.
    below: usize,
    operation: Operation,
}

#[derive(Debug, Clone, PartialEq)]
enum Operation {
    /// `e^{-iβX}` on this many qubits.
    Rotate { qubits: usize, cos: f64, sin: f64 },
    /// `1 + (a + ib)|w⟩⟨w|`.
    Reflect { w: Vec<f64>, a: f64, b: f64 },
    /// A matrix on an axis with `d` levels.
    Multiply { d: usize, re: Matrix, im: Matrix },
}

impl Step {
    /// Applies the operation to a tile in which the group's lowest axis has the stride `base`.
    pub(crate) fn apply(&self, isa: InstructionSet, re: &mut [f64], im: &mut [f64], base: usize) {
        let stride = base * self.below;
        match &self.operation {
            &Operation::Rotate {
                qubits: 1,
                cos,
                sin,
            } => isa.rotate1(re, im, stride, cos, sin),
            &Operation::Rotate {
                qubits: 2,
                cos,
                sin,
            } => isa.rotate2(re, im, stride, cos, sin),
            &Operation::Rotate { cos, sin, .. } => isa.rotate3(re, im, stride, cos, sin),
            Operation::Reflect { w, a, b } => isa.reflect(re, im, stride, w, *a, *b),
            Operation::Multiply {
                d,
                re: u_re,
                im: u_im,
            } => isa.multiply(re, im, stride, *d, u_re, u_im),
        }
    }
}

/// All of one layer: a phase `e^{-i(γC + offset)}` and the steps of every group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layer {
    pub(crate) gamma: f64,
    /// What the complete mixer's factors `e^{iβ}`, one an axis, add to the phase.
    pub(crate) offset: f64,
    pub(crate) leading: Vec<Step>,
    pub(crate) trailing: Vec<Step>,
    pub(crate) high: Vec<Vec<Step>>,
}

impl Layer {
    pub(crate) fn new(layout: &Layout, axes: &[AxisMixer], gamma: f64, beta: f64) -> Self {
        let projectors = axes
            .iter()
            .filter(|axis| matches!(axis, AxisMixer::Projector(_)))
            .count();
        let steps = |group: &Group| steps(&axes[group.axes.clone()], beta);
        Self {
            gamma,
            offset: -beta * projectors as f64,
            leading: steps(&layout.leading),
            trailing: steps(&layout.trailing),
            high: layout.high.iter().map(steps).collect(),
        }
    }
}

/// The steps of a group. Neighbouring qubits are taken three at a time.
fn steps(axes: &[AxisMixer], beta: f64) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut below = 1;
    for axis in axes {
        if let (
            AxisMixer::Flip,
            Some(Step {
                operation: Operation::Rotate { qubits, .. },
                ..
            }),
        ) = (axis, steps.last_mut())
            && *qubits < 3
        {
            *qubits += 1;
        } else {
            steps.push(Step {
                below,
                operation: Operation::new(axis, beta),
            });
        }
        below *= axis.levels();
    }
    steps
}

impl Operation {
    fn new(axis: &AxisMixer, beta: f64) -> Self {
        match axis {
            AxisMixer::Flip => Self::Rotate {
                qubits: 1,
                cos: beta.cos(),
                sin: beta.sin(),
            },
            // e^{-2iβ} − 1 = −2 sin β (sin β + i cos β), without cancellation at small angles.
            AxisMixer::Projector(w) => Self::Reflect {
                w: w.clone(),
                a: -2.0 * beta.sin() * beta.sin(),
                b: -2.0 * beta.sin() * beta.cos(),
            },
            AxisMixer::Lattice(lattice) => {
                let (re, im) = lattice.exponential(beta);
                Self::Multiply {
                    d: lattice.levels(),
                    re,
                    im,
                }
            }
        }
    }
}

/// How `Im⟨λ|B_k|ψ⟩` is taken on one axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Overlap {
    below: usize,
    kind: OverlapKind,
}

#[derive(Debug, Clone, PartialEq)]
enum OverlapKind {
    /// Of `2|w⟩⟨w| − 1`. The 1 contributes `Im⟨λ|ψ⟩`, which is zero throughout a gradient.
    Projector(Vec<f64>),
    Matrix {
        d: usize,
        b: Matrix,
    },
}

impl Overlap {
    /// The overlaps of all axes of a group.
    pub(crate) fn of_group(axes: &[AxisMixer]) -> Vec<Self> {
        let mut below = 1;
        let one = |axis: &AxisMixer| {
            let overlap = Self {
                below,
                kind: OverlapKind::new(axis),
            };
            below *= axis.levels();
            overlap
        };
        axes.iter().map(one).collect()
    }

    /// `Im⟨λ|B_k|ψ⟩` over a tile in which the group's lowest axis has the stride `base`.
    pub(crate) fn of(&self, isa: InstructionSet, psi: Tile, lambda: Tile, base: usize) -> f64 {
        let stride = base * self.below;
        match &self.kind {
            OverlapKind::Projector(w) => 2.0 * isa.overlap_projector(psi, lambda, stride, w),
            OverlapKind::Matrix { d, b } => isa.overlap_matrix(psi, lambda, stride, *d, b),
        }
    }
}

impl OverlapKind {
    fn new(axis: &AxisMixer) -> Self {
        match axis {
            AxisMixer::Flip => Self::Projector(UNIFORM_QUBIT.to_vec()),
            AxisMixer::Projector(w) => Self::Projector(w.clone()),
            AxisMixer::Lattice(lattice) => Self::Matrix {
                d: lattice.levels(),
                b: lattice.matrix(),
            },
        }
    }
}
