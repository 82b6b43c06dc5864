//! Two AVX2 registers with FMA, and every kernel compiled for them.
//!
//! The vectors are named by the dispatch in `mod.rs` alone, which checks that the machine has the instructions.
#![allow(
    unsafe_code,
    reason = "the dispatch has checked that the machine has these instructions"
)]

use super::vector::{Number, Vector};
use super::{Angle, Product, Rows, Tile, TileMut, Turn, Weight};
use ndarray::{ArrayView2, ArrayViewMut2};
use std::arch::x86_64::*;

/// Eight `f64`.
#[derive(Clone, Copy)]
pub struct Doubles([__m256d; 2]);

/// Sixteen `f32`.
#[derive(Clone, Copy)]
pub struct Singles([__m256; 2]);

macro_rules! vector {
    ($name:ident, $real:ty, $set1:ident, $load:ident, $store:ident, $add:ident, $mul:ident, $fma:ident, $fnma:ident, $swap:ident) => {
        impl Vector for $name {
            type Real = $real;

            #[inline(always)]
            fn splat(value: $real) -> Self {
                // SAFETY: see the head of the file.
                let half = unsafe { $set1(value) };
                Self([half, half])
            }

            #[inline(always)]
            fn load(from: &[$real], at: usize) -> Self {
                let from = &from[at..at + <$real>::LANES];
                // SAFETY: the slice holds both halves; unaligned loads are allowed.
                Self(unsafe {
                    [
                        $load(from.as_ptr()),
                        $load(from.as_ptr().add(<$real>::LANES / 2)),
                    ]
                })
            }

            #[inline(always)]
            fn store(self, to: &mut [$real], at: usize) {
                let to = &mut to[at..at + <$real>::LANES];
                // SAFETY: the slice holds both halves; unaligned stores are allowed.
                unsafe {
                    $store(to.as_mut_ptr(), self.0[0]);
                    $store(to.as_mut_ptr().add(<$real>::LANES / 2), self.0[1]);
                }
            }

            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: see the head of the file.
                Self([0, 1].map(|half| unsafe { $add(self.0[half], other.0[half]) }))
            }

            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                // SAFETY: see the head of the file.
                Self([0, 1].map(|half| unsafe { $mul(self.0[half], other.0[half]) }))
            }

            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                // SAFETY: see the head of the file.
                Self(
                    [0, 1]
                        .map(|half| unsafe { $fma(self.0[half], factor.0[half], addend.0[half]) }),
                )
            }

            #[inline(always)]
            fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
                // SAFETY: see the head of the file.
                Self(
                    [0, 1]
                        .map(|half| unsafe { $fnma(self.0[half], factor.0[half], addend.0[half]) }),
                )
            }

            #[inline(always)]
            fn swap(self, bit: u32) -> Self {
                let [low, high] = self.0;
                if 1 << bit == <$real>::LANES / 2 {
                    return Self([high, low]);
                }
                // SAFETY: see the head of the file.
                Self(unsafe { [$swap(low, bit), $swap(high, bit)] })
            }
        }
    };
}

#[inline(always)]
unsafe fn swap_doubles(x: __m256d, bit: u32) -> __m256d {
    // SAFETY: see the head of the file.
    unsafe {
        match bit {
            0 => _mm256_permute_pd::<0b0101>(x),
            _ => _mm256_permute4x64_pd::<0x4e>(x),
        }
    }
}

#[inline(always)]
unsafe fn swap_singles(x: __m256, bit: u32) -> __m256 {
    // SAFETY: see the head of the file.
    unsafe {
        match bit {
            0 => _mm256_permute_ps::<0xb1>(x),
            1 => _mm256_permute_ps::<0x4e>(x),
            _ => _mm256_permute2f128_ps::<0x01>(x, x),
        }
    }
}

vector!(
    Doubles,
    f64,
    _mm256_set1_pd,
    _mm256_loadu_pd,
    _mm256_storeu_pd,
    _mm256_add_pd,
    _mm256_mul_pd,
    _mm256_fmadd_pd,
    _mm256_fnmadd_pd,
    swap_doubles
);
vector!(
    Singles,
    f32,
    _mm256_set1_ps,
    _mm256_loadu_ps,
    _mm256_storeu_ps,
    _mm256_add_ps,
    _mm256_mul_ps,
    _mm256_fmadd_ps,
    _mm256_fnmadd_ps,
    swap_singles
);

super::compile!(Doubles, Singles, target_feature(enable = "avx2,fma"));
