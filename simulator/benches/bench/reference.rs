//! The reference pass: both arrays of a state multiplied in place, which is the least that a pass over memory costs.

use super::median_ms;
use ketscale_simulator::Number;
use rayon::prelude::*;
use std::hint::black_box;
use std::time::Instant;

/// Amplitudes from which on the simulator splits a state between threads.
const SPLIT: usize = 1 << 16;
const PASSES: usize = 20;

/// Milliseconds of the pass over this many amplitudes, on huge pages where the system has them: by all threads the best of twenty, and
/// for small states by one thread, which is faster then.
pub fn pass_ms<T: Number>(amplitudes: usize) -> f64 {
    let mut pages = memmap2::MmapOptions::new()
        .len(2 * amplitudes * size_of::<T>())
        .map_anon()
        .expect("memory");
    #[cfg(target_os = "linux")]
    let _ = pages.advise(memmap2::Advice::HugePage);
    let arrays: &mut [T] = bytemuck::cast_slice_mut(&mut pages);
    arrays.fill(T::from_f64(1.0));
    if amplitudes <= SPLIT {
        return median_ms(|| scale(arrays, black_box(1.0)));
    }
    let share = arrays.len().div_ceil(threads());
    let mut pass = || {
        arrays
            .par_chunks_mut(share)
            .for_each(|part| scale(part, 1.000_000_1));
    };
    let best = (0..PASSES)
        .map(|_| {
            let start = Instant::now();
            pass();
            start.elapsed().as_secs_f64() * 1e3
        })
        .fold(f64::INFINITY, f64::min);
    assert!(
        arrays.iter().all(|x| (x.to_f64() - 1.000_002).abs() < 1e-5),
        "the reference pass multiplied twenty times"
    );
    best
}

/// Multiplies a list in place; the memory is the limit, whatever vector code the compiler makes of it.
fn scale<T: Number>(part: &mut [T], factor: f64) {
    match T::NAME {
        "f32" => bytemuck::cast_slice_mut::<T, f32>(part)
            .iter_mut()
            .for_each(|x| *x *= factor as f32),
        _ => bytemuck::cast_slice_mut::<T, f64>(part)
            .iter_mut()
            .for_each(|x| *x *= factor),
    }
}

pub fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
