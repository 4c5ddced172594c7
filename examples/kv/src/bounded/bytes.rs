//! Fixed arrays as areas and outputs.

use crate::memory::{Area, Output};
use heapless::{Deque, Vec};

/// A block of `N` bytes that neither grows nor shrinks.
#[derive(Debug)]
pub struct Block<const N: usize>([u8; N]);

impl<const N: usize> Default for Block<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> Area for Block<N> {
    fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn grow(&mut self, _: usize) {}

    fn shrink(&mut self, _: usize) {}
}

/// Replies of one client in a ring of `N` bytes, handed to the writer in small copies.
#[derive(Debug, Default)]
pub struct Ring<const N: usize>(Deque<u8, N>);

impl<const N: usize> Output for Ring<N> {
    type Chunk = Vec<u8, 64>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn room(&self) -> usize {
        N - self.0.len()
    }

    fn capacity(&self) -> usize {
        N
    }

    fn extend(&mut self, bytes: &[u8]) {
        if bytes.len() <= self.room() {
            self.0.extend(bytes.iter().copied());
        }
    }

    fn take(&mut self, chunk: &mut Self::Chunk) {
        let take = self.0.len().min(chunk.capacity());
        chunk.extend((0..take).filter_map(|_| self.0.pop_front()));
    }

    fn recycle(chunk: &mut Self::Chunk) {
        chunk.clear();
    }

    fn footprint(&self) -> usize {
        0
    }

    fn chunk_footprint(_: &Self::Chunk) -> usize {
        0
    }

    fn contiguous(&mut self) -> &[u8] {
        self.0.make_contiguous()
    }

    fn clear(&mut self) {
        self.0.clear();
    }
}
