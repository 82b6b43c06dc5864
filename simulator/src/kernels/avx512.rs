//! One AVX-512 register (F, DQ and VL), and every kernel compiled for them.
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
pub struct Doubles(__m512d);

/// Sixteen `f32`.
#[derive(Clone, Copy)]
pub struct Singles(__m512);

macro_rules! vector {
    ($name:ident, $real:ty, $set1:ident, $load:ident, $store:ident, $add:ident, $mul:ident, $fma:ident, $fnma:ident, $swap:ident) => {
        impl Pack for $name {
            type Real = $real;
            const LANES: usize = <$real>::LANES;
            const REGISTERS: usize = 32;

            #[inline(always)]
            fn splat(value: $real) -> Self {
                // SAFETY: see the head of the file.
                Self(unsafe { $set1(value) })
            }

            #[inline(always)]
            fn load(from: &[$real], at: usize) -> Self {
                let from = &from[at..at + <$real>::LANES];
                // SAFETY: the slice holds a whole vector; unaligned loads are allowed.
                Self(unsafe { $load(from.as_ptr()) })
            }

            #[inline(always)]
            fn store(self, to: &mut [$real], at: usize) {
                let to = &mut to[at..at + <$real>::LANES];
                // SAFETY: the slice holds a whole vector; unaligned stores are allowed.
                unsafe { $store(to.as_mut_ptr(), self.0) }
            }

            #[inline(always)]
            fn add(self, other: Self) -> Self {
                // SAFETY: see the head of the file.
                Self(unsafe { $add(self.0, other.0) })
            }

            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                // SAFETY: see the head of the file.
                Self(unsafe { $mul(self.0, other.0) })
            }

            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                // SAFETY: see the head of the file.
                Self(unsafe { $fma(self.0, factor.0, addend.0) })
            }

            #[inline(always)]
            fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
                // SAFETY: see the head of the file.
                Self(unsafe { $fnma(self.0, factor.0, addend.0) })
            }
        }

        impl Vector for $name {
            type Part = Self;

            #[inline(always)]
            fn swap(self, bit: u32) -> Self {
                // SAFETY: see the head of the file.
                Self(unsafe { $swap(self.0, bit) })
            }
        }
    };
}

#[inline(always)]
unsafe fn swap_doubles(x: __m512d, bit: u32) -> __m512d {
    // SAFETY: see the head of the file.
    unsafe {
        match bit {
            0 => _mm512_permute_pd::<0x55>(x),
            1 => _mm512_permutex_pd::<0x4e>(x),
            _ => _mm512_shuffle_f64x2::<0x4e>(x, x),
        }
    }
}

#[inline(always)]
unsafe fn swap_singles(x: __m512, bit: u32) -> __m512 {
    // SAFETY: see the head of the file.
    unsafe {
        match bit {
            0 => _mm512_permute_ps::<0xb1>(x),
            1 => _mm512_permute_ps::<0x4e>(x),
            2 => _mm512_shuffle_f32x4::<0xb1>(x, x),
            _ => _mm512_shuffle_f32x4::<0x4e>(x, x),
        }
    }
}

vector!(
    Doubles,
    f64,
    _mm512_set1_pd,
    _mm512_loadu_pd,
    _mm512_storeu_pd,
    _mm512_add_pd,
    _mm512_mul_pd,
    _mm512_fmadd_pd,
    _mm512_fnmadd_pd,
    swap_doubles
);
vector!(
    Singles,
    f32,
    _mm512_set1_ps,
    _mm512_loadu_ps,
    _mm512_storeu_ps,
    _mm512_add_ps,
    _mm512_mul_ps,
    _mm512_fmadd_ps,
    _mm512_fnmadd_ps,
    swap_singles
);

super::compile!(
    Doubles,
    Singles,
    target_feature(enable = "avx512f,avx512dq,avx512vl,avx2,fma")
);
