//! What a server is made of: the storage behind the code that is the same everywhere.
//!
//! The protocol, the commands, the sessions are written once, over these traits. [`Heap`](crate::Heap) implements them
//! with growing tables, [`Bounded`](crate::Bounded) with arrays whose sizes are part of the type. A full container says
//! so and changes nothing; what that means to a client is decided by the code above.

use crate::client::Client;
use crate::resp::Span;
use crate::roster::Roster;
use crate::store::Store;
use core::ops::DerefMut;

/// The storage of one server.
pub trait Memory {
    /// Keys and values.
    type Store: Store;
    /// Channels and their subscribers; keys and the clients blocked on them.
    type Roster: Roster;
    /// What a client has sent and the server has not yet executed.
    type Query: Area;
    /// Replies that wait for a client.
    type Output: Output;
    /// Where the arguments of one request lie.
    type Spans: List<Span>;
    /// The connected clients.
    type Clients: List<Option<Client<Self::Output>>>;
}

/// A container is full and has been left as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// A vector that may have a capacity.
pub trait List<T>: Default + DerefMut<Target = [T]> {
    /// Appends `item`, or gives it back.
    ///
    /// # Errors
    /// `item`, if there is no room.
    fn push(&mut self, item: T) -> Result<(), T>;

    /// Removes everything.
    fn clear(&mut self);

    /// Bytes of heap held.
    fn footprint(&self) -> usize;
}

impl<T, const N: usize> List<T> for heapless::Vec<T, N> {
    fn push(&mut self, item: T) -> Result<(), T> {
        heapless::Vec::push(self, item)
    }

    fn clear(&mut self) {
        heapless::Vec::clear(self);
    }

    fn footprint(&self) -> usize {
        0
    }
}

/// A block of bytes that may grow and shrink. The bytes are readable at any time.
pub trait Area: Default {
    /// The block.
    fn bytes(&mut self) -> &mut [u8];

    /// The block, to look at.
    fn as_bytes(&self) -> &[u8];

    /// Grows the block to `len` bytes if it can.
    fn grow(&mut self, len: usize);

    /// Shrinks the block to `len` bytes if it can. What lay beyond is lost.
    fn shrink(&mut self, len: usize);
}

/// Replies on their way to one client: appended by whoever answers, taken in pieces by the one who writes.
pub trait Output: Default {
    /// A piece in the hands of the writer.
    type Chunk: Default + AsRef<[u8]>;

    /// Bytes waiting.
    fn len(&self) -> usize;

    /// Whether nothing waits.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that can be appended now.
    fn room(&self) -> usize;

    /// Bytes that can be appended to an empty one.
    fn capacity(&self) -> usize;

    /// Appends `bytes`. The caller has looked at [`room`](Self::room); what does not fit is dropped whole.
    fn extend(&mut self, bytes: &[u8]);

    /// Moves the oldest bytes, at least one if there are any, into `chunk`, which is empty.
    fn take(&mut self, chunk: &mut Self::Chunk);

    /// Empties a chunk that has been written.
    fn recycle(chunk: &mut Self::Chunk);

    /// Bytes of heap held.
    fn footprint(&self) -> usize;

    /// Bytes of heap that `chunk` holds.
    fn chunk_footprint(chunk: &Self::Chunk) -> usize;

    /// All that waits, in one piece.
    fn contiguous(&mut self) -> &[u8];

    /// Drops everything.
    fn clear(&mut self);
}
