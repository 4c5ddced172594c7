//! Storage on the heap, for a server: tables that grow up to their limits.

mod bytes;
mod roster;
mod store;

pub use bytes::Pending;
pub use roster::HeapRoster;
pub use store::HeapStore;

use crate::client::Client;
use crate::memory::Memory;
use crate::resp::Span;
use alloc::vec::Vec;
use core::hash::BuildHasher;
use core::marker::PhantomData;

/// [`Memory`] on the heap. `H` hashes the keys, which clients choose: it has to be keyed, and its key a secret, or a
/// client can make every key collide. The standard library's `RandomState` is such a hasher.
#[derive(Debug)]
pub struct Heap<H>(PhantomData<H>);

impl<H: BuildHasher + Default> Memory for Heap<H> {
    type Store = HeapStore<H>;
    type Roster = HeapRoster<H>;
    type Query = Vec<u8>;
    type Output = Pending;
    type Spans = Vec<Span>;
    type Clients = Vec<Option<Client<Pending>>>;
}
