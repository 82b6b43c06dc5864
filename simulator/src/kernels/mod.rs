//! Inner loops over contiguous tiles, written once over vectors and compiled once for each instruction set.
//!
//! The vectors of plain Rust in `vector` are the specification; those of the other instruction sets do the same, lane by lane, so all
//! give the same bits. This file alone chooses between them. `unsafe` is here, where code for an instruction set is called, and in
//! the files that wrap its instructions.
//!
//! All strides and lengths are whole vectors, but where a kernel says otherwise.

/// Hands every kernel, with the function that specifies it and its operands, to the macro `$with`: the one list that the dispatch below
/// and the instruction sets share. `T` is the precision.
macro_rules! for_each_kernel {
    ($with:ident, $t:ty; $($further:tt)*) => {
        $with! { $t; $($further)*;
            turn1 = mix::turn[2], (re: &mut [$t], im: &mut [$t], stride: usize, turn: Turn);
            turn2 = mix::turn[4], (re: &mut [$t], im: &mut [$t], stride: usize, turn: Turn);
            turn3 = mix::turn[8], (re: &mut [$t], im: &mut [$t], stride: usize, turn: Turn);
            turn4 = mix::turn[16], (re: &mut [$t], im: &mut [$t], stride: usize, turn: Turn);
            turn_lanes0 = mix::turn_lanes[1], (re: &mut [$t], im: &mut [$t], lanes: u32, turn: Turn);
            turn_lanes1 = mix::turn_lanes[2], (re: &mut [$t], im: &mut [$t], lanes: u32, turn: Turn);
            turn_lanes2 = mix::turn_lanes[4], (re: &mut [$t], im: &mut [$t], lanes: u32, turn: Turn);
            turn_lanes3 = mix::turn_lanes[8], (re: &mut [$t], im: &mut [$t], lanes: u32, turn: Turn);
            turn_mirrored = mix::turn_mirrored[], (near: TileMut<'_, $t>, far: TileMut<'_, $t>, turn: Turn);
            reflect = reflect::reflect[], (re: &mut [$t], im: &mut [$t], stride: usize, w: &[f64], factor: (f64, f64));
            reflect_lanes = reflect::reflect_lanes[], (re: &mut [$t], im: &mut [$t], bits: (u32, u32), w: &[$t], factor: (f64, f64));
            multiply = mix::multiply[], (re: &mut [$t], im: &mut [$t], stride: usize, d: usize, u_re: &[f64], u_im: &[f64]);
            overlap_turn1 = overlap::overlap_turn[2], (psi: Tile<'_, $t>, lambda: Tile<'_, $t>, stride: usize) -> f64;
            overlap_turn2 = overlap::overlap_turn[4], (psi: Tile<'_, $t>, lambda: Tile<'_, $t>, stride: usize) -> f64;
            overlap_turn3 = overlap::overlap_turn[8], (psi: Tile<'_, $t>, lambda: Tile<'_, $t>, stride: usize) -> f64;
            overlap_turn4 = overlap::overlap_turn[16], (psi: Tile<'_, $t>, lambda: Tile<'_, $t>, stride: usize) -> f64;
            undo1 = overlap::undo[2], (psi: TileMut<'_, $t>, lambda: TileMut<'_, $t>, stride: usize, turn: Turn) -> f64;
            undo2 = overlap::undo[4], (psi: TileMut<'_, $t>, lambda: TileMut<'_, $t>, stride: usize, turn: Turn) -> f64;
            undo3 = overlap::undo[8], (psi: TileMut<'_, $t>, lambda: TileMut<'_, $t>, stride: usize, turn: Turn) -> f64;
            undo4 = overlap::undo[16], (psi: TileMut<'_, $t>, lambda: TileMut<'_, $t>, stride: usize, turn: Turn) -> f64;
            undo_lanes0 = overlap::undo_lanes[1], (psi: TileMut<'_, $t>, lambda: TileMut<'_, $t>, lanes: u32, turn: Turn) -> f64;
            undo_lanes1 = overlap::undo_lanes[2], (psi: TileMut<'_, $t>, lambda: TileMut<'_, $t>, lanes: u32, turn: Turn) -> f64;
            undo_lanes2 = overlap::undo_lanes[4], (psi: TileMut<'_, $t>, lambda: TileMut<'_, $t>, lanes: u32, turn: Turn) -> f64;
            undo_lanes3 = overlap::undo_lanes[8], (psi: TileMut<'_, $t>, lambda: TileMut<'_, $t>, lanes: u32, turn: Turn) -> f64;
            overlap_mirrored = overlap::overlap_mirrored[], (psi: [Tile<'_, $t>; 2], lambda: [Tile<'_, $t>; 2]) -> f64;
            undo_reflect = reflect::undo_reflect[], (psi: TileMut<'_, $t>, lambda: TileMut<'_, $t>, stride: usize, w: &[f64], factor: (f64, f64)) -> f64;
            undo_reflect_lanes = reflect::undo_reflect_lanes[], (psi: TileMut<'_, $t>, lambda: TileMut<'_, $t>, bits: (u32, u32), w: &[$t], factor: (f64, f64)) -> f64;
            overlap_multiply = overlap::overlap_multiply[], (psi: Tile<'_, $t>, lambda: Tile<'_, $t>, stride: usize, d: usize, b: &[f64]) -> f64;
            overlap_diagonal = overlap::overlap_diagonal[], (psi: Tile<'_, $t>, lambda: Tile<'_, $t>, cost: &[f64]) -> f64;
            norm = reduce::norm[], (psi: Tile<'_, $t>) -> f64;
            mean = reduce::mean[], (psi: Tile<'_, $t>, cost: &[f64], center: f64) -> f64;
            spread = reduce::spread[], (psi: Tile<'_, $t>, cost: &[f64], center: f64) -> f64;
            shortfall = reduce::shortfall[], (psi: Tile<'_, $t>, cost: &[f64], quantile: f64) -> f64;
            weight_up_to = reduce::weight_up_to[], (psi: Tile<'_, $t>, cost: &[f64], threshold: f64) -> f64;
            costs = phase::costs[], (to: &mut [f64], own: &[f64], rows: &[f64], columns: &[f64]);
            phase = phase::phase[], (re: &mut [$t], im: &mut [$t], cost: &[f64], angle: Angle);
            phases = phase::phases[], (cost: &[f64], angle: Angle, re: &mut [$t], im: &mut [$t]);
            phase_product = phase::phase_product[], (re: &mut [$t], im: &mut [$t], table: Tile<'_, $t>, rows: Tile<'_, $t>, columns: Tile<'_, $t>);
            phase_split = phase::phase_split[], (re: &mut [$t], im: &mut [$t], rows: Tile<'_, $t>, factors: Tile<'_, $t>, products: &[Product], places: TileMut<'_, $t>);
            phase_steps = phase::phase_steps[], (re: &mut [$t], im: &mut [$t], steps: &[u16], table: Tile<'_, $t>);
            weigh = phase::weigh[], (psi: Tile<'_, $t>, re: &mut [$t], im: &mut [$t], cost: &[f64], weight: Weight);
            gather = copy::gather[], (from: ArrayView2<'_, $t>, to: &mut [$t], rows: Rows);
            gather_turned1 = copy::gather_turned[2], (from: (ArrayView2<'_, $t>, ArrayView2<'_, $t>), to: (&mut [$t], &mut [$t]), rows: Rows, turn: Turn);
            gather_turned2 = copy::gather_turned[4], (from: (ArrayView2<'_, $t>, ArrayView2<'_, $t>), to: (&mut [$t], &mut [$t]), rows: Rows, turn: Turn);
            gather_turned3 = copy::gather_turned[8], (from: (ArrayView2<'_, $t>, ArrayView2<'_, $t>), to: (&mut [$t], &mut [$t]), rows: Rows, turn: Turn);
            gather_turned4 = copy::gather_turned[16], (from: (ArrayView2<'_, $t>, ArrayView2<'_, $t>), to: (&mut [$t], &mut [$t]), rows: Rows, turn: Turn);
            scatter = copy::scatter[], (from: &[$t], rows: Rows, to: ArrayViewMut2<'_, $t>);
            scatter_turned1 = copy::scatter_turned[2], (from: Tile<'_, $t>, to: (ArrayViewMut2<'_, $t>, ArrayViewMut2<'_, $t>), rows: Rows, turn: Turn);
            scatter_turned2 = copy::scatter_turned[4], (from: Tile<'_, $t>, to: (ArrayViewMut2<'_, $t>, ArrayViewMut2<'_, $t>), rows: Rows, turn: Turn);
            scatter_turned3 = copy::scatter_turned[8], (from: Tile<'_, $t>, to: (ArrayViewMut2<'_, $t>, ArrayViewMut2<'_, $t>), rows: Rows, turn: Turn);
            scatter_turned4 = copy::scatter_turned[16], (from: Tile<'_, $t>, to: (ArrayViewMut2<'_, $t>, ArrayViewMut2<'_, $t>), rows: Rows, turn: Turn);
            transpose = copy::transpose[], (from: &[$t], pitch: usize, shape: (usize, usize), to: &mut [$t], to_pitch: usize);
        }
    };
}

/// Compiles every kernel for an instruction set, in both precisions.
macro_rules! compile {
    ($doubles:ident, $singles:ident, $attribute:meta) => {
        /// In double precision.
        pub(super) mod double {
            use super::*;
            for_each_kernel!(compile_each, f64; $doubles, #[$attribute]);
        }

        /// In single precision.
        pub(super) mod single {
            use super::*;
            for_each_kernel!(compile_each, f32; $singles, #[$attribute]);
        }
    };
}

macro_rules! compile_each {
    ($t:ty; $vector:ident, #[$attribute:meta]; $($name:ident = $module:ident::$function:ident[$($constant:literal)?], ($($operand:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        $(
            #[$attribute]
            pub(in super::super) fn $name($($operand: $type),*) $(-> $result)? {
                super::super::$module::$function::<$vector $(, $constant)?>($($operand),*)
            }
        )*
    };
}

use compile;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod copy;
mod mix;
#[cfg(target_arch = "aarch64")]
mod neon;
mod overlap;
mod phase;
mod reduce;
mod reflect;
mod sincos;
#[cfg(test)]
mod tests;
mod vector;

use ndarray::{ArrayView2, ArrayViewMut2};
use std::sync::OnceLock;

pub(crate) use copy::Rows;
pub(crate) use mix::Turn;
pub(crate) use phase::{Angle, Product, Weight};
pub(crate) use sincos::MAX_PHASE;
pub use vector::Number;

/// Real and imaginary parts of a tile.
pub(crate) type Tile<'a, T> = (&'a [T], &'a [T]);
/// The same, to be written.
pub(crate) type TileMut<'a, T> = (&'a mut [T], &'a mut [T]);

/// An instruction set that this machine has: the only way to one is to ask for it here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstructionSet(Level);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Scalar,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "aarch64")]
    Neon,
}

impl InstructionSet {
    /// The specification, which every machine runs.
    pub const SCALAR: Self = Self(Level::Scalar);

    /// The instruction sets of this machine, the slowest first. All give the same bits.
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Self::SCALAR];
        #[cfg(target_arch = "x86_64")]
        {
            let fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let wide = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            levels.extend(fma.then_some(Self(Level::Avx2)));
            levels.extend((fma && wide).then_some(Self(Level::Avx512)));
        }
        #[cfg(target_arch = "aarch64")]
        levels.push(Self(Level::Neon));
        levels
    }

    /// The fastest instruction set of this machine, chosen once.
    pub fn best() -> Self {
        static BEST: OnceLock<InstructionSet> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().last().copied().unwrap_or(Self::SCALAR))
    }

    /// `scalar`, `avx2`, `avx512` or `neon`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Level::Neon => "neon",
        }
    }
}

/// Asks for the cache line at an address, which nobody need own: a hint that reads nothing.
#[inline(always)]
#[allow(unsafe_code, reason = "the instruction takes an address")]
pub(crate) fn prefetch(address: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has the instruction, and it cannot fault, whatever the address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T1>(std::ptr::without_provenance(address));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Each kernel as a function of a precision. They are compiled here, once, and not where a crate uses them.
macro_rules! declare {
    ($t:ty; ; $($name:ident = $module:ident::$function:ident[$($constant:literal)?], ($($operand:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        /// What a precision does on every instruction set.
        #[allow(private_interfaces, missing_docs, reason = "the crate alone names the trait")]
        #[allow(clippy::too_many_arguments, reason = "a kernel takes its operands one by one")]
        pub trait Kernels: Sized {
            $(fn $name(isa: InstructionSet, $($operand: $type),*) $(-> $result)?;)*
        }
    };
}

macro_rules! implement {
    ($t:ty; $precision:ident; $($name:ident = $module:ident::$function:ident[$($constant:literal)?], ($($operand:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        #[allow(unsafe_code, reason = "code for an instruction set may only run where the machine has it")]
        #[allow(private_interfaces, reason = "the crate alone names the trait")]
        impl Kernels for $t {
            $(
                fn $name(isa: InstructionSet, $($operand: $type),*) $(-> $result)? {
                    match isa.0 {
                        Level::Scalar => $module::$function::<<$t as Number>::Plain $(, $constant)?>($($operand),*),
                        // SAFETY: `available` makes this level only where the machine has AVX2 and FMA.
                        #[cfg(target_arch = "x86_64")]
                        Level::Avx2 => unsafe { avx2::$precision::$name($($operand),*) },
                        // SAFETY: `available` makes this level only where the machine has AVX-512 F, DQ and VL, AVX2 and FMA.
                        #[cfg(target_arch = "x86_64")]
                        Level::Avx512 => unsafe { avx512::$precision::$name($($operand),*) },
                        #[cfg(target_arch = "aarch64")]
                        Level::Neon => neon::$precision::$name($($operand),*),
                    }
                }
            )*
        }
    };
}

/// Each kernel as a method of the instruction set.
macro_rules! dispatch {
    ($t:ty; ; $($name:ident = $module:ident::$function:ident[$($constant:literal)?], ($($operand:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        #[allow(clippy::too_many_arguments, reason = "a kernel takes its operands one by one")]
        impl InstructionSet {
            $(
                #[doc = concat!("See [`", stringify!($module), "::", stringify!($function), "`].")]
                pub(crate) fn $name<T: Number>(self, $($operand: $type),*) $(-> $result)? {
                    T::$name(self, $($operand),*)
                }
            )*
        }
    };
}

for_each_kernel!(declare, Self;);
for_each_kernel!(implement, f64; double);
for_each_kernel!(implement, f32; single);
for_each_kernel!(dispatch, T;);
