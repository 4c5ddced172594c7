//! Storage without an allocator, for firmware: every size is part of the type.

mod bytes;
mod roster;
mod store;

pub use bytes::{Block, Ring};
pub use roster::BoundedRoster;
pub use store::BoundedStore;

use crate::client::Client;
use crate::limits::Limits;
use crate::memory::Memory;
use crate::resp::Span;

/// [`Memory`] in arrays:
///
/// - `CLIENTS` at one time,
/// - `STORE` bytes of keys and values,
/// - `QUERY` bytes for a client's request,
/// - `OUTPUT` bytes for the replies that wait for a client: at least `QUERY + 512`, so that any value fits a reply,
/// - `PLACES` subscriptions, and as many keys on which clients are blocked,
/// - `ARGS` arguments of a request.
///
/// A server takes `STORE + CLIENTS * OUTPUT` bytes and a session `QUERY`, both with a little around it; tests hold the
/// sizes.
#[derive(Debug)]
pub struct Bounded<
    const CLIENTS: usize = 1,
    const STORE: usize = 8192,
    const QUERY: usize = 1024,
    const OUTPUT: usize = 2048,
    const PLACES: usize = 8,
    const ARGS: usize = 32,
>;

impl<
    const CLIENTS: usize,
    const STORE: usize,
    const QUERY: usize,
    const OUTPUT: usize,
    const PLACES: usize,
    const ARGS: usize,
> Bounded<CLIENTS, STORE, QUERY, OUTPUT, PLACES, ARGS>
{
    /// The limits that follow from the sizes.
    pub const LIMITS: Limits = {
        assert!(OUTPUT >= QUERY + 512, "a reply must hold any value: OUTPUT >= QUERY + 512");
        Limits {
            max_clients: CLIENTS,
            max_bulk: QUERY - 64,
            max_args: ARGS,
            max_inline: QUERY - 1,
            max_query: QUERY,
            max_pending: OUTPUT,
            max_backlog: OUTPUT,
            max_buffers: usize::MAX,
            max_memory: STORE,
        }
    };
}

impl<
    const CLIENTS: usize,
    const STORE: usize,
    const QUERY: usize,
    const OUTPUT: usize,
    const PLACES: usize,
    const ARGS: usize,
> Memory for Bounded<CLIENTS, STORE, QUERY, OUTPUT, PLACES, ARGS>
{
    type Store = BoundedStore<STORE>;
    type Roster = BoundedRoster<PLACES>;
    type Query = Block<QUERY>;
    type Output = Ring<OUTPUT>;
    type Spans = heapless::Vec<Span, ARGS>;
    type Clients = heapless::Vec<Option<Client<Ring<OUTPUT>>>, CLIENTS>;
}
