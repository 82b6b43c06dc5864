//! The kernels of `scalar`, compiled for AVX-512 (F, DQ and VL).

use super::scalar::{self, Tile, Weight};

macro_rules! compile {
    ($($name:ident = $body:path, ($($operand:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        $(
            #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx2,fma")]
            #[allow(clippy::too_many_arguments, reason = "a kernel takes its operands one by one")]
            pub(super) fn $name($($operand: $type),*) $(-> $result)? {
                $body($($operand),*)
            }
        )*
    };
}

for_each_kernel!(compile);
