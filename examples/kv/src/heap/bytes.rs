//! Vectors as lists, areas and outputs.

use crate::memory::{Area, List, Output};
use alloc::vec::Vec;

impl<T> List<T> for Vec<T> {
    fn push(&mut self, item: T) -> Result<(), T> {
        Vec::push(self, item);
        Ok(())
    }

    fn clear(&mut self) {
        Vec::clear(self);
        // One request with a million arguments must not be remembered by every later one.
        self.shrink_to(1024);
    }

    fn footprint(&self) -> usize {
        self.capacity() * size_of::<T>()
    }
}

impl Area for Vec<u8> {
    fn bytes(&mut self) -> &mut [u8] {
        self
    }

    fn as_bytes(&self) -> &[u8] {
        self
    }

    fn grow(&mut self, len: usize) {
        if len > self.len() {
            self.reserve_exact(len - self.len());
            self.resize(len, 0);
        }
    }

    fn shrink(&mut self, len: usize) {
        self.truncate(len);
        self.shrink_to_fit();
    }
}

/// Replies of one client in a vector, handed to the writer by swapping it with the one just written.
#[derive(Debug, Default)]
pub struct Pending(Vec<u8>);

/// What a vector for replies may keep when it is empty.
const KEEP: usize = 16 << 10;

impl Output for Pending {
    type Chunk = Vec<u8>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn room(&self) -> usize {
        usize::MAX
    }

    fn capacity(&self) -> usize {
        usize::MAX
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn take(&mut self, chunk: &mut Vec<u8>) {
        core::mem::swap(&mut self.0, chunk);
    }

    fn recycle(chunk: &mut Vec<u8>) {
        chunk.clear();
        chunk.shrink_to(KEEP);
    }

    fn footprint(&self) -> usize {
        self.0.capacity()
    }

    fn chunk_footprint(chunk: &Vec<u8>) -> usize {
        chunk.capacity()
    }

    fn contiguous(&mut self) -> &[u8] {
        &self.0
    }

    fn clear(&mut self) {
        self.0 = Vec::new();
    }
}
