//! Lists of numbers that start on a cache line, large ones on huge pages.

use bytemuck::Pod;
use memmap2::{MmapMut, MmapOptions};

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;
/// Bytes of a huge page. Lists of several are mapped, smaller ones come from the heap.
const HUGE_PAGE: usize = 1 << 21;

/// Bytes of a page. Distances that are a multiple of it meet in the same sets of a cache.
pub(crate) const PAGE: usize = 1 << 12;

/// Bytes of half a page. Rows of a tile that are a power of two apart meet in one set of the cache; where one of two arrays begins so much
/// later, the rows of both meet in two.
pub(crate) const HALF_PAGE: usize = PAGE / 2;

/// A fixed number of numbers, the first one on a cache line: vectors never straddle two lines. Large lists begin on a huge page
/// and ask the system for more of them, since a strided tile touches a thousand pages of the usual size.
#[derive(Debug)]
pub(crate) struct Aligned<T: Pod> {
    memory: Memory<T>,
    start: usize,
    length: usize,
}

#[derive(Debug)]
enum Memory<T> {
    Heap(Vec<T>),
    Pages(MmapMut),
}

impl<T: Pod + Default> Aligned<T> {
    /// Zeros. The system hands out the pages when they are first written.
    pub(crate) fn zeros(length: usize) -> Self {
        Self::new(length, LINE, 0)
    }

    /// Zeros that begin so many bytes after the beginning of a page, where they fill one.
    pub(crate) fn shifted(length: usize, by: usize) -> Self {
        if length.saturating_mul(size_of::<T>()) < PAGE {
            Self::zeros(length)
        } else {
            Self::new(length, PAGE, by)
        }
    }

    fn new(length: usize, alignment: usize, by: usize) -> Self {
        let shift = by / size_of::<T>();
        let needed = length + shift;
        let bytes = needed.saturating_mul(size_of::<T>());
        let mapped = if bytes < 4 * HUGE_PAGE {
            None
        } else {
            // Where the system refuses, the heap says why.
            MmapOptions::new()
                .len(bytes.saturating_add(HUGE_PAGE))
                .map_anon()
                .ok()
        };
        let (memory, alignment) = match mapped {
            Some(pages) => {
                // A system without huge pages refuses the advice; the list is then as good, only slower.
                #[cfg(target_os = "linux")]
                let _ = pages.advise(memmap2::Advice::HugePage);
                (Memory::Pages(pages), HUGE_PAGE)
            }
            None => (
                Memory::Heap(vec![T::default(); needed + alignment / size_of::<T>()]),
                alignment,
            ),
        };
        let mut list = Self {
            memory,
            start: 0,
            length,
        };
        let spare = list.all().len() - needed;
        // Offsets are small where they are known; where not, alignment is only a matter of speed.
        list.start = list.all().as_ptr().align_offset(alignment).min(spare) + shift;
        list
    }

    fn all(&self) -> &[T] {
        match &self.memory {
            Memory::Heap(list) => list,
            Memory::Pages(pages) => bytemuck::cast_slice(pages),
        }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        &self.all()[self.start..self.start + self.length]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        let all = match &mut self.memory {
            Memory::Heap(list) => list,
            Memory::Pages(pages) => bytemuck::cast_slice_mut(pages),
        };
        &mut all[self.start..self.start + self.length]
    }
}

/// A moved list keeps its place, a copied one does not: the copy is aligned anew.
impl<T: Pod + Default> Clone for Aligned<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.length);
        copy.as_mut_slice().copy_from_slice(self.as_slice());
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Pod + Default + PartialEq + std::fmt::Debug>(one: T) {
        for length in [0, 1, 7, 8, 1000, 5 << 20] {
            let mut list = Aligned::zeros(length);
            assert!(list.as_slice().iter().all(|&x| x == T::default()));
            list.as_mut_slice().fill(one);
            let copy = list.clone();
            assert_eq!(copy.as_slice(), vec![one; length]);
            assert_eq!(list.as_slice().as_ptr() as usize % LINE, 0);
            assert_eq!(copy.as_slice().as_ptr() as usize % LINE, 0);
            let mut later = Aligned::shifted(length, HALF_PAGE);
            later.as_mut_slice().fill(one);
            assert_eq!(later.as_slice(), vec![one; length]);
            assert_eq!(later.as_slice().as_ptr() as usize % LINE, 0);
            let page = match later.memory {
                Memory::Heap(_) => PAGE,
                Memory::Pages(_) => HUGE_PAGE,
            };
            if length * size_of::<T>() >= PAGE {
                assert_eq!(later.as_slice().as_ptr() as usize % page, HALF_PAGE);
            }
        }
    }

    #[test]
    fn lists_and_their_copies_start_on_a_cache_line() {
        check(1.5_f64);
        check(1.5_f32);
        check(7_u16);
    }
}
