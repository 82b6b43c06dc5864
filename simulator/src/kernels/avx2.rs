//! Two AVX2 registers with FMA, and every kernel compiled for them.
//!
//! The vectors are named by the dispatch in `mod.rs` alone, which checks that the machine has the instructions.
#![allow(
    unsafe_code,
    reason = "the dispatch has checked that the machine has these instructions"
)]

use super::vector::{Number, Pack, Vector};
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
    ($name:ident, $register:ty, $real:ty, $set1:ident, $load:ident, $store:ident, $add:ident, $mul:ident, $fma:ident, $fnma:ident, $swap:ident) => {
        impl Pack for $register {
            type Real = $real;
            const LANES: usize = <$real>::LANES / 2;
            const REGISTERS: usize = 16;

            #[inline(always)]
            fn splat(value: $real) -> Self {
                // SAFETY: see the head of the file.
                unsafe { $set1(value) }
            }

            #[inline(always)]
            fn load(from: &[$real], at: usize) -> Self {
                let from = &from[at..at + Self::LANES];
                // SAFETY: the slice holds a whole register; unaligned loads are allowed.
                unsafe { $load(from.as_ptr()) }
            }

            #[inline(always)]
            fn store(self, to: &mut [$real], at: usize) {
                let to = &mut to[at..at + Self::LANES];
                // SAFETY: the slice holds a whole register; unaligned stores are allowed.
                unsafe { $store(to.as_mut_ptr(), self) }
            }

            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: see the head of the file.
                unsafe { $add(self, other) }
            }

            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                // SAFETY: see the head of the file.
                unsafe { $mul(self, other) }
            }

            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                // SAFETY: see the head of the file.
                unsafe { $fma(self, factor, addend) }
            }

            #[inline(always)]
            fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
                // SAFETY: see the head of the file.
                unsafe { $fnma(self, factor, addend) }
            }
        }

        impl Pack for $name {
            type Real = $real;
            const LANES: usize = <$real>::LANES;
            const REGISTERS: usize = 8;

            #[inline(always)]
            fn splat(value: $real) -> Self {
                Self([<$register>::splat(value); 2])
            }

            #[inline(always)]
            fn load(from: &[$real], at: usize) -> Self {
                let from = &from[at..at + Self::LANES];
                Self([
                    <$register as Pack>::load(from, 0),
                    <$register as Pack>::load(from, Self::LANES / 2),
                ])
            }

            #[inline(always)]
            fn store(self, to: &mut [$real], at: usize) {
                let to = &mut to[at..at + Self::LANES];
                self.0[0].store(to, 0);
                self.0[1].store(to, Self::LANES / 2);
            }

            #[inline(always)]
            fn add(self, other: Self) -> Self {
                let ([a, b], [c, d]) = (self.0, other.0);
                Self([a.add(c), b.add(d)])
            }

            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                let ([a, b], [c, d]) = (self.0, other.0);
                Self([a.mul(c), b.mul(d)])
            }

            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                let ([a, b], [c, d], [e, f]) = (self.0, factor.0, addend.0);
                Self([a.mul_add(c, e), b.mul_add(d, f)])
            }

            #[inline(always)]
            fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
                let ([a, b], [c, d], [e, f]) = (self.0, factor.0, addend.0);
                Self([a.neg_mul_add(c, e), b.neg_mul_add(d, f)])
            }
        }

        impl Vector for $name {
            type Part = $register;

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
    __m256d,
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
    __m256,
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
