//! Inner loops over contiguous tiles, once for each instruction set.
//!
//! `scalar` is the specification; the other files compile the same bodies for their instruction set. This file alone chooses, and
//! its calls into them are the crate's only `unsafe`.

/// Hands every kernel, with the body that specifies it and its operands, to the macro `$with`: the one list that the dispatch below
/// and the instruction sets share.
macro_rules! for_each_kernel {
    ($with:ident) => {
        $with! {
            phase = scalar::phase, (re: &mut [f64], im: &mut [f64], cost: &[f64], gamma: f64, offset: f64);
            rotate1 = scalar::rotate::<2>, (re: &mut [f64], im: &mut [f64], stride: usize, cos: f64, sin: f64);
            rotate2 = scalar::rotate::<4>, (re: &mut [f64], im: &mut [f64], stride: usize, cos: f64, sin: f64);
            rotate3 = scalar::rotate::<8>, (re: &mut [f64], im: &mut [f64], stride: usize, cos: f64, sin: f64);
            reflect = scalar::reflect, (re: &mut [f64], im: &mut [f64], stride: usize, w: &[f64], a: f64, b: f64);
            multiply = scalar::multiply, (re: &mut [f64], im: &mut [f64], stride: usize, d: usize, u_re: &[f64], u_im: &[f64]);
            overlap_projector = scalar::overlap_projector, (psi: Tile<'_>, lambda: Tile<'_>, stride: usize, w: &[f64]) -> f64;
            overlap_matrix = scalar::overlap_matrix, (psi: Tile<'_>, lambda: Tile<'_>, stride: usize, d: usize, b: &[f64]) -> f64;
            overlap_diagonal = scalar::overlap_diagonal, (psi: Tile<'_>, lambda: Tile<'_>, cost: &[f64]) -> f64;
            norm = scalar::norm, (psi: Tile<'_>) -> f64;
            mean = scalar::mean, (psi: Tile<'_>, cost: &[f64], center: f64) -> f64;
            spread = scalar::spread, (psi: Tile<'_>, cost: &[f64], center: f64) -> f64;
            shortfall = scalar::shortfall, (psi: Tile<'_>, cost: &[f64], quantile: f64) -> f64;
            weight_up_to = scalar::weight_up_to, (psi: Tile<'_>, cost: &[f64], threshold: f64) -> f64;
            weigh = scalar::weigh, (psi: Tile<'_>, re: &mut [f64], im: &mut [f64], cost: &[f64], weight: Weight);
            transpose = scalar::transpose, (from: &[f64], width: usize, to: &mut [f64], pitch: usize);
            transpose_back = scalar::transpose_back, (from: &[f64], pitch: usize, to: &mut [f64], width: usize);
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod lanes;
mod scalar;
mod sincos;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

pub(crate) use lanes::LANES;
pub(crate) use scalar::{Tile, Weight};
pub(crate) use sincos::MAX_PHASE;

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
}

impl InstructionSet {
    /// The specification, which every machine runs.
    pub const SCALAR: Self = Self(Level::Scalar);

    /// The instruction sets of this machine, the slowest first. All give the same bits.
    pub fn available() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut))]
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
        levels
    }

    /// The fastest instruction set of this machine, chosen once.
    pub fn best() -> Self {
        static BEST: OnceLock<InstructionSet> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().last().copied().unwrap_or(Self::SCALAR))
    }

    /// `scalar`, `avx2` or `avx512`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Scalar => "scalar",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
        }
    }
}

/// Each kernel as a method, compiled for the instruction set.
macro_rules! dispatch {
    ($($name:ident = $body:path, ($($operand:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        #[allow(unsafe_code, reason = "code for an instruction set may only run where the machine has it")]
        #[allow(clippy::too_many_arguments, reason = "a kernel takes its operands one by one")]
        impl InstructionSet {
            $(
                #[doc = concat!("See [`", stringify!($body), "`].")]
                pub(crate) fn $name(self, $($operand: $type),*) $(-> $result)? {
                    match self.0 {
                        Level::Scalar => $body($($operand),*),
                        // SAFETY: `available` makes this level only where the machine has AVX2 and FMA.
                        #[cfg(target_arch = "x86_64")]
                        Level::Avx2 => unsafe { avx2::$name($($operand),*) },
                        // SAFETY: `available` makes this level only where the machine has AVX-512 F, DQ and VL, AVX2 and FMA.
                        #[cfg(target_arch = "x86_64")]
                        Level::Avx512 => unsafe { avx512::$name($($operand),*) },
                    }
                }
            )*
        }
    };
}

for_each_kernel!(dispatch);
