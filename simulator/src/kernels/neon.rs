//! Four NEON registers, and every kernel compiled for them. Every aarch64 has NEON.
#![allow(unsafe_code, reason = "loads and stores by address")]

use super::vector::{Number, Pack, Vector};
use super::{Angle, Product, Rows, Tile, TileMut, Turn, Weight};
use ndarray::{ArrayView2, ArrayViewMut2};
use std::arch::aarch64::*;

/// Eight `f64`.
#[derive(Clone, Copy)]
pub struct Doubles([float64x2_t; 4]);

/// Sixteen `f32`.
#[derive(Clone, Copy)]
pub struct Singles([float32x4_t; 4]);

macro_rules! vector {
    ($name:ident, $register:ty, $real:ty, $dup:ident, $load:ident, $store:ident, $add:ident, $mul:ident, $fma:ident, $fms:ident, $swap:ident) => {
        impl Pack for $register {
            type Real = $real;
            const LANES: usize = <$real>::LANES / 4;
            const REGISTERS: usize = 32;

            #[inline(always)]
            fn splat(value: $real) -> Self {
                // SAFETY: every aarch64 has NEON.
                unsafe { $dup(value) }
            }

            #[inline(always)]
            fn load(from: &[$real], at: usize) -> Self {
                let from = &from[at..at + Self::LANES];
                // SAFETY: the slice holds a whole register.
                unsafe { $load(from.as_ptr()) }
            }

            #[inline(always)]
            fn store(self, to: &mut [$real], at: usize) {
                let to = &mut to[at..at + Self::LANES];
                // SAFETY: the slice holds a whole register.
                unsafe { $store(to.as_mut_ptr(), self) }
            }

            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: every aarch64 has NEON.
                unsafe { $add(self, other) }
            }

            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                // SAFETY: every aarch64 has NEON.
                unsafe { $mul(self, other) }
            }

            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                // SAFETY: every aarch64 has NEON.
                unsafe { $fma(addend, self, factor) }
            }

            #[inline(always)]
            fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
                // SAFETY: every aarch64 has NEON.
                unsafe { $fms(addend, self, factor) }
            }
        }

        impl Pack for $name {
            type Real = $real;
            const LANES: usize = <$real>::LANES;
            const REGISTERS: usize = 8;

            #[inline(always)]
            fn splat(value: $real) -> Self {
                Self([<$register>::splat(value); 4])
            }

            #[inline(always)]
            fn load(from: &[$real], at: usize) -> Self {
                let from = &from[at..at + Self::LANES];
                Self(
                    [0, 1, 2, 3]
                        .map(|quarter| <$register as Pack>::load(from, quarter * Self::LANES / 4)),
                )
            }

            #[inline(always)]
            fn store(self, to: &mut [$real], at: usize) {
                let to = &mut to[at..at + Self::LANES];
                for (quarter, part) in self.0.into_iter().enumerate() {
                    part.store(to, quarter * Self::LANES / 4);
                }
            }

            #[inline(always)]
            fn add(self, other: Self) -> Self {
                Self([0, 1, 2, 3].map(|quarter| self.0[quarter].add(other.0[quarter])))
            }

            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                Self([0, 1, 2, 3].map(|quarter| self.0[quarter].mul(other.0[quarter])))
            }

            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                Self(
                    [0, 1, 2, 3].map(|quarter| {
                        self.0[quarter].mul_add(factor.0[quarter], addend.0[quarter])
                    }),
                )
            }

            #[inline(always)]
            fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
                Self([0, 1, 2, 3].map(|quarter| {
                    self.0[quarter].neg_mul_add(factor.0[quarter], addend.0[quarter])
                }))
            }
        }

        impl Vector for $name {
            type Part = $register;

            #[inline(always)]
            fn swap(self, bit: u32) -> Self {
                let [a, b, c, d] = self.0;
                match (1 << bit) / (<$real>::LANES / 4) {
                    0 => Self(self.0.map(|quarter| $swap(quarter, bit))),
                    1 => Self([b, a, d, c]),
                    _ => Self([c, d, a, b]),
                }
            }
        }
    };
}

#[inline(always)]
fn swap_doubles(x: float64x2_t, _: u32) -> float64x2_t {
    // SAFETY: every aarch64 has NEON.
    unsafe { vextq_f64::<1>(x, x) }
}

#[inline(always)]
fn swap_singles(x: float32x4_t, bit: u32) -> float32x4_t {
    // SAFETY: every aarch64 has NEON.
    unsafe {
        match bit {
            0 => vrev64q_f32(x),
            _ => vextq_f32::<2>(x, x),
        }
    }
}

vector!(
    Doubles,
    float64x2_t,
    f64,
    vdupq_n_f64,
    vld1q_f64,
    vst1q_f64,
    vaddq_f64,
    vmulq_f64,
    vfmaq_f64,
    vfmsq_f64,
    swap_doubles
);
vector!(
    Singles,
    float32x4_t,
    f32,
    vdupq_n_f32,
    vld1q_f32,
    vst1q_f32,
    vaddq_f32,
    vmulq_f32,
    vfmaq_f32,
    vfmsq_f32,
    swap_singles
);

super::compile!(Doubles, Singles, inline(never));
