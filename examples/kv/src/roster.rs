//! Who waits for what: names, and under each the clients in order of arrival.
//!
//! Subscriptions and blocked pops are the same relation. A channel has subscribers, told in the order in which they
//! came; a key has blocked clients, served in the order in which they came. A client may be under many names, and
//! leaves them one by one or all at once. [`pubsub`](crate::pubsub) and [`blocking`](crate::blocking) give it meaning.

use crate::memory::Full;

/// A connected client: its place in the server's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub(crate) u32);

impl ClientId {
    /// The place in the table.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Clients under names.
pub trait Roster: Default {
    /// Puts `client` under `name`, behind those already there; whether it was not there before.
    ///
    /// # Errors
    /// [`Full`] if there is no place.
    fn join(&mut self, name: &[u8], client: ClientId) -> Result<bool, Full>;

    /// Takes `client` away from `name`; whether it was there.
    fn leave(&mut self, name: &[u8], client: ClientId) -> bool;

    /// The clients under `name`, in order of arrival.
    fn members(&self, name: &[u8]) -> impl Iterator<Item = ClientId>;

    /// How many names `client` is under.
    fn count(&self, client: ClientId) -> usize;

    /// Some name that `client` is under.
    fn name_of(&self, client: ClientId) -> Option<&[u8]>;

    /// Takes `client` away from that name.
    fn leave_one(&mut self, client: ClientId);

    /// How many names there are.
    fn names(&self) -> usize;

    /// Bytes of heap held, with an estimate of the overhead.
    fn footprint(&self) -> usize;

    /// Bytes that one more name of `len` bytes would add to that.
    fn cost(len: usize) -> usize;
}
