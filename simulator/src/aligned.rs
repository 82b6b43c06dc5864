//! Lists of numbers that start on a cache line.

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;

/// A fixed number of `f64`, the first one on a cache line: vectors never straddle two lines.
#[derive(Debug)]
pub(crate) struct Aligned {
    buffer: Vec<f64>,
    start: usize,
    length: usize,
}

impl Aligned {
    /// Zeros. The system hands out the pages when they are first written.
    pub(crate) fn zeros(length: usize) -> Self {
        let buffer = vec![0.0_f64; length + LINE / size_of::<f64>()];
        // Offsets are below eight where they are known; where not, alignment is only a matter of speed.
        let start = buffer
            .as_ptr()
            .align_offset(LINE)
            .min(LINE / size_of::<f64>());
        Self {
            buffer,
            start,
            length,
        }
    }

    pub(crate) fn as_slice(&self) -> &[f64] {
        &self.buffer[self.start..self.start + self.length]
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [f64] {
        &mut self.buffer[self.start..self.start + self.length]
    }
}

/// A moved buffer keeps its place, a copied one does not: the copy is aligned anew.
impl Clone for Aligned {
    fn clone(&self) -> Self {
        let mut copy = Self::zeros(self.length);
        copy.as_mut_slice().copy_from_slice(self.as_slice());
        copy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_their_copies_start_on_a_cache_line() {
        for length in [0, 1, 7, 8, 1000] {
            let mut list = Aligned::zeros(length);
            list.as_mut_slice().fill(1.5);
            let copy = list.clone();
            assert_eq!(copy.as_slice(), vec![1.5; length]);
            assert_eq!(list.as_slice().as_ptr() as usize % LINE, 0);
            assert_eq!(copy.as_slice().as_ptr() as usize % LINE, 0);
        }
    }
}
