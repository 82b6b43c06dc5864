//! Mixers: what moves amplitude between the levels of an axis.

use crate::{Error, Register, Start};
use std::f64::consts::PI;

/// The operator B = Σ B_k of the mixer `e^{-iβB}`, a sum over the axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mixer {
    /// `B_k = 2|w_k⟩⟨w_k| − 1` with the start state's `w_k`: X on a uniform qubit; the same angle means the same on every axis.
    #[default]
    Complete,
    /// `B_k = 1 − L` with the Laplacian L of the path of the axis' levels; X on a qubit. Uniform start only.
    Path,
    /// `B_k` = adjacency matrix of the ring of the axis' levels, at least three. Uniform start only.
    Ring,
}

impl std::fmt::Display for Mixer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Complete => "complete",
            Self::Path => "path",
            Self::Ring => "ring",
        })
    }
}

impl Mixer {
    /// What the mixer is on every axis.
    pub(crate) fn axes(self, register: &Register, start: &Start) -> Result<Vec<AxisMixer>, Error> {
        start.check(register)?;
        let one = |(axis, w): (usize, &Vec<f64>)| self.axis(axis, w, start.is_uniform(axis));
        start.axes().iter().enumerate().map(one).collect()
    }

    fn axis(self, axis: usize, w: &[f64], uniform: bool) -> Result<AxisMixer, Error> {
        let d = w.len();
        match self {
            Self::Complete if d == 2 && uniform => Ok(AxisMixer::Flip),
            Self::Complete => Ok(AxisMixer::Projector(w.to_vec())),
            _ if !uniform => Err(Error::MixerNeedsUniformStart { mixer: self, axis }),
            Self::Path if d == 2 => Ok(AxisMixer::Flip),
            Self::Path => Ok(AxisMixer::Lattice(Lattice::Path(d))),
            Self::Ring if d < 3 => Err(Error::RingTooShort { axis, levels: d }),
            Self::Ring => Ok(AxisMixer::Lattice(Lattice::Ring(d))),
        }
    }

    /// Bytes that exponentials and matrices of the mixer take at most.
    pub(crate) fn bytes(self, register: &Register) -> u64 {
        let square = |&d: &usize| {
            (d as u64)
                .saturating_mul(d as u64)
                .saturating_mul(3 * size_of::<f64>() as u64)
        };
        match self {
            Self::Complete => 0,
            Self::Path | Self::Ring => register
                .levels()
                .iter()
                .map(square)
                .fold(0, u64::saturating_add),
        }
    }
}

/// `B_k` on one axis.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AxisMixer {
    /// X.
    Flip,
    /// `2|w⟩⟨w| − 1`.
    Projector(Vec<f64>),
    /// Steps between neighbouring levels.
    Lattice(Lattice),
}

impl AxisMixer {
    pub(crate) fn levels(&self) -> usize {
        match self {
            Self::Flip => 2,
            Self::Projector(w) => w.len(),
            Self::Lattice(lattice) => lattice.levels(),
        }
    }
}

/// Levels in a line, with this many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lattice {
    /// 1 − Laplacian of the path.
    Path(usize),
    /// Adjacency matrix of the ring.
    Ring(usize),
}

/// `d·d` numbers, row by row.
pub(crate) type Matrix = Vec<f64>;

impl Lattice {
    pub(crate) fn levels(self) -> usize {
        match self {
            Self::Path(d) | Self::Ring(d) => d,
        }
    }

    /// `B_k` itself.
    pub(crate) fn matrix(self) -> Matrix {
        let entry = |(i, j): (usize, usize)| match self {
            // Ends have one neighbour, so 1 − degree is 0 there and −1 inside.
            Self::Path(d) if i == j => {
                if i == 0 || i == d - 1 {
                    0.0
                } else {
                    -1.0
                }
            }
            Self::Path(_) => {
                if i.abs_diff(j) == 1 {
                    1.0
                } else {
                    0.0
                }
            }
            Self::Ring(d) => {
                if (i + 1) % d == j || (j + 1) % d == i {
                    1.0
                } else {
                    0.0
                }
            }
        };
        square(self.levels()).map(entry).collect()
    }

    /// `e^{-iβB_k}`, real and imaginary part, by the eigenvectors of `B_k`.
    ///
    /// The path's are the cosines of the discrete cosine transform (DCT-II) with eigenvalues 2cos(πk/d) − 1, the ring's the Fourier
    /// modes with 2cos(2πk/d). Products of cosines are sums of cosines, so an entry is one or two values of the same function of one
    /// number.
    pub(crate) fn exponential(self, beta: f64) -> (Matrix, Matrix) {
        match self {
            Self::Path(d) => {
                let weight = |k| if k == 0 { 0.5 } else { 1.0 };
                let wave = waves(d, 2 * d, |k| {
                    (
                        weight(k),
                        beta * (2.0 * (PI * k as f64 / d as f64).cos() - 1.0),
                    )
                });
                let sum = |a: (f64, f64), b: (f64, f64)| (a.0 + b.0, a.1 + b.1);
                square(d)
                    .map(|(i, j)| sum(wave[i.abs_diff(j)], wave[i + j + 1]))
                    .unzip()
            }
            Self::Ring(d) => {
                let wave = waves(d, d, |k| {
                    (1.0, beta * 2.0 * (2.0 * PI * k as f64 / d as f64).cos())
                });
                square(d).map(|(i, j)| wave[i.abs_diff(j)]).unzip()
            }
        }
    }
}

fn square(d: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..d * d).map(move |at| (at / d, at % d))
}

/// `(1/d) Σ_{k<d} weight_k e^{-i·angle_k} cos(2πkt/period)` for every `t` below the period, with (weight, angle) of every k.
fn waves(d: usize, period: usize, mode: impl Fn(usize) -> (f64, f64)) -> Vec<(f64, f64)> {
    let modes: Vec<(f64, f64)> = (0..d)
        .map(mode)
        .map(|(weight, angle)| {
            (
                weight * angle.cos() / d as f64,
                -weight * angle.sin() / d as f64,
            )
        })
        .collect();
    let cosines: Vec<f64> = (0..period)
        .map(|t| (2.0 * PI * t as f64 / period as f64).cos())
        .collect();
    let wave = |t: usize| {
        modes
            .iter()
            .enumerate()
            .fold((0.0, 0.0), |(re, im), (k, mode)| {
                let cosine = cosines[k * t % period];
                (re + mode.0 * cosine, im + mode.1 * cosine)
            })
    };
    (0..period).map(wave).collect()
}
