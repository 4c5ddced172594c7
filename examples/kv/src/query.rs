//! One client's unread requests: a window of unconsumed bytes in an area that grows with what arrives.

use crate::memory::Area;

/// What an area starts with, and shrinks back to.
const START: usize = 4 << 10;
/// Above this, an area that has become empty shrinks.
const KEEP: usize = 64 << 10;

/// Bytes that have arrived and have not been consumed, and the room behind them.
#[derive(Debug, Default)]
pub(crate) struct Query<A> {
    area: A,
    start: usize,
    end: usize,
    /// The last read filled the area: there was probably more.
    filled: bool,
}

impl<A: Area> Query<A> {
    /// What has arrived.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.area.bytes()[self.start..self.end]
    }

    /// What has arrived, to look at.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.area.as_bytes()[self.start..self.end]
    }

    /// Bytes of the area.
    pub(crate) fn len(&self) -> usize {
        self.area.as_bytes().len()
    }

    /// The first `count` bytes are done with.
    pub(crate) fn consume(&mut self, count: usize) {
        self.start += count;
        if self.start >= self.end {
            (self.start, self.end) = (0, 0);
            if self.len() > KEEP {
                self.area.shrink(START);
            }
        }
    }

    /// The size that the area should grow to before the next read, for a request of `needed` bytes at least; none if
    /// there is room enough. Grows by doubling, but never beyond what is needed if that is known, nor above `most`.
    /// If room is left nevertheless, growing is only to read more at once.
    pub(crate) fn growth(&mut self, needed: usize, most: usize) -> Option<usize> {
        let held = self.end - self.start;
        let len = self.len();
        if self.start > 0 && (self.end == len || needed > len - self.start) {
            self.area.bytes().copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, held);
        }
        if self.end < len && !(self.filled && len < KEEP) {
            return None;
        }
        let doubled = (len * 2).max(START);
        // A partial request whose length is not known needs "one byte more".
        let target = if needed > held + 1 { doubled.min(needed.max(START)) } else { doubled };
        Some(target.min(most)).filter(|target| *target > len)
    }

    /// Grows to that size, or as far as the area can.
    pub(crate) fn grow(&mut self, len: usize) {
        self.area.grow(len);
    }

    /// Where the next bytes go.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        &mut self.area.bytes()[self.end..]
    }

    /// `count` bytes have arrived in [`room`](Self::room).
    pub(crate) fn arrived(&mut self, count: usize) {
        self.end = (self.end + count).min(self.len());
        self.filled = self.end == self.len();
    }
}

#[cfg(all(test, feature = "alloc"))]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn receive(query: &mut Query<Vec<u8>>, needed: usize, most: usize, bytes: usize) -> usize {
        if let Some(len) = query.growth(needed, most) {
            query.grow(len);
        }
        let room = query.room().len().min(bytes);
        query.room()[..room].fill(b'x');
        query.arrived(room);
        room
    }

    #[test]
    fn memory_follows_what_arrives_and_not_what_is_promised() {
        let mut query = Query::<Vec<u8>>::default();
        let promised = 512 << 20;
        let mut arrived = 0;
        for _ in 0..1000 {
            arrived += receive(&mut query, promised, 1 << 30, 100);
            assert!(query.len() <= (2 * arrived).max(START), "{} for {arrived}", query.len());
        }
        assert_eq!(query.bytes().len(), arrived);
    }

    #[test]
    fn a_full_area_at_its_limit_has_no_room() {
        let mut query = Query::<Vec<u8>>::default();
        while receive(&mut query, 1, 10_000, 700) > 0 {}
        assert_eq!(query.bytes().len(), 10_000);
        query.consume(9_000);
        assert_eq!(receive(&mut query, 1_001, 10_000, 50_000), 9_000);
    }

    #[test]
    fn a_long_request_is_not_remembered() {
        let mut query = Query::<Vec<u8>>::default();
        while query.bytes().len() < 1 << 20 {
            receive(&mut query, 1 << 20, 1 << 30, 65_536);
        }
        query.consume(1 << 20);
        assert_eq!(query.len(), START);
    }
}
