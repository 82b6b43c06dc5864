//! Numbers in groups: what every instruction set has to offer to the kernels.

/// A precision of amplitudes: `f32` or `f64`.
pub trait Number:
    bytemuck::Pod + Default + PartialEq + Send + Sync + std::fmt::Debug + super::Kernels
{
    /// Numbers in 64 bytes: one AVX-512 register, two of AVX2, four of NEON.
    const LANES: usize;
    /// log2 of [`Self::LANES`].
    const LANE_BITS: u32;
    /// `f32` or `f64`.
    const NAME: &'static str;
    /// The specification's vector.
    type Plain: Vector<Real = Self>;

    /// The nearest number of this precision.
    fn from_f64(value: f64) -> Self;
    /// The same number in double precision.
    fn to_f64(self) -> f64;
}

/// Numbers that are treated alike. All operations round as IEEE 754 says, so that every instruction set gives the same bits.
pub trait Pack: Copy {
    /// The precision.
    type Real: Number;
    /// How many numbers.
    const LANES: usize;
    /// How many of them the registers of the instruction set hold.
    const REGISTERS: usize;

    /// The same number in every lane.
    fn splat(value: Self::Real) -> Self;
    /// Reads the numbers from `at` on.
    fn load(from: &[Self::Real], at: usize) -> Self;
    /// Writes the numbers from `at` on.
    fn store(self, to: &mut [Self::Real], at: usize);
    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self · other`.
    fn mul(self, other: Self) -> Self;
    /// `self · factor + addend` in one rounding.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// `addend − self · factor` in one rounding.
    fn neg_mul_add(self, factor: Self, addend: Self) -> Self;
}

/// [`Number::LANES`] numbers.
pub trait Vector: Pack {
    /// One register: kernels whose lanes do not meet take it instead, for of whole vectors fewer fit.
    type Part: Pack<Real = Self::Real>;

    /// Exchanges the lanes whose numbers differ in one bit.
    fn swap(self, bit: u32) -> Self;
    /// The lanes in reverse order: their numbers differ in all bits.
    #[inline(always)]
    fn reversed(self) -> Self {
        (0..Self::Real::LANE_BITS).fold(self, Self::swap)
    }
}

impl Number for f64 {
    const LANES: usize = 8;
    const LANE_BITS: u32 = 3;
    const NAME: &'static str = "f64";
    type Plain = [f64; 8];

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
}

impl Number for f32 {
    const LANES: usize = 16;
    const LANE_BITS: u32 = 4;
    const NAME: &'static str = "f32";
    type Plain = [f32; 16];

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

/// The specification.
macro_rules! plain {
    ($real:ty, $lanes:literal) => {
        impl Pack for [$real; $lanes] {
            type Real = $real;
            const LANES: usize = $lanes;
            // Memory, which has room for any number.
            const REGISTERS: usize = 32;

            #[inline(always)]
            fn splat(value: $real) -> Self {
                [value; $lanes]
            }

            #[inline(always)]
            fn load(from: &[$real], at: usize) -> Self {
                let mut lanes = [0.0; $lanes];
                lanes.copy_from_slice(&from[at..at + $lanes]);
                lanes
            }

            #[inline(always)]
            fn store(self, to: &mut [$real], at: usize) {
                to[at..at + $lanes].copy_from_slice(&self);
            }

            #[inline(always)]
            fn add(self, other: Self) -> Self {
                std::array::from_fn(|lane| self[lane] + other[lane])
            }

            #[inline(always)]
            fn mul(self, other: Self) -> Self {
                std::array::from_fn(|lane| self[lane] * other[lane])
            }

            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                std::array::from_fn(|lane| self[lane].mul_add(factor[lane], addend[lane]))
            }

            #[inline(always)]
            fn neg_mul_add(self, factor: Self, addend: Self) -> Self {
                std::array::from_fn(|lane| (-self[lane]).mul_add(factor[lane], addend[lane]))
            }
        }

        impl Vector for [$real; $lanes] {
            type Part = Self;

            #[inline(always)]
            fn swap(self, bit: u32) -> Self {
                std::array::from_fn(|lane| self[lane ^ (1 << bit)])
            }
        }
    };
}

plain!(f64, 8);
plain!(f32, 16);
